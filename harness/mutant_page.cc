#include "harness/mutant_page.h"

#include <algorithm>
#include <string_view>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace parallax::harness {
namespace {

namespace json = boost::json;

constexpr std::string_view kIntroduction = R"(# Seeded bugs, and what finds them

A harness that finds nothing wrong has shown something only if it would have. So the store has
deliberate bugs (`base/canary.h`), in test builds alone: one node program with one bug each is a
*mutant*, and `parallax-harness mutants` looks for each with the workload, the levels and the faults
that its row names (`harness/mutants.cc`), in short rounds with one seed after the other, until the
checker of its row finds a round *violated*. The same runs without the bug must hold: else a checker
that says "violated" of everything would do.

This page is written by the command, from runs that really were; a test holds its rows against the
table of mutants. After a change of that:

```sh
ninja -C build/dev parallax-harness && build/dev/bin/parallax-harness mutants --out mutants
cp mutants/mutants.md docs/MUTANTS.md
```

Exit: 0 all were caught and their controls held, 1 one was not caught within `--time`, 2 a run could
not be made, or a control did not hold, 4 wrong usage. `--only NAME,...` runs some of them. In
`mutants/NAME/` is the round that caught it, with its report.

*Seconds* are measured, from the start of the first round to the verdict: starting the nodes, running,
healing and judging, of all rounds up to the one that was violated. They are of debug builds on two
cores that did other things besides, and differ from run to run: how clients and faults meet in time is
the machine's. *Operations* are those of the same rounds. *Violated besides* are the other promised
guarantees that did not hold in the last one. The *control* is the same command with the same plan of
faults, without the bug.

The level `weak` promises nothing but that an answer says which level it is of. `ack=leader` and
`ack=semi-sync` promise convergence, and that an answer says who has the write: answers are held
against their own evidence at all levels.
)";

std::string level_of(const Mutant& mutant) {
  if (mutant.read_level.empty()) return std::string(mutant.level);
  return fmt::format("{} / {}", mutant.level, mutant.read_level);
}

/// What was violated besides in the last round.
std::string besides(const MutantResult& result) {
  if (!caught(result)) return "not caught: " + result.with_bug.reason;
  std::vector<std::string> others = result.with_bug.violated;
  std::erase(others, result.mutant->checker);
  return others.empty() ? "nothing" : fmt::format("{}", fmt::join(others, ", "));
}

std::string control_of(const MutantResult& result) {
  if (!result.control) return "not run";
  return fmt::format("{}, {} operations", to_string(result.control->outcome),
                     result.control->operations);
}

json::object to_json(const Rounds& rounds) {
  return {{"rounds", rounds.count},
          {"operations", rounds.operations},
          {"seconds", rounds.seconds},
          {"outcome", to_string(rounds.outcome)},
          {"violated", json::array(rounds.violated.begin(), rounds.violated.end())},
          {"reason", rounds.reason},
          {"seed", rounds.seed}};
}

}  // namespace

std::string mutant_row(const Mutant& mutant) {
  const CanaryInfo& canary = canary_of(mutant);
  return fmt::format("| `{}` | {} | `{}` | `{}` | {} | {} |", canary.name, canary.bug,
                     level_of(mutant), mutant.workload, mutant.faults, mutant.checker);
}

std::string mutants_page(const std::vector<MutantResult>& results) {
  std::string out(kIntroduction);
  out +=
      "\n| name | bug | level, of writes / reads | workload | faults | caught by | violated "
      "besides | seconds | "
      "rounds | operations | control |\n|---|---|---|---|---|---|---|---|---|---|---|\n";
  double seconds = 0;
  double slowest = 0;
  for (const MutantResult& result : results) {
    out += fmt::format("{} {} | {:.1f} | {} | {} | {} |\n", mutant_row(*result.mutant),
                       besides(result), result.with_bug.seconds, result.with_bug.count,
                       result.with_bug.operations, control_of(result));
    seconds += result.with_bug.seconds;
    slowest = std::max(slowest, result.with_bug.seconds);
  }
  const auto found = std::count_if(results.begin(), results.end(), caught);
  out += fmt::format("\n{} of {} were caught, in {:.0f} s altogether; the slowest took {:.1f} s.\n",
                     found, results.size(), seconds, slowest);
  return out;
}

std::string mutants_summary(const std::vector<MutantResult>& results) {
  std::string out = fmt::format("{:28} {:>7} {:>6} {:>10}  {:32} {}\n", "mutant", "seconds",
                                "rounds", "operations", "level: workload, faults", "caught by");
  std::string wrong;
  for (const MutantResult& result : results) {
    const Mutant& mutant = *result.mutant;
    const std::string_view name = canary_of(mutant).name;
    out += fmt::format("{:28} {:7.1f} {:6} {:10}  {:32} {}\n", name, result.with_bug.seconds,
                       result.with_bug.count, result.with_bug.operations,
                       fmt::format("{}: {}, {}", level_of(mutant), mutant.workload, mutant.faults),
                       caught(result) ? mutant.checker : "not caught");
    if (!caught(result)) wrong += fmt::format("{}: not caught\n", name);
    if (!control_held(result)) {
      wrong += fmt::format("{}: without the bug, too, it is {}: {}\n", name,
                           to_string(result.control->outcome), result.control->reason);
    }
  }
  const auto found = std::count_if(results.begin(), results.end(), caught);
  return out + fmt::format("{} of {} caught\n", found, results.size()) + wrong;
}

std::string write_mutants(const std::vector<MutantResult>& results) {
  json::array list;
  for (const MutantResult& result : results) {
    const Mutant& mutant = *result.mutant;
    const CanaryInfo& canary = canary_of(mutant);
    const RunOptions options = round_of(mutant, result.with_bug.seed);
    json::object object{{"name", canary.name},
                        {"bug", canary.bug},
                        {"level", level_of(mutant)},
                        {"workload", mutant.workload},
                        {"faults", mutant.faults},
                        {"checker", mutant.checker},
                        {"caught", caught(result)},
                        {"command", replay_command(options)},
                        {"with_bug", to_json(result.with_bug)}};
    if (result.control) object["control"] = to_json(*result.control);
    list.push_back(std::move(object));
  }
  return json::serialize(json::object{{"mutants", std::move(list)}}) + "\n";
}

}  // namespace parallax::harness
