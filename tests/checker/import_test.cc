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
  CHECK_THAT(edn("process 3"), Catch::StartsWith("line 1: it is not a map"));
  CHECK_THAT(edn("\n{:process"), Catch::StartsWith("line 2: the text ends and a \"}\""));
  CHECK_THAT(edn("{:process \"unclosed}"), Catch::Contains("inside of a string"));
  CHECK_THAT(edn("{:process 1 :value [1 2"), Catch::Contains("a \"]\" is missing"));
  CHECK_THAT(edn("{:process}"), Catch::Contains("a key without a value"));
  CHECK_THAT(edn("{:process 1 :value [[1] 2]}"), Catch::Contains("plain value"));
  CHECK_THAT(edn("{:process #"), Catch::Contains("must stand before a tag"));
  CHECK_THAT(edn("[{:process :nemesis}"), Catch::Contains("a \"]\" is missing"));
  CHECK_THAT(edn("]"), Catch::Contains("a \"]\" where a value is missing"));
  CHECK_THAT(edn(std::string(100, '[')), Catch::Contains("too deep"));
  CHECK_THAT(edn("{:a " + std::string(100, '[')), Catch::Contains("too deep"));
  CHECK_THAT(edn("{:type :invoke}"), Catch::Contains("the process is \"\""));
}

TEST_CASE("import: what EDN has beside the maps") {
  const auto history = import_edn_log(
      "; recorded today\n"
      "[{:process :nemesis, :type :info, :f :start, :value {:n1 #{:n2 :n3}}}\n"
      " {:process 1, :type :invoke, :f :read, :time #inst \"2020-01-01\", :value nil}\n"
      " {:process 1,\n  :type :ok, :f :read, :value 3, :error (1 [2])}]\n");
  REQUIRE(history.has_value());
  REQUIRE(history->operations.size() == 1);
  CHECK(history->texts[history->operations[0].result] == "3");
  CHECK(import_edn_log("")->operations.empty());
}

TEST_CASE("import: a set in EDN") {
  const auto history = import_edn_log(
      "{:process 1, :type :invoke, :f :add, :value 3}\n"
      "{:process 1, :type :ok, :f :add, :value 3}\n"
      "{:process 1, :type :invoke, :f :read, :value nil}\n"
      "{:process 1, :type :ok, :f :read, :value #{3 12}}\n");
  REQUIRE(history.has_value());
  CHECK(history->operations.at(0).kind == OperationKind::add);
  CHECK(history->texts[history->operations.at(0).value] == "3");
  CHECK(history->texts[history->operations.at(1).result] == R"(["3","12"])");
}

TEST_CASE("import: a log of a later Jepsen") {
  const auto history = import_jepsen_log(
      "2016-09-25 17:39:49,297{GMT}\tINFO\t[jepsen worker 4] jepsen.util: 4\t:invoke\t:read\tnil\n"
      "2016-09-25 17:39:49,298{GMT}\tINFO\t[jepsen nemesis] jepsen.util: "
      ":nemesis\t:info\t:start\tnil\n"
      "2016-09-25 17:39:49,299{GMT}\tINFO\t[jepsen worker 4] jepsen.util: 4\t:ok\t:read\t2\n");
  REQUIRE(history.has_value());
  REQUIRE(history->operations.size() == 1);
  CHECK(history->texts[history->operations[0].result] == "2");
}

