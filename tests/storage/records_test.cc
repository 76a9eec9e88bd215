// Keys and records (storage/records.h).
#include "storage/records.h"

#include "base/checksum.h"
#include "storage/causal_codec.h"
#include "storage/history_log.h"
#include "storage/key_state_codec.h"
#include "storage/log_segment.h"
#include "storage/memory_store.h"
#include "storage/store_keys.h"
#include "tests/storage/support.h"

namespace parallax::test {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

/// A record with a right checksum around any body.
std::string frame(std::string_view store_key, std::string_view body,
                  char format = static_cast<char>(kStoreFormat)) {
  std::string record = format + std::string(body);
  const std::uint32_t sum = crc32(record, crc32(store_key));
  for (int shift = 0; shift < 32; shift += 8) record.push_back(static_cast<char>(sum >> shift));
  return record;
}

std::string unhex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<std::uint8_t>(c));
  return text;
}

// --- One random record of each type, with its key ---------------------------------------------

template <class T>
T random_record(Random& random);
template <class T>
std::string random_key(Random& random);

template <>
NodeRecord random_record(Random& random) {
  NodeRecord record;
  record.format = static_cast<std::uint32_t>(random.next());
  record.node = NodeId{static_cast<std::uint32_t>(random.next())};
  record.cluster.high = random.next();
  record.cluster.low = random.next();
  record.incarnation = Incarnation{random.next()};
  record.membership = static_cast<Membership>(random.below(3));
  return record;
}
template <>
std::string random_key<NodeRecord>(Random&) {
  return records::node_key();
}

template <>
Hlc random_record(Random& random) {
  return Hlc{random.next()};
}
template <>
std::string random_key<Hlc>(Random&) {
  return records::clock_bound_key();
}

template <>
HardState random_record(Random& random) {
  HardState record;
  record.term = Term{random.next() >> random.below(64)};
  record.voted_for = NodeId{static_cast<std::uint32_t>(random.below(4))};
  return record;
}
template <>
std::string random_key<HardState>(Random& random) {
  return records::hard_state_key(GroupId{static_cast<std::uint32_t>(random.below(5))});
}

template <>
LogStart random_record(Random& random) {
  LogStart record;
  record.index = LogIndex{random.next() >> random.below(64)};
  record.term = Term{random.next() >> random.below(64)};
  return record;
}
template <>
std::string random_key<LogStart>(Random&) {
  return records::log_start_key(kOnlyGroup);
}

template <>
AppliedRecord random_record(Random& random) {
  AppliedRecord record;
  record.index = LogIndex{random.next() >> random.below(64)};
  record.term = Term{random.next() >> random.below(64)};
  record.history_floor = Hlc{random.next() >> random.below(64)};
  record.idempotency_floor = Hlc{random.next() >> random.below(64)};
  for (std::uint64_t n = random.below(5); n > 0; --n) {
    const NodeId node{static_cast<std::uint32_t>(random.below(9))};
    record.incarnations[node] = Incarnation{random.next()};
  }
  return record;
}
template <>
std::string random_key<AppliedRecord>(Random&) {
  return records::applied_key(kOnlyGroup);
}

template <>
LogSegment random_record(Random& random) {
  LogSegment segment{LogIndex{1 + (random.next() >> random.between(1, 63))}, {}};
  for (std::uint64_t n = random.below(5); n > 0; --n) {
    const LogIndex index = segment.first + segment.entries.size();
    segment.entries.push_back({Term{random.next() >> random.below(64)}, index,
                               Bytes{random_bytes(random, random.below(300))}});
  }
  return segment;
}
template <>
std::string random_key<LogSegment>(Random& random) {
  return records::log_segment_key(kOnlyGroup, LogIndex{random.next()});
}

template <>
KeyState random_record(Random& random) {
  return random_state(random);
}
template <>
std::string random_key<KeyState>(Random& random) {
  return records::key_state_key(kOnlyGroup, random_bytes(random, random.below(20)));
}

template <>
HistoryRecord random_record(Random& random) {
  HistoryRecord record;
  record.replaced = random_state(random).versions();
  return record;
}
template <>
std::string random_key<HistoryRecord>(Random& random) {
  const Stamp by{Hlc{random.next()}, NodeId{static_cast<std::uint32_t>(random.below(4))}};
  return records::history_key(kOnlyGroup, by, random_bytes(random, random.below(20)));
}

