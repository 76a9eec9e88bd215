#include "consistency/level.h"

#include <set>

#include <catch2/catch.hpp>

#include "base/random.h"

namespace parallax::test {

TEST_CASE("level: every name and alias finds its level") {
  for (const LevelInfo& row : kLevels) {
    const auto by_name = parse_level(row.name);
    REQUIRE(by_name.has_value());
    CHECK(*by_name == row.level);
    if (row.alias.empty()) continue;
    const auto by_alias = parse_level(row.alias);
    REQUIRE(by_alias.has_value());
    CHECK(*by_alias == row.level);
  }
}

TEST_CASE("level: names and aliases are unique and fit a header") {
  std::set<std::string_view> names;
  for (const LevelInfo& row : kLevels) {
    CHECK(names.insert(row.name).second);
    if (!row.alias.empty()) CHECK(names.insert(row.alias).second);
    CHECK(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string_view::npos);
  }
  for (const QuorumName& row : kQuorumNames) CHECK(names.insert(row.name).second);
  const auto all = level_names();
  CHECK(std::set<std::string_view>(all.begin(), all.end()) == names);
}

TEST_CASE("level: every level has one row and says what it promises") {
  std::set<Level> levels;
  for (const LevelInfo& row : kLevels) {
    CHECK(levels.insert(row.level).second);
    CHECK(&level_info(row.level) == &row);
    CHECK_FALSE(row.write_acknowledged_when.empty());
    CHECK_FALSE(row.read_returns.empty());
    CHECK_FALSE(row.promise.empty());
  }
  CHECK(levels.size() == static_cast<std::size_t>(Level::weak) + 1);
}

TEST_CASE("level: an unknown one is refused with the valid choices") {
  const auto refusal = [](std::string_view text) {
    const auto level = parse_level(text);
    REQUIRE(level.has_error());
    CHECK(level.error().code == ErrorCode::unknown_level);
    CHECK(level.error().definite());
    return level.error().message;
  };
  const std::string choices =
      " is no consistency level; use one of linearizable (or strong), sequential, bounded, prefix, "
      "atomic, quorum (or one, two, three, all), causal, session, eventual, weak";
  CHECK(refusal("serializable") == "'serializable'" + choices);
  CHECK(refusal("") == "''" + choices);  // the alias that a level does not have is no name
  CHECK(refusal("Linearizable") == "'Linearizable'" + choices);
  CHECK(refusal("prefix ") == "'prefix '" + choices);
}

TEST_CASE("level: what someone sent stays one short line in the refusal") {
  const auto level = parse_level("bad\r\nlevel'\x01" + std::string(10'000, 'x'));
  REQUIRE(level.has_error());
  CHECK(level.error().message.find("'bad??level??xxx") == 0);
  CHECK(level.error().message.size() < 250);
}

TEST_CASE("consistency: reads as in the header") {
  const auto text = [](Consistency consistency) { return consistency.to_string(); };
  CHECK(text({}) == "linearizable");
  CHECK(text({Level::prefix}) == "prefix");
  CHECK(text({Level::quorum}) == "quorum");
  CHECK(text({.level = Level::quorum, .r = 2, .w = 2}) == "quorum; r=2; w=2");
  CHECK(text({.level = Level::quorum, .w = 4'294'967'294}) == "quorum; w=4294967294");
  CHECK(text({.level = Level::quorum, .r = 1, .w = Consistency::kAll}) == "quorum; r=1; w=all");
  CHECK(text({.level = Level::quorum, .r = 1, .sloppy = true, .blocking_repair = true}) ==
        "quorum; r=1; sloppy; repair=blocking");
  CHECK(text({.level = Level::bounded, .max_staleness_ms = 250, .max_lag = 0}) ==
        "bounded; max_staleness_ms=250; max_lag=0");
  CHECK(text({.level = Level::sequential, .on_violation = OnViolation::reject}) ==
        "sequential; on_violation=reject");
  CHECK(text({.level = Level::linearizable, .ack = Ack::semi_sync}) ==
        "linearizable; ack=semi-sync");
  CHECK(text({Level::causal}) == "causal");
  CHECK(text({.level = Level::causal, .on_violation = OnViolation::reject}) ==
        "causal; on_violation=reject");
  CHECK(text({Level::session}) == "session; guarantees=\"ryw,mr,mw,wfr\"");
  CHECK(text({.level = Level::session,
              .guarantees = {.monotonic_reads = true, .writes_follow_reads = true},
              .on_violation = OnViolation::forward}) ==
        "session; guarantees=\"mr,wfr\"; on_violation=forward");
  // What a level does not take is no part of it.
  CHECK(text({.level = Level::atomic, .r = 2, .w = 2, .sloppy = true}) == "atomic");
}

TEST_CASE("consistency: a level by any of its names with its parameters") {
  struct Case {
    const char* text;
    Consistency consistency;
  };
  const auto c = GENERATE(values<Case>({
      {"strong", {Level::linearizable}},
      {"  weak\t", {Level::weak}},
      {"one", {Level::quorum, 1, 1}},
      {"two", {Level::quorum, 2, 2}},
      {"three", {Level::quorum, 3, 3}},
      {"all", {Level::quorum, Consistency::kAll, Consistency::kAll}},
      {"one; sloppy", {Level::quorum, 1, 1, true}},
      {"quorum;r=2;w=1", {Level::quorum, 2, 1}},
      {"quorum ; w = all ; r = 1", {Level::quorum, 1, Consistency::kAll}},
      {"quorum; repair=blocking; sloppy=?1", {Level::quorum, 0, 0, true, true}},
      {"quorum; repair=async; sloppy=?0", {Level::quorum}},
      {"quorum; sloppy=true", {Level::quorum, 0, 0, true}},
      {"quorum; sloppy=false", {Level::quorum}},
      {"sequential; on_violation=wait", {Level::sequential}},
      {"strong; ack=leader", {.level = Level::linearizable, .ack = Ack::leader}},
      {"prefix; ack=majority", {Level::prefix}},
      {"bounded; max_lag=7", {.level = Level::bounded, .max_lag = 7}},
      {"bounded; on_violation=forward; max_staleness_ms=86400000",
       {.level = Level::bounded,
        .max_staleness_ms = kMaxStalenessMs,
        .on_violation = OnViolation::forward}},
      {"causal", {Level::causal}},
      {"causal; on_violation=reject",
       {.level = Level::causal, .on_violation = OnViolation::reject}},
      {"session", {Level::session}},
      {"session; guarantees=\"ryw,mr,mw,wfr\"", {Level::session}},
      {"session; guarantees=wfr,ryw; on_violation=wait",
       {.level = Level::session,
        .guarantees = {.read_your_writes = true, .writes_follow_reads = true}}},
      {"session; guarantees=\"mw\"; on_violation=forward",
       {.level = Level::session,
        .guarantees = {.monotonic_writes = true},
        .on_violation = OnViolation::forward}},
  }));
  CAPTURE(c.text);
  const auto parsed = parse_consistency(c.text);
  REQUIRE(parsed.has_value());
  CHECK(*parsed == c.consistency);
}

TEST_CASE("consistency: parameters are refused with what would be right") {
  struct Case {
    const char* text;
    const char* message;
  };
  const auto c = GENERATE(values<Case>({
      {"prefix; r=2", "'r' is no parameter of prefix, which takes ack"},
      {"atomic; w=2", "'w' is no parameter of atomic, which takes none"},
      {"weak; sloppy", "'sloppy' is no parameter of weak, which takes none"},
      {"quorum; ack=leader",
       "'ack' is no parameter of quorum, which takes r, w, sloppy and repair"},
      {"quorum;", "'' is no parameter of quorum, which takes r, w, sloppy and repair"},
      {"causal; guarantees=ryw",
       "'guarantees' is no parameter of causal, which takes on_violation"},
      {"session; guarantees=",
       "guarantees='' must be some of ryw, mr, mw, wfr, with commas between "
       "them"},
      {"session; guarantees=ryw,ryw",
       "guarantees='ryw,ryw' must be some of ryw, mr, mw, wfr, with "
       "commas between them"},
      {"session; on_violation=give-up", "on_violation='give-up' must be wait, forward or reject"},
      {"quorum; r=0", "r='0' must be a whole number from 1 to the replicas, or all"},
      {"quorum; r", "r='?1' must be a whole number from 1 to the replicas, or all"},
      {"quorum; r=-1", "r='-1' must be a whole number from 1 to the replicas, or all"},
      {"quorum; w=1.5", "w='1.5' must be a whole number from 1 to the replicas, or all"},
      {"quorum; w=4294967295",
       "w='4294967295' must be a whole number from 1 to the replicas, or all"},
      {"quorum; w=99999999999",
       "w='99999999999' must be a whole number from 1 to the replicas, or all"},
      {"quorum; sloppy=yes", "sloppy='yes' must be true or false"},
      {"quorum; repair=now", "repair='now' must be async or blocking"},
      {"quorum; r=1; r=1", "r is given twice"},
      {"quorum; sloppy; sloppy=false", "sloppy is given twice"},
      {"one; r=2", "r is given twice"},
      {"all; w=1", "w is given twice"},
      {"bounded", "bounded needs a bound: max_staleness_ms, max_lag or both"},
      {"bounded; on_violation=wait", "bounded needs a bound: max_staleness_ms, max_lag or both"},
      {"bounded; max_staleness_ms=0",
       "max_staleness_ms='0' must be a whole number from 1 to 86400000"},
      {"bounded; max_staleness_ms=86400001",
       "max_staleness_ms='86400001' must be a whole number from 1 to 86400000"},
      {"bounded; max_lag=-1", "max_lag='-1' must be a whole number from 0 to 1000000000"},
      {"bounded; max_lag=1; on_violation=panic",
       "on_violation='panic' must be wait, forward or reject"},
      {"linearizable; ack=some", "ack='some' must be leader, semi-sync, majority or all"},
      {"sequential; max_lag=1",
       "'max_lag' is no parameter of sequential, which takes on_violation and ack"},
  }));
  CAPTURE(c.text);
  const auto parsed = parse_consistency(c.text);
  REQUIRE(parsed.has_error());
  CHECK(parsed.error().code == ErrorCode::bad_parameter);
  CHECK(parsed.error().message == c.message);
  CHECK(parse_consistency("two words").error().code == ErrorCode::unknown_level);
}

TEST_CASE("consistency: parameters beside the text belong to it") {
  const auto with = [](std::string_view text, LevelParameter parameter, std::string_view value) {
    const std::array beside{LevelArgument{parameter, value}};
    const auto parsed = parse_consistency(text, beside);
    return parsed ? parsed->to_string() : parsed.error().message;
  };
  CHECK(with("quorum", LevelParameter::r, "2") == "quorum; r=2");
  CHECK(with("quorum; w=3", LevelParameter::r, "2") == "quorum; r=2; w=3");
  CHECK(with("quorum; w=3", LevelParameter::w, "3") == "w is given twice");
  CHECK(with("two", LevelParameter::w, "1") == "w is given twice");
  CHECK(with("prefix", LevelParameter::repair, "async") ==
        "'repair' is no parameter of prefix, which takes ack");
  CHECK(with("bounded", LevelParameter::max_lag, "3") == "bounded; max_lag=3");
  // Where more may come, it may still be missing.
  REQUIRE(parse_consistency_part("bounded").has_value());
  CHECK(incomplete(*parse_consistency_part("bounded")).has_value());
}

TEST_CASE("consistency: setting a parameter again replaces it") {
  Consistency consistency{Level::quorum, 2, 2};
  CHECK(set_parameter(consistency, {LevelParameter::r, "1"}).has_value());
  CHECK(consistency == Consistency{Level::quorum, 1, 2});
  CHECK(set_parameter(consistency, {LevelParameter::sloppy, "true"}).has_value());
  CHECK(set_parameter(consistency, {LevelParameter::sloppy, "false"}).has_value());
  CHECK(consistency == Consistency{Level::quorum, 1, 2});
}

TEST_CASE("consistency: what is printed is read as it was", "[random]") {
  Random random(7);
  const auto replicas = [&] {
    constexpr std::array<std::uint32_t, 5> kCounts{0, 1, 3, 0xffff'fffe, Consistency::kAll};
    return kCounts[random.below(kCounts.size())];
  };
  for (int round = 0; round < 2'000; ++round) {
    const LevelInfo& row = kLevels[random.below(kLevels.size())];
    Consistency consistency{row.level};
    const auto takes = [&](LevelParameter parameter) { return row.parameters.contains(parameter); };
    if (takes(LevelParameter::r)) consistency.r = replicas();
    if (takes(LevelParameter::w)) consistency.w = replicas();
    if (takes(LevelParameter::sloppy)) consistency.sloppy = random.below(2) == 0;
    if (takes(LevelParameter::repair)) consistency.blocking_repair = random.below(2) == 0;
    if (takes(LevelParameter::guarantees)) {
      const std::uint64_t some = random.between(1, 15);
      consistency.guarantees = {(some & 1) != 0, (some & 2) != 0, (some & 4) != 0, (some & 8) != 0};
    }
    const auto bound = [&](std::uint32_t most) {
      return static_cast<std::uint32_t>(random.between(1, most));
    };
    if (takes(LevelParameter::max_staleness_ms))
      consistency.max_staleness_ms = bound(kMaxStalenessMs);
    if (takes(LevelParameter::max_lag) && random.below(2) == 0)
      consistency.max_lag = bound(kMaxLag);
    if (takes(LevelParameter::on_violation)) {
      consistency.on_violation = static_cast<OnViolation>(random.below(kOnViolations.size()));
    }
    if (takes(LevelParameter::ack)) {
      consistency.ack = static_cast<Ack>(random.below(kAcks.size()));
    }
    const std::string text = consistency.to_string();
    CAPTURE(text);
    const auto parsed = parse_consistency(text);
    REQUIRE(parsed.has_value());
    CHECK(*parsed == consistency);
  }
}

TEST_CASE("consistency: the list of parameters is in its order") {
  for (std::size_t i = 0; i < kLevelParameters.size(); ++i) {
    CHECK(kLevelParameters[i].parameter == static_cast<LevelParameter>(i));
  }
}

}  // namespace parallax::test
