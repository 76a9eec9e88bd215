#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace parallax {
namespace {
AssertionHandler g_handler = nullptr;
}

void set_assertion_handler(AssertionHandler handler) {
  g_handler = handler;
}

void assertion_failed(std::string_view condition, std::string_view file, int line,
                      const std::string& detail) {
  const std::string text =
      fmt::format("assertion failed: {} ({}:{}): {}", condition, file, line, detail);
  if (g_handler != nullptr) g_handler(text);
  std::fprintf(stderr, "%s\n", text.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace parallax
