#include "consistency/policy.h"

#include <catch2/catch.hpp>

namespace parallax::test {

TEST_CASE("policy: every name finds its choice") {
  for (const auto& [mixing, name] : kMixings) {
    CHECK(mixing_name(mixing) == name);
    REQUIRE(parse_mixing(name).has_value());
    CHECK(*parse_mixing(name) == mixing);
  }
  for (const auto& [strategy, name] : kConflictStrategies) {
    CHECK(conflict_name(strategy) == name);
    REQUIRE(parse_conflict(name).has_value());
    CHECK(*parse_conflict(name) == strategy);
  }
  CHECK(mixing_name(Mixing::deny) == "deny");
  CHECK(conflict_name(ConflictStrategy::last_writer) == "last-writer");
}

TEST_CASE("policy: an unknown choice is refused with the valid ones") {
  const auto refusal = [](const auto& result) {
    REQUIRE(result.has_error());
    CHECK(result.error().code == ErrorCode::bad_parameter);
    CHECK(result.error().definite());
    return result.error().message;
  };
  CHECK(refusal(parse_mixing("Allow")) == "'Allow' is no mixing; use one of allow, deny");
  CHECK(refusal(parse_mixing("")) == "'' is no mixing; use one of allow, deny");
  CHECK(refusal(parse_conflict("newest\n")) ==
        "'newest?' is no conflict strategy; use one of last-writer, first-writer, "
        "siblings, merge-json");
}

TEST_CASE("policy: a strategy goes with levels that promise no order") {
  for (const LevelInfo& info : kLevels) {
    INFO(info.name);
    const bool unordered = info.protocol == Protocol::causal || info.level == Level::eventual ||
                           info.level == Level::weak;
    CHECK(is_unordered(info.level) == unordered);
    for (const auto& [strategy, name] : kConflictStrategies) {
      INFO(name);
      const auto error = policy_error({Consistency{info.level}, Mixing::allow, strategy});
      CHECK(error.has_value() == (!unordered && strategy != ConflictStrategy::last_writer));
    }
  }
  CHECK_FALSE(policy_error({}));
  const auto error = policy_error({std::nullopt, Mixing::deny, ConflictStrategy::siblings});
  REQUIRE(error);
  CHECK(error->code == ErrorCode::bad_parameter);
  CHECK(error->definite());
  CHECK(error->message ==
        "conflict 'siblings' does not go with the default_consistency 'linearizable'; use one of "
        "causal, session, eventual, weak");
}

}  // namespace parallax::test
