// Raft by the paper: each case cites the section of Ongaro's dissertation (2014) that it checks.
#include <algorithm>

#include <catch2/catch.hpp>

#include "raft_world.h"

namespace parallax::testing {
namespace {

using std::chrono::milliseconds;

Sender from(std::uint32_t id) {
  return {NodeId{id}, Incarnation{1}, false};
}

/// A single core of three, its messages taken by hand.
struct Core {
  explicit Core(RaftRestored restored = {}, std::uint64_t seed = 7)
      : raft(config(seed), with_incarnation(std::move(restored)), MonoTime{}) {}

  static RaftConfig config(std::uint64_t seed) {
    RaftConfig config;
    config.id = NodeId{1};
    config.members = {NodeId{1}, NodeId{2}, NodeId{3}};
    config.seed = seed;
    return config;
  }
  static RaftRestored with_incarnation(RaftRestored restored) {
    restored.incarnation = Incarnation{1};
    return restored;
  }
  /// The only message of type M to `to` in what is ready now.
  template <class M>
  static std::optional<M> find(const std::vector<RaftMessage>& messages, std::uint32_t to) {
    for (const RaftMessage& message : messages) {
      if (message.to.value == to && std::holds_alternative<M>(message.message)) {
        return std::get<M>(message.message);
      }
    }
    return std::nullopt;
  }
  void lead() {
    raft.campaign();
    auto ready = raft.take_ready();
    raft.on_persisted(raft.persisted_mark());
    raft.step(from(2), VoteReply{.term = raft.term(), .granted = true});
    REQUIRE(raft.is_leader());
  }
  Raft raft;
};

RaftRestored restored(Term term, std::vector<Term> terms, LogIndex applied = {}) {
  std::vector<RaftLog::Run> runs;
  std::vector<LogEntry> entries;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const LogIndex index{i + 1};
    if (runs.empty() || runs.back().term != terms[i]) runs.push_back({index, terms[i]});
    if (index > applied) entries.push_back({terms[i], index, Bytes{"x"}});
  }
  RaftRestored result;
  result.hard_state = {term, kNoNode};
  result.log = RaftLog({}, runs, LogIndex{terms.size()}, entries);
  result.applied = applied;
  return result;
}

TEST_CASE("raft: election: one vote per term (section 3.4)", "[raft]") {
  Core core;
  const VoteRequest ask{.term = Term{5}};
  core.raft.step(from(2), ask);
  core.raft.step(from(3), ask);
  const RaftReady ready = core.raft.take_ready();
  CHECK(Core::find<VoteReply>(ready.send_after, 2)->granted);
  CHECK_FALSE(Core::find<VoteReply>(ready.send_after, 3)->granted);
  REQUIRE(ready.hard_state);
  CHECK(*ready.hard_state == HardState{Term{5}, NodeId{2}});
  CHECK(ready.send_now.empty());  // a vote leaves only once it is durable
  core.raft.step(from(2), ask);   // asked again: the same answer
  CHECK(Core::find<VoteReply>(core.raft.take_ready().send_after, 2)->granted);
}

TEST_CASE("raft: election: only for a log at least as new (section 3.6.1)", "[raft]") {
  struct Case {
    LogIndex last;
    Term term;
    bool granted;
  };
  const auto c = GENERATE(values<Case>({{LogIndex{3}, Term{3}, true},
                                        {LogIndex{2}, Term{3}, false},
                                        {LogIndex{9}, Term{2}, false},
                                        {LogIndex{1}, Term{4}, true},
                                        {LogIndex{4}, Term{3}, true}}));
  Core core(restored(Term{3}, {Term{1}, Term{2}, Term{3}}));
  CAPTURE(c.last.value, c.term.value);
  core.raft.step(from(2), VoteRequest{.term = Term{9}, .last_index = c.last, .last_term = c.term});
  CHECK(Core::find<VoteReply>(core.raft.take_ready().send_after, 2)->granted == c.granted);
}

TEST_CASE("raft: commitment: never by counting an older term (section 3.6.2)", "[raft]") {
  // Figure 3.7: an entry of term 2 on a majority is not committed until one of this term is.
  Core core(restored(Term{3}, {Term{1}, Term{2}}, LogIndex{1}));
  core.lead();
  (void)core.raft.take_ready();
  core.raft.on_persisted(core.raft.persisted_mark());
  core.raft.step(from(2), AppendReply{.term = Term{4}, .accepted = true, .match = LogIndex{2}});
  CHECK(core.raft.commit_index() == LogIndex{1});
  core.raft.step(from(2), AppendReply{.term = Term{4}, .accepted = true, .match = LogIndex{3}});
  CHECK(core.raft.commit_index() == LogIndex{3});
}

TEST_CASE("raft: replication: a leader counts itself only once durable (section 10.2.1)",
          "[raft]") {
  Core core;
  core.lead();
  const RaftReady ready = core.raft.take_ready();
  CHECK(Core::find<AppendEntries>(ready.send_now, 2));  // leaves beside the write
  REQUIRE(ready.append.size() == 1);
  const PersistedMark mark = core.raft.persisted_mark();
  core.raft.step(from(2), AppendReply{.term = Term{1}, .accepted = true, .match = LogIndex{1}});
  CHECK(core.raft.commit_index() == LogIndex{});
  core.raft.on_persisted(mark);
  CHECK(core.raft.commit_index() == LogIndex{1});
}

TEST_CASE("raft: replication: a follower acknowledges after its write", "[raft]") {
  Core core;
  core.raft.step(from(2), AppendEntries{.term = Term{1},
                                        .prev_index = {},
                                        .prev_term = {},
                                        .commit = {},
                                        .entries = {{Term{1}, LogIndex{1}, Bytes{"a"}}}});
  CHECK(core.raft.take_ready(false).send_now.empty());  // no room for a batch: nothing leaves
  const RaftReady ready = core.raft.take_ready(true);
  CHECK(ready.send_now.empty());
  CHECK(ready.append.size() == 1);
  CHECK(Core::find<AppendReply>(ready.send_after, 2)->match == LogIndex{1});
}

TEST_CASE("raft: replication: a durable entry that was replaced does not count", "[raft]") {
  Core core;
  core.raft.step(from(2), AppendEntries{.term = Term{1},
                                        .entries = {{Term{1}, LogIndex{1}, Bytes{"a"}},
                                                    {Term{1}, LogIndex{2}, Bytes{"b"}}}});
  (void)core.raft.take_ready();
  const PersistedMark first = core.raft.persisted_mark();
  core.raft.step(from(3), AppendEntries{.term = Term{2},
                                        .prev_index = LogIndex{1},
                                        .prev_term = Term{1},
                                        .entries = {{Term{2}, LogIndex{2}, Bytes{"c"}}}});
  const RaftReady ready = core.raft.take_ready();
  CHECK(ready.truncate_from == LogIndex{2});
  CHECK(ready.truncate_to == LogIndex{2});
  const PersistedMark second = core.raft.persisted_mark();
  core.raft.on_persisted(first);
  CHECK(core.raft.log().durable() <= LogIndex{1});
  core.raft.on_persisted(second);
  CHECK(core.raft.log().durable() == LogIndex{2});
}

TEST_CASE("raft: pre-vote: refused while a leader is heard (section 9.6)", "[raft]") {
  Core core;
  core.raft.step(from(2), Heartbeat{.term = Term{1}, .round = RoundId{1}});
  core.raft.step(from(3), VoteRequest{.term = Term{2}, .pre_vote = true});
  CHECK_FALSE(Core::find<VoteReply>(core.raft.take_ready().send_after, 3)->granted);
  CHECK(core.raft.term() == Term{1});
  core.raft.step(from(3), VoteRequest{.term = Term{9}});  // a real one: not even answered (6.2)
  CHECK(core.raft.term() == Term{1});
  CHECK(core.raft.take_ready().send_after.empty());
  SECTION("but not when leadership is being handed over (section 3.10)") {
    core.raft.step(from(3), VoteRequest{.term = Term{2}, .transfer = true});
    CHECK(Core::find<VoteReply>(core.raft.take_ready().send_after, 3)->granted);
  }
  SECTION("but not when the leader has fallen silent") {
    core.raft.tick(MonoTime{} + limits::kElectionTimeoutMin);
    core.raft.step(from(3), VoteRequest{.term = Term{2}, .pre_vote = true});
    CHECK(Core::find<VoteReply>(core.raft.take_ready().send_after, 3)->granted);
  }
}

TEST_CASE("raft: a newer term is told to a leader of an older one", "[raft]") {
  Core core(restored(Term{7}, {}));
  core.raft.step(from(2), Heartbeat{.term = Term{3}, .round = RoundId{1}});
  const auto reply = Core::find<AppendReply>(core.raft.take_ready().send_after, 2);
  REQUIRE(reply);
  CHECK(reply->term == Term{7});
}

TEST_CASE("raft: read index: the round must begin after the read (section 6.4)", "[raft]") {
  Core core;
  core.lead();
  (void)core.raft.take_ready();  // the round of the new leader is under way
  const auto round = core.raft.request_read_round();
  REQUIRE(round);
  core.raft.step(from(2), HeartbeatReply{.term = Term{1}, .round = RoundId{round->value - 1}});
  for (const ConfirmedRound& c : core.raft.take_ready().confirmed) CHECK(c.round < *round);
  core.raft.step(from(2), HeartbeatReply{.term = Term{1}, .round = *round});
  const RaftReady ready = core.raft.take_ready();
  REQUIRE(ready.confirmed.size() == 1);
  CHECK(ready.confirmed[0].round == *round);
  CHECK(ready.confirmed[0].index == LogIndex{1});  // the no-op, though it is not committed yet
  CHECK(ready.confirmed[0].replicas == std::vector{NodeId{1}, NodeId{2}});
}

TEST_CASE("raft: a leader that slept steps down before it serves (section 6.2)", "[raft]") {
  Core core;
  core.lead();
  core.raft.tick(MonoTime{} + std::chrono::seconds(5));
  CHECK_FALSE(core.raft.is_leader());
  CHECK_FALSE(core.raft.request_read_round());
  CHECK_FALSE(core.raft.propose(Bytes{"a"}));
}

TEST_CASE("raft: incarnations: what an older life said is void", "[raft]") {
  Core core;
  core.lead();
  (void)core.raft.take_ready();
  core.raft.on_persisted(core.raft.persisted_mark());
  const Sender reborn{NodeId{2}, Incarnation{2}, true};
  core.raft.step(reborn, HeartbeatReply{.term = Term{1}, .round = RoundId{1}});
  core.raft.step(from(2), AppendReply{.term = Term{1}, .accepted = true, .match = LogIndex{1}});
  CHECK(core.raft.commit_index() == LogIndex{});
  core.raft.step(reborn, AppendReply{.term = Term{1}, .accepted = true, .match = LogIndex{1}});
  CHECK(core.raft.commit_index() == LogIndex{});  // recovering: it counts toward no majority
  core.raft.step(from(3), AppendReply{.term = Term{1}, .accepted = true, .match = LogIndex{1}});
  CHECK(core.raft.commit_index() == LogIndex{1});
}

TEST_CASE("raft: incarnations: a heartbeat meant for a lost disk commits nothing", "[raft]") {
  // A leader that has not heard of the loss takes entry 2 for equal here; what stands there now
  // came from another leader, who never committed it.
  Core core;
  core.raft.step(from(2), AppendEntries{.term = Term{4},
                                        .entries = {{Term{1}, LogIndex{1}, Bytes{"a"}},
                                                    {Term{4}, LogIndex{2}, Bytes{"b"}}}});
  Heartbeat heartbeat{.term = Term{5}, .round = RoundId{1}, .commit = LogIndex{2}};
  heartbeat.receiver = Incarnation{7};
  core.raft.step(from(3), heartbeat);
  CHECK(core.raft.commit_index() == LogIndex{});
  heartbeat.receiver = Incarnation{1};
  core.raft.step(from(3), heartbeat);
  CHECK(core.raft.commit_index() == LogIndex{2});
}

TEST_CASE("raft: snapshot: one under way survives a pre-vote (sections 5 and 9.6)", "[raft]") {
  Core core;
  SnapshotChunk chunk{.term = Term{1}, .transfer = 9, .index = LogIndex{10}, .index_term = Term{1}};
  const auto received = [&](std::uint64_t sequence) {
    chunk.sequence = sequence;
    core.raft.step(from(2), chunk);
    return Core::find<SnapshotReply>(core.raft.take_ready().send_after, 2).value().received;
  };
  REQUIRE(received(0) == 1);
  core.raft.tick(MonoTime{} + limits::kElectionTimeoutMax);
  REQUIRE(core.raft.role() == Role::pre_candidate);
  SECTION("the leader is heard again and goes on") {
    CHECK(received(1) == 2);
    chunk.last = true;
    CHECK(received(2) == 3);
    CHECK(core.raft.commit_index() == LogIndex{10});
  }
  SECTION("that of another term begins again, also when it is called the same") {
    chunk.term = Term{2};
    CHECK(received(1) == 0);
    CHECK(received(0) == 1);
  }
}

TEST_CASE("raft: snapshot: a reply that comes late changes nothing (section 5)", "[raft]") {
  // The log begins behind entry 5, and node 2 has none of it.
  RaftRestored state;
  state.hard_state = {Term{1}, kNoNode};
  state.log = RaftLog({LogIndex{5}, Term{1}}, {}, LogIndex{5}, {});
  state.applied = LogIndex{5};
  Core core(std::move(state));
  core.lead();
  (void)core.raft.take_ready();
  const Term term = core.raft.term();
  core.raft.step(from(2), AppendReply{.term = term, .rejected_prev = LogIndex{5}});
  const RaftReady ready = core.raft.take_ready();
  REQUIRE(ready.chunk_reads.size() == 1);
  const std::uint64_t transfer = ready.chunk_reads[0].transfer;
  for (std::uint64_t sequence = 0; sequence < 3; ++sequence) {
    core.raft.on_snapshot_chunk(NodeId{2}, SnapshotChunk{.transfer = transfer,
                                                         .sequence = sequence,
                                                         .last = sequence == 2,
                                                         .index = LogIndex{5},
                                                         .index_term = Term{1}});
  }
  const Progress& progress = core.raft.progress().at(NodeId{2});
  SnapshotReply reply{.term = term, .transfer = transfer, .received = 2};
  core.raft.step(from(2), reply);
  REQUIRE(progress.chunks_acked == 2);
  reply.received = 1;
  core.raft.step(from(2), reply);
  CHECK(progress.chunks_acked == 2);
  CHECK(progress.unacked.size() == 1);
  // Of a transfer that was given up: this one is not done, and nothing of it is acknowledged.
  SnapshotReply other{.term = term, .transfer = transfer - 1, .received = 3, .done = true};
  core.raft.step(from(2), other);
  other.done = false;
  core.raft.step(from(2), other);
  CHECK(progress.state == ProgressState::snapshot);
  CHECK(progress.match == LogIndex{});
  CHECK(progress.unacked.size() == 1);

  reply.received = 3;
  reply.done = true;
  core.raft.step(from(2), reply);
  REQUIRE(progress.state == ProgressState::replicate);
  CHECK(progress.match == LogIndex{5});
  (void)core.raft.take_ready();
  core.raft.step(from(2), SnapshotReply{.term = term, .transfer = transfer, .received = 0});
  CHECK(progress.state == ProgressState::replicate);
  CHECK(core.raft.take_ready().chunk_reads.empty());
}

TEST_CASE("raft: freshness: a mark is published only after a later round", "[raft]") {
  RaftWorld world({});
  const std::uint32_t leader = world.elect();
  const std::uint32_t follower = leader == 1 ? 2 : 1;
  for (int i = 0; i < 4; ++i) {
    world.advance(limits::kHeartbeatInterval);
    world.stabilize();
  }
  const auto fresh = world.raft(follower).freshness();
  REQUIRE(fresh);
  CHECK(world.now() - fresh->first <= 4 * limits::kHeartbeatInterval);
  // Cut off, its state grows older although nothing is committed: the mark stands still.
  world.isolate(follower);
  for (int i = 0; i < 5; ++i) {
    world.advance(limits::kHeartbeatInterval);
    world.stabilize();
  }
  CHECK(world.raft(follower).freshness() == fresh);
}

TEST_CASE("raft log: runs and bounds against a plain list", "[raft]") {
  Random random(GENERATE(range(0, 50)));
  RaftLog log;
  std::vector<Term> oracle;  // oracle[i]: term of entry i + 1
  std::uint64_t start = 0;
  Term term{1};
  for (int step = 0; step < 1000; ++step) {
    const std::uint64_t last = oracle.size();
    switch (random.below(10)) {
      case 0:
        term = Term{term.value + random.below(3)};
        break;
      case 1:
        if (last > start) {
          const std::uint64_t cut = random.between(start + 1, last);
          log.truncate(LogIndex{cut});
          oracle.resize(cut - 1);
        }
        break;
      case 2:
        if (last > start && random.chance(0.3)) {
          start = random.between(start, last);
          log.compact(LogIndex{start});
        }
        break;
      case 3:
        log.on_durable(LogIndex{last}, log.last_term());
        break;
      case 4:
        log.trim_cache(log.durable(), random.below(2000));
        break;
      default:
        term = std::max(term, log.last_term());
        oracle.push_back(term);
        log.append({term, LogIndex{oracle.size()}, Bytes{"payload"}});
    }
    REQUIRE(log.check());
    REQUIRE(log.last_index().value == oracle.size());
    const std::uint64_t probe = random.below(oracle.size() + 2);
    const bool inside = probe >= start && probe <= oracle.size();
    REQUIRE(log.term_at(LogIndex{probe}).has_value() == inside);
    if (inside && probe > start) REQUIRE(log.term_at(LogIndex{probe}) == oracle[probe - 1]);
    if (inside) {
      const Term limit{random.below(term.value + 1)};
      std::uint64_t expected = probe;
      while (expected > start && oracle[expected - 1] > limit) --expected;
      REQUIRE(log.last_at_most(LogIndex{probe}, limit).value == expected);
    }
  }
}

}  // namespace
}  // namespace parallax::testing
