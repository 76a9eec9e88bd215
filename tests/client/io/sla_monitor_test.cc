// The choice under an agreement, step by step and against a dumb oracle that keeps everything.
#include "client/sla_monitor.h"

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace std::chrono_literals;  // NOLINT
using Ending = SlaMonitor::Ending;
using Choice = SlaMonitor::Choice;
using ReadPath = SlaMonitor::Path;

constexpr MonoTime kStart{1h};

std::vector<KnownEndpoint> nodes(std::size_t count) {
  std::vector<KnownEndpoint> out;
  for (std::uint32_t n = 1; n <= count; ++n) out.push_back({{"h", std::to_string(n)}, NodeId{n}});
  return out;
}

Consistency level(const std::string& text) {
  return *parse_consistency(text);
}

SessionToken session_at(std::uint64_t index) {
  SessionToken token;
  token.index = LogIndex{index};
  return token;
}

Answer local_answer(NodeId node, std::uint64_t index, std::optional<std::uint64_t> staleness_ms) {
  Answer answer;
  answer.evidence = {.node = node, .index = LogIndex{index}, .sequenced = true};
  answer.staleness_ms = staleness_ms;
  return answer;
}

/// Reads again and again, where each path takes what `takes` says.
struct Reader {
  SlaMonitor monitor;
  Sla sla;
  std::vector<KnownEndpoint> known = nodes(3);
  std::function<Duration(const Choice&)> takes;
  MonoTime now = kStart;
  std::set<std::pair<std::size_t, std::size_t>> tried = {};  ///< entry and node

  Choice read() {
    const Choice choice = monitor.choose(sla, known, std::nullopt, 0ms, now);
    monitor.began(choice.path, now);
    const Duration took = takes(choice);
    now += took;
    monitor.ended(choice.path, Ending::answered, took, now);
    tried.emplace(choice.entry, choice.node);
    return choice;
  }
};

TEST_CASE("sla choice: every path that could be the best is tried and then the best one taken") {
  Reader reader{.sla = {{{level("linearizable"), 50ms, 1}, {level("prefix"), 50ms, 0.5}}},
                .takes = [](const Choice& choice) -> Duration {
                  const Duration prefix[] = {6ms, 60ms, 5ms};
                  return choice.entry == 0 ? 100ms : prefix[choice.node];
                }};
  for (int i = 0; i < 30; ++i) reader.read();
  CHECK(reader.tried.size() == 6);
  for (int i = 0; i < 30; ++i) {
    const Choice choice = reader.read();
    CHECK(choice.entry == 1);
    CHECK(choice.node == 2);
    CHECK(choice.expected == 0.5);
  }
}

TEST_CASE("sla choice: what could not be better even if it were certain is left alone") {
  Reader reader{.sla = {{{level("prefix"), 50ms, 1}, {level("weak"), 50ms, 0.5}}},
                .takes = [](const Choice&) -> Duration { return 1ms; }};
  for (int i = 0; i < 50; ++i) CHECK(reader.read().entry == 0);
  CHECK(reader.tried.size() == 3);
}

TEST_CASE("sla choice: it moves from a node that became slow and comes back") {
  Duration first_takes = 2ms;
  Reader reader{.sla = {{{level("prefix"), 50ms, 1}}},
                .takes = [&](const Choice& choice) -> Duration {
                  return choice.node == 0 ? first_takes : static_cast<int>(choice.node) * 5ms;
                }};
  for (int i = 0; i < 20; ++i) reader.read();
  CHECK(reader.read().node == 0);
  first_takes = 80ms;
  CHECK(reader.read().node == 0);
  for (int i = 0; i < 20; ++i) CHECK(reader.read().node == 1);
  // Well again, which nobody knows until what is known of it is too old.
  first_takes = 2ms;
  CHECK(reader.read().node == 1);
  reader.now += 61s;
  for (int i = 0; i < 3; ++i) reader.read();
  CHECK(reader.read().node == 0);
}

TEST_CASE("sla choice: a path whose first measurement is under way counts half") {
  SlaMonitor monitor;
  const Sla sla{{{level("prefix"), 50ms, 1}}};
  std::vector<std::size_t> asked;
  for (int i = 0; i < 4; ++i) {
    const Choice choice = monitor.choose(sla, nodes(3), std::nullopt, 0ms, kStart);
    asked.push_back(choice.node);
    monitor.began(choice.path, kStart);
    CHECK(choice.expected == (i < 3 ? 1 : 0.5));
  }
  CHECK(asked == std::vector<std::size_t>{0, 1, 2, 0});
}

