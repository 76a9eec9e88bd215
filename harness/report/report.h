// The report of a run: one HTML page that needs nothing else, neither network nor files.
//
// It is made for 1280 and for 400 pixels of width, and for light and dark. Whatever a run holds is
// escaped (text.h). Equal runs give equal bytes. Its size is bounded, however long the run was: the
// tables count every operation; what is drawn is a sample if there are too many, and the page says
// so. Scripts (page.js, charts.js, diagrams.js) draw and filter; verdicts, witnesses and numbers
// are there without them.
//
// What it does not do: judge, or write files.
#pragma once

#include <cstddef>
#include <string>

#include "harness/run.h"

namespace parallax::harness {

struct ReportLimits {
  std::size_t operations = 20'000;    ///< that the page carries to draw, list and filter
  std::size_t windows = 400;          ///< of faults
  std::size_t anomalies = 20;         ///< that are told and drawn; at least 1
  std::size_t steps = 24;             ///< operations of one anomaly
  std::size_t levels = 8;             ///< told apart; those above are one. At least 1, at most 8
  std::size_t witness_bytes = 8'192;  ///< of one witness in words
};

std::string report_page(const Run& run, const ReportLimits& limits = {});

}  // namespace parallax::harness
