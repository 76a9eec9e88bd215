// The tree keeps the rules, and the rules find what breaks them.
#include "tests/structure/rules.h"

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <fmt/format.h>

namespace parallax::structure {
namespace {

SourceFile header(std::string path, const std::string& body) {
  return {std::move(path), "// A file.\n#pragma once\n" + body};
}

std::string text_of(const Violations& violations) {
  std::string text;
  for (const Violation& violation : violations) text += violation.to_string() + "\n";
  return text;
}

TEST_CASE("structure: the tree keeps its rules") {
  const std::vector<SourceFile> files = read_sources(PARALLAX_SOURCE_DIR);
  REQUIRE(files.size() > 50);
  const Violations violations = check_all(files);
  INFO(text_of(violations));
  CHECK(violations.empty());
}

struct Planted {
  std::string what;
  SourceFile file;
  std::string found;  ///< part of the one problem that must be reported; empty: none
};

TEST_CASE("structure: planted violations are found and lawful files are not") {
  const std::vector<Planted> cases{
      {"a later folder", header("base/x.h", "#include \"clock/stamp.h\"\n"),
       "base may not include clock"},
      {"node from replication", header("replication/x.h", "#include \"node/replica.h\"\n"),
       "replication may not include node"},
      {"io from its core", header("node/x.h", "#include \"node/io/engine.h\"\n"),
       "node may not include node/io"},
      {"node from the client", header("client/x.h", "#include \"node/service.h\"\n"),
       "client may not include node"},
      {"client library from the node", header("node/io/x.h", "#include \"client/io/client.h\"\n"),
       "node/io may not include client/io"},
      {"simulation and real ports", header("simulation/x.h", "#include \"node/io/engine.h\"\n"),
       "simulation may not include node/io"},
      {"concrete store in a core", header("node/x.h", "#include \"storage/leveldb_store.h\"\n"),
       "only node/io knows the LevelDB store"},
      {"include beside", header("clock/x.h", "#include \"stamp.h\"\n"),
       "not written from the root"},
      {"unknown folder", header("util/x.h", ""), "in no folder"},
      {"asio in a core", header("node/x.h", "#include <boost/asio/io_context.hpp>\n"),
       "belong under an io/ folder"},
      {"leveldb elsewhere", header("storage/x.h", "#include <leveldb/db.h>\n"),
       "LevelDB belongs in"},
      {"schema leaves the codec", header("storage/x.h", "#include \"storage/records.pb.h\"\n"),
       "generated types stay"},
      {"a thread header", header("node/x.h", "#include <thread>\n"), "<thread> has no place"},
      {"a file header", header("storage/x.h", "#include <fstream>\n"), "<fstream> has no place"},
      {"a socket header", header("client/x.h", "#include <sys/socket.h>\n"), "has no place"},
      {"a clock", header("clock/x.h", "auto t = std::chrono::steady_clock::now();\n"),
       "steady_clock has no place"},
      {"a random device", header("base/x.h", "std::random_device d;\n"),
       "random_device has no place"},
      {"a lock", header("storage/x.h", "std::mutex m;\n"), "std::mutex has no place"},
      {"no pragma", {"base/x.h", "// A file.\nint x();\n"}, "#pragma once is missing"},
      {"no opening", {"base/x.h", "#pragma once\nint x();\n"}, "opens by saying"},
      {"too long", {"base/x.cc", std::string(kMaxFileLines + 1, '\n')}, "601 lines"},

      {"an earlier folder", header("node/io/x.h", "#include \"base/ids.h\"\n"), ""},
      {"its own folder",
       header("replication/leader_follower/x.h", "#include \"replication/message.h\"\n"), ""},
      {"the process from its main", {"node/main.cc", "#include \"node/io/engine.h\"\n"}, ""},
      {"asio under io", header("client/io/x.h", "#include <boost/beast.hpp>\n"), ""},
      {"leveldb in its source", {"storage/leveldb_store.cc", "#include <leveldb/db.h>\n"}, ""},
      {"schema in the codec",
       {"replication/codec.cc", "#include \"replication/message.pb.h\"\n"},
       ""},
      {"a thread under io", {"node/io/engine.cc", "#include <thread>\nstd::thread t;\n"}, ""},
      {"a clock in a comment", header("base/x.h", "// not std::mutex\n/* steady_clock */\n"), ""},
      {"a clock in a string", header("base/x.h", "auto s = \"steady_clock\";\n"), ""},
      {"exactly long enough", {"base/x.cc", std::string(kMaxFileLines, '\n')}, ""},
  };
  for (const Planted& planted : cases) {
    DYNAMIC_SECTION(planted.what) {
      const Violations violations = check_all({planted.file});
      INFO(text_of(violations));
      if (planted.found.empty()) {
        CHECK(violations.empty());
      } else {
        REQUIRE(violations.size() == 1);
        CHECK_THAT(violations.front().to_string(), Catch::Contains(planted.found));
      }
    }
  }
}

TEST_CASE("structure: two types of one name are found and other things of one name are not") {
  const auto found = [](const std::string& one, const std::string& other) {
    const Violations all =
        check_one_definition({{"base/a.h", "namespace p {\n" + one + "\n}\n"},
                              {"base/b.cc", "namespace p {\n" + other + "\n}\n"}});
    return all.empty() ? std::string() : all.front().to_string();
  };
  const std::string step = "struct Step { int a; };";
  CHECK_THAT(
      found(step, "int f();\nclass Step final : public X {};"),
      Catch::Contains("base/b.cc:3") && Catch::Contains("p::Step is another type in base/a.h"));
  CHECK_THAT(found("namespace q { " + step + " }", "}\nnamespace p::q { " + step),
             Catch::Contains("p::q::Step"));
  CHECK(found(step, "struct Step;") == "");
  CHECK(found(step, "namespace {\n" + step + "\n}") == "");
  CHECK(found(step, "namespace q { " + step + " }") == "");
  CHECK(found(step, "class Other { " + step + " };") == "");
  CHECK(found(step, "template <class Step> struct X { Step s; };") == "");
  CHECK(found(step, "struct Step::Impl { int a; };\nvoid f() { " + step + " }") == "");
  CHECK(found("template <class T> struct S { };", "template <> struct S<int> { };") == "");
}

TEST_CASE("structure: code_only blanks comments and literals and nothing else") {
  CHECK(code_only("a // b\nc") == "a     \nc");
  CHECK(code_only("a /* b\nc */ d") == "a     \n     d");
  CHECK(code_only("f(\"x\\\"y\") + g") == "f(      ) + g");
  CHECK(code_only("1'024 + 'a' + b") == "1'024 +     + b");
  CHECK(code_only("R\"x(\" // )x\" + b") == "             + b");
  CHECK(code_only("\"//\" a") == "     a");
}

TEST_CASE("structure: includes are seen with their line and kind") {
  const auto found = includes_of({"x.h", "// x\n#include \"a/b.h\"\n#  include <c>\n// \"d\"\n"});
  REQUIRE(found.size() == 2);
  CHECK((found[0].line == 2 && found[0].target == "a/b.h" && found[0].quoted));
  CHECK((found[1].line == 3 && found[1].target == "c" && !found[1].quoted));
}

}  // namespace
}  // namespace parallax::structure
