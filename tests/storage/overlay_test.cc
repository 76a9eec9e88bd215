// What the overlay promises beyond a store (storage/overlay.h).
#include "storage/overlay.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "storage/key_space.h"
#include "storage/memory_store.h"
#include "storage/records.h"
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

KeyState state_of(std::string value, std::uint64_t hlc = 1) {
  Version version;
  version.stamp = {Hlc{hlc}, NodeId{1}};
  version.value = Bytes{std::move(value)};
  KeyState state;
  state.add(std::move(version));
  return state;
}

WriteBatch put_state(const std::string& key, const KeyState& state) {
  WriteBatch batch;
  const std::string store_key = records::key_state_key(kOnlyGroup, key);
  batch.put(store_key, records::encode(store_key, state));
  return batch;
}

Remembered remembered(std::size_t most_bytes) {
  return {records::key_state_range(kOnlyGroup), most_bytes};
}

TEST_CASE("overlay: key states that were read or changed lately are not read again") {
  MemoryStore below;
  must_write(below, put_state("a", state_of("1")));
  const Watched counted(below);
  Overlay overlay(counted, remembered(10'000));
  const KeySpace keys(overlay, kOnlyGroup);
  const auto loaded = [&](const std::string& key) {
    const Result<KeyState> state = keys.load(key);
    REQUIRE(state.has_value());
    return *state;
  };
  for (int i = 0; i < 3; ++i) {
    CHECK(loaded("a") == state_of("1"));
    CHECK(loaded("none").empty());
    CHECK(counted.gets == 2);
  }
  // A change of the record lets go of what it has said, and keep() says it anew.
  const WriteBatch changes = put_state("a", state_of("2", 2));
  overlay.add(changes, 1);
  CHECK(loaded("a") == state_of("2", 2));
  keys.keep("a", state_of("2", 2));
  must_write(below, changes);
  overlay.forget(1);
  CHECK(overlay.entries() == 0);
  CHECK(loaded("a") == state_of("2", 2));
  CHECK(counted.gets == 2);
  // What was changed and not kept is read from the store.
  const WriteBatch more = put_state("a", state_of("3", 3));
  overlay.add(more, 2);
  must_write(below, more);
  overlay.forget(2);
  CHECK(loaded("a") == state_of("3", 3));
  CHECK(counted.gets == 3);
  WriteBatch removal;
  removal.remove(records::key_state_key(kOnlyGroup, "a"));
  overlay.add(removal, 3);
  CHECK(loaded("a").empty());
  // Another kind of record is never kept.
  CHECK(keys.load_early("a")->empty());
  CHECK(keys.load_early("a")->empty());
  CHECK(counted.gets == 5);
}

TEST_CASE("overlay: a kept state holds no buffer that is much larger than its value") {
  MemoryStore below;
  Overlay overlay(below, remembered(1'000'000));
  const auto message = std::make_shared<const std::string>(100'000, 'm');
  for (const std::size_t size : {100u, 90'000u}) {
    KeyState state = state_of("");
    state.revise([&](Version& v) { v.value = Bytes(message, {message->data() + 7, size}); });
    const std::string key = records::key_state_key(kOnlyGroup, fmt::format("{}", size));
    if (size == 100) overlay.add(puts({{key, "record"}}), 1);  // on its way to the store
    overlay.keep(key, state);
    const bool copied = size == 100;
    state = KeyState{};
    CHECK((message.use_count() == 1) == copied);
    if (copied) {
      REQUIRE(overlay.kept(key) != nullptr);
      CHECK(overlay.kept(key)->winner()->value == Bytes{std::string(size, 'm')});
    }
  }
}

TEST_CASE("overlay: what it keeps is bounded and always what the store has") {
  constexpr std::size_t kRoom = 30'000;
  MemoryStore below;
  const Watched counted(below);
  Overlay overlay(counted, remembered(kRoom));
  const KeySpace keys(overlay, kOnlyGroup);
  std::map<std::string, KeyState> model;
  Random random(5);
  std::vector<WriteBatch> waiting;
  std::uint64_t sequence = 0;
  std::uint64_t forgotten = 0;
  std::size_t reads = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = fmt::format("{}", random.below(200));
    if (random.chance(0.3)) {
      WriteBatch batch;
      if (random.chance(0.8)) {
        const std::size_t size = random.below(random.chance(0.02) ? 10'000 : 100);
        model[key] = state_of(random_bytes(random, size), static_cast<std::uint64_t>(i) + 1);
        batch = put_state(key, model[key]);
      } else {
        model[key] = KeyState{};
        batch.remove(records::key_state_key(kOnlyGroup, key));
      }
      overlay.add(batch, ++sequence);
      if (random.chance(0.7)) keys.keep(key, model[key]);
      waiting.push_back(std::move(batch));
    } else if (random.chance(0.3) && forgotten < sequence) {
      must_write(below, waiting[forgotten]);
      overlay.forget(++forgotten);
    } else {
      ++reads;
      const Result<KeyState> state = keys.load(key);
      REQUIRE(state.has_value());
      REQUIRE(*state == model[key]);
    }
    REQUIRE(overlay.remembered_bytes() <= kRoom);
  }
  CHECK(counted.gets < reads / 2);
  CHECK(counted.gets > reads / 20);
}

// --- What waits ----------------------------------------------------------------------------------

std::string store_key(const std::string& key) {
  return records::key_state_key(kOnlyGroup, key);
}

std::vector<std::string> keys_of(const WriteBatch& batch) {
  std::vector<std::string> keys;
  for (const WriteBatch::Change& change : batch.changes()) {
    keys.emplace_back(records::user_key(change.key));
  }
  return keys;
}

TEST_CASE(
    "overlay: of the states of a key that wait the last one is handed out, the oldest first") {
  MemoryStore below;
  Overlay overlay(below);
  overlay.defer(store_key("b"), state_of("1"), 1);
  overlay.defer(store_key("a"), state_of("2"), 2);
  overlay.defer(store_key("b"), state_of("3"), 3);
  overlay.defer(store_key("c"), state_of("4"), 3);
  CHECK(overlay.deferred_since().value_or(0) == 1);
  const std::size_t all = overlay.deferred_bytes();
  WriteBatch batch;
  overlay.take_deferred(0, all, 3, batch);
  CHECK(batch.empty());
  overlay.take_deferred(1, all, 3, batch);
  CHECK(keys_of(batch) == std::vector<std::string>{"b"});
  CHECK(must_get(overlay, store_key("b")) == batch.changes()[0].value->to_string());
  CHECK(*records::decode<KeyState>(store_key("b"), batch.changes()[0].value->view()) ==
        state_of("3"));
  CHECK(overlay.deferred_since().value_or(0) == 2);
  // More than may wait: the oldest go.
  WriteBatch more;
  overlay.take_deferred(0, overlay.deferred_bytes() - 1, 4, more);
  CHECK(keys_of(more) == std::vector<std::string>{"a"});
  overlay.take_deferred(3, all, 5, more);
  CHECK(keys_of(more) == std::vector<std::string>{"a", "c"});
  CHECK_FALSE(overlay.deferred_since());
  CHECK(overlay.deferred_bytes() == 0);
}

TEST_CASE(
    "overlay: a change that waits is said to be of its own batch, not of the one it went with") {
  MemoryStore below;
  Overlay overlay(below);
  CHECK(overlay.all_stored());
  overlay.defer(store_key("k"), state_of("1"), 1);
  CHECK(overlay.last_change(store_key("k")) == 1);
  CHECK_FALSE(overlay.all_stored());
  overlay.forget(1);
  CHECK(overlay.last_change(store_key("k")) == 0);
  CHECK(overlay.all_stored());
  WriteBatch batch;
  overlay.take_deferred(1, 0, 2, batch);
  CHECK(overlay.last_change(store_key("k")) == 0);
  CHECK(overlay.entries() == 1);
  overlay.defer(store_key("k"), state_of("2"), 3);
  CHECK(overlay.last_change(store_key("k")) == 3);
  CHECK_FALSE(overlay.all_stored());
}

TEST_CASE("overlay: what is added takes the place of what waits") {
  MemoryStore below;
  Overlay overlay(below);
  overlay.defer(store_key("k"), state_of("1"), 1);
  overlay.add(removes({store_key("k")}), 1);
  CHECK(must_get(overlay, store_key("k")) == std::nullopt);
  CHECK_FALSE(overlay.deferred_since());
  overlay.defer(store_key("k"), state_of("2"), 1);
  CHECK(must_scan(overlay).size() == 1);
}

TEST_CASE("overlay: with what waits it shows what a map would, whatever is written when") {
  const std::size_t room = GENERATE(0u, 10'000u);
  MemoryStore below;
  Overlay overlay(below, remembered(room));
  const KeySpace keys(overlay, kOnlyGroup);
  std::map<std::string, KeyState> model;
  std::map<std::string, std::uint64_t> changed;
  Random random(6);
  WriteBatch gathered;
  std::vector<WriteBatch> batches;
  std::uint64_t durable = 0;
  const auto sequence = [&] { return batches.size() + 1; };
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    const std::string key = fmt::format("{}", random.below(100));
    const double dice = static_cast<double>(random.below(1'000)) / 1'000;
    if (dice < 0.3) {
      model[key] = state_of(random_bytes(random, random.below(100)), i);
      overlay.defer(store_key(key), model[key], sequence());
      changed[key] = sequence();
    } else if (dice < 0.4) {
      WriteBatch batch;
      if (random.chance(0.3)) {
        model.erase(key);
        batch.remove(store_key(key));
      } else {
        model[key] = state_of("added", i);
        batch = put_state(key, model[key]);
      }
      overlay.add(batch, sequence());
      changed[key] = sequence();
      gathered.append(std::move(batch));
    } else if (dice < 0.6) {
      const std::uint64_t until = random.chance(0.5) ? 0 : random.below(sequence() + 1);
      overlay.take_deferred(until, random.below(20'000), sequence(), gathered);
      batches.push_back(std::exchange(gathered, {}));
    } else if (dice < 0.8) {
      if (durable == batches.size()) continue;
      must_write(below, batches[durable]);
      overlay.forget(++durable);
    } else if (dice < 0.99) {
      const Result<KeyState> state = keys.load(key);
      REQUIRE(state.has_value());
      const auto found = model.find(key);
      REQUIRE(*state == (found == model.end() ? KeyState{} : found->second));
      REQUIRE(overlay.last_change(store_key(key)) == (changed[key] > durable ? changed[key] : 0));
    } else {
      const bool reverse = random.chance(0.5);
      std::vector<std::pair<std::string, KeyState>> expected(model.lower_bound("3"), model.end());
      if (reverse) std::reverse(expected.begin(), expected.end());
      std::vector<std::pair<std::string, KeyState>> found;
      const Result<void> scanned =
          keys.scan("3", "", reverse, [&](auto name, const KeyState& state) {
            found.emplace_back(name, state);
            return true;
          });
      REQUIRE(scanned.has_value());
      REQUIRE((found == expected));
    }
  }
  CHECK(durable > 1'000);
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
