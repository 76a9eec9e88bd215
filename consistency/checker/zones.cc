#include "consistency/checker/zones.h"

#include <algorithm>
#include <array>

namespace parallax::checker {
namespace {

constexpr std::uint32_t kNone = ~std::uint32_t{0};
constexpr std::int64_t kBeforeAll = std::numeric_limits<std::int64_t>::min();

struct Cluster {
  std::int64_t first_return = kNever;
  std::int64_t last_call = kBeforeAll;
  Text value = kNothing;
  std::uint32_t write = kNone;  ///< none for the initial value
  std::uint32_t first_returned = kNone;
  std::uint32_t last_called = kNone;

  bool forward() const { return first_return < last_call; }
};

std::int64_t return_of(const Operation& operation) {
  return operation.outcome == Outcome::unknown ? kNever : operation.return_ns;
}

bool is_read(const Operation& operation) {
  return operation.outcome == Outcome::mismatch ||
         (operation.kind == OperationKind::read && operation.outcome == Outcome::ok);
}

class Zones {
 public:
  Zones(std::span<const Operation> operations, std::vector<std::uint32_t>& cluster_of)
      : operations_(operations), cluster_of_(cluster_of) {}
  ~Zones() {
    for (const Cluster& cluster : clusters_) cluster_of_[cluster.value.value] = kNone;
  }
  Zones(const Zones&) = delete;
  Zones& operator=(const Zones&) = delete;

  ZonesResult run(Text initial) {
    open_cluster(initial, kNone);
    clusters_[0].first_return = kBeforeAll;
    if (!gather_writes()) return {};
    gather_reads();
    find_conflicts();
    return {true, std::move(conflict_)};
  }

 private:
  void open_cluster(Text value, std::uint32_t write) {
    cluster_of_[value.value] = static_cast<std::uint32_t>(clusters_.size());
    clusters_.push_back({.value = value, .write = write});
  }

  void join(Cluster& cluster, std::uint32_t i) {
    const Operation& operation = operations_[i];
    if (return_of(operation) < cluster.first_return) {
      cluster.first_return = return_of(operation);
      cluster.first_returned = i;
    }
    if (operation.call_ns > cluster.last_call || cluster.last_called == kNone) {
      cluster.last_call = operation.call_ns;
      cluster.last_called = i;
    }
  }

  /// False if an operation is there that zones cannot judge.
  bool gather_writes() {
    for (std::uint32_t i = 0; i < operations_.size(); ++i) {
      const Operation& operation = operations_[i];
      if (operation.outcome == Outcome::failed || operation.kind == OperationKind::read) continue;
      if (operation.outcome == Outcome::mismatch) {
        if (operation.result == kNothing || operation.result == operation.expected) return false;
        continue;
      }
      if (operation.kind != OperationKind::write) return false;
      if (cluster_of_[operation.value.value] != kNone) return false;
      open_cluster(operation.value, i);
      join(clusters_.back(), i);
    }
    return true;
  }

  void gather_reads() {
    for (std::uint32_t i = 0; i < operations_.size(); ++i) {
      const Operation& read = operations_[i];
      if (!is_read(read) || read.result == kNothing) continue;
      const std::uint32_t at = cluster_of_[read.result.value];
      if (at == kNone) {
        offer({i});  // nobody wrote it
        continue;
      }
      Cluster& cluster = clusters_[at];
      if (cluster.write != kNone && read.return_ns < operations_[cluster.write].call_ns) {
        offer({cluster.write, i});  // it was written only later
      }
      join(cluster, i);
    }
  }

  void find_conflicts() {
    std::vector<const Cluster*> forward, backward;
    for (const Cluster& cluster : clusters_) {
      (cluster.forward() ? forward : backward).push_back(&cluster);
    }
    std::sort(forward.begin(), forward.end(),
              [](const Cluster* a, const Cluster* b) { return a->first_return < b->first_return; });
    bool overlap = false;
    const Cluster* longest = nullptr;
    for (const Cluster* cluster : forward) {
      if (longest != nullptr && cluster->first_return < longest->last_call) {
        offer(*longest, *cluster);
        overlap = true;
      }
      if (longest == nullptr || cluster->last_call > longest->last_call) longest = cluster;
    }
    if (overlap) return;  // what follows relies on them being apart
    for (const Cluster* cluster : backward) {
      const auto after = std::partition_point(
          forward.begin(), forward.end(),
          [&](const Cluster* zone) { return zone->first_return < cluster->last_call; });
      if (after == forward.begin()) continue;
      const Cluster* around = *(after - 1);
      if (cluster->first_return < around->last_call) offer(*around, *cluster);
    }
  }

  void offer(const Cluster& a, const Cluster& b) {
    std::array<std::uint32_t, 6> ends{a.write,          b.write,       a.first_returned,
                                      b.first_returned, a.last_called, b.last_called};
    std::sort(ends.begin(), ends.end());
    const auto end = std::unique(ends.begin(), ends.end());
    std::vector<std::uint32_t> indices(ends.begin(), end);
    std::erase(indices, kNone);
    offer(std::move(indices));
  }

  void offer(std::vector<std::uint32_t> indices) {
    std::int64_t complete = kBeforeAll;
    for (const std::uint32_t i : indices) {
      if (operations_[i].outcome == Outcome::unknown) continue;
      complete = std::max(complete, operations_[i].return_ns);
    }
    if (!conflict_.empty() && complete >= conflict_complete_) return;
    conflict_ = std::move(indices);
    conflict_complete_ = complete;
  }

  std::span<const Operation> operations_;
  std::vector<std::uint32_t>& cluster_of_;
  std::vector<Cluster> clusters_;
  std::vector<std::uint32_t> conflict_;
  std::int64_t conflict_complete_ = 0;
};

}  // namespace

ZonesResult check_zones(const Texts& texts, std::span<const Operation> operations, Text initial,
                        ZonesRoom& room) {
  room.cluster_of.resize(texts.size(), kNone);
  return Zones(operations, room.cluster_of).run(initial);
}

}  // namespace parallax::checker
