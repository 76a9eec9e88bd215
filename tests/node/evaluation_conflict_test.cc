// Writes under the conflict strategies: what they replace, and that merge-json keeps its meaning
// when coordinators fold many writes into one version.
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "consistency/merge/conflict.h"
#include "consistency/merge/json_document.h"
#include "node/evaluation.h"

namespace parallax::testing {
namespace {

using namespace std::chrono_literals;

Actor quorum_actor(std::uint32_t id, std::uint64_t incarnation = 1) {
  return {ActorPath::quorum, NodeId{id}, Incarnation{incarnation}};
}

Stamp at(std::uint64_t ms, std::uint32_t node) {
  return {Hlc::from_millis(UnixMillis{ms}), NodeId{node}};
}

Request put(std::string value, std::optional<VersionVector> context = std::nullopt) {
  Request asked;
  asked.operation = Put{"k", Bytes{std::move(value)}, "application/json"};
  asked.context = std::move(context);
  return asked;
}

Request erase() {
  Request asked;
  asked.operation = Delete{"k"};
  return asked;
}

KeyState write(const KeyState& known, const Request& asked, std::uint32_t node, std::uint64_t ms,
               ConflictStrategy strategy) {
  const Evaluation done = evaluate(asked, known, at(ms, node), {}, {quorum_actor(node), strategy});
  INFO((done.refusal ? done.refusal->message : std::string()));
  REQUIRE_FALSE(done.refusal);
  REQUIRE(well_formed(done.next));
  CHECK(done.stamp == at(ms, node));
  KeyState joined = known;
  joined.join(done.next);
  // What goes out is all that is left: it travels whole.
  CHECK(joined == done.next);
  return joined;
}

std::string shown(const KeyState& state, ConflictStrategy strategy, std::uint64_t ms = 1'000) {
  const auto present = resolve(state, strategy, UnixMillis{ms});
  return present ? present->value.to_string() : "nothing";
}

KeyState join(KeyState a, const KeyState& b) {
  a.join(b);
  return a;
}

}  // namespace

TEST_CASE("evaluation: a version belongs to the actor that it is written by") {
  for (const ConflictStrategy strategy :
       {ConflictStrategy::last_writer, ConflictStrategy::first_writer, ConflictStrategy::siblings,
        ConflictStrategy::merge_json}) {
    const KeyState state = write({}, put("{}"), 2, 10, strategy);
    REQUIRE(state.versions().size() == 1);
    CHECK(state.winner()->actor == quorum_actor(2));
    CHECK(state.winner()->context.empty());  // nothing of the log was known
    CHECK(state.context() == VersionVector({{quorum_actor(2), at(10, 2).hlc}}));
  }
}

TEST_CASE("evaluation: under last-writer a write replaces what its coordinator knows") {
  constexpr auto kStrategy = ConflictStrategy::last_writer;
  const KeyState one = write({}, put("a"), 1, 10, kStrategy);
  const KeyState two = write({}, put("b"), 2, 11, kStrategy);
  const KeyState both = join(one, two);
  CHECK(both.versions().size() == 2);
  CHECK(write(both, put("c"), 1, 12, kStrategy).versions().size() == 1);
  CHECK(join(write(one, put("c"), 1, 12, kStrategy), two).versions().size() == 2);
  CHECK(shown(write(both, erase(), 1, 12, kStrategy), kStrategy) == "nothing");
}

TEST_CASE("evaluation: under first-writer the first value stays") {
  constexpr auto kStrategy = ConflictStrategy::first_writer;
  const KeyState one = write({}, put("a"), 1, 10, kStrategy);
  const Evaluation second = evaluate(put("b"), one, at(20, 2), {}, {quorum_actor(2), kStrategy});
  REQUIRE(second.refusal);
  CHECK(second.refusal->code == ErrorCode::precondition_failed);
  CHECK(second.refusal->definite());
  CHECK(second.refusal->etag == at(10, 1).to_string());
  CHECK(second.stamp == at(10, 1));
  CHECK(second.next.empty());
  // Two first ones at once: both are there until all have heard of both, and the earlier wins.
  const KeyState both = join(one, write({}, put("b"), 2, 9, kStrategy));
  CHECK(both.versions().size() == 2);
  CHECK(shown(both, kStrategy) == "b");
  const Evaluation third = evaluate(put("c"), both, at(20, 2), {}, {quorum_actor(2), kStrategy});
  REQUIRE(third.refusal);
  CHECK(third.refusal->etag == at(9, 2).to_string());
  // A deletion takes away all, and the next one is the first again.
  const KeyState deleted = write(both, erase(), 1, 20, kStrategy);
  CHECK(deleted.versions().size() == 1);
  const KeyState again = write(deleted, put("d"), 2, 30, kStrategy);
  CHECK(again.versions().size() == 1);
  CHECK(shown(again, kStrategy) == "d");
  // Who says what it replaces replaces it.
  const KeyState replaced = write(both, put("e", both.context()), 1, 40, kStrategy);
  CHECK(shown(replaced, kStrategy) == "e");
  // One whose time is over is no value.
  Request brief = put("f");
  std::get<Put>(brief.operation).ttl = 5ms;
  const KeyState expiring = write({}, brief, 1, 10, kStrategy);
  CHECK(shown(write(expiring, put("g"), 2, 15, kStrategy), kStrategy, 15) == "g");
  CHECK(evaluate(put("g"), expiring, at(14, 2), {}, {quorum_actor(2), kStrategy}).refusal);
}

TEST_CASE("evaluation: under siblings all that was not seen is kept") {
  constexpr auto kStrategy = ConflictStrategy::siblings;
  KeyState state = write({}, put("a"), 1, 10, kStrategy);
  state = write(state, put("b"), 1, 11, kStrategy);
  state = write(state, put("c"), 2, 12, kStrategy);
  CHECK(state.versions().size() == 3);
  CHECK(shown(state, kStrategy) == "c");
  // A deletion takes away what it has seen, and a concurrent value stays.
  const KeyState deleted = write(state, erase(), 1, 20, kStrategy);
  CHECK(shown(deleted, kStrategy) == "nothing");
  const KeyState beside = join(deleted, write(state, put("d"), 2, 15, kStrategy));
  CHECK(shown(beside, kStrategy) == "d");
  CHECK(live_siblings(beside, UnixMillis{100}).size() == 1);
  // The next put takes the place of the tombstone.
  const KeyState next = write(beside, put("e"), 1, 30, kStrategy);
  CHECK(next.versions().size() == 2);
  CHECK(live_siblings(next, UnixMillis{100}).size() == 2);
  CHECK(write(next, put("f", next.context()), 1, 40, kStrategy).versions().size() == 1);

  KeyState full;
  for (std::uint64_t i = 0; i < limits::kMaxSiblings; ++i) {
    full = write(full, put("v"), 1, 10 + i, kStrategy);
  }
  CHECK(full.versions().size() == limits::kMaxSiblings);
  const Evaluation more = evaluate(put("w"), full, at(99, 1), {}, {quorum_actor(1), kStrategy});
  REQUIRE(more.refusal);
  CHECK(more.refusal->code == ErrorCode::too_many_siblings);
  CHECK(more.next.empty());
}

TEST_CASE("evaluation: under merge-json puts merge field by field") {
  constexpr auto kStrategy = ConflictStrategy::merge_json;
  const KeyState first = write({}, put(R"({"x":1,"y":1})"), 1, 10, kStrategy);
  const KeyState folded = write(first, put(R"({"y":2})"), 1, 30, kStrategy);
  CHECK(folded.versions().size() == 1);
  CHECK(shown(folded, kStrategy) == R"({"x":1,"y":2})");

  SECTION("a field that a later put did not touch keeps its place in time") {
    const KeyState other = write({}, put(R"({"x":5,"y":5})"), 2, 20, kStrategy);
    CHECK(shown(join(folded, other), kStrategy) == R"({"x":5,"y":2})");
  }
  SECTION("a field that was removed meanwhile does not come back") {
    const KeyState other = write(first, put(R"({"z":3})", first.context()), 2, 20, kStrategy);
    CHECK(shown(other, kStrategy) == R"({"z":3})");
    CHECK(shown(join(folded, other), kStrategy) == R"({"y":2,"z":3})");
    const KeyState deleted = write(first, erase(), 2, 20, kStrategy);
    CHECK(shown(join(folded, deleted), kStrategy) == R"({"y":2})");
    // Nor after the version that removed it has been replaced.
    const KeyState later = write(deleted, put(R"({"w":4})"), 2, 25, kStrategy);
    CHECK(shown(join(folded, later), kStrategy) == R"({"w":4,"y":2})");
  }
  SECTION("a deletion takes away all that was known") {
    CHECK(shown(write(folded, erase(), 2, 40, kStrategy), kStrategy) == "nothing");
  }
  SECTION("what is no object replaces all and is replaced as a whole") {
    const KeyState text = write(folded, put("text"), 1, 40, kStrategy);
    CHECK(shown(text, kStrategy) == "text");
    const KeyState object = write(text, put(R"({"q": 1})"), 2, 50, kStrategy);
    CHECK(object.versions().size() == 1);
    CHECK(shown(object, kStrategy) == R"({"q": 1})");
  }
  SECTION("a document grows with every put and stays one version") {
    KeyState state;
    for (std::uint64_t i = 0; i < 100; ++i) {
      state = write(state, put(fmt::format(R"({{"f{:03}":{}}})", i, i)),
                    static_cast<std::uint32_t>(1 + i % 3), 100 + i, kStrategy);
    }
    CHECK(state.versions().size() == 1);
    const auto leaves = json_leaves(shown(state, kStrategy));
    REQUIRE(leaves);
    CHECK(leaves->size() == 100);
  }
  SECTION("to no more than a value may have") {
    const std::string half(limits::kMaxMergedBytes / 2, 'v');
    const KeyState big = write({}, put(fmt::format(R"({{"a":"{}"}})", half)), 1, 10, kStrategy);
    const Evaluation more = evaluate(put(fmt::format(R"({{"b":"{}"}})", half)), big, at(20, 1), {},
                                     {quorum_actor(1), kStrategy});
    REQUIRE(more.refusal);
    CHECK(more.refusal->code == ErrorCode::payload_too_large);
    CHECK(more.refusal->definite());
  }
  SECTION("fields expire one by one") {
    Request brief = put(R"({"t":1})");
    std::get<Put>(brief.operation).ttl = 5ms;
    const KeyState state = write(folded, brief, 2, 40, kStrategy);
    CHECK(shown(state, kStrategy, 44) == R"({"t":1,"x":1,"y":2})");
    CHECK(shown(state, kStrategy, 45) == R"({"x":1,"y":2})");
    Request longer = put(R"({"u":1})");
    std::get<Put>(longer.operation).ttl = 20ms;
    const KeyState both = write(write({}, brief, 2, 40, kStrategy), longer, 1, 41, kStrategy);
    CHECK(both.winner()->expires_at == UnixMillis{61});
    CHECK(shown(both, kStrategy, 44) == R"({"t":1,"u":1})");
    CHECK(shown(both, kStrategy, 60) == R"({"u":1})");
    CHECK(shown(both, kStrategy, 61) == "nothing");
  }
}

namespace {

/// What merge-json means, without versions: every leaf that was ever written, and which of them
/// were overwritten or removed by somebody who knew them.
struct Leaf {
  std::vector<std::string> path;
  std::string text;
  Stamp stamp;
  UnixMillis expires;
  friend auto operator<=>(const Leaf&, const Leaf&) = default;
};

struct Oracle {
  std::set<Leaf> written;
  std::set<Leaf> gone;

