// Crashes and faults of the simulated disk (storage/memory_store.h).
#include "storage/memory_store.h"

#include "tests/storage/support.h"

namespace parallax::test {
namespace {

TEST_CASE("memory store: a crash loses what is staged except for the oldest batches asked for") {
  const std::size_t keep = GENERATE(0u, 1u, 2u, 3u, 9u);
  CAPTURE(keep);
  MemoryStore store;
  must_write(store, puts({{"a", "0"}, {"b", "0"}}));
  REQUIRE(store.stage(puts({{"a", "1"}, {"a", "11"}, {"c", "1"}})).has_value());
  WriteBatch second = removes({"b", "c"});
  second.put("d", "2");
  REQUIRE(store.stage(second).has_value());
  REQUIRE(store.stage(puts({{"b", "3"}, {"d", "3"}})).has_value());
  const Rows all{{"a", "11"}, {"b", "3"}, {"d", "3"}};
  CHECK(must_scan(store) == all);
  CHECK(store.staged_batches() == 3);
  store.crash(keep);
  CHECK(store.staged_batches() == 0);
  const std::vector<Rows> expected{{{"a", "0"}, {"b", "0"}},
                                   {{"a", "11"}, {"b", "0"}, {"c", "1"}},
                                   {{"a", "11"}, {"d", "2"}},
                                   all};
  CHECK(must_scan(store) == expected[std::min<std::size_t>(keep, 3)]);
  const std::uint64_t bytes = store.approximate_bytes();
  std::uint64_t sum = 0;
  for (const auto& [key, value] : must_scan(store)) sum += key.size() + value.size();
  CHECK(bytes == sum);
  store.crash();
  CHECK(must_scan(store) == expected[std::min<std::size_t>(keep, 3)]);
}

TEST_CASE("memory store: a sync makes all that is staged durable") {
  MemoryStore store;
  REQUIRE(store.stage(puts({{"a", "1"}})).has_value());
  REQUIRE(store.stage(puts({{"b", "1"}})).has_value());
  REQUIRE(store.sync().has_value());
  REQUIRE(store.stage(puts({{"c", "1"}})).has_value());
  store.crash();
  CHECK(must_scan(store) == Rows{{"a", "1"}, {"b", "1"}});
}

TEST_CASE("memory store: after a failed sync every write is refused with the same reason") {
  const std::size_t keep = GENERATE(0u, 1u);
  MemoryStore store;
  must_write(store, puts({{"a", "1"}}));
  store.fail_next_sync();
  const Result<void> failed = store.write(puts({{"a", "2"}}));
  REQUIRE(!failed.has_value());
  CHECK(failed.error().code == ErrorCode::io);
  CHECK(failed.error().certainty == Certainty::indefinite);
  CHECK(store.write(puts({{"a", "3"}})).error() == failed.error());
  CHECK(store.stage(puts({{"a", "3"}})).error() == failed.error());
  CHECK(store.sync().error() == failed.error());
  store.crash(keep);
  CHECK(must_get(store, "a") == (keep == 0 ? "1" : "2"));
  must_write(store, puts({{"a", "4"}}));
  store.crash();
  CHECK(must_get(store, "a") == "4");
}

TEST_CASE("memory store: a full disk refuses until the process comes back to one with room") {
  MemoryStore store;
  store.set_disk_full(true);
  const Result<void> failed = store.write(puts({{"a", "1"}}));
  REQUIRE(!failed.has_value());
  CHECK(must_get(store, "a") == std::nullopt);
  store.set_disk_full(false);
  CHECK(store.write(puts({{"a", "1"}})).error() == failed.error());
  store.crash();
  must_write(store, puts({{"a", "1"}}));
}

TEST_CASE("memory store: a flipped bit stays until the value is written anew") {
  MemoryStore store;
  must_write(store, puts({{"a", "ab"}, {"empty", ""}}));
  CHECK_FALSE(store.flip_bit("none", 0));
  CHECK_FALSE(store.flip_bit("empty", 0));
  const std::unique_ptr<ReadView> before = store.snapshot();
  CHECK(store.flip_bit("a", 8 + 16));
  CHECK(must_get(store, "a") == "ac");
  CHECK(must_get(*before, "a") == "ab");
  store.crash();
  CHECK(must_get(store, "a") == "ac");
  must_write(store, puts({{"a", "ab"}}));
  CHECK(must_get(store, "a") == "ab");
}

TEST_CASE("memory store: a visitor may write and goes on over what was there") {
  MemoryStore store;
  must_write(store, puts({{"a", "1"}, {"b", "2"}}));
  Rows seen;
  REQUIRE(store
              .scan({},
                    [&](std::string_view key, std::string_view value) {
                      seen.emplace_back(key, value);
                      must_write(store, removes({"a", "b"}));
                      return true;
                    })
              .has_value());
  CHECK(seen == Rows{{"a", "1"}, {"b", "2"}});
  CHECK(must_scan(store).empty());
}

}  // namespace
}  // namespace parallax::test
