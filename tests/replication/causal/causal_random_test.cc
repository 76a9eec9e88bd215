// Random schedules: loss, duplication, reordering, partitions, slow disks, crashes that lose what
// was not durable, lost disks; logs and buffers so small that credit runs out and transfers are
// common. Whatever is applied and read is judged at once (causal_world.cc); in the end everything
// heals, and all must be equal.
#include <stdexcept>

#include <catch2/catch.hpp>

#include "base/assert.h"
#include "base/canary.h"
#include "tests/replication/causal/causal_world.h"

namespace parallax::test {
namespace {

using std::chrono::milliseconds;

struct Run {
  explicit Run(std::uint64_t seed, bool lose_disks = true)
      : random(seed), world(options(random)), sessions(4) {
    loss = random.chance(0.5) ? 0.1 : 0.0;
    duplication = random.chance(0.5) ? 0.1 : 0.0;
    reordering = random.chance(0.5) ? 0.4 : 0.0;
    crashing = random.chance(0.7) ? 0.01 : 0.0;
    cutting = random.chance(0.7) ? 0.01 : 0.0;
    wiping = lose_disks && random.chance(0.4) ? 0.4 : 0.0;
    repairing = random.chance(0.4) ? 0.05 : 0.0;
    writing = random.chance(0.5) ? 0.25 : 0.08;
    for (CausalWorld::Session& session : sessions) {
      if (random.chance(0.7)) continue;
      session.guarantees = {random.chance(0.5), random.chance(0.5), random.chance(0.5),
                            random.chance(0.5)};
    }
  }

