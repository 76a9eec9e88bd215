#include "replication/causal/origin_log.h"

#include <map>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "tests/replication/causal/cases.h"

namespace parallax::test {

TEST_CASE("origin log: keeps the end of what was appended") {
  OriginLog log(4);
  CHECK(log.start() == 4);
  CHECK(log.last() == 4);
  CHECK(log.bytes() == 0);
  CHECK(log.cached(4) == nullptr);
  CHECK_FALSE(log.first_reading());
  log.restore(100, Hlc{7});
  log.append(operation(origin(1), 6));
  CHECK(log.first_reading() == Hlc{7});
  log.append(operation(origin(1), 7, {}, "longer"));
  const std::uint64_t sixth = operation(origin(1), 6).bytes();
  CHECK(log.last() == 7);
  CHECK(log.bytes() == 100 + sixth + sixth + 5);
  CHECK(log.bytes_between(4, 5) == 100);
  CHECK(log.bytes_between(5, 7) == 2 * sixth + 5);
  CHECK(log.bytes_between(6, 6) == 0);
  CHECK(log.cached(5) == nullptr);
  CHECK((*log.cached(6))->number == 6);
  CHECK((*log.cached(7))->version.value == Bytes{"longer"});
  CHECK(log.cached(8) == nullptr);
  CHECK(log.cached_bytes() == 2 * sixth + 5);

  CHECK_FALSE(log.evict(5));
  CHECK(log.evict(6));
  CHECK(log.cached(6) == nullptr);
  CHECK(log.cached_bytes() == sixth + 5);

  log.trim(5);
  CHECK(log.first_reading() == operation(origin(1), 6).version.stamp.hlc);
  log.trim(6);
  CHECK(log.first_reading() == operation(origin(1), 7).version.stamp.hlc);
  CHECK(log.start() == 6);
  CHECK(log.bytes() == sixth + 5);
  CHECK((*log.cached(7))->number == 7);
  log.trim(7);
  CHECK(log.bytes() == 0);
  CHECK(log.cached_bytes() == 0);
  log.append(operation(origin(1), 8));
  CHECK((*log.cached(8))->number == 8);

  log.skip_to(20);
  CHECK_FALSE(log.first_reading());
  CHECK(log.start() == 20);
  CHECK(log.last() == 20);
  CHECK(log.cached_bytes() == 0);
  log.append(operation(origin(1), 21));
  CHECK((*log.cached(21))->number == 21);
}

TEST_CASE("origin log: against a map of what is there", "[random]") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    const std::uint64_t start = random.below(3);
    OriginLog log(start);
    std::map<std::uint64_t, std::uint64_t> there;
    std::map<std::uint64_t, std::uint64_t> cached;
    std::uint64_t last = start;
    for (std::uint64_t restored = random.below(4); restored > 0; --restored) {
      there[++last] = 10 * restored;
      log.restore(10 * restored, Hlc{last});
    }
    for (int step = 0; step < 60; ++step) {
      switch (random.below(6)) {
        case 0:
        case 1:
        case 2: {
          const CausalOperation next =
              operation(origin(1), ++last, {}, std::string(random.below(30), 'v'));
          there[last] = cached[last] = next.bytes();
          log.append(next);
          break;
        }
        case 3: {
          const std::uint64_t up_to = last - random.below(there.size() + 1);
          log.trim(up_to);
          std::erase_if(there, [&](const auto& entry) { return entry.first <= up_to; });
          std::erase_if(cached, [&](const auto& entry) { return entry.first <= up_to; });
          break;
        }
        case 4: {
          const std::uint64_t up_to = last - random.below(3);
          const bool possible = !cached.empty() && cached.begin()->first <= up_to;
          REQUIRE(log.evict(up_to) == possible);
          if (possible) cached.erase(cached.begin());
          break;
        }
        default:
          if (random.chance(0.8)) break;
          last += random.between(1, 5);
          log.skip_to(last);
          there.clear();
          cached.clear();
      }
      std::uint64_t bytes = 0;
      for (const auto& [number, size] : there) bytes += size;
      std::uint64_t cached_bytes = 0;
      for (const auto& [number, size] : cached) cached_bytes += size;
      REQUIRE(log.last() == last);
      REQUIRE(log.start() == (there.empty() ? last : there.begin()->first - 1));
      REQUIRE(log.bytes() == bytes);
      REQUIRE(log.bytes_between(log.start(), last) == bytes);
      REQUIRE(log.cached_bytes() == cached_bytes);
      for (std::uint64_t number = 0; number <= last + 1; ++number) {
        const SharedOperation* found = log.cached(number);
        REQUIRE((found != nullptr) == cached.contains(number));
        if (found != nullptr) REQUIRE((*found)->number == number);
      }
    }
  }
}

}  // namespace parallax::test
