#include "harness/tighten.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "consistency/checker/counterexample.h"
#include "harness/workload.h"

namespace parallax::harness {
namespace {

using checker::History;
using checker::Operation;
using checker::OperationKind;
using checker::Outcome;
using checker::Text;

bool writes(const Operation& operation) {
  // A mismatch that was read from a file may not say what it would have written.
  return (operation.kind == OperationKind::write || operation.kind == OperationKind::cas) &&
         operation.value != checker::kNothing;
}

/// Whether what clients were told goes with the log.
Verdict agreement(checker::Verdict verdict, std::string witness = {}) {
  return {.guarantee = "answers agree with the log",
          .promised = true,
          .verdict = verdict,
          .witness = std::move(witness)};
}

/// What all logs know together.
class Logs {
 public:
  explicit Logs(const std::vector<LogDump>& dumps) {
    for (const LogDump& dump : dumps) applied_ = std::max(applied_, dump.applied);
    for (const LogDump& dump : dumps) add(dump);
    find_start(dumps);
  }

  /// What is wrong with them; empty: nothing.
  const std::string& contradiction() const { return contradiction_; }
  /// Entries up to here are in none of them; 0: all are there.
  std::uint64_t start() const { return start_; }
  bool whole() const { return whole_; }
  struct Known {
    const LoggedWrite* entry = nullptr;  ///< nullptr: it is in no log
    bool committed = false;              ///< a node has applied it
  };
  Known find(std::string_view key, std::string_view value) const {
    const auto found = by_value_.find({key, value});
    return found == by_value_.end() ? Known{} : found->second;
  }

 private:
  /// Of an index that is committed there is one entry, which index and term tell.
  void add(const LogDump& dump) {
    for (const LoggedWrite& write : dump.writes) {
      Known& known = by_value_[{write.key, write.value}];
      const bool applied = write.index <= dump.applied;
      if (known.entry == nullptr || applied) known = {&write, applied || known.committed};
      if (!applied) continue;
      const auto [first, is_new] = committed_.try_emplace(write.index, &write);
      const LoggedWrite& other = *first->second;
      if (is_new || (other.term == write.term && other.key == write.key)) continue;
      contradiction_ = fmt::format(
          "the logs differ in entry {}, which is applied: {} of \"{}\" in term {} and {} of \"{}\" "
          "in term {}",
          write.index, other.value, other.key, other.term, write.value, write.key, write.term);
    }
  }

  /// The entries behind start() up to applied() are there, each in a log in which it is applied.
  /// Where a log begins behind the end of all others, what is before it is not known.
  void find_start(const std::vector<LogDump>& dumps) {
    start_ = applied_;
    for (bool again = true; again;) {
      again = false;
      for (const LogDump& dump : dumps) {
        if (dump.start >= start_ || dump.applied < start_) continue;
        start_ = dump.start;
        again = true;
      }
    }
    whole_ = start_ == 0 && !dumps.empty();
  }

  std::map<std::pair<std::string_view, std::string_view>, Known> by_value_;
  std::map<std::uint64_t, const LoggedWrite*> committed_;
  std::string contradiction_;
  std::uint64_t start_ = 0;
  std::uint64_t applied_ = 0;
  bool whole_ = false;
};

class Tightener {
 public:
  Tightener(const RunOptions& options, const History& history, const Logs& logs)
      : options_(options), logs_(logs), out_{.history = history, .counts = {}} {}

  Tightened run() {
    find_shown();
    find_first_covered();
    for (std::size_t i = 0; i < out_.history.operations.size(); ++i) look_at(i);
    say_what_is_open();
    out_.counts.verdicts.push_back(std::move(agreement_));
    return std::move(out_);
  }

 private:
  Logs::Known log_of(const Operation& write) const {
    return logs_.find(out_.history.texts[write.key], out_.history.texts[write.value]);
  }

  /// Values that somebody was shown: by a read, or by a comparison.
  void find_shown() {
    for (std::size_t i = 0; i < out_.history.operations.size(); ++i) {
      const Operation& operation = out_.history.operations[i];
      if (operation.outcome != Outcome::ok && operation.outcome != Outcome::mismatch) continue;
      if (operation.kind == OperationKind::read || operation.outcome == Outcome::mismatch) {
        shown_.try_emplace({operation.key, operation.result}, i);
      } else if (operation.kind == OperationKind::cas) {
        shown_.try_emplace({operation.key, operation.expected}, i);
      }
    }
  }

  /// From when on the logs tell all.
  void find_first_covered() {
    covered_after_ = logs_.whole() ? -1 : checker::kNever;
    for (const Operation& operation : out_.history.operations) {
      if (logs_.whole() || !writes(operation) || operation.outcome != Outcome::ok) continue;
      const Logs::Known known = log_of(operation);
      if (!known.committed || known.entry->index <= logs_.start()) continue;
      covered_after_ = std::min(covered_after_, operation.return_ns);
    }
  }

  bool covered(const Operation& write) const { return write.call_ns > covered_after_; }
  /// ack=leader and semi-sync do not promise that what they acknowledge stays.
  bool keeps_acknowledged() const {
    const Ack ack = options_.write_level.ack;
    return ack == Ack::majority || ack == Ack::all;
  }

