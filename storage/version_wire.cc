#include "storage/version_wire.h"

#include <algorithm>

#include "base/assert.h"
#include "storage/packing.h"

namespace parallax {
namespace {

// Protocol Buffers' wire format: a field is its number and its wire type in a varint, then the
// value; fields in rising order; what is zero or empty is left out.
enum class Wire : unsigned { varint = 0, fixed64 = 1, bytes = 2 };

constexpr char tag(unsigned field, Wire wire) {
  return static_cast<char>(field << 3 | static_cast<unsigned>(wire));  // below 128: one byte
}

void put_varint(std::string& out, unsigned field, std::uint64_t value) {
  if (value == 0) return;
  out.push_back(tag(field, Wire::varint));
  append_varint(out, value);
}

void put_fixed64(std::string& out, unsigned field, std::uint64_t value) {
  if (value == 0) return;
  char bytes[9] = {tag(field, Wire::fixed64)};
  for (int i = 0; i < 8; ++i) bytes[i + 1] = static_cast<char>(value >> (8 * i));
  out.append(bytes, sizeof bytes);
}

void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
  if (bytes.empty()) return;
  out.push_back(tag(field, Wire::bytes));
  append_bytes(out, bytes);
}

/// A field of bytes whose length is known once `append(out)` has written them. The length itself
/// takes `usual` bytes, as a rule; else what was written has to move.
template <class Append>
void put_written(std::string& out, unsigned field, std::size_t usual, Append append) {
  out.push_back(tag(field, Wire::bytes));
  const std::size_t start = out.size();
  out.append(usual, '\0');
  append(out);
  std::string length;  // short: needs no allocation
  append_varint(length, out.size() - start - usual);
  if (length.size() == usual) {
    std::copy(length.begin(), length.end(), out.begin() + static_cast<std::ptrdiff_t>(start));
  } else {
    out.replace(start, usual, length);
  }
}

void put_context(std::string& out, unsigned field, const VersionVector& context, Hlc base) {
  if (context.empty()) return;
  put_written(out, field, 1, [&](std::string& to) { append_context(to, context, base); });
}

void append_message(std::string& out, const Version& version) {
  PARALLAX_ASSERT(!version.tombstone || version.value.empty(), "tombstone {} with {} value bytes",
                  version.stamp, version.value.size());
  put_fixed64(out, 1, version.stamp.hlc.value);
  put_varint(out, 2, version.stamp.node.value);
  put_varint(out, 3, static_cast<std::uint64_t>(version.actor.path));
  put_varint(out, 4, version.actor.node.value);
  put_varint(out, 5, version.actor.incarnation.value);
  put_varint(out, 7, version.tombstone ? 1 : 0);
  put_bytes(out, 8, version.value.view());
  put_bytes(out, 9, version.content_type);
  put_varint(out, 10, version.expires_at.value);
  put_varint(out, 11, version.log_index.value);
  put_context(out, 12, version.context, version.stamp.hlc);
}

void put_versions(std::string& out, unsigned field, const std::vector<Version>& versions) {
  for (const Version& version : versions) {
    put_written(out, field, 2, [&](std::string& to) { append_message(to, version); });
  }
}

}  // namespace

void append_message(std::string& out, const KeyState& state) {
  PARALLAX_ASSERT(well_formed(state), "context {}", state.context().to_string());
  const std::vector<Version>& versions = state.versions();
  put_versions(out, 1, versions);
  if (state.context_follows()) return;
  put_context(out, 3, state.context(), versions.empty() ? Hlc{} : versions.front().stamp.hlc);
}

void append_message(std::string& out, const HistoryRecord& record) {
  put_versions(out, 1, record.replaced);
}

void append_message(std::string& out, const HistorySegment& segment) {
  for (const Replacement& entry : segment.entries) {
    put_written(out, 1, 2, [&](std::string& to) {
      put_fixed64(to, 1, entry.by.hlc.value);
      put_varint(to, 2, entry.by.node.value);
      put_bytes(to, 3, entry.key);
      put_versions(to, 4, entry.replaced);
    });
  }
}

}  // namespace parallax
