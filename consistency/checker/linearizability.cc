#include "consistency/checker/linearizability.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "consistency/checker/by_key.h"
#include "consistency/checker/counterexample.h"
#include "consistency/checker/grow_set.h"
#include "consistency/checker/search.h"
#include "consistency/checker/zones.h"

namespace parallax::checker {
namespace {

/// Making a counterexample small costs more than finding the violation.
constexpr std::size_t kCounterexamplesCompared = 3;

/// Why `operation` cannot be judged, or empty.
std::string beyond_us(const Operation& operation) {
  const bool effect = operation.outcome == Outcome::ok || operation.outcome == Outcome::unknown;
  const auto name = to_string(operation.kind);
  if (operation.kind >= OperationKind::txn) {
    return fmt::format(
        "a {} of several operations or keys; only operations on single keys are judged", name);
  }
  if (operation.outcome == Outcome::mismatch && operation.kind != OperationKind::cas) {
    return fmt::format("a {} with outcome mismatch; only a cas compares", name);
  }
  if (operation.outcome != Outcome::unknown && operation.return_ns < operation.call_ns) {
    return fmt::format("a {} that returned at {} ns, before its call at {} ns", name,
                       operation.return_ns, operation.call_ns);
  }
  const bool has_value = operation.kind == OperationKind::cas ? operation.value != kNothing
                                                              : operation.value > kAbsent;
  const bool needs_value =
      operation.kind == OperationKind::write || operation.kind == OperationKind::append ||
      operation.kind == OperationKind::add || operation.kind == OperationKind::cas;
  if (effect && needs_value && !has_value) return fmt::format("a {} without a value", name);
  if (operation.kind == OperationKind::cas && operation.outcome != Outcome::failed &&
      operation.expected == kNothing) {
    return fmt::format("a {} without an expected value", name);
  }
  return {};
}

/// Searches begin with few steps for every key and go on with more only while no key is found
/// violated: one easy key often settles the verdict that a hard one would take minutes for.
constexpr std::uint64_t kFirstRoundSteps = 4'096;
constexpr std::uint64_t kRoundGrowth = 8;

class Check {
 public:
  Check(const Texts& texts, Text initial, const LinearizabilityOptions& options)
      : texts_(texts), initial_(initial), options_(options) {}

  /// What zones can judge is judged here, the rest in search_all().
  void add(std::span<const Operation> operations) {
    KeyVerdict verdict{.key = operations.front().key, .operations = operations.size()};
    if (options_.method == Method::automatic) {
      const ZonesResult zones = check_zones(texts_, operations, initial_, room_);
      verdict.by_zones = zones.applicable;
      if (zones.applicable) {
        verdict.verdict = zones.conflict.empty() ? Verdict::yes : Verdict::no;
        if (!zones.conflict.empty()) explain(operations, zones);
      }
    }
    const bool decided = verdict.by_zones || judge_set(operations, verdict);
    result_.keys.push_back(verdict);
    if (!decided) searched_.push_back({result_.keys.size() - 1, operations});
  }

  void search_all() {
    Limits limits = options_.limits;
    limits.max_steps = std::min(limits.max_steps, kFirstRoundSteps);
    while (!searched_.empty()) {
      std::erase_if(searched_, [&](const Searched& key) { return decide(key, limits); });
      const bool violated =
          std::any_of(result_.keys.begin(), result_.keys.end(),
                      [](const KeyVerdict& key) { return key.verdict == Verdict::no; });
      if (violated || limits.max_steps == options_.limits.max_steps) return;
      limits.max_steps = limits.max_steps > options_.limits.max_steps / kRoundGrowth
                             ? options_.limits.max_steps
                             : limits.max_steps * kRoundGrowth;
    }
  }

