// What a write comes to: conditions, increments, contexts and siblings, expiry.
#include "node/evaluation.h"

#include <catch2/catch.hpp>

namespace parallax::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kNow = 1'000;

Stamp at(std::uint64_t ms, std::uint64_t logical = 0) {
  return {Hlc{(ms << 16) + logical}, NodeId{1}};
}

Request request(Operation operation) {
  Request asked;
  asked.operation = std::move(operation);
  return asked;
}

Request put(std::string value) {
  return request(Put{"k", Bytes{std::move(value)}, "text/plain"});
}

Request increment(std::int64_t by) {
  return request(Increment{"k", by});
}

/// `known` after `asked`, which must not be refused.
KeyState after(const KeyState& known, const Request& asked, const Stamp& stamp) {
  const Evaluation done = evaluate(asked, known, stamp);
  INFO((done.refusal ? done.refusal->message : std::string()));
  REQUIRE_FALSE(done.refusal);
  REQUIRE(well_formed(done.next));
  CHECK(done.stamp == stamp);
  KeyState state = known;
  state.join(done.next);
  // What is proposed is all that is left: what the entry says is what the key becomes.
  CHECK(state == done.next);
  return state;
}

ErrorCode refusal(const KeyState& known, const Request& asked, const Stamp& stamp = at(kNow)) {
  const Evaluation done = evaluate(asked, known, stamp);
  REQUIRE(done.refusal);
  CHECK(done.refusal->definite());
  CHECK(done.next.empty());
  CHECK_FALSE(done.number);
  return done.refusal->code;
}

KeyState holding(std::string value) {
  return after({}, put(std::move(value)), at(kNow - 500));
}

KeyState expiring(std::string value, std::chrono::milliseconds ttl) {
  Request asked = put(std::move(value));
  std::get<Put>(asked.operation).ttl = ttl;
  return after({}, asked, at(kNow - 500));
}

EtagSet any() {
  return {.any = true, .stamps = {}};
}
EtagSet one_of(std::vector<Stamp> stamps) {
  return {.any = false, .stamps = std::move(stamps)};
}

}  // namespace

TEST_CASE("evaluation: a condition is held against the value that is there") {
  const KeyState value = holding("v");
  const KeyState deleted = after(value, request(Delete{"k"}), at(kNow - 400));
  const KeyState gone = expiring("v", 500ms);   // its deadline is now
  const KeyState still = expiring("v", 501ms);  // it has a millisecond left
  const Stamp written = at(kNow - 500);
  const Stamp other = at(kNow - 499);
  struct Case {
    const char* name;
    const KeyState* known;
    Conditions conditions;
    bool holds;
  };
  const KeyState nothing;
  const std::vector<Case> cases{
      {"nothing there, any wanted", &nothing, {.if_match = any()}, false},
      {"nothing there, none wanted", &nothing, {.if_none_match = any()}, true},
      {"nothing there, one wanted", &nothing, {.if_match = one_of({written})}, false},
      {"nothing there, not that one", &nothing, {.if_none_match = one_of({written})}, true},
      {"a value, any wanted", &value, {.if_match = any()}, true},
      {"a value, none wanted", &value, {.if_none_match = any()}, false},
      {"a value, this one", &value, {.if_match = one_of({other, written})}, true},
      {"a value, another one", &value, {.if_match = one_of({other})}, false},
      {"a value, not this one", &value, {.if_none_match = one_of({other, written})}, false},
      {"a value, not that one", &value, {.if_none_match = one_of({other})}, true},
      {"both, one fails", &value, {.if_match = any(), .if_none_match = one_of({written})}, false},
      {"both, the other fails", &value, {one_of({other}), one_of({other})}, false},
      {"a tombstone is no value", &deleted, {.if_match = any()}, false},
      {"a tombstone is none", &deleted, {.if_none_match = any()}, true},
      {"a tombstone's ETag matches nothing", &deleted, {one_of({at(kNow - 400)}), {}}, false},
      {"expired is none", &gone, {.if_none_match = any()}, true},
      {"expired, this one", &gone, {.if_match = one_of({written})}, false},
      {"about to expire, this one", &still, {.if_match = one_of({written})}, true},
      {"about to expire, none wanted", &still, {.if_none_match = any()}, false},
  };
  for (const Case& c : cases) {
    INFO(c.name);
    for (Request asked : {put("w"), request(Delete{"k"})}) {
      asked.conditions = c.conditions;
      const Evaluation done = evaluate(asked, *c.known, at(kNow));
      CHECK(done.refusal.has_value() == !c.holds);
      if (c.holds) continue;
      REQUIRE(done.refusal);
      CHECK(refusal(*c.known, asked) == ErrorCode::precondition_failed);
      // It says what is there, to whoever wants to try again.
      const Version* present = present_value(*c.known, UnixMillis{kNow});
      const std::optional<Stamp> there =
          present == nullptr ? std::nullopt : std::optional(present->stamp);
      CHECK(done.stamp == there);
      CHECK(done.refusal->etag == (there ? there->to_string() : ""));
    }
  }
}

