#include "node/http_batch.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "base/base64.h"
#include "consistency/key_context.h"
#include "node/http_bodies.h"

namespace parallax {
namespace {

BatchDefaults defaults() {
  BatchDefaults out{.max_value_bytes = 100};
  out.request.level_by_policy = true;
  out.request.timeout = std::chrono::milliseconds{700};
  out.request.forward = false;
  out.request.session = SessionToken{.cluster = {1, 2}, .index = LogIndex{5}};
  return out;
}

BatchCall parse(const std::string& operations) {
  auto batch = parse_batch("{\"operations\":[" + operations + "]}", defaults());
  if (!batch) FAIL(batch.error().message);
  return std::move(*batch);
}

KvCall only(const std::string& operation) {
  BatchCall batch = parse(operation);
  REQUIRE(batch.operations.size() == 1);
  if (const auto* error = std::get_if<Error>(&batch.operations[0])) FAIL(error->message);
  return std::get<KvCall>(batch.operations[0]);
}

std::string refused(const std::string& operation) {
  // In the second place, so that its number shows.
  BatchCall batch = parse(R"({"op":"get","key":"a"},)" + operation);
  REQUIRE(batch.operations.size() == 2);
  CHECK(std::holds_alternative<KvCall>(batch.operations[0]));
  REQUIRE(std::holds_alternative<Error>(batch.operations[1]));
  const Error& error = std::get<Error>(batch.operations[1]);
  CHECK(error.definite());
  return std::string(error_info(error.code).name) + ": " + error.message;
}

Answer written(std::uint64_t stamp) {
  return Answer{.stamp = Stamp{Hlc{stamp}, NodeId{1}},
                .evidence = {.node = NodeId{1}, .path = Path::log},
                .session = {.cluster = {1, 2}, .index = LogIndex{stamp}}};
}

Answer value_of(std::string value) {
  Answer answer = written(3);
  answer.found = true;
  answer.value = Bytes(std::move(value));
  return answer;
}

}  // namespace

TEST_CASE("http batch: an operation has a level of its own with its parameters") {
  const auto level = [](const std::string& members) {
    const KvCall call = only(R"({"op":"get","key":"a",)" + members + "}");
    CHECK_FALSE(call.request.level_by_policy);
    CHECK(call.form.level == call.request.consistency.level);
    return call.request.consistency;
  };
  CHECK(level(R"("consistency":"quorum","r":2,"w":1)") == Consistency{Level::quorum, 2, 1});
  CHECK(level(R"("consistency":"quorum; r=2","w":"all")") ==
        Consistency{Level::quorum, 2, Consistency::kAll});
  CHECK(level(R"("consistency":"two","sloppy":true,"repair":"blocking")") ==
        Consistency{Level::quorum, 2, 2, true, true});
  CHECK(level(R"("consistency":"quorum","sloppy":false,"repair":"async","r":null)") ==
        Consistency{Level::quorum});
  CHECK(level(R"("consistency":"weak")") == Consistency{Level::weak});
  CHECK(
      level(
          R"("consistency":"bounded","max_staleness_ms":9,"max_lag":2,"on_violation":"reject")") ==
      Consistency{.level = Level::bounded,
                  .max_staleness_ms = 9,
                  .max_lag = 2,
                  .on_violation = OnViolation::reject});
  CHECK(only(R"({"op":"put","key":"a","value":"1","consistency":"linearizable","ack":"leader"})")
            .request.consistency == Consistency{.level = Level::linearizable, .ack = Ack::leader});

  CHECK(refused(R"({"op":"get","key":"a","r":2})") ==
        "bad-parameter: r says nothing without a level; name one that takes it: quorum");
  CHECK(refused(R"({"op":"get","key":"a","consistency":"quorum","r":0})") ==
        "bad-parameter: r='0' must be a whole number from 1 to the replicas, or all");
  CHECK(refused(R"({"op":"get","key":"a","consistency":"quorum","r":"2"})") ==
        "bad-parameter: \"operations[1].r\" must be a whole number from 1 to the replicas, or "
        "\"all\"");
  CHECK(refused(R"({"op":"get","key":"a","consistency":"quorum","w":1.5})")
            .find("\"operations[1].w\" must be a whole number") != std::string::npos);
  CHECK(refused(R"({"op":"get","key":"a","consistency":"quorum","sloppy":"yes"})") ==
        "bad-parameter: \"operations[1].sloppy\" must be true or false");
  CHECK(refused(R"({"op":"get","key":"a","consistency":"quorum","repair":"now"})") ==
        "bad-parameter: repair='now' must be async or blocking");
  CHECK(refused(R"({"op":"get","key":"a","consistency":"one","w":2})") ==
        "bad-parameter: w is given twice");
  CHECK(refused(R"({"op":"get","key":"a","consistency":"prefix","w":2})") ==
        "bad-parameter: 'w' is no parameter of prefix, which takes ack");
}

TEST_CASE("http batch: parameters alone belong to the level of the request") {
  BatchDefaults with_level = defaults();
  with_level.request.level_by_policy = false;
  with_level.request.consistency = {Level::quorum, 2, 2};
  const auto batch = parse_batch(
      R"({"operations":[{"op":"get","key":"a","r":1},{"op":"increment","key":"a"},
          {"op":"increment","key":"a","consistency":"strong"}]})",
      with_level);
  REQUIRE(batch.has_value());
  CHECK(std::get<KvCall>(batch->operations[0]).request.consistency ==
        Consistency{Level::quorum, 1, 2});
  CHECK(std::get<Error>(batch->operations[1]).code == ErrorCode::condition_unsupported);
  CHECK(std::holds_alternative<KvCall>(batch->operations[2]));
}

