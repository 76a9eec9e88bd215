// The small values inside a replica, each against a dumb oracle.
#include <algorithm>
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "node/forward_filter.h"
#include "node/log_sizes.h"
#include "node/request_table.h"
#include "tests/node/printing.h"

namespace parallax {
namespace {

constexpr MonoTime at(std::int64_t ms) {
  return MonoTime{std::chrono::milliseconds(ms)};
}

PendingRequest request_until(std::int64_t deadline_ms, std::size_t bytes = 1) {
  PendingRequest request;
  request.deadline = at(deadline_ms);
  request.bytes = bytes;
  return request;
}

}  // namespace

TEST_CASE("request table: the handle of an answered request finds nothing") {
  RequestTable table;
  const RequestHandle first = table.add(request_until(10));
  REQUIRE(table.find(first) != nullptr);
  table.erase(first);
  CHECK(table.find(first) == nullptr);
  const RequestHandle second = table.add(request_until(20));
  CHECK(second.slot == first.slot);  // used again, and told apart
  CHECK(table.find(first) == nullptr);
  CHECK(table.find(second)->deadline == at(20));
}

TEST_CASE("request table: a wake-up never passes the deadline") {
  RequestTable table;
  const RequestHandle handle = table.add(request_until(10));
  table.wake_at(handle, at(5));
  CHECK_FALSE(table.due(at(4)));
  CHECK(table.due(at(5)) == handle);
  table.wake_at(handle, at(99));
  CHECK_FALSE(table.due(at(9)));
  CHECK(table.due(at(10)) == handle);
}

TEST_CASE("request table: random use against a plain map") {
  Random random(3);
  RequestTable table;
  struct Known {
    RequestHandle handle;
    MonoTime wake;
    MonoTime deadline;
    std::size_t bytes;
  };
  std::vector<Known> known;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t kind = random.below(4);
    if (kind < 2) {
      const auto deadline = static_cast<std::int64_t>(random.below(1'000));
      const std::size_t bytes = random.below(100);
      const RequestHandle handle = table.add(request_until(deadline, bytes));
      known.push_back({handle, at(deadline), at(deadline), bytes});
    } else if (!known.empty()) {
      const std::size_t which = random.below(known.size());
      if (kind == 2) {
        table.erase(known[which].handle);
        known.erase(known.begin() + static_cast<std::ptrdiff_t>(which));
      } else {
        const MonoTime wake = at(static_cast<std::int64_t>(random.below(1'000)));
        table.wake_at(known[which].handle, wake);
        known[which].wake = std::min(wake, known[which].deadline);
      }
    }
    std::size_t bytes = 0;
    MonoTime first = at(2'000);
    for (const Known& k : known) {
      bytes += k.bytes;
      first = std::min(first, k.wake);
    }
    REQUIRE(table.size() == known.size());
    REQUIRE(table.bytes() == bytes);
    const MonoTime now = at(static_cast<std::int64_t>(random.below(1'000)));
    const auto due = table.due(now);
    REQUIRE(due.has_value() == (first <= now));
    if (due) REQUIRE(table.find(*due)->wake == first);
    if (known.size() > 40) {
      table.erase(known.front().handle);
      known.erase(known.begin());
    }
  }
}

TEST_CASE("forward filter: every number counts once against a plain set") {
  Random random(4);
  ForwardFilter filter;
  std::map<std::pair<NodeId, std::uint64_t>, std::set<std::uint64_t>> seen;
  std::map<std::pair<NodeId, std::uint64_t>, std::uint64_t> highest;
  for (int step = 0; step < 100'000; ++step) {
    const NodeId sender{static_cast<std::uint32_t>(random.between(1, 2))};
    const std::uint64_t life = random.below(2);
    const std::pair key{sender, life};
    std::uint64_t& high = highest[key];
    std::uint64_t number = high + random.below(4);
    if (random.chance(0.3)) number = high - std::min(high, random.below(70'000));
    if (random.chance(0.001)) number = high + random.below(200'000);
    const bool too_old = number + ForwardFilter::kWindow <= high;
    const bool expected = !too_old && seen[key].insert(number).second;
    high = std::max(high, number);
    REQUIRE(filter.first_time(sender, RequestId{life << 32 | number}) == expected);
  }
}

TEST_CASE("log sizes: within a step of the plain sum") {
  Random random(5);
  LogSizes sizes;
  std::map<LogIndex, std::size_t> entries;
  LogIndex last;
  for (int step = 0; step < 20'000; ++step) {
    if (random.chance(0.9)) {
      last = last.next();
      const std::size_t bytes = random.chance(0.05) ? random.below(300'000) : random.below(500);
      entries[last] = bytes;
      sizes.append(last, bytes);
    } else if (random.chance(0.5) && !entries.empty()) {
      const std::uint64_t span = last - entries.begin()->first + 1;
      const LogIndex from{last.value + 1 - random.below(std::min<std::uint64_t>(span, 20) + 1)};
      sizes.truncate(from);
      entries.erase(entries.lower_bound(from), entries.end());
      last = from.prev();
      if (entries.empty()) break;
    } else {
      const std::size_t keep = random.below(400'000);
      const LogIndex to = sizes.excess(keep);
      std::size_t rest = 0;
      std::size_t total = 0;
      std::size_t largest = 0;
      for (const auto& [index, bytes] : entries) {
        total += bytes;
        largest = std::max(largest, bytes);
        if (index > to) rest += bytes;
      }
      if (total <= keep) CHECK(rest + LogSizes::kStep + largest >= total);
      if (to.value != 0) {
        sizes.compact(to);
        entries.erase(entries.begin(), entries.upper_bound(to));
      }
    }
  }
  // Truncation may lose a step's worth each; appended and compacted only, it is exact to a step.
  LogSizes exact;
  std::size_t total = 0;
  for (std::uint64_t i = 1; i <= 5'000; ++i) {
    const std::size_t bytes = random.below(2'000);
    total += bytes;
    exact.append(LogIndex{i}, bytes);
    REQUIRE(exact.bytes() == total);
  }
  const LogIndex to = exact.excess(1'000'000);
  REQUIRE(to > LogIndex{});
  exact.compact(to);
  CHECK(exact.bytes() <= 1'000'000);
  CHECK(exact.bytes() + LogSizes::kStep + 2'000 >= 1'000'000);
  CHECK(exact.excess(1'000'000) == LogIndex{});
}

}  // namespace parallax
