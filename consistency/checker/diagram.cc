// A space-time diagram in text: a row for each client, time from left to right.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "consistency/checker/counterexample.h"

namespace parallax::checker {
namespace {

constexpr std::size_t kMaxColumns = 160;
constexpr std::size_t kMaxLabel = 18;

std::string label(const Texts& texts, const Operation& operation) {
  const auto show = [&](Text value) {
    return value == kNothing ? "?" : value == kAbsent ? "nil" : std::string(texts[value]);
  };
  std::string text;
  switch (operation.kind) {
    case OperationKind::read:
      text = "r " + show(operation.result);
      break;
    case OperationKind::write:
      text = "w " + show(operation.value);
      break;
    case OperationKind::cas:
      text = operation.outcome == Outcome::mismatch
                 ? fmt::format("c {}!={}", show(operation.expected), show(operation.result))
                 : fmt::format("c {}:{}", show(operation.expected), show(operation.value));
      break;
    case OperationKind::increment:
      text = "+ " + (operation.value == kNothing ? "1" : show(operation.value));
      break;
    case OperationKind::append:
      text = "a " + show(operation.value);
      break;
    case OperationKind::add:
      text = "add " + show(operation.value);
      break;
    default:
      text = to_string(operation.kind);
      break;
  }
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text.size() > kMaxLabel) text = text.substr(0, 2) + ".." + text.substr(text.size() - 12);
  return text;
}

bool is_open(const Operation& operation) {
  return operation.outcome == Outcome::unknown || operation.return_ns == kNever;
}

/// Moments in order. At one time the calls come before the returns, as those are concurrent.
using Moment = std::pair<std::int64_t, bool>;

/// A column for each moment, so that every bar has room for its label.
std::map<Moment, std::size_t> place(std::span<const Operation> operations,
                                    const std::vector<std::string>& labels) {
  std::map<Moment, std::size_t> columns;
  for (const Operation& operation : operations) {
    columns[{operation.call_ns, false}] = 0;
    if (!is_open(operation)) columns[{operation.return_ns, true}] = 0;
  }
  std::size_t column = 0;
  for (auto& [moment, at] : columns) {
    for (std::size_t i = 0; moment.second && i < operations.size(); ++i) {
      if (is_open(operations[i]) || operations[i].return_ns != moment.first) continue;
      column = std::max(column, columns[{operations[i].call_ns, false}] + labels[i].size() + 3);
    }
    at = column;
    column += 2;
  }
  return columns;
}

}  // namespace

std::string draw(const Texts& texts, std::span<const Operation> operations) {
  std::vector<std::string> labels;
  for (const Operation& operation : operations) labels.push_back(label(texts, operation));
  const auto columns = place(operations, labels);
  if (columns.empty() || columns.rbegin()->second > kMaxColumns) return {};
  std::size_t width = columns.rbegin()->second + 1;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (is_open(operations[i])) {
      width = std::max(width, columns.at({operations[i].call_ns, false}) + labels[i].size() + 6);
    }
  }
  // A client whose operations overlap gets more than one row.
  std::map<std::uint32_t, std::vector<std::string>> rows;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    const std::size_t begin = columns.at({operation.call_ns, false});
    const std::size_t end =
        is_open(operation) ? width - 1 : columns.at({operation.return_ns, true});
    std::string bar = "|-" + labels[i];
    bar.resize(end - begin, '-');
    if (is_open(operation)) bar.replace(bar.size() - 2, 2, "..");
    bar += is_open(operation) ? '.' : '|';
    auto& lanes = rows[operation.client];
    const auto lane = std::find_if(lanes.begin(), lanes.end(), [&](const std::string& row) {
      return row.find_first_not_of(' ', begin) == std::string::npos;
    });
    std::string& row = lane == lanes.end() ? lanes.emplace_back() : *lane;
    row.resize(width, ' ');
    row.replace(begin, bar.size(), bar);
  }
  std::string picture;
  for (const auto& [client, lanes] : rows) {
    for (const std::string& row : lanes) {
      picture += fmt::format("  client {:<4} {}", client, row);
      picture.erase(picture.find_last_not_of(' ') + 1);
      picture += "\n";
    }
  }
  return picture;
}

}  // namespace parallax::checker
