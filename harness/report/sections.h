// The parts of the report's page, each as HTML. Every text of a run goes through html() there.
#pragma once

#include <string>
#include <vector>

#include "harness/report/measures.h"
#include "harness/report/page_data.h"
#include "harness/run.h"

namespace parallax::harness {

/// What a section is made from.
struct Shown {
  const Run& run;
  const Measures& measures;
  const std::vector<Anomaly>& anomalies;
  const ReportLimits& limits;
};

/// Of a verdict: its word, in its colour.
std::string badge(const Verdict& verdict);

std::string header_html(const Shown& shown);
std::string guarantees_html(const Shown& shown);
/// Empty of a run whose levels were not looked for.
std::string levels_html(const Shown& shown);
/// Empty of a run that was not tightened.
std::string tightening_html(const Shown& shown);
/// Empty if there are none.
std::string anomalies_html(const Shown& shown);
/// The filters, and where the scripts draw what they let through.
std::string timeline_html(const Shown& shown);
std::string availability_html(const Shown& shown);
/// Empty of a run whose staleness was not measured.
std::string staleness_html(const Shown& shown);
std::string settings_html(const Shown& shown);

}  // namespace parallax::harness
