// The sources of the project as values: what the structure rules are checked on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace parallax::structure {

struct SourceFile {
  std::string path;  ///< from the root, "storage/store.h"
  std::string text;
};

/// Every .h, .cc and .proto file below `root`, sorted by path, without build/ and hidden folders.
std::vector<SourceFile> read_sources(const std::string& root);
std::string read_file(const std::string& path);

/// `text` with comments and the insides of string and character literals replaced by blanks. Line
/// breaks stay where they are.
std::string code_only(std::string_view text);

struct Include {
  std::size_t line;  ///< from 1
  std::string target;
  bool quoted;  ///< "x", not <x>
};
std::vector<Include> includes_of(const SourceFile& file);

std::vector<std::string> lines_of(std::string_view text);

}  // namespace parallax::structure
