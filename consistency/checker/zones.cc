#include "consistency/checker/zones.h"

#include <algorithm>

#include "consistency/checker/model.h"

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
  std::uint32_t follows = kNone;   ///< the cluster whose value this one's cas replaced
  std::uint32_t followed = kNone;  ///< the inverse
};

/// Of a chain of clusters, most of which are one cluster long.
struct Zone {
  std::int64_t first_return;
  std::int64_t last_call;
  std::uint32_t first;  ///< the cluster with the first return
  std::uint32_t last;   ///< the one with the last call

  bool forward() const { return first_return < last_call; }
};

/// Two clusters of one chain, and all between them.
struct Part {
  std::uint32_t from = kNone;
  std::uint32_t to = kNone;
};

/// Why a history is not linearizable.
struct Conflict {
  std::vector<Part> parts;                ///< whose writes belong to it
  std::vector<std::uint32_t> operations;  ///< and what else does
};

std::int64_t return_of(const Operation& operation) {
  return operation.outcome == Outcome::unknown ? kNever : operation.return_ns;
}

/// A cas that writes what it expects is one too.
bool is_read(const Operation& operation) {
  return operation.outcome == Outcome::mismatch ||
         (is_pure(operation) && operation.outcome == Outcome::ok);
}

Text seen(const Operation& operation) {
  const bool replaces =
      operation.kind == OperationKind::cas && operation.outcome != Outcome::mismatch;
  return replaces ? operation.expected : operation.result;
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
    if (!gather_writes() || !gather_reads()) return {};
    if (has_cas_) link();
    make_zones();
    find_conflicts();
    return result();
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
      if (operation.outcome == Outcome::failed || is_pure(operation)) continue;
      const bool is_cas = operation.kind == OperationKind::cas;
      if (!is_cas && operation.kind != OperationKind::write) return false;
      if (cluster_of_[operation.value.value] != kNone) return false;
      has_cas_ = has_cas_ || is_cas;
      open_cluster(operation.value, i);
      join(clusters_.back(), i);
    }
    return true;
  }

  bool gather_reads() {
    for (std::uint32_t i = 0; i < operations_.size(); ++i) {
      const Operation& read = operations_[i];
      if (!is_read(read)) continue;
      const Text value = seen(read);
      if (read.outcome == Outcome::mismatch) {
        if (value == kNothing && cluster_of_[read.expected.value] != kNone) return false;
        if (value == read.expected) {  // then it would not have been refused
          offer(read.return_ns, [&] { return Conflict{{}, {i}}; });
          continue;
        }
      }
      if (value == kNothing) continue;
      const std::uint32_t at = cluster_of_[value.value];
      if (at == kNone) {
        offer(read.return_ns, [&] { return Conflict{{}, {i}}; });  // nobody wrote it
        continue;
      }
      Cluster& cluster = clusters_[at];
      if (cluster.write != kNone && read.return_ns < operations_[cluster.write].call_ns) {
        // It was written only later.
        offer(return_if_known(cluster.write), [&] { return Conflict{{{at, at}}, {i}}; });
      }
      join(cluster, i);
    }
    return true;
  }

  // --- Chains.

  const Operation& writer(std::uint32_t cluster) const {
    return operations_[clusters_[cluster].write];
  }

  bool by_cas(std::uint32_t cluster) const {
    return clusters_[cluster].write != kNone && writer(cluster).kind == OperationKind::cas;
  }

  /// Links each cas that surely happened to what it replaced.
  void link() {
    std::vector<std::uint32_t> happened;
    for (std::uint32_t c = 0; c < clusters_.size(); ++c) {
      if (by_cas(c) && clusters_[c].first_returned != kNone) happened.push_back(c);
    }
    while (!happened.empty()) {
      const std::uint32_t c = happened.back();
      happened.pop_back();
      const std::uint32_t before = cluster_of_[writer(c).expected.value];
      if (before == kNone) {
        offer(return_if_known(clusters_[c].write), [&] {
          return Conflict{{}, {clusters_[c].write}};  // nobody wrote what it replaced
        });
      } else if (const std::uint32_t other = clusters_[before].followed; other != kNone) {
        offer(
            std::max(return_if_known(clusters_[c].write), return_if_known(clusters_[other].write)),
            [&] {  // two replaced the same
              return Conflict{{{before, before}}, {clusters_[c].write, clusters_[other].write}};
            });
      } else {
        const bool known = clusters_[before].first_returned != kNone;
        clusters_[c].follows = before;
        clusters_[before].followed = c;
        if (by_cas(before) && !known) happened.push_back(before);
      }
    }
  }

  void make_zones() {
    std::vector<bool> in_zone(has_cas_ ? clusters_.size() : 0);
    for (std::uint32_t c = 0; c < clusters_.size(); ++c) {
      if (clusters_[c].follows != kNone) continue;
      Zone zone{clusters_[c].first_return, clusters_[c].last_call, c, c};
      bool broken = false;
      if (has_cas_) in_zone[c] = true;
      for (std::uint32_t n = clusters_[c].followed; n != kNone; n = clusters_[n].followed) {
        const Cluster& next = clusters_[n];
        in_zone[n] = true;
        if (!broken && next.first_return < zone.last_call) broken = offer_broken(n);
        if (next.first_return < zone.first_return) {
          zone.first_return = next.first_return;
          zone.first = n;
        }
        if (next.last_call > zone.last_call) {
          zone.last_call = next.last_call;
          zone.last = n;
        }
      }
      zones_.push_back(zone);
    }
    for (std::uint32_t c = 0; c < in_zone.size(); ++c) {
      if (!in_zone[c]) return offer_closed(c);
    }
  }

  /// An operation of cluster `n` returned before one of a cluster that it follows was called.
  bool offer_broken(std::uint32_t n) {
    std::uint32_t from = clusters_[n].follows;
    while (clusters_[from].last_call <= clusters_[n].first_return) from = clusters_[from].follows;
    const std::uint32_t late = clusters_[from].last_called;
    offer(return_if_known(late), [&] {
      return Conflict{{{from, n}}, {late, clusters_[n].first_returned}};
    });
    return true;
  }

  /// Each of these replaced what another of them wrote.
  void offer_closed(std::uint32_t c) {
    Conflict conflict;
    std::int64_t complete = kBeforeAll;
    for (std::uint32_t n = c; conflict.operations.empty() || n != c; n = clusters_[n].followed) {
      conflict.operations.push_back(clusters_[n].write);
      complete = std::max(complete, return_if_known(clusters_[n].write));
    }
    offer(complete, [&] { return conflict; });
  }

  // --- Zones.

  void find_conflicts() {
    const auto middle =
        std::partition(zones_.begin(), zones_.end(), [](const Zone& z) { return z.forward(); });
    std::sort(zones_.begin(), middle,
              [](const Zone& a, const Zone& b) { return a.first_return < b.first_return; });
    bool overlap = false;
    const Zone* longest = nullptr;
    for (auto zone = zones_.begin(); zone != middle; ++zone) {
      if (longest != nullptr && zone->first_return < longest->last_call) {
        offer(*longest, *zone);
        overlap = true;
      }
      if (longest == nullptr || zone->last_call > longest->last_call) longest = &*zone;
    }
    if (overlap) return;  // what follows relies on them being apart
    for (auto zone = middle; zone != zones_.end(); ++zone) {
      const auto after = std::partition_point(zones_.begin(), middle, [&](const Zone& forward) {
        return forward.first_return < zone->last_call;
      });
      if (after == zones_.begin()) continue;
      if (zone->first_return < (after - 1)->last_call) offer(*(after - 1), *zone);
    }
  }

  void offer(const Zone& a, const Zone& b) {
    std::int64_t complete = kBeforeAll;
    for (const std::uint32_t c : {a.first, a.last, b.first, b.last}) {
      for (const std::uint32_t i :
           {clusters_[c].write, clusters_[c].first_returned, clusters_[c].last_called}) {
        complete = std::max(complete, return_if_known(i));
      }
    }
    offer(complete, [&] {
      const Zone near_a = shrink(a, b);
      const Zone near_b = shrink(b, near_a);
      return Conflict{{{near_a.first, near_a.last}, {near_b.first, near_b.last}},
                      {clusters_[near_a.first].first_returned, clusters_[near_a.last].last_called,
                       clusters_[near_b.first].first_returned, clusters_[near_b.last].last_called}};
    });
  }

  /// As little of the chain as is in conflict with `other`.
  Zone shrink(const Zone& zone, const Zone& other) const {
    std::uint32_t root = zone.first;
    while (clusters_[root].follows != kNone) root = clusters_[root].follows;
    Zone best = zone;
    std::size_t best_length = ~std::size_t{0};
    std::size_t at = 0;
    std::size_t returned_at = 0, called_at = 0;
    std::uint32_t returned = kNone, called = kNone;
    for (std::uint32_t c = root; c != kNone; c = clusters_[c].followed, ++at) {
      if (clusters_[c].first_return < other.last_call) {
        returned = c;
        returned_at = at;
      }
      if (clusters_[c].last_call > other.first_return) {
        called = c;
        called_at = at;
      }
      if (returned == kNone || called == kNone) continue;
      const std::size_t length =
          std::max(returned_at, called_at) - std::min(returned_at, called_at);
      if (length >= best_length) continue;
      best_length = length;
      best = {clusters_[returned].first_return, clusters_[called].last_call, returned, called};
    }
    return best;
  }

  // --- What is told.

  std::int64_t return_if_known(std::uint32_t i) const {
    if (i == kNone || operations_[i].outcome == Outcome::unknown) return kBeforeAll;
    return operations_[i].return_ns;
  }

  template <class Make>
  void offer(std::int64_t complete, Make make) {
    if (found_ && complete >= complete_) return;
    found_ = true;
    complete_ = complete;
    conflict_ = make();
  }

  ZonesResult result() {
    ZonesResult result{.applicable = true};
    if (!found_) return result;
    std::vector<std::uint32_t>& all = result.conflict;
    all = std::move(conflict_.operations);
    std::erase(all, kNone);
    for (const Part& part : conflict_.parts) add_writes(part, result);
    // A reason that is here already needs no reason of its own again.
    std::vector<bool> explained(operations_.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (explained[all[i]]) continue;
      explained[all[i]] = true;
      const std::uint32_t why = why_happened(all[i]);
      if (why == kNone) continue;
      all.push_back(why);
      std::erase(result.as_writes, why);  // that it replaced this one matters
    }
    for (auto* indices : {&result.conflict, &result.as_writes}) {
      std::sort(indices->begin(), indices->end());
      indices->erase(std::unique(indices->begin(), indices->end()), indices->end());
    }
    return result;
  }

  void add_writes(const Part& part, ZonesResult& result) const {
    std::vector<std::uint32_t> chain;
    const auto walk = [&](std::uint32_t from, std::uint32_t to) {
      chain.clear();
      for (std::uint32_t c = from; c != kNone; c = clusters_[c].followed) {
        chain.push_back(c);
        if (c == to) return true;
      }
      return false;
    };
    if (!walk(part.from, part.to)) walk(part.to, part.from);
    for (const std::uint32_t c : chain) {
      if (clusters_[c].write == kNone) continue;
      result.conflict.push_back(clusters_[c].write);
      if (c == chain.front() && by_cas(c)) result.as_writes.push_back(clusters_[c].write);
    }
  }

  /// Of an unknown cas: who saw or replaced its value.
  std::uint32_t why_happened(std::uint32_t i) const {
    const Operation& operation = operations_[i];
    if (operation.kind != OperationKind::cas || operation.outcome != Outcome::unknown) return kNone;
    const Cluster& cluster = clusters_[cluster_of_[operation.value.value]];
    if (cluster.first_returned != kNone) return cluster.first_returned;
    return cluster.followed == kNone ? kNone : clusters_[cluster.followed].write;
  }

  std::span<const Operation> operations_;
  std::vector<std::uint32_t>& cluster_of_;
  std::vector<Cluster> clusters_;
  std::vector<Zone> zones_;
  bool has_cas_ = false;
  bool found_ = false;
  std::int64_t complete_ = 0;
  Conflict conflict_;
};

}  // namespace

ZonesResult check_zones(const Texts& texts, std::span<const Operation> operations, Text initial,
                        ZonesRoom& room) {
  room.cluster_of.resize(texts.size(), kNone);
  return Zones(operations, room.cluster_of).run(initial);
}

}  // namespace parallax::checker