template <>
HistorySegment random_record(Random& random) {
  HistorySegment segment;
  for (std::uint64_t left = random.below(4); left > 0; --left) {
    segment.entries.push_back(
        {{Hlc{random.next()}, NodeId{static_cast<std::uint32_t>(random.below(4))}},
         random_bytes(random, random.below(20)),
         random_state(random).versions()});
  }
  return segment;
}
template <>
std::string random_key<HistorySegment>(Random& random) {
  const Stamp last{Hlc{random.next()}, NodeId{static_cast<std::uint32_t>(random.below(4))}};
  return records::history_segment_key(kOnlyGroup, last);
}

template <>
IdempotencyRecord random_record(Random& random) {
  IdempotencyRecord record;
  record.at = Hlc{random.between(1, ~std::uint64_t{0})};
  record.index = LogIndex{random.next() >> random.below(64)};
  record.fingerprint = random.next();
  if (random.chance(0.3)) {
    record.refusal = "precondition-failed";
    record.message = "what was there";
  }
  if (random.chance(0.7)) {
    record.stamp = Stamp{Hlc{random.between(1, ~std::uint64_t{0})},
                         NodeId{static_cast<std::uint32_t>(random.between(1, 5))}};
  }
  if (random.chance(0.3)) {
    record.number = random.chance(0.3) ? 0 : static_cast<std::int64_t>(random.next());
  }
  return record;
}
template <>
std::string random_key<IdempotencyRecord>(Random& random) {
  return records::idempotency_key(kOnlyGroup, random_bytes(random, random.below(20)));
}

template <>
PolicyRecord random_record(Random& random) {
  PolicyRecord record;
  record.log_index = LogIndex{random.next() >> random.below(64)};
  record.removed = random.chance(0.3);
  if (record.removed) return record;
  if (random.chance(0.5)) record.default_consistency = "prefix";
  record.mixing = random.chance(0.5) ? "allow" : "deny";
  record.conflict = "last-writer";
  return record;
}
template <>
std::string random_key<PolicyRecord>(Random& random) {
  return records::policy_key(kOnlyGroup, random_bytes(random, random.below(20)));
}

template <>
HintRecord random_record(Random& random) {
  return {UnixMillis{random.next() >> random.below(64)}};
}
template <>
std::string random_key<HintRecord>(Random& random) {
  const NodeId target{static_cast<std::uint32_t>(random.below(9))};
  return records::hint_key(kOnlyGroup, target, random_bytes(random, random.below(20)));
}

OriginVector random_vector(Random& random) {
  std::vector<OriginVector::Entry> entries;
  for (std::uint64_t left = random.below(4); left > 0; --left) {
    const NodeId node{static_cast<std::uint32_t>(random.between(1, 5))};
    entries.emplace_back(Origin{node, Incarnation{random.between(1, 3)}},
                         random.next() >> random.between(4, 63));
  }
  return OriginVector{std::move(entries)};
}

