#include "harness/workload_checks.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "consistency/checker/counterexample.h"
#include "consistency/checker/sets.h"
#include "consistency/checker/staleness.h"

namespace parallax::harness {
namespace {

using checker::describe;
using checker::History;
using checker::Operation;
using checker::OperationKind;
using checker::Outcome;
using checker::Text;

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// What was done to a key, and what was read of it at the end; indices.
struct KeyWork {
  std::vector<std::size_t> changes;
  std::vector<std::size_t> last_reads;
};

Finding violated(const History& history, std::string what, std::vector<std::size_t> operations) {
  std::sort(operations.begin(), operations.end());
  std::string text = what + "\n";
  for (const std::size_t i : operations) {
    text += "  " + describe(history.texts, history.operations[i]) + "\n";
  }
  return {.verdict = checker::Verdict::no, .witness = std::move(text), .operations = operations};
}

/// A read of a counter at the end.
std::optional<Finding> check_sum(const History& history, const KeyWork& work, std::size_t read) {
  const Operation& shown = history.operations[read];
  std::int64_t least = 0;
  std::int64_t most = 0;
  for (const std::size_t i : work.changes) {
    const Operation& change = history.operations[i];
    if (change.outcome == Outcome::failed) continue;
    const std::int64_t by = number_of(history.texts[change.value]).value_or(1);
    if (change.call_ns <= shown.return_ns) most += by;
    if (change.outcome == Outcome::ok && change.return_ns < shown.call_ns) least += by;
  }
  const std::optional<std::int64_t> sum = shown.result == checker::kAbsent
                                              ? std::optional<std::int64_t>(0)
                                              : number_of(history.texts[shown.result]);
  if (sum && *sum >= least && *sum <= most) return std::nullopt;
  return violated(
      history,
      fmt::format("Increments of \"{}\" come to at least {} and at most {}, and a read "
                  "after them shows {}.",
                  history.texts[shown.key], least, most, sum ? std::to_string(*sum) : "no number"),
      {read});
}

/// A read of a set at the end.
std::optional<Finding> check_members(const History& history, const KeyWork& work,
                                     std::size_t read) {
  const Operation& shown = history.operations[read];
  const auto members = shown.result == checker::kAbsent
                           ? std::optional<std::vector<std::string>>(std::in_place)
                           : checker::parse_members(history.texts[shown.result]);
  if (!members) return violated(history, "A read of a set shows no set.", {read});
  std::set<std::string_view> possible;
  for (const std::size_t i : work.changes) {
    const Operation& change = history.operations[i];
    const std::string_view member = history.texts[change.value];
    if (change.outcome == Outcome::failed) continue;
    possible.insert(member);
    const bool before = change.outcome == Outcome::ok && change.return_ns < shown.call_ns;
    if (before && !std::binary_search(members->begin(), members->end(), member)) {
      return violated(history,
                      fmt::format("{} was added to \"{}\" and acknowledged, and is not there "
                                  "after all has converged.",
                                  member, history.texts[shown.key]),
                      {i, read});
    }
  }
  for (const std::string& member : *members) {
    if (possible.contains(member)) continue;
    return violated(history,
                    fmt::format("\"{}\" has {}, which nobody added, or of which it was said that "
                                "it did not happen.",
                                history.texts[shown.key], member),
                    {read});
  }
  return std::nullopt;
}

/// The writes of a register by value, and its acknowledged writes.
struct KeyWrites {
  std::unordered_map<std::uint32_t, const Operation*> by_value;
  std::vector<const Operation*> acknowledged;  ///< by return
};

/// Whether the read surely showed something older than `latest`.
bool is_older(const KeyWrites& writes, Text shown, const Operation& latest) {
  if (shown == checker::kAbsent) return true;
  const auto found = writes.by_value.find(shown.value);
  if (found == writes.by_value.end()) return false;
  const Operation& write = *found->second;
  return write.outcome == Outcome::ok && write.return_ns < latest.call_ns;
}

std::vector<StalenessPoint> curve_of(const History& history) {
  std::unordered_map<std::uint32_t, KeyWrites> keys;
  for (const Operation& operation : history.operations) {
    const bool writes =
        operation.kind == OperationKind::write || operation.kind == OperationKind::cas;
    if (!writes) continue;
    KeyWrites& key = keys[operation.key.value];
    key.by_value[operation.value.value] = &operation;
    if (operation.outcome == Outcome::ok) key.acknowledged.push_back(&operation);
  }
  for (auto& [name, key] : keys) {
    std::sort(key.acknowledged.begin(), key.acknowledged.end(),
              [](const Operation* a, const Operation* b) { return a->return_ns < b->return_ns; });
  }
  struct Bin {
    std::size_t reads = 0;
    std::size_t seen = 0;
    std::size_t same_node = 0;
  };
  std::map<std::int64_t, Bin> bins;
  for (const Operation& read : history.operations) {
    if (read.kind != OperationKind::read || read.outcome != Outcome::ok) continue;
    const auto key = keys.find(read.key.value);
    if (key == keys.end()) continue;
    const auto& acknowledged = key->second.acknowledged;
    const auto after = std::lower_bound(
        acknowledged.begin(), acknowledged.end(), read.call_ns,
        [](const Operation* write, std::int64_t call) { return write->return_ns < call; });
    if (after == acknowledged.begin()) continue;
    const Operation& latest = **std::prev(after);
    const auto since = static_cast<std::uint64_t>(read.call_ns - latest.return_ns);
    Bin& bin = bins[static_cast<std::int64_t>(std::bit_floor(std::max<std::uint64_t>(since, 1)))];
    ++bin.reads;
    if (!is_older(key->second, read.result, latest)) ++bin.seen;
    if (read.node != kNoNode && read.node == latest.node) ++bin.same_node;
  }
  std::vector<StalenessPoint> curve;
  for (const auto& [after_ns, bin] : bins) {
    curve.push_back({.after_ns = after_ns,
                     .reads = bin.reads,
                     .seen = static_cast<double>(bin.seen) / static_cast<double>(bin.reads),
                     .predicted = std::nullopt,
                     .same_node = bin.same_node});
  }
  return curve;
}

}  // namespace

Finding check_no_loss(const History& history, std::int64_t healed_ns) {
  std::map<std::string_view, KeyWork> keys;
  for (std::size_t i = 0; i < history.operations.size(); ++i) {
    const Operation& operation = history.operations[i];
    KeyWork& key = keys[history.texts[operation.key]];
    if (operation.kind == OperationKind::increment || operation.kind == OperationKind::add) {
      key.changes.push_back(i);
    } else if (operation.kind == OperationKind::read && operation.outcome == Outcome::ok &&
               operation.call_ns >= healed_ns) {
      key.last_reads.push_back(i);
    }
  }
  std::string unread;
  for (const auto& [name, key] : keys) {
    if (!key.changes.empty() && key.last_reads.empty()) unread = name;
    for (const std::size_t read : key.last_reads) {
      const bool set =
          !key.changes.empty() && history.operations[key.changes[0]].kind == OperationKind::add;
      auto finding = set ? check_members(history, key, read) : check_sum(history, key, read);
      if (finding) return *std::move(finding);
    }
  }
  if (unread.empty()) return {.verdict = checker::Verdict::yes};
  return {.reason = fmt::format("\"{}\" could not be read when all had healed", unread)};
}

void resolve_mismatches(History& history) {
  std::map<std::pair<Text, Text>, Text> values;  // by key and stamp
  for (const Operation& operation : history.operations) {
    if (operation.outcome != Outcome::ok || operation.stamp == checker::kNothing) continue;
    const bool read = operation.kind == OperationKind::read;
    const bool wrote =
        operation.kind == OperationKind::write || operation.kind == OperationKind::cas;
    if (!read && !wrote) continue;
    values[{operation.key, operation.stamp}] = read ? operation.result : operation.value;
  }
  for (Operation& operation : history.operations) {
    if (operation.outcome != Outcome::mismatch || operation.result != checker::kNothing) continue;
    const auto found = values.find({operation.key, operation.stamp});
    if (found != values.end()) operation.result = found->second;
  }
}

Finding check_unique_answers(const History& history) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> answers;
  for (std::size_t i = 0; i < history.operations.size(); ++i) {
    const Operation& operation = history.operations[i];
    if (operation.kind != OperationKind::increment || operation.outcome != Outcome::ok) continue;
    if (operation.result == checker::kNothing) continue;
    const auto [first, is_new] =
        answers.try_emplace({operation.key.value, operation.result.value}, i);
    if (is_new) continue;
    return violated(history,
                    fmt::format("Two increments of \"{}\" were answered {}.",
                                history.texts[operation.key], history.texts[operation.result]),
                    {first->second, i});
  }
  return {.verdict = checker::Verdict::yes};
}

StalenessSummary summarize_staleness(const History& history) {
  const auto measured =
      checker::measure_staleness(history, {.initial = std::nullopt, .judge_k = false});
  return {.reads = measured.reads,
          .stale_reads = measured.stale_reads,
          .p50_ns = measured.p50_ns,
          .p99_ns = measured.p99_ns,
          .max_ns = measured.max_ns,
          .curve = curve_of(history),
          .prediction = {}};
}

}  // namespace parallax::harness
