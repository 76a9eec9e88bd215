#include "tests/client/io/cli_program.h"

#include <csignal>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace parallax::testing {
namespace {

namespace fs = std::filesystem;

pid_t start(const ScratchDirectory& scratch, std::vector<std::string> argv_text, const fs::path& in,
            const fs::path& out, const fs::path& err) {
  std::vector<char*> argv;
  for (std::string& argument : argv_text) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid != 0) return pid;
  ::dup2(::open(in.c_str(), O_RDONLY), 0);
  ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
  ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
  ::setenv("XDG_STATE_HOME", (scratch.path / "state").c_str(), 1);
  ::unsetenv("PARALLAX_ENDPOINTS");
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

Ended wait_for(pid_t pid, const fs::path& out, const fs::path& err) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return Ended{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(out),
               slurp(err)};
}

}  // namespace

ScratchDirectory::ScratchDirectory() {
  std::string name = (fs::temp_directory_path() / "parallax-cli-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  path = name;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

fs::path ScratchDirectory::file(const std::string& name, const std::string& bytes) const {
  std::ofstream(path / name, std::ios::binary) << bytes;
  return path / name;
}

std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

Running::Running(const ScratchDirectory& scratch, std::vector<std::string> arguments,
                 const std::string& input)
    : out_(scratch.path / "stdout"), err_(scratch.path / "stderr") {
  arguments.insert(arguments.begin(), PARALLAX_BINARY_DIR "/bin/parallax");
  pid_ = start(scratch, std::move(arguments), scratch.file("stdin", input), out_, err_);
}

Running::~Running() {
  if (pid_ > 0) {
    signal(SIGKILL);
    wait();
  }
}

void Running::signal(int number) const {
  ::kill(pid_, number);
}

Ended Running::wait() {
  return wait_for(std::exchange(pid_, -1), out_, err_);
}

Ended parallax(const ScratchDirectory& scratch, std::vector<std::string> arguments,
               const std::string& input) {
  return Running(scratch, std::move(arguments), input).wait();
}

Ended run_program(const ScratchDirectory& scratch, std::vector<std::string> argv,
                  const std::string& input) {
  const fs::path out = scratch.path / "stdout";
  const fs::path err = scratch.path / "stderr";
  return wait_for(start(scratch, std::move(argv), scratch.file("stdin", input), out, err), out,
                  err);
}

FakeServer::Script serving(FakeStore& store) {
  return [&store](const SeenRequest& request) { return store(request); };
}

}  // namespace parallax::testing
