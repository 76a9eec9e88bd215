#include <algorithm>
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "replication/quorum/merkle_exchange.h"
#include "replication/quorum/state_content.h"
#include "tests/clock/cases.h"
#include "tests/replication/quorum/copies.h"

namespace parallax::test {
namespace {

/// A store with its tree, maintained with the writes.
struct Side {
  std::map<std::string, KeyState> keys;
  MerkleTree tree;

  void join(const std::string& key, const KeyState& state) {
    KeyState& mine = keys[key];
    const std::uint64_t before = content_digest(key, mine);
    mine.join(state);
    tree.replace(key, before, content_digest(key, mine));
  }
  std::vector<KeyDigest> leaf(std::uint32_t leaf) const {
    std::vector<KeyDigest> list;
    for (const auto& [key, state] : keys) {
      if (MerkleTree::leaf_of(key) == leaf) list.push_back({key, content_digest(key, state)});
    }
    return list;
  }
  bool same(const Side& other) const {
    return std::equal(keys.begin(), keys.end(), other.keys.begin(), other.keys.end(),
                      [](const auto& a, const auto& b) {
                        return a.first == b.first && same_content(a.second, b.second);
                      });
  }
};

struct Cost {
  std::size_t messages = 0;
  std::size_t digests = 0;
  std::size_t listed = 0;
  std::size_t bytes = 0;
  std::vector<KeyDifference> differences;
};

TokenBucket unlimited() {
  return TokenBucket({.per_second = 1u << 31, .burst = 1u << 31}, MonoTime{});
}

/// Both hold all that either held, of the keys that were found.
void exchange_states(Side& a, Side& b, const KeyDifference& difference) {
  if (difference.here) b.join(difference.key, a.keys.at(difference.key));
  if (difference.there) a.join(difference.key, b.keys.at(difference.key));
}

Cost converge(Side& a, Side& b) {
  Cost cost;
  TokenBucket bucket = unlimited();
  MerkleExchange exchange;
  MonoTime now{};
  while (!exchange.finished()) {
    now += std::chrono::seconds(1);
    for (const KeyDifference& difference : exchange.take_differences(3)) {
      cost.differences.push_back(difference);
      exchange_states(a, b, difference);
    }
    const auto request = exchange.next(bucket, now);
    if (!request) continue;
    ++cost.messages;
    if (const auto* query = std::get_if<MerkleQuery>(&*request)) {
      HOLDS(fault(*query).empty());
      const MerkleDigests digests = answer(b.tree, *query);
      cost.digests += digests.digests.size();
      cost.bytes += wire_bytes(digests);
      HOLDS(exchange.step(a.tree, digests, bucket));
    } else {
      const auto& keys_query = std::get<MerkleKeysQuery>(*request);
      HOLDS(fault(keys_query).empty());
      const MerkleKeys keys = answer(b.leaf(keys_query.leaf), keys_query);
      cost.listed += keys.keys.size();
      cost.bytes += wire_bytes(keys);
      HOLDS(exchange.step(a.leaf(keys_query.leaf), keys, bucket));
    }
  }
  return cost;
}

KeyState written(std::uint64_t hlc, std::uint32_t node = 1) {
  KeyState state;
  state.add({.stamp = {Hlc{hlc}, NodeId{node}},
             .actor = {ActorPath::quorum, NodeId{node}, Incarnation{1}},
             .context = {},
             .value = "v"});
  return state;
}

/// Both the same, then `differing` keys that one of them, or each in its way, has written since.
std::size_t fill(Random& random, Side& a, Side& b, std::size_t common, std::size_t differing) {
  std::set<std::string> touched;
  std::uint64_t hlc = 1'000;
  for (std::size_t i = 0; i < common; ++i) {
    const std::string key = fmt::format("key-{}", i);
    const KeyState state = written(++hlc);
    a.join(key, state);
    b.join(key, state);
  }
  for (std::size_t i = 0; i < differing; ++i) {
    const std::string key = fmt::format("key-{}", random.below(common + differing));
    touched.insert(key);
    for (Side* side : {&a, &b}) {
      if (side == &b && random.chance(0.7)) continue;
      KeyState state = side->keys[key];
      Copies maker(2);
      Version version = written(++hlc, side == &a ? 1 : 2).versions().front();
      if (random.chance(0.5)) version.context = state.context();
      if (random.chance(0.2)) bury(version);
      state.add(version);
      side->join(key, state);
    }
    if (random.chance(0.5)) std::swap(a, b);
  }
  for (Side* side : {&a, &b}) {
    std::erase_if(side->keys, [](const auto& entry) { return entry.second.empty(); });
  }
  return touched.size();
}

}  // namespace

TEST_CASE("content digest: what makes contents differ, and what does not") {
  const KeyState state = written(9);
  CHECK(content_digest("k", {}) == 0);
  CHECK(content_digest("k", state) != 0);
  CHECK(content_digest("k", state) != content_digest("l", state));
  CHECK(content_digest("k", state) != content_digest("k", written(10)));
  CHECK(content_digest("k", state) != content_digest("k", written(9, 2)));
  KeyState buried = state;
  Version version = *state.winner();
  bury(version);
  buried.add(version);
  CHECK(content_digest("k", state) != content_digest("k", buried));
  const KeyState replaced = KeyState::from_parts({}, state.context());
  CHECK(content_digest("k", state) != content_digest("k", replaced));
  CHECK(content_digest("k", replaced) !=
        content_digest("k", KeyState::from_parts({}, written(10).context())));
  CHECK(content_digest("k", replaced) !=
        content_digest("k", KeyState::from_parts({}, written(9, 2).context())));
  for (const Actor& actor : {Actor{ActorPath::causal, NodeId{1}, Incarnation{1}},
                             Actor{ActorPath::quorum, NodeId{1}, Incarnation{2}}}) {
    CHECK(content_digest("k", replaced) !=
          content_digest("k", KeyState::from_parts({}, VersionVector({{actor, Hlc{9}}}))));
  }
  // The log tells everybody by itself.
  KeyState committed = state;
  version = *state.winner();
  version.log_index = LogIndex{3};
  committed.add(version);
  CHECK(content_digest("k", state) == content_digest("k", committed));
}

TEST_CASE("content digest: equal just when contents are", "[random]") {
  for_each_seed(20'000, [](Random& random) {
    Copies copies(3);
    copies.stir(random, random.below(10));
    for (const KeyState& a : copies.states()) {
      for (const KeyState& b : copies.states()) {
        HOLDS((content_digest("k", a) == content_digest("k", b)) == same_content(a, b));
      }
    }
  });
}

