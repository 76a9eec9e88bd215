#include "client/http_protocol.h"

#include <catch2/catch.hpp>

#include "base/random.h"

namespace parallax {
namespace {

std::string error_text(const Error& error) {
  return std::string(error_info(error.code).name) + ": " + error.message;
}

}  // namespace

TEST_CASE("http protocol: percent-encoding takes every byte there and back") {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (auto n = random.below(40); n > 0; --n) bytes += static_cast<char>(random.below(256));
    const std::string text = percent_encode(bytes);
    CHECK(text.find_first_of(" ?#&=+\"\\\r\n") == std::string::npos);
    const auto back = percent_decode(text);
    REQUIRE(back.has_value());
    CHECK(*back == bytes);
    const auto from_query = percent_decode(text, PlusMeans::space);
    REQUIRE(from_query.has_value());
    CHECK(*from_query == bytes);
  }
  CHECK(percent_encode("a/b c") == "a/b%20c");
  CHECK(percent_encode("..") == "%2E%2E");
  CHECK(percent_encode("a..") == "a..");
}

TEST_CASE("http protocol: a percent sign without two digits is refused with its position") {
  for (const std::string_view text : {"ab%", "ab%4", "ab%4g", "ab%g4", "ab%%41", "ab% 4"}) {
    const auto decoded = percent_decode(text);
    REQUIRE(!decoded);
    CHECK(decoded.error().code == ErrorCode::bad_request);
    CHECK(decoded.error().message.find("position 2") != std::string::npos);
  }
  CHECK(*percent_decode("a+b") == "a+b");
  CHECK(*percent_decode("a+b%2B", PlusMeans::space) == "a b+");
}

TEST_CASE("http protocol: queries are read strictly") {
  CHECK(*parse_query("") == Query{});
  CHECK(*parse_query("a=1&b=&c=x%26y+z") == Query{{"a", "1"}, {"b", ""}, {"c", "x&y z"}});
  const auto refused = [](std::string_view text) {
    const auto query = parse_query(text);
    REQUIRE(!query);
    return error_text(query.error());
  };
  CHECK(*parse_query("a=1&b=2&a=3&a=3", "a") ==
        Query{{"a", "1"}, {"b", "2"}, {"a", "3"}, {"a", "3"}});
  CHECK(parse_query("a=1&b=2&b=3", "a").has_error());
  CHECK(refused("a=1&a=2") == "bad-parameter: the query parameter 'a' is given twice");
  CHECK(refused("a=1&%61=2") == "bad-parameter: the query parameter 'a' is given twice");
  CHECK(refused("a") == "bad-request: the query parameter 'a' has no value; write name=value");
  CHECK(refused("a=1&") == "bad-request: the query ends with '&'; remove it");
  CHECK(refused("&") == "bad-request: the query ends with '&'; remove it");
  CHECK(refused("a=1&&b=2").find("without a name") != std::string::npos);
  CHECK(refused("=2").find("without a name") != std::string::npos);
  CHECK(refused("a=%zz").find("position 0") != std::string::npos);
}

TEST_CASE("http protocol: etags") {
  const Stamp stamp{Hlc{123456789}, NodeId{2}};
  CHECK(render_etag(stamp) == "\"123456789-2\"");
  CHECK(*parse_etag("\"123456789-2\"") == stamp);
  for (const auto* text : {"123456789-2", "\"\"", "W/\"123456789-2\"", "\"x\"", "\"", ""}) {
    CHECK(!parse_etag(text));
  }
}

