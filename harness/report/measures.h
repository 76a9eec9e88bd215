// What the report of a run says in numbers, and which of its operations the page shows.
//
// Times on the page are whole microseconds since the run began. An operation is in a fault window
// if it was called in it, from its begin to before its end. Rates and latencies are counted when
// the answer came, and operations without one when they were called. The q-quantile of latencies is
// the smallest that at least the share q of them does not exceed.
//
// What it does not do: judge, or know how a page looks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/report/report.h"
#include "harness/run.h"

namespace parallax::harness {

struct Counts {
  std::size_t answered = 0;  ///< a compare that answered mismatch too
  std::size_t failed = 0;
  std::size_t unknown = 0;
  std::size_t total() const { return answered + failed + unknown; }
  friend bool operator==(const Counts&, const Counts&) = default;
};

struct Latencies {  // in µs; of nothing answered: absent
  std::optional<std::int64_t> p50_us;
  std::optional<std::int64_t> p99_us;
  friend bool operator==(const Latencies&, const Latencies&) = default;
};

/// Of one level, over time.
struct LevelMeasures {
  std::string name;
  Counts counts;
  Latencies latencies;
  std::vector<Counts> counts_by_bucket;
  std::vector<Latencies> latencies_by_bucket;
};

inline constexpr std::size_t kBuckets = 80;  ///< equal parts of the run

struct Measures {
  std::int64_t begin_ns = 0;  ///< the first call, or fault
  std::int64_t span_us = 1;   ///< to the last return, call, or end of a fault; at least 1
  Counts counts;
  Latencies latencies;
  std::vector<LevelMeasures> levels;   ///< by number of operations; the last may be several's
  std::vector<std::uint8_t> level_of;  ///< of each operation, in `levels`
  std::vector<Counts> windows;         ///< by fault of the run
  Counts outside;                      ///< of every window
  std::vector<std::uint32_t> by_call;  ///< all operations
  std::vector<std::uint32_t> sample;   ///< of by_call: all, or evenly some
};

Measures measure(const Run& run, const ReportLimits& limits);

/// Whether an operation has no end: its outcome is unknown, or it never returned.
bool is_open(const checker::Operation& operation);
/// Since the run began.
std::int64_t call_us(const Measures& measures, const checker::Operation& operation);
/// From the call to the return; absent if it is open.
std::optional<std::int64_t> took_us(const Measures& measures, const checker::Operation& operation);

/// An operation of an anomaly's diagram.
struct AnomalyStep {
  std::uint32_t operation;
  bool named;  ///< by the witness; otherwise its client's operation before or after one that is
};
/// The operations that a witness names, the first ones if they are more than the limit, and as many
/// of their clients' operations before and after as there is room for. By call.
std::vector<AnomalyStep> steps_of(const Run& run, const Measures& measures, const Verdict& verdict,
                                  const ReportLimits& limits);

}  // namespace parallax::harness
