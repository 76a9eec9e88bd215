// Each operation of the client library: what goes over the wire, and what is made of what comes
// back.
#include <catch2/catch.hpp>

#include "client/client.h"
#include "client/http_protocol.h"
#include "client/range_reader.h"
#include "consistency/key_context.h"
#include "tests/client/io/fake_server.h"
#include "tests/client/io/open_client.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace testing;               // NOLINT
using namespace std::chrono_literals;  // NOLINT

using Headers = std::vector<std::pair<std::string, std::string>>;

const std::string kEvidence =
    "node=1, term=3, index=120, path=read-index, replicas=(1 2), sequenced=?1, degraded=?0";
const Stamp kStamp{Hlc{1000}, NodeId{1}};

Headers answer_headers(Headers more = {}) {
  more.emplace_back("Parallax-Consistency", "linearizable");
  more.emplace_back("Parallax-Evidence", kEvidence);
  return more;
}
Action json_answer(const std::string& body, Headers more = {}, int status = 200) {
  return respond(status, answer_headers(std::move(more)), body);
}

/// A server that always does the same, with a client.
struct Pair {
  explicit Pair(Action action)
      : server([action](const SeenRequest&) { return action; }),
        client(open({server.endpoint()}, 2s)) {}
  FakeServer server;
  std::unique_ptr<Client> client;

  SeenRequest last() const { return server.seen().at(server.seen().size() - 1); }
  /// The query without the timeout, whose value is the clock's.
  std::string query() const {
    const std::string text = last().query;
    const auto begin = text.find("timeout_ms=");
    REQUIRE(begin != std::string::npos);
    std::string rest = text;
    rest.erase(begin, std::min(text.find('&', begin), text.size() - 1) - begin + 1);
    if (rest.ends_with('&')) rest.pop_back();
    return rest;
  }
};

TEST_CASE("operations: a conditional write says what must hold and what it replaces") {
  Pair pair(stored_answer());
  VersionVector context;
  context.advance(kLogActor, Hlc{900});
  REQUIRE(pair.client->put("k", "v",
                           {.content_type = "text/x",
                            .ttl = 1500ms,
                            .if_match = EtagSet{.stamps = {kStamp, {Hlc{7}, NodeId{2}}}},
                            .idempotency_key = "once",
                            .context = context}));
  auto seen = pair.last();
  CHECK(seen.headers.at("if-match") == "\"1000-1\", \"7-2\"");
  CHECK(seen.headers.at("idempotency-key") == "once");
  CHECK(seen.headers.at("content-type") == "text/x");
  CHECK(*decode_key_context("k", seen.headers.at("parallax-context")) == context);
  CHECK(pair.query() == "ttl_ms=1500");

  REQUIRE(pair.client->remove("k", {.if_none_match = any_version(), .idempotency_key = "twice"}));
  seen = pair.last();
  CHECK(seen.headers.at("if-none-match") == "*");
  CHECK(seen.headers.at("idempotency-key") == "twice");
  CHECK(seen.headers.count("if-match") == 0);

  REQUIRE(pair.client->put("k", "v"));
  for (const auto* name :
       {"if-match", "if-none-match", "idempotency-key", "parallax-context", "parallax-session"}) {
    CHECK(pair.last().headers.count(name) == 0);
  }
  CHECK(pair.query().empty());
}

TEST_CASE("operations: a failed condition is an error with the present version") {
  const Pair pair(problem_answer(412, "precondition-failed", "not_applied", false,
                                 R"(,"etag":"\"1000-1\"")",
                                 answer_headers({{"ETag", "\"1000-1\""}})));
  const auto result = pair.client->put("k", "v", {.if_match = this_version({Hlc{9}, NodeId{1}})});
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::precondition_failed);
  CHECK(result.error().definite());
  CHECK(result.error().etag == "1000-1");
  CHECK(pair.server.seen().size() == 1);
}

TEST_CASE("operations: increment") {
  Pair pair(json_answer("{\"value\":-12}\n", {{"ETag", "\"1000-1\""}}));
  const auto result = pair.client->increment("a/b", -5, {.idempotency_key = "i"});
  REQUIRE(result);
  CHECK(result->number == -12);
  CHECK(result->stamp == kStamp);
  CHECK(pair.last().method == "POST");
  CHECK(pair.last().path == "/v1/kv/a/b/increment");
  CHECK(pair.last().body == R"({"by":-5})");
  CHECK(pair.last().headers.at("content-type") == "application/json");
  CHECK(pair.last().headers.at("idempotency-key") == "i");

  const Pair wrong(problem_answer(409, "not-a-number", "not_applied", false));
  const auto refused = wrong.client->increment("k");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::not_a_number);
  CHECK(refused.error().definite());
}

