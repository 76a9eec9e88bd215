#include "storage/packing.h"

#include <utility>
#include <vector>

namespace parallax {
namespace {

constexpr std::uint64_t kPaths = 4;
static_assert(static_cast<std::uint64_t>(ActorPath::causal) < kPaths, "a path has two bits");

}  // namespace

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void append_bytes(std::string& out, std::string_view bytes) {
  append_varint(out, bytes.size());
  out.append(bytes);
}

std::uint64_t Unpack::varint(std::uint64_t most) {
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

std::string_view Unpack::bytes() {
  const std::uint64_t size = varint(bytes_.size() - at_);
  if (size > bytes_.size() - at_) fail();
  if (failed_) return {};
  at_ += size;
  return bytes_.substr(at_ - size, size);
}

void append_context(std::string& out, const VersionVector& context, Hlc base) {
  for (const auto& [actor, reading] : context.entries()) {
    append_varint(out, actor.node.value * kPaths + static_cast<std::uint64_t>(actor.path));
    append_varint(out, actor.incarnation.value);
    append_varint(out, base.value - reading.value);
  }
}

bool read_context(std::string_view bytes, Hlc base, VersionVector& context) {
  std::vector<VersionVector::Entry> entries;
  Unpack in(bytes);
  while (!in.done()) {
    const std::uint64_t actor = in.varint(~NodeId::rep{0} * kPaths + (kPaths - 1));
    const std::uint64_t path = actor % kPaths;
    if (path > static_cast<std::uint64_t>(ActorPath::causal)) return false;
    const Incarnation incarnation{in.varint()};
    const Hlc reading{base.value - in.varint()};
    entries.emplace_back(Actor{static_cast<ActorPath>(path),
                               NodeId{static_cast<NodeId::rep>(actor / kPaths)}, incarnation},
                         reading);
  }
  const std::size_t count = entries.size();
  context = VersionVector{std::move(entries)};
  return !in.failed() && context.entries().size() == count;
}

}  // namespace parallax
