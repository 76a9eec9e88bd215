#include "consistency/checker/import.h"

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

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
        {"cas", OperationKind::cas},     {"append", OperationKind::append}};
    const auto kind = kKinds.find(event.function);
    if (kind == kKinds.end()) {
      return wrong(
          fmt::format(":f is {}; it must be read, get, write, put, append or cas", event.function));
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
      if (event.values.size() != 1) return wrong(":value of a read that is ok must be one value");
      operation.result = text_of(event.values[0]);
    }
    return {};
  }

  Text text_of(const std::optional<std::string>& value) {
    return value ? history_.texts.intern(*value) : kAbsent;
  }

  bool failed_cas_is_mismatch_;
  History history_;
  std::unordered_map<std::uint32_t, std::size_t> running_;
};

/// Reads EDN tokens: keywords, numbers, symbols, strings, and vectors of those.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() {
    skip_space();
    return text_.empty();
  }
  bool take(char c) {
    skip_space();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// A keyword (without its colon), number or symbol; empty if there is none.
  std::string word() {
    take(':');
    std::size_t end = 0;
    while (end < text_.size() &&
           std::string_view(" \t\r,{}[]\"").find(text_[end]) == std::string_view::npos) {
      ++end;
    }
    std::string word(text_.substr(0, end));
    text_.remove_prefix(end);
    return word;
  }
  /// One value or a vector of them; nothing if it is malformed.
  std::optional<std::vector<std::optional<std::string>>> values() {
    std::vector<std::optional<std::string>> values;
    if (!take('[')) {
      if (!value(values)) return std::nullopt;
      return values;
    }
    while (!take(']')) {
      if (!value(values)) return std::nullopt;
    }
    return values;
  }

 private:
  void skip_space() {
    text_.remove_prefix(std::min(text_.find_first_not_of(" \t\r,"), text_.size()));
  }
  bool value(std::vector<std::optional<std::string>>& values) {
    if (take('"')) {
      std::string text;
      while (!text_.empty() && text_[0] != '"') {
        if (text_[0] == '\\' && text_.size() > 1) text_.remove_prefix(1);
        text += text_[0];
        text_.remove_prefix(1);
      }
      values.emplace_back(std::move(text));
      return take('"');
    }
    std::string text = word();
    if (text.empty()) return false;
    if (text == "nil") {
      values.emplace_back(std::nullopt);
    } else {
      values.emplace_back(std::move(text));
    }
    return true;
  }

  std::string_view text_;
};

Result<std::uint32_t> parse_process(const std::string& text) {
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != text.npos) {
    return wrong(fmt::format("the process is \"{}\"; it must be a number", text));
  }
  return static_cast<std::uint32_t>(std::stoul(text));
}

/// "3	:invoke	:cas	[1 2]", which follows "INFO  jepsen.util - ".
Result<Event> parse_jepsen(std::string_view line) {
  Scanner scanner(line);
  Event event;
  PARALLAX_ASSIGN(event.process, parse_process(scanner.word()));
  scanner.at_end();
  event.type = scanner.word();
  scanner.at_end();
  event.function = scanner.word();
  auto values = scanner.values();
  if (!values || !scanner.at_end()) return wrong("it must be: process :type :function value");
  event.values = std::move(*values);
  return event;
}

Result<Event> parse_edn(std::string_view line) {
  Scanner scanner(line);
  Event event;
  std::string process;
  if (!scanner.take('{')) return wrong("it must be a map, {:process 0, :type :invoke, ...}");
  while (!scanner.take('}')) {
    scanner.at_end();
    const std::string name = scanner.word();
    auto values = scanner.values();
    if (name.empty() || !values) return wrong("it is not an EDN map of plain values");
    const std::string first = values->empty() ? "" : values->front().value_or("");
    if (name == "process") process = first;
    if (name == "type") event.type = first;
    if (name == "f") event.function = first;
    if (name == "key") event.key = first;
    if (name == "value") event.values = std::move(*values);
  }
  PARALLAX_ASSIGN(event.process, parse_process(process));
  return event;
}

/// Calls `parse` for each line that it is about; `about` gives the part of the line to parse.
template <class About, class Parse>
Result<History> import_lines(std::string_view text, bool failed_cas_is_mismatch, About about,
                             Parse parse) {
  Pairing pairing(failed_cas_is_mismatch);
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::optional<std::string_view> line = about(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line) continue;
    Result<Event> event = parse(*line);
    Result<void> added;
    if (event) added = pairing.add(*event, number);
    if (!event || !added) {
      const Error& error = event ? added.error() : event.error();
      return wrong(fmt::format("line {}: {}", number, error.message));
    }
  }
  return pairing.take();
}

}  // namespace

Result<History> import_jepsen_log(std::string_view text) {
  const auto about = [](std::string_view line) -> std::optional<std::string_view> {
    constexpr std::string_view kMark = "jepsen.util - ";
    const std::size_t at = line.find(kMark);
    if (!line.starts_with("INFO") || at == std::string_view::npos) return std::nullopt;
    return line.substr(at + kMark.size());
  };
  return import_lines(text, true, about, parse_jepsen);
}

Result<History> import_edn_log(std::string_view text) {
  const auto about = [](std::string_view line) -> std::optional<std::string_view> {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return std::nullopt;
    return line;
  };
  return import_lines(text, false, about, parse_edn);
}

}  // namespace parallax::checker
