#include "clock/dotted_version_vector_set.h"

#include <array>
#include <limits>
#include <stdexcept>

#include "tests/clock/cases.h"

namespace parallax {
namespace {

struct TestVersion {
  Stamp stamp;
  Actor actor;
  VersionVector context;
  LogIndex log_index;
  friend bool operator==(const TestVersion&, const TestVersion&) = default;
};

bool merge_version(TestVersion& mine, const TestVersion& theirs) {
  if (theirs.log_index <= mine.log_index) return false;
  mine.log_index = theirs.log_index;
  return true;
}

using Set = DottedVersionVectorSet<TestVersion>;

const Actor kA{ActorPath::quorum, NodeId{1}, Incarnation{1}};
const Actor kB{ActorPath::quorum, NodeId{2}, Incarnation{1}};

TestVersion version(const Actor& actor, std::uint64_t hlc, VersionVector context = {}) {
  return {Stamp{Hlc{hlc}, actor == kLogActor ? NodeId{3} : actor.node}, actor, std::move(context),
          LogIndex{}};
}

Set joined(Set a, const Set& b) {
  a.join(b);
  return a;
}

/// "2-1 1-2 | {...}": stamps of the versions, then the context.
std::string describe(const Set& set) {
  std::string text;
  for (const TestVersion& v : set.versions()) text += v.stamp.to_string() + ' ';
  return text + "| " + set.context().to_string();
}

TEST_CASE("dvvs: a write that has seen everything replaces everything (Preguica et al. 2010)") {
  Set set;
  CHECK(set.empty());
  CHECK(set.winner() == nullptr);
  CHECK(set.add(version(kA, 1)));
  CHECK(set.add(version(kB, 2)));
  CHECK(describe(set) == "2-2 1-1 | {quorum/1.1:1, quorum/2.1:2}");
  CHECK(set.add(version(kA, 3, set.context())));
  CHECK(describe(set) == "3-1 | {quorum/1.1:3, quorum/2.1:2}");
  CHECK(set.winner()->stamp.hlc == Hlc{3});
  CHECK(set.check());
}

TEST_CASE("dvvs: two clients that write blindly at one node are siblings (Almeida et al. 2014)") {
  Set set;
  CHECK(set.add(version(kA, 4)));
  CHECK(set.add(version(kA, 5)));
  CHECK(describe(set) == "5-1 4-1 | {quorum/1.1:5}");
  // A third one has read the first only.
  CHECK(set.add(version(kA, 6, VersionVector({{kA, Hlc{4}}}))));
  CHECK(describe(set) == "6-1 5-1 | {quorum/1.1:6}");
  CHECK(set.check());
}

TEST_CASE("dvvs: what was replaced does not come back") {
  Set old;
  old.add(version(kA, 1));
  Set set = old;
  set.add(version(kB, 2, set.context()));
  CHECK_FALSE(set.join(old));
  CHECK_FALSE(set.add(version(kA, 1)));
  CHECK(describe(set) == "2-2 | {quorum/1.1:1, quorum/2.1:2}");
  CHECK(old.join(set));
  CHECK(old == set);
  CHECK_FALSE(old.join(set));
}

TEST_CASE("dvvs: a context of which nothing has arrived yet still replaces it") {
  Set set;
  set.add(version(kB, 7, VersionVector({{kA, Hlc{5}}})));
  CHECK_FALSE(set.add(version(kA, 4)));
  CHECK_FALSE(set.add(version(kA, 5)));
  CHECK(set.add(version(kA, 6)));
  CHECK(describe(set) == "7-2 6-1 | {quorum/1.1:6, quorum/2.1:7}");
}

TEST_CASE("dvvs: a late version is dropped but what it had replaced stays replaced") {
  Set set;
  set.add(version(kA, 1));
  set.add(version(kB, 9, VersionVector({{kLogActor, Hlc{3}}})));
  CHECK(set.add(version(kLogActor, 3, VersionVector({{kA, Hlc{1}}}))));
  CHECK(describe(set) == "9-2 | {log:3, quorum/1.1:1, quorum/2.1:9}");
}

TEST_CASE("dvvs: a set with versions left out says that they are replaced") {
  // Why states travel and wait whole: neither half of this one finds its way back to the other.
  Set whole;
  whole.add(version(kA, 1));
  whole.add(version(kB, 2));
  const Set half = Set::from_parts({whole.versions()[0]}, whole.context());
  const Set other_half = Set::from_parts({whole.versions()[1]}, whole.context());
  CHECK(half.check());
  CHECK(joined(whole, half) == half);
  CHECK(joined(half, other_half).versions().empty());
}

TEST_CASE("dvvs: copies of one version tell each other their log index") {
  Set plain;
  plain.add(version(kA, 1));
  TestVersion committed = version(kA, 1);
  committed.log_index = LogIndex{8};
  Set indexed;
  indexed.add(committed);
  CHECK(joined(plain, indexed) == indexed);
  CHECK(joined(indexed, plain) == indexed);
  CHECK(plain.add(committed));
  CHECK(plain == indexed);
  CHECK_FALSE(plain.add(version(kA, 1)));
  CHECK(plain == indexed);
}

TEST_CASE("dvvs: joining itself changes nothing") {
  Set set;
  set.add(version(kA, 1));
  set.add(version(kB, 2));
  const Set before = set;
  CHECK_FALSE(set.join(set));
  CHECK(set == before);
}

TEST_CASE("dvvs: a copy stays what it was, whichever of the two changes") {
  Set set;
  set.add(version(kA, 1));
  set.add(version(kB, 2));
  const Set before = set;
  const std::string text = describe(set);
  SECTION("by an added version") {
    CHECK(set.add(version(kA, 3, set.context())));
  }
  SECTION("by one that is there already") {
    CHECK_FALSE(set.add(version(kA, 1)));
  }
  SECTION("by a join that replaces all of it") {
    Set other = set;
    other.add(version(kA, 3, other.context()));
    const std::string others = describe(other);
    CHECK(set.join(other));
    CHECK(set == other);
    set.add(version(kB, 4, set.context()));
    CHECK(describe(other) == others);
  }
  SECTION("by a join that replaces a part") {
    Set other;
    other.add(version(kB, 3, VersionVector({{kB, Hlc{2}}})));
    CHECK(set.join(other));
    CHECK(describe(other) == "3-2 | {quorum/2.1:3}");
  }
  SECTION("by what is learned of a version") {
    set.revise([](TestVersion& v) { v.log_index = LogIndex{9}; });
    CHECK(set.winner()->log_index == LogIndex{9});
  }
  SECTION("by being moved from") {
    const Set moved = std::move(set);
    CHECK(moved == before);
  }
  CHECK(describe(before) == text);
  CHECK(before.winner()->log_index == LogIndex{});
  CHECK(before.check());
}

TEST_CASE("dvvs: check finds every broken invariant") {
  const VersionVector both({{kA, Hlc{5}}, {kB, Hlc{5}}});
  struct Case {
    const char* name;
    std::vector<TestVersion> versions;
    VersionVector context;
    bool sound;
  };
  TestVersion same_dot = version(kA, 2);
  same_dot.stamp.node = NodeId{9};
  const auto c = GENERATE_COPY(values<Case>({
      {"empty", {}, {}, true},
      {"only a context", {}, both, true},
      {"two siblings", {version(kB, 2), version(kA, 1)}, both, true},
      {"lowest first", {version(kA, 1), version(kB, 2)}, both, false},
      {"twice", {version(kA, 1), version(kA, 1)}, both, false},
      {"one dot with two stamps", {same_dot, version(kA, 2)}, both, false},
      {"a dot beyond the context", {version(kA, 6)}, both, false},
      {"no context", {version(kA, 1)}, {}, false},
      {"a version's context beyond the context",
       {version(kA, 5, VersionVector({{kLogActor, Hlc{1}}}))},
       both,
       false},
      {"one replaces the other",
       {version(kB, 2, VersionVector({{kA, Hlc{1}}})), version(kA, 1)},
       both,
       false},
      {"one replaces itself", {version(kA, 2, VersionVector({{kA, Hlc{2}}}))}, both, false},
      {"one replaces a higher stamp", {version(kA, 2, VersionVector({{kB, Hlc{3}}}))}, both, false},
  }));
  DYNAMIC_SECTION(c.name) {
    CHECK(Set::from_parts(c.versions, c.context).check() == c.sound);
  }
}

TEST_CASE("dvvs: adding a version that replaces itself is a broken invariant") {
  set_assertion_handler([](const std::string& line) { throw std::runtime_error(line); });
  Set set;
  CHECK_THROWS_WITH(set.add(version(kA, 2, VersionVector({{kA, Hlc{2}}}))),
                    Catch::Contains("stamp 2-1, context {quorum/1.1:2}"));
  set_assertion_handler(nullptr);
  CHECK(set.empty());
}

// The oracle knows every version ever written and who has seen which, and of contexts only the
// highest reading per actor in a plain array. It never forgets and never compresses.

constexpr std::size_t kReplicas = 3;
constexpr std::size_t kMaxActors = 16;
constexpr std::size_t kMaxVersions = 64;
using Readings = std::array<std::uint64_t, kMaxActors>;

class World {
 public:
  explicit World(Random& random) : random_(random) {
    actors_.push_back(kLogActor);
    for (std::size_t r = 0; r < kReplicas; ++r) new_incarnation(r);
  }

