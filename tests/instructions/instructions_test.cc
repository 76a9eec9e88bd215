// Hot paths cost as many instructions as they did: tests/data/instructions.tsv, within 3 %.
//
// Time on a machine that does other things besides says nothing; the number of instructions of a
// program that depends on nothing else is the same on every run. To keep it so between machines,
// the kernels have an allocator of their own (counted_memory.h) and the C library is told to take
// the variants of memcpy and its like that every processor has.
//
// The figures hold for one compiler and its library. Each preset has its own: the suite counts what
// it has built (-O1, with canaries), which needs no second build of everything and moves with every
// copy, allocation and search that somebody adds; `scripts/test --preset release -R instructions`
// counts what users run (-O2).
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <stdlib.h>

namespace parallax::instructions {
namespace {

namespace fs = std::filesystem;

constexpr double kTolerance = 0.03;
const std::string kTable = PARALLAX_SOURCE_DIR "/tests/data/instructions.tsv";
const std::string kProgram = PARALLAX_BINARY_DIR "/tests/instruction_kernels";
const std::string kRecord = PARALLAX_BINARY_DIR "/tests/instructions_tests '[.record]'";
#ifdef PARALLAX_TEST_BUILD  // of the presets that count, dev alone
const std::string kBuild = "dev";
#else
const std::string kBuild = "release";
#endif

/// Of one operation.
struct Cost {
  double instructions = 0;
  double allocations = 0;
  friend bool operator==(const Cost&, const Cost&) = default;
};
using Costs = std::map<std::string, Cost>;  ///< by kernel

/// A shell command's standard output; it must succeed.
std::string shell(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, n);
  INFO(command << "\n" << output);
  REQUIRE(pclose(pipe) == 0);
  return output;
}

std::vector<std::string> kernels() {
  std::istringstream names(shell(kProgram));
  std::vector<std::string> all;
  for (std::string name; names >> name;) all.push_back(name);
  return all;
}

/// Runs a kernel under callgrind. `variables` are added to its environment, which is else the same
/// for everybody.
Cost measure(const std::string& kernel, const std::string& variables = "") {
  // As on a processor of 2003: which of the newer features there are differs.
  const std::string cpu =
      "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM,-SSE3,"
      "-SSSE3,-SSE4_1,-SSE4_2,-BMI1,-BMI2,-LZCNT,-MOVBE,-POPCNT,-RTM,-FMA,-AVX_Fast_Unaligned_Load"
      ":glibc.cpu.x86_non_temporal_threshold=0xc0000";
  std::string path = (fs::temp_directory_path() / "parallax-callgrind-XXXXXX").string();
  const int file = mkstemp(path.data());
  REQUIRE(file >= 0);
  std::istringstream told(
      shell(fmt::format("env -i {} {} valgrind --quiet --tool=callgrind --collect-atstart=no "
                        "--callgrind-out-file={} {} {}",
                        cpu, variables, path, kProgram, kernel)));
  double operations = 0, allocations = 0, instructions = 0;
  REQUIRE(told >> operations >> allocations);
  REQUIRE(operations > 0);
  std::ifstream profile(path);
  for (std::string line; std::getline(profile, line);) {
    if (line.starts_with("totals: ")) instructions = std::stod(line.substr(8));
  }
  fs::remove(path);
  REQUIRE(instructions > 0);
  return {instructions / operations, allocations / operations};
}

/// The rows of one kind of build. Lines that begin with # say what the file is.
Costs read_table(std::istream& table, const std::string& build) {
  Costs costs;
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words(line);
    std::string of, kernel;
    Cost cost;
    REQUIRE(words >> of >> kernel >> cost.instructions >> cost.allocations);
    if (of == build) costs[kernel] = cost;
  }
  return costs;
}

void compare(const std::string& kernel, const char* what, double recorded, double now,
             std::vector<std::string>& complaints) {
  if (std::abs(now - recorded) <= kTolerance * recorded) return;
  const double off = now / recorded - 1;
  complaints.push_back(
      fmt::format(
          "{} takes {:.6g} {} an operation, recorded are {:.6g} ({:+.1f} %): {}", kernel, now, what,
          recorded, 100 * off,
          off > 0
              ? "make it as cheap as it was; if it has to cost more, say in the commit what for, "
                "and record it: "
              : "cheaper; record it, so that it stays so: ") +
      kRecord);
}

