#include "harness/matrix_text.h"

#include <algorithm>
#include <map>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "harness/run_json.h"

namespace parallax::harness {
namespace {

namespace json = boost::json;

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string table(const Matrix& matrix) {
  std::size_t width = 0;
  for (const LevelRow& row : kLevelRows) width = std::max(width, row.level.size());
  std::string out = fmt::format("{:{}}", "", width);
  for (const DemandInfo& info : kDemands) out += fmt::format(" {:>9}", info.heading);
  out += " operations\n";
  for (const MatrixLine& line : matrix.lines) {
    if (!line.is_row) continue;
    out += fmt::format("{:{}}", line.pair.write, width);
    for (const MatrixCell& cell : line.cells) {
      // fmt pads by code points, and a dash is one.
      out += fmt::format(" {:>9}", to_string(cell.state));
    }
    out += fmt::format(" {:>10}\n", line.operations);
  }
  return out;
}

std::string legend() {
  return "held: promised, and kept in all operations. seen: not promised, and broken in this run.\n"
         "kept run: not promised, and shown by a kept run of the simulator, just now. argued: not\n"
         "promised, and docs/CONSISTENCY.md says why nothing shows it.\n";
}

std::string pairs(const Matrix& matrix) {
  std::size_t lines = 0;
  std::size_t operations = 0;
  std::map<CellState, std::size_t> cells;
  for (const MatrixLine& line : matrix.lines) {
    if (line.is_row) continue;
    ++lines;
    operations += line.operations;
    for (const MatrixCell& cell : line.cells) ++cells[cell.state];
  }
  return fmt::format(
      "{} pairs of a level that writes and another that reads, {} operations: {} promises held, {} "
      "broke, {} undecided; of what they do not promise {} were seen broken, {} were not.\n",
      lines, operations, cells[CellState::held], cells[CellState::broken],
      cells[CellState::undecided], cells[CellState::seen], cells[CellState::not_seen]);
}

std::string failures(const Matrix& matrix) {
  std::string out;
  for (const MatrixLine& line : matrix.lines) {
    for (const DemandInfo& info : kDemands) {
      const MatrixCell& cell = line.cells[static_cast<std::size_t>(info.demand)];
      if (cell.state != CellState::broken && cell.state != CellState::missing &&
          cell.state != CellState::undecided) {
        continue;
      }
      out += fmt::format("\n{}: {}, writes at {}, reads at {}\n{}\n", to_string(cell.state),
                         info.title, line.pair.write, line.pair.read, cell.words);
    }
  }
  for (const MatrixRound& round : matrix.rounds) {
    if (!round.evidence.witness.empty()) out += "\n" + round.evidence.witness + "\n";
    if (!round.broken.empty()) out += "\na round broke: " + round.broken + "\n";
  }
  return out;
}

json::array to_json(const std::vector<MatrixLine>& lines) {
  json::array out;
  for (const MatrixLine& line : lines) {
    json::object cells;
    for (const DemandInfo& info : kDemands) {
      const MatrixCell& cell = line.cells[static_cast<std::size_t>(info.demand)];
      if (cell.state == CellState::none) continue;
      json::object of{{"state", to_string(cell.state)}};
      if (!cell.words.empty()) of["words"] = cell.words;
      if (!cell.kept.empty()) of["kept_run"] = cell.kept;
      cells[info.title] = std::move(of);
    }
    out.push_back(json::object{{"write", line.pair.write},
                               {"read", line.pair.read},
                               {"operations", line.operations},
                               {"cells", std::move(cells)}});
  }
  return out;
}

}  // namespace

std::string matrix_text(const Matrix& matrix) {
  std::string out = table(matrix) + "\n" + legend() + "\n" + pairs(matrix);
  for (const MatrixRound& round : matrix.rounds) {
    out += fmt::format(
        "round of {:.0f} s, seed {}, network {}: {} operations, {:.2f} % unknown; faults: {}\n",
        seconds(round.asked.time), round.asked.seed, to_string(round.asked.network),
        round.operations,
        round.operations == 0
            ? 0.0
            : 100.0 * static_cast<double>(round.unknown) / static_cast<double>(round.operations),
        counts_text(round.faults));
  }
  for (const KeptRun& run : matrix.kept_runs) {
    out += fmt::format("kept run {}: {} in {:.1f} s\n", run.name, run.shown ? "shown" : "NOT shown",
                       seconds(run.took));
  }
  return out + failures(matrix) +
         fmt::format("{}: {} ({:.0f} s)\n", to_string(matrix.outcome), matrix.reason,
                     seconds(matrix.took));
}

std::string matrix_json(const Matrix& matrix) {
  json::array rounds;
  for (const MatrixRound& round : matrix.rounds) {
    json::array faults;
    for (const FaultWindow& window : round.faults) faults.push_back(to_json(window));
    rounds.push_back(json::object{{"time_ms", round.asked.time.count()},
                                  {"seed", round.asked.seed},
                                  {"network", to_string(round.asked.network)},
                                  {"operations", round.operations},
                                  {"unknown", round.unknown},
                                  {"broken", round.broken},
                                  {"evidence", checker::to_string(round.evidence.verdict)},
                                  {"faults", std::move(faults)}});
  }
  json::array kept;
  for (const KeptRun& run : matrix.kept_runs) {
    kept.push_back(json::object{{"name", run.name},
                                {"shown", run.shown},
                                {"words", run.words},
                                {"took_s", seconds(run.took)}});
  }
  return json::serialize(json::object{{"outcome", to_string(matrix.outcome)},
                                      {"reason", matrix.reason},
                                      {"took_s", seconds(matrix.took)},
                                      {"rounds", std::move(rounds)},
                                      {"kept_runs", std::move(kept)},
                                      {"lines", to_json(matrix.lines)}}) +
         "\n";
}

}  // namespace parallax::harness
