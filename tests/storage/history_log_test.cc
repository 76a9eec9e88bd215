// What versions have replaced, in segments (storage/history_log.h).
#include "storage/history_log.h"

#include <algorithm>
#include <map>
#include <set>

#include "storage/key_space.h"
#include "storage/memory_store.h"
#include "tests/storage/support.h"

namespace parallax::test {
namespace {

constexpr std::uint64_t kMs = std::uint64_t{1} << 16;

Stamp stamp(std::uint64_t hlc, std::uint32_t node = 1) {
  return {Hlc{hlc}, NodeId{node}};
}

std::vector<Version> version(const std::string& value) {
  Version version;
  version.stamp = stamp(1);
  version.value = Bytes{value};
  return {version};
}

bool add(HistoryLog& log, const Stamp& by, const std::string& key, const std::string& value) {
  std::vector<Version> replaced = version(value);
  const bool taken = log.add(by, key, replaced);
  CHECK(replaced.empty() == taken);
  return taken;
}

void put(HistoryLog& log, MemoryStore& store) {
  WriteBatch batch;
  REQUIRE(log.put_into(batch, store).has_value());
  CHECK(log.bytes() == 0);
  must_write(store, batch);
}

/// The stamps in each segment, and what it goes by.
std::string segments(const ReadView& view) {
  std::string text;
  for (const auto& [key, value] :
       must_scan(view, records::history_range(kOnlyGroup, Hlc{}, Hlc{~std::uint64_t{0}}))) {
    REQUIRE(records::is_history_segment(key));
    const auto segment = records::decode<HistorySegment>(key, value);
    REQUIRE(segment.has_value());
    text += fmt::format("{}{}:", text.empty() ? "" : " ", records::history_hlc(key).value / kMs);
    for (const Replacement& entry : segment->entries) {
      text += fmt::format("{}{}", text.back() == ':' ? "" : ",", entry.by.hlc.value / kMs);
    }
  }
  return text;
}

std::string found(const ReadView& view, const HistoryLog* log, const Stamp& by,
                  std::string_view key) {
  HistoryReader reader(view, kOnlyGroup, log);
  const auto versions = reader.replaced_by(by, key);
  REQUIRE(versions.has_value());
  std::string text;
  for (const Version& version : *versions) text += version.value.view();
  return text;
}

TEST_CASE("history log: what is gathered at once is one record, which goes by the latest stamp") {
  MemoryStore store;
  HistoryLog log(kOnlyGroup);
  CHECK(add(log, stamp(100 * kMs), "a", "x"));
  CHECK(add(log, stamp(116 * kMs), "b", "y"));
  CHECK(add(log, stamp(103 * kMs), "a", "z"));
  CHECK(log.bytes() > 0);
  CHECK(found(store, &log, stamp(116 * kMs), "b") == "y");
  CHECK(found(store, &log, stamp(116 * kMs), "a").empty());
  CHECK(found(store, nullptr, stamp(116 * kMs), "b").empty());
  put(log, store);
  CHECK(segments(store) == "116:100,116,103");
  CHECK(found(store, &log, stamp(100 * kMs), "a") == "x");
  CHECK(found(store, nullptr, stamp(103 * kMs), "a") == "z");
  CHECK(found(store, nullptr, stamp(103 * kMs, 2), "a").empty());
  put(log, store);  // nothing more
  CHECK(segments(store) == "116:100,116,103");
}

TEST_CASE("history log: what a segment has is never further from its end than is looked") {
  MemoryStore store;
  HistoryLog log(kOnlyGroup);
  CHECK(log.oldest() == Hlc{~std::uint64_t{0}});
  CHECK(add(log, stamp(100 * kMs), "a", "1"));
  CHECK(add(log, stamp(100 * kMs + HistoryLog::kSpan), "a", "2"));
  // The first is too far behind now: another segment.
  CHECK(add(log, stamp(101 * kMs + HistoryLog::kSpan), "a", "3"));
  CHECK(add(log, stamp(101 * kMs), "a", "4"));
  // Too far behind the second, and not behind the first.
  CHECK(add(log, stamp(101 * kMs - 1), "a", "5"));
  CHECK(add(log, stamp(50 * kMs), "a", "6"));
  CHECK(add(log, stamp(117 * kMs + 1), "a", "7"));
  CHECK(log.oldest() == Hlc{50 * kMs});
  put(log, store);
  CHECK(segments(store) == "50:50 116:100,116,100 117:117,101 117:117");
  for (const auto& [at, value] : std::map<std::uint64_t, std::string>{{100 * kMs, "1"},
                                                                      {116 * kMs, "2"},
                                                                      {117 * kMs, "3"},
                                                                      {101 * kMs, "4"},
                                                                      {101 * kMs - 1, "5"},
                                                                      {50 * kMs, "6"},
                                                                      {117 * kMs + 1, "7"}}) {
    CHECK(found(store, nullptr, stamp(at), "a") == value);
  }
  // Behind what is stored anything may come.
  CHECK(add(log, stamp(49 * kMs), "a", "8"));
  put(log, store);
  CHECK(found(store, &log, stamp(49 * kMs), "a") == "8");
}

TEST_CASE("history log: streams that lag behind each other have their own segments") {
  MemoryStore store;
  HistoryLog log(kOnlyGroup);
  for (std::uint64_t i = 0; i < 5; ++i) {
    for (const std::uint64_t lag : {0u, 30u, 60u, 90u}) {
      CHECK(add(log, stamp((200 + i - lag) * kMs), "a", "v"));
    }
  }
  put(log, store);
  CHECK(segments(store) ==
        "114:110,111,112,113,114 144:140,141,142,143,144 174:170,171,172,173,174 "
        "204:200,201,202,203,204");
}

TEST_CASE("history log: a segment that has become large takes nothing more, and nothing large") {
  MemoryStore store;
  HistoryLog log(kOnlyGroup);
  CHECK_FALSE(add(log, stamp(99 * kMs), "a", std::string(HistoryLog::kEntryBytes, 'v')));
  CHECK(log.bytes() == 0);
  const std::string value(HistoryLog::kEntryBytes - 200, 'v');
  const bool falling = GENERATE(false, true);
  const auto at = [&](std::uint64_t i) { return stamp(100 * kMs + (falling ? 20 - i : i)); };
  for (std::uint64_t i = 1; i <= 12; ++i) CHECK(add(log, at(i), "a", value));
  put(log, store);
  CHECK(segments(store) == (falling
                                ? "100:100,100 100:100,100,100,100,100 100:100,100,100,100,100"
                                : "100:100,100,100,100,100 100:100,100,100,100,100 100:100,100"));
  for (std::uint64_t i = 1; i <= 12; ++i) CHECK(found(store, &log, at(i), "a") == value);
  // Should many keys be changed with one stamp, segments would go by the same.
  std::set<std::string> keys;
  for (char c = 'a'; c < 'm'; ++c) keys.insert(std::string(1, c));
  for (const std::string& key : keys) CHECK(add(log, stamp(200 * kMs), key, key + value));
  put(log, store);
  for (const std::string& key : keys) {
    CHECK(found(store, nullptr, stamp(200 * kMs), key) == key + value);
  }
}

TEST_CASE("history log: a segment that goes by a stamp of an earlier one leaves nothing out") {
  MemoryStore store;
  HistoryLog first(kOnlyGroup);
  CHECK(add(first, stamp(100 * kMs), "a", "1"));
  CHECK(add(first, stamp(101 * kMs), "b", "2"));
  put(first, store);
  // In the same life, or in the next one.
  HistoryLog other(kOnlyGroup);
  HistoryLog& log = GENERATE(false, true) ? other : first;
  CHECK(add(log, stamp(101 * kMs), "c", "3"));
  CHECK(add(log, stamp(101 * kMs), "b", "4"));
  put(log, store);
  CHECK(found(store, &log, stamp(100 * kMs), "a") == "1");
  CHECK(found(store, &log, stamp(101 * kMs), "b") == "4");
  CHECK(found(store, &log, stamp(101 * kMs), "c") == "3");
}

TEST_CASE("history log: the store is read for a segment once, and once in a life to write") {
  MemoryStore store;
  HistoryLog log(kOnlyGroup);
  for (std::uint64_t i = 1; i <= 9; ++i) CHECK(add(log, stamp(100 * kMs + i), "a", "v"));
  put(log, store);
  const Watched counted(store);
  HistoryReader reader(counted, kOnlyGroup, nullptr);
  for (std::uint64_t i = 9; i > 0; --i) {
    CHECK(reader.replaced_by(stamp(100 * kMs + i), "a")->size() == 1);
  }
  CHECK(counted.scanned.size() == 1);
  CHECK(counted.gets == 9);  // for what may have come late

  HistoryLog next(kOnlyGroup);
  for (std::uint64_t i = 1; i <= 5; ++i) {
    CHECK(add(next, stamp((200 + i) * kMs), "a", "v"));
    WriteBatch batch;
    REQUIRE(next.put_into(batch, counted).has_value());
    CHECK(batch.changes().size() == 1);
    must_write(store, batch);
  }
  CHECK(counted.scanned.size() == 2);
  CHECK(counted.gets == 9);
}

TEST_CASE("history log: a damaged segment is told") {
  MemoryStore store;
  HistoryLog log(kOnlyGroup);
  CHECK(add(log, stamp(100 * kMs), "a", "v"));
  put(log, store);
  REQUIRE(store.flip_bit(records::history_segment_key(kOnlyGroup, stamp(100 * kMs)), 9));
  HistoryReader reader(store, kOnlyGroup, nullptr);
  CHECK(reader.replaced_by(stamp(100 * kMs), "a").error().code == ErrorCode::corrupt);
  // Nor is it written over, and what else is gathered is kept.
  CHECK(add(log, stamp(50 * kMs), "c", "v"));
  CHECK(add(log, stamp(100 * kMs), "b", "v"));
  WriteBatch batch;
  CHECK(log.put_into(batch, store).error().code == ErrorCode::corrupt);
  CHECK(batch.empty());
  CHECK(log.find(stamp(100 * kMs), "b") != nullptr);
  CHECK(log.find(stamp(50 * kMs), "c") != nullptr);
}

// --- Under a key space
// ----------------------------------------------------------------------------

/// A replica's way to its store: changes are seen at once and written later.
struct Peer {
  MemoryStore store;
  Overlay overlay{store, {records::key_state_range(kOnlyGroup), 1 << 20}};
  HistoryLog log{kOnlyGroup};
  KeySpace keys{overlay, kOnlyGroup, &log};
  WriteBatch pending;
  std::uint64_t sequence = 1;
  MemoryStore plain;  ///< with a record for whatever was replaced