  void look_at(std::size_t place) {
    Operation& operation = out_.history.operations[place];
    if (!writes(operation)) {
      if (operation.kind == OperationKind::read || operation.outcome != Outcome::unknown) return;
      ++out_.counts.unknown;
      ++other_kinds_;
      return;
    }
    const Logs::Known known = log_of(operation);
    compare_with_log(place, known);
    if (operation.outcome != Outcome::unknown) return;
    ++out_.counts.unknown;
    const bool shown = shown_.contains({operation.key, operation.value});
    if (known.committed) {
      ++out_.counts.happened;
      if (operation.stamp == checker::kNothing) {
        operation.stamp = out_.history.texts.intern(known.entry->stamp);
      }
    } else if (shown) {
      ++out_.counts.happened;
    } else if (known.entry != nullptr) {
      ++beyond_applied_;
    } else if (covered(operation)) {
      ++out_.counts.never;
      // It was open; a failed one has an end.
      operation.outcome = Outcome::failed;
      if (operation.return_ns == checker::kNever) operation.return_ns = operation.call_ns;
    } else {
      ++compacted_;
    }
  }

  void compare_with_log(std::size_t place, const Logs::Known& known) {
    const Operation& operation = out_.history.operations[place];
    const auto shown = shown_.find({operation.key, operation.value});
    const bool missing = known.entry == nullptr && covered(operation);
    const bool refused =
        operation.outcome == Outcome::failed || operation.outcome == Outcome::mismatch;
    if (operation.outcome == Outcome::ok && missing && keeps_acknowledged()) {
      disagree("was acknowledged and is in no node's log", {place});
    } else if (refused && known.committed) {
      disagree(
          fmt::format("was refused for certain and is entry {} of the log", known.entry->index),
          {place});
    } else if (shown != shown_.end() && missing) {
      disagree("was shown and is in no node's log", {place, shown->second});
    }
  }

  void disagree(std::string_view what, std::vector<std::size_t> places) {
    agreement_.verdict = checker::Verdict::no;
    if (disagreements_++ > 0) return;
    const History& history = out_.history;
    agreement_.witness =
        fmt::format("{}: it {}.\n", describe(history.texts, history.operations[places[0]]), what);
    for (std::size_t i = 1; i < places.size(); ++i) {
      agreement_.witness += "  " + describe(history.texts, history.operations[places[i]]) + "\n";
    }
    agreement_.operations = std::move(places);
    std::sort(agreement_.operations.begin(), agreement_.operations.end());
  }

  void say_what_is_open() {
    Tightening& counts = out_.counts;
    counts.open = other_kinds_ + beyond_applied_ + compacted_;
    const auto say = [&](std::size_t count, std::string_view why) {
      if (count == 0) return;
      counts.reason += fmt::format("{}{} {}", counts.reason.empty() ? "" : "; ", count, why);
    };
    say(other_kinds_, "have no value of their own to be known by");
    say(beyond_applied_, "are in a log behind what is applied");
    say(compacted_, "may have been in a part of the log that was compacted");
    if (disagreements_ > 1) {
      agreement_.witness += fmt::format("{} operations disagree with the log.\n", disagreements_);
    }
  }

  const RunOptions& options_;
  const Logs& logs_;
  Tightened out_;
  std::map<std::pair<Text, Text>, std::size_t> shown_;
  std::int64_t covered_after_ = 0;
  std::size_t other_kinds_ = 0;
  std::size_t beyond_applied_ = 0;
  std::size_t compacted_ = 0;
  std::size_t disagreements_ = 0;
  Verdict agreement_ = agreement(checker::Verdict::yes);
};

std::size_t count_unknown(const History& history) {
  return static_cast<std::size_t>(
      std::count_if(history.operations.begin(), history.operations.end(), [](const Operation& o) {
        return o.kind != OperationKind::read && o.outcome == Outcome::unknown;
      }));
}

}  // namespace

std::optional<std::string> untightenable(const RunOptions& options) {
  if (options.target != "parallax") return "only parallaxd shows its log";
  if (!options.endpoints.empty()) {
    return "nodes must be stopped for it, and only what the harness has started can be";
  }
  if (level_info(options.write_level.level).protocol != Protocol::leader_follower) {
    return fmt::format("writes at {} go through no log, and what was replaced leaves no trace",
                       level_info(options.write_level.level).name);
  }
  if (!has_registers(options.workload)) {
    return fmt::format("operations of {} have no value of their own to be known by in a log",
                       to_string(options.workload));
  }
  return std::nullopt;
}

Tightened tighten(const RunOptions& options, const checker::History& history,
                  const std::vector<LogDump>& dumps) {
  const Logs logs(dumps);
  if (logs.contradiction().empty()) return Tightener(options, history, logs).run();
  Tightened nothing{.history = history, .counts = {.unknown = count_unknown(history)}};
  nothing.counts.open = nothing.counts.unknown;
  nothing.counts.reason = "nothing is concluded from logs that contradict each other";
  nothing.counts.verdicts.push_back(agreement(checker::Verdict::no, logs.contradiction() + "\n"));
  return nothing;
}

void tighten_run(Run& run, const Result<std::vector<LogDump>>& logs, const Now& now) {
  if (!logs) {
    const std::size_t unknown = count_unknown(run.history);
    run.tightening =
        Tightening{.unknown = unknown, .open = unknown, .reason = logs.error().message};
    return;
  }
  Tightened tightened = tighten(run.asked, run.history, *logs);
  run.tightening = std::move(tightened.counts);
  auto verdicts = judge_history(run, std::move(tightened.history), now);
  std::move(verdicts.begin(), verdicts.end(), std::back_inserter(run.tightening->verdicts));
  if (run.outcome == RunOutcome::violated) return;
  std::string broken;
  for (const Verdict& verdict : run.tightening->verdicts) {
    if (!verdict.promised || verdict.verdict != checker::Verdict::no) continue;
    broken += fmt::format("{}{}", broken.empty() ? "" : ", ", verdict.guarantee);
  }
  if (broken.empty()) return;
  run.outcome = RunOutcome::violated;
  run.reason = fmt::format("violated, as the nodes' own log tells: {}", broken);
}

}  // namespace parallax::harness
