#include "harness/matrix.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/assert.h"
#include "consistency/checker/causal.h"
#include "harness/target.h"

namespace parallax::harness {
namespace {

using checker::History;
using checker::Operation;
using checker::Text;

/// Clients that are at the same pair at the same time.
constexpr std::uint32_t kClientsOfTurn = 6;
/// Steps that they do there before they go on.
constexpr std::uint32_t kStepsOfTurn = 15 * kClientsOfTurn;
/// Of the workload that all read and write.
constexpr std::uint32_t kSharedKeys = 2;

std::size_t rows() {
  return kLevelRows.size();
}

/// All that is judged of pairs; the two that survive are told by sets.
bool is_of_sets(Demand demand) {
  return demand == Demand::survives_crash || demand == Demand::survives_disk;
}

/// A workload of a part.
struct Play {
  std::uint32_t part = 0;
  std::unique_ptr<Generator> generator;
};

class MatrixLoad : public Generator {
 public:
  MatrixLoad(const RunOptions& round, const std::vector<RunOptions>& parts,
             const std::string& prefix)
      : random_(round.seed ^ 0x3a72),
        groups_((round.clients + kClientsOfTurn - 1) / kClientsOfTurn) {
    for (std::uint32_t part = 0; part < parts.size(); ++part) {
      add_play(parts, part, parts[part].workload, prefix);
      // Registers that one client writes tell more of sessions, those that all write of orders.
      if (parts[part].workload == Workload::session) {
        add_play(parts, part, Workload::registers, prefix);
      }
    }
    // A play is always of the same clients, as those of a session's own keys must be.
    for (std::uint32_t play = 0; play < plays_.size(); ++play) {
      groups_[plays_[play].part % groups_.size()].plays.push_back(play);
    }
    at_.resize(round.clients);
  }

  Step next(std::uint32_t client) override {
    Group& group = groups_[client % groups_.size()];
    if (group.left == 0) turn(group);
    --group.left;
    at_[client] = group.plays[group.at];
    Play& play = plays_[at_[client]];
    Step step = play.generator->next(client / number(groups_.size()));
    step.part = play.part;
    return step;
  }
  void done(std::uint32_t client, const Step& step, const StepSeen& seen) override {
    plays_[at_[client]].generator->done(client / number(groups_.size()), step, seen);
  }
  std::vector<Step> final_reads() const override {
    std::vector<Step> all;
    for (const Play& play : plays_) {
      for (Step& step : play.generator->final_reads()) {
        step.part = play.part;
        all.push_back(std::move(step));
      }
    }
    return all;
  }

 private:
  struct Group {
    std::vector<std::uint32_t> plays;
    std::size_t at = 0;
    std::uint32_t left = 0;
  };
  static std::uint32_t number(std::size_t size) { return static_cast<std::uint32_t>(size); }

  void add_play(const std::vector<RunOptions>& parts, std::uint32_t part, Workload workload,
                const std::string& prefix) {
    RunOptions options = parts[part];
    options.workload = workload;
    // So that no two plays of a part draw alike.
    options.seed += part * 2 + (workload == Workload::registers ? 1 : 0);
    plays_.push_back({part, make_generator(options, fmt::format("{}{}.", prefix, part))});
  }
  /// On to the next play; once around, the order is drawn anew.
  void turn(Group& group) {
    group.left = kStepsOfTurn;
    if (++group.at < group.plays.size()) return;
    group.at = 0;
    for (std::size_t i = group.plays.size(); i > 1; --i) {
      std::swap(group.plays[i - 1], group.plays[random_.below(i)]);
    }
  }

