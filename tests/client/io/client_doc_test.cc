// The code in docs/CLIENT.md that no example has (tests/structure/client_doc_test.cc holds the two
// together).
#include <future>

#include <boost/asio/use_future.hpp>
#include <catch2/catch.hpp>

#include "client/io/async.h"
#include "client/range_reader.h"
#include "consistency/key_context.h"
#include "tests/client/io/fake_server.h"
#include "tests/client/io/open_client.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

namespace asio = boost::asio;
using namespace testing;               // NOLINT
using namespace std::chrono_literals;  // NOLINT

/// Too few replicas at first, then two values that a write with their context replaces.
Action cart_answer(const SeenRequest& request) {
  const std::vector<std::pair<std::string, std::string>> level{
      {"Parallax-Consistency", "quorum; r=2; w=2"},
      {"Parallax-Context", encode_key_context("cart/7", {})}};
  if (request.method == "GET") {
    return respond(300, level,
                   R"({"siblings":[{"etag":"\"2-1\"","value_base64":"YQ=="},)"
                   R"({"etag":"\"1-2\"","value_base64":"Yg=="}]})");
  }
  if (request.headers.contains("parallax-context")) return respond(204, level, "");
  return problem_answer(503, "not-enough-replicas", "unknown", true,
                        R"(,"required":2,"received":1)");
}

Action answer(const SeenRequest& request) {
  const std::vector<std::pair<std::string, std::string>> level{{"Parallax-Consistency", "prefix"}};
  if (request.path == "/v1/batch") {
    return respond(200, {},
                   R"({"results":[{"status":412,"problem":{"code":"precondition-failed",)"
                   R"("outcome":"not_applied"}},)"
                   R"({"status":200,"consistency":"linearizable","value":8}]})");
  }
  if (request.path == "/v1/crdt/likes") {
    return respond(200, level, R"({"type":"counter","value":2})");
  }
  if (request.path == "/v1/crdt/shopping") {
    return respond(200, level, R"({"type":"set","value":["milk"]})");
  }
  if (request.path.ends_with("/increment")) return respond(200, level, R"({"value":1})");
  if (request.path == "/v1/kv") return respond(200, level, R"({"items":[],"missing":["a","b"]})");
  if (request.path.starts_with("/v1/history")) {
    return respond(200, level,
                   R"({"versions":[{"etag":"\"1-1\"","kind":"value","value_base64":"YQ=="}]})");
  }
  if (request.path == "/v1/kv/greeting" && request.method == "DELETE") return hang_up();
  if (request.path == "/v1/kv/cart/7") return cart_answer(request);
  if (request.method == "PUT") return stored_answer();
  return value_answer("hello", 1, "prefix");
}

