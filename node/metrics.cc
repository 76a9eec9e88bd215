#include "node/metrics.h"

#include <algorithm>
#include <iterator>

#include "base/assert.h"
#include "node/cluster_json.h"

namespace parallax {
namespace {

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string_view outcome_name(RequestOutcome outcome) {
  switch (outcome) {
    case RequestOutcome::done:
      return "done";
    case RequestOutcome::not_applied:
      return "not_applied";
    case RequestOutcome::unknown:
      return "unknown";
  }
  PARALLAX_UNREACHABLE("outcome {}", static_cast<int>(outcome));
}

std::size_t row_index(std::optional<Level> level, KvOp op, std::size_t ops) {
  const std::size_t row = level ? static_cast<std::size_t>(*level) : kLevels.size();
  return row * ops + static_cast<std::size_t>(op);
}

void describe(std::string& out, std::string_view name, std::string_view type,
              std::string_view help) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

/// A metric without labels.
template <class Number>
void metric(std::string& out, std::string_view name, std::string_view type, std::string_view help,
            Number value) {
  describe(out, name, type, help);
  fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
}

void render_histogram(std::string& out, std::string_view name, std::string_view labels,
                      const LatencyHistogram& histogram) {
  auto to = std::back_inserter(out);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < LatencyHistogram::kBounds; ++i) {
    below += histogram.bucket(i);
    fmt::format_to(to, "{}_bucket{{{},le=\"{}\"}} {}\n", name, labels,
                   LatencyHistogram::bound_seconds(i), below);
  }
  fmt::format_to(to,
                 "{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n",
                 name, labels, histogram.count(), seconds(histogram.sum()));
}

/// A count and a sum of something, as a summary without quantiles.
void render_sum(std::string& out, std::string_view name, std::string_view help, double sum,
                std::uint64_t count) {
  describe(out, name, "summary", help);
  fmt::format_to(std::back_inserter(out), "{0}_sum {1}\n{0}_count {2}\n", name, sum, count);
}

/// One gauge with a line for every member of which the figure is known.
template <class Figure>
void member_gauge(std::string& out, std::string_view name, std::string_view help,
                  const ReplicaStatus& status, Figure figure) {
  describe(out, name, "gauge", help);
  for (const MemberStatus& member : status.members) {
    const std::optional<double> value = figure(member);
    if (!value) continue;
    fmt::format_to(std::back_inserter(out), "{}{{member=\"{}\"}} {}\n", name, member.id, *value);
  }
}

void render_members(std::string& out, const ReplicaStatus& status) {
  using Figure = std::optional<double>;
  member_gauge(out, "parallax_member_up",
               "Whether the member was heard from lately (1) or not (0).", status,
               [&](const MemberStatus& m) -> Figure { return m.up || m.id == status.id ? 1 : 0; });
  member_gauge(out, "parallax_member_match_index",
               "Highest log index known to be durable at the member; of others at the leader only.",
               status, [](const MemberStatus& m) -> Figure {
                 if (!m.match_index) return {};
                 return static_cast<double>(m.match_index->value);
               });
  member_gauge(out, "parallax_member_applied_index",
               "Highest log index known to be applied at the member; of others at the leader only.",
               status, [](const MemberStatus& m) -> Figure {
                 if (!m.applied_index) return {};
                 return static_cast<double>(m.applied_index->value);
               });
  member_gauge(out, "parallax_member_lag_seconds",
               "Since the member last held the end of the log; at the leader only.", status,
               [](const MemberStatus& m) -> Figure {
                 if (!m.lag_ms) return {};
                 return static_cast<double>(*m.lag_ms) / 1e3;
               });
  member_gauge(out, "parallax_member_clock_offset_seconds",
               "The member's physical clock minus this node's.", status,
               [](const MemberStatus& m) -> Figure {
                 if (!m.clock_offset_ms) return {};
                 return static_cast<double>(*m.clock_offset_ms) / 1e3;
               });
}

void render_replica(std::string& out, const ReplicaStatus& status,
                    const ReplicaCounters& counters) {
  metric(out, "parallax_term", "gauge", "Raft term.", status.term.value);
  metric(out, "parallax_leader", "gauge", "Number of the leader, 0 when none is known.",
         status.leader.value);
  metric(out, "parallax_is_leader", "gauge", "Whether this node leads.",
         status_role(status) == "leader" ? 1 : 0);
  metric(out, "parallax_ready", "gauge", "Whether this node knows a leader and has caught up.",
         status.ready ? 1 : 0);
  metric(out, "parallax_commit_index", "gauge", "Highest log index known to be committed.",
         status.commit_index.value);
  metric(out, "parallax_applied_index", "gauge", "Highest log index applied here.",
         status.applied_index.value);
  metric(out, "parallax_durable_index", "gauge", "Highest log index durable here.",
         status.durable_index.value);
  metric(out, "parallax_last_index", "gauge", "Last index of the log here.",
         status.last_index.value);
  metric(out, "parallax_log_start_index", "gauge", "Index of the last entry that was compacted.",
         status.log_start.value);
  metric(out, "parallax_apply_lag_entries", "gauge",
         "Entries known to be committed and not yet applied here.",
         status.commit_index.value - std::min(status.applied_index, status.commit_index).value);
  metric(out, "parallax_installing_snapshot", "gauge", "Whether a snapshot is being installed.",
         status.installing_snapshot ? 1 : 0);
  metric(out, "parallax_elections_started_total", "counter", "Elections that this node started.",
         counters.elections_started);
  metric(out, "parallax_elections_won_total", "counter", "Elections that this node won.",
         counters.elections_won);
  metric(out, "parallax_entries_applied_total", "counter", "Log entries applied.",
         counters.entries_applied);
  metric(out, "parallax_read_rounds_total", "counter",
         "Rounds that confirmed leadership for reads.", counters.read_rounds);
  metric(out, "parallax_requests_forwarded_total", "counter", "Requests passed on to another node.",
         counters.requests_forwarded);
  metric(out, "parallax_snapshots_sent_total", "counter", "Snapshots sent to other members.",
         counters.snapshots_sent);
  metric(out, "parallax_snapshots_installed_total", "counter", "Snapshots installed here.",
         counters.snapshots_installed);
  metric(out, "parallax_stamps_refused_for_skew_total", "counter",
         "Writes refused because this node's clock was too far from its peers'.",
         counters.stamps_refused_for_skew);
  metric(out, "parallax_semi_sync_degraded", "gauge",
         "Whether semi-sync writes are acknowledged by this leader alone.",
         status.semi_sync_degraded ? 1 : 0);
  metric(out, "parallax_semi_sync_degradations_total", "counter",
         "Times that no follower answered semi-sync writes before their timeout.",
         counters.semi_sync_degradations);
  metric(out, "parallax_hints", "gauge", "Hints kept here, over all members.", status.hints);
  metric(out, "parallax_hints_queued_total", "counter", "Misses of other members noted as hints.",
         counters.hints_queued);
  metric(out, "parallax_hints_handed_over_total", "counter",
         "Hints whose member has what it had missed.", counters.hints_handed_over);
  metric(out, "parallax_hints_refused_total", "counter", "Misses not noted for want of room.",
         counters.hints_refused);
  metric(out, "parallax_hints_expired_total", "counter", "Hints given up because of their age.",
         counters.hints_expired);
  metric(out, "parallax_hash_tree_complete", "gauge",
         "Whether the hash tree is built: anti-entropy waits for that after a start.",
         status.tree_complete ? 1 : 0);
  metric(out, "parallax_anti_entropy_rounds_total", "counter",
         "Comparisons with another member that came to their end.", counters.anti_entropy_rounds);
  metric(out, "parallax_anti_entropy_bytes_total", "counter",
         "Digests and lists of keys received in them.", counters.anti_entropy_bytes);
  metric(out, "parallax_anti_entropy_keys_total", "counter",
         "Keys that were found to be held differently.", counters.keys_compared_unequal);
  metric(out, "parallax_anti_entropy_states_sent_total", "counter",
         "Key states handed over for that.", counters.keys_sent);
  metric(out, "parallax_anti_entropy_states_received_total", "counter",
         "Key states asked for, for that.", counters.keys_received);
  metric(out, "parallax_tombstones_removed_total", "counter",
         "Deleted keys that were forgotten, all replicas having held the deletion long enough.",
         counters.tombstones_removed);
}

void render_peer_answers(std::string& out, const ReplicaCounters& counters) {
  constexpr std::string_view kName = "parallax_peer_answer_duration_seconds";
  describe(
      out, kName, "histogram",
      "Time from asking another replica to its answer, at the levels without a leader, by what "
      "it was asked for: to store a state durably, or what it holds.");
  render_histogram(out, kName, "request=\"store\"", counters.peer_stores);
  render_histogram(out, kName, "request=\"query\"", counters.peer_queries);
  constexpr std::string_view kWays = "parallax_peer_way_duration_seconds";
  describe(out, kWays, "histogram",
           "Time of a store at another replica, at the levels without a leader, without that which "
           "it took to make it durable: the ways there and back.");
  render_histogram(out, kWays, "request=\"store\"", counters.peer_ways);
}

void render_process(std::string& out, const ProcessStatus& process) {
  render_sum(out, "parallax_fsync_duration_seconds",
             "Time that synced write batches took, the sync included.",
             seconds(process.batch_write_time), process.batches_written);
  render_sum(out, "parallax_batch_size_bytes", "Size of synced write batches.",
             static_cast<double>(process.batch_bytes), process.batches_written);
  metric(out, "parallax_store_bytes", "gauge", "Size of the store on disk.", process.store_bytes);
  metric(out, "parallax_peer_frames_sent_total", "counter", "Frames sent to peers.",
         process.frames_sent);
  metric(out, "parallax_peer_frames_received_total", "counter", "Frames received from peers.",
         process.frames_received);
  metric(out, "parallax_peer_frames_dropped_total", "counter",
         "Frames to peers that were dropped, for want of a connection or by a fault.",
         process.frames_dropped);
  metric(out, "parallax_peer_bytes_sent_total", "counter", "Bytes sent to peers.",
         process.peer_bytes_sent);
  metric(out, "parallax_uptime_seconds", "gauge", "Age of the process.", seconds(process.uptime));
  metric(out, "process_resident_memory_bytes", "gauge", "Resident memory of the process.",
         process.resident_bytes);
  describe(out, "parallax_build_info", "gauge", "Always 1; the version is in the label.");
  out += "parallax_build_info{version=\"" PARALLAX_VERSION "\"} 1\n";
}

}  // namespace

