// The near-cache stepped by hand, and in random schedules against a dumb oracle that knows every
// write.
#include "client/near_cache.h"

#include <algorithm>
#include <functional>
#include <map>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace std::chrono_literals;  // NOLINT
using std::chrono::milliseconds;

constexpr MonoTime kStart{1h};
constexpr auto kDoubleDelete = NearCacheMode::delayed_double_delete;
constexpr auto kVersioned = NearCacheMode::versioned;

Stamp stamp(std::uint64_t number) {
  return Stamp{Hlc{number}, NodeId{1}};
}
std::string value_of(std::uint64_t number) {
  return "v" + std::to_string(number);
}

Answer value_answer(std::uint64_t number, Level level = Level::prefix) {
  Answer answer{.consistency = {.level = level},
                .stamp = stamp(number),
                .found = true,
                .value = value_of(number),
                .content_type = "text/plain"};
  answer.evidence.node = NodeId{2};
  return answer;
}

Request get_of(const std::string& key, Level level = Level::prefix) {
  return {.operation = Get{key}, .consistency = {.level = level}};
}
Request put_of(const std::string& key) {
  return {.operation = Put{key, "w"}};
}

struct Stepped {
  NearCache cache;
  MonoTime now = kStart;

  explicit Stepped(NearCacheOptions options) : cache(options) {}

  NearCache::Begun begin(const Request& request) { return cache.began(request, false, now); }
  void end(const Request& request, NearCache::Ticket ticket, const Result<Answer>& result) {
    cache.ended(request, false, ticket, result, now);
  }
  /// A whole read that asks a node if it has to, which then has `number`.
  void read(const std::string& key, std::uint64_t number, Level level = Level::prefix) {
    const auto begun = begin(get_of(key, level));
    if (!begun.answer) end(get_of(key, level), begun.ticket, value_answer(number, level));
  }
  void write(const std::string& key, std::uint64_t number) {
    begin(put_of(key));
    Answer stored;
    stored.stamp = stamp(number);
    end(put_of(key), {}, stored);
  }
  /// Which version a read would be given without asking anybody; 0: none.
  std::uint64_t held(const std::string& key, Level level = Level::prefix) {
    const auto begun = begin(get_of(key, level));
    return begun.answer ? begun.answer->stamp->hlc.value : 0;
  }
};

TEST_CASE("near-cache: a hit is what a node gave with its age and without its word") {
  for (const NearCacheMode mode : {kDoubleDelete, kVersioned}) {
    Stepped at({.mode = mode, .ttl = 1s});
    Answer given = value_answer(7);
    given.staleness_ms = 3;
    given.session.index = LogIndex{9};
    const auto miss = at.begin(get_of("k"));
    CHECK_FALSE(miss.answer);
    at.end(get_of("k"), miss.ticket, given);
    at.now += 250ms;
    const auto hit = at.begin(get_of("k"));
    REQUIRE(hit.answer);
    CHECK(hit.answer->cached_for == 250ms);
    CHECK(hit.answer->value == Bytes("v7"));
    CHECK(hit.answer->content_type == "text/plain");
    CHECK(hit.answer->stamp == stamp(7));
    CHECK(hit.answer->found);
    CHECK(hit.answer->evidence == Evidence{});
    CHECK_FALSE(hit.answer->staleness_ms);
    CHECK(hit.answer->session == SessionToken{});
    Request in_session = get_of("k");
    in_session.session.emplace().index = LogIndex{4};
    CHECK(at.begin(in_session).answer->session == *in_session.session);
    at.now += 749ms;
    CHECK(at.held("k") == 7);
    at.now += 1ms;
    CHECK(at.held("k") == 0);
  }
}

TEST_CASE("near-cache: levels that promise recency pass it by") {
  for (const LevelInfo& info : kLevels) {
    CAPTURE(info.name);
    const bool cached =
        info.level == Level::prefix || info.level == Level::eventual || info.level == Level::weak;
    Stepped at({});
    at.read("k", 7, info.level);
    CHECK(at.held("k", info.level) == (cached ? 7u : 0u));
    // And each level has its own answers only.
    for (const LevelInfo& other : kLevels) {
      if (other.level != info.level) CHECK(at.held("k", other.level) == 0);
    }
  }
}