  Random random_;
  std::vector<Play> plays_;
  std::vector<Group> groups_;
  std::vector<std::uint32_t> at_;  ///< by client: the play of its last step
};

/// What holds gives what it implies; what does not hold takes with it what implies it.
void close(std::map<Demand, Found>& found) {
  const std::map<Demand, Found> judged = found;
  for (const auto& [demand, of] : judged) {
    for (const DemandInfo& info : kDemands) {
      const bool below =
          of.verdict == checker::Verdict::yes && implied_by(demand).contains(info.demand);
      const bool above =
          of.verdict == checker::Verdict::no && implied_by(info.demand).contains(demand);
      if (!below && !above) continue;
      Found& other = found[info.demand];
      if (other.verdict == checker::Verdict::undecided) other = of;
    }
  }
}

}  // namespace

std::vector<MatrixPair> matrix_pairs() {
  std::vector<MatrixPair> pairs;
  for (const LevelRow& row : kLevelRows) pairs.push_back({row.level, row.level});
  for (const PairSide& write : kPairWrites) {
    for (const PairSide& read : kPairReads) {
      const MatrixPair pair{write.level, read.level};
      if (std::find(pairs.begin(), pairs.end(), pair) == pairs.end()) pairs.push_back(pair);
    }
  }
  return pairs;
}

std::vector<RunOptions> matrix_parts(const RunOptions& round) {
  std::vector<RunOptions> parts;
  RunOptions options = round;
  options.clients = kClientsOfTurn;
  options.keys = kSharedKeys;
  options.workload = Workload::session;
  for (const MatrixPair& pair : matrix_pairs()) {
    options.write_level = level_of(pair.write);
    options.read_level = level_of(pair.read);
    parts.push_back(options);
  }
  options.workload = Workload::set;
  options.keys = 1;
  for (const LevelRow& row : kLevelRows) {
    options.write_level = options.read_level = level_of(row.level);
    if (workload_needs(Workload::set, options.write_level, options.read_level)) continue;
    parts.push_back(options);
  }
  return parts;
}

std::unique_ptr<Generator> make_matrix_load(const RunOptions& round,
                                            const std::vector<RunOptions>& parts,
                                            const std::string& prefix) {
  return std::make_unique<MatrixLoad>(round, parts, prefix);
}

std::vector<History> split_by_part(const History& history, std::size_t parts,
                                   std::string_view prefix) {
  std::vector<History> out(parts);
  // By part: what a text of the whole is there.
  std::vector<std::map<Text, Text>> known(parts);
  for (const Operation& operation : history.operations) {
    const std::string_view key = history.texts[operation.key].substr(prefix.size());
    std::size_t part = 0;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), part);
    PARALLAX_ASSERT(parsed.ec == std::errc() && part < parts, "a key of no part: {}", key);
    const auto here = [&](Text text) {
      if (text < checker::kFirstText) return text;
      const auto [at, is_new] = known[part].try_emplace(text);
      if (is_new) at->second = out[part].texts.intern(history.texts[text]);
      return at->second;
    };
    Operation copy = operation;
    for (Text Operation::*member :
         {&Operation::key, &Operation::value, &Operation::expected, &Operation::result,
          &Operation::level, &Operation::session, &Operation::stamp}) {
      copy.*member = here(operation.*member);
    }
    out[part].operations.push_back(copy);
  }
  return out;
}

PartFindings judge_part(const RunOptions& options, History history, const Evidences& evidences,
                        const Now& now) {
  Run run;
  run.asked = options;
  run.history = std::move(history);
  PartFindings findings{.operations = run.history.operations.size()};
  judge_guarantees(run, evidences, now);
  const bool loses_disks = std::find(options.faults.begin(), options.faults.end(),
                                     Fault::bit_flip) != options.faults.end();
  for (const Verdict& verdict : run.verdicts) {
    const auto info =
        std::find_if(kGuarantees.begin(), kGuarantees.end(),
                     [&](const GuaranteeInfo& other) { return other.title == verdict.guarantee; });
    PARALLAX_ASSERT(info != kGuarantees.end(), "no guarantee: {}", verdict.guarantee);
    auto demand = demand_of(info->guarantee);
    if (options.workload == Workload::set) {
      if (info->guarantee != Guarantee::no_loss) continue;
      demand = loses_disks ? Demand::survives_disk : Demand::survives_crash;
    }
    if (!demand) continue;
    findings.found[*demand] = {verdict.verdict,
                               verdict.witness.empty() ? verdict.reason : verdict.witness};
    if (verdict.promised) {
      findings.promised = findings.promised | Demands{*demand} | implied_by(*demand);
    }
  }
  const auto convergence = findings.found.find(Demand::causal_convergence);
  if (convergence != findings.found.end() && convergence->second.verdict == checker::Verdict::no) {
    const auto causal = checker::check_causal(run.history, checker::CausalModel::cc);
    findings.found[Demand::causal] = {causal.verdict,
                                      causal.witness ? causal.witness->text : causal.reason};
  }
  close(findings.found);
  return findings;
}

