// The Redis processes of a run: a primary, its replicas, and the failover between them.
//
// Failover is what Redis Sentinel does with one sentinel beside each node: when a majority of the
// nodes has not reached the primary for a while, the replica with the most of its writes is made
// primary by those that reach it. Whoever follows somebody else is made its replica as soon as it
// is reached; who says that it is primary itself, only when it has said so for a while. Until then
// a former primary takes writes for all it knows.
//
// Sources: redis.io, "Replication", "High availability with Redis Sentinel".
//
// What it does not do: carry steps out (redis_store.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/io/links.h"
#include "harness/io/redis_store.h"
#include "harness/io/system.h"

namespace parallax::harness {

/// How much of the primary's stream of writes a replica has, of its answer to INFO; nothing of
/// another one's. ROLE tells it only while the primary is there.
std::optional<std::int64_t> replica_offset(const RespReply& info);

class RedisCluster final : public System {
 public:
  /// `program`: the path of redis-server. Errors: io.
  static Result<std::unique_ptr<System>> open(const RunOptions& options, const std::string& program,
                                              const std::string& directory);

  Result<void> start(std::uint32_t node, bool recover) override;
  bool ready(std::uint32_t node) override;
  std::uint32_t leader() override { return primary_; }
  Result<void> set_faults(std::uint32_t node, const std::vector<ActiveFault>& active) override;
  Result<void> look_after() override;
  Result<std::unique_ptr<Store>> open_store(const RunOptions& options) override;

 private:
  using Clock = std::chrono::steady_clock;

  /// Whether the one beside `from` reaches `to`.
  bool reaches(std::uint32_t from, std::uint32_t to);
  bool has_majority(std::uint32_t node);
  std::optional<RedisRole> role(std::uint32_t node);
  void fail_over();
  /// Makes whoever reaches the primary its replica.
  void follow_primary();

  std::string program_;
  std::unique_ptr<Links> links_;
  std::vector<RespConnection> connections_;  ///< by node - 1
  std::uint32_t primary_ = 1;
  /// By node - 1: whom it was told to follow last, which its configuration has; 0: nobody.
  std::vector<std::uint32_t> told_;
  std::optional<Clock::time_point> lost_;  ///< since when a majority has not reached the primary
  std::vector<std::optional<Clock::time_point>> other_primary_;  ///< by node - 1: seen since
  Clock::time_point looked_;
};

}  // namespace parallax::harness