TEST_CASE("near-cache: requests that want more than a value pass it by") {
  Stepped at({});
  at.read("k", 7);
  Request siblings = get_of("k");
  siblings.operation = Get{"k", true};
  Request conditional = get_of("k");
  conditional.conditions.if_none_match = EtagSet{.any = true, .stamps = {}};
  Request by_policy = get_of("k");
  by_policy.level_by_policy = true;
  for (const Request& request : {siblings, conditional, by_policy}) {
    const auto begun = at.begin(request);
    CHECK_FALSE(begun.answer);
    CHECK(begun.ticket.number == 0);
  }
  CHECK_FALSE(at.cache.began(get_of("k"), true, at.now).answer);
  CHECK(at.held("k") == 7);
}

TEST_CASE("near-cache: what is no plain value is not kept") {
  const auto kept = [](auto change) {
    Stepped at({});
    const auto begun = at.begin(get_of("k"));
    Answer answer = value_answer(7);
    change(answer);
    at.end(get_of("k"), begun.ticket, answer);
    return at.held("k") != 0;
  };
  CHECK(kept([](Answer&) {}));
  CHECK_FALSE(kept([](Answer& answer) { answer.found = false; }));
  CHECK_FALSE(kept([](Answer& answer) { answer.stamp.reset(); }));
  CHECK_FALSE(kept([](Answer& answer) { answer.merged = true; }));
  CHECK_FALSE(kept([](Answer& answer) { answer.items.resize(2); }));
  CHECK_FALSE(kept([](Answer& answer) { answer.consistency = {}; }));
}

TEST_CASE("near-cache: own writes and newer versions in replies invalidate") {
  const auto shows = [](std::uint64_t number) {
    return [number](Stepped& at) {
      at.end(get_of("k", Level::linearizable), {}, value_answer(number));
    };
  };
  struct Row {
    const char* what;
    std::function<void(Stepped&)> happens;
    std::uint64_t held;
  };
  const std::vector<Row> rows{
      {"a write", [](Stepped& at) { at.write("k", 8); }, 0},
      {"a write elsewhere", [](Stepped& at) { at.write("other", 8); }, 7},
      {"a write of unknown outcome",
       [](Stepped& at) {
         at.begin(put_of("k"));
         at.end(put_of("k"), {}, indefinite(ErrorCode::timeout, "?"));
       },
       0},
      {"a removal",
       [](Stepped& at) {
         const Request remove{.operation = Delete{"k"}};
         at.begin(remove);
         Answer answer;
         answer.stamp = stamp(8);
         at.end(remove, {}, answer);
       },
       0},
      {"a newer version", shows(8), 0},
      {"the same version", shows(7), 7},
      {"an older version", shows(6), 7},
      {"absence", [](Stepped& at) { at.end(get_of("k", Level::linearizable), {}, Answer{}); }, 0},
      {"a newer version in a range",
       [](Stepped& at) {
         Answer page;
         page.items = {Item{"a", stamp(1), "x", ""}, Item{"k", stamp(8), "x", ""}};
         at.end(Request{.operation = Scan{"a", "z"}}, {}, page);
       },
       0},
      {"absence among several",
       [](Stepped& at) {
         Answer answer;
         answer.missing = {"k"};
         at.end(Request{.operation = GetMany{{"k"}}}, {}, answer);
       },
       0},
      {"a newer version in its history",
       [](Stepped& at) {
         Answer answer;
         answer.versions = {PastValue{.stamp = stamp(8)}, PastValue{.stamp = stamp(7)}};
         at.end(Request{.operation = ReadHistory{.key = "k"}}, {}, answer);
       },
       0},
      {"a policy of that name",
       [](Stepped& at) {
         const Request set{.operation = SetPolicy{"k", Policy{}}};
         at.begin(set);
         at.end(set, {}, Answer{});
       },
       7},
  };
  for (const NearCacheMode mode : {kDoubleDelete, kVersioned}) {
    for (const Row& row : rows) {
      CAPTURE(row.what, mode == kVersioned);
      Stepped at({.mode = mode});
      at.read("k", 7);
      REQUIRE(at.held("k") == 7);
      row.happens(at);
      CHECK(at.held("k") == row.held);
    }
  }
}