TEST_CASE("merkle tree: equal to one made of the contents at once, at every level", "[random]") {
  for_each_seed(40, [](Random& random) {
    Side side;
    for (int step = 0; step < 300; ++step) {
      side.join(fmt::format("k{}", random.below(100)), written(1 + random.below(500)));
    }
    // Tombstones that have had their time go.
    for (int i = 0; i < 20 && !side.keys.empty(); ++i) {
      const auto gone = side.keys.begin();
      side.tree.replace(gone->first, content_digest(gone->first, gone->second), 0);
      side.keys.erase(gone);
    }
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> sums;
    for (const auto& [key, state] : side.keys) {
      std::uint32_t node = MerkleTree::leaf_of(key);
      for (std::uint32_t up = 0; up <= MerkleTree::kLeafLevel; ++up, node /= 16) {
        sums[{MerkleTree::kLeafLevel - up, node}] += content_digest(key, state);
      }
    }
    for (const auto& [at, sum] : sums) HOLDS(side.tree.digest(at.first, at.second) == sum);
    std::uint64_t leaves = 0;
    for (std::uint32_t leaf = 0; leaf < MerkleTree::kLeaves; ++leaf) {
      leaves += side.tree.digest(MerkleTree::kLeafLevel, leaf);
    }
    HOLDS(leaves == side.tree.root());
  });
}

TEST_CASE("merkle tree: built anew by a scan while writes go on", "[random]") {
  for_each_seed(200, [](Random& random) {
    Side side;
    const auto write = [&] {
      side.join(fmt::format("k{}", random.below(60)), written(1 + random.below(500)));
    };
    for (std::uint64_t left = random.below(60); left > 0; --left) write();
    side.tree = MerkleTree();
    side.tree.begin_scan();
    HOLDS(!side.tree.complete());
    auto next = side.keys.begin();
    while (true) {
      for (std::uint64_t writes = random.below(3); writes > 0; --writes) write();
      next = side.tree.scan_position().empty() ? side.keys.begin()
                                               : side.keys.upper_bound(side.tree.scan_position());
      if (next == side.keys.end()) break;
      side.tree.scanned(next->first, content_digest(next->first, next->second));
    }
    side.tree.scan_done();
    for (std::uint64_t writes = random.below(3); writes > 0; --writes) write();
    HOLDS(side.tree.complete());
    MerkleTree direct;
    for (const auto& [key, state] : side.keys) direct.replace(key, 0, content_digest(key, state));
    for (std::uint32_t leaf = 0; leaf < MerkleTree::kLeaves; ++leaf) {
      HOLDS(direct.digest(MerkleTree::kLeafLevel, leaf) ==
            side.tree.digest(MerkleTree::kLeafLevel, leaf));
    }
    HOLDS(direct.root() == side.tree.root());
  });
}

