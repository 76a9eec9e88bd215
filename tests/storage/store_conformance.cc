// What every store promises (storage/store.h), run over each of them.
#include <map>
#include <memory>

#include "storage/leveldb_store.h"
#include "storage/memory_store.h"
#include "storage/overlay.h"
#include "tests/storage/support.h"

namespace parallax::test {
namespace {

/// A store under test, and what a restart of its process is.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual Store& store() = 0;
  virtual void restart() = 0;
};

class LevelDbSubject : public Subject {
 public:
  LevelDbSubject() { open(); }
  Store& store() override { return *store_; }
  void restart() override {
    store_.reset();
    open();
  }

 private:
  void open() {
    // Small enough that the tests see tables and compactions too.
    auto opened = LevelDbStore::open(directory_.path(), {.write_buffer_bytes = 64 << 10});
    INFO((opened ? std::string() : opened.error().message));
    REQUIRE(opened.has_value());
    store_ = std::move(*opened);
  }
  TempDirectory directory_;
  std::unique_ptr<LevelDbStore> store_;
};

class MemorySubject : public Subject {
 public:
  Store& store() override { return store_; }
  void restart() override { store_.crash(); }

 private:
  MemoryStore store_;
};

/// What a replica sees: its overlay, above a store that lags by up to two batches.
class OverlayStore : public Store {
 public:
  explicit OverlayStore(Store& below) : below_(below), overlay_(below) {}
  Result<std::optional<std::string>> get(std::string_view key) const override {
    return overlay_.get(key);
  }
  Result<void> scan(const ScanRange& range, const ScanVisitor& visit) const override {
    return overlay_.scan(range, visit);
  }
  Result<void> write(const WriteBatch& batch) override {
    pending_.push_back(batch);
    overlay_.add(batch, ++sequence_);
    return drain(2);
  }
  std::unique_ptr<ReadView> snapshot() const override {
    REQUIRE(const_cast<OverlayStore*>(this)->drain(0).has_value());
    return below_.snapshot();
  }
  std::uint64_t approximate_bytes() const override {
    return below_.approximate_bytes() + overlay_.bytes();
  }
  Result<void> drain(std::size_t left) {
    while (pending_.size() > left) {
      PARALLAX_TRY(below_.write(pending_.front()));
      pending_.erase(pending_.begin());
      overlay_.forget(sequence_ - pending_.size());
    }
    return {};
  }
  const Overlay& overlay() const { return overlay_; }

 private:
  Store& below_;
  Overlay overlay_;
  std::vector<WriteBatch> pending_;
  std::uint64_t sequence_ = 0;
};

class OverlaySubject : public Subject {
 public:
  Store& store() override { return *store_; }
  void restart() override {
    REQUIRE(store_->drain(0).has_value());
    REQUIRE(store_->overlay().entries() == 0);
    REQUIRE(store_->overlay().bytes() == 0);
    below_.crash();
    store_ = std::make_unique<OverlayStore>(below_);
  }

