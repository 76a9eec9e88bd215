#include "harness/target.h"

#include <algorithm>

#include <catch2/catch.hpp>

#include "harness/promises.h"
#include "harness/run_json.h"

namespace parallax::harness {
namespace {

RunOptions asked_of(const std::string& target, const std::string& reads = {}) {
  RunOptions options;
  options.target = target;
  const auto levels = parse_levels(target, {}, reads);
  REQUIRE(levels.has_value());
  options.write_level = levels->first;
  options.read_level = levels->second;
  return options;
}

std::vector<std::string_view> names(const std::vector<Guarantee>& guarantees) {
  std::vector<std::string_view> out;
  for (const Guarantee guarantee : guarantees) out.push_back(guarantee_info(guarantee).name);
  return out;
}

TEST_CASE("targets are told by name and exec by what it runs") {
  CHECK(target_info("etcd").package == "etcd-server");
  CHECK(target_info("redis").program == "redis-server");
  CHECK(target_info("exec:./drive it").levels.empty());
  CHECK(exec_command("exec:./drive it") == "./drive it");
  CHECK_FALSE(exec_command("etcd"));
  CHECK(find_target("mysql").error().message ==
        "--target mysql: there are parallax, etcd, redis, exec:COMMAND");
  CHECK(find_target("exec:").error().message ==
        "--target exec: it needs a command, as in exec:./driver");
}

TEST_CASE("a target has its own words for levels and they are read back") {
  for (const std::string_view target : {"etcd", "redis"}) {
    for (const TargetLevel& level : target_info(target).levels) {
      const auto levels = parse_levels(target, {}, level.word);
      REQUIRE(levels.has_value());
      CHECK(level_word(target, levels->second) == level.word);
      CHECK(level_word(target, levels->first) == target_info(target).levels[0].word);
    }
  }
  CHECK(level_word("exec:x", {.level = Level::causal}) == "causal");
  CHECK(parse_levels("exec:x", "quorum; r=1", {})->second.r == 1);
}

TEST_CASE("a level that a target does not have is named beside those that it has") {
  const auto said = [](std::string_view target, std::string_view writes, std::string_view reads) {
    const auto levels = parse_levels(target, writes, reads);
    REQUIRE_FALSE(levels.has_value());
    CHECK(levels.error().code == ErrorCode::bad_parameter);
    return levels.error().message;
  };
  CHECK(said("etcd", "causal", {}) ==
        "--level causal: etcd has no such level; there are linearizable (reads by agreement of a "
        "majority)");
  CHECK(said("etcd", {}, "eventual") ==
        "--read-level eventual: etcd has no such level; there are linearizable (reads by agreement "
        "of a majority), serializable (reads of what the node that is asked has applied)");
  CHECK(said("etcd", "serializable", {}) ==
        "--level serializable: in etcd that is a level of reads; name it with --read-level");
  CHECK(said("redis", "replica", {}) ==
        "--level replica: in redis that is a level of reads; name it with --read-level");
}

TEST_CASE("what cannot be done to a target is refused with what can") {
  struct Case {
    std::string target;
    void (*change)(RunOptions&);
    std::string error;
  };
  for (const auto& [target, change, error] : {
           Case{"etcd",
                [](RunOptions& o) {
                  o.faults = {Fault::kill, Fault::clock};
                },
                "--faults clock: from outside etcd can have kill, pause, restart, partition, "
                "delay, transfer"},
           Case{"redis", [](RunOptions& o) { o.faults = {Fault::transfer}; },
                "--faults transfer: from outside redis can have kill, pause, restart, partition, "
                "delay"},
           Case{"exec:x", [](RunOptions& o) { o.faults = {Fault::kill}; },
                "--faults kill: exec:COMMAND runs no nodes of the harness's; break it in the "
                "command"},
           Case{"etcd", [](RunOptions& o) { o.endpoints = {"127.0.0.1:2379"}; },
                "--endpoints: etcd is run only as the harness starts it"},
           Case{"etcd", [](RunOptions& o) { o.network = Network::namespaces; },
                "--network namespaces: etcd is not run in it; leave it out"},
           Case{"redis", [](RunOptions& o) { o.workload = Workload::mixed_level; },
                "--workload mixed-level: its levels are not those of redis"},
       }) {
    RunOptions options = asked_of(target);
    REQUIRE(check_options(options).has_value());
    change(options);
    const auto result = check_options(options);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == ErrorCode::bad_parameter);
    CHECK(result.error().message == error);
  }
}

TEST_CASE("all faults are those that the target can have") {
  for (const std::string_view target : {"parallax", "etcd", "redis", "exec:x"}) {
    RunOptions options = asked_of(std::string(target));
    const TargetInfo& info = target_info(target);
    options.faults = *parse_faults("all", possible_faults(info, Network::faults));
    CHECK(std::find(options.faults.begin(), options.faults.end(), Fault::rate) ==
          options.faults.end());
    CHECK(check_options(options).has_value());
    CHECK(possible_faults(info, Network::namespaces) == info.faults);
  }
  RunOptions options = asked_of("parallax");
  options.network = Network::namespaces;
  options.faults = *parse_faults("all", possible_faults(target_info("parallax"), options.network));
  CHECK(options.faults == *parse_faults("all"));
  CHECK(check_options(options).has_value());
}

TEST_CASE("a target is held to what its documents promise") {
  const std::vector<std::string_view> all{"linearizable", "sequential", "causal", "ryw",
                                          "mr",           "mw",         "wfr",    "regular",
                                          "prefix",       "converge"};
  CHECK(names(promised(asked_of("etcd"))) == all);
  CHECK(names(promised(asked_of("etcd", "serializable"))) ==
        std::vector<std::string_view>{"converge"});
  // It may lose what it has acknowledged, with the primary.
  CHECK(names(promised(asked_of("redis"))) == std::vector<std::string_view>{"converge"});
  RunOptions set = asked_of("redis");
  set.workload = Workload::set;
  CHECK(names(promised(set)) == std::vector<std::string_view>{"converge"});
  CHECK(names(judgeable(set)) ==
        std::vector<std::string_view>{"linearizable", "no-loss", "converge"});
}

TEST_CASE("what no answer of a target tells is not judged") {
  const auto of_exec = names(judgeable(asked_of("exec:x")));
  CHECK(of_exec == std::vector<std::string_view>{"linearizable", "sequential", "causal", "ryw",
                                                 "mr", "mw", "wfr"});
  CHECK(names(promised(asked_of("exec:x"))) == of_exec);
  RunOptions options = asked_of("redis");
  options.check = {"prefix"};
  CHECK(check_options(options).error().message ==
        "--check prefix: it cannot be judged of the workload register at primary; there are "
        "linearizable, sequential, causal, ryw, mr, mw, wfr, converge");
}

TEST_CASE("a run of a target is asked for again in its words and told in results") {
  RunOptions options = asked_of("redis", "replica");
  CHECK(level_text(options) == "primary / replica");
  CHECK(replay_command(options).starts_with(
      "parallax-harness run --target redis --nodes 3 --workload register --level primary "
      "--read-level replica "));
  Run run;
  run.asked = options;
  const auto again = read_results(write_results(run));
  REQUIRE(again.has_value());
  CHECK(again->asked == options);
  options = asked_of("exec:python3 'a b'");
  CHECK(replay_command(options).starts_with(
      R"(parallax-harness run --target 'exec:python3 '\''a b'\''' --nodes)"));
}

}  // namespace
}  // namespace parallax::harness