TEST_CASE("sla choice: time that has passed is taken off what an entry allows") {
  SlaMonitor monitor;
  const Sla sla{{{level("prefix"), 50ms, 1}, {level("weak"), 200ms, 0.25}}};
  const auto measured = [&](std::size_t entry, Duration took) {
    const ReadPath path{nodes(1)[0].endpoint, sla.entries[entry].consistency.to_string()};
    monitor.began(path, kStart);
    monitor.ended(path, Ending::answered, took, kStart);
  };
  measured(0, 30ms);
  measured(1, 30ms);
  const auto choose = [&](Duration elapsed) {
    return monitor.choose(sla, nodes(1), std::nullopt, elapsed, kStart);
  };
  CHECK(choose(20ms).entry == 0);
  CHECK(choose(20ms).expected == 1);
  CHECK(choose(21ms).expected == 0.5);  // one late, and hope
  CHECK(choose(50ms).entry == 1);
  // All are late: what is worth most, whenever it comes.
  CHECK(choose(200ms).expected == 0);
  CHECK(choose(200ms).entry == 0);
}

TEST_CASE("sla choice: nodes that fail are left, however late it is") {
  SlaMonitor monitor;
  const Sla sla{{{level("linearizable"), 50ms, 1}, {level("weak"), 50ms, 0.25}}};
  for (int i = 0; i < 4; ++i) {
    const ReadPath path{nodes(1)[0].endpoint, "linearizable"};
    monitor.began(path, kStart);
    monitor.ended(path, Ending::failed, 0ms, kStart);
  }
  CHECK(monitor.choose(sla, nodes(1), std::nullopt, 0ms, kStart).entry == 1);
  const ReadPath weak{nodes(1)[0].endpoint, "weak"};
  monitor.began(weak, kStart);
  monitor.ended(weak, Ending::answered, 1ms, kStart);
  CHECK(monitor.choose(sla, nodes(1), std::nullopt, 60ms, kStart).entry == 1);
}

TEST_CASE("sla choice: a node that refuses a level loses by it only where it may refuse") {
  for (const bool may : {true, false}) {
    SlaMonitor monitor;
    const Sla sla{{{level(may ? "bounded; max_staleness_ms=10; on_violation=reject"
                              : "bounded; max_staleness_ms=10"),
                    50ms, 1},
                   {level("prefix"), 50ms, 0.4}}};
    const ReadPath path{nodes(1)[0].endpoint, sla.entries[0].consistency.to_string()};
    for (const Ending ending : {Ending::answered, Ending::refused_level, Ending::refused_level}) {
      monitor.began(path, kStart);
      monitor.ended(path, ending, 1ms, kStart);
    }
    const Choice choice = monitor.choose(sla, nodes(1), std::nullopt, 0ms, kStart);
    CHECK(choice.entry == 0);
    // The latency of what was refused is not known, so it is not late; elsewhere it has failed.
    CHECK(choice.expected == 2.0 / 4);
    const Choice late = monitor.choose(sla, nodes(1), std::nullopt, 50ms, kStart);
    CHECK(late.expected == 0);
  }
}

TEST_CASE("sla choice: how old a node says it is tells what it would refuse") {
  SlaMonitor monitor;
  const Sla sla{{{level("bounded; max_staleness_ms=10; on_violation=reject"), 50ms, 1}}};
  monitor.heard(local_answer(NodeId{1}, 1, 11), kStart);
  CHECK(monitor.choose(sla, nodes(2), std::nullopt, 0ms, kStart).node == 1);
  CHECK(monitor.choose(sla, nodes(1), std::nullopt, 0ms, kStart).expected == 0.5);
  monitor.heard(local_answer(NodeId{1}, 1, 10), kStart);
  CHECK(monitor.choose(sla, nodes(1), std::nullopt, 0ms, kStart).expected == 2.0 / 3);
  CHECK(monitor.choose(sla, nodes(1), std::nullopt, 0ms, kStart + 61s).expected == 1);
}

