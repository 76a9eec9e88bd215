// bench: a quick look at what each level costs here and now. Not a measurement to publish: one
// client process, on the machine that it shares with whatever else runs (scripts/bench is more).
#include <condition_variable>
#include <csignal>
#include <mutex>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/random.h"
#include "client/cli/commands.h"
#include "client/cli/interrupt.h"
#include "client/cli/latencies.h"
#include "client/cli/table.h"

namespace parallax::cli {
namespace {

namespace json = boost::json;
using Align = Table::Align;

struct BenchArguments {
  std::string duration = "3s";
  std::size_t in_flight = 16;
  std::size_t value_bytes = 128;
  std::size_t keys = 200;
};

enum class Kind { put, get };

struct Workload {
  Kind kind;
  Level level;
};
/// One row each. A put at prefix is a put at linearizable: only their reads differ; and a get at
/// weak is one at eventual.
constexpr Workload kWorkloads[] = {
    {Kind::put, Level::linearizable}, {Kind::get, Level::linearizable},
    {Kind::get, Level::prefix},       {Kind::put, Level::atomic},
    {Kind::get, Level::atomic},       {Kind::put, Level::quorum},
    {Kind::get, Level::quorum},       {Kind::put, Level::eventual},
    {Kind::get, Level::eventual},     {Kind::put, Level::weak},
};
/// Keys of one protocol are not written through the other: they are filled and removed at these.
constexpr Level kFillLevels[] = {Level::linearizable, Level::quorum};

Level fill_level(Level level) {
  const bool leader = level_info(level).protocol == Protocol::leader_follower;
  return leader ? Level::linearizable : Level::quorum;
}

struct Figures {
  Latencies latencies;  ///< of what succeeded
  std::uint64_t failed = 0;
  std::optional<Error> first_error;
  Duration elapsed{};
  double per_second() const {
    const double seconds = std::chrono::duration<double>(elapsed).count();
    return seconds > 0 ? static_cast<double>(latencies.count()) / seconds : 0;
  }
};

/// Keeps `width` operations under way until the time is over or the user has had enough.
/// Completions come on the client's thread, the rest on the caller's.
class Run {
 public:
  using Start = std::function<void(std::uint64_t number, Client::Completion<Answer> done)>;

  Run(Start start, MonoTime end, std::uint64_t most)
      : start_(std::move(start)), end_(end), most_(most) {}

  Figures run(std::size_t width) {
    const MonoTime begin = monotonic_now();
    {
      const std::lock_guard lock(mutex_);
      under_way_ = width;
    }
    for (std::size_t i = 0; i < width; ++i) next();
    std::unique_lock lock(mutex_);
    while (under_way_ > 0) ended_.wait_for(lock, std::chrono::milliseconds{100});
    figures_.elapsed = monotonic_now() - begin;
    return std::move(figures_);
  }

 private:
  /// Starts one more operation, or lets this strand of them end.
  void next() {
    std::uint64_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      if (interrupt_requested() || monotonic_now() >= end_ || next_ == most_) {
        if (--under_way_ == 0) ended_.notify_one();
        return;
      }
      number = next_++;
    }
    const MonoTime begin = monotonic_now();
    start_(number, [this, begin](Result<Answer> answer) {
      finished(begin, answer);
      next();
    });
  }

  void finished(MonoTime begin, const Result<Answer>& answer) {
    const std::lock_guard lock(mutex_);
    if (answer) {
      figures_.latencies.add(monotonic_now() - begin);
      return;
    }
    ++figures_.failed;
    if (!figures_.first_error) figures_.first_error = answer.error();
  }

  const Start start_;
  const MonoTime end_;
  const std::uint64_t most_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t under_way_ = 0;
  std::uint64_t next_ = 0;
  Figures figures_;
};

constexpr std::uint64_t kNoMost = ~std::uint64_t{0};
constexpr MonoTime kNoEnd = MonoTime::max();

struct Bench {
  const Connection& connection;
  const BenchArguments& arguments;
  Duration duration;
  std::string prefix;
  Bytes value;

