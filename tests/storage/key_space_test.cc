// Keys, their states and their history (storage/key_space.h).
#include "storage/key_space.h"

#include <algorithm>
#include <map>
#include <set>

#include "storage/memory_store.h"
#include "tests/storage/support.h"

namespace parallax::test {
namespace {

const Actor kQuorumOne{ActorPath::quorum, NodeId{1}, Incarnation{1}};
const Actor kQuorumTwo{ActorPath::quorum, NodeId{2}, Incarnation{1}};

Version log_version(std::uint64_t hlc, const std::string& value, VersionVector context = {}) {
  Version version;
  version.stamp = {Hlc{hlc}, NodeId{1}};
  version.context = std::move(context);
  version.value = Bytes{value};
  version.log_index = LogIndex{hlc};
  return version;
}

Version quorum_version(const Actor& actor, std::uint64_t hlc, VersionVector context = {}) {
  Version version;
  version.stamp = {Hlc{hlc}, actor.node};
  version.actor = actor;
  version.context = std::move(context);
  version.value = Bytes{fmt::format("{}", hlc)};
  return version;
}

KeyState state_of(std::vector<Version> versions) {
  KeyState state;
  for (Version& version : versions) state.add(std::move(version));
  return state;
}

/// Joins and writes; returns what was put.
WriteBatch join(MemoryStore& store, std::string_view key, const KeyState& incoming) {
  WriteBatch batch;
  const Result<KeyState> joined = KeySpace(store, kOnlyGroup).join(key, incoming, batch);
  INFO((joined ? std::string() : joined.error().message));
  REQUIRE(joined.has_value());
  must_write(store, batch);
  REQUIRE(*KeySpace(store, kOnlyGroup).load(key) == *joined);
  return batch;
}

KeyState must_load(const ReadView& view, std::string_view key) {
  const Result<KeyState> state = KeySpace(view, kOnlyGroup).load(key);
  REQUIRE(state.has_value());
  return *state;
}

/// "value<replaced_by" of each, newest first.
std::string told(const ReadView& view, std::string_view key) {
  const auto history = KeySpace(view, kOnlyGroup).history(key);
  REQUIRE(history.has_value());
  std::string text;
  CHECK(history->complete_from == UnixMillis{});
  for (const PastVersion& past : history->versions) {
    text += fmt::format("{}{}<{}", text.empty() ? "" : " ", past.version.value.view(),
                        past.replaced_by.hlc);
  }
  return text;
}

/// A leader's writes: each knows all before it.
void write_log_versions(MemoryStore& store, std::string_view key, std::uint64_t from,
                        std::uint64_t to) {
  for (std::uint64_t hlc = from; hlc <= to; ++hlc) {
    join(store, key,
         state_of({log_version(hlc, fmt::format("{}", hlc), must_load(store, key).context())}));
  }
}

// --- Joins ------------------------------------------------------------------------------------

TEST_CASE(
    "key space: a join puts the state and what it replaced and nothing when nothing changed") {
  MemoryStore store;
  CHECK(must_load(store, "k").empty());
  const KeyState first = state_of({log_version(5, "a")});
  CHECK(join(store, "k", first).changes().size() == 1);
  CHECK(join(store, "k", first).empty());
  CHECK(join(store, "k", KeyState{}).empty());
  VersionVector context;
  context.advance(kLogActor, Hlc{5});
  const WriteBatch second = join(store, "k", state_of({log_version(6, "b", context)}));
  REQUIRE(second.changes().size() == 2);
  CHECK(second.changes()[1].key == records::key_state_key(kOnlyGroup, "k"));
  CHECK(second.changes()[0].key == records::history_key(kOnlyGroup, Stamp{Hlc{6}, NodeId{1}}, "k"));
  CHECK(join(store, "k", first).empty());
  CHECK(must_load(store, "k").winner()->value == Bytes{"b"});
  CHECK(must_load(store, "other").empty());
}

TEST_CASE("key space: what one copy learned of a version is kept") {
  MemoryStore store;
  Version version = quorum_version(kQuorumOne, 5);
  join(store, "k", state_of({version}));
  version.log_index = LogIndex{9};
  CHECK(join(store, "k", state_of({version})).changes().size() == 1);
  version.log_index = LogIndex{};
  CHECK(join(store, "k", state_of({version})).empty());
  CHECK(must_load(store, "k").winner()->log_index == LogIndex{9});
}

// --- History ----------------------------------------------------------------------------------

TEST_CASE("key space: history goes from the newest version back") {
  MemoryStore store;
  CHECK(told(store, "k") == "");
  write_log_versions(store, "k", 5, 8);
  write_log_versions(store, "l", 100, 101);
  CHECK(told(store, "k") == "8<0 7<8 6<7 5<6");
  CHECK(told(store, "l") == "101<0 100<101");
}

TEST_CASE("key space: concurrent versions are replaced by the one that knew them") {
  MemoryStore store;
  join(store, "k", state_of({quorum_version(kQuorumOne, 5)}));
  join(store, "k", state_of({quorum_version(kQuorumTwo, 6)}));
  CHECK(told(store, "k") == "6<0 5<0");
  // A higher version that knows of neither joins with one that knows of the first.
  VersionVector first;
  first.advance(kQuorumOne, Hlc{5});
  join(store, "k",
       state_of({quorum_version({ActorPath::causal, NodeId{3}, Incarnation{1}}, 9),
                 log_version(8, "8", first)}));
  CHECK(told(store, "k") == "9<0 8<0 6<0 5<8");
  join(store, "k", state_of({log_version(12, "12", must_load(store, "k").context())}));
  CHECK(told(store, "k") == "12<0 9<12 8<12 6<12 5<8");
}

TEST_CASE("key space: of two versions that knew the replaced one the newer is named") {
  MemoryStore store;
  join(store, "k", state_of({quorum_version(kQuorumOne, 5)}));
  VersionVector first;
  first.advance(kQuorumOne, Hlc{5});
  join(store, "k", state_of({log_version(7, "7", first), quorum_version(kQuorumTwo, 8, first)}));
  CHECK(told(store, "k") == "8<0 7<0 5<8");
}

TEST_CASE("key space: where the replacing version never came here the newest stands for it") {
  MemoryStore store;
  join(store, "k", state_of({quorum_version(kQuorumOne, 5), quorum_version(kQuorumTwo, 6)}));
  VersionVector first;
  first.advance(kQuorumOne, Hlc{5});
  const Version remaining = log_version(9, "9", first);
  join(store, "k", state_of({remaining}));
  CHECK(told(store, "k") == "9<0 6<0 5<9");
  // Elsewhere something replaced 6 and is gone too: only the context tells. The record of 9 has one
  // replaced version already and gets the other.
  VersionVector context;
  context.advance(kLogActor, Hlc{9});
  context.advance(kQuorumOne, Hlc{5});
  context.advance(kQuorumTwo, Hlc{6});
  const WriteBatch put = join(store, "k", KeyState::from_parts({remaining}, context));
  CHECK(put.changes().size() == 2);
  CHECK(told(store, "k") == "9<0 6<9 5<9");
}

TEST_CASE("key space: where no version is left the context's highest reading stands for it") {
  MemoryStore store;
  join(store, "k", state_of({log_version(5, "5")}));
  VersionVector context;
  context.advance(kLogActor, Hlc{5});
  context.advance(kQuorumOne, Hlc{7});
  join(store, "k", KeyState::from_parts({}, context));
  CHECK(told(store, "k") == "5<7");
}

TEST_CASE("key space: a version that two records hold is told once and circles end") {
  MemoryStore store;
  write_log_versions(store, "k", 5, 7);
  const std::string key = records::history_key(kOnlyGroup, Stamp{Hlc{6}, NodeId{1}}, "k");
  WriteBatch batch;
  batch.put(key, records::encode(key, HistoryRecord{{log_version(7, "7"), log_version(5, "5")}}));
  must_write(store, batch);
  CHECK(told(store, "k") == "7<0 6<7 5<6");
}

TEST_CASE("key space: a past within bounds is the newest part, and says where it ends") {
  MemoryStore store;
  constexpr std::uint64_t kMs = 1 << 16;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    join(store, "k",
         state_of({log_version(i * kMs, std::string(10, 'v'), must_load(store, "k").context())}));
  }
  const auto past = [&](const PastBounds& bounds) {
    const auto within = KeySpace(store, kOnlyGroup).history("k", bounds);
    REQUIRE(within.has_value());
    std::string text;
    for (const auto& [version, replaced_by] : within->versions) {
      text += fmt::format("{} ", version.stamp.hlc.millis().value);
    }
    return text + fmt::format("from {}", within->complete_from.value);
  };
  const UnixMillis end{~std::uint64_t{0}};
  CHECK(past({UnixMillis{18}, end}) == "20 19 18 from 0");
  CHECK(past({UnixMillis{0}, UnixMillis{2}}) == "2 1 from 0");
  CHECK(past({UnixMillis{5}, UnixMillis{6}}) == "6 5 from 0");
  CHECK(past({UnixMillis{0}, end, 3}) == "20 19 18 from 18");
  CHECK(past({UnixMillis{18}, end, 3}) == "20 19 18 from 0");
  CHECK(past({UnixMillis{0}, end, 20}).ends_with("2 1 from 0"));
  CHECK(past({UnixMillis{0}, UnixMillis{10}, 3}) == "from 18");
  CHECK(past({UnixMillis{0}, end, 100, 35}) == "20 19 18 from 18");
  CHECK(past({UnixMillis{0}, UnixMillis{17}, 100, 30}) == "17 16 15 from 15");
  CHECK(past({UnixMillis{0}, end, 100, 5}) == "20 from 20");
  // From page to page nothing is left out.
  std::string pages;
  for (UnixMillis to = end; to > UnixMillis{0};) {
    const auto page = KeySpace(store, kOnlyGroup).history("k", {UnixMillis{0}, to, 100, 40});
    REQUIRE(page.has_value());
    for (const auto& [version, replaced_by] : page->versions) {
      pages += fmt::format("{} ", version.stamp.hlc.millis().value);
    }
    to = UnixMillis{std::max<std::uint64_t>(page->complete_from.value, 1) - 1};
  }
  CHECK(pages + "from 0" == past({}));
}

/// Replicas that write with what they know, now or earlier, and send each other whole states.
TEST_CASE("key space: history holds every version that was ever there") {
  const std::uint64_t seed = GENERATE(range(1, 41));
  CAPTURE(seed);
  Random random(seed);
  struct Peer {
    MemoryStore store;
    std::map<Stamp, Version> shown;
    std::vector<VersionVector> contexts{VersionVector{}};
  };
  Peer peers[3];
  std::uint64_t clock = 1;
  for (int step = 0; step < 60; ++step) {
    const std::uint64_t at = random.below(3);
    Peer& peer = peers[at];
    if (random.chance(0.5)) {
      const Actor actor{ActorPath::quorum, NodeId{static_cast<std::uint32_t>(at + 1)},
                        Incarnation{1}};
      const std::size_t known =
          peer.contexts.size() - 1 - (random.chance(0.3) ? random.below(peer.contexts.size()) : 0);
      // As a coordinator does: its own state with the new version is what it stores and sends.
      KeyState state = must_load(peer.store, "k");
      state.add(quorum_version(actor, clock++, peer.contexts[known]));
      join(peer.store, "k", state);
    } else {
      join(peer.store, "k", must_load(peers[random.below(3)].store, "k"));
    }
    const KeyState state = must_load(peer.store, "k");
    for (const Version& version : state.versions()) peer.shown[version.stamp] = version;
    peer.contexts.push_back(state.context());
  }
  for (const Peer& peer : peers) {
    std::set<Stamp> present;
    const KeyState state = must_load(peer.store, "k");
    for (const Version& version : state.versions()) present.insert(version.stamp);
    const auto history = KeySpace(peer.store, kOnlyGroup).history("k");
    REQUIRE(history.has_value());
    std::map<Stamp, Version> found;
    for (const PastVersion& past : history->versions) {
      found[past.version.stamp] = past.version;
      REQUIRE(past.replaced_by.empty() == present.contains(past.version.stamp));
      if (!past.replaced_by.empty()) REQUIRE(past.replaced_by > past.version.stamp);
    }
    REQUIRE(found == peer.shown);
    REQUIRE(std::is_sorted(
        history->versions.begin(), history->versions.end(),
        [](const auto& a, const auto& b) { return a.version.stamp > b.version.stamp; }));
  }
}

TEST_CASE("key space: clean-up removes below the horizon and goes on where it stopped") {
  MemoryStore store;
  for (const std::string key : {"k", "l", "m"}) write_log_versions(store, key, 5, 24);
  const std::size_t limit = GENERATE(1u, 4u, 7u, 1000u);
  CAPTURE(limit);
  const KeySpace keys(store, kOnlyGroup);
  Hlc from{0};
  std::size_t removed = 0;
  for (int calls = 0; from < Hlc{20}; ++calls) {
    REQUIRE(calls < 1'000);
    WriteBatch batch;
    const auto done = keys.clean_history(from, Hlc{20}, limit, batch);
    REQUIRE(done.has_value());
    CHECK(done->removed == batch.changes().size());
    CHECK(done->removed <= limit);
    must_write(store, batch);
    removed += done->removed;
    from = done->reached;
    // The promise of `reached`: below it nothing is left.
    CHECK(must_scan(store, records::history_range(kOnlyGroup, Hlc{0}, from)).empty());
    if (done->removed < limit) CHECK(from == Hlc{20});
  }
  // Replacing versions 6 to 19 of three keys.
  CHECK(removed == 3 * 14);
  CHECK(told(store, "k") == "24<0 23<24 22<23 21<22 20<21 19<20");
  WriteBatch batch;
  const auto nothing = keys.clean_history(Hlc{20}, Hlc{20}, limit, batch);
  CHECK(nothing->reached == Hlc{20});
  CHECK(batch.empty());
  CHECK(keys.clean_history(Hlc{30}, Hlc{20}, limit, batch)->reached == Hlc{30});
}

TEST_CASE("key space: clean-up never walks again over what it removed") {
  MemoryStore store;
  write_log_versions(store, "k", 5, 24);
  const Watched watched(store);
  WriteBatch batch;
  const auto done = KeySpace(watched, kOnlyGroup).clean_history(Hlc{0}, Hlc{20}, 4, batch);
  CHECK(done->reached == Hlc{10});
  REQUIRE(
      KeySpace(watched, kOnlyGroup).clean_history(done->reached, Hlc{20}, 4, batch).has_value());
  REQUIRE(watched.scanned.size() == 2);
  CHECK(watched.scanned[1].start == records::history_range(kOnlyGroup, Hlc{10}, Hlc{20}).start);
}

TEST_CASE("key space: an ordinary write reads the store once") {
  MemoryStore store;
  write_log_versions(store, "k", 5, 6);
  const Watched watched(store);
  WriteBatch batch;
  const KeyState incoming = state_of({log_version(7, "7", must_load(store, "k").context())});
  REQUIRE(KeySpace(watched, kOnlyGroup).join("k", incoming, batch).has_value());
  CHECK(batch.changes().size() == 2);
  CHECK(watched.gets == 1);
  CHECK(watched.scanned.empty());
}

// --- Whole contents -----------------------------------------------------------------------------

TEST_CASE("key space: stored joins come out equal in any order and however often") {
  const std::uint64_t seed = GENERATE(range(1, 31));
  CAPTURE(seed);
  Random random(seed);
  std::vector<std::pair<std::string, KeyState>> joins;
  std::map<Stamp, Version> by_stamp;
  for (int i = 0; i < 40; ++i) {
    KeyState state = random_state(random);
    // A stamp names one version: where two would have the same, the first stays.
    bool clash = false;
    for (const Version& version : state.versions()) {
      const auto [known, fresh] = by_stamp.emplace(version.stamp, version);
      clash |= !fresh && known->second != version;
    }
    if (!clash) joins.emplace_back(std::string(1, static_cast<char>('a' + random.below(3))), state);
  }
  std::map<std::string, KeyState> oracle;
  for (const auto& [key, state] : joins) oracle[key].join(state);

  std::optional<std::uint64_t> digest;
  for (int order = 0; order < 4; ++order) {
    MemoryStore store;
    for (std::size_t i = joins.size(); i > 1; --i) std::swap(joins[i - 1], joins[random.below(i)]);
    for (const auto& [key, state] : joins) {
      join(store, key, state);
      if (random.chance(0.3)) CHECK(join(store, key, state).empty());
    }
    for (const auto& [key, state] : oracle) REQUIRE(must_load(store, key) == state);
    const auto sum = KeySpace(store, kOnlyGroup).digest();
    REQUIRE(sum.has_value());
    if (digest) REQUIRE(*sum == *digest);
    digest = *sum;
  }
}

TEST_CASE("key space: digests of different contents differ") {
  MemoryStore store;
  const KeySpace keys(store, kOnlyGroup);
  std::set<std::uint64_t> digests{*keys.digest()};
  const auto is_new = [&] { return digests.insert(*keys.digest()).second; };
  join(store, "k", state_of({quorum_version(kQuorumOne, 5)}));
  CHECK(is_new());
  join(store, "l", state_of({quorum_version(kQuorumOne, 5)}));
  CHECK(is_new());
  Version learned = quorum_version(kQuorumOne, 5);
  learned.log_index = LogIndex{3};
  join(store, "l", state_of({learned}));
  CHECK(is_new());
  VersionVector context;
  context.advance(kQuorumTwo, Hlc{2});
  join(store, "k", KeyState::from_parts({}, context));
  CHECK(is_new());
  // History is no content: replicas clean it up at different times.
  WriteBatch batch;
  batch.put(records::history_key(kOnlyGroup, Stamp{Hlc{1}, NodeId{1}}, "k"), Bytes{"x"});
  must_write(store, batch);
  CHECK_FALSE(is_new());
}

TEST_CASE("key space: scans walk over the keys of the group") {
  MemoryStore store;
  for (const std::string key : {"a", "b", "ba", "c"}) {
    join(store, key, state_of({log_version(5, key)}));
  }
  WriteBatch other;
  REQUIRE(
      KeySpace(store, GroupId{2}).join("z", state_of({log_version(5, "z")}), other).has_value());
  must_write(store, other);
  struct Case {
    std::string start, end;
    bool reverse;
    std::size_t limit;
    std::string keys;
  };
  const auto row = GENERATE(values<Case>({
      {"", "", false, 9, "a b ba c"},
      {"", "", true, 9, "c ba b a"},
      {"b", "c", false, 9, "b ba"},
      {"b", "c", true, 9, "ba b"},
      {"b", "", true, 2, "c ba"},
      {"", "b", false, 9, "a"},
      {"d", "", false, 9, ""},
  }));
  CAPTURE(row.start, row.end, row.reverse, row.limit);
  std::string keys;
  std::size_t visits = 0;
  const auto scanned =
      KeySpace(store, kOnlyGroup)
          .scan(row.start, row.end, row.reverse, [&](std::string_view key, const KeyState& state) {
            CHECK(state.winner()->value.view() == key);
            keys += (keys.empty() ? "" : " ") + std::string(key);
            return ++visits < row.limit;
          });
  REQUIRE(scanned.has_value());
  CHECK(keys == row.keys);
}

TEST_CASE("key space: damage is told and not walked over") {
  MemoryStore store;
  write_log_versions(store, "k", 5, 7);
  const KeySpace keys(store, kOnlyGroup);
  REQUIRE(store.flip_bit(records::history_key(kOnlyGroup, Stamp{Hlc{7}, NodeId{1}}, "k"), 9));
  CHECK(keys.history("k").error().code == ErrorCode::corrupt);
  CHECK(keys.load("k").has_value());
  REQUIRE(store.flip_bit(records::key_state_key(kOnlyGroup, "k"), 9));
  CHECK(keys.load("k").error().code == ErrorCode::corrupt);
  CHECK(keys.digest().error().code == ErrorCode::corrupt);
  WriteBatch batch;
  CHECK(keys.join("k", state_of({log_version(9, "9")}), batch).error().code == ErrorCode::corrupt);
  CHECK(batch.empty());
  const auto scanned =
      keys.scan("", "", false, [](std::string_view, const KeyState&) { return true; });
  CHECK_THAT(scanned.error().message, Catch::Contains("key state 'k'"));
}

}  // namespace
}  // namespace parallax::test