void MatrixTally::add(MatrixRound round, const std::vector<RunOptions>& options,
                      std::vector<PartFindings> parts) {
  PARALLAX_ASSERT(options.size() == parts.size() && parts.size() >= pairs_.size(),
                  "{} findings of {} parts", parts.size(), options.size());
  for (std::size_t part = 0; part < parts.size(); ++part) {
    std::size_t pair = part;
    if (part >= pairs_.size()) {
      for (pair = 0; pair < rows(); ++pair) {
        if (level_of(pairs_[pair].write) == options[part].write_level) break;
      }
      PARALLAX_ASSERT(pair < rows(), "sets of no row");
    }
    found_[pair].push_back(std::move(parts[part]));
  }
  rounds_.push_back(std::move(round));
}

const Found* MatrixTally::broken_in_a_round(std::size_t line, Demand demand) const {
  for (const PartFindings& findings : found_[line]) {
    const auto of = findings.found.find(demand);
    if (of != findings.found.end() && of->second.verdict == checker::Verdict::no) {
      return &of->second;
    }
  }
  return nullptr;
}

MatrixCell MatrixTally::denied_cell(std::size_t line, Demand demand) const {
  if (const Found* broken = broken_in_a_round(line, demand)) {
    return {.state = CellState::seen, .words = broken->words};
  }
  if (line >= rows()) return {.state = CellState::not_seen};
  const Denial& denial = *standing(kLevelRows[line], demand).denial;
  MatrixCell cell{.words = std::string(denial.why), .kept = std::string(denial.kept)};
  if (denial.kept.empty()) {
    cell.state = CellState::argued;
    return cell;
  }
  const auto run = std::find_if(kept_.begin(), kept_.end(),
                                [&](const KeptRun& kept) { return kept.name == denial.kept; });
  if (run == kept_.end() && interrupted_) {
    return {.state = CellState::undecided, .words = "interrupted before its kept run"};
  }
  const bool shown = run != kept_.end() && run->shown;
  cell.state = shown ? CellState::kept : CellState::missing;
  if (!shown) {
    cell.words = fmt::format("{} is not shown by its kept run: {}", denial.kept,
                             run == kept_.end() ? "it was not run" : run->words);
  }
  return cell;
}

MatrixCell MatrixTally::cell(std::size_t line, Demand demand) const {
  const Consistency write = level_of(pairs_[line].write);
  const Consistency read = level_of(pairs_[line].read);
  const bool is_row = line < rows();
  if (!is_row && is_of_sets(demand)) return {};  // that is the write's alone, and stands in its row
  if (!has_place(write, demand) || !has_place(read, demand)) return {};
  if (!promised_demands(write, read).contains(demand)) return denied_cell(line, demand);
  // A level without sets has its registers read at the end, too.
  const bool has_sets =
      std::any_of(found_[line].begin(), found_[line].end(), [](const PartFindings& findings) {
        return findings.found.contains(Demand::survives_crash) ||
               findings.found.contains(Demand::survives_disk);
      });
  const Demand asked = is_of_sets(demand) && !has_sets ? Demand::linearizable : demand;
  MatrixCell cell{.state = CellState::undecided, .words = "no round could tell"};
  for (const PartFindings& findings : found_[line]) {
    const auto of = findings.found.find(asked);
    if (of == findings.found.end() || !findings.promised.contains(asked)) continue;
    if (of->second.verdict == checker::Verdict::no) {
      return {.state = CellState::broken, .words = of->second.words};
    }
    if (of->second.verdict == checker::Verdict::yes) {
      cell = {.state = CellState::held};
    } else if (cell.state == CellState::undecided) {
      cell.words = of->second.words;
    }
  }
  return cell;
}

