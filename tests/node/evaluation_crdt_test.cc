// Convergent values: what updates come to, and that random concurrent histories come to what their
// operations say.
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "consistency/merge/conflict.h"
#include "consistency/merge/crdt.h"
#include "node/evaluation.h"

namespace parallax::testing {
namespace {

constexpr UnixMillis kNow{1'000'000};

Actor quorum_actor(std::uint32_t id, std::uint64_t incarnation = 1) {
  return {ActorPath::quorum, NodeId{id}, Incarnation{incarnation}};
}

Stamp at(std::uint64_t ms, std::uint32_t node) {
  return {Hlc::from_millis(UnixMillis{ms}), NodeId{node}};
}

Request asking(Operation operation) {
  Request asked;
  asked.operation = std::move(operation);
  return asked;
}

Request update(CrdtType type, CrdtUpdate what) {
  return asking(UpdateCrdt{"k", type, std::move(what)});
}
Request increment(std::int64_t by) {
  return update(CrdtType::counter, {.op = CrdtOp::increment, .by = by});
}
Request add(std::string element) {
  return update(CrdtType::set, {.op = CrdtOp::add, .name = std::move(element)});
}
Request take(std::string element) {
  return update(CrdtType::set, {.op = CrdtOp::remove, .name = std::move(element)});
}
Request set_field(std::string field, std::string value) {
  return update(CrdtType::map,
                {.op = CrdtOp::put, .name = std::move(field), .value = std::move(value)});
}
Request drop_field(std::string field) {
  return update(CrdtType::map, {.op = CrdtOp::erase, .name = std::move(field)});
}

std::string value_of(const KeyState& state) {
  Answer answer;
  show_key(GetCrdt{"k"}, state, ConflictStrategy::last_writer, kNow, answer);
  REQUIRE_FALSE(answer.refusal);
  CHECK(answer.found == answer.crdt.has_value());
  return answer.crdt ? answer.crdt->json : "nothing";
}

KeyState write(const KeyState& known, const Request& asked, std::uint32_t node, std::uint64_t ms) {
  const Evaluation done = evaluate(asked, known, at(ms, node), {}, {quorum_actor(node)});
  INFO((done.refusal ? done.refusal->message : std::string()));
  REQUIRE_FALSE(done.refusal);
  REQUIRE(well_formed(done.next));
  REQUIRE(done.next.versions().size() == 1);
  KeyState joined = known;
  joined.join(done.next);
  CHECK(joined == done.next);
  if (std::holds_alternative<UpdateCrdt>(asked.operation)) {
    REQUIRE(done.crdt);
    CHECK(done.crdt->json == value_of(joined));
  }
  return joined;
}

KeyState join(KeyState a, const KeyState& b) {
  a.join(b);
  return a;
}

ErrorCode refusal(const KeyState& known, const Request& asked) {
  const Evaluation done = evaluate(asked, known, at(500, 1), {}, {quorum_actor(1)});
  REQUIRE(done.refusal);
  CHECK(done.refusal->definite());
  CHECK(done.next.empty());
  CHECK_FALSE(done.crdt);
  return done.refusal->code;
}

}  // namespace

TEST_CASE("evaluation: a counter adds up what all have counted") {
  CHECK(value_of({}) == "nothing");
  const KeyState one = write({}, increment(5), 1, 10);
  CHECK(value_of(one) == "5");
  CHECK(one.winner()->content_type == "application/vnd.parallax.counter");
  const KeyState left = write(one, increment(2), 1, 20);
  const KeyState right = write(one, increment(-7), 2, 21);
  CHECK(value_of(left) == "7");
  CHECK(value_of(right) == "-2");
  const KeyState both = join(left, right);
  CHECK(both.versions().size() == 2);
  CHECK(value_of(both) == "0");
  CHECK(both == join(right, left));
  const KeyState again = write(both, increment(1), 2, 30);
  CHECK(again.versions().size() == 1);
  CHECK(value_of(again) == "1");
  CHECK(value_of(join(again, left)) == "1");
  CHECK(value_of(join(join(right, again), right)) == "1");
}

TEST_CASE("evaluation: a counter has 64 bits") {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  const KeyState most = write({}, increment(kMost), 1, 10);
  CHECK(refusal(most, increment(1)) == ErrorCode::not_a_number);
  CHECK(value_of(write(most, increment(-1), 2, 20)) == "9223372036854775806");
  // Unless the increments did not know of each other: then it is still exact.
  const KeyState both = join(most, write({}, increment(kMost), 2, 11));
  CHECK(value_of(both) == "18446744073709551614");
  CHECK(refusal(both, increment(1)) == ErrorCode::not_a_number);
  CHECK(value_of(write(both, increment(-kMost), 3, 20)) == "9223372036854775807");
}

TEST_CASE("evaluation: a node that lost its disk counts as another") {
  const KeyState before = write({}, increment(3), 1, 10);
  const Evaluation after =
      evaluate(increment(4), {}, at(20, 1), {}, {quorum_actor(1, /*incarnation=*/2)});
  CHECK(value_of(join(before, after.next)) == "7");
}

TEST_CASE("evaluation: an add wins against a remove that has not seen it") {
  const KeyState one = write(write({}, add("\"a\""), 1, 10), add("\"b\""), 1, 11);
  CHECK(value_of(one) == R"(["a","b"])");
  const KeyState removed = write(one, take("\"a\""), 2, 20);
  CHECK(value_of(removed) == R"(["b"])");
  CHECK(value_of(join(one, removed)) == R"(["b"])");
  const KeyState again = write(one, add("\"a\""), 1, 15);
  CHECK(value_of(join(again, removed)) == R"(["a","b"])");
  CHECK(value_of(write(removed, take("\"b\""), 2, 30)) == "[]");
  CHECK(value_of(write({}, take("\"b\""), 2, 30)) == "[]");
  CHECK(value_of(write(one, add("7"), 2, 20)) == R"(["a","b",7])");
}

TEST_CASE("evaluation: of concurrent puts of a field the last one is shown") {
  const KeyState one = write({}, set_field("x", "1"), 1, 10);
  const KeyState left = write(one, set_field("x", R"({"deep":[2]})"), 1, 20);
  const KeyState right = write(write(one, set_field("x", "3"), 2, 21), set_field("y", "4"), 2, 22);
  CHECK(value_of(join(left, right)) == R"({"x":3,"y":4})");
  const KeyState dropped = write(one, drop_field("x"), 2, 30);
  CHECK(value_of(dropped) == "{}");
  CHECK(value_of(join(left, dropped)) == R"({"x":{"deep":[2]}})");
  CHECK(value_of(join(one, dropped)) == "{}");
  CHECK(value_of(write({}, set_field("q\"", "null"), 1, 10)) == R"({"q\"":null})");
}

