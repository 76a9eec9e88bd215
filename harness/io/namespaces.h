// A network of their own for the nodes of a run, whose links can be cut, lose packets and be slow.
//
// Every node is in a network namespace of its own (Linux: namespaces(7)), and all are plugged into
// one more, the hub, by two cables each: one to the other nodes, which all faults are about, and
// one to clients and the harness, which no fault touches. The thread that opens it, and threads and
// processes that it starts from then on, live in the hub until this ends.
//
// There is no way from there to the machine's network, which is neither used nor changed. The
// namespaces have no names: they are gone with the last process and the last descriptor in them,
// whatever has ended the harness.
//
// A cut link and lost packets are rules of the hub's bridge (nftables): neither end is told, as
// when a cable is pulled. Nothing arrives over a link that is cut, TCP's acknowledgements neither,
// so one that is cut one way soon falls silent the other way, too. A rate is a token bucket (tc's
// tbf) where the node sends; its queue holds kMostQueued and drops what is beyond.
//
// What it does not do: delay, double or reorder packets, which is not in every kernel; nodes do
// that to messages (POST /v1/faults).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "harness/fault_plan.h"

namespace parallax::harness {

/// Whether this process may make such a network. Errors: bad_parameter, naming what is missing and
/// what would be right.
Result<void> check_namespaces();

/// What nft is told of `node`: cuts of what it hears, loss of what it says, in place of what was.
std::string bridge_rules(std::uint32_t node, const std::vector<ActiveFault>& active);
/// What `node` may send, kbit/s; 0: as much as it can.
std::int64_t rate_of(std::uint32_t node, const std::vector<ActiveFault>& active);

class Namespaces {
 public:
  static constexpr std::chrono::milliseconds kMostQueued{300};

  /// For nodes 1 to `nodes`; `directory` is for what its tools say, and must be there. Errors: as
  /// check_namespaces(); io, with what a tool has said.
  static Result<std::unique_ptr<Namespaces>> open(std::uint32_t nodes,
                                                  const std::string& directory);
  /// On the thread that has opened it, which goes back where it was. What else is in there stays.
  ~Namespaces();
  Namespaces(const Namespaces&) = delete;
  Namespaces& operator=(const Namespaces&) = delete;

  /// "host:port": where clients reach the node, and where the others do.
  static std::string endpoint(std::uint32_t node);
  static std::string peer(std::uint32_t node);

  /// The thread is in the node's namespace as long as this lives: what it starts belongs there.
  class Visit {
   public:
    Visit(const Namespaces& network, std::uint32_t node);
    ~Visit();
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    const Namespaces& network_;
  };

  /// What is the matter with the node's cable to the others from now on, in place of what was; what
  /// is no matter of it plays no part. Errors: io, with what a tool has said.
  Result<void> set_faults(std::uint32_t node, const std::vector<ActiveFault>& active);

 private:
  /// An open namespace.
  class Handle {
   public:
    /// That of this thread. Errors: io.
    static Result<Handle> of_this_thread();
    Handle() = default;
    ~Handle();
    Handle(Handle&& other) noexcept;
    Handle& operator=(Handle&& other) noexcept;
    void enter() const;
    /// By which programs that this process starts know it.
    std::string path() const;

   private:
    int descriptor_ = -1;
  };
  struct Node {
    Handle place;
    std::string rules;
    std::int64_t rate = 0;
  };
  /// Moves this thread into a new one. Errors: io.
  static Result<Handle> make();

  Namespaces(Handle outside, std::string directory)
      : directory_(std::move(directory)), outside_(std::move(outside)) {}
  Result<void> plug_in(std::uint32_t node);
  Result<void> join_bridges();
  /// Until packets pass.
  Result<void> await_ports() const;
  Result<void> set_rate(std::uint32_t node, std::int64_t rate);
  /// Of what run() has run last.
  std::string output() const { return directory_ + "/network.log"; }
  /// Where this thread is. Errors: io.
  Result<void> run(const std::string& tool, std::vector<std::string> arguments) const;
  Result<void> run_ip(const std::string& lines) const;

  std::string directory_;
  Handle outside_;
  Handle hub_;
  std::vector<Node> nodes_;
};

}  // namespace parallax::harness
