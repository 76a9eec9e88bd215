#include "clock/stamp.h"

#include <algorithm>
#include <limits>

#include "clock/actor.h"
#include "tests/clock/cases.h"

namespace parallax {
namespace {

constexpr auto kMax64 = std::numeric_limits<std::uint64_t>::max();
constexpr auto kMax32 = std::numeric_limits<std::uint32_t>::max();

TEST_CASE("stamp: an hlc is 48 bits of milliseconds above 16 of counter (Kulkarni et al. 2014)") {
  const Hlc hlc{(std::uint64_t{1'700'000'000'123} << 16) | 7};
  CHECK(hlc.millis() == UnixMillis{1'700'000'000'123});
  CHECK(hlc.logical() == 7);
  CHECK(Hlc::from_millis(UnixMillis{5}).next() == Hlc{(5 << 16) + 1});
  CHECK(Hlc{(std::uint64_t{5} << 16) | 0xffff}.next() == Hlc::from_millis(UnixMillis{6}));
}

TEST_CASE("stamp: ordered by hlc and then by node") {
  CHECK(Stamp{Hlc{1}, NodeId{9}} < Stamp{Hlc{2}, NodeId{1}});
  CHECK(Stamp{Hlc{2}, NodeId{1}} < Stamp{Hlc{2}, NodeId{2}});
  CHECK(Stamp{}.empty());
  CHECK_FALSE(Stamp{Hlc{1}, NodeId{1}}.empty());
}

TEST_CASE("stamp: text there and back") {
  struct Case {
    Stamp stamp;
    const char* text;
  };
  const auto c = GENERATE(values<Case>({
      {{Hlc{1}, NodeId{1}}, "1-1"},
      {{Hlc{111'411'200'008'060'928}, NodeId{3}}, "111411200008060928-3"},
      {{Hlc{kMax64}, NodeId{kMax32}}, "18446744073709551615-4294967295"},
  }));
  DYNAMIC_SECTION(c.text) {
    CHECK(c.stamp.to_string() == c.text);
    CHECK(fmt::format("{}", c.stamp) == c.text);
    CHECK(Stamp::parse(c.text) == c.stamp);
  }
}

TEST_CASE("stamp: parse refuses everything else") {
  const auto text = GENERATE(
      "", "-", "1", "1-", "-1", "1-0", "0-1", "0-0", "01-1", "00-1", "1-01", "1-00", "+1-1", "1-+1",
      "-1-1", "1--1", "1-1-", "1-1-1", " 1-1", "1-1 ", "1 -1", "1- 1", "1-1\n", "0x1-1", "1-0x1",
      "1e3-1", "1.0-1", "a-1", "1-a", "1_1", "\"1-1\"", "18446744073709551616-1", "1-4294967296",
      "99999999999999999999999999-1", "1-99999999999999999999", "W/\"1-1\"",
      "1\xe2\x80\x93"
      "1");
  CAPTURE(text);
  CHECK_FALSE(Stamp::parse(text).has_value());
}

TEST_CASE("stamp: parse does not read past its view or stop at a zero byte") {
  const std::string_view longer = "12-345";
  CHECK(Stamp::parse(longer.substr(0, 4)) == Stamp{Hlc{12}, NodeId{3}});
  CHECK_FALSE(Stamp::parse(std::string_view("1-1\0", 4)).has_value());
  CHECK_FALSE(Stamp::parse(std::string_view("1\0-1", 4)).has_value());
}

TEST_CASE("stamp: random texts parse exactly when they print back") {
  std::uint64_t accepted = 0;
  test::for_each_seed(2 * test::kRandomCases, [&](Random& random) {
    constexpr std::string_view kAlphabet = "0012345678999--+ ";
    std::string text;
    if (random.chance(0.5)) {
      const Stamp stamp{
          Hlc{random.next() >> random.below(64)},
          NodeId{static_cast<std::uint32_t>(random.next() >> random.between(32, 63))}};
      text = stamp.to_string();
      HOLDS(Stamp::parse(text) ==
            (stamp.node == kNoNode || stamp.empty() ? std::nullopt : std::optional(stamp)));
      if (random.chance(0.5)) {
        text[random.below(text.size())] = kAlphabet[random.below(kAlphabet.size())];
      }
    } else {
      for (std::uint64_t left = random.below(6); left > 0; --left) {
        text += kAlphabet[random.below(kAlphabet.size())];
      }
    }
    INFO("text \"" << text << "\"");
    const auto parsed = Stamp::parse(text);
    if (!parsed) return;
    ++accepted;
    HOLDS(parsed->to_string() == text);
    HOLDS(parsed->node != kNoNode && !parsed->empty());
  });
  CHECK(accepted > test::kRandomCases / 4);
}

TEST_CASE("actor: text and order") {
  const Actor quorum{ActorPath::quorum, NodeId{2}, Incarnation{7}};
  const Actor causal{ActorPath::causal, NodeId{3}, Incarnation{1}};
  CHECK(kLogActor.to_string() == "log");
  CHECK(quorum.to_string() == "quorum/2.7");
  CHECK(causal.to_string() == "causal/3.1");
  CHECK(kLogActor < quorum);
  CHECK(quorum < causal);
  CHECK(quorum < Actor{ActorPath::quorum, NodeId{2}, Incarnation{8}});
  CHECK(Actor{ActorPath::quorum, NodeId{2}, Incarnation{8}} <
        Actor{ActorPath::quorum, NodeId{3}, Incarnation{1}});
}

}  // namespace
}  // namespace parallax
