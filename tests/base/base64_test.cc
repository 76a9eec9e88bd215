#include "base/base64.h"

#include <catch2/catch.hpp>

#include "base/random.h"

namespace parallax {
namespace {

TEST_CASE("base64: the examples of RFC 4648 section 10, and the letters that differ") {
  struct Case {
    std::string_view bytes;
    const char* standard;
    const char* url;
  };
  const auto c = GENERATE(values<Case>({
      {"", "", ""},
      {"f", "Zg==", "Zg"},
      {"fo", "Zm8=", "Zm8"},
      {"foo", "Zm9v", "Zm9v"},
      {"foob", "Zm9vYg==", "Zm9vYg"},
      {"fooba", "Zm9vYmE=", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
      {std::string_view("\xff\x00\xfe", 3), "/wD+", "_wD-"},
      {std::string_view("\0", 1), "AA==", "AA"},
  }));
  CHECK(base64(c.bytes) == c.standard);
  CHECK(base64url(c.bytes) == c.url);
  CHECK(decode_base64(c.standard) == std::string(c.bytes));
  CHECK(decode_base64url(c.url) == std::string(c.bytes));
}

TEST_CASE("base64: everything comes back, and other letters never mean the same bytes") {
  Random random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random.below(40), '\0');
    for (char& c : bytes) c = static_cast<char>(random.next());
    const std::string standard = base64(bytes);
    std::string url = base64url(bytes);
    REQUIRE(decode_base64(standard) == bytes);
    REQUIRE(decode_base64url(url) == bytes);
    std::string in_place = "before" + bytes;
    base64url_in_place(in_place, 6);
    REQUIRE(in_place == "before" + url);
    if (url.empty()) continue;
    url[random.below(url.size())] ^= static_cast<char>(1 << random.below(8));
    REQUIRE(decode_base64url(url) != bytes);
  }
}

TEST_CASE("base64: whatever is not the one text of its bytes is refused") {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zm8", "Zm9vY", "Zg==Zg==", "Zm9=v", "=",
        "====", "Zg===", "Zm9v====", "Zh==", "Zm9=", "Zm 8", "Zm9v\n", "_wD-", "Zm8\x80"}) {
    CAPTURE(text);
    CHECK_FALSE(decode_base64(text).has_value());
  }
  for (const char* text : {"Z", "Zm9vY", "Zg==", "Zm8=", "Zh", "Zm9", "/wD+", "Zm 8", "Zm9v\n"}) {
    CAPTURE(text);
    CHECK_FALSE(decode_base64url(text).has_value());
  }
}

}  // namespace
}  // namespace parallax
