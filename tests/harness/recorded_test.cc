#include "harness/recorded.h"

#include <catch2/catch.hpp>

#include "harness/judge.h"

namespace parallax::harness {
namespace {

Recorded read(std::string_view text, const ReadOptions& options = {}) {
  const auto recorded = read_recorded(text, options);
  REQUIRE(recorded.has_value());
  return *recorded;
}

}  // namespace

TEST_CASE("recorded: formats are recognised from the content") {
  const auto format = [](std::string_view text) { return read(text).format; };
  CHECK(format(R"({"client":1,"op":"read","key":"k","value":"\"type\"","call":0,"return":1,)"
               R"("ok":true})") == Format::parallax);
  CHECK(format("\n{ \"type\" : \"invoke\", \"process\":0, \"value\":[]}") == Format::elle);
  CHECK(format("[]") == Format::elle);
  CHECK(format(" [ {:process 0 :type :invoke :f :read :value nil}]") == Format::edn);
  CHECK(format("; a comment\n{:process 0 :type :invoke :f :read :value nil}") == Format::edn);
  CHECK(format("{:process 0, :type :invoke, :f :get, :key \"0\", :value nil}") ==
        Format::porcupine_kv);
  CHECK(format("starting\nINFO  jepsen.util - 0 :invoke :read nil") == Format::jepsen_log);
  CHECK(format("") == Format::parallax);
  CHECK(format(" \n\t\r\n") == Format::parallax);
  for (const std::string_view text : {"hello", "{", "{}", "[7]", "7", "\x7f\x45LF"}) {
    CAPTURE(text);
    const auto recorded = read_recorded(text);
    CHECK((recorded.has_error() && recorded.error().message.starts_with("line 1: ")));
  }
}

TEST_CASE("recorded: names of formats and models can be parsed again") {
  for (const Format format : kFormats) CHECK(parse_format(to_string(format)) == format);
  CHECK_FALSE(parse_format("auto"));
  for (const auto* name :
       {"register", "cas-register", "counter", "set", "list-append", "kv-append", "mixed"}) {
    REQUIRE(find_model(name) != nullptr);
    CHECK_THAT(model_names(), Catch::Contains(name));
  }
  CHECK(find_model("auto") == nullptr);
}

TEST_CASE("recorded: models are recognised from the operations") {
  const auto model = [](std::initializer_list<const char*> kinds) {
    std::string text;
    for (const std::string kind : kinds) {
      text += R"({"client":1,"op":")" + kind + R"(","key":"k","value":"1","expected":"1",)" +
              R"("call":0,"return":1,"ok":true})" + "\n";
    }
    return std::string(read(text).model->name);
  };
  CHECK(model({"read", "write", "delete"}) == "register");
  CHECK(model({"read", "cas"}) == "cas-register");
  CHECK(model({"increment", "read", "write"}) == "counter");
  CHECK(model({"add", "read"}) == "set");
  CHECK(model({"append", "read"}) == "mixed");
  CHECK(model({"append", "cas", "increment"}) == "mixed");
  CHECK(model({"txn"}) == "register");
  CHECK(model({}) == "register");
}

TEST_CASE("recorded: the initial value is the model's unless it is given") {
  const std::string_view get = "{:process 0, :type :invoke, :f :get, :key \"0\", :value nil}";
  CHECK(read(get).initial == "");
  CHECK(read(get, {.initial = "7"}).initial == "7");
  CHECK_FALSE(read(get, {.model = find_model("register")}).initial);
  CHECK_FALSE(read("").initial);
}

TEST_CASE("judge: every level has a checker that can say yes") {
  for (const CheckedLevel& level : checked_levels()) {
    CHECK(find_level(level.name) == &level);
    CHECK(judge(read(""), level).verdict == checker::Verdict::yes);
  }
  CHECK(find_level("nonsense") == nullptr);
}

}  // namespace parallax::harness