TEST_CASE("docs: the client's page does what it says") {
  FakeServer server(answer);
  const auto owned = open({server.endpoint()});
  Client& client = *owned;
  int used = 0;
  int explained = 0;
  int checked_later = 0;
  const auto use = [&](std::string_view value) { used += value.empty() ? 0 : 1; };
  const auto explain = [&](const Error&) { ++explained; };
  const auto check_later = [&] { ++checked_later; };

  const auto stored = client.put("greeting", "hello", {.content_type = "text/plain", .ttl = 60s});
  const auto read = client.get("greeting", {.consistency = Consistency{Level::prefix}});
  if (read && read->found) use(read->value.view());
  CHECK(stored);
  CHECK(used == 1);

  std::string reported;
  const auto report = [&](auto received, auto required) {
    reported = fmt::format("{} of {}", received, required);
  };
  const auto merge = [](const std::vector<Item>& items) {
    return Bytes(items[0].value.to_string() + items[1].value.to_string());
  };
  const Consistency two_of_three{.level = Level::quorum, .r = 2, .w = 2};
  const auto added = client.put("cart/7", "milk", {.consistency = two_of_three});
  if (!added && added.error().code == ErrorCode::not_enough_replicas) {
    report(added.error().received, added.error().required);
  }
  CHECK(reported == "1 of 2");

  const auto cart = client.get("cart/7", {.consistency = two_of_three, .siblings = true});
  if (cart && cart->items.size() > 1) {
    const auto merged = merge(cart->items);
    const auto done =
        client.put("cart/7", merged, {.consistency = two_of_three, .context = cart->context});
  }
  CHECK(server.seen().back().body == "ab");

  const auto first = client.put("lock", "me", {.if_none_match = any_version()});
  CHECK(first);

  used = 0;
  const auto likes = client.update_crdt("likes", CrdtType::counter, {.by = 2});
  const CrdtUpdate milk{.op = CrdtOp::add, .name = R"("milk")"};
  const auto noted = client.update_crdt("shopping", CrdtType::set, milk);
  const auto list = client.get_crdt("shopping");
  if (list && list->crdt) use(list->crdt->json);
  REQUIRE(likes);
  CHECK(likes->crdt == CrdtValue{CrdtType::counter, "2"});
  REQUIRE(list);
  CHECK(list->found);
  CHECK(list->crdt == CrdtValue{CrdtType::set, R"(["milk"])"});
  REQUIRE(server.seen().size() > 2);
  CHECK(server.seen().end()[-3].body == R"({"type":"counter","op":"increment","by":2})");
  CHECK(server.seen().end()[-2].body == R"({"type":"set","op":"add","element":"milk"})");
  CHECK(server.seen().back().method == "GET");
  CHECK(used == 1);

  const auto both = client.get_many({"a", "b"});
  const auto batch = client.batch({
      {.operation = Put{"a", "1"}, .conditions = {.if_none_match = any_version()}},
      {.operation = Increment{"visits"}, .idempotency_key = draw_idempotency_key()},
  });
  if (batch && !(*batch)[0]) explain((*batch)[0].error());
  REQUIRE(both);
  CHECK(both->missing.size() == 2);
  CHECK(explained == 1);

  const Session session;
  Session other = session.fork();
  const auto seen = client.get("greeting", {.session = other});
  const auto joined = other.join(session);
  const auto resumed = Session::from_token(other.token());
  CHECK(seen);
  CHECK(joined);
  CHECK(resumed);

  const Consistency causal{Level::causal};
  const auto posted =
      client.put("wall/post", "Lost my ring!", {.consistency = causal, .session = session});
  const auto wall =
      client.get_many({"wall/post", "wall/reply"}, {.consistency = causal, .session = session});
  CHECK(posted);
  CHECK(wall);
  const Consistency own_writes{.level = Level::session,
                               .guarantees = {.read_your_writes = true},
                               .on_violation = OnViolation::forward};
  CHECK(client.get("greeting", {.consistency = own_writes, .session = session}));
  CHECK(server.seen().back().query.ends_with(
      "consistency=session&guarantees=ryw&on_violation=forward"));

  const auto result = client.remove("greeting");
  if (!result && result.error().definite()) {
    explain(result.error());  // it did not happen, and will not
  } else if (!result) {
    check_later();  // it may have happened
  }
  CHECK(explained == 1);
  CHECK(checked_later == 1);

  const auto sum = client.increment("visits", 1, {.idempotency_key = draw_idempotency_key()});
  CHECK(sum);

  const auto quick = client.get("greeting", {.hedge_after = 20ms});
  CHECK(quick);

  const Sla agreement{{
      {.consistency = {.level = Level::linearizable}, .latency = 20ms, .utility = 1},
      {.consistency = {.level = Level::prefix}, .latency = 50ms, .utility = 0.4},
  }};
  const auto chosen = client.get_by_sla("greeting", agreement);
  if (chosen && chosen->met) use(agreement.entries[*chosen->met].consistency.to_string());
  REQUIRE(chosen);
  CHECK(chosen->endpoint == server.endpoint());
  CHECK_FALSE(chosen->met);  // it names another level than the one it was asked for

  int ages = 0;
  const auto report_age = [&](std::chrono::milliseconds) { ++ages; };
  const NearCacheOptions cache{.mode = NearCacheMode::versioned, .ttl = 2s, .max_entries = 1'000};
  const auto nearby = Client::open({.endpoints = {server.endpoint()}, .near_cache = cache});
  for (int i = 0; i < 2; ++i) {
    const auto again = (*nearby)->get("greeting", {.consistency = Consistency{Level::prefix}});
    if (again && again->cached_for) report_age(*again->cached_for);
  }
  CHECK(ages == 1);

  const auto history = client.history({.key = "greeting"});
  for (const PastValue& version : history->versions) use(version.value.view());

  const Policy policy{.default_consistency = Consistency{Level::prefix}};
  const auto set = client.set_policy("cache/", policy);
  CHECK(used == 2);
  CHECK(set);

  std::future<Result<Answer>> pending = AsyncClient(client).get("greeting", {}, asio::use_future);
  CHECK(pending.get());
}

TEST_CASE("docs: a callback") {
  FakeServer server(answer);
  std::string used;
  {
    const auto owned = open({server.endpoint()});
    Client& client = *owned;
    std::promise<void> done;
    const auto use = [&](std::string_view value) {
      used = value;
      done.set_value();
    };
    client.async_get("greeting", {}, [&](Result<Answer> answer) {
      if (answer && answer->found) use(answer->value.view());
    });
    done.get_future().get();
  }
  CHECK(used == "hello");
}

}  // namespace
}  // namespace parallax