  /// One random step at one replica; compares that replica with the oracle.
  void step() {
    const std::size_t r = random_.below(kReplicas);
    switch (random_.below(10)) {
      case 0:
      case 1:
        write(r, replicas_[r].quorum);
        break;
      case 2:
      case 3:
        write_causal(r);
        break;
      case 4:
        lead(r);
        break;
      case 5:
        apply_next(r);
        break;
      case 6:
        deliver_next(r);
        break;
      case 7:
        adopt(r);
        break;
      case 8:
        if (random_.chance(0.3)) lose_disk(r);
        break;
      default:
        join(r, random_.below(kReplicas));
    }
    compare(r);
  }

  const Set& state(std::size_t r) const { return replicas_[r].state; }
  /// Everyone joins everyone: all must then be equal.
  void exchange_all() {
    for (int round = 0; round < 2; ++round) {
      for (std::size_t r = 0; r < kReplicas; ++r) {
        for (std::size_t s = 0; s < kReplicas; ++s) join(r, s);
        compare(r);
      }
    }
  }

  std::uint64_t sibling_states = 0;
  std::uint64_t siblings_of_one_actor = 0;

 private:
  struct Written {
    std::size_t actor;
    std::uint64_t hlc;
    Readings context;
    std::uint64_t covers;  ///< bit i: version i is replaced by this one
    TestVersion version;
  };
  struct Replica {
    Set state;
    std::uint64_t seen = 0;                           ///< bit i: version i arrived here once
    std::uint64_t committed = 0;                      ///< bit i: its log index was learned here
    std::size_t applied = 0;                          ///< entries of the log
    std::array<std::size_t, kMaxActors> delivered{};  ///< of each causal origin
    std::uint64_t clock = 0;
    std::uint64_t incarnation = 0;
    std::size_t quorum = 0, causal = 0;  ///< its actors
  };

