#include "consistency/checker/staleness.h"

#include <algorithm>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "base/assert.h"
#include "consistency/checker/by_key.h"
#include "consistency/checker/counterexample.h"
#include "consistency/checker/k_atomicity.h"
#include "consistency/checker/register_view.h"

namespace parallax::checker {
namespace {

/// Since when a value surely was not the newest.
struct Replaced {
  std::int64_t at_ns = kNever;
  std::uint32_t by = kNoOperation;  ///< who had seen or written a newer one by then
};

/// By write of the view.
std::vector<Replaced> replaced_since(const RegisterView& view) {
  std::vector<const RegisterView::Write*> by_call;
  for (const auto& write : view.writes) {
    if (write.first_returned != kNoOperation) by_call.push_back(&write);
  }
  std::sort(by_call.begin(), by_call.end(),
            [](const auto* a, const auto* b) { return a->call_ns < b->call_ns; });
  std::vector<Replaced> from(by_call.size() + 1);  ///< by any write from this one on
  for (std::size_t i = by_call.size(); i-- > 0;) {
    const RegisterView::Write& write = *by_call[i];
    const bool sooner = write.first_return_ns < from[i + 1].at_ns;
    from[i] = sooner ? Replaced{write.first_return_ns, write.first_returned} : from[i + 1];
  }
  std::vector<Replaced> replaced;
  for (const auto& write : view.writes) {
    const auto later = std::partition_point(by_call.begin(), by_call.end(), [&](const auto* other) {
      return other->call_ns <= write.first_return_ns;
    });
    replaced.push_back(from[static_cast<std::size_t>(later - by_call.begin())]);
  }
  return replaced;
}

/// Tells for any delta whether a key is linearizable once its reads are called so much earlier.
class Shifted {
 public:
  Shifted(const RegisterView& view, std::span<const Operation> operations) {
    std::vector<std::int64_t> last_read(view.writes.size(), kBeforeAll);
    std::int64_t latest = kBeforeAll;
    for (const auto& read : view.reads) {
      const std::int64_t call = operations[read.operation].call_ns;
      last_read[read.write] = std::max(last_read[read.write], call);
      latest = std::max(latest, call);
    }
    std::int64_t earliest = kNever;
    for (std::size_t i = 0; i < view.writes.size(); ++i) {
      const auto& write = view.writes[i];
      if (write.first_return_ns == kNever) continue;
      clusters_.push_back({write.first_return_ns, write.call_ns, last_read[i]});
      if (i > 0) earliest = std::min(earliest, write.first_return_ns);
    }
    std::sort(clusters_.begin(), clusters_.end(),
              [](const Cluster& a, const Cluster& b) { return a.first_return < b.first_return; });
    // No read is then after any value was in place, and writes alone do not contradict each other.
    if (latest > earliest) enough_ = latest - earliest;
  }

