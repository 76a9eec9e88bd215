#include "replication/codec.h"

#include <set>

#include <catch2/catch.hpp>

#include "base/limits.h"
#include "replication/message_check.h"
#include "tests/replication/random_message.h"

namespace parallax::test {
namespace {

constexpr std::size_t kKinds = std::variant_size_v<Message>;

std::string encoded(const Envelope& envelope) {
  std::string out;
  encode_envelope(envelope, out);
  return out;
}

Envelope enveloped(Message message) {
  Envelope envelope;
  envelope.from = NodeId{1};
  envelope.to = NodeId{2};
  envelope.message = std::move(message);
  return envelope;
}

/// Why the receiver of `message` refuses it; empty: it does not.
std::string refusal(Message message) {
  const auto decoded = decode_envelope(encoded(enveloped(std::move(message))));
  if (decoded) return "";
  CHECK(decoded.error().code == ErrorCode::corrupt);
  CHECK(decoded.error().definite());
  return decoded.error().message;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<std::uint8_t>(c));
  return text;
}

/// A field that no schema here has: number 2000, of the wire type `type`.
std::string unknown_field(unsigned type) {
  std::string field = {static_cast<char>(0x80 | type), '\x7d'};
  switch (type) {
    case 0:
      return field + '\x07';
    case 1:
      return field + "12345678";
    case 2:
      return field + "\x03xyz";
    default:
      return field + "1234";
  }
}

}  // namespace

TEST_CASE("codec: every kind comes back as it was sent", "[random]") {
  Random random(1);
  std::string out;
  for (int round = 0; round < 168'000; ++round) {
    const Envelope sent = random_envelope(random, static_cast<std::size_t>(round) % kKinds);
    const auto sound = check_envelope(sent);
    if (!sound) FAIL(sound.error().message);
    out.clear();
    encode_envelope(sent, out);
    const auto got = decode_envelope(Bytes{out});
    if (!got) FAIL("round " << round << ": " << got.error().message);
    if (*got != sent) FAIL("round " << round << ": another " << message_name(sent.message));
  }
}

TEST_CASE("codec: encoding appends") {
  Random random(2);
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const Envelope sent = random_envelope(random, kind);
    std::string out = "before";
    encode_envelope(sent, out);
    CHECK(out == "before" + encoded(sent));
  }
}

TEST_CASE("codec: payloads share the frame") {
  const Bytes frame = encoded(enveloped(
      AppendEntries{.term = Term{2},
                    .entries = {{.term = Term{1}, .index = LogIndex{1}, .payload = "first"},
                                {.term = Term{2}, .index = LogIndex{2}, .payload = "second"}}}));
  const auto got = decode_envelope(frame);
  REQUIRE(got.has_value());
  for (const LogEntry& entry : std::get<AppendEntries>(got->message).entries) {
    CHECK(entry.payload.view().data() >= frame.view().data());
    CHECK(entry.payload.view().data() < frame.view().data() + frame.size());
  }
}

TEST_CASE("codec: a message cut short is refused or another sound one", "[random]") {
  Random random(3);
  std::size_t refused = 0;
  std::size_t cuts = 0;
  for (int round = 0; round < 40; ++round) {
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      const Envelope sent = random_envelope(random, kind);
      const std::string whole = encoded(sent);
      for (std::size_t length = 0; length < whole.size(); ++length) {
        const auto got = decode_envelope(Bytes{whole.substr(0, length)});
        ++cuts;
        if (!got) {
          ++refused;
          if (got.error().code != ErrorCode::corrupt) FAIL(got.error().message);
        } else {
          // The message is the last field, and its length comes first.
          FAIL(message_name(sent.message) << " of " << whole.size() << " cut to " << length);
        }
      }
    }
  }
  CHECK(refused == cuts);
}