  bool full() const { return written_.size() == kMaxVersions; }
  static std::uint64_t bit(std::size_t id) { return std::uint64_t{1} << id; }

  void new_incarnation(std::size_t r) {
    const NodeId node{static_cast<std::uint32_t>(r + 1)};
    const Incarnation incarnation{++replicas_[r].incarnation};
    replicas_[r].quorum = actors_.size();
    actors_.push_back({ActorPath::quorum, node, incarnation});
    replicas_[r].causal = actors_.size();
    actors_.push_back({ActorPath::causal, node, incarnation});
  }

  Readings oracle_context(const Replica& replica) const {
    Readings context{};
    for (std::size_t id = 0; id < written_.size(); ++id) {
      if ((replica.seen & bit(id)) == 0) continue;
      const Written& w = written_[id];
      for (std::size_t a = 0; a < kMaxActors; ++a) context[a] = std::max(context[a], w.context[a]);
      context[w.actor] = std::max(context[w.actor], w.hlc);
    }
    return context;
  }

  /// What a client hands in: nothing, what it just read here, what it read anywhere before, or one
  /// version and what that had replaced.
  Readings client_context(const Replica& replica) {
    switch (random_.below(4)) {
      case 0:
        return Readings{};
      case 1:
        read_before_.push_back(oracle_context(replica));
        return read_before_.back();
      case 2:
        if (read_before_.empty()) return Readings{};
        return read_before_[random_.below(read_before_.size())];
      default: {
        if (written_.empty()) return Readings{};
        const Written& w = written_[random_.below(written_.size())];
        Readings context = w.context;
        context[w.actor] = w.hlc;
        return context;
      }
    }
  }

