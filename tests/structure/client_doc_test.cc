// The code in docs/CLIENT.md stands, word for word, in programs that the tests compile and run.
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/structure/source_tree.h"

namespace parallax::structure {
namespace {

const std::string kRoot = PARALLAX_SOURCE_DIR;

const std::vector<std::string> kCompiled{
    "client/examples/quickstart.cc",
    "tests/client/io/client_doc_test.cc",
    "tests/data/outside_project/main.cc",
    "tests/data/outside_project/CMakeLists.txt",
};

std::string trimmed(const std::string& line) {
  const auto begin = line.find_first_not_of(' ');
  return begin == std::string::npos ? std::string() : line.substr(begin);
}

/// Every line without its indentation; code is moved, not changed, when it is shown.
std::string flat(const std::vector<std::string>& lines) {
  std::string text = "\n";
  for (const std::string& line : lines) text += trimmed(line) + '\n';
  return text;
}

/// The lines of every ```cpp and ```cmake block.
std::vector<std::vector<std::string>> blocks_of(const std::string& markdown) {
  std::vector<std::vector<std::string>> blocks;
  bool inside = false;
  for (const std::string& line : lines_of(markdown)) {
    if (line.starts_with("```")) {
      inside = !inside && (line == "```cpp" || line == "```cmake");
      if (inside) blocks.emplace_back();
    } else if (inside) {
      blocks.back().push_back(line);
    }
  }
  return blocks;
}

bool shown_in(const std::vector<std::string>& sources, const std::vector<std::string>& block) {
  const std::string wanted = flat(block);
  for (const std::string& source : sources) {
    if (source.find(wanted) != std::string::npos) return true;
  }
  return false;
}

TEST_CASE("client doc: every piece of code is compiled by a test") {
  std::vector<std::string> sources;
  for (const std::string& file : kCompiled) {
    sources.push_back(flat(lines_of(read_file(kRoot + "/" + file))));
  }
  const auto blocks = blocks_of(read_file(kRoot + "/docs/CLIENT.md"));
  CHECK(blocks.size() > 10);
  for (const auto& block : blocks) {
    INFO(flat(block));
    CHECK(shown_in(sources, block));
  }
  CHECK_FALSE(shown_in(sources, {"client.frobnicate();"}));
}

}  // namespace
}  // namespace parallax::structure
