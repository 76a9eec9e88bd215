#include "node/operation_codec.h"

#include <functional>
#include <set>

#include <catch2/catch.hpp>

#include "base/limits.h"
#include "base/random.h"

namespace parallax::test {
namespace {

using namespace std::chrono_literals;

std::string random_text(Random& random, std::size_t at_least, std::size_t at_most) {
  std::string text(random.between(at_least, at_most), '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  return text;
}

std::string random_key(Random& random) {
  return random_text(random, 1, random.below(8) == 0 ? limits::kMaxKeyBytes : 20);
}

bool coin(Random& random) {
  return random.below(2) == 0;
}

/// Small numbers as often as large ones.
std::uint64_t random_number(Random& random) {
  return random.next() >> random.below(64);
}

Stamp random_stamp(Random& random) {
  return Stamp{Hlc{random.next() | 1},
               NodeId{static_cast<std::uint32_t>(random.between(1, 0xffffffffu))}};
}

VersionVector random_context(Random& random) {
  VersionVector context;
  for (std::uint64_t left = random.below(4); left > 0; --left) {
    context.advance(Actor{.path = static_cast<ActorPath>(random.below(3)),
                          .node = NodeId{static_cast<std::uint32_t>(random.below(4))},
                          .incarnation = Incarnation{random_number(random)}},
                    Hlc{random_number(random)});
  }
  return context;
}

OriginVector random_vector(Random& random) {
  OriginVector vector;
  for (std::uint64_t left = random.below(4); left > 0; --left) {
    vector.advance(Origin{.node = NodeId{static_cast<std::uint32_t>(random.between(1, 4))},
                          .incarnation = Incarnation{random_number(random)}},
                   random_number(random));
  }
  return vector;
}

SessionToken random_session(Random& random) {
  return SessionToken{.cluster = {random.next(), random.next()},
                      .clock = Hlc{random_number(random)},
                      .index = LogIndex{random_number(random)},
                      .read = random_vector(random),
                      .write = random_vector(random)};
}

Consistency random_level(Random& random) {
  const LevelInfo& row = kLevels[random.below(kLevels.size())];
  Consistency level{row.level};
  const auto takes = [&](LevelParameter parameter) {
    return row.parameters.contains(parameter) && coin(random);
  };
  if (takes(LevelParameter::r)) level.r = static_cast<std::uint32_t>(random_number(random));
  if (takes(LevelParameter::w)) level.w = coin(random) ? Consistency::kAll : 1;
  level.sloppy = takes(LevelParameter::sloppy);
  level.blocking_repair = takes(LevelParameter::repair);
  if (takes(LevelParameter::guarantees)) level.guarantees = {coin(random), true, coin(random)};
  if (takes(LevelParameter::max_staleness_ms)) {
    level.max_staleness_ms = static_cast<std::uint32_t>(random.between(1, kMaxStalenessMs));
  }
  if (takes(LevelParameter::max_lag) || incomplete(level)) {
    level.max_lag = static_cast<std::uint32_t>(random.below(kMaxLag));
  }
  if (takes(LevelParameter::on_violation)) {
    level.on_violation = static_cast<OnViolation>(random.below(kOnViolations.size()));
  }
  if (takes(LevelParameter::ack)) level.ack = static_cast<Ack>(random.below(kAcks.size()));
  return level;
}

Policy random_policy(Random& random) {
  Policy policy;
  if (coin(random)) policy.default_consistency = random_level(random);
  policy.mixing = kMixings[random.below(kMixings.size())].first;
  policy.conflict = kConflictStrategies[random.below(kConflictStrategies.size())].first;
  return policy;
}

EtagSet random_etags(Random& random) {
  if (coin(random)) return EtagSet{.any = true};
  EtagSet etags;
  for (std::uint64_t left = random.between(1, 4); left > 0; --left) {
    etags.stamps.push_back(random_stamp(random));
  }
  return etags;
}

Put random_put(Random& random) {
  Put put{.key = random_key(random),
          .value = random_text(random, 0, 300),
          .content_type = random_text(random, 0, 30)};
  constexpr std::chrono::milliseconds kMost = limits::kMaxTtl;
  if (coin(random)) {
    put.ttl =
        std::chrono::milliseconds{random.below(static_cast<std::uint64_t>(kMost.count()) + 1)};
  }
  return put;
}

SetPolicy random_set_policy(Random& random) {
  SetPolicy set{.prefix = random_text(random, 0, 20)};
  if (coin(random)) set.policy = random_policy(random);
  return set;
}

GetMany random_get_many(Random& random) {
  GetMany many;
  for (std::uint64_t left = random.between(1, 5); left > 0; --left) {
    many.keys.push_back(random_key(random));
  }
  return many;
}

UpdateCrdt random_update_crdt(Random& random) {
  const CrdtOpInfo& info = kCrdtOps[random.below(kCrdtOps.size())];
  return UpdateCrdt{.key = random_key(random),
                    .type = info.type,
                    .update = {.op = info.op,
                               .by = static_cast<std::int64_t>(random_number(random)),
                               .name = random_text(random, 0, 20),
                               .value = random_text(random, 0, 20)}};
}

Operation random_operation(Random& random) {
  switch (random.below(std::variant_size_v<Operation>)) {
    case 0:
      return random_put(random);
    case 1:
      return Get{.key = random_key(random), .siblings = coin(random)};
    case 2:
      return Delete{random_key(random)};
    case 3:
      return Increment{.key = random_key(random),
                       .by = static_cast<std::int64_t>(random_number(random))};
    case 4:
      return Scan{.start = random_text(random, 0, 30),
                  .end = random_text(random, 0, 30),
                  .limit = static_cast<std::uint32_t>(random.between(1, limits::kMaxScanLimit)),
                  .reverse = coin(random),
                  .keys_only = coin(random)};
    case 5:
      return random_get_many(random);
    case 6:
      return ReadHistory{.key = random_key(random),
                         .from = UnixMillis{random_number(random)},
                         .to = UnixMillis{random_number(random)}};
    case 7:
      return GetPolicy{random_text(random, 0, 20)};
    case 8:
      return ListPolicies{};
    case 9:
      return random_update_crdt(random);
    case 10:
      return GetCrdt{random_key(random)};
    case 11:
      return CountReplicas{static_cast<std::uint32_t>(random_number(random))};
    default:
      return random_set_policy(random);
  }
}

Request random_request(Random& random) {
  Request request{.operation = random_operation(random),
                  .consistency = random_level(random),
                  .level_by_policy = coin(random),
                  .timeout = std::chrono::milliseconds{random.below(60'001)},
                  .forward = coin(random)};
  const bool replaces = std::holds_alternative<Put>(request.operation) ||
                        std::holds_alternative<Delete>(request.operation);
  if (replaces && coin(random)) request.conditions.if_match = random_etags(random);
  if (replaces && coin(random)) request.conditions.if_none_match = random_etags(random);
  if (replaces && coin(random)) request.context = random_context(random);
  if ((replaces || std::holds_alternative<Increment>(request.operation)) && coin(random)) {
    request.idempotency_key = random_text(random, 0, limits::kMaxIdempotencyKeyBytes);
  }
  if (coin(random)) request.session = random_session(random);
  return request;
}

Error random_error(Random& random);

/// What answers about several keys or versions have.
void add_random_lists(Random& random, Answer& answer) {
  for (std::uint64_t left = random.below(4); left > 0; --left) {
    answer.items.push_back({.key = random_text(random, 0, 20),
                            .stamp = random_stamp(random),
                            .value = random_text(random, 0, 30),
                            .content_type = random_text(random, 0, 10)});
    answer.missing.push_back(random_key(random));
    answer.policies.emplace_back(random_text(random, 0, 20), random_policy(random));
  }
  if (coin(random)) answer.next = random_text(random, 0, 20);
  std::set<Stamp, std::greater<>> stamps;
  for (std::uint64_t left = random.below(4); left > 0; --left) stamps.insert(random_stamp(random));
  for (const Stamp& stamp : stamps) {
    const bool tombstone = coin(random);
    answer.versions.push_back({.stamp = stamp,
                               .tombstone = tombstone,
                               .value = random_text(random, 0, tombstone ? 0 : 30),
                               .content_type = random_text(random, 0, 10)});
  }
  answer.history_floor = UnixMillis{random_number(random)};
}

Answer random_answer(Random& random) {
  Answer answer;
  answer.consistency = random_level(random);
  if (random.below(3) > 0) {
    answer.stamp = random_stamp(random);
    answer.found = coin(random);
  }
  if (answer.found) {
    answer.value = random_text(random, 0, 300);
    answer.content_type = random_text(random, 0, 30);
  }
  Evidence& evidence = answer.evidence;
  evidence.node = NodeId{static_cast<std::uint32_t>(random.next())};
  evidence.term = Term{random.next()};
  evidence.index = LogIndex{random.next()};
  evidence.path = static_cast<Path>(random.below(5));
  for (std::uint32_t node = 1; node <= 5; ++node) {
    if (coin(random)) evidence.replicas.push_back(NodeId{node});
  }
  evidence.sequenced = coin(random);
  evidence.degraded = coin(random);
  if (coin(random)) evidence.confirmed = LogIndex{random_number(random)};
  if (random.below(4) == 0) {
    answer.refusal = random_error(random);
    answer.refusal->certainty = Certainty::definite;
  }
  answer.replayed = coin(random);
  answer.merged = coin(random);
  answer.replicas = static_cast<std::uint32_t>(random_number(random));
  if (coin(random)) answer.staleness_ms = random_number(random);
  if (coin(random)) {
    answer.crdt = CrdtValue{kCrdtTypes[random.below(3)].first, random_text(random, 0, 20)};
  }
  if (coin(random)) answer.number = static_cast<std::int64_t>(random_number(random));
  if (coin(random)) answer.context = random_context(random);
  if (coin(random)) answer.session = random_session(random);
  if (coin(random)) add_random_lists(random, answer);
  return answer;
}

Error random_error(Random& random) {
  Error error;
  error.code = static_cast<ErrorCode>(random.below(static_cast<int>(ErrorCode::refused) + 1));
  error.certainty = random.below(2) == 0 ? Certainty::definite : Certainty::indefinite;
  error.message = random_text(random, 0, 60);
  error.leader = NodeId{static_cast<std::uint32_t>(random.below(4))};
  error.etag = random_text(random, 0, 20);
  error.required = static_cast<std::uint32_t>(random.below(4));
  error.received = static_cast<std::uint32_t>(random.below(4));
  return error;
}

Reply random_reply(Random& random) {
  if (random.below(2) == 0) return random_error(random);
  return random_answer(random);
}

void flip_some_bits(Random& random, std::string& bytes) {
  for (std::uint64_t flips = random.between(1, 4); flips > 0 && !bytes.empty(); --flips) {
    bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
  }
}

std::string refusal(const Request& request) {
  const auto got = decode_request(encode_request(request));
  if (got) return "";
  CHECK(got.error().code == ErrorCode::corrupt);
  return got.error().message;
}

/// Why these bytes are no reply; empty: they are one, an error perhaps.
std::string reply_refusal(const Bytes& bytes) {
  const auto got = decode_reply(bytes);
  if (got.has_value()) return "";
  CHECK(got.error().code == ErrorCode::corrupt);
  return got.error().message;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<std::uint8_t>(c));
  return text;
}

}  // namespace

TEST_CASE("forwarded requests come back as they were", "[random]") {
  Random random(1);
  for (int round = 0; round < 50'000; ++round) {
    const Request request = random_request(random);
    const auto got = decode_request(encode_request(request));
    if (!got) FAIL(got.error().message);
    if (*got != request) FAIL("round " << round);
  }
}

TEST_CASE("forwarded replies come back as they were", "[random]") {
  Random random(2);
  for (int round = 0; round < 50'000; ++round) {
    const Reply reply = random_reply(random);
    const Result<Reply> got = decode_reply(encode_reply(reply));
    if (!got.has_value()) FAIL(got.error().message);
    if (*got != reply) FAIL("round " << round);
  }
}

TEST_CASE("forwarded replies keep whether an error is definite") {
  for (const ErrorCode code : {ErrorCode::not_leader, ErrorCode::timeout}) {
    for (const Certainty certainty : {Certainty::definite, Certainty::indefinite}) {
      const Error error{code, certainty, "why", NodeId{3}};
      const Result<Reply> got = decode_reply(encode_reply(error));
      REQUIRE(got.has_value());
      REQUIRE(got->has_error());
      CHECK(got->error() == error);
    }
  }
}

TEST_CASE("forwarded error without a word on its outcome is indefinite") {
  // {error: {code: "timeout"}}
  const Result<Reply> got = decode_reply("\x12\x09\x0a\x07timeout");
  REQUIRE(got.has_value());
  REQUIRE(got->has_error());
  CHECK(got->error() == indefinite(ErrorCode::timeout, ""));
}

TEST_CASE("forwarded bytes that are damaged give an error or something sound", "[random]") {
  Random random(3);
  std::size_t refused = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = encode_request(random_request(random)).to_string();
    flip_some_bits(random, bytes);
    const auto request = decode_request(Bytes{bytes});
    refused += request ? 0 : 1;
    if (request && !refusal(*request).empty()) FAIL("request " << round);

    bytes = encode_reply(random_reply(random)).to_string();
    flip_some_bits(random, bytes);
    const Result<Reply> reply = decode_reply(Bytes{bytes});
    refused += reply.has_value() ? 0 : 1;
    if (reply.has_value() && !reply_refusal(encode_reply(*reply)).empty()) FAIL("reply " << round);
  }
  CHECK(refused > 20'000);
}

TEST_CASE("forwarded bytes cut short are never something else", "[random]") {
  Random random(4);
  for (int round = 0; round < 200; ++round) {
    const Request request = random_request(random);
    const std::string whole = encode_request(request).to_string();
    for (std::size_t length = 0; length < whole.size(); ++length) {
      const auto got = decode_request(Bytes{whole.substr(0, length)});
      // The last fields may be missing, which gives their defaults; the operation never changes.
      if (got && got->operation != request.operation) FAIL(whole.size() << " cut to " << length);
    }
    const std::string reply = encode_reply(random_reply(random)).to_string();
    for (std::size_t length = 0; length < reply.size(); ++length) {
      if (reply_refusal(Bytes{reply.substr(0, length)}).empty()) {
        FAIL(reply.size() << " cut to " << length);
      }
    }
  }
}

TEST_CASE("forwarded requests that no node sends are refused with the field's name") {
  // What the refusal says of `operation`, behind the words that all have in common.
  const auto of = [](Request request) {
    const std::string message = refusal(request);
    const std::string_view begin = "a forwarded request is corrupt: ";
    if (message.empty()) return message;
    REQUIRE(message.starts_with(begin));
    return message.substr(begin.size());
  };
  const auto op = [&of](Operation operation) { return of({.operation = std::move(operation)}); };
  const std::string long_key(1'025, 'k');
  const std::string no_key = "key: 0 bytes, 1 to 1024 expected";
  CHECK(op(Get{"key"}).empty());
  for (const Operation& keyless :
       std::vector<Operation>{Get{}, Delete{}, Put{}, Increment{}, ReadHistory{}}) {
    CHECK(op(keyless) == no_key);
  }
  CHECK(op(Delete{long_key}) == "key: 1025 bytes, 1 to 1024 expected");
  CHECK(op(Put{.key = "k", .value = {}, .content_type = std::string(257, 't')}) ==
        "put.content_type: 257 bytes, 0 to 256 expected");
  const auto ttl = [&](std::int64_t ms) {
    return op(Put{.key = "k", .value = {}, .ttl = std::chrono::milliseconds{ms}});
  };
  CHECK(ttl(0).empty());
  CHECK(ttl(315'619'200'000).empty());
  CHECK(ttl(-1) == "put.ttl_ms: -1, 0 to 315619200000 expected");
  CHECK(ttl(315'619'200'001) == "put.ttl_ms: 315619200001, 0 to 315619200000 expected");
  CHECK(op(Scan{.start = long_key}).empty());  // just behind the longest key
  CHECK(op(Scan{.start = long_key + "k"}) == "scan.start: 1026 bytes, 0 to 1025 expected");
  CHECK(op(Scan{.end = long_key + "k"}) == "scan.end: 1026 bytes, 0 to 1025 expected");
  CHECK(op(Scan{.limit = 0}) == "scan.limit: 0 keys, 1 to 1000 expected");
  CHECK(op(Scan{.limit = 1'001}) == "scan.limit: 1001 keys, 1 to 1000 expected");
  CHECK(op(GetMany{}) == "get_many.keys: 0 keys, 1 to 1000 expected");
  CHECK(op(GetMany{std::vector<std::string>(1'000, "k")}).empty());
  CHECK(op(GetMany{std::vector<std::string>(1'001, "k")}) ==
        "get_many.keys: 1001 keys, 1 to 1000 expected");
  CHECK(op(GetMany{{"k", ""}}) == "get_many.keys: 0 bytes, 1 to 1024 expected");
  CHECK(op(GetPolicy{long_key}) == "prefix: 1025 bytes, 0 to 1024 expected");
  CHECK(op(SetPolicy{.prefix = long_key}) == "prefix: 1025 bytes, 0 to 1024 expected");

  CHECK(of({.operation = Get{"k"}, .timeout = std::chrono::milliseconds{-1}}) ==
        "timeout_ms: -1, 0 to 60000 expected");
  CHECK(of({.operation = Get{"k"}, .timeout = std::chrono::milliseconds{60'001}}) ==
        "timeout_ms: 60001, 0 to 60000 expected");
  const auto etags = [&](EtagSet set) {
    return of({.operation = Delete{"k"}, .conditions = {.if_none_match = std::move(set)}});
  };
  const Stamp stamp{Hlc{5}, NodeId{1}};
  CHECK(etags({.stamps = std::vector<Stamp>(64, stamp)}).empty());
  CHECK(etags({.stamps = std::vector<Stamp>(65, stamp)}) ==
        "if_none_match: 65 etags, 1 to 64 expected");
  CHECK(etags({}) == "if_none_match: 0 etags, 1 to 64 expected");
  CHECK(etags({.any = true, .stamps = {stamp}}) ==
        "if_none_match: 1 etags with any, 0 to 0 expected");
  CHECK(etags({.stamps = {Stamp{Hlc{5}, kNoNode}}}) == "if_none_match: 5-0");
  CHECK(of({.operation = Increment{"k"}, .conditions = {.if_match = EtagSet{.any = true}}}) ==
        "conditions: with neither a put nor a delete");
  CHECK(of({.operation = Increment{"k"}, .context = VersionVector{}}) ==
        "context: with neither a put nor a delete");
  CHECK(of({.operation = Get{"k"}, .idempotency_key = "once"}) ==
        "idempotency_key: with neither a put, a delete nor an increment");
  CHECK(of({.operation = Delete{"k"}, .idempotency_key = std::string(129, 'i')}) ==
        "idempotency_key: 129 bytes, 0 to 128 expected");
  CHECK(of({.operation = Get{"k"},
            .session =
                SessionToken{.write = OriginVector({{Origin{kNoNode, Incarnation{1}}, 1}})}}) ==
        "session.write: 0.1 behind 0.0");
  const auto level = [&](Consistency consistency) {
    return of({.operation = Get{"k"}, .consistency = consistency});
  };
  CHECK(level({.level = Level::quorum, .r = 1, .w = 2, .sloppy = true, .blocking_repair = true})
            .empty());
  CHECK(level({.level = Level::atomic, .r = 2}) == "level: atomic with r, which it does not take");
  CHECK(level({.level = Level::prefix, .w = 2}) == "level: prefix with w, which it does not take");
  CHECK(level({.level = Level::weak, .sloppy = true}) ==
        "level: weak with sloppy, which it does not take");
  CHECK(level({.level = Level::eventual, .blocking_repair = true}) ==
        "level: eventual with repair, which it does not take");
  CHECK(level({.level = Level::session,
               .guarantees = {.monotonic_reads = true},
               .on_violation = OnViolation::forward})
            .empty());
  CHECK(level({.level = Level::causal, .on_violation = OnViolation::reject}).empty());
  CHECK(level({.level = Level::session, .guarantees = {}}) ==
        "level: guarantees: unknown ''; some of ryw, mr, mw, wfr are expected, with commas "
        "between them");
}

TEST_CASE("forwarded bytes that no node writes are refused with the field's name") {
  const auto reason = [](std::string_view bytes) {
    const auto got = decode_request(Bytes{std::string(bytes)});
    if (got) return std::string();
    CHECK(got.error().code == ErrorCode::corrupt);
    const std::string_view begin = "a forwarded request is corrupt: ";
    REQUIRE(got.error().message.starts_with(begin));
    return got.error().message.substr(begin.size());
  };
  CHECK(reason("") == "operation: of no kind that is known here");
  CHECK(reason("\xff") == "it does not follow its schema");
  // {get: {key: "k"}, consistency: {level: "psychic"}}
  CHECK(reason("\x12\x03\x0a\x01k\x82\x01\x09\x0a\x07psychic")
            .starts_with("level: 'psychic' is no consistency level"));

  // {delete: {key: "k"}, consistency: {level: "prefix"}} and then a context or a session.
  const std::string good("\x1a\x03\x0a\x01k\x82\x01\x08\x0a\x06prefix");
  REQUIRE(reason(good).empty());
  const auto field = [&](const char* tag, std::vector<std::string> entries) {
    std::string body;
    for (const std::string& entry : entries) body += entry;
    return reason(good + tag + static_cast<char>(body.size()) + body);
  };
  const char* const context = "\xba\x01";
  const auto actor = [](char path, char node, char hlc) {
    return std::string("\x0a\x0d\x08") + path + '\x10' + node + '\x21' + hlc + std::string(7, '\0');
  };
  CHECK(field(context, {actor(1, 1, 1), actor(1, 2, 1)}).empty());
  CHECK(field(context, {actor(1, 1, 1), actor(1, 1, 1)}) ==
        "context: quorum/1.0 behind quorum/1.0");
  CHECK(field(context, {actor(2, 1, 1), actor(1, 1, 1)}) ==
        "context: quorum/1.0 behind causal/1.0");
  CHECK(field(context, {actor(3, 1, 1)}) == "context: path 3, at most 2 expected");
  CHECK(field(context, {actor(1, 1, 0)}) == "context: nothing of quorum/1.0");
  const char* const session = "\xc2\x01";
  const auto origin = [](char list, char node, char count) {
    return std::string(1, list) + "\x06\x08" + node + "\x10\x01\x18" + count;
  };
  constexpr char kRead = '\x2a';
  constexpr char kWrite = '\x32';
  CHECK(field(session, {origin(kRead, 1, 1), origin(kRead, 2, 1), origin(kWrite, 1, 1)}).empty());
  CHECK(field(session, {origin(kRead, 2, 1), origin(kRead, 1, 1)}) ==
        "session.read: 1.1 behind 2.1");
  CHECK(field(session, {origin(kWrite, 2, 1), origin(kWrite, 2, 1)}) ==
        "session.write: 2.1 behind 2.1");
  CHECK(field(session, {origin(kRead, 2, 0)}) == "session.read: nothing of 2.1");

  // {set_policy: {policy: {mixing: "allow", conflict: ...}}, consistency: {level: "prefix"}}
  const auto policy = [&](std::string_view mixing, std::string_view conflict) {
    std::string body = fmt::format("\x12{}{}\x1a{}{}", static_cast<char>(mixing.size()), mixing,
                                   static_cast<char>(conflict.size()), conflict);
    body = "\x12" + std::string(1, static_cast<char>(body.size())) + body;
    return reason("\x52" + std::string(1, static_cast<char>(body.size())) + body +
                  "\x82\x01\x08\x0a\x06prefix");
  };
  CHECK(policy("allow", "last-writer").empty());
  CHECK(policy("", "last-writer") == "policy.mixing: '' is no mixing; use one of allow, deny");
  CHECK(policy("deny", "x") ==
        "policy.conflict: 'x' is no conflict strategy; use one of last-writer, first-writer, "
        "siblings, merge-json");
}

TEST_CASE("forwarded replies that no node sends are refused with the field's name") {
  const auto reason = [](auto spoil) {
    Answer answer;
    answer.stamp = Stamp{Hlc{5}, NodeId{1}};
    answer.found = true;
    answer.value = "v";
    REQUIRE(reply_refusal(encode_reply(answer)).empty());
    spoil(answer);
    const std::string message = reply_refusal(encode_reply(answer));
    const std::string_view begin = "a forwarded answer is corrupt: ";
    if (message.empty()) return message;
    REQUIRE(message.starts_with(begin));
    return message.substr(begin.size());
  };
  const Stamp stamp{Hlc{5}, NodeId{1}};
  CHECK(reason([](Answer& a) { a.stamp = Stamp{Hlc{0}, NodeId{1}}; }) == "stamp: 0-1");
  CHECK(reason([](Answer& a) { a.stamp = Stamp{Hlc{5}, NodeId{0}}; }) == "stamp: 5-0");
  CHECK(reason([](Answer& a) { a.stamp = std::nullopt; }) == "found: without a stamp");
  CHECK(reason([](Answer& a) { a.found = false; }) == "value: 1 bytes of what was not found");
  CHECK(reason([](Answer& a) { a.content_type = std::string(257, 't'); }) ==
        "content_type: 257 bytes, 0 to 256 expected");
  CHECK(reason([](Answer& a) {
          a.evidence.replicas = {NodeId{2}, NodeId{1}};
        }) == "evidence.replicas: 1 behind 2");
  CHECK(reason([](Answer& a) { a.evidence.replicas = {NodeId{0}}; }) ==
        "evidence.replicas: 0 behind 0");
  CHECK(reason([](Answer& a) { a.refusal = indefinite(ErrorCode::timeout, "late"); }) ==
        "refusal: of unknown outcome");
  CHECK(reason([](Answer& a) { a.items = {Item{.key = "k"}}; }) == "items: 0-0");
  CHECK(reason([&](Answer& a) {
          a.items = {Item{.key = std::string(1'025, 'k'), .stamp = stamp}};
        }) == "items.key: 1025 bytes, 0 to 1024 expected");
  CHECK(reason([&](Answer& a) {
          a.items = {Item{.stamp = stamp, .content_type = std::string(257, 't')}};
        }) == "items: 257 bytes, 0 to 256 expected");
  CHECK(reason([&](Answer& a) { a.items.resize(1'001, Item{.key = "k", .stamp = stamp}); }) ==
        "items: 1001 keys, 0 to 1000 expected");
  CHECK(reason([](Answer& a) { a.missing = {""}; }) == "missing: 0 bytes, 1 to 1024 expected");
  CHECK(reason([](Answer& a) { a.missing.resize(1'001, "k"); }) ==
        "missing: 1001 keys, 0 to 1000 expected");
  CHECK(reason([](Answer& a) { a.next = std::string(1'026, 'k'); }) ==
        "next: 1026 bytes, 0 to 1025 expected");
  CHECK(reason([&](Answer& a) {
          a.versions = {PastValue{.stamp = stamp}, PastValue{.stamp = stamp}};
        }) == "versions: 5-1 behind 5-1");
  CHECK(reason([&](Answer& a) {
          a.versions = {PastValue{.stamp = stamp, .tombstone = true, .value = "v"}};
        }) == "versions: 1 bytes of a tombstone");
  CHECK(reason([](Answer& a) {
          a.policies = {{std::string(1'025, 'p'), Policy{}}};
        }) == "policies.prefix: 1025 bytes, 0 to 1024 expected");
  CHECK(reply_refusal("") == "a forwarded reply is corrupt: of no kind that is known here");
  CHECK(reply_refusal("\x12\x05\x0a\x03"
                      "odd") ==
        "a forwarded error is corrupt: code: of no kind that is known here");
}

TEST_CASE("forwarded requests and replies tell absent from empty") {
  for (const auto& context : {std::optional<VersionVector>{}, {VersionVector{}}}) {
    const Request request{.operation = Delete{"k"}, .context = context};
    CHECK(decode_request(encode_request(request))->context == context);
  }
  for (const auto& session : {std::optional<SessionToken>{}, {SessionToken{}}}) {
    const Request request{.operation = Get{"k"}, .session = session};
    CHECK(decode_request(encode_request(request))->session == session);
  }
  for (const auto& ttl : {std::optional<std::chrono::milliseconds>{}, {0ms}}) {
    const Request request{.operation = Put{.key = "k", .value = {}, .ttl = ttl}};
    CHECK(*decode_request(encode_request(request)) == request);
  }
  for (const auto& next : {std::optional<std::string>{}, {""}}) {
    CHECK((*decode_reply(encode_reply(Answer{.next = next})))->next == next);
  }
  for (const auto& number : {std::optional<std::int64_t>{}, {0}}) {
    CHECK((*decode_reply(encode_reply(Answer{.number = number})))->number == number);
  }
}

TEST_CASE("forwarded requests and replies of one key have no bytes for what they lack") {
  const Request get{.operation = Get{"k"}, .timeout = {}, .forward = false};
  CHECK(hex(encode_request(get).view()) ==
        "12030a016b8201"
        "0e0a0c6c696e656172697a61626c65");
  // consistency, and evidence whose path has a name
  CHECK(hex(encode_reply(Answer{}).view()) ==
        "0a190a0e0a0c6c696e656172697a61626c65"
        "3207"
        "22056c6f63616c");
}

TEST_CASE("forwarded fields that are not known here are skipped") {
  const std::string unknown = "\x80\x7d\x07";
  const Request request{.operation = Get{"key"}};
  const auto got = decode_request(Bytes{encode_request(request).to_string() + unknown});
  REQUIRE(got.has_value());
  CHECK(*got == request);
  const Reply reply = Answer{};
  const Result<Reply> got_reply = decode_reply(Bytes{encode_reply(reply).to_string() + unknown});
  REQUIRE(got_reply.has_value());
  CHECK((*got_reply == reply));
}

// When this fails the schema has changed: nodes of the last release must still understand it.
TEST_CASE("forwarded bytes stay what they are") {
  Request request{.operation = Put{.key = "k", .value = "v", .content_type = "t"}};
  request.consistency.level = Level::prefix;
  CHECK(hex(encode_request(request).view()) ==
        "0a090a016b1201761a0174"  // put
        "8201080a06707265666978"  // consistency
        "8801"
        "8827"
        "900101");  // timeout, forward
  CHECK(hex(encode_reply(Error{ErrorCode::timeout, Certainty::definite, "m", NodeId{2}}).view()) ==
        "12100a0774696d656f757410011a016d2002");
  request.consistency = {Level::quorum, 1, Consistency::kAll, true, true};
  CHECK(
      hex(encode_request(request).view()).find("8201140a0671756f72756d100118ffffffff0f20012801") !=
      std::string::npos);
  Error few{ErrorCode::not_enough_replicas, Certainty::indefinite, "m"};
  few.required = 2;
  few.received = 1;
  CHECK(hex(encode_reply(few).view()) ==
        "121c0a136e6f742d656e6f7567682d7265706c696361731a016d30023801");
}

TEST_CASE("forwarded fields of an older node mean what they meant") {
  // {get: {key: "k"}, consistency: {level: "quorum"}}
  const auto request =
      decode_request(Bytes{std::string("\x12\x03\x0a\x01k\x82\x01\x08\x0a\x06quorum")});
  REQUIRE(request.has_value());
  CHECK(request->consistency == Consistency{.level = Level::quorum});
  const auto reply = decode_reply(Bytes{std::string("\x12\x0d\x0a\x09no-leader\x10\x01")});
  REQUIRE(reply.has_value());
  REQUIRE(reply->has_error());
  CHECK(reply->error() == definite(ErrorCode::no_leader, ""));
}

}  // namespace parallax::test
