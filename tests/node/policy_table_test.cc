// Policies by prefix: which one holds, and what level a request without one gets.
#include "node/policy_table.h"

#include <map>

#include <catch2/catch.hpp>

#include "base/random.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

constexpr Consistency kPrefix{Level::prefix};
constexpr Consistency kStrong{};

PolicyRecord record(std::optional<Policy> policy, std::uint64_t index) {
  PolicyRecord made = to_record(policy);
  made.log_index = LogIndex{index};
  return made;
}

Policy with_level(std::optional<Consistency> level) {
  return {.default_consistency = level};
}

bool set(PolicyTable& table, std::string_view prefix, const PolicyRecord& made) {
  const Result<bool> taken = table.set(prefix, made);
  REQUIRE(taken);
  return *taken;
}

/// "" linearizable, "a" and "a/b" prefix, "a/b/c" without a level, "z" removed.
PolicyTable sample() {
  PolicyTable table;
  set(table, "a", record(with_level(kPrefix), 1));
  set(table, "a/b/c", record(with_level(std::nullopt), 3));
  set(table, "a/b", record(with_level(kPrefix), 2));
  set(table, "z", record(with_level(kPrefix), 4));
  set(table, "z", record(std::nullopt, 5));
  return table;
}

}  // namespace

TEST_CASE("policy table: a level with parameters goes there and back") {
  const Policy policy{Consistency{.level = Level::quorum, .r = 1, .w = Consistency::kAll},
                      Mixing::deny, ConflictStrategy::last_writer};
  CHECK(to_record(policy).default_consistency == "quorum; r=1; w=all");
  const auto back = from_record(to_record(policy));
  REQUIRE(back);
  CHECK(*back == policy);
  PolicyTable table;
  set(table, "a", record(policy, 1));
  CHECK(table.level_for(Get{"abc"}) == *policy.default_consistency);
}

TEST_CASE("policy table: a prefix that denies mixing is written by one protocol") {
  PolicyTable table;
  const auto deny = [](std::optional<Consistency> level) {
    return Policy{level, Mixing::deny, ConflictStrategy::last_writer};
  };
  set(table, "q", record(deny(Consistency{.level = Level::quorum, .r = 1}), 1));
  set(table, "l", record(deny(std::nullopt), 2));
  set(table, "w", record(deny(Consistency{.level = Level::weak}), 3));
  set(table, "q/free", record(with_level(Consistency{.level = Level::quorum}), 4));
  // By kLevels.
  const auto allowed = [&](std::string_view key) {
    std::string row;
    for (const LevelInfo& level : kLevels) {
      const bool denied = mixing_refusal(table.find(key), Put{"k", {}}, level.level).has_value();
      row += denied ? '-' : '+';
    }
    return row;
  };
  CHECK(allowed("q") == "----++--+-");
  CHECK(allowed("l/a") == "++++------");
  CHECK(allowed("w") == "---------+");
  CHECK(allowed("q/free/a") == "++++++++++");
  CHECK(allowed("other") == "++++++++++");
}

TEST_CASE("policy table: records go there and back") {
  for (const Mixing mixing : {Mixing::allow, Mixing::deny}) {
    for (const std::optional<Consistency>& level :
         {std::optional<Consistency>{}, std::optional(kPrefix), std::optional(kStrong)}) {
      for (const auto& [conflict, name] : kConflictStrategies) {
        const Policy policy{level, mixing, conflict};
        const auto back = from_record(to_record(policy));
        REQUIRE(back);
        CHECK(*back == policy);
      }
    }
  }
  const auto none = from_record(to_record(std::nullopt));
  REQUIRE(none);
  CHECK_FALSE(*none);
}

TEST_CASE("policy table: a record that says what this program does not know is corrupt") {
  const auto why = [](const PolicyRecord& bad) {
    const auto read = from_record(bad);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == ErrorCode::corrupt);
    PolicyTable table;
    CHECK_FALSE(table.set("p", bad));
    CHECK(table.size() == 0);
    CHECK(table.at("p") == nullptr);
    return read.error().message;
  };
  PolicyRecord bad = to_record(Policy{});
  bad.default_consistency = "sometimes";
  CHECK_THAT(why(bad), Catch::Contains("default_consistency") && Catch::Contains("sometimes"));
  bad = to_record(Policy{});
  bad.mixing = "";
  CHECK_THAT(why(bad), Catch::Contains("mixing"));
  bad = to_record(Policy{});
  bad.conflict = "coin";
  CHECK_THAT(why(bad), Catch::Contains("conflict") && Catch::Contains("coin"));
}

