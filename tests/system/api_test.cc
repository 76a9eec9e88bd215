// The HTTP API as people use it, with curl alone: every line of docs/API.md, and what the API
// promises on the leader path (tests/system/api.sh).
#include <fstream>
#include <regex>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "tests/system/script_cluster.h"

namespace parallax::system_tests {
namespace {

using namespace std::chrono_literals;

const std::string kDocument = std::string(PARALLAX_SOURCE_DIR) + "/docs/API.md";

struct Command {
  int line = 0;
  std::string text;
  std::string status;  ///< that the document says it gets
};

/// The lines of every ```sh block: a command with a curl in it, and its status behind two spaces.
std::vector<Command> read_commands() {
  static const std::regex shape(R"(^(.*\bcurl\b.*\S)  # (\d{3})$)");
  std::ifstream in(kDocument);
  REQUIRE(in);
  std::vector<Command> commands;
  bool inside = false;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.starts_with("```")) {
      inside = !inside && line == "```sh";
      continue;
    }
    if (!inside) continue;
    std::smatch match;
    INFO(kDocument << ":" << number << " has no status behind it: " << line);
    REQUIRE(std::regex_match(line, match, shape));
    commands.push_back({number, match[1], match[2]});
  }
  return commands;
}

/// All commands as one script, so that variables live on; `curl` notes the status of its answer.
std::string script_of(const std::vector<Command>& commands, const ScriptCluster& cluster,
                      const std::string& directory) {
  std::string script = fmt::format(
      "set -u\ncd {}\ncurl() {{ command curl -sS --max-time 30 -D headers \"$@\"; }}\n", directory);
  const std::string documented = "http://127.0.0.1:710";
  const std::string base = std::to_string(cluster.base_port());
  const std::string real = "http://127.0.0.1:" + base.substr(0, base.size() - 1);
  for (const Command& command : commands) {
    std::string text = command.text;
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(documented, at)) != std::string::npos;
         at += real.size()) {
      text.replace(at, documented.size(), real);
      ++found;
    }
    INFO(kDocument << ":" << command.line << " asks no node of the cluster");
    REQUIRE(found == 1);
    script += fmt::format(
        ": >headers\n{}\necho\necho \"STATUS {} $(grep -a '^HTTP/' headers | tail -n 1 | cut -d ' "
        "' "
        "-f 2)\"\n",
        text, command.line);
  }
  return script;
}

TEST_CASE("system: every curl line of the API's document gets the status that it says") {
  const std::vector<Command> commands = read_commands();
  REQUIRE(commands.size() > 50);
  const ScriptCluster cluster;
  REQUIRE(cluster.base_port() % 10 == 0);
  cluster.up();
  const TemporaryDirectory directory;
  const Ended ended =
      run({"/bin/bash", "-c", script_of(commands, cluster, directory.path())}, 120s);
  INFO(ended.output);
  CHECK(ended.code == 0);
  for (const Command& command : commands) {
    INFO(kDocument << ":" << command.line << ": " << command.text);
    CHECK_THAT(ended.output,
               Catch::Contains(fmt::format("STATUS {} {}\n", command.line, command.status)));
  }
}

TEST_CASE("system: what the API promises can be had with curl alone") {
  const ScriptCluster cluster;
  cluster.up();
  const TemporaryDirectory directory;
  const Ended ended =
      run({std::string(PARALLAX_SOURCE_DIR) + "/tests/system/api.sh",
           std::to_string(cluster.base_port()), cluster.directory(), directory.path()},
          240s);
  INFO(ended.output);
  CHECK(ended.code == 0);
  CHECK_THAT(ended.output, Catch::Contains("all checks passed") && !Catch::Contains("FAILED"));
}

}  // namespace
}  // namespace parallax::system_tests
