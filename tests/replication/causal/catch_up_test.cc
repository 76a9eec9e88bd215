#include <catch2/catch.hpp>

#include "tests/replication/causal/one_core.h"

namespace parallax::test {
namespace {

using namespace std::chrono_literals;

/// The one fetch in `ready`, which must go to `to`.
CausalFetch fetch(const CausalReady& ready, std::uint32_t to) {
  const auto all = sent<CausalFetch>(ready.send_now, to);
  REQUIRE(ready.send_now.size() == 1);
  REQUIRE(all.size() == 1);
  return all.front();
}

CausalTransferQuery page_query(const CausalReady& ready, std::uint32_t to) {
  const auto all = sent<CausalTransferQuery>(ready.send_now, to);
  REQUIRE(all.size() == 1);
  return all.front();
}

CausalTransferPage::State state(std::string key, const CausalOperation& operation) {
  CausalTransferPage::State state{std::move(key), {}};
  state.state.add(operation.version);
  return state;
}

VersionVector stamps(const OriginVector& applied) {
  VersionVector stamps;
  for (const auto& [origin, count] : applied.entries()) {
    stamps.advance({ActorPath::causal, origin.node, origin.incarnation}, Hlc{100 * count});
  }
  return stamps;
}

CausalTransferPage page(const CausalTransferQuery& query, const OriginVector& applied,
                        const OriginVector& ceiling, std::vector<CausalTransferPage::State> states,
                        bool complete) {
  CausalTransferPage page{.call = query.call,
                          .applied = applied,
                          .stamps = stamps(applied),
                          .ceiling = ceiling,
                          .states = std::move(states),
                          .complete = complete};
  page.ceiling.join(applied);
  return page;
}

/// Node 2 has applied that, and has no log of it any more: a transfer from it has begun. Its first
/// query.
CausalTransferQuery begin_transfer(OneCore& one, const OriginVector& applied) {
  one.core.step(sender(2), status(applied));
  one.turn();
  for (const CausalFetch& asked : sent<CausalFetch>(one.turn_after(300ms).send_now, 2)) {
    one.core.step(sender(2), CausalFetched{.call = asked.call, .trimmed = true, .operations = {}});
  }
  return page_query(one.turn(), 2);
}

}  // namespace

TEST_CASE(
    "causal: what others have for a while and did not come is asked for, of its origin first") {
  OneCore one;
  one.core.step(sender(2), status(counts({{origin(3), 2}})));
  CHECK(one.turn().send_now.empty());
  CHECK(one.turn_after(199ms).send_now.empty());
  one.core.step(sender(3), status(counts({{origin(3), 2}})));
  const CausalFetch first = fetch(one.turn_after(1ms), 3);
  CHECK(first.origin == origin(3));
  CHECK(first.after == 0);
  CHECK(one.turn_after(100ms).send_now.empty());
  SECTION("what comes is applied, and nothing more asked") {
    one.core.step(sender(3),
                  CausalFetched{.call = first.call,
                                .trimmed = false,
                                .operations = {operation(origin(3), 1), operation(origin(3), 2)}});
    const CausalReady ready = one.turn();
    CHECK(ready.apply.size() == 2);
    CHECK(ready.send_now.empty());
    CHECK(one.turn_after(5s).send_now.empty());
  }
  SECTION("as long as there is more, a batch per round trip") {
    one.core.step(sender(3), CausalFetched{.call = first.call,
                                           .trimmed = false,
                                           .operations = {operation(origin(3), 1)}});
    const CausalReady ready = one.turn();
    CHECK(ready.apply.size() == 1);
    const CausalFetch next = fetch(ready, 3);
    CHECK(next.after == 1);
    CHECK(next.call != first.call);
  }
  SECTION("somebody else is asked when no answer comes: a dead origin stalls nobody") {
    const CausalFetch second = fetch(one.turn_after(500ms), 2);
    CHECK(second.after == 0);
    CHECK(second.call != first.call);
    // A late answer is as good as any.
    one.core.step(sender(3), CausalFetched{.call = first.call,
                                           .trimmed = false,
                                           .operations = {operation(origin(3), 1)}});
    CHECK(one.turn().apply.size() == 1);
  }
  SECTION("an answer that brings nothing new is not asked for again at once") {
    one.core.step(sender(3), CausalFetched{.call = first.call, .trimmed = false, .operations = {}});
    CHECK(one.turn().send_now.empty());
    CHECK(fetch(one.turn_after(300ms), 2).after == 0);
  }
}

TEST_CASE("causal: an origin that has not been heard from for long is not asked") {
  OneCore one;
  one.turn_after(4s);
  one.core.step(sender(2), status(counts({{origin(3), 2}})));
  one.turn();
  CHECK(fetch(one.turn_after(300ms), 2).origin == origin(3));
}

TEST_CASE("causal: what waits already is not asked for") {
  OneCore one;
  one.core.step(sender(3), CausalOperations{{operation(origin(3), 1, counts({{origin(2), 1}})),
                                             operation(origin(3), 2)}});
  one.core.step(sender(3), status(counts({{origin(2), 1}, {origin(3), 3}})));
  one.turn();
  const CausalReady ready = one.turn_after(300ms);
  REQUIRE(ready.send_now.size() == 2);
  const auto fetches = sent<CausalFetch>(ready.send_now, 3);
  REQUIRE(fetches.size() == 2);
  CHECK(fetches[0].origin == origin(2));
  CHECK(fetches[0].after == 0);
  CHECK(fetches[1].origin == origin(3));
  CHECK(fetches[1].after == 2);
}

TEST_CASE("causal: whoever asks is given what is durable here, from memory or from the store") {
  CausalConfig config = one_of_three();
  config.batch_bytes = 2 * operation(origin(3), 1).bytes();
  const bool cached = GENERATE(true, false);
  if (!cached) config.cache_bytes = 0;
  OneCore one(config);
  std::vector<SharedOperation> operations;
  for (std::uint64_t n = 1; n <= 4; ++n) operations.push_back(operation(origin(3), n));
  one.core.step(sender(3), CausalOperations{operations});
  one.turn();
  one.turn();
  one.core.step(sender(3), CausalOperations{{operation(origin(3), 5)}});
  one.core.take_ready();  // on its way to the disk

  const QuorumCall call{.life = 7, .id = RequestId{8}};
  const auto answer = [&](std::uint64_t after) {
    one.core.step(sender(2), CausalFetch{.call = call, .origin = origin(3), .after = after});
    CausalReady ready = one.core.take_ready();
    if (!cached && after < 4) {
      REQUIRE(ready.loads.size() == 1);
      const CausalLoad& load = ready.loads.front();
      CHECK(load.peer == NodeId{2});
      CHECK(load.origin == origin(3));
      CHECK(load.after == after);
      CHECK(load.max_bytes == config.batch_bytes);
      // The owner's store has number 5 on its way.
      std::vector<SharedOperation> found(operations.begin() + static_cast<long>(after),
                                         operations.end());
      found.push_back(operation(origin(3), 5));
      if (found.size() > 2) found.erase(found.begin() + 2, found.end());
      one.core.on_loaded(load, found);
      ready = one.core.take_ready();
    }
    CHECK(ready.loads.empty());
    const auto fetched = sent<CausalFetched>(ready.send_now, 2);
    REQUIRE(fetched.size() == 1);
    CHECK(fetched[0].call == call);
    CHECK_FALSE(fetched[0].trimmed);
    std::string text;
    for (const CausalOperation& operation : fetched[0].operations) {
      text += std::to_string(operation.number);
    }
    return text;
  };
  CHECK(answer(0) == "12");
  CHECK(answer(1) == "23");
  CHECK(answer(3) == "4");
  CHECK(answer(4).empty());
  CHECK(answer(9).empty());
}

TEST_CASE("causal: the log keeps what the stored key states lack") {
  CausalConfig config = one_of_three();
  config.log_bytes = 1;  // there is room for nothing
  OneCore one(config);
  one.core.on_states_written(counts({{origin(1), 1}}));
  for (int i = 0; i < 3; ++i) one.write();
  one.turn();
  for (const std::uint32_t node : {2u, 3u}) {
    one.core.step(sender(node), status(counts({{origin(1), 3}})));
  }
  one.turn_after(200ms);
  CHECK(one.core.log(origin(1))->start() == 1);
  one.core.on_states_written(counts({{origin(1), 3}}));
  one.turn_after(200ms);
  CHECK(one.core.log(origin(1))->start() == 3);
}

TEST_CASE("causal: whoever asks for what is not in the log is told so") {
  OneCore one;
  for (int i = 0; i < 3; ++i) one.write();
  one.turn();
  for (const std::uint32_t node : {2u, 3u}) {
    one.core.step(sender(node), status(counts({{origin(1), 2}})));
  }
  one.turn_after(200ms);
  const auto answer = [&](std::uint64_t after) {
    const QuorumCall call{.life = 7, .id = RequestId{8}};
    one.core.step(sender(2), CausalFetch{.call = call, .origin = origin(1), .after = after});
    const CausalReady ready = one.turn();
    const auto all = sent<CausalFetched>(ready.send_now, 2);
    REQUIRE(all.size() == 1);
    return all.front();
  };
  CHECK(answer(1).trimmed);
  CHECK_FALSE(answer(2).trimmed);
  CHECK(answer(2).operations.size() == 1);
  // Trimmed between the load and its answer.
  one.core.on_loaded({.peer = NodeId{2}, .call = {}, .origin = origin(1), .after = 1}, {});
  CHECK(sent<CausalFetched>(one.turn().send_now, 2)[0].trimmed);
}

TEST_CASE("causal: a transfer is begun only when nobody who is there has it in the log") {
  OneCore one;
  for (const std::uint32_t node : {2u, 3u}) {
    one.core.step(sender(node), status(counts({{origin(3), 9}})));
  }
  one.turn();
  const CausalFetch first = fetch(one.turn_after(300ms), 3);
  one.core.step(sender(3), CausalFetched{.call = first.call, .trimmed = true, .operations = {}});
  const CausalFetch second = fetch(one.turn(), 2);
  CHECK_FALSE(one.core.transferring());
  one.core.step(sender(2), CausalFetched{.call = second.call, .trimmed = true, .operations = {}});
  CHECK(page_query(one.turn(), 2).after.empty());
  CHECK(one.core.transferring());
}

TEST_CASE("causal: a transfer moves the vector to the first page's, with the last one") {
  OneCore one;
  one.core.step(sender(3), CausalOperations{{operation(origin(3), 1)}});
  const OriginVector from = counts({{origin(2), 5}, {origin(3), 9}});
  CausalTransferQuery query = begin_transfer(one, from);
  CHECK(one.core.consistent());

  // What the sender has applied goes on rising meanwhile.
  const OriginVector later = counts({{origin(2), 7}, {origin(3), 9}});
  one.core.step(sender(2), page(query, from, from, {state("a", operation(origin(3), 9))}, false));
  CausalReady ready = one.core.take_ready();
  REQUIRE(ready.install.size() == 1);
  CHECK(ready.install[0].key == "a");
  CHECK(ready.record->applied == counts({{origin(3), 1}}));
  CHECK(ready.record->ceiling == from);
  CHECK_FALSE(one.core.consistent());
  query = page_query(ready, 2);
  CHECK(query.after == "a");

  one.core.step(sender(2), page(query, later, later, {state("b", operation(origin(2), 7))}, true));
  ready = one.core.take_ready();
  CHECK(ready.install.size() == 1);
  CHECK(ready.record->applied == from);
  CHECK(ready.record->stamps == stamps(from));
  CHECK(ready.record->ceiling == later);
  CHECK(ready.record->log_starts == from);
  CHECK(ready.remove == std::vector{CausalRange{origin(3), 1, 1}});
  CHECK(sent<CausalTransferQuery>(ready.send_now, 2).empty());
  CHECK(one.core.counters().transfers == 1);
  CHECK_FALSE(one.core.transferring());
  // Operation 6 of node 2 is still to come, and the state of "b" may rest on it.
  CHECK_FALSE(one.core.consistent());
  CHECK(one.core.covers(from));

  one.core.step(sender(2), CausalOperations{{operation(origin(2), 6), operation(origin(2), 7)}});
  ready = one.core.take_ready();
  CHECK(ready.apply.size() == 2);
  CHECK(ready.record->ceiling.empty());
  CHECK(one.core.consistent());
}

TEST_CASE("causal: operations that come during a transfer are applied, in the logs' order") {
  OneCore one;
  const OriginVector from = counts({{origin(3), 9}});
  const CausalTransferQuery query = begin_transfer(one, from);
  // One that the jump passes over, one behind it, one that is behind neither.
  one.core.step(sender(3), CausalOperations{{operation(origin(3), 1)}});
  one.core.step(sender(3), CausalOperations{{operation(origin(3), 9)}});
  one.core.step(sender(3), CausalOperations{{operation(origin(3), 10)}});
  one.core.step(sender(2), CausalOperations{{operation(origin(2), 1)}});
  CausalReady ready = one.turn();
  CHECK(ready.apply.size() == 2);
  CHECK(one.core.waiting(origin(3)) == 2);
  one.core.step(sender(2), page(query, from, from, {state("a", operation(origin(3), 9))}, true));
  ready = one.turn();
  REQUIRE(ready.apply.size() == 1);
  CHECK(ready.apply[0]->number == 10);
  CHECK(one.core.applied() == counts({{origin(2), 1}, {origin(3), 10}}));
  CHECK(one.core.consistent());
}

TEST_CASE("causal: a page that does not come is asked for again, and then somebody else") {
  OneCore one;
  const OriginVector from = counts({{origin(3), 9}});
  const CausalTransferQuery first = begin_transfer(one, from);
  const CausalTransferQuery second = page_query(one.turn_after(500ms), 2);
  CHECK(second.after.empty());
  CHECK(second.call != first.call);
  one.core.step(sender(2), page(first, from, from, {state("a", operation(origin(3), 9))}, true));
  CHECK(one.turn().install.empty());
  SECTION("the answer comes after all") {
    one.core.step(sender(2), page(second, from, from, {state("a", operation(origin(3), 9))}, true));
    CHECK(one.turn().install.size() == 1);
    CHECK(one.core.applied() == from);
  }
  SECTION("it never comes") {
    for (int i = 0; i < 6; ++i) one.turn_after(500ms);
    CHECK_FALSE(one.core.transferring());
    CHECK(one.core.applied().empty());
  }
  SECTION("its sender has lost its disk") {
    one.core.heard(NodeId{2}, Incarnation{2});
    CHECK_FALSE(one.core.transferring());
    one.core.step(sender(2), page(second, from, from, {state("a", operation(origin(3), 9))}, true));
    CHECK(one.turn().install.empty());
  }
  SECTION("it comes for a key that is there already") {
    one.core.step(sender(2),
                  page(second, from, from, {state("b", operation(origin(3), 9))}, false));
    const CausalTransferQuery third = page_query(one.turn(), 2);
    one.core.step(sender(2), page(third, from, from, {state("b", operation(origin(3), 9))}, true));
    CHECK(one.turn().install.empty());
  }
}

TEST_CASE("causal: a crash during a transfer leaves the states unshown") {
  const OriginVector from = counts({{origin(3), 9}});
  OneCore one;
  const CausalTransferQuery query = begin_transfer(one, from);
  one.core.step(sender(2), page(query, from, from, {state("a", operation(origin(3), 9))}, false));
  const CausalReady ready = one.turn();
  OneCore again(one_of_three(), {.record = *ready.record, .log = {}});
  CHECK_FALSE(again.core.consistent());
  CHECK(again.core.applied().empty());
  // The transfer begins anew.
  const CausalTransferQuery anew = begin_transfer(again, from);
  CHECK(anew.after.empty());
  again.core.step(sender(2), page(anew, from, from, {state("a", operation(origin(3), 9))}, true));
  again.turn();
  CHECK(again.core.consistent());
  CHECK(again.core.applied() == from);
}

TEST_CASE("causal: a page is between what was applied before and after it was read") {
  OneCore one;
  one.core.step(sender(2), CausalOperations{{operation(origin(2), 1)}});
  one.turn();
  one.core.step(sender(3), CausalTransferQuery{.call = {7, RequestId{8}}, .after = "k"});
  CausalReady ready = one.turn();
  REQUIRE(ready.page_reads.size() == 1);
  const CausalPageRead read = ready.page_reads.front();
  CHECK(read.peer == NodeId{3});
  CHECK(read.after == "k");
  one.write();
  one.core.on_page(read, {state("m", operation(origin(2), 1))}, true);
  CHECK(one.core.take_ready(false).send_after.empty());
  // Not before the write is durable that the states may show.
  ready = one.core.take_ready();
  CHECK(ready.append.size() == 1);
  const auto pages = sent<CausalTransferPage>(ready.send_after, 3);
  REQUIRE(pages.size() == 1);
  CHECK(pages[0].call == QuorumCall{7, RequestId{8}});
  CHECK(pages[0].applied == counts({{origin(2), 1}}));
  CHECK(pages[0].stamps == stamps(counts({{origin(2), 1}})));
  CHECK(pages[0].ceiling == counts({{origin(1), 1}, {origin(2), 1}}));
  CHECK(pages[0].complete);
}

TEST_CASE("causal: a page of one who is inconsistent leaves whoever takes it so, too") {
  OneCore one;
  const OriginVector from = counts({{origin(3), 9}});
  const OriginVector beyond = counts({{origin(3), 12}});
  const CausalTransferQuery query = begin_transfer(one, from);
  one.core.step(sender(2), page(query, from, beyond, {state("a", operation(origin(3), 12))}, true));
  CHECK(one.turn().record->ceiling == beyond);
  CHECK(one.core.applied() == from);
  CHECK_FALSE(one.core.consistent());
}

TEST_CASE("causal: whoever is inconsistent itself passes its ceiling on") {
  OneCore one;
  const OriginVector from = counts({{origin(3), 9}});
  const CausalTransferQuery query = begin_transfer(one, from);
  one.core.step(sender(2), page(query, from, from, {state("a", operation(origin(3), 9))}, false));
  one.turn();
  one.core.step(sender(3), CausalTransferQuery{.call = {7, RequestId{8}}, .after = ""});
  const CausalReady ready = one.turn();
  one.core.on_page(ready.page_reads.at(0), {state("a", operation(origin(3), 9))}, true);
  const auto pages = sent<CausalTransferPage>(one.turn().send_after, 3);
  REQUIRE(pages.size() == 1);
  CHECK(pages[0].applied.empty());
  CHECK(pages[0].ceiling == from);
}

}  // namespace parallax::test
