#include "harness/workload.h"

#include <map>
#include <set>

#include <catch2/catch.hpp>

namespace parallax::harness {
namespace {

using checker::OperationKind;
using checker::Outcome;

RunOptions of(Workload workload, std::string_view level = "linearizable") {
  RunOptions options;
  options.workload = workload;
  options.write_level = options.read_level = *parse_consistency(level);
  options.clients = 6;
  options.seed = 5;
  return options;
}

/// A store with one copy of everything. Every twentieth step ends otherwise than well.
class Store {
 public:
  StepSeen carry_out(const Step& step) {
    ++steps_;
    if (steps_ % 20 == 0) return {steps_ % 40 == 0 ? Outcome::failed : Outcome::unknown, {}};
    const auto found = values_.find(step.key);
    if (step.kind == OperationKind::read) {
      if (found == values_.end()) return {Outcome::ok, {}};
      return {Outcome::ok, found->second};
    }
    values_[step.key] = step.value;
    return {Outcome::ok, {}};
  }

 private:
  std::size_t steps_ = 0;
  std::map<std::string, std::string> values_;
};

std::vector<std::pair<std::uint32_t, Step>> steps_of(const RunOptions& options, std::size_t count) {
  const auto generator = make_generator(options, "p/");
  Store store;
  std::vector<std::pair<std::uint32_t, Step>> steps;
  for (std::size_t i = 0; i < count; ++i) {
    const auto client = static_cast<std::uint32_t>(i % options.clients);
    const Step step = generator->next(client);
    generator->done(client, step, store.carry_out(step));
    steps.emplace_back(client, step);
  }
  return steps;
}

TEST_CASE("every workload follows from its seed and writes no value twice") {
  for (std::size_t i = 0; i < kWorkloads.size(); ++i) {
    const auto workload = static_cast<Workload>(i);
    INFO(to_string(workload));
    RunOptions options = of(workload);
    const auto steps = steps_of(options, 2'000);
    CHECK(steps == steps_of(options, 2'000));
    options.seed = 6;
    CHECK_FALSE(steps == steps_of(options, 2'000));
    std::set<std::string> values;
    std::size_t writes = 0;
    for (const auto& [client, step] : steps) {
      CHECK(step.key.starts_with("p/"));
      CHECK((step.node >= 1 && step.node <= options.nodes));
      if (step.kind == OperationKind::read) continue;
      ++writes;
      if (step.kind != OperationKind::increment) CHECK(values.insert(step.value).second);
    }
    CHECK(writes > 100);
    if (workload != Workload::unique_ids) CHECK(writes < 1'900);
  }
}

TEST_CASE("compare-and-sets are left out where nobody decides conditions") {
  const auto has_cas = [](std::string_view level) {
    for (const auto& [client, step] : steps_of(of(Workload::registers, level), 500)) {
      if (step.kind == OperationKind::cas) return true;
    }
    return false;
  };
  CHECK(has_cas("linearizable"));
  CHECK(has_cas("prefix"));
  CHECK_FALSE(has_cas("atomic"));
  CHECK_FALSE(has_cas("causal"));
}

TEST_CASE("reads and writes are asked for at their own levels") {
  RunOptions options = of(Workload::registers, "quorum; r=1; w=3");
  options.read_level = *parse_consistency("eventual");
  for (const auto& [client, step] : steps_of(options, 200)) {
    CHECK(step.level ==
          (step.kind == OperationKind::read ? options.read_level : options.write_level));
  }
  std::set<Level> levels;
  for (const auto& [client, step] : steps_of(of(Workload::mixed_level), 500)) {
    if (step.kind == OperationKind::read) levels.insert(step.level.level);
  }
  CHECK(levels == std::set{Level::linearizable, Level::sequential, Level::bounded, Level::prefix,
                           Level::eventual});
}

TEST_CASE("a comment is written by who has seen the post and read before the post is") {
  std::map<std::uint32_t, std::set<std::string>> seen;
  std::map<std::uint32_t, std::string> last_read;
  const RunOptions options = of(Workload::causal);
  const auto generator = make_generator(options);
  Store store;
  std::size_t comments = 0;
  std::size_t pairs = 0;
  for (std::size_t i = 0; i < 3'000; ++i) {
    const auto client = static_cast<std::uint32_t>(i % options.clients);
    const Step step = generator->next(client);
    const StepSeen result = store.carry_out(step);
    generator->done(client, step, result);
    if (step.kind == OperationKind::write && step.key.starts_with("comment")) {
      ++comments;
      CHECK(seen[client].contains("post" + step.key.substr(7)));
    }
    if (step.kind != OperationKind::read) continue;
    if (result.value) seen[client].insert(step.key);
    pairs += last_read[client] == "comment" + step.key.substr(4) ? 1 : 0;
    last_read[client] = step.key;
  }
  CHECK(comments > 50);
  CHECK(pairs > 300);
}

TEST_CASE("a link of a chain is written only when the one before it was acknowledged") {
  for (const Workload workload : {Workload::sequential, Workload::causal_reverse}) {
    const RunOptions options = of(workload);
    const auto generator = make_generator(options);
    Store store;
    std::map<std::string, std::uint32_t> writers;  // of acknowledged links
    std::set<std::uint32_t> clients;
    std::size_t whole = 0;
    for (std::size_t i = 0; i < 6'000; ++i) {
      const auto client = static_cast<std::uint32_t>(i % options.clients);
      const Step step = generator->next(client);
      const StepSeen result = store.carry_out(step);
      generator->done(client, step, result);
      if (step.kind != OperationKind::write) continue;
      const std::size_t dot = step.key.rfind('.');
      const int link = std::stoi(step.key.substr(dot + 1));
      const std::string before = step.key.substr(0, dot + 1) + std::to_string(link - 1);
      if (link > 0) {
        REQUIRE(writers.contains(before));
        if (workload == Workload::sequential) CHECK(writers[before] == client);
      }
      if (result.outcome == Outcome::ok) writers[step.key] = client;
      whole += link == 4 && result.outcome == Outcome::ok ? 1 : 0;
      clients.insert(client);
    }
    CHECK(whole > 20);
    CHECK(clients.size() == options.clients);
  }
}

TEST_CASE("keys that grow are left after a while and read at the end") {
  RunOptions options = of(Workload::set);
  options.keys = 2;
  const auto generator = make_generator(options);
  std::map<std::string, std::size_t> steps;
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    const Step step = generator->next(i % 6);
    CHECK(step.shape == Shape::set);
    ++steps[step.key];
  }
  CHECK(steps.size() > 10);
  for (const auto& [key, count] : steps) CHECK(count <= 60);
  std::set<std::string> read;
  for (const Step& step : generator->final_reads()) {
    CHECK(step.kind == OperationKind::read);
    read.insert(step.key);
  }
  for (const auto& [key, count] : steps) CHECK(read.contains(key));
}

TEST_CASE("a workload that a level cannot carry says what it needs") {
  const auto needs = [](Workload workload, std::string_view write, std::string_view read) {
    return workload_needs(workload, *parse_consistency(write), *parse_consistency(read));
  };
  CHECK_FALSE(needs(Workload::append, "linearizable", "prefix"));
  CHECK(needs(Workload::append, "quorum", "quorum") ==
        "append is decided by the leader: --level must be linearizable, sequential, bounded or "
        "prefix");
  CHECK(needs(Workload::unique_ids, "atomic", "atomic"));
  CHECK_FALSE(needs(Workload::set, "eventual", "causal"));
  CHECK(needs(Workload::set, "linearizable", "eventual"));
  CHECK(needs(Workload::counter, "atomic", "atomic"));
  CHECK(needs(Workload::mixed_level, "causal", "causal"));
  for (const LevelInfo& level : kLevels) {
    CHECK_FALSE(
        workload_needs(Workload::registers, {.level = level.level}, {.level = level.level}));
  }
}

}  // namespace
}  // namespace parallax::harness
