#include "harness/run_options.h"

#include <catch2/catch.hpp>

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;

TEST_CASE("workloads and faults have names that are read back") {
  for (const std::string_view name : kWorkloads) {
    const auto workload = parse_workload(name);
    REQUIRE(workload.has_value());
    CHECK(to_string(*workload) == name);
  }
  for (const std::string_view name : kFaults) {
    const auto faults = parse_faults(name);
    REQUIRE(faults.has_value());
    REQUIRE(faults->size() == 1);
    CHECK(to_string(faults->front()) == name);
  }
  CHECK(*parse_workload("unique-ids") == Workload::unique_ids);
  CHECK(*parse_faults("transfer") == std::vector{Fault::transfer});
}

TEST_CASE("a list of faults is in order and without repetition") {
  CHECK(*parse_faults("partition,kill,partition") == std::vector{Fault::kill, Fault::partition});
  CHECK(parse_faults("none")->empty());
  CHECK(parse_faults("")->empty());
  CHECK(parse_faults("all")->size() == kFaults.size());
}

TEST_CASE("what nobody knows is named beside what there is") {
  const auto workload = parse_workload("registers");
  REQUIRE_FALSE(workload.has_value());
  CHECK(workload.error().message ==
        "no workload is called 'registers'; there are register, counter, set, append, causal, "
        "causal-reverse, long-fork, session, monotonic, sequential, mixed-level, unique-ids");
  const auto network = parse_network("names");
  REQUIRE_FALSE(network.has_value());
  CHECK(network.error().message == "--network names: there are faults, namespaces");
  const auto faults = parse_faults("kill,fire");
  REQUIRE_FALSE(faults.has_value());
  CHECK(
      faults.error().message.starts_with("no fault is called 'fire'; there are all, none, kill, "));
}

TEST_CASE("options out of their bounds are refused with the bounds") {
  struct Case {
    void (*change)(RunOptions&);
    std::string error;
  };
  for (const auto& [change, error] : {
           Case{[](RunOptions& o) { o.nodes = 0; }, "--nodes 0: it must be from 1 to 9"},
           Case{[](RunOptions& o) { o.clients = 1'001; },
                "--clients 1001: it must be from 1 to 1000"},
           Case{[](RunOptions& o) { o.keys = 0; }, "--keys 0: it must be from 1 to 100000"},
           Case{[](RunOptions& o) { o.rate = 2'000'000; },
                "--rate 2000000: it must be from 0 to 1000000"},
           Case{
               [](RunOptions& o) {
                 o.rate = 100;
                 o.time = 24h;
               },
               "--rate 100 for --time 86400000ms is 8640000 operations; a run has at most 5000000"},
           Case{[](RunOptions& o) { o.time = 999ms; }, "--time 999ms: it must be from 1s to 24h"},
           Case{[](RunOptions& o) {
                  o.endpoints = {"127.0.0.1:1", "here"};
                },
                "--endpoints here: it must be HOST:PORT, with commas between several"},
           Case{[](RunOptions& o) { o.faults = {Fault::rate}; },
                "--faults rate: no node limits what it sends; it needs --network namespaces"},
           Case{[](RunOptions& o) {
                  o.endpoints = {"127.0.0.1:1"};
                  o.network = Network::namespaces;
                },
                "--network namespaces: only what the harness starts can be put there; leave it "
                "out, or leave out --endpoints"},
           Case{[](RunOptions& o) { o.read_level = *parse_consistency("quorum; r=4"); },
                "--level quorum; r=4: 3 nodes are started, so r and w must be from 1 to 3"},
       }) {
    RunOptions options;
    REQUIRE(check_options(options).has_value());
    change(options);
    const auto result = check_options(options);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == ErrorCode::bad_parameter);
    CHECK(result.error().message == error);
  }
}

TEST_CASE("the replay command says all that was asked") {
  RunOptions options;
  options.nodes = 5;
  options.workload = Workload::mixed_level;
  options.write_level = *parse_consistency("quorum; r=1; w=3");
  options.read_level = *parse_consistency("eventual");
  options.faults = {Fault::kill, Fault::clock};
  options.network = Network::namespaces;
  options.rate = 100;
  options.time = 2s;
  options.seed = 7;
  options.check = {"ryw"};
  options.tighten = true;
  options.out = "it's";
  CHECK(replay_command(options) ==
        "parallax-harness run --target parallax --nodes 5 --workload mixed-level --level 'quorum; "
        "r=1; w=3' --read-level eventual --faults kill,clock --network namespaces --clients 10 "
        "--rate 100 --time 2000ms --keys 5 --seed 7 --check ryw --tighten --out 'it'\\''s'");
  CHECK(level_text(options) == "quorum; r=1; w=3 / eventual");
  CHECK(level_text({}) == "linearizable");
}

}  // namespace
}  // namespace parallax::harness
