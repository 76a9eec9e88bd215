// Ages, delta and k against their definitions, by trying everything.
#include <algorithm>

#include <catch2/catch.hpp>

#include "consistency/checker/k_atomicity.h"
#include "consistency/checker/staleness.h"
#include "tests/checker/oracle.h"
#include "tests/checker/random_history.h"

namespace parallax::checker {
namespace {

bool ok(const Operation& o, OperationKind kind) {
  return o.kind == kind && o.outcome == Outcome::ok;
}

/// When somebody who wrote or saw `value` had returned.
std::int64_t in_place(const History& history, Text value) {
  std::int64_t at = value == kAbsent ? std::numeric_limits<std::int64_t>::min() : kNever;
  for (const Operation& o : history.operations) {
    const bool says = (ok(o, OperationKind::write) && o.value == value) ||
                      (ok(o, OperationKind::read) && o.result == value);
    if (says) at = std::min(at, o.return_ns);
  }
  return at;
}

std::int64_t age_of(const History& history, const Operation& read) {
  std::int64_t replaced = kNever;
  for (const Operation& write : history.operations) {
    if (write.kind != OperationKind::write || write.outcome == Outcome::failed) continue;
    if (write.call_ns <= in_place(history, read.result)) continue;
    replaced = std::min(replaced, in_place(history, write.value));
  }
  return read.call_ns > replaced ? read.call_ns - replaced : 0;
}

/// A read of what nobody had begun to write.
bool has_impossible_read(const History& history) {
  return std::any_of(
      history.operations.begin(), history.operations.end(), [&](const Operation& read) {
        if (!ok(read, OperationKind::read) || read.result == kAbsent) return false;
        return std::none_of(
            history.operations.begin(), history.operations.end(), [&](const Operation& write) {
              return write.kind == OperationKind::write && write.outcome != Outcome::failed &&
                     write.value == read.result && write.call_ns <= read.return_ns;
            });
      });
}

std::int64_t delta_of(const History& history) {
  for (std::int64_t delta = 0;; ++delta) {
    History shifted = history;
    for (Operation& o : shifted.operations) {
      if (o.kind == OperationKind::read) o.call_ns -= delta;
    }
    if (brute_force_linearizable(shifted.texts, shifted.operations)) return delta;
  }
}

struct Node {
  bool write;
  Text value;
  std::int64_t call, end;
  bool placed = false;
};

/// Tries every order; `newest` are the values written so far.
bool some_order(std::vector<Node>& nodes, std::vector<Text>& newest, std::size_t k,
                std::size_t left) {
  if (left == 0) return true;
  for (Node& node : nodes) {
    if (node.placed) continue;
    const bool first = std::all_of(nodes.begin(), nodes.end(), [&](const Node& other) {
      return other.placed || other.end >= node.call;
    });
    if (!first) continue;
    if (!node.write) {
      const auto begin = newest.end() - static_cast<std::ptrdiff_t>(std::min(k, newest.size()));
      if (std::find(begin, newest.end(), node.value) == newest.end()) continue;
    }
    node.placed = true;
    if (node.write) newest.push_back(node.value);
    const bool found = some_order(nodes, newest, k, left - 1);
    if (node.write) newest.pop_back();
    node.placed = false;
    if (found) return true;
  }
  return false;
}

bool k_atomic(const History& history, std::size_t k) {
  std::vector<Node> sure, maybe;
  for (const Operation& o : history.operations) {
    const bool write = o.kind == OperationKind::write;
    if (ok(o, o.kind)) sure.push_back({write, write ? o.value : o.result, o.call_ns, o.return_ns});
    if (write && o.outcome == Outcome::unknown) maybe.push_back({true, o.value, o.call_ns, kNever});
  }
  for (std::size_t choice = 0; choice < std::size_t{1} << maybe.size(); ++choice) {
    std::vector<Node> nodes = sure;
    for (std::size_t i = 0; i < maybe.size(); ++i) {
      if (choice >> i & 1) nodes.push_back(maybe[i]);
    }
    std::vector<Text> newest{kAbsent};
    if (some_order(nodes, newest, k, nodes.size())) return true;
  }
  return false;
}

History draw(Random& random) {
  Shape shape{.operations = 4 + random.below(6)};
  shape.clients = static_cast<std::uint32_t>(2 + random.below(4));
  shape.longest = static_cast<std::int64_t>(random.between(1, 14));
  shape.unknown = random.chance(0.3) ? 0.2 : 0;
  shape.failed = random.chance(0.3) ? 0.1 : 0;
  History history = random_history(shape, random);
  for (std::uint64_t left = 1 + random.below(4); left > 0; --left) spoil(history, random);
  return history;
}

}  // namespace

TEST_CASE("staleness: random small histories get the ages and the delta of the definition") {
  Random random(20260103);
  int stale = 0, contradictory = 0;
  for (int i = 0; i < 8000; ++i) {
    const History history = draw(random);
    CAPTURE(i, write_history(history));
    const auto result = measure_staleness(history);
    REQUIRE((result.impossible_reads > 0) == has_impossible_read(history));
    if (result.impossible_reads > 0) continue;
    std::vector<std::int64_t> ages{0};
    for (const Operation& o : history.operations) {
      if (ok(o, OperationKind::read)) ages.push_back(age_of(history, o));
    }
    const std::int64_t oldest = *std::max_element(ages.begin(), ages.end());
    REQUIRE(result.reads == ages.size() - 1);
    REQUIRE(result.max_ns == oldest);
    REQUIRE(result.stale_reads == ages.size() - static_cast<std::size_t>(std::count(
                                                    ages.begin(), ages.end(), std::int64_t{0})));
    const std::int64_t delta = delta_of(history);
    REQUIRE(result.delta_ns == delta);
    REQUIRE(oldest <= delta);
    if (oldest > 0) ++stale;
    if (delta > oldest) ++contradictory;
    REQUIRE(result.worst.has_value() == (oldest > 0));
    if (result.worst) REQUIRE(age_of(history, result.worst->read) == oldest);
  }
  CHECK(stale > 500);
  CHECK(contradictory > 20);
}

TEST_CASE("k atomicity: random small histories get the k of the definition") {
  Random random(20260104);
  int count[3] = {};
  for (int i = 0; i < 8000; ++i) {
    const History history = draw(random);
    CAPTURE(i, write_history(history));
    if (has_impossible_read(history)) continue;
    const auto result = measure_staleness(history);
    const bool one = k_atomic(history, 1);
    const bool two = k_atomic(history, 2);
    REQUIRE(result.keys_1_atomic == (one ? 1 : 0));
    REQUIRE(result.keys_2_atomic == (two && !one ? 1 : 0));
    REQUIRE(result.keys_beyond_2 == (two ? 0 : 1));
    ++count[one ? 0 : two ? 1 : 2];
    // What is linearizable is 2-atomic too.
    RegisterRoom room;
    const auto view = view_register(history.texts, history.operations, kAbsent, room);
    REQUIRE(is_2_atomic(*view, history.operations) == two);
  }
  CHECK(count[0] > 500);
  CHECK(count[1] > 500);
  CHECK(count[2] > 100);
}

}  // namespace parallax::checker
