#include "node/io/store_directory.h"

#include <fstream>

#include <catch2/catch.hpp>

#include "base/random.h"

namespace parallax {
namespace {

namespace fs = std::filesystem;

struct TemporaryDirectory {
  TemporaryDirectory() {
    static int count = 0;
    path = fs::temp_directory_path() / fmt::format("parallax-test-{}-{}", ::getpid(), count++);
    fs::remove_all(path);
  }
  ~TemporaryDirectory() { fs::remove_all(path); }
  fs::path path;
};

StoreDirectory locked(const fs::path& path) {
  Result<StoreDirectory> directory = StoreDirectory::lock(path);
  if (!directory) FAIL(directory.error().message);
  return std::move(*directory);
}

TEST_CASE("store directory: one process at a time") {
  const TemporaryDirectory temporary;
  {
    const StoreDirectory first = locked(temporary.path / "deep" / "er");
    const Result<StoreDirectory> second = StoreDirectory::lock(temporary.path / "deep" / "er");
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == ErrorCode::refused);
    CHECK(second.error().message.find("in use by another process") != std::string::npos);
    CHECK(second.error().message.find(temporary.path.string()) != std::string::npos);
  }
  CHECK(StoreDirectory::lock(temporary.path / "deep" / "er").has_value());
}

TEST_CASE("store directory: what cannot be a directory is refused") {
  const TemporaryDirectory temporary;
  fs::create_directories(temporary.path);
  std::ofstream(temporary.path / "file") << "x";
  const Result<StoreDirectory> lock = StoreDirectory::lock(temporary.path / "file");
  REQUIRE_FALSE(lock.has_value());
  CHECK(lock.error().code == ErrorCode::refused);
}

TEST_CASE("store directory: damage is remembered until it is cleared") {
  const TemporaryDirectory temporary;
  {
    const StoreDirectory directory = locked(temporary.path);
    REQUIRE(directory.damage().has_value());
    CHECK_FALSE(directory.damage()->has_value());
    REQUIRE(directory.mark_damaged("entry 7 is corrupt").has_value());
  }
  const StoreDirectory directory = locked(temporary.path);
  REQUIRE(directory.damage().has_value());
  CHECK(*directory.damage() == "entry 7 is corrupt");
  REQUIRE(directory.clear_damage().has_value());
  CHECK_FALSE(directory.damage()->has_value());
}

TEST_CASE("store directory: a store that is set aside is kept and a fresh one takes its place") {
  const TemporaryDirectory temporary;
  const StoreDirectory directory = locked(temporary.path);
  CHECK_FALSE(directory.set_aside(UnixMillis{5})->has_value());
  for (int round = 0; round < 2; ++round) {
    {
      auto store = directory.open_store({});
      REQUIRE(store.has_value());
      REQUIRE(*(*store)->get("key") == std::nullopt);
      WriteBatch batch;
      batch.put("key", fmt::format("round {}", round));
      REQUIRE((*store)->write(batch).has_value());
    }
    const auto aside = directory.set_aside(UnixMillis{5});
    REQUIRE(aside.has_value());
    REQUIRE(aside->has_value());
    CHECK((*aside)->filename() == fmt::format("damaged-store-{}", 5 + round));
    const auto kept = LevelDbStore::open(**aside);
    REQUIRE(kept.has_value());
    CHECK(*(*kept)->get("key") == fmt::format("round {}", round));
  }
}

}  // namespace
}  // namespace parallax
