// parallax-harness as a program that a test runs, and what it leaves.
#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <unistd.h>

#include "harness/io/child_process.h"
#include "harness/io/files.h"
#include "harness/report/report.h"
#include "harness/run_json.h"

namespace parallax::harness::testing {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class Directory {
 public:
  Directory() {
    static const fs::path kBase = fs::temp_directory_path();  // before anybody changes TMPDIR
    path_ = (kBase / "parallax-harness-test.XXXXXX").string();
    REQUIRE(mkdtemp(path_.data()) != nullptr);
  }
  ~Directory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// parallax-harness run ..., or another command, while it runs.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments, bool with_out = false,
                   const std::string& command = "run") {
    std::vector<std::string> argv{std::string(PARALLAX_BINARY_DIR) + "/bin/parallax-harness",
                                  command};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    if (with_out) argv.insert(argv.end(), {"--out", directory / "out"});
    // One that is killed leaves its temporary directory here.
    ::setenv("TMPDIR", directory.path().c_str(), 1);
    auto started = ChildProcess::start(argv, output_path());
    REQUIRE(started.has_value());
    child = std::move(*started);
  }
  std::string output() const { return read_text(output_path()); }
  /// The exit code.
  int await_end(std::chrono::seconds limit = 150s) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (child.running()) {
      if (std::chrono::steady_clock::now() > deadline)
        FAIL("it still runs; it said:\n" << output());
      std::this_thread::sleep_for(10ms);
    }
    return child.code();
  }

  Directory directory;
  ChildProcess child;

 private:
  std::string output_path() const { return directory / "output"; }
};

/// Processes that `parent` has started and that have not ended, by /proc.
inline std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = read_text(entry.path() / "stat");
    const std::size_t behind = stat.rfind(") ");
    if (behind == std::string::npos) continue;
    std::istringstream rest(stat.substr(behind + 2));
    char state = 0;
    pid_t of = 0;
    if (rest >> state >> of && of == parent && state != 'Z') out.push_back(std::stoi(name));
  }
  return out;
}

inline bool is_alive(pid_t pid) {
  const std::string stat = read_text(fs::path("/proc") / std::to_string(pid) / "stat");
  const std::size_t behind = stat.rfind(") ");
  return behind != std::string::npos && stat[behind + 2] != 'Z' && stat[behind + 2] != 'X';
}

inline std::vector<pid_t> await_nodes(const Program& program, std::size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  for (;;) {
    auto nodes = children_of(program.child.pid());
    if (nodes.size() == count) return nodes;
    if (std::chrono::steady_clock::now() > deadline)
      FAIL("no nodes; it said:\n" << program.output());
    std::this_thread::sleep_for(10ms);
  }
}

inline bool all_gone(const std::vector<pid_t>& pids) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (std::any_of(pids.begin(), pids.end(), is_alive)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

inline Run results_of(const Program& program) {
  auto run = read_results(read_text(program.directory / "out/results.json"));
  if (!run) FAIL(run.error().message << "\n" << program.output());
  auto history = checker::read_history(read_text(program.directory / "out/history.jsonl"));
  if (!history) FAIL(history.error().message);
  run->history = std::move(*history);
  const auto faults = read_faults(read_text(program.directory / "out/faults.jsonl"));
  REQUIRE(faults.has_value());
  CHECK(*faults == run->faults);
  CHECK(read_text(program.directory / "out/report.html") == report_page(*run));
  return std::move(*run);
}

}  // namespace parallax::harness::testing
