// parallax: the command line. What it understands and does is in cli/.
#include <exception>

#include <fmt/format.h>

#include "client/cli/command_line.h"

int main(int argc, char** argv) try {
  parallax::cli::CommandLine line;
  int code = parallax::cli::kDone;
  if (!line.parse(std::vector<std::string>(argv + 1, argv + argc), code)) return code;
  return line.run();
} catch (const std::exception& error) {
  // Out of memory, or a defect: whether the operation happened is not known here.
  fmt::print(stderr, "parallax: {}\n", error.what());
  return parallax::cli::kUnknown;
}
