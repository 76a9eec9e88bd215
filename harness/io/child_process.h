// A program that this process has started, and that never outlives it.
//
// The child is killed by the kernel when the thread that started it ends, whatever ends it (Linux:
// PR_SET_PDEATHSIG), so start children from a thread that lives as long as they are needed. It has
// a process group of its own, so that a terminal's interrupt is not sent to it, and no descriptors
// but the first three.
//
// Only what was started here is ever signalled. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/error.h"

namespace parallax::harness {

class ChildProcess {
 public:
  /// `argv[0]` is the program's path; output and errors are appended to the file `output`. Errors:
  /// io. That the program cannot be executed shows as an end with code 127. `channel`: its input
  /// and output are a stream socket instead, of which this is the other end, for the caller to
  /// close.
  static Result<ChildProcess> start(const std::vector<std::string>& argv, const std::string& output,
                                    int* channel = nullptr);
  ChildProcess() = default;
  /// Kills it.
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;

  bool running();
  /// Once it has ended: the exit code, 128 + signal when a signal ended it. 0 before any start.
  int code() const { return code_; }
  pid_t pid() const { return pid_; }  ///< 0: not running
  /// Of a running one.
  void signal(int number);
  /// SIGKILL, to all of its process group, and waits for its end.
  void kill();

 private:
  pid_t pid_ = 0;
  int code_ = 0;
};

/// The path of a program, as PATH has it; empty: there is none.
std::string program_in_path(std::string_view program);

/// The first port of `count` consecutive ones on which nothing listens, below the range from which
/// the system takes ports for outgoing connections. Errors: io.
Result<std::uint16_t> free_ports(int count);

}  // namespace parallax::harness
