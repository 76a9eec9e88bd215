#include "consistency/checker/history.h"

#include <catch2/catch.hpp>

#include "tests/checker/build.h"
#include "tests/checker/random_history.h"

namespace parallax::checker {
namespace {

std::string error_of(std::string_view lines) {
  const auto history = read_history(lines);
  REQUIRE(history.has_error());
  CHECK(history.error().code == ErrorCode::bad_request);
  return history.error().message;
}

Operation only(const Result<History>& history) {
  REQUIRE(history.has_value());
  REQUIRE(history->operations.size() == 1);
  return history->operations[0];
}

}  // namespace

TEST_CASE("history: one line is one operation") {
  const auto history = read_history(
      R"({"client":3,"op":"write","key":"k","value":"v","call":10,"return":25,"ok":true,)"
      R"("level":"quorum; r=2","node":2,"session":"s","stamp":"t","extra":[1]})"
      "\n");
  const Operation o = only(history);
  const Texts& texts = history->texts;
  CHECK(o.kind == OperationKind::write);
  CHECK(o.outcome == Outcome::ok);
  CHECK(o.client == 3);
  CHECK(o.node == NodeId{2});
  CHECK(texts[o.key] == "k");
  CHECK(texts[o.value] == "v");
  CHECK(o.expected == kNothing);
  CHECK(o.result == kNothing);
  CHECK(o.call_ns == 10);
  CHECK(o.return_ns == 25);
  CHECK(texts[o.level] == "quorum; r=2");
  CHECK(texts[o.session] == "s");
  CHECK(texts[o.stamp] == "t");
}

TEST_CASE("history: values are strings or numbers or absent") {
  const auto read = [](std::string_view value) {
    return read_history(
        R"({"client":1,"op":"read","key":"k","call":1,"return":2,"ok":true,"value":)" +
        std::string(value) + "}");
  };
  CHECK(read("7")->texts[only(read("7")).result] == "7");
  CHECK(read("\"7\"")->texts[only(read("\"7\"")).result] == "7");
  CHECK(only(read("null")).result == kAbsent);
  CHECK(only(read("\"\"")).result >= kFirstText);
}

TEST_CASE("history: a cas that was not ok") {
  const auto cas = [](std::string_view rest) {
    return only(
        read_history(R"({"client":1,"op":"cas","key":"k","call":1,"return":2,"expected":"a",)" +
                     std::string(rest) + "}"));
  };
  CHECK(cas(R"("ok":false,"value":"b")").outcome == Outcome::mismatch);
  CHECK(cas(R"("ok":false,"value":"b")").result >= kFirstText);
  CHECK(cas(R"("ok":false,"value":"b")").value == kNothing);
  CHECK(cas(R"("ok":false,"value":null)").result == kAbsent);
  CHECK(cas(R"("ok":false)").outcome == Outcome::failed);
  CHECK(cas(R"("ok":false,"mismatch":true)").outcome == Outcome::mismatch);
  CHECK(cas(R"("ok":false,"mismatch":true)").result == kNothing);
  CHECK(cas(R"("ok":"unknown","value":"b")").return_ns == kNever);
  // One that failed does not come back as one that has seen what it wanted to write.
  const auto failed = read_history(
      R"({"client":1,"op":"cas","key":"k","call":1,"return":2,"expected":"a","ok":false,"wanted":"b"})");
  const Operation back = only(read_history(write_history(*failed)));
  CHECK(back.outcome == Outcome::failed);
  CHECK(back.result == kNothing);
  CHECK(back.value >= kFirstText);
}

TEST_CASE("history: errors name the line and what it should be") {
  const std::string good =
      R"({"client":1,"op":"read","key":"k","value":null,"call":1,"return":2,"ok":true})"
      "\n";
  CHECK_THAT(error_of(good + "\n" + "nonsense\n"), Catch::StartsWith("line 3: it is not JSON"));
  CHECK_THAT(error_of(good + "[1]"), Catch::StartsWith("line 2: it is not a JSON object"));
  const auto changed = [&](std::string_view from, std::string_view to) {
    std::string line = good;
    line.replace(line.find(from), from.size(), to);
    return error_of(good + line);
  };
  CHECK(changed(R"("client":1,)", "") == "line 2: \"client\" is missing; it must be an integer");
  CHECK_THAT(changed(R"("client":1)", R"("client":-1)"), Catch::Contains("from 0 to 4294967295"));
  CHECK_THAT(changed("read", "peek"), Catch::Contains("\"op\" is \"peek\"; it must be read"));
  CHECK_THAT(changed(R"("key":"k",)", ""), Catch::Contains("\"key\" is missing"));
  CHECK_THAT(changed(R"("value":null,)", ""), Catch::Contains("\"value\" is missing"));
  CHECK_THAT(changed(R"("call":1)", R"("call":"1")"), Catch::Contains("\"call\" is \"1\""));
  CHECK_THAT(changed(R"("call":1)", R"("call":3)"), Catch::Contains("is before \"call\" 3"));
  CHECK_THAT(changed(R"("call":1)", R"("call":1.5)"), Catch::Contains("integer"));
  CHECK_THAT(changed(R"("return":2,)", ""), Catch::Contains("\"return\" is missing"));
  CHECK_THAT(changed(R"("ok":true)", R"("ok":1)"), Catch::Contains("\"ok\" is 1"));
  CHECK_THAT(changed(R"(read","key":"k","value":null)", R"(write","key":"k","value":null)"),
             Catch::Contains("\"value\" is null; a write must have one"));
  CHECK_THAT(changed(R"(read")", R"(cas")"), Catch::Contains("\"expected\" is missing"));
}

TEST_CASE("history: what is written reads back the same") {
  Random random(3);
  using enum OperationKind;
  for (int i = 0; i < 200; ++i) {
    const Shape shape{.operations = 30,
                      .keys = 3,
                      .kinds = {read, write, cas, remove, append, increment},
                      .values = 4,
                      .unknown = 0.2,
                      .failed = 0.2,
                      .vague = 0.5};
    History history = random_history(shape, random);
    for (Operation& o : history.operations) {
      // A read or cas that did not happen has nothing to say.
      if (o.outcome == Outcome::failed && o.kind == cas) o.value = kNothing;
      o.node = NodeId{static_cast<std::uint32_t>(random.below(3))};
      if (random.chance(0.5)) o.level = history.texts.intern("a \"quoted\"\nlevel");
      if (random.chance(0.5)) o.session = history.texts.intern("\xc3\xa4");
      if (random.chance(0.5)) o.stamp = history.texts.intern("");
    }
    const std::string lines = write_history(history);
    const auto again = read_history(lines);
    REQUIRE(again.has_value());
    REQUIRE(again->operations.size() == history.operations.size());
    CHECK(write_history(*again) == lines);
    for (std::size_t j = 0; j < history.operations.size(); ++j) {
      const Operation& a = history.operations[j];
      const Operation& b = again->operations[j];
      const auto same = [&](Text x, Text y) {
        if (x < kFirstText || y < kFirstText) return x == y;
        return history.texts[x] == again->texts[y];
      };
      CHECK((a.kind == b.kind && a.outcome == b.outcome && a.client == b.client &&
             a.node == b.node && a.call_ns == b.call_ns && a.return_ns == b.return_ns));
      CHECK((same(a.key, b.key) && same(a.value, b.value) && same(a.expected, b.expected) &&
             same(a.result, b.result) && same(a.level, b.level) && same(a.session, b.session) &&
             same(a.stamp, b.stamp)));
    }
  }
}

}  // namespace parallax::checker
