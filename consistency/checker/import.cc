#include "consistency/checker/import.h"

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "consistency/checker/edn.h"
#include "consistency/checker/sets.h"

namespace parallax::checker {
namespace {

Error wrong(std::string message) {
  return definite(ErrorCode::bad_request, std::move(message));
}

/// One line of a log.
struct Event {
  std::uint32_t process = 0;
  std::string type;      ///< invoke, ok, fail, info
  std::string function;  ///< read, write, ...
  std::string key = "register";
  std::vector<std::optional<std::string>> values;  ///< one, or a cas's two; nil is nullopt
  bool is_list = false;                            ///< the value is a list or set
};

/// Pairs invocations with their ends, one process at a time.
class Pairing {
 public:
  explicit Pairing(bool failed_cas_is_mismatch) : failed_cas_is_mismatch_(failed_cas_is_mismatch) {}

  Result<void> add(const Event& event, std::int64_t now) {
    const auto running = running_.find(event.process);
    if (event.type == "invoke") {
      if (running != running_.end()) {
        return wrong(fmt::format("process {} invokes while its last operation has not ended",
                                 event.process));
      }
      return invoke(event, now);
    }
    if (running == running_.end()) {
      return wrong(fmt::format("process {} ends what it has not invoked", event.process));
    }
    Operation& operation = history_.operations[running->second];
    running_.erase(running);
    return end(event, now, operation);
  }

  History take() { return std::move(history_); }

 private:
  Result<void> invoke(const Event& event, std::int64_t now) {
    static const std::map<std::string_view, OperationKind> kKinds{
        {"read", OperationKind::read},   {"get", OperationKind::read},
        {"write", OperationKind::write}, {"put", OperationKind::write},
        {"cas", OperationKind::cas},     {"append", OperationKind::append},
        {"add", OperationKind::add}};
    const auto kind = kKinds.find(event.function);
    if (kind == kKinds.end()) {
      return wrong(fmt::format(":f is {}; it must be read, get, write, put, append, add or cas",
                               event.function));
    }
    Operation operation{.kind = kind->second, .outcome = Outcome::unknown};
    operation.client = event.process;
    operation.key = history_.texts.intern(event.key);
    operation.call_ns = now;
    if (operation.kind == OperationKind::cas) {
      if (event.values.size() != 2) return wrong(":value of a cas must be [expected value]");
      operation.expected = text_of(event.values[0]);
      operation.value = text_of(event.values[1]);
    } else if (operation.kind != OperationKind::read) {
      if (event.values.size() != 1 || !event.values[0]) {
        return wrong(fmt::format(":value of a {} must be one value", event.function));
      }
      operation.value = text_of(event.values[0]);
    }
    running_[event.process] = history_.operations.size();
    history_.operations.push_back(operation);
    return {};
  }

  Result<void> end(const Event& event, std::int64_t now, Operation& operation) {
    if (event.type == "info") return {};
    operation.return_ns = now;
    if (event.type == "fail") {
      const bool mismatch = failed_cas_is_mismatch_ && operation.kind == OperationKind::cas &&
                            event.values.size() == 2;
      operation.outcome = mismatch ? Outcome::mismatch : Outcome::failed;
      return {};
    }
    if (event.type != "ok") {
      return wrong(fmt::format(":type is {}; it must be invoke, ok, fail or info", event.type));
    }
    operation.outcome = Outcome::ok;
    if (operation.kind == OperationKind::read) {
      if (event.is_list) {
        operation.result = history_.texts.intern(members_of(event.values));
        return {};
      }
      if (event.values.size() != 1) return wrong(":value of a read that is ok must be one value");
      operation.result = text_of(event.values[0]);
    }
    return {};
  }

  /// What a read of a set shows.
  static std::string members_of(const std::vector<std::optional<std::string>>& values) {
    std::vector<std::string> members;
    for (const auto& value : values) members.push_back(value.value_or("nil"));
    return members_text(members);
  }

  Text text_of(const std::optional<std::string>& value) {
    return value ? history_.texts.intern(*value) : kAbsent;
  }

