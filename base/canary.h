// Canaries: deliberate bugs that the simulator must find, one at a time, and of which the harness
// has some found in real runs (harness/mutants.h). They prove that faults and checks are worth
// something: a rule whose violation nobody notices is not tested.
//
// They exist in test builds only (PARALLAX_TEST_BUILD, every preset but release); elsewhere
// canary() is a constant false and leaves no trace in the program.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace parallax {

// Name, and the bug that it is.
#define PARALLAX_CANARIES(X)                                                                \
  X(vote_not_persisted, "a vote leaves without being written")                              \
  X(vote_for_older_log, "votes without comparing logs (Ongaro 2014, 3.6.1)")                \
  X(commit_older_term, "commits entries of an older term by counting (3.6.2)")              \
  X(acknowledge_before_sync, "a follower's acknowledgement overtakes its write")            \
  X(leader_counts_unsynced, "a leader counts entries that it has not written itself")       \
  X(read_without_round, "a leader answers a linearizable read without a round")             \
  X(serve_before_no_op, "a leader serves before its term's no-op is applied")               \
  X(recovering_node_votes, "a node that lost its disk votes")                               \
  X(recovering_node_counts, "its acknowledgements count toward commitment")                 \
  X(old_incarnation_counts, "progress of a lost disk is kept for the new one")              \
  X(old_incarnation_commits, "a commit index meant for a lost disk is taken")               \
  X(stamp_reused_after_restart, "a restart ignores the persisted clock bound")              \
  X(stamp_without_observing, "a leader's clock does not observe what the log holds")        \
  X(applied_index_too_low, "the applied index is written behind the data it is of")         \
  X(states_not_restored, "a restart takes the stored key states for all that is applied")   \
  X(snapshot_overwrites, "a late chunk of a snapshot replaces newer state")                 \
  X(prefix_while_installing, "prefix reads see half a snapshot")                            \
  X(write_forwarded_again, "a forwarder sends a write again after an unknown outcome")      \
  X(unknown_called_definite, "a write whose fate is open is reported as not done")          \
  X(condition_without_pending, "a condition is evaluated without what is proposed already") \
  X(refusal_without_round, "a condition's refusal leaves without a read round")             \
  X(lease_not_rechecked, "what was read under a lease is shown without asking again")       \
  X(lease_without_drift, "a lease lasts as if all clocks ran alike")                        \
  X(retry_not_recognized, "an idempotency key is looked for among proposals only")          \
  X(rows_not_in_snapshot, "idempotency rows do not travel with a snapshot")                 \
  X(expiry_not_agreed, "a linearizable read shows an expiry that nobody agreed on")         \
  X(checksum_ignored, "a damaged record is served")                                         \
  X(answer_not_adopted, "a linearizable read shows what the log does not have")             \
  X(refusal_not_adopted, "a condition's refusal shows what the log does not have")          \
  X(range_not_adopted, "a linearizable range shows what the log does not have")             \
  X(pending_tail_ignored, "a majority query is answered beside an unapplied entry")         \
  X(early_arrival_shown, "prefix reads see an entry before the log has come to it")         \
  X(one_actor_for_all_paths, "quorum writes count as the log's")                            \
  X(sent_before_durable, "a write leaves for others before its batch is durable")           \
  X(stamp_not_above_seen, "an atomic write is stamped below what a majority has")           \
  X(shown_before_durable, "a quorum answer overtakes the batch of what it shows")           \
  X(read_not_written_back, "an atomic read does not store what it shows")                   \
  X(siblings_not_merged, "an update of a convergent value keeps the newest sibling")        \
  X(tombstone_removed_early, "a tombstone is removed before all are known to hold it")      \
  X(causal_write_too_early, "a session's write is accepted before what it rests on")        \
  X(causal_write_forgotten, "a session's token does not say what it wrote")                 \
  X(freshness_at_contact, "to have heard the leader counts as having what is committed")    \
  X(session_index_ignored, "a sequential read shows less than its session has seen")        \
  X(lag_of_own_commit, "max_lag is held against the commit index that is known here")       \
  X(all_at_majority, "a write at ack=all is acknowledged when it is committed")             \
  X(early_before_disk, "a write at ack=leader is acknowledged before it is on its disk")    \
  X(semi_sync_alone, "semi-sync is acknowledged without a follower, and says nothing")      \
  X(quorum_first_answer, "a quorum read shows the first answer, not the newest")            \
  X(causal_read_forgotten, "a session's token does not say what it read")                   \
  X(forward_copy_done_again, "a copy of a write that was passed on is carried out as well") \
  X(failed_batch_counts, "a batch that the disk refused counts as written")

