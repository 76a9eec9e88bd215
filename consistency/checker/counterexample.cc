#include "consistency/checker/counterexample.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "consistency/checker/model.h"
#include "consistency/checker/search.h"
#include "consistency/checker/sets.h"

namespace parallax::checker {
namespace {

/// Of all searches that make one counterexample small, and of one that takes away a whole group: if
/// that is hard to judge, smaller groups are easier.
constexpr std::uint64_t kMaxMinimizeSteps = 20'000'000;
constexpr std::uint64_t kMaxGroupSteps = 50'000;
constexpr std::uint64_t kMaxPrefixSteps = 1'000'000;

bool answered(const Operation& operation) {
  return operation.outcome == Outcome::ok || operation.outcome == Outcome::mismatch;
}

bool has_effect(const Operation& operation) {
  return operation.outcome != Outcome::failed && !is_pure(operation);
}

/// The operations as they stood when the first `count` of `by_return` had returned.
std::vector<Operation> prefix(std::span<const Operation> operations,
                              const std::vector<std::uint32_t>& by_return, std::size_t count) {
  std::vector<bool> returned(operations.size(), false);
  for (std::size_t i = 0; i < count; ++i) returned[by_return[i]] = true;
  const std::int64_t end = operations[by_return[count - 1]].return_ns;
  std::vector<Operation> part;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Operation operation = operations[i];
    if (operation.outcome == Outcome::failed || operation.call_ns > end) continue;
    if (!returned[i]) {
      if (is_pure(operation)) continue;
      operation.outcome = Outcome::unknown;
      operation.return_ns = kNever;
      operation.result = kNothing;
    }
    part.push_back(operation);
  }
  return part;
}

/// What the answers of some operations depend on.
class Dependencies {
 public:
  Dependencies(const Texts& texts, std::span<const Operation> operations) : texts_(texts) {
    for (const Operation& operation : operations) {
      if (!has_effect(operation)) continue;
      const bool increments = operation.kind == OperationKind::increment;
      appends_ = appends_ || operation.kind == OperationKind::append;
      increments_ = increments_ || increments;
      adds_ = adds_ || operation.kind == OperationKind::add;
      others_ = others_ || !increments;
    }
  }

  void remove(const Operation& operation) {
    if (!has_effect(operation)) return;
    any_removed_ = true;
    if (adds_) {
      if (operation.kind == OperationKind::add) {
        removed_members_.insert(std::string(texts_[operation.value]));
      } else {
        other_than_add_removed_ = true;
      }
    }
    const Text given = operation.kind == OperationKind::remove ? kAbsent : operation.value;
    if (removed_.insert(given.value).second && appends_) removed_texts_.push_back(given);
  }

  /// Whether the answer or effect of `operation` may rest on something removed.
  bool are_gone_for(const Operation& operation) const {
    if (!any_removed_) return false;
    const bool vague = operation.outcome == Outcome::mismatch && operation.result == kNothing;
    if (adds_) return vague || rests_on_removed_set(operation);
    if (increments_) return vague || observed(operation) != kNothing || needs_number(operation);
    if (vague) return true;
    const Text seen = observed(operation);
    if (seen == kNothing) return false;
    if (!appends_) return removed_.contains(seen.value);
    // A text that was appended or written and is not part of what was seen was not there. A delete
    // gives no text, which is part of every text: it may always have mattered.
    return std::any_of(removed_texts_.begin(), removed_texts_.end(), [&](Text text) {
      return texts_[seen].find(texts_[text]) != std::string_view::npos;
    });
  }

 private:
  static Text observed(const Operation& operation) {
    if (operation.result != kNothing) return operation.result;
    const bool compares =
        operation.kind == OperationKind::cas && operation.outcome != Outcome::failed;
    return compares ? operation.expected : kNothing;
  }
  /// Without something else than an add the key may hold no set, or any other one.
  bool rests_on_removed_set(const Operation& operation) const {
    const Text seen = observed(operation);
    if (increments_ || other_than_add_removed_) {
      return seen != kNothing || operation.kind == OperationKind::add || needs_number(operation);
    }
    if (seen <= kAbsent) return false;
    const auto members = parse_members(texts_[seen]);
    return !members || std::any_of(members->begin(), members->end(), [&](const std::string& m) {
      return removed_members_.contains(m);
    });
  }
  bool needs_number(const Operation& operation) const {
    return others_ && operation.kind == OperationKind::increment;
  }

  const Texts& texts_;
  bool appends_ = false;
  bool increments_ = false;
  bool others_ = false;
  bool adds_ = false;
  bool any_removed_ = false;
  bool other_than_add_removed_ = false;
  std::unordered_set<std::string> removed_members_;
  std::unordered_set<std::uint32_t> removed_;
  std::vector<Text> removed_texts_;
};

}  // namespace