TEST_CASE("merkle exchange: equal stores need one answer") {
  Side a;
  Side b;
  for (int i = 0; i < 5'000; ++i) {
    const std::string key = fmt::format("key-{}", i);
    a.join(key, written(static_cast<std::uint64_t>(i) + 1));
  }
  for (auto at = a.keys.rbegin(); at != a.keys.rend(); ++at) b.join(at->first, at->second);
  const Cost cost = converge(a, b);
  CHECK(cost.messages == 1);
  CHECK(cost.bytes < 250);
  CHECK(cost.differences.empty());
}

TEST_CASE("merkle exchange: two stores converge at a cost bounded by their difference",
          "[random]") {
  for_each_seed(60, [](Random& random) {
    Side a;
    Side b;
    const std::size_t common = random.below(400);
    const std::size_t differing = fill(random, a, b, common, random.below(40));
    std::size_t in_leaves = 0;  // keys of b in leaves where something differs
    std::set<std::uint32_t> leaves;
    for (const auto* side : {&a, &b}) {
      for (const auto& [key, state] : side->keys) {
        const std::uint32_t leaf = MerkleTree::leaf_of(key);
        if (a.tree.digest(4, leaf) != b.tree.digest(4, leaf)) leaves.insert(leaf);
      }
    }
    for (const auto& [key, state] : b.keys) in_leaves += leaves.count(MerkleTree::leaf_of(key));
    Side other_a = a;
    Side other_b = b;
    const Cost cost = converge(a, b);
    HOLDS(a.same(b));
    HOLDS(a.tree.root() == b.tree.root());
    HOLDS(cost.differences.size() <= differing);
    HOLDS(cost.digests <= 16 * (1 + 3 * differing));
    HOLDS(cost.listed == in_leaves);
    // Whichever side asks.
    converge(other_b, other_a);
    HOLDS(other_a.same(a));
    HOLDS(other_b.same(a));
  });
}

