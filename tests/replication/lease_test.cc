// The leader's lease (replication/leader_follower/lease.h): what it rests on, and when it is over.
#include "replication/leader_follower/lease.h"

#include <catch2/catch.hpp>

#include "replication/leader_follower/raft.h"

namespace parallax {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHold = limits::kElectionTimeoutMin;
constexpr Duration kSpan = lease_span(kHold, limits::kClockDriftPpm);

Sender from(std::uint32_t id) {
  return {NodeId{id}, Incarnation{1}, false};
}

RaftRestored fresh() {
  RaftRestored restored;
  restored.incarnation = Incarnation{1};
  return restored;
}

/// Node 1 of three, its messages taken and given by hand.
struct Core {
  explicit Core(bool leases = true, RaftRestored restored = fresh(), MonoTime start = MonoTime{})
      : raft(config(leases), std::move(restored), start) {}

  static RaftConfig config(bool leases) {
    RaftConfig config;
    config.id = NodeId{1};
    config.members = {NodeId{1}, NodeId{2}, NodeId{3}};
    config.leases = leases;
    return config;
  }

  void at(Duration time) { raft.tick(MonoTime{} + time); }
  bool holds(Duration time) const { return raft.lease_holds(MonoTime{} + time); }

  /// Leads in term 1 at time 0; its no-op is applied, no round is confirmed.
  void lead() {
    raft.campaign();
    (void)raft.take_ready();
    raft.on_persisted(raft.persisted_mark());
    raft.step(from(2), VoteReply{.term = Term{1}, .granted = true});
    REQUIRE(raft.is_leader());
    (void)raft.take_ready();
    raft.on_persisted(raft.persisted_mark());
    raft.step(from(2), AppendReply{.term = Term{1}, .accepted = true, .match = LogIndex{1}});
    REQUIRE(raft.commit_index() == LogIndex{1});
    raft.on_applied(LogIndex{1});
  }
  /// Sends a round at `time`, and gives its number.
  RoundId round(Duration time) {
    at(time);
    const auto wanted = raft.request_read_round();
    REQUIRE(wanted);
    (void)raft.take_ready();
    return *wanted;
  }
  void answer(RoundId round, Duration hold = kHold, Sender sender = from(2)) {
    raft.step(sender, HeartbeatReply{.term = Term{1}, .round = round, .hold = hold});
  }
  void hear(Duration time, Term term = Term{1}) {
    at(time);
    raft.step(from(2), Heartbeat{.term = term, .round = RoundId{1}});
    raft.end_inputs(MonoTime{} + time);
    (void)raft.take_ready();
  }
  /// Whether this node votes for node 3 when asked like this.
  bool votes(const VoteRequest& request) {
    raft.step(from(3), request);
    for (const RaftMessage& message : raft.take_ready().send_after) {
      const auto* reply = std::get_if<VoteReply>(&message.message);
      if (reply != nullptr && message.to == NodeId{3} && reply->granted) return true;
    }
    return false;
  }