std::vector<Operation> shortest_violation(const Texts& texts, std::span<const Operation> operations,
                                          Text initial, const Limits& limits,
                                          std::size_t returns_passed) {
  // The same order as the search's: by return, of equal ones by call.
  std::vector<std::uint32_t> by_return(operations.size());
  std::iota(by_return.begin(), by_return.end(), 0u);
  std::erase_if(by_return, [&](std::uint32_t i) { return !answered(operations[i]); });
  std::stable_sort(by_return.begin(), by_return.end(), [&](std::uint32_t a, std::uint32_t b) {
    const Operation& x = operations[a];
    const Operation& y = operations[b];
    return x.return_ns != y.return_ns ? x.return_ns < y.return_ns : x.call_ns < y.call_ns;
  });
  Limits each = limits;
  each.max_steps = std::min(each.max_steps, kMaxPrefixSteps);
  const auto violated = [&](std::size_t count) {
    const auto part = prefix(operations, by_return, count);
    return search(texts, part, initial, each).verdict == Verdict::no;
  };
  // The search leaves out orders that cannot succeed later, so it may have stopped too early;
  // mostly not by much.
  std::size_t low = returns_passed;
  std::size_t high = std::min(low + 1, by_return.size());
  for (std::size_t stride = 1; high < by_return.size() && !violated(high); stride *= 2) {
    low = high;
    high = std::min(high + stride, by_return.size());
  }
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    (violated(middle) ? high : low) = middle;
  }
  return prefix(operations, by_return, high);
}

std::vector<Operation> without(const Texts& texts, std::span<const Operation> operations,
                               const std::vector<bool>& removed) {
  Dependencies dependencies(texts, operations);
  std::vector<bool> gone = removed;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (gone[i]) dependencies.remove(operations[i]);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (gone[i] || !dependencies.are_gone_for(operations[i])) continue;
      gone[i] = changed = true;
      dependencies.remove(operations[i]);
    }
  }
  std::vector<Operation> left;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (!gone[i]) left.push_back(operations[i]);
  }
  return left;
}

namespace {

/// Searches with a common budget.
class Trials {
 public:
  Trials(const Texts& texts, Text initial, const Limits& limits)
      : texts_(texts), initial_(initial), limits_(limits) {
    left_ = std::min(limits.max_steps, kMaxMinimizeSteps);
  }

  Verdict judge(std::span<const Operation> operations, std::uint64_t max_steps) {
    limits_.max_steps = std::min(max_steps, left_);
    const SearchResult result = search(texts_, operations, initial_, limits_);
    left_ -= std::min(left_, result.steps);
    return result.verdict;
  }
  std::uint64_t left() const { return left_; }

 private:
  const Texts& texts_;
  Text initial_;
  Limits limits_;
  std::uint64_t left_;
};

/// What one pass did. `undecided`: whether it had to keep something only because it could not tell.
struct Pass {
  bool smaller = false;
  bool undecided = false;
};

/// Tries to take away each group of `chunk` neighbours.
Pass take_away(const Texts& texts, std::vector<Operation>& violation, std::size_t chunk,
               Trials& trials) {
  Pass pass;
  for (std::size_t begin = 0; begin < violation.size();) {
    std::vector<bool> removed(violation.size(), false);
    const std::size_t end = std::min(begin + chunk, violation.size());
    std::fill(removed.begin() + static_cast<std::ptrdiff_t>(begin),
              removed.begin() + static_cast<std::ptrdiff_t>(end), true);
    std::vector<Operation> part = without(texts, violation, removed);
    const Verdict verdict = trials.judge(part, chunk == 1 ? trials.left() : kMaxGroupSteps);
    if (verdict == Verdict::undecided) pass.undecided = true;
    if (verdict == Verdict::no) {
      violation = std::move(part);
      pass.smaller = true;
    } else {
      begin = end;
    }
  }
  return pass;
}

}  // namespace

Counterexample minimize(const Texts& texts, std::vector<Operation> violation, Text initial,
                        const Limits& limits) {
  std::erase_if(violation, [](const Operation& o) { return o.outcome == Outcome::failed; });
  std::stable_sort(violation.begin(), violation.end(),
                   [](const Operation& a, const Operation& b) { return a.call_ns < b.call_ns; });
  Trials trials(texts, initial, limits);
  for (std::size_t chunk = violation.size() / 2; chunk > 1; chunk /= 2) {
    take_away(texts, violation, chunk, trials);
  }
  // One by one until nothing more goes: taking one away can let an earlier one go too.
  Pass last{.smaller = true};
  while (last.smaller) last = take_away(texts, violation, 1, trials);
  Counterexample found{.key = violation.front().key, .operations = {}, .text = {}};
  found.operations = std::move(violation);
  found.minimal = !last.undecided;
  found.text = explain(texts, found.operations, initial);
  return found;
}

}  // namespace parallax::checker