ObservedLatency RequestMetrics::observed(Level level, bool reads, Path path) const {
  constexpr KvOp kReads[] = {KvOp::get, KvOp::head};
  constexpr KvOp kWrites[] = {KvOp::put, KvOp::remove};
  LatencyHistogram all;
  for (const KvOp op : reads ? kReads : kWrites) {
    for (const Latency& latency : rows_[row_index(level, op, kOps)].latencies) {
      if (latency.path == path) all.add(latency.histogram);
    }
  }
  return {all.count(), all.percentile(50), all.percentile(99)};
}

std::uint64_t& RequestMetrics::count_of(Row& row, int status, RequestOutcome outcome) {
  for (Count& c : row.counts) {
    if (c.status == status && c.outcome == outcome) return c.count;
  }
  return row.counts.emplace_back(Count{status, outcome, 0}).count;
}

LatencyHistogram& RequestMetrics::latency_of(Row& row, std::optional<Path> path) {
  for (Latency& l : row.latencies) {
    if (l.path == path) return l.histogram;
  }
  return row.latencies.emplace_back(Latency{path, {}}).histogram;
}

std::uint64_t& RequestMetrics::other_count(int status) {
  for (auto& [known, count] : others_) {
    if (known == status) return count;
  }
  return others_.emplace_back(status, 0).second;
}

