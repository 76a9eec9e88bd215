#include "consistency/key_context.h"

#include <limits>

#include <catch2/catch.hpp>

#include "base/base64.h"
#include "base/checksum.h"
#include "base/random.h"
#include "tests/consistency/damage.h"

namespace parallax::test {
namespace {

Actor actor(ActorPath path, std::uint32_t node, std::uint64_t incarnation) {
  return {path, NodeId{node}, Incarnation{incarnation}};
}

VersionVector random_context(Random& random) {
  std::vector<VersionVector::Entry> entries;
  for (std::uint64_t left = random.below(6); left > 0; --left) {
    const auto path = static_cast<ActorPath>(random.below(3));
    const auto node = static_cast<std::uint32_t>(random.next() >> random.between(32, 63));
    const std::uint64_t incarnation = random.next() >> random.below(64);
    entries.emplace_back(path == ActorPath::log ? kLogActor : actor(path, node, incarnation),
                         Hlc{random.next() >> random.below(64)});
  }
  return VersionVector(std::move(entries));
}

VersionVector sample() {
  VersionVector context;
  context.advance(kLogActor, Hlc{1'700'000'000'000u << 16});
  context.advance(actor(ActorPath::causal, 3, 200), Hlc{7});
  return context;
}

std::string refusal(std::string_view key, std::string_view text) {
  const auto context = decode_key_context(key, text);
  if (context) return "";
  CHECK(context.error().code == ErrorCode::bad_request);
  CHECK(context.error().definite());
  const std::string_view begin = "the key's context is ";
  const std::string_view end = "; send it as a reply gave it";
  const std::string& message = context.error().message;
  REQUIRE(message.starts_with(begin));
  REQUIRE(message.ends_with(end));
  return message.substr(begin.size(), message.size() - begin.size() - end.size());
}

/// A context of key "k" with these bytes and a checksum that is right.
std::string sealed(std::string bytes) {
  const std::uint32_t sum = crc32(bytes, crc32("k"));
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(sum >> shift);
  return base64url(bytes);
}

}  // namespace

TEST_CASE("key context: comes back as it was, in one encoding", "[random]") {
  Random random(1);
  for (int round = 0; round < 20'000; ++round) {
    INFO("round " << round);
    const VersionVector context = random_context(random);
    std::string key(random.between(1, 20), '\0');
    for (char& c : key) c = static_cast<char>(random.next());
    const std::string text = encode_key_context(key, context);
    const auto got = decode_key_context(key, text);
    REQUIRE(got.has_value());
    REQUIRE(*got == context);
    std::string appended = "before";
    append_key_context(key, context, appended);
    REQUIRE(appended == "before" + text);
  }
}

// When this fails the format has changed: it needs a new number.
TEST_CASE("key context: stays what it is") {
  CHECK(encode_key_context("k", sample()) ==
        sealed({"\x01\x02"                                           // format, entries
                "\x00\x00\x00\x00\x00\x00\x68\xe5\xcf\x8b\x01"       // log
                "\x02\x03\xc8\x01\x07\x00\x00\x00\x00\x00\x00\x00",  // causal/3.200
                25}));
}

TEST_CASE("key context: of another key it is refused") {
  const std::string text = encode_key_context("a", sample());
  CHECK(refusal("a", text).empty());
  CHECK(refusal("b", text) == "altered, or another key's: its checksum is wrong");
  CHECK_FALSE(refusal("", text).empty());
  CHECK_FALSE(refusal(std::string("a\0", 2), text).empty());
}

TEST_CASE("key context: every flipped bit and every truncation is refused", "[random]") {
  Random random(2);
  std::vector<VersionVector> contexts{VersionVector{}, sample()};
  for (int i = 0; i < 30; ++i) contexts.push_back(random_context(random));
  for (const VersionVector& context : contexts) {
    const std::string text = encode_key_context("key", context);
    CAPTURE(text);
    for (const auto& damaged : {letter_flips(text), byte_flips(text), truncations(text)}) {
      for (const std::string& other : damaged) {
        REQUIRE(decode_key_context("key", other).has_error());
      }
    }
    for (const std::string& shorter : truncations(text)) {
      REQUIRE(refusal("key", shorter).starts_with("truncated"));
    }
  }
}

TEST_CASE("key context: refusals name what is wrong") {
  const std::string reading = std::string("\x07\0\0\0\0\0\0\0", 8);
  const std::string log = std::string("\0\0\0", 3) + reading;
  const std::string quorum = "\1\1\1" + reading;
  const auto entries = [](int count, const std::string& bytes) {
    return refusal("k", sealed("\x01" + std::string(1, static_cast<char>(count)) + bytes));
  };
  CHECK(entries(2, log + quorum).empty());
  CHECK(entries(2, quorum + log) == "altered: its list of actors has one out of order");
  CHECK(entries(2, log + log) == "altered: its list of actors has one out of order");
  CHECK(entries(1, log + quorum) == "altered: 11 bytes too many");
  CHECK(entries(3, log + quorum) ==
        "truncated: it ends within its list of actors, which has 3 entries");
  CHECK(entries(1, "\3\1\1" + reading) ==
        "altered: its list of actors has one of no path that is known here");
  CHECK(entries(1, "\1\1\1" + std::string(8, '\0')) ==
        "altered: its list of actors has an empty one");
  CHECK(refusal("k", base64url("\x02 of a later release")) ==
        "of a newer format: 2, this node reads up to 1");
  CHECK(refusal("k", std::string(4'097, 'A')) == "too long: 4097 letters, at most 4096");
}

TEST_CASE("key context: its size for clusters of 3, 5 and 9 nodes") {
  struct Case {
    std::uint32_t nodes;
    std::size_t usual, most;
  };
  const auto c = GENERATE(values<Case>({{3, 111, 215}, {5, 170, 343}, {9, 287, 599}}));
  const auto letters = [&](std::uint32_t first, std::uint64_t incarnation) {
    VersionVector context = VersionVector({{kLogActor, sample().highest()}});
    for (std::uint32_t node = first; node < first + c.nodes; ++node) {
      // Two paths of each node have written to the key.
      context.advance(actor(ActorPath::quorum, node, incarnation), sample().highest());
      context.advance(actor(ActorPath::causal, node, incarnation), sample().highest());
    }
    const std::string text = encode_key_context("key", context);
    REQUIRE(decode_key_context("key", text).has_value());
    return text.size();
  };
  CHECK(letters(1, 3) == c.usual);
  CHECK(letters(0xffffff00, std::numeric_limits<std::uint64_t>::max()) == c.most);
  CHECK(2 * c.most < kMaxKeyContextBytes);
}

}  // namespace parallax::test
