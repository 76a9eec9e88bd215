#include "node/json_text.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "base/base64.h"
#include "base/random.h"

namespace parallax {

TEST_CASE("json text: what UTF-8 is") {
  for (const std::string_view text :
       {"", "plain", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa4z"}) {
    CHECK(is_utf8(text));
  }
  for (const std::string_view text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2z", "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xe1\x80", "\xe1\x80z", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xf1\x80\x80", "\xf1\x80\x80z", "\xff", "ok\xfe"}) {
    CHECK_FALSE(is_utf8(text));
  }
}

TEST_CASE("json text: agrees with the JSON library on random bytes") {
  Random random(8);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random.below(6), '\0');
    for (char& c : bytes) {
      // Mostly what makes the borders between forms.
      constexpr std::string_view kBorders =
          "\x7f\x80\x8f\x90\x9f\xa0\xbf\xc2\xe0\xed\xf0\xf4\"\\\n";
      c = random.chance(0.8) ? kBorders[random.below(kBorders.size())]
                             : static_cast<char>(random.below(256));
    }
    std::string text;
    append_json_string(bytes, text);
    boost::json::error_code error;
    const auto value = boost::json::parse(text, error);
    REQUIRE(is_utf8(bytes) == !error);
    if (!error) REQUIRE(value.as_string() == bytes);

    std::string member = "{";
    append_text_or_base64("x", bytes, member);
    const auto object = boost::json::parse(member + "}").as_object();
    if (error) {
      REQUIRE(object.at("x_base64").as_string() == base64(bytes));
    } else {
      REQUIRE(object.at("x").as_string() == bytes);
    }
  }
}

}  // namespace parallax