TEST_CASE("policy table: of two records of a prefix the later counts, in any order") {
  const PolicyRecord first = record(with_level(kPrefix), 4);
  const PolicyRecord second = record(with_level(kStrong), 5);
  const PolicyRecord removal = record(std::nullopt, 6);
  PolicyTable table;
  CHECK(set(table, "p", second));
  CHECK_FALSE(set(table, "p", first));
  CHECK_FALSE(set(table, "p", second));
  REQUIRE(table.at("p") != nullptr);
  CHECK(*table.at("p") == with_level(kStrong));
  CHECK(table.size() == 1);
  CHECK(set(table, "p", removal));
  CHECK(table.at("p") == nullptr);
  CHECK(table.size() == 0);
  CHECK(table.list().empty());
  // A removal is remembered: what it removed does not come back with an old snapshot.
  CHECK_FALSE(set(table, "p", second));
  CHECK(table.at("p") == nullptr);
  CHECK(set(table, "p", record(with_level(kPrefix), 7)));
  CHECK(table.size() == 1);
}

TEST_CASE("policy table: the longest prefix holds") {
  PolicyTable table = sample();
  CHECK(table.size() == 3);
  CHECK(table.find("") == nullptr);
  CHECK(table.find("b") == nullptr);
  CHECK(table.find("z1") == nullptr);
  CHECK(table.find("a") == table.at("a"));
  CHECK(table.find("a/") == table.at("a"));
  CHECK(table.find("a/b") == table.at("a/b"));
  CHECK(table.find("a/bx") == table.at("a/b"));
  CHECK(table.find("a/b/c/d") == table.at("a/b/c"));
  CHECK(table.find("A") == nullptr);
  set(table, "", record(with_level(kPrefix), 9));
  CHECK(table.find("b") == table.at(""));
  CHECK(table.find("z1") == table.at(""));
  const auto all = table.list();
  REQUIRE(all.size() == 4);
  CHECK(all[0].first == "");
  CHECK(all[3].first == "a/b/c");
}

TEST_CASE("policy table: finding agrees with trying every prefix", "[random]") {
  Random random(1);
  const auto text = [&](std::uint64_t most) {
    std::string made;
    for (std::uint64_t n = random.below(most + 1); n > 0; --n) {
      made.push_back(random.chance(0.2) ? '\xff' : static_cast<char>('a' + random.below(2)));
    }
    return made;
  };
  for (int round = 0; round < 300; ++round) {
    PolicyTable table;
    std::map<std::string, Policy> oracle;
    for (std::uint64_t i = 1; i <= 12; ++i) {
      const std::string prefix = text(4);
      const Policy policy = with_level(random.chance(0.5) ? kPrefix : kStrong);
      if (random.chance(0.3)) {
        oracle.erase(prefix);
        set(table, prefix, record(std::nullopt, i));
      } else {
        oracle.insert_or_assign(prefix, policy);
        set(table, prefix, record(policy, i));
      }
    }
    REQUIRE(table.size() == oracle.size());
    const auto level_of = [&](const std::string& key) {
      const Policy* longest = nullptr;
      for (const auto& [prefix, policy] : oracle) {
        if (key.starts_with(prefix)) longest = &policy;  // in rising order of length, too
      }
      return longest == nullptr ? kStrong : longest->default_consistency.value_or(kStrong);
    };
    std::vector<std::string> keys;
    for (int i = 0; i < 30; ++i) keys.push_back(text(6) + "a");
    for (const std::string& key : keys) REQUIRE(table.level_for(Get{.key = key}) == level_of(key));
    // A range gets a weaker level only if all keys that it can hold would.
    for (int i = 0; i < 10; ++i) {
      const Scan scan{.start = text(3), .end = text(3)};
      if (table.level_for(scan) == kStrong) continue;
      for (const std::string& key : keys) {
        if (key < scan.start || (!scan.end.empty() && key >= scan.end)) continue;
        INFO("'" << key << "' in '" << scan.start << "' to '" << scan.end << "'");
        REQUIRE(level_of(key) == kPrefix);
      }
    }
  }
}

