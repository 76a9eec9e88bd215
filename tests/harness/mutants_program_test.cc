// parallax-harness mutants, with real nodes: one mutant is caught, and what is none is not.
#include <filesystem>
#include <fstream>

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "tests/harness/run_program.h"

namespace parallax::harness {
namespace {

using namespace testing;

const std::string kPrograms = std::string(PARALLAX_BINARY_DIR) + "/bin/";

struct Ended {
  int code = 0;
  std::string output;
};

Ended mutants(std::vector<std::string> arguments) {
  arguments.emplace_back("--quiet");
  Program program(arguments, false, "mutants");
  const int code = program.await_end();
  return {code, program.output()};
}

TEST_CASE("a mutant that is none is named and nothing is started") {
  const Ended wrong = mutants({"--only", "nonsense"});
  CHECK(wrong.code == 4);
  CHECK(wrong.output.starts_with("parallax-harness: no mutant is called 'nonsense'; there are "));
  CHECK(mutants({"--time", "soon"}).code == 4);
}

#ifdef PARALLAX_TEST_BUILD
/// A program that starts parallaxd, whatever canary it is told, with `arguments`.
std::string without_canary(const Directory& directory, const std::string& arguments) {
  const std::string path = directory / "parallaxd";
  std::ofstream(path) << "#!/bin/bash\nkept=()\nwhile (($#)); do\n"
                         "  if [[ $1 == --canary ]]; then shift 2; else kept+=(\"$1\"); shift; fi\n"
                         "done\nexec "
                      << kPrograms << "parallaxd \"${kept[@]}\" " << arguments << "\n";
  fs::permissions(path, fs::perms::owner_all);
  return path;
}

TEST_CASE("a mutant is caught and the same run without the bug holds") {
  const Directory directory;
  const std::string out = directory / "out";
  const Ended ended = mutants({"--only", "condition_without_pending", "--out", out});
  INFO(ended.output);
  CHECK(ended.code == 0);
  CHECK(ended.output.find("1 of 1 caught") != std::string::npos);
  const auto json = boost::json::parse(read_text(out + "/mutants.json"));
  const auto& result = json.at("mutants").as_array().at(0);
  CHECK(result.at("caught").as_bool());
  CHECK(result.at("with_bug").at("violated").as_array().size() >= 1);
  CHECK(result.at("control").at("outcome").as_string() == "held");
  CHECK(read_text(out + "/mutants.md").find("| `condition_without_pending` |") !=
        std::string::npos);
  for (const char* file : {"history.jsonl", "results.json", "report.html"}) {
    CHECK(fs::file_size(out + "/condition_without_pending/" + file) > 0);
  }
}

TEST_CASE("a store without the bug is a mutant that was not caught") {
  const Directory directory;
  const Ended ended = mutants({"--only", "condition_without_pending", "--time", "1s", "--parallaxd",
                               without_canary(directory, "")});
  INFO(ended.output);
  CHECK(ended.code == 1);
  CHECK(ended.output.find("0 of 1 caught\ncondition_without_pending: not caught\n") !=
        std::string::npos);
}

TEST_CASE("a mutant does not count when its run is violated without the bug as well") {
  const Directory directory;
  const Ended ended = mutants({"--only", "condition_without_pending", "--parallaxd",
                               without_canary(directory, "--canary condition_without_pending")});
  INFO(ended.output);
  CHECK(ended.code == 2);
  CHECK(ended.output.find("without the bug, too, it is violated") != std::string::npos);
}
#else
TEST_CASE("nodes of a release build refuse to be mutants") {
  const Ended ended = mutants({"--only", "condition_without_pending"});
  INFO(ended.output);
  CHECK(ended.code == 2);
  CHECK(ended.output.find("this is a release build") != std::string::npos);
}
#endif

}  // namespace
}  // namespace parallax::harness
