#include "harness/matrix.h"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/matrix_text.h"
#include "harness/report/matrix_page.h"

namespace parallax::harness {
namespace {

using checker::OperationKind;
using checker::Outcome;

std::size_t line_of(std::string_view write, std::string_view read) {
  const auto pairs = matrix_pairs();
  const auto at = std::find(pairs.begin(), pairs.end(), MatrixPair{write, read});
  REQUIRE(at != pairs.end());
  return static_cast<std::size_t>(at - pairs.begin());
}

RunOptions small_round() {
  RunOptions round = matrix_round(true, Network::faults);
  round.seed = 7;
  return round;
}

/// As if every part had been judged `yes` on all that is promised.
std::vector<PartFindings> all_held(const std::vector<RunOptions>& parts) {
  std::vector<PartFindings> all;
  for (const RunOptions& part : parts) {
    PartFindings& findings = all.emplace_back();
    findings.operations = 10;
    if (part.workload == Workload::set) {
      findings.found[Demand::survives_crash] = {checker::Verdict::yes, ""};
      findings.found[Demand::survives_disk] = {checker::Verdict::yes, ""};
      findings.promised = {Demand::survives_crash, Demand::survives_disk};
      continue;
    }
    for (const DemandInfo& info : kDemands) {
      findings.found[info.demand] = {checker::Verdict::yes, ""};
    }
    findings.promised = promised_demands(part.write_level, part.read_level);
  }
  return all;
}

struct Played {
  RunOptions round = small_round();
  std::vector<RunOptions> parts = matrix_parts(round);
  std::vector<PartFindings> found = all_held(parts);

  Matrix result(bool with_kept_runs = true) const {
    MatrixTally tally;
    tally.add({.asked = round, .operations = 10}, parts, found);
    if (with_kept_runs) {
      for (const std::string& name : tally.wanted_kept_runs()) {
        tally.add(KeptRun{.name = name, .shown = name != unshown, .words = "nothing was found"});
      }
    }
    return tally.result();
  }
  std::string unshown;
};

const MatrixCell& cell(const Matrix& matrix, std::size_t line, Demand demand) {
  return matrix.lines.at(line).cells[static_cast<std::size_t>(demand)];
}

// Client 2 reads the old value after the new one was acknowledged.
constexpr std::string_view kStale =
    R"({"client":1,"op":"write","key":"0.r0","value":"1","call":1,"return":2,"ok":true,"node":1,"stamp":"1-1"}
{"client":1,"op":"write","key":"0.r0","value":"2","call":3,"return":4,"ok":true,"node":1,"stamp":"2-1"}
{"client":2,"op":"read","key":"0.r0","value":"1","call":10,"return":12,"ok":true,"node":2,"stamp":"1-1"}
{"client":2,"op":"read","key":"3.r0","value":null,"call":13,"return":14,"ok":true,"node":2}
)";

Evidences converged() {
  return {.digests = {{90, NodeId{1}, "a"}, {91, NodeId{2}, "a"}},
          .nodes = {NodeId{1}, NodeId{2}},
          .healed_ns = 80};
}

}  // namespace

TEST_CASE("matrix: rows come first and each pair of the table is there once") {
  const auto pairs = matrix_pairs();
  for (std::size_t i = 0; i < kLevelRows.size(); ++i) {
    CHECK(pairs[i] == MatrixPair{kLevelRows[i].level, kLevelRows[i].level});
  }
  for (const PairSide& write : kPairWrites) {
    for (const PairSide& read : kPairReads) {
      CHECK(std::count(pairs.begin(), pairs.end(), MatrixPair{write.level, read.level}) == 1);
    }
  }
}

TEST_CASE("matrix: all parts are played, each on its own keys, by the same clients always") {
  const RunOptions round = small_round();
  const auto parts = matrix_parts(round);
  const auto load = make_matrix_load(round, parts, "p/");
  std::map<std::uint32_t, std::set<std::uint32_t>> clients_of;
  std::map<std::uint32_t, std::set<OperationKind>> kinds_of;
  std::map<std::string, std::set<std::uint32_t>> writers;
  for (int i = 0; i < 60'000; ++i) {
    const auto client = static_cast<std::uint32_t>(i) % round.clients;
    const Step step = load->next(client);
    REQUIRE(step.part < parts.size());
    REQUIRE(step.key.starts_with(fmt::format("p/{}.", step.part)));
    const bool reads = step.kind == OperationKind::read;
    REQUIRE(step.level == (reads ? parts[step.part].read_level : parts[step.part].write_level));
    clients_of[step.part].insert(client);
    kinds_of[step.part].insert(step.kind);
    if (!reads && step.key.find("own") != std::string::npos) writers[step.key].insert(client);
    load->done(client, step, {Outcome::ok, "1"});
  }
  REQUIRE(clients_of.size() == parts.size());
  for (const auto& [part, clients] : clients_of) {
    INFO("part " << part);
    CHECK(clients.size() == 6);
    CHECK(kinds_of[part].size() >= 2);
  }
  for (const auto& [key, of] : writers) {
    INFO(key);
    CHECK(of.size() == 1);  // or it would tell less of sessions
  }
  for (const Step& step : load->final_reads()) {
    CHECK(step.kind == OperationKind::read);
    CHECK(step.key.starts_with(fmt::format("p/{}.", step.part)));
  }
}