TEST_CASE("operations: a get of what one has already") {
  Pair pair(respond(304, answer_headers({{"ETag", "\"1000-1\""}}), ""));
  const auto result = pair.client->get("k", {.if_none_match = kStamp});
  REQUIRE(result);
  CHECK(result->found);
  CHECK(result->value.empty());
  CHECK(result->stamp == kStamp);
  CHECK(pair.last().headers.at("if-none-match") == "\"1000-1\"");
}

TEST_CASE("operations: siblings") {
  Pair pair(json_answer(
      R"({"siblings":[{"etag":"\"1002-2\"","value_base64":"/w==","content_type":"x/y"},)"
      R"({"etag":"\"1000-1\"","value_base64":"YQ==","content_type":"text/plain"}]})",
      {{"ETag", "\"1002-2\""}}, 300));
  const auto result = pair.client->get("k", {.siblings = true});
  REQUIRE(result);
  CHECK(pair.query() == "siblings=true");
  REQUIRE(result->items.size() == 2);
  CHECK(result->items[1].value.view() == "a");
  CHECK(result->items[1].stamp == kStamp);
  CHECK(result->value.view() == "\xff");
  CHECK(result->content_type == "x/y");
  CHECK(result->found);
  // A node must not answer so where nobody asked.
  CHECK_FALSE(pair.client->get("k"));
}

TEST_CASE("operations: an answer's context belongs to its key") {
  VersionVector context;
  context.advance(kLogActor, Hlc{900});
  const Pair pair(
      respond(200, answer_headers({{"Parallax-Context", encode_key_context("k", context)}}), "v"));
  const auto good = pair.client->get("k");
  REQUIRE(good);
  CHECK(good->context == context);
  const auto other = pair.client->get("other");
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ErrorCode::corrupt);
}

TEST_CASE("operations: a page of a range") {
  Pair pair(json_answer(
      R"({"items":[{"key":"a","value_base64":"MQ==","content_type":"t","etag":"\"1000-1\""},)"
      R"({"key_base64":"/w==","value_base64":"","content_type":"t","etag":"\"1001-1\""}],)"
      R"("next":"abc"})"));
  const auto page = pair.client->scan(
      {.start = "a b", .end = "\xff\xff", .limit = 7, .reverse = true, .keys_only = true},
      {.consistency = Consistency{Level::prefix}});
  REQUIRE(page);
  CHECK(pair.last().method == "GET");
  CHECK(pair.last().path == "/v1/kv");
  const auto query = *parse_query(pair.last().query);
  const auto value = [&](const std::string& name) {
    for (const auto& parameter : query) {
      if (parameter.name == name) return parameter.value;
    }
    return std::string("absent");
  };
  CHECK(value("start") == "a b");
  CHECK(value("end") == "\xff\xff");
  CHECK(value("limit") == "7");
  CHECK(value("reverse") == "true");
  CHECK(value("keys_only") == "true");
  CHECK(value("consistency") == "prefix");
  REQUIRE(page->items.size() == 2);
  CHECK(page->items[0].key == "a");
  CHECK(page->items[0].value.view() == "1");
  CHECK(page->items[0].content_type == "t");
  CHECK(page->items[1].key == "\xff");
  CHECK(page->items[1].stamp == Stamp{Hlc{1001}, NodeId{1}});
  CHECK(page->next == "abc");

  REQUIRE(pair.client->continue_scan("a+b"));
  CHECK(pair.query() == "next=a%2Bb");
}

