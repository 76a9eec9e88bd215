#include "clock/version_vector.h"

#include <algorithm>
#include <map>

#include "tests/clock/cases.h"

namespace parallax {
namespace {

const Actor kQuorum2{ActorPath::quorum, NodeId{2}, Incarnation{1}};
const Actor kCausal1{ActorPath::causal, NodeId{1}, Incarnation{1}};

using Model = std::map<Actor, std::uint64_t>;

Actor random_actor(Random& random) {
  switch (random.below(3)) {
    case 0:
      return kLogActor;
    case 1:
      return Actor{ActorPath::quorum, NodeId{1}, Incarnation{random.between(1, 2)}};
    default:
      return Actor{ActorPath::causal, NodeId{static_cast<std::uint32_t>(random.between(1, 2))},
                   Incarnation{1}};
  }
}

std::vector<VersionVector::Entry> random_entries(Random& random) {
  std::vector<VersionVector::Entry> entries;
  for (std::uint64_t left = random.below(5); left > 0; --left) {
    const Actor actor = random_actor(random);
    entries.emplace_back(actor, Hlc{random.below(4)});
  }
  return entries;
}

VersionVector random_vector(Random& random) {
  return VersionVector(random_entries(random));
}

void raise(Model& model, const Actor& actor, std::uint64_t reading) {
  if (reading > 0 && model[actor] < reading) model[actor] = reading;
}

Model joined(Model model, const Model& other) {
  for (const auto& [actor, reading] : other) raise(model, actor, reading);
  return model;
}

bool dominates(const Model& a, const Model& b) {
  return std::all_of(b.begin(), b.end(), [&](const auto& entry) {
    const auto found = a.find(entry.first);
    return found != a.end() && found->second >= entry.second;
  });
}

/// The same entries in the same order, none of them zero.
bool agree(const VersionVector& vector, const Model& model) {
  return std::equal(vector.entries().begin(), vector.entries().end(), model.begin(), model.end(),
                    [](const VersionVector::Entry& entry, const auto& expected) {
                      return entry.first == expected.first &&
                             entry.second.value == expected.second && expected.second != 0;
                    });
}

TEST_CASE("version vector: entries are sorted and unique and never zero") {
  struct Case {
    const char* name;
    std::vector<VersionVector::Entry> entries;
    const char* text;
  };
  const auto c = GENERATE(values<Case>({
      {"none", {}, "{}"},
      {"one", {{kLogActor, Hlc{12}}}, "{log:12}"},
      {"sorted by actor",
       {{kCausal1, Hlc{3}}, {kQuorum2, Hlc{9}}, {kLogActor, Hlc{12}}},
       "{log:12, quorum/2.1:9, causal/1.1:3}"},
      {"highest first of one actor", {{kLogActor, Hlc{7}}, {kLogActor, Hlc{5}}}, "{log:7}"},
      {"highest last of one actor", {{kLogActor, Hlc{5}}, {kLogActor, Hlc{7}}}, "{log:7}"},
      {"zero alone", {{kLogActor, Hlc{0}}}, "{}"},
      {"zero beside another", {{kQuorum2, Hlc{1}}, {kLogActor, Hlc{0}}}, "{quorum/2.1:1}"},
  }));
  DYNAMIC_SECTION(c.name) {
    CHECK(VersionVector(c.entries).to_string() == c.text);
  }
}

TEST_CASE("version vector: advance never lowers and zero adds nothing") {
  VersionVector vector;
  vector.advance(kQuorum2, Hlc{0});
  CHECK(vector.empty());
  vector.advance(kQuorum2, Hlc{5});
  vector.advance(kQuorum2, Hlc{3});
  CHECK(vector.at(kQuorum2) == Hlc{5});
  CHECK(vector.at(kCausal1) == Hlc{});
  vector.advance(kLogActor, Hlc{9});
  CHECK(vector.to_string() == "{log:9, quorum/2.1:5}");
  CHECK(vector.highest() == Hlc{9});
  CHECK(VersionVector().highest() == Hlc{});
  CHECK(vector.covers(kQuorum2, Hlc{5}));
  CHECK_FALSE(vector.covers(kQuorum2, Hlc{6}));
  CHECK_FALSE(vector.covers(kCausal1, Hlc{1}));
}

TEST_CASE("version vector: one replica ahead and two apart (Parker et al. 1983)") {
  const VersionVector origin({{kLogActor, Hlc{1}}});
  VersionVector left = origin;
  VersionVector right = origin;
  left.advance(kQuorum2, Hlc{4});
  CHECK(left.dominates(origin));
  CHECK_FALSE(origin.dominates(left));
  CHECK_FALSE(left.concurrent_with(origin));
  right.advance(kCausal1, Hlc{3});
  CHECK(left.concurrent_with(right));
  left.join(right);
  CHECK(left.to_string() == "{log:1, quorum/2.1:4, causal/1.1:3}");
  CHECK(left.dominates(right));
}

TEST_CASE("version vector: random verbs against a map") {
  test::for_each_seed(test::kRandomCases, [](Random& random) {
    const auto entries = random_entries(random);
    VersionVector vector(entries);
    Model model;
    for (const auto& [actor, hlc] : entries) raise(model, actor, hlc.value);
    for (int step = 0; step < 8; ++step) {
      const Actor actor = random_actor(random);
      const std::uint64_t reading = random.below(8);
      if (random.chance(0.5)) {
        vector.advance(actor, Hlc{reading});
        raise(model, actor, reading);
      } else {
        const auto more = random_entries(random);
        Model other;
        for (const auto& [a, hlc] : more) raise(other, a, hlc.value);
        const VersionVector other_vector(more);
        HOLDS(vector.dominates(other_vector) == dominates(model, other));
        HOLDS(vector.concurrent_with(other_vector) ==
              (!dominates(model, other) && !dominates(other, model)));
        HOLDS((vector == other_vector) == (model == other));
        vector.join(other_vector);
        model = joined(model, other);
      }
      HOLDS(agree(vector, model));
      const auto found = model.find(actor);
      const std::uint64_t expected = found == model.end() ? 0 : found->second;
      HOLDS(vector.at(actor).value == expected);
      HOLDS(vector.covers(actor, Hlc{reading}) == (reading <= expected));
    }
    std::uint64_t highest = 0;
    for (const auto& entry : model) highest = std::max(highest, entry.second);
    HOLDS(vector.highest().value == highest);
  });
}

TEST_CASE("version vector: join is the least upper bound and dominates its partial order") {
  std::uint64_t chains = 0;
  test::for_each_seed(test::kRandomCases, [&](Random& random) {
    const VersionVector a = random_vector(random);
    const VersionVector b = random_vector(random);
    const VersionVector c = random_vector(random);
    const auto join = [](VersionVector x, const VersionVector& y) {
      x.join(y);
      return x;
    };
    const VersionVector ab = join(a, b);
    HOLDS(ab == join(b, a));
    HOLDS(join(ab, c) == join(a, join(b, c)));
    HOLDS(join(a, a) == a);
    HOLDS(ab.dominates(a) && ab.dominates(b));
    HOLDS(!(c.dominates(a) && c.dominates(b)) || c.dominates(ab));
    // Monotone: what is joined to both sides keeps their order.
    HOLDS(!a.dominates(b) || join(a, c).dominates(join(b, c)));
    // A partial order that fits the join.
    HOLDS(a.dominates(a) && !a.concurrent_with(a));
    HOLDS(!(a.dominates(b) && b.dominates(a)) || a == b);
    if (a.dominates(b) && b.dominates(c)) {
      ++chains;
      HOLDS(a.dominates(c));
    }
    HOLDS(a.dominates(b) == (ab == a));
  });
  CHECK(chains > 1'000);
}

TEST_CASE("version vector: joining itself changes nothing") {
  VersionVector vector({{kLogActor, Hlc{1}}, {kQuorum2, Hlc{2}}});
  const VersionVector before = vector;
  vector.join(vector);
  CHECK(vector == before);
}

}  // namespace
}  // namespace parallax
