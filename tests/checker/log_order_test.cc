// Reads against the log: by trying every place for every read; and convergence of digests.
#include "consistency/checker/log_order.h"

#include <algorithm>
#include <map>

#include <catch2/catch.hpp>

#include "consistency/checker/convergence.h"
#include "tests/checker/build.h"
#include "tests/checker/stores.h"

namespace parallax::checker {
namespace {

Text value_at(const std::vector<LogEntry>& log, Text key, std::size_t position) {
  Text value = kAbsent;
  for (std::size_t i = 0; i < position; ++i) {
    if (log[i].key == key) value = log[i].value;
  }
  return value;
}

Text given(const Operation& o) {
  return o.kind == OperationKind::remove ? kAbsent : o.value;
}

const Operation* only_writer(const History& history, const std::vector<LogEntry>& log, Text key,
                             Text value) {
  const auto count = std::count_if(
      log.begin(), log.end(), [&](const LogEntry& e) { return e.key == key && e.value == value; });
  if (count != 1) return nullptr;
  for (const Operation& o : history.operations) {
    if (o.kind != OperationKind::read && o.key == key && given(o) == value && o.stamp != kNothing) {
      return &o;
    }
  }
  return nullptr;
}

/// Whether what the key holds at `position` was surely written after `read` had returned.
bool from_the_future(const History& history, const std::vector<LogEntry>& log,
                     const Operation& read, std::size_t position) {
  while (position > 0 && log[position - 1].key != read.key) --position;
  if (position == 0) return false;
  const Operation* writer = only_writer(history, log, read.key, read.result);
  return writer != nullptr && writer->call_ns > read.return_ns;
}

/// Whether the operations from `next` on can stand at `floor` or later.
bool can_stand(const History& history, const std::vector<LogEntry>& log,
               const std::vector<Operation>& mine, std::size_t next, std::size_t floor,
               bool own_writes) {
  if (next == mine.size()) return true;
  const Operation& o = mine[next];
  if (o.kind != OperationKind::read) {
    for (std::size_t p = 0; own_writes && p < log.size(); ++p) {
      if (only_writer(history, log, o.key, given(o)) == nullptr) break;
      if (log[p].key == o.key && log[p].value == given(o)) floor = std::max(floor, p + 1);
    }
    return can_stand(history, log, mine, next + 1, floor, own_writes);
  }
  for (std::size_t p = floor; p <= log.size(); ++p) {
    if (value_at(log, o.key, p) == o.result && !from_the_future(history, log, o, p) &&
        can_stand(history, log, mine, next + 1, p, own_writes)) {
      return true;
    }
  }
  return false;
}

bool brute_force_prefix(const History& history, const std::vector<LogEntry>& log, bool own_writes) {
  std::map<std::uint32_t, std::vector<Operation>> sessions;
  for (const Operation& o : history.operations) {
    if (o.outcome == Outcome::ok) sessions[o.client].push_back(o);
  }
  return std::all_of(sessions.begin(), sessions.end(), [&](const auto& session) {
    return can_stand(history, log, session.second, 0, 0, own_writes);
  });
}

/// The most versions that a read was surely behind, and for how long.
std::pair<std::uint64_t, std::int64_t> brute_force_behind(const History& history,
                                                          const std::vector<LogEntry>& log) {
  std::pair<std::uint64_t, std::int64_t> worst{0, 0};
  for (const Operation& read : history.operations) {
    if (read.kind != OperationKind::read) continue;
    std::vector<LogEntry> versions;
    for (const LogEntry& e : log) {
      if (e.key == read.key) versions.push_back(e);
    }
    int shown = read.result == kAbsent ? 0 : -1;
    for (std::size_t v = 0; v < versions.size(); ++v) {
      if (versions[v].value == read.result) shown = static_cast<int>(v) + 1;
    }
    if (shown < 0) continue;
    std::uint64_t behind = 0;
    std::int64_t first = kNever;
    for (std::size_t v = static_cast<std::size_t>(shown); v < versions.size(); ++v) {
      const Operation* writer = only_writer(history, log, read.key, versions[v].value);
      if (writer == nullptr || writer->outcome != Outcome::ok) continue;
      first = std::min(first, writer->return_ns);
      if (writer->return_ns < read.call_ns) behind = v + 1 - static_cast<std::size_t>(shown);
    }
    worst.first = std::max(worst.first, behind);
    if (behind > 0) worst.second = std::max(worst.second, read.call_ns - first);
  }
  return worst;
}

void compare(const SessionShape& shape, int cases, std::uint64_t seed) {
  Random random(seed);
  int yes = 0;
  int no = 0;
  for (int i = 0; i < cases; ++i) {
    const History history = random_sessions(shape, random);
    auto log = log_by_stamps(history);
    REQUIRE(log.has_value());
    CAPTURE(i, write_history(history));
    for (const bool own_writes : {false, true}) {
      const LogResult result = check_against_log(history, *log, {.own_writes = own_writes});
      const bool expected = brute_force_prefix(history, *log, own_writes);
      CAPTURE(own_writes, result.prefix_witness ? result.prefix_witness->text : "");
      REQUIRE((result.prefix == Verdict::yes) == expected);
      CHECK(result.prefix_witness.has_value() == !expected);
      ++(expected ? yes : no);
      const auto [versions, age] = brute_force_behind(history, *log);
      CHECK(result.worst_versions == versions);
      CHECK(result.worst_age_ns == age);
      CHECK(result.bounded == Verdict::yes);
      if (versions == 0) continue;
      LogOptions bound{.max_versions = versions - 1};
      CHECK(check_against_log(history, *log, bound).bounded == Verdict::no);
      bound = {.max_versions = versions, .max_age_ns = age};
      CHECK(check_against_log(history, *log, bound).bounded == Verdict::yes);
      bound = {.max_age_ns = age - 1};
      CHECK(check_against_log(history, *log, bound).bounded == Verdict::no);
    }
  }
  CHECK(yes > 50);
  CHECK((shape.store == Store::log || no > 50));
}

}  // namespace

TEST_CASE("log order: reads of any origin against every place in the log") {
  compare({.operations = 9}, 1'000, 1);
  compare({.operations = 9, .removes = 0.4, .duplicates = 0.2}, 1'000, 2);
  compare({.store = Store::log, .operations = 14, .lag = 4}, 500, 3);
}

TEST_CASE("log order: what one node answers goes back only if the reads did not overlap") {
  Build h;
  h.write(1, "a", 0, 10);
  h.write(1, "b", 20, 30);
  const auto log_of = [&] {
    const Text key = h.text("x");
    return std::vector<LogEntry>{{key, h.text("a")}, {key, h.text("b")}};
  };
  h.read(2, "b", 40, 50).node = NodeId{2};
  h.read(3, "a", 45, 60).node = NodeId{2};
  LogOptions by_node{.observer = Observer::node};
  CHECK(check_against_log(h.history, log_of(), by_node).prefix == Verdict::yes);
  h.read(4, "a", 55, 60).node = NodeId{3};
  CHECK(check_against_log(h.history, log_of(), by_node).prefix == Verdict::yes);
  h.read(4, "a", 61, 70).node = NodeId{2};
  const LogResult result = check_against_log(h.history, log_of(), by_node);
  CHECK(result.prefix == Verdict::no);
  CHECK(result.prefix_witness->pattern == "GoesBack");
  CHECK(result.prefix_witness->part.operations.size() == 4);
}

TEST_CASE("log order: a value from the future and one that the log does not have") {
  Build h;
  h.read(2, "a", 0, 5);
  h.write(1, "a", 6, 10);
  const std::vector<LogEntry> log{{h.text("x"), h.text("a")}};
  CHECK(check_against_log(h.history, log).prefix_witness->pattern == "FromTheFuture");
  h.read(2, "b", 20, 25);
  CHECK(check_against_log(h.history, {}).prefix_witness->pattern == "NotInLog");
  h.increment(1, "1", 30, 31);
  CHECK(check_against_log(h.history, log).prefix == Verdict::undecided);
}

TEST_CASE("log order: the log is the order of the stamps") {
  Build h;
  h.write(1, "late", 0, 5).stamp = h.text("200-1");
  h.write(2, "early", 0, 5).stamp = h.text("1000-2");
  h.write(3, "between", 0, 5).stamp = h.text("200-3");
  h.write(4, "unknown", 0, kNever);
  const auto log = log_by_stamps(h.history);
  REQUIRE(log.has_value());
  REQUIRE(log->size() == 3);
  CHECK(h.history.texts[(*log)[0].value] == "late");
  CHECK(h.history.texts[(*log)[1].value] == "between");
  CHECK(h.history.texts[(*log)[2].value] == "early");
  h.write(4, "none", 10, 15);
  CHECK_FALSE(log_by_stamps(h.history).has_value());
}

TEST_CASE("convergence: the last digests are equal from some moment on") {
  const std::vector<NodeId> nodes{NodeId{1}, NodeId{2}};
  const std::vector<DigestSeen> same{{100, NodeId{1}, "a"},
                                     {110, NodeId{2}, "b"},
                                     {120, NodeId{1}, "c"},
                                     {130, NodeId{2}, "c"},
                                     {140, NodeId{1}, "c"}};
  const ConvergenceResult result = check_convergence(same, nodes, 90);
  CHECK(result.verdict == Verdict::yes);
  CHECK(result.converged_after_ns == 40);
  CHECK(check_convergence(same, nodes, 135).verdict == Verdict::undecided);
  std::vector<DigestSeen> apart = same;
  apart.push_back({150, NodeId{2}, "d"});
  const ConvergenceResult no = check_convergence(apart, nodes, 90);
  CHECK(no.verdict == Verdict::no);
  CHECK(no.reason == "the last digests differ: n1: c n2: d");
  std::swap(apart[0], apart[5]);
  CHECK(check_convergence(apart, nodes, 90).verdict == Verdict::no);
  apart.push_back({160, NodeId{1}, "d"});
  CHECK(check_convergence(apart, nodes, 90).converged_after_ns == 70);
  CHECK(check_convergence(same, {NodeId{1}, NodeId{3}}, 90).verdict == Verdict::undecided);
}

}  // namespace parallax::checker