  void stage(WriteBatch batch) {
    overlay.add(batch, sequence);
    pending.append(std::move(batch));
  }
  void join(const std::string& key, const KeyState& state) {
    WriteBatch batch;
    const auto joined = keys.join(key, state, batch);
    REQUIRE(joined.has_value());
    stage(std::move(batch));
    WriteBatch alone;
    REQUIRE(KeySpace(plain, kOnlyGroup).join(key, state, alone).has_value());
    must_write(plain, alone);
  }
  void hand_over() {
    WriteBatch history;
    REQUIRE(log.put_into(history, overlay).has_value());
    stage(std::move(history));
    must_write(store, std::exchange(pending, {}));
    ++sequence;
  }
};

std::string told(const KeySpace& keys, const std::string& key) {
  const auto history = keys.history(key);
  REQUIRE(history.has_value());
  std::string text;
  for (const PastVersion& past : history->versions) {
    text +=
        fmt::format("{}={}<{} ", past.version.stamp, past.version.value.view(), past.replaced_by);
  }
  return text;
}

// Replicas write with what they know, now or earlier, to several keys, and send each other whole
// states, at once or much later. Returns how many records say what one version has replaced.
std::size_t compare_pasts(std::uint64_t seed) {
  Random random(seed);
  Peer peers[3];
  const std::vector<std::string> keys{"k", "l", "m"};
  std::map<std::string, std::vector<VersionVector>> contexts;
  std::set<Stamp> stamps;
  std::uint64_t clock = 1'000 * kMs;
  for (int step = 0; step < 150; ++step) {
    // It stands still at times: then several nodes have the same reading.
    if (random.chance(0.7)) clock += random.below(random.chance(0.2) ? 30 * kMs : kMs) + 1;
    const std::uint64_t at = random.below(3);
    Peer& peer = peers[at];
    const std::string key = keys[random.below(keys.size())];
    if (random.chance(0.6)) {
      auto& known = contexts[key];
      KeyState state = *peer.keys.load(key);
      const bool now = known.empty() || random.chance(0.8);
      Version written;
      written.context = now ? state.context() : known[random.below(known.size())];
      if (written.context.highest() >= Hlc{clock}) ++clock;
      written.stamp = stamp(clock, static_cast<std::uint32_t>(at + 1));
      if (!stamps.insert(written.stamp).second) continue;
      written.actor = {ActorPath::quorum, written.stamp.node, Incarnation{1}};
      const std::size_t size = random.chance(0.3) ? random.below(5'000) : 0;
      written.value = Bytes{fmt::format("{}", step) + std::string(size, 'v')};
      state.add(written);
      peer.join(key, state);
      known.push_back(state.context());
    } else {
      peer.join(key, *peers[random.below(3)].keys.load(key));
    }
    if (random.chance(0.3)) peer.hand_over();
    if (random.chance(0.1)) peer.overlay.forget(peer.sequence - 1);
    if (random.chance(0.05)) {  // another life
      peer.hand_over();
      peer.log = HistoryLog(kOnlyGroup);
    }
    for (const std::string& each : keys) {
      REQUIRE(told(peer.keys, each) == told(KeySpace(peer.plain, kOnlyGroup), each));
    }
  }
  std::size_t alone = 0;
  for (Peer& peer : peers) {
    peer.hand_over();
    for (const auto& [key, value] :
         must_scan(peer.store, records::history_range(kOnlyGroup, Hlc{}, Hlc{clock + 1}))) {
      if (!records::is_history_segment(key)) ++alone;
    }
    // What the next life sees.
    for (const std::string& key : keys) {
      REQUIRE(told(KeySpace(peer.store, kOnlyGroup), key) ==
              told(KeySpace(peer.plain, kOnlyGroup), key));
    }
  }
  return alone;
}

TEST_CASE("history log: a key's past is the same as with a record for each version") {
  std::size_t alone = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    alone += compare_pasts(seed);
  }
  CHECK(alone > 50);
  CHECK(alone < 2'000);
}

TEST_CASE("history log: the search for a past ends behind what may be read for it") {
  Peer peer;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    for (const std::string key : {"k", "l", "m"}) {
      Version written;
      written.stamp = stamp((1'000 + i) * kMs);
      written.context = peer.keys.load(key)->context();
      written.value = Bytes{std::string(500, 'v')};
      KeyState state;
      state.add(written);
      peer.join(key, state);
    }
    peer.hand_over();
  }
  const auto past = peer.keys.history("k", {.most_read = 16'000});
  REQUIRE(past.has_value());
  // A segment has about 1,700 bytes: three values.
  CHECK(past->versions.size() > 5);
  CHECK(past->versions.size() < 15);
  CHECK(past->complete_from == past->versions.back().version.stamp.hlc.millis());
  CHECK(peer.keys.history("k")->versions.size() == 40);
}

TEST_CASE("history log: clean-up takes segments whose last replacement is over") {
  Peer peer;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    Version written;
    written.stamp = stamp(i * 10 * kMs);
    written.context = peer.keys.load("k")->context();
    KeyState state;
    state.add(written);
    peer.join("k", state);
    if (i % 2 == 0) peer.hand_over();
  }
  CHECK(peer.keys.history("k")->versions.size() == 40);
  WriteBatch batch;
  const auto done = peer.keys.clean_history(Hlc{0}, Hlc{200 * kMs}, 100, batch);
  REQUIRE(done.has_value());
  CHECK(done->removed == 9);  // pairs up to 180 ms; the first version has replaced nothing
  CHECK(done->reached == Hlc{200 * kMs});
  peer.stage(std::move(batch));
  CHECK(peer.keys.history("k")->versions.size() == 23);  // 190 to 400, and what 190 has replaced
}

}  // namespace
}  // namespace parallax::test
