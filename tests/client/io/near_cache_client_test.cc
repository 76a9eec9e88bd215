// The near-cache as an option of the client: what a node is asked, and what is not its answer.
#include <atomic>
#include <future>
#include <thread>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "client/client.h"
#include "client/verify.h"
#include "tests/client/io/fake_server.h"
#include "tests/client/io/open_client.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace testing;               // NOLINT
using namespace std::chrono_literals;  // NOLINT

const Consistency kPrefix{Level::prefix};

/// One key's node: each write makes the next version.
struct OneKey {
  std::atomic<std::uint64_t> version{1};
  std::atomic<int> slow_ms{0};  ///< the next read's answer takes so long, with what is there now

  Action operator()(const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    if (request.path == "/v1/batch") {
      return respond(200, {},
                     fmt::format(R"({{"results":[{{"status":204,"consistency":"linearizable",)"
                                 R"("etag":"\"{}-1\""}}]}})",
                                 ++version));
    }
    const bool write = request.method == "PUT" || request.method == "DELETE";
    const std::uint64_t now = write ? ++version : version.load();
    const bool prefix = request.query.find("consistency=prefix") != std::string::npos;
    Action action =
        respond(write ? 204 : 200,
                {{"Parallax-Consistency", prefix ? "prefix" : "linearizable"},
                 {"ETag", fmt::format("\"{}-1\"", now)},
                 {"Parallax-Evidence", fmt::format("node=1, term=3, index=120, path={}, "
                                                   "replicas=(1), sequenced=?1, degraded=?0",
                                                   write    ? "log"
                                                   : prefix ? "local"
                                                            : "read-index")}},
                request.method == "GET" ? "v" + std::to_string(now) : "");
    action.delay = std::chrono::milliseconds{write ? 0 : slow_ms.exchange(0)};
    return action;
  }
};

struct Cached {
  OneKey node;
  FakeServer server{[this](const SeenRequest& request) { return node(request); }};
  std::unique_ptr<Client> client;

  explicit Cached(std::optional<NearCacheOptions> cache) {
    ClientOptions options = plain_options({server.endpoint()});
    options.near_cache = cache;
    client = open(std::move(options));
  }
  Answer get(const Consistency& level = kPrefix) {
    const auto answer = client->get("k", {.consistency = level});
    REQUIRE(answer);
    return *answer;
  }
  /// Whether it was asked.
  bool asks(const Consistency& level = kPrefix) {
    const std::size_t before = server.seen().size();
    const Answer answer = get(level);
    const bool asked = server.seen().size() > before;
    CHECK(answer.cached_for.has_value() != asked);
    return asked;
  }
};

TEST_CASE("near-cache client: it is off unless it is asked for") {
  Cached at(std::nullopt);
  CHECK(at.asks());
  CHECK(at.asks());
}

TEST_CASE("near-cache client: a hit asks nobody and says so") {
  Cached at(NearCacheOptions{.ttl = 60s});
  CHECK_FALSE(at.get().cached_for);
  const Answer hit = at.get();
  REQUIRE(hit.cached_for);
  CHECK(*hit.cached_for < 60s);
  CHECK(hit.value == Bytes("v1"));
  CHECK(hit.evidence == Evidence{});
  const auto verified = verify({.consistency = kPrefix}, hit);
  REQUIRE_FALSE(verified);
  CHECK_THAT(verified.error().message, Catch::Contains("near-cache"));
  CHECK(at.asks(Consistency{Level::linearizable}));
  CHECK(at.asks(Consistency{.level = Level::bounded, .max_staleness_ms = 1'000}));
  CHECK_FALSE(at.asks());
}

TEST_CASE("near-cache client: what is too old is asked for again") {
  Cached at(NearCacheOptions{.ttl = 50ms});
  at.get();
  std::this_thread::sleep_for(60ms);
  CHECK(at.asks());
}

TEST_CASE("near-cache client: own writes and newer versions invalidate") {
  for (const auto mode : {NearCacheMode::delayed_double_delete, NearCacheMode::versioned}) {
    // The second deletes come later than this test ends.
    Cached at(NearCacheOptions{.mode = mode, .ttl = 60s, .default_delay = 60s});
    const auto invalidates = [&](auto happens) {
      at.get();
      REQUIRE_FALSE(at.asks());
      happens();
      CHECK(at.asks());
      CHECK(at.get().value == Bytes("v" + std::to_string(at.node.version.load())));
    };
    invalidates([&] { REQUIRE(at.client->put("k", "v")); });
    invalidates([&] { REQUIRE(at.client->remove("k")); });
    invalidates([&] { REQUIRE(at.client->batch({{.operation = Put{"k", "v"}}})); });
    invalidates([&] {
      ++at.node.version;  // somebody else's
      at.get(Consistency{Level::linearizable});
    });
    invalidates([&] {
      ++at.node.version;
      REQUIRE(at.client->head("k", {.consistency = Consistency{Level::linearizable}}));
    });
    invalidates([&] {
      ++at.node.version;
      REQUIRE(at.client->get_by_sla("k", Sla{{{Consistency{}, 5'000ms, 1}}}));
    });
  }
}

TEST_CASE("near-cache client: a stale refill happens with a second delete and not with versions") {
  for (const auto mode : {NearCacheMode::delayed_double_delete, NearCacheMode::versioned}) {
    Cached at(NearCacheOptions{.mode = mode, .ttl = 60s, .default_delay = 60s});
    at.node.slow_ms = 1'500;
    std::promise<Result<Answer>> slow;
    at.client->async_get("k", {.consistency = kPrefix},
                         [&](Result<Answer> answer) { slow.set_value(std::move(answer)); });
    // Its answer is decided, and on its way.
    while (at.node.slow_ms != 0) std::this_thread::sleep_for(1ms);
    REQUIRE(at.client->put("k", "v"));
    const auto old = slow.get_future().get();
    REQUIRE(old);
    CHECK(old->value == Bytes("v1"));
    const Answer next = at.get();
    if (mode == NearCacheMode::versioned) {
      CHECK(next.value == Bytes("v2"));
      CHECK_FALSE(next.cached_for);
    } else {
      CHECK(next.value == Bytes("v1"));
      CHECK(next.cached_for);
    }
  }
}

TEST_CASE("near-cache client: options that make no sense are refused") {
  for (const NearCacheOptions& cache :
       {NearCacheOptions{.ttl = 0ms}, NearCacheOptions{.max_entries = 0},
        NearCacheOptions{.default_delay = -1ms}}) {
    ClientOptions options = plain_options({"127.0.0.1:1"});
    options.near_cache = cache;
    const auto client = Client::open(std::move(options));
    REQUIRE_FALSE(client);
    CHECK_THAT(client.error().message, Catch::Contains("near_cache"));
  }
}

}  // namespace
}  // namespace parallax
