// JSON objects as leaves: what they are, and what of several writes is shown.
#include "consistency/merge/json_document.h"

#include <algorithm>

#include <catch2/catch.hpp>

#include "base/random.h"

namespace parallax::test {
namespace {

DottedEntries entries_of(std::string_view text, std::uint64_t at) {
  const auto leaves = json_leaves(text);
  REQUIRE(leaves);
  DottedEntries entries;
  for (const JsonLeaf& leaf : *leaves) {
    CHECK(is_json_path(leaf.path));
    entries.push_back({{ActorPath::quorum, NodeId{1}, Incarnation{1}},
                       {Hlc{at}, NodeId{1}},
                       leaf.path,
                       leaf.text});
  }
  return entries;
}

/// The documents merged, the first one written last.
std::string shown(const std::vector<std::string>& newest_first) {
  DottedEntries all;
  for (std::size_t i = 0; i < newest_first.size(); ++i) {
    const DottedEntries entries = entries_of(newest_first[i], 100 - i);
    all.insert(all.end(), entries.begin(), entries.end());
  }
  std::sort(all.begin(), all.end());
  return json_of_leaves(shown_leaves(all));
}

}  // namespace

TEST_CASE("json document: what is written comes back sorted and without white space") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{}", "{}"},
      {R"( { "b" : 1 , "a" : [ 1 , { "z" : 1 , "y" : [ ] } , "x" ] } )",
       R"({"a":[1,{"z":1,"y":[]},"x"],"b":1})"},
      {R"({"a":{"c":{},"b":{"x":null}},"A":true})", R"({"A":true,"a":{"b":{"x":null},"c":{}}})"},
      {R"({"n":1.50,"m":-0,"l":12345678901234567890123,"k":1e5})",
       R"({"k":1e5,"l":12345678901234567890123,"m":-0,"n":1.50})"},
      {R"({"":1,"a":2,"a\u0000b":3,"a\u0000":4,"ab":5})",
       R"({"":1,"a":2,"a\u0000":4,"a\u0000b":3,"ab":5})"},
      {R"({"a":{"x":1,"y":2},"b":1,"a":{"z":3}})", R"({"a":{"z":3},"b":1})"},
      {R"({"a":{"x":1},"a":2,"b":3,"b":{}})", R"({"a":2,"b":{}})"},
      {R"({"q\"\\":"\u00e9\n\/"})", "{\"q\\\"\\\\\":\"\xc3\xa9\\n/\"}"},
      {R"({"a":[[],[[]],{}]})", R"({"a":[[],[[]],{}]})"}};
  for (const auto& [in, out] : cases) {
    INFO(in);
    CHECK(shown({in}) == out);
    CHECK(shown({out}) == out);
  }
}

TEST_CASE("json document: what is no JSON object has no leaves") {
  std::string deep = "1";
  for (int i = 0; i < 32; ++i) deep = R"({"a":)" + deep + "}";
  CHECK(shown({deep}) == deep);
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("1"), std::string(R"("a")"),
        std::string("null"), std::string("{"), std::string(R"({"a":1}x)"),
        std::string(R"({"a":1,})"), std::string(R"({"a":1}{})"), std::string("{\"a\":\"\xff\"}"),
        std::string(R"({"a":[1})"), std::string(R"([{"a":1}])"), R"({"a":)" + deep + "}"}) {
    INFO(text);
    CHECK_FALSE(json_leaves(text));
  }
}

TEST_CASE("json document: a path is a list of names") {
  const std::string end("\0\1", 2);
  const std::string zero("\0\xff", 2);
  std::string deep;
  for (int i = 0; i < 32; ++i) deep += end;
  for (const std::string& path :
       {std::string(), end, "a" + end, "a" + end + "b" + end, "a" + zero + end, deep}) {
    CHECK(is_json_path(path));
  }
  for (const std::string& path : {std::string("a"), std::string(1, '\0'), "a" + end + "b",
                                  "a" + std::string("\0\2", 2) + end, zero, deep + end}) {
    CHECK_FALSE(is_json_path(path));
  }
}

TEST_CASE("json document: of a field the later write is shown") {
  struct Case {
    const char* name;
    std::vector<std::string> newest_first;
    std::string shown;
  };
  const std::vector<Case> cases{
      {"others stay", {R"({"b":1})", R"({"a":1})"}, R"({"a":1,"b":1})"},
      {"the later wins", {R"({"a":2})", R"({"a":1,"b":1})"}, R"({"a":2,"b":1})"},
      {"inside objects, too",
       {R"({"a":{"x":2}})", R"({"a":{"x":1,"y":1}})"},
       R"({"a":{"x":2,"y":1}})"},
      {"arrays are whole", {R"({"a":[2]})", R"({"a":[1,1]})"}, R"({"a":[2]})"},
      {"arrays of objects, too",
       {R"({"a":[{"x":1}]})", R"({"a":[{"y":1}]})"},
       R"({"a":[{"x":1}]})"},
      {"a number over an object", {R"({"a":5})", R"({"a":{"x":1}})"}, R"({"a":5})"},
      {"an object over a number", {R"({"a":{"x":1}})", R"({"a":5})"}, R"({"a":{"x":1}})"},
      {"what is hidden hides",
       {R"({"a":{"q":3}})", R"({"a":5})", R"({"a":{"p":1}})"},
       R"({"a":{"q":3}})"},
      {"deep below",
       {R"({"a":{"b":{"c":3}}})", R"({"a":5})", R"({"a":{"b":{"d":1}}})"},
       R"({"a":{"b":{"c":3}}})"},
      {"an empty object hides no members", {R"({"a":{}})", R"({"a":{"x":1}})"}, R"({"a":{"x":1}})"},
      {"but a number", {R"({"a":{}})", R"({"a":5})"}, R"({"a":{}})"},
      {"and is hidden by one", {R"({"a":5})", R"({"a":{}})"}, R"({"a":5})"},
      {"an empty document hides nothing", {"{}", R"({"a":1})"}, R"({"a":1})"},
      {"nothing but empty ones", {"{}", "{}"}, "{}"},
      {"a name that begins like another",
       {R"({"a":5})", R"({"ab":{"x":1}})"},
       R"({"a":5,"ab":{"x":1}})"},
      {"null is a value", {R"({"a":null})", R"({"a":1})"}, R"({"a":null})"},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    CHECK(shown(c.newest_first) == c.shown);
  }
}

}  // namespace parallax::test
