#include "storage/data_directory.h"

#include <optional>

namespace parallax {

Result<NodeRecord> open_node(const ReadView& store, const ExpectedNode& expected) {
  PARALLAX_ASSIGN(const std::optional<NodeRecord> stored,
                  records::load<NodeRecord>(store, records::node_key()));
  if (!stored) {
    bool empty = true;
    PARALLAX_TRY(store.scan({}, [&](std::string_view, std::string_view) { return empty = false; }));
    if (!empty) {
      return definite(ErrorCode::corrupt,
                      fmt::format("the data directory holds records and no node record, expected "
                                  "that of node {}",
                                  expected.node));
    }
    NodeRecord fresh;
    fresh.node = expected.node;
    return fresh;
  }
  if (stored->format > kStoreFormat) {
    return definite(ErrorCode::refused,
                    fmt::format("the data directory has format {}, this program reads up to {}",
                                stored->format, kStoreFormat));
  }
  if (stored->node != expected.node) {
    return definite(ErrorCode::refused,
                    fmt::format("the data directory is of node {}, expected that of node {}",
                                stored->node, expected.node));
  }
  if (!expected.cluster.empty() && !stored->cluster.empty() &&
      stored->cluster != expected.cluster) {
    return definite(ErrorCode::refused,
                    fmt::format("the data directory is of cluster {}, expected that of cluster {}",
                                stored->cluster.to_string(), expected.cluster.to_string()));
  }
  return *stored;
}

}  // namespace parallax
