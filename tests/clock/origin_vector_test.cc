#include "clock/origin_vector.h"

#include <algorithm>
#include <map>

#include "tests/clock/cases.h"

namespace parallax {
namespace {

Origin origin(std::uint32_t node, std::uint64_t incarnation) {
  return Origin{NodeId{node}, Incarnation{incarnation}};
}

Origin random_origin(Random& random) {
  return origin(static_cast<std::uint32_t>(random.between(1, 3)), random.between(1, 2));
}

OriginVector random_vector(Random& random) {
  std::vector<OriginVector::Entry> entries;
  for (std::uint64_t left = random.below(6); left > 0; --left) {
    entries.emplace_back(random_origin(random), random.below(4));
  }
  return OriginVector(std::move(entries));
}

TEST_CASE("origin vector: counts per incarnation of a node") {
  OriginVector vector;
  CHECK(vector.empty());
  CHECK(vector.to_string() == "{}");
  vector.advance(origin(3, 1), 9);
  vector.advance(origin(1, 7), 12);
  vector.advance(origin(3, 1), 4);
  vector.advance(origin(2, 1), 0);
  CHECK(vector.to_string() == "{1.7:12, 3.1:9}");
  CHECK(vector.at(origin(3, 1)) == 9);
  CHECK(vector.at(origin(2, 1)) == 0);
  CHECK(vector.covers(origin(3, 1), 9));
  CHECK_FALSE(vector.covers(origin(3, 1), 10));
  CHECK(vector.covers(origin(2, 1), 0));
}

TEST_CASE("origin vector: a later incarnation that counts from 1 again is not covered") {
  OriginVector vector;
  vector.advance(origin(1, 1), 100);
  CHECK_FALSE(vector.covers(origin(1, 2), 1));
  vector.advance(origin(1, 2), 1);
  CHECK(vector.at(origin(1, 1)) == 100);
  CHECK(vector.at(origin(1, 2)) == 1);
}

TEST_CASE("origin vector: how two relate") {
  struct Case {
    const char* name;
    std::vector<OriginVector::Entry> a, b;
    bool a_dominates, b_dominates;
  };
  const Origin n1 = origin(1, 1);
  const Origin n1_again = origin(1, 2);
  const Origin n2 = origin(2, 1);
  const auto c = GENERATE_COPY(values<Case>({
      {"two empty ones are equal", {}, {}, true, true},
      {"empty is before everything", {}, {{n1, 1}}, false, true},
      {"zero entries do not count", {{n1, 0}}, {}, true, true},
      {"equal in any order of entries", {{n2, 2}, {n1, 1}}, {{n1, 1}, {n2, 2}}, true, true},
      {"the highest of several counts", {{n1, 3}, {n1, 7}, {n1, 5}}, {{n1, 7}}, true, true},
      {"later in one entry", {{n1, 2}, {n2, 1}}, {{n1, 1}, {n2, 1}}, true, false},
      {"incarnations of one node are apart", {{n1, 9}}, {{n1_again, 1}}, false, false},
      {"one incarnation more", {{n1, 1}, {n1_again, 1}}, {{n1, 1}}, true, false},
      {"crosswise", {{n1, 2}, {n2, 1}}, {{n1, 1}, {n2, 2}}, false, false},
  }));
  DYNAMIC_SECTION(c.name) {
    const OriginVector a(c.a);
    const OriginVector b(c.b);
    CHECK(a.dominates(b) == c.a_dominates);
    CHECK(b.dominates(a) == c.b_dominates);
    CHECK((a == b) == (c.a_dominates && c.b_dominates));
  }
}

TEST_CASE("origin vector: random verbs against a map") {
  test::for_each_seed(test::kRandomCases, [](Random& random) {
    OriginVector vector;
    std::map<Origin, std::uint64_t> model;
    for (int step = 0; step < 12; ++step) {
      if (random.below(2) == 0) {
        const Origin of = random_origin(random);
        const std::uint64_t count = random.below(6);
        vector.advance(of, count);
        model[of] = std::max(model[of], count);
      } else {
        const OriginVector other = random_vector(random);
        vector.join(other);
        for (const auto& [of, count] : other.entries()) model[of] = std::max(model[of], count);
      }
    }
    for (const auto& [of, count] : model) HOLDS(vector.at(of) == count);
    std::erase_if(model, [](const auto& entry) { return entry.second == 0; });
    HOLDS(std::equal(vector.entries().begin(), vector.entries().end(), model.begin(), model.end(),
                     [](const OriginVector::Entry& entry, const auto& expected) {
                       return entry.first == expected.first && entry.second == expected.second;
                     }));
  });
}

TEST_CASE("origin vector: join is the least upper bound") {
  test::for_each_seed(test::kRandomCases, [](Random& random) {
    const OriginVector a = random_vector(random);
    const OriginVector b = random_vector(random);
    const OriginVector c = random_vector(random);
    const auto joined = [](OriginVector x, const OriginVector& y) {
      x.join(y);
      return x;
    };
    const OriginVector ab = joined(a, b);
    HOLDS(ab == joined(b, a));
    HOLDS(joined(ab, c) == joined(a, joined(b, c)));
    HOLDS(joined(a, a) == a);
    HOLDS(ab.dominates(a) && ab.dominates(b));
    HOLDS(!(c.dominates(a) && c.dominates(b)) || c.dominates(ab));
    HOLDS(a.dominates(b) == (ab == a));
  });
}

}  // namespace
}  // namespace parallax
