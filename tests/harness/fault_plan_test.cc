#include "harness/fault_plan.h"

#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "node/http_routes.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;

RunOptions with_all_faults(std::uint64_t seed, std::chrono::milliseconds time = 30s) {
  RunOptions options;
  options.nodes = 5;
  options.faults = *parse_faults("all");
  options.time = time;
  options.seed = seed;
  return options;
}

std::vector<PlannedFault> of_kind(const std::vector<PlannedFault>& plan, Fault fault) {
  std::vector<PlannedFault> out;
  for (const PlannedFault& planned : plan) {
    if (planned.fault == fault) out.push_back(planned);
  }
  return out;
}

TEST_CASE("a fault plan follows from the seed and differs between seeds") {
  CHECK(plan_faults(with_all_faults(7)) == plan_faults(with_all_faults(7)));
  CHECK_FALSE(plan_faults(with_all_faults(7)) == plan_faults(with_all_faults(8)));
}

TEST_CASE("what one kind of fault draws does not move the others") {
  RunOptions options = with_all_faults(3);
  const auto all = plan_faults(options);
  options.faults = {Fault::partition};
  CHECK(plan_faults(options) == of_kind(all, Fault::partition));
}

TEST_CASE("every kind of fault comes in every run and windows of a kind do not overlap") {
  for (const auto time : {5s, 30s, 300s}) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      const auto plan = plan_faults(with_all_faults(seed, time));
      std::map<Fault, Duration> until;
      Duration last{};
      for (const PlannedFault& fault : plan) {
        CHECK(fault.at >= last);
        last = fault.at;
        CHECK(fault.at >= until[fault.fault]);
        until[fault.fault] = fault.at + fault.lasts;
        CHECK(until[fault.fault] < time);
        CHECK(fault.node <= 5);
      }
      CHECK(until.size() == kFaults.size());
    }
  }
  CHECK(plan_faults({}).empty());
}

TEST_CASE("all forms of partitions and clock faults occur") {
  std::map<Fault, std::set<std::uint32_t>> forms;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const auto& fault : plan_faults(with_all_faults(seed))) {
      forms[fault.fault].insert(fault.form);
    }
  }
  CHECK(forms[Fault::partition].size() == kPartitions.size());
  CHECK(forms[Fault::clock].size() == kClockFaults.size());
}

/// Whom each node hears, itself included.
std::map<std::uint32_t, std::set<std::uint32_t>> hearing(const CutLinks& links,
                                                         std::uint32_t nodes) {
  std::map<std::uint32_t, std::set<std::uint32_t>> hears;
  for (std::uint32_t to = 1; to <= nodes; ++to) {
    for (std::uint32_t from = 1; from <= nodes; ++from) hears[to].insert(from);
  }
  for (const auto& [from, to] : links) hears[to].erase(from);
  return hears;
}

TEST_CASE("each form of partition cuts what its name says") {
  for (const std::uint32_t nodes : {3U, 5U, 7U}) {
    for (std::uint64_t draw = 0; draw < 40; ++draw) {
      const auto node = static_cast<std::uint32_t>(1 + draw % nodes);
      const std::uint32_t majority = nodes / 2 + 1;
      const auto cut = [&](Partition form) {
        return hearing(cut_links(form, nodes, node, 2, draw), nodes);
      };
      const auto alone = [&](std::uint32_t who, const auto& hears) {
        CHECK(hears.at(who) == std::set{who});
        for (const auto& [other, heard] : hears) {
          if (other != who) CHECK((heard.size() == nodes - 1 && !heard.contains(who)));
        }
      };
      alone(node, cut(Partition::one));
      alone(2, cut(Partition::leader));
      std::size_t in_majority = 0;
      for (const auto& [who, heard] : cut(Partition::majority)) {
        CHECK((heard.size() == majority || heard.size() == nodes - majority));
        in_majority += heard.size() == majority ? 1 : 0;
      }
      CHECK(in_majority == majority);
      std::set<std::set<std::uint32_t>> rings;
      for (const auto& [who, heard] : cut(Partition::majorities_ring)) {
        CHECK((heard.size() == majority && heard.contains(who)));
        rings.insert(heard);
      }
      CHECK(rings.size() == nodes);
      std::size_t deaf = 0;
      for (const auto& [who, heard] : cut(Partition::one_way)) deaf += nodes - heard.size();
      CHECK(deaf == nodes - 1);
      const auto bridge = cut(Partition::bridge);
      CHECK(bridge.at(node).size() == nodes);
      for (const auto& [who, heard] : bridge) {
        if (who != node) CHECK((heard.size() < nodes && heard.contains(node)));
      }
    }
  }
  CHECK(cut_links(Partition::one, 1, 1, 1, 5).empty());
}

