// The matrix: every level, and every pair of one that writes and one that reads, at the same time
// on one cluster under faults, each on keys of its own; and what became of what they promise.
//
// A cell is right if what is promised held, or if what is not promised was seen broken: in this
// run, or by the kept run of the simulator that the promise table names (harness/promise_table.h),
// replayed. A promise that breaks fails, and so does an anomaly that nobody could produce, unless
// the table argues that nobody can.
//
// Clients go through the pairs in turns, some clients at a time, so that the operations of a turn
// are dense enough to meet each other. Within a pair they play two workloads of registers: keys
// that one client writes and all read, and keys that all read and write. Levels that have sets add
// to sets, whose members must be there at the end: of these is told what survives.
//
// What it does not do: run anything (harness/io/run_matrix.h) or draw (harness/matrix_text.h,
// harness/report/matrix_page.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/judgement.h"
#include "harness/promise_table.h"
#include "harness/run.h"
#include "harness/workload.h"

namespace parallax::harness {

/// Writes at one level, reads at another: texts of the promise table.
struct MatrixPair {
  std::string_view write;
  std::string_view read;
  friend bool operator==(const MatrixPair&, const MatrixPair&) = default;
};
/// Each row of kLevelRows with itself, in their order; then those of kPairWrites and kPairReads
/// that are not among them.
std::vector<MatrixPair> matrix_pairs();

/// What each Step::part of a round is at: a pair each, in the order of matrix_pairs(), then the
/// sets of those rows that have them. `round` says nodes, faults, clients and seed.
std::vector<RunOptions> matrix_parts(const RunOptions& round);
/// Of all parts together. Which part a key is of stands in it.
std::unique_ptr<Generator> make_matrix_load(const RunOptions& round,
                                            const std::vector<RunOptions>& parts,
                                            const std::string& prefix);

/// By part: its operations, with texts of their own. `prefix` as in make_matrix_load().
std::vector<checker::History> split_by_part(const checker::History& history, std::size_t parts,
                                            std::string_view prefix);

/// What a part's history in one round says of a demand.
struct Found {
  checker::Verdict verdict = checker::Verdict::undecided;
  std::string words;  ///< the witness, or why undecided
};
struct PartFindings {
  std::map<Demand, Found> found;
  Demands promised;  ///< under the round's faults
  std::size_t operations = 0;
};
/// Judges a part. `options`: one of matrix_parts().
PartFindings judge_part(const RunOptions& options, checker::History history,
                        const Evidences& evidences, const Now& now);

enum class CellState : std::uint8_t {
  held,       ///< promised, and kept
  broken,     ///< promised, and not kept
  undecided,  ///< promised, and no round could tell; or its kept run was not reached
  seen,       ///< not promised, and a round broke it
  kept,       ///< not promised, and the simulator's kept run shows it
  argued,     ///< not promised; the table says why nothing shows it
  missing,    ///< not promised, and the kept run shows it no more
  not_seen,   ///< of a pair: not promised, and no round broke it
  none,       ///< there is nothing to ask
};
inline constexpr std::array<std::string_view, 9> kCellStates{
    "held", "BROKEN", "undecided", "seen", "kept run", "argued", "MISSING", "not seen", "–"};
constexpr std::string_view to_string(CellState state) {
  return kCellStates[static_cast<std::size_t>(state)];
}

struct MatrixCell {
  CellState state = CellState::none;
  std::string words;  ///< a witness, a reason or an argument
  std::string kept;   ///< of kept and missing: the run's name
};
struct MatrixLine {
  MatrixPair pair;
  bool is_row = false;  ///< of kLevelRows: what it does not promise is to be shown
  std::size_t operations = 0;
  std::array<MatrixCell, kDemands.size()> cells;  ///< by Demand
};
struct KeptRun {
  std::string name;
  bool shown = false;
  std::string words;  ///< what the simulator said, or why it could not be asked
  Duration took{};
};
struct MatrixRound {
  RunOptions asked;
  std::size_t operations = 0;
  std::size_t unknown = 0;
  std::vector<FaultWindow> faults;
  Verdict evidence;    ///< what answers said of themselves
  std::string broken;  ///< why it ended early; empty: it did not
};
struct Matrix {
  std::vector<MatrixLine> lines;
  std::vector<KeptRun> kept_runs;
  std::vector<MatrixRound> rounds;
  Duration took{};
  RunOutcome outcome = RunOutcome::undecided;
  std::string reason;
};

/// Collects what rounds and kept runs found.
class MatrixTally {
 public:
  MatrixTally() : pairs_(matrix_pairs()), found_(pairs_.size()) {}
  /// `parts`: by part, as matrix_parts() has them.
  void add(MatrixRound round, const std::vector<RunOptions>& options,
           std::vector<PartFindings> parts);
  /// The names of kept runs that are needed for what no round has shown, each once.
  std::vector<std::string> wanted_kept_runs() const;
  void add(KeptRun run) { kept_.push_back(std::move(run)); }
  /// No more will be added: kept runs that are missing were not reached.
  void interrupt() { interrupted_ = true; }
  Matrix result() const;

 private:
  MatrixCell cell(std::size_t line, Demand demand) const;
  MatrixCell denied_cell(std::size_t line, Demand demand) const;
  const Found* broken_in_a_round(std::size_t line, Demand demand) const;

  std::vector<MatrixPair> pairs_;
  std::vector<std::vector<PartFindings>> found_;  ///< by pair: of each round, registers and sets
  std::vector<MatrixRound> rounds_;
  std::vector<KeptRun> kept_;
  bool interrupted_ = false;
};

/// The options of a round but for its time and seed, with faults that spare the disks or with all.
RunOptions matrix_round(bool spares_disks, Network network);

}  // namespace parallax::harness