TEST_CASE("evaluation: a convergent value is changed and read as what it is") {
  const KeyState counter = write({}, increment(1), 1, 10);
  const KeyState plain = write({}, asking(Put{"k", Bytes{"7"}, "text/plain"}), 1, 10);
  CHECK(refusal(counter, add("1")) == ErrorCode::wrong_type);
  CHECK(refusal(counter, set_field("a", "1")) == ErrorCode::wrong_type);
  CHECK(refusal(plain, increment(1)) == ErrorCode::wrong_type);
  const Evaluation done = evaluate(add("1"), counter, at(20, 1), {}, {quorum_actor(1)});
  CHECK(done.refusal->message == "the key holds a counter, not a set");
  CHECK(done.stamp == at(10, 1));
  Answer answer;
  show_key(GetCrdt{"k"}, plain, ConflictStrategy::last_writer, kNow, answer);
  REQUIRE(answer.refusal);
  CHECK(answer.refusal->code == ErrorCode::wrong_type);
  CHECK(answer.refusal->message == "the key holds a plain value, not a convergent value");
  CHECK_FALSE(answer.found);
  CHECK(answer.stamp == at(10, 1));
  // Deleted, or overwritten, it may become another.
  const KeyState deleted = write(counter, asking(Delete{"k"}), 1, 20);
  CHECK(value_of(deleted) == "nothing");
  CHECK(value_of(write(deleted, add("1"), 1, 30)) == "[1]");
  CHECK(refusal(write(counter, asking(Put{"k", Bytes{"7"}}), 1, 20), increment(1)) ==
        ErrorCode::wrong_type);
  // The newest live version has the say.
  const KeyState mixed = join(write({}, increment(2), 2, 20), plain);
  CHECK(value_of(mixed) == "2");
  CHECK(write(mixed, increment(1), 1, 30).versions().size() == 1);
  CHECK(refusal(join(counter, write({}, asking(Put{"k", Bytes{"7"}}), 2, 20)), increment(1)) ==
        ErrorCode::wrong_type);
}