TEST_CASE("sla choice: nodes that have what the session has seen are measured by themselves") {
  SlaMonitor monitor;
  const Sla sla{{{level("sequential"), 50ms, 1}}};
  const auto choose = [&](std::uint64_t index, MonoTime now = kStart) {
    return monitor.choose(sla, nodes(2), session_at(index), 0ms, now);
  };
  CHECK_FALSE(choose(5).path.far_enough);
  CHECK(choose(0).path.far_enough);  // it has seen nothing
  monitor.heard(local_answer(NodeId{2}, 5, std::nullopt), kStart);
  // Whoever is not known to be that far has waited too long, each time.
  for (const KnownEndpoint& node : nodes(2)) {
    const ReadPath behind{node.endpoint, "sequential", false};
    monitor.began(behind, kStart);
    monitor.ended(behind, Ending::answered, 80ms, kStart);
  }
  CHECK(choose(5).node == 1);
  CHECK(choose(5).path.far_enough);
  CHECK_FALSE(choose(6).path.far_enough);
  CHECK(choose(6).expected == 0.5);
  CHECK_FALSE(choose(5, kStart + 61s).path.far_enough);
  monitor.heard(local_answer(NodeId{2}, 4, std::nullopt), kStart);  // late news
  CHECK(choose(5).path.far_enough);
}

TEST_CASE("sla choice: what was used longest ago is forgotten to keep the bound") {
  SlaMonitor monitor({.max_paths = 2});
  const Sla sla{{{level("prefix"), 50ms, 1}}};
  const auto measure = [&](std::size_t node, MonoTime at) {
    const ReadPath path{nodes(3)[node].endpoint, "prefix"};
    monitor.began(path, at);
    monitor.ended(path, Ending::answered, 80ms, at);
  };
  measure(0, kStart);
  measure(1, kStart + 1s);
  measure(2, kStart + 2s);
  const Choice choice = monitor.choose(sla, nodes(3), std::nullopt, 0ms, kStart + 3s);
  CHECK(choice.node == 0);
  CHECK(choice.expected == 1);
}

/// All that was ever measured, and the rule as its header words it.
struct Oracle {
  struct Event {
    ReadPath path;
    Ending ending;
    Duration took;
    MonoTime at;
  };
  struct News {
    NodeId node;
    std::uint64_t index;
    std::optional<std::uint64_t> staleness_ms;
    MonoTime at;
  };
  std::vector<Event> events = {};
  std::vector<News> news = {};
  std::multiset<ReadPath> under_way = {};
  std::size_t window = 4;
  Duration max_age = 10s;

  static double ratio(double good, double all) { return (good + 1) / (all + 1); }

  bool far(const Consistency& asked, NodeId node, const std::optional<SessionToken>& session,
           MonoTime now) const {
    if (asked.level != Level::sequential || !session || session->index.value == 0) return true;
    // The newest place of the log that it named; the age counts from when it was named last.
    std::uint64_t best = 0;
    MonoTime best_at{};
    for (const News& one : news) {
      if (one.node != node) continue;
      if (one.index >= best || one.at - best_at > max_age) {
        best = one.index;
        best_at = one.at;
      }
    }
    return now - best_at <= max_age && best >= session->index.value;
  }

