#include "consistency/checker/texts.h"

#include <catch2/catch.hpp>

namespace parallax::checker {

TEST_CASE("texts: equal contents have one id and no other") {
  Texts texts;
  std::vector<Text> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back(texts.intern(std::to_string(i)));
  for (int i = 0; i < 1000; ++i) {
    const auto at = static_cast<std::size_t>(i);
    CHECK(texts.intern(std::to_string(i)) == ids[at]);
    CHECK(texts.find(std::to_string(i)) == ids[at]);
    CHECK(texts[ids[at]] == std::to_string(i));
    CHECK(ids[at].value == kFirstText.value + at);
  }
  CHECK(texts.size() == kFirstText.value + 1000);
  CHECK_FALSE(texts.find("1000"));
}

TEST_CASE("texts: the empty text is neither nothing nor absent") {
  Texts texts;
  CHECK_FALSE(texts.find(""));
  CHECK(texts.intern("") >= kFirstText);
  CHECK(texts[kNothing].empty());
  CHECK(texts[kAbsent].empty());
}

TEST_CASE("texts: a copy grows by itself") {
  Texts texts;
  texts.intern("a");
  Texts copy = texts;
  const Text b = copy.intern("b");
  CHECK_FALSE(texts.find("b"));
  CHECK(texts.intern("c") == b);
  CHECK(copy[b] == "b");
}

}  // namespace parallax::checker
