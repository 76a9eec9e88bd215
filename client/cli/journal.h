// What an interrupted import has done, as text: the content of a progress file.
//
// One line says which import this is, then one line for each record that is stored: its number in
// the file. Lines are appended as answers arrive, so whatever was cut off at the end was not
// recorded, and that record is stored again, which changes nothing but its version.
//
//   parallax-import 1 format=dpkg records=826 bytes=751412 crc32=5a0c01f2 cluster=9f... prefix=pkg/
//   0
//   2
//   1
//
// Pure; journal_file.h keeps it on disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parallax::cli {

/// Two imports with equal identities store the same records in the same place.
struct ImportIdentity {
  std::string format;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  ///< of the imported file
  std::uint32_t crc32 = 0;  ///< of the imported file
  std::string cluster;      ///< its id
  std::string prefix;
  friend bool operator==(const ImportIdentity&, const ImportIdentity&) = default;
};

/// The first line, with its newline.
std::string journal_header(const ImportIdentity& identity);
/// The line of a record, with its newline.
std::string journal_line(std::uint64_t record);

struct Journal {
  std::vector<bool> stored;  ///< by record
  std::uint64_t count = 0;   ///< how many are true
  std::size_t bytes = 0;     ///< of the text that was whole: where to go on writing
};
/// Nothing if the text is not the journal of that import. A line that was cut off, or is no number
/// of a record, and everything after it is ignored.
std::optional<Journal> read_journal(std::string_view text, const ImportIdentity& identity);

}  // namespace parallax::cli