TEST_CASE("http protocol: conditions are lists of ETags") {
  const auto weak = EtagComparison::weak;
  const auto strong = EtagComparison::strong;
  const auto set = [](std::string_view text, EtagComparison comparison) {
    const auto parsed = parse_etag_set("If-Match", text, comparison);
    if (!parsed) FAIL(parsed.error().message);
    return *parsed;
  };
  const auto refused = [](std::string_view text, EtagComparison comparison) {
    const auto parsed = parse_etag_set("If-Match", text, comparison);
    REQUIRE(!parsed);
    CHECK(parsed.error().code == ErrorCode::bad_request);
    return parsed.error().message;
  };
  const Stamp one{Hlc{12}, NodeId{1}};
  const Stamp two{Hlc{13}, NodeId{2}};
  for (const auto comparison : {weak, strong}) {
    CHECK(set(" * ", comparison) == EtagSet{.any = true});
    CHECK(set("\"12-1\"", comparison) == EtagSet{.stamps = {one}});
    CHECK(set(" \"12-1\" ,\t\"13-2\" ", comparison) == EtagSet{.stamps = {one, two}});
    for (const auto* text :
         {"", "abc", "\"1-1\" \"2-2\"", "\"1-1\",", "\"1-1", "*, \"1-1\"", "\"1-1\", *"}) {
      CHECK(refused(text, comparison).ends_with(" is no list of quoted ETags and not *"));
    }
  }
  CHECK(set("W/\"12-1\", \"x,y\", \"13-2\"", weak) == EtagSet{.stamps = {one, two}});
  CHECK(set("\"other\"", weak).stamps.empty());
  CHECK(refused("W/\"12-1\"", strong) ==
        "If-Match: 'W/\"12-1\"' has a weak ETag, which never matches");
  CHECK(refused("\"12-1\", \"other\"", strong) ==
        "If-Match: '\"12-1\", \"other\"' has an ETag that no version can have; one looks like "
        "\"112233-1\", quoted");
  std::string many = "\"1-1\"";
  for (std::size_t i = 1; i < limits::kMaxEtagsPerCondition; ++i) many += ",\"1-1\"";
  CHECK(set(many, strong).stamps.size() == limits::kMaxEtagsPerCondition);
  CHECK(refused(many + ",\"1-1\"", strong).ends_with("has more than 64 ETags"));
}

TEST_CASE("http protocol: a level as in its header") {
  for (const LevelInfo& info : kLevels) {
    Consistency consistency{.level = info.level};
    if (incomplete(consistency)) consistency.max_lag = 7;
    CHECK(*parse_consistency(consistency.to_string()) == consistency);
  }
  CHECK(parse_consistency(" strong ")->level == Level::linearizable);
  CHECK(parse_consistency("none").error().code == ErrorCode::unknown_level);
  const auto parameter = parse_consistency("prefix; r=2");
  REQUIRE(!parameter);
  CHECK(error_text(parameter.error()) ==
        "bad-parameter: 'r' is no parameter of prefix, which takes ack");
}

TEST_CASE("http protocol: problems go there and back") {
  for (const Certainty certainty : {Certainty::definite, Certainty::indefinite}) {
    for (const ErrorCode code :
         {ErrorCode::bad_request, ErrorCode::timeout, ErrorCode::overloaded, ErrorCode::not_leader,
          ErrorCode::precondition_failed, ErrorCode::not_enough_replicas}) {
      Problem problem{.error = {code, certainty, "what was \"wrong\"", kNoNode}};
      if (code == ErrorCode::not_leader) {
        problem.error.leader = NodeId{3};
        problem.leader_address = "127.0.0.1:7103";
      }
      if (code == ErrorCode::precondition_failed) problem.etag = Stamp{Hlc{7}, NodeId{1}};
      if (code == ErrorCode::not_enough_replicas) {
        problem.error.required = 2;
        problem.error.received = 1;
      }
      const auto back = parse_problem(render_problem(problem));
      REQUIRE(back.has_value());
      CHECK(*back == problem);
    }
  }
  CHECK(render_problem({.error = indefinite(ErrorCode::timeout, "not yet\ncommitted \xff")}) ==
        "{\"type\":\"urn:parallax:error:timeout\",\"title\":\"The deadline passed\","
        "\"status\":504,\"detail\":\"not yet?committed ?\",\"code\":\"timeout\","
        "\"outcome\":\"unknown\",\"retryable\":true}\n");
  CHECK(render_problem({.error = definite(ErrorCode::not_leader, "x")})
            .find("\"leader\":null,\"leader_address\":null") != std::string::npos);
}

TEST_CASE("http protocol: bodies that are no problem are refused") {
  for (const auto* text : {"", "[]", "{", "{}", "{\"code\":1,\"outcome\":\"unknown\"}",
                           "{\"code\":\"no-such-code\",\"outcome\":\"unknown\"}",
                           "{\"code\":\"timeout\"}", "{\"code\":\"timeout\",\"outcome\":\"maybe\"}",
                           "{\"code\":\"timeout\",\"outcome\":\"unknown\",\"detail\":5}",
                           "{\"code\":\"timeout\",\"outcome\":\"unknown\",\"leader\":-1}",
                           "{\"code\":\"timeout\",\"outcome\":\"unknown\",\"leader_address\":1}",
                           "{\"code\":\"timeout\",\"outcome\":\"unknown\",\"etag\":\"x\"}"}) {
    INFO(text);
    const auto problem = parse_problem(text);
    REQUIRE(!problem);
    CHECK(problem.error().code == ErrorCode::corrupt);
  }
}

}  // namespace parallax
