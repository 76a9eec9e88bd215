#include "replication/quorum/sizes.h"

namespace parallax {

Result<void> QuorumSizes::check() const {
  for (const auto& [name, size] : {std::pair{"r", r}, std::pair{"w", w}}) {
    if (size < 1 || size > n) {
      return definite(
          ErrorCode::bad_parameter,
          fmt::format("{}={}: 1 to {} expected, the number of replicas", name, size, n));
    }
  }
  return {};
}

}  // namespace parallax
