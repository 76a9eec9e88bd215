#include "client/cli/dpkg_status.h"

#include <fstream>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "tests/client/io/result_text.h"

namespace parallax::cli {
namespace {

std::vector<std::string> names_of(const std::string& file) {
  const auto stanzas = parse_dpkg_status(file);
  REQUIRE(stanzas);
  return dpkg_names(*stanzas);
}

/// "name/arch" each.
std::string stanzas(const std::vector<std::string>& packages) {
  std::string file;
  for (const std::string& package : packages) {
    const auto slash = package.find('/');
    file += "Package: " + package.substr(0, slash) + "\n";
    if (slash != std::string::npos) file += "Architecture: " + package.substr(slash + 1) + "\n";
    file += '\n';
  }
  return file;
}

TEST_CASE("dpkg: the bytes of a stanza are the file's") {
  const std::string file =
      "Package: a\nDescription: x\n more\n .\n\tmost\n\nPackage:b\nConffiles:\n /etc/b 1\n\n";
  const auto records = dpkg_records(Bytes(file), "pkg/");
  REQUIRE(records);
  const auto record = [](const char* key, const char* value, std::size_t line) {
    return ImportRecord{
        .key = key, .value = value, .content_type = "text/plain; charset=utf-8", .line = line};
  };
  CHECK(*records == std::vector<ImportRecord>{
                        record("pkg/a", "Package: a\nDescription: x\n more\n .\n\tmost\n", 1),
                        record("pkg/b", "Package:b\nConffiles:\n /etc/b 1\n", 7)});
}

TEST_CASE("dpkg: what stands between stanzas is no part of them") {
  struct Row {
    const char* name;
    std::string file;
    std::vector<std::string> values;
  };
  for (const Row& row : std::vector<Row>{
           {"an empty file", "", {}},
           {"blank lines alone", "\n\n \n", {}},
           {"no newline at the end", "Package: a\nX: y", {"Package: a\nX: y"}},
           {"many blank lines",
            "\n\nPackage: a\n\n\n\nPackage: b\n",
            {"Package: a\n", "Package: b\n"}},
           {"blank lines of spaces",
            "Package: a\n \t\nPackage: b\n",
            {"Package: a\n", "Package: b\n"}},
           {"lines that end in carriage returns",
            "Package: a\r\n\r\nPackage: b\r\n",
            {"Package: a\r\n", "Package: b\r\n"}},
           {"any case", "pACKAGE: a\n", {"pACKAGE: a\n"}},
           {"bytes that are no text", "Package: a\nX: \xff\x01\n", {"Package: a\nX: \xff\x01\n"}},
       }) {
    DYNAMIC_SECTION(row.name) {
      const auto found = parse_dpkg_status(row.file);
      REQUIRE(found);
      std::vector<std::string> values;
      for (const DpkgStanza& stanza : *found) values.emplace_back(stanza.bytes);
      CHECK(values == row.values);
    }
  }
}

TEST_CASE("dpkg: what is no status file is refused with its line") {
  struct Row {
    const char* file;
    const char* line;
  };
  for (const Row& row : std::vector<Row>{{"hello\n", "line 1"},
                                         {"Package: a\nno field\n", "line 2"},
                                         {"Package: a\n\n: x\n", "line 3"},
                                         {" begins: so\n", "line 1"},
                                         {"Version: 1\n\nPackage: a\n", "line 1"},
                                         {"Package: a\n\nVersion: 1\n", "line 3"},
                                         {"Package: a\nPackage: b\n", "line 2"},
                                         {"Package:\nVersion: 1\n", "line 1"}}) {
    INFO(row.file);
    const auto found = parse_dpkg_status(row.file);
    REQUIRE_FALSE(found);
    CHECK(found.error().message.find(row.line) != std::string::npos);
  }
}

TEST_CASE("dpkg: names") {
  using Names = std::vector<std::string>;
  CHECK(names_of(stanzas({"a/amd64", "b/all", "c"})) == Names{"a", "b", "c"});
  // Native is what dpkg itself is, wherever it stands.
  CHECK(names_of(stanzas({"libc6/i386", "libc6/amd64", "dpkg/amd64"})) ==
        Names{"libc6:i386", "libc6", "dpkg"});
  CHECK(names_of(stanzas({"dpkg/arm64", "x/amd64", "x/arm64", "x/i386"})) ==
        Names{"dpkg", "x:amd64", "x", "x:i386"});
  CHECK(names_of(stanzas({"dpkg/amd64", "x/i386", "x/all"})) == Names{"dpkg", "x:i386", "x"});
  // No native one: the first keeps the plain name.
  CHECK(names_of(stanzas({"x/i386", "x/arm64"})) == Names{"x", "x:arm64"});
  CHECK(names_of(stanzas({"dpkg/amd64", "x/i386"})) == Names{"dpkg", "x"});
  // No status file, but nothing is lost.
  CHECK(names_of(stanzas({"dpkg/amd64", "x/amd64", "x/amd64", "x/amd64"})) ==
        Names{"dpkg", "x", "x:amd64", "x:amd64#2"});
  CHECK(names_of(stanzas({"x/a", "x/b", "x:b/c"})) == Names{"x", "x:b#2", "x:b"});
}

void check_reproduces(const std::string& file) {
  const auto found = parse_dpkg_status(file);
  REQUIRE(found);
  std::string again;
  std::size_t at = 0;
  for (const DpkgStanza& stanza : *found) {
    const std::string gap = file.substr(at, stanza.offset - at);
    CHECK(gap.find_first_not_of(" \t\r\n") == std::string::npos);
    again += gap;
    again += stanza.bytes;
    at = stanza.offset + stanza.bytes.size();
  }
  again += file.substr(at);
  REQUIRE(again == file);
  const auto names = dpkg_names(*found);
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == found->size());
}

TEST_CASE("dpkg: stanzas and gaps are the file and names differ over 2000 random files") {
  Random random(11);
  for (int round = 0; round < 2000; ++round) {
    std::string file;
    const auto count = random.below(12);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (random.chance(0.2)) file += random.chance(0.5) ? "\n" : " \t\r\n";
      const std::string name(1, static_cast<char>('a' + random.below(4)));
      file += "Package: " + (random.chance(0.1) ? "dpkg" : name) + "\n";
      if (random.chance(0.8)) {
        const char* const architectures[] = {"amd64", "i386", "all", "arm64"};
        file += std::string("Architecture: ") + architectures[random.below(4)] + "\n";
      }
      if (random.chance(0.5)) file += "Description: d\n text\n .\n";
      file += i + 1 == count && random.chance(0.5) ? "" : "\n";
    }
    check_reproduces(file);
  }
}

TEST_CASE("dpkg: this system's own status file") {
  std::ifstream in("/var/lib/dpkg/status", std::ios::binary);
  if (!in) return;  // another kind of system
  std::stringstream text;
  text << in.rdbuf();
  const std::string file = text.str();
  check_reproduces(file);
  // As dpkg writes it, one blank line follows each stanza.
  const auto found = parse_dpkg_status(file);
  std::string joined;
  for (const DpkgStanza& stanza : *found) joined += std::string(stanza.bytes) + '\n';
  CHECK(joined == file);
}

}  // namespace
}  // namespace parallax::cli
