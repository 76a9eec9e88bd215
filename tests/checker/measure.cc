// Prints how long the checkers take on the recorded histories and on large drawn ones.
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <fmt/format.h>
#include <sys/resource.h>

#include "consistency/checker/import.h"
#include "consistency/checker/linearizability.h"
#include "consistency/checker/staleness.h"
#include "consistency/checker/stamp_order.h"
#include "tests/checker/random_history.h"

namespace parallax::checker {
namespace {

/// Of the processor, so that a busy machine does not count. The checkers have one thread.
double milliseconds_since(std::clock_t start) {
  return 1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

double measure(const std::string& name, const History& history, LinearizabilityOptions options,
               bool quiet = false) {
  const auto start = std::clock();
  const auto result = check_linearizability(history, options);
  const double took = milliseconds_since(start);
  std::uint64_t steps = 0, memory = 0;
  for (const auto& key : result.keys) {
    steps += key.steps;
    memory = std::max(memory, key.memory_bytes);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  if (!quiet) {
    fmt::print(
        "{:32} {:>10} operations {:9.2f} ms  {:9}  {:>10} steps {:>10} bytes, peak {} MB, "
        "counterexample {}\n",
        name, history.operations.size(), took, to_string(result.verdict), steps, memory,
        usage.ru_maxrss / 1024,
        result.counterexample ? result.counterexample->operations.size() : 0);
  }
  return took;
}

std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void measure_recorded() {
  const std::filesystem::path folder = PARALLAX_SOURCE_DIR "/tests/data/histories";
  double etcd = 0;
  for (const char* part : {"jepsen-etcd", "porcupine-kv"}) {
    std::set<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder / part)) {
      files.insert(entry.path());
    }
    for (const auto& file : files) {
      const bool kv = file.extension() == ".txt";
      const auto history = kv ? import_edn_log(slurp(file)) : import_jepsen_log(slurp(file));
      LinearizabilityOptions options;
      if (kv) options.initial = "";
      const double took = measure(file.filename().string(), *history, options);
      if (!kv) etcd += took;
    }
  }
  fmt::print("{:32} {:31.2f} ms\n", "all of jepsen-etcd", etcd);
}

void measure_drawn(const std::string& name, const Shape& shape, Method method) {
  Random random(1);
  History history = random_history(shape, random);
  measure(name, history, {.method = method});
  // One read near the end shows the first value that was written.
  Text first = kNothing;
  for (const Operation& o : history.operations) {
    if (o.kind == OperationKind::write && o.key == history.operations.back().key) first = o.value;
    if (first != kNothing) break;
  }
  for (auto o = history.operations.rbegin(); o != history.operations.rend(); ++o) {
    if (o->kind != OperationKind::read || o->key != history.operations.back().key) continue;
    o->result = first;
    break;
  }
  measure(name + ", stale read", history, {.method = method});
}

void tell_staleness(const std::string& name, const History& history) {
  const std::clock_t start = std::clock();
  const auto result = measure_staleness(history);
  const double took = milliseconds_since(start);
  fmt::print("{:32} {:>10} keys {:16.2f} ms  p50 {} p99 {} max {} delta {} ns, k {}/{}/{} keys\n",
             name, result.keys, took, result.p50_ns, result.p99_ns, result.max_ns, result.delta_ns,
             result.keys_1_atomic, result.keys_2_atomic, result.keys_beyond_2);
}

void measure_freshness(std::uint32_t keys) {
  Random random(1);
  Shape shape{.operations = 1'000'000, .clients = 50, .keys = keys, .longest = 1000};
  shape.behind = 0.1;
  tell_staleness("staleness, one version behind", random_history(shape, random));
  shape.behind = 0;
  shape.stamps = true;
  History history = random_history(shape, random);
  const std::clock_t start = std::clock();
  const auto stamps = check_stamp_order(history);
  fmt::print("{:32} {:>10} keys {:16.2f} ms  {}\n", "stamp order", keys, milliseconds_since(start),
             to_string(stamps.verdict));
  // Each read shows what the one before it did.
  std::vector<std::size_t> last(history.texts.size(), 0);
  for (std::size_t i = 0; i < history.operations.size(); ++i) {
    Operation& o = history.operations[i];
    if (o.kind != OperationKind::read) continue;
    const Operation& before = history.operations[last[o.key.value]];
    if (before.kind == OperationKind::read && before.key == o.key) o.result = before.result;
    last[o.key.value] = i;
  }
  tell_staleness("staleness of an old store", history);
}

void measure_reading() {
  Random random(1);
  const std::string lines = write_history(random_history(
      {.operations = 1'000'000, .clients = 50, .keys = 1000, .longest = 1000}, random));
  const auto start = std::clock();
  const auto history = read_history(lines);
  fmt::print("{:32} {:>10} operations {:9.2f} ms, {} MB\n", "read JSON lines",
             history->operations.size(), milliseconds_since(start), lines.size() >> 20);
  measure("the same, zones", *history, {});
  measure("the same, search", *history, {.method = Method::search});
}

}  // namespace
}  // namespace parallax::checker

int main() {
  using namespace parallax::checker;
  using enum OperationKind;
  measure_recorded();
  measure_drawn("50 keys, 10 clients, search",
                {.operations = 10'000, .clients = 10, .keys = 50, .longest = 100}, Method::search);
  measure_drawn("same with cas and duplicates",
                {.operations = 10'000,
                 .clients = 10,
                 .keys = 50,
                 .kinds = {read, write, cas},
                 .values = 5,
                 .longest = 100,
                 .unknown = 0.01},
                Method::search);
  measure_drawn("1 key, 10 clients, search", {.operations = 10'000, .clients = 10, .longest = 100},
                Method::search);
  measure_drawn("1 key, 20 clients, search", {.operations = 10'000, .clients = 20, .longest = 100},
                Method::search);
  measure_drawn("1 key, 50 clients, search", {.operations = 10'000, .clients = 50, .longest = 100},
                Method::search);
  measure_drawn("1 key, 50 clients, zones",
                {.operations = 1'000'000, .clients = 50, .longest = 1000}, Method::automatic);
  measure_drawn("same with cas",
                {.operations = 1'000'000,
                 .clients = 50,
                 .kinds = {read, read, write, cas},
                 .longest = 1000,
                 .unknown = 0.001,
                 .fresh = true},
                Method::automatic);
  measure_drawn("1000 keys, 50 clients, search",
                {.operations = 1'000'000, .clients = 50, .keys = 1000, .longest = 1000},
                Method::search);
  measure_freshness(1);
  measure_freshness(1000);
  measure_freshness(100'000);
  measure_reading();
}