  void join(const Oracle& other) {
    written.insert(other.written.begin(), other.written.end());
    gone.insert(other.gone.begin(), other.gone.end());
  }
  static bool begins(const std::vector<std::string>& path, const std::vector<std::string>& with) {
    return path.size() >= with.size() && std::equal(with.begin(), with.end(), path.begin());
  }
  static bool hides(const Leaf& by, const Leaf& leaf) {
    if (by.stamp <= leaf.stamp) return false;
    if (by.path == leaf.path) return true;
    return (begins(leaf.path, by.path) && by.text != "{}") ||
           (begins(by.path, leaf.path) && leaf.text != "{}");
  }
  std::set<Leaf> shown(UnixMillis now) const {
    std::vector<Leaf> there;
    for (const Leaf& leaf : written) {
      if (!gone.contains(leaf) && (leaf.expires.value == 0 || now < leaf.expires)) {
        there.push_back(leaf);
      }
    }
    std::set<Leaf> shown;
    for (const Leaf& leaf : there) {
      const auto hiding = [&](const Leaf& by) { return hides(by, leaf); };
      if (std::none_of(there.begin(), there.end(), hiding)) shown.insert(leaf);
    }
    return shown;
  }
  /// All that is known and not shown is gone for good.
  void keep_shown(UnixMillis now) {
    const std::set<Leaf> kept = shown(now);
    for (const Leaf& leaf : written) {
      if (!kept.contains(leaf)) gone.insert(leaf);
    }
  }
  std::string text(UnixMillis now) const {
    const std::set<Leaf> leaves = shown(now);
    if (leaves.empty()) return "nothing";
    return object({leaves.begin(), leaves.end()}, 0);
  }
  static std::string object(const std::vector<Leaf>& leaves, std::size_t depth) {
    std::map<std::string, std::vector<Leaf>> members;
    for (const Leaf& leaf : leaves) {
      if (leaf.path.size() > depth) members[leaf.path[depth]].push_back(leaf);
    }
    std::string out = "{";
    for (const auto& [name, below] : members) {
      if (out.size() > 1) out += ",";
      const bool one = below.size() == 1 && below[0].path.size() == depth + 1;
      out += "\"" + name + "\":" + (one ? below[0].text : object(below, depth + 1));
    }
    return out + "}";
  }
};

struct Replica {
  std::uint32_t id;
  std::uint64_t incarnation = 1;
  std::uint64_t clock = 0;
  KeyState state = {};
  Oracle oracle = {};
};

/// A random object, as text and as leaves.
std::string random_object(Random& random, std::vector<std::string>& path, int depth,
                          std::vector<Leaf>& leaves) {
  std::string out = "{";
  for (const char* name : {"a", "b", "c"}) {
    if (!random.chance(depth == 0 ? 0.5 : 0.6)) continue;
    if (out.size() > 1) out += ",";
    path.emplace_back(name);
    out += fmt::format("\"{}\":", name);
    if (depth < 2 && random.chance(0.4)) {
      out += random_object(random, path, depth + 1, leaves);
    } else {
      leaves.push_back({path, std::to_string(random.below(100)), {}, {}});
      out += leaves.back().text;
    }
    path.pop_back();
  }
  if (out.size() == 1) leaves.push_back({path, "{}", {}, {}});
  return out + "}";
}

struct Seen {
  VersionVector context;
  std::set<Leaf> written;
};

/// One write at a replica, with or without a context that somebody read before.
void random_write(Random& random, Replica& replica, std::vector<Seen>& reads) {
  replica.clock = std::max(replica.clock, replica.state.context().highest().millis().value);
  std::optional<Seen> seen;
  if (!reads.empty() && random.chance(0.25)) {
    seen = reads[random.below(reads.size())];
    replica.clock = std::max(replica.clock, seen->context.highest().millis().value);
  }
  replica.clock += random.between(1, 3);
  const Stamp stamp = at(replica.clock, replica.id);
  Request asked;
  std::vector<Leaf> leaves;
  if (random.chance(0.1)) {
    asked = erase();
  } else {
    std::vector<std::string> path;
    asked = put(random_object(random, path, 0, leaves));
    UnixMillis expires;
    if (random.chance(0.15)) {
      const auto ttl = random.between(1, 20);
      std::get<Put>(asked.operation).ttl = std::chrono::milliseconds(ttl);
      expires = UnixMillis{replica.clock + ttl};
    }
    for (Leaf& leaf : leaves) {
      leaf.stamp = stamp;
      leaf.expires = expires;
    }
  }
  if (seen) asked.context = seen->context;
  const Evaluation done =
      evaluate(asked, replica.state, stamp, {},
               {quorum_actor(replica.id, replica.incarnation), ConflictStrategy::merge_json});
  if (done.refusal) {
    REQUIRE(done.refusal->code == ErrorCode::too_many_siblings);
    return;
  }
  REQUIRE(well_formed(done.next));
  replica.state.join(done.next);
  Oracle& oracle = replica.oracle;
  if (seen) {
    oracle.gone.insert(seen->written.begin(), seen->written.end());
  } else if (leaves.empty()) {
    oracle.gone.insert(oracle.written.begin(), oracle.written.end());
  }
  oracle.written.insert(leaves.begin(), leaves.end());
  if (!seen) oracle.keep_shown(UnixMillis{replica.clock});
}

}  // namespace

TEST_CASE("evaluation: merge-json means the same however writes are folded", "[random]") {
  Random random(11);
  std::size_t documents = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<Replica> replicas{{1}, {2}, {3}};
    std::vector<Seen> reads;
    for (int step = 0; step < 30; ++step) {
      Replica& one = replicas[random.below(3)];
      const std::uint64_t draw = random.below(100);
      if (draw < 50) {
        random_write(random, one, reads);
      } else if (draw < 80) {
        const Replica& other = replicas[random.below(3)];
        one.state.join(other.state);
        one.oracle.join(other.oracle);
      } else if (draw < 97) {
        // A client that replaced what this replica has not met told it of that.
        Seen seen{one.state.context(), one.oracle.written};
        seen.written.insert(one.oracle.gone.begin(), one.oracle.gone.end());
        reads.push_back(std::move(seen));
      } else {  // its disk is lost
        one.state = {};
        one.oracle = {};
        ++one.incarnation;
      }
      for (const Version& version : one.state.versions()) {
        documents += static_cast<std::size_t>(version.content_type == kDocumentContentType);
      }
      const UnixMillis now{one.clock};
      REQUIRE(shown(one.state, ConflictStrategy::merge_json, now.value) == one.oracle.text(now));
    }
    KeyState forward;
    KeyState back;
    Oracle all;
    for (std::size_t i = 0; i < 3; ++i) {
      forward.join(replicas[i].state);
      back.join(replicas[2 - i].state);
      all.join(replicas[i].oracle);
    }
    REQUIRE(forward == back);
    for (const std::uint64_t now : {0, 30, 1'000}) {
      REQUIRE(shown(forward, ConflictStrategy::merge_json, now) == all.text(UnixMillis{now}));
    }
  }
  CHECK(documents > 1'000);
}

}  // namespace parallax::testing