TEST_CASE("codec: damaged bytes give an error or a sound message", "[random]") {
  Random random(4);
  std::size_t refused = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string bytes = encoded(random_envelope(random, static_cast<std::size_t>(round) % kKinds));
    for (std::uint64_t flips = random.between(1, 4); flips > 0; --flips) {
      bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
    }
    const auto got = decode_envelope(Bytes{bytes});
    if (!got) {
      ++refused;
      if (got.error().code != ErrorCode::corrupt) FAIL(got.error().message);
      continue;
    }
    // Whatever was let in is sound, and means the same when it is passed on.
    if (!check_envelope(*got)) FAIL("round " << round);
    const auto again = decode_envelope(Bytes{encoded(*got)});
    if (!again || *again != *got) FAIL("round " << round);
  }
  CHECK(refused > 10'000);
}

TEST_CASE("codec: noise is refused", "[random]") {
  Random random(5);
  std::size_t accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    if (decode_envelope(Bytes{random_bytes(random, 60)})) ++accepted;
  }
  CHECK(accepted == 0);
}

TEST_CASE("codec: fields that are not known here are skipped") {
  Random random(6);
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const Envelope sent = random_envelope(random, kind);
    for (const unsigned type : {0u, 1u, 2u, 5u}) {
      const std::string unknown = unknown_field(type);
      for (const std::string& bytes : {unknown + encoded(sent), encoded(sent) + unknown}) {
        const auto got = decode_envelope(Bytes{bytes});
        INFO(message_name(sent.message) << " with wire type " << type);
        REQUIRE(got.has_value());
        CHECK(*got == sent);
      }
    }
  }
}

TEST_CASE("codec: fields that are not known here are skipped in what is read by hand") {
  const std::string unknown = unknown_field(0) + unknown_field(2);
  const auto field = [](char tag, const std::string& body) {
    return std::string{tag, static_cast<char>(body.size())} + body;
  };
  const std::string head = "\x08\x01\x10\x02\x18\x01";
  SECTION("append-entries") {
    const std::string entry = "\x08\x05" + unknown + "\x10\x01\x1a\x02hi" + unknown;
    const std::string body = unknown + field('\x2a', entry) + unknown + "\x08\x05";
    const auto got = decode_envelope(head + "\x92\x01" + static_cast<char>(body.size()) + body);
    REQUIRE(got.has_value());
    CHECK(std::get<AppendEntries>(got->message) ==
          AppendEntries{.term = Term{5},
                        .entries = {{.term = Term{5}, .index = LogIndex{1}, .payload = "hi"}}});
  }
  SECTION("snapshot-chunk") {
    const std::string record = unknown + "\x0a\x01k" + unknown + "\x12\x01v";
    const std::string body = "\x08\x05\x28\x07\x30\x04" + unknown + field('\x3a', record) + unknown;
    const auto got = decode_envelope(head + "\xba\x01" + static_cast<char>(body.size()) + body);
    REQUIRE(got.has_value());
    SnapshotChunk expected{.term = Term{5}, .index = LogIndex{7}, .index_term = Term{4}};
    expected.records.push_back({"k", "v"});
    CHECK(std::get<SnapshotChunk>(got->message) == expected);
  }
}

TEST_CASE("codec: a kind that is not known here is refused") {
  const std::string head = "\x08\x01\x10\x02\x18\x01";
  // Number 100, as a later protocol could have it; then no message at all.
  for (const std::string& bytes : {head + "\xa2\x06\x02\x08\x01", head}) {
    const auto got = decode_envelope(Bytes{bytes});
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().message ==
          "a peer's message is corrupt: message: of no kind that is known "
          "here");
  }
}

TEST_CASE("codec: two messages in one envelope are refused") {
  const auto body = [](Message message) { return encoded(enveloped(std::move(message))); };
  const Message append = AppendEntries{.term = Term{1}};
  const Message chunk = SnapshotChunk{.term = Term{1}, .index = LogIndex{1}, .index_term = Term{1}};
  for (const auto& [first, second] :
       {std::pair{append, append}, std::pair{append, chunk}, std::pair{chunk, append},
        std::pair{chunk, chunk}, std::pair{append, Message{Probe{}}}}) {
    CHECK_FALSE(decode_envelope(Bytes{body(first) + body(second)}).has_value());
  }
}

