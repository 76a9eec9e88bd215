// Steps carried out on Redis, one attempt for each.
//
// A client asks the node that its step names who the primary is, as that node sees it, with every
// request: on the wrong side of a partition that is another one than elsewhere. An error that Redis
// answers with is definite, as it refuses commands before it carries them out.
//
// Sources: redis.io, "Replication", "ROLE", "EVAL".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/io/resp.h"
#include "harness/io/store.h"

namespace parallax::harness {

/// What a node says of itself.
struct RedisRole {
  bool primary = false;
  std::uint16_t follows = 0;  ///< the port of the one it follows, if it does
  bool connected = false;     ///< to that one
};
/// Of an answer to ROLE; nothing when it is none.
std::optional<RedisRole> parse_role(const RespReply& reply);

class RedisStore final : public Store {
 public:
  /// `endpoints`: where clients ask, `links`: the ports where nodes ask each other; by node - 1.
  RedisStore(std::vector<std::string> endpoints, std::vector<std::uint16_t> links)
      : endpoints_(std::move(endpoints)), links_(std::move(links)) {}

  std::unique_ptr<StoreSession> session(const RunOptions& options) override;
  Result<std::string> digest(std::uint32_t node, const std::string& prefix) override;

 private:
  std::vector<std::string> endpoints_;
  std::vector<std::uint16_t> links_;
};

}  // namespace parallax::harness