TEST_CASE("the leader is cut off where somebody knows it and else a node that was drawn") {
  CHECK(describe_cut(cut_links(Partition::leader, 3, 3, 0, 1), 3) == "n1 n2 | n3");
  CHECK(describe_cut(cut_links(Partition::leader, 3, 3, 2, 1), 3) == "n1 n3 | n2");
  CHECK(describe_cut({{1, 2}, {1, 3}}, 3) == "n1 -/-> n2 n3");
}

TEST_CASE("who is told of a fault and what is a matter of the network") {
  ActiveFault partition{.planned = {.fault = Fault::partition, .node = 3}, .links = {{1, 2}}};
  CHECK(is_told(2, partition));
  CHECK_FALSE(is_told(1, partition));
  CHECK_FALSE(is_told(3, partition));
  const auto at_two = [](Fault fault) {
    return ActiveFault{.planned = {.fault = fault, .node = 2, .amount = 5}};
  };
  for (const Fault fault : {Fault::rate, Fault::loss, Fault::delay}) {
    CHECK(is_told(2, at_two(fault)));
    CHECK_FALSE(is_told(1, at_two(fault)));
  }
  CHECK_FALSE(is_told(2, at_two(Fault::kill)));
  CHECK(is_of_network(partition));
  CHECK(is_of_network(at_two(Fault::loss)));
  CHECK(is_of_network(at_two(Fault::rate)));
  CHECK_FALSE(is_of_network(at_two(Fault::delay)));
  CHECK(faults_body(2, {at_two(Fault::rate)}).empty());
}

TEST_CASE("a node is told all that is the matter with it in a form that it takes") {
  const auto active = [](Fault fault, std::uint32_t node, std::int64_t amount) {
    return ActiveFault{.planned = {.fault = fault, .node = node, .form = 1, .amount = amount}};
  };
  std::vector<ActiveFault> all;
  ActiveFault partition = active(Fault::partition, 3, 0);
  partition.links = {{1, 2}, {3, 2}, {2, 3}};
  all.push_back(partition);
  all.push_back(active(Fault::delay, 2, 30));
  all.push_back(active(Fault::loss, 2, 250));
  all.push_back(active(Fault::duplicate, 1, 100));
  ActiveFault clock = active(Fault::clock, 2, 400);
  clock.offset = -80;
  all.push_back(clock);
  all.push_back(active(Fault::crash, 2, 0));
  const std::string body = faults_body(2, all);
  CHECK(faults_body(4, all).empty());
  const auto settings = parallax::parse_faults(body);
  REQUIRE(settings.has_value());
  CHECK(settings->drop_from == std::vector{NodeId{1}, NodeId{3}});
  CHECK(settings->delay == 30ms);
  CHECK(settings->drop_probability == 0.25);
  CHECK(settings->duplicate_probability == 0);
  CHECK(settings->clock_offset_ms == -80);
  REQUIRE(settings->fail_point);
  CHECK(settings->fail_point->action == "crash");
  CHECK(settings->on_crash == FaultSettings::OnCrash::drop_unsynced);
}

TEST_CASE("a bumped clock stays off and one that swings comes back and one that drifts runs away") {
  const auto offset = [](ClockFault form, Duration since) {
    return clock_offset(
        {.fault = Fault::clock, .form = static_cast<std::uint32_t>(form), .amount = 500}, since);
  };
  CHECK(offset(ClockFault::bump, 0s) == 500);
  CHECK(offset(ClockFault::bump, 9s) == 500);
  CHECK(offset(ClockFault::strobe, 0ms) == 500);
  CHECK(offset(ClockFault::strobe, 150ms) == -500);
  CHECK(offset(ClockFault::drift, 0ms) == 10);
  CHECK(offset(ClockFault::drift, 2'450ms) == 250);
  CHECK(offset(ClockFault::drift, 20s) == 500);
}

}  // namespace
}  // namespace parallax::harness
