#include "consistency/key_context.h"

#include <limits>
#include <utility>
#include <vector>

#include "consistency/token_bytes.h"

namespace parallax {
namespace {

constexpr std::uint8_t kFormat = 1;
/// Path, node, incarnation, reading.
constexpr std::size_t kLeastEntryBytes = 1 + 1 + 1 + 8;
constexpr std::size_t kMostEntryBytes = 1 + 5 + kMaxVarintBytes + 8;
constexpr std::string_view kEntries = "list of actors";

VersionVector::Entry read_entry(TokenReader& in) {
  constexpr std::uint64_t kHighestNode = std::numeric_limits<NodeId::rep>::max();
  const std::uint8_t path = in.byte(kEntries);
  Actor actor;
  actor.node = NodeId{static_cast<NodeId::rep>(in.varint(kEntries, kHighestNode))};
  actor.incarnation = Incarnation{in.varint(kEntries)};
  const Hlc hlc{in.u64(kEntries)};
  if (in.failed()) return {};
  if (path > static_cast<std::uint8_t>(ActorPath::causal)) {
    in.altered(kEntries, "one of no path that is known here");
    return {};
  }
  actor.path = static_cast<ActorPath>(path);
  if (hlc.value == 0) in.altered(kEntries, "an empty one");
  return {actor, hlc};
}

}  // namespace

std::string encode_key_context(std::string_view key, const VersionVector& context) {
  std::string out;
  append_key_context(key, context, out);
  return out;
}

void append_key_context(std::string_view key, const VersionVector& context, std::string& out) {
  TokenWriter to(out, kFormat, kMaxVarintBytes + context.entries().size() * kMostEntryBytes);
  to.varint(context.entries().size());
  for (const auto& [actor, hlc] : context.entries()) {
    to.byte(static_cast<std::uint8_t>(actor.path));
    to.varint(actor.node.value);
    to.varint(actor.incarnation.value);
    to.u64(hlc.value);
  }
  to.finish(key);
}

Result<VersionVector> decode_key_context(std::string_view key, std::string_view text) {
  TokenReader in("key's context", text, kFormat, kMaxKeyContextBytes);
  std::vector<VersionVector::Entry> entries(in.count(kEntries, kLeastEntryBytes));
  for (std::size_t i = 0; i < entries.size() && !in.failed(); ++i) {
    entries[i] = read_entry(in);
    if (i > 0 && entries[i].first <= entries[i - 1].first) {
      in.altered(kEntries, "one out of order");
    }
  }
  PARALLAX_TRY(in.finish(ErrorCode::bad_request, key));
  return VersionVector(std::move(entries));
}

}  // namespace parallax
