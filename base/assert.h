// Assertions that stay on in every build. A broken invariant ends the process: a replica that
// went wrong must not go on to tell others about it.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace parallax {

/// Prints one line to stderr and aborts. Tests may set a handler that throws instead.
[[noreturn]] void assertion_failed(std::string_view condition, std::string_view file, int line,
                                   const std::string& detail);

/// Called with the full line before the abort; null (the default) does nothing. A handler that
/// throws keeps the process alive: only tests and the simulator do that. Not thread-safe.
using AssertionHandler = void (*)(const std::string& line);
void set_assertion_handler(AssertionHandler handler);

}  // namespace parallax

/// `PARALLAX_ASSERT(condition, "format", operands...)`: what must hold, and what it was.
#define PARALLAX_ASSERT(condition, ...)                                                         \
  do {                                                                                          \
    if (!(condition)) [[unlikely]] {                                                            \
      ::parallax::assertion_failed(#condition, __FILE__, __LINE__, ::fmt::format(__VA_ARGS__)); \
    }                                                                                           \
  } while (false)

#define PARALLAX_UNREACHABLE(...) \
  ::parallax::assertion_failed("unreachable", __FILE__, __LINE__, ::fmt::format(__VA_ARGS__))
