// A Run as the files of an --out directory: results.json, which is all but the history, and the
// faults once more as lines, faults.jsonl. The history's lines are the checkers' own
// (consistency/checker/history.h).
//
// What it does not do: read or write files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "base/error.h"
#include "harness/run.h"

namespace parallax::harness {

/// One JSON object, on one line.
std::string write_results(const Run& run);
/// The inverse: a Run without a history. Errors: corrupt, naming the member.
Result<Run> read_results(std::string_view text);

/// {"kind":"kill","target":"n2","detail":"","begin":10,"end":20}
boost::json::object to_json(const FaultWindow& window);

/// One JSON object a line: {"kind":"kill","target":"n2","detail":"","begin":10,"end":20}
std::string write_faults(const std::vector<FaultWindow>& faults);
/// The inverse; blank lines are skipped. Errors: corrupt, naming the line (from 1).
Result<std::vector<FaultWindow>> read_faults(std::string_view lines);

}  // namespace parallax::harness
