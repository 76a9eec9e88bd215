// Conflict strategies: what each shows of the same versions.
#include "consistency/merge/conflict.h"

#include <algorithm>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "consistency/merge/dotted_entries.h"

namespace parallax::test {
namespace {

constexpr UnixMillis kNow{100};
constexpr std::array kAll{ConflictStrategy::last_writer, ConflictStrategy::first_writer,
                          ConflictStrategy::siblings, ConflictStrategy::merge_json};

Actor node(std::uint32_t id) {
  return {ActorPath::quorum, NodeId{id}, Incarnation{1}};
}

struct Made {
  std::uint32_t node;
  std::optional<std::string> value;  ///< nothing: a tombstone
  std::uint64_t expires = 0;
  VersionVector context = {};
};

/// Versions that do not replace each other, the first one the newest.
KeyState concurrent(const std::vector<Made>& newest_first) {
  KeyState state;
  std::uint64_t at = 50;
  for (const Made& made : newest_first) {
    Version version;
    version.stamp = {Hlc{at--}, NodeId{made.node}};
    version.actor = node(made.node);
    version.context = made.context;
    version.tombstone = !made.value;
    version.content_type = made.value ? "text/" + std::to_string(made.node) : "";
    version.value = Bytes{made.value.value_or("")};
    version.expires_at = UnixMillis{made.expires};
    state.add(version);
  }
  REQUIRE(state.versions().size() == newest_first.size());
  REQUIRE(well_formed(state));
  return state;
}

std::string shown(const KeyState& state, ConflictStrategy strategy) {
  const auto present = resolve(state, strategy, kNow);
  const Version* chosen = chosen_version(state, strategy, kNow);
  CHECK((present && chosen == nullptr) == false);
  if (!present) return "nothing";
  CHECK(present->stamp == chosen->stamp);
  if (!present->merged) CHECK(present->content_type == chosen->content_type);
  if (present->merged) CHECK(present->content_type == "application/json");
  return present->value.to_string();
}

}  // namespace

TEST_CASE("conflict: what each strategy shows") {
  struct Case {
    const char* name;
    std::vector<Made> newest_first;
    std::array<std::string, 4> shown;  ///< in the order of kAll
  };
  const std::string none = "nothing";
  const std::vector<Case> cases{
      {"no version", {}, {none, none, none, none}},
      {"one value", {{1, "a"}}, {"a", "a", "a", "a"}},
      {"one tombstone", {{1, {}}}, {none, none, none, none}},
      {"one expired", {{1, "a", 100}}, {none, none, none, none}},
      {"one about to expire", {{1, "a", 101}}, {"a", "a", "a", "a"}},
      {"two texts", {{2, "b"}, {1, "a"}}, {"b", "a", "b", "b"}},
      {"a newer tombstone beside a value", {{2, {}}, {1, "a"}}, {none, "a", "a", "a"}},
      {"an older tombstone beside a value", {{2, "b"}, {1, {}}}, {"b", "b", "b", "b"}},
      {"the first has expired", {{3, "c"}, {2, "b"}, {1, "a", 9}}, {"c", "b", "c", "c"}},
      {"the last has expired", {{3, "c", 9}, {2, "b"}, {1, "a"}}, {none, "a", "b", "b"}},
      {"two objects",
       {{2, R"({"x":2,"b":2})"}, {1, R"({"x":1,"a":1})"}},
       {R"({"x":2,"b":2})", R"({"x":1,"a":1})", R"({"x":2,"b":2})", R"({"a":1,"b":2,"x":2})"}},
      {"one object stays as it came",
       {{2, {}}, {1, R"( {"x": 1} )"}},
       {none, R"( {"x": 1} )", R"( {"x": 1} )", R"( {"x": 1} )"}},
      {"an object and a text",
       {{2, R"({"x": 2})"}, {1, "a"}},
       {R"({"x": 2})", "a", R"({"x": 2})", R"({"x": 2})"}},
      {"a text and two objects",
       {{3, "c"}, {2, R"({"x": 2})"}, {1, R"({"y": 1})"}},
       {"c", R"({"y": 1})", "c", "c"}},
      {"an expired text beside two objects",
       {{3, "c", 9}, {2, R"({"x": 2})"}, {1, R"({"y": 1})"}},
       {none, R"({"y": 1})", R"({"x": 2})", R"({"x":2,"y":1})"}},
      {"objects without members", {{2, "{}"}, {1, "{ }"}}, {"{}", "{ }", "{}", "{}"}},
  };
  for (const Case& c : cases) {
    const KeyState state = concurrent(c.newest_first);
    for (std::size_t i = 0; i < kAll.size(); ++i) {
      INFO(c.name << ", " << conflict_name(kAll[i]));
      CHECK(shown(state, kAll[i]) == c.shown[i]);
    }
  }
}

TEST_CASE("conflict: siblings are the live versions as they came and newest first") {
  const KeyState state =
      concurrent({{3, "c"}, {2, {}}, {1, R"({ "x": 1 })"}, {4, "old", 100}, {5, "b"}});
  const std::vector<Shown> siblings = live_siblings(state, kNow);
  REQUIRE(siblings.size() == 3);
  CHECK(siblings[0].value == Bytes{"c"});
  CHECK(siblings[0].stamp == state.versions()[0].stamp);
  CHECK(siblings[1].value == Bytes{R"({ "x": 1 })"});
  CHECK(siblings[1].content_type == "text/1");
  CHECK(siblings[2].value == Bytes{"b"});
}

TEST_CASE("conflict: resolving is the same however the states were joined") {
  // Commutative, associative, idempotent: whatever the order and however often, equal sets of
  // versions resolve equally, under each strategy.
  Random random(3);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<KeyState> parts;
    std::uint64_t at = 1;
    for (std::uint64_t n = random.between(1, 4); n > 0; --n) {
      KeyState part;
      if (!parts.empty() && random.chance(0.5)) part = parts[random.below(parts.size())];
      const auto id = static_cast<std::uint32_t>(parts.size() + 1);
      Version version;
      version.stamp = {Hlc{at++}, NodeId{id}};
      version.actor = node(id);
      if (random.chance(0.4)) version.context = part.context();
      version.tombstone = random.chance(0.2);
      if (!version.tombstone) {
        std::string fields;
        for (std::uint64_t f = random.below(3); f > 0; --f) {
          const bool nested = random.chance(0.3);
          fields += fmt::format("{}\"{}\":{}", fields.empty() ? "" : ",",
                                static_cast<char>('a' + f), nested ? R"({"x":1})" : "2");
        }
        version.value = Bytes{random.chance(0.9) ? "{" + fields + "}" : "text"};
      }
      if (random.chance(0.1)) version.expires_at = UnixMillis{random.between(99, 101)};
      if (random.chance(0.4)) {
        // As a merge-json coordinator writes it.
        const auto blind = blind_put(part, ConflictStrategy::merge_json, version, kNow);
        REQUIRE(blind.has_value());
        if (!version.tombstone) {
          version.value = blind->value;
          version.content_type = blind->content_type;
          version.expires_at = blind->expires_at;
        }
        version.context = blind->context;
      }
      part.add(version);
      parts.push_back(std::move(part));
    }
    KeyState forward;
    for (const KeyState& part : parts) forward.join(part);
    KeyState back = parts.back();
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) back.join(*part);
    KeyState grouped = forward;
    grouped.join(back);
    REQUIRE(forward == back);
    REQUIRE(forward == grouped);
    for (const ConflictStrategy strategy : kAll) {
      const auto one = resolve(forward, strategy, kNow);
      REQUIRE(one == resolve(back, strategy, kNow));
      REQUIRE(one == resolve(grouped, strategy, kNow));
    }
  }
}

