#include "harness/judgement.h"

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "consistency/checker/causal.h"
#include "consistency/checker/counterexample.h"
#include "consistency/checker/linearizability.h"
#include "consistency/checker/log_order.h"
#include "consistency/checker/sequential.h"
#include "consistency/checker/session_guarantees.h"
#include "consistency/checker/staleness.h"
#include "consistency/checker/stamp_order.h"
#include "harness/classification.h"
#include "harness/workload.h"
#include "harness/workload_checks.h"

namespace parallax::harness {
namespace {

using checker::History;
using checker::Operation;
using checker::OperationKind;
using checker::Outcome;

/// Judges one run, guarantee by guarantee.
class Judge {
 public:
  Judge(Run& run, const Evidences& evidences, const Now& now)
      : run_(run), evidences_(evidences), now_(now) {}

  void judge(Guarantee guarantee, bool held_to) {
    const std::int64_t began = now_();
    Verdict verdict{.guarantee = std::string(guarantee_info(guarantee).title), .promised = held_to};
    fill(verdict, guarantee, held_to);
    verdict.took = Duration(now_() - began);
    run_.verdicts.push_back(std::move(verdict));
  }

 private:
  const History& history() const { return run_.history; }
  bool mixed() const { return run_.asked.workload == Workload::mixed_level; }

  static checker::Limits limits(bool held_to) {
    checker::Limits limits;
    if (!held_to) limits.max_steps /= kFewerSteps;
    return limits;
  }

  void fill(Verdict& verdict, Guarantee guarantee, bool held_to) {
    switch (guarantee) {
      case Guarantee::linearizable:
        return linearizable(verdict, held_to);
      case Guarantee::sequential: {
        // The search for an order is exponential, and that one is known.
        if (!mixed() && !run_.verdicts.empty() &&
            run_.verdicts.front().guarantee == guarantee_info(Guarantee::linearizable).title &&
            run_.verdicts.front().verdict == checker::Verdict::yes) {
          verdict.verdict = checker::Verdict::yes;
          verdict.reason = "as it is linearizable";
          return;
        }
        checker::SequentialOptions options;
        if (!held_to) options.limits.max_steps /= kFewerSteps;
        return take(verdict, checker::check_sequential(history(), options));
      }
      case Guarantee::causal:
        return take(verdict, checker::check_causal(history(), checker::CausalModel::ccv));
      case Guarantee::read_your_writes:
      case Guarantee::monotonic_reads:
      case Guarantee::monotonic_writes:
      case Guarantee::writes_follow_reads:
        return session(verdict, guarantee);
      case Guarantee::regular:
        return regular(verdict);
      case Guarantee::prefix:
        return prefix(verdict);
      case Guarantee::bounded:
        return bounded(verdict);
      case Guarantee::no_loss:
        if (!evidences_.healed_ns) return never_healed(verdict);
        return take(verdict, check_no_loss(history(), *evidences_.healed_ns));
      case Guarantee::unique:
        return take(verdict, check_unique_answers(history()));
      case Guarantee::converge:
        return converge(verdict);
    }
  }

  void linearizable(Verdict& verdict, bool held_to) {
    History part;
    if (mixed()) {
      part.texts = history().texts;
      for (const Operation& operation : history().operations) {
        const std::string_view level = history().texts[operation.level];
        if (operation.kind == OperationKind::read && !level.starts_with("linearizable")) continue;
        part.operations.push_back(operation);
      }
    }
    auto result =
        checker::check_linearizability(mixed() ? part : history(), {.limits = limits(held_to)});
    verdict.verdict = result.verdict;
    verdict.reason = std::move(result.reason);
    if (!result.counterexample) return;
    verdict.witness = std::move(result.counterexample->text);
    point_at(verdict, result.counterexample->operations);
  }

  void session(Verdict& verdict, Guarantee guarantee) {
    if (!sessions_) sessions_ = checker::check_session_guarantees(history());
    const auto index =
        static_cast<std::size_t>(guarantee) - static_cast<std::size_t>(Guarantee::read_your_writes);
    take(verdict, (*sessions_)[index]);
  }