TEST_CASE("codec: an envelope names who speaks to whom") {
  struct Case {
    void (*spoil)(Envelope&);
    const char* reason;
  };
  for (const Case& c :
       {Case{[](Envelope& e) { e.from = kNoNode; }, "from: 0, a node expected"},
        Case{[](Envelope& e) { e.to = kNoNode; }, "to: 0, a node expected"},
        Case{[](Envelope& e) { e.group = GroupId{}; }, "group: 0, a group expected"},
        Case{[](Envelope& e) { e.incarnation = Incarnation{limits::kMaxUnixMillis + 1}; },
             "incarnation: 17592186044417, at most 17592186044416 expected"},
        Case{[](Envelope& e) { e.clock = Hlc{(limits::kMaxUnixMillis + 1) << 16}; },
             "clock in ms: 17592186044417, at most 17592186044416 expected"},
        Case{[](Envelope& e) { e.clock = Hlc{~std::uint64_t{0}}; },
             "clock in ms: 281474976710655, at most 17592186044416 expected"}}) {
    Envelope envelope = enveloped(Probe{});
    REQUIRE(decode_envelope(encoded(envelope)).has_value());
    c.spoil(envelope);
    const auto got = decode_envelope(encoded(envelope));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().message == std::string("a peer's message is corrupt: ") + c.reason);
  }
}

