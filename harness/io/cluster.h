// The parallaxd processes of a run, or the nodes that --endpoints names.
//
// Nodes are numbered from 1. Their processes are started by the thread that calls, which must live
// as long as they (child_process.h). Every wait has a bound. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/io/child_process.h"
#include "harness/prediction.h"
#include "harness/run_options.h"

namespace parallax::harness {

class Cluster {
 public:
  /// Starts as many nodes as `options` says, with their data below `directory`; `program` is the
  /// path of parallaxd, and `more` what every node gets beside its usual arguments. Or takes those
  /// that run already, which identify() must tell apart once all are ready. Errors: io.
  static Result<Cluster> open(const RunOptions& options, const std::string& program,
                              const std::string& directory,
                              const std::vector<std::string>& more = {});

  /// Learns which endpoint is which node. Until then the nodes are in the endpoints' order. Errors:
  /// io; bad_parameter, when what listens there is not one whole cluster (harness/members.h).
  Result<void> identify();

  std::uint32_t size() const { return static_cast<std::uint32_t>(nodes_.size()); }
  const std::string& endpoint(std::uint32_t node) const { return at(node).endpoint; }
  std::string data_dir(std::uint32_t node) const;
  /// The end of what the node has logged.
  std::string last_words(std::uint32_t node) const;

  bool running(std::uint32_t node);
  bool paused(std::uint32_t node) const { return at(node).paused; }
  int code(std::uint32_t node) const { return at(node).process.code(); }
  /// Whether it can be asked anything now.
  bool awake(std::uint32_t node) { return running(node) && !paused(node); }

  Result<void> start(std::uint32_t node, bool recover = false);
  void kill(std::uint32_t node);
  void pause(std::uint32_t node);
  void resume(std::uint32_t node);

  bool ready(std::uint32_t node);
  /// Why it is not ready, as far as it says: its status, and the end of its log.
  std::string why_not_ready(std::uint32_t node);
  /// False when not all are ready by then.
  bool await_ready(std::chrono::seconds limit);
  /// Who leads, as far as those that can be asked know; 0: nobody.
  std::uint32_t leader();
  /// An empty body ends all faults. Errors: io, definite when the node refused, indefinite when it
  /// said nothing, so that they may be there or not.
  Result<void> set_faults(std::uint32_t node, const std::string& body);
  /// What the nodes say, all together, of how long answers between them took; of one that cannot be
  /// asked: nothing.
  PeerTimes peer_times();
  bool transfer_leadership(std::uint32_t from, std::uint32_t to);

 private:
  struct Node {
    std::string endpoint;
    std::string peer;
    ChildProcess process;
    bool ours = true;
    bool paused = false;
  };
  const Node& at(std::uint32_t node) const { return nodes_.at(node - 1); }
  Node& at(std::uint32_t node) { return nodes_.at(node - 1); }

  std::string program_;
  std::string directory_;
  std::vector<std::string> more_arguments_;
  std::vector<Node> nodes_;
};

}  // namespace parallax::harness