TEST_CASE("near-cache: a write that a condition forbade shows the version that is there") {
  Stepped at({});
  at.read("k", 7);
  at.begin(put_of("k"));
  Error error = definite(ErrorCode::precondition_failed, "no");
  at.end(put_of("k"), {}, error);
  CHECK(at.held("k") == 7);
  error.etag = stamp(8).to_string();
  at.end(put_of("k"), {}, error);
  CHECK(at.held("k") == 0);
}

/// A reader misses and is given the old version; meanwhile a writer writes and invalidates; after
/// `pause` the reader fills in what it was given.
void stale_refill(Stepped& at, milliseconds pause) {
  const auto reader = at.begin(get_of("k"));
  REQUIRE_FALSE(reader.answer);
  at.write("k", 2);
  at.now += pause;
  at.end(get_of("k"), reader.ticket, value_answer(1));
}

TEST_CASE("near-cache: a stale refill is narrowed by a delayed second delete") {
  const NearCacheOptions options{.mode = kDoubleDelete, .ttl = 10s};
  Stepped soon(options);
  stale_refill(soon, 100ms);
  CHECK(soon.held("k") == 1);  // stale ...
  soon.now += 399ms;
  CHECK(soon.held("k") == 1);
  soon.now += 1ms;  // ... until the second delete
  CHECK(soon.held("k") == 0);

  // A reader that pauses for longer comes behind it: stale until the end of its time.
  Stepped late(options);
  stale_refill(late, 501ms);
  CHECK(late.held("k") == 1);
  late.now += 9'498ms;  // since the reader began, and not since it filled in
  CHECK(late.held("k") == 1);
  late.now += 1ms;
  CHECK(late.held("k") == 0);
}