  bool failed_cas_is_mismatch_;
  History history_;
  std::unordered_map<std::uint32_t, std::size_t> running_;
};

/// One value, or those of a vector; what they are made of must be plain.
Result<std::vector<std::optional<std::string>>> plain_values(const EdnValue& value) {
  std::vector<std::optional<std::string>> values;
  const bool is_list = value.is(EdnValue::Kind::list);
  for (const EdnValue& item : is_list ? value.items : std::vector{value}) {
    if (item.is(EdnValue::Kind::list) || item.is(EdnValue::Kind::map)) {
      return wrong("a list or map is where a plain value must be");
    }
    values.push_back(item.is(EdnValue::Kind::nil) ? std::nullopt : std::optional(item.text));
  }
  return values;
}

/// Nothing if it is not a client's: the nemesis says of itself what it does.
Result<std::optional<std::uint32_t>> parse_process(const EdnValue* value) {
  const std::string text = value == nullptr ? "" : value->text;
  if (value != nullptr && value->is(EdnValue::Kind::keyword)) return std::optional<std::uint32_t>{};
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != text.npos) {
    return wrong(fmt::format("the process is \"{}\"; it must be a number", text));
  }
  return std::optional(static_cast<std::uint32_t>(std::stoul(text)));
}

/// "3	:invoke	:cas	[1 2]". Nothing if it is not of a client.
Result<std::optional<Event>> parse_jepsen(std::string_view line) {
  PARALLAX_ASSIGN(const std::vector<EdnValue> values, EdnReader(line).rest());
  if (values.size() != 4) return wrong("it must be: process :type :function value");
  PARALLAX_ASSIGN(const auto process, parse_process(&values[0]));
  if (!process) return std::optional<Event>{};
  Event event{.process = *process, .type = values[1].text, .function = values[2].text};
  PARALLAX_ASSIGN(event.values, plain_values(values[3]));
  return std::optional(std::move(event));
}

Result<std::optional<Event>> parse_edn(const EdnValue& map) {
  PARALLAX_ASSIGN(const auto process, parse_process(map.at("process")));
  if (!process) return std::optional<Event>{};
  Event event{.process = *process};
  const auto text_at = [&](std::string_view name, std::string& text) {
    if (const EdnValue* value = map.at(name)) text = value->text;
  };
  text_at("type", event.type);
  text_at("f", event.function);
  text_at("key", event.key);
  if (const EdnValue* value = map.at("value")) {
    PARALLAX_ASSIGN(event.values, plain_values(*value));
    event.is_list = value->is(EdnValue::Kind::list);
  }
  return std::optional(std::move(event));
}

/// The part of a line that is about an operation. Jepsen's logs changed over the years.
std::optional<std::string_view> jepsen_event(std::string_view line) {
  if (line.find("INFO") == std::string_view::npos) return std::nullopt;
  for (const std::string_view mark : {"jepsen.util - ", "jepsen.util: "}) {
    const std::size_t at = line.find(mark);
    if (at != std::string_view::npos) return line.substr(at + mark.size());
  }
  return std::nullopt;
}

Error at_line(std::size_t line, const Error& error) {
  return wrong(fmt::format("line {}: {}", line, error.message));
}

}  // namespace

Result<History> import_jepsen_log(std::string_view text) {
  Pairing pairing(true);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::optional<std::string_view> line = jepsen_event(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line) continue;
    const auto event = parse_jepsen(*line);
    if (!event) return at_line(number, event.error());
    if (!*event) continue;
    const auto added = pairing.add(**event, static_cast<std::int64_t>(number));
    if (!added) return at_line(number, added.error());
  }
  return pairing.take();
}

Result<History> import_edn_log(std::string_view text) {
  Pairing pairing(false);
  EdnReader reader(text);
  for (std::int64_t now = 1;; ++now) {
    const auto map = reader.next();
    if (!map) return at_line(reader.line(), map.error());
    if (!*map) return pairing.take();
    const auto event = parse_edn(**map);
    if (!event) return at_line(reader.line(), event.error());
    if (!*event) continue;
    const auto added = pairing.add(**event, now);
    if (!added) return at_line(reader.line(), added.error());
  }
}

}  // namespace parallax::checker
