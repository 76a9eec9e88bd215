// Dotted entries as bytes.
#include "base/assert.h"
#include "consistency/merge/dotted_entries.h"
#include "consistency/merge/merge.pb.h"

namespace parallax {
namespace {

Error corrupt(std::string_view what) {
  return definite(ErrorCode::corrupt, fmt::format("a value that merges is corrupt: {}", what));
}

bool of_one_write(const DottedEntry& a, const DottedEntry& b) {
  return a.actor == b.actor && a.stamp == b.stamp && a.expires_at == b.expires_at;
}

}  // namespace

Bytes encode_entries(const DottedEntries& entries) {
  payload::Payload out;
  const DottedEntry* last = nullptr;
  for (const DottedEntry& entry : entries) {
    PARALLAX_ASSERT(last == nullptr || (*last < entry && !last->same_as(entry)),
                    "{} before {} of {}", last->stamp, entry.stamp, entry.actor.to_string());
    if (last == nullptr || !of_one_write(*last, entry)) {
      payload::Part& part = *out.add_parts();
      part.set_actor_path(static_cast<std::uint32_t>(entry.actor.path));
      part.set_actor_node(entry.actor.node.value);
      part.set_actor_incarnation(entry.actor.incarnation.value);
      part.set_hlc(entry.stamp.hlc.value);
      part.set_node(entry.stamp.node.value);
      part.set_expires_at_ms(entry.expires_at.value);
    }
    payload::Entry& own = *out.mutable_parts(out.parts_size() - 1)->add_entries();
    own.set_name(entry.name);
    own.set_value(entry.value);
    last = &entry;
  }
  return Bytes{out.SerializeAsString()};
}

Result<DottedEntries> decode_entries(const Bytes& bytes) {
  payload::Payload in;
  const std::string_view view = bytes.view();
  if (!in.ParseFromArray(view.data(), static_cast<int>(view.size()))) {
    return corrupt("its bytes are no payload");
  }
  DottedEntries entries;
  for (payload::Part& part : *in.mutable_parts()) {
    if (part.actor_path() > static_cast<std::uint32_t>(ActorPath::causal)) {
      return corrupt("unknown actor path");
    }
    DottedEntry entry{Actor{static_cast<ActorPath>(part.actor_path()), NodeId{part.actor_node()},
                            Incarnation{part.actor_incarnation()}},
                      Stamp{Hlc{part.hlc()}, NodeId{part.node()}},
                      {},
                      {},
                      UnixMillis{part.expires_at_ms()}};
    if (entry.stamp.empty()) return corrupt("a part without a stamp");
    if (part.entries().empty()) return corrupt("a part without entries");
    for (payload::Entry& own : *part.mutable_entries()) {
      entry.name = std::move(*own.mutable_name());
      entry.value = std::move(*own.mutable_value());
      if (!entries.empty() && (entries.back() > entry || entries.back().same_as(entry))) {
        return corrupt("entries out of order");
      }
      entries.push_back(entry);
    }
  }
  return entries;
}

}  // namespace parallax