TEST_CASE("evaluation: a plain read shows a convergent value as JSON") {
  KeyState state = write({}, increment(1), 1, 10);
  state.join(write({}, increment(2), 2, 11));
  for (const auto& [strategy, name] : kConflictStrategies) {
    INFO(name);
    Answer answer;
    show_key(Get{.key = "k", .siblings = true}, state, strategy, kNow, answer);
    CHECK(answer.found);
    CHECK(answer.merged);
    CHECK(answer.context == state.context());
    CHECK(answer.content_type == "application/json");
    const bool first = strategy == ConflictStrategy::first_writer;
    CHECK(answer.stamp == (first ? at(10, 1) : at(11, 2)));
    CHECK(answer.value.view() ==
          (first ? R"({"type":"counter","value":1})" : R"({"type":"counter","value":3})"));
    REQUIRE(answer.items.size() == 2);
    CHECK(answer.items[0].value.view() == R"({"type":"counter","value":2})");
    CHECK(answer.items[1].stamp == at(10, 1));
  }
  Answer plain;
  show_key(Get{"k"}, write({}, asking(Put{"k", Bytes{"7"}, "text/plain"}), 1, 10),
           ConflictStrategy::last_writer, kNow, plain);
  CHECK(plain.found);
  CHECK_FALSE(plain.merged);
  CHECK(plain.value == Bytes{"7"});
  CHECK(plain.content_type == "text/plain");
  CHECK(plain.items.empty());
  Answer gone;
  show_key(Get{"k"}, write({}, asking(Delete{"k"}), 1, 10), ConflictStrategy::last_writer, kNow,
           gone);
  CHECK_FALSE(gone.found);
  CHECK(gone.stamp == at(10, 1));
}

TEST_CASE("evaluation: what only looks like a convergent value is a plain one") {
  Version forged;
  forged.actor = quorum_actor(1);
  forged.stamp = at(10, 1);
  forged.content_type = crdt_content_type(CrdtType::counter);
  for (const Bytes& value :
       {Bytes{"7"}, encode_entries({{forged.actor, forged.stamp, "", "seven"}}),
        encode_entries({{forged.actor, at(11, 1), "", "7"}})}) {
    forged.value = value;
    KeyState state;
    state.add(forged);
    CHECK(refusal(state, increment(1)) == ErrorCode::wrong_type);
    CHECK(resolve(state, ConflictStrategy::last_writer, kNow)->value == value);
  }
}

TEST_CASE("evaluation: a convergent value is no larger than a value may be") {
  const KeyState big =
      write({}, set_field("a", std::string(limits::kMaxMergedBytes / 2, '1')), 1, 10);
  CHECK(refusal(big, set_field("b", std::string(limits::kMaxMergedBytes / 2, '1'))) ==
        ErrorCode::payload_too_large);
}

namespace {

/// All operations that a replica knows, and which of them somebody who knew them has taken back: no
/// versions, no contexts, no payloads.
struct Operations {
  struct Done {
    Stamp stamp;
    std::string name;   ///< element or field
    std::string value;  ///< increment: by how much
    friend auto operator<=>(const Done&, const Done&) = default;
  };
  std::set<Done> done;
  std::set<Done> gone;

