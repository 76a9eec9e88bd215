// The JSON lines of a history. One operation a line; a line is parsed in memory that is used again
// for the next one, because a history has a million of them.
#include <array>
#include <limits>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "consistency/checker/history.h"

namespace parallax::checker {
namespace {

namespace json = boost::json;

Error wrong(std::string message) {
  return definite(ErrorCode::bad_request, std::move(message));
}

Result<std::int64_t> integer(const json::object& line, std::string_view name) {
  const json::value* member = line.if_contains(name);
  if (member == nullptr)
    return wrong(fmt::format("\"{}\" is missing; it must be an integer", name));
  if (member->is_int64()) return member->get_int64();
  // Other tools write times as 1.5e9.
  if (member->is_double()) {
    const double number = member->get_double();
    if (number > -9.0e18 && number < 9.0e18 && number == static_cast<std::int64_t>(number)) {
      return static_cast<std::int64_t>(number);
    }
  }
  return wrong(fmt::format("\"{}\" is {}; it must be an integer of 64 bits", name,
                           json::serialize(*member)));
}

Result<std::uint32_t> small_number(const json::object& line, std::string_view name) {
  PARALLAX_ASSIGN(const std::int64_t number, integer(line, name));
  if (number < 0 || number > std::numeric_limits<std::uint32_t>::max()) {
    return wrong(fmt::format("\"{}\" is {}; it must be from 0 to 4294967295", name, number));
  }
  return static_cast<std::uint32_t>(number);
}

Text intern_value(Texts& texts, const json::value& value) {
  if (value.is_null()) return kAbsent;
  if (value.is_string()) return texts.intern(std::string_view(value.get_string()));
  return texts.intern(json::serialize(value));
}

/// kNothing if the member is not there.
Text optional_value(Texts& texts, const json::object& line, std::string_view name) {
  const json::value* member = line.if_contains(name);
  return member == nullptr ? kNothing : intern_value(texts, *member);
}

Result<Text> optional_text(Texts& texts, const json::object& line, std::string_view name) {
  const json::value* member = line.if_contains(name);
  if (member == nullptr || member->is_null()) return kNothing;
  if (!member->is_string()) {
    return wrong(fmt::format("\"{}\" is {}; it must be a string", name, json::serialize(*member)));
  }
  return texts.intern(std::string_view(member->get_string()));
}

Result<Outcome> read_outcome(const json::object& line) {
  const json::value* ok = line.if_contains("ok");
  if (ok != nullptr) {
    if (ok->is_bool()) return ok->get_bool() ? Outcome::ok : Outcome::failed;
    if (ok->is_string() && ok->get_string() == "unknown") return Outcome::unknown;
  }
  return wrong(fmt::format("\"ok\" is {}; it must be true, false or \"unknown\"",
                           ok == nullptr ? "missing" : json::serialize(*ok)));
}

/// The difference of two of them has room in 64 bits.
Result<std::int64_t> time_ns(const json::object& line, std::string_view name) {
  constexpr std::int64_t kMost = std::int64_t{1} << 61;
  PARALLAX_ASSIGN(const std::int64_t ns, integer(line, name));
  if (ns < -kMost || ns > kMost) {
    return wrong(
        fmt::format("\"{}\" is {}; it must be nanoseconds from {} to {}", name, ns, -kMost, kMost));
  }
  return ns;
}

Result<void> read_interval(const json::object& line, Operation& operation) {
  PARALLAX_ASSIGN(operation.call_ns, time_ns(line, "call"));
  if (operation.outcome == Outcome::unknown) return {};
  PARALLAX_ASSIGN(operation.return_ns, time_ns(line, "return"));
  if (operation.return_ns < operation.call_ns) {
    return wrong(fmt::format("\"return\" {} is before \"call\" {}; it must be at or after it",
                             operation.return_ns, operation.call_ns));
  }
  return {};
}

Result<void> read_cas(Texts& texts, const json::object& line, Operation& operation) {
  operation.expected = optional_value(texts, line, "expected");
  const Text value = optional_value(texts, line, "value");
  const json::value* mismatch = line.if_contains("mismatch");
  if (operation.outcome == Outcome::failed) {
    if (value != kNothing) {
      operation.result = value;
      operation.outcome = Outcome::mismatch;
    } else if (mismatch != nullptr && mismatch->is_bool() && mismatch->get_bool()) {
      operation.outcome = Outcome::mismatch;
    } else {
      operation.value = optional_value(texts, line, "wanted");
    }
  } else {
    operation.value = value;
    if (value == kNothing) return wrong("\"value\" is missing; a cas must say what it writes");
  }
  if (operation.expected == kNothing && operation.outcome != Outcome::failed) {
    return wrong("\"expected\" is missing; a cas must say what it expects, or null for no value");
  }
  return {};
}

Result<void> read_values(Texts& texts, const json::object& line, Operation& operation) {
  switch (operation.kind) {
    case OperationKind::read:
    case OperationKind::scan:
      if (operation.outcome != Outcome::ok) return {};
      operation.result = optional_value(texts, line, "value");
      if (operation.result == kNothing) {
        return wrong("\"value\" is missing; a read that is ok must say what it saw, or null");
      }
      return {};
    case OperationKind::cas:
      return read_cas(texts, line, operation);
    case OperationKind::remove:
      return {};
    case OperationKind::write:
    case OperationKind::append:
    case OperationKind::add:
    case OperationKind::txn:
      operation.value = optional_value(texts, line, "value");
      operation.result = optional_value(texts, line, "result");
      if (operation.value <= kAbsent) {
        return wrong(fmt::format("\"value\" is {}; a {} must have one",
                                 operation.value == kAbsent ? "null" : "missing",
                                 to_string(operation.kind)));
      }
      return {};
    case OperationKind::increment:
      operation.value = optional_value(texts, line, "value");
      operation.result = optional_value(texts, line, "result");
      if (operation.value == kAbsent) operation.value = kNothing;
      return {};
  }
  return {};
}

Result<Operation> read_operation(Texts& texts, const json::object& line) {
  Operation operation;
  const json::value* kind = line.if_contains("op");
  const auto known = kind != nullptr && kind->is_string()
                         ? parse_operation_kind(std::string_view(kind->get_string()))
                         : std::nullopt;
  if (!known) {
    return wrong(
        fmt::format("\"op\" is {}; it must be read, write, cas, delete, increment, append, add, "
                    "txn or scan",
                    kind == nullptr ? "missing" : json::serialize(*kind)));
  }
  operation.kind = *known;
  PARALLAX_ASSIGN(operation.client, small_number(line, "client"));
  operation.key = optional_value(texts, line, "key");
  if (operation.key <= kAbsent && operation.kind < OperationKind::txn) {
    return wrong("\"key\" is missing; it must be a string");
  }
  PARALLAX_ASSIGN(operation.outcome, read_outcome(line));
  PARALLAX_TRY(read_interval(line, operation));
  PARALLAX_TRY(read_values(texts, line, operation));
  if (line.contains("node")) {
    PARALLAX_ASSIGN(const std::uint32_t node, small_number(line, "node"));
    operation.node = NodeId{node};
  }
  PARALLAX_ASSIGN(operation.level, optional_text(texts, line, "level"));
  PARALLAX_ASSIGN(operation.session, optional_text(texts, line, "session"));
  PARALLAX_ASSIGN(operation.stamp, optional_text(texts, line, "stamp"));
  return operation;
}

Result<Operation> read_line(Texts& texts, json::stream_parser& parser, std::string_view text) {
  alignas(std::max_align_t) std::array<unsigned char, 4096> room;
  json::monotonic_resource memory(room.data(), room.size());
  boost::system::error_code error;
  parser.reset(&memory);
  parser.write(text.data(), text.size(), error);
  if (!error) parser.finish(error);
  if (error) return wrong(fmt::format("it is not JSON ({})", error.message()));
  const json::value line = parser.release();
  if (!line.is_object()) return wrong("it is not a JSON object");
  return read_operation(texts, line.get_object());
}

void append_member(std::string& out, std::string_view name, std::string_view content) {
  out += fmt::format(",\"{}\":{}", name, json::serialize(json::string_view(content)));
}

void append_value(std::string& out, const Texts& texts, std::string_view name, Text value) {
  if (value == kNothing) return;
  if (value == kAbsent) {
    out += fmt::format(",\"{}\":null", name);
  } else {
    append_member(out, name, texts[value]);
  }
}

}  // namespace

Result<History> read_history(std::string_view lines) {
  History history;
  json::stream_parser parser;
  std::size_t number = 0;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto operation = read_line(history.texts, parser, line);
    if (!operation) {
      return wrong(fmt::format("line {}: {}", number, operation.error().message));
    }
    history.operations.push_back(*operation);
  }
  return history;
}