TEST_CASE("http batch: a write at weak was received, too few replicas say how many") {
  BatchRun run(parse(R"({"op":"put","key":"a","value":"1","consistency":"weak"},)"
                     R"({"op":"put","key":"b","value":"1","consistency":"all"})"));
  REQUIRE(run.next());
  REQUIRE(run.next());
  Answer answer = written(1);
  answer.consistency = {.level = Level::weak};
  run.on_reply(0, answer);
  Error few = indefinite(ErrorCode::not_enough_replicas, "x");
  few.required = 3;
  few.received = 2;
  run.on_reply(1, few);
  const auto body = boost::json::parse(batch_body(run, [](const Error&) { return std::string(); }));
  const auto& results = body.at("results").as_array();
  CHECK(results.at(0).at("status") == 202);
  CHECK(results.at(0).at("consistency") == "weak");
  CHECK(results.at(1).at("status") == 503);
  CHECK(results.at(1).at("problem").at("required") == 3);
  CHECK(results.at(1).at("problem").at("received") == 2);
  CHECK(results.at(1).at("problem").at("outcome") == "unknown");
}

TEST_CASE("http batch: operations") {
  const KvCall put = only(R"({"op":"put","key":"k","value":"v","content_type":"text/plain",
      "ttl_ms":9,"if_match":"\"12-1\"","if_none_match":"*","idempotency_key":"once",
      "consistency":"prefix","timeout_ms":5})");
  CHECK(put.request.operation ==
        Operation(Put{"k", Bytes("v"), "text/plain", std::chrono::milliseconds{9}}));
  CHECK(put.request.conditions ==
        Conditions{EtagSet{.stamps = {{Hlc{12}, NodeId{1}}}}, EtagSet{.any = true}});
  CHECK(put.request.idempotency_key == "once");
  CHECK(put.request.consistency.level == Level::prefix);
  CHECK_FALSE(put.request.level_by_policy);
  CHECK(put.request.timeout == std::chrono::milliseconds{5});
  CHECK_FALSE(put.request.forward);
  CHECK(put.request.session == defaults().request.session);
  CHECK(put.form.op == KvOp::put);
  CHECK(put.form.key == "k");
  CHECK(put.form.level == Level::prefix);

  const KvCall bytes = only(R"({"op":"put","key_base64":"AP8=","value_base64":"/w=="})");
  CHECK(bytes.request.operation == Operation(Put{std::string("\0\xff", 2), Bytes("\xff"), ""}));
  CHECK(bytes.request.level_by_policy);
  CHECK(bytes.request.timeout == std::chrono::milliseconds{700});
  CHECK(only(R"({"op":"put","key":"k","value":""})").request.operation ==
        Operation(Put{"k", Bytes(), ""}));

  const KvCall get = only(R"({"op":"get","key":"k","siblings":true,"if_none_match":"\"12-1\""})");
  CHECK(get.request.operation == Operation(Get{"k", true}));
  CHECK(get.form.if_none_match == EtagSet{.stamps = {{Hlc{12}, NodeId{1}}}});
  CHECK(get.request.conditions.empty());
  const VersionVector seen({{kLogActor, Hlc{9}}});
  const KvCall remove = only(R"({"op":"delete","key":"k","if_match":"*","context":")" +
                             encode_key_context("k", seen) + "\"}");
  CHECK(remove.request.operation == Operation(Delete{"k"}));
  CHECK(remove.request.context == seen);
  CHECK(remove.request.conditions.if_match == EtagSet{.any = true});
  CHECK(only(R"({"op":"increment","key":"k","by":-3})").request.operation ==
        Operation(Increment{"k", -3}));
  CHECK(only(R"({"op":"increment","key":"k"})").request.operation == Operation(Increment{"k", 1}));
}

