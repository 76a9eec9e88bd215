// What the overlay promises beyond a store (storage/overlay.h).
#include "storage/overlay.h"

#include <map>

#include "storage/memory_store.h"
#include "tests/storage/support.h"

namespace parallax::test {
namespace {

TEST_CASE("overlay: forgets what is in the store and keeps what changed since") {
  MemoryStore below;
  Overlay overlay(below);
  const WriteBatch first = puts({{"a", "1"}, {"b", "1"}});
  const WriteBatch second = puts({{"b", "22"}});
  overlay.add(first, 1);
  overlay.add(second, 2);
  CHECK(overlay.entries() == 2);
  CHECK(overlay.bytes() == 1 + 1 + 1 + 2);
  must_write(below, first);
  overlay.forget(1);
  CHECK(overlay.entries() == 1);
  CHECK(overlay.bytes() == 1 + 2);
  CHECK(must_scan(overlay) == Rows{{"a", "1"}, {"b", "22"}});
  CHECK(must_get(below, "b") == "1");
  must_write(below, second);
  overlay.forget(2);
  CHECK(overlay.entries() == 0);
  CHECK(overlay.bytes() == 0);
  CHECK(must_get(overlay, "b") == "22");
}

TEST_CASE("overlay: a removal above hides what the store still has") {
  MemoryStore below;
  must_write(below, puts({{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  Overlay overlay(below);
  overlay.add(removes({"b", "zz"}), 1);
  CHECK(must_get(overlay, "b") == std::nullopt);
  CHECK(must_scan(overlay) == Rows{{"a", "1"}, {"c", "3"}});
  CHECK(must_scan(overlay, {.start = "", .end = "", .reverse = true}, 1) == Rows{{"c", "3"}});
  CHECK(overlay.bytes() == 3);
}

/// Counts the reads that come through to it.
class Counted : public ReadView {
 public:
  explicit Counted(const ReadView& below) : below_(below) {}
  Result<std::optional<std::string>> get(std::string_view key) const override {
    ++gets;
    return below_.get(key);
  }
  Result<void> scan(const ScanRange& range, const ScanVisitor& visit) const override {
    return below_.scan(range, visit);
  }
  mutable int gets = 0;

 private:
  const ReadView& below_;
};

TEST_CASE("overlay: what was read or changed lately is not looked for again") {
  MemoryStore below;
  must_write(below, puts({{"a1", "1"}, {"b1", "2"}}));
  const Counted counted(below);
  Overlay overlay(counted, {{.start = "a", .end = "b"}, 10'000});
  for (int i = 0; i < 3; ++i) {
    CHECK(must_get(overlay, "a1") == "1");
    CHECK(must_get(overlay, "a-none") == std::nullopt);
    CHECK(counted.gets == 2);
  }
  CHECK(must_get(overlay, "b1") == "2");
  CHECK(must_get(overlay, "b1") == "2");
  CHECK(counted.gets == 4);

  WriteBatch changes = puts({{"a2", "3"}, {"a-none", "4"}});
  changes.remove("a1");
  overlay.add(changes, 1);
  must_write(below, changes);
  overlay.forget(1);
  CHECK(overlay.bytes() == 0);
  CHECK(must_get(overlay, "a1") == std::nullopt);
  CHECK(must_get(overlay, "a2") == "3");
  CHECK(must_get(overlay, "a-none") == "4");
  CHECK(counted.gets == 4);
}

TEST_CASE("overlay: what it remembers is bounded and always what the store has") {
  constexpr std::size_t kRoom = 20'000;
  MemoryStore below;
  const Counted counted(below);
  Overlay overlay(counted, {{.start = "k", .end = "l"}, kRoom});
  std::map<std::string, std::string> model;
  Random random(5);
  std::vector<WriteBatch> waiting;
  std::uint64_t sequence = 0;
  std::uint64_t forgotten = 0;
  int reads = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = fmt::format("{}{}", random.chance(0.9) ? 'k' : 'm', random.below(200));
    if (random.chance(0.3)) {
      WriteBatch batch;
      if (random.chance(0.8)) {
        model[key] = random_bytes(random, random.below(random.chance(0.02) ? 5'000 : 100));
        batch.put(key, Bytes{model[key]});
      } else {
        model.erase(key);
        batch.remove(key);
      }
      overlay.add(batch, ++sequence);
      waiting.push_back(std::move(batch));
    } else if (random.chance(0.3) && forgotten < sequence) {
      must_write(below, waiting[forgotten]);
      overlay.forget(++forgotten);
    } else {
      ++reads;
      const auto found = model.find(key);
      const auto expected = found == model.end() ? std::nullopt : std::optional(found->second);
      REQUIRE(must_get(overlay, key) == expected);
    }
    REQUIRE(overlay.remembered_bytes() <= kRoom);
  }
  CHECK(counted.gets < reads / 2);
  CHECK(counted.gets > reads / 20);
}

/// A view whose scan breaks off after its first row.
class Broken : public ReadView {
 public:
  Result<std::optional<std::string>> get(std::string_view) const override {
    return definite(ErrorCode::io, "broken");
  }
  Result<void> scan(const ScanRange&, const ScanVisitor& visit) const override {
    visit("b", "1");
    return definite(ErrorCode::io, "broken");
  }
};

TEST_CASE("overlay: errors of the store come through") {
  const Broken below;
  Overlay overlay(below);
  overlay.add(puts({{"a", "1"}, {"c", "1"}}), 1);
  CHECK(must_get(overlay, "a") == "1");
  CHECK(overlay.get("x").error().code == ErrorCode::io);
  std::string seen;
  const Result<void> scanned = overlay.scan({}, [&](std::string_view key, std::string_view) {
    seen += key;
    return true;
  });
  CHECK(scanned.error().code == ErrorCode::io);
  CHECK(seen == "ab");
}

}  // namespace
}  // namespace parallax::test
