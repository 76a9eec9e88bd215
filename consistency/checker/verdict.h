// What a checker can say, and how far it may go to find out.
#pragma once

#include <cstdint>
#include <string_view>

namespace parallax::checker {

enum class Verdict : std::uint8_t {
  yes,
  no,
  undecided,  ///< a limit was reached first, or the history is beyond this checker: never a guess
};

constexpr std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::yes:
      return "yes";
    case Verdict::no:
      return "no";
    case Verdict::undecided:
      break;
  }
  return "undecided";
}

/// Limits of one search, which is of one key.
struct Limits {
  std::uint64_t max_steps = 200'000'000;  ///< some ten seconds
  std::uint64_t max_memory_bytes = std::uint64_t{1} << 30;
};

}  // namespace parallax::checker