  static CausalWorld::Options options(Random& random) {
    CausalWorld::Options options;
    options.nodes = random.between(3, 5);
    options.hold_disks = random.chance(0.8);
    if (random.chance(0.6)) options.buffer = {random.between(1, 5), random.between(100, 600)};
    if (random.chance(0.6)) options.log_bytes = random.between(100, 1'000);
    if (random.chance(0.5)) options.cache_bytes = random.between(0, 500);
    if (random.chance(0.5)) options.batch_bytes = random.between(1, 400);
    if (random.chance(0.5)) options.max_removals = random.between(1, 4);
    options.page_keys = random.between(1, 3);
    return options;
  }

  std::uint32_t any() { return static_cast<std::uint32_t>(random.between(1, world.size())); }
  std::string key() { return std::string(1, static_cast<char>('a' + random.below(6))); }

  void step() {
    auto& packets = world.packets();
    if (!packets.empty() && random.chance(0.8)) {
      const std::size_t at = random.chance(reordering) ? random.below(packets.size()) : 0;
      if (random.chance(duplication)) packets.push_back(packets[at]);
      if (random.chance(loss)) {
        world.drop(at);
      } else {
        world.deliver(at);
      }
    } else {
      world.advance(milliseconds(random.between(1, 60)));
    }
    CausalWorld::Session& session = sessions[random.below(sessions.size())];
    if (random.chance(writing)) {
      const std::string to = key();
      world.write(session, any(), to, random.chance(0.3));
    } else if (random.chance(0.2)) {
      std::vector<std::string> keys{key()};
      if (random.chance(0.5)) keys.push_back(key());
      world.read(session, any(), keys);
    }
    if (random.chance(0.6)) world.persist(world.node(any()));
    if (random.chance(crashing)) crash();
    if (random.chance(0.03)) world.restart(any());
    if (random.chance(cutting)) cut();
    if (random.chance(0.01)) world.heal();
    if (random.chance(0.05)) log_step();
    if (random.chance(repairing)) {
      const std::string of = key();
      const std::uint32_t from = any();
      world.repair(from, any(), of);
    }
  }

  void crash() {
    const std::uint32_t id = any();
    if (random.chance(wiping) && may_lose_disk()) {
      world.wipe(id);
      ++wipes;
    } else {
      world.crash(id);
      ++crashes;
    }
  }

  /// A minority at most has lost its disk and not recovered.
  bool may_lose_disk() {
    std::size_t lost = 1;
    for (std::uint32_t i = 1; i <= world.size(); ++i) {
      if (world.node(i).disk.recovering) ++lost;
    }
    return lost <= (world.size() - 1) / 2;
  }

  void cut() {
    const std::uint32_t id = any();
    if (random.chance(0.3)) {
      world.isolate(id);
    } else {
      world.cut(id, any());
    }
  }

  void log_step() {
    const std::uint32_t id = any();
    world.end_recovery(id);
    world.apply_entry(world.node(id));
  }

  void settle() {
    world.heal();
    for (int round = 0; round < 40; ++round) {
      for (std::uint32_t i = 1; i <= world.size(); ++i) {
        world.restart(i);
        world.end_recovery(i);
        world.apply_entry(world.node(i));
      }
      world.run_for(milliseconds(200));
    }
    world.check_converged(wipes > 0);
    // Whatever a session has seen, survived or lost: it is waited for nowhere.
    for (const CausalWorld::Session& session : sessions) {
      for (std::uint32_t i = 1; i <= world.size(); ++i) {
        if (!world.core(i).covers(session.token.read) ||
            !world.core(i).covers(session.token.write)) {
          world.fail("a session is waited for that is over");
        }
      }
    }
  }

  /// What went wrong; empty: nothing.
  std::string run(std::size_t steps = 800) {
    for (std::size_t i = 0; i < steps && world.broken().empty(); ++i) {
      step();
      if (i % 40 == 0) world.check_contents(world.node(any()));
    }
    if (world.broken().empty()) settle();
    return world.broken();
  }

  Random random;
  CausalWorld world;
  std::vector<CausalWorld::Session> sessions;
  double loss, duplication, reordering, crashing, cutting, wiping, repairing, writing;
  std::size_t crashes = 0;
  std::size_t wipes = 0;
};

}  // namespace

TEST_CASE("causal: random worlds", "[random]") {
  std::size_t operations = 0, crashes = 0, wipes = 0;
  Causal::Counters sum;
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    Run run(seed);
    const std::string broken = run.run();
    if (!broken.empty()) FAIL("seed " << seed << ": " << broken);
    const Causal::Counters counters = run.world.counters();
    operations += run.world.operations();
    crashes += run.crashes;
    wipes += run.wipes;
    sum.fetches += counters.fetches;
    sum.relayed += counters.relayed;
    sum.transfers += counters.transfers;
    sum.trimmed_early += counters.trimmed_early;
  }
  // They have been where it is rare to be.
  CHECK(operations > 50'000);
  CHECK(crashes > 5'000);
  CHECK(wipes > 500);
  CHECK(sum.relayed > 50'000);
  CHECK(sum.transfers > 3'000);
  CHECK(sum.trimmed_early > 20'000);
}

#ifdef PARALLAX_TEST_BUILD

namespace {

/// A deliberate bug, and assertions that throw, for as long as this lives.
struct Broken {
  explicit Broken(Canary bug) {
    g_active_canary = bug;
    set_assertion_handler([](const std::string& line) { throw std::runtime_error(line); });
  }
  ~Broken() {
    g_active_canary = Canary::none;
    set_assertion_handler(nullptr);
  }
};

std::string run_broken(std::uint64_t seed) {
  try {
    return Run(seed).run();
  } catch (const std::runtime_error& assertion) {
    return assertion.what();
  }
}

}  // namespace

TEST_CASE("causal: random worlds find every deliberate bug", "[random]") {
#define PARALLAX_CANARY_VALUE(name, bug) {Canary::name, #name},
  const std::pair<Canary, const char*> canaries[] = {PARALLAX_CAUSAL_CANARIES(
      PARALLAX_CANARY_VALUE) PARALLAX_CAUSAL_CORE_CANARIES(PARALLAX_CANARY_VALUE)};
#undef PARALLAX_CANARY_VALUE
  for (const auto& [bug, name] : canaries) {
    const Broken broken(bug);
    std::uint64_t seed = 1;
    std::string what;
    while (seed <= 2'000 && (what = run_broken(seed)).empty()) ++seed;
    INFO(name);
    CHECK_FALSE(what.empty());
  }
}

#endif

}  // namespace parallax::test
