#include "client/protocol.h"

#include "base/assert.h"

namespace parallax {

const std::string& operation_key(const Operation& operation) {
  return std::visit([](const auto& o) -> const std::string& { return o.key; }, operation);
}

std::string_view path_name(Path path) {
  switch (path) {
    case Path::read_index:
      return "read-index";
    case Path::log:
      return "log";
    case Path::local:
      return "local";
  }
  PARALLAX_UNREACHABLE("path {}", static_cast<int>(path));
}

std::optional<Path> find_path(std::string_view name) {
  for (const Path path : {Path::read_index, Path::log, Path::local}) {
    if (path_name(path) == name) return path;
  }
  return std::nullopt;
}

}  // namespace parallax
