#include <catch2/catch.hpp>

#include "tests/replication/causal/one_core.h"

namespace parallax::test {
namespace {

using namespace std::chrono_literals;

/// Up to which number of node 3's first life everything is taken for done here, up to 20.
std::uint64_t done(const OneCore& one) {
  std::uint64_t number = 0;
  while (number < 20 && one.core.covers(counts({{origin(3), number + 1}}))) ++number;
  return number;
}

/// Node 1 has applied two operations of node 3, whose disk is then lost.
OneCore after_loss() {
  OneCore one;
  one.core.step(sender(3), CausalOperations{{operation(origin(3), 1), operation(origin(3), 2)}});
  one.turn();
  one.core.heard(NodeId{3}, Incarnation{2});
  return one;
}

}  // namespace

TEST_CASE("causal: what is lost with a disk is given up once everybody has spoken") {
  OneCore one = after_loss();
  CHECK(done(one) == 2);
  one.core.step(sender(2), status(counts({{origin(3), 2}}), 1, 1, 2));
  CHECK(done(one) == 2);
  one.core.step(sender(3, 2, true), status(counts({{origin(3), 2}}), 1, 1, 2));
  // It recovers: what it does not say may still be on its way to it.
  CHECK(done(one) == 2);
  one.core.step(sender(3, 2), status(counts({{origin(3), 2}}), 1, 1, 2));
  CHECK(done(one) == 20);
  // Those that are not lost are not given up.
  CHECK_FALSE(one.core.covers(counts({{origin(2), 1}})));
  CHECK_FALSE(one.core.covers(counts({{origin(3, 2), 1}})));
}

TEST_CASE("causal: a survivor that was cut off holds more than the others knew") {
  OneCore one = after_loss();
  one.core.step(sender(3, 2), status(counts({{origin(3), 2}}), 1, 1, 2));
  // All but node 2 have at most two: a majority that would have ended it there.
  CHECK(done(one) == 2);
  one.core.step(sender(2), status(counts({{origin(3), 4}}), 1, 1, 2));
  CHECK(done(one) == 2);
  // It relays them.
  one.core.step(sender(2), CausalFetched{.call = {1, RequestId{1}},
                                         .trimmed = false,
                                         .operations = {operation(origin(3), 3)}});
  one.turn();
  CHECK(done(one) == 3);
  one.core.step(sender(2), CausalFetched{.call = {1, RequestId{1}},
                                         .trimmed = false,
                                         .operations = {operation(origin(3), 4)}});
  one.turn();
  CHECK(done(one) == 20);
}

TEST_CASE("causal: nobody's word counts who may still take in what the lost node has sent") {
  OneCore one = after_loss();
  one.core.step(sender(3, 2), status(counts({{origin(3), 2}}), 1, 1, 2));
  one.core.step(sender(2), status(counts({{origin(3), 2}}), 1, 1, 1));
  CHECK(done(one) == 2);
  // Nor does it once another disk is lost, before all have heard of that.
  one.core.step(sender(2), status(counts({{origin(3), 2}}), 1, 1, 2));
  CHECK(done(one) == 20);
  one.core.heard(NodeId{2}, Incarnation{2});
  CHECK(done(one) == 2);
  one.core.step(sender(2, 2), status(counts({{origin(3), 2}}), 1, 2, 2));
  CHECK(done(one) == 2);
  one.core.step(sender(3, 2), status(counts({{origin(3), 2}}), 1, 2, 2));
  CHECK(done(one) == 20);
}

TEST_CASE("causal: an incarnation of which a higher one is heard is not listened to") {
  OneCore one;
  one.core.step(sender(3), CausalOperations{{operation(origin(3), 2)}});
  CHECK(one.core.waiting(origin(3)) == 1);
  // Heard of from somebody else.
  one.core.step(sender(2), status({}, 1, 1, 2));
  CHECK(one.core.waiting(origin(3)) == 0);
  one.core.step(sender(3), CausalOperations{{operation(origin(3), 1)}});
  CausalReady ready = one.turn();
  CHECK(ready.apply.empty());
  CHECK(ready.record->heard.at(NodeId{3}) == Incarnation{2});
  // A survivor's copy is as good as ever.
  one.core.step(sender(2), CausalOperations{{operation(origin(3), 1)}});
  CHECK(one.turn().apply.size() == 1);
  // It stays so across a restart.
  OneCore again(one_of_three(), {.record = *ready.record, .log = {}});
  again.core.step(sender(3), CausalOperations{{operation(origin(3), 1)}});
  CHECK(again.turn().apply.empty());
}

TEST_CASE("causal: a node without memory takes nothing in until a majority names it") {
  CausalConfig config = one_of_three();
  config.members.push_back(NodeId{4});
  config.members.push_back(NodeId{5});
  config.incarnation = Incarnation{2};
  Causal core(config, {.record = {}, .log = {}, .recovering = true}, MonoTime{});
  const auto offer = [&] {
    core.step(sender(3), CausalOperations{{operation(origin(3), 1)}});
    return core.take_ready().apply.size();
  };
  CHECK(offer() == 0);
  core.step(sender(2), status(counts({{origin(3), 1}}), 2));
  core.step(sender(3), status(counts({{origin(3), 1}}), 1));
  CHECK(offer() == 0);
  CHECK(core.joined().empty());
  core.step(sender(4), status({}, 2));
  const CausalReady ready = core.take_ready();
  CHECK(ready.record->heard.at(NodeId{1}) == Incarnation{2});
  CHECK(offer() == 1);
}

TEST_CASE("causal: a session's write does not depend on what is lost") {
  OneCore one = after_loss();
  one.core.step(sender(2), status(counts({{origin(3), 2}}), 1, 1, 2));
  one.core.step(sender(3, 2), status(counts({{origin(3), 2}}), 1, 1, 2));
  one.write(counts({{origin(3), 7}}));
  CHECK(one.turn().append.at(0)->dependencies == counts({{origin(3), 2}}));
}

TEST_CASE("causal: a recovering node has joined whose vector, as it first was, is durable here") {
  CausalConfig config = one_of_three();
  config.incarnation = Incarnation{2};
  Causal core(config, {.record = {}, .log = {}, .recovering = true}, MonoTime{});
  core.step(sender(2), status(counts({{origin(2), 1}}), 2));
  core.step(sender(3, 1, true), status({}, 2));
  CHECK(core.joined().empty());
  core.step(sender(2), CausalOperations{{operation(origin(2), 1)}});
  core.take_ready();
  CHECK(core.joined().empty());
  core.on_persisted(core.persisted_mark());
  // What it has applied since does not matter; who recovers itself does not count.
  core.step(sender(2), status(counts({{origin(2), 9}}), 2));
  CHECK(core.joined() == std::vector{NodeId{2}});
  core.step(sender(3), status({}, 2));
  CHECK(core.joined() == std::vector{NodeId{2}, NodeId{3}});
}

TEST_CASE("causal: a recovering node gives nothing up: others may hold what it does not know of") {
  CausalConfig config = one_of_three();
  config.incarnation = Incarnation{2};
  Causal core(config, {.record = {}, .log = {}, .recovering = true}, MonoTime{});
  core.step(sender(2), status({}, 2));
  core.step(sender(3), status({}, 2));
  core.take_ready();
  const OriginVector lost({{origin(1), 1}});
  CHECK_FALSE(core.covers(lost));
  core.end_recovery();
  CHECK(core.covers(lost));
}

TEST_CASE("causal: what was let go of with an incarnation is asked for again") {
  OneCore one;
  // Four wait for something of node 2, and the fifth is asked for; node 2 has three of them.
  std::vector<SharedOperation> operations{operation(origin(3), 1, counts({{origin(2), 1}}))};
  for (std::uint64_t n = 2; n <= 4; ++n) operations.push_back(operation(origin(3), n));
  one.core.step(sender(3), CausalOperations{operations});
  one.core.step(sender(3), status(counts({{origin(3), 5}})));
  one.core.step(sender(2), status(counts({{origin(3), 3}})));
  one.turn();
  CHECK(sent<CausalFetch>(one.turn_after(300ms).send_now, 3).at(0).after == 4);
  one.core.heard(NodeId{3}, Incarnation{2});
  CHECK(one.core.waiting(origin(3)) == 0);
  one.turn();
  const auto fetches = sent<CausalFetch>(one.turn_after(300ms).send_now, 2);
  REQUIRE(fetches.size() == 1);
  CHECK(fetches[0].after == 0);
}

TEST_CASE("causal: state that repair brings is judged by the stamps that it knows of") {
  OneCore one;
  const auto context = [](const Origin& by, std::uint64_t hlc) {
    return VersionVector(
        {{kLogActor, Hlc{1'000'000}}, {{ActorPath::causal, by.node, by.incarnation}, Hlc{hlc}}});
  };
  CHECK(one.core.covers(VersionVector{}));
  CHECK_FALSE(one.core.covers(context(origin(3), 100)));
  one.core.step(sender(3), CausalOperations{{operation(origin(3), 1)}});
  one.write();
  one.turn();
  CHECK(one.core.covers(context(origin(3), 100)));
  CHECK(one.core.covers(context(origin(1), 100)));
  CHECK_FALSE(one.core.covers(context(origin(3), 101)));
  // Lost: shown once everything is here that all members have.
  one.core.heard(NodeId{3}, Incarnation{2});
  one.core.step(sender(2), status(counts({{origin(2), 1}, {origin(3), 1}}), 1, 1, 2));
  one.core.step(sender(3, 2), status(counts({{origin(3), 1}}), 1, 1, 2));
  CHECK(one.core.covers(counts({{origin(3), 9}})));
  CHECK_FALSE(one.core.covers(context(origin(3), 900)));
  one.core.step(sender(2), CausalOperations{{operation(origin(2), 1)}});
  one.turn();
  CHECK(one.core.covers(context(origin(3), 900)));
}

TEST_CASE("causal: a restart goes on where the record stands") {
  OneCore one;
  for (int i = 0; i < 4; ++i) one.write();
  one.core.step(sender(2), CausalOperations{{operation(origin(2), 1)}});
  CausalRestored restored{.record = *one.turn().record, .log = {}};
  restored.record.log_starts.advance(origin(1), 2);
  const std::size_t bytes = operation(origin(1), 1).bytes();
  for (std::uint64_t n = 2; n <= 4; ++n) restored.log.push_back({origin(1), n, bytes});
  restored.log.push_back({origin(2), 1, bytes});
  CHECK(fault(restored).empty());

  OneCore again(one_of_three(), restored);
  CHECK(again.core.applied() == counts({{origin(1), 4}, {origin(2), 1}}));
  CHECK(again.core.durable() == again.core.applied());
  CHECK(again.core.log(origin(1))->start() == 2);
  CHECK(again.core.log_bytes() == 3 * bytes);
  again.stamp = 400;
  CHECK(again.write() == 5);
  // Pushed to whoever has what comes before it; the others will ask.
  again.turn();
  again.core.step(sender(2), status(counts({{origin(1), 4}})));
  const CausalReady ready = again.turn();
  CHECK(numbers(sent<CausalOperations>(ready.send_now, 2)) == "5");
  CHECK(sent<CausalOperations>(ready.send_now, 3).empty());
}

TEST_CASE("causal: what was being removed when the process ended is removed then") {
  CausalRestored restored;
  restored.record.applied = counts({{origin(1), 9}, {origin(2), 3}});
  restored.record.log_starts = counts({{origin(1), 9}, {origin(2), 2}});
  restored.record.heard[NodeId{1}] = Incarnation{1};
  for (std::uint64_t n = 4; n <= 6; ++n) restored.log.push_back({origin(1), n, 1});
  for (std::uint64_t n = 2; n <= 3; ++n) restored.log.push_back({origin(2), n, 1});
  REQUIRE(fault(restored).empty());
  Causal core(one_of_three(), restored, MonoTime{});
  CHECK(core.take_ready().remove ==
        std::vector{CausalRange{origin(2), 2, 2}, CausalRange{origin(1), 4, 6}});
}

TEST_CASE("causal: a store that cannot be is named") {
  CausalRestored restored;
  restored.record.applied = counts({{origin(1), 2}});
  CHECK(fault(restored) == "operations up to {} where {1.1:2} are applied");
  restored.log = {{origin(1), 2, 1}};
  CHECK(fault(restored) == "operation 2 of 1.1 behind 0");
  restored.log = {{origin(1), 1, 1}, {origin(1), 2, 1}};
  CHECK(fault(restored).empty());
  restored.log.push_back({origin(1), 3, 1});
  CHECK(fault(restored) == "operations up to {1.1:3} where {1.1:2} are applied");
  restored.log = {};
  restored.record.log_starts = counts({{origin(1), 2}});
  CHECK(fault(restored).empty());
}

}  // namespace parallax::test