  void regular(Verdict& verdict) {
    auto result = checker::check_stamp_order(history());
    verdict.verdict = result.verdict;
    verdict.reason = std::move(result.reason);
    if (!result.witness) return;
    verdict.witness = fmt::format("{}\n{} of {} reads are too old.\n", result.witness->text,
                                  result.too_old, result.reads);
    point_at(verdict, {result.witness->earlier, result.witness->read});
  }

  void prefix(Verdict& verdict) {
    const History part = of_log([this](const Operation& operation) {
      return !mixed() || operation.kind != OperationKind::read ||
             in_log(history().texts[operation.level]);
    });
    if (auto result = against_log(verdict, part, {})) {
      take_witness(verdict, result->prefix, result->prefix_witness);
    }
  }

  /// Each answer is held to the bound of its own level.
  void bounded(Verdict& verdict) {
    const std::map<checker::Text, std::uint32_t> bounds = bounds_of_levels();
    std::set<std::uint32_t> different;
    for (const auto& [level, ms] : bounds) different.insert(ms);
    verdict.verdict = checker::Verdict::yes;
    for (const std::uint32_t ms : different) {
      const History part = of_log([&](const Operation& operation) {
        const auto found = bounds.find(operation.level);
        return found != bounds.end() && found->second == ms;
      });
      auto result = against_log(verdict, part, std::int64_t{ms} * 1'000'000);
      if (!result) return;
      if (result->bounded == checker::Verdict::yes) continue;
      if (result->bounded_witness) {
        result->bounded_witness->pattern += fmt::format(" (within {} ms)", ms);
      }
      return take_witness(verdict, result->bounded, result->bounded_witness);
    }
  }

  /// The bounds in time, in ms, of the levels that have one.
  std::map<checker::Text, std::uint32_t> bounds_of_levels() const {
    std::map<checker::Text, std::uint32_t> bounds;
    std::set<checker::Text> seen;
    for (const Operation& operation : history().operations) {
      if (!seen.insert(operation.level).second) continue;
      const auto level = parse_consistency(history().texts[operation.level]);
      if (!level || level->level != Level::bounded || !level->max_staleness_ms) continue;
      bounds[operation.level] = *level->max_staleness_ms;
    }
    return bounds;
  }

  /// Nothing, and a reason, when there is no log to hold it against.
  static std::optional<checker::LogResult> against_log(Verdict& verdict, const History& part,
                                                       std::optional<std::int64_t> max_age_ns) {
    const auto log = checker::log_by_stamps(part);
    if (!log) {
      verdict.verdict = checker::Verdict::undecided;
      verdict.reason = log.error().message;
      return std::nullopt;
    }
    auto result = checker::check_against_log(
        part, *log, {.observer = checker::Observer::node, .max_age_ns = max_age_ns});
    verdict.reason = result.reason;
    return result;
  }

  void take_witness(Verdict& verdict, checker::Verdict said,
                    const std::optional<checker::Witness>& witness) {
    verdict.verdict = said;
    if (!witness) return;
    verdict.witness = fmt::format("{}\n{}", witness->pattern, witness->text);
    point_at(verdict, witness->part.operations);
  }

  /// The part that the log explains. A node that was started anew is another observer: it may have
  /// shown what was committed and not yet on its disk. A write of unknown outcome has the stamp
  /// that somebody saw on its value. Of what shows something only what is `wanted`.
  template <class Wanted>
  History of_log(const Wanted& wanted) const {
    History part{history().texts, {}};
    std::map<std::pair<checker::Text, checker::Text>, checker::Text> seen;
    for (const Operation& operation : history().operations) {
      const bool read = operation.kind == OperationKind::read && operation.outcome == Outcome::ok;
      if (!read && operation.outcome != Outcome::mismatch) continue;
      if (operation.stamp != checker::kNothing && operation.result != checker::kNothing) {
        seen[{operation.key, operation.result}] = operation.stamp;
      }
    }
    for (Operation operation : history().operations) {
      const bool read = operation.kind == OperationKind::read;
      const bool shows = read || operation.outcome == Outcome::mismatch;
      const auto life = life_of(operation);
      if (shows && (!life || !wanted(operation))) continue;
      if (!read && operation.stamp == checker::kNothing) {
        const auto found = seen.find({operation.key, operation.value});
        if (found != seen.end()) operation.stamp = found->second;
      }
      operation.node.value += 1'000 * life.value_or(0);
      part.operations.push_back(operation);
    }
    return part;
  }

