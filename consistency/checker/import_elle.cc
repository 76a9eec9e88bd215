// Elle's list-append histories.
#include <array>
#include <map>
#include <optional>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "consistency/checker/import.h"

namespace parallax::checker {
namespace {

namespace json = boost::json;

Error wrong(std::string message) {
  return definite(ErrorCode::bad_request, std::move(message));
}

/// The objects of a text one after the other, in an array or not, each with its line. What is
/// inside of them is not looked at.
class Objects {
 public:
  explicit Objects(std::string_view text) : left_(text) { in_array_ = take('['); }

  /// The next object's text; nothing at the end.
  Result<std::optional<std::string_view>> next() {
    while (take(',')) {
    }
    if (in_array_ && take(']')) {
      in_array_ = false;
      if (!at_end()) return wrong("there is more after its end");
    }
    if (at_end()) {
      if (in_array_) return wrong("the text ends and a \"]\" is missing");
      return std::optional<std::string_view>{};
    }
    if (left_.front() != '{') return wrong("an event must be an object");
    return whole();
  }
  std::size_t line() const { return line_; }

 private:
  bool at_end() {
    while (!left_.empty() && std::string_view(" \t\r\n").find(left_.front()) != left_.npos) {
      skip();
    }
    return left_.empty();
  }
  bool take(char c) {
    if (at_end() || left_.front() != c) return false;
    skip();
    return true;
  }
  void skip() {
    if (left_.front() == '\n') ++line_;
    left_.remove_prefix(1);
  }

  Result<std::optional<std::string_view>> whole() {
    line_ += lines_of_last_;
    lines_of_last_ = 0;
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < left_.size(); ++i) {
      const char c = left_[i];
      if (c == '\n') ++lines_of_last_;
      if (in_string) {
        if (c == '\\') ++i;
        if (c == '"') in_string = false;
      } else if (c == '"') {
        in_string = true;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if ((c == '}' || c == ']') && --depth == 0) {
        const std::string_view object = left_.substr(0, i + 1);
        left_.remove_prefix(i + 1);
        return std::optional(object);
      }
    }
    return wrong("an object is not closed");
  }

  std::string_view left_;
  bool in_array_ = false;
  std::size_t line_ = 1;
  std::size_t lines_of_last_ = 0;
};

std::string plain(const json::value& value) {
  if (value.is_string()) return std::string(std::string_view(value.get_string()));
  return json::serialize(value);
}

class Import {
 public:
  Result<void> add(const json::object& event, std::int64_t now) {
    const json::value* process = event.if_contains("process");
    if (process == nullptr) return wrong("\"process\" is missing");
    if (process->is_string()) return {};  // the nemesis
    if (!process->is_int64() || process->get_int64() < 0 || process->get_int64() > kMostProcess) {
      return wrong(fmt::format("\"process\" is {}; it must be a number from 0 to {}",
                               json::serialize(*process), kMostProcess));
    }
    const auto client = static_cast<std::uint32_t>(process->get_int64());
    const json::value* type = event.if_contains("type");
    const std::string name = type == nullptr ? "missing" : plain(*type);
    if (name != "invoke" && name != "ok" && name != "fail" && name != "info") {
      return wrong(fmt::format("\"type\" is {}; it must be invoke, ok, fail or info", name));
    }
    const auto running = running_.find(client);
    if (name == "invoke") {
      if (running != running_.end()) {
        return wrong(
            fmt::format("process {} invokes while its last transaction has not ended", client));
      }
      PARALLAX_ASSIGN(Operation operation, transaction(event));
      operation.client = client;
      operation.call_ns = now;
      operation.outcome = Outcome::unknown;
      running_[client] = history_.operations.size();
      history_.operations.push_back(operation);
      return {};
    }
    if (running == running_.end()) {
      return wrong(fmt::format("process {} ends what it has not invoked", client));
    }
    Operation& begun = history_.operations[running->second];
    running_.erase(running);
    if (name == "info") return {};
    begun.return_ns = now;
    begun.outcome = Outcome::failed;
    if (name == "fail") return {};
    PARALLAX_ASSIGN(const Operation ended, transaction(event));
    if (ended.kind != begun.kind || ended.key != begun.key ||
        (ended.kind == OperationKind::append && ended.value != begun.value)) {
      return wrong(fmt::format("process {} ends another transaction than it has invoked", client));
    }
    begun.outcome = Outcome::ok;
    begun.result = ended.kind == OperationKind::read ? ended.result : kNothing;
    return {};
  }

  History take() {
    std::erase_if(history_.operations, [](const Operation& operation) {
      return operation.kind == OperationKind::txn && operation.value == kNothing;
    });
    return std::move(history_);
  }

 private:
  static constexpr std::int64_t kMostProcess = 4'294'967'295;

  /// Of a read that has not ended `result` is kAbsent too.
  Result<Operation> transaction(const json::object& event) {
    const json::value* value = event.if_contains("value");
    if (value == nullptr || !value->is_array()) {
      return wrong("\"value\" must be a list of operations");
    }
    const json::array& operations = value->get_array();
    Operation only{.kind = OperationKind::txn};
    for (const json::value& operation : operations) {
      PARALLAX_ASSIGN(only, read_operation(operation));
    }
    if (operations.size() == 1) return only;
    Operation several{.kind = OperationKind::txn};
    // What reads saw differs between call and return; for what is not judged their number will do.
    if (!operations.empty()) {
      several.value = history_.texts.intern(fmt::format("{} operations", operations.size()));
    }
    return several;
  }

  Result<Operation> read_operation(const json::value& value) {
    const json::array* parts = value.if_array();
    const bool named = parts != nullptr && parts->size() == 3 && (*parts)[0].is_string();
    const std::string_view name =
        named ? std::string_view((*parts)[0].get_string()) : std::string_view();
    if (name != "append" && name != "r") {
      return wrong(
          fmt::format("an operation is {}; it must be [\"append\", key, element] or "
                      "[\"r\", key, list]: \"append\" or \"r\", and two more",
                      json::serialize(value)));
    }
    Operation operation{.kind = name == "r" ? OperationKind::read : OperationKind::append};
    operation.key = history_.texts.intern(plain((*parts)[1]));
    const json::value& last = (*parts)[2];
    if (name == "append") {
      operation.value = history_.texts.intern(json::serialize(last) + " ");
      return operation;
    }
    if (!last.is_null() && !last.is_array()) {
      return wrong(
          fmt::format("a read's list is {}; it must be an array or null", json::serialize(last)));
    }
    std::string list;
    if (last.is_array()) {
      for (const json::value& element : last.get_array()) list += json::serialize(element) + " ";
    }
    operation.result = list.empty() ? kAbsent : history_.texts.intern(list);
    return operation;
  }

  History history_;
  std::map<std::uint32_t, std::size_t> running_;
};

}  // namespace

Result<History> import_elle_json(std::string_view text) {
  Import import;
  Objects objects(text);
  const auto at_line = [&](const std::string& message) {
    return wrong(fmt::format("line {}: {}", objects.line(), message));
  };
  for (std::int64_t now = 1;; ++now) {
    const auto object = objects.next();
    if (!object) return at_line(object.error().message);
    if (!*object) return import.take();
    boost::system::error_code error;
    const json::value event = json::parse(json::string_view(**object), error);
    if (error) return at_line(fmt::format("it is not JSON ({})", error.message()));
    const auto added = import.add(event.get_object(), now);
    if (!added) return at_line(added.error().message);
  }
}

}  // namespace parallax::checker
