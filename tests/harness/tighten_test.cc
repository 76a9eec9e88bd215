#include "harness/tighten.h"

#include <catch2/catch.hpp>

namespace parallax::harness {
namespace {

using checker::Outcome;

checker::History history_of(std::string_view lines) {
  auto history = checker::read_history(lines);
  if (!history) FAIL(history.error().message);
  return std::move(*history);
}

/// Entry `index` writes `value` to "r".
LoggedWrite entry(std::uint64_t index, std::string value, std::uint64_t term = 1) {
  return {index, term, "r", value, "9-" + value};
}

LogDump log(std::vector<LoggedWrite> writes, std::uint64_t applied, std::uint64_t start = 0) {
  LogDump dump{.node = NodeId{1}, .start = start, .applied = applied, .last = applied};
  for (const LoggedWrite& write : writes) dump.last = std::max(dump.last, write.index);
  dump.writes = std::move(writes);
  return dump;
}

const Verdict& of(const std::vector<Verdict>& verdicts, std::string_view guarantee) {
  for (const Verdict& verdict : verdicts) {
    if (verdict.guarantee == guarantee) return verdict;
  }
  FAIL("no verdict of " << guarantee);
  throw 0;
}

const Verdict& agreement(const Tightened& tightened) {
  return of(tightened.counts.verdicts, "answers agree with the log");
}

// Two writes that nobody was told of, between one that was acknowledged and a read of that.
constexpr std::string_view kOpen =
    R"({"client":1,"op":"write","key":"r","value":"1","call":10,"return":20,"ok":true}
{"client":2,"op":"write","key":"r","value":"2","call":30,"ok":"unknown"}
{"client":3,"op":"write","key":"r","value":"3","call":40,"ok":"unknown"}
{"client":4,"op":"read","key":"r","value":"1","call":90,"return":95,"ok":true}
)";

TEST_CASE("what is in no log has never happened and what is committed has") {
  const checker::History history = history_of(kOpen);
  const Tightened tightened =
      tighten({}, history, {log({entry(2, "1"), entry(3, "2")}, 3), log({entry(2, "1")}, 2)});
  CHECK(tightened.counts.unknown == 2);
  CHECK(tightened.counts.happened == 1);
  CHECK(tightened.counts.never == 1);
  CHECK(tightened.counts.open == 0);
  CHECK(tightened.counts.reason.empty());
  CHECK(agreement(tightened).verdict == checker::Verdict::yes);
  const auto& operations = tightened.history.operations;
  REQUIRE(operations.size() == 4);
  // When it happened nobody knows: it stays open, and has its place in the log.
  CHECK(operations[1].outcome == Outcome::unknown);
  CHECK(tightened.history.texts[operations[1].stamp] == "9-2");
  CHECK(operations[2].outcome == Outcome::failed);
  CHECK(operations[0] == history.operations[0]);
  CHECK(operations[3] == history.operations[3]);
}

TEST_CASE("what was shown has happened whatever the log says") {
  const std::string lines =
      std::string(kOpen) +
      R"({"client":4,"op":"read","key":"r","value":"3","call":96,"return":97,"ok":true}
)";
  const Tightened tightened = tighten({}, history_of(lines), {log({entry(2, "1")}, 2)});
  CHECK(tightened.counts.happened == 1);
  CHECK(tightened.counts.never == 1);
  CHECK(tightened.history.operations[2].outcome == Outcome::unknown);
  CHECK(agreement(tightened).verdict == checker::Verdict::no);
  CHECK(agreement(tightened).promised);
  CHECK(agreement(tightened).operations == std::vector<std::size_t>{2, 4});
  CHECK_THAT(agreement(tightened).witness, Catch::Contains("was shown and is in no node's log"));
}

TEST_CASE("what is behind the applied entries stays open") {
  const Tightened tightened =
      tighten({}, history_of(kOpen), {log({entry(2, "1"), entry(3, "2")}, 2)});
  CHECK(tightened.counts.never == 1);
  CHECK(tightened.counts.open == 1);
  CHECK(tightened.counts.reason == "1 are in a log behind what is applied");
  CHECK(tightened.history.operations[1].outcome == Outcome::unknown);
}

TEST_CASE("an entry that another one has replaced is not taken for a committed one") {
  // Node 2 has been away: its entry 3 was never committed, and the others have another one there.
  const Tightened tightened =
      tighten({}, history_of(kOpen),
              {log({entry(2, "1"), entry(3, "2", 2)}, 3), log({entry(2, "1"), entry(3, "3")}, 2)});
  CHECK(tightened.counts.happened == 1);
  CHECK(tightened.counts.open == 1);
  CHECK(tightened.history.operations[2].outcome == Outcome::unknown);
  CHECK(tightened.history.operations[2].stamp == checker::kNothing);
}

