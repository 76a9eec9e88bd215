#include "simulation/log_verdicts.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "consistency/checker/linearizability.h"
#include "consistency/checker/log_order.h"
#include "consistency/checker/sequential.h"
#include "consistency/checker/staleness.h"
#include "simulation/undecided.h"

namespace parallax::simulation {
namespace {

/// `history` with all of its writes and, of the reads, those of `reads` alone.
checker::History with_reads(const Records& records, const std::vector<ReadNote>& reads) {
  const checker::History& all = records.recorder.history();
  checker::History history{.texts = all.texts, .operations = {}};
  std::set<std::size_t> kept;
  for (const ReadNote& read : reads) kept.insert(read.record);
  for (std::size_t i = 0; i < all.operations.size(); ++i) {
    const bool is_read = all.operations[i].kind == checker::OperationKind::read;
    if (!is_read || kept.contains(i)) history.operations.push_back(all.operations[i]);
  }
  return history;
}

template <class Wanted>
std::vector<ReadNote> select(const Records& records, Wanted wanted) {
  std::vector<ReadNote> some;
  std::copy_if(records.reads.begin(), records.reads.end(), std::back_inserter(some), wanted);
  return some;
}

std::vector<checker::LogEntry> entries(checker::History& history, const std::vector<Logged>& log) {
  std::vector<checker::LogEntry> result;
  for (const Logged& one : log) {
    result.push_back({history.texts.intern(one.key), history.texts.intern(one.value)});
  }
  return result;
}

std::string words(const std::optional<checker::Witness>& witness, const std::string& reason) {
  if (!witness) throw Undecided(reason);
  return witness->text;
}

}  // namespace

std::optional<std::string> not_linearizable(const checker::History& history) {
  const auto result = checker::check_linearizability(history);
  if (result.verdict != checker::Verdict::no) return std::nullopt;
  return result.counterexample->text;
}

/// Values are written once and never deleted: there is an exact test that takes no search.
std::string judge_linearizable(const checker::History& history, const std::string& what) {
  const checker::Staleness told = checker::measure_staleness(history, {.judge_k = false});
  if (told.delta_ns == 0 && told.impossible_reads == 0 && told.keys_left_out == 0) return {};
  const std::string how = not_linearizable(history).value_or(
      fmt::format("by {} ns, {} impossible reads, {} keys", told.delta_ns, told.impossible_reads,
                  told.keys_left_out));
  return fmt::format("{}:\n{}", what, how);
}

std::string judge_ages(const Records& records, const std::string& what) {
  const auto told = select(records, [](const ReadNote& read) { return read.staleness_ns; });
  const checker::History& all = records.recorder.history();
  std::map<std::size_t, const ReadNote*> by_record;
  for (const ReadNote& read : told) by_record.emplace(read.record, &read);
  checker::History shifted{.texts = all.texts, .operations = {}};
  for (std::size_t i = 0; i < all.operations.size(); ++i) {
    checker::Operation operation = all.operations[i];
    if (operation.kind == checker::OperationKind::read) {
      const auto read = by_record.find(i);
      if (read == by_record.end()) continue;
      operation.call_ns =
          std::min(read->second->from_ns - *read->second->staleness_ns, operation.return_ns);
    }
    shifted.operations.push_back(operation);
  }
  return judge_linearizable(shifted, what + " are older than they say");
}

std::string judge_lags(const Records& records, const std::vector<Logged>& log) {
  std::set<std::uint32_t> bounds;
  for (const ReadNote& read : records.reads) {
    if (read.max_lag) bounds.insert(*read.max_lag);
  }
  for (const std::uint32_t bound : bounds) {
    checker::History history = with_reads(
        records, select(records, [&](const ReadNote& read) { return read.max_lag == bound; }));
    if (bound == 0) {
      std::string broken = judge_linearizable(history, "reads with max_lag=0 are not linearizable");
      if (!broken.empty()) return broken;
    }
    if (bound == 1 && checker::measure_staleness(history).keys_beyond_2 > 0) {
      return "reads with max_lag=1 are not 2-atomic: they show more than the two newest values";
    }
    const std::vector<checker::LogEntry> order = entries(history, log);
    const auto result = checker::check_against_log(history, order, {.max_versions = bound});
    if (result.bounded == checker::Verdict::yes) continue;
    return fmt::format("reads with max_lag={} are further behind:\n{}", bound,
                       words(result.bounded_witness, result.reason));
  }
  return {};
}

std::string judge_prefix(const Records& records, const std::vector<Logged>& log,
                         const std::string& what) {
  checker::History history = records.recorder.history();
  for (const ReadNote& read : records.reads) {
    history.operations[read.record].node = NodeId{static_cast<std::uint32_t>(read.process)};
  }
  const std::vector<checker::LogEntry> order = entries(history, log);
  const auto result =
      checker::check_against_log(history, order, {.observer = checker::Observer::node});
  if (result.prefix == checker::Verdict::yes) return {};
  return fmt::format("{} are no prefixes of the log that grow:\n{}", what,
                     words(result.prefix_witness, result.reason));
}

std::string judge_sequential(const Records& records, const std::vector<Logged>& log) {
  checker::History history = records.recorder.history();
  const auto result = checker::check_sequential(history);
  if (result.verdict == checker::Verdict::no) {
    return "sequential operations are not sequentially consistent:\n" +
           words(result.witness, result.reason);
  }
  // Beyond the checker's bound the log is the order, if it is one.
  const std::vector<checker::LogEntry> order = entries(history, log);
  const auto along = checker::check_against_log(history, order, {.own_writes = true});
  if (along.prefix == checker::Verdict::yes) return {};
  return "sequential operations do not go along the log:\n" +
         words(along.prefix_witness, along.reason);
}

std::optional<std::string> session_goes_back(const Records& records,
                                             const std::vector<Logged>& log) {
  checker::History history = records.recorder.history();
  const std::vector<checker::LogEntry> order = entries(history, log);
  const auto result = checker::check_against_log(history, order);
  if (result.prefix != checker::Verdict::no) return std::nullopt;
  return result.prefix_witness->text;
}

std::optional<std::string> oldest_within_bound(const Records& records) {
  const auto bounded =
      select(records, [](const ReadNote& read) { return read.max_staleness_ms && !read.max_lag; });
  const checker::Staleness told =
      checker::measure_staleness(with_reads(records, bounded), {.judge_k = false});
  if (!told.worst) return std::nullopt;
  const checker::Operation& worst = told.worst->read;
  const auto note = std::find_if(bounded.begin(), bounded.end(), [&](const ReadNote& read) {
    const checker::Operation& operation = records.recorder.history().operations[read.record];
    return operation.client == worst.client && operation.call_ns == worst.call_ns;
  });
  return fmt::format("{}\nThe read allows {} ms.", told.worst->text, *note->max_staleness_ms);
}

}  // namespace parallax::simulation
