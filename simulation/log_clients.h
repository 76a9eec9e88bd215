// Clients of the leader's levels beside linearizable, and of its acknowledgement modes, on keys of
// their own:
//
//   sequential-i  sequential: sessions that go from node to node with their tokens
//   bounded-i     bounded by time, by entries of the log, or by both
//   prefix-i      prefix, each read at another node
//   acked-i       linearizable reads; writes acknowledged at leader, semi-sync, majority or all
//
// Judged when the run is over, by the checkers, from values and times (log_verdicts.h): sequential
// consistency, bounds, consistent prefixes, and that no answer is older than it says. Times are the
// simulator's, whatever the nodes' clocks say.
//
// While it runs: a bound that was asked for is kept, by the true commit index, too; what was
// acknowledged is on the disks that the mode names. At the end no acknowledged write is lost but
// those that its mode lets go: at leader, at a semi-sync that gave way and said so, and at a
// semi-sync where two are no majority. Reads may miss what was acknowledged that early, so in its
// history such a write may happen at any time, or never.
//
// A session that does not know what became of a write ends, and another one begins.
//
// Not thread-safe.
#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "simulation/checks.h"
#include "simulation/log_verdicts.h"
#include "simulation/permitted.h"
#include "simulation/recorder.h"
#include "simulation/world.h"

namespace parallax::simulation {

struct LogClientOptions {
  std::uint64_t seed = 1;
  std::size_t clients = 0;  ///< of each family; 0: none at all
  std::size_t keys = 2;     ///< of each family
  Duration think{};         ///< mean pause between two operations of one client
  double reads = 0.6;
  /// The nodes' monotonic clocks are slower by up to this, in parts per million.
  std::uint32_t slow_clock_ppm = 0;
};

class LogClients {
 public:
  LogClients(World& world, const Checks& checks, Trace* trace, LogClientOptions options);

  void start();
  /// No new operations; what is under way goes on.
  void stop() { stopped_ = true; }
  bool idle() const { return under_way_ == 0; }

  /// When all replicas are equal.
  void check_end() const;
  /// The first contradiction that a checker finds; empty: none.
  std::string judge() const;
  /// How this run shows what is permitted; nothing when it does not.
  std::optional<std::string> counterexample(Permitted permitted) const;

  std::uint64_t issued() const { return issued_; }
  std::uint64_t answered() const { return answered_; }

 private:
  enum class Family : std::uint8_t { sequential, bounded, prefix, acked };

  struct Client {
    Family family;
    std::size_t number;                 ///< in the history: another one whenever it begins anew
    std::optional<SessionToken> token;  ///< sequential
  };
  struct Asked {
    std::size_t client;  ///< its place
    Recorder::Call call;
    Request request;
    std::size_t committed;              ///< entries, when it was asked
    std::vector<std::uint64_t> lives;   ///< of all nodes, then
    std::vector<std::uint64_t> losses;  ///< of disks, by node, then
    std::optional<std::size_t> record;
  };
  struct Acknowledged {
    std::string key;
    std::string value;
    Stamp stamp;
    Ack ack;        ///< as the answer has it
    bool degraded;  ///< it had asked for semi-sync
    NodeId leader;
    MonoTime at;
  };

  std::string key(Family family, std::size_t i) const;
  void next(std::size_t client);
  void issue(std::size_t client);
  void draw(Client& client, Request& request);
  void draw_bound(Consistency& consistency);
  void finish(const Asked& asked, const Reply& reply);
  void check_bound(const Asked& asked, const Answer& answer) const;
  void note_read(const Asked& asked, const Answer& answer);
  void note_write(const Asked& asked, const Answer& answer);
  void check_disks(const Asked& asked, const Answer& answer) const;
  /// What its mode may lose, and has.
  bool may_be_lost(const Acknowledged& written) const;
  bool is_lost(const Acknowledged& written) const {
    return !checks_.in_log(written.key, written.stamp);
  }
  std::optional<std::string> lost() const;
  Records& records(Family family) { return records_[static_cast<std::size_t>(family)]; }
  const Records& records(Family family) const { return records_[static_cast<std::size_t>(family)]; }

  World& world_;
  const Checks& checks_;
  Trace* trace_;
  LogClientOptions options_;
  Random random_;
  std::vector<Client> clients_;
  std::size_t next_number_;
  std::array<Records, 4> records_;
  std::vector<Acknowledged> acknowledged_;
  std::set<std::string> refused_;  ///< values of writes that have not happened
  std::uint64_t issued_ = 0;
  std::uint64_t answered_ = 0;
  std::size_t under_way_ = 0;
  bool stopped_ = false;
};

}  // namespace parallax::simulation
