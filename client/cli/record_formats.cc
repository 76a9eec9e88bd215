#include "client/cli/record_formats.h"

#include <unordered_set>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/base64.h"
#include "client/cli/dpkg_status.h"
#include "client/cli/output.h"
#include "client/http_protocol.h"

namespace parallax::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

Error line_error(std::size_t line, std::string_view what) {
  return definite(ErrorCode::bad_parameter, fmt::format("line {}: {}", line, what));
}

Result<std::string> whole_key(std::string_view prefix, std::string_view key, std::size_t line) {
  std::string whole = fmt::format("{}{}", prefix, key);
  if (whole.empty() || whole.size() > limits::kMaxKeyBytes) {
    return line_error(line, fmt::format("the key has {} bytes, prefix included; expected 1 to {}",
                                        whole.size(), limits::kMaxKeyBytes));
  }
  return whole;
}

// ---- jsonl

std::string_view view(const json::string& string) {
  return {string.data(), string.size()};
}

/// The text of `name`, or the bytes of `name`_base64, of which exactly one must be there.
Result<std::string> text_or_base64(const json::object& object, const std::string& name,
                                   std::size_t line) {
  const json::value* plain = object.if_contains(name);
  const json::value* encoded = object.if_contains(name + "_base64");
  if ((plain == nullptr) == (encoded == nullptr)) {
    return line_error(line, fmt::format("expected one of \"{0}\" and \"{0}_base64\"{1}", name,
                                        plain == nullptr ? ", found neither" : ", found both"));
  }
  const json::value& found = plain != nullptr ? *plain : *encoded;
  if (!found.is_string()) {
    return line_error(
        line, fmt::format("\"{}{}\" is no string", name, plain != nullptr ? "" : "_base64"));
  }
  if (plain != nullptr) return std::string(view(found.get_string()));
  auto decoded = decode_base64(view(found.get_string()));
  if (decoded) return std::move(*decoded);
  return line_error(line, fmt::format("\"{}_base64\" is no base64 (RFC 4648, section 4, with "
                                      "padding)",
                                      name));
}

Result<std::chrono::milliseconds> ttl_of(const json::value& value, std::size_t line) {
  constexpr std::int64_t kMost = std::chrono::milliseconds(limits::kMaxTtl).count();
  json::error_code failed;
  const auto count = value.to_number<std::int64_t>(failed);
  if (failed || value.is_double() || count < 1 || count > kMost) {
    return line_error(line, fmt::format("\"ttl_ms\" is not a whole number from 1 to {}", kMost));
  }
  return std::chrono::milliseconds(count);
}

Result<ImportRecord> jsonl_record(std::string_view text, std::string_view prefix,
                                  std::size_t line) {
  json::error_code failed;
  const json::value parsed = json::parse(text, failed);
  if (failed || !parsed.is_object()) {
    return line_error(line, failed ? "this is no JSON: " + failed.message()
                                   : std::string("expected an object like {\"key\": \"a\", "
                                                 "\"value\": \"b\"}"));
  }
  const json::object& object = parsed.get_object();
  ImportRecord record{.key = {}, .value = {}, .line = line};
  for (const auto& [name, value] : object) {
    if (name == "content_type") {
      if (!value.is_string()) return line_error(line, "\"content_type\" is no string");
      record.content_type = view(value.get_string());
    } else if (name == "ttl_ms") {
      PARALLAX_ASSIGN(record.ttl, ttl_of(value, line));
    } else if (name != "key" && name != "key_base64" && name != "value" && name != "value_base64") {
      return line_error(line, fmt::format("unknown member {}; known are key, key_base64, value, "
                                          "value_base64, content_type, ttl_ms",
                                          quoted_for_message(std::string_view(name))));
    }
  }
  PARALLAX_ASSIGN(const std::string key, text_or_base64(object, "key", line));
  PARALLAX_ASSIGN(record.key, whole_key(prefix, key, line));
  PARALLAX_ASSIGN(std::string value, text_or_base64(object, "value", line));
  record.value = Bytes(std::move(value));
  return record;
}

// ---- csv

/// Takes the file apart; one record at a time.
class CsvReader {
 public:
  explicit CsvReader(std::string_view file) : file_(file) {}

  bool at_end() const { return at_ == file_.size(); }
  /// Of the next byte.
  std::size_t line() const { return line_; }

  /// The fields up to the end of the line; a blank line is one empty field.
  Result<std::vector<std::string>> record() {
    std::vector<std::string> fields;
    while (true) {
      PARALLAX_ASSIGN(std::string field, peek() == '"' ? quoted() : plain());
      fields.push_back(std::move(field));
      if (peek() == ',') {
        ++at_;
        continue;
      }
      if (peek() == '\r') ++at_;  // what follows is the newline: plain() and quoted() saw to that
      if (!at_end()) ++at_;
      ++line_;
      return fields;
    }
  }