TEST_CASE("import: Elle transactions of one operation each") {
  const auto history = import_elle_json(
      R"([{"type":"invoke","f":"txn","value":[["append",9,1]],"process":0,"time":1,"index":0},)"
      "\n"
      R"( {"type":"invoke","f":"txn","value":[["r",9,null]],"process":1,"time":2,"index":1},)"
      "\n"
      R"( {"type":"ok","f":"txn","value":[["append",9,1]],"process":0,"time":3,"index":2},)"
      "\n"
      R"( {"type":"ok","f":"txn","value":[["r",9,[1,"a \"b\""]]],"process":1,"time":4,"index":3},)"
      "\n"
      R"( {"type":"info","f":"start","value":null,"process":"nemesis"},)"
      "\n"
      R"( {"type":"invoke","f":"txn","value":[["r","k",null]],"process":0},)"
      "\n"
      R"( {"type":"ok","f":"txn","value":[["r","k",[]]],"process":0},)"
      "\n"
      R"( {"type":"invoke","f":"txn","value":[["append",9,2]],"process":0},)"
      "\n"
      R"( {"type":"fail","f":"txn","value":[["append",9,2]],"process":0},)"
      "\n"
      R"( {"type":"invoke","f":"txn","value":[["append",9,3],["r",9,null]],"process":0}])"
      "\n");
  REQUIRE(history.has_value());
  const auto& o = history->operations;
  const Texts& texts = history->texts;
  REQUIRE(o.size() == 5);
  CHECK(o[0].kind == OperationKind::append);
  CHECK(texts[o[0].value] == "1 ");
  CHECK((o[0].call_ns == 1 && o[0].return_ns == 3));
  CHECK(texts[o[0].key] == "9");
  CHECK(o[1].kind == OperationKind::read);
  CHECK(texts[o[1].result] == "1 \"a \\\"b\\\"\" ");
  CHECK(o[2].result == kAbsent);
  CHECK(o[3].outcome == Outcome::failed);
  CHECK(o[4].kind == OperationKind::txn);
  CHECK(o[4].outcome == Outcome::unknown);
  // One object a line is as good.
  const auto lines =
      import_elle_json(R"({"type":"invoke","f":"txn","value":[["r",1,null]],"process":0})"
                       "\n"
                       R"({"type":"ok","f":"txn","value":[["r",1,null]],"process":0})");
  REQUIRE(lines.has_value());
  CHECK(lines->operations.at(0).result == kAbsent);
  CHECK(import_elle_json("[]")->operations.empty());
}

TEST_CASE("import: errors of Elle histories name the line") {
  const auto error = [](std::string_view second) {
    const auto history =
        import_elle_json(R"([{"type":"invoke","f":"txn","value":[["r",1,null]],"process":0},)"
                         "\n" +
                         std::string(second));
    REQUIRE(history.has_error());
    CHECK_THAT(history.error().message, Catch::StartsWith("line 2: "));
    return history.error().message;
  };
  const auto ok = [&](std::string_view value) {
    return error(R"({"type":"ok","f":"txn","process":0,"value":)" + std::string(value) + "}]");
  };
  CHECK_THAT(error("{\"type\":}]"), Catch::Contains("not JSON"));
  CHECK_THAT(error("{\"type\":\"ok\""), Catch::Contains("not closed"));
  CHECK_THAT(error("17]"), Catch::Contains("must be an object"));
  CHECK_THAT(error(""), Catch::Contains("\"]\" is missing"));
  CHECK_THAT(error("{}]"), Catch::Contains("\"process\" is missing"));
  CHECK_THAT(error(R"({"process":0,"type":"maybe","value":[]}])"), Catch::Contains("\"type\""));
  CHECK_THAT(error(R"({"process":0,"type":"invoke","value":[]}])"),
             Catch::Contains("has not ended"));
  CHECK_THAT(error(R"({"process":1,"type":"ok","value":[]}])"), Catch::Contains("not invoked"));
  CHECK_THAT(ok("3"), Catch::Contains("\"value\""));
  CHECK_THAT(ok("[[\"w\",1,2]]"), Catch::Contains("\"append\" or \"r\""));
  CHECK_THAT(ok("[[\"r\",1]]"), Catch::Contains("[\"r\", key, list]"));
  CHECK_THAT(ok("[[\"r\",1,2]]"), Catch::Contains("list"));
  CHECK_THAT(ok("[[\"r\",1,[1]]]}] ]"), Catch::Contains("after its end"));
}

}  // namespace parallax::checker