  std::string key(std::uint64_t number, Level level) const {
    return fmt::format("{}{}/{:06}", prefix, level_info(fill_level(level)).name,
                       number % arguments.keys);
  }
  void put(std::uint64_t number, Level level, Client::Completion<Answer> done) const {
    PutOptions options = connection.options<PutOptions>();
    options.consistency = Consistency{.level = level};
    connection->async_put(key(number, level), value, options, std::move(done));
  }
  void get(std::uint64_t number, Level level, Client::Completion<Answer> done) const {
    GetOptions options = connection.options<GetOptions>();
    options.consistency = Consistency{.level = level};
    connection->async_get(key(number, level), options, std::move(done));
  }
  /// Every key once, so that no read is of an absent one.
  Figures fill(Level level) const {
    return Run([this, level](std::uint64_t number, auto done) { put(number, level, done); }, kNoEnd,
               arguments.keys)
        .run(arguments.in_flight);
  }
  Figures measure(const Workload& workload) const {
    return Run(
               [this, workload](std::uint64_t number, auto done) {
                 workload.kind == Kind::put ? put(number, workload.level, done)
                                            : get(number, workload.level, done);
               },
               monotonic_now() + duration, kNoMost)
        .run(arguments.in_flight);
  }
  /// Also after an interrupt: what was put there goes again.
  Figures clean(Level level) const {
    interrupt_reset();
    return Run(
               [this, level](std::uint64_t number, auto done) {
                 RemoveOptions options = connection.options<RemoveOptions>();
                 options.consistency = Consistency{.level = level};
                 connection->async_remove(key(number, level), options, done);
               },
               kNoEnd, arguments.keys)
        .run(arguments.in_flight);
  }
};

std::string_view kind_name(Kind kind) {
  return kind == Kind::put ? "put" : "get";
}

Cell millis_cell(const std::optional<Duration>& duration) {
  if (!duration) return Cell("-", Tone::faint);
  return Cell(fmt::format("{:.2f}", std::chrono::duration<double, std::milli>(*duration).count()));
}

constexpr std::pair<const char*, double> kPercentiles[] = {
    {"p50", 0.5}, {"p99", 0.99}, {"p99_9", 0.999}};

std::string bench_text(const std::vector<std::pair<Workload, Figures>>& rows) {
  Table table({{"OPERATION"},
               {"LEVEL"},
               {"COUNT", Align::right},
               {"FAILED", Align::right},
               {"P50 MS", Align::right},
               {"P99 MS", Align::right},
               {"P99.9 MS", Align::right},
               {"PER SECOND", Align::right}});
  for (const auto& [workload, figures] : rows) {
    std::vector<Cell> row{
        std::string(kind_name(workload.kind)), std::string(level_info(workload.level).name),
        with_commas(figures.latencies.count()),
        Cell(with_commas(figures.failed), figures.failed > 0 ? Tone::bad : Tone::plain)};
    for (const auto& [name, fraction] : kPercentiles) {
      row.push_back(millis_cell(figures.latencies.percentile(fraction)));
    }
    row.push_back(with_commas(static_cast<std::uint64_t>(figures.per_second())));
    table.add(std::move(row));
  }
  return table.to_string(colour_on_stdout());
}

std::string bench_json(const std::vector<std::pair<Workload, Figures>>& rows) {
  json::array list;
  for (const auto& [workload, figures] : rows) {
    json::object row{{"operation", std::string(kind_name(workload.kind))},
                     {"level", std::string(level_info(workload.level).name)},
                     {"count", figures.latencies.count()},
                     {"failed", figures.failed}};
    for (const auto& [name, fraction] : kPercentiles) {
      const auto found = figures.latencies.percentile(fraction);
      row[std::string(name) + "_ms"] =
          found ? json::value(std::chrono::duration<double, std::milli>(*found).count()) : nullptr;
    }
    row["per_second"] = figures.per_second();
    list.emplace_back(std::move(row));
  }
  return json::serialize(json::object{{"rows", std::move(list)}}) + '\n';
}

/// Nothing where all went well.
ExitCode failure_of(const Figures& figures, std::string_view during) {
  if (!figures.first_error) return kDone;
  Error error = *figures.first_error;
  error.message = fmt::format("{} operations failed while {}; the first one: {}", figures.failed,
                              during, error.message);
  report(error, false);
  return kFailed;
}

ExitCode run_bench(const GlobalOptions& global, const BenchArguments& arguments) {
  const auto duration = parse_duration(arguments.duration);
  if (!duration) return report(duration.error(), false);
  if (duration->count() < 1 || *duration > std::chrono::minutes(10)) {
    return report(definite(ErrorCode::bad_parameter, "--duration takes 1ms to 10m"), false);
  }
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const Bench bench{.connection = *connection,
                    .arguments = arguments,
                    .duration = *duration,
                    .prefix = fmt::format("parallax-bench/{}/", draw_idempotency_key()),
                    .value = Bytes(std::string(arguments.value_bytes, 'v'))};
  const InterruptGuard guard;
  std::vector<std::pair<Workload, Figures>> rows;
  ExitCode code = kDone;
  for (const Level level : kFillLevels) {
    if (code == kDone) code = failure_of(bench.fill(level), "filling");
  }
  if (code == kDone) {
    for (const Workload& workload : kWorkloads) {
      if (interrupt_requested()) break;
      rows.emplace_back(workload, bench.measure(workload));
    }
  }
  const bool interrupted = interrupt_requested();
  ExitCode cleaned = kDone;
  for (const Level level : kFillLevels) {
    cleaned = std::max(cleaned,
                       failure_of(bench.clean(level), "removing the keys below " + bench.prefix));
  }
  const std::string out = global.json ? bench_json(rows) : bench_text(rows);
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  if (interrupted) fmt::print(stderr, "parallax: interrupted; the keys are removed again\n");
  for (const auto& [workload, figures] : rows) {
    code = std::max(code, failure_of(figures, kind_name(workload.kind)));
  }
  return connection->end(std::max({code, cleaned, interrupted ? kFailed : kDone}));
}

}  // namespace

void add_bench_verb(CLI::App& app, VerbAction& chosen) {
  const auto arguments = std::make_shared<BenchArguments>();
  CLI::App* bench = add_verb(
      app, "bench", "Print what each level costs: latencies and operations a second",
      {"parallax bench", "parallax bench --duration 10s --in-flight 64 --value-bytes 1024",
       "parallax bench --json"},
      R"(Works on keys of its own, below parallax-bench/, and removes them afterwards. A first look, from
one process on this machine; not a measurement.)");
  bench->add_option("--duration", arguments->duration, "Of each row, up to 10m")
      ->capture_default_str()
      ->type_name("DURATION");
  whole_number(
      bench->add_option("--in-flight", arguments->in_flight, "Operations under way at once"), 1,
      1024)
      ->capture_default_str()
      ->type_name("NUMBER");
  whole_number(bench->add_option("--value-bytes", arguments->value_bytes, "Size of each value"), 0,
               1 << 20)
      ->capture_default_str()
      ->type_name("NUMBER");
  whole_number(bench->add_option("--keys", arguments->keys, "How many"), 1, 100'000)
      ->capture_default_str()
      ->type_name("NUMBER");
  bench->final_callback([&chosen, arguments] {
    chosen = [arguments](const GlobalOptions& global) { return run_bench(global, *arguments); };
  });
}

}  // namespace parallax::cli