  std::int64_t smallest_delta() {
    std::int64_t low = 0;
    std::int64_t high = enough_;
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      if (linearizable(middle)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

 private:
  struct Cluster {
    std::int64_t first_return;
    std::int64_t write_call;
    std::int64_t last_read;

    std::int64_t last_call(std::int64_t delta) const {
      return last_read == kBeforeAll ? write_call : std::max(write_call, last_read - delta);
    }
  };
  struct Zone {
    std::int64_t begin;
    std::int64_t end;
  };

  /// As in zones.h.
  bool linearizable(std::int64_t delta) {
    forward_.clear();
    for (const Cluster& cluster : clusters_) {
      const Zone zone{cluster.first_return, cluster.last_call(delta)};
      if (zone.begin >= zone.end) continue;
      if (!forward_.empty() && zone.begin < forward_.back().end) return false;
      forward_.push_back(zone);
    }
    return std::none_of(clusters_.begin(), clusters_.end(), [&](const Cluster& cluster) {
      const Zone zone{cluster.first_return, cluster.last_call(delta)};
      if (zone.begin < zone.end) return false;
      const auto after =
          std::partition_point(forward_.begin(), forward_.end(),
                               [&](const Zone& forward) { return forward.begin < zone.end; });
      return after != forward_.begin() && zone.begin < (after - 1)->end;
    });
  }

  std::vector<Cluster> clusters_;
  std::vector<Zone> forward_;
  std::int64_t enough_ = 0;
};

class Measure {
 public:
  Measure(const Texts& texts, Text initial, bool judge_k)
      : texts_(texts), initial_(initial), judge_k_(judge_k) {}

  void add(std::span<const Operation> operations) {
    const auto view = view_register(texts_, operations, initial_, room_);
    if (!view) {
      ++result_.keys_left_out;
      return;
    }
    ++result_.keys;
    result_.impossible_reads += view->impossible_reads;
    add_ages(*view, operations);
    const std::int64_t delta = Shifted(*view, operations).smallest_delta();
    result_.delta_ns = std::max(result_.delta_ns, delta);
    if (!judge_k_ || view->has_cas || view->impossible_reads > 0) return;
    if (delta == 0) {
      ++result_.keys_1_atomic;
    } else if (is_2_atomic(*view, operations)) {
      ++result_.keys_2_atomic;
    } else {
      ++result_.keys_beyond_2;
    }
  }

  Staleness take() {
    result_.reads = ages_.size();
    result_.p50_ns = quantile(50);
    result_.p99_ns = quantile(99);
    result_.max_ns = ages_.empty() ? 0 : *std::max_element(ages_.begin(), ages_.end());
    if (result_.worst) tell(*result_.worst);
    return std::move(result_);
  }

 private:
  void add_ages(const RegisterView& view, std::span<const Operation> operations) {
    const std::vector<Replaced> replaced = replaced_since(view);
    for (const auto& read : view.reads) {
      const Operation& operation = operations[read.operation];
      const Replaced& since = replaced[read.write];
      const std::int64_t age =
          operation.call_ns > since.at_ns ? operation.call_ns - since.at_ns : 0;
      ages_.push_back(age);
      if (age == 0) continue;
      ++result_.stale_reads;
      if (!result_.worst || age > result_.worst->age_ns) {
        result_.worst = {operation, operations[since.by], age, {}};
      }
    }
  }

  std::int64_t quantile(std::size_t percent) {
    if (ages_.empty()) return 0;
    const std::size_t rank = (ages_.size() * percent + 99) / 100;
    const auto at = ages_.begin() + static_cast<std::ptrdiff_t>(rank - 1);
    std::nth_element(ages_.begin(), at, ages_.end());
    return *at;
  }

  void tell(StaleRead& worst) const {
    // A successful cas saw what it expected.
    Operation read = worst.read;
    if (read.kind == OperationKind::cas && read.outcome == Outcome::ok) {
      read.kind = OperationKind::read;
      read.result = read.expected;
    }
    worst.text =
        fmt::format("Key \"{}\": {} {} after that had been replaced: {} had completed by then.",
                    texts_[read.key], describe(texts_, read), describe_duration(worst.age_ns),
                    deed(worst.newer));
  }

  std::string deed(const Operation& newer) const {
    return fmt::format(
        "client {}'s {} of {}", newer.client, to_string(newer.kind),
        texts_[newer.kind == OperationKind::read || newer.outcome != Outcome::ok ? newer.result
                                                                                 : newer.value]);
  }

  const Texts& texts_;
  Text initial_;
  bool judge_k_;
  RegisterRoom room_;
  std::vector<std::int64_t> ages_;
  Staleness result_;
};

}  // namespace

Staleness measure_staleness(const History& history, const StalenessOptions& options) {
  const WithInitial start(history.texts, options.initial);
  Measure measure(start.texts(), start.initial(), options.judge_k);
  const OperationsByKey by_key = split_by_key(history);
  for (const auto& operations : by_key.parts) measure.add(operations);
  return measure.take();
}

}  // namespace parallax::checker
