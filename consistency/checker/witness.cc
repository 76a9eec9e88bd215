#include "consistency/checker/witness.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "consistency/checker/counterexample.h"

namespace parallax::checker {
namespace {

/// Operations judged again, over all attempts.
constexpr std::size_t kMaxShrinkWork = 3'000'000;

using Value = std::pair<std::uint32_t, std::uint32_t>;  ///< key, text

bool writes(const Operation& operation) {
  return operation.kind != OperationKind::read && operation.kind != OperationKind::scan &&
         (operation.outcome == Outcome::ok || operation.outcome == Outcome::unknown);
}

/// `operations` without those in [begin, end) and without all that may rest on what they wrote.
std::vector<Operation> without_group(const std::vector<Operation>& operations, std::size_t begin,
                                     std::size_t end) {
  std::vector<bool> gone(operations.size(), false);
  std::set<Value> missing;
  const auto take = [&](std::size_t i) {
    gone[i] = true;
    const Operation& o = operations[i];
    if (!writes(o)) return;
    missing.emplace(o.key.value, given_by(o).value);
  };
  for (std::size_t i = begin; i < end; ++i) take(i);
  for (bool changed = !missing.empty(); changed;) {
    changed = false;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      const Operation& o = operations[i];
      if (gone[i]) continue;
      const bool compares = o.kind == OperationKind::cas && o.outcome != Outcome::failed;
      if (missing.contains({o.key.value, o.result.value}) ||
          (compares && missing.contains({o.key.value, o.expected.value}))) {
        take(i);
        changed = true;
      }
    }
  }
  std::vector<Operation> left;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (!gone[i]) left.push_back(operations[i]);
  }
  return left;
}

}  // namespace

History extract(const History& history, std::span<const std::uint32_t> operations) {
  History part;
  const auto move = [&](Text& text) {
    if (text >= kFirstText) text = part.texts.intern(history.texts[text]);
  };
  for (const std::uint32_t i : operations) {
    Operation operation = history.operations[i];
    for (Text* text : {&operation.key, &operation.value, &operation.expected, &operation.result,
                       &operation.level, &operation.session, &operation.stamp}) {
      move(*text);
    }
    part.operations.push_back(operation);
  }
  return part;
}

bool shrink(History& violation, const StillViolated& still_violated) {
  std::size_t work = 0;
  std::size_t size = std::max<std::size_t>(1, violation.operations.size() / 2);
  while (true) {
    bool smaller = false;
    for (std::size_t begin = 0; begin < violation.operations.size();) {
      std::vector<Operation>& all = violation.operations;
      const std::size_t end = std::min(all.size(), begin + size);
      std::vector<Operation> left = without_group(all, begin, end);
      work += all.size();
      if (work > kMaxShrinkWork) return false;
      std::swap(all, left);
      if (!all.empty() && still_violated(violation)) {
        smaller = true;
      } else {
        std::swap(all, left);
        begin = end;
      }
    }
    if (size == 1 && !smaller) return true;
    size = std::max<std::size_t>(1, size / 2);
  }
}

Shrunk shrink_from(const History& history, std::vector<std::uint32_t> operations,
                   const StillViolated& still_violated) {
  std::set<Value> seen;
  std::vector<bool> in(history.operations.size(), false);
  for (const std::uint32_t i : operations) in[i] = true;
  for (std::size_t done = 0; done < operations.size();) {
    for (; done < operations.size(); ++done) {
      const Operation& o = history.operations[operations[done]];
      seen.emplace(o.key.value, shown_by(o).value);
    }
    for (std::uint32_t i = 0; i < history.operations.size(); ++i) {
      const Operation& o = history.operations[i];
      if (in[i] || !writes(o) || !seen.contains({o.key.value, given_by(o).value})) continue;
      in[i] = true;
      operations.push_back(i);
    }
  }
  std::sort(operations.begin(), operations.end());
  Shrunk result{extract(history, operations), false};
  if (!still_violated(result.part)) {
    operations.resize(history.operations.size());
    std::iota(operations.begin(), operations.end(), 0u);
    result.part = extract(history, operations);
  }
  result.minimal = shrink(result.part, still_violated);
  return result;
}

std::string describe_event(const History& history, const Events& events, EventId event) {
  const Operation& operation = history.operations[events.all[event].operation];
  return fmt::format("\"{}\": {}", history.texts[operation.key],
                     describe(history.texts, operation));
}

std::string name_write(const History& history, const Events& events, EventId write) {
  const Operation& o = history.operations[events.all[write].operation];
  if (o.kind == OperationKind::remove) return fmt::format("client {}'s delete", o.client);
  return fmt::format("client {}'s {} of {}", o.client,
                     o.kind == OperationKind::cas ? "cas" : "write",
                     show_value(history.texts, o.value));
}

std::string name_read(const History& history, const Events& events, EventId read) {
  const Operation& o = history.operations[events.all[read].operation];
  const bool swapped = o.kind == OperationKind::cas && o.outcome == Outcome::ok;
  return fmt::format(
      "client {} {} {} of \"{}\"", o.client, o.kind == OperationKind::read ? "read" : "saw",
      show_value(history.texts, swapped ? o.expected : o.result), history.texts[o.key]);
}

}  // namespace parallax::checker