  Choice choose(const Sla& sla, const std::vector<KnownEndpoint>& known,
                const std::optional<SessionToken>& session, Duration elapsed, MonoTime now) const {
    struct Candidate {
      std::array<double, 4> rank;
      Choice choice;
    };
    std::vector<Candidate> candidates;
    for (std::size_t e = 0; e < sla.entries.size(); ++e) {
      for (std::size_t n = 0; n < known.size(); ++n) {
        const SlaEntry& entry = sla.entries[e];
        const ReadPath path{known[n].endpoint, entry.consistency.to_string(),
                            far(entry.consistency, known[n].node, session, now)};
        std::vector<Event> mine;
        for (const Event& event : events) {
          if (event.path == path) mine.push_back(event);
        }
        if (mine.size() > window) mine.erase(mine.begin(), mine.end() - std::ptrdiff_t(window));
        std::erase_if(mine, [&](const Event& event) { return now - event.at > max_age; });
        const auto count = [&](auto matches) {
          return double(std::count_if(mine.begin(), mine.end(), matches));
        };
        const bool rejects = entry.consistency.on_violation == OnViolation::reject;
        const double answered = count([](const Event& x) { return x.ending == Ending::answered; });
        const double refused =
            count([](const Event& x) { return x.ending == Ending::refused_level; });
        const double in_time = count([&](const Event& x) {
          return x.ending == Ending::answered && x.took <= entry.latency - elapsed;
        });
        const double pending = double(under_way.count(path));
        const double all = mine.empty() ? pending : double(mine.size()) - (rejects ? refused : 0);
        double serves = 1;
        if (rejects && !mine.empty()) serves = ratio(answered, answered + refused);
        if (rejects && mine.empty() && entry.consistency.max_staleness_ms) {
          std::vector<News> said;
          for (const News& one : news) {
            if (one.node == known[n].node && one.staleness_ms) said.push_back(one);
          }
          if (said.size() > window) said.erase(said.begin(), said.end() - std::ptrdiff_t(window));
          std::erase_if(said, [&](const News& one) { return now - one.at > max_age; });
          serves = ratio(double(std::count_if(said.begin(), said.end(),
                                              [&](const News& one) {
                                                return *one.staleness_ms <=
                                                       *entry.consistency.max_staleness_ms;
                                              })),
                         double(said.size()));
        }
        double sum = 0;
        for (const Event& x : mine)
          sum += x.ending == Ending::answered ? double(x.took.count()) : 0;
        const double expected =
            elapsed >= entry.latency ? 0 : entry.utility * ratio(in_time, all) * serves;
        candidates.push_back(
            {{expected, mine.empty() && pending == 0 ? 1.0 : 0.0,
              entry.utility * ratio(answered, all) * serves, answered > 0 ? -sum / answered : 0},
             Choice{e, n, expected, path}});
      }
    }
    return std::max_element(candidates.begin(), candidates.end(),
                            [](const Candidate& a, const Candidate& b) { return a.rank < b.rank; })
        ->choice;
  }
};

TEST_CASE("sla choice: as an oracle that forgets nothing chooses") {
  const Sla sla{{{level("linearizable"), 40ms, 1},
                 {level("sequential"), 30ms, 0.9},
                 {level("bounded; max_staleness_ms=10; on_violation=reject"), 30ms, 0.7},
                 {level("prefix"), 100ms, 0.3}}};
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    SlaMonitor monitor({.window = 4, .max_age = 10s});
    Oracle oracle;
    std::vector<ReadPath> under_way;
    MonoTime now = kStart;
    std::set<std::pair<std::size_t, std::size_t>> chosen;
    for (int step = 0; step < 800; ++step) {
      now += std::chrono::milliseconds(random.below(400));
      std::optional<SessionToken> session;
      if (random.chance(0.6)) session = session_at(random.below(40));
      const Duration elapsed =
          random.chance(0.7) ? 0ms : std::chrono::milliseconds(random.below(60));
      const auto known = nodes(1 + random.below(3));
      const Choice choice = monitor.choose(sla, known, session, elapsed, now);
      const Choice due = oracle.choose(sla, known, session, elapsed, now);
      INFO("seed " << seed << " step " << step);
      REQUIRE(choice.entry == due.entry);
      REQUIRE(choice.node == due.node);
      REQUIRE(choice.path == due.path);
      REQUIRE(choice.expected == Approx(due.expected).margin(1e-12));
      chosen.emplace(choice.entry, choice.node);
      if (under_way.size() < 3) {
        monitor.began(choice.path, now);
        oracle.under_way.insert(choice.path);
        under_way.push_back(choice.path);
      }
      while (!under_way.empty() && random.chance(0.6)) {
        const auto at = std::ptrdiff_t(random.below(under_way.size()));
        const ReadPath path = under_way[std::size_t(at)];
        under_way.erase(under_way.begin() + at);
        const Ending ending = random.chance(0.8)   ? Ending::answered
                              : random.chance(0.5) ? Ending::refused_level
                                                   : Ending::failed;
        const Duration took = std::chrono::milliseconds(1 + random.below(60));
        monitor.ended(path, ending, took, now);
        oracle.under_way.erase(oracle.under_way.find(path));
        oracle.events.push_back({path, ending, took, now});
      }
      if (random.chance(0.3)) {
        const NodeId node{std::uint32_t(1 + random.below(3))};
        const std::uint64_t index = std::uint64_t(step) / 20 + random.below(3);
        std::optional<std::uint64_t> staleness;
        if (random.chance(0.7)) staleness = random.below(20);
        monitor.heard(local_answer(node, index, staleness), now);
        oracle.news.push_back({node, index, staleness, now});
      }
    }
    CHECK(chosen.size() > 5);
  }
}

}  // namespace
}  // namespace parallax