TEST_CASE("conflict: what a put replaces that does not say so") {
  KeyState known = concurrent({{3, "c"}, {2, {}}, {1, "a", 9}, {4, "d"}});
  Version put;
  put.stamp = {Hlc{60}, NodeId{1}};
  put.actor = node(1);
  put.value = Bytes{"new"};
  const auto replaced = [&](ConflictStrategy strategy) {
    const auto blind = blind_put(known, strategy, put, kNow);
    REQUIRE(blind.has_value());
    std::string gone;
    for (const Version& version : known.versions()) {
      if (blind->context.covers(version.actor, version.stamp.hlc)) {
        gone += std::to_string(version.actor.node.value);
      }
    }
    return gone;
  };
  CHECK(replaced(ConflictStrategy::last_writer) == "3214");
  CHECK(replaced(ConflictStrategy::siblings) == "21");
  CHECK(replaced(ConflictStrategy::merge_json) == "3214");  // of which one is no object

  // An actor's later versions are not covered without its earlier ones.
  Version early;
  early.stamp = {Hlc{20}, NodeId{2}};
  early.actor = node(2);
  early.value = Bytes{"b"};
  KeyState both;
  both.add(early);
  both.join(known);  // knows nothing of node 2 but its tombstone: that covers the early one
  CHECK(both == known);
  KeyState beside;
  beside.add(early);
  Version tombstone = early;
  tombstone.stamp.hlc = Hlc{30};
  tombstone.tombstone = true;
  tombstone.value = Bytes{};
  beside.add(tombstone);
  known = beside;
  REQUIRE(known.versions().size() == 2);
  const auto blind = blind_put(known, ConflictStrategy::siblings, put, kNow);
  REQUIRE(blind.has_value());
  CHECK(blind->context == VersionVector({{node(2), Hlc{19}}}));
}

