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
// Numbers without a size are varints, seven bits a byte, the lowest first. No operations: no bytes.
#include "replication/causal/codec.h"

#include <algorithm>

#include "base/assert.h"
#include "base/limits.h"
#include "replication/message.pb.h"
#include "storage/key_state_codec.h"

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

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void append_bytes(std::string& out, std::string_view bytes) {
  append_varint(out, bytes.size());
  out.append(bytes);
}

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

std::string pack(const std::vector<CausalOperation>& operations) {
  if (operations.empty()) return {};
  const CausalOperation& first = operations.front();
  Actors actors(actor_of(first.origin()));
  Hlc last;
  std::string body;
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
  return out += body;
}

/// After the first thing that is wrong every number is 0: readers need not ask after each.
class Unpack {
 public:
  explicit Unpack(Bytes bytes) : bytes_(std::move(bytes)) {}
  bool done() const { return at_ == bytes_.size(); }
  bool failed() const { return failed_; }
  void fail() {
    failed_ = true;
    at_ = bytes_.size();
  }

  std::uint8_t byte() {
    if (done()) fail();
    return failed_ ? 0 : static_cast<std::uint8_t>(bytes_.view()[at_++]);
  }
  std::uint64_t varint(std::uint64_t most = ~std::uint64_t{0}) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      value |= std::uint64_t{next & 0x7fu} << shift;
      if (next < 0x80) {
        if (value > most) fail();
        return failed_ ? 0 : value;
      }
    }
    fail();
    return 0;
  }
  Bytes bytes() {
    const std::uint64_t size = varint(bytes_.size() - at_);
    if (size > bytes_.size() - at_) fail();
    if (failed_) return {};
    at_ += size;
    return size == 0 ? Bytes{} : bytes_.slice(at_ - size, size);
  }
  /// A number of things, each of which takes two bytes or more.
  std::size_t count() { return varint((bytes_.size() - at_) / 2); }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

NodeId read_node(Unpack& in) {
  return NodeId{static_cast<NodeId::rep>(in.varint(~NodeId::rep{0}))};
}