TEST_CASE("policy table: the level of a request that names none") {
  const PolicyTable table = sample();
  CHECK(PolicyTable{}.level_for(Get{.key = "a"}) == kStrong);
  CHECK(table.level_for(Get{.key = "a"}) == kPrefix);
  CHECK(table.level_for(Put{.key = "a/b", .value = {}}) == kPrefix);
  CHECK(table.level_for(Delete{"a"}) == kPrefix);
  CHECK(table.level_for(Increment{"a"}) == kPrefix);
  CHECK(table.level_for(ReadHistory{.key = "a", .from = {}}) == kPrefix);
  CHECK(table.level_for(Get{.key = "a/b/c"}) == kStrong);  // its own policy names none
  CHECK(table.level_for(Get{.key = "b"}) == kStrong);
  CHECK(table.level_for(Get{.key = "z"}) == kStrong);
  // Convergent values have a default of their own, since linearizable does not carry them.
  CHECK(PolicyTable{}.level_for(GetCrdt{"a"}) == Consistency{Level::eventual});
  CHECK(table.level_for(UpdateCrdt{"b"}) == Consistency{Level::eventual});
  CHECK(table.level_for(UpdateCrdt{"a"}) == kPrefix);  // to be refused, naming it
  // What is about policies is no weaker than what it is about.
  CHECK(table.level_for(GetPolicy{"a"}) == kStrong);
  CHECK(table.level_for(ListPolicies{}) == kStrong);
  CHECK(table.level_for(SetPolicy{"a", Policy{}}) == kStrong);
}

TEST_CASE("policy table: several keys share a level, or get the strongest") {
  const PolicyTable table = sample();
  CHECK(table.level_for(GetMany{{"a1", "a2", "a/b"}}) == kPrefix);
  CHECK(table.level_for(GetMany{{"a1", "b"}}) == kStrong);
  CHECK(table.level_for(GetMany{{"b", "a1"}}) == kStrong);
  CHECK(table.level_for(GetMany{{"a1", "a/b/c"}}) == kStrong);
  CHECK(table.level_for(GetMany{{"b", "c"}}) == kStrong);
}

TEST_CASE("policy table: a range has the level of a policy that holds for all of it") {
  PolicyTable table;
  set(table, "a", record(with_level(kPrefix), 1));
  set(table, "ab", record(with_level(kStrong), 2));
  set(table, "\xff", record(with_level(kPrefix), 3));
  const auto level = [&](std::string start, std::string end) {
    return table.level_for(Scan{.start = std::move(start), .end = std::move(end)});
  };
  CHECK(level("ac", "b") == kPrefix);  // "b" is the first key behind all that begin with "a"
  CHECK(level("ac", "ad") == kPrefix);
  CHECK(level("a", "ab") == kPrefix);
  CHECK(level("a", "ab0") == kStrong);  // "ab" is inside
  CHECK(level("ab", "ac") == kStrong);
  CHECK(level("ac", "b0") == kStrong);
  CHECK(level("ac", "") == kStrong);
  CHECK(level("", "b") == kStrong);
  CHECK(level("\xff", "") == kPrefix);  // nothing is behind a prefix of 0xff
  set(table, "ab", record(std::nullopt, 4));
  CHECK(level("a", "b") == kPrefix);
  set(table, "", record(with_level(kPrefix), 5));
  CHECK(level("b", "c") == kPrefix);
  CHECK(level("", "") == kStrong);  // others are inside, and may ask for more
}

TEST_CASE("policy table: a strategy refuses levels that promise an order") {
  const Policy policy{Consistency{Level::eventual}, Mixing::allow, ConflictStrategy::merge_json};
  for (const LevelInfo& info : kLevels) {
    INFO(info.name);
    const bool allowed = info.protocol == Protocol::causal || info.level == Level::eventual ||
                         info.level == Level::weak;
    const std::vector<Operation> operations{Put{"k", {}},   Get{.key = "k"}, Delete{"k"},
                                            Increment{"k"}, Scan{"k", "l"},  GetMany{{"k"}}};
    for (const Operation& operation : operations) {
      INFO(operation_name(operation));
      const auto refusal = mixing_refusal(&policy, operation, info.level);
      REQUIRE(refusal.has_value() != allowed);
      if (!refusal) continue;
      CHECK(refusal->code == ErrorCode::mixing_denied);
      CHECK(refusal->definite());
      CHECK_THAT(refusal->message,
                 Catch::Contains("merge-json") && Catch::Contains(std::string(info.name)) &&
                     Catch::Contains("use one of causal, session, eventual, weak"));
    }
    for (const Operation& operation :
         std::vector<Operation>{ReadHistory{.key = "k", .from = {}}, GetPolicy{"k"}, ListPolicies{},
                                SetPolicy{"k", Policy{}}}) {
      CHECK_FALSE(mixing_refusal(&policy, operation, info.level));
    }
    CHECK_FALSE(mixing_refusal(nullptr, Put{"k", {}}, info.level));
    const Policy plain;
    CHECK_FALSE(mixing_refusal(&plain, Put{"k", {}}, info.level));
  }
}

