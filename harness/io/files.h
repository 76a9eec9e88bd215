// Files that a run leaves behind.
#pragma once

#include <filesystem>
#include <fstream>
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
