#include "harness/io/run_mutants.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "harness/mutant_page.h"

namespace parallax::harness {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Rounds of one mutant, with or without its bug.
class Search {
 public:
  Search(const Mutant& mutant, const RunSurroundings& surroundings, bool with_bug)
      : mutant_(mutant), surroundings_(surroundings) {
    if (!with_bug) return;
    surroundings_.node_arguments.insert(surroundings_.node_arguments.end(),
                                        {"--canary", std::string(canary_of(mutant).name)});
  }

  /// Errors: io, when it did not come to any operation; shutting_down.
  Result<void> round(std::uint64_t seed) {
    RunSurroundings here = surroundings_;
    here.directory += "/round";
    std::error_code error;
    fs::remove_all(here.directory, error);
    if (!fs::create_directory(here.directory, error)) {
      return definite(ErrorCode::io, fmt::format("{}: cannot be made", here.directory));
    }
    run = run_harness(round_of(mutant_, seed), here);
    if (surroundings_.interrupted()) {
      return definite(ErrorCode::shutting_down, "it was interrupted");
    }
    if (run.history.operations.empty()) {
      return definite(ErrorCode::io, fmt::format("{}: {}", canary_of(mutant_).name, run.reason));
    }
    ++rounds.count;
    rounds.operations += run.history.operations.size();
    rounds.seconds = seconds_since(begin_);
    rounds.outcome = run.outcome;
    rounds.reason = run.reason;
    rounds.seed = seed;
    rounds.violated.clear();
    for (const Verdict& verdict : run.verdicts) {
      const bool no = verdict.verdict == checker::Verdict::no;
      if (no && verdict.promised) rounds.violated.push_back(verdict.guarantee);
    }
    return {};
  }

  Rounds rounds;
  Run run;  ///< the last one

 private:
  const Mutant& mutant_;
  RunSurroundings surroundings_;
  const Clock::time_point begin_ = Clock::now();
};

Result<MutantResult> look_for(const Mutant& mutant, const MutantsAsked& asked,
                              const RunSurroundings& surroundings,
                              const std::function<void(std::string)>& tell) {
  const std::string_view name = canary_of(mutant).name;
  MutantResult result{.mutant = &mutant};
  Search search(mutant, surroundings, true);
  const double limit = std::chrono::duration<double>(asked.limit).count();
  do {
    const std::uint64_t seed = asked.seed + search.rounds.count;
    tell(fmt::format("{}, round {}: {}", name, search.rounds.count + 1,
                     replay_command(round_of(mutant, seed))));
    PARALLAX_TRY(search.round(seed));
  } while (search.rounds.outcome != RunOutcome::violated && search.rounds.seconds < limit);
  result.with_bug = search.rounds;
  if (!asked.out.empty())
    PARALLAX_TRY(write_run(search.run, fmt::format("{}/{}", asked.out, name)));
  if (!asked.controls) return result;
  Search control(mutant, surroundings, false);
  do {
    // From the seed that caught it on, so that its faults are those of the control.
    tell(fmt::format("{} without the bug, round {}", name, control.rounds.count + 1));
    PARALLAX_TRY(control.round(result.with_bug.seed + control.rounds.count));
  } while (control.rounds.outcome == RunOutcome::undecided &&
           control.rounds.count < kControlRounds);
  result.control = control.rounds;
  return result;
}

Result<void> write_text(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out) return definite(ErrorCode::io, path + ": cannot be written");
  return {};
}

}  // namespace

Result<std::vector<MutantResult>> run_mutants(const MutantsAsked& asked,
                                              const RunSurroundings& surroundings,
                                              const std::function<void(std::string)>& tell) {
  std::vector<const Mutant*> chosen;
  for (const Mutant& mutant : mutants()) {
    if (asked.only.empty()) chosen.push_back(&mutant);
  }
  for (const std::string& name : asked.only) {
    PARALLAX_ASSIGN(const Mutant* mutant, find_mutant(name));
    chosen.push_back(mutant);
  }
  std::vector<MutantResult> results;
  for (const Mutant* mutant : chosen) {
    PARALLAX_ASSIGN(MutantResult result, look_for(*mutant, asked, surroundings, tell));
    results.push_back(std::move(result));
    if (asked.out.empty()) continue;
    // After each: a run of all takes a while.
    PARALLAX_TRY(write_text(asked.out + "/mutants.json", write_mutants(results)));
    PARALLAX_TRY(write_text(asked.out + "/mutants.md", mutants_page(results)));
  }
  return results;
}

}  // namespace parallax::harness