TEST_CASE("policy table: deny leaves writes to the protocol of the default level") {
  for (const LevelInfo& pinned : kLevels) {
    const Policy policy{Consistency{pinned.level}, Mixing::deny, ConflictStrategy::last_writer};
    for (const LevelInfo& info : kLevels) {
      INFO(pinned.name << " pinned, " << info.name);
      const bool same = info.protocol == pinned.protocol;
      for (const Operation& write :
           std::vector<Operation>{Put{"k", {}}, Delete{"k"}, Increment{"k"}}) {
        const auto refusal = mixing_refusal(&policy, write, info.level);
        REQUIRE(refusal.has_value() != same);
        if (!refusal) continue;
        CHECK(refusal->code == ErrorCode::mixing_denied);
        CHECK(refusal->definite());
        CHECK_THAT(refusal->message, Catch::Contains(std::string(pinned.name)) &&
                                         Catch::Contains(std::string(info.name)));
      }
      for (const Operation& read : std::vector<Operation>{Get{.key = "k"}, Scan{"k", "l"},
                                                          GetMany{{"k"}}, GetPolicy{"k"}}) {
        CHECK_FALSE(mixing_refusal(&policy, read, info.level));
      }
    }
  }
  // Without a default level the prefix is the leader's.
  const Policy policy{std::nullopt, Mixing::deny, ConflictStrategy::last_writer};
  CHECK_FALSE(mixing_refusal(&policy, Put{"k", {}}, Level::linearizable));
  CHECK(mixing_refusal(&policy, Put{"k", {}}, Level::quorum)->message ==
        "the prefix's policy denies writes of other protocols than that of linearizable; quorum is "
        "of another, use one of linearizable, sequential, bounded, prefix");
}

TEST_CASE("policy table: a request meets the policies of its keys") {
  PolicyTable table;
  const auto at_level = [](Operation operation, Level level) {
    Request request;
    request.operation = std::move(operation);
    request.consistency.level = level;
    return request;
  };
  CHECK_FALSE(table.refusal_of(at_level(Put{"s1", {}}, Level::linearizable)));
  set(table, "s",
      record(Policy{Consistency{Level::eventual}, Mixing::allow, ConflictStrategy::siblings}, 1));
  set(table, "d", record(Policy{std::nullopt, Mixing::deny, ConflictStrategy::last_writer}, 2));
  const auto refused = [&](Operation operation, Level level) {
    return table.refusal_of(at_level(std::move(operation), level)).has_value();
  };
  CHECK(refused(Put{"s1", {}}, Level::linearizable));
  CHECK(refused(Get{.key = "s1"}, Level::quorum));
  CHECK_FALSE(refused(Put{"s1", {}}, Level::eventual));
  CHECK_FALSE(refused(Put{"r1", {}}, Level::linearizable));
  CHECK(refused(Put{"d1", {}}, Level::eventual));
  CHECK_FALSE(refused(Get{.key = "d1"}, Level::eventual));
  CHECK_FALSE(refused(GetMany{{"a", "b"}}, Level::linearizable));
  CHECK(refused(GetMany{{"a", "s1"}}, Level::linearizable));
  CHECK_FALSE(refused(GetMany{{"a", "s1"}}, Level::eventual));
  CHECK(refused(Scan{.start = "s1", .end = "s2"}, Level::prefix));
  CHECK(refused(Scan{.start = "s", .end = "t"}, Level::linearizable));
  CHECK_FALSE(refused(Scan{.start = "s", .end = "t"}, Level::eventual));
  CHECK_FALSE(refused(Scan{.start = "a", .end = "z"}, Level::linearizable));
  CHECK_FALSE(refused(SetPolicy{"s", Policy{}}, Level::linearizable));
  CHECK_FALSE(refused(ReadHistory{.key = "s1", .from = {}}, Level::prefix));
}

}  // namespace parallax::testing
