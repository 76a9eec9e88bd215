// Operations are many and small, so they are packed by hand: what they have in common is said once.
//
//   node, incarnation, number of the first operation; the others follow it one by one
//   count, then path (1 byte), node, incarnation: actors 1, 2, ...; the origin is actor 0
//   each operation, up to the end:
//     clock reading, as the difference to the one before (zigzag)
//     flags (1 byte): 1 tombstone, 2 content type, 4 expiry
//     context: count, then actor, distance of its reading to the operation's
//     dependencies: count, then actor, number
//     key: length, bytes; value: length, bytes
//     with a content type: length, bytes; with an expiry: milliseconds
//
// Numbers without a size are varints. No operations: no bytes.
#include "storage/causal_codec.h"

#include <algorithm>

#include "base/assert.h"
#include "base/limits.h"
#include "storage/packing.h"

namespace parallax {
namespace {

constexpr std::uint8_t kTombstone = 1;
constexpr std::uint8_t kContentType = 2;
constexpr std::uint8_t kExpiry = 4;
/// Few bytes must not make many objects.
constexpr std::size_t kMostActors = 1'000;

Error corrupt(std::string message) {
  return definite(ErrorCode::corrupt, std::move(message));
}

Actor actor_of(const Origin& origin) {
  return {ActorPath::causal, origin.node, origin.incarnation};
}

// --- Packing ------------------------------------------------------------------------------------

std::uint64_t zigzag(std::uint64_t difference) {
  return difference >> 63 ? ~(difference << 1) : difference << 1;
}
std::uint64_t unzigzag(std::uint64_t value) {
  return value & 1 ? ~(value >> 1) : value >> 1;
}

/// Actors by number. Few: looked through one by one.
class Actors {
 public:
  explicit Actors(const Actor& origin) : all_{origin} {}
  std::size_t number_of(const Actor& actor) {
    const auto found = std::find(all_.begin(), all_.end(), actor);
    if (found != all_.end()) return static_cast<std::size_t>(found - all_.begin());
    all_.push_back(actor);
    return all_.size() - 1;
  }
  void append_to(std::string& out) const {
    append_varint(out, all_.size() - 1);
    for (std::size_t i = 1; i < all_.size(); ++i) {
      out.push_back(static_cast<char>(all_[i].path));
      append_varint(out, all_[i].node.value);
      append_varint(out, all_[i].incarnation.value);
    }
  }

