// parallax-harness matrix as a program: real processes, real faults, the simulator's kept runs.
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <signal.h>

#include "harness/io/run_matrix.h"
#include "harness/promise_table.h"
#include "tests/harness/run_program.h"

namespace parallax::harness {
namespace {

namespace json = boost::json;
using namespace testing;

const std::string kKept = std::string(PARALLAX_SOURCE_DIR) + "/tests/data/permitted";

}  // namespace

TEST_CASE("the short matrix keeps its promises and shows what is not promised") {
  Program program({"--short", "--time", "50s", "--kept", kKept}, true, "matrix");
  const int code = program.await_end(840s);
  INFO(program.output());
  REQUIRE(code == 0);
  const std::string out = program.directory / "out";
  const json::value parsed = json::parse(read_text(out + "/matrix.json"));
  std::size_t held = 0;
  for (const json::value& line : parsed.at("lines").as_array()) {
    CHECK(line.at("operations").to_number<int>() > 0);
    for (const auto& [demand, cell] : line.at("cells").as_object()) {
      held += cell.at("state") == "held" ? 1 : 0;
    }
  }
  CHECK(held >= kLevelRows.size());
  for (const json::value& round : parsed.at("rounds").as_array()) {
    CHECK(round.at("operations").to_number<int>() > 2'000);
    CHECK_FALSE(round.at("faults").as_array().empty());
    CHECK(round.at("evidence") == "yes");
  }
  CHECK(read_text(out + "/matrix.html").find("linearizable; ack=leader") != std::string::npos);
}

TEST_CASE("an interrupt ends the matrix which then holds nothing") {
  Program program({"--time", "60s", "--kept", kKept}, false, "matrix");
  std::this_thread::sleep_for(4s);
  program.child.signal(SIGINT);
  CHECK(program.await_end(60s) == 2);
  INFO(program.output());
  CHECK(program.output().find("it was interrupted") != std::string::npos);
}

TEST_CASE("an interrupt while a kept run goes on leaves the matrix undecided and the run ended") {
  const Directory directory;
  const std::string simulator = directory / "simulator";
  // One that begins and does not end.
  const std::string script = "#!/bin/sh\necho $$ > " + (directory / "pid") + "\nexec sleep 600\n";
  REQUIRE(write_text(simulator, script).has_value());
  fs::permissions(simulator, fs::perms::owner_all);
  bool interrupted = false;
  MatrixSurroundings surroundings{.simulator = simulator, .kept = kKept};
  surroundings.run.directory = directory.path();
  surroundings.run.interrupted = [&] { return interrupted; };
  surroundings.tell = [&](const std::string&) {
    interrupted = !read_text(directory / "pid").empty();
  };
  MatrixTally tally;
  replay_kept_runs(tally, surroundings);
  REQUIRE(interrupted);
  const Matrix matrix = tally.result();
  CHECK(matrix.outcome == RunOutcome::undecided);
  CHECK(matrix.reason == "undecided: it was interrupted");
  CHECK(matrix.kept_runs.empty());
  CHECK_FALSE(is_alive(std::stoi(read_text(directory / "pid"))));
}

TEST_CASE("matrix options that are wrong are named") {
  const auto says = [](const std::vector<std::string>& arguments, const std::string& what) {
    Program program(arguments, false, "matrix");
    CHECK(program.await_end(20s) == 4);
    INFO(program.output());
    CHECK(program.output().find(what) != std::string::npos);
  };
  says({"--time", "5s", "--kept", kKept}, "--time 5s: it must be 10s or more");
  says({"--kept", "/nowhere"}, "/nowhere/");
  says({"--network", "names"}, "--network names: there are faults, namespaces");
  says({"--kept", kKept, "--simulator", "/nowhere/sim"}, "name it with --simulator");
}

}  // namespace parallax::harness
