#include "node/io/logging.h"

#include <catch2/catch.hpp>

namespace parallax {
namespace {

TEST_CASE("logging: any text is one quoted value on one line") {
  CHECK(quote("plain words") == "\"plain words\"");
  CHECK(quote("a \"b\" \\") == "\"a \\\"b\\\" \\\\\"");
  CHECK(quote("two\nlines\r\x7f") == "\"two\\x0alines\\x0d\\x7f\"");
}

TEST_CASE("logging: a flood of one kind is cut off") {
  LogLimiter limiter;
  std::uint64_t suppressed = 99;
  int lines = 0;
  for (int i = 0; i < 1'000; ++i) lines += limiter.allow(suppressed) ? 1 : 0;
  CHECK(lines == 5);
  CHECK(suppressed == 0);
}

}  // namespace
}  // namespace parallax
