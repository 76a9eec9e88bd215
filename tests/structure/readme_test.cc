// What README.md tells a newcomer to type is run by some test; nothing there is unproven.
#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/structure/source_tree.h"

namespace parallax::structure {
namespace {

namespace fs = std::filesystem;

const std::string kRoot = PARALLAX_SOURCE_DIR;

struct Proof {
  std::string command;  ///< as in README.md
  std::string file;     ///< what runs it
  std::string text;     ///< how it reads there
};

const std::vector<Proof> kProofs{
    {"./scripts/test", ".ci/run", "exec ./scripts/test"},
    {"./scripts/demo", "tests/system/scripts_test.cc", "scripts/demo"},
    {"./scripts/cluster up", "tests/system/scripts_test.cc", "\"up\""},
    {"./scripts/cluster kill 1", "tests/system/scripts_test.cc", "\"kill\""},
    {"./scripts/cluster start 1", "tests/system/scripts_test.cc", "\"start\""},
    {"./scripts/cluster down", "tests/system/scripts_test.cc", "\"down\""},
    {"curl -X PUT --data-binary hello http://127.0.0.1:7101/v1/kv/greeting",
     "tests/system/scripts_test.cc", "curl -sS -X PUT --data-binary hello"},
    {"curl -i http://127.0.0.1:7102/v1/kv/greeting", "tests/system/scripts_test.cc", "curl -sS -i"},
    {"curl -i 'http://127.0.0.1:7103/v1/kv/greeting?consistency=prefix'",
     "tests/system/scripts_test.cc", "?consistency=prefix"},
};

/// The command lines of every ```sh block.
std::vector<std::string> commands_of(const std::string& markdown) {
  std::vector<std::string> commands;
  bool inside = false;
  for (std::string line : lines_of(markdown)) {
    if (line.starts_with("```")) {
      inside = !inside && line == "```sh";
      continue;
    }
    line = line.substr(0, line.find("  #"));
    while (line.ends_with(' ')) line.pop_back();
    if (inside && !line.empty() && !line.starts_with('#')) commands.push_back(line);
  }
  return commands;
}

TEST_CASE("readme: every command is run by a test") {
  const std::vector<std::string> commands = commands_of(read_file(kRoot + "/README.md"));
  REQUIRE_FALSE(commands.empty());
  std::set<std::string> proven;
  for (const Proof& proof : kProofs) {
    INFO(proof.command << " should be run by " << proof.file);
    proven.insert(proof.command);
    CHECK(std::find(commands.begin(), commands.end(), proof.command) != commands.end());
    REQUIRE(fs::exists(kRoot + "/" + proof.file));
    CHECK_THAT(read_file(kRoot + "/" + proof.file), Catch::Contains(proof.text));
  }
  for (const std::string& command : commands) {
    INFO("no test runs the README's: " << command);
    CHECK(proven.contains(command));
  }
}

TEST_CASE("readme: commands are taken from sh blocks alone") {
  CHECK(commands_of("a\n```sh\n# x\nb c  # why\n\nd\n```\ne\n```json\nf\n```\n```sh\ng\n```\n") ==
        std::vector<std::string>{"b c", "d", "g"});
}

/// Words in backquotes that begin with a folder of the tree.
std::set<std::string> paths_in(const std::string& markdown, const std::set<std::string>& folders) {
  static const std::regex quoted("`([A-Za-z0-9_./-]+/[A-Za-z0-9_./-]*)[^`]*`");
  std::set<std::string> paths;
  for (std::sregex_iterator it(markdown.begin(), markdown.end(), quoted), end; it != end; ++it) {
    const std::string path = (*it)[1].str();
    if (folders.contains(path.substr(0, path.find('/')))) paths.insert(path);
  }
  return paths;
}

TEST_CASE("docs: every path that README.md and docs name exists") {
  std::set<std::string> folders;
  std::vector<std::string> documents{kRoot + "/README.md"};
  for (const auto& entry : fs::directory_iterator(kRoot)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && name != "build") folders.insert(name);
  }
  for (const auto& entry : fs::directory_iterator(kRoot + "/docs")) {
    if (entry.path().extension() == ".md") documents.push_back(entry.path().string());
  }
  std::size_t seen = 0;
  for (const std::string& document : documents) {
    for (const std::string& path : paths_in(read_file(document), folders)) {
      ++seen;
      INFO(document << " names " << path);
      CHECK((fs::exists(kRoot + "/" + path) || fs::exists(kRoot + "/" + path + ".h")));
    }
  }
  CHECK(seen > 30);
}

TEST_CASE("docs: paths are told from other words in backquotes") {
  CHECK(paths_in("`a/b.h` and `a/b c`, `x/y`, `a`, a/d, `a/` `-a/c`", {"a"}) ==
        std::set<std::string>{"a/", "a/b", "a/b.h"});
}

}  // namespace
}  // namespace parallax::structure
