// The causal levels beside others on the same keys: what the log brings, what other protocols take
// along, and what an answer must not show before it is durable.
#include <catch2/catch.hpp>

#include "tests/node/causal_client.h"

namespace parallax::testing {
namespace {

TEST_CASE_METHOD(CausalReady,
                 "causal mixed: what the vector comes to cover is durable before it is shown") {
  hold_back_from_third();
  Client writer{world};
  written(writer.put(follower, "j", "1"));
  written(writer.put(follower, "k", "1"));
  world.run_for(50ms);
  // The log brings the second to the third node, without the first.
  REQUIRE(world.get(third, "k")->value == Bytes{"1"});
  REQUIRE(world.run_until([&] { return world.get(third, "k", Level::prefix)->found; }, 2s));
  world.run_for(50ms);
  world.hold_disk(third, true);
  world.drop_if(nullptr);
  Client reader{world};
  std::optional<Reply> read;
  Request request = get_request("k");
  request.timeout = 10s;
  request.consistency = kCausal;
  world.submit(third, request, [&](const Reply& reply) { read = reply; });
  // The operations come, and nothing of the key's state changes by them.
  world.run_for(1s);
  CHECK_FALSE(read);
  world.hold_disk(third, false);
  REQUIRE(world.run_until([&] { return read.has_value(); }, 5s));
  REQUIRE(*read);
  CHECK((*read)->value == Bytes{"1"});
  CHECK((*read)->session.read.dominates(writer.token.write));
}

TEST_CASE_METHOD(CausalReady,
                 "causal mixed: a context that names an incarnation that never was is refused") {
  Client client{world};
  const Reply put = client.put(follower, "k", "v");
  written(put);
  const UnixMillis now = put->session.clock.millis();
  const auto with_context = [&](Consistency level, ActorPath path, std::uint64_t incarnation) {
    Request request = put_request("k", "w");
    request.timeout = 100ms;
    request.context = put->context;
    request.context->advance({path, third, Incarnation{incarnation}}, put->session.clock);
    return Client{world}.ask(follower, std::move(request), level);
  };
  const Consistency levels[] = {kCausal,
                                of_session("ryw"),
                                {.level = Level::eventual},
                                {.level = Level::quorum},
                                {.level = Level::linearizable}};
  const MonoTime before = world.now();
  for (const Consistency& level : levels) {
    for (const ActorPath path : {ActorPath::causal, ActorPath::quorum}) {
      CAPTURE(level_info(level.level).name, static_cast<int>(path));
      CHECK(refused(with_context(level, path, now.value + 86'400'000), ErrorCode::bad_request));
    }
  }
  CHECK(world.now() - before < 50ms);
  // Of one that may have been the causal levels wait for what it has done; nobody stores it.
  CHECK(refused(with_context(kCausal, ActorPath::causal, now.value), ErrorCode::timeout));
  for (const Consistency& level : {levels[2], levels[3], levels[4]}) {
    CHECK(
        refused(with_context(level, ActorPath::causal, now.value), ErrorCode::level_unattainable));
  }
  for (const NodeId at : world.ids()) {
    REQUIRE(world.run_until([&] { return world.get(at, "k", Level::eventual)->found; }, 1s));
    CHECK(Client{world}.value(at, "k") == "v");
  }
}

TEST_CASE_METHOD(CausalReady,
                 "causal mixed: the log takes along no operation that a crash may take back") {
  Client before{world};
  written(before.put(leader, "k", "old"));
  world.run_for(300ms);
  world.hold_disk(leader, true);
  const LogIndex last = world.replica(third).status().last_index;
  Request causal = put_request("k", "causal");
  causal.consistency = kCausal;
  world.submit(leader, causal, [](const Reply&) {});
  const bool read = GENERATE(true, false);
  Request ordered = read ? get_request("k") : put_request("k", "ordered");
  world.submit(leader, ordered, [](const Reply&) {});
  world.run_for(200ms);
  CHECK(world.replica(third).status().last_index == last);
  world.crash(leader, 0);
  REQUIRE(world.start(leader));
  REQUIRE(world.run_until([&] { return world.replica(leader).status().ready; }, 10s));
  // The key is what it was, for everybody, at once.
  for (const NodeId at : world.ids()) {
    const Reply reply = Client{world}.get(at, "k", kRejecting);
    REQUIRE(reply);
    CHECK(reply->value == Bytes{"old"});
  }
}

TEST_CASE_METHOD(CausalReady, "causal mixed: entries that waited for the disk are sent behind it") {
  world.hold_disk(leader, true);
  Request causal = put_request("k", "causal");
  causal.consistency = kCausal;
  world.submit(leader, causal, [](const Reply&) {});
  std::optional<Reply> ordered;
  std::optional<Reply> behind;
  world.submit(leader, put_request("k", "ordered"), [&](const Reply& reply) { ordered = reply; });
  world.submit(leader, put_request("l", "other"), [&](const Reply& reply) { behind = reply; });
  world.run_for(100ms);
  CHECK_FALSE(ordered);
  CHECK_FALSE(behind);
  world.hold_disk(leader, false);
  REQUIRE(world.run_until([&] { return ordered && behind; }, 5s));
  written(*ordered);
  written(*behind);
  CHECK(world.get(third, "k")->value == Bytes{"ordered"});
  CHECK(world.get(third, "l")->value == Bytes{"other"});
}

TEST_CASE_METHOD(CausalReady, "causal mixed: an update's answer is a read, and its token says so") {
  Request add = get_request("");
  add.operation = UpdateCrdt{.key = "c"};
  hold_back_from_third();
  Client writer{world};
  written(writer.put(follower, "post", "hello"));
  written(writer.ask(follower, add));
  world.run_for(50ms);
  Client other{world};
  const Reply sum = other.ask(leader, add);
  written(sum);
  REQUIRE(sum->crdt);
  REQUIRE(sum->crdt->json == "2");
  // It has seen the writer's update, which comes behind the post.
  CHECK(refused(other.get(third, "post", kRejecting), ErrorCode::level_unattainable));
  // And an update waits for what its session has read.
  Client reader{world};
  REQUIRE(reader.value(leader, "post") == "hello");
  CHECK(refused(reader.ask(third, add, of_session("ryw,mr")), ErrorCode::level_unattainable));
  written(reader.ask(third, add, of_session("ryw")));
}

TEST_CASE_METHOD(CausalReady, "causal mixed: a write waits for what it replaces") {
  hold_back_from_third();
  written(Client{world}.put(third, "k", "first"));
  world.run_for(50ms);
  written(Client{world}.put(follower, "k", "second"));
  world.run_for(50ms);
  written(Client{world}.put(leader, "k", "third"));  // of nobody who has seen the second
  world.run_for(50ms);
  // The key stays what it was: it is not shown without what its versions replace, nor blocked.
  const Reply reply = Client{world}.get(third, "k", kRejecting);
  REQUIRE(reply);
  CHECK(reply->value == Bytes{"first"});
  written(Client{world}.put(third, "k", "fourth", kRejecting));
  world.drop_if(nullptr);
  REQUIRE(world.run_until([&] { return equal_stores(world); }, 15s));
}

TEST_CASE_METHOD(CausalReady, "causal mixed: a recovery ends while others go on writing") {
  written(Client{world}.put(leader, "k", "v"));
  world.run_for(300ms);
  world.crash(third);
  world.wipe(third);
  REQUIRE(world.start(third));
  const MonoTime begun = world.now();
  int n = 0;
  while (!world.replica(third).status().ready && world.now() - begun < 20s) {
    Request put = put_request(fmt::format("k{}", n % 7), fmt::format("{}", n));
    put.consistency = kCausal;
    world.submit(n % 2 == 0 ? leader : follower, put, [](const Reply&) {});
    world.run_for(200us);
    ++n;
  }
  CHECK(world.replica(third).status().ready);
}

}  // namespace
}  // namespace parallax::testing
