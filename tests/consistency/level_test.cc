#include "consistency/level.h"

#include <set>

#include <catch2/catch.hpp>

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
  CHECK(levels == std::set{Level::linearizable, Level::prefix});
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
      " is no consistency level; use one of linearizable (or strong), prefix";
  CHECK(refusal("serializable") == "'serializable'" + choices);
  CHECK(refusal("") == "''" + choices);  // the alias that a level does not have is no name
  CHECK(refusal("Linearizable") == "'Linearizable'" + choices);
  CHECK(refusal("prefix ") == "'prefix '" + choices);
}

TEST_CASE("level: what someone sent stays one short line in the refusal") {
  const auto level = parse_level("bad\r\nlevel'\x01" + std::string(10'000, 'x'));
  REQUIRE(level.has_error());
  CHECK(level.error().message.find("'bad??level??xxx") == 0);
  CHECK(level.error().message.size() < 200);
}

TEST_CASE("consistency: reads as in the header") {
  CHECK(Consistency{}.to_string() == "linearizable");
  CHECK(Consistency{Level::prefix}.to_string() == "prefix");
}

}  // namespace parallax::test