  LinearizabilityResult take() {
    for (const KeyVerdict& key : result_.keys) {
      if (key.verdict == Verdict::no) result_.verdict = Verdict::no;
      if (key.verdict == Verdict::undecided && result_.reason.empty()) {
        result_.reason = fmt::format(
            "key \"{}\" with {} operations: {} steps and {} bytes were not "
            "enough (limits: {} and {})",
            texts_[key.key], key.operations, key.steps, key.memory_bytes, options_.limits.max_steps,
            options_.limits.max_memory_bytes);
      }
    }
    if (result_.verdict == Verdict::no) {
      result_.reason.clear();
    } else if (!result_.reason.empty()) {
      result_.verdict = Verdict::undecided;
    }
    return std::move(result_);
  }

 private:
  struct Searched {
    std::size_t place;  ///< in result_.keys
    std::span<const Operation> operations;
  };

  /// False if it takes more than `limits`.
  bool decide(const Searched& key, const Limits& limits) {
    const SearchResult found = search(texts_, key.operations, initial_, limits);
    KeyVerdict& verdict = result_.keys[key.place];
    verdict.verdict = found.verdict;
    verdict.steps += found.steps;
    verdict.memory_bytes = found.memory_bytes;
    if (found.verdict == Verdict::no) explain(key.operations, found);
    const bool out_of_memory =
        found.verdict == Verdict::undecided && found.steps <= limits.max_steps;
    return found.verdict != Verdict::undecided || out_of_memory;
  }

  /// False if it is not a set that only grows.
  bool judge_set(std::span<const Operation> operations, KeyVerdict& verdict) {
    if (options_.method != Method::automatic || initial_ != kAbsent) return false;
    const GrowSetResult set = check_grow_set(texts_, operations);
    if (!set.applicable) return false;
    verdict.verdict = set.conflict.empty() ? Verdict::yes : Verdict::no;
    if (set.conflict.empty() || explained_++ >= kCounterexamplesCompared) return true;
    Counterexample found{.key = verdict.key, .operations = {}, .text = {}};
    for (const std::uint32_t i : set.conflict) found.operations.push_back(operations[i]);
    std::stable_sort(found.operations.begin(), found.operations.end(),
                     [](const Operation& a, const Operation& b) { return a.call_ns < b.call_ns; });
    found.text = parallax::checker::explain(texts_, found.operations, initial_, set.reason);
    keep_smaller(std::move(found));
    return true;
  }

  void explain(std::span<const Operation> operations, const ZonesResult& zones) {
    if (explained_++ >= kCounterexamplesCompared) return;
    std::vector<Operation> part;
    for (const std::uint32_t i : zones.conflict) {
      part.push_back(operations[i]);
      if (std::binary_search(zones.as_writes.begin(), zones.as_writes.end(), i)) {
        part.back().kind = OperationKind::write;
        part.back().expected = kNothing;
      }
    }
    keep_smaller(minimize(texts_, std::move(part), initial_, options_.limits));
  }

  void explain(std::span<const Operation> operations, const SearchResult& found) {
    if (explained_++ >= kCounterexamplesCompared) return;
    keep_smaller(minimize(
        texts_,
        shortest_violation(texts_, operations, initial_, options_.limits, found.returns_passed),
        initial_, options_.limits));
  }

  void keep_smaller(Counterexample found) {
    auto& kept = result_.counterexample;
    if (!kept || found.operations.size() < kept->operations.size()) kept = std::move(found);
  }

  const Texts& texts_;
  Text initial_;
  const LinearizabilityOptions& options_;
  ZonesRoom room_;
  std::vector<Searched> searched_;  ///< and not decided yet
  std::size_t explained_ = 0;
  LinearizabilityResult result_;
};

}  // namespace

LinearizabilityResult check_linearizability(const History& history,
                                            const LinearizabilityOptions& options) {
  for (const Operation& operation : history.operations) {
    if (std::string why = beyond_us(operation); !why.empty()) {
      return {.verdict = Verdict::undecided,
              .reason = fmt::format("client {} has {}", operation.client, why)};
    }
  }
  const WithInitial start(history.texts, options.initial);
  Check check(start.texts(), start.initial(), options);
  const OperationsByKey by_key = split_by_key(history);
  for (const auto& operations : by_key.parts) check.add(operations);
  check.search_all();
  return check.take();
}

}  // namespace parallax::checker
