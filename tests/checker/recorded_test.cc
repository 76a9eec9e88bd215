// Recorded histories of other systems, with the verdicts of another checker.
#include <fstream>
#include <iterator>
#include <sstream>

#include <catch2/catch.hpp>

#include "consistency/checker/counterexample.h"
#include "consistency/checker/import.h"
#include "consistency/checker/linearizability.h"

namespace parallax::checker {
namespace {

const std::string kFolder = PARALLAX_SOURCE_DIR "/tests/data/histories/";

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("recorded histories get their known verdicts") {
  std::istringstream table(slurp(kFolder + "VERDICTS.tsv"));
  std::string line;
  std::getline(table, line);
  int judged = 0;
  while (std::getline(table, line)) {
    std::istringstream row(line);
    std::string file, model, verdict;
    std::getline(row, file, '\t');
    std::getline(row, model, '\t');
    std::getline(row, verdict, '\t');
    CAPTURE(file, model);
    const bool kv = model.starts_with("kv-append");
    const std::string text = slurp(kFolder + file);
    auto history = kv ? import_edn_log(text) : import_jepsen_log(text);
    REQUIRE(history.has_value());
    REQUIRE(history->operations.size() > 30);
    LinearizabilityOptions options;
    if (kv) options.initial = "";
    const auto result = check_linearizability(*history, options);
    CHECK(to_string(result.verdict) == verdict);
    ++judged;
    REQUIRE(result.counterexample.has_value() == (verdict == "no"));
    if (!result.counterexample) continue;
    // What is shown as a contradiction is one by itself.
    const auto& found = *result.counterexample;
    CAPTURE(found.text);
    CHECK(found.minimal);
    History part{history->texts, found.operations};
    CHECK(check_linearizability(part, options).verdict == Verdict::no);
    for (std::size_t gone = 0; gone < found.operations.size(); ++gone) {
      std::vector<bool> removed(found.operations.size(), false);
      removed[gone] = true;
      part.operations = without(history->texts, found.operations, removed);
      CHECK(check_linearizability(part, options).verdict == Verdict::yes);
    }
    // And the history survives its own format.
    const auto again = read_history(write_history(*history));
    REQUIRE(again.has_value());
    CHECK(check_linearizability(*again, options).verdict == Verdict::no);
  }
  CHECK(judged == 58);
}

}  // namespace parallax::checker