template <>
CausalSegment random_record(Random& random) {
  const NodeId node{static_cast<std::uint32_t>(random.between(6, 9))};
  const Incarnation incarnation{random.between(1, 3)};
  const std::uint64_t first = 1 + (random.next() >> random.between(5, 63));
  CausalSegment segment;
  const std::uint64_t count = random.between(1, 4);
  for (std::uint64_t i = 0; i < count; ++i) {
    CausalOperation record{.number = first + i};
    record.key = "k" + random_bytes(random, random.below(20));
    record.version.stamp = {Hlc{random.between(1'000, 2'000)}, node};
    record.version.actor = {ActorPath::causal, node, incarnation};
    if (random.chance(0.5)) record.version.context.advance(kLogActor, Hlc{random.below(1'000)});
    record.version.tombstone = random.chance(0.2);
    if (!record.version.tombstone) record.version.value = random_bytes(random, random.below(200));
    record.dependencies = random_vector(random);
    segment.operations.emplace_back(std::move(record));
  }
  return segment;
}
template <>
std::string random_key<CausalSegment>(Random& random) {
  return records::causal_segment_key(kOnlyGroup, {NodeId{1}, Incarnation{2}}, random.next());
}

template <>
CausalRecord random_record(Random& random) {
  CausalRecord record;
  record.applied = random_vector(random);
  record.log_starts = record.applied;
  record.applied.join(random_vector(random));
  record.ceiling = random_vector(random);
  for (const auto& [origin, count] : record.applied.entries()) {
    record.stamps.advance({ActorPath::causal, origin.node, origin.incarnation}, Hlc{count});
  }
  for (std::uint64_t left = random.below(4); left > 0; --left) {
    record.heard[NodeId{static_cast<std::uint32_t>(left)}] = Incarnation{random.next()};
  }
  return record;
}
template <>
std::string random_key<CausalRecord>(Random&) {
  return records::causal_key(kOnlyGroup);
}

template <>
StatesRecord random_record(Random& random) {
  return {LogIndex{random.next() >> random.below(64)}, random_vector(random)};
}
template <>
std::string random_key<StatesRecord>(Random&) {
  return records::states_key(kOnlyGroup);
}

template <>
LeafRecord random_record(Random&) {
  return {};
}
template <>
std::string random_key<LeafRecord>(Random& random) {
  return records::leaf_key(kOnlyGroup, static_cast<std::uint32_t>(random.below(65'536)),
                           random_bytes(random, random.below(20)));
}

#define RECORD_TYPES                                                                          \
  NodeRecord, Hlc, HardState, LogStart, AppliedRecord, LogSegment, KeyState, HistoryRecord,   \
      HistorySegment, IdempotencyRecord, PolicyRecord, HintRecord, LeafRecord, CausalSegment, \
      CausalRecord, StatesRecord

// --- Records ----------------------------------------------------------------------------------

TEMPLATE_TEST_CASE("records: what is encoded is decoded", "", RECORD_TYPES) {
  Random random(1);
  for (int i = 0; i < 10'000; ++i) {
    const TestType record = random_record<TestType>(random);
    const std::string key = random_key<TestType>(random);
    const Bytes bytes = records::encode(key, record);
    const Result<TestType> decoded = records::decode<TestType>(key, bytes.view());
    REQUIRE(decoded.has_value());
    REQUIRE(*decoded == record);
    REQUIRE(records::encode(key, *decoded) == bytes);
  }
}

TEMPLATE_TEST_CASE("records: every flipped bit and every cut is found out", "", RECORD_TYPES) {
  Random random(2);
  for (int i = 0; i < 20; ++i) {
    const std::string key = random_key<TestType>(random);
    const std::string bytes = records::encode(key, random_record<TestType>(random)).to_string();
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string bad = bytes;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
      const Result<TestType> decoded = records::decode<TestType>(key, bad);
      REQUIRE(!decoded.has_value());
      REQUIRE(decoded.error().code == ErrorCode::corrupt);
    }
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      const auto decoded =
          records::decode<TestType>(key, std::string_view(bytes).substr(0, length));
      REQUIRE(!decoded.has_value());
      REQUIRE(decoded.error().code == ErrorCode::corrupt);
    }
    REQUIRE(!records::decode<TestType>(key, bytes + '\0').has_value());
  }
}

TEMPLATE_TEST_CASE("records: a record under another key is found out", "", RECORD_TYPES) {
  Random random(3);
  for (int i = 0; i < 200; ++i) {
    const std::string key = random_key<TestType>(random);
    const Bytes bytes = records::encode(key, random_record<TestType>(random));
    const std::string other = key + "x";
    REQUIRE(!records::decode<TestType>(other, bytes.view()).has_value());
  }
}

TEMPLATE_TEST_CASE("records: a newer format is refused and never taken for damage", "",
                   RECORD_TYPES) {
  Random random(4);
  const std::string key = random_key<TestType>(random);
  const Result<TestType> decoded = records::decode<TestType>(key, frame(key, "anything", 5));
  REQUIRE(!decoded.has_value());
  CHECK(decoded.error().code == ErrorCode::refused);
  CHECK_THAT(decoded.error().message, Catch::Contains("format 5") && Catch::Contains("up to 4"));
  CHECK(records::decode<TestType>(key, frame(key, "", 0)).error().code == ErrorCode::corrupt);
}

TEMPLATE_TEST_CASE("records: fields of a later schema are passed over", "", RECORD_TYPES) {
  Random random(5);
  const std::string key = random_key<TestType>(random);
  const TestType record = random_record<TestType>(random);
  const Bytes bytes = records::encode(key, record);
  const std::string body = bytes.slice(1, bytes.size() - 5).to_string();
  const std::string field_99 = "\x98\x06\x05"s;  // varint 5
  const Result<TestType> decoded = records::decode<TestType>(key, frame(key, body + field_99));
  REQUIRE(decoded.has_value());
  CHECK(*decoded == record);
}

TEST_CASE("records: large records leave the next ones alone") {
  Random random(6);
  for (const std::size_t size : {std::size_t{1} << 20, std::size_t{10}, std::size_t{0}}) {
    KeyState state;
    Version version = random_version(random);
    version.tombstone = false;
    version.value = Bytes{random_bytes(random, size)};
    state.add(version);
    const std::string key = records::key_state_key(kOnlyGroup, "k");
    CHECK(*records::decode<KeyState>(key, records::encode(key, state).view()) == state);
    const LogSegment log{LogIndex{2}, {{Term{1}, LogIndex{2}, random_bytes(random, size)}}};
    const std::string log_key = records::log_segment_key(kOnlyGroup, log.first);
    CHECK(*records::decode<LogSegment>(log_key, records::encode(log_key, log).view()) == log);
  }
}

TEST_CASE("records: key states travel without a frame too") {
  Random random(7);
  for (int i = 0; i < 5'000; ++i) {
    const KeyState state = random_state(random);
    std::string bytes = "before";
    encode_key_state(state, bytes);
    REQUIRE(bytes.substr(0, 6) == "before");
    bytes.erase(0, 6);
    const Result<KeyState> decoded = decode_key_state(Bytes{bytes});
    REQUIRE(decoded.has_value());
    REQUIRE(*decoded == state);
    // No checksum here: whatever the bytes are, an error or a state that may be joined.
    if (!bytes.empty()) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
      const Result<KeyState> bad = decode_key_state(Bytes{bytes});
      if (bad) {
        REQUIRE(well_formed(*bad));
      } else {
        REQUIRE(bad.error().code == ErrorCode::corrupt);
      }
    }
  }
}

template <class T>
std::string why_corrupt(const std::string& key, const std::string& body) {
  const Result<T> decoded = records::decode<T>(key, frame(key, body));
  REQUIRE(!decoded.has_value());
  CHECK(decoded.error().code == ErrorCode::corrupt);
  CHECK(decoded.error().definite());
  CHECK(decoded.error().message.find('\n') == std::string::npos);
  return decoded.error().message;
}

std::string sub_message(char field, const std::string& body) {
  return std::string{static_cast<char>(field << 3 | 2), static_cast<char>(body.size())} + body;
}

std::string fixed64(char field, char value) {
  return std::string{static_cast<char>(field << 3 | 1), value} + std::string(7, '\0');
}

TEST_CASE("records: messages that are no records are found out") {
  const std::string key = records::key_state_key(kOnlyGroup, "k\n%");
  const std::string hlc_5 = fixed64(1, 5);
  const std::string log_to_4 = fixed64(4, 4);
  const std::string log_to_5 = fixed64(4, 5);
  CHECK_THAT(why_corrupt<KeyState>(key, "\xff"s),
             Catch::Contains("schema") && Catch::Contains("key state 'k%0A%25' of group 1"));
  CHECK_THAT(why_corrupt<KeyState>(key, sub_message(1, hlc_5 + "\x18\x03"s)),
             Catch::Contains("unknown actor path"));
  CHECK_THAT(why_corrupt<KeyState>(key, sub_message(2, "\x08\x03"s + log_to_5)),
             Catch::Contains("unknown actor path in a context"));
  CHECK_THAT(why_corrupt<KeyState>(key, sub_message(2, "")), Catch::Contains("empty reading"));
  CHECK_THAT(why_corrupt<KeyState>(key, sub_message(2, log_to_5) + sub_message(2, log_to_5)),
             Catch::Contains("repeated actor"));
  CHECK_THAT(why_corrupt<KeyState>(key, sub_message(1, hlc_5 + "\x38\x01\x42\x01v"s)),
             Catch::Contains("tombstone with a value"));
  CHECK_THAT(why_corrupt<KeyState>(key, sub_message(1, hlc_5) + sub_message(2, log_to_4)),
             Catch::Contains("contradict"));
  CHECK_THAT(why_corrupt<KeyState>(
                 key, sub_message(1, hlc_5) + sub_message(1, hlc_5) + sub_message(2, log_to_5)),
             Catch::Contains("out of order"));
  CHECK(records::decode<KeyState>(key, frame(key, sub_message(1, hlc_5) + sub_message(2, log_to_5)))
            .has_value());
  const auto packed = [&](const std::string& context) {
    return sub_message(1, hlc_5 + sub_message(12, context));
  };
  CHECK(records::decode<KeyState>(key, frame(key, packed("\x05\x07\x01"s))).has_value());
  for (const std::string& context :
       {"\x03\x00\x01"s,                     // no such path
        "\x00\x00"s, "\x00"s, "\xff"s,       // breaks off
        "\x00\x00\x05"s,                     // the reading 0
        "\x00\x00\x01\x00\x00\x02"s,         // an actor twice
        "\xff\xff\xff\xff\x7f\x00\x01"s}) {  // a node of more than 32 bits
    CAPTURE(hex(context));
    CHECK_THAT(why_corrupt<KeyState>(key, packed(context)), Catch::Contains("packed context"));
  }
  CHECK_THAT(why_corrupt<KeyState>(key, sub_message(1, hlc_5 + sub_message(6, log_to_4) +
                                                           sub_message(12, "\x00\x00\x01"s))),
             Catch::Contains("packed context"));
  CHECK_THAT(why_corrupt<KeyState>(key, packed("\x00\x00\x00"s)), Catch::Contains("contradict"));
  const std::string log_key = records::log_segment_key(kOnlyGroup, LogIndex{7});
  for (const std::string& none : {""s, "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s}) {
    CAPTURE(hex(none));  // format 1: no index; 2^64 - 1, which has no next one
    CHECK_THAT(why_corrupt<LogSegment>(log_key, none),
               Catch::Contains("log from entry 7 on of group 1") && Catch::Contains("its index"));
  }
  for (const std::string& entries : {"\0"s, "\x07\x01"s, "\x07\x01\x02x"s, "\xff"s}) {
    CAPTURE(hex(entries));
    CHECK_THAT(why_corrupt<LogSegment>(log_key, sub_message(4, entries)),
               Catch::Contains("no list"));
  }
  CHECK_THAT(why_corrupt<NodeRecord>("N", "\x30\x03"s), Catch::Contains("unknown membership"));
  CHECK_THAT(why_corrupt<AppliedRecord>(records::applied_key(kOnlyGroup),
                                        sub_message(4, "\x08\x01"s) + sub_message(4, "\x08\x01"s)),
             Catch::Contains("two incarnations") && Catch::Contains("applied record of group 1"));
}

TEST_CASE("records: damage of rows and policies is named") {
  const std::string key = records::idempotency_key(kOnlyGroup, "order 7");
  CHECK_THAT(
      why_corrupt<IdempotencyRecord>(key, "\xff"s),
      Catch::Contains("schema") && Catch::Contains("idempotency record 'order%207' of group 1"));
  const std::string prefix = records::policy_key(kOnlyGroup, "user/");
  CHECK_THAT(why_corrupt<PolicyRecord>(prefix, "\xff"s),
             Catch::Contains("policy of prefix 'user/' of group 1"));
  const std::string index = records::idempotency_index_key(kOnlyGroup, Hlc{9}, "order 7");
  CHECK_THAT(why_corrupt<Hlc>(index, "\xff"s),
             Catch::Contains("idempotency index 'order%207' of group 1"));
}

TEST_CASE("records: causal operations that no origin issues are found out") {
  const Origin origin{NodeId{2}, Incarnation{7}};
  const std::string key = records::causal_segment_key(kOnlyGroup, origin, 1);
  // Node 2, incarnation 7, number 1, no other actors; then stamp 5, no flags, vectors, key, value.
  const std::string head = "\x02\x07\x01\x00"s;
  const std::string sound = "\x0a\x00\x00\x00\x01k\x01v"s;
  const auto decoded =
      records::decode<CausalSegment>(key, frame(key, sub_message(1, head + sound)));
  REQUIRE(decoded.has_value());
  CHECK(decoded->operations.at(0)->version.stamp == Stamp{Hlc{5}, NodeId{2}});
  const std::pair<std::string, const char*> cases[] = {
      {"\xff"s, "causal operations up to 1 of 2.7 of group 1"},
      {"", "no list"},
      {sub_message(1, "\xff"s), "no list"},
      {sub_message(1, head), "no operations"},
      {sub_message(1, "\x02\x07\x00\x00"s + sound), "no number"},
      {sub_message(1, "\x00\x07\x01\x00"s + sound), "no causal origin"},
      {sub_message(1, head + "\x0a\x00\x00\x00\x00\x01v"s), "without a key"},
      {sub_message(1, head + sound + "\x00\x01\x00\x00\x01k\x01v"s), "tombstone with a value"},
      {sub_message(1, head + "\x0a\x00\x01\x00\x00\x00\x01k\x01v"s), "replaces a newer one"},
      {sub_message(1, head + "\x0a\x00\x00\x01\x00\x01\x01k\x01v"s), "its own origin"},
      {sub_message(1, head + "\x0a\x00\x00\x01\x00\x00\x01k\x01v"s), "no list"},
  };
  for (const auto& [message, why] : cases) {
    CAPTURE(why);
    CHECK_THAT(why_corrupt<CausalSegment>(key, message), Catch::Contains(why));
  }
  const std::string entry = "\x08\x02\x10\x07\x18\x01"s;
  CHECK_THAT(why_corrupt<CausalRecord>(records::causal_key(kOnlyGroup), sub_message(2, entry)),
             Catch::Contains("causal record of group 1") && Catch::Contains("starts above"));
}

TEST_CASE("records: a version's context must be part of its state's") {
  Version version;
  version.stamp = {Hlc{9}, NodeId{1}};
  version.context.advance({ActorPath::causal, NodeId{2}, Incarnation{1}}, Hlc{5});
  VersionVector own_dot_only;
  own_dot_only.advance(kLogActor, Hlc{9});
  CHECK_FALSE(well_formed(KeyState::from_parts({version}, own_dot_only)));
  VersionVector whole = own_dot_only;
  whole.join(version.context);
  CHECK(well_formed(KeyState::from_parts({version}, whole)));
}

/// The key state of docs/STORAGE.md.
KeyState example_state() {
  Version version;
  version.stamp = {Hlc{0x0102030405060708}, NodeId{2}};
  version.actor = {ActorPath::quorum, NodeId{2}, Incarnation{3}};
  version.context.advance(kLogActor, Hlc{5});
  version.value = Bytes{"v"};
  version.content_type = "t";
  version.expires_at = UnixMillis{6};
  version.log_index = LogIndex{7};
  KeyState state;
  state.add(version);
  return state;
}

TEST_CASE("records: the bytes on the disk are those of docs/STORAGE.md") {
  const std::string key = records::hard_state_key(kOnlyGroup);
  CHECK(hex(key) == "470000000168");
  CHECK(hex(records::encode(key, HardState{Term{3}, NodeId{1}}).view()) == "0408031001b22993d9");

  const std::string log_key = records::log_segment_key(kOnlyGroup, LogIndex{258});
  CHECK(hex(log_key) == "4c000000010000000000000102");
  const LogSegment log{LogIndex{258},
                       {{Term{1}, LogIndex{258}, "hi"}, {Term{2}, LogIndex{259}, {}}}};
  CHECK(hex(records::encode(log_key, log).view()) == "0422088202010268690200d5b2ca96");

  const Stamp stamp{Hlc{0x0102030405060708}, NodeId{2}};
  CHECK(hex(records::history_key(kOnlyGroup, stamp, "k")) ==
        "48000000010102030405060708000000026b");

  const std::string state_key = records::key_state_key(kOnlyGroup, "k");
  CHECK(hex(state_key) == "4b000000016b");
  const KeyState state = example_state();
  CHECK(hex(records::encode(state_key, state).view()) ==
        "040a2809080706050403020110021801200228034201764a017450065807620b0000838e98a8c0e08081"
        "0116538b46");
  // Something was seen that no version says.
  VersionVector seen = state.context();
  seen.advance({ActorPath::causal, NodeId{1}, Incarnation{4}}, Hlc{stamp.hlc.value - 16});
  CHECK(hex(records::encode(state_key, KeyState::from_parts(state.versions(), seen)).view()) ==
        "040a2809080706050403020110021801200228034201764a017450065807620b0000838e98a8c0e08081"
        "011a110000838e98a8c0e0808101090300060410951df604");

  const std::string history_key = records::history_segment_key(kOnlyGroup, stamp);
  CHECK(hex(history_key) == "4800000001010203040506070800000002");
  const HistorySegment history{{{stamp, "k", state.versions()}}};
  CHECK(hex(records::encode(history_key, history).view()) ==
        "040a3809080706050403020110021a016b222809080706050403020110021801200228034201764a0174500658"
        "07620b0000838e98a8c0e0808101639aad74");
  const std::string states_key = records::states_key(kOnlyGroup);
  CHECK(hex(states_key) == "47000000016b");
  const StatesRecord states{LogIndex{5}, OriginVector({{{NodeId{2}, Incarnation{1}}, 7}})};
  CHECK(hex(records::encode(states_key, states).view()) == "04080512060802100118078b6d8d5f");
}

// The third format had the same records, but for the StatesRecord.
TEST_CASE("records: what format 3 has written is read") {
  const Result<HardState> hard =
      records::decode<HardState>(records::hard_state_key(kOnlyGroup), unhex("0308031001a2f5b36b"));
  REQUIRE(hard.has_value());
  CHECK(*hard == HardState{Term{3}, NodeId{1}});
}

// The second format had the same records, but for the history's segments.
TEST_CASE("records: what format 2 has written is read") {
  const std::string key = records::key_state_key(kOnlyGroup, "k");
  const Result<KeyState> state = records::decode<KeyState>(
      key, unhex("020a2809080706050403020110021801200228034201764a017450065807620b0000838e98a8c0e0"
                 "8081014d63920f"));
  REQUIRE(state.has_value());
  CHECK(*state == example_state());
}

// Written by the first format, in which contexts were messages.
TEST_CASE("records: what format 1 has written is read") {
  const std::string key = records::key_state_key(kOnlyGroup, "k");
  const Result<KeyState> state = records::decode<KeyState>(
      key,
      unhex("010a26090807060504030201100218012002280332092105000000000000004201764a01745006580712"
            "09210500000000000000120f080110021803210807060504030201ffa4266f"));
  REQUIRE(state.has_value());
  CHECK(*state == example_state());
  const std::string log_key = records::log_segment_key(kOnlyGroup, LogIndex{258});
  const Result<LogSegment> log =
      records::decode<LogSegment>(log_key, unhex("0108011082021a02686934421810"));
  REQUIRE(log.has_value());
  CHECK(*log == LogSegment{LogIndex{258}, {{Term{1}, LogIndex{258}, "hi"}}});
}

// --- Keys -------------------------------------------------------------------------------------

TEST_CASE("records: keys sort like what they name") {
  CHECK(records::log_segment_key(kOnlyGroup, LogIndex{255}) <
        records::log_segment_key(kOnlyGroup, LogIndex{256}));
  CHECK(records::log_segment_key(kOnlyGroup, LogIndex{~std::uint64_t{0}}) <
        records::log_segment_key(GroupId{2}, LogIndex{0}));
  const auto at = [](std::uint64_t hlc, std::uint32_t node, std::string_view key) {
    return records::history_key(kOnlyGroup, Stamp{Hlc{hlc}, NodeId{node}}, key);
  };
  CHECK(at(255, 9, "z") < at(256, 1, "a"));
  CHECK(at(5, 255, "z") < at(5, 256, "a"));
  CHECK(at(5, 1, "") < at(5, 1, "a"));
  CHECK(records::history_hlc(at(77, 1, "k")) == Hlc{77});
  const std::string segment = records::history_segment_key(kOnlyGroup, {Hlc{77}, NodeId{1}});
  CHECK(at(76, 9, "z") < segment);
  CHECK(segment < at(77, 1, "a"));
  CHECK(records::history_hlc(segment) == Hlc{77});
  CHECK(records::is_history_segment(segment));
  CHECK_FALSE(records::is_history_segment(at(77, 1, "k")));
  CHECK(records::describe(segment) == "history up to 77-1 of group 1");
  const auto row = [](std::uint64_t hlc, std::string_view key) {
    return records::idempotency_index_key(kOnlyGroup, Hlc{hlc}, key);
  };
  CHECK(row(255, "z") < row(256, "a"));
  CHECK(row(5, "") < row(5, "a"));
  CHECK(records::idempotency_index(row(77, "\0k"s)) == std::pair(Hlc{77}, "\0k"sv));
  CHECK(records::group_record_name(records::idempotency_key(kOnlyGroup, "\0k"s)) == "\0k"s);
  CHECK(records::group_record_name(records::policy_key(kOnlyGroup, "")).empty());
  CHECK(records::user_key(records::key_state_key(kOnlyGroup, "\0k"s)) == "\0k"s);
  const std::string hint = records::hint_key(kOnlyGroup, NodeId{258}, "\0k"s);
  CHECK(hint > records::hint_key(kOnlyGroup, NodeId{3}, "z"));
  CHECK(records::hint_of(hint) == std::pair{NodeId{258}, std::string_view("\0k", 2)});
  CHECK(records::describe(records::hint_key(kOnlyGroup, NodeId{3}, "k")) ==
        "hint 'k' for node 3 of group 1");
  const auto operation = [](std::uint32_t node, std::uint64_t incarnation, std::uint64_t number) {
    return records::causal_segment_key(kOnlyGroup, {NodeId{node}, Incarnation{incarnation}},
                                       number);
  };
  CHECK(operation(2, 1, 255) < operation(2, 1, 256));
  CHECK(operation(2, 255, 9) < operation(2, 256, 1));
  CHECK(operation(255, 9, 9) < operation(256, 1, 1));
  CHECK(records::describe(operation(2, 7, 9)) == "causal operations up to 9 of 2.7 of group 1");
}

TEST_CASE("records: ranges hold one kind of record of one group") {
  const GroupId group{GENERATE(0u, 1u, 255u, 0xffffffffu)};
  const GroupId next{group.value + 1};
  CAPTURE(group.value);
  const Origin kFirst{NodeId{0}, Incarnation{0}};
  const Origin kLast{NodeId{~0u}, Incarnation{~std::uint64_t{0}}};
  MemoryStore store;
  Rows rows;
  for (const GroupId g : {group, next}) {
    for (const std::uint64_t n : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{8}}) {
      rows.emplace_back(records::log_segment_key(g, LogIndex{n}), "log");
      rows.emplace_back(records::history_key(g, Stamp{Hlc{n}, NodeId{1}}, "k"), "history");
    }
    rows.emplace_back(records::hint_key(g, NodeId{0}, ""), "hint");
    rows.emplace_back(records::hint_key(g, NodeId{~0u}, "\xff"), "hint");
    for (const Origin& origin : {kFirst, kLast}) {
      rows.emplace_back(records::causal_segment_key(g, origin, 1), "segment");
      rows.emplace_back(records::causal_segment_key(g, origin, ~std::uint64_t{0}), "segment");
    }
    rows.emplace_back(records::causal_key(g), "g");
    rows.emplace_back(records::states_key(g), "g");
    rows.emplace_back(records::leaf_key(g, 7, "a"), "leaf");
    rows.emplace_back(records::leaf_key(g, 7, "a\xff"), "leaf");
    rows.emplace_back(records::leaf_key(g, 7, "b"), "leaf");
    rows.emplace_back(records::leaf_key(g, 8, "a"), "leaf");
    rows.emplace_back(records::leaf_key(g, 0xffff, "a"), "leaf");
    rows.emplace_back(records::leaves_complete_key(g), "g");
    rows.emplace_back(records::key_state_key(g, ""), "state");
    rows.emplace_back(records::key_state_key(g, "\xff\xff"), "state");
    for (const std::string& name : {""s, "\xff\xff"s}) {
      rows.emplace_back(records::idempotency_key(g, name), "row");
      rows.emplace_back(records::idempotency_index_key(g, Hlc{~std::uint64_t{0}}, name), "index");
      rows.emplace_back(records::policy_key(g, name), "policy");
    }
    rows.emplace_back(records::hard_state_key(g), "g");
    rows.emplace_back(records::log_start_key(g), "g");
    rows.emplace_back(records::applied_key(g), "g");
    rows.emplace_back(records::installing_key(g), "g");
  }
  rows.emplace_back(records::node_key(), "n");
  rows.emplace_back(records::clock_bound_key(), "n");
  must_write(store, puts(rows));
  CHECK(must_scan(store).size() == rows.size());
  CHECK(must_scan(store, records::log_range(group, LogIndex{0}, LogIndex{8})) ==
        Rows{{records::log_segment_key(group, LogIndex{0}), "log"},
             {records::log_segment_key(group, LogIndex{7}), "log"}});
  CHECK(must_scan(store, records::history_range(group, Hlc{7}, Hlc{9})).size() == 2);
  CHECK(must_scan(store, records::history_range(group, Hlc{7}, Hlc{8})).size() == 1);
  CHECK(must_scan(store, records::hint_range(group)) ==
        Rows{{records::hint_key(group, NodeId{0}, ""), "hint"},
             {records::hint_key(group, NodeId{~0u}, "\xff"), "hint"}});
  CHECK(must_scan(store, records::causal_log_range(group)).size() == 4);
  CHECK(must_scan(store, records::causal_log_range(group, kLast, 1)).size() == 2);
  CHECK(must_scan(store, records::causal_log_range(group, kFirst, 2)) ==
        Rows{{records::causal_segment_key(group, kFirst, ~std::uint64_t{0}), "segment"}});
  CHECK(must_scan(store, records::leaf_range(group, 7, "")).size() == 3);
  CHECK(must_scan(store, records::leaf_range(group, 7, "a")) ==
        Rows{{records::leaf_key(group, 7, "a\xff"), "leaf"},
             {records::leaf_key(group, 7, "b"), "leaf"}});
  CHECK(must_scan(store, records::leaf_range(group, 0xffff, "")).size() == 1);
  CHECK(records::key_in_leaf(records::leaf_key(group, 7, "a\xff")) == "a\xff");
  CHECK(must_scan(store, records::key_state_range(group)) ==
        Rows{{records::key_state_key(group, ""), "state"},
             {records::key_state_key(group, "\xff\xff"), "state"}});
  const auto kinds = [&](const ScanRange& range) {
    std::string text;
    for (const auto& [key, value] : must_scan(store, range)) text += value + ' ';
    return text;
  };
  CHECK(kinds(records::idempotency_range(group)) == "row row ");
  CHECK(kinds(records::idempotency_index_range(group)) == "index index ");
  CHECK(kinds(records::policy_range(group)) == "policy policy ");
}

TEST_CASE("records: load tells absent from damaged") {
  MemoryStore store;
  const std::string key = records::log_start_key(kOnlyGroup);
  const auto absent = records::load<LogStart>(store, key);
  REQUIRE(absent.has_value());
  CHECK(!absent->has_value());
  const LogStart start{LogIndex{4}, Term{2}};
  WriteBatch batch;
  batch.put(key, records::encode(key, start));
  must_write(store, batch);
  const auto present = records::load<LogStart>(store, key);
  REQUIRE(present.has_value());
  CHECK(**present == start);
  REQUIRE(store.flip_bit(key, 11));
  CHECK(records::load<LogStart>(store, key).error().code == ErrorCode::corrupt);
}

}  // namespace
}  // namespace parallax::test
