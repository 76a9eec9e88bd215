// Histories written by hand (tests/data/histories/levels), with the levels that they violate.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <catch2/catch.hpp>

#include "consistency/checker/classify.h"

namespace parallax::checker {
namespace {

const std::string kFolder = PARALLAX_SOURCE_DIR "/tests/data/histories/levels/";

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The table's names, by Criterion.
constexpr std::array<std::string_view, kCriteria> kShort{
    "linearizable", "sequential", "ccv", "cm", "cc", "ryw", "mr", "mw", "wfr"};

}  // namespace

TEST_CASE("levels: histories written by hand violate what their table says and nothing else") {
  std::istringstream table(slurp(kFolder + "VERDICTS.tsv"));
  std::string line;
  std::getline(table, line);
  std::size_t judged = 0;
  std::array<int, kCriteria> violated{};
  while (std::getline(table, line)) {
    std::istringstream row(line);
    std::string file, broken;
    std::getline(row, file, '\t');
    std::getline(row, broken, '\t');
    const auto history = read_history(slurp(kFolder + file));
    REQUIRE(history.has_value());
    const Classification result = classify(*history);
    CAPTURE(file, result.text());
    std::istringstream names(broken);
    const std::vector<std::string> expected{std::istream_iterator<std::string>(names), {}};
    for (std::size_t c = 0; c < kCriteria; ++c) {
      CAPTURE(kShort[c]);
      const bool no = std::find(expected.begin(), expected.end(), kShort[c]) != expected.end();
      CHECK(result.verdicts[c].verdict == (no ? Verdict::no : Verdict::yes));
      violated[c] += no ? 1 : 0;
    }
    ++judged;
  }
  for (const int count : violated) CHECK(count >= 3);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    files += entry.path().extension() == ".jsonl" ? 1 : 0;
  }
  CHECK(judged == files);
}

}  // namespace parallax::checker
