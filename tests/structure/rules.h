// The rules of docs/ARCHITECTURE.md that a compiler does not check, as pure functions over sources.
#pragma once

#include <string>
#include <vector>

#include "tests/structure/source_tree.h"

namespace parallax::structure {

struct Violation {
  std::string path;
  std::size_t line;     ///< from 1; 0: the whole file
  std::string problem;  ///< what is wrong and what would be right
  std::string to_string() const;
};
using Violations = std::vector<Violation>;

/// A folder includes only itself and the folders before it (folder_rules() in rules.cc is the one
/// list); includes are written from the root. Tests may include everything.
Violations check_layers(const std::vector<SourceFile>& files);

/// Libraries stay where they belong: Asio and Beast under io/ folders, LevelDB in one source,
/// generated Protocol Buffers types in the codec and record sources.
Violations check_libraries(const std::vector<SourceFile>& files);

/// Cores get time, chance and data as values: no clock, random device, thread, lock, socket or file
/// outside io/ folders, the LevelDB store, the command line and main.cc.
Violations check_purity(const std::vector<SourceFile>& files);

/// Every file fits in a head, every header has `#pragma once` and opens by saying what it is.
Violations check_shape(const std::vector<SourceFile>& files);

/// No two files define types of the same name in the same namespace.
Violations check_one_definition(const std::vector<SourceFile>& files);

Violations check_all(const std::vector<SourceFile>& files);

inline constexpr std::size_t kMaxFileLines = 600;
inline constexpr std::size_t kMaxTestLines = 800;  ///< tables of cases are long and simple

}  // namespace parallax::structure
