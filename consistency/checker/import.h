// Histories that other tools recorded.
//
// These logs have no times, only an order of events: the n-th line happens at n ns.
#pragma once

#include <string_view>

#include "base/error.h"
#include "consistency/checker/history.h"

namespace parallax::checker {

/// The log of a Jepsen run on one compare-and-set register, "INFO  jepsen.util - 3 :invoke :cas
/// [1 2]" and the like; other lines are skipped. The register starts as nil, which is kAbsent; its
/// key is "register". `:info`, or no end at all, is unknown; a failed cas is a mismatch that did
/// not say what it saw; other failures did not happen. Errors: bad_request, naming the line.
Result<History> import_jepsen_log(std::string_view text);

/// A log of events as EDN maps, one a line: "{:process 0, :type :invoke, :f :append, :key "0",
/// :value "x"}", with :f get, read, put, write, append or cas (of [expected value]), as in the
/// key-value logs of Porcupine (where every key starts as the empty text) and Knossos' histories
/// (where there is one register, and `:fail` means that it did not happen). Without :key the key is
/// "register". Other members are skipped. Errors: bad_request, naming the line.
Result<History> import_edn_log(std::string_view text);

}  // namespace parallax::checker
