// parallaxd: one node of a cluster.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <malloc.h>
#include <sys/resource.h>

#include "base/canary_switch.h"
#include "node/config.h"
#include "node/io/dump_log.h"
#include "node/io/engine.h"
#include "node/io/logging.h"

namespace parallax {
namespace {

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return definite(ErrorCode::io, path + ": cannot be read");
  return text.str();
}

ExitCode exit_code(const Error& error) {
  if (error.code == ErrorCode::corrupt) return ExitCode::damaged;
  return error.code == ErrorCode::io ? ExitCode::io : ExitCode::refused;
}

int fail(const Error& error) {
  std::fprintf(stderr, "parallaxd: %s\n", error.message.c_str());
  return static_cast<int>(exit_code(error));
}

/// As many descriptors as we may have without asking: one per client and table.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run(const std::vector<std::string>& arguments) {
  const Result<CommandLine> line = parse_command_line(arguments, read_file);
  if (!line) return fail(line.error());
  if (line->print) {
    std::fputs(line->print->c_str(), stdout);
    return 0;
  }
  if (!line->dump_log.empty()) {
    const Result<void> printed = print_log(line->dump_log);
    return printed ? 0 : fail(printed.error());
  }
  if (!line->canary.empty()) {
    if (const Result<void> on = switch_canary_on(line->canary); !on) return fail(on.error());
  }
  if (const Result<void> logging = start_logging(line->config); !logging) {
    return fail(logging.error());
  }
  raise_descriptor_limit();
  std::signal(SIGPIPE, SIG_IGN);
  // Two threads allocate much; an arena for each of LevelDB's as well would only cost memory.
  ::mallopt(M_ARENA_MAX, 2);
  Result<std::unique_ptr<Engine>> engine = Engine::open(line->config);
  if (!engine) return fail(engine.error());
  return static_cast<int>((*engine)->run());
}

}  // namespace
}  // namespace parallax

int main(int argc, char** argv) {
  return parallax::run(std::vector<std::string>(argv + 1, argv + argc));
}
