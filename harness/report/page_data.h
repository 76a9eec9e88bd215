// What the report's scripts draw, as one JSON object: page.js says what its members are for.
//
// It stands inside a <script>: nothing in it can end that.
#pragma once

#include <string>
#include <vector>

#include "harness/report/measures.h"
#include "harness/run.h"

namespace parallax::harness {

/// Of the name of a level, and of each text of a fault, so many bytes are in the data.
inline constexpr std::size_t kNameBytes = 120;

/// A violated guarantee that the page tells of, with what its diagram shows.
struct Anomaly {
  const Verdict* verdict;
  std::vector<AnomalyStep> steps;
};

std::string page_data(const Run& run, const Measures& measures,
                      const std::vector<Anomaly>& anomalies, const ReportLimits& limits);

/// When the last operation that an anomaly names was called: where it shows. In µs since the run
/// began; -1 if it names none.
std::int64_t place_us(const Run& run, const Measures& measures, const Anomaly& anomaly);

}  // namespace parallax::harness
