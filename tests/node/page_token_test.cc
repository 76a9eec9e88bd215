#include "node/page_token.h"

#include <catch2/catch.hpp>

#include "base/base64.h"
#include "base/checksum.h"
#include "base/random.h"
#include "node/http_api.h"

namespace parallax {
namespace {

std::string random_key(Random& random, std::size_t most) {
  std::string key(random.below(most + 1), '\0');
  for (char& c : key) c = static_cast<char>(random.below(256));
  return key;
}

std::string refusal(std::string_view text) {
  const auto token = decode_page_token(text);
  REQUIRE(!token);
  CHECK(token.error().code == ErrorCode::bad_parameter);
  CHECK(token.error().message.starts_with("next is no page token of this API: "));
  return token.error().message;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// A token that somebody made himself, checksum and all.
std::string forged(const std::string& body) {
  const std::uint32_t checksum = crc32(body);
  std::string bytes(1, '\1');
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(checksum >> shift & 0xff);
  return base64url(bytes + body);
}

}  // namespace

TEST_CASE("page token: there and back") {
  Random random(5);
  for (int round = 0; round < 2'000; ++round) {
    const std::size_t most = random.chance(0.1) ? limits::kMaxKeyBytes : 20;
    PageToken token;
    token.range.start = random_key(random, most);
    token.range.end =
        random.chance(0.3) ? std::string() : token.range.start + random_key(random, 9);
    token.range.limit = static_cast<std::uint32_t>(random.between(1, limits::kMaxScanLimit));
    token.range.reverse = random.chance(0.5);
    token.range.keys_only = random.chance(0.5);
    token.place = token.range.start + (token.range.end.empty() ? "x" : "");
    if (token.place.empty() || token.range.end.size() > limits::kMaxKeyBytes + 1 ||
        token.place.size() > limits::kMaxKeyBytes + 1) {
      continue;
    }
    const std::string text = encode_page_token(token);
    const auto back = decode_page_token(text);
    REQUIRE(back.has_value());
    CHECK(*back == token);
  }
}

TEST_CASE("page token: the largest fits its bound and a target") {
  const std::string key(limits::kMaxKeyBytes + 1, '\xff');
  const PageToken token{{.start = key, .end = key, .reverse = true}, key};
  const std::string text = encode_page_token(token);
  CHECK(text.size() <= static_cast<std::size_t>(kMaxPageTokenBytes));
  CHECK(text.size() + std::string_view("/v1/kv?next=").size() < limits::kMaxTargetBytes);
  CHECK(*decode_page_token(text) == token);
}

TEST_CASE("page token: what is left of a range") {
  const Scan range{.start = "a", .end = "z"};
  CHECK(PageToken{range, "m"}.rest() == Scan{.start = "m", .end = "z"});
  Scan reverse = range;
  reverse.reverse = true;
  CHECK(PageToken{reverse, "m"}.rest() == Scan{.start = "a", .end = "m", .reverse = true});
}

TEST_CASE("page token: no damage gets past") {
  const std::string text =
      encode_page_token({{.start = "start", .end = "stop", .limit = 10}, "stack"});
  for (std::size_t i = 0; i < text.size(); ++i) {
    refusal(text.substr(0, i));
    for (const char c : std::string_view("A9-_=+ \xff")) {
      std::string changed = text;
      changed[i] = c;
      if (changed != text) refusal(changed);
    }
  }
  refusal(text + "A");
  CHECK(contains(refusal(text + "AAAA"), "truncated or altered"));
  CHECK(contains(refusal(""), "truncated"));
  CHECK(contains(refusal("AQ"), "truncated"));
  CHECK(contains(refusal("AgAAAAAAAAAAAAAAAAAA"), "altered, or of a newer format"));
  CHECK(contains(refusal(std::string(5'000, 'A')), "too long"));
}

TEST_CASE("page token: a checksum of one's own does not get further than parameters") {
  const std::string empty(2, '\0');
  const std::string limit("\0\5", 2);
  const std::string flags(1, '\0');
  CHECK(decode_page_token(forged(flags + limit + empty + empty + "place")).has_value());
  const std::string cases[] = {
      std::string(1, '\4') + limit + empty + empty + "place",     // an unknown flag
      flags + std::string("\0\0", 2) + empty + empty + "place",   // no limit
      flags + std::string("\4\0", 2) + empty + empty + "place",   // a limit of 1024
      flags + limit + empty + empty,                              // no place
      flags + limit + std::string("\0\5z", 3) + "zzzz",           // no end
      flags + limit + std::string("\1\0z", 3) + empty + "place",  // a start longer than the rest
      flags + limit + std::string("\0\1z", 3) + empty + "place",  // a place before the start
      flags + limit + empty + std::string("\0\1a", 3) + "place",  // behind the end
      flags + limit + empty + empty + std::string(1'026, 'p'),    // longer than a key
  };
  for (const std::string& body : cases) CHECK(contains(refusal(forged(body)), "altered"));
}

}  // namespace parallax
