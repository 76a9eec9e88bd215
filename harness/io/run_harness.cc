#include "harness/io/run_harness.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include "harness/io/clients.h"
#include "harness/io/cluster.h"
#include "harness/io/files.h"
#include "harness/io/log_reader.h"
#include "harness/io/nemesis.h"
#include "harness/io/targets.h"
#include "harness/judgement.h"
#include "harness/report/report.h"
#include "harness/run_json.h"
#include "harness/target.h"
#include "harness/tighten.h"
#include "harness/workload_checks.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 10ms;
constexpr auto kMostToStart = 60s;
constexpr auto kMostToHeal = 60s;
constexpr auto kMostToConverge = 30s;
/// Or a tenth of the run's time, if that is more: what is to be read grows with it.
constexpr auto kMostToReadLast = 30s;

/// The stages of a run, one after the other. Errors: what broke it.
class Stages {
 public:
  Stages(const RunOptions& options, const Load& load, const RunSurroundings& surroundings)
      : options_(options), load_(load), surroundings_(surroundings) {}

  Result<void> run() {
    enter("starting");
    PARALLAX_ASSIGN(cluster_, open_cluster());
    const PeerTimes before = cluster_->peer_times();
    Nemesis nemesis(*cluster_, plan_faults(options_), [this] { return recorder_.now(); });
    const Result<void> driven = drive(nemesis);
    faults = nemesis.windows();
    evidences.peer_times = since(before, cluster_->peer_times());
    if (options_.tighten && driven) {
      enter("reading logs");
      logs = stop_and_read_logs(*cluster_, surroundings_.parallaxd);
    }
    // Whatever has ended the run: a cluster that was there before is not left with faults.
    for (std::uint32_t n = 1; !options_.endpoints.empty() && n <= cluster_->size(); ++n) {
      static_cast<void>(cluster_->set_faults(n, {}));
    }
    cluster_.reset();  // the checkers need the machine now
    return driven;
  }

  checker::History take_history() { return recorder_.take(); }
  Recorder::Counts counts() const { return recorder_.counts(); }

  std::vector<FaultWindow> faults;
  Evidences evidences;
  Result<std::vector<LogDump>> logs =
      definite(ErrorCode::io, "the run broke before the logs were read");

 private:
  using Clock = std::chrono::steady_clock;

  void enter(std::string_view stage) {
    stage_ = stage;
    entered_ = Clock::now();
    tell({});
  }
  Duration elapsed() const { return Clock::now() - entered_; }
  void tell(std::string under_way) {
    surroundings_.progress({stage_, elapsed(), recorder_.counts(), std::move(under_way)});
  }
  /// Between two steps. Errors: shutting_down, when the user has had enough.
  Result<void> breathe(std::string under_way = {}) {
    tell(std::move(under_way));
    if (cluster_) {
      PARALLAX_TRY(cluster_->look_after());
    }
    if (surroundings_.interrupted()) {
      return definite(ErrorCode::shutting_down, "it was interrupted");
    }
    std::this_thread::sleep_for(kTick);
    return {};
  }

  Result<std::unique_ptr<System>> start_nodes() {
    if (options_.target != "parallax") return open_target(options_, surroundings_.directory);
    PARALLAX_ASSIGN(Cluster opened,
                    Cluster::open(options_, surroundings_.parallaxd, surroundings_.directory,
                                  surroundings_.node_arguments));
    return std::make_unique<Cluster>(std::move(opened));
  }

  Result<std::unique_ptr<System>> open_cluster() {
    PARALLAX_ASSIGN(auto cluster, start_nodes());
    for (std::uint32_t node = 1; node <= cluster->size();) {
      if (cluster->ready(node)) {
        ++node;
        continue;
      }
      PARALLAX_TRY(breathe());
      if (cluster->running(node) && elapsed() < kMostToStart) continue;
      return definite(ErrorCode::io,
                      fmt::format("the node at {} did not become ready: {}",
                                  cluster->endpoint(node), cluster->why_not_ready(node)));
    }
    PARALLAX_TRY(cluster->identify());
    return cluster;
  }

  Result<void> drive(Nemesis& nemesis) {
    for (std::uint32_t n = 1; n <= cluster_->size(); ++n) evidences.nodes.emplace_back(n);
    PARALLAX_ASSIGN(const auto store, cluster_->open_store(options_));
    // In a cluster that was there before, so may be keys of another run.
    const auto unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    const std::string prefix =
        options_.endpoints.empty() ? std::string() : fmt::format("run-{}/", unix_ms.count());
    Clients clients(*store, options_, load_.parts, load_.generator(prefix), recorder_);
    const Result<void> worked = work(nemesis, *store, clients, prefix);
    clients.stop();
    clients.tell(evidences);
    return worked;
  }

