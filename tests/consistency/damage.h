// Every way to damage a token a little, shared by the tests of both kinds of token.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/base64.h"

namespace parallax::test {

/// All texts that differ from `token` in one bit of a letter.
inline std::vector<std::string> letter_flips(const std::string& token) {
  std::vector<std::string> all;
  for (std::size_t bit = 0; bit < 8 * token.size(); ++bit) {
    all.push_back(token);
    all.back()[bit / 8] ^= static_cast<char>(1 << bit % 8);
  }
  return all;
}

/// All tokens whose bytes differ in one bit.
inline std::vector<std::string> byte_flips(const std::string& token) {
  std::vector<std::string> all;
  const std::string bytes = *decode_base64url(token);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    all.push_back(base64url(flipped));
  }
  return all;
}

/// All shorter beginnings of `token` and of its bytes.
inline std::vector<std::string> truncations(const std::string& token) {
  std::vector<std::string> all;
  for (std::size_t size = 0; size < token.size(); ++size) all.push_back(token.substr(0, size));
  const std::string bytes = *decode_base64url(token);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    all.push_back(base64url(std::string_view(bytes).substr(0, size)));
  }
  return all;
}

}  // namespace parallax::test
