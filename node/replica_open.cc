// What a store holds, read once: identity, hard state, applied state, and the log entry by entry,
// so that a flipped bit is found before anything is built on it.
#include <algorithm>
#include <limits>

#include "base/canary.h"
#include "node/replica_causal.h"
#include "storage/data_directory.h"
#include "storage/log_segment.h"

namespace parallax {
namespace {

Error corrupt(std::string message) {
  return definite(ErrorCode::corrupt, std::move(message));
}

}  // namespace

Replica::Impl::Impl(ReplicaConfig config, const Store& store, TurnTime now)
    : config_(std::move(config)),
      store_(store),
      now_(now),
      random_(config_.seed),
      bootstrap_(config_.id, config_.members),
      overlay_(store, {records::key_state_range(kOnlyGroup), config_.recent_bytes}),
      keys_(overlay_, kOnlyGroup, &history_),
      idempotency_(overlay_, kOnlyGroup, config_.idempotency),
      last_batch_(now.monotonic),
      last_clean_(now.monotonic),
      hints_(config_.hints, now.monotonic),
      repair_bytes_(config_.anti_entropy_bytes, now.monotonic),
      tombstones_in_leaf_(MerkleTree::kLeaves),
      next_probe_(now.monotonic),
      probe_interval_(std::chrono::milliseconds(100)),
      causal_(std::make_unique<Causality>(*this)) {
  std::sort(config_.members.begin(), config_.members.end());
  for (NodeId member : config_.members) {
    if (member != config_.id) peers_[member];
  }
  // The upper half of a forward's id is this life's, the lower half counts (forward_filter.h).
  next_forward_ = (Random(config_.life).next() & ~std::uint64_t{0xffffffff}) + 1;
}

Result<void> Replica::Impl::load(bool lost_disk) {
  PARALLAX_ASSIGN(node_, open_node(store_, {config_.id, ClusterId{}}));
  bootstrap_ = Bootstrap(config_.id, config_.members, lost_disk);
  if (node_.membership == Membership::none) return {};

  PARALLAX_ASSIGN(const auto bound, records::load<Hlc>(store_, records::clock_bound_key()));
  if (bound && !canary(Canary::stamp_reused_after_restart)) clock_ = HybridLogicalClock(*bound);
  PARALLAX_ASSIGN(const auto applied,
                  records::load<AppliedRecord>(store_, records::applied_key(kOnlyGroup)));
  if (applied) applied_ = *applied;
  for (const auto& [peer, incarnation] : applied_.incarnations) {
    const auto known = peers_.find(peer);
    if (known != peers_.end()) known->second.incarnation = incarnation;
  }
  PARALLAX_ASSIGN(installing_,
                  records::load<LogStart>(store_, records::installing_key(kOnlyGroup)));
  PARALLAX_TRY(store_.scan(records::key_state_range(kOnlyGroup), [&](auto, auto) {
    has_versions_ = true;
    return false;
  }));

  PARALLAX_TRY(load_early_states());
  if (!early_.empty()) has_versions_ = true;
  PARALLAX_TRY(idempotency_.open(applied_.idempotency_floor));
  PARALLAX_TRY(load_policies());
  PARALLAX_TRY(load_hints());
  tree_.begin_scan();
  PARALLAX_ASSIGN(const auto leaves,
                  records::load<LeafRecord>(store_, records::leaves_complete_key(kOnlyGroup)));
  leaves_complete_ = leaves.has_value();

  PARALLAX_ASSIGN(states_behind_.stored,
                  records::load<StatesRecord>(store_, records::states_key(kOnlyGroup)));
  std::vector<LogEntry> again;
  RaftRestored restored;
  PARALLAX_ASSIGN(const auto hard_state,
                  records::load<HardState>(store_, records::hard_state_key(kOnlyGroup)));
  if (!hard_state) return corrupt("hard state is missing in the store of a member");
  restored.hard_state = *hard_state;
  PARALLAX_TRY(load_log(restored, again));
  restored.applied = applied_.index;
  restored.incarnation = node_.incarnation;
  restored.recovering = recovering();
  forward_floor_ = restored.hard_state.term;
  start_raft(std::move(restored));
  PARALLAX_TRY(causal_->start());
  PARALLAX_TRY(restore_states(again));
  clear_installed_marker();
  join_early_states();
  return {};
}

Result<void> Replica::Impl::load_policies() {
  std::optional<Error> fault;
  PARALLAX_TRY(store_.scan(
      records::policy_range(kOnlyGroup), [&](std::string_view key, std::string_view value) {
        const auto record = records::decode<PolicyRecord>(key, value);
        const auto taken = record ? policies_.set(records::group_record_name(key), *record)
                                  : Result<bool>(record.error());
        if (!taken) fault = taken.error();
        return taken.has_value();
      }));
  if (fault) return *fault;
  return {};
}

/// `again`: entries that are applied, but not in all key states.
Result<void> Replica::Impl::load_log(RaftRestored& restored, std::vector<LogEntry>& again) {
  const std::optional<StatesRecord>& behind = states_behind_.stored;
  const LogIndex in_states = behind ? std::min(behind->index, applied_.index) : applied_.index;
  PARALLAX_ASSIGN(const auto stored_start,
                  records::load<LogStart>(store_, records::log_start_key(kOnlyGroup)));
  const LogStart start = stored_start.value_or(LogStart{});
  std::vector<RaftLog::Run> runs;
  std::vector<LogEntry> cached;
  LogIndex last = start.index;
  std::optional<Error> fault;
  const auto take = [&](LogEntry& entry) {
    const Term before = runs.empty() ? start.term : runs.back().term;
    if (entry.index != last.next() || entry.term < before) {
      fault = corrupt(fmt::format("log entry {} of term {} stands behind entry {} of term {}",
                                  entry.index, entry.term, last, before));
      return false;
    }
    last = entry.index;
    if (runs.empty() || runs.back().term != entry.term) runs.push_back({last, entry.term});
    log_sizes_.append(last, entry.bytes());
    if (last > applied_.index) {
      cached.push_back(std::move(entry));
    } else if (last > in_states) {
      again.push_back(std::move(entry));
    }
    return true;
  };
  PARALLAX_TRY(scan_log(store_, kOnlyGroup, LogIndex{1}, [&](LogSegment segment) {
    stored_log_.found(segment);
    for (LogEntry& entry : segment.entries) {
      // Left over by a compaction that a crash cut short.
      if (entry.index > start.index && !take(entry)) return false;
    }
    return true;
  }));
  if (fault) return *fault;
  if (in_states < start.index || applied_.index > last) {
    return corrupt(
        fmt::format("applied index {}, {} in the key states, is outside the log, which "
                    "holds {} to {}",
                    applied_.index, in_states, start.index.next(), last));
  }
  const Term last_term = runs.empty() ? start.term : runs.back().term;
  if (restored.hard_state.term < last_term) {
    return corrupt(fmt::format("the log ends in term {}, the hard state is of term {}", last_term,
                               restored.hard_state.term));
  }
  log_start_ = start.index;
  durable_applied_ = in_states;
  restored.log = RaftLog(start, std::move(runs), last, std::move(cached));
  return {};
}

void Replica::Impl::start_raft(RaftRestored restored) {
  RaftConfig config;
  config.id = config_.id;
  config.members = config_.members;
  config.seed = config_.seed;
  config.life = config_.life;
  config.election_timeout_min = config_.election_timeout_min;
  config.election_timeout_max = config_.election_timeout_max;
  config.heartbeat_interval = config_.heartbeat_interval;
  config.leases = config_.lease_reads;
  config.clock_drift_ppm = config_.clock_drift_ppm;
  config.log_cache_bytes = config_.log_cache_bytes;
  config.max_append_bytes = config_.max_append_bytes;
  config.max_inflight_appends = config_.max_inflight_appends;
  raft_.emplace(std::move(config), std::move(restored), now_.monotonic);
  raft_->set_may_lead(may_lead());
}

}  // namespace parallax
