#include "client/cli/journal.h"

#include <charconv>

#include <fmt/format.h>

#include "client/http_protocol.h"

namespace parallax::cli {

std::string journal_header(const ImportIdentity& identity) {
  return fmt::format(
      "parallax-import 1 format={} records={} bytes={} crc32={:08x} cluster={} prefix={}\n",
      identity.format, identity.records, identity.bytes, identity.crc32,
      percent_encode(identity.cluster), percent_encode(identity.prefix));
}

std::string journal_line(std::uint64_t record) {
  return fmt::format("{}\n", record);
}

std::optional<Journal> read_journal(std::string_view text, const ImportIdentity& identity) {
  const std::string header = journal_header(identity);
  if (!text.starts_with(header)) return std::nullopt;
  Journal journal;
  journal.stored.assign(identity.records, false);
  journal.bytes = header.size();
  while (true) {
    const std::size_t newline = text.find('\n', journal.bytes);
    if (newline == std::string_view::npos) return journal;
    std::uint64_t record = 0;
    const char* const end = text.data() + newline;
    const auto [stop, error] = std::from_chars(text.data() + journal.bytes, end, record);
    if (error != std::errc{} || stop != end || record >= identity.records) return journal;
    if (!journal.stored[record]) ++journal.count;
    journal.stored[record] = true;
    journal.bytes = newline + 1;
  }
}

}  // namespace parallax::cli
