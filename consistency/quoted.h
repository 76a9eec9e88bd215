// What someone sent, as a refusal shows it.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace parallax {

/// `text` in quotes, fit for one line: its beginning, with a '?' for what is not printable ASCII.
inline std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 40;
  std::string shown(text.substr(0, kShown));
  for (char& c : shown) {
    if (c < 0x20 || c >= 0x7f || c == '\'') c = '?';
  }
  return fmt::format("'{}{}'", shown, text.size() > kShown ? "..." : "");
}

}  // namespace parallax