  Result<void> work(Nemesis& nemesis, Store& store, Clients& clients, const std::string& prefix) {
    enter("running");
    nemesis.begin(recorder_.now());
    clients.start();
    while (elapsed() < options_.time && recorder_.size() < surroundings_.most_operations) {
      PARALLAX_TRY(nemesis.tick());
      PARALLAX_TRY(breathe(nemesis.under_way()));
    }
    const Duration ran = elapsed();
    enter("healing");
    PARALLAX_ASSIGN(const bool healed_at_once, nemesis.heal());
    static_cast<void>(
        healed_at_once);  // it takes time, and what clients wait for goes on meanwhile
    clients.stop();
    PARALLAX_TRY(heal(nemesis));
    enter("converging");
    PARALLAX_TRY(converge(nemesis, store, prefix));
    enter("last reads");
    PARALLAX_TRY(read_last(nemesis, clients));
    if (ran >= options_.time) return {};
    return definite(
        ErrorCode::io,
        fmt::format("{} operations, as many as a run may have, were there after {:.1f} "
                    "s; a smaller --rate or --time makes fewer",
                    surroundings_.most_operations, std::chrono::duration<double>(ran).count()));
  }

  Result<void> heal(Nemesis& nemesis) {
    for (;;) {
      PARALLAX_ASSIGN(const bool healed, nemesis.heal());
      if (healed) break;
      PARALLAX_TRY(breathe());
      if (elapsed() < kMostToHeal) continue;
      std::string missing;
      for (std::uint32_t node = 1; node <= cluster_->size(); ++node) {
        if (cluster_->ready(node)) continue;
        missing += fmt::format("\nnode {}: {}", node, cluster_->why_not_ready(node));
      }
      return definite(ErrorCode::io, "after all was healed these did not become ready:" + missing);
    }
    evidences.healed_ns = recorder_.now();
    return {};
  }

  /// A node may find only now what a flipped bit has damaged, and end: it is started anew.
  Result<void> converge(Nemesis& nemesis, Store& store, const std::string& prefix) {
    if (!target_info(options_.target).digests) return {};
    while (elapsed() < kMostToConverge) {
      std::optional<std::string> first;
      bool same = true;
      for (const NodeId node : evidences.nodes) {
        const auto digest = store.digest(node.value, prefix);
        same = same && digest && (!first || *first == *digest);
        if (!digest) continue;
        first = *digest;
        evidences.digests.push_back({recorder_.now(), node, *digest});
      }
      if (same) break;
      PARALLAX_TRY(nemesis.heal());
      PARALLAX_TRY(breathe());
    }
    return {};
  }

  Result<void> read_last(Nemesis& nemesis, Clients& clients) {
    const Duration limit = std::max<Duration>(kMostToReadLast, options_.time / 10);
    clients.start_last_reads();
    while (clients.unread() > 0) {
      PARALLAX_ASSIGN(const bool whole, nemesis.heal());
      clients.hold(!whole);
      PARALLAX_TRY(breathe());
      if (elapsed() < limit) continue;
      return definite(ErrorCode::io,
                      fmt::format("{} of {} last reads were not over after {} s; a smaller --keys "
                                  "or --time leaves fewer",
                                  clients.unread(), clients.last_reads(),
                                  std::chrono::duration_cast<std::chrono::seconds>(limit).count()));
    }
    return {};
  }

  const RunOptions& options_;
  const Load& load_;
  const RunSurroundings& surroundings_;
  Recorder recorder_{options_.target};
  std::unique_ptr<System> cluster_;
  std::string_view stage_;
  Clock::time_point entered_ = Clock::now();
};

/// Line by line: as a whole it would be several times what it is in memory.
Result<void> write_history(const std::filesystem::path& path, const checker::History& history) {
  return write_file(path, [&](std::ofstream& out) {
    std::string line;
    for (const checker::Operation& operation : history.operations) {
      line.clear();
      checker::append_line(line, history.texts, operation);
      out << line;
    }
  });
}

}  // namespace

Recording record(const RunOptions& options, const Load& load, const RunSurroundings& surroundings) {
  Stages stages(options, load, surroundings);
  Result<void> ended = stages.run();
  const Recorder::Counts counts = stages.counts();
  return {.history = stages.take_history(),
          .faults = std::move(stages.faults),
          .evidences = std::move(stages.evidences),
          .counts = counts,
          .logs = std::move(stages.logs),
          .ended = std::move(ended)};
}

std::int64_t steady_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Run run_harness(const RunOptions& options, const RunSurroundings& surroundings) {
  Run run;
  run.asked = options;
  run.replay_command = replay_command(options);
  const Load load{
      .generator =
          [&options](std::string prefix) { return make_generator(options, std::move(prefix)); },
      .parts = {options}};
  Recording recording = record(options, load, surroundings);
  run.faults = std::move(recording.faults);
  run.history = std::move(recording.history);
  resolve_mismatches(run.history);
  const bool interrupted =
      !recording.ended && recording.ended.error().code == ErrorCode::shutting_down;
  if (!interrupted) {
    surroundings.progress({"judging", {}, recording.counts, {}});
    judge_run(run, recording.evidences, steady_now);
    if (options.tighten) tighten_run(run, recording.logs, steady_now);
  }
  if (!recording.ended) set_broken(run, recording.ended.error().message);
  return run;
}

Result<void> write_run(const Run& run, const std::string& directory) {
  const std::filesystem::path path(directory);
  PARALLAX_TRY(make_directory(directory));
  PARALLAX_TRY(write_history(path / "history.jsonl", run.history));
  PARALLAX_TRY(write_text(path / "faults.jsonl", write_faults(run.faults)));
  PARALLAX_TRY(write_text(path / "report.html", report_page(run)));
  return write_text(path / "results.json", write_results(run));
}

}  // namespace parallax::harness
