#include "harness/io/run_matrix.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "harness/io/child_process.h"
#include "harness/io/files.h"
#include "harness/matrix_text.h"
#include "harness/report/matrix_page.h"
#include "harness/workload_checks.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;

constexpr auto kMostOfKeptRun = 300s;
/// What a kept run has said, at most.
constexpr std::size_t kMostWords = 2'000;

std::filesystem::path file_of(const std::string& directory, std::string_view name) {
  return std::filesystem::path(directory) / fmt::format("{}.txt", name);
}

/// The arguments of the simulator: the words of the lines that begin as such do; the others say
/// what it shows.
std::vector<std::string> arguments_of(const std::filesystem::path& path) {
  std::vector<std::string> arguments;
  std::istringstream text(read_text(path));
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with("--")) continue;
    std::istringstream words(line);
    arguments.insert(arguments.end(), std::istream_iterator<std::string>(words), {});
  }
  return arguments;
}

std::vector<PartFindings> judge_parts(const std::vector<RunOptions>& parts,
                                      std::vector<checker::History> histories,
                                      const Evidences& evidences,
                                      const MatrixSurroundings& surroundings) {
  std::vector<PartFindings> findings(parts.size());
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> done{0};
  const auto work = [&] {
    for (std::size_t at = next++; at < parts.size(); at = next++) {
      findings[at] = judge_part(parts[at], std::move(histories[at]), evidences, steady_now);
      ++done;
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back(work);
  }
  while (done < parts.size()) {
    surroundings.tell(fmt::format("judging    {} of {} histories", done.load(), parts.size()));
    std::this_thread::sleep_for(50ms);
  }
  return findings;
}

/// False when it was interrupted.
bool add_round(MatrixTally& tally, RunOptions round, std::string_view name,
               const MatrixSurroundings& surroundings) {
  const std::vector<RunOptions> parts = matrix_parts(round);
  const Load load{
      .generator =
          [&](const std::string& prefix) { return make_matrix_load(round, parts, prefix); },
      .parts = parts};
  RunSurroundings of_run = surroundings.run;
  of_run.progress = [&](const Progress& progress) { surroundings.progress(name, progress); };
  of_run.directory = fmt::format("{}/{}", surroundings.run.directory, round.seed);
  std::filesystem::create_directories(of_run.directory);
  Recording recording = record(round, load, of_run);
  MatrixRound made{.asked = round,
                   .operations = recording.history.operations.size(),
                   .faults = std::move(recording.faults),
                   .evidence = judge_evidence(recording.evidences)};
  for (const checker::Operation& operation : recording.history.operations) {
    if (operation.outcome == checker::Outcome::unknown) ++made.unknown;
  }
  if (!recording.ended) {
    made.broken = recording.ended.error().message;
    if (recording.ended.error().code == ErrorCode::shutting_down) {
      tally.add(std::move(made), parts, std::vector<PartFindings>(parts.size()));
      return false;
    }
  }
  resolve_mismatches(recording.history);
  auto histories = split_by_part(recording.history, parts.size(), "");
  recording.history = {};
  auto findings = judge_parts(parts, std::move(histories), recording.evidences, surroundings);
  tally.add(std::move(made), parts, std::move(findings));
  return true;
}

/// Runs the simulator as the kept run says. Nothing: it was interrupted.
std::optional<KeptRun> replay(const std::string& name, const MatrixSurroundings& surroundings) {
  KeptRun run{.name = name};
  const std::int64_t began = steady_now();
  const std::string output = fmt::format("{}/{}.out", surroundings.run.directory, name);
  std::vector<std::string> argv = arguments_of(file_of(surroundings.kept, name));
  argv.insert(argv.begin(), surroundings.simulator);
  auto child = ChildProcess::start(argv, output);
  if (!child) {
    run.words = child.error().message;
    return run;
  }
  const auto until = std::chrono::steady_clock::now() + kMostOfKeptRun;
  while (child->running() && !surroundings.run.interrupted() &&
         std::chrono::steady_clock::now() < until) {
    surroundings.tell(fmt::format("kept run   {}", name));
    std::this_thread::sleep_for(20ms);
  }
  run.took = Duration(steady_now() - began);
  if (child->running()) {
    child->kill();
    if (surroundings.run.interrupted()) return std::nullopt;
    run.words = fmt::format("it was not over after {} s", kMostOfKeptRun.count());
    return run;
  }
  run.shown = child->code() == 0;
  run.words = end_of(read_text(output), kMostWords);
  return run;
}

}  // namespace

Result<void> check_kept_runs(const std::string& directory) {
  std::set<std::string_view> names{kLeaseReads.kept};
  for (const Denial& denial : denials()) {
    if (!denial.kept.empty()) names.insert(denial.kept);
  }
  for (const std::string_view name : names) {
    const auto path = file_of(directory, name);
    if (std::filesystem::exists(path)) continue;
    return definite(ErrorCode::bad_parameter,
                    fmt::format("{}: there is no such file; run it in the project's folder, or "
                                "name the folder of the simulator's kept runs with --kept",
                                path.string()));
  }
  return {};
}

void replay_kept_runs(MatrixTally& tally, const MatrixSurroundings& surroundings) {
  for (const std::string& name : tally.wanted_kept_runs()) {
    if (surroundings.run.interrupted()) return tally.interrupt();
    std::optional<KeptRun> run = replay(name, surroundings);
    if (!run) return tally.interrupt();
    tally.add(std::move(*run));
  }
}

Matrix run_matrix(std::chrono::milliseconds time, std::uint64_t seed, Network network,
                  const MatrixSurroundings& surroundings) {
  const std::int64_t began = steady_now();
  MatrixTally tally;
  RunOptions sparing = matrix_round(true, network);
  sparing.time = time * 6 / 10;
  sparing.seed = seed;
  RunOptions all = matrix_round(false, network);
  all.time = time - sparing.time;
  all.seed = seed + 1;
  if (add_round(tally, std::move(sparing), "1/2 ", surroundings) &&
      add_round(tally, std::move(all), "2/2 ", surroundings)) {
    replay_kept_runs(tally, surroundings);
  } else {
    tally.interrupt();
  }
  Matrix matrix = tally.result();
  matrix.took = Duration(steady_now() - began);
  return matrix;
}

Result<void> write_matrix(const Matrix& matrix, const std::string& directory) {
  PARALLAX_TRY(make_directory(directory));
  const std::filesystem::path path(directory);
  PARALLAX_TRY(write_text(path / "matrix.html", matrix_page(matrix)));
  return write_text(path / "matrix.json", matrix_json(matrix));
}

}  // namespace parallax::harness