  static bool in_log(std::string_view level) {
    for (const std::string_view name : {"linearizable", "sequential", "bounded", "prefix"}) {
      if (level.starts_with(name)) return true;
    }
    return false;
  }

  /// How often the node that answered had been started anew by then; nothing if that was at the
  /// time, so that nobody can say which of its lives answered.
  std::optional<std::uint32_t> life_of(const Operation& operation) const {
    const std::string name = fmt::format("n{}", operation.node);
    std::uint32_t lives = 0;
    for (const FaultWindow& window : run_.faults) {
      const bool ends_it = window.kind == "kill" || window.kind == "restart" ||
                           window.kind == "crash" || window.kind == "disk-full" ||
                           window.kind == "bit-flip";
      if (!ends_it || (window.target != name && window.target != "all")) continue;
      if (window.begin_ns > operation.return_ns) break;
      if (window.end_ns >= operation.call_ns) return std::nullopt;
      ++lives;
    }
    return lives;
  }

  /// What is there at the end cannot be told without one.
  static void never_healed(Verdict& verdict) {
    verdict.reason = "the run ended before all was healed";
  }

  void converge(Verdict& verdict) {
    if (!evidences_.healed_ns) return never_healed(verdict);
    const std::int64_t healed_ns = *evidences_.healed_ns;
    auto result = checker::check_convergence(evidences_.digests, evidences_.nodes, healed_ns);
    verdict.verdict = result.verdict;
    run_.convergence = Convergence{
        .healed_ns = healed_ns, .after_ns = result.converged_after_ns, .detail = result.reason};
    (result.verdict == checker::Verdict::no ? verdict.witness : verdict.reason) =
        std::move(result.reason);
  }

  /// A checker's result that has a Witness.
  template <class Result>
  void take(Verdict& verdict, const Result& result) {
    verdict.reason = result.reason;
    take_witness(verdict, result.verdict, result.witness);
  }
  void take(Verdict& verdict, Finding finding) {
    verdict.verdict = finding.verdict;
    verdict.reason = std::move(finding.reason);
    verdict.witness = std::move(finding.witness);
    verdict.operations = std::move(finding.operations);
  }

  /// Witnesses are copies. A client begins one operation at a time.
  void point_at(Verdict& verdict, const std::vector<Operation>& operations) {
    if (places_.empty()) {
      for (std::size_t i = 0; i < history().operations.size(); ++i) {
        const Operation& operation = history().operations[i];
        places_[{operation.client, operation.call_ns}] = i;
      }
    }
    for (const Operation& operation : operations) {
      const auto found = places_.find({operation.client, operation.call_ns});
      if (found != places_.end()) verdict.operations.push_back(found->second);
    }
    std::sort(verdict.operations.begin(), verdict.operations.end());
  }

