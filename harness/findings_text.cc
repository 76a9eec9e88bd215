#include "harness/findings_text.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "consistency/checker/counterexample.h"

namespace parallax::harness {
namespace {

using checker::describe_duration;

std::string indented(std::string_view text, std::string_view by) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) out += fmt::format("{}{}\n", by, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// Whether whoever tells of broken promises tells this.
bool told_elsewhere(const Run& run, const Verdict& level) {
  return std::any_of(run.verdicts.begin(), run.verdicts.end(), [&](const Verdict& verdict) {
    return verdict.promised && verdict.verdict == checker::Verdict::no &&
           verdict.witness == level.witness;
  });
}

std::string levels_text(const Run& run) {
  const LevelsReached& reached = *run.levels;
  std::string text = fmt::format("  the history as a whole is: {}\n", strongest_text(reached));
  for (const Verdict& level : reached.levels) {
    if (level.verdict == checker::Verdict::yes) continue;
    if (level.verdict == checker::Verdict::undecided) {
      text += fmt::format("    {}: undecided, {}\n", level.guarantee, level.reason);
      continue;
    }
    const std::string why = why_not(reached, level);
    const bool elsewhere = told_elsewhere(run, level);
    text += fmt::format("    not {}{}\n", level.guarantee,
                        elsewhere     ? ": see below"
                        : why.empty() ? ": " + level.reason
                                      : ":");
    if (!elsewhere) text += indented(why, "      ");
  }
  return text;
}

std::string staleness_text(const StalenessSummary& staleness) {
  std::string text =
      fmt::format("  stale: {} of {} reads, p50 {}, p99 {}, at most {}\n", staleness.stale_reads,
                  staleness.reads, describe_duration(staleness.p50_ns),
                  describe_duration(staleness.p99_ns), describe_duration(staleness.max_ns));
  for (const StalenessPoint& point : staleness.curve) {
    if (!point.predicted) continue;
    text += fmt::format(
        "    {:>7} after the write: {:7} reads, {:6.2f} % saw it, predicted {:6.2f} %\n",
        describe_duration(point.after_ns), point.reads, 100 * point.seen, 100 * *point.predicted);
  }
  return text;
}

}  // namespace

std::string strongest_text(const LevelsReached& reached) {
  if (reached.strongest.empty()) return "none of the levels that are looked for";
  return fmt::format("{}", fmt::join(reached.strongest, ", "));
}

std::string why_not(const LevelsReached& reached, const Verdict& level) {
  for (const Verdict& stronger : reached.levels) {
    if (&stronger == &level) break;
    if (stronger.verdict == checker::Verdict::no && stronger.witness == level.witness) return {};
  }
  return level.witness;
}

std::string tightening_text(const Tightening& tightening, std::size_t operations) {
  const double all = std::max<double>(1, static_cast<double>(operations));
  return fmt::format("{} of unknown outcome ({:.2f} %): {} happened, {} never did, {} stay open",
                     tightening.unknown, 100 * static_cast<double>(tightening.unknown) / all,
                     tightening.happened, tightening.never, tightening.open);
}

std::string findings_text(const Run& run) {
  std::string text;
  if (run.levels) text += levels_text(run);
  if (run.staleness) text += staleness_text(*run.staleness);
  if (!run.tightening) return text;
  const Tightening& tightening = *run.tightening;
  text += fmt::format("  by the nodes' log, {}{}\n",
                      tightening_text(tightening, run.history.operations.size()),
                      tightening.reason.empty() ? "" : "; " + tightening.reason);
  for (const Verdict& verdict : tightening.verdicts) {
    text += fmt::format("    {:30} {:10} {}\n", verdict.guarantee,
                        checker::to_string(verdict.verdict), verdict.reason);
    if (verdict.promised) text += indented(verdict.witness, "      ");
  }
  return text;
}

}  // namespace parallax::harness