void append_line(std::string& out, const Texts& texts, const Operation& operation) {
  const bool shown_as_value = operation.kind == OperationKind::read ||
                              operation.kind == OperationKind::scan ||
                              operation.outcome == Outcome::mismatch;
  out += fmt::format("{{\"client\":{},\"op\":\"{}\"", operation.client, to_string(operation.kind));
  append_value(out, texts, "key", operation.key);
  // With "ok":false a cas's value would be what it saw.
  const bool failed_cas =
      operation.kind == OperationKind::cas && operation.outcome == Outcome::failed;
  append_value(out, texts, failed_cas ? "wanted" : "value",
               shown_as_value ? operation.result : operation.value);
  append_value(out, texts, "expected", operation.expected);
  if (!shown_as_value) append_value(out, texts, "result", operation.result);
  out += fmt::format(",\"call\":{}", operation.call_ns);
  if (operation.outcome == Outcome::unknown) {
    out += ",\"ok\":\"unknown\"";
  } else {
    out += fmt::format(",\"return\":{},\"ok\":{}", operation.return_ns,
                       operation.outcome == Outcome::ok);
  }
  if (operation.outcome == Outcome::mismatch && operation.result == kNothing) {
    out += ",\"mismatch\":true";
  }
  append_value(out, texts, "level", operation.level);
  if (operation.node != kNoNode) out += fmt::format(",\"node\":{}", operation.node);
  append_value(out, texts, "session", operation.session);
  append_value(out, texts, "stamp", operation.stamp);
  out += "}\n";
}

std::string write_history(const History& history) {
  std::string out;
  for (const Operation& operation : history.operations) {
    append_line(out, history.texts, operation);
  }
  return out;
}

}  // namespace parallax::checker
