#include "harness/io/child_process.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace parallax::harness {
namespace {

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool can_listen(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free =
      ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return free;
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& argv,
                                         const std::string& output, int* channel) {
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::array<int, 2> ends{-1, -1};
  if (channel != nullptr && ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0) {
    return definite(ErrorCode::io,
                    fmt::format("{}: no socket ({})", argv[0], std::strerror(errno)));
  }
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    for (const int end : ends) ::close(end);
    return definite(ErrorCode::io,
                    fmt::format("{}: cannot be started ({})", argv[0], std::strerror(errno)));
  }
  if (pid == 0) {
    // Nothing here may allocate: another thread may have held the allocator's lock.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(126);
    ::setpgid(0, 0);
    const int in = channel != nullptr ? ends[1] : ::open("/dev/null", O_RDONLY);
    const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (in < 0 || out < 0) ::_exit(126);
    ::dup2(in, 0);
    ::dup2(channel != nullptr ? in : out, 1);
    ::dup2(out, 2);
    ::close_range(3, ~0U, 0);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  if (channel != nullptr) {
    ::close(ends[1]);
    *channel = ends[0];
  }
  ChildProcess child;
  child.pid_ = pid;
  return child;
}

ChildProcess::~ChildProcess() {
  kill();
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), code_(other.code_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    kill();
    pid_ = std::exchange(other.pid_, 0);
    code_ = other.code_;
  }
  return *this;
}

bool ChildProcess::running() {
  if (pid_ == 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == 0) return true;
  code_ = code_of(status);
  pid_ = 0;
  return false;
}

void ChildProcess::signal(int number) {
  if (pid_ != 0) ::kill(pid_, number);
}

void ChildProcess::kill() {
  if (pid_ == 0) return;
  // What it has started belongs to its group, and it itself may not have come as far as having one.
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  code_ = code_of(status);
  pid_ = 0;
}

std::string program_in_path(std::string_view program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string found = fmt::format("{}/{}", folder, program);
    if (::access(found.c_str(), X_OK) == 0) return found;
  }
  return {};
}

Result<std::uint16_t> free_ports(int count) {
  static int next = static_cast<int>(::getpid()) * 13;
  for (int tries = 0; tries < 200; ++tries) {
    const int base = 10'000 + next++ % 200 * 100;
    bool free = true;
    for (int i = 0; i < count && free; ++i) free = can_listen(static_cast<std::uint16_t>(base + i));
    if (free) return static_cast<std::uint16_t>(base);
  }
  return definite(ErrorCode::io, "no free ports between 10000 and 30000");
}

}  // namespace parallax::harness