 private:
  std::vector<Actor> all_;
};

void append_operation(std::string& out, const CausalOperation& operation, Hlc& last,
                      Actors& actors) {
  const Version& version = operation.version;
  append_varint(out, zigzag(version.stamp.hlc.value - last.value));
  last = version.stamp.hlc;
  std::uint8_t flags = version.tombstone ? kTombstone : 0;
  if (!version.content_type.empty()) flags |= kContentType;
  if (version.expires_at != UnixMillis{}) flags |= kExpiry;
  out.push_back(static_cast<char>(flags));
  append_varint(out, version.context.entries().size());
  for (const auto& [actor, reading] : version.context.entries()) {
    append_varint(out, actors.number_of(actor));
    append_varint(out, version.stamp.hlc.value - reading.value);
  }
  append_varint(out, operation.dependencies.entries().size());
  for (const auto& [origin, number] : operation.dependencies.entries()) {
    append_varint(out, actors.number_of(actor_of(origin)));
    append_varint(out, number);
  }
  append_bytes(out, operation.key);
  append_bytes(out, version.value.view());
  if (flags & kContentType) append_bytes(out, version.content_type);
  if (flags & kExpiry) append_varint(out, version.expires_at.value);
}

}  // namespace

std::string_view fault(const CausalOperation& operation) {
  const Version& version = operation.version;
  if (operation.number == 0 || operation.number > limits::kMaxCausalNumber) {
    return "no number that an operation can have";
  }
  if (operation.key.empty()) return "an operation without a key";
  if (version.actor.path != ActorPath::causal || version.actor.node == kNoNode) {
    return "an operation of no causal origin";
  }
  if (version.stamp.empty() || version.stamp.node != version.actor.node) {
    return "an operation with a stamp that is not its origin's";
  }
  if (!KeyState::replaces_only_older(version)) return "a version that replaces a newer one";
  if (version.tombstone && !version.value.empty()) return "a tombstone with a value";
  if (version.log_index != LogIndex{}) return "an operation that the log has committed";
  if (operation.dependencies.at(operation.origin()) != 0) {
    return "an operation that names its own origin among its dependencies";
  }
  return {};
}

std::string pack_operations(const std::vector<SharedOperation>& operations) {
  if (operations.empty()) return {};
  const CausalOperation& first = operations.front();
  Actors actors(actor_of(first.origin()));
  Hlc last;
  std::string body;
  std::size_t about = 0;
  for (const CausalOperation& operation : operations) about += operation.bytes();
  body.reserve(about);
  std::uint64_t next = first.number;
  for (const CausalOperation& operation : operations) {
    PARALLAX_ASSERT(operation.origin() == first.origin() && operation.number == next,
                    "operation {} where {} follows", operation.number, next);
    append_operation(body, operation, last, actors);
    ++next;
  }
  std::string out;
  out.reserve(body.size() + 64);
  append_varint(out, first.origin().node.value);
  append_varint(out, first.origin().incarnation.value);
  append_varint(out, first.number);
  actors.append_to(out);
  out += body;
  return out;
}

namespace {

std::vector<Actor> read_actors(Unpack& in, const Origin& origin) {
  std::vector<Actor> actors{actor_of(origin)};
  for (std::size_t left = in.varint(kMostActors); left > 0 && !in.failed(); --left) {
    const std::uint8_t path = in.byte();
    if (path > static_cast<std::uint8_t>(ActorPath::causal)) in.fail();
    const NodeId node = in.node();
    actors.push_back({static_cast<ActorPath>(path), node, Incarnation{in.varint()}});
  }
  return actors;
}

/// False: the entries are not what a vector is made of.
bool read_vectors(Unpack& in, const std::vector<Actor>& actors, CausalOperation& operation) {
  Version& version = operation.version;
  std::vector<VersionVector::Entry> context(in.count());
  for (auto& [actor, reading] : context) {
    actor = actors[in.varint(actors.size() - 1)];
    reading = Hlc{version.stamp.hlc.value - in.varint(version.stamp.hlc.value)};
  }
  std::vector<OriginVector::Entry> dependencies(in.count());
  for (auto& [origin, number] : dependencies) {
    const Actor& actor = actors[in.varint(actors.size() - 1)];
    if (actor.path != ActorPath::causal) return false;
    origin = {actor.node, actor.incarnation};
    number = in.varint();
  }
  const std::size_t entries = context.size() + dependencies.size();
  version.context = VersionVector(std::move(context));
  operation.dependencies = OriginVector(std::move(dependencies));
  return version.context.entries().size() + operation.dependencies.entries().size() == entries;
}

/// The value is the piece of `whole`, which `in` reads, and not a copy.
void read_operation(const Bytes& whole, Unpack& in, const std::vector<Actor>& actors, Hlc& last,
                    CausalOperation& operation) {
  Version& version = operation.version;
  last = Hlc{last.value + unzigzag(in.varint())};
  version.actor = actors.front();
  version.stamp = {last, version.actor.node};
  const std::uint8_t flags = in.byte();
  if (!read_vectors(in, actors, operation)) return in.fail();
  operation.key = in.bytes();
  version.value = part_of(whole, in.bytes());
  version.tombstone = (flags & kTombstone) != 0;
  if (flags & kContentType) version.content_type = in.bytes();
  if (flags & kExpiry) version.expires_at = UnixMillis{in.varint()};
}

}  // namespace

Result<std::vector<SharedOperation>> unpack_operations(const Bytes& bytes) {
  std::vector<SharedOperation> operations;
  Unpack in{bytes.view()};
  Origin origin{in.node(), {}};
  origin.incarnation = Incarnation{in.varint()};
  std::uint64_t number = in.varint(limits::kMaxCausalNumber);
  const std::vector<Actor> actors = read_actors(in, origin);
  Hlc last;
  while (!in.done()) {
    if (operations.size() == limits::kCausalBufferOperations) {
      return corrupt(fmt::format("operations: more than {}", operations.size()));
    }
    CausalOperation operation{number++, {}, {}, {}};
    read_operation(bytes, in, actors, last, operation);
    operations.emplace_back(std::move(operation));
  }
  if (in.failed()) {
    return corrupt(fmt::format("operations: {} bytes are no list", bytes.size()));
  }
  return operations;
}

}  // namespace parallax