TEST_CASE("operations: a reader goes through all pages, empty ones too") {
  std::vector<std::string> asked;
  FakeServer server([&](const SeenRequest& request) {
    const auto item = [](const std::string& key) {
      return R"({"key":")" + key + R"(","value_base64":"MQ==","etag":"\"1000-1\""})";
    };
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    const auto query = *parse_query(request.query);
    const bool first = query[0].name != "next";
    asked.push_back(first ? "first" : query[0].value);
    if (first)
      return json_answer("{\"items\":[" + item("a") + "," + item("b") + R"(],"next":"2"})");
    if (query[0].value == "2") return json_answer(R"({"items":[],"next":"3"})");
    if (asked.size() == 3) return problem_answer(400, "bad-parameter", "not_applied", false);
    return json_answer("{\"items\":[" + item("c") + R"(],"next":null})");
  });
  const auto client = open({server.endpoint()}, 2s);
  RangeReader reader(*client, prefix_range("x"));
  std::string keys;
  bool failed = false;
  while (true) {
    const auto item = reader.next();
    if (!item) {
      // An error costs nothing: the same page is asked for again.
      REQUIRE_FALSE(failed);
      failed = true;
      continue;
    }
    if (!*item) break;
    keys += (*item)->key;
  }
  CHECK(keys == "abc");
  CHECK(failed);
  CHECK(asked == std::vector<std::string>{"first", "2", "3", "3"});
  CHECK(reader.page().consistency.level == Level::linearizable);
  const auto again = reader.next();
  REQUIRE(again);
  CHECK_FALSE(*again);
}

TEST_CASE("operations: a prefix is a range") {
  const auto end = [](std::string prefix) { return prefix_range(std::move(prefix)).end; };
  CHECK(prefix_range("ab").start == "ab");
  CHECK(end("ab") == "ac");
  CHECK(end("a\xff\xff") == "b");
  CHECK(end("a\x7f") == "a\x80");
  CHECK(end("\xff").empty());
  CHECK(end("").empty());
}

TEST_CASE("operations: several keys") {
  Pair pair(json_answer(R"({"items":[{"key":"a","value_base64":"MQ==","etag":"\"1000-1\""}],)"
                        R"("next":null,"missing":["b&c"],"missing_base64":["/w=="]})"));
  const auto result = pair.client->get_many({"a", "b&c", "\xff"});
  REQUIRE(result);
  CHECK(pair.query() == "key=a&key=b%26c&key=%FF");
  REQUIRE(result->items.size() == 1);
  CHECK(result->items[0].value.view() == "1");
  CHECK(result->missing == std::vector<std::string>{"b&c", "\xff"});
  CHECK_FALSE(result->next);
}

TEST_CASE("operations: a batch has an answer or an error per operation") {
  Pair pair(respond(
      200, {{"Content-Type", "application/json"}},
      R"({"results":[)"
      R"({"status":204,"etag":"\"1000-1\"","consistency":"linearizable","evidence":")" +
          kEvidence +
          R"("},)"
          R"({"status":200,"etag":"\"1000-1\"","consistency":"prefix","value_base64":"/w==",)"
          R"("content_type":"x/y"},)"
          R"({"status":404,"consistency":"linearizable","problem":{"code":"not-found",)"
          R"("outcome":"not_applied"}},)"
          R"({"status":200,"consistency":"linearizable","value":41,"replayed":true},)"
          R"({"status":412,"consistency":"linearizable","problem":{"code":"precondition-failed",)"
          R"("detail":"no","outcome":"not_applied","etag":"\"1000-1\""}},)"
          R"({"status":504,"problem":{"code":"timeout","outcome":"unknown"}},)"
          R"({"status":204}]})"));
  const auto results = pair.client->batch({
      {.operation = Put{"\xff", "v", "text/x", 20ms},
       .consistency = Consistency{},
       .conditions = {.if_none_match = any_version()},
       .idempotency_key = "i"},
      {.operation = Get{"g", true}, .consistency = Consistency{Level::prefix}},
      {.operation = Get{"absent"}},
      {.operation = Increment{"n", 3}},
      {.operation = Delete{"d"}, .conditions = {.if_match = this_version(kStamp)}},
      {.operation = Put{"late", "v"}},
      {.operation = Put{"unnamed", "v"}},
  });
  REQUIRE(results);
  CHECK(pair.last().method == "POST");
  CHECK(pair.last().path == "/v1/batch");
  CHECK(pair.last().body ==
        R"({"operations":[)"
        R"({"op":"put","key_base64":"/w==","value_base64":"dg==","content_type":"text/x",)"
        R"("ttl_ms":20,"consistency":"linearizable","if_none_match":"*","idempotency_key":"i"},)"
        R"({"op":"get","key_base64":"Zw==","siblings":true,"consistency":"prefix"},)"
        R"({"op":"get","key_base64":"YWJzZW50"},)"
        R"({"op":"increment","key_base64":"bg==","by":3},)"
        R"({"op":"delete","key_base64":"ZA==","if_match":"\"1000-1\""},)"
        R"({"op":"put","key_base64":"bGF0ZQ==","value_base64":"dg=="},)"
        R"({"op":"put","key_base64":"dW5uYW1lZA==","value_base64":"dg=="}]})");
  const auto& all = *results;
  REQUIRE(all.size() == 7);
  REQUIRE(all[0]);
  CHECK(all[0]->stamp == kStamp);
  CHECK(all[0]->evidence.term == Term{3});
  REQUIRE(all[1]);
  CHECK(all[1]->value.view() == "\xff");
  CHECK(all[1]->content_type == "x/y");
  CHECK(all[1]->consistency.level == Level::prefix);
  REQUIRE(all[2]);
  CHECK_FALSE(all[2]->found);
  REQUIRE(all[3]);
  CHECK(all[3]->number == 41);
  CHECK(all[3]->replayed);
  REQUIRE_FALSE(all[4]);
  CHECK(all[4].error().code == ErrorCode::precondition_failed);
  CHECK(all[4].error().etag == "1000-1");
  CHECK(all[4].error().definite());
  REQUIRE_FALSE(all[5]);
  CHECK(all[5].error().code == ErrorCode::timeout);
  CHECK_FALSE(all[5].error().definite());
  // A success that names no level is none.
  REQUIRE_FALSE(all[6]);
  CHECK(all[6].error().code == ErrorCode::corrupt);
  CHECK_FALSE(all[6].error().definite());

  const auto few = pair.client->batch({{.operation = Put{"k", "v"}}});
  REQUIRE_FALSE(few);
  CHECK(few.error().code == ErrorCode::corrupt);
  CHECK_FALSE(few.error().definite());
}