TEST_CASE("near-cache: a stale refill is ruled out by versions") {
  for (const milliseconds pause : {0ms, 100ms, 501ms, 9'999ms}) {
    Stepped at({.mode = kVersioned, .ttl = 10s});
    stale_refill(at, pause);
    CHECK(at.held("k") == 0);
    at.read("k", 2);
    CHECK(at.held("k") == 2);
  }
}

TEST_CASE("near-cache: an answer that was on its way for longer than it may be kept is not kept") {
  for (const NearCacheMode mode : {kVersioned, kDoubleDelete}) {
    Stepped at({.mode = mode, .ttl = 1s});
    const auto slow = at.begin(get_of("k"));
    at.now += 999ms;
    at.end(get_of("k"), slow.ticket, value_answer(1));
    CHECK(at.held("k") == 1);
    at.now += 1ms;
    CHECK(at.held("k") == 0);
    const auto slower = at.begin(get_of("k"));
    at.now += 1s;
    at.end(get_of("k"), slower.ticket, value_answer(1));
    CHECK(at.held("k") == 0);
  }
}

TEST_CASE("near-cache: a refill whose record was forgotten is refused") {
  Stepped at({.mode = kVersioned, .max_entries = 2});
  const auto reader = at.begin(get_of("k"));
  at.write("k", 2);
  at.write("a", 3);
  at.write("b", 4);  // k is forgotten, with the version that it had
  CHECK(at.cache.size() == 2);
  at.end(get_of("k"), reader.ticket, value_answer(1));
  CHECK(at.held("k") == 0);
  // The miss just now has made a record; the reader from before it still may not fill it.
  at.end(get_of("k"), reader.ticket, value_answer(1));
  CHECK(at.held("k") == 0);
  at.read("k", 2);
  CHECK(at.held("k") == 2);
}

TEST_CASE("near-cache: behind a write of unknown outcome only reads that began later fill") {
  Stepped at({.mode = kVersioned});
  const auto before = at.begin(get_of("k"));
  at.begin(put_of("k"));
  at.end(put_of("k"), {}, indefinite(ErrorCode::timeout, "?"));
  at.end(get_of("k"), before.ticket, value_answer(1));
  CHECK(at.held("k") == 0);
  at.read("k", 1);
  CHECK(at.held("k") == 1);
}

TEST_CASE("near-cache: replies count while a value is out to be filled in") {
  Stepped at({.mode = kVersioned});
  const auto slow = at.begin(get_of("k"));
  at.end(get_of("k", Level::linearizable), {}, value_answer(5));
  at.end(get_of("k"), slow.ticket, value_answer(4));
  CHECK(at.held("k") == 0);
  at.read("k", 5);
  CHECK(at.held("k") == 5);
}

TEST_CASE("near-cache: the second delete waits for the lag that was measured") {
  Stepped at({.mode = kDoubleDelete, .ttl = 10s});
  CHECK(at.cache.delay() == 500ms);
  Answer lagging = value_answer(1);
  for (const std::uint64_t lag : {30, 80, 50}) {
    lagging.staleness_ms = lag;
    at.end(get_of("other"), {}, lagging);
  }
  CHECK(at.cache.delay() == 80ms);
  // A replica that was cut off for an hour does not keep the cache from being used for one.
  Stepped cut_off({.mode = kDoubleDelete, .ttl = 10s});
  lagging.staleness_ms = 3'600'000;
  cut_off.end(get_of("other"), {}, lagging);
  CHECK(cut_off.cache.delay() == 10s);
  stale_refill(at, 10ms);
  at.now += 69ms;
  CHECK(at.held("k") == 1);
  at.now += 1ms;
  CHECK(at.held("k") == 0);
  lagging.staleness_ms = 20;
  for (int i = 0; i < 64; ++i) at.end(get_of("other"), {}, lagging);
  CHECK(at.cache.delay() == 20ms);
}

TEST_CASE("near-cache: the number of entries and of deletes to come is bounded") {
  for (const NearCacheMode mode : {kDoubleDelete, kVersioned}) {
    Stepped at({.mode = mode, .max_entries = 3});
    for (const char* key : {"a", "b", "c"}) at.read(key, 1);
    CHECK(at.held("a") == 1);  // used last now
    at.read("d", 1);
    CHECK(at.cache.size() == 3);
    CHECK(at.held("a") == 1);
    CHECK(at.held("d") == 1);
    CHECK(at.held("b") == 0);
  }
  Stepped at({.mode = kDoubleDelete, .ttl = 10s, .max_entries = 3});
  at.read("k", 1);
  for (const char* key : {"a", "b", "c", "d"}) at.write(key, 2);
  // Too many to remember: nothing is kept until the last of them would have been due.
  at.now += 499ms;
  at.read("k", 1);
  CHECK(at.held("k") == 0);
  at.now += 1ms;
  at.read("k", 1);
  CHECK(at.held("k") == 1);
}

/// Readers and writers at random, replicas that lag, and everything remembered that was
/// acknowledged.
struct Schedule {
  struct Read {
    std::string key;
    NearCache::Ticket ticket;
    int sampled_at;
    int ends_at;
    std::uint64_t number = 0;  ///< what the node had
  };
  struct Write {
    std::string key;
    std::uint64_t number;
    int effective_at;
    int ends_at;
  };
  struct Outcome {
    int hits = 0;
    int stale = 0;
    int stalest_ms = 0;  ///< the oldest hit among them
  };

  static Outcome run(NearCacheOptions options, std::uint64_t seed, int most_lag) {
    Random random(seed);
    Stepped at(options);
    std::map<std::string, std::vector<std::pair<int, std::uint64_t>>> effective;
    std::map<std::string, std::uint64_t> acknowledged;
    std::vector<Read> reads;
    std::vector<Write> writes;
    std::uint64_t numbers = 0;
    Outcome out;
    for (int ms = 1; ms <= 20'000; ++ms) {
      at.now = kStart + milliseconds(ms);
      for (Write& write : writes) {
        if (write.effective_at == ms) {
          // Stamps are in the order of effect.
          write.number = ++numbers;
          effective[write.key].emplace_back(ms, write.number);
        }
        if (write.ends_at != ms) continue;
        Answer stored;
        stored.stamp = stamp(write.number);
        at.end(put_of(write.key), {}, stored);
        acknowledged[write.key] = std::max(acknowledged[write.key], write.number);
      }
      for (Read& read : reads) {
        if (read.sampled_at == ms) {
          const int as_of = ms - static_cast<int>(random.below(std::uint64_t(most_lag) + 1));
          for (const auto& [since, number] : effective[read.key]) {
            if (since <= as_of) read.number = number;
          }
        }
        if (read.ends_at != ms || read.number == 0) continue;
        at.end(get_of(read.key), read.ticket, value_answer(read.number));
      }
      std::erase_if(writes, [&](const Write& write) { return write.ends_at == ms; });
      std::erase_if(reads, [&](const Read& read) { return read.ends_at == ms; });
      const std::string key(1, static_cast<char>('a' + random.below(5)));
      if (random.chance(0.02)) {
        const int effect = ms + 1 + static_cast<int>(random.below(10));
        writes.push_back({key, 0, effect, effect + 1 + static_cast<int>(random.below(10))});
        at.begin(put_of(key));
      } else if (random.chance(0.5)) {
        const auto begun = at.begin(get_of(key));
        if (begun.answer) {
          const std::uint64_t number = begun.answer->stamp->hlc.value;
          REQUIRE(begun.answer->value == Bytes(value_of(number)));
          REQUIRE(*begun.answer->cached_for < options.ttl);
          ++out.hits;
          if (number >= acknowledged[key]) continue;
          ++out.stale;
          out.stalest_ms =
              std::max(out.stalest_ms, static_cast<int>(begun.answer->cached_for->count()));
        } else {
          // Now and then one pauses between its answer and its fill.
          const int sampled = ms + 1 + static_cast<int>(random.below(10));
          const int pause = random.chance(0.02) ? 400 : random.chance(0.1) ? 60 : 5;
          reads.push_back({key, begun.ticket, sampled,
                           sampled + 1 + static_cast<int>(random.below(std::uint64_t(pause)))});
        }
      }
    }
    return out;
  }
};

TEST_CASE(
    "near-cache: stale hits of random schedules are fewer with a second delete and none with "
    "versions") {
  Schedule::Outcome once;
  Schedule::Outcome twice;
  Schedule::Outcome versioned;
  const auto add = [](Schedule::Outcome& sum, const Schedule::Outcome& one) {
    sum.hits += one.hits;
    sum.stale += one.stale;
    sum.stalest_ms = std::max(sum.stalest_ms, one.stalest_ms);
  };
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    // A second delete without a delay is a single one.
    add(once, Schedule::run({.mode = kDoubleDelete, .ttl = 1s, .default_delay = 0ms}, seed, 40));
    add(twice, Schedule::run({.mode = kDoubleDelete, .ttl = 1s, .default_delay = 100ms}, seed, 40));
    add(versioned, Schedule::run({.mode = kVersioned, .ttl = 1s}, seed, 40));
  }
  INFO("of " << once.hits << ", " << twice.hits << ", " << versioned.hits << " hits " << once.stale
             << ", " << twice.stale << ", " << versioned.stale << " were stale");
  CHECK(once.hits > 10'000);
  CHECK(twice.hits > 10'000);
  CHECK(versioned.hits > 10'000);
  CHECK(versioned.stale == 0);
  CHECK(twice.stale > 0);
  CHECK(twice.stale * 2 < once.stale);
}

TEST_CASE("near-cache: versions hold where records are forgotten all the time") {
  // Without lag: what a replica that is behind says about a key that is forgotten is its own
  // matter.
  int hits = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const auto out = Schedule::run({.mode = kVersioned, .ttl = 1s, .max_entries = 3}, seed, 0);
    hits += out.hits;
    CHECK(out.stale == 0);
  }
  CHECK(hits > 100);
}

}  // namespace
}  // namespace parallax
