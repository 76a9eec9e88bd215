// The connections between the nodes of a system that knows nothing of faults: each goes through
// here, where its bytes can be held up.
//
// Every node is asked by the others at a port of ours, behind which it listens itself. Who has
// opened a connection is told by whose process has the socket (Linux: /proc/net/tcp, /proc/PID/fd);
// those of others pass without faults. What is cut is held, not dropped, with the end of a
// connection too: that is what TCP makes of a network that loses everything. It goes on when the
// link is healed, if nobody has given up by then. A message is late by what its sender is told.
//
// One thread of its own; all calls from one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/error.h"
#include "harness/fault_plan.h"

namespace parallax::harness {

class Links {
 public:
  /// `nodes`: the ports of this machine where they listen, by node - 1; `first`: the first of as
  /// many ports for the links. Errors: io.
  static Result<std::unique_ptr<Links>> open(const std::vector<std::uint16_t>& nodes,
                                             std::uint16_t first);
  ~Links();
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  /// Where the others ask `node`.
  std::uint16_t port(std::uint32_t node) const;
  /// Connections that `process` opens from now on are `node`'s.
  void set_process(std::uint32_t node, pid_t process);
  /// What is the matter with what `node` hears and says, in place of what was.
  void set_faults(std::uint32_t node, const std::vector<ActiveFault>& active);
  /// Whether both hear each other.
  bool connected(std::uint32_t a, std::uint32_t b) const;

 private:
  class Pump;
  class Relay;
  struct State;
  Links();

  std::unique_ptr<State> state_;
};

}  // namespace parallax::harness