std::vector<Actor> read_actors(Unpack& in, const Origin& origin) {
  std::vector<Actor> actors{actor_of(origin)};
  for (std::size_t left = in.varint(kMostActors); left > 0 && !in.failed(); --left) {
    const std::uint8_t path = in.byte();
    if (path > static_cast<std::uint8_t>(ActorPath::causal)) in.fail();
    const NodeId node = read_node(in);
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

void read_operation(Unpack& in, const std::vector<Actor>& actors, Hlc& last,
                    CausalOperation& operation) {
  Version& version = operation.version;
  last = Hlc{last.value + unzigzag(in.varint())};
  version.actor = actors.front();
  version.stamp = {last, version.actor.node};
  const std::uint8_t flags = in.byte();
  if (!read_vectors(in, actors, operation)) return in.fail();
  operation.key = in.bytes().to_string();
  version.value = in.bytes();
  version.tombstone = (flags & kTombstone) != 0;
  if (flags & kContentType) version.content_type = in.bytes().to_string();
  if (flags & kExpiry) version.expires_at = UnixMillis{in.varint()};
}

Result<std::vector<CausalOperation>> unpack(std::string* field) {
  std::vector<CausalOperation> operations;
  if (field->empty()) return operations;
  const std::size_t size = field->size();
  Unpack in{Bytes{std::move(*field)}};
  Origin origin{read_node(in), {}};
  origin.incarnation = Incarnation{in.varint()};
  std::uint64_t number = in.varint(limits::kMaxCausalNumber);
  const std::vector<Actor> actors = read_actors(in, origin);
  Hlc last;
  while (!in.done()) {
    if (operations.size() == limits::kCausalBufferOperations) {
      return corrupt(fmt::format("operations: more than {}", operations.size()));
    }
    read_operation(in, actors, last,
                   operations.emplace_back(CausalOperation{number++, {}, {}, {}}));
  }
  if (in.failed()) return corrupt(fmt::format("operations: {} bytes are no list", size));
  return operations;
}

// --- Messages -----------------------------------------------------------------------------------

void fill(wire::QuorumCall& out, const QuorumCall& call) {
  out.set_life(call.life);
  out.set_id(call.id.value);
}

QuorumCall read(const wire::QuorumCall& call) {
  return {.life = call.life(), .id = RequestId{call.id()}};
}

using OriginCounts = google::protobuf::RepeatedPtrField<wire::OriginCount>;

void fill(OriginCounts& out, const OriginVector& vector) {
  for (const auto& [origin, count] : vector.entries()) {
    wire::OriginCount& entry = *out.Add();
    entry.set_node(origin.node.value);
    entry.set_incarnation(origin.incarnation.value);
    entry.set_count(count);
  }
}

OriginVector read(const OriginCounts& in) {
  std::vector<OriginVector::Entry> entries;
  entries.reserve(static_cast<std::size_t>(in.size()));
  for (const wire::OriginCount& entry : in) {
    entries.emplace_back(Origin{NodeId{entry.node()}, Incarnation{entry.incarnation()}},
                         entry.count());
  }
  return OriginVector(std::move(entries));
}

Result<Message> take(wire::CausalOperations& m) {
  PARALLAX_ASSIGN(auto operations, unpack(m.mutable_operations()));
  return CausalOperations{std::move(operations)};
}

Result<Message> take(const wire::CausalFetch& m) {
  return CausalFetch{.call = read(m.call()),
                     .origin = {NodeId{m.node()}, Incarnation{m.incarnation()}},
                     .after = m.after()};
}

Result<Message> take(wire::CausalFetched& m) {
  PARALLAX_ASSIGN(auto operations, unpack(m.mutable_operations()));
  return CausalFetched{
      .call = read(m.call()), .trimmed = m.trimmed(), .operations = std::move(operations)};
}

Result<Message> take(const wire::CausalStatus& m) {
  CausalStatus status{.applied = read(m.applied()), .heard = {}, .life = m.life()};
  for (const wire::NodeIncarnation& entry : m.heard()) {
    Incarnation& heard = status.heard[NodeId{entry.node()}];
    heard = std::max(heard, Incarnation{entry.incarnation()});
  }
  return status;
}

Result<Message> take(wire::CausalTransferQuery& m) {
  return CausalTransferQuery{.call = read(m.call()), .after = std::move(*m.mutable_after())};
}

Result<Message> take(wire::CausalTransferPage& m) {
  CausalTransferPage page{.call = read(m.call()),
                          .applied = read(m.applied()),
                          .stamps = {},
                          .ceiling = read(m.ceiling()),
                          .complete = m.complete()};
  for (const wire::OriginCount& entry : m.stamps()) {
    page.stamps.advance(actor_of({NodeId{entry.node()}, Incarnation{entry.incarnation()}}),
                        Hlc{entry.count()});
  }
  for (wire::CausalTransferPage::State& in : *m.mutable_states()) {
    CausalTransferPage::State& state = page.states.emplace_back();
    state.key = std::move(*in.mutable_key());
    PARALLAX_ASSIGN(state.state, decode_key_state(Bytes{std::move(*in.mutable_state())}));
  }
  return page;
}

}  // namespace

void fill_causal(wire::Envelope& out, const CausalOperations& m) {
  out.mutable_causal_operations()->set_operations(pack(m.operations));
}

void fill_causal(wire::Envelope& out, const CausalFetch& m) {
  wire::CausalFetch& fetch = *out.mutable_causal_fetch();
  fill(*fetch.mutable_call(), m.call);
  fetch.set_node(m.origin.node.value);
  fetch.set_incarnation(m.origin.incarnation.value);
  fetch.set_after(m.after);
}

void fill_causal(wire::Envelope& out, const CausalFetched& m) {
  wire::CausalFetched& fetched = *out.mutable_causal_fetched();
  fill(*fetched.mutable_call(), m.call);
  fetched.set_trimmed(m.trimmed);
  fetched.set_operations(pack(m.operations));
}

void fill_causal(wire::Envelope& out, const CausalStatus& m) {
  wire::CausalStatus& status = *out.mutable_causal_status();
  fill(*status.mutable_applied(), m.applied);
  status.set_life(m.life);
  for (const auto& [node, incarnation] : m.heard) {
    wire::NodeIncarnation& entry = *status.add_heard();
    entry.set_node(node.value);
    entry.set_incarnation(incarnation.value);
  }
}

void fill_causal(wire::Envelope& out, const CausalTransferQuery& m) {
  wire::CausalTransferQuery& query = *out.mutable_causal_transfer_query();
  fill(*query.mutable_call(), m.call);
  query.set_after(m.after);
}

void fill_causal(wire::Envelope& out, const CausalTransferPage& m) {
  wire::CausalTransferPage& page = *out.mutable_causal_transfer_page();
  fill(*page.mutable_call(), m.call);
  fill(*page.mutable_applied(), m.applied);
  fill(*page.mutable_ceiling(), m.ceiling);
  for (const auto& [actor, reading] : m.stamps.entries()) {
    wire::OriginCount& entry = *page.add_stamps();
    entry.set_node(actor.node.value);
    entry.set_incarnation(actor.incarnation.value);
    entry.set_count(reading.value);
  }
  for (const CausalTransferPage::State& state : m.states) {
    wire::CausalTransferPage::State& entry = *page.add_states();
    entry.set_key(state.key);
    encode_key_state(state.state, *entry.mutable_state());
  }
  page.set_complete(m.complete);
}

Result<Message> read_causal(wire::Envelope& in) {
  switch (in.message_case()) {
    case wire::Envelope::kCausalOperations:
      return take(*in.mutable_causal_operations());
    case wire::Envelope::kCausalFetch:
      return take(in.causal_fetch());
    case wire::Envelope::kCausalFetched:
      return take(*in.mutable_causal_fetched());
    case wire::Envelope::kCausalStatus:
      return take(in.causal_status());
    case wire::Envelope::kCausalTransferQuery:
      return take(*in.mutable_causal_transfer_query());
    case wire::Envelope::kCausalTransferPage:
      return take(*in.mutable_causal_transfer_page());
    default:
      PARALLAX_UNREACHABLE("message case {}", static_cast<int>(in.message_case()));
  }
}

}  // namespace parallax