TEST_CASE("evaluation: a write without a context replaces all that is known") {
  KeyState known = holding("a");
  Request blind = put("b");
  blind.context = VersionVector{};
  known = after(known, blind, at(kNow - 300));
  REQUIRE(known.versions().size() == 2);
  Version late;  // another actor's, which the log has not heard of
  late.stamp = {at(kNow - 200).hlc, NodeId{2}};
  late.actor = {ActorPath::quorum, NodeId{2}, Incarnation{1}};
  late.value = Bytes{"c"};
  known.add(late);
  const KeyState next = after(known, put("d"), at(kNow));
  REQUIRE(next.versions().size() == 1);
  const Version& written = *next.winner();
  CHECK(written.value == Bytes{"d"});
  CHECK(written.content_type == "text/plain");
  CHECK(written.actor == kLogActor);
  CHECK(written.stamp == at(kNow));
  CHECK(written.expires_at == UnixMillis{0});
  CHECK(written.log_index == LogIndex{});
  CHECK(written.context.at(late.actor) == late.stamp.hlc);
  CHECK(written.context.at(kLogActor) == Hlc{at(kNow).hlc.value - 1});
}

TEST_CASE("evaluation: a deletion is a version without a value") {
  const KeyState known = holding("v");
  const KeyState next = after(known, request(Delete{"k"}), at(kNow));
  REQUIRE(next.versions().size() == 1);
  CHECK(next.winner()->tombstone);
  CHECK(next.winner()->value.empty());
  CHECK(next.winner()->content_type.empty());
  CHECK(present_value(next, UnixMillis{kNow}) == nullptr);
  // Of what was never there too: the log says so.
  CHECK(after({}, request(Delete{"k"}), at(kNow)).winner()->tombstone);
}

TEST_CASE("evaluation: an increment adds to the number that is there") {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  struct Case {
    std::string there;
    std::int64_t by;
    std::optional<std::int64_t> sum;  ///< nothing: not_a_number
  };
  const auto c = GENERATE(values<Case>({
      {"0", 1, 1},
      {"41", 1, 42},
      {"-1", 1, 0},
      {"1", -2, -1},
      {"-0", 3, 3},
      {"007", 1, 8},
      {"9223372036854775806", 1, kMost},
      {"9223372036854775807", 1, std::nullopt},
      {"9223372036854775807", -1, kMost - 1},
      {"9223372036854775807", kMost, std::nullopt},
      {"-9223372036854775808", -1, std::nullopt},
      {"-9223372036854775807", -1, kLeast},
      {"-9223372036854775808", kLeast, std::nullopt},
      {"-9223372036854775808", kMost, -1},
      {"9223372036854775808", 0, std::nullopt},
      {"-9223372036854775809", 0, std::nullopt},
      {"", 1, std::nullopt},
      {" 1", 1, std::nullopt},
      {"1 ", 1, std::nullopt},
      {"1\n", 1, std::nullopt},
      {"+1", 1, std::nullopt},
      {"1.0", 1, std::nullopt},
      {"1e3", 1, std::nullopt},
      {"0x10", 1, std::nullopt},
      {"--1", 1, std::nullopt},
      {"-", 1, std::nullopt},
      {"one", 1, std::nullopt},
      {std::string("1\0", 2), 1, std::nullopt},
  }));
  DYNAMIC_SECTION("'" << c.there << "' and " << c.by) {
    const KeyState known = holding(c.there);
    if (!c.sum) {
      CHECK(refusal(known, increment(c.by)) == ErrorCode::not_a_number);
      CHECK(evaluate(increment(c.by), known, at(kNow)).stamp == at(kNow - 500));
      return;
    }
    const Evaluation done = evaluate(increment(c.by), known, at(kNow));
    CHECK(done.number == c.sum);
    const KeyState next = after(known, increment(c.by), at(kNow));
    CHECK(next.winner()->value == Bytes{std::to_string(*c.sum)});
  }
}