TEST_CASE("a compacted log tells of what was called after a write that it has had returned") {
  // The log begins behind entry 5. "2" and "3" may have been in it, had "1" not been in it still.
  const checker::History history = history_of(kOpen);
  const Tightened known = tighten({}, history, {log({entry(6, "1")}, 6, 5)});
  CHECK(known.counts.never == 2);
  const Tightened unknown = tighten({}, history, {log({}, 6, 5)});
  CHECK(unknown.counts.never == 0);
  CHECK(unknown.counts.open == 2);
  CHECK(unknown.counts.reason == "2 may have been in a part of the log that was compacted");
  // Nor is "1" missing then.
  CHECK(agreement(unknown).verdict == checker::Verdict::yes);
  // Called before "1" had returned, its entry may stand before.
  checker::History early = history;
  early.operations[2].call_ns = 15;
  CHECK(tighten({}, early, {log({entry(6, "1")}, 6, 5)}).counts.never == 1);
  // An entry that is not known to be committed is no place to count from.
  CHECK(tighten({}, history, {log({entry(7, "1")}, 6, 5)}).counts.never == 0);
  // One log begins where another, which is behind, ends: together they are whole.
  CHECK(tighten({}, history, {log({entry(9, "1")}, 9, 5), log({}, 5)}).counts.never == 2);
  CHECK(tighten({}, history, {log({}, 9, 5), log({}, 5)}).counts.never == 2);
  CHECK(tighten({}, history, {log({}, 9, 5), log({}, 4)}).counts.never == 0);
}

TEST_CASE("answers that the log contradicts are found") {
  struct Case {
    std::string lines;
    std::vector<LoggedWrite> entries;
    std::string said;  ///< empty: they agree
  };
  const std::string acked =
      R"({"client":1,"op":"write","key":"r","value":"1","call":10,"return":20,"ok":true})";
  const std::string refused =
      R"({"client":1,"op":"write","key":"r","value":"1","call":10,"return":20,"ok":false})";
  const std::string mismatch =
      R"({"client":1,"op":"cas","key":"r","expected":"0","wanted":"1","call":10,"return":20,)"
      R"("ok":false,"mismatch":true})";
  for (const auto& [lines, entries, said] : {
           Case{acked, {entry(2, "1")}, ""},
           Case{acked, {}, "was acknowledged and is in no node's log"},
           Case{refused, {}, ""},
           Case{refused, {entry(2, "1")}, "was refused for certain and is entry 2 of the log"},
           Case{refused, {entry(3, "1")}, ""},  // not committed, as far as is known
           Case{mismatch, {}, ""},
       }) {
    INFO(lines << " " << entries.size() << " " << said);
    const Tightened tightened = tighten({}, history_of(lines + "\n"), {log(entries, 2)});
    CHECK((agreement(tightened).verdict == checker::Verdict::no) == !said.empty());
    CHECK_THAT(agreement(tightened).witness, Catch::Contains(said));
  }
  // The lines do not say what a mismatch would have written, a run's own history does.
  checker::History refusing = history_of(mismatch + "\n");
  refusing.operations[0].value = refusing.texts.intern("1");
  CHECK(agreement(tighten({}, refusing, {log({}, 2)})).verdict == checker::Verdict::yes);
  CHECK_THAT(agreement(tighten({}, refusing, {log({entry(2, "1")}, 2)})).witness,
             Catch::Contains("was refused for certain and is entry 2 of the log"));
  // ack=leader does not promise that it stays.
  RunOptions leader;
  leader.write_level = *parse_consistency("linearizable; ack=leader");
  CHECK(agreement(tighten(leader, history_of(acked + "\n"), {log({}, 2)})).verdict ==
        checker::Verdict::yes);
}

TEST_CASE("logs that differ in what is applied tell nothing but that") {
  const Tightened tightened =
      tighten({}, history_of(kOpen), {log({entry(2, "1", 1)}, 2), log({entry(2, "2", 2)}, 2)});
  CHECK(tightened.counts.open == 2);
  CHECK(tightened.counts.never == 0);
  CHECK(agreement(tightened).verdict == checker::Verdict::no);
  CHECK_THAT(agreement(tightened).witness, Catch::StartsWith("the logs differ in entry 2"));
  CHECK(tightened.history.operations == history_of(kOpen).operations);
}

