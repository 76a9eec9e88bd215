// The real program `parallax` as tests run it: in a directory of its own, its streams in files.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "tests/client/io/fake_server.h"

namespace parallax::testing {

/// A directory that is gone at the end.
struct ScratchDirectory {
  std::filesystem::path path;
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  std::filesystem::path file(const std::string& name, const std::string& bytes) const;
};

std::string slurp(const std::filesystem::path& path);

struct Ended {
  int code = -1;  ///< 128 + signal when it was killed
  std::string out;
  std::string err;
};

/// The program under way.
class Running {
 public:
  Running(const ScratchDirectory& scratch, std::vector<std::string> arguments,
          const std::string& input = "");
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  void signal(int number) const;
  Ended wait();

 private:
  std::filesystem::path out_;
  std::filesystem::path err_;
  pid_t pid_ = -1;
};

/// Runs it to its end.
Ended parallax(const ScratchDirectory& scratch, std::vector<std::string> arguments,
               const std::string& input = "");

/// Runs any program, found in PATH, to its end.
Ended run_program(const ScratchDirectory& scratch, std::vector<std::string> argv,
                  const std::string& input = "");

FakeServer::Script serving(FakeStore& store);

}  // namespace parallax::testing