TEST_CASE("evaluation: an increment starts at nothing and keeps expiry and content type") {
  CHECK(evaluate(increment(-7), {}, at(kNow)).number == -7);
  CHECK(evaluate(increment(-7), {}, at(kNow)).next.winner()->content_type.empty());
  const KeyState deleted = after(holding("5"), request(Delete{"k"}), at(kNow - 100));
  CHECK(evaluate(increment(2), deleted, at(kNow)).number == 2);

  const KeyState known = expiring("5", 1'000ms);
  const KeyState next = after(known, increment(1), at(kNow));
  CHECK(next.winner()->value == Bytes{"6"});
  CHECK(next.winner()->content_type == "text/plain");
  CHECK(next.winner()->expires_at == UnixMillis{kNow + 500});
  // Its time over, the value counts as none, and the new one stays.
  const KeyState fresh = after(next, increment(1), at(kNow + 500));
  CHECK(fresh.winner()->value == Bytes{"1"});
  CHECK(fresh.winner()->content_type.empty());
  CHECK(fresh.winner()->expires_at == UnixMillis{0});
}

TEST_CASE("evaluation: a context replaces what it has seen and nothing else") {
  KeyState known = holding("a");
  const VersionVector seen_a = known.context();
  Request asked = put("b");
  asked.context = seen_a;
  known = after(known, asked, at(kNow - 300));
  REQUIRE(known.versions().size() == 1);

  asked = put("c");  // its writer has seen "a" too, and not "b"
  asked.context = seen_a;
  known = after(known, asked, at(kNow - 200));
  REQUIRE(known.versions().size() == 2);
  CHECK(known.versions()[0].value == Bytes{"c"});
  CHECK(known.versions()[1].value == Bytes{"b"});

  asked = request(Delete{"k"});  // a deletion that has not seen "c"
  asked.context = known.versions()[1].context;
  asked.context->advance(kLogActor, known.versions()[1].stamp.hlc);
  known = after(known, asked, at(kNow - 100));
  REQUIRE(known.versions().size() == 2);
  CHECK(known.versions()[0].tombstone);
  CHECK(known.versions()[1].value == Bytes{"c"});
  // The winner decides what a plain read shows.
  CHECK(present_value(known, UnixMillis{kNow}) == nullptr);

  asked = put("d");
  asked.context = known.context();
  known = after(known, asked, at(kNow));
  REQUIRE(known.versions().size() == 1);
}

TEST_CASE("evaluation: the state of a write beside others travels whole") {
  // Applied where the other versions are, and where nothing is yet, it comes to the same.
  KeyState known = holding("a");
  Request blind = put("b");
  blind.context = VersionVector{};
  const Evaluation done = evaluate(blind, known, at(kNow));
  KeyState elsewhere;
  elsewhere.join(done.next);
  known.join(done.next);
  CHECK(elsewhere == known);
  CHECK(known.versions().size() == 2);
}

TEST_CASE("evaluation: at most 32 versions are kept side by side") {
  KeyState known;
  Request blind = put("v");
  blind.context = VersionVector{};
  for (std::uint64_t i = 0; i < limits::kMaxSiblings; ++i) {
    known = after(known, blind, at(kNow - 500, i));
  }
  REQUIRE(known.versions().size() == 32);
  CHECK(refusal(known, blind) == ErrorCode::too_many_siblings);
  CHECK(evaluate(blind, known, at(kNow)).stamp == known.winner()->stamp);
  // Who has seen one of them may take its place, and who has seen all, or none asked, all.
  Request one = blind;
  one.context->advance(kLogActor, known.versions().back().stamp.hlc);
  CHECK(after(known, one, at(kNow)).versions().size() == 32);
  CHECK(after(known, put("w"), at(kNow)).versions().size() == 1);
}

TEST_CASE("evaluation: a time to live counts from the stamp") {
  const KeyState known = expiring("v", 1ms);
  const Version& version = *known.winner();
  CHECK(version.expires_at == UnixMillis{kNow - 499});
  CHECK(present_value(known, UnixMillis{kNow - 500}) == &version);
  CHECK(present_value(known, UnixMillis{kNow - 499}) == nullptr);
  CHECK_FALSE(rests_on_expiry(known, UnixMillis{kNow - 500}));
  CHECK(rests_on_expiry(known, UnixMillis{kNow - 499}));
  // Written anew without one it stays.
  CHECK(after(known, put("w"), at(kNow)).winner()->expires_at == UnixMillis{0});
}

TEST_CASE("evaluation: an expiry that is agreed on is a tombstone under the version's stamp") {
  KeyState known = expiring("a", 100ms);
  Request blind = put("b");
  blind.context = VersionVector{};
  std::get<Put>(blind.operation).ttl = 10'000ms;
  known = after(known, blind, at(kNow - 450));
  const KeyState agreed = with_expiry(known, UnixMillis{kNow});
  CHECK(well_formed(agreed));
  CHECK(agreed.context() == known.context());
  REQUIRE(agreed.versions().size() == 2);
  CHECK_FALSE(agreed.versions()[0].tombstone);
  CHECK(agreed.versions()[0] == known.versions()[0]);
  CHECK(agreed.versions()[1].tombstone);
  CHECK(agreed.versions()[1].value.empty());
  CHECK(agreed.versions()[1].stamp == known.versions()[1].stamp);
  CHECK_FALSE(rests_on_expiry(agreed, UnixMillis{kNow}));
  CHECK(with_expiry(agreed, UnixMillis{kNow}) == agreed);
  // Either way round, whoever hears of it knows it for good.
  KeyState heard = known;
  CHECK(heard.join(agreed));
  CHECK(heard == agreed);
  CHECK_FALSE(heard.join(known));
  CHECK(heard == agreed);
}

TEST_CASE("evaluation: the fingerprint tells requests apart, not how they are carried out") {
  const Request base = put("v");
  Request same = base;
  same.consistency.level = Level::prefix;
  same.timeout = 1ms;
  same.forward = false;
  same.level_by_policy = true;
  same.idempotency_key = "other";
  same.session = SessionToken{.cluster = {1, 2}, .clock = Hlc{3}, .index = LogIndex{4}};
  CHECK(request_fingerprint(same) == request_fingerprint(base));

  std::vector<Request> all{base,
                           put("w"),
                           increment(1),
                           increment(2),
                           request(Delete{"k"}),
                           request(Delete{"l"}),
                           request(Put{"l", Bytes{"v"}, "text/plain"}),
                           request(Put{"k", Bytes{"v"}, "text/html"}),
                           request(Put{"k", Bytes{"v"}, "text/plain", 1'000ms})};
  Request more = base;
  more.conditions.if_match = any();
  all.push_back(more);
  more.conditions = {.if_none_match = any()};
  all.push_back(more);
  more.conditions = {.if_match = one_of({at(5)})};
  all.push_back(more);
  more.conditions = {};
  more.context = VersionVector{};
  all.push_back(more);
  more.context->advance(kLogActor, Hlc{9});
  all.push_back(more);
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      INFO(i << " and " << j);
      CHECK(request_fingerprint(all[i]) != request_fingerprint(all[j]));
    }
  }
}

}  // namespace parallax::testing
