// The atomic register over a majority, with many writers: the `atomic` level.
//
// Sources: Attiya, Bar-Noy and Dolev, "Sharing Memory Robustly in Message-Passing Systems" (JACM
// 1995), for majorities and the write-back; Lynch and Shvartsman, "Robust Emulation of Shared
// Memory Using Dynamic Quorum-Acknowledged Broadcasts" (FTCS 1997), for many writers: a write asks
// first, too, and takes a stamp above all that a majority has seen.
//
// Why it is linearizable: the stamp of a completed operation is held (or has been replaced by a
// higher one) at a majority; every later operation asks a majority, and any two share a replica. A
// majority query waits for the log's pending tail, so versions of the leader path are met like
// others. Recovering nodes count toward no majority, and a lost disk's word is void (tally.h).
//
// What they do not do: issue stamps, keep clocks, or answer: the owner does, when told to.
#pragma once

#include <optional>
#include <vector>

#include "replication/quorum/query_round.h"
#include "replication/quorum/read.h"
#include "replication/quorum/write.h"

namespace parallax {

/// Who takes part: a majority of all replicas is required.
struct AtomicConfig {
  NodeId self;                   ///< one of `replicas`
  std::vector<NodeId> replicas;  ///< all of them, in the order in which they are best asked
  std::optional<Duration> speculate_after = std::nullopt;  ///< as for QueryRound
  std::vector<NodeId> absent = {};                         ///< known to recover
};

/// Read: a majority query; then, unless a majority holds the winner already or the log has it
/// committed, a majority store of what was read. An expiry that decides the answer is carried to a
/// majority first: at the highest clock of the replies, and nobody can be shown the value after.
class AtomicRead {
 public:
  AtomicRead(const AtomicConfig& config, MonoTime now);

  // --- Inputs: as for QuorumRead --------------------------------------------------------------
  void step(const Sender& from, Hlc clock, const QuorumQueryReply& reply);
  void step(const Sender& from, const QuorumStoreReply& reply);
  void on_no_answer(NodeId replica);
  void heard(const Sender& sender);
  void tick(MonoTime now) { query_.tick(now); }
  void expire();

  // --- Outputs --------------------------------------------------------------------------------
  std::vector<NodeId> take_asks() { return query_.take_asks(); }
  std::optional<MonoTime> next_tick() const { return query_.next_tick(); }
  /// The write-back; of this node itself: into its own store, acknowledged by step().
  std::vector<Repair> take_stores();
  /// The state's winner is what the answer shows. A failure is definite.
  const std::optional<ReadOutcome>& outcome() const { return outcome_; }
  /// Whether it took a second round.
  bool wrote_back() const { return stored_.has_value(); }

 private:
  void advance();
  void begin_write_back();
  bool settled(const KeyState& state) const;

  std::vector<NodeId> replicas_;
  QueryRound query_;
  std::optional<KeyState> shown_;
  bool agreed_ = false;
  std::optional<Tally> stored_;  ///< who holds shown_'s winner
  std::vector<Repair> stores_;
  std::optional<ReadOutcome> outcome_;
};

/// Write: a majority query; a stamp above everything that it brought; then a quorum write of the
/// version, on top of what was read, with w = majority. Definite failures end before the stamp's
/// version is handed to the disk.
class AtomicWrite {
 public:
  AtomicWrite(const AtomicConfig& config, MonoTime now);

  enum class Phase : std::uint8_t {
    query,
    stamp,  ///< stamp_request() waits for on_stamped()
    store,
    done,
  };

  // --- Inputs ---------------------------------------------------------------------------------
  void step(const Sender& from, Hlc clock, const QuorumQueryReply& reply);
  /// The version is being written into the own store, on top of stamp_request().seen. Its stamp
  /// must be above stamp_request().above. A node that may not stamp drops the core instead: nothing
  /// has happened yet.
  void on_stamped(const Stamp& stamp);
  /// That batch is durable.
  void on_persisted();
  void on_disk_failed();
  void step(const Sender& from, const QuorumStoreReply& reply);
  void on_no_answer(NodeId replica);
  void heard(const Sender& sender);
  void tick(MonoTime now) { query_.tick(now); }
  void expire();

  // --- Outputs --------------------------------------------------------------------------------
  Phase phase() const { return phase_; }
  std::vector<NodeId> take_asks();
  std::optional<MonoTime> next_tick() const { return query_.next_tick(); }
  struct StampRequest {
    KeyState seen;  ///< join it into the own store with the version
    Hlc above;      ///< the clock observes it first
  };
  /// In phase stamp.
  std::optional<StampRequest> stamp_request() const;
  /// To whom the own store's whole state of the key goes now; each is named once.
  std::vector<NodeId> take_targets() { return write_.take_targets(); }
  const std::optional<WriteOutcome>& outcome() const { return write_.outcome(); }
  const QuorumWrite& write() const { return write_; }

 private:
  void advance();

  QueryRound query_;
  QuorumWrite write_;
  Hlc above_;
  Phase phase_ = Phase::query;
};

}  // namespace parallax
