// A segment's bytes: index of the first entry, then each entry up to the end: term, length of the
// payload, payload. Numbers are varints (packing.h).
#include "storage/log_segment.h"

#include <limits>
#include <optional>
#include <utility>

#include "storage/packing.h"

namespace parallax {

std::string pack_segment(const LogSegment& segment) {
  std::size_t size = 16;
  for (const LogEntry& entry : segment.entries) size += entry.payload.size() + 16;
  std::string out;
  out.reserve(size);
  append_varint(out, segment.first.value);
  for (const LogEntry& entry : segment.entries) {
    append_varint(out, entry.term.value);
    append_bytes(out, entry.payload.view());
  }
  return out;
}

bool unpack_segment(const Bytes& bytes, LogSegment& segment) {
  Unpack in(bytes.view());
  segment.first = LogIndex{in.varint()};
  while (!in.done()) {
    LogEntry& entry = segment.entries.emplace_back();
    entry.index = segment.first + (segment.entries.size() - 1);
    entry.term = Term{in.varint()};
    entry.payload = part_of(bytes, in.bytes());
  }
  return !in.failed() && segment.first != LogIndex{} &&
         segment.entries.size() <= ~segment.first.value;
}

Result<void> scan_log(const ReadView& view, GroupId group, LogIndex from,
                      const std::function<bool(LogSegment segment)>& visit) {
  // The last one that begins at `from` or before has what counts there.
  ScanRange range = records::log_range(group, LogIndex{}, from.next());
  range.reverse = true;
  std::string start = range.end;
  PARALLAX_TRY(view.scan(range, [&](std::string_view key, std::string_view) {
    start = key;
    return false;
  }));
  range = records::log_range(group, from, LogIndex{std::numeric_limits<std::uint64_t>::max()});
  range.start = std::move(start);

  std::optional<LogSegment> held;  // until it is known where the next one begins
  Result<void> failed;
  bool stopped = false;
  PARALLAX_TRY(view.scan(range, [&](std::string_view key, std::string_view value) {
    Result<LogSegment> segment = records::decode<LogSegment>(key, value);
    if (!segment) {
      failed = segment.error();
      return false;
    }
    std::optional<LogSegment> whole = std::exchange(held, *std::move(segment));
    if (!whole) return true;
    if (held->first < whole->first + whole->entries.size()) {
      whole->entries.resize(held->first - whole->first);
    }
    stopped = !visit(*std::move(whole));
    return !stopped;
  }));
  if (failed && !stopped && held) visit(*std::move(held));
  return failed;
}

}  // namespace parallax
