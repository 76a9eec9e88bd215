#include "harness/mutants.h"

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "harness/mutant_page.h"
#include "harness/promises.h"

namespace parallax::harness {
namespace {

const std::string kRoot = PARALLAX_SOURCE_DIR;

Rounds rounds(RunOutcome outcome, std::vector<std::string> violated = {}) {
  return {.count = 2,
          .operations = 1'234,
          .seconds = 7.25,
          .outcome = outcome,
          .violated = std::move(violated),
          .reason = "because",
          .seed = 5};
}

MutantResult result_of(std::size_t place, RunOutcome with_bug, RunOutcome control) {
  return {.mutant = &mutants()[place],
          .with_bug = rounds(with_bug, {"linearizable", "sequential"}),
          .control = rounds(control)};
}

TEST_CASE("mutants are at least twenty and each is another bug") {
  CHECK(mutants().size() >= 20);
  std::set<Canary> canaries;
  for (const Mutant& mutant : mutants()) {
    CHECK(canaries.insert(mutant.canary).second);
    const auto found = find_mutant(canary_of(mutant).name);
    REQUIRE(found.has_value());
    CHECK(*found == &mutant);
  }
  const auto none = find_mutant("nonsense");
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().message.find("no mutant is called 'nonsense'; there are ") == 0);
}

TEST_CASE("every mutant has a run that can be asked for and that is held to something") {
  for (const Mutant& mutant : mutants()) {
    INFO(canary_of(mutant).name);
    const RunOptions options = round_of(mutant, 7);
    const auto checked = check_options(options);
    if (!checked) FAIL(checked.error().message);
    CHECK(options.seed == 7);
    CHECK(options.time <= std::chrono::seconds(20));
    const auto held = held_to(options);
    REQUIRE(held.has_value());
    const bool by_guarantee =
        std::any_of(held->begin(), held->end(), [&](const Guarantee guarantee) {
          return guarantee_info(guarantee).title == mutant.checker;
        });
    CHECK((by_guarantee || mutant.checker == kEvidenceOfAnswers));
    // A violation of what its levels do not promise would say nothing.
    for (const Guarantee guarantee : *held) {
      const auto promises = promised(options);
      CHECK(std::find(promises.begin(), promises.end(), guarantee) != promises.end());
    }
    // weak promises nothing but what its answers say of themselves.
    CHECK((!held->empty() || options.write_level.level == Level::weak));
  }
}

TEST_CASE("mutants are of every level and acknowledgement and there is one for every fault") {
  std::set<Level> levels;
  std::set<Ack> acks;
  std::set<Fault> faults;
  SessionGuarantees guarantees;
  for (const Mutant& mutant : mutants()) {
    const RunOptions options = round_of(mutant, 1);
    for (const Consistency* level : {&options.write_level, &options.read_level}) {
      levels.insert(level->level);
      const bool causal = level->level == Level::causal;
      const SessionGuarantees session = causal ? kAllGuarantees : level->guarantees;
      if (!causal && level->level != Level::session) continue;
      guarantees.read_your_writes |= session.read_your_writes;
      guarantees.monotonic_reads |= session.monotonic_reads;
      guarantees.monotonic_writes |= session.monotonic_writes;
    }
    acks.insert(options.write_level.ack);
    faults.insert(options.faults.begin(), options.faults.end());
  }
  for (const LevelInfo& info : kLevels) {
    INFO(info.name);
    CHECK(levels.contains(info.level));
  }
  CHECK(acks.size() == kAcks.size());
  for (std::size_t i = 0; i < kFaults.size(); ++i) {
    INFO(kFaults[i]);
    if (static_cast<Fault>(i) == Fault::rate) continue;  // needs root, which a round does not
    CHECK(faults.contains(static_cast<Fault>(i)));
  }
  CHECK(guarantees.read_your_writes);
  CHECK(guarantees.monotonic_reads);
  CHECK(guarantees.monotonic_writes);
}

TEST_CASE("a mutant is caught by its own checker alone and the control must hold") {
  using enum RunOutcome;
  CHECK(caught(result_of(0, violated, held)));
  CHECK_FALSE(caught(result_of(0, held, held)));
  CHECK_FALSE(caught(result_of(0, undecided, held)));
  MutantResult by_another = result_of(0, violated, held);
  by_another.with_bug.violated = {"convergence"};
  CHECK_FALSE(caught(by_another));
  CHECK(control_held(result_of(0, violated, held)));
  CHECK_FALSE(control_held(result_of(0, violated, violated)));
  CHECK_FALSE(control_held(result_of(0, violated, undecided)));
  MutantResult without = result_of(0, violated, held);
  without.control.reset();
  CHECK(control_held(without));
}

TEST_CASE("what became of mutants is told in a table and a page and JSON") {
  using enum RunOutcome;
  const std::vector<MutantResult> all{result_of(0, violated, held), result_of(1, held, violated)};
  const std::string page = mutants_page(all);
  CHECK(page.find(mutant_row(mutants()[0]) +
                  " sequential | 7.2 | 2 | 1234 | held, 1234 operations |\n") != std::string::npos);
  CHECK(page.find(mutant_row(mutants()[1]) + " not caught: because | ") != std::string::npos);
  CHECK(page.find("\n1 of 2 were caught, in 14 s altogether; the slowest took 7.2 s.\n") !=
        std::string::npos);
  const std::string summary = mutants_summary(all);
  const std::string second(canary_of(mutants()[1]).name);
  CHECK(summary.find("1 of 2 caught\n" + second + ": not caught\n" + second +
                     ": without the bug, too, it is violated: because\n") != std::string::npos);
  const auto json = boost::json::parse(write_mutants(all)).as_object();
  const auto& list = json.at("mutants").as_array();
  REQUIRE(list.size() == 2);
  CHECK(list[0].at("caught").as_bool());
  CHECK(list[0].at("name").as_string() == std::string(canary_of(mutants()[0]).name));
  CHECK(list[0].at("with_bug").at("seconds").as_double() == 7.25);
  CHECK(list[0].at("with_bug").at("violated").as_array().size() == 2);
  CHECK(list[0].at("control").at("outcome").as_string() == "held");
  CHECK_FALSE(list[1].at("caught").as_bool());
  CHECK(list[1].at("command").as_string().find("--seed 5") != std::string::npos);
}

TEST_CASE("docs MUTANTS has the rows of the table and all were caught while the controls held") {
  std::ifstream in(kRoot + "/docs/MUTANTS.md", std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  std::istringstream lines(text.str());
  std::vector<std::string> rows;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("| `")) rows.push_back(line);
  }
  INFO(
      "build/dev/bin/parallax-harness mutants --out mutants && cp mutants/mutants.md "
      "docs/MUTANTS.md");
  REQUIRE(rows.size() == mutants().size());
  // By whom, in how many seconds, rounds and operations, and its control.
  const std::regex measured(R"( [a-z][^|]* \| \d+\.\d \| \d+ \| \d+ \| held, \d+ operations \|)");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string row = mutant_row(mutants()[i]);
    INFO(rows[i]);
    REQUIRE(rows[i].starts_with(row));
    CHECK(std::regex_match(rows[i].substr(row.size()), measured));
    CHECK(rows[i].find("not caught") == std::string::npos);
  }
  // What is around the rows is written by the command, too.
  const std::string page = mutants_page({});
  CHECK(text.str().starts_with(page.substr(0, page.find("\n| name |"))));
}

}  // namespace
}  // namespace parallax::harness