// Anti-entropy mends what these break within a moment: the simulator seldom or never sees it, the
// tests of the node do (tests/node/replica_repair_test.cc).
#define PARALLAX_REPAIR_CANARIES(Y)                            \
  Y(hint_removed_early, "a hint is forgotten when it is sent") \
  Y(recovery_without_states, "a recovery ends with what the leader has")

// Of the causal protocol's core. Its own random worlds find them all (tests/replication/causal),
// the simulator those with an X: the others need a lost disk, or a look into the middle of a
// transfer.
#define PARALLAX_CAUSAL_CANARIES(X)                                                     \
  X(causal_dependency_ignored, "an operation is applied before what it depends on")     \
  X(causal_gap_ignored, "an operation is applied although its predecessor is missing")  \
  X(causal_sent_before_durable,                                                         \
    "an operation leaves before it is durable: a crash reuses its number")              \
  X(causal_jump_before_transfer, "the vector jumps before the transfer is durable")     \
  X(causal_jump_too_far, "the vector jumps to what the sender had behind the last key") \
  X(causal_early_shown, "a state that repair brought ahead of its past is shown")
#define PARALLAX_CAUSAL_CORE_CANARIES(Y)                                                    \
  Y(causal_shown_during_transfer, "state beyond the vector, of a transfer, is shown")       \
  Y(causal_lost_too_early, "what a lost disk took is given up before every survivor spoke") \
  Y(causal_old_life_heard, "operations of an incarnation that is over are taken in")

// Real runs find them (harness/mutants.h), the simulator never or seldom: it does not hold answers
// against their evidence (client/verify.h), and few of its crashes fall between an acknowledgement
// and the batch behind it.
#define PARALLAX_REAL_CANARIES(Y)                                                         \
  Y(eventual_before_disk, "a write at eventual is acknowledged before it is on its disk") \
  Y(weak_called_eventual, "an answer at weak says that it is of eventual")

enum class Canary : std::uint8_t {
  none,
#define PARALLAX_CANARY_ENUM(name, bug) name,
  PARALLAX_CANARIES(PARALLAX_CANARY_ENUM) PARALLAX_REPAIR_CANARIES(PARALLAX_CANARY_ENUM)
      PARALLAX_CAUSAL_CANARIES(PARALLAX_CANARY_ENUM)
          PARALLAX_CAUSAL_CORE_CANARIES(PARALLAX_CANARY_ENUM)
              PARALLAX_REAL_CANARIES(PARALLAX_CANARY_ENUM)
#undef PARALLAX_CANARY_ENUM
};

struct CanaryInfo {
  Canary canary;
  std::string_view name;
  std::string_view bug;
};

inline constexpr std::array kCanaries{
#define PARALLAX_CANARY_INFO(name, bug) CanaryInfo{Canary::name, #name, bug},
    PARALLAX_CANARIES(PARALLAX_CANARY_INFO) PARALLAX_REPAIR_CANARIES(PARALLAX_CANARY_INFO)
        PARALLAX_CAUSAL_CANARIES(PARALLAX_CANARY_INFO)
            PARALLAX_CAUSAL_CORE_CANARIES(PARALLAX_CANARY_INFO)
                PARALLAX_REAL_CANARIES(PARALLAX_CANARY_INFO)
#undef PARALLAX_CANARY_INFO
};

#ifdef PARALLAX_TEST_BUILD
inline Canary g_active_canary = Canary::none;  // set once, before anything else begins
inline bool canary(Canary bug) {
  return g_active_canary == bug;
}
#else
constexpr bool canary(Canary) {
  return false;
}
#endif

}  // namespace parallax