TEST_CASE("matrix: a history is split by the part that stands in its keys") {
  const auto history = checker::read_history(kStale);
  REQUIRE(history.has_value());
  const auto parts = split_by_part(*history, 4, "");
  REQUIRE(parts.size() == 4);
  CHECK(checker::write_history(parts[0]) + checker::write_history(parts[3]) ==
        checker::write_history(*history));
  CHECK(parts[1].operations.empty());
}

TEST_CASE("matrix: a part is judged by what its levels promise") {
  const auto history = checker::read_history(kStale);
  REQUIRE(history.has_value());
  const Played played;
  const auto now = [] { return std::int64_t{0}; };
  const auto judged = [&](std::string_view write, std::string_view read) {
    return judge_part(played.parts[line_of(write, read)], split_by_part(*history, 4, "")[0],
                      converged(), now);
  };
  const PartFindings strong = judged("linearizable", "linearizable");
  CHECK(strong.promised.contains(Demand::bounded));  // by what it implies
  CHECK(strong.found.at(Demand::linearizable).verdict == checker::Verdict::no);
  CHECK(strong.found.at(Demand::fresh).verdict == checker::Verdict::no);
  CHECK(strong.found.at(Demand::sequential).verdict == checker::Verdict::yes);
  CHECK(strong.found.at(Demand::causal).verdict == checker::Verdict::yes);
  CHECK(strong.operations == 3);
  const PartFindings weak = judged("eventual", "eventual");
  CHECK_FALSE(weak.promised.contains(Demand::fresh));
  CHECK(weak.promised.contains(Demand::converges));
  CHECK(weak.found.at(Demand::converges).verdict == checker::Verdict::yes);
}

TEST_CASE("matrix: it holds when all that is promised held and the rest is shown") {
  const Played played;
  const Matrix matrix = played.result();
  CHECK(matrix.outcome == RunOutcome::held);
  const std::size_t eventual = line_of("eventual", "eventual");
  CHECK(cell(matrix, eventual, Demand::fresh).state == CellState::kept);
  CHECK(cell(matrix, eventual, Demand::survives_disk).state == CellState::kept);
  CHECK(cell(matrix, line_of("weak", "weak"), Demand::converges).state == CellState::argued);
  CHECK(cell(matrix, eventual, Demand::survives_crash).state == CellState::held);
  CHECK(cell(matrix, eventual, Demand::prefix).state == CellState::none);
  CHECK(cell(matrix, line_of("atomic", "atomic"), Demand::survives_disk).state == CellState::held);
  CHECK(cell(matrix, line_of("linearizable", "eventual"), Demand::fresh).state ==
        CellState::not_seen);
}

TEST_CASE("matrix: a broken promise violates it, wherever it is") {
  for (const MatrixPair& pair :
       {MatrixPair{"causal", "causal"}, MatrixPair{"linearizable", "prefix"}}) {
    Played played;
    const std::size_t line = line_of(pair.write, pair.read);
    const Demand demand = pair.write == "causal" ? Demand::monotonic_reads : Demand::prefix;
    played.found[line].found[demand] = {checker::Verdict::no, "it went <back>"};
    const Matrix matrix = played.result();
    CHECK(matrix.outcome == RunOutcome::violated);
    CHECK(cell(matrix, line, demand).state == CellState::broken);
    CHECK_THAT(matrix_text(matrix), Catch::Contains("it went <back>"));
    CHECK_THAT(matrix_page(matrix), Catch::Contains("it went &lt;back&gt;"));
    CHECK_THAT(matrix_json(matrix), Catch::Contains("it went <back>"));
  }
}

TEST_CASE("matrix: a lost member of a set breaks what its row promises to survive") {
  Played played;
  const std::size_t row = line_of("quorum", "quorum");
  for (std::size_t part = matrix_pairs().size(); part < played.parts.size(); ++part) {
    if (played.parts[part].write_level != level_of("quorum")) continue;
    played.found[part].found[Demand::survives_crash] = {checker::Verdict::no, "gone"};
  }
  const Matrix matrix = played.result();
  CHECK(matrix.outcome == RunOutcome::violated);
  CHECK(cell(matrix, row, Demand::survives_crash).state == CellState::broken);
}