TEST_CASE("http batch: an operation that is wrong is an error in its place") {
  const std::string etags = " is no list of quoted ETags and not *";
  const std::pair<std::string, std::string> cases[] = {
      {"5", "bad-parameter: operations[1] must be an object"},
      {"{}", "bad-parameter: \"operations[1].op\" must be put, get, delete or increment"},
      {R"({"op":"scan"})",
       "bad-parameter: \"operations[1].op\" must be put, get, delete or increment"},
      {R"({"op":1})", "bad-parameter: \"operations[1].op\" must be a string"},
      {R"({"op":"get"})", "bad-parameter: operations[1].key is missing; give it, or key_base64"},
      {R"({"op":"get","key":"a","key_base64":"YQ=="})",
       "bad-parameter: operations[1].key and key_base64 are both given; give one"},
      {R"({"op":"get","key":""})",
       "bad-parameter: \"operations[1].key\" must be 1 to 1024 bytes, and it has 0"},
      {R"({"op":"get","key":")" + std::string(1'025, 'k') + "\"}",
       "bad-parameter: \"operations[1].key\" must be 1 to 1024 bytes, and it has 1025"},
      {R"({"op":"get","key_base64":"YQ"})",
       "bad-parameter: \"operations[1].key_base64\" must be a string in base64 (RFC 4648, section "
       "4, with padding)"},
      {R"({"op":"put","key":"a"})",
       "bad-parameter: operations[1].value is missing; give it, or value_base64"},
      {R"({"op":"put","key":"a","value":5})",
       "bad-parameter: \"operations[1].value\" must be a string"},
      {R"({"op":"put","key":"a","value":")" + std::string(101, 'v') + "\"}",
       "payload-too-large: operations[1].value has 101 bytes; at most 100 are stored"},
      {R"({"op":"put","key":"a","value":"","ttl_ms":0})",
       "bad-parameter: \"operations[1].ttl_ms\" must be a whole number from 1 to 315619200000"},
      {R"({"op":"get","key":"a","value":"v"})",
       "bad-parameter: operations[1].value is not taken by get"},
      {R"({"op":"put","key":"a","value":"v","by":1})",
       "bad-parameter: operations[1].by is not taken by put"},
      {R"({"op":"increment","key":"a","if_match":"*"})",
       "bad-parameter: operations[1].if_match is not taken by increment"},
      {R"({"op":"put","key":"a","value":"","if_match":"x"})",
       "bad-request: operations[1].if_match: 'x'" + etags},
      {R"({"op":"get","key":"a","if_none_match":"x"})",
       "bad-request: operations[1].if_none_match: 'x'" + etags},
      {R"({"op":"get","key":"a","consistency":"gold"})",
       "unknown-level: 'gold' is no consistency level; use one of linearizable (or strong), "
       "sequential, bounded, prefix, atomic, quorum (or one, two, three, all), causal, session, "
       "eventual, weak"},
      {R"({"op":"get","key":"a","timeout_ms":60001})",
       "bad-parameter: \"operations[1].timeout_ms\" must be a whole number from 1 to 60000"},
      {R"({"op":"delete","key":"a","idempotency_key":""})",
       "bad-parameter: \"operations[1].idempotency_key\" must be 1 to 128 bytes, and it has 0"},
  };
  for (const auto& [operation, expected] : cases) CHECK(refused(operation) == expected);
  CHECK(refused(R"({"op":"get","key":"a","speed":2})")
            .starts_with("bad-parameter: 'operations[1].speed' is not known; it may be "
                         "operations[1].op, operations[1].key, "));
  CHECK(refused(R"({"op":"delete","key":"a","context":"x"})").starts_with("bad-request: "));
}

TEST_CASE("http batch: no more operations than allowed") {
  std::string many = R"({"op":"get","key":"a"})";
  for (std::size_t i = 1; i < limits::kMaxBatchOperations; ++i)
    many += R"(,{"op":"get","key":"a"})";
  CHECK(parse(many).operations.size() == limits::kMaxBatchOperations);
  const auto more = parse_batch("{\"operations\":[" + many + R"(,{"op":"get","key":"a"}]})", {});
  REQUIRE(!more);
  CHECK(more.error().message == "\"operations\" must be a list of 1 to 1000 objects");
}

