#include "replication/quorum/hints.h"

#include <algorithm>
#include <map>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/clock/cases.h"

namespace parallax::test {
namespace {

using namespace std::chrono_literals;

const NodeId kB{2};
const NodeId kC{3};

HintBounds roomy() {
  return {.expiry_ms = 1'000,
          .most = 100,
          .most_bytes = 1'000,
          .most_in_flight = 10,
          .drain = {.per_second = 1'000, .burst = 100}};
}

std::vector<std::string> keys(const std::vector<Hints::Due>& due) {
  std::vector<std::string> keys;
  for (const Hints::Due& d : due) keys.push_back(d.key);
  return keys;
}

}  // namespace

TEST_CASE("hints: sent oldest first, gone when acknowledged") {
  Hints hints(roomy(), MonoTime{});
  CHECK(hints.add(kB, "old", UnixMillis{1}));
  CHECK(hints.add(kB, "new", UnixMillis{2}));
  CHECK(hints.add(kC, "other", UnixMillis{1}));
  const auto due = hints.take_due(kB, MonoTime{});
  CHECK(keys(due) == std::vector<std::string>{"old", "new"});
  CHECK(hints.take_due(kB, MonoTime{}).empty());
  CHECK(hints.status(kB) == Hints::Status{.hints = 2, .in_flight = 2, .oldest = UnixMillis{1}});
  CHECK(hints.acknowledge(kB, "old", due[0].revision));
  CHECK_FALSE(hints.acknowledge(kB, "old", due[0].revision));
  CHECK(hints.size() == 2);
  CHECK(hints.bytes() == 8);
  CHECK(hints.status(kB).oldest == UnixMillis{2});
}

TEST_CASE("hints: an acknowledgement is not for what was missed after the sending") {
  Hints hints(roomy(), MonoTime{});
  hints.add(kB, "k", UnixMillis{1});
  const auto first = hints.take_due(kB, MonoTime{});
  CHECK(hints.add(kB, "k", UnixMillis{5}));
  // It waits for the first one's answer.
  CHECK(hints.take_due(kB, MonoTime{}).empty());
  CHECK_FALSE(hints.acknowledge(kB, "k", first[0].revision));
  CHECK(hints.size() == 1);
  const auto second = hints.take_due(kB, MonoTime{});
  REQUIRE(second.size() == 1);
  CHECK(hints.acknowledge(kB, "k", second[0].revision));
  CHECK(hints.size() == 0);
}

TEST_CASE("hints: what got lost is sent again, and an answer to the lost one is void") {
  Hints hints(roomy(), MonoTime{});
  hints.add(kB, "k", UnixMillis{1});
  const auto first = hints.take_due(kB, MonoTime{});
  hints.retry(kB);
  const auto second = hints.take_due(kB, MonoTime{});
  CHECK(keys(second) == std::vector<std::string>{"k"});
  CHECK(hints.acknowledge(kB, "k", second[0].revision));
}

TEST_CASE("hints: expire after the last miss, and no later than that") {
  Hints hints(roomy(), MonoTime{});
  hints.add(kB, "a", UnixMillis{1'000});
  hints.add(kB, "b", UnixMillis{1'500});
  hints.add(kB, "a", UnixMillis{1'600});
  CHECK(hints.expire(UnixMillis{2'499}, 10).empty());
  CHECK(hints.expire(UnixMillis{2'500}, 10) == std::vector{Hints::Expired{kB, "b"}});
  CHECK(hints.expire(UnixMillis{10'000}, 0).empty());
  CHECK(hints.expire(UnixMillis{10'000}, 1) == std::vector{Hints::Expired{kB, "a"}});
  CHECK(hints.size() == 0);
  CHECK(hints.bytes() == 0);
}

TEST_CASE("hints: what does not fit is refused and counted") {
  HintBounds bounds = roomy();
  bounds.most = 2;
  bounds.most_bytes = 6;
  Hints hints(bounds, MonoTime{});
  CHECK(hints.add(kB, "four", UnixMillis{1}));
  CHECK_FALSE(hints.add(kC, "two", UnixMillis{1}));
  CHECK(hints.add(kC, "t", UnixMillis{1}));
  CHECK_FALSE(hints.add(kC, "u", UnixMillis{1}));
  CHECK(hints.add(kB, "four", UnixMillis{9}));
  CHECK(hints.refused() == 2);
  CHECK(hints.size() == 2);
}

TEST_CASE("hints: drained no faster than told, few at a time") {
  HintBounds bounds = roomy();
  bounds.drain = {.per_second = 10, .burst = 2};
  bounds.most_in_flight = 3;
  Hints hints(bounds, MonoTime{});
  for (const char* key : {"a", "b", "c", "d", "e"}) hints.add(kB, key, UnixMillis{1});
  CHECK(keys(hints.take_due(kB, MonoTime{})) == std::vector<std::string>{"a", "b"});
  CHECK(hints.take_due(kB, MonoTime{50ms}).empty());
  CHECK(keys(hints.take_due(kB, MonoTime{100ms})) == std::vector<std::string>{"c"});
  CHECK(hints.take_due(kB, MonoTime{10s}).empty());
}

TEST_CASE("hints: against a plain list", "[random]") {
  for_each_seed(5'000, [](Random& random) {
    struct Plain {
      UnixMillis since;
      bool missed_since_sent = false;
      bool sent = false;
    };
    HintBounds bounds = roomy();
    bounds.most = random.between(1, 6);
    bounds.most_bytes = random.between(2, 12);
    bounds.most_in_flight = random.between(1, 4);
    Hints hints(bounds, MonoTime{});
    std::map<std::pair<NodeId, std::string>, Plain> plain;
    struct Sent {
      NodeId target;
      Hints::Due due;
    };
    std::vector<Sent> sent;
    UnixMillis clock{10'000};
    MonoTime now{};
    for (int step = 0; step < 60; ++step) {
      clock.value += random.below(150);
      now += 1s;
      const NodeId target{static_cast<std::uint32_t>(random.between(2, 3))};
      const std::string key(random.between(1, 3), static_cast<char>('a' + random.below(3)));
      const auto at = std::pair{target, key};
      switch (random.below(5)) {
        case 0:
        case 1: {
          std::size_t bytes = 0;
          for (const auto& [place, hint] : plain) bytes += place.second.size();
          const bool fits = plain.count(at) > 0 ||
                            (plain.size() < bounds.most && bytes + key.size() <= bounds.most_bytes);
          HOLDS(hints.add(target, key, clock) == fits);
          if (!fits) break;
          Plain& hint = plain[at];
          hint.since = clock;
          hint.missed_since_sent = hint.sent;
          break;
        }
        case 2: {
          std::size_t in_flight = 0;
          std::size_t waiting = 0;
          for (const auto& [place, hint] : plain) {
            if (place.first == target) (hint.sent ? in_flight : waiting) += 1;
          }
          const auto due = hints.take_due(target, now);
          HOLDS(due.size() == std::min(waiting, bounds.most_in_flight -
                                                    std::min(in_flight, bounds.most_in_flight)));
          UnixMillis last;
          for (const Hints::Due& d : due) {
            Plain& hint = plain.at({target, d.key});
            HOLDS(!hint.sent);
            HOLDS(hint.since >= last);
            last = hint.since;
            hint.sent = true;
            hint.missed_since_sent = false;
            sent.push_back({target, d});
          }
          break;
        }
        case 3: {
          if (sent.empty()) break;
          const std::size_t which = random.below(sent.size());
          const Sent answered = sent[which];
          sent.erase(sent.begin() + static_cast<long>(which));
          const auto found = plain.find({answered.target, answered.due.key});
          const bool gone =
              found != plain.end() && found->second.sent && !found->second.missed_since_sent;
          HOLDS(hints.acknowledge(answered.target, answered.due.key, answered.due.revision) ==
                gone);
          if (gone) {
            plain.erase(found);
          } else if (found != plain.end()) {
            found->second.sent = false;
          }
          break;
        }
        default: {
          for (const Hints::Expired& expired : hints.expire(clock, 100)) {
            const auto found = plain.find({expired.target, expired.key});
            HOLDS(found != plain.end());
            HOLDS(clock.value - found->second.since.value >= bounds.expiry_ms);
            plain.erase(found);
            // Its answer would meet nothing, or another hint: the test does not follow that.
            std::erase_if(sent, [&](const Sent& s) {
              return s.target == expired.target && s.due.key == expired.key;
            });
          }
          for (const auto& [place, hint] : plain) {
            HOLDS(clock.value - hint.since.value < bounds.expiry_ms);
          }
          break;
        }
      }
      HOLDS(hints.size() == plain.size());
      std::size_t bytes = 0;
      for (const auto& [place, hint] : plain) bytes += place.second.size();
      HOLDS(hints.bytes() == bytes);
    }
  });
}

}  // namespace parallax::test
