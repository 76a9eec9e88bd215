// The lines that a command is told and tells.
#include "harness/io/exec_target.h"

#include <catch2/catch.hpp>

namespace parallax::harness {
namespace {

using checker::OperationKind;
using checker::Outcome;

Step step_of(OperationKind kind, Shape shape = Shape::text) {
  return {.kind = kind, .shape = shape, .key = "k\"", .value = "2", .node = 3};
}

TEST_CASE("a command is told all that an operation needs") {
  CHECK(exec_request(step_of(OperationKind::read), {}, 1) ==
        R"({"id":1,"op":"read","key":"k\"","shape":"text","node":3,"level":"linearizable"})");
  CHECK(exec_request(step_of(OperationKind::add, Shape::set), {}, 2) ==
        R"({"id":2,"op":"add","key":"k\"","shape":"set","node":3,"level":"linearizable",)"
        R"("value":"2"})");
  CHECK(exec_request(step_of(OperationKind::cas), "1", 3)
            .ends_with(R"("value":"2","expected":"1"})"));
  CHECK(exec_request(step_of(OperationKind::cas), {}, 4).ends_with(R"("expected":null})"));
}

TEST_CASE("what a command says of an operation is what is recorded") {
  struct Case {
    Step step;
    std::string line;
    Outcome outcome;
    bool shows;
    std::optional<std::string> shown;
  };
  using enum OperationKind;
  for (const auto& [step, line, outcome, shows, shown] : {
           Case{step_of(read), R"({"ok":true,"value":"1"})", Outcome::ok, true, "1"},
           Case{step_of(read), R"({"ok":true,"value":null})", Outcome::ok, true, std::nullopt},
           Case{step_of(read), R"({"ok":true})", Outcome::ok, true, std::nullopt},
           Case{step_of(read, Shape::counter), R"({"ok":true,"value":7})", Outcome::ok, true, "7"},
           Case{step_of(read, Shape::set), R"({"ok":true,"value":["2","1"]})", Outcome::ok, true,
                R"(["1","2"])"},
           Case{step_of(read), R"({"ok":"unknown"})", Outcome::failed, false, std::nullopt},
           Case{step_of(write), R"({"ok":true})", Outcome::ok, false, std::nullopt},
           Case{step_of(write), R"({"ok":false})", Outcome::failed, false, std::nullopt},
           Case{step_of(write), R"({"ok":"unknown"})", Outcome::unknown, false, std::nullopt},
           Case{step_of(cas), R"({"ok":true})", Outcome::ok, false, std::nullopt},
           Case{step_of(cas), R"({"ok":false,"value":"9"})", Outcome::mismatch, true, "9"},
           Case{step_of(cas), R"({"ok":false,"value":null})", Outcome::mismatch, true,
                std::nullopt},
           Case{step_of(cas), R"({"ok":false})", Outcome::failed, false, std::nullopt},
           Case{step_of(increment), R"({"ok":true,"value":4})", Outcome::ok, true, "4"},
           Case{step_of(increment), R"({"ok":true})", Outcome::ok, false, std::nullopt},
       }) {
    INFO(line);
    const auto performed = parse_exec_answer(step, line);
    REQUIRE(performed.has_value());
    CHECK(performed->outcome == outcome);
    CHECK(performed->shows == shows);
    CHECK(performed->shown == shown);
  }
}

TEST_CASE("a line that says nothing of the operation is refused") {
  const Step read = step_of(OperationKind::read);
  for (const std::string line : {"", "[]", "yes", "{}", R"({"ok":"yes"})", R"({"ok":1})",
                                 R"({"ok":true,"value":[1]})", R"({"ok":true,"value":1.5})"}) {
    INFO(line);
    CHECK_FALSE(parse_exec_answer(read, line).has_value());
  }
  CHECK_FALSE(
      parse_exec_answer(step_of(OperationKind::read, Shape::set), R"({"ok":true,"value":"1"})")
          .has_value());
  CHECK(exec_answer_id(R"({"id":7,"ok":true})") == 7);
  CHECK_FALSE(exec_answer_id(R"({"ok":true})"));
  CHECK_FALSE(exec_answer_id("7"));
}

}  // namespace
}  // namespace parallax::harness
