// What /metrics shows: counts and latencies of requests, and the figures of replica and process, in
// Prometheus' text format (version 0.0.4).
//
// Counting is on every request's path: an array lookup and a few additions, no allocation once a
// combination of labels has been seen.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/protocol.h"
#include "node/http_routes.h"
#include "node/latency_histogram.h"
#include "node/replica.h"
#include "node/service.h"

namespace parallax {

/// What requests of one kind took: upper bounds.
struct ObservedLatency {
  std::uint64_t count = 0;
  std::optional<Duration> p50 = std::nullopt;
  std::optional<Duration> p99 = std::nullopt;
};

/// Gauges of the HTTP side.
struct HttpGauges {
  std::size_t connections = 0;
  std::size_t requests_in_flight = 0;
};

/// What became of a request to which the node gave an answer.
enum class RequestOutcome : std::uint8_t { done, not_applied, unknown };

/// A value; not thread-safe.
class RequestMetrics {
 public:
  struct Answered {
    /// The effective one; of an error the one asked for; absent: the policy's, whatever it was.
    std::optional<Level> level;
    KvOp op = KvOp::get;
    int status = 200;
    RequestOutcome outcome = RequestOutcome::done;
    std::optional<Path> path;  ///< of an error: unknown
  };
  /// An operation on a key that the node carried out or failed to.
  void count(const Answered& answered, Duration latency);
  /// Everything else: administration, and requests refused before they had a meaning.
  void count_other(int status);
  void count_connection(bool refused);
  /// What another one has counted.
  void add(const RequestMetrics& other);
  /// Of reads or writes of one key at a level, by one path.
  ObservedLatency observed(Level level, bool reads, Path path) const;

  /// Appends this object's metrics.
  void render(std::string& out) const;

 private:
  struct Count {
    int status;
    RequestOutcome outcome;
    std::uint64_t count;
  };
  struct Latency {
    std::optional<Path> path;
    LatencyHistogram histogram;
  };
  static constexpr std::size_t kOps = kKvOpNames.size();
  struct Row {
    std::vector<Count> counts;  ///< by order of appearance: the common one comes first
    std::vector<Latency> latencies;
  };
  static std::uint64_t& count_of(Row& row, int status, RequestOutcome outcome);
  static LatencyHistogram& latency_of(Row& row, std::optional<Path> path);
  std::uint64_t& other_count(int status);

  /// A row behind the last level's is for those without one.
  std::array<Row, (kLevels.size() + 1) * kOps> rows_;
  std::vector<std::pair<int, std::uint64_t>> others_;
  std::uint64_t connections_accepted_ = 0;
  std::uint64_t connections_refused_ = 0;
};

/// The whole of /metrics. Every metric has its HELP and TYPE.
std::string render_metrics(const RequestMetrics& requests, const HttpGauges& http,
                           const ReplicaStatus& status, const ReplicaCounters& counters,
                           const ProcessStatus& process);

}  // namespace parallax