TEST_CASE("http batch: writes go at once, reads a few at a time") {
  std::string operations;
  for (int i = 0; i < 150; ++i) {
    operations += R"({"op":"get","key":"a"},{"op":"increment","key":"a"},)";
  }
  operations.pop_back();
  BatchRun run(parse(operations));
  std::vector<std::uint32_t> places;
  while (auto operation = run.next()) places.push_back(operation->first);
  REQUIRE(places.size() == 150 + limits::kMaxBatchReadsAtOnce);
  for (std::uint32_t i = 0; i < 150; ++i) CHECK(places[i] == 2 * i + 1);
  for (std::uint32_t i = 0; i < limits::kMaxBatchReadsAtOnce; ++i) CHECK(places[150 + i] == 2 * i);
  for (std::uint32_t i = 0; i < 150; ++i) run.on_reply(places[i], written(1));
  CHECK_FALSE(run.next());
  run.on_reply(places[150], value_of("v"));
  CHECK(run.next()->first == 2 * limits::kMaxBatchReadsAtOnce);
  CHECK_FALSE(run.next());
  CHECK_FALSE(run.done());
}

TEST_CASE("http batch: values beyond the bound are refused, one by one") {
  std::string operations = R"({"op":"get","key":"a"})";
  for (int i = 0; i < 4; ++i) operations += R"(,{"op":"get","key":"a"})";
  BatchRun run(parse(operations));
  while (run.next()) {
  }
  const std::string half(limits::kMaxBatchBytes / 2, 'v');
  run.on_reply(0, value_of(half));
  run.on_reply(1, value_of(half));
  run.on_reply(2, value_of("v"));
  run.on_reply(3, Answer{});
  run.on_reply(4, definite(ErrorCode::timeout, "x"));
  REQUIRE(run.done());
  CHECK(run.entries()[1].reply->has_value());
  CHECK(run.entries()[2].reply->error().code == ErrorCode::payload_too_large);
  CHECK(run.entries()[3].reply->has_value());
  // One that is larger than the bound by itself is no reason to refuse it.
  BatchRun large(parse(R"({"op":"get","key":"a"})"));
  REQUIRE(large.next());
  large.on_reply(0, value_of(half + half + half));
  CHECK(large.entries()[0].reply->has_value());
}

TEST_CASE("http batch: results in order") {
  BatchRun run(parse(R"({"op":"get","key":"a"},{"op":"put","key":"b","value":"v"},5,
      {"op":"increment","key":"c"},{"op":"get","key":"d"},{"op":"delete","key":"e"},
      {"op":"put","key":"f","value":"v"},{"op":"get","key":"g","siblings":true})"));
  while (run.next()) {
  }
  Error elsewhere = definite(ErrorCode::not_leader, "node 2 leads");
  elsewhere.leader = NodeId{2};
  run.on_reply(5, elsewhere);
  Answer conflict = written(7);
  conflict.refusal = definite(ErrorCode::precondition_failed, "no");
  run.on_reply(6, conflict);
  Answer sum = written(2);
  sum.number = 41;
  run.on_reply(3, sum);
  Answer again = written(1);
  again.replayed = true;
  run.on_reply(1, again);
  run.on_reply(4, Answer{.evidence = {.node = NodeId{1}}});
  Answer several = value_of("x");
  several.items = {{"", {Hlc{3}, NodeId{1}}, Bytes("x"), ""},
                   {"", {Hlc{1}, NodeId{2}}, Bytes(), ""}};
  run.on_reply(7, several);
  CHECK_FALSE(run.done());
  run.on_reply(0, value_of("hello"));
  REQUIRE(run.done());

  const std::string text = batch_body(run, [](const Error& error) {
    return error.leader == NodeId{2} ? std::string("127.0.0.1:7102") : std::string();
  });
  const auto results = boost::json::parse(text).at("results").as_array();
  REQUIRE(results.size() == 8);
  const int statuses[] = {200, 204, 400, 200, 404, 421, 412, 300};
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(results[i].at("status").as_int64() == statuses[i]);
    const bool problem = statuses[i] >= 400;
    CHECK(results[i].as_object().contains("problem") == problem);
    if (problem) CHECK(results[i].at("problem").at("status") == results[i].at("status"));
  }
  CHECK(boost::json::serialize(results[0]) ==
        R"({"status":200,"etag":"\"3-1\"","consistency":"linearizable","context":")" +
            encode_key_context("a", {}) +
            R"(","evidence":"node=1, term=0, index=0, path=log, replicas=(), sequenced=?0, )"
            R"(degraded=?0","value_base64":"aGVsbG8=","content_type":"application/octet-stream"})");
  CHECK(results[1].at("replayed") == true);
  CHECK_FALSE(results[2].as_object().contains("consistency"));
  CHECK(results[3].at("value") == 41);
  CHECK_FALSE(results[4].as_object().contains("etag"));
  CHECK(results[5].at("problem").at("leader_address") == "127.0.0.1:7102");
  CHECK(results[6].at("problem").at("etag") == "\"7-1\"");
  CHECK(results[7].at("siblings").as_array().size() == 2);
  CHECK(batch_session(run).index == LogIndex{7});
}

}  // namespace parallax