TEST_CASE("operations: history") {
  Pair pair(
      json_answer(R"({"versions":[{"etag":"\"131072-2\"","at_ms":2,"kind":"tombstone","origin":2},)"
                  R"({"etag":"\"65536-1\"","at_ms":1,"kind":"value","value_base64":"YQ==",)"
                  R"("content_type":"t","origin":1}],"complete_from_ms":77})"));
  const auto result = pair.client->history({.key = "k/1", .from = UnixMillis{5}});
  REQUIRE(result);
  CHECK(pair.last().path == "/v1/history/k/1");
  CHECK(pair.query() == "from=5");
  REQUIRE(result->versions.size() == 2);
  CHECK(result->versions[0].tombstone);
  CHECK(result->versions[0].stamp == Stamp{Hlc{131072}, NodeId{2}});
  CHECK_FALSE(result->versions[1].tombstone);
  CHECK(result->versions[1].value.view() == "a");
  CHECK(result->history_floor == UnixMillis{77});
  REQUIRE(pair.client->history({.key = "k", .from = {}, .to = UnixMillis{9}}));
  CHECK(pair.query() == "to=9");
}

TEST_CASE("operations: policies") {
  const std::string policy =
      R"("default_consistency":"prefix","mixing":"deny","conflict":"last-writer")";
  Pair one(json_answer("{" + policy + "}"));
  const auto got = one.client->get_policy("a/");
  REQUIRE(got);
  CHECK(one.last().path == "/v1/policies/a/");
  REQUIRE(got->policies.size() == 1);
  CHECK(got->policies[0].first == "a/");
  CHECK(got->policies[0].second ==
        Policy{.default_consistency = Consistency{Level::prefix}, .mixing = Mixing::deny});

  Pair list(json_answer(R"({"policies":[{"prefix":"a/",)" + policy +
                        R"(},{"prefix_base64":"/w==","default_consistency":null,)" +
                        R"("mixing":"allow","conflict":"last-writer"}]})"));
  const auto all = list.client->list_policies();
  REQUIRE(all);
  CHECK(list.last().path == "/v1/policies");
  REQUIRE(all->policies.size() == 2);
  CHECK(all->policies[1].first == "\xff");
  CHECK(all->policies[1].second == Policy{});

  Pair stored(respond(204, answer_headers(), ""));
  REQUIRE(stored.client->set_policy("a/", got->policies[0].second));
  CHECK(stored.last().method == "PUT");
  CHECK(stored.last().body == "{" + policy + "}");
  REQUIRE(stored.client->remove_policy(""));
  CHECK(stored.last().method == "DELETE");
  CHECK(stored.last().path == "/v1/policies/");

  const Pair absent(problem_answer(404, "not-found", "not_applied", false, "", answer_headers()));
  const auto none = absent.client->get_policy("a/");
  REQUIRE(none);
  CHECK_FALSE(none->found);
  CHECK(none->policies.empty());
}