TEST_CASE("codec: what no replica says is refused with the field's name") {
  struct Case {
    Message message;
    const char* reason;
  };
  const auto entries = [](LogIndex prev, Term prev_term, std::vector<LogEntry> list) {
    return AppendEntries{.term = Term{5},
                         .prev_index = prev,
                         .prev_term = prev_term,
                         .commit = LogIndex{},
                         .entries = std::move(list)};
  };
  const auto entry = [](std::uint64_t index, std::uint64_t term) {
    return LogEntry{.term = Term{term}, .index = LogIndex{index}, .payload = "x"};
  };
  const LogIndex last{~std::uint64_t{0}};
  const Term end{limits::kMaxTerm + 1};
  const LogIndex beyond{limits::kMaxLogIndex + 1};
  SnapshotChunk keyless{.term = Term{2}, .index = LogIndex{1}, .index_term = Term{1}};
  keyless.records.push_back({"", "v"});
  const QuorumCall call{.life = 5, .id = RequestId{6}};
  KeyState state;
  state.add({.stamp = {Hlc{9}, NodeId{1}}, .actor = kLogActor, .context = {}, .value = "v"});
  KeyState far;
  far.add({.stamp = {Hlc{~std::uint64_t{0}}, NodeId{1}}, .actor = kLogActor, .context = {}});
  const Case cases[] = {
      {QuorumQuery{.call = {.life = 0, .id = RequestId{6}}, .key = "k"},
       "quorum-query: call.life: 0, a life expected"},
      {QuorumQuery{.call = {.life = 5, .id = RequestId{}}, .key = "k"},
       "quorum-query: call.id: 0, a call expected"},
      {QuorumQuery{.call = call}, "quorum-query: key: empty, at least 1 byte expected"},
      {QuorumQuery{.call = call, .key = std::string(1'025, 'k')},
       "quorum-query: key bytes: 1025, at most 1024 expected"},
      {QuorumQuery{.call = call, .key = "k", .remaining = Duration{-1}},
       "quorum-query: remaining: -1 ns, 0 to 60000000000 expected"},
      {QuorumQueryReply{}, "quorum-query-reply: call.life: 0, a life expected"},
      {QuorumQueryReply{.call = call, .status = static_cast<QuorumQueryStatus>(3)},
       "quorum-query-reply: status: 3, at most 2 expected"},
      {QuorumQueryReply{.call = call, .status = QuorumQueryStatus::unresolved, .state = state},
       "quorum-query-reply: state: not empty with status 1"},
      {QuorumQueryReply{.call = call, .state = far},
       "quorum-query-reply: state: reading in ms: 281474976710655, at most 17592186044416 "
       "expected"},
      {QuorumStore{.call = {}, .key = "k", .state = state},
       "quorum-store: call.life: 0, a life expected"},
      {QuorumStore{.call = call, .key = "", .state = state},
       "quorum-store: key: empty, at least 1 byte expected"},
      {QuorumStore{.call = call, .key = "k"}, "quorum-store: state: empty, nothing to store"},
      {QuorumStore{.call = call, .key = "k", .state = far},
       "quorum-store: state: reading in ms: 281474976710655, at most 17592186044416 expected"},
      {IndexQuery{}, "index-query: call.life: 0, a life expected"},
      {IndexReply{.call = call, .index = LogIndex{4}}, "index-reply: index: 4 without confirmed"},
      {IndexReply{.call = call, .confirmed = true, .index = beyond},
       "index-reply: index: 1152921504606846977, at most 1152921504606846976 expected"},
      {QuorumStoreReply{}, "quorum-store-reply: call.life: 0, a life expected"},
      {MerkleQuery{.call = {}, .nodes = {0}}, "merkle-query: call.life: 0, a life expected"},
      {MerkleQuery{.call = call, .nodes = {1}},
       "merkle-query: nodes: 1 on level 0, at most 0 expected"},
      {MerkleDigests{.call = call, .nodes = {0}, .digests = {1}},
       "merkle-digests: digests: 1, 16 or none expected"},
      {MerkleKeysQuery{.call = call, .leaf = 65'536},
       "merkle-keys-query: leaf: 65536, at most 65535 expected"},
      {MerkleKeys{.call = call}, "merkle-keys: keys: none, and there are more"},
      {VoteRequest{}, "vote-request: term: 0, at least 1 expected"},
      {VoteRequest{.term = Term{2}, .last_index = LogIndex{1}},
       "vote-request: last_index: 1 with last_term 0"},
      {VoteRequest{.term = Term{2}, .last_index = LogIndex{1}, .last_term = Term{3}},
       "vote-request: last_term: 3, above term 2"},
      {VoteRequest{.term = Term{2}, .pre_vote = true, .transfer = true},
       "vote-request: transfer: set together with pre_vote"},
      {VoteReply{.granted = true}, "vote-reply: term: 0, at least 1 expected"},
      {AppendEntries{}, "append-entries: term: 0, at least 1 expected"},
      {entries(LogIndex{}, Term{1}, {}), "append-entries: prev_index: 0 with prev_term 1"},
      {entries(LogIndex{3}, Term{6}, {}), "append-entries: prev_term: 6, above term 5"},
      {entries(LogIndex{3}, Term{2}, {entry(5, 2)}), "append-entries: entries: index 5 behind 3"},
      {entries(LogIndex{3}, Term{2}, {entry(3, 2)}), "append-entries: entries: index 3 behind 3"},
      {entries(LogIndex{3}, Term{2}, {entry(4, 2), entry(6, 2)}),
       "append-entries: entries: index 6 behind 4"},
      {entries(last, Term{2}, {entry(0, 2)}),
       "append-entries: prev_index: 18446744073709551615, at most 1152921504606846976 expected"},
      {entries(LogIndex{3}, Term{2}, {entry(4, 1)}),
       "append-entries: entries: term 1 at index 4, behind term 2 in a message of term 5"},
      {entries(LogIndex{3}, Term{2}, {entry(4, 6)}),
       "append-entries: entries: term 6 at index 4, behind term 2 in a message of term 5"},
      {entries(LogIndex{}, Term{}, {entry(1, 0)}),
       "append-entries: entries: term 0 at index 1, behind term 0 in a message of term 5"},
      {AppendReply{}, "append-reply: term: 0, at least 1 expected"},
      {AppendReply{.term = Term{1}, .match = LogIndex{4}}, "append-reply: match: 4 in a refusal"},
      {AppendReply{.term = Term{1}, .accepted = true, .rejected_prev = LogIndex{4}},
       "append-reply: rejected_prev: 4 with hint_index 0 in an acceptance"},
      {AppendReply{.term = Term{1}, .hint_index = LogIndex{4}},
       "append-reply: hint_index: 4 with hint_term 0"},
      {Heartbeat{}, "heartbeat: term: 0, at least 1 expected"},
      {Heartbeat{.term = Term{1}, .mark = {0, MonoTime{Duration{7}}}},
       "heartbeat: mark.life: 0 with a time of 7 ns"},
      {HeartbeatReply{}, "heartbeat-reply: term: 0, at least 1 expected"},
      {HeartbeatReply{.term = Term{1}, .hold = Duration{-1}},
       "heartbeat-reply: hold: -1 ns, at least 0 expected"},
      {HeartbeatReply{.term = Term{1}, .mark = {0, MonoTime{Duration{7}}}},
       "heartbeat-reply: mark.life: 0 with a time of 7 ns"},
      {TimeoutNow{}, "timeout-now: term: 0, at least 1 expected"},
      {SnapshotChunk{}, "snapshot-chunk: term: 0, at least 1 expected"},
      {SnapshotChunk{.term = Term{1}}, "snapshot-chunk: index: 0, at least 1 expected"},
      {SnapshotChunk{.term = Term{1}, .index = LogIndex{3}},
       "snapshot-chunk: index_term: 0, 1 to 1 expected"},
      {SnapshotChunk{.term = Term{1}, .index = LogIndex{3}, .index_term = Term{2}},
       "snapshot-chunk: index_term: 2, 1 to 1 expected"},
      {keyless, "snapshot-chunk: records: a record without a key"},
      {SnapshotReply{}, "snapshot-reply: term: 0, at least 1 expected"},
      {ProbeReply{.membership = static_cast<Membership>(3)},
       "probe-reply: membership: 3, at most 2 expected"},
      {VoteRequest{.term = Term{~std::uint64_t{0}}},
       "vote-request: term: 18446744073709551615, at most 281474976710656 expected"},
      {VoteRequest{.term = Term{2}, .last_index = beyond, .last_term = Term{1}},
       "vote-request: last_index: 1152921504606846977, at most 1152921504606846976 expected"},
      {VoteReply{.term = end},
       "vote-reply: term: 281474976710657, at most 281474976710656 expected"},
      {VoteReply{.term = end, .granted = true},
       "vote-reply: term: 281474976710657, at most 281474976710656 expected"},
      {AppendEntries{.term = end},
       "append-entries: term: 281474976710657, at most 281474976710656 expected"},
      {AppendReply{.term = Term{1}, .accepted = true, .match = beyond},
       "append-reply: match: 1152921504606846977, at most 1152921504606846976 expected"},
      {AppendReply{.term = Term{1}, .hint_index = beyond, .hint_term = Term{1}},
       "append-reply: hint_index: 1152921504606846977, at most 1152921504606846976 expected"},
      {Heartbeat{.term = end},
       "heartbeat: term: 281474976710657, at most 281474976710656 expected"},
      {SnapshotChunk{.term = Term{1}, .index = beyond, .index_term = Term{1}},
       "snapshot-chunk: index: 1152921504606846977, at most 1152921504606846976 expected"},
      {ProbeReply{.term = end},
       "probe-reply: term: 281474976710657, at most 281474976710656 expected"},
      {ProbeReply{.heard_of_receiver = Incarnation{limits::kMaxUnixMillis}},
       "probe-reply: heard_of_receiver: 17592186044416, at most 17592186044415 expected"},
      {Forward{}, "forward: term: 0, at least 1 expected"},
      {Forward{.term = Term{1}, .remaining = Duration{-1}},
       "forward: remaining: -1 ns, 0 to 60000000000 expected"},
      {Forward{.term = Term{1}, .remaining = Duration::max()},
       "forward: remaining: 9223372036854775807 ns, 0 to 60000000000 expected"},
  };
  for (const Case& c : cases) {
    CHECK(refusal(c.message) == std::string("a peer's message is corrupt: ") + c.reason);
  }
}

TEST_CASE("codec: numbers as high as a peer may say them are not refused") {
  const Term term{limits::kMaxTerm};
  const LogIndex index{limits::kMaxLogIndex};
  const Message messages[] = {
      VoteRequest{.term = term, .last_index = index, .last_term = term},
      VoteReply{.term = term},
      AppendEntries{.term = term, .prev_index = index, .prev_term = term},
      AppendReply{.term = term, .accepted = true, .match = index},
      SnapshotChunk{.term = term, .index = index, .index_term = term},
      ProbeReply{.term = term, .heard_of_receiver = Incarnation{limits::kMaxUnixMillis - 1}},
  };
  for (const Message& message : messages) CHECK(refusal(message).empty());
  Envelope envelope = enveloped(Probe{});
  envelope.incarnation = Incarnation{limits::kMaxUnixMillis};
  envelope.clock = Hlc{(limits::kMaxUnixMillis << 16) | 0xffff};
  CHECK(decode_envelope(encoded(envelope)).has_value());
}

TEST_CASE("codec: a number that its type has no room for is not another one") {
  // Membership 256, whose low byte is "none".
  const auto got = decode_envelope(Bytes{"\x08\x01\x10\x02\x18\x01\xd2\x01\x03\x08\x80\x02"});
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().message.find("membership: 255") != std::string::npos);
}

TEST_CASE("codec: a state that contradicts itself is refused") {
  QuorumStore store{.call = {.life = 1, .id = RequestId{1}}, .key = "k"};
  store.state.add({.stamp = {Hlc{9}, NodeId{1}}, .actor = kLogActor, .context = {}, .value = "v"});
  VersionVector seen = store.state.context();
  seen.advance({ActorPath::causal, NodeId{1}, Incarnation{1}}, Hlc{8});
  store.state = KeyState::from_parts(store.state.versions(), seen);
  std::string bytes = encoded(enveloped(store));
  CHECK(decode_envelope(bytes).has_value());
  // The state's context: the log's reading is the version's, until its distance is no longer 0.
  const std::size_t context = bytes.find(std::string("\x1a\x06\0\0\0\x06\x01\x01", 8));
  REQUIRE(context != std::string::npos);
  bytes[context + 4] = 1;
  const auto got = decode_envelope(bytes);
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().message.find("the versions contradict the context") != std::string::npos);
}

TEST_CASE("codec: lists that end in the middle of an item are refused") {
  struct Case {
    std::string field;
    const char* reason;
  };
  // Call {life 1, id 1}; then a list of the field with that number.
  const std::string call = std::string("\x0a\x0b\x09\x01\0\0\0\0\0\0\0\x10\x01", 13);
  const auto message = [&](const char* tag, const std::string& field) {
    const std::string body = call + field;
    return std::string("\x08\x01\x10\x02\x18\x01") + tag + static_cast<char>(body.size()) + body;
  };
  for (const auto& [bytes, reason] :
       {std::pair{message("\x8a\x02", "\x1a\x03xyz"), "nodes: 3 bytes are no list"},
        std::pair{message("\x92\x02", std::string("\x1a\x04\0\0\0\0\x22\x01x", 9)),
                  "digests: 1 bytes are no list"},
        std::pair{message("\xa2\x02", "\x22\x01x"), "keys: 1 bytes are no list"},
        std::pair{message("\xa2\x02", std::string("\x22\x05\x02\0kk8", 7)),
                  "keys: 5 bytes are no list"}}) {
    const auto got = decode_envelope(Bytes{bytes});
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().message == std::string("a peer's message is corrupt: ") + reason);
  }
}