TEST_CASE("conflict: a document shows alone what it holds") {
  KeyState known = concurrent({{1, R"({"a":1,"x":1})"}});
  Version put;
  put.stamp = {Hlc{60}, NodeId{2}};
  put.actor = node(2);
  put.value = Bytes{R"({"b":2,"x":2})"};
  const auto blind = blind_put(known, ConflictStrategy::merge_json, put, kNow);
  REQUIRE(blind.has_value());
  CHECK(blind->content_type == kDocumentContentType);
  CHECK(blind->context == known.context());
  put.context = blind->context;
  put.value = blind->value;
  put.content_type = blind->content_type;
  known.add(put);
  REQUIRE(known.versions().size() == 1);
  const std::string merged = R"({"a":1,"b":2,"x":2})";
  for (const ConflictStrategy strategy : kAll) CHECK(shown(known, strategy) == merged);
  REQUIRE(live_siblings(known, kNow).size() == 1);
  CHECK(live_siblings(known, kNow)[0].value == Bytes{merged});
  // Where everything is overwritten it is stored as it came.
  Version all = put;
  all.stamp.hlc = Hlc{70};
  all.content_type = "application/json";
  all.value = Bytes{R"({"a":3, "b":3, "x":3})"};
  const auto whole = blind_put(known, ConflictStrategy::merge_json, all, kNow);
  REQUIRE(whole.has_value());
  CHECK(whole->value == all.value);
  CHECK(whole->content_type == all.content_type);
}

TEST_CASE("conflict: bytes that only look like a document are a value like others") {
  Version forged;
  forged.stamp = {Hlc{60}, NodeId{1}};
  forged.actor = node(1);
  forged.content_type = kDocumentContentType;
  const DottedEntry own{forged.actor, forged.stamp, std::string("a\0\1", 3), "1"};
  DottedEntry future = own;
  future.stamp.hlc = Hlc{70};
  DottedEntry no_path = own;
  no_path.name = "a";
  for (const Bytes& value :
       {Bytes{"{}"}, encode_entries({future}), encode_entries({no_path}), Bytes{"\xff"}}) {
    forged.value = value;
    KeyState state;
    state.add(forged);
    for (const ConflictStrategy strategy : kAll) {
      const auto present = resolve(state, strategy, kNow);
      REQUIRE(present);
      CHECK(present->value == value);
      CHECK_FALSE(present->merged);
    }
  }
  forged.value = encode_entries({own});
  KeyState state;
  state.add(forged);
  CHECK(shown(state, ConflictStrategy::merge_json) == R"({"a":1})");
}

}  // namespace parallax::test
