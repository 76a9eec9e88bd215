// Histories that other tools recorded.
//
// Of their times only the order of events is taken: the n-th line or map happens at n ns. What a
// nemesis, or whoever else has a name instead of a number, says of itself is skipped.
#pragma once

#include <string_view>

#include "base/error.h"
#include "consistency/checker/history.h"

namespace parallax::checker {

/// The log of a Jepsen run on one compare-and-set register, "INFO  jepsen.util - 3 :invoke :cas
/// [1 2]" and the like ("jepsen.util: " in later versions); other lines are skipped. The register
/// starts as nil, which is kAbsent; its key is "register". `:info`, or no end at all, is unknown; a
/// failed cas is a mismatch that did not say what it saw; other failures did not happen. Errors:
/// bad_request, naming the line.
Result<History> import_jepsen_log(std::string_view text);

/// A log of events as EDN maps, one after the other or in a vector: "{:process 0, :type :invoke, :f
/// :append, :key "0", :value "x"}", with :f get, read, put, write, append or cas (of [expected
/// value]), as in the key-value logs of Porcupine (where every key starts as the empty text) and
/// Knossos' histories (where there is one register, and `:fail` means that it did not happen).
/// Without :key the key is "register". A list or set that a read shows is the text
/// of a set (sets.h), for :f add. Other members are skipped. Errors: bad_request, naming the
/// line.
Result<History> import_edn_log(std::string_view text);

/// A list-append history as Elle takes it in JSON: an array of events, or one event after the
/// other, {"process":0,"type":"ok","f":"txn","value":[["append",9,1]]}, each transaction a list of
/// ["append", key, element] and ["r", key, list]. One of a single operation becomes a read or an
/// append; a list becomes a text, each element followed by a space, none at all kAbsent. One of
/// more becomes a txn, which checkers of single keys do not judge; one of none is left out. `fail`
/// means that it did not happen. Errors: bad_request, naming the line.
Result<History> import_elle_json(std::string_view text);

}  // namespace parallax::checker
