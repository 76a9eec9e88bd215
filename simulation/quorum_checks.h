// What must hold of the messages of the levels without a leader while a cluster runs: durable
// before said. A broken property is an assertion that names it.
//
//   - what goes to others of its sender's own versions is on the sender's disk;
//   - the answer to a query is on the disk of who answers, unless all that it shows is committed in
//     the log;
//   - a store is acknowledged when the state is on the disk of who acknowledges.
// Looked at when the message arrives: what is on a disk stays there, so that is late enough. A disk
// that was lost meanwhile shows nothing.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "simulation/world.h"

namespace parallax::simulation {

class QuorumChecks {
 public:
  void on_message(World& world, const Envelope& envelope);

 private:
  using CallOf = std::tuple<NodeId, NodeId, QuorumCall>;  ///< who asks whom, what
  struct Asked {
    std::string key;
    VersionVector context;
  };
  static void check_durable(World& world, const Envelope& said, const std::string& key,
                            const KeyState& state, const VersionVector& context,
                            std::string_view what);
  struct Earlier {
    bool operator()(const CallOf& a, const CallOf& b) const;
  };
  std::map<CallOf, Asked, Earlier> stores_;
  std::map<CallOf, std::string, Earlier> queries_;
};

}  // namespace parallax::simulation
