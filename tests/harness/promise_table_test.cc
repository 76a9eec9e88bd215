#include "harness/promise_table.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>

#include "harness/promise_page.h"

namespace parallax::harness {
namespace {

namespace fs = std::filesystem;

const std::string kRoot = PARALLAX_SOURCE_DIR;

Consistency level(std::string_view text) {
  const auto parsed = parse_consistency(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

const LevelRow& row(std::string_view level) {
  const auto* found = std::find_if(kLevelRows.begin(), kLevelRows.end(),
                                   [&](const LevelRow& row) { return row.level == level; });
  REQUIRE(found != kLevelRows.end());
  return *found;
}

TEST_CASE("every level is in the promise table and each of its cells has an answer") {
  for (const LevelInfo& info : kLevels) {
    INFO(info.name);
    CHECK(std::any_of(kLevelRows.begin(), kLevelRows.end(),
                      [&](const LevelRow& row) { return level(row.level).level == info.level; }));
  }
  CHECK(contradictions(denials()).empty());
}

TEST_CASE("what is denied and promised or neither is found") {
  std::vector<Denial> some(denials().begin(), denials().end());
  some.push_back({"linearizable", {Demand::monotonic_reads}, "prefix_goes_back", "planted"});
  // And so are those that imply it.
  CHECK(contradictions(some) ==
        std::vector<std::string>{"linearizable at linearizable: promised, and denied",
                                 "sequential at linearizable: promised, and denied",
                                 "causal convergence at linearizable: promised, and denied",
                                 "causal at linearizable: promised, and denied",
                                 "monotonic reads at linearizable: promised, and denied"});
  some.assign(denials().begin() + 1, denials().end());  // sequential is said to be fresh
  CHECK(contradictions(some) ==
        std::vector<std::string>{"linearizable at sequential: neither promised nor denied",
                                 "fresh at sequential: neither promised nor denied",
                                 "bounded staleness at sequential: neither promised nor denied"});
  some.assign(denials().begin(), denials().end());
  some.push_back({"eventual", {Demand::prefix}, "prefix_goes_back", "planted"});
  some.push_back({"weak", {Demand::fresh}, "eventual_stale_read", "planted"});
  some.push_back({"strict", {Demand::fresh}, "eventual_stale_read", ""});
  CHECK(contradictions(some) ==
        std::vector<std::string>{"consistent prefix at eventual: denied where it has no place",
                                 "fresh at weak: denied twice", "strict: there is no such row",
                                 "strict: a denial without a why"});
}

TEST_CASE("a guarantee that implies another implies what that one does") {
  for (const DemandInfo& info : kDemands) {
    CHECK(demand_info(info.demand).title == info.title);
    CHECK_FALSE(implied_by(info.demand).contains(info.demand));
    for (const DemandInfo& other : kDemands) {
      if (!implied_by(info.demand).contains(other.demand)) continue;
      CHECK((implied_by(info.demand) | implied_by(other.demand)) == implied_by(info.demand));
    }
  }
  CHECK(strongest(implied_by(Demand::linearizable)) == Demands{Demand::sequential, Demand::fresh});
  CHECK(strongest({}) == Demands{});
}

TEST_CASE("a denial is shown by what a guarantee implies") {
  const Standing of = standing(row("prefix"), Demand::linearizable);
  REQUIRE(of.kind == Standing::Kind::denied);
  CHECK(of.denial->kept == "sequential_stale_read");
  CHECK(of.shown == Demand::read_your_writes);
  CHECK(standing(row("prefix"), Demand::prefix).kind == Standing::Kind::promised);
  CHECK(standing(row("atomic"), Demand::prefix).kind == Standing::Kind::no_place);
  CHECK(standing(row("atomic"), Demand::bounded).kind == Standing::Kind::promised);
  // What nobody could produce shows nothing of what is above.
  const Standing early = standing(row("linearizable; ack=leader"), Demand::causal);
  CHECK(early.denial->kept == "ack_leader_write_lost");
}

TEST_CASE("pairs of levels promise what their rule argues for") {
  for (const LevelRow& write : kLevelRows) {
    for (const LevelRow& read : kLevelRows) {
      INFO(write.level << " / " << read.level);
      const Demands promised = promised_demands(level(write.level), level(read.level));
      const Demands what = strongest(promised);
      switch (pair_rule(level(write.level), level(read.level))) {
        case PairRule::one_log:
          CHECK(what.contains(Demand::prefix));
          CHECK(promised.contains(Demand::survives_disk));
          break;
        case PairRule::early:
          CHECK(promised == Demands{Demand::converges});
          break;
        case PairRule::majorities:
          CHECK(what.contains(Demand::linearizable));
          break;
        case PairRule::sets_meet:
          CHECK(what.contains(Demand::fresh));
          CHECK_FALSE(promised.contains(Demand::monotonic_reads));
          break;
        case PairRule::sessions:
          CHECK_FALSE(promised.contains(Demand::sequential));
          CHECK(promised.contains(Demand::converges));
          break;
        case PairRule::weak:
          CHECK(promised.empty());
          break;
        case PairRule::sets_miss:
        case PairRule::apart:
          CHECK_FALSE(promised.contains(Demand::causal));
          CHECK_FALSE(promised.contains(Demand::fresh));
          CHECK(promised.contains(Demand::converges));
          break;
      }
    }
  }
  CHECK(pair_rule(level("quorum; r=3; w=1"), level("quorum; r=3; w=1")) == PairRule::sets_meet);
  CHECK(pair_rule(level("quorum; w=1"), level("eventual")) == PairRule::apart);
}

TEST_CASE("every kept counterexample is named and every one that is named is kept") {
  std::set<std::string> named{std::string(kLeaseReads.kept)};
  for (const Denial& denial : denials()) {
    if (!denial.kept.empty()) named.emplace(denial.kept);
  }
  std::set<std::string> kept;
  for (const auto& entry : fs::directory_iterator(kRoot + "/tests/data/permitted")) {
    CHECK(entry.path().extension() == ".txt");
    kept.insert(entry.path().stem().string());
  }
  CHECK(named == kept);
}

TEST_CASE("docs CONSISTENCY is what the promise table says") {
  std::ifstream in(kRoot + "/docs/CONSISTENCY.md", std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  INFO(
      "ninja -C build/dev parallax-harness && "
      "build/dev/bin/parallax-harness promises > docs/CONSISTENCY.md");
  CHECK(text.str() == promise_page());
}

}  // namespace
}  // namespace parallax::harness
