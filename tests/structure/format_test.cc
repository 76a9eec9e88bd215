// The tree is formatted as .clang-format says, and the check that says so can fail.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>
#include <unistd.h>

namespace {

int format_check(const std::string& arguments) {
  const std::string command =
      std::string(PARALLAX_SOURCE_DIR) + "/scripts/format --check " + arguments + " </dev/null";
  return std::system(command.c_str());
}

}  // namespace

TEST_CASE("structure: every source is formatted by scripts/format") {
  INFO("scripts/format puts it right; the files are named above");
  CHECK(format_check("") == 0);
}

TEST_CASE("structure: the format check finds a badly formatted file") {
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("parallax-format-" + std::to_string(getpid()) + ".cc"))
                               .string();
  std::ofstream(path) << "int   main( ) { return 0 ;}\n";
  CHECK(format_check("'" + path + "' 2>/dev/null") != 0);
  std::ofstream(path) << "int main() {\n  return 0;\n}\n";
  CHECK(format_check("'" + path + "'") == 0);
  std::filesystem::remove(path);
}
