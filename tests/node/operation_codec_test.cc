#include "node/operation_codec.h"

#include <catch2/catch.hpp>

#include "base/limits.h"
#include "base/random.h"

namespace parallax::test {
namespace {

std::string random_text(Random& random, std::size_t at_least, std::size_t at_most) {
  std::string text(random.between(at_least, at_most), '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  return text;
}

Request random_request(Random& random) {
  Request request;
  std::string key = random_text(random, 1, random.below(2) == 0 ? 20 : limits::kMaxKeyBytes);
  switch (random.below(3)) {
    case 0:
      request.operation = Put{.key = std::move(key),
                              .value = random_text(random, 0, 300),
                              .content_type = random_text(random, 0, 30)};
      break;
    case 1:
      request.operation = Get{std::move(key)};
      break;
    default:
      request.operation = Delete{std::move(key)};
      break;
  }
  request.consistency.level = kLevels[random.below(kLevels.size())].level;
  request.timeout = std::chrono::milliseconds{random.below(60'001)};
  request.forward = random.below(2) == 0;
  return request;
}

Answer random_answer(Random& random) {
  Answer answer;
  answer.consistency.level = kLevels[random.below(kLevels.size())].level;
  if (random.below(3) > 0) {
    answer.stamp = Stamp{Hlc{random.next() | 1},
                         NodeId{static_cast<std::uint32_t>(random.between(1, 0xffffffffu))}};
    answer.found = random.below(2) == 0;
  }
  if (answer.found) {
    answer.value = random_text(random, 0, 300);
    answer.content_type = random_text(random, 0, 30);
  }
  Evidence& evidence = answer.evidence;
  evidence.node = NodeId{static_cast<std::uint32_t>(random.next())};
  evidence.term = Term{random.next()};
  evidence.index = LogIndex{random.next()};
  evidence.path = static_cast<Path>(random.below(3));
  for (std::uint32_t node = 1; node <= 5; ++node) {
    if (random.below(2) == 0) evidence.replicas.push_back(NodeId{node});
  }
  evidence.sequenced = random.below(2) == 0;
  evidence.degraded = random.below(2) == 0;
  return answer;
}

Error random_error(Random& random) {
  Error error;
  error.code = static_cast<ErrorCode>(random.below(static_cast<int>(ErrorCode::refused) + 1));
  error.certainty = random.below(2) == 0 ? Certainty::definite : Certainty::indefinite;
  error.message = random_text(random, 0, 60);
  error.leader = NodeId{static_cast<std::uint32_t>(random.below(4))};
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
  const Request good{.operation = Get{"key"}};
  CHECK(refusal(good).empty());
  Request bad = good;
  bad.operation = Get{""};
  CHECK(refusal(bad) == "a forwarded request is corrupt: key: 0 bytes, 1 to 1024 expected");
  bad.operation = Delete{std::string(1'025, 'k')};
  CHECK(refusal(bad) == "a forwarded request is corrupt: key: 1025 bytes, 1 to 1024 expected");
  bad.operation = Put{.key = "k", .value = {}, .content_type = std::string(257, 't')};
  CHECK(refusal(bad) ==
        "a forwarded request is corrupt: put.content_type: 257 bytes, at most 256 expected");
  bad = good;
  bad.timeout = std::chrono::milliseconds{-1};
  CHECK(refusal(bad) == "a forwarded request is corrupt: timeout_ms: -1, 0 to 60000 expected");
  bad.timeout = std::chrono::milliseconds{60'001};
  CHECK(refusal(bad) == "a forwarded request is corrupt: timeout_ms: 60001, 0 to 60000 expected");

  const auto of_no_kind = decode_request("");
  REQUIRE(of_no_kind.has_error());
  CHECK(of_no_kind.error().message ==
        "a forwarded request is corrupt: operation: of no kind that is known here");
  // {get: {key: "k"}, consistency: {level: "psychic"}}
  const auto level = decode_request("\x12\x03\x0a\x01k\x82\x01\x09\x0a\x07psychic");
  REQUIRE(level.has_error());
  CHECK(level.error().code == ErrorCode::corrupt);
  CHECK(level.error().message.find("level: 'psychic' is no consistency level") !=
        std::string::npos);
}

TEST_CASE("forwarded replies that no node sends are refused with the field's name") {
  const auto reason = [](auto spoil) {
    Answer answer;
    answer.stamp = Stamp{Hlc{5}, NodeId{1}};
    answer.found = true;
    answer.value = "v";
    REQUIRE(reply_refusal(encode_reply(answer)).empty());
    spoil(answer);
    return reply_refusal(encode_reply(answer));
  };
  CHECK(reason([](Answer& a) {
          a.stamp = Stamp{Hlc{0}, NodeId{1}};
        }) == "a forwarded answer is corrupt: stamp: 0-1");
  CHECK(reason([](Answer& a) {
          a.stamp = Stamp{Hlc{5}, NodeId{0}};
        }) == "a forwarded answer is corrupt: stamp: 5-0");
  CHECK(reason([](Answer& a) { a.stamp = std::nullopt; }) ==
        "a forwarded answer is corrupt: found: without a stamp");
  CHECK(reason([](Answer& a) { a.found = false; }) ==
        "a forwarded answer is corrupt: value: 1 bytes of what was not found");
  CHECK(reason([](Answer& a) {
          a.evidence.replicas = {NodeId{2}, NodeId{1}};
        }) == "a forwarded answer is corrupt: evidence.replicas: 1 behind 2");
  CHECK(reason([](Answer& a) { a.evidence.replicas = {NodeId{0}}; }) ==
        "a forwarded answer is corrupt: evidence.replicas: 0 behind 0");
  CHECK(reply_refusal("") == "a forwarded reply is corrupt: of no kind that is known here");
  CHECK(reply_refusal("\x12\x05\x0a\x03"
                      "odd") ==
        "a forwarded error is corrupt: code: of no kind that is known here");
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
}

}  // namespace parallax::test
