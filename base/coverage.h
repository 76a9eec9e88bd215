// Coverage marks: rare paths of the protocols that the simulator must reach over its standard
// seeds. Counted in test builds only (PARALLAX_TEST_BUILD); elsewhere mark() is nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace parallax {

// One line per mark: its name says what happened.
#define PARALLAX_COVERAGE_MARKS(X)     \
  X(pre_vote_refused)                  \
  X(vote_refused_log_behind)           \
  X(vote_refused_already_voted)        \
  X(vote_request_ignored_leader_alive) \
  X(election_lost)                     \
  X(election_won_with_older_entries)   \
  X(leader_stepped_down_no_quorum)     \
  X(leader_deposed_by_newer_term)      \
  X(old_leader_told_newer_term)        \
  X(transfer_begun)                    \
  X(transfer_completed)                \
  X(transfer_interrupted)              \
  X(conflicting_tail_truncated)        \
  X(unwritten_tail_truncated)          \
  X(replaced_batch_ignored)            \
  X(append_refused)                    \
  X(append_below_log_start)            \
  X(probe_backed_up)                   \
  X(replication_stuck_reprobed)        \
  X(inflight_window_full)              \
  X(entries_loaded_from_store)         \
  X(commit_news_by_heartbeat)          \
  X(commit_without_leader_disk)        \
  X(round_confirmed_before_no_op)      \
  X(freshness_published)               \
  X(snapshot_begun)                    \
  X(snapshot_installed)                \
  X(snapshot_kept_log_tail)            \
  X(snapshot_begun_again)              \
  X(snapshot_chunk_resent)             \
  X(snapshot_chunk_gap)                \
  X(snapshot_abandoned)                \
  X(snapshot_during_election)          \
  X(compaction_held_back)              \
  X(incarnation_forgotten)             \
  X(recovery_ended)                    \
  X(condition_on_proposal)             \
  X(refusal_waited_for_proposal)       \
  X(refusal_decided_anew)              \
  X(refusal_remembered)                \
  X(retry_answered_from_row)           \
  X(retry_waited_for_first)            \
  X(row_let_go)                        \
  X(expiry_committed)                  \
  X(foreign_version_adopted)           \
  X(refusal_adopted)                   \
  X(state_restored)                    \
  X(causal_state_restored)             \
  X(early_arrival_kept)                \
  X(early_arrival_joined)              \
  X(query_waited_for_tail)             \
  X(query_unresolved)                  \
  X(answer_waited_for_batch)           \
  X(quorum_write_failed)               \
  X(atomic_read_wrote_back)            \
  X(read_repaired)                     \
  X(hint_handed_over)                  \
  X(stood_in_for_replica)              \
  X(exchange_found_difference)         \
  X(recovery_joined_states)            \
  X(lease_ran_out)                     \
  X(causal_waited)                     \
  X(entry_held_for_disk)               \
  X(causal_passed_on)                  \
  X(commit_index_asked)                \
  X(read_waited_to_apply)              \
  X(bound_refused)                     \
  X(semi_sync_degraded)                \
  X(semi_sync_returned)                \
  X(write_waited_for_all)

// Its clients do not live that long: the tests of the node take these paths (tests/node).
#define PARALLAX_SLOW_MARKS(X) X(tombstone_removed)

enum class Mark : std::uint8_t {
#define PARALLAX_MARK_ENUM(name) name,
  PARALLAX_COVERAGE_MARKS(PARALLAX_MARK_ENUM) PARALLAX_SLOW_MARKS(PARALLAX_MARK_ENUM)
#undef PARALLAX_MARK_ENUM
      count,
};

inline constexpr std::array kMarkNames{
#define PARALLAX_MARK_NAME(name) std::string_view{#name},
    PARALLAX_COVERAGE_MARKS(PARALLAX_MARK_NAME) PARALLAX_SLOW_MARKS(PARALLAX_MARK_NAME)
#undef PARALLAX_MARK_NAME
};

/// Marks that a range of seeds has to reach: those before the slow ones.
inline constexpr std::size_t kRequiredMarks = static_cast<std::size_t>(Mark::tombstone_removed);

#ifdef PARALLAX_TEST_BUILD
inline std::array<std::uint64_t, static_cast<std::size_t>(Mark::count)> g_marks{};
inline void mark(Mark path) {
  ++g_marks[static_cast<std::size_t>(path)];
}
#else
constexpr void mark(Mark) {}
#endif

}  // namespace parallax
