// The messages of the causal protocol on the wire. What holds for all kinds is in
// tests/replication/codec_test.cc.
#include "replication/codec.h"

#include <catch2/catch.hpp>

#include "base/limits.h"
#include "replication/message_check.h"
#include "tests/replication/causal/cases.h"

namespace parallax::test {
namespace {

const QuorumCall kCall{.life = 5, .id = RequestId{6}};

Envelope enveloped(Message message) {
  return {.from = NodeId{1},
          .to = NodeId{2},
          .incarnation = Incarnation{1},
          .clock = {},
          .physical = {},
          .message = std::move(message)};
}

std::string encoded(const Envelope& envelope) {
  std::string out;
  encode_envelope(envelope, out);
  return out;
}

/// Why no replica says that; empty: one may.
std::string refusal(Message message) {
  const auto sound = check_envelope(enveloped(std::move(message)));
  return sound ? "" : sound.error().message;
}

KeyState one(std::uint64_t hlc) {
  KeyState state;
  state.add(causal_version(origin(2, 7), hlc));
  return state;
}

CausalTransferPage page(std::vector<CausalTransferPage::State> states, bool complete) {
  return {.call = kCall,
          .applied = {},
          .stamps = {},
          .ceiling = {},
          .states = std::move(states),
          .complete = complete};
}

/// A field 1 of CausalOperations, inside an envelope from 1 to 2.
Result<Envelope> packed(const std::string& operations) {
  const std::string field = std::string("\x0a") + static_cast<char>(operations.size()) + operations;
  return decode_envelope(Bytes{std::string("\x08\x01\x10\x02\x18\x01\xaa\x02") +
                               static_cast<char>(field.size()) + field});
}

}  // namespace

TEST_CASE("causal codec: what no replica says is refused with the field's name") {
  constexpr std::uint64_t kBeyond = limits::kMaxCausalNumber + 1;
  const Origin by = origin(2, 7);
  const OriginVector too_many({{origin(1), kBeyond}});
  CausalOperation keyless = operation(by, 1);
  keyless.key.clear();
  CausalOperation long_key = operation(by, 1);
  long_key.key.assign(1'025, 'k');
  CausalOperation far = operation(by, 1);
  far.version.stamp.hlc = Hlc{~std::uint64_t{0}};
  CausalOperation own = operation(by, 2);
  own.dependencies.advance(by, 1);
  CausalTransferPage below = page({}, true);
  below.applied.advance(by, 1);
  CausalTransferPage other_stamps = page({}, true);
  other_stamps.stamps.advance(kLogActor, Hlc{1});
  struct Case {
    Message message;
    const char* reason;
  };
  const Case cases[] = {
      {CausalOperations{}, "causal-operations: operations: none"},
      {CausalOperations{{operation(by, 3), operation(by, 5)}},
       "causal-operations: operations: 5 of 2.7 behind 3 of 2.7"},
      {CausalOperations{{operation(by, 3), operation(origin(2, 8), 4)}},
       "causal-operations: operations: 4 of 2.8 behind 3 of 2.7"},
      {CausalOperations{{operation(by, kBeyond)}},
       "causal-operations: no number that an operation can have"},
      {CausalOperations{{keyless}}, "causal-operations: an operation without a key"},
      {CausalOperations{{long_key}}, "causal-operations: key bytes: 1025, at most 1024 expected"},
      {CausalOperations{{far}},
       "causal-operations: operation: reading in ms: 281474976710655, at most 17592186044416 "
       "expected"},
      {CausalOperations{{own}},
       "causal-operations: an operation that names its own origin among its dependencies"},
      {CausalOperations{{operation(by, 1, too_many)}},
       "causal-operations: dependencies: 1152921504606846977, at most 1152921504606846976 "
       "expected"},
      {CausalFetch{}, "causal-fetch: call.life: 0, a life expected"},
      {CausalFetch{.call = kCall, .origin = {}}, "causal-fetch: origin.node: 0, a node expected"},
      {CausalFetch{.call = kCall, .origin = by, .after = kBeyond},
       "causal-fetch: after: 1152921504606846977, at most 1152921504606846976 expected"},
      {CausalFetched{}, "causal-fetched: call.life: 0, a life expected"},
      {CausalFetched{.call = kCall, .trimmed = true, .operations = {operation(by, 1)}},
       "causal-fetched: operations: 1 of what is trimmed"},
      {CausalFetched{.call = kCall, .operations = {operation(by, 1), operation(by, 3)}},
       "causal-fetched: operations: 3 of 2.7 behind 1 of 2.7"},
      {CausalStatus{.applied = too_many, .heard = {}},
       "causal-status: applied: 1152921504606846977, at most 1152921504606846976 expected"},
      {CausalStatus{.applied = OriginVector({{Origin{}, 1}}), .heard = {}},
       "causal-status: applied: of node 0"},
      {CausalStatus{.applied = {}, .heard = {{NodeId{}, Incarnation{1}}}},
       "causal-status: heard: of node 0"},
      {CausalStatus{.applied = {}, .heard = {{NodeId{1}, Incarnation{limits::kMaxUnixMillis + 1}}}},
       "causal-status: heard: 17592186044417, at most 17592186044416 expected"},
      {CausalTransferQuery{}, "causal-transfer-query: call.life: 0, a life expected"},
      {CausalTransferQuery{.call = kCall, .after = std::string(1'025, 'k')},
       "causal-transfer-query: key bytes: 1025, at most 1024 expected"},
      {CausalTransferPage{}, "causal-transfer-page: call.life: 0, a life expected"},
      {page({}, false), "causal-transfer-page: states: none, and there are more"},
      {page({{"b", one(9)}, {"a", one(9)}}, true),
       "causal-transfer-page: states: keys out of order"},
      {page({{"a", one(9)}, {"a", one(9)}}, true),
       "causal-transfer-page: states: keys out of order"},
      {page({{"a", {}}}, true), "causal-transfer-page: state: empty, nothing to store"},
      {page({{"", one(9)}}, true), "causal-transfer-page: key: empty, at least 1 byte expected"},
      {page({{"a", one(~std::uint64_t{0})}}, true),
       "causal-transfer-page: state: reading in ms: 281474976710655, at most 17592186044416 "
       "expected"},
      {below, "causal-transfer-page: ceiling: below what is applied"},
      {other_stamps, "causal-transfer-page: stamps: of no causal origin"},
  };
  for (const Case& c : cases) CHECK(refusal(c.message) == c.reason);
  CausalOperation last = operation(by, 1);
  last.number = limits::kMaxCausalNumber;
  CHECK(refusal(CausalOperations{{last}}).empty());
  CHECK(refusal(page({{"a", one(9)}, {"b", one(9)}}, false)).empty());
}

// When this fails the schema has changed: nodes of the last release must still understand it.
TEST_CASE("causal codec: the bytes of packed operations stay what they are") {
  const Origin by = origin(2, 7);
  CausalOperation first = operation(by, 300, OriginVector({{origin(3, 1), 4}}), "v");
  first.version.stamp.hlc = Hlc{1'000};
  first.version.context.advance(kLogActor, Hlc{990});
  CausalOperation second = operation(by, 301);
  second.version.stamp.hlc = Hlc{1'001};
  second.version.context.advance({ActorPath::causal, by.node, by.incarnation}, Hlc{1'000});
  second.version.tombstone = true;
  second.version.value = Bytes{};
  second.version.content_type = "t";
  second.version.expires_at = UnixMillis{5};
  const Envelope envelope = enveloped(CausalOperations{{first, second}});
  const std::string bytes = encoded(envelope);
  using namespace std::string_literals;
  const std::string expected =
      "\x02\x07\xac\x02"  // 2.7, from 300 on
      "\x02"
      "\x00\x00\x00"
      "\x02\x03\x01"  // actors 1: the log, 2: causal/3.1
      "\xd0\x0f\x00"
      "\x01\x01\x0a"
      "\x01\x02\x04"
      "\x01k\x01v"
      "\x02\x07"
      "\x01\x00\x01"
      "\x00"
      "\x01k\x00"
      "\x01t\x05"s;
  REQUIRE(bytes.size() > expected.size());
  CHECK(bytes.substr(bytes.size() - expected.size()) == expected);
  const auto decoded = decode_envelope(Bytes{bytes});
  REQUIRE(decoded.has_value());
  CHECK(*decoded == envelope);
}

TEST_CASE("causal codec: bytes that are no operations are refused") {
  using namespace std::string_literals;
  const std::string head = "\x02\x07\x01"s;
  const std::string body = "\x02\x00\x00\x00\x01k\x00"s;
  CHECK(packed(head + "\x00"s + body).has_value());
  const std::string cases[] = {
      "\x02\x07"s,                                      // no number
      "\xff\xff\xff\xff\x1f\x07\x01\x00"s + body,       // a node above 2^32
      head + "\x01\x03\x01\x01"s + body,                // an actor of no path
      head + "\xe9\x07"s + body,                        // more actors than there may be
      head + "\x00\x02\x00\x01\x01\x01\x00\x01k\x00"s,  // a context of actor 1, who is not there
      head + "\x00\x02\x00\x01\x00\x03\x00\x01k\x00"s,  // a reading before all times
      head + "\x00\x02\x00\x02\x00\x00\x00\x00\x00\x01k\x00"s,      // an actor twice
      head + "\x01\x00\x00\x00\x02\x00\x00\x01\x01\x02\x01k\x00"s,  // a dependency on the log
      head + "\x00\x02\x00\x00\x00\x09k\x00"s,                      // a key that is cut off
      head + "\x00\x02\x00\x7f"s,                                   // more entries than bytes
      head + "\x00"s + body + "\x02"s,                              // another one that is cut off
  };
  for (const std::string& operations : cases) {
    const auto got = packed(operations);
    REQUIRE_FALSE(got.has_value());
    CHECK_THAT(got.error().message, Catch::Contains("bytes are no list"));
  }
}

TEST_CASE("causal codec: few bytes do not make many objects") {
  using namespace std::string_literals;
  CausalOperations most;
  for (std::uint64_t n = 1; n <= limits::kCausalBufferOperations; ++n) {
    most.operations.push_back(operation(origin(1), n, {}, ""));
  }
  CHECK(decode_envelope(Bytes{encoded(enveloped(most))}).has_value());
  most.operations.push_back(operation(origin(1), most.operations.size() + 1, {}, ""));
  const auto got = decode_envelope(Bytes{encoded(enveloped(most))});
  REQUIRE_FALSE(got.has_value());
  CHECK_THAT(got.error().message, Catch::Contains("operations: more than 4096"));
}

TEST_CASE("causal codec: values share one buffer") {
  const CausalOperations sent{
      {operation(origin(1), 1, {}, "first"), operation(origin(1), 2, {}, "second")}};
  const auto got = decode_envelope(Bytes{encoded(enveloped(sent))});
  REQUIRE(got.has_value());
  const auto& operations = std::get<CausalOperations>(got->message).operations;
  const char* first = operations[0]->version.value.view().data();
  const char* second = operations[1]->version.value.view().data();
  CHECK(second - first > 0);
  CHECK(second - first < 40);
}

TEST_CASE("causal codec: messages in words") {
  const Origin by = origin(2, 7);
  CausalOperation deletion = operation(by, 4, OriginVector({{origin(3), 9}}));
  deletion.version.tombstone = true;
  deletion.version.value = Bytes{};
  const OriginVector applied({{by, 4}});
  CHECK(describe(CausalOperations{{operation(by, 3), deletion}}) ==
        "operations [2.7:3 'k' 300-2 'v' after {}] [2.7:4 'k' 400-2 deleted after {3.1:9}]");
  CHECK(describe(CausalFetch{.call = kCall, .origin = by, .after = 3}) ==
        "operations? 6 of 2.7 behind 3");
  CHECK(describe(CausalFetched{.call = kCall, .operations = {operation(by, 3)}}) ==
        "fetched 6 [2.7:3 'k' 300-2 'v' after {}]");
  CHECK(describe(CausalFetched{.call = kCall, .trimmed = true, .operations = {}}) == "trimmed 6");
  CHECK(describe(CausalStatus{.applied = applied, .heard = {{NodeId{2}, Incarnation{7}}}}) ==
        "applied {2.7:4} heard 2.7");
  CHECK(describe(CausalTransferQuery{.call = kCall, .after = "k"}) == "states? 6 behind 'k'");
  CausalTransferPage some = page({{"k", one(9)}}, true);
  some.applied = applied;
  some.ceiling = OriginVector({{by, 5}});
  CHECK(describe(some) == "states 6 1, from {2.7:4} up to {2.7:5}, all");
}

}  // namespace parallax::test
