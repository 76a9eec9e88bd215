#include "harness/io/run_mutants.h"

#include <filesystem>

#include <fmt/format.h>

#include "harness/io/files.h"
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
  Search(const Mutant& mutant, const MutantsSurroundings& surroundings, bool with_bug)
      : mutant_(mutant), name_(canary_of(mutant).name), surroundings_(surroundings) {
    if (with_bug) arguments_ = {"--canary", name_};
  }

  /// Errors: io, when it did not come to any operation; shutting_down.
  Result<void> round(std::uint64_t seed) {
    RunSurroundings here = surroundings_.run;
    here.directory += "/round";
    std::error_code ignored;
    fs::remove_all(here.directory, ignored);
    PARALLAX_TRY(make_directory(here.directory));
    here.node_arguments = arguments_;
    const std::string what = fmt::format(
        "{}{}, round {}: ", name_, arguments_.empty() ? " without the bug" : "", rounds.count + 1);
    here.progress = [&](const Progress& progress) { surroundings_.progress(what, progress); };
    run = run_harness(round_of(mutant_, seed), here);
    if (here.interrupted()) return definite(ErrorCode::shutting_down, "it was interrupted");
    if (run.history.operations.empty()) {
      return definite(ErrorCode::io, fmt::format("{}{}", what, run.reason));
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
  const std::string name_;
  const MutantsSurroundings& surroundings_;
  std::vector<std::string> arguments_;
  const Clock::time_point begin_ = Clock::now();
};

Result<MutantResult> look_for(const Mutant& mutant, const MutantsAsked& asked,
                              const MutantsSurroundings& surroundings) {
  MutantResult result{.mutant = &mutant};
  Search search(mutant, surroundings, true);
  const double limit = std::chrono::duration<double>(asked.limit).count();
  do {
    PARALLAX_TRY(search.round(asked.seed + search.rounds.count));
  } while (!caught_in(mutant, search.rounds) && search.rounds.seconds < limit);
  result.with_bug = search.rounds;
  if (!asked.out.empty()) {
    PARALLAX_TRY(write_run(search.run, fmt::format("{}/{}", asked.out, canary_of(mutant).name)));
  }
  if (!asked.controls) return result;
  Search control(mutant, surroundings, false);
  do {
    // From the seed on that caught it: with the same plan of faults.
    PARALLAX_TRY(control.round(result.with_bug.seed + control.rounds.count));
  } while (control.rounds.outcome == RunOutcome::undecided &&
           control.rounds.count < kControlRounds);
  result.control = control.rounds;
  return result;
}

}  // namespace

Result<std::vector<MutantResult>> run_mutants(const MutantsAsked& asked,
                                              const MutantsSurroundings& surroundings) {
  std::vector<const Mutant*> chosen;
  for (const std::string& name : asked.only) {
    PARALLAX_ASSIGN(const Mutant* mutant, find_mutant(name));
    chosen.push_back(mutant);
  }
  for (const Mutant& mutant : mutants()) {
    if (asked.only.empty()) chosen.push_back(&mutant);
  }
  std::vector<MutantResult> results;
  for (const Mutant* mutant : chosen) {
    PARALLAX_ASSIGN(MutantResult result, look_for(*mutant, asked, surroundings));
    results.push_back(std::move(result));
    if (asked.out.empty()) continue;
    // After each: a run of all takes a while.
    PARALLAX_TRY(write_text(asked.out + "/mutants.json", write_mutants(results)));
    PARALLAX_TRY(write_text(asked.out + "/mutants.md", mutants_page(results)));
  }
  return results;
}

}  // namespace parallax::harness