TEST_CASE("messages of quorums in words") {
  const QuorumCall call{.life = 5, .id = RequestId{6}};
  KeyState state;
  state.add({.stamp = {Hlc{9}, NodeId{1}}, .actor = kLogActor, .context = {}, .value = "v"});
  state.add({.stamp = {Hlc{12}, NodeId{2}},
             .actor = {ActorPath::quorum, NodeId{2}, Incarnation{1}},
             .context = {},
             .tombstone = true});
  const std::string held = "[12-2 deleted, 9-1 'v'; {log:9, quorum/2.1:12}]";
  CHECK(describe(QuorumQuery{.call = call, .key = "k"}) == "query 6 'k'");
  CHECK(describe(IndexQuery{.call = call}) == "index? 6");
  CHECK(describe(IndexReply{.call = call}) == "index refused 6");
  CHECK(describe(IndexReply{.call = call, .confirmed = true, .index = LogIndex{9}}) == "index 6 9");
  CHECK(describe(QuorumQuery{.call = call, .key = "k", .majority = true}) ==
        "query 6 'k' majority");
  CHECK(describe(QuorumQueryReply{.call = call, .state = state}) == "held 6 " + held);
  CHECK(describe(QuorumQueryReply{.call = call, .status = QuorumQueryStatus::unresolved}) ==
        "unresolved 6");
  CHECK(describe(QuorumQueryReply{.call = call, .status = QuorumQueryStatus::refused}) ==
        "query refused 6");
  CHECK(describe(QuorumStore{.call = call, .key = "k", .state = state, .hint_for = NodeId{3}}) ==
        "store 6 'k' " + held + " for 3");
  CHECK(describe(QuorumStoreReply{.call = call, .stored = true}) == "stored 6");
  CHECK(describe(QuorumStoreReply{.call = call}) == "not stored 6");
  CHECK(describe(MerkleQuery{.call = call, .level = 2, .nodes = {4, 5}}) ==
        "digests? 6 level 2, 2 nodes");
  CHECK(describe(MerkleDigests{.call = call, .level = 2, .nodes = {4, 5}}) ==
        "digests 6 level 2, 2 nodes");
  CHECK(describe(MerkleKeysQuery{.call = call, .leaf = 7, .after = "k"}) ==
        "keys? 6 leaf 7 behind 'k'");
  CHECK(describe(MerkleKeys{.call = call, .leaf = 7, .keys = {{"k", 1}}, .complete = true}) ==
        "keys 6 leaf 7, 1 keys, all");
}

