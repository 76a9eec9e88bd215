// Files of keys and values: what import and verify read and export writes.
//
//   dpkg   a dpkg status file (dpkg_status.h)
//   jsonl  JSON lines (jsonlines.org): one object each, {"key" or "key_base64", "value" or
//          "value_base64", and optionally "content_type" and "ttl_ms"}
//   csv    RFC 4180 with the header key,value; fields in quotes may hold commas and line breaks
//
// Strict: what is not in the format is refused, naming the line, and nothing is guessed. Lines that
// are blank, and a byte order mark at the start, mean nothing and are passed over.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "client/protocol.h"

namespace parallax::cli {

/// One thing to store.
struct ImportRecord {
  std::string key;
  Bytes value;
  std::string content_type = {};  ///< empty: the node's default
  std::optional<std::chrono::milliseconds> ttl = std::nullopt;
  std::size_t line = 0;  ///< of its first byte in the file, from 1
  friend bool operator==(const ImportRecord&, const ImportRecord&) = default;
};

enum class RecordFormat { dpkg, jsonl, csv };
inline constexpr std::array kRecordFormats{
    std::pair{RecordFormat::dpkg, std::string_view("dpkg")},
    std::pair{RecordFormat::jsonl, std::string_view("jsonl")},
    std::pair{RecordFormat::csv, std::string_view("csv")}};

/// All records in file order, `prefix` before each key. Keys may come twice. Errors: bad_parameter
/// naming the line and what would be right.
Result<std::vector<ImportRecord>> read_records(RecordFormat format, const Bytes& file,
                                               std::string_view prefix);
Result<std::vector<ImportRecord>> read_jsonl(std::string_view file, std::string_view prefix);
Result<std::vector<ImportRecord>> read_csv(std::string_view file, std::string_view prefix);

/// An item as a line of jsonl, with its newline: read_jsonl() gives the same key, value and content
/// type again. Text stays readable; what is not UTF-8 goes as base64.
std::string jsonl_line(const Item& item);

/// By record: a later one has the same key, so that this one shows nowhere once both are stored.
std::vector<bool> superseded(const std::vector<ImportRecord>& records);

}  // namespace parallax::cli