TEST_CASE("a run keeps its verdicts beside the tightened ones") {
  // Somebody's comparison with "3" fails at a version that it does not know, after "1" was written:
  // possible only if "2" or "3" happened.
  Run run;
  run.history = history_of(
      R"({"client":1,"op":"write","key":"r","value":"1","call":10,"return":20,"ok":true,"stamp":"9-1","node":1}
{"client":2,"op":"write","key":"r","value":"2","call":30,"ok":"unknown"}
{"client":4,"op":"cas","key":"r","expected":"1","wanted":"4","call":50,"return":60,"ok":false,"mismatch":true,"node":1}
)");
  const Now now = [at = std::int64_t{0}]() mutable { return at += 5; };
  judge_run(run, {.digests = {{90, NodeId{1}, "a"}}, .nodes = {NodeId{1}}, .healed_ns = 80}, now);
  REQUIRE(of(run.verdicts, "linearizable").verdict == checker::Verdict::yes);
  const auto before = run.verdicts;
  const RunOutcome outcome = run.outcome;
  Run held = run;
  tighten_run(held, std::vector{log({entry(2, "1"), entry(3, "2")}, 3)}, now);
  REQUIRE(held.tightening);
  CHECK(held.tightening->happened == 1);
  CHECK(of(held.tightening->verdicts, "linearizable").verdict == checker::Verdict::yes);
  CHECK(held.verdicts == before);
  CHECK(held.outcome == outcome);
  // The log does not have "2": then nothing explains the mismatch.
  tighten_run(run, std::vector{log({entry(2, "1")}, 2)}, now);
  CHECK(run.tightening->never == 1);
  CHECK(of(run.tightening->verdicts, "linearizable").verdict == checker::Verdict::no);
  CHECK(run.verdicts == before);
  CHECK(run.outcome == RunOutcome::violated);
  CHECK_THAT(run.reason, Catch::StartsWith("violated, as the nodes' own log tells: linearizable"));
}

TEST_CASE("a log that could not be read leaves all open and says why") {
  Run run;
  run.history = history_of(kOpen);
  run.outcome = RunOutcome::held;
  tighten_run(run, definite(ErrorCode::io, "the log of node 2 cannot be read"), [] { return 0; });
  REQUIRE(run.tightening);
  CHECK(run.tightening->unknown == 2);
  CHECK(run.tightening->open == 2);
  CHECK(run.tightening->reason == "the log of node 2 cannot be read");
  CHECK(run.tightening->verdicts.empty());
  CHECK(run.outcome == RunOutcome::held);
}

TEST_CASE("what goes through no log cannot be tightened") {
  RunOptions options;
  CHECK_FALSE(untightenable(options));
  options.write_level = *parse_consistency("quorum");
  CHECK_THAT(*untightenable(options), Catch::Contains("writes at quorum go through no log"));
  CHECK_FALSE(check_options([&] {
                RunOptions asked = options;
                asked.tighten = true;
                return asked;
              }())
                  .has_value());
  options = {};
  options.workload = Workload::counter;
  CHECK_THAT(*untightenable(options), Catch::Contains("operations of counter have no value"));
  options = {};
  options.endpoints = {"127.0.0.1:1"};
  CHECK_THAT(*untightenable(options), Catch::Contains("must be stopped"));
}

TEST_CASE("a printed log is read back and what is wrong with it is named") {
  const auto dump = read_log_dump(
      R"({"node":2,"log_start":4,"applied":7,"last":8}
{"index":5,"term":3,"kind":"no-op"}
{"index":6,"term":3,"kind":"write","key":"r","versions":[{"stamp":"9-1","value":"1"}]}
{"index":7,"term":3,"kind":"write","key":"r","versions":[{"stamp":"9-2","deleted":true}]}
{"index":8,"term":3,"kind":"write","key_base64":"/w==","versions":[{"stamp":"9-3","value":"3"}]}
)");
  REQUIRE(dump.has_value());
  CHECK(*dump == LogDump{.node = NodeId{2},
                         .start = 4,
                         .applied = 7,
                         .last = 8,
                         .writes = {{6, 3, "r", "1", "9-1"}}});
  CHECK(read_log_dump("").error().message == "the log has no lines");
  CHECK(read_log_dump("parallaxd: no\n").error().message.starts_with("line 1 of the log: no JSON"));
  CHECK(read_log_dump("{\"node\":2,\"log_start\":4,\"applied\":7,\"last\":8}\n{}\n")
            .error()
            .message == "line 2 of the log: \"kind\" is missing");
}

}  // namespace
}  // namespace parallax::harness