TEST_CASE("matrix: what no round could tell is undecided and no promise of that round is asked") {
  Played played;
  const std::size_t row = line_of("sequential", "sequential");
  played.found[row].found[Demand::sequential] = {checker::Verdict::undecided, "too long"};
  Matrix matrix = played.result();
  CHECK(matrix.outcome == RunOutcome::undecided);
  CHECK(cell(matrix, row, Demand::sequential).words == "too long");
  // A second round that can tell is enough; one that promises less asks for less.
  MatrixTally tally;
  tally.add({.asked = played.round}, played.parts, played.found);
  auto second = all_held(played.parts);
  second[line_of("causal", "causal")].promised = {};
  second[line_of("causal", "causal")].found[Demand::causal] = {checker::Verdict::no, "a disk"};
  tally.add({.asked = played.round}, played.parts, second);
  for (const std::string& name : tally.wanted_kept_runs()) {
    tally.add(KeptRun{.name = name, .shown = true});
  }
  matrix = tally.result();
  CHECK(matrix.outcome == RunOutcome::held);
  CHECK(cell(matrix, row, Demand::sequential).state == CellState::held);
}

TEST_CASE("matrix: an anomaly that is permitted and that nobody shows violates it") {
  Played played;
  played.unshown = "eventual_stale_read";
  const std::size_t eventual = line_of("eventual", "eventual");
  Matrix matrix = played.result();
  CHECK(matrix.outcome == RunOutcome::violated);
  CHECK(cell(matrix, eventual, Demand::fresh).state == CellState::missing);
  CHECK_THAT(matrix.reason, Catch::Contains("fresh at eventual"));
  // Seen in a round it need not be shown by the simulator.
  for (std::size_t line = 0; line < kLevelRows.size(); ++line) {
    for (const DemandInfo& info : kDemands) {
      if (cell(matrix, line, info.demand).state != CellState::missing) continue;
      played.found[line].found[info.demand] = {checker::Verdict::no, "stale"};
    }
  }
  matrix = played.result();
  CHECK(matrix.outcome == RunOutcome::held);
  CHECK(cell(matrix, eventual, Demand::fresh).state == CellState::seen);
  // What a promise rests on is shown, too.
  played.unshown = std::string(kLeaseReads.kept);
  CHECK(played.result().outcome == RunOutcome::violated);
  CHECK(played.result(false).outcome == RunOutcome::violated);
}

TEST_CASE("matrix: what an interrupt has left out is undecided and not missing") {
  const Played played;
  MatrixTally tally;
  tally.add({.asked = played.round}, played.parts, played.found);
  tally.add(KeptRun{.name = "eventual_stale_read", .shown = true});
  tally.interrupt();
  const Matrix matrix = tally.result();
  CHECK(matrix.outcome == RunOutcome::undecided);
  CHECK(matrix.reason == "undecided: it was interrupted");
  CHECK(cell(matrix, line_of("eventual", "eventual"), Demand::fresh).state == CellState::kept);
  CHECK(cell(matrix, line_of("causal", "causal"), Demand::sequential).state ==
        CellState::undecided);
  // What was broken before stays so.
  Played broken;
  broken.found[line_of("atomic", "atomic")].found[Demand::linearizable] = {checker::Verdict::no,
                                                                           "stale"};
  MatrixTally violated;
  violated.add({.asked = broken.round}, broken.parts, broken.found);
  violated.interrupt();
  CHECK(violated.result().outcome == RunOutcome::violated);
}

TEST_CASE(
    "matrix: answers that are not what they say violate it and a broken round does not hold") {
  const Played played;
  const auto with = [&](MatrixRound round) {
    MatrixTally tally;
    tally.add(std::move(round), played.parts, played.found);
    for (const std::string& name : tally.wanted_kept_runs()) {
      tally.add(KeptRun{.name = name, .shown = true});
    }
    return tally.result();
  };
  CHECK(with({.evidence = {.verdict = checker::Verdict::no, .witness = "w"}}).outcome ==
        RunOutcome::violated);
  CHECK(with({.evidence = {.verdict = checker::Verdict::yes}, .broken = "no node"}).outcome ==
        RunOutcome::undecided);
  CHECK(with({.evidence = {.verdict = checker::Verdict::yes}}).outcome == RunOutcome::held);
  CHECK(MatrixTally().result().outcome != RunOutcome::held);
}

}  // namespace parallax::harness