void RequestMetrics::count(const Answered& answered, Duration latency) {
  Row& row = rows_[row_index(answered.level, answered.op, kOps)];
  ++count_of(row, answered.status, answered.outcome);
  latency_of(row, answered.path).add(latency);
}

void RequestMetrics::count_other(int status) {
  ++other_count(status);
}

void RequestMetrics::add(const RequestMetrics& other) {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    for (const Count& c : other.rows_[i].counts) {
      count_of(rows_[i], c.status, c.outcome) += c.count;
    }
    for (const Latency& l : other.rows_[i].latencies) {
      latency_of(rows_[i], l.path).add(l.histogram);
    }
  }
  for (const auto& [status, count] : other.others_) other_count(status) += count;
  connections_accepted_ += other.connections_accepted_;
  connections_refused_ += other.connections_refused_;
}

void RequestMetrics::count_connection(bool refused) {
  ++(refused ? connections_refused_ : connections_accepted_);
}

void RequestMetrics::render(std::string& out) const {
  auto to = std::back_inserter(out);
  const auto for_each_row = [&](const auto& visit) {
    for (std::size_t level = 0; level <= kLevels.size(); ++level) {
      const bool named = level < kLevels.size();
      const auto name = named ? level_info(static_cast<Level>(level)).name : "policy";
      for (std::size_t op = 0; op < kOps; ++op) {
        visit(name, kKvOpNames[op], rows_[level * kOps + op]);
      }
    }
  };
  describe(
      out, "parallax_requests_total", "counter",
      "Operations by level (policy: of one that no answer named), kind, HTTP status and outcome; "
      "those of a batch each.");
  for_each_row([&](std::string_view level, std::string_view op, const Row& row) {
    for (const Count& c : row.counts) {
      fmt::format_to(to,
                     "parallax_requests_total{{level=\"{}\",op=\"{}\",status=\"{}\","
                     "outcome=\"{}\"}} {}\n",
                     level, op, c.status, outcome_name(c.outcome), c.count);
    }
  });
  describe(out, "parallax_other_requests_total", "counter",
           "Requests that were no operation, or refused before they were one, and batches, by HTTP "
           "status.");
  for (const auto& [status, count] : others_) {
    fmt::format_to(to, "parallax_other_requests_total{{status=\"{}\"}} {}\n", status, count);
  }
  constexpr std::string_view kLatency = "parallax_request_duration_seconds";
  describe(out, kLatency, "histogram",
           "Time from a whole request to its answer, by level, kind and the path it took.");
  for_each_row([&](std::string_view level, std::string_view op, const Row& row) {
    for (const Latency& l : row.latencies) {
      render_histogram(out, kLatency,
                       fmt::format("level=\"{}\",op=\"{}\",path=\"{}\"", level, op,
                                   l.path ? path_name(*l.path) : std::string_view("none")),
                       l.histogram);
    }
  });
  metric(out, "parallax_connections_accepted_total", "counter", "Client connections accepted.",
         connections_accepted_);
  metric(out, "parallax_connections_refused_total", "counter",
         "Client connections refused because there were too many.", connections_refused_);
}

std::string render_metrics(const RequestMetrics& requests, const HttpGauges& http,
                           const ReplicaStatus& status, const ReplicaCounters& counters,
                           const ProcessStatus& process) {
  std::string out;
  out.reserve(16 << 10);
  requests.render(out);
  metric(out, "parallax_connections", "gauge", "Client connections open now.", http.connections);
  metric(out, "parallax_requests_in_flight", "gauge", "Operations on keys being carried out.",
         http.requests_in_flight);
  render_replica(out, status, counters);
  render_members(out, status);
  render_peer_answers(out, counters);
  render_process(out, process);
  return out;
}

}  // namespace parallax