  Raft raft;
};

TEST_CASE("lease: it is over before the earliest promise ends, with clocks at their bounds") {
  const std::int64_t drift = GENERATE(0, 1, 1'000, 10'000, 200'000, 500'000);
  const Duration hold = GENERATE(Duration{100ms}, Duration{499'999'999}, Duration{60s});
  const Duration span = lease_span(hold, static_cast<std::uint32_t>(drift));
  CAPTURE(drift, hold.count(), span.count());
  // In true time: leader span / (1 - d), follower hold / (1 + d).
  CHECK(span.count() * (1'000'000 + drift) <= hold.count() * (1'000'000 - drift));
  CHECK(span > Duration::zero());
  CHECK(span.count() * (1'000'000 + drift) > (hold.count() - 2'000'000) * (1'000'000 - drift));
}

TEST_CASE("lease: it begins when the round was sent, not when it was answered") {
  Core core;
  core.lead();
  const RoundId round = core.round(50ms);
  CHECK_FALSE(core.holds(50ms));  // nobody has answered
  core.at(300ms);
  core.answer(round);
  CHECK(core.holds(300ms));
  CHECK(core.holds(50ms + kSpan - 1ns));
  CHECK_FALSE(core.holds(50ms + kSpan));
  CHECK(core.raft.lease_replicas() == std::vector{NodeId{1}, NodeId{2}});
  SECTION("a later round extends it") {
    core.answer(core.round(400ms), kHold, from(3));
    CHECK(core.holds(400ms + kSpan - 1ns));
    CHECK_FALSE(core.holds(400ms + kSpan));
    CHECK(core.raft.lease_replicas() == std::vector{NodeId{1}, NodeId{3}});
  }
  SECTION("an answer to an older one extends it to that one's end") {
    const RoundId later = core.round(350ms);
    core.answer(RoundId{later.value - 1}, kHold, from(3));  // of 300 ms
    CHECK(core.holds(300ms + kSpan - 1ns));
    CHECK_FALSE(core.holds(300ms + kSpan));
  }
}

TEST_CASE("lease: none without a majority that promises to hold still") {
  Core core;
  core.lead();
  const RoundId round = core.round(50ms);
  SECTION("leases are off there") {
    core.answer(round, Duration::zero());
    core.answer(round, Duration::zero(), from(3));
  }
  SECTION("its election timeout is shorter") {
    core.answer(round, kHold - 1ns);
  }
  SECTION("it is recovering") {
    core.answer(round, kHold, {NodeId{2}, Incarnation{1}, true});
  }
  SECTION("its process was started anew with leases off: what the one before said is old") {
    const RoundId second = core.round(60ms);
    core.answer(second, Duration::zero());
    core.answer(round, kHold);
    CHECK_FALSE(core.holds(50ms + kSpan));
    return;
  }
  CHECK_FALSE(core.holds(60ms));
}

TEST_CASE("lease: none with leases off, and nothing is promised") {
  Core core(false);
  SECTION("as a leader") {
    core.lead();
    core.answer(core.round(50ms));
    CHECK_FALSE(core.holds(60ms));
  }
  SECTION("as a follower") {
    core.raft.step(from(2), Heartbeat{.term = Term{1}, .round = RoundId{1}});
    const RaftReady ready = core.raft.take_ready();
    REQUIRE(ready.send_now.size() == 1);
    CHECK(std::get<HeartbeatReply>(ready.send_now[0].message).hold == Duration::zero());
  }
}

TEST_CASE("lease: none before the term's first entry is applied (section 6.4)") {
  Core core;
  core.raft.campaign();
  (void)core.raft.take_ready();
  core.raft.on_persisted(core.raft.persisted_mark());
  core.raft.step(from(2), VoteReply{.term = Term{1}, .granted = true});
  core.answer(RoundId{1});
  core.answer(core.round(10ms));
  CHECK_FALSE(core.holds(20ms));
}

TEST_CASE("lease: the loss of leadership ends it, and the next term begins without one") {
  Core core;
  core.lead();
  core.answer(core.round(50ms));
  REQUIRE(core.holds(60ms));
  core.raft.step(from(3), AppendReply{.term = Term{4}});
  CHECK_FALSE(core.holds(60ms));
  core.raft.campaign();
  (void)core.raft.take_ready();
  core.raft.on_persisted(core.raft.persisted_mark());
  core.raft.step(from(2), VoteReply{.term = Term{5}, .granted = true});
  REQUIRE(core.raft.is_leader());
  CHECK_FALSE(core.holds(60ms));
}

TEST_CASE("lease: handing leadership over ends it for the rest of the term (section 3.10)") {
  Core core;
  core.lead();
  core.answer(core.round(50ms));
  REQUIRE(core.holds(60ms));
  REQUIRE(core.raft.transfer_leadership(NodeId{2}));
  CHECK_FALSE(core.holds(60ms));  // before the word to campaign has left
  bool told = false;
  for (const RaftMessage& message : core.raft.take_ready().send_after) {
    told = told || std::holds_alternative<TimeoutNow>(message.message);
  }
  REQUIRE(told);
  // It is given up, and the word is still on its way.
  core.answer(core.round(400ms));
  core.answer(core.round(800ms));
  core.answer(core.round(1'100ms));
  REQUIRE(core.raft.is_leader());
  REQUIRE_FALSE(core.raft.transferring());
  CHECK_FALSE(core.holds(1'110ms));
}

TEST_CASE("lease: a follower promises its shortest election timeout, and keeps to it") {
  Core core;
  core.at(10s);
  core.raft.step(from(2), Heartbeat{.term = Term{1}, .round = RoundId{1}});
  core.raft.end_inputs(MonoTime{} + 10s);
  const RaftReady ready = core.raft.take_ready();
  REQUIRE(ready.send_now.size() == 1);
  REQUIRE(std::get<HeartbeatReply>(ready.send_now[0].message).hold == kHold);

  SECTION("whoever asks for a vote is put off") {
    core.at(10s + kHold - 1ns);
    CHECK_FALSE(core.votes({.term = Term{2}, .pre_vote = true}));
    CHECK_FALSE(core.votes({.term = Term{2}}));
  }
  SECTION("also when word of a later term has come meanwhile") {
    core.raft.step(from(3), VoteReply{.term = Term{4}, .granted = false});
    REQUIRE(core.raft.term() == Term{4});
    core.at(10s + kHold - 1ns);
    CHECK_FALSE(core.votes({.term = Term{4}}));
    CHECK_FALSE(core.votes({.term = Term{5}}));
    CHECK_FALSE(core.votes({.term = Term{5}, .pre_vote = true}));
    CHECK(core.raft.role() == Role::follower);
    core.at(10s + kHold);
    CHECK(core.votes({.term = Term{5}}));
  }
  SECTION("but not when the leader itself has asked for it (section 3.10)") {
    CHECK(core.votes({.term = Term{2}, .transfer = true}));
  }
}

TEST_CASE("lease: the promise counts from behind the arrival of the leader's word") {
  // The process read its clock, slept, and only then took the message in.
  Core core;
  core.at(10s);
  core.raft.step(from(2), Heartbeat{.term = Term{1}, .round = RoundId{1}});
  core.raft.end_inputs(MonoTime{} + 13s);
  (void)core.raft.take_ready();
  core.at(13s + kHold - 1ns);
  CHECK(core.raft.role() == Role::follower);  // nor does it campaign itself
  CHECK_FALSE(core.votes({.term = Term{2}}));
  core.at(13s + kHold);
  CHECK(core.raft.role() == Role::pre_candidate);
  SECTION("a turn without such a word moves nothing") {
    Core other;
    other.hear(10s);
    other.at(10s + 300ms);
    other.raft.end_inputs(MonoTime{} + 10s + 300ms);
    other.at(10s + kHold);
    CHECK(other.votes({.term = Term{2}, .pre_vote = true}));
  }
}

TEST_CASE("lease: a process that has just started holds still: its life before may have promised") {
  const bool leases = GENERATE(true, false);
  Core core(leases, fresh(), MonoTime{} + 1h);
  CAPTURE(leases);
  core.at(1h + kHold - 1ns);
  CHECK(core.votes({.term = Term{1}}) == !leases);
  core.at(1h + kHold);
  CHECK(core.votes({.term = Term{1}}));
}

TEST_CASE("lease: a group of one has one as long as it beats") {
  RaftConfig config;
  config.id = NodeId{1};
  config.members = {NodeId{1}};
  config.leases = true;
  Raft raft(config, fresh(), MonoTime{});
  raft.campaign();
  (void)raft.take_ready();
  raft.on_persisted(raft.persisted_mark());
  (void)raft.take_ready();
  raft.on_applied(raft.commit_index());
  REQUIRE(raft.ready_to_serve());
  CHECK(raft.lease_holds(MonoTime{} + 100ms));
  CHECK_FALSE(raft.lease_holds(MonoTime{} + 10s));
  raft.tick(MonoTime{} + 10s);
  CHECK(raft.lease_holds(MonoTime{} + 10s));
}

}  // namespace
}  // namespace parallax
