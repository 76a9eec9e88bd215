#include "consistency/session_token.h"

#include <limits>

#include <catch2/catch.hpp>

#include "base/assert.h"
#include "base/base64.h"
#include "base/checksum.h"
#include "base/random.h"
#include "tests/consistency/damage.h"

namespace parallax::test {
namespace {

/// Small numbers as often as large ones: varints have every length.
std::uint64_t random_number(Random& random) {
  return random.next() >> random.below(64);
}

OriginVector random_vector(Random& random) {
  std::vector<OriginVector::Entry> entries;
  for (std::uint64_t left = random.below(6); left > 0; --left) {
    const auto node = static_cast<std::uint32_t>(random.between(1, 0xffffffff) >> random.below(31));
    entries.emplace_back(Origin{NodeId{node == 0 ? 1 : node}, Incarnation{random_number(random)}},
                         random_number(random));
  }
  return OriginVector(std::move(entries));
}

SessionToken random_token(Random& random) {
  SessionToken token;
  if (random.below(8) > 0) token.cluster = {random.next(), random.next()};
  token.clock = Hlc{random_number(random)};
  token.index = LogIndex{random_number(random)};
  token.read = random_vector(random);
  token.write = random_vector(random);
  return token;
}

Origin origin(std::uint32_t node, std::uint64_t incarnation) {
  return {NodeId{node}, Incarnation{incarnation}};
}

SessionToken sample() {
  SessionToken token{.cluster = {0x0123456789abcdef, 0xfedcba9876543210},
                     .clock = Hlc{1'700'000'000'000u << 16},
                     .index = LogIndex{300},
                     .read = {},
                     .write = {}};
  token.read.advance(origin(1, 2), 5);
  token.read.advance(origin(3, 1), 1'000);
  token.write.advance(origin(1, 2), 4);
  return token;
}

std::string refusal(std::string_view text) {
  const auto token = SessionToken::decode(text);
  if (token) return "";
  CHECK(token.error().code == ErrorCode::bad_session);
  CHECK(token.error().definite());
  const std::string_view begin = "the session token is ";
  const std::string_view end = "; send it as a reply gave it";
  const std::string& message = token.error().message;
  REQUIRE(message.starts_with(begin));
  REQUIRE(message.ends_with(end));
  return message.substr(begin.size(), message.size() - begin.size() - end.size());
}

/// A token of these bytes, with a checksum that is right.
std::string sealed(std::string bytes) {
  const std::uint32_t sum = crc32(bytes);
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(sum >> shift);
  return base64url(bytes);
}

/// As sealed(), with a good format, cluster, clock and index before `vectors`.
std::string with_vectors(std::string_view vectors) {
  return sealed("\x01" + std::string(24, 'c') + "\x07" + std::string(vectors));
}

}  // namespace

TEST_CASE("session token: comes back as it was, in one encoding", "[random]") {
  Random random(1);
  for (int round = 0; round < 20'000; ++round) {
    INFO("round " << round);
    const SessionToken token = random_token(random);
    const std::string text = token.encode();
    const auto got = SessionToken::decode(text);
    REQUIRE(got.has_value());
    REQUIRE(*got == token);
    REQUIRE(got->encode() == text);
    std::string appended = "before";
    token.append_to(appended);
    REQUIRE(appended == "before" + text);
  }
}

// When this fails the format has changed: it needs a new number.
TEST_CASE("session token: stays what it is") {
  std::string bytes = *decode_base64url(sample().encode());
  CHECK(bytes.size() == 1 + 16 + 8 + 2 + (1 + 3 + 4) + (1 + 3) + 4);
  bytes.resize(bytes.size() - 4);
  const std::string expected{
      "\x01"                              // format
      "\xef\xcd\xab\x89\x67\x45\x23\x01"  // cluster
      "\x10\x32\x54\x76\x98\xba\xdc\xfe"
      "\x00\x00\x00\x68\xe5\xcf\x8b\x01"  // clock
      "\xac\x02"                          // index
      "\x02\x01\x02\x05\x03\x01\xe8\x07"  // read
      "\x01\x01\x02\x04",                 // write
      39};
  CHECK(bytes == expected);
  CHECK(sample().encode() == sealed(expected));
}

TEST_CASE("session token: every flipped bit and every truncation is refused", "[random]") {
  Random random(2);
  std::vector<SessionToken> tokens{SessionToken{}, sample()};
  for (int i = 0; i < 30; ++i) tokens.push_back(random_token(random));
  for (const SessionToken& token : tokens) {
    const std::string text = token.encode();
    CAPTURE(text);
    for (const auto& damaged : {letter_flips(text), byte_flips(text), truncations(text)}) {
      for (const std::string& other : damaged) REQUIRE(SessionToken::decode(other).has_error());
    }
  }
}

TEST_CASE("session token: a truncation is called one") {
  for (const std::string& shorter : truncations(sample().encode())) {
    CHECK(refusal(shorter).starts_with("truncated"));
  }
}

TEST_CASE("session token: refusals name the part") {
  const std::string bytes = *decode_base64url(sample().encode());
  const auto cut = [&](std::size_t size) { return refusal(base64url(bytes.substr(0, size))); };
  CHECK(cut(0) == "truncated: nothing is there");
  CHECK(cut(4) == "truncated: 4 bytes");
  CHECK(cut(4 + 16) == "truncated: it ends within its cluster id");
  CHECK(cut(4 + 20) == "truncated: it ends within its clock");
  CHECK(cut(4 + 26) == "truncated: it ends within its log index");
  CHECK(cut(4 + 27) == "truncated: it ends within its read vector");
  CHECK(cut(4 + 31) == "truncated: it ends within its read vector, which has 2 entries");
  CHECK(cut(4 + 36) == "truncated: it ends within its write vector, which has 1 entries");
  CHECK(refusal("not base64url!") == "truncated or altered: it is not base64url");
  CHECK(refusal(std::string(4'097, 'A')) == "too long: 4097 letters, at most 4096");
  CHECK(refusal(sealed(std::string("\0", 1) + bytes.substr(1))) == "altered: format 0");
  std::string other = bytes;
  other.back() ^= 1;
  CHECK(refusal(base64url(other)) == "altered: its checksum is wrong");

  const auto vectors = [](std::string_view text) { return refusal(with_vectors(text)); };
  CHECK(vectors({"\0\0", 2}).empty());
  CHECK(vectors({"\1\1\1\1\0", 5}).empty());
  CHECK(vectors({"\0\0\0", 3}) == "altered: 1 bytes too many");
  CHECK(vectors({"\1\1\1\0\0", 5}) == "altered: its read vector has an empty entry");
  CHECK(vectors({"\1\0\1\1\0", 5}) == "altered: its read vector has origins out of order");
  CHECK(vectors({"\0\2\2\1\1\1\1\1", 8}) == "altered: its write vector has origins out of order");
  CHECK(vectors({"\0\2\1\1\1\1\1\1", 8}) == "altered: its write vector has origins out of order");
  const std::string odd = "altered: its read vector has a number that is never written";
  CHECK(vectors({"\1\1\x81\0\1\0", 6}) == odd);                 // two bytes for one
  CHECK(vectors({"\1\xff\xff\xff\xff\x1f\1\1\0", 9}) == odd);   // a node above 32 bits
  CHECK(vectors({"\1\xff\xff\xff\xff\x0f\1\1\0", 9}).empty());  // the highest
  const std::string nines(9, '\xff');
  CHECK(vectors("\1\1" + nines + std::string("\2\1\0", 3)) == odd);  // above 64 bits
  CHECK(vectors("\1\1" + nines + std::string("\1\1\0", 3)).empty());
  CHECK(vectors("\1\1" + nines + std::string("\x81\1\0", 3)) == odd);  // eleven bytes
}

TEST_CASE("session token: a newer format is called that, whatever its checksum") {
  CHECK(refusal(base64url("\x02whatever it will be")) ==
        "of a newer format: 2, this node reads up to 1");
  CHECK(refusal(base64url("\xff")) == "of a newer format: 255, this node reads up to 1");
}

TEST_CASE("session token: a count that the rest cannot hold takes no memory") {
  const std::string most = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1";
  CHECK(refusal(with_vectors(most)) ==
        "truncated: it ends within its read vector, which has 18446744073709551615 entries");
}

TEST_CASE("session token: its size for clusters of 3, 5 and 9 nodes") {
  struct Case {
    std::uint32_t nodes;
    std::size_t usual, most;
  };
  const auto c = GENERATE(values<Case>({{3, 86, 255}, {5, 112, 388}, {9, 166, 655}}));
  const auto letters = [&](std::uint32_t first, std::uint64_t incarnation, std::uint64_t number) {
    SessionToken token = sample();
    token.index = LogIndex{number};
    token.read = token.write = {};
    for (std::uint32_t node = first; node < first + c.nodes; ++node) {
      token.read.advance(origin(node, incarnation), number);
      token.write.advance(origin(node, incarnation), number);
    }
    const std::string text = token.encode();
    REQUIRE(SessionToken::decode(text).has_value());
    return text.size();
  };
  CHECK(letters(1, 3, 1'000'000) == c.usual);
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  CHECK(letters(0xffffff00, kMost, kMost) == c.most);
  CHECK(3 * c.most < kMaxSessionTokenBytes);
}

TEST_CASE("session token: join knows what either knew", "[random]") {
  Random random(3);
  for (int round = 0; round < 20'000; ++round) {
    INFO("round " << round);
    SessionToken a = random_token(random);
    SessionToken b = random_token(random);
    if (!a.cluster.empty() && !b.cluster.empty()) b.cluster = a.cluster;
    SessionToken ab = a;
    ab.join(b);
    REQUIRE(ab.cluster == (a.cluster.empty() ? b.cluster : a.cluster));
    REQUIRE(ab.clock == std::max(a.clock, b.clock));
    REQUIRE(ab.index == std::max(a.index, b.index));
    OriginVector read = a.read;
    read.join(b.read);
    REQUIRE(ab.read == read);
    OriginVector write = a.write;
    write.join(b.write);
    REQUIRE(ab.write == write);
  }
}

TEST_CASE("session token: sessions of two clusters are never put together") {
  set_assertion_handler([](const std::string& line) { throw std::runtime_error(line); });
  SessionToken a{.cluster = {1, 2}};
  const SessionToken b{.cluster = {1, 3}};
  CHECK_THROWS_WITH(a.join(b), Catch::Contains("a session of cluster 0000000000000001"));
  set_assertion_handler(nullptr);
}

TEST_CASE("session token: belongs to one cluster and names its members only") {
  const std::vector<NodeId> members{NodeId{1}, NodeId{2}, NodeId{3}};
  SessionToken token = sample();
  CHECK(token.check(token.cluster, members).has_value());
  const auto reason = [&](ClusterId cluster) {
    const auto result = token.check(cluster, members);
    REQUIRE(result.has_error());
    CHECK(result.error().code == ErrorCode::bad_session);
    return result.error().message;
  };
  CHECK(reason({1, 2}) ==
        "the session token is of cluster 0123456789abcdeffedcba9876543210, this is "
        "00000000000000010000000000000002; begin a session here without one");
  const std::string stranger =
      "the session token names node 4, which is no member of this cluster; begin a session "
      "without one";
  token.write.advance(origin(4, 1), 1);
  CHECK(reason(token.cluster) == stranger);
  token = sample();
  token.read.advance(origin(4, 1), 1);
  CHECK(reason(token.cluster) == stranger);
}

}  // namespace parallax::test
