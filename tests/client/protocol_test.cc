#include "client/protocol.h"

#include <catch2/catch.hpp>

namespace parallax::test {

TEST_CASE("operation: its key and whether it reads") {
  struct Case {
    Operation operation;
    std::optional<std::string> key;
    bool reads;
  };
  const auto c = GENERATE(values<Case>({
      {Put{.key = "a", .value = "v"}, "a", false},
      {Get{"b"}, "b", true},
      {Delete{"c"}, "c", false},
      {Increment{"d"}, "d", false},
      {Scan{.start = "e", .end = "f"}, std::nullopt, true},
      {GetMany{{"g"}}, std::nullopt, true},
      {ReadHistory{.key = "h"}, "h", true},
      {GetPolicy{"i"}, "i", true},
      {ListPolicies{}, std::nullopt, true},
      {SetPolicy{"j", std::nullopt}, "j", false},
  }));
  CAPTURE(c.operation.index());
  const std::string* const key = operation_key(c.operation);
  CHECK((key != nullptr) == c.key.has_value());
  if (key != nullptr) CHECK(*key == c.key);
  CHECK(is_read(c.operation) == c.reads);
}

TEST_CASE("operation: its key is not a copy") {
  const Operation get = Get{"b"};
  CHECK(operation_key(get) == &std::get<Get>(get).key);
}

TEST_CASE("conditions: hold of the present version (RFC 9110, section 13.1)") {
  const Stamp a{Hlc{1}, NodeId{1}};
  const Stamp b{Hlc{2}, NodeId{1}};
  struct Case {
    const char* name;
    Conditions conditions;
    std::optional<Stamp> present;
    bool hold;
  };
  const auto c = GENERATE_COPY(values<Case>({
      {"none, absent", {}, std::nullopt, true},
      {"none, present", {}, a, true},
      {"if-match *, absent", {.if_match = EtagSet{.any = true}}, std::nullopt, false},
      {"if-match *, present", {.if_match = EtagSet{.any = true}}, a, true},
      {"if-match a b, b", {.if_match = EtagSet{.stamps = {a, b}}}, b, true},
      {"if-match a, b", {.if_match = EtagSet{.stamps = {a}}}, b, false},
      {"if-match a, absent", {.if_match = EtagSet{.stamps = {a}}}, std::nullopt, false},
      {"if-none-match *, absent", {.if_none_match = EtagSet{.any = true}}, std::nullopt, true},
      {"if-none-match *, present", {.if_none_match = EtagSet{.any = true}}, a, false},
      {"if-none-match a, a", {.if_none_match = EtagSet{.stamps = {a}}}, a, false},
      {"if-none-match a, b", {.if_none_match = EtagSet{.stamps = {a}}}, b, true},
      {"if-none-match a, absent", {.if_none_match = EtagSet{.stamps = {a}}}, std::nullopt, true},
      {"both, the second fails",
       {.if_match = EtagSet{.any = true}, .if_none_match = EtagSet{.stamps = {a}}},
       a,
       false},
      {"both, the first fails",
       {.if_match = EtagSet{.stamps = {a}}, .if_none_match = EtagSet{.stamps = {a}}},
       b,
       false},
  }));
  DYNAMIC_SECTION(c.name) {
    CHECK(c.conditions.hold(c.present) == c.hold);
  }
}

TEST_CASE("path: every name finds its path") {
  CHECK(path_name(Path::read_index) == "read-index");
  CHECK(path_name(Path::log) == "log");
  CHECK(path_name(Path::local) == "local");
  for (const Path path : {Path::read_index, Path::log, Path::local, Path::lease}) {
    CHECK(find_path(path_name(path)) == path);
  }
  CHECK_FALSE(find_path("").has_value());
  CHECK_FALSE(find_path("Log").has_value());
}

}  // namespace parallax::test
