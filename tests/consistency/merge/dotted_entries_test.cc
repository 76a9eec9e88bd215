// Entries under dots: what versions say together, and their bytes.
#include "consistency/merge/dotted_entries.h"

#include <algorithm>

#include <catch2/catch.hpp>

#include "base/random.h"

namespace parallax::test {
namespace {

Actor node(std::uint32_t id, std::uint64_t incarnation = 1) {
  return {ActorPath::quorum, NodeId{id}, Incarnation{incarnation}};
}

DottedEntry entry(std::uint32_t id, std::uint64_t hlc, std::string name, std::string value = {}) {
  return {node(id), {Hlc{hlc}, NodeId{id}}, std::move(name), std::move(value)};
}

Version version(std::uint32_t id, std::uint64_t hlc, VersionVector context) {
  Version made;
  made.stamp = {Hlc{hlc}, NodeId{id}};
  made.actor = node(id);
  made.context = std::move(context);
  return made;
}

}  // namespace

TEST_CASE("dotted entries: whoever has seen an entry and does not hold it has removed it") {
  // Node 1 wrote a at 10; node 2 removed it; node 3 wrote c beside it without having seen more.
  KeyState state;
  state.add(version(2, 20, VersionVector({{node(1), Hlc{10}}})));
  state.add(version(3, 30, VersionVector({{node(1), Hlc{10}}})));
  REQUIRE(state.versions().size() == 2);  // node 3's is the newer one
  const DottedEntry a = entry(1, 10, "a");
  const DottedEntry b = entry(2, 20, "b");
  const DottedEntry c = entry(3, 30, "c");
  CHECK(merged(state, {{a, c}, {b}}) == DottedEntries{b, c});
  CHECK(merged(state, {{a, c}, {a, b}}) == DottedEntries{a, b, c});
  CHECK(merged(state, {{c}, {b}}) == DottedEntries{b, c});
  CHECK(merged(state, {{}, {}}).empty());
  CHECK(merged({}, {}).empty());
}

TEST_CASE("dotted entries: names of one dot are told apart") {
  KeyState state;
  state.add(version(2, 20, VersionVector({{node(1), Hlc{10}}})));
  state.add(version(3, 30, VersionVector({{node(1), Hlc{10}}})));
  const DottedEntry x = entry(1, 10, "x", "1");
  const DottedEntry y = entry(1, 10, "y", "2");
  CHECK(merged(state, {{x, y}, {y}}) == DottedEntries{y});
}

TEST_CASE("dotted entries: a version holds its own and what it has seen") {
  const Version made = version(2, 20, VersionVector({{node(1), Hlc{10}}}));
  CHECK(can_hold(made, {entry(1, 10, "a"), entry(2, 20, "b")}));
  CHECK(can_hold(made, {entry(1, 9, "a")}));
  CHECK_FALSE(can_hold(made, {entry(1, 11, "a")}));
  CHECK_FALSE(can_hold(made, {entry(3, 10, "a")}));
  CHECK_FALSE(can_hold(made, {entry(2, 19, "a")}));
  DottedEntry future = entry(1, 10, "a");
  future.stamp.node = NodeId{9};
  CHECK(can_hold(made, {future}));
  future.stamp.hlc = Hlc{30};
  CHECK_FALSE(can_hold(made, {future}));
}

TEST_CASE("dotted entries: bytes go there and back and are the same for the same entries") {
  Random random(7);
  for (int round = 0; round < 500; ++round) {
    DottedEntries entries;
    for (std::uint64_t n = random.below(12); n > 0; --n) {
      DottedEntry made =
          entry(static_cast<std::uint32_t>(random.between(1, 3)), random.between(1, 5),
                std::string(random.below(3), 'n'), std::string(random.below(4), '\xff'));
      made.actor.incarnation = Incarnation{random.between(1, 2)};
      if (random.chance(0.3)) made.expires_at = UnixMillis{random.between(1, 3)};
      const auto same = [&](const DottedEntry& other) { return other.same_as(made); };
      if (std::none_of(entries.begin(), entries.end(), same)) entries.push_back(made);
    }
    std::sort(entries.begin(), entries.end());
    const Bytes bytes = encode_entries(entries);
    const Result<DottedEntries> back = decode_entries(bytes);
    REQUIRE(back.has_value());
    REQUIRE(*back == entries);
    REQUIRE(encode_entries(*back) == bytes);
    // Damaged, it is something else or refused, and what is taken is sorted.
    std::string damaged = bytes.to_string();
    if (damaged.empty()) continue;
    if (random.chance(0.5)) {
      damaged[random.below(damaged.size())] ^= static_cast<char>(1 << random.below(8));
    } else {
      damaged.resize(random.below(damaged.size()));
    }
    if (const Result<DottedEntries> other = decode_entries(Bytes{damaged})) {
      REQUIRE(std::is_sorted(other->begin(), other->end()));
      encode_entries(*other);
    } else {
      REQUIRE(other.error().code == ErrorCode::corrupt);
    }
  }
}

TEST_CASE("dotted entries: bytes that are no payload are refused and why") {
  const auto why = [](std::string bytes) {
    const Result<DottedEntries> read = decode_entries(Bytes{std::move(bytes)});
    REQUIRE(read.has_error());
    CHECK(read.error().code == ErrorCode::corrupt);
    return read.error().message;
  };
  const std::string one = encode_entries({entry(1, 10, "a")}).to_string();
  const std::string two = encode_entries({entry(1, 11, "a")}).to_string();
  CHECK(decode_entries(Bytes{one + two}).has_value());
  CHECK_THAT(why(two + one), Catch::Contains("out of order"));
  CHECK_THAT(why(one + one), Catch::Contains("out of order"));
  CHECK_THAT(why("{}"), Catch::Contains("no payload"));
  CHECK_THAT(why(std::string("\x0a\x00", 2)), Catch::Contains("without a stamp"));
  CHECK_THAT(why(std::string("\x0a\x02\x08\x07", 4)), Catch::Contains("actor path"));
  CHECK_THAT(why(std::string("\x0a\x09\x21\x01\0\0\0\0\0\0\0", 11)),
             Catch::Contains("without entries"));
}

}  // namespace parallax::test
