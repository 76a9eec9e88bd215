#include "harness/mutants.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/assert.h"
#include "harness/promises.h"

namespace parallax::harness {
namespace {

constexpr std::string_view title(Guarantee guarantee) {
  return kGuarantees[static_cast<std::size_t>(guarantee)].title;
}
constexpr std::string_view kLinearizable = title(Guarantee::linearizable);
constexpr std::string_view kSequential = title(Guarantee::sequential);
constexpr std::string_view kRegular = title(Guarantee::regular);
constexpr std::string_view kUnique = title(Guarantee::unique);
constexpr std::string_view kNoLoss = title(Guarantee::no_loss);
constexpr std::string_view kBounded = title(Guarantee::bounded);
constexpr std::string_view kPrefix = title(Guarantee::prefix);
constexpr std::string_view kReadYourWrites = title(Guarantee::read_your_writes);
constexpr std::string_view kMonotonicReads = title(Guarantee::monotonic_reads);
constexpr std::string_view kMonotonicWrites = title(Guarantee::monotonic_writes);

constexpr std::array kMutants{
    // linearizable
    Mutant{Canary::read_without_round, kLinearizable, "register", "linearizable", "partition"},
    // Many clients on few keys: most conditions are refused.
    Mutant{.canary = Canary::refusal_without_round,
           .checker = kLinearizable,
           .workload = "register",
           .level = "linearizable",
           .faults = "partition",
           .clients = 20,
           .keys = 2},
    // Delayed: what the next leader knows to be committed is behind what is acknowledged.
    Mutant{.canary = Canary::serve_before_no_op,
           .checker = kLinearizable,
           .workload = "register",
           .level = "linearizable",
           .faults = "delay,transfer",
           .clients = 20},
    Mutant{Canary::acknowledge_before_sync, kLinearizable, "register", "linearizable",
           "restart,slow-disk"},
    Mutant{Canary::condition_without_pending, kUnique, "unique-ids", "linearizable"},
    Mutant{Canary::write_forwarded_again, kNoLoss, "counter", "linearizable", "loss"},
    Mutant{Canary::forward_copy_done_again, kNoLoss, "counter", "linearizable", "duplicate"},
    // the other levels of the log
    // The search for one order of all is exponential: no more operations than it decides.
    Mutant{.canary = Canary::session_index_ignored,
           .checker = kSequential,
           .workload = "session",
           .level = "sequential",
           .faults = "delay",
           .rate = 500},
    Mutant{Canary::freshness_at_contact, kBounded, "register", "linearizable", "delay",
           "bounded; max_staleness_ms=50"},
    // Two nodes: none of their writes commits while one is away, and all of them afterwards.
    Mutant{.canary = Canary::unknown_called_definite,
           .checker = kPrefix,
           .workload = "register",
           .level = "linearizable",
           .faults = "pause",
           .read_level = "prefix",
           .seconds = 20,
           .nodes = 2},
    // acknowledgement modes
    Mutant{Canary::all_at_majority, kEvidenceOfAnswers, "register", "linearizable; ack=all",
           "pause"},
    Mutant{Canary::semi_sync_alone, kEvidenceOfAnswers, "register", "linearizable; ack=semi-sync",
           "delay"},
    Mutant{Canary::early_before_disk, kEvidenceOfAnswers, "register", "linearizable; ack=leader",
           "slow-disk"},
    // without a leader
    Mutant{Canary::read_not_written_back, kLinearizable, "register", "atomic", "delay"},
    Mutant{Canary::quorum_first_answer, kRegular, "register", "quorum", "loss"},
    Mutant{Canary::failed_batch_counts, kRegular, "register", "quorum; r=1; w=3", "disk-full"},
    // One node: nobody else's clock puts it right.
    Mutant{.canary = Canary::stamp_reused_after_restart,
           .checker = kEvidenceOfAnswers,
           .workload = "register",
           .level = "quorum",
           .faults = "kill,clock",
           .seconds = 8,
           .nodes = 1},
    // Many keys: what is lost is seen before somebody has brought it back.
    Mutant{.canary = Canary::recovery_without_states,
           .checker = kRegular,
           .workload = "register",
           .level = "quorum; r=1; w=3",
           .faults = "bit-flip",
           .keys = 200},
    // causal
    Mutant{Canary::causal_write_too_early, kMonotonicWrites, "sequential", "causal", "delay"},
    Mutant{Canary::causal_write_forgotten, kReadYourWrites, "session",
           "session; guarantees=\"ryw\"", "delay"},
    Mutant{Canary::causal_read_forgotten, kMonotonicReads, "session", "session; guarantees=\"mr\"",
           "reorder"},
    // what only converges, and what promises nothing but its name
    Mutant{Canary::siblings_not_merged, kNoLoss, "counter", "eventual", "partition"},
    Mutant{Canary::eventual_before_disk, kNoLoss, "set", "eventual", "crash,slow-disk"},
    Mutant{Canary::weak_called_eventual, kEvidenceOfAnswers, "register", "weak"},
};

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    words.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return words;
}

/// Of the table, which has no mistakes.
template <class T>
T must(Result<T> parsed) {
  PARALLAX_ASSERT(parsed, "the table of mutants: {}", parsed.error().message);
  return *std::move(parsed);
}

}  // namespace

std::span<const Mutant> mutants() {
  return kMutants;
}

const CanaryInfo& canary_of(const Mutant& mutant) {
  const auto* found = std::find_if(kCanaries.begin(), kCanaries.end(), [&](const CanaryInfo& info) {
    return info.canary == mutant.canary;
  });
  PARALLAX_ASSERT(found != kCanaries.end(), "canary {} has no name",
                  static_cast<int>(mutant.canary));
  return *found;
}

Result<const Mutant*> find_mutant(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Mutant& mutant : kMutants) {
    names.push_back(canary_of(mutant).name);
    if (names.back() == name) return &mutant;
  }
  return definite(ErrorCode::bad_parameter, fmt::format("no mutant is called '{}'; there are {}",
                                                        name, fmt::join(names, ", ")));
}

RunOptions round_of(const Mutant& mutant, std::uint64_t seed) {
  RunOptions options;
  options.nodes = mutant.nodes;
  options.workload = must(parse_workload(mutant.workload));
  options.write_level = must(parse_consistency(mutant.level));
  options.read_level =
      mutant.read_level.empty() ? options.write_level : must(parse_consistency(mutant.read_level));
  options.faults = must(parse_faults(mutant.faults));
  options.clients = mutant.clients;
  options.rate = mutant.rate;
  options.time = std::chrono::seconds(mutant.seconds);
  options.keys = mutant.keys;
  options.seed = seed;
  options.check = words_of(mutant.check);
  return options;
}

bool caught_in(const Mutant& mutant, const Rounds& rounds) {
  return rounds.outcome == RunOutcome::violated &&
         std::find(rounds.violated.begin(), rounds.violated.end(), mutant.checker) !=
             rounds.violated.end();
}

bool caught(const MutantResult& result) {
  return caught_in(*result.mutant, result.with_bug);
}

bool control_held(const MutantResult& result) {
  return !result.control || result.control->outcome == RunOutcome::held;
}

}  // namespace parallax::harness