  std::size_t write(std::size_t r, std::size_t actor) {
    if (full()) return kMaxVersions;
    Replica& replica = replicas_[r];
    Written w{};
    w.actor = actor;
    w.context = client_context(replica);
    for (const std::uint64_t reading : w.context) replica.clock = std::max(replica.clock, reading);
    w.hlc = replica.clock += random_.between(1, 3);
    for (std::size_t id = 0; id < written_.size(); ++id) {
      if (w.context[written_[id].actor] >= written_[id].hlc) w.covers |= bit(id);
    }
    std::vector<VersionVector::Entry> entries;
    for (std::size_t a = 0; a < actors_.size(); ++a) {
      entries.emplace_back(actors_[a], Hlc{w.context[a]});
    }
    w.version = {Stamp{Hlc{w.hlc}, NodeId{static_cast<std::uint32_t>(r + 1)}}, actors_[actor],
                 VersionVector(std::move(entries)), LogIndex{}};
    written_.push_back(w);
    if (actor != 0) add(replica, written_.size() - 1);
    return written_.size() - 1;
  }

  void add(Replica& replica, std::size_t id) {
    const Set before = replica.state;
    const bool changed = replica.state.add(written_[id].version);
    HOLDS(changed == (replica.state != before));
    replica.seen |= bit(id);
  }

  void write_causal(std::size_t r) {
    const std::size_t origin = replicas_[r].causal;
    const std::size_t id = write(r, origin);
    if (id == kMaxVersions) return;
    origin_log_[origin].push_back(id);
    replicas_[r].delivered[origin] = origin_log_[origin].size();
  }

  void deliver_next(std::size_t r) {
    const std::size_t origin = random_.below(actors_.size());
    std::size_t& next = replicas_[r].delivered[origin];
    if (next < origin_log_[origin].size()) add(replicas_[r], origin_log_[origin][next++]);
  }

  /// A leader has applied the log, stamps above it, and applies its own entry in turn.
  void lead(std::size_t r) {
    while (replicas_[r].applied < log_.size()) apply_next(r);
    if (!log_.empty()) {
      replicas_[r].clock = std::max(replicas_[r].clock, written_[log_.back()].hlc);
    }
    const std::size_t id = write(r, 0);
    if (id == kMaxVersions) return;
    log_.push_back(id);
    written_[id].version.log_index = LogIndex{log_.size()};
    apply_next(r);
  }

  void apply_next(std::size_t r) {
    if (replicas_[r].applied == log_.size()) return;
    const std::size_t id = log_[replicas_[r].applied++];
    add(replicas_[r], id);
    replicas_[r].committed |= bit(id);
  }