  void join(const Operations& other) {
    done.insert(other.done.begin(), other.done.end());
    gone.insert(other.gone.begin(), other.gone.end());
  }
  void take_back(const std::optional<std::string>& name) {
    for (const Done& one : done) {
      if (!name || one.name == *name) gone.insert(one);
    }
  }
  std::string value(CrdtType type) const {
    std::int64_t sum = 0;
    std::set<std::string> elements;
    std::map<std::string, Done> fields;
    for (const Done& one : done) {  // by stamp
      if (gone.contains(one)) continue;
      if (type == CrdtType::counter) sum += std::stoll(one.value);
      elements.insert(one.name);
      fields[one.name] = one;
    }
    if (type == CrdtType::counter) return std::to_string(sum);
    std::string out;
    if (type == CrdtType::set) {
      for (const std::string& element : elements) out += (out.empty() ? "" : ",") + element;
      return "[" + out + "]";
    }
    for (const auto& [name, one] : fields) {
      out += fmt::format("{}\"{}\":{}", out.empty() ? "" : ",", name, one.value);
    }
    return "{" + out + "}";
  }
};

struct Replica {
  std::uint32_t id;
  std::uint64_t incarnation = 1;
  std::uint64_t clock = 0;
  KeyState state = {};
  Operations operations = {};
};

/// One random operation of `type` at a replica.
void random_update(Random& random, CrdtType type, Replica& replica) {
  replica.clock = std::max(replica.clock, replica.state.context().highest().millis().value) +
                  random.between(1, 3);
  const Stamp stamp = at(replica.clock, replica.id);
  const std::string name(1, static_cast<char>('1' + random.below(4)));
  const std::string value = std::to_string(random.below(100));
  Request asked;
  Operations& operations = replica.operations;
  if (type == CrdtType::counter) {
    asked = increment(std::stoll(value) - 50);
    operations.done.insert({stamp, "", std::to_string(std::stoll(value) - 50)});
  } else {
    operations.take_back(name);
    const bool grows = random.chance(0.6);
    if (grows) operations.done.insert({stamp, name, type == CrdtType::set ? "" : value});
    if (type == CrdtType::set) asked = grows ? add(name) : take(name);
    if (type == CrdtType::map) asked = grows ? set_field(name, value) : drop_field(name);
  }
  const Evaluation done =
      evaluate(asked, replica.state, stamp, {}, {quorum_actor(replica.id, replica.incarnation)});
  REQUIRE_FALSE(done.refusal);
  REQUIRE(well_formed(done.next));
  replica.state.join(done.next);
  REQUIRE(done.crdt == CrdtValue{type, operations.value(type)});
}

void random_delete(Random& random, Replica& replica) {
  replica.clock = std::max(replica.clock, replica.state.context().highest().millis().value) +
                  random.between(1, 3);
  const Evaluation done =
      evaluate(asking(Delete{"k"}), replica.state, at(replica.clock, replica.id), {},
               {quorum_actor(replica.id, replica.incarnation)});
  replica.state.join(done.next);
  replica.operations.take_back(std::nullopt);
}

/// What a replica shows is what its operations say; nothing, where a deletion alone is left.
void check(const Replica& replica, CrdtType type) {
  const std::string shown = value_of(replica.state);
  if (shown == "nothing") {
    REQUIRE(Operations{replica.operations}.value(type) == Operations{}.value(type));
  } else {
    REQUIRE(shown == replica.operations.value(type));
  }
}

}  // namespace

TEST_CASE("evaluation: convergent values come to what their operations say", "[random]") {
  Random random(5);
  for (int round = 0; round < 600; ++round) {
    const CrdtType type = kCrdtTypes[static_cast<std::size_t>(round) % 3].first;
    std::vector<Replica> replicas{{1}, {2}, {3}};
    for (int step = 0; step < 40; ++step) {
      Replica& one = replicas[random.below(3)];
      const std::uint64_t draw = random.below(100);
      if (draw < 50) {
        random_update(random, type, one);
      } else if (draw < 90) {
        const Replica& other = replicas[random.below(3)];
        one.state.join(other.state);
        one.operations.join(other.operations);
      } else if (draw < 95) {  // its disk is lost
        one.state = {};
        one.operations = {};
        ++one.incarnation;
      } else if (type != CrdtType::counter) {
        random_delete(random, one);
      }
      check(one, type);
    }
    for (int i = 0; i < 2; ++i) {
      for (Replica& to : replicas) {
        for (const Replica& from : replicas) {
          to.state.join(from.state);
          to.operations.join(from.operations);
        }
      }
    }
    for (const Replica& one : replicas) {
      REQUIRE(one.state == replicas[0].state);
      check(one, type);
    }
  }
}

TEST_CASE("evaluation: a deleted counter keeps what its deletion has not seen", "[random]") {
  Random random(6);
  for (int round = 0; round < 300; ++round) {
    std::vector<Replica> replicas{{1}, {2}, {3}};
    for (int step = 0; step < 40; ++step) {
      Replica& one = replicas[random.below(3)];
      const std::uint64_t draw = random.below(100);
      if (draw < 50) {
        one.clock = std::max(one.clock, one.state.context().highest().millis().value) + 1;
        const Stamp stamp = at(one.clock, one.id);
        const auto by = static_cast<std::int64_t>(random.between(1, 9));
        const Evaluation done =
            evaluate(increment(by), one.state, stamp, {}, {quorum_actor(one.id)});
        REQUIRE_FALSE(done.refusal);
        one.state.join(done.next);
        one.operations.done.insert({stamp, "", std::to_string(by)});
      } else if (draw < 92) {
        const Replica& other = replicas[random.below(3)];
        one.state.join(other.state);
        one.operations.join(other.operations);
      } else {
        random_delete(random, one);
      }
      const std::string shown = value_of(one.state);
      const std::int64_t value = shown == "nothing" ? 0 : std::stoll(shown);
      REQUIRE(value >= std::stoll(one.operations.value(CrdtType::counter)));
      Operations all = one.operations;
      all.gone.clear();
      REQUIRE(value <= std::stoll(all.value(CrdtType::counter)));
    }
  }
}

}  // namespace parallax::testing
