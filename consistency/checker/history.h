// What clients did and saw: the one history format of all checkers, and its JSON lines.
//
// A history is a list of operations, each with the interval in which it ran, on one monotonic
// clock. Operation a precedes b only if a returned strictly before b was called; equal times are
// concurrent.
//
// The lines, one object each:
//   {"client":3,"op":"write","key":"k","value":"7","call":10,"return":25,"ok":true,
//    "level":"linearizable","node":2,"session":"...","stamp":"..."}
// Needed are client, op, key, call, ok, and return unless ok is "unknown". Values are strings, or
// numbers, which stand for their decimal text, or null, which means absent. A `cas` with "ok":false
// and a "value" is a compare that answered mismatch and saw that value (null: none); with
// "mismatch":true and no "value" it answered mismatch and did not say what it saw; otherwise it did
// not happen, and "wanted" is what it would have written. An increment's "value" is by how much (1
// if left out); "result" is the value that an increment or append answered with, if it did. An
// add's "value" is a member; a read of a set shows an array of members, in any order.
//
// What it does not do: read files, or judge.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "consistency/checker/texts.h"

namespace parallax::checker {

enum class OperationKind : std::uint8_t {
  read,
  write,
  cas,        ///< writes `value` if the key holds `expected`
  remove,     ///< "delete"
  increment,  ///< of decimal text; absent counts as 0
  append,     ///< to the text; absent counts as empty
  add,        ///< a member to a set, which is a JSON array; absent counts as empty
  txn,        ///< several keys at once; `value` is its JSON
  scan,       ///< a range read; `result` is its JSON
};

/// The name in the JSON lines.
std::string_view to_string(OperationKind kind);
std::optional<OperationKind> parse_operation_kind(std::string_view name);

enum class Outcome : std::uint8_t {
  ok,
  failed,    ///< definitely did not happen
  mismatch,  ///< a cas whose compare answered no: it happened, as a read
  unknown,   ///< may have happened at any time after its call, may happen yet, or never
};

/// `return_ns` of an operation that never returned.
inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// One operation. All texts are of its History's pool.
struct Operation {
  OperationKind kind = OperationKind::read;
  Outcome outcome = Outcome::ok;
  std::uint32_t client = 0;
  NodeId node = kNoNode;  ///< who answered, if known
  Text key = kNothing;
  Text value = kNothing;     ///< what was to be written, appended or added; a cas may write kAbsent
  Text expected = kNothing;  ///< of a cas; kAbsent expects no value
  Text result = kNothing;    ///< what was shown: a read's value, what a mismatch saw, or kAbsent
  std::int64_t call_ns = 0;
  std::int64_t return_ns =
      kNever;  ///< at or after call_ns; of no meaning if the outcome is unknown
  Text level = kNothing;
  Text session = kNothing;
  Text stamp = kNothing;
  friend bool operator==(const Operation&, const Operation&) = default;
};

/// A recorded run. The order of the operations has no meaning.
struct History {
  Texts texts;
  std::vector<Operation> operations;
};

/// Reads JSON lines; blank lines are skipped. Errors: bad_request, naming the line (from 1), the
/// member, and what is expected there.
Result<History> read_history(std::string_view lines);
/// Writes JSON lines that read_history() reads back as the same operations. Texts must be UTF-8.
std::string write_history(const History& history);
/// One of them, with its line end, behind what `out` has: for histories that are written bit by
/// bit.
void append_line(std::string& out, const Texts& texts, const Operation& operation);

}  // namespace parallax::checker
