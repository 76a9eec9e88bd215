// The properties that must hold while a simulated cluster runs, looked at after every turn of every
// node. A broken one is an assertion that names it.
//
// Raft's five (Ongaro 2014, figure 3.2): election safety, leader append-only, log matching, leader
// completeness, state machine safety; beside them: monotone term, commit and applied index, one
// vote per term, stamps that are never used twice and rise along the log, data that is never ahead
// of its applied index.
//
// The committed log is also a reference: what each key held at each index. Answers are held against
// it (check_answer), and at the end every replica's contents. Keys that the levels without a leader
// write to as well are left out of that: their clients judge them (leaderless_clients.h).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "replication/leader_follower/raft_invariants.h"
#include "simulation/quorum_checks.h"
#include "simulation/world.h"

namespace parallax::simulation {

/// Whether the clients only increment (and delete) this key.
bool is_counter(const std::string& key);
/// Whether levels without a leader write to this key.
bool is_leaderless(std::string_view key);

/// A key and a value that the log gives it.
struct Logged {
  std::string key;
  std::string value;
};

struct CheckOptions {
  /// No client writes a value twice: a value in two entries is one write carried out twice.
  bool values_differ = true;
  /// No idempotency key is used again after it has been let go of.
  bool keys_kept = true;
};

class Checks : public Observer {
 public:
  explicit Checks(CheckOptions options = {}) : options_(options) {}

  void after_turn(NodeId id, const Replica& replica) override;
  void after_start(NodeId id, const Replica& replica) override;
  void after_crash(NodeId id) override;
  void after_loss(NodeId id) override;

  /// One vote per term, nothing is promised that is not on the disk, and what the sender counts as
  /// committed is on the disks of a majority, not counting those that have lost theirs since.
  void on_message(World& world, const Envelope& envelope) override;

  /// Holds an answer against the reference at the index that its evidence names.
  void check_answer(const Request& request, const Answer& answer) const;
  /// What each node holds of each key is what the log says. Call when the world has converged.
  void check_contents(World& world) const;
  /// Joins of what live nodes hold of `key` obey the lattice's laws.
  void check_join_laws(World& world, const std::string& key) const;

  /// What a stamp of `key` stands for; nothing when no entry has it.
  std::optional<std::string> value_of(const std::string& key, const Stamp& stamp) const;
  std::size_t committed() const { return committed_.size(); }
  /// The term of a committed entry.
  Term term_of(LogIndex index) const { return committed_.at(index.value - 1).term; }
  /// What the committed log writes to the keys that begin with `family`, in its order; nothing is
  /// ever deleted there.
  std::vector<Logged> log_of(std::string_view family) const;
  /// Whether the node's disk holds this entry, or a state that includes it; also where that can't
  /// be read.
  static bool holds(World& world, NodeId id, LogIndex index, Term term);
  /// How often the node has lost its disk.
  std::uint64_t losses(NodeId id) const;
  /// Whether a committed entry has this version of `key`.
  bool in_log(const std::string& key, const Stamp& stamp) const {
    return in_log_.contains({key, stamp});
  }
  /// Whether a committed entry writes `value`.
  bool was_written(const std::string& value) const { return values_.contains(value); }

 private:
  struct Seen {
    std::optional<RaftSummary> last;
    LogIndex applied;
    LogIndex log;        ///< entries up to here have been looked at
    LogIndex committed;  ///< as leader: up to here the disks have been looked at
  };
  struct Entry {
    Term term;
    Term seen_in;  ///< that of the first node which was seen to have it committed
    Bytes payload;
  };
  struct WrittenAt {
    LogIndex index;
    Stamp stamp;
    bool tombstone;
    Bytes value;
    UnixMillis expires_at;
    /// What the key shows at `now`.
    bool present(UnixMillis now) const {
      return !tombstone && (expires_at.value == 0 || now < expires_at);
    }
  };

  void check_write(const Request& request, const Answer& answer, const WrittenAt* at) const;
  void check_refusal(const Request& request, const Answer& answer, const WrittenAt* at) const;
  void check_shown(const std::string& key, const Item* item, LogIndex index, bool agreed) const;
  void check_range(const Scan& scan, const Answer& answer, bool agreed) const;
  void check_promise(World& world, const Envelope& envelope);
  void check_committed(World& world, NodeId id);
  void check_leader(const Raft& raft);
  void check_new_entries(const Raft& raft, Seen& seen);
  void check_applied(const Raft& raft, Seen& seen);
  void commit(LogIndex index, Entry entry);
  /// What `key` held at `index`; nullptr: nothing ever.
  const WrittenAt* held(const std::string& key, LogIndex index) const;

  CheckOptions options_;
  QuorumChecks quorum_;
  std::map<NodeId, std::uint64_t> losses_;
  std::map<NodeId, Seen> seen_;
  std::map<Term, NodeId> leaders_;
  std::map<std::tuple<NodeId, Incarnation, Term>, NodeId> votes_;
  /// By index and term: what the entry is, and the term of the one before it.
  std::map<std::pair<LogIndex, Term>, std::pair<Bytes, Term>> entries_;
  std::map<NodeId, Hlc> issued_;
  std::map<Stamp, std::pair<std::string, std::string>> entered_;  ///< key and value, by stamp
  std::vector<Entry> committed_;                                  ///< entry i + 1
  Hlc last_stamp_;                                                ///< along the committed log
  std::map<std::string, std::vector<WrittenAt>> reference_;
  std::set<std::pair<std::string, Stamp>> in_log_;
  std::unordered_set<std::string> values_;  ///< every client writes each value once
  std::unordered_set<std::string> rows_;    ///< idempotency keys: each has one outcome
};

}  // namespace parallax::simulation
