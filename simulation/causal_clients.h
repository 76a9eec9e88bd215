// Sessions at the levels `causal` and `session`: each goes from node to node with its token, and
// what it sees is judged by the checkers, from values alone, when the run is over.
//
//   - at `causal` the history is causally convergent (CCv; consistency/checker/causal.h);
//   - at `session` each guarantee holds that was asked for. Monotonic writes and writes that follow
//     reads are told by others, who have to read monotonically: without that nobody can tell.
//
// Others read the same keys at linearizable: so the log brings operations, ahead of what they
// depend on and of what is durable.
//
// A session that does not know what became of a write ends, and another one begins.
//
// A disk that is lost takes with it what it alone had acknowledged (replication/causal/causal.h):
// such writes, told by their numbers, and whatever was read of them are left out of what is judged,
// and so are reads of writes whose outcome and number are not known. A write that is gone although
// its node has kept its disk since breaks the run.
//
// Not thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "consistency/session_guarantees.h"
#include "simulation/checks.h"
#include "simulation/permitted.h"
#include "simulation/recorder.h"
#include "simulation/world.h"
#include "storage/version.h"

namespace parallax::simulation {

struct CausalOptions {
  std::uint64_t seed = 1;
  std::size_t clients = 3;  ///< at each of the levels
  std::size_t keys = 2;     ///< of each
  Duration think{};         ///< mean pause between two operations of one session
  double adopted = 0.0;     ///< operations beside which somebody reads the key at linearizable
  /// Of all sessions at `session`; never empty.
  SessionGuarantees guarantees = kAllGuarantees;
};

class CausalClients {
 public:
  /// `checks` know who has lost a disk.
  CausalClients(World& world, const Checks& checks, Trace* trace, CausalOptions options);

  void start();
  /// No new operations; what is under way goes on.
  void stop() { stopped_ = true; }
  bool idle() const { return under_way_ == 0; }

  /// The first contradiction that a checker finds; empty: none.
  std::string judge() const;
  /// How this run shows what is permitted; nothing when it does not.
  std::optional<std::string> counterexample(Permitted permitted) const;

  std::vector<std::string> keys() const;
  std::uint64_t issued() const { return issued_; }
  std::uint64_t answered() const { return answered_; }

 private:
  struct Session {
    Level level;
    std::size_t number;  ///< in the history: another one whenever it begins anew
    NodeId home;         ///< all its requests go there; kNoNode: each to another node
    std::optional<SessionToken> token;
  };

  using Losses = std::map<NodeId, std::uint64_t>;
  /// A write that may have happened.
  struct Write {
    Level level;
    std::size_t record;
    Origin origin;  ///< node 0: its number is not known
    std::uint64_t number = 0;
    Losses losses;               ///< of disks, as it was issued
    std::optional<Stamp> stamp;  ///< of one that was acknowledged
    Actor actor;                 ///< likewise
  };

  Session begin(Level level);
  NodeId any_node();

  std::string key(Level level, std::size_t i) const;
  void next(std::size_t session);
  void issue(std::size_t session);
  void adopt(NodeId node, const std::string& key);
  Losses losses() const;
  void note_end(std::size_t session, std::size_t record, const Request& request, const Reply& reply,
                const Losses& losses);
  bool is_gone(const Write& write) const;
  std::optional<std::string> lost_with_disk(Level level) const;
  std::optional<std::string> without_guarantee(std::size_t of) const;
  checker::History surviving(Level level) const;
  void finish(std::size_t session, const Recorder::Call& call, const Request& request,
              const Reply& reply);
  Recorder& recorder(Level level) { return level == Level::causal ? causal_ : session_; }

  World& world_;
  const Checks& checks_;
  Trace* trace_;
  CausalOptions options_;
  Random random_;
  std::vector<Session> sessions_;
  Recorder causal_;
  Recorder session_;
  std::vector<Write> writes_;
  std::size_t next_number_;
  std::uint64_t issued_ = 0;
  std::uint64_t answered_ = 0;
  std::size_t under_way_ = 0;
  bool stopped_ = false;
};

}  // namespace parallax::simulation
