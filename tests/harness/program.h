// parallax-harness as a program, for tests.
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "harness/io/child_process.h"

namespace parallax::harness::testing {

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class Directory {
 public:
  Directory() {
    static const std::filesystem::path kBase =
        std::filesystem::temp_directory_path();  // before anybody changes TMPDIR
    path_ = (kBase / "parallax-harness-test.XXXXXX").string();
    REQUIRE(mkdtemp(path_.data()) != nullptr);
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
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
  int await_end(std::chrono::seconds limit = std::chrono::seconds(150)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (child.running()) {
      if (std::chrono::steady_clock::now() > deadline)
        FAIL("it still runs; it said:\n" << output());
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return child.code();
  }

  Directory directory;
  ChildProcess child;

 private:
  std::string output_path() const { return directory / "output"; }
};

}  // namespace parallax::harness::testing
