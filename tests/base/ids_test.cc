#include "base/ids.h"

#include <type_traits>
#include <unordered_set>

#include <catch2/catch.hpp>

namespace parallax {
namespace {

// No meaning turns into another, and none into or from a bare number unasked.
static_assert(!std::is_convertible_v<std::uint64_t, Term>);
static_assert(!std::is_convertible_v<Term, std::uint64_t>);
static_assert(!std::is_constructible_v<Term, LogIndex>);
static_assert(!std::is_constructible_v<LogIndex, Term>);
static_assert(!std::is_constructible_v<NodeId, GroupId>);
static_assert(!std::is_constructible_v<UnixMillis, Incarnation>);
static_assert(!std::is_constructible_v<MonoTime, UnixMillis>);
static_assert(!std::is_convertible_v<std::int64_t, MonoTime>);
static_assert(!std::is_assignable_v<Term&, RoundId>);
static_assert(!std::equality_comparable_with<Term, RoundId>);
static_assert(sizeof(NodeId) == 4 && sizeof(Term) == 8 && sizeof(LogIndex) == 8);

TEST_CASE("ids: ordered and hashed and printed as their number") {
  CHECK(Term{1} < Term{2});
  CHECK(Term{2} == Term{2});
  CHECK(NodeId{} == kNoNode);
  CHECK(kOnlyGroup == GroupId{1});
  CHECK(fmt::format("{} {} {:>4}", NodeId{3}, LogIndex{12}, Term{7}) == "3 12    7");
  const std::unordered_set<NodeId> nodes{NodeId{1}, NodeId{2}, NodeId{1}};
  CHECK(nodes.size() == 2);
  const std::unordered_set<LogIndex> indexes{LogIndex{1}, LogIndex{1}};
  CHECK(indexes.size() == 1);
}

TEST_CASE("ids: positions of the log") {
  CHECK(LogIndex{4}.next() == LogIndex{5});
  CHECK(LogIndex{4}.prev() == LogIndex{3});
  CHECK(LogIndex{0}.prev() == LogIndex{0});
  CHECK(LogIndex{4} + 3 == LogIndex{7});
  CHECK(LogIndex{7} - LogIndex{4} == 3);
  CHECK(LogIndex{7} - LogIndex{7} == 0);
}

TEST_CASE("ids: a cluster id is 32 hexadecimal digits") {
  CHECK(ClusterId{}.empty());
  CHECK_FALSE(ClusterId{0, 1}.empty());
  CHECK_FALSE(ClusterId{1, 0}.empty());
  CHECK(ClusterId{0xabc, 0xffffffffffffffff}.to_string() == "0000000000000abcffffffffffffffff");
  CHECK(ClusterId{1, 0} > ClusterId{0, 9});
}

}  // namespace
}  // namespace parallax
