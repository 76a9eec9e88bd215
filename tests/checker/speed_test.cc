// The bars of the harness, with a factor for slow builds and busy machines.
#include <algorithm>
#include <chrono>

#include <catch2/catch.hpp>

#include "consistency/checker/linearizability.h"
#include "tests/checker/random_history.h"

namespace parallax::checker {
namespace {

/// Seconds that the check took; its verdict must be `expected`.
double seconds(const History& history, Method method, Verdict expected) {
  const auto start = std::chrono::steady_clock::now();
  const auto result = check_linearizability(history, {.method = method});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  CHECK(result.verdict == expected);
  CHECK(result.keys.at(0).by_zones == (method == Method::automatic));
  return took.count();
}

/// Lets the last read show the first write's value.
void make_stale(History& history) {
  auto& all = history.operations;
  const auto write = std::find_if(all.begin(), all.end(), [](const Operation& o) {
    return o.kind == OperationKind::write && o.outcome == Outcome::ok;
  });
  const auto read = std::find_if(all.rbegin(), all.rend(), [&](const Operation& o) {
    return o.kind == OperationKind::read && o.outcome == Outcome::ok && o.key == write->key;
  });
  read->result = write->value;
}

}  // namespace

TEST_CASE("speed: 10000 operations of 10 clients over 50 keys by the general search") {
  Random random(11);
  History history =
      random_history({.operations = 10'000, .clients = 10, .keys = 50, .longest = 100}, random);
  CHECK(seconds(history, Method::search, Verdict::yes) < 2);
  make_stale(history);
  CHECK(seconds(history, Method::search, Verdict::no) < 2);
}

TEST_CASE("speed: the same with duplicates and cas and unknown outcomes") {
  using enum OperationKind;
  Random random(12);
  const History history = random_history({.operations = 10'000,
                                          .clients = 10,
                                          .keys = 50,
                                          .kinds = {read, write, cas},
                                          .values = 5,
                                          .longest = 100,
                                          .unknown = 0.02},
                                         random);
  CHECK(seconds(history, Method::search, Verdict::yes) < 2);
}

TEST_CASE("speed: 10000 operations of 20 clients on one key by the general search") {
  Random random(13);
  History history = random_history({.operations = 10'000, .clients = 20, .longest = 100}, random);
  CHECK(seconds(history, Method::search, Verdict::yes) < 2);
  make_stale(history);
  CHECK(seconds(history, Method::search, Verdict::no) < 10);
}

TEST_CASE("speed: a million operations of 50 clients on one key by zones") {
  Random random(14);
  History history =
      random_history({.operations = 1'000'000, .clients = 50, .longest = 1000}, random);
  CHECK(seconds(history, Method::automatic, Verdict::yes) < 5);
  make_stale(history);
  CHECK(seconds(history, Method::automatic, Verdict::no) < 5);
}

TEST_CASE("speed: the same with compare and sets") {
  using enum OperationKind;
  Random random(15);
  History history = random_history({.operations = 1'000'000,
                                    .clients = 50,
                                    .kinds = {read, read, write, cas},
                                    .longest = 1000,
                                    .unknown = 0.001,
                                    .fresh = true},
                                   random);
  CHECK(seconds(history, Method::automatic, Verdict::yes) < 5);
  make_stale(history);
  CHECK(seconds(history, Method::automatic, Verdict::no) < 5);
}

}  // namespace parallax::checker
