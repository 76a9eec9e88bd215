// Files that a run leaves behind, and what its programs have said in theirs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"

namespace parallax::harness {

/// If it is not there. Errors: io.
inline Result<void> make_directory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!error) return {};
  return definite(ErrorCode::io,
                  fmt::format("{}: cannot be made ({})", directory, error.message()));
}

/// The content; empty when it cannot be read.
inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// At most `most` bytes of its end.
inline std::string end_of(const std::string& text, std::size_t most) {
  return text.substr(text.size() - std::min(text.size(), most));
}

/// `write` is given the file's stream. Errors: io.
template <class Write>
Result<void> write_file(const std::filesystem::path& path, const Write& write) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  write(out);
  out.close();
  if (!out) return definite(ErrorCode::io, fmt::format("{}: cannot be written", path.string()));
  return {};
}

inline Result<void> write_text(const std::filesystem::path& path, std::string_view text) {
  return write_file(path, [&](std::ofstream& out) { out << text; });
}

}  // namespace parallax::harness
