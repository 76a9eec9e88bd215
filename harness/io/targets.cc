#include "harness/io/targets.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "harness/io/child_process.h"
#include "harness/io/etcd_cluster.h"
#include "harness/io/exec_target.h"
#include "harness/io/redis_cluster.h"
#include "harness/target.h"

namespace parallax::harness {

Result<std::string> find_program(const std::string& target) {
  PARALLAX_ASSIGN(const TargetInfo* info, find_target(target));
  if (info->program.empty()) return std::string();
  std::string program = program_in_path(info->program);
  if (!program.empty()) return program;
  return definite(ErrorCode::bad_parameter,
                  fmt::format("--target {}: there is no {} in PATH; scripts/setup --targets "
                              "installs it (Debian package {})",
                              target, info->program, info->package));
}

Result<std::unique_ptr<System>> open_target(const RunOptions& options,
                                            const std::string& directory) {
  PARALLAX_ASSIGN(const std::string program, find_program(options.target));
  if (exec_command(options.target)) return open_exec(options, directory);
  if (options.target == "etcd") return EtcdCluster::open(options, program, directory);
  PARALLAX_ASSERT(options.target == "redis", "nobody starts {}", options.target);
  return RedisCluster::open(options, program, directory);
}

}  // namespace parallax::harness
