// Versions whose time runs out: what copies of one learn from each other, and what a join of states
// comes to when some of them know of an expiry and others do not.
#include "storage/version.h"

#include "tests/storage/support.h"

namespace parallax::test {
namespace {

KeyState joined(KeyState a, const KeyState& b) {
  const KeyState before = a;
  const bool changed = a.join(b);
  REQUIRE(changed == (a != before));
  REQUIRE(well_formed(a));
  return a;
}

}  // namespace

TEST_CASE("version: expires at its deadline, never without one") {
  Version version;
  CHECK_FALSE(version.expired_at(UnixMillis{~std::uint64_t{0}}));
  version.expires_at = UnixMillis{10};
  CHECK_FALSE(version.expired_at(UnixMillis{9}));
  CHECK(version.expired_at(UnixMillis{10}));
}

TEST_CASE("version: a buried one keeps who it was and nothing of what it held") {
  Version version;
  version.stamp = {Hlc{5}, NodeId{1}};
  version.context.advance(kLogActor, Hlc{4});
  version.value = Bytes{"v"};
  version.content_type = "t";
  version.expires_at = UnixMillis{10};
  version.log_index = LogIndex{3};
  Version buried = version;
  bury(buried);
  Version expected = version;
  expected.tombstone = true;
  expected.value = {};
  expected.content_type = "";
  expected.log_index = {};  // the log had the value; nobody says that it has this
  CHECK(buried == expected);
  bury(buried);
  CHECK(buried == expected);
}

TEST_CASE("version: copies of one version know together what either knew") {
  Version plain;
  plain.stamp = {Hlc{5}, NodeId{1}};
  plain.value = Bytes{"v"};
  plain.expires_at = UnixMillis{10};
  const auto copy = [&](bool buried, std::uint64_t index) {
    Version made = plain;
    if (buried) bury(made);
    made.log_index = LogIndex{index};
    return made;
  };
  const auto merged = [](Version mine, const Version& theirs) {
    const Version before = mine;
    const bool changed = merge_version(mine, theirs);
    CHECK(changed == (mine != before));
    return mine;
  };
  std::vector<Version> all;
  for (const bool buried : {false, true}) {
    for (const std::uint64_t index : {0, 3, 7}) all.push_back(copy(buried, index));
  }
  for (const Version& a : all) {
    CHECK(merged(a, a) == a);
    for (const Version& b : all) {
      CHECK(merged(a, b) == merged(b, a));
      CHECK(merged(merged(a, b), b) == merged(a, b));
      for (const Version& c : all) CHECK(merged(merged(a, b), c) == merged(a, merged(b, c)));
    }
  }
  // What the log has of the value is nothing that it has of its burial.
  CHECK(merged(copy(false, 7), copy(true, 0)) == copy(true, 0));
  CHECK(merged(copy(false, 3), copy(true, 7)) == copy(true, 7));
  // The entry that committed it first, of those that are known.
  CHECK(merged(copy(false, 7), copy(false, 3)) == copy(false, 3));
  CHECK(merged(copy(false, 0), copy(false, 3)) == copy(false, 3));
}

TEST_CASE("version: the laws of joins hold where copies differ in what has expired", "[random]") {
  Random random(1);
  std::size_t buried_alone = 0;
  std::size_t replaced_alone = 0;
  for (int round = 0; round < 5'000; ++round) {
    // One history of a key: writes that have seen a part of the others.
    KeyState all;
    std::vector<KeyState> past{all};
    for (std::uint64_t hlc = 1; hlc <= 8; ++hlc) {
      Version version;
      version.stamp = {Hlc{hlc}, NodeId{1}};
      if (random.chance(0.5)) {
        version.context = all.context();
      } else if (random.chance(0.5)) {
        version.context = past[random.below(past.size())].context();
      }
      version.tombstone = random.chance(0.2);
      if (!version.tombstone) version.value = Bytes{fmt::format("{}", hlc)};
      if (!version.tombstone && random.chance(0.6)) version.expires_at = UnixMillis{hlc + 1};
      all.add(std::move(version));
      past.push_back(all);
    }
    // What a replica holds: some moment of it, in which somebody buried what had expired, and of
    // which it has learned the entries or not.
    const auto some_copy = [&] {
      const KeyState& moment = past[random.below(past.size())];
      std::vector<Version> versions = moment.versions();
      for (Version& version : versions) {
        if (version.expires_at.value != 0 && random.chance(0.4)) bury(version);
        if (random.chance(0.5)) version.log_index = LogIndex{random.between(1, 9)};
      }
      return KeyState::from_parts(std::move(versions), moment.context());
    };
    const KeyState a = some_copy();
    const KeyState b = some_copy();
    const KeyState c = some_copy();
    const KeyState ab = joined(a, b);
    REQUIRE(ab == joined(b, a));
    REQUIRE(joined(ab, c) == joined(a, joined(b, c)));
    REQUIRE(joined(a, a) == a);
    REQUIRE(joined(ab, a) == ab);
    REQUIRE(joined(ab, b) == ab);
    // An expiry that either knew of is known, of every version that is left.
    for (const Version& version : ab.versions()) {
      bool known = false;
      for (const KeyState* side : {&a, &b}) {
        for (const Version& v : side->versions()) known |= v.stamp == version.stamp && v.tombstone;
      }
      REQUIRE(version.tombstone == known);
    }
    buried_alone += ab != a && ab.context() == a.context();
    replaced_alone += ab.context() != a.context();
  }
  CHECK(buried_alone > 300);
  CHECK(replaced_alone > 300);
}

}  // namespace parallax::test
