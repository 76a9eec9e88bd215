// What the clients of the leader's levels did and saw (log_clients.h), and the checkers' verdicts
// on it.
//
// How old an answer says it can be is judged as Golab, Li and Shah (2011) define delta: with every
// read called as much earlier as it says, the history is linearizable. That holds across replicas,
// because a mark of freshness covers all that any replica had applied.
//
// A read with max_lag=0 misses nothing that was committed when it came, so those reads are
// linearizable; those with max_lag=1 show one of the two newest values (2-atomic); the others are
// behind by no more versions than they allow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "simulation/checks.h"
#include "simulation/recorder.h"

namespace parallax::simulation {

/// A read that was answered.
struct ReadNote {
  std::size_t record;
  std::int64_t from_ns;                      ///< the state that it showed was read at or after this
  std::optional<std::int64_t> staleness_ns;  ///< how old it may have been then, as it says
  std::optional<std::uint32_t> max_staleness_ms;  ///< that it asked for
  std::optional<std::uint32_t> max_lag;           ///< that it asked for
  std::uint64_t process;                          ///< whose state it showed
};

/// One family of keys.
struct Records {
  Recorder recorder;
  std::vector<ReadNote> reads;
};

// Each in words; empty: nothing contradicts it.

/// `history` is linearizable; `what` begins the sentence.
std::string judge_linearizable(const checker::History& history, const std::string& what);
/// No answer is older than it says.
std::string judge_ages(const Records& records, const std::string& what);
/// No read is further behind than the lag that it allows.
std::string judge_lags(const Records& records, const std::vector<Logged>& log);
/// What one process shows is a prefix of the log that never gets shorter.
std::string judge_prefix(const Records& records, const std::vector<Logged>& log,
                         const std::string& what);
/// One order explains all, in which each session's own is kept; the log is one.
std::string judge_sequential(const Records& records, const std::vector<Logged>& log);

// What is permitted; nothing: it has not happened.

/// A read that goes back, in one session.
std::optional<std::string> session_goes_back(const Records& records,
                                             const std::vector<Logged>& log);
/// The oldest of the reads that were bounded in time, if it is older than the newest value.
std::optional<std::string> oldest_within_bound(const Records& records);
/// How `history` is not linearizable.
std::optional<std::string> not_linearizable(const checker::History& history);

}  // namespace parallax::simulation