 private:
  /// '\0' at the end, which no caller takes for anything.
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < file_.size() ? file_[at_ + ahead] : '\0';
  }
  bool at_line_end() const {
    return at_end() || peek() == '\n' || (peek() == '\r' && (peek(1) == '\n' || last(1)));
  }
  bool last(std::size_t ahead) const { return at_ + ahead == file_.size(); }

  Result<std::string> plain() {
    const std::size_t begin = at_;
    while (!at_line_end() && peek() != ',') {
      if (peek() == '"') {
        return line_error(line_,
                          "a quote inside a field that does not begin with one; put the "
                          "whole field in quotes and double the quotes in it");
      }
      if (peek() == '\r') {
        return line_error(line_, "a carriage return inside a field; put the field in quotes");
      }
      ++at_;
    }
    return std::string(file_.substr(begin, at_ - begin));
  }

  Result<std::string> quoted() {
    const std::size_t first_line = line_;
    std::string text;
    for (++at_;; ++at_) {
      if (at_end()) return line_error(first_line, "a quote is opened here and never closed");
      if (peek() == '"') {
        if (peek(1) != '"') break;
        ++at_;
      }
      if (peek() == '\n') ++line_;
      text += peek();
    }
    ++at_;
    if (!at_line_end() && peek() != ',') {
      return line_error(line_, "text behind a closing quote; expected a comma or the line's end");
    }
    return text;
  }

  std::string_view file_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

bool blank(const std::vector<std::string>& fields) {
  return fields.size() == 1 && fields.front().empty();
}

std::string_view without_mark(std::string_view file) {
  if (file.starts_with(kByteOrderMark)) file.remove_prefix(kByteOrderMark.size());
  return file;
}

}  // namespace

Result<std::vector<ImportRecord>> read_jsonl(std::string_view file, std::string_view prefix) {
  file = without_mark(file);
  std::vector<ImportRecord> records;
  std::size_t line = 0;
  for (std::size_t at = 0; at < file.size();) {
    const std::size_t end = std::min(file.find('\n', at), file.size());
    const std::string_view text = file.substr(at, end - at);
    at = end + 1;
    ++line;
    if (text.find_first_not_of(" \t\r") == text.npos) continue;
    PARALLAX_ASSIGN(ImportRecord record, jsonl_record(text, prefix, line));
    records.push_back(std::move(record));
  }
  return records;
}

Result<std::vector<ImportRecord>> read_csv(std::string_view file, std::string_view prefix) {
  CsvReader reader(without_mark(file));
  std::vector<ImportRecord> records;
  bool header_seen = false;
  while (!reader.at_end()) {
    const std::size_t line = reader.line();
    PARALLAX_ASSIGN(std::vector<std::string> fields, reader.record());
    if (blank(fields)) continue;
    if (!header_seen) {
      if (fields != std::vector<std::string>{"key", "value"}) {
        return line_error(line, "expected the header key,value");
      }
      header_seen = true;
      continue;
    }
    if (fields.size() != 2) {
      return line_error(line, fmt::format("{} field{}; expected 2, a key and a value",
                                          fields.size(), fields.size() == 1 ? "" : "s"));
    }
    PARALLAX_ASSIGN(std::string key, whole_key(prefix, fields[0], line));
    records.push_back(
        ImportRecord{.key = std::move(key), .value = Bytes(std::move(fields[1])), .line = line});
  }
  if (!header_seen) return line_error(1, "expected the header key,value");
  return records;
}

Result<std::vector<ImportRecord>> read_records(RecordFormat format, const Bytes& file,
                                               std::string_view prefix) {
  switch (format) {
    case RecordFormat::dpkg:
      return dpkg_records(file, prefix);
    case RecordFormat::jsonl:
      return read_jsonl(file.view(), prefix);
    case RecordFormat::csv:
      return read_csv(file.view(), prefix);
  }
  return definite(ErrorCode::internal, "no such format");
}

std::string jsonl_line(const Item& item) {
  json::object object;
  const auto put = [&](const std::string& name, std::string_view bytes) {
    const bool text = is_utf8(bytes);
    const std::string encoded = text ? std::string() : base64(bytes);
    const std::string_view shown = text ? bytes : encoded;
    object[text ? name : name + "_base64"] = json::string(shown.data(), shown.size());
  };
  put("key", item.key);
  put("value", item.value.view());
  if (!item.content_type.empty() && item.content_type != kDefaultContentType) {
    object["content_type"] = json::string(item.content_type.data(), item.content_type.size());
  }
  return json::serialize(object) + '\n';
}

std::vector<bool> superseded(const std::vector<ImportRecord>& records) {
  std::vector<bool> found(records.size(), false);
  std::unordered_set<std::string_view> later;
  for (std::size_t i = records.size(); i-- > 0;) found[i] = !later.insert(records[i].key).second;
  return found;
}

}  // namespace parallax::cli
