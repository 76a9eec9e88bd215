#include "harness/report/measures.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "base/assert.h"

namespace parallax::harness {
namespace {

using checker::History;
using checker::Operation;
using checker::Outcome;

void count(Counts& counts, const Operation& operation) {
  if (is_open(operation)) {
    ++counts.unknown;
  } else if (operation.outcome == Outcome::failed) {
    ++counts.failed;
  } else {
    ++counts.answered;
  }
}

bool is_answered(const Operation& operation) {
  return !is_open(operation) && operation.outcome != Outcome::failed;
}

/// Sorts `times`.
Latencies latencies_of(std::vector<std::int64_t>& times) {
  if (times.empty()) return {};
  std::sort(times.begin(), times.end());
  const auto at = [&](std::size_t percent) {
    return times[(times.size() * percent + 99) / 100 - 1];
  };
  return {.p50_us = at(50), .p99_us = at(99)};
}

void find_span(const Run& run, Measures& measures) {
  std::int64_t begin = checker::kNever;
  std::int64_t end = 0;
  const auto cover = [&](std::int64_t from, std::int64_t to) {
    begin = std::min(begin, from);
    end = std::max(end, to);
  };
  for (const Operation& operation : run.history.operations) {
    cover(operation.call_ns, is_open(operation) ? operation.call_ns : operation.return_ns);
  }
  for (const FaultWindow& fault : run.faults) cover(fault.begin_ns, fault.end_ns);
  if (begin == checker::kNever) return;
  measures.begin_ns = begin;
  measures.span_us = std::max<std::int64_t>(1, (end - begin) / 1'000);
}

std::string level_name(const Run& run, const Operation& operation) {
  return operation.level == checker::kNothing || operation.level == checker::kAbsent
             ? level_text(run.asked)
             : std::string(run.history.texts[operation.level]);
}

/// Names the levels, the most used first, and says which operation is of which.
void find_levels(const Run& run, const ReportLimits& limits, Measures& measures) {
  const auto& operations = run.history.operations;
  std::map<checker::Text, std::size_t> used;
  for (const Operation& operation : operations) ++used[operation.level];
  std::map<std::string, std::size_t> by_name;
  for (const auto& [level, times] : used) {
    by_name[level_name(run, Operation{.level = level})] += times;
  }
  std::vector<std::pair<std::string, std::size_t>> names(by_name.begin(), by_name.end());
  std::stable_sort(names.begin(), names.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::map<std::string, std::uint8_t> place;
  for (const auto& [name, times] : names) {
    const bool fits = names.size() <= limits.levels || measures.levels.size() + 1 < limits.levels;
    if (fits) {
      measures.levels.push_back({.name = name});
    } else if (measures.levels.size() < limits.levels) {
      measures.levels.push_back({.name = "other levels"});
    }
    place[name] = static_cast<std::uint8_t>(measures.levels.size() - 1);
  }
  std::map<checker::Text, std::uint8_t> of_text;
  for (const auto& [level, times] : used) {
    of_text[level] = place.at(level_name(run, Operation{.level = level}));
  }
  measures.level_of.reserve(operations.size());
  for (const Operation& operation : operations) {
    measures.level_of.push_back(of_text.at(operation.level));
  }
}

/// One level's counts and latencies, in all and over time; its latencies go to `all` too.
void measure_level(const Run& run, const Measures& measures, std::size_t level, LevelMeasures& out,
                   std::vector<std::int64_t>& all) {
  out.counts_by_bucket.resize(kBuckets);
  std::array<std::vector<std::int64_t>, kBuckets> times;
  std::vector<std::int64_t> whole;
  for (std::size_t i = 0; i < run.history.operations.size(); ++i) {
    if (measures.level_of[i] != level) continue;
    const Operation& operation = run.history.operations[i];
    const std::int64_t took = took_us(measures, operation).value_or(0);
    const std::int64_t moment = call_us(measures, operation) + took;
    // In floating point: a run may be long. page.js does the same.
    const auto bucket = std::min<std::size_t>(
        kBuckets - 1, static_cast<std::size_t>(static_cast<double>(moment) * kBuckets /
                                               static_cast<double>(measures.span_us)));
    count(out.counts, operation);
    count(out.counts_by_bucket[bucket], operation);
    if (!is_answered(operation)) continue;
    times[bucket].push_back(took);
    whole.push_back(took);
  }
  for (auto& bucket : times) out.latencies_by_bucket.push_back(latencies_of(bucket));
  all.insert(all.end(), whole.begin(), whole.end());
  out.latencies = latencies_of(whole);
}

void measure_windows(const Run& run, Measures& measures) {
  const auto& operations = run.history.operations;
  std::vector<std::int64_t> calls;
  std::vector<Counts> before(1);  // of the operations before each place of by_call
  for (const std::uint32_t index : measures.by_call) {
    calls.push_back(operations[index].call_ns);
    before.push_back(before.back());
    count(before.back(), operations[index]);
  }
  const auto place = [&](std::int64_t ns) {
    return static_cast<std::size_t>(std::lower_bound(calls.begin(), calls.end(), ns) -
                                    calls.begin());
  };
  const auto between = [&](std::size_t from, std::size_t to) {
    return Counts{.answered = before[to].answered - before[from].answered,
                  .failed = before[to].failed - before[from].failed,
                  .unknown = before[to].unknown - before[from].unknown};
  };
  std::vector<std::pair<std::size_t, std::size_t>> covered;
  for (const FaultWindow& fault : run.faults) {
    const std::size_t from = place(fault.begin_ns);
    const std::size_t to = std::max(from, place(fault.end_ns));
    measures.windows.push_back(between(from, to));
    covered.emplace_back(from, to);
  }
  std::sort(covered.begin(), covered.end());
  covered.emplace_back(calls.size(), calls.size());
  std::size_t reached = 0;
  for (const auto& [from, to] : covered) {
    if (from > reached) {
      const Counts gap = between(reached, from);
      measures.outside.answered += gap.answered;
      measures.outside.failed += gap.failed;
      measures.outside.unknown += gap.unknown;
    }
    reached = std::max(reached, to);
  }
}

}  // namespace

bool is_open(const Operation& operation) {
  return operation.outcome == Outcome::unknown || operation.return_ns == checker::kNever;
}

std::int64_t call_us(const Measures& measures, const Operation& operation) {
  return (operation.call_ns - measures.begin_ns) / 1'000;
}

std::optional<std::int64_t> took_us(const Measures& measures, const Operation& operation) {
  if (is_open(operation)) return std::nullopt;
  return (operation.return_ns - measures.begin_ns) / 1'000 - call_us(measures, operation);
}

Measures measure(const Run& run, const ReportLimits& limits) {
  PARALLAX_ASSERT(limits.levels >= 1 && limits.levels <= 8, "levels {}", limits.levels);
  const auto& operations = run.history.operations;
  Measures measures;
  find_span(run, measures);
  find_levels(run, limits, measures);
  std::vector<std::int64_t> times;
  for (std::size_t level = 0; level < measures.levels.size(); ++level) {
    measure_level(run, measures, level, measures.levels[level], times);
  }
  measures.latencies = latencies_of(times);
  for (const Operation& operation : operations) count(measures.counts, operation);

  measures.by_call.resize(operations.size());
  std::iota(measures.by_call.begin(), measures.by_call.end(), 0U);
  std::stable_sort(measures.by_call.begin(), measures.by_call.end(),
                   [&](std::uint32_t a, std::uint32_t b) {
                     return operations[a].call_ns < operations[b].call_ns;
                   });
  measure_windows(run, measures);
  const std::size_t kept = std::min(operations.size(), limits.operations);
  for (std::size_t i = 0; i < kept; ++i) {
    measures.sample.push_back(measures.by_call[i * operations.size() / kept]);
  }
  return measures;
}

std::vector<AnomalyStep> steps_of(const Run& run, const Measures& measures, const Verdict& verdict,
                                  const ReportLimits& limits) {
  const auto& operations = run.history.operations;
  std::set<std::uint32_t> named;
  std::map<std::uint32_t, std::vector<std::uint32_t>> of_client;
  for (const std::size_t index : verdict.operations) {
    PARALLAX_ASSERT(index < operations.size(), "operation {} of {}", index, operations.size());
    if (named.size() == limits.steps) break;
    named.insert(static_cast<std::uint32_t>(index));
    of_client[operations[index].client];
  }
  std::set<std::uint32_t> shown = named;
  if (named.size() < limits.steps) {
    for (const std::uint32_t index : measures.by_call) {
      const auto found = of_client.find(operations[index].client);
      if (found != of_client.end()) found->second.push_back(index);
    }
    for (const std::uint32_t index : named) {
      const auto& own = of_client.at(operations[index].client);
      const auto at = std::find(own.begin(), own.end(), index);
      if (at != own.begin() && shown.size() < limits.steps) shown.insert(*(at - 1));
      if (at + 1 != own.end() && shown.size() < limits.steps) shown.insert(*(at + 1));
    }
  }
  std::vector<AnomalyStep> steps;
  for (const std::uint32_t index : shown) steps.push_back({index, named.contains(index)});
  std::stable_sort(steps.begin(), steps.end(), [&](const AnomalyStep& a, const AnomalyStep& b) {
    return operations[a.operation].call_ns < operations[b.operation].call_ns;
  });
  return steps;
}

}  // namespace parallax::harness
