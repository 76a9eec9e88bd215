// The system that a run is about: its nodes, mostly processes that were started here, and what can
// be done to them.
//
// Nodes are numbered from 1. Their processes are started by the thread that calls, which must live
// as long as they (child_process.h). Every wait has a bound. One thread at a time; the store that
// clients use is another object.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "harness/fault_plan.h"
#include "harness/io/child_process.h"
#include "harness/io/store.h"
#include "harness/prediction.h"
#include "harness/run_options.h"

namespace parallax::harness {

class System {
 public:
  virtual ~System() = default;

  std::uint32_t size() const { return static_cast<std::uint32_t>(nodes_.size()); }
  /// "host:port", where clients ask it.
  const std::string& endpoint(std::uint32_t node) const { return at(node).endpoint; }
  std::string data_dir(std::uint32_t node) const;
  /// The end of what the node has logged.
  std::string last_words(std::uint32_t node) const;

  bool running(std::uint32_t node);
  bool paused(std::uint32_t node) const { return at(node).paused; }
  int code(std::uint32_t node) const { return at(node).process.code(); }
  /// Whether it can be asked anything now.
  bool awake(std::uint32_t node) { return running(node) && !paused(node); }
  void kill(std::uint32_t node);
  void pause(std::uint32_t node);
  void resume(std::uint32_t node);

  /// `recover`: without what its disk has, which is damaged. Errors: io.
  virtual Result<void> start(std::uint32_t node, bool recover = false) = 0;
  virtual bool ready(std::uint32_t node) = 0;
  /// Why it is not ready, as far as it says.
  virtual std::string why_not_ready(std::uint32_t node);
  /// Called once all are ready. Errors: bad_parameter, when they are no system that can be run.
  virtual Result<void> identify() { return {}; }
  /// Who leads, as far as those that can be asked know; 0: nobody.
  virtual std::uint32_t leader() { return 0; }
  /// What is the matter with `node` from now on, in place of what was; what processes alone suffer
  /// is no matter here. Errors: io, definite when the node refused, indefinite when it said
  /// nothing, so that they may be there or not.
  virtual Result<void> set_faults(std::uint32_t node, const std::vector<ActiveFault>& active) = 0;
  /// What the nodes say, all together, of how long answers between them took; of one that cannot be
  /// asked: nothing.
  virtual PeerTimes peer_times() { return {}; }
  /// Whether it was asked for.
  virtual bool transfer_leadership(std::uint32_t /*from*/, std::uint32_t /*to*/) { return false; }
  /// What operators do: called about a hundred times a second. Errors: what makes the run
  /// worthless.
  virtual Result<void> look_after() { return {}; }

  /// What clients carry their steps out on. Errors: io, bad_parameter.
  virtual Result<std::unique_ptr<Store>> open_store(const RunOptions& options) = 0;

 protected:
  struct Node {
    std::string endpoint;
    std::string peer;  ///< where the others ask it
    ChildProcess process = {};
    bool ours = true;  ///< started here
    bool paused = false;
  };
  System() = default;
  System(System&&) = default;
  System& operator=(System&&) = default;
  const Node& at(std::uint32_t node) const { return nodes_.at(node - 1); }
  Node& at(std::uint32_t node) { return nodes_.at(node - 1); }
  /// Starts the node's process; errors: io.
  Result<void> launch(std::uint32_t node, const std::vector<std::string>& argv);
  std::vector<std::string> endpoints() const;

  std::string directory_;  ///< for the nodes' data and logs
  std::vector<Node> nodes_;
};

}  // namespace parallax::harness