std::vector<std::string> MatrixTally::wanted_kept_runs() const {
  // What a promise rests on is shown, too.
  std::set<std::string> names{std::string(kLeaseReads.kept)};
  for (std::size_t line = 0; line < rows(); ++line) {
    for (const DemandInfo& info : kDemands) {
      const MatrixCell of = cell(line, info.demand);
      if (of.state == CellState::missing) names.insert(of.kept);
    }
  }
  return {names.begin(), names.end()};
}

Matrix MatrixTally::result() const {
  Matrix matrix{.kept_runs = kept_, .rounds = rounds_};
  std::map<CellState, std::vector<std::string>> cells;
  for (std::size_t line = 0; line < pairs_.size(); ++line) {
    MatrixLine& made = matrix.lines.emplace_back();
    made.pair = pairs_[line];
    made.is_row = line < rows();
    for (const PartFindings& findings : found_[line]) made.operations += findings.operations;
    for (const DemandInfo& info : kDemands) {
      MatrixCell& of = made.cells[static_cast<std::size_t>(info.demand)];
      of = cell(line, info.demand);
      cells[of.state].push_back(made.is_row
                                    ? fmt::format("{} at {}", info.title, made.pair.write)
                                    : fmt::format("{} of writes at {} and reads at {}", info.title,
                                                  made.pair.write, made.pair.read));
    }
  }
  for (const KeptRun& run : kept_) {
    if (run.name == kLeaseReads.kept && !run.shown) {
      cells[CellState::missing].push_back(fmt::format("{}: {}", run.name, run.words));
    }
  }
  std::vector<std::string> ended;
  for (const MatrixRound& round : rounds_) {
    if (!round.broken.empty()) ended.push_back("a round broke: " + round.broken);
    if (round.evidence.verdict == checker::Verdict::no) {
      cells[CellState::broken].push_back(round.evidence.guarantee);
    }
  }
  if (interrupted_ && ended.empty()) ended.emplace_back("it was interrupted");
  const auto tell = [&](RunOutcome outcome, std::string_view what,
                        const std::vector<std::string>& of) {
    matrix.outcome = outcome;
    matrix.reason = fmt::format("{}: {}", what, fmt::join(of, "; "));
  };
  if (!cells[CellState::broken].empty()) {
    tell(RunOutcome::violated, "promised, and not kept", cells[CellState::broken]);
  } else if (!ended.empty() || rounds_.empty()) {
    tell(RunOutcome::undecided, "undecided", ended);
  } else if (!cells[CellState::missing].empty()) {
    tell(RunOutcome::violated, "permitted, and nobody could show it", cells[CellState::missing]);
  } else if (!cells[CellState::undecided].empty()) {
    tell(RunOutcome::undecided, "promised, and undecided", cells[CellState::undecided]);
  } else {
    matrix.outcome = RunOutcome::held;
    matrix.reason = fmt::format(
        "{} promises held; of what is not promised {} were seen broken and {} are shown by kept "
        "runs; {} are argued",
        cells[CellState::held].size(), cells[CellState::seen].size(), cells[CellState::kept].size(),
        cells[CellState::argued].size());
  }
  return matrix;
}

RunOptions matrix_round(bool spares_disks, Network network) {
  RunOptions round;
  round.clients = 4 * kClientsOfTurn;
  round.network = network;
  for (const Fault fault : possible_faults(target_info(round.target), network)) {
    if (spares_disks && fault == Fault::bit_flip) continue;
    round.faults.push_back(fault);
  }
  return round;
}

}  // namespace parallax::harness
