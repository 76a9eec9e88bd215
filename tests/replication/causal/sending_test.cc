#include <deque>

#include <catch2/catch.hpp>

#include "replication/codec.h"
#include "replication/frame.h"
#include "tests/replication/causal/one_core.h"

namespace parallax::test {

using namespace std::chrono_literals;

TEST_CASE("causal: an operation leaves once it is durable here, to everybody, once") {
  OneCore one;
  CHECK(one.write() == 1);
  CHECK(one.write() == 2);
  CHECK(one.core.applied() == counts({{origin(1), 2}}));
  CausalReady ready = one.core.take_ready();
  REQUIRE(ready.append.size() == 2);
  CHECK(ready.append[1]->number == 2);
  CHECK(ready.apply.empty());
  CHECK(ready.record->applied == counts({{origin(1), 2}}));
  CHECK(ready.send_now.empty());
  CHECK(one.core.durable().empty());
  const CausalMark mark = one.core.persisted_mark();
  one.write();
  CHECK(one.core.take_ready(false).send_now.empty());
  one.core.on_persisted(mark);
  ready = one.core.take_ready(false);
  CHECK(numbers(sent<CausalOperations>(ready.send_now, 2)) == "1 2");
  CHECK(numbers(sent<CausalOperations>(ready.send_now, 3)) == "1 2");
  CHECK(ready.append.empty());
  CHECK_FALSE(ready.needs_write());
  one.turn();
  ready = one.turn();
  CHECK(numbers(sent<CausalOperations>(ready.send_now, 2)) == "3");
  CHECK(one.turn().send_now.empty());
}

TEST_CASE("causal: what is durable waits a little for what will be soon") {
  CausalConfig config = one_of_three();
  config.push_interval = 2ms;
  OneCore one(config);
  one.now += 1s;
  one.core.tick(one.now);
  const auto pushed = [&](Duration after = {}) {
    one.now += after;
    one.core.tick(one.now);
    return numbers(sent<CausalOperations>(one.core.take_ready(false).send_now, 2));
  };
  std::deque<CausalMark> disk;
  const auto write = [&] {
    one.write();
    one.core.take_ready();
    disk.push_back(one.core.persisted_mark());
  };
  const auto written = [&] {
    one.core.on_persisted(disk.front());
    disk.pop_front();
  };
  write();
  write();
  written();
  // The first one in a while leaves although a second one follows.
  CHECK(pushed() == "1");
  written();
  // Nothing follows: it does not wait.
  CHECK(pushed() == "2");
  write();
  write();
  write();
  written();
  CHECK(pushed(1ms) == "");
  written();
  CHECK(pushed(500us) == "");
  SECTION("until the time is over") {
    CHECK(pushed(500us) == "3 4");
    written();
    CHECK(pushed() == "5");
  }
  SECTION("until nothing follows any more") {
    written();
    CHECK(pushed() == "3 4 5");
  }
  CHECK(one.core.persisted_mark().applied == one.core.durable());
}

TEST_CASE("causal: what is durable does not wait where there is no room to keep it") {
  CausalConfig config = one_of_three();
  const bool room = GENERATE(true, false);
  if (!room) config.cache_bytes = 0;
  OneCore one(config);
  one.write();
  one.turn();
  CHECK(numbers(sent<CausalOperations>(one.turn().send_now, 2)) == "1");
  one.write();
  one.core.take_ready();
  const CausalMark mark = one.core.persisted_mark();
  one.write();
  one.core.on_persisted(mark);
  const auto sent_now = sent<CausalOperations>(one.core.take_ready(false).send_now, 2);
  CHECK(numbers(sent_now) == (room ? "" : "2"));
}

TEST_CASE("causal: an operation names what its origin's earlier ones do not depend on") {
  OneCore one;
  for (const std::uint32_t node : {2u, 3u}) {
    one.core.step(sender(node),
                  CausalOperations{{operation(origin(node), 1), operation(origin(node), 2)}});
  }
  one.turn();
  one.write(counts({{origin(2), 1}}));
  one.write(counts({{origin(1), 1}, {origin(2), 1}}));
  one.write(counts({{origin(1), 1}, {origin(2), 2}, {origin(3), 1}}));
  one.write(counts({{origin(2), 2}, {origin(3), 2}}));
  one.write();
  const CausalReady ready = one.turn();
  REQUIRE(ready.append.size() == 5);
  CHECK(ready.append[0]->dependencies == counts({{origin(2), 1}}));
  CHECK(ready.append[1]->dependencies.empty());
  CHECK(ready.append[2]->dependencies == counts({{origin(2), 2}, {origin(3), 1}}));
  CHECK(ready.append[3]->dependencies == counts({{origin(3), 2}}));
  CHECK(ready.append[4]->dependencies.empty());
}

TEST_CASE("causal: a turn's operations share a message, up to its size") {
  CausalConfig config = one_of_three();
  config.batch_bytes = 3 * operation(origin(1), 1).bytes();
  OneCore one(config);
  for (int i = 0; i < 7; ++i) one.write();
  one.turn();
  CHECK(numbers(sent<CausalOperations>(one.turn().send_now, 3)) == "1 2 3 | 4 5 6 | 7");
  // A large one goes alone.
  one.write({}, std::string(1'000, 'v'));
  one.write();
  one.turn();
  CHECK(numbers(sent<CausalOperations>(one.turn().send_now, 3)) == "8 | 9");
}

TEST_CASE("causal: nobody is sent more than it has room for") {
  CausalConfig config = one_of_three();
  SECTION("operations") {
    config.buffer.operations = 4;
    OneCore one(config);
    for (int i = 0; i < 10; ++i) one.write();
    one.turn();
    CHECK(numbers(sent<CausalOperations>(one.turn().send_now, 2)) == "1 2 3 4");
    one.core.step(sender(2), status(counts({{origin(1), 2}})));
    const CausalReady ready = one.turn();
    CHECK(numbers(sent<CausalOperations>(ready.send_now, 2)) == "5 6");
    // Each has its own.
    CHECK(sent<CausalOperations>(ready.send_now, 3).empty());
  }
  SECTION("bytes, but for the next one") {
    config.buffer.bytes = 2 * operation(origin(1), 1).bytes();
    OneCore one(config);
    for (int i = 0; i < 3; ++i) one.write();
    one.write({}, std::string(10'000, 'v'));
    one.write();
    one.turn();
    CHECK(numbers(sent<CausalOperations>(one.turn().send_now, 2)) == "1 2");
    one.core.step(sender(2), status(counts({{origin(1), 2}})));
    CHECK(numbers(sent<CausalOperations>(one.turn().send_now, 2)) == "3");
    one.core.step(sender(2), status(counts({{origin(1), 3}})));
    CHECK(numbers(sent<CausalOperations>(one.turn().send_now, 2)) == "4");
    CHECK(one.turn().send_now.empty());
    one.core.step(sender(2), status(counts({{origin(1), 4}})));
    CHECK(numbers(sent<CausalOperations>(one.turn().send_now, 2)) == "5");
  }
}

TEST_CASE("causal: whoever is behind what is in memory is not pushed to until it is near again") {
  CausalConfig config = one_of_three();
  config.cache_bytes = 0;
  OneCore one(config);
  one.core.on_persisted(one.core.persisted_mark());
  for (int i = 0; i < 3; ++i) one.write();
  one.turn();
  // The operations are durable now and may be let go of, once they are sent.
  CHECK(numbers(sent<CausalOperations>(one.turn().send_now, 2)) == "1 2 3");
  one.core.heard(NodeId{2}, Incarnation{2});
  CHECK(one.turn().send_now.empty());
  one.core.step(sender(2, 2), status({}, 1, 2));
  one.write();
  one.turn();
  CausalReady ready = one.turn();
  CHECK(numbers(sent<CausalOperations>(ready.send_now, 3)) == "4");
  CHECK(sent<CausalOperations>(ready.send_now, 2).empty());
  // It has fetched the rest meanwhile.
  one.core.step(sender(2, 2), status(counts({{origin(1), 4}}), 1, 2));
  one.write();
  one.turn();
  CHECK(numbers(sent<CausalOperations>(one.turn().send_now, 2)) == "5");
}

TEST_CASE("causal: what a node applies it says ten times a second, and else once") {
  OneCore one;
  std::size_t statuses = 0;
  for (int i = 1; i <= 100; ++i) {
    one.core.step(sender(2), CausalOperations{{operation(origin(2), i)}});
    const CausalReady ready = one.turn_after(10ms);
    CHECK(ready.send_now.empty());
    for (const CausalStatus& status : sent<CausalStatus>(ready.send_after, 3)) {
      ++statuses;
      CHECK(status.applied == ready.record->applied);
    }
  }
  CHECK(statuses >= 9);
  CHECK(statuses <= 11);
  statuses = 0;
  one.turn_after(1s);
  for (int i = 1; i <= 500; ++i) {
    statuses += sent<CausalStatus>(one.turn_after(10ms).send_after, 3).size();
  }
  CHECK(statuses == 5);
}

TEST_CASE("causal: an origin whose credit runs low is told at once, and nobody else") {
  CausalConfig config = one_of_three();
  config.buffer.operations = 4;
  OneCore one(config);
  one.core.step(sender(2), CausalOperations{{operation(origin(2), 1)}});
  CHECK(one.turn().send_after.empty());
  one.core.step(sender(2), CausalOperations{{operation(origin(2), 2)}});
  const CausalReady ready = one.turn();
  CHECK(ready.record.has_value());
  REQUIRE(sent<CausalStatus>(ready.send_after, 2).size() == 1);
  CHECK(sent<CausalStatus>(ready.send_after, 2)[0].applied == counts({{origin(2), 2}}));
  CHECK(sent<CausalStatus>(ready.send_after, 3).empty());
  // It has been told now.
  one.core.step(sender(2), CausalOperations{{operation(origin(2), 3)}});
  CHECK(one.turn().send_after.empty());
  CHECK_FALSE(one.turn().needs_write());
}

TEST_CASE("causal: an acknowledgement waits for the batch that it rests on") {
  OneCore one;
  one.core.step(sender(2), CausalOperations{{operation(origin(2), 1)}});
  one.now += 1s;
  one.core.tick(one.now);
  // The disk is busy: nothing is applied, and so nothing said.
  CausalReady ready = one.core.take_ready(false);
  CHECK(ready.apply.empty());
  CHECK(ready.send_after.empty());
  CHECK(one.core.applied().empty());
  ready = one.core.take_ready();
  CHECK(ready.apply.size() == 1);
  CHECK(sent<CausalStatus>(ready.send_after, 3)[0].applied == counts({{origin(2), 1}}));
  CHECK(one.core.durable().empty());
}

TEST_CASE("causal: logs are kept until every member has applied them durably") {
  OneCore one;
  for (int i = 0; i < 4; ++i) one.write();
  one.turn();
  one.core.step(sender(2), status(counts({{origin(1), 4}})));
  CHECK(one.turn_after(200ms).remove.empty());
  CHECK(one.core.stable().empty());
  one.core.step(sender(3), status(counts({{origin(1), 3}})));
  CHECK(one.core.stable() == counts({{origin(1), 3}}));
  const CausalReady ready = one.turn_after(200ms);
  CHECK(ready.remove == std::vector{CausalRange{origin(1), 1, 3}});
  CHECK(ready.record->log_starts == counts({{origin(1), 3}}));
  CHECK(one.core.log(origin(1))->start() == 3);
  CHECK_FALSE(one.turn_after(200ms).needs_write());
}

TEST_CASE("causal: removals are spread over batches") {
  CausalConfig config = one_of_three();
  config.max_removals = 3;
  OneCore one(config);
  for (int i = 0; i < 7; ++i) one.write();
  one.turn();
  one.core.step(sender(2), status(counts({{origin(1), 7}})));
  one.core.step(sender(3), status(counts({{origin(1), 7}})));
  CausalReady ready = one.turn_after(200ms);
  CHECK(ready.remove == std::vector{CausalRange{origin(1), 1, 3}});
  CHECK(ready.record->log_starts == counts({{origin(1), 7}}));
  ready = one.turn();
  CHECK(ready.remove == std::vector{CausalRange{origin(1), 4, 6}});
  CHECK(ready.needs_write());
  CHECK(one.turn().remove == std::vector{CausalRange{origin(1), 7, 7}});
  CHECK(one.turn().remove.empty());
}

TEST_CASE("causal: above their size logs let go of what a peer lacks, the longest first") {
  CausalConfig config = one_of_three();
  const std::size_t each = operation(origin(1), 1).bytes();
  config.log_bytes = 5 * each;
  OneCore one(config);
  for (int i = 0; i < 6; ++i) one.write();
  one.core.step(sender(2), CausalOperations{{operation(origin(2), 1), operation(origin(2), 2)}});
  one.turn();
  CHECK(one.core.log_bytes() == 8 * each);
  SECTION("whoever it is that lacks it") {
    const CausalReady ready = one.turn_after(200ms);
    CHECK(ready.remove == std::vector{CausalRange{origin(1), 1, 3}});
    CHECK(one.core.log_bytes() == 5 * each);
    CHECK(one.core.counters().trimmed_early == 3);
  }
  SECTION("not what comes behind a transfer that is going on, up to twice the size") {
    one.core.step(sender(3), CausalTransferQuery{.call = {1, RequestId{1}}, .after = ""});
    one.turn();
    for (int i = 0; i < 2; ++i) one.write();
    one.turn();
    one.core.step(sender(3), CausalTransferQuery{.call = {1, RequestId{2}}, .after = "k"});
    CHECK(one.turn_after(200ms).remove == std::vector{CausalRange{origin(1), 1, 5}});
    for (int i = 0; i < 5; ++i) one.write();
    one.turn();
    CHECK(one.core.log(origin(1))->start() == 5);
    CHECK(one.turn_after(200ms).remove ==
          std::vector{CausalRange{origin(2), 1, 2}, CausalRange{origin(1), 6, 6}});
    for (int i = 0; i < 3; ++i) one.write();
    one.turn();
    CHECK(one.turn_after(200ms).remove.empty());
    one.write();
    one.turn();
    // Eleven are above twice the size: nobody is waited for.
    CHECK(one.turn_after(200ms).remove == std::vector{CausalRange{origin(1), 7, 12}});
    // And not for ever.
    for (int i = 0; i < 3; ++i) one.write();
    one.turn_after(11s);
    one.turn_after(200ms);
    CHECK(one.core.log_bytes() == 5 * each);
  }
}

TEST_CASE("causal: an operation costs at most 96 bytes beside key and value") {
  // Three nodes; each write replaces what the key had, of some node, and follows another one's.
  const auto bytes = [](std::size_t batch) {
    const Origin by{NodeId{2}, Incarnation{1'790'000'000'000}};
    const Origin other{NodeId{3}, Incarnation{1'790'000'001'000}};
    const Hlc now = Hlc::from_millis(UnixMillis{1'790'000'900'000});
    CausalOperations message;
    for (std::size_t i = 0; i < batch; ++i) {
      CausalOperation next{
          100'000 + i, "key-12345", causal_version(by, now.value + 70'000 * i), {}};
      next.version.value = Bytes{std::string(100, 'v')};
      next.version.context.advance({ActorPath::causal, by.node, by.incarnation},
                                   Hlc{now.value - (20'000 << 16)});
      next.version.context.advance({ActorPath::causal, other.node, other.incarnation},
                                   Hlc{now.value - (30'000 << 16)});
      if (i % 2 == 0) next.dependencies.advance(other, 200'000 + i);
      message.operations.push_back(std::move(next));
    }
    Envelope envelope{.from = by.node,
                      .to = NodeId{1},
                      .incarnation = by.incarnation,
                      .clock = now,
                      .physical = {now.millis(), now.millis(), now.millis()},
                      .message = message};
    std::string frame;
    const std::size_t begun = begin_frame(frame);
    encode_envelope(envelope, frame);
    end_frame(frame, begun);
    return (frame.size() - batch * (9 + 100)) / batch;
  };
  CHECK(bytes(1) <= 150);
  CHECK(bytes(2) <= 96);
  CHECK(bytes(10) <= 45);
}

}  // namespace parallax::test
