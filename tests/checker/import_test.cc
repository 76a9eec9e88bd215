#include "consistency/checker/import.h"

#include <catch2/catch.hpp>

namespace parallax::checker {

TEST_CASE("import: a Jepsen log") {
  const auto history = import_jepsen_log(
      "INFO  jepsen.core - starting\n"
      "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n"
      "INFO  jepsen.util - 1\t:invoke\t:write\t4\n"
      "INFO  jepsen.util - 0\t:ok\t:read\tnil\n"
      "INFO  jepsen.util - 2\t:invoke\t:cas\t[4 2]\n"
      "INFO  jepsen.util - 1\t:info\t:write\t:timed-out\n"
      "INFO  jepsen.util - 2\t:fail\t:cas\t[4 2]\n"
      "INFO  jepsen.util - 3\t:invoke\t:read\tnil\n"
      "INFO  jepsen.util - 3\t:fail\t:read\t:timed-out\n"
      "INFO  jepsen.util - 4\t:invoke\t:cas\t[1 2]\n");
  REQUIRE(history.has_value());
  const auto& o = history->operations;
  const Texts& texts = history->texts;
  REQUIRE(o.size() == 5);
  CHECK(o[0].kind == OperationKind::read);
  CHECK(o[0].outcome == Outcome::ok);
  CHECK(o[0].result == kAbsent);
  CHECK((o[0].call_ns == 2 && o[0].return_ns == 4));
  CHECK(o[1].outcome == Outcome::unknown);
  CHECK(texts[o[1].value] == "4");
  CHECK(o[1].return_ns == kNever);
  CHECK(o[2].outcome == Outcome::mismatch);
  CHECK(o[2].result == kNothing);
  CHECK(texts[o[2].expected] == "4");
  CHECK(o[3].outcome == Outcome::failed);
  CHECK(o[4].outcome == Outcome::unknown);
  CHECK(texts[o[4].value] == "2");
}

TEST_CASE("import: a log of EDN maps") {
  const auto history = import_edn_log(
      R"({:process 3, :type :invoke, :f :append, :key "0", :value "x \"3\" 0 y"})"
      "\n"
      R"({:process 3, :type :ok, :f :append, :key "0", :value "x \"3\" 0 y", :index 1})"
      "\n"
      R"({:process 3, :type :invoke, :f :get, :key "0", :value nil})"
      "\n"
      R"({:process 3, :type :ok, :f :get, :key "0", :value ""})"
      "\n\n"
      R"({:process 4 :type :invoke :f :cas :value [nil 2]})"
      "\n"
      R"({:process 4 :type :fail :f :cas :value [nil 2] :error [:precondition "no"]})"
      "\n");
  REQUIRE(history.has_value());
  const auto& o = history->operations;
  const Texts& texts = history->texts;
  REQUIRE(o.size() == 3);
  CHECK(texts[o[0].value] == "x \"3\" 0 y");
  CHECK(o[0].kind == OperationKind::append);
  CHECK(o[1].kind == OperationKind::read);
  CHECK(o[1].result >= kFirstText);
  CHECK(texts[o[1].result].empty());
  CHECK(o[2].expected == kAbsent);
  CHECK(o[2].outcome == Outcome::failed);
  CHECK(texts[o[2].key] == "register");
}

TEST_CASE("import: errors name the line") {
  const auto jepsen = [](std::string_view rest) {
    const auto history = import_jepsen_log(
        "INFO  jepsen.util - 0 :invoke :read nil\n"
        "INFO  jepsen.util - " +
        std::string(rest));
    REQUIRE(history.has_error());
    CHECK_THAT(history.error().message, Catch::StartsWith("line 2: "));
    return history.error().message;
  };
  CHECK_THAT(jepsen("0 :invoke :read nil"), Catch::Contains("has not ended"));
  CHECK_THAT(jepsen("1 :ok :read nil"), Catch::Contains("has not invoked"));
  CHECK_THAT(jepsen("x :ok :read nil"), Catch::Contains("must be a number"));
  CHECK_THAT(jepsen("1 :invoke :peek nil"), Catch::Contains(":f is peek"));
  CHECK_THAT(jepsen("1 :invoke :cas 3"), Catch::Contains("[expected value]"));
  CHECK_THAT(jepsen("1 :invoke :write nil"), Catch::Contains("must be one value"));
  CHECK_THAT(jepsen("1 :invoke :read nil nil"), Catch::Contains("process :type :function value"));
  CHECK_THAT(jepsen("0 :maybe :read nil"), Catch::Contains(":type is maybe"));
  const auto edn = [](std::string_view line) {
    const auto history = import_edn_log(line);
    REQUIRE(history.has_error());
    return history.error().message;
  };
  CHECK_THAT(edn("process 3"), Catch::StartsWith("line 1: it must be a map"));
  CHECK_THAT(edn("{:process"), Catch::Contains("not an EDN map"));
  CHECK_THAT(edn("{:process \"unclosed}"), Catch::Contains("not an EDN map"));
  CHECK_THAT(edn("{:process 1 :value [1 2"), Catch::Contains("not an EDN map"));
  CHECK_THAT(edn("{:type :invoke}"), Catch::Contains("the process is \"\""));
}

}  // namespace parallax::checker
