// Histories written by hand, one operation a line:
//   Build h; h.write(1, "a", 0, 10); h.read(2, "a", 5, 20); check_linearizability(h.history)
#pragma once

#include <optional>
#include <string_view>

#include "consistency/checker/history.h"

namespace parallax::checker {

struct Build {
  History history;
  std::string_view key = "x";

  Operation& add(OperationKind kind, std::uint32_t client, std::int64_t call, std::int64_t end) {
    Operation operation{.kind = kind, .client = client};
    operation.key = history.texts.intern(key);
    operation.call_ns = call;
    operation.return_ns = end;
    if (end == kNever) operation.outcome = Outcome::unknown;
    return history.operations.emplace_back(operation);
  }
  Text text(std::optional<std::string_view> value) {
    return value ? history.texts.intern(*value) : kAbsent;
  }

  /// An `end` of kNever makes the outcome unknown.
  Operation& write(std::uint32_t client, std::string_view value, std::int64_t call,
                   std::int64_t end) {
    Operation& operation = add(OperationKind::write, client, call, end);
    operation.value = text(value);
    return operation;
  }
  Operation& read(std::uint32_t client, std::optional<std::string_view> result, std::int64_t call,
                  std::int64_t end) {
    Operation& operation = add(OperationKind::read, client, call, end);
    operation.result = text(result);
    return operation;
  }
  Operation& remove(std::uint32_t client, std::int64_t call, std::int64_t end) {
    return add(OperationKind::remove, client, call, end);
  }
  Operation& cas(std::uint32_t client, std::optional<std::string_view> expected,
                 std::string_view value, std::int64_t call, std::int64_t end) {
    Operation& operation = add(OperationKind::cas, client, call, end);
    operation.expected = text(expected);
    operation.value = text(value);
    return operation;
  }
  Operation& mismatch(std::uint32_t client, std::optional<std::string_view> expected,
                      std::int64_t call, std::int64_t end) {
    Operation& operation = add(OperationKind::cas, client, call, end);
    operation.expected = text(expected);
    operation.outcome = Outcome::mismatch;
    return operation;
  }
  Operation& append(std::uint32_t client, std::string_view value, std::int64_t call,
                    std::int64_t end) {
    Operation& operation = add(OperationKind::append, client, call, end);
    operation.value = text(value);
    return operation;
  }
  Operation& adds(std::uint32_t client, std::string_view member, std::int64_t call,
                  std::int64_t end) {
    Operation& operation = add(OperationKind::add, client, call, end);
    operation.value = text(member);
    return operation;
  }
  Operation& increment(std::uint32_t client, std::string_view by, std::int64_t call,
                       std::int64_t end) {
    Operation& operation = add(OperationKind::increment, client, call, end);
    operation.value = text(by);
    return operation;
  }
};

}  // namespace parallax::checker
