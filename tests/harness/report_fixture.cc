#include "tests/harness/report_fixture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "base/random.h"

namespace parallax::harness::testing {
namespace {

using checker::Operation;
using checker::OperationKind;
using checker::Outcome;
using namespace std::chrono_literals;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1'000 * kMs;
constexpr std::int64_t kBegin = 86'400 * kSecond;  // clocks do not begin at 0
constexpr std::array<std::string_view, 3> kLevels{"linearizable", "quorum; r=1; w=1", "eventual"};

std::vector<FaultWindow> fixture_faults() {
  const auto at = [](double seconds) {
    return kBegin + static_cast<std::int64_t>(seconds * static_cast<double>(kSecond));
  };
  return {{"kill", "n2", "SIGKILL", at(3), at(5.5)},
          {"partition", "n1 | n2 n3", "majorities-ring", at(8), at(12.2)},
          {"clock", "n3", "+200 ms, strobe", at(11), at(14)},
          {"pause", "n1", "", at(18.5), at(19)},
          {"partition", "n3 | n1 n2", "one-way", at(23), at(26.5)}};
}

/// How one operation goes, which is worse while a fault lasts.
void finish(Operation& operation, const std::vector<FaultWindow>& faults, std::size_t level,
            Random& random) {
  const bool faulty = std::any_of(faults.begin(), faults.end(), [&](const FaultWindow& fault) {
    return operation.call_ns >= fault.begin_ns && operation.call_ns < fault.end_ns;
  });
  constexpr std::array<std::int64_t, 3> kTypical{3 * kMs, kMs, kMs / 4};
  const double spread = std::exp(static_cast<double>(random.below(1'000)) / 400.0);
  auto took = static_cast<std::int64_t>(static_cast<double>(kTypical[level]) * spread / 2.0);
  if (random.chance(0.01)) took *= 8;
  if (faulty && level != 2) took *= 1 + static_cast<std::int64_t>(random.below(6));
  operation.return_ns = operation.call_ns + took;
  if (faulty && level != 2 && random.chance(0.22)) {
    operation.outcome = random.chance(0.6) ? Outcome::failed : Outcome::unknown;
    if (operation.outcome == Outcome::unknown) operation.return_ns = checker::kNever;
  }
}

void add_operation(Run& run, const std::vector<FaultWindow>& faults, std::uint32_t client,
                   std::int64_t call_ns, std::map<std::string, std::string>& newest,
                   Random& random) {
  checker::History& history = run.history;
  const std::size_t level = client % kLevels.size();
  Operation operation{.client = client,
                      .node = NodeId{static_cast<std::uint32_t>(random.between(1, 3))},
                      .call_ns = call_ns,
                      .level = history.texts.intern(kLevels[level])};
  const std::string key = fmt::format("k{}", random.below(5));
  operation.key = history.texts.intern(key);
  const std::string value = std::to_string(history.operations.size());
  const auto known = newest.find(key);
  const checker::Text shown =
      known == newest.end() ? checker::kAbsent : history.texts.intern(known->second);
  finish(operation, faults, level, random);
  const std::uint64_t die = random.below(10);
  if (die < 6) {
    operation.kind = OperationKind::read;
    if (operation.outcome == Outcome::ok) operation.result = shown;
  } else if (die < 9) {
    operation.kind = OperationKind::write;
    operation.value = history.texts.intern(value);
    if (operation.outcome == Outcome::ok) newest[key] = value;
  } else {
    operation.kind = OperationKind::cas;
    operation.expected = shown;
    operation.value = history.texts.intern(value);
    if (operation.outcome == Outcome::ok && random.chance(0.3)) {
      operation.outcome = Outcome::mismatch;
      operation.result = history.texts.intern("other");
    }
  }
  history.operations.push_back(operation);
}

/// Four operations of which a read shows what was replaced before it began; their indices.
std::vector<std::size_t> plant_stale_read(Run& run, std::uint32_t writer, std::uint32_t reader,
                                          double at_seconds) {
  checker::History& history = run.history;
  const std::int64_t at =
      kBegin + static_cast<std::int64_t>(at_seconds * static_cast<double>(kSecond));
  const auto text = [&](std::string_view content) { return history.texts.intern(content); };
  const auto add = [&](Operation operation, std::int64_t from_us, std::int64_t to_us) {
    operation.key = text("k1");
    operation.level = text(kLevels[0]);
    operation.call_ns = at + from_us * 1'000;
    operation.return_ns = at + to_us * 1'000;
    history.operations.push_back(operation);
    return history.operations.size() - 1;
  };
  const std::string old_value = fmt::format("old-{}", writer);
  const std::string new_value = fmt::format("new-{}", writer);
  return {add({.kind = OperationKind::write,
               .client = writer,
               .node = NodeId{1},
               .value = text(old_value)},
              0, 2'400),
          add({.kind = OperationKind::write,
               .client = writer,
               .node = NodeId{1},
               .value = text(new_value)},
              4'100, 9'900),
          add({.kind = OperationKind::read,
               .client = reader,
               .node = NodeId{2},
               .result = text(new_value)},
              6'000, 8'000),
          add({.kind = OperationKind::read,
               .client = reader,
               .node = NodeId{3},
               .result = text(old_value)},
              21'000, 22'700)};
}

std::vector<StalenessPoint> fixture_curve() {
  std::vector<StalenessPoint> curve;
  for (std::int64_t after = 125'000; after < kSecond; after *= 2) {
    const double ms = static_cast<double>(after) / kMs;
    curve.push_back({.after_ns = after,
                     .reads = static_cast<std::size_t>(900 / (1 + ms / 40)),
                     .seen = 1 - 0.36 * std::exp(-ms / 2.5),
                     .predicted = 1 - 0.31 * std::exp(-ms / 3.0)});
  }
  return curve;
}

std::vector<Verdict> fixture_verdicts(std::vector<std::size_t> stale,
                                      std::vector<std::size_t> own) {
  using checker::Verdict;
  return {{"linearizable", true, Verdict::no, "",
           "client 2 read old-1 at n3 although client 1's write of new-1 had completed 11.1 ms "
           "before the read began, and client 2 itself had read new-1 before.",
           std::move(stale), 41ms},
          {"sequential",
           true,
           Verdict::undecided,
           "the bounded search ended after 200000000 steps",
           "",
           {},
           9'874ms},
          {"causal convergence (CCv)", true, Verdict::yes, "", "", {}, 212ms},
          {"causal memory (CM)", false, Verdict::yes, "", "", {}, 655ms},
          {"read your writes", false, Verdict::no, "",
           "client 5 read old-4 although it had read new-4 before", std::move(own), 3ms},
          {"monotonic writes", true, Verdict::yes, "", "", {}, 870us},
          {"convergence", true, Verdict::yes, "", "", {}, 0ms}};
}

/// As of the run's verdicts where they say the same.
LevelsReached fixture_levels(const std::vector<Verdict>& verdicts) {
  using checker::Verdict;
  const auto level = [](std::string name, Verdict verdict, std::string reason = "",
                        std::string witness = "") {
    return harness::Verdict{.guarantee = std::move(name),
                            .verdict = verdict,
                            .reason = std::move(reason),
                            .witness = std::move(witness),
                            .operations = {}};
  };
  const std::string flipped =
      "CyclicCF\nclient 7 read v91 of \"k3\" at n2 and then v88; client 9 read them the other way "
      "around.\n";
  return {.strongest = {"causal memory (CM)", "monotonic writes"},
          .levels = {level("linearizable", Verdict::no, "", verdicts[0].witness),
                     level("sequential", Verdict::no, "because it is not causal convergence (CCv)",
                           flipped),
                     level("causal convergence (CCv)", Verdict::no, "", flipped),
                     level("causal memory (CM)", Verdict::yes),
                     level("causal (CC)", Verdict::yes, "because it is causal memory (CM)"),
                     level("read your writes", Verdict::no, "", verdicts[4].witness),
                     level("monotonic reads", Verdict::undecided,
                           "reads saw values that several writes can have given"),
                     level("monotonic writes", Verdict::yes),
                     level("writes follow reads", Verdict::no, "",
                           "client 3 saw client 4's write of v17 to \"k2\" and not what client 4 "
                           "had read before it.\n")}};
}

Tightening fixture_tightening() {
  using checker::Verdict;
  return {.unknown = 231,
          .happened = 97,
          .never = 122,
          .open = 12,
          .reason = "12 are in a log behind what is applied",
          .verdicts = {{"answers agree with the log", true, Verdict::yes, "", "", {}, 0ms},
                       {"linearizable",
                        true,
                        Verdict::no,
                        "",
                        "client 2 read old-1 at n3 although client 1's write of new-1 had "
                        "completed 11.1 ms before the read began",
                        {0, 1},
                        38ms},
                       {"sequential", true, Verdict::yes, "", "", {}, 3'120ms},
                       {"read your writes",
                        false,
                        Verdict::no,
                        "",
                        "client 5 read old-4 although it had read new-4 before",
                        {4},
                        3ms}}};
}

}  // namespace

Run fixture_run(const FixtureOptions& options) {
  Random random(options.seed);
  Run run;
  run.asked.workload = Workload::mixed_level;
  run.asked.write_level = *parse_consistency("linearizable");
  run.asked.read_level = *parse_consistency("quorum; r=1");
  run.asked.faults = {Fault::kill, Fault::pause, Fault::partition, Fault::clock};
  run.asked.clients = options.clients;
  run.asked.rate = 167;
  run.asked.seed = 20'260'117;
  run.replay_command = replay_command(run.asked);
  run.faults = fixture_faults();

  auto stale = plant_stale_read(run, 1, 2, 10.4);
  auto own = plant_stale_read(run, 4, 5, 24.9);
  std::map<std::string, std::string> newest;
  // A client calls again once its last call has ended, or a while after one without an answer.
  std::vector<std::int64_t> free_at(options.clients, kBegin);
  const std::int64_t pause =
      30 * kSecond * options.clients / static_cast<std::int64_t>(options.operations);
  for (std::size_t i = run.history.operations.size(); i < options.operations; ++i) {
    const auto client = static_cast<std::uint32_t>(
        std::min_element(free_at.begin(), free_at.end()) - free_at.begin());
    add_operation(run, run.faults, client, free_at[client], newest, random);
    const Operation& last = run.history.operations.back();
    const auto rest =
        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(2 * pause) + 1));
    const std::int64_t end =
        last.return_ns == checker::kNever ? last.call_ns + 2 * pause : last.return_ns;
    free_at[client] = std::max(last.call_ns + rest, end);
  }

  run.verdicts = fixture_verdicts(std::move(stale), std::move(own));
  run.staleness = StalenessSummary{.reads = 2'950,
                                   .stale_reads = 212,
                                   .p50_ns = 0,
                                   .p99_ns = 14 * kMs,
                                   .max_ns = 2'310 * kMs,
                                   .curve = fixture_curve(),
                                   .prediction =
                                       "Predicted for n = 3, r = 1, w = 1, 50000 trials. W and A "
                                       "together: 1800 durable stores at another replica (p50 2.4 "
                                       "ms, p99 19 ms), as the nodes say."};
  run.levels = fixture_levels(run.verdicts);
  run.tightening = fixture_tightening();
  run.convergence = Convergence{kBegin + 27 * kSecond, 840 * kMs, ""};
  run.outcome = RunOutcome::violated;
  run.reason = "linearizable is promised and does not hold: see anomaly 1";
  return run;
}

Run hostile_run() {
  const std::string evil =
      "</script><b id=\"pwned\" "
      "onclick='x()'>&amp;<!--<script>window.pwned=1</script>\"\\\n\x01\xFF";
  Run run;
  run.asked.target = "exec:" + evil;
  run.asked.endpoints = {evil};
  run.asked.check = {evil};
  run.replay_command = "parallax-harness run " + evil;
  run.reason = evil;
  run.faults = {{evil, evil, evil, 1'000, 2'000'000}, {evil, "n1", "", 3'000'000, 4'000'000}};
  run.verdicts = {{evil, true, checker::Verdict::no, evil, evil, {0, 1}, 1ms},
                  {evil, true, checker::Verdict::undecided, evil, "", {}, 1ms}};
  run.staleness =
      StalenessSummary{.reads = 1, .curve = {{1'000, 1, 1, std::nullopt}}, .prediction = evil};
  run.levels = LevelsReached{{evil}, {{evil, false, checker::Verdict::no, evil, evil + "2", {}}}};
  run.tightening = Tightening{.unknown = 2,
                              .open = 2,
                              .reason = evil,
                              .verdicts = {{evil, true, checker::Verdict::no, evil, evil, {0}}}};
  run.convergence = Convergence{0, std::nullopt, evil};
  checker::Texts& texts = run.history.texts;
  const checker::Text text = texts.intern(evil);
  run.history.operations = {{.kind = OperationKind::write,
                             .key = text,
                             .value = text,
                             .call_ns = 500'000,
                             .return_ns = 900'000,
                             .level = text},
                            {.kind = OperationKind::cas,
                             .client = 1,
                             .node = NodeId{1},
                             .key = texts.intern("other " + evil),
                             .value = text,
                             .expected = text,
                             .call_ns = 1'000'000,
                             .return_ns = 1'700'000,
                             .level = text}};
  return run;
}

}  // namespace parallax::harness::testing