/// What is wrong with `now`, and what to do about it; empty: nothing.
std::vector<std::string> complaints(const Costs& recorded, const Costs& now) {
  std::vector<std::string> all;
  for (const auto& [kernel, cost] : now) {
    const auto found = recorded.find(kernel);
    if (found == recorded.end()) {
      all.push_back(fmt::format("{} is not recorded: {}", kernel, kRecord));
      continue;
    }
    compare(kernel, "instructions", found->second.instructions, cost.instructions, all);
    compare(kernel, "allocations", found->second.allocations, cost.allocations, all);
  }
  for (const auto& [kernel, cost] : recorded) {
    if (!now.contains(kernel)) {
      all.push_back(fmt::format("{} is recorded, and there is no such kernel", kernel));
    }
  }
  return all;
}

Costs measure_all() {
  Costs costs;
  for (const std::string& kernel : kernels()) costs[kernel] = measure(kernel);
  return costs;
}

TEST_CASE("instructions: hot paths cost what is recorded") {
  std::ifstream table(kTable);
  REQUIRE(table);
  const Costs recorded = read_table(table, kBuild);
  for (const std::string& complaint : complaints(recorded, measure_all())) {
    UNSCOPED_INFO(complaint);
    CHECK(complaint.empty());
  }
}

TEST_CASE("instructions: a kernel counts the same on every run") {
  const Cost first = measure("put-commit");
  CHECK(measure("put-commit") == first);
  // The stack lies elsewhere.
  CHECK(measure("put-commit", "LONG=" + std::string(1000, 'x')) == first);
}

TEST_CASE("instructions: a change either way beyond the tolerance is told with what to do") {
  const Costs recorded{{"a", {1000, 10}}, {"b", {1000, 10}}};
  CHECK(complaints(recorded, {{"a", {1029, 10.2}}, {"b", {971, 9.8}}}).empty());
  const auto dearer = complaints(recorded, {{"a", {1031, 10}}, {"b", {1000, 11}}});
  REQUIRE(dearer.size() == 2);
  CHECK_THAT(dearer[0], Catch::Contains("a takes 1031 instructions") && Catch::Contains("+3.1 %") &&
                            Catch::Contains("as cheap as it was"));
  CHECK_THAT(dearer[1], Catch::Contains("b takes 11 allocations"));
  const auto cheaper = complaints(recorded, {{"a", {900, 10}}, {"b", {1000, 10}}});
  REQUIRE(cheaper.size() == 1);
  CHECK_THAT(cheaper[0], Catch::Contains("-10.0 %") && Catch::Contains("record it") &&
                             Catch::Contains("[.record]"));
  CHECK(complaints(recorded, {{"a", {1000, 10}}, {"c", {1, 1}}}).size() == 2);
}

/// Not a test: replaces this build's rows by what it costs now.
TEST_CASE("instructions: record", "[.record]") {
  Costs dev, release;
  {
    std::ifstream table(kTable);
    if (table) dev = read_table(table, "dev");
    table.clear();
    table.seekg(0);
    if (table) release = read_table(table, "release");
  }
  (kBuild == "dev" ? dev : release) = measure_all();
  std::ofstream table(kTable);
  table << "# What one operation of a kernel of tests/instructions/kernels.cc costs. Written by\n"
           "# instructions_tests '[.record]', of one build at a time; g++ "
        << __VERSION__ << ".\n# build\tkernel\tinstructions\tallocations\n";
  for (const auto& [build, costs] : {std::pair{"dev", dev}, std::pair{"release", release}}) {
    for (const auto& [kernel, cost] : costs) {
      table << fmt::format("{}\t{}\t{:.1f}\t{:.4f}\n", build, kernel, cost.instructions,
                           cost.allocations);
    }
  }
  REQUIRE(table.flush());
}

}  // namespace
}  // namespace parallax::instructions
