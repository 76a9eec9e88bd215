// The parallaxd processes of a run, or the nodes that --endpoints names.
//
// Nodes are numbered from 1. Their processes are started by the thread that calls, which must live
// as long as they (child_process.h). Every wait has a bound. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/io/namespaces.h"
#include "harness/io/system.h"
#include "harness/run_options.h"

namespace parallax::harness {

class Cluster final : public System {
 public:
  /// Starts as many nodes as `options` says, with their data below `directory`; `program` is the
  /// path of parallaxd, and `more` what every node gets beside its usual arguments. Or takes those
  /// that run already, which identify() must tell apart once all are ready. In a network of its own
  /// if it is asked for: then this thread is in there until the cluster ends (io/namespaces.h).
  /// Errors: io; bad_parameter, as check_namespaces().
  static Result<Cluster> open(const RunOptions& options, const std::string& program,
                              const std::string& directory,
                              const std::vector<std::string>& more = {});

  /// Learns which endpoint is which node. Until then the nodes are in the endpoints' order. Errors:
  /// io; bad_parameter, when what listens there is not one whole cluster (harness/members.h).
  Result<void> identify() override;

  Result<void> start(std::uint32_t node, bool recover = false) override;
  bool ready(std::uint32_t node) override;
  std::string why_not_ready(std::uint32_t node) override;
  /// False when not all are ready by then.
  bool await_ready(std::chrono::seconds limit);
  std::uint32_t leader() override;
  Result<void> set_faults(std::uint32_t node, const std::vector<ActiveFault>& active) override;
  bool transfer_leadership(std::uint32_t from, std::uint32_t to) override;
  PeerTimes peer_times() override;
  Result<std::unique_ptr<Store>> open_store(const RunOptions& options) override;

 private:
  Result<void> start_all(const RunOptions& options);

  std::unique_ptr<Namespaces> network_;  ///< none: that of the machine
  std::string program_;
  std::vector<std::string> more_arguments_;
};

}  // namespace parallax::harness