  /// What the replica shows becomes committed, as a whole state.
  void adopt(std::size_t r) {
    Replica& replica = replicas_[r];
    std::vector<TestVersion> versions = replica.state.versions();
    for (TestVersion& v : versions) {
      const std::size_t id = find(v);
      if (written_[id].actor == 0) continue;
      v.log_index = LogIndex{1'000 + id};
      replica.committed |= bit(id);
    }
    replica.state.join(Set::from_parts(versions, replica.state.context()));
  }

  /// The disk is lost: a new incarnation starts from a peer's state and positions. Versions that
  /// nobody else had are gone, and readings of the node go on rising.
  void lose_disk(std::size_t r) {
    if (actors_.size() + 2 > kMaxActors) return;
    const Replica& peer = replicas_[(r + 1 + random_.below(kReplicas - 1)) % kReplicas];
    Replica fresh = peer;
    fresh.clock = replicas_[r].clock;
    fresh.incarnation = replicas_[r].incarnation;
    replicas_[r] = fresh;
    new_incarnation(r);
  }

  void join(std::size_t r, std::size_t s) {
    const Set before = replicas_[r].state;
    const bool changed = replicas_[r].state.join(replicas_[s].state);
    HOLDS(changed == (replicas_[r].state != before));
    replicas_[r].seen |= replicas_[s].seen;
    replicas_[r].committed |= replicas_[s].committed;
  }

  std::size_t find(const TestVersion& v) const {
    for (std::size_t id = 0; id < written_.size(); ++id) {
      if (written_[id].version.stamp == v.stamp) return id;
    }
    FAIL("a version that nobody wrote: " << v.stamp.to_string());
    return 0;
  }

  void compare(std::size_t r) {
    const Replica& replica = replicas_[r];
    std::uint64_t covered = 0;
    for (std::size_t id = 0; id < written_.size(); ++id) {
      if ((replica.seen & bit(id)) != 0) covered |= written_[id].covers;
    }
    std::uint64_t present = 0;
    std::uint64_t of_actors = 0;
    bool one_actor_twice = false;
    for (const TestVersion& v : replica.state.versions()) {
      const std::size_t id = find(v);
      HOLDS((present & bit(id)) == 0);
      present |= bit(id);
      HOLDS(v.context == written_[id].version.context && v.actor == written_[id].version.actor);
      HOLDS((v.log_index != LogIndex{}) == ((replica.committed & bit(id)) != 0));
      one_actor_twice |= (of_actors & bit(written_[id].actor)) != 0;
      of_actors |= bit(written_[id].actor);
    }
    INFO("replica " << r + 1 << " holds " << describe(replica.state));
    HOLDS(present == (replica.seen & ~covered));
    const Readings context = oracle_context(replica);
    std::size_t entries = 0;
    for (std::size_t a = 0; a < actors_.size(); ++a) {
      HOLDS(replica.state.context().at(actors_[a]).value == context[a]);
      entries += context[a] != 0;
    }
    HOLDS(replica.state.context().entries().size() == entries);
    HOLDS(replica.state.check());
    sibling_states += replica.state.versions().size() > 1;
    siblings_of_one_actor += one_actor_twice;
  }

  Random& random_;
  std::vector<Actor> actors_;  ///< 0 is the log
  std::array<Replica, kReplicas> replicas_;
  std::vector<Written> written_;
  std::vector<std::size_t> log_;
  std::array<std::vector<std::size_t>, kMaxActors> origin_log_;
  std::vector<Readings> read_before_;
};

TEST_CASE("dvvs: replicas that add and join hold what nothing they saw replaces") {
  std::uint64_t sibling_states = 0;
  std::uint64_t siblings_of_one_actor = 0;
  test::for_each_seed(test::kRandomCases, [&](Random& random) {
    World world(random);
    for (int i = 0; i < 16; ++i) world.step();

    const Set a = world.state(0);
    const Set b = world.state(1);
    const Set c = world.state(2);
    const Set ab = joined(a, b);
    HOLDS(ab == joined(b, a));
    HOLDS(joined(ab, c) == joined(a, joined(b, c)));
    HOLDS(joined(a, a) == a && joined(ab, b) == ab && joined(ab, a) == ab);
    HOLDS(ab.check() && ab.context().dominates(a.context()));

    world.exchange_all();
    HOLDS(world.state(0) == world.state(1) && world.state(1) == world.state(2));
    sibling_states += world.sibling_states;
    siblings_of_one_actor += world.siblings_of_one_actor;
  });
  // The cases are rich enough to tell this structure from a plain version vector per key.
  CHECK(sibling_states > test::kRandomCases);
  CHECK(siblings_of_one_actor > test::kRandomCases / 4);
}

}  // namespace
}  // namespace parallax