TEST_CASE("merkle exchange: a leaf with more keys than an answer holds is listed in parts") {
  // Keys of one leaf: found by trying.
  Side a;
  Side b;
  std::vector<std::string> keys;
  for (std::uint64_t i = 0; keys.size() < 5; ++i) {
    const std::string key = fmt::format("k{}", i);
    if (MerkleTree::leaf_of(key) == 77) keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  TokenBucket bucket = unlimited();
  MerkleExchange exchange;
  a.join(keys[0], written(1));
  a.join(keys[1], written(2));
  a.join(keys[3], written(3));
  a.join(keys[4], written(4));
  b.join(keys[1], written(2));
  b.join(keys[2], written(5));
  b.join(keys[3], written(6, 2));
  std::vector<KeyDifference> found;
  while (!exchange.finished()) {
    for (KeyDifference& difference : exchange.take_differences(9)) found.push_back(difference);
    const auto request = exchange.next(bucket, MonoTime{});
    if (!request) continue;
    if (const auto* query = std::get_if<MerkleQuery>(&*request)) {
      REQUIRE(exchange.step(a.tree, answer(b.tree, *query), bucket));
      continue;
    }
    // One key at a time.
    MerkleKeys part = answer(b.leaf(77), std::get<MerkleKeysQuery>(*request));
    if (part.keys.size() > 1) {
      part.keys.resize(1);
      part.complete = false;
    }
    REQUIRE(exchange.step(a.leaf(77), part, bucket));
  }
  CHECK(found == std::vector<KeyDifference>{{keys[0], true, false},
                                            {keys[2], false, true},
                                            {keys[3], true, true},
                                            {keys[4], true, false}});
}

TEST_CASE("merkle exchange: an answer holds so many keys and no more") {
  std::vector<KeyDigest> many;
  for (std::size_t i = 0; i <= MerkleExchange::kMostKeys; ++i) {
    many.push_back({fmt::format("{:05}", i), i + 1});
  }
  const MerkleKeys first = answer(many, MerkleKeysQuery{.leaf = 1, .after = ""});
  CHECK(first.keys.size() == MerkleExchange::kMostKeys);
  CHECK_FALSE(first.complete);
  const MerkleKeys rest = answer(many, MerkleKeysQuery{.leaf = 1, .after = first.keys.back().key});
  CHECK(rest.keys == std::vector{many.back()});
  CHECK(rest.complete);
}

TEST_CASE("merkle exchange: asks no faster than the rate allows") {
  Side a;
  Side b;
  for (std::uint64_t i = 0; i < 2'000; ++i) a.join(fmt::format("key-{}", i), written(i + 1));
  TokenBucket bucket({.per_second = 10'000, .burst = 1'000}, MonoTime{});
  MerkleExchange exchange;
  MonoTime now{};
  MonoTime asked{};
  std::size_t bytes = 0;
  while (!exchange.finished()) {
    exchange.take_differences(100'000);
    const auto request = exchange.next(bucket, now);
    if (!request) {
      now = std::max(bucket.next(now), now);
      continue;
    }
    asked = now;
    if (const auto* query = std::get_if<MerkleQuery>(&*request)) {
      const MerkleDigests digests = answer(b.tree, *query);
      bytes += wire_bytes(digests);
      REQUIRE(exchange.step(a.tree, digests, bucket));
    } else {
      const auto& query_keys = std::get<MerkleKeysQuery>(*request);
      const MerkleKeys none = answer(b.leaf(query_keys.leaf), query_keys);
      bytes += wire_bytes(none);
      REQUIRE(exchange.step(a.leaf(query_keys.leaf), none, bucket));
    }
  }
  const double seconds = std::chrono::duration<double>(asked.time_since_epoch()).count();
  // All but the burst and the last answer has been paid for.
  CHECK(static_cast<double>(bytes) <= 10'000 * seconds + 1'000 + 40'000);
  CHECK(seconds > 5);
}

TEST_CASE("merkle exchange: what answers no question is refused") {
  Side a;
  a.join("k", written(1));
  const std::uint32_t leaf = MerkleTree::leaf_of("k");
  TokenBucket bucket = unlimited();
  MerkleExchange exchange;
  const MerkleDigests unasked = answer(MerkleTree(), MerkleQuery{.level = 0, .nodes = {0}});
  CHECK_FALSE(exchange.step(a.tree, unasked, bucket));
  REQUIRE(exchange.next(bucket, MonoTime{}));
  CHECK_FALSE(exchange.next(bucket, MonoTime{}));
  MerkleDigests wrong = unasked;
  wrong.digests.pop_back();
  CHECK_FALSE(exchange.step(a.tree, wrong, bucket));
  wrong = unasked;
  wrong.nodes = {1};
  CHECK_FALSE(exchange.step(a.tree, wrong, bucket));
  CHECK(exchange.step(a.tree, unasked, bucket));
  for (int level = 1; level < 4; ++level) {
    const auto request = exchange.next(bucket, MonoTime{});
    REQUIRE(exchange.step(a.tree, answer(MerkleTree(), std::get<MerkleQuery>(*request)), bucket));
  }
  REQUIRE(exchange.next(bucket, MonoTime{}));
  const auto refused = [&](MerkleKeys keys) { return !exchange.step(a.leaf(leaf), keys, bucket); };
  CHECK(refused({.leaf = leaf + 1, .after = "", .keys = {}, .complete = true}));
  CHECK(refused({.leaf = leaf, .after = "x", .keys = {}, .complete = true}));
  CHECK(refused({.leaf = leaf, .after = "", .keys = {}, .complete = false}));
  CHECK(refused({.leaf = leaf, .after = "", .keys = {{"elsewhere", 1}}, .complete = true}));
  CHECK(refused({.leaf = leaf, .after = "", .keys = {{"k", 1}, {"k", 1}}, .complete = true}));
  CHECK_FALSE(refused({.leaf = leaf, .after = "", .keys = {}, .complete = true}));
  CHECK(exchange.take_differences(9) == std::vector<KeyDifference>{{"k", true, false}});
  CHECK(exchange.finished());
}

TEST_CASE("merkle queries: only nodes that there are, and not too many") {
  CHECK(fault(MerkleQuery{.level = 3, .nodes = {4'095}}).empty());
  CHECK(fault(MerkleQuery{.level = 3, .nodes = {4'096}}) ==
        "nodes: 4096 on level 3, at most 4095 expected");
  CHECK(fault(MerkleQuery{.level = 4, .nodes = {0}}) == "level: 4, at most 3 expected");
  CHECK(fault(MerkleQuery{.level = 0, .nodes = {}}) == "nodes: 0, 1 to 256 expected");
  CHECK(fault(MerkleQuery{.level = 3, .nodes = std::vector<std::uint32_t>(257, 0)}) ==
        "nodes: 257, 1 to 256 expected");
  CHECK(fault(MerkleDigests{.level = 0, .nodes = {0}, .digests = {1}}) ==
        "digests: 1, 16 or none expected");
  CHECK(fault(MerkleDigests{.level = 0, .nodes = {0}, .digests = {}}).empty());
  CHECK(fault(MerkleKeysQuery{.leaf = 65'536, .after = ""}) ==
        "leaf: 65536, at most 65535 expected");
  CHECK(fault(MerkleKeysQuery{.leaf = 0, .after = std::string(1'025, 'k')}) ==
        "after: 1025 bytes, at most 1024 expected");
}

}  // namespace parallax::test