TEST_CASE("codec: few bytes do not make many objects") {
  SECTION("entries") {
    AppendEntries most{.term = Term{1}};
    for (std::size_t i = 0; i < limits::kMaxAppendEntries; ++i) {
      most.entries.push_back({.term = Term{1}, .index = LogIndex{i + 1}, .payload = {}});
    }
    CHECK(refusal(most).empty());
    most.entries.push_back(
        {.term = Term{1}, .index = most.entries.back().index.next(), .payload = {}});
    CHECK_FALSE(refusal(most).empty());
  }
  SECTION("records") {
    SnapshotChunk most{.term = Term{1}, .index = LogIndex{1}, .index_term = Term{1}};
    most.records.resize(limits::kSnapshotChunkBytes / 4, {"k", {}});
    CHECK(refusal(most).empty());
    most.records.push_back({"k", {}});
    CHECK_FALSE(refusal(most).empty());
  }
}

TEST_CASE("codec: a frame above the bound is not looked at") {
  const Bytes frame{std::string(limits::kMaxFrameBytes + 1, '\0')};
  const auto got = decode_envelope(frame);
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().message.find("67108865 bytes") != std::string::npos);
}

// When this fails the schema has changed: nodes of the last release must still understand it.
TEST_CASE("codec: the bytes of a message stay what they are") {
  Envelope envelope = enveloped(
      AppendEntries{.term = Term{3},
                    .prev_index = LogIndex{300},
                    .prev_term = Term{2},
                    .commit = LogIndex{299},
                    .entries = {{.term = Term{2}, .index = LogIndex{301}, .payload = "hello"},
                                {.term = Term{3}, .index = LogIndex{302}, .payload = ""}}});
  envelope.group = GroupId{7};
  envelope.incarnation = Incarnation{5};
  envelope.recovering = true;
  envelope.clock = Hlc{0x0102030405060708};
  envelope.physical = {UnixMillis{1000}, UnixMillis{2000}, UnixMillis{3000}};
  CHECK(hex(encoded(envelope)) ==
        "08011002180720052801310807060504030201"  // who, and the clock
        "3a0908e80710d00f18b817"                  // physical
        "920121"                                  // append-entries
        "080310ac02180220ab02"                    // term, prev, commit
        "2a0c080210ad021a0568656c6c6f"            // the first entry
        "2a07080310ae021a00");
}

TEST_CASE("message names are all different") {
  Random random(7);
  std::set<std::string_view> names;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    names.insert(message_name(random_message(random, kind)));
  }
  CHECK(names.size() == kKinds);
  CHECK(names.count("append-entries") == 1);
}

}  // namespace parallax::test