TEST_CASE("operations: a body of another shape is refused") {
  const auto code = [](const std::string& body, auto call) {
    const Pair pair(json_answer(body));
    const auto result = call(*pair.client);
    REQUIRE_FALSE(result);
    return std::pair{result.error().code, result.error().definite()};
  };
  const std::pair read{ErrorCode::corrupt, true};
  const std::pair write{ErrorCode::corrupt, false};
  const auto scan = [](Client& client) { return client.scan({}); };
  for (const auto* body :
       {"", "[]", "{}", R"({"items":{}})", R"({"items":[1]})", R"({"items":[{"key":"a"}]})",
        R"({"items":[{"etag":"\"1-1\""}]})", R"({"items":[{"key":1,"etag":"\"1-1\""}]})",
        R"({"items":[{"key_base64":"!","etag":"\"1-1\""}]})",
        R"({"items":[{"key":"a","etag":"\"1-1\"","value_base64":"!"}]})",
        R"({"items":[],"next":5})", R"({"items":[],"missing":["a",5]})",
        R"({"items":[],"missing":"a"})"}) {
    INFO(body);
    CHECK(code(body, scan) == read);
  }
  CHECK(code("{}", [](Client& client) { return client.increment("k"); }) == write);
  CHECK(code(R"({"value":"1"})", [](Client& client) { return client.increment("k"); }) == write);
  const auto history = [](Client& client) { return client.history({.key = "k"}); };
  CHECK(code(R"({"versions":[{"etag":"\"1-1\""}]})", history) == read);
  const auto policy = [](Client& client) { return client.get_policy("k"); };
  CHECK(code(R"({"default_consistency":"wish"})", policy) == read);
  CHECK(code(R"({"mixing":"perhaps"})", policy) == read);
  CHECK(code(R"({"conflict":"fight"})", policy) == read);
}

TEST_CASE("operations: what no node would take is refused here") {
  FakeServer server([](const SeenRequest&) { return stored_answer(); });
  const auto client = open({server.endpoint()});
  const std::string long_key(1025, 'k');
  const auto refused = [](const auto& result, const std::string& word) {
    REQUIRE_FALSE(result);
    INFO(result.error().message);
    CHECK(result.error().code == ErrorCode::bad_parameter);
    CHECK(result.error().definite());
    CHECK(result.error().message.find(word) != std::string::npos);
  };
  refused(client->put("k", "v", {.ttl = 0ms}), "ttl");
  refused(client->put("k", "v", {.ttl = limits::kMaxTtl + 1ms}), "ttl");
  refused(client->put("k", "v", {.if_match = EtagSet{}}), "if_match");
  refused(client->remove("k", {.if_none_match = EtagSet{}}), "if_none_match");
  refused(client->put("k", "v", {.idempotency_key = std::string(129, 'i')}), "idempotency");
  refused(client->increment("k", 1, {.idempotency_key = "a\nb"}), "idempotency");
  refused(client->increment(long_key), "1025");
  refused(client->scan({.limit = 0}), "limit");
  refused(client->scan({.limit = 1001}), "limit");
  refused(client->scan({.start = long_key}), "start");
  refused(client->scan({.end = long_key}), "end");
  refused(client->continue_scan(""), "next");
  refused(client->get_many({}), "keys");
  refused(client->get_many(std::vector<std::string>(1001, "k")), "keys");
  refused(client->get_many({"k", ""}), "key");
  refused(client->batch({}), "batch");
  refused(client->batch({{.operation = Get{"k"}}, {.operation = Put{"", "v"}}}), "operation 1");
  refused(client->history({.key = ""}), "key");
  refused(client->get_policy(long_key), "prefix");
  refused(client->set_policy(long_key, {}), "prefix");
  refused(client->cluster({.timeout = 0ms}), "timeout");
  refused(client->status({}, {.timeout = 0ms}), "timeout");
  CHECK(server.seen().empty());
}

}  // namespace
}  // namespace parallax
