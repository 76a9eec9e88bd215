#include "node/http_routes.h"

#include <catch2/catch.hpp>

#include "client/http_protocol.h"
#include "consistency/key_context.h"
#include "node/page_token.h"

namespace parallax {
namespace {

using Headers = std::vector<HttpHeaderView>;

Routed ask(std::string_view method, std::string_view target, const Headers& headers = {},
           std::string body = {},
           RouteOptions options = {.max_value_bytes = 100, .enable_faults = true}) {
  return route({.method = method, .target = target, .headers = headers, .body = body}, options);
}

KvCall kv(const Routed& routed) {
  if (const auto* reply = std::get_if<HttpReply>(&routed)) FAIL(reply->body);
  REQUIRE(std::holds_alternative<KvCall>(routed));
  return std::get<KvCall>(routed);
}

template <class Call>
Call admin(const Routed& routed) {
  if (const auto* reply = std::get_if<HttpReply>(&routed)) FAIL(reply->body);
  REQUIRE(std::holds_alternative<AdminCall>(routed));
  REQUIRE(std::holds_alternative<Call>(std::get<AdminCall>(routed)));
  return std::get<Call>(std::get<AdminCall>(routed));
}

}  // namespace

TEST_CASE("http routes: ack and on_violation may be given beside a policy's level") {
  const Request put = kv(ask("PUT", "/v1/kv/a?ack=all")).request;
  CHECK(put.level_by_policy);
  CHECK(put.policy_ack == Ack::all);
  CHECK_FALSE(put.policy_on_violation);
  const Request get = kv(ask("GET", "/v1/kv/a?on_violation=reject")).request;
  CHECK(get.level_by_policy);
  CHECK(get.policy_on_violation == OnViolation::reject);
  // A policy's own level is known.
  const Request policy = kv(ask("DELETE", "/v1/policies/a?ack=all")).request;
  CHECK_FALSE(policy.level_by_policy);
  CHECK(policy.consistency == Consistency{.level = Level::linearizable, .ack = Ack::all});
}

TEST_CASE("http routes: operations on keys") {
  const KvCall get = kv(ask("GET", "/v1/kv/a%2Fb/c%00"));
  CHECK(std::get<Get>(get.request.operation).key == std::string("a/b/c\0", 6));
  CHECK(get.request.level_by_policy);
  CHECK_FALSE(get.form.level);
  CHECK(get.form.key == std::string("a/b/c\0", 6));
  CHECK(get.request.timeout == limits::kDefaultRequestTimeout);
  CHECK(get.request.forward);
  CHECK(get.form.op == KvOp::get);

  const KvCall put = kv(ask("PUT", "/v1/kv/k%C3%A4se?timeout_ms=60000&forward=false",
                            {{"content-TYPE", "text/plain"}, {"Host", "x"}}, "value"));
  CHECK(put.request.operation == Operation(Put{"k\xC3\xA4se", Bytes("value"), "text/plain"}));
  CHECK(put.request.timeout == std::chrono::milliseconds{60'000});
  CHECK_FALSE(put.request.forward);
  CHECK(put.form.op == KvOp::put);

  const KvCall remove = kv(ask("DELETE", "/v1/kv/x?consistency=strong"));
  CHECK(remove.request.operation == Operation(Delete{"x"}));
  CHECK(remove.form.op == KvOp::remove);

  const KvCall head = kv(ask("HEAD", "http://host:1/v1/kv/x?consistency=prefix"));
  CHECK(head.request.operation == Operation(Get{"x"}));
  CHECK(head.request.consistency.level == Level::prefix);
  CHECK(head.form.op == KvOp::head);
  CHECK(head.form.level == Level::prefix);

  CHECK(kv(ask("PUT", "/v1/kv/" + std::string(1024, 'k'))).form.op == KvOp::put);
  CHECK(kv(ask("PUT", "/v1/kv/x", {}, std::string(100, 'v'))).form.op == KvOp::put);
  CHECK(std::get<Get>(kv(ask("GET", "/v1/kv/..")).request.operation).key == "..");
  CHECK(std::get<Get>(kv(ask("GET", "/v1/kv/a+b")).request.operation).key == "a+b");
}

TEST_CASE("http routes: what is explained is read as the request itself") {
  const Explain read = admin<Explain>(ask("GET", "/v1/explain?op=read"));
  CHECK(read.request.operation == Operation(Get{""}));
  CHECK(read.request.level_by_policy);
  const std::string session = SessionToken{.index = LogIndex{7}}.encode();
  const Headers headers{{"Parallax-Consistency", "quorum"}, {"Parallax-Session", session}};
  const std::string query = "key=a%2Fb&r=1&w=all&forward=false&timeout_ms=70";
  const Explain write = admin<Explain>(ask("HEAD", "/v1/explain?op=write&" + query, headers));
  const KvCall put = kv(ask("PUT", "/v1/kv/a%2Fb?" + query.substr(query.find('&') + 1), headers));
  CHECK(write.request == put.request);
  CHECK(write.request.session->index == LogIndex{7});
}

TEST_CASE("http routes: a put's value is the body itself") {
  const Bytes body(std::string(50, 'v'));
  const Routed routed =
      route({.method = "PUT", .target = "/v1/kv/k", .headers = {}, .body = body}, {});
  CHECK(std::get<Put>(kv(routed).request.operation).value.view().data() == body.view().data());
}

TEST_CASE("http routes: the query's level wins over the header's") {
  const Headers prefix{{"parallax-consistency", "prefix"}};
  CHECK(kv(ask("GET", "/v1/kv/x", prefix)).form.level == Level::prefix);
  CHECK(kv(ask("GET", "/v1/kv/x?consistency=linearizable", prefix)).form.level ==
        Level::linearizable);
  const Headers unknown{{"Parallax-Consistency", "gold"}};
  CHECK(kv(ask("GET", "/v1/kv/x?consistency=prefix", unknown)).form.level == Level::prefix);
  CHECK_FALSE(kv(ask("GET", "/v1/kv/x", prefix)).request.level_by_policy);
}

TEST_CASE("http routes: what a write may ask for") {
  const VersionVector seen({{kLogActor, Hlc{99}}});
  const std::string context = encode_key_context("k", seen);
  SessionToken token;
  token.cluster = {1, 2};
  token.index = LogIndex{7};
  const std::string session = token.encode();
  const Headers headers{{"If-Match", "\"12-1\", \"13-2\""}, {"if-none-match", "*"},
                        {"Idempotency-Key", "once"},        {"Parallax-Context", context},
                        {"Parallax-Session", session},      {"Content-Type", "text/plain"}};
  const Conditions both{EtagSet{.stamps = {{Hlc{12}, NodeId{1}}, {Hlc{13}, NodeId{2}}}},
                        EtagSet{.any = true}};
  const Request put = kv(ask("PUT", "/v1/kv/k?ttl_ms=1500", headers, "v")).request;
  CHECK(put.operation ==
        Operation(Put{"k", Bytes("v"), "text/plain", std::chrono::milliseconds{1500}}));
  CHECK(put.conditions == both);
  CHECK(put.idempotency_key == "once");
  CHECK(put.context == seen);
  CHECK(put.session == token);
  const Request remove = kv(ask("DELETE", "/v1/kv/k", headers)).request;
  CHECK(remove.operation == Operation(Delete{"k"}));
  CHECK(remove.conditions == both);
  CHECK(remove.idempotency_key == "once");
  CHECK(remove.context == seen);
  CHECK_FALSE(kv(ask("PUT", "/v1/kv/k")).request.context);
  CHECK(kv(ask("PUT", "/v1/kv/k")).request.conditions.empty());
  const Routed other = ask("PUT", "/v1/kv/another", {{"Parallax-Context", context}});
  REQUIRE(std::holds_alternative<HttpReply>(other));  // a context is bound to its key
}

TEST_CASE("http routes: reads of one key") {
  const KvCall get =
      kv(ask("GET", "/v1/kv/k?siblings=true", {{"If-None-Match", "\"other\", \"12-1\""}}));
  CHECK(get.request.operation == Operation(Get{"k", true}));
  CHECK(get.form.if_none_match == EtagSet{.stamps = {{Hlc{12}, NodeId{1}}}});
  CHECK(get.request.conditions.empty());  // nothing for the node to decide
  const Request history = kv(ask("GET", "/v1/history/a%2fb?from=5&to=5")).request;
  CHECK(history.operation == Operation(ReadHistory{"a/b", UnixMillis{5}, UnixMillis{5}}));
  CHECK(kv(ask("GET", "/v1/history/a")).request.operation == Operation(ReadHistory{.key = "a"}));
}

TEST_CASE("http routes: convergent values") {
  const auto update = [](std::string body, std::string_view query = "") {
    const KvCall call = kv(ask("POST", "/v1/crdt/a%2Fb" + std::string(query), {}, std::move(body)));
    CHECK(call.form.op == KvOp::update_crdt);
    CHECK(call.form.key == "a/b");
    CHECK(call.request.level_by_policy == query.empty());
    const auto& asked = std::get<UpdateCrdt>(call.request.operation);
    CHECK(asked.key == "a/b");
    CHECK(crdt_op_info(asked.update.op).type == asked.type);
    return asked.update;
  };
  CHECK(update(R"({"type":"counter","op":"increment"})") == CrdtUpdate{});
  CHECK(update(R"({"type":"counter","op":"increment","by":-7,"element":null})") ==
        CrdtUpdate{.by = -7});
  CHECK(update(R"({"type":"set","op":"add","element":"x"})", "?consistency=quorum&w=3") ==
        CrdtUpdate{.op = CrdtOp::add, .name = R"("x")"});
  // Equal elements are one, however they are written.
  CHECK(update(R"({"type":"set","op":"remove","element":{"b":[1,2.5],"a":"\u0041"}})") ==
        CrdtUpdate{.op = CrdtOp::remove, .name = R"({"a":"A","b":[1,2.5]})"});
  CHECK(update(R"({"type":"map","op":"put","field":"f","value":false})") ==
        CrdtUpdate{.op = CrdtOp::put, .name = "f", .value = "false"});
  CHECK(update(R"({"type":"map","op":"delete","field":"f"})") ==
        CrdtUpdate{.op = CrdtOp::erase, .name = "f"});
  const KvCall get = kv(ask("GET", "/v1/crdt/k?consistency=weak"));
  CHECK(get.request.operation == Operation(GetCrdt{"k"}));
  CHECK(get.form.op == KvOp::get_crdt);
  CHECK(get.form.level == Level::weak);
}

TEST_CASE("http routes: increments") {
  const auto increment = [](std::string_view target, std::string body) {
    return std::get<Increment>(kv(ask("POST", target, {}, std::move(body))).request.operation);
  };
  CHECK(increment("/v1/kv/a/increment", R"({"by": -5})") == Increment{"a", -5});
  CHECK(increment("/v1/kv/a/increment", "") == Increment{"a", 1});
  CHECK(increment("/v1/kv/a/increment", "{}") == Increment{"a", 1});
  CHECK(increment("/v1/kv/a/increment/increment", "") == Increment{"a/increment", 1});
  CHECK(increment("/v1/kv/a/increment", R"({"by":-9223372036854775808})").by == INT64_MIN);
  CHECK(kv(ask("POST", "/v1/kv/a/increment", {{"Idempotency-Key", "1"}})).request.idempotency_key ==
        "1");
  // Only a POST: such keys are keys like others.
  CHECK(kv(ask("GET", "/v1/kv/a/increment")).form.key == "a/increment");
  CHECK(kv(ask("PUT", "/v1/kv/a/increment")).form.key == "a/increment");
  CHECK(kv(ask("DELETE", "/v1/kv/a/increment")).form.key == "a/increment");
}

TEST_CASE("http routes: ranges") {
  const auto scan = [](const std::string& query) {
    const KvCall call = kv(ask("GET", "/v1/kv" + query));
    CHECK(call.form.op == KvOp::scan);
    CHECK(call.form.range == std::get<Scan>(call.request.operation));
    return std::get<Scan>(call.request.operation);
  };
  CHECK(scan("") == Scan{});
  CHECK(scan("?prefix=&start=&end=&next=") == Scan{});
  CHECK(scan("?prefix=a%20/+b") == Scan{.start = "a / b", .end = "a / c"});
  CHECK(scan("?prefix=a%FF") == Scan{.start = "a\xff", .end = "b"});
  CHECK(scan("?prefix=%FF%FF") == Scan{.start = "\xff\xff", .end = ""});
  CHECK(scan("?prefix=a&start=ab&end=ac") == Scan{.start = "ab", .end = "ac"});
  CHECK(scan("?prefix=b&start=a&end=c") == Scan{.start = "b", .end = "c"});
  CHECK(scan("?prefix=b&start=a&end=d") == Scan{.start = "b", .end = "c"});
  CHECK(scan("?start=b&end=b&limit=1000&reverse=true&keys_only=true") ==
        Scan{.start = "b", .end = "b", .limit = 1000, .reverse = true, .keys_only = true});

  const Scan first{.start = "a", .end = "b", .limit = 5, .reverse = true, .keys_only = true};
  const std::string next = encode_page_token({first, "am"});
  const auto page = [&](const std::string& query) {
    const KvCall call = kv(ask("GET", "/v1/kv?next=" + next + query));
    return std::pair(*call.form.range, std::get<Scan>(call.request.operation));
  };
  Scan rest = first;
  rest.end = "am";
  CHECK(page("") == std::pair(first, rest));
  CHECK(page("&prefix=a&reverse=true&limit=5&keys_only=true") == std::pair(first, rest));
  rest.limit = 7;
  rest.keys_only = false;
  CHECK(page("&limit=7&keys_only=false").second == rest);
  for (const std::string wrong : {"&prefix=b", "&start=aa", "&end=az", "&reverse=false"}) {
    const Routed routed = ask("GET", "/v1/kv?next=" + next + wrong);
    REQUIRE(std::holds_alternative<HttpReply>(routed));
    CHECK(std::get<HttpReply>(routed).status == 400);
    CHECK(std::get<HttpReply>(routed).body.find("next belongs to another range") !=
          std::string::npos);
  }
}

TEST_CASE("http routes: several keys") {
  const KvCall call = kv(ask("GET", "/v1/kv?key=b&key=a%2Fc&consistency=prefix&key=b"));
  CHECK(call.form.op == KvOp::get_many);
  CHECK(call.request.operation == Operation(GetMany{{"b", "a/c", "b"}}));
  CHECK(call.form.level == Level::prefix);
  std::string many = "/v1/kv?key=k";
  for (std::size_t i = 1; i < limits::kMaxScanLimit; ++i) many += "&key=k";
  CHECK(std::get<GetMany>(kv(ask("GET", many)).request.operation).keys.size() == 1000);
  CHECK(std::holds_alternative<HttpReply>(ask("GET", many + "&key=k")));
}

TEST_CASE("http routes: policies") {
  const auto policy = [](std::string_view method, std::string_view target, std::string body = {}) {
    const KvCall call = kv(ask(method, target, {}, std::move(body)));
    CHECK_FALSE(call.request.level_by_policy);
    return call.request.operation;
  };
  CHECK(policy("GET", "/v1/policies") == Operation(ListPolicies{}));
  CHECK(policy("GET", "/v1/policies/") == Operation(GetPolicy{""}));
  CHECK(policy("GET", "/v1/policies/a%2Fb/c") == Operation(GetPolicy{"a/b/c"}));
  CHECK(policy("DELETE", "/v1/policies/a") == Operation(SetPolicy{"a", std::nullopt}));
  CHECK(policy("PUT", "/v1/policies/a", "{}") == Operation(SetPolicy{"a", Policy{}}));
  CHECK(policy("PUT", "/v1/policies/a",
               R"({"default_consistency":"prefix","mixing":"deny","conflict":"last-writer"})") ==
        Operation(SetPolicy{"a", Policy{Consistency{.level = Level::prefix}, Mixing::deny,
                                        ConflictStrategy::last_writer}}));
  CHECK(policy("PUT", "/v1/policies/a", R"({"default_consistency":null})") ==
        Operation(SetPolicy{"a", Policy{}}));
}

TEST_CASE("http routes: a policy's level may have parameters") {
  const KvCall call =
      kv(ask("PUT", "/v1/policies/a", {}, R"({"default_consistency":"quorum; r=1; w=3"})"));
  CHECK(call.request.operation ==
        Operation(
            SetPolicy{"a", Policy{Consistency{.level = Level::quorum, .r = 1, .w = 3}, {}, {}}}));
}

TEST_CASE("http routes: levels with parameters") {
  struct Case {
    const char* query;
    const char* header;  ///< or nullptr
    Consistency consistency;
  };
  const auto c = GENERATE(values<Case>({
      {"?consistency=quorum", nullptr, {Level::quorum}},
      {"?consistency=quorum&r=2&w=1", nullptr, {Level::quorum, 2, 1}},
      {"?r=1&w=all&consistency=quorum", nullptr, {Level::quorum, 1, Consistency::kAll}},
      {"?consistency=quorum&sloppy=true&repair=blocking",
       nullptr,
       {Level::quorum, 0, 0, true, true}},
      {"?consistency=quorum&sloppy=false&repair=async", nullptr, {Level::quorum}},
      {"?consistency=quorum%3B%20r=2&w=1", nullptr, {Level::quorum, 2, 1}},
      {"?consistency=all&sloppy=true",
       nullptr,
       {Level::quorum, Consistency::kAll, Consistency::kAll, true}},
      {"?consistency=atomic", nullptr, {Level::atomic}},
      {"?consistency=eventual", nullptr, {Level::eventual}},
      {"?consistency=weak", nullptr, {Level::weak}},
      {"", "quorum; r=2; w=2", {Level::quorum, 2, 2}},
      {"", "one", {Level::quorum, 1, 1}},
      // The query wins: as a whole where it names a level, else parameter by parameter.
      {"?consistency=quorum", "quorum; r=2; w=2", {Level::quorum}},
      {"?consistency=strong", "quorum; r=2; w=2", {Level::linearizable}},
      {"?r=1", "quorum; r=2; w=2", {Level::quorum, 1, 2}},
      {"?r=2", "one", {Level::quorum, 2, 1}},
  }));
  CAPTURE(c.query);
  Headers headers;
  if (c.header != nullptr) headers.push_back({"Parallax-Consistency", c.header});
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE"}) {
    const KvCall call = kv(ask(method, std::string("/v1/kv/a") + c.query, headers));
    CHECK_FALSE(call.request.level_by_policy);
    CHECK(call.request.consistency == c.consistency);
    CHECK(call.form.level == c.consistency.level);
  }
}

TEST_CASE("http routes: what a level cannot carry is left to the node where a policy names it") {
  CHECK(kv(ask("POST", "/v1/kv/a/increment")).request.level_by_policy);
  CHECK(kv(ask("GET", "/v1/kv?prefix=a")).request.level_by_policy);
  CHECK(kv(ask("PUT", "/v1/kv/a", {{"If-Match", "*"}})).request.level_by_policy);
  CHECK(kv(ask("GET", "/v1/kv?prefix=a&consistency=eventual")).request.consistency.level ==
        Level::eventual);
}

TEST_CASE("http routes: how long a body may be is known from its head") {
  const RouteOptions options{.max_value_bytes = 1 << 20};
  CHECK(max_body_bytes("PUT", "/v1/kv/a?x=1", options) == 1 << 20);
  CHECK(max_body_bytes("POST", "/v1/batch", options) == limits::kMaxBatchBytes);
  CHECK(max_body_bytes("PUT", "/v1/kv/a", {.max_value_bytes = 1}) == kMaxAdminBodyBytes);
  CHECK(max_body_bytes("BREW", "/coffee", {.max_value_bytes = 1}) == kMaxAdminBodyBytes);
}

TEST_CASE("http routes: everything else that there is") {
  admin<ShowCluster>(ask("GET", "/v1/cluster"));
  admin<ShowCluster>(ask("HEAD", "/v1/cluster?"));
  admin<ShowStatus>(ask("GET", "/v1/status"));
  admin<CheckHealth>(ask("GET", "/healthz?probe=1"));
  admin<CheckReady>(ask("GET", "/readyz"));
  admin<ShowMetrics>(ask("GET", "/metrics"));
  admin<ShowOpenApi>(ask("GET", "/v1/openapi.json"));
  CHECK(admin<TransferLeadership>(ask("POST", "/v1/cluster/transfer-leadership", {}, "{\"to\": 3}"))
            .to == NodeId{3});
  CHECK(admin<SetFaults>(ask("DELETE", "/v1/faults")).faults.drop_from.empty());
}

TEST_CASE("http routes: faults") {
  const FaultSettings all =
      admin<SetFaults>(ask("POST", "/v1/faults", {},
                           R"({"drop_from":[2,3],"drop_to":[2],"drop_probability":0.5,"delay_ms":20,
                  "duplicate_probability":1,"reorder_probability":0.25,"clock_offset_ms":-700,
                  "fsync_delay_ms":5,"disk_full":true,"on_crash":"torn_tail",
                  "fail_point":{"name":"before-send","action":"crash"}})"))
          .faults;
  CHECK(all.drop_from == std::vector{NodeId{2}, NodeId{3}});
  CHECK(all.drop_to == std::vector{NodeId{2}});
  CHECK(all.drop_probability == 0.5);
  CHECK(all.delay == std::chrono::milliseconds{20});
  CHECK(all.duplicate_probability == 1);
  CHECK(all.reorder_probability == 0.25);
  CHECK(all.clock_offset_ms == -700);
  CHECK(all.fsync_delay == std::chrono::milliseconds{5});
  CHECK(all.disk_full);
  CHECK(all.on_crash == FaultSettings::OnCrash::torn_tail);
  REQUIRE(all.fail_point);
  CHECK(all.fail_point->name == "before-send");
  CHECK(all.fail_point->action == "crash");

  const FaultSettings none = admin<SetFaults>(ask("POST", "/v1/faults", {}, "{}")).faults;
  CHECK(none.drop_probability == 0);
  CHECK(none.on_crash == FaultSettings::OnCrash::keep);
  CHECK_FALSE(none.fail_point);

  const auto refused = [](std::string_view body) {
    const auto faults = parse_faults(body);
    REQUIRE(!faults);
    return faults.error().message;
  };
  CHECK(refused("[]") == "the body must be a JSON object");
  CHECK(refused("{").find("the body must be a JSON object: ") == 0);
  CHECK(refused(R"({"dropfrom":[]})").find("'dropfrom' is not known; it may be drop_from, ") == 0);
  CHECK(refused(R"({"drop_from":2})") ==
        "\"drop_from\" must be a list of whole numbers from 1 to 4294967295");
  CHECK(refused(R"({"drop_from":[0]})").find("\"drop_from\" must be a list") == 0);
  CHECK(refused(R"({"drop_probability":1.5})") ==
        "\"drop_probability\" must be a number from 0 to 1");
  CHECK(refused(R"({"delay_ms":-1})") == "\"delay_ms\" must be a whole number from 0 to 60000");
  CHECK(refused(R"({"delay_ms":1.5})").find("\"delay_ms\" must be") == 0);
  CHECK(refused(R"({"disk_full":1})") == "\"disk_full\" must be true or false");
  CHECK(refused(R"({"on_crash":"burn"})") ==
        "\"on_crash\" must be keep, drop_unsynced or torn_tail");
  CHECK(refused(R"({"fail_point":{"name":"x","action":"crash"}})")
            .find("\"fail_point.name\" must be one of before-send, ") == 0);
  CHECK(refused(R"({"fail_point":{"name":"before-send","action":"x"}})") ==
        "\"fail_point.action\" must be crash or pause");
  CHECK(refused(R"({"fail_point":{"where":1}})")
            .find("'fail_point.where' is not known; it may be fail_point.name, ") == 0);
  CHECK(refused(R"({"fail_point":5})") == "\"fail_point\" must be an object");
}

TEST_CASE("http routes: without fault injection there are no faults") {
  for (const auto* method : {"POST", "DELETE", "GET"}) {
    const Routed routed = ask(method, "/v1/faults", {}, "", {});
    REQUIRE(std::holds_alternative<HttpReply>(routed));
    CHECK(std::get<HttpReply>(routed).status == 404);
    CHECK(std::get<HttpReply>(routed).body.find("--enable-fault-injection") != std::string::npos);
  }
}

}  // namespace parallax