  Run& run_;
  const Evidences& evidences_;
  const Now& now_;
  std::optional<checker::GuaranteeResults> sessions_;
  std::map<std::pair<std::uint32_t, std::int64_t>, std::size_t> places_;
};

/// What is above holds below (consistency/checker/classify.h): a checker that could not decide is
/// told by one that could.
void take_over_from_stronger(Run& run) {
  struct Implied {
    Guarantee stronger;
    std::vector<Guarantee> weaker;
  };
  static const std::vector<Implied> implied{
      {Guarantee::sequential, {Guarantee::causal}},
      {Guarantee::causal,
       {Guarantee::read_your_writes, Guarantee::monotonic_reads, Guarantee::monotonic_writes,
        Guarantee::writes_follow_reads}},
  };
  const auto find = [&](Guarantee guarantee) {
    return std::find_if(run.verdicts.begin(), run.verdicts.end(), [&](const Verdict& verdict) {
      return verdict.guarantee == guarantee_info(guarantee).title;
    });
  };
  for (const Implied& rule : implied) {
    const auto above = find(rule.stronger);
    if (above == run.verdicts.end() || above->verdict != checker::Verdict::yes) continue;
    for (const Guarantee guarantee : rule.weaker) {
      const auto below = find(guarantee);
      if (below == run.verdicts.end() || below->verdict != checker::Verdict::undecided) continue;
      below->verdict = checker::Verdict::yes;
      below->reason = fmt::format("as it is {}", above->guarantee);
    }
  }
}

void judge_those(Run& run, const Evidences& evidences, const Now& now,
                 const std::vector<Guarantee>& guarantees) {
  const auto wanted = held_to(run.asked);
  PARALLAX_ASSERT(wanted, "options were not checked: {}", wanted.error().message);
  Judge judge(run, evidences, now);
  for (const Guarantee guarantee : guarantees) {
    judge.judge(guarantee, std::find(wanted->begin(), wanted->end(), guarantee) != wanted->end());
  }
  // Of registers: in mixed-level runs linearizability is asked of a part alone.
  if (run.asked.workload != Workload::mixed_level) take_over_from_stronger(run);
}

void set_outcome(Run& run) {
  std::size_t acknowledged = 0;
  std::size_t written = 0;
  for (const Operation& operation : run.history.operations) {
    if (operation.outcome != Outcome::ok) continue;
    ++acknowledged;
    if (operation.kind != OperationKind::read) ++written;
  }
  std::string broken;
  std::string open;
  std::string kept;
  for (const Verdict& verdict : run.verdicts) {
    if (!verdict.promised) continue;
    std::string& list = verdict.verdict == checker::Verdict::no          ? broken
                        : verdict.verdict == checker::Verdict::undecided ? open
                                                                         : kept;
    list += fmt::format("{}{}", list.empty() ? "" : ", ", verdict.guarantee);
  }
  if (!broken.empty()) {
    run.outcome = RunOutcome::violated;
    run.reason = "violated: " + broken;
  } else if (acknowledged == 0) {
    run.outcome = RunOutcome::undecided;
    run.reason = "undecided: not one operation was acknowledged";
  } else if (written == 0) {
    // Reads of nothing keep every promise.
    run.outcome = RunOutcome::undecided;
    run.reason = "undecided: not one write was acknowledged";
  } else if (!open.empty()) {
    run.outcome = RunOutcome::undecided;
    run.reason = "undecided: " + open;
  } else {
    run.outcome = RunOutcome::held;
    run.reason = kept.empty() ? "held: nothing was promised" : "held: " + kept;
  }
}

}  // namespace

void judge_guarantees(Run& run, const Evidences& evidences, const Now& now) {
  judge_those(run, evidences, now, judgeable(run.asked));
}

void judge_run(Run& run, const Evidences& evidences, const Now& now) {
  judge_guarantees(run, evidences, now);
  if (has_registers(run.asked.workload)) {
    run.levels = classify_run(run);
    run.staleness = summarize_staleness(run.history);
    predict_staleness(run, evidences.peer_times);
  }
  if (evidences.answers_verified > 0) run.verdicts.push_back(judge_evidence(evidences));
  set_outcome(run);
}

Verdict judge_evidence(const Evidences& evidences) {
  Verdict verdict{.guarantee = std::string(kEvidenceOfAnswers), .promised = true};
  verdict.verdict = evidences.answers_refused == 0 ? checker::Verdict::yes : checker::Verdict::no;
  if (evidences.answers_refused > 0) {
    verdict.witness =
        fmt::format("{} of {} answers are not what they say they are; the first: {}",
                    evidences.answers_refused, evidences.answers_verified, evidences.first_refused);
  }
  return verdict;
}

std::vector<Verdict> judge_history(const Run& run, checker::History history, const Now& now) {
  Run other{.asked = run.asked, .history = std::move(history), .faults = run.faults};
  std::vector<Guarantee> of_history = judgeable(run.asked);
  std::erase_if(of_history, [](Guarantee guarantee) { return guarantee >= Guarantee::no_loss; });
  judge_those(other, {}, now, of_history);
  return std::move(other.verdicts);
}

void set_broken(Run& run, std::string reason) {
  // A violation that was found stays one, whatever happened besides.
  if (run.outcome == RunOutcome::violated) return;
  run.outcome = RunOutcome::undecided;
  run.reason = "the run broke: " + std::move(reason);
}

}  // namespace parallax::harness