 private:
  MemoryStore below_;
  std::unique_ptr<OverlayStore> store_ = std::make_unique<OverlayStore>(below_);
};

std::unique_ptr<Subject> make_subject(const std::string& kind) {
  if (kind == "leveldb") return std::make_unique<LevelDbSubject>();
  if (kind == "memory") return std::make_unique<MemorySubject>();
  return std::make_unique<OverlaySubject>();
}

#define FOR_EVERY_STORE(subject)                                     \
  const std::string kind = GENERATE("leveldb", "memory", "overlay"); \
  INFO(kind);                                                        \
  const std::unique_ptr<Subject> subject = make_subject(kind)

TEST_CASE("store: what is put is there and what is removed is not") {
  FOR_EVERY_STORE(subject);
  Store& store = subject->store();
  CHECK(must_get(store, "a") == std::nullopt);
  must_write(store, puts({{"a", "1"}, {"b", "2"}}));
  CHECK(must_get(store, "a") == "1");
  CHECK(must_get(store, "b") == "2");
  CHECK(must_get(store, "ab") == std::nullopt);
  must_write(store, puts({{"a", "3"}}));
  CHECK(must_get(store, "a") == "3");
  must_write(store, removes({"a", "never there"}));
  CHECK(must_get(store, "a") == std::nullopt);
  CHECK(must_scan(store) == Rows{{"b", "2"}});
  must_write(store, WriteBatch{});
  CHECK(must_scan(store) == Rows{{"b", "2"}});
}

TEST_CASE("store: of two changes of a key in one batch the later wins") {
  FOR_EVERY_STORE(subject);
  Store& store = subject->store();
  WriteBatch batch;
  batch.put("twice", "1");
  batch.put("twice", "2");
  batch.put("gone", "1");
  batch.remove("gone");
  batch.remove("back");
  WriteBatch more;
  more.put("back", "1");
  batch.append(std::move(more));
  CHECK(batch.bytes() == 5 + 1 + 5 + 1 + 4 + 1 + 4 + 4 + 4 + 1);
  must_write(store, batch);
  CHECK(must_scan(store) == Rows{{"back", "1"}, {"twice", "2"}});
}

TEST_CASE("store: scans go over ranges in both directions and stop when told") {
  FOR_EVERY_STORE(subject);
  Store& store = subject->store();
  must_write(store, puts({{"a", "1"}, {"b", "2"}, {"ba", "3"}, {"c", "4"}, {"d", "5"}}));
  must_write(store, removes({"c"}));
  struct Case {
    ScanRange range;
    std::size_t limit;
    std::string keys;  // joined by spaces
  };
  const auto row = GENERATE(values<Case>({
      {{"", "", false}, 99, "a b ba d"}, {{"", "", true}, 99, "d ba b a"},
      {{"b", "d", false}, 99, "b ba"},   {{"b", "d", true}, 99, "ba b"},
      {{"b", "", false}, 99, "b ba d"},  {{"b", "", true}, 99, "d ba b"},
      {{"", "b", false}, 99, "a"},       {{"", "b", true}, 99, "a"},
      {{"aa", "bz", true}, 99, "ba b"},  {{"c", "zzz", true}, 99, "d"},
      {{"c", "d", false}, 99, ""},       {{"c", "d", true}, 99, ""},
      {{"d", "b", false}, 99, ""},       {{"d", "b", true}, 99, ""},
      {{"b", "b", false}, 99, ""},       {{"e", "", true}, 99, ""},
      {{"", "", false}, 2, "a b"},       {{"", "", true}, 2, "d ba"},
      {{"b", "", true}, 1, "d"},
  }));
  CAPTURE(row.range.start, row.range.end, row.range.reverse, row.limit);
  std::string keys;
  for (const auto& [key, value] : must_scan(store, row.range, row.limit)) {
    keys += (keys.empty() ? "" : " ") + key;
  }
  CHECK(keys == row.keys);
}

TEST_CASE("store: keys and values are any bytes up to a mebibyte and none at all") {
  FOR_EVERY_STORE(subject);
  Store& store = subject->store();
  Random random(7);
  using namespace std::string_literals;
  const Rows rows{{"\0"s, ""},          {"\0\0"s, "zeros"},
                  {"\0\xff"s, "\0"s},   {"a", ""},
                  {"a\0"s, "behind a"}, {"\xff"s, random_bytes(random, 1 << 20)},
                  {"\xff\xff"s, "last"}};
  must_write(store, puts(rows));
  CHECK(must_scan(store) == rows);
  CHECK(must_get(store, "a") == "");
  CHECK(must_get(store, "\xff") == rows[5].second);
  CHECK(must_scan(store, {.start = "\xff", .end = "", .reverse = true}).size() == 2);
  subject->restart();
  CHECK(must_scan(subject->store()) == rows);
}

TEST_CASE("store: a snapshot shows the contents of its time") {
  FOR_EVERY_STORE(subject);
  Store& store = subject->store();
  must_write(store, puts({{"a", "1"}, {"b", "2"}}));
  const std::unique_ptr<ReadView> first = store.snapshot();
  must_write(store, puts({{"a", "3"}, {"c", "4"}}));
  must_write(store, removes({"b"}));
  const std::unique_ptr<ReadView> second = store.snapshot();
  must_write(store, puts({{"d", "5"}}));
  CHECK(must_scan(*first) == Rows{{"a", "1"}, {"b", "2"}});
  CHECK(must_scan(*first, {.start = "", .end = "", .reverse = true}) ==
        Rows{{"b", "2"}, {"a", "1"}});
  CHECK(must_get(*first, "a") == "1");
  CHECK(must_get(*first, "c") == std::nullopt);
  CHECK(must_scan(*second) == Rows{{"a", "3"}, {"c", "4"}});
  CHECK(must_scan(store) == Rows{{"a", "3"}, {"c", "4"}, {"d", "5"}});
}

TEST_CASE("store: what was written is there after a restart") {
  FOR_EVERY_STORE(subject);
  must_write(subject->store(), puts({{"a", "1"}, {"b", "2"}}));
  must_write(subject->store(), removes({"a"}));
  subject->restart();
  CHECK(must_scan(subject->store()) == Rows{{"b", "2"}});
  must_write(subject->store(), puts({{"c", "3"}}));
  subject->restart();
  CHECK(must_scan(subject->store()) == Rows{{"b", "2"}, {"c", "3"}});
  CHECK(subject->store().approximate_bytes() >= 4);
}

/// Random keys of an alphabet in which zero and 0xff bytes, prefixes and neighbours abound.
std::string random_key(Random& random) {
  static const std::string letters(
      "\0\x01"
      "ab\xfe\xff",
      6);
  std::string key;
  do {
    key.push_back(letters[random.below(letters.size())]);
  } while (key.size() < 4 && random.chance(0.7));
  return key;
}

using Oracle = std::map<std::string, std::string>;

Rows oracle_scan(const Oracle& oracle, const ScanRange& range, std::size_t limit) {
  Rows rows;
  for (const auto& [key, value] : oracle) {
    if (key >= range.start && (range.end.empty() || key < range.end)) rows.emplace_back(key, value);
  }
  if (range.reverse) std::reverse(rows.begin(), rows.end());
  rows.resize(std::min(rows.size(), limit));
  return rows;
}

ScanRange random_range(Random& random) {
  ScanRange range;
  if (random.chance(0.8)) range.start = random_key(random);
  if (random.chance(0.8)) range.end = random_key(random);
  range.reverse = random.chance(0.5);
  return range;
}

void random_write(Random& random, Store& store, Oracle& oracle) {
  WriteBatch batch;
  for (std::uint64_t n = random.between(1, 6); n > 0; --n) {
    const std::string key = random_key(random);
    if (random.chance(0.35)) {
      batch.remove(key);
      oracle.erase(key);
    } else {
      const std::string value = random_bytes(random, random.below(200));
      batch.put(key, Bytes{value});
      oracle[key] = value;
    }
  }
  must_write(store, batch);
}

TEST_CASE("store: thousands of random operations agree with a plain map") {
  FOR_EVERY_STORE(subject);
  const std::uint64_t seed = GENERATE(1, 2);
  CAPTURE(seed);
  Random random(seed);
  Oracle oracle;
  Oracle oracle_at_snapshot;
  std::unique_ptr<ReadView> snapshot;
  for (int step = 0; step < 5'000; ++step) {
    const std::uint64_t dice = random.below(100);
    if (dice < 40) {
      random_write(random, subject->store(), oracle);
    } else if (dice < 65) {
      const std::string key = random_key(random);
      const auto found = must_get(subject->store(), key);
      const auto expected = oracle.find(key);
      REQUIRE(found.has_value() == (expected != oracle.end()));
      if (found) REQUIRE(*found == expected->second);
    } else if (dice < 92) {
      const ScanRange range = random_range(random);
      const std::size_t limit = random.between(1, 50);
      REQUIRE(must_scan(subject->store(), range, limit) == oracle_scan(oracle, range, limit));
    } else if (dice < 95) {
      snapshot = subject->store().snapshot();
      oracle_at_snapshot = oracle;
    } else if (dice < 99 && snapshot != nullptr) {
      const ScanRange range = random_range(random);
      REQUIRE(must_scan(*snapshot, range) == oracle_scan(oracle_at_snapshot, range, SIZE_MAX));
    } else if (dice == 99 && random.chance(0.5)) {
      snapshot.reset();
      subject->restart();
      REQUIRE(must_scan(subject->store()) == Rows(oracle.begin(), oracle.end()));
    }
  }
}

}  // namespace
}  // namespace parallax::test
