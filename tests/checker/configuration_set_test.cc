#include "consistency/checker/configuration_set.h"

#include <set>

#include <catch2/catch.hpp>

#include "base/random.h"

namespace parallax::checker {
namespace {

using Word = std::vector<std::uint64_t>;

/// Words here begin with their length.
std::size_t length_of(const std::uint64_t* word) {
  return word[0];
}

}  // namespace

TEST_CASE("configuration set: as a plain set of words") {
  Random random(1);
  ConfigurationSet set;
  std::set<Word> oracle;
  for (int i = 0; i < 20'000; ++i) {
    Word word(1 + random.below(4));
    for (auto& part : word) part = random.below(12);
    word[0] = word.size();
    REQUIRE(set.insert(word, length_of) == oracle.insert(word).second);
  }
  CHECK(set.size() == oracle.size());
  Word large(100'000, 7);
  large[0] = large.size();
  CHECK(set.insert(large, length_of));
  CHECK_FALSE(set.insert(large, length_of));
  CHECK(set.memory_bytes() > large.size() * 8);
}

TEST_CASE("configuration set: equal hashes are not equal words") {
  const Word a{3, 10, 20};
  Word b{3, 11, 0};
  // The last part makes up for what differs before it.
  const Word a_begin{3, 10};
  const Word b_begin{3, 11};
  b[2] = a[2] ^ ConfigurationSet::hash_of(a_begin) ^ ConfigurationSet::hash_of(b_begin);
  REQUIRE(ConfigurationSet::hash_of(a) == ConfigurationSet::hash_of(b));
  ConfigurationSet set;
  CHECK(set.insert(a, length_of));
  CHECK(set.insert(b, length_of));
  CHECK_FALSE(set.insert(a, length_of));
  CHECK_FALSE(set.insert(b, length_of));
}

}  // namespace parallax::checker
