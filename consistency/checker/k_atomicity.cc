#include "consistency/checker/k_atomicity.h"

#include <algorithm>
#include <numeric>

#include "base/assert.h"

namespace parallax::checker {
namespace {

constexpr std::uint32_t kNone = ~std::uint32_t{0};
constexpr std::uint64_t kFirstBound = 64;

/// Numbers 0 to size-1 in a given order. What was taken out last can be put back first.
class Order {
 public:
  explicit Order(const std::vector<std::uint32_t>& order)
      : next_(order.size() + 1), prev_(order.size() + 1) {
    std::uint32_t before = end();
    for (const std::uint32_t i : order) {
      next_[before] = i;
      prev_[i] = before;
      before = i;
    }
    next_[before] = end();
    prev_[end()] = before;
  }
  std::uint32_t end() const { return static_cast<std::uint32_t>(next_.size() - 1); }
  std::uint32_t last() const { return prev_[end()]; }
  std::uint32_t before(std::uint32_t i) const { return prev_[i]; }
  void take(std::uint32_t i) {
    next_[prev_[i]] = next_[i];
    prev_[next_[i]] = prev_[i];
  }
  void put_back(std::uint32_t i) { next_[prev_[i]] = prev_[next_[i]] = i; }

 private:
  std::vector<std::uint32_t> next_, prev_;
};

template <class Key>
std::vector<std::uint32_t> sorted(std::size_t count, Key key) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
  return order;
}

struct Interval {
  std::int64_t begin;
  std::int64_t end;
};

/// A write ends when its value surely is in place. One that nobody can tell of is not here.
struct Writes {
  std::vector<Interval> intervals;
  std::vector<std::uint32_t> place;  ///< by index in the view
};

Writes writes_of(const RegisterView& view) {
  Writes writes;
  for (const RegisterView::Write& write : view.writes) {
    const bool counts = write.first_return_ns != kNever;
    writes.place.push_back(counts ? static_cast<std::uint32_t>(writes.intervals.size()) : kNone);
    if (counts) writes.intervals.push_back({write.call_ns, write.first_return_ns});
  }
  return writes;
}

enum class Attempt { works, fails, out_of_bound };

class Builder {
 public:
  Builder(const RegisterView& view, std::span<const Operation> operations, Writes writes)
      : writes_(std::move(writes.intervals)),
        by_begin_(sorted(writes_.size(), [&](std::uint32_t w) { return writes_[w].begin; })),
        by_end_(sorted(writes_.size(), [&](std::uint32_t w) { return writes_[w].end; })),
        call_(calls(view, operations)),
        by_call_(sorted(call_.size(), [&](std::uint32_t r) { return call_[r]; })),
        first_read_(writes_.size() + 1, 0),
        gone_(call_.size(), false) {
    for (const RegisterView::Read& read : view.reads)
      read_from_.push_back(writes.place[read.write]);
    for (const std::uint32_t w : read_from_) ++first_read_[w + 1];
    std::partial_sum(first_read_.begin(), first_read_.end(), first_read_.begin());
    reads_of_ = sorted(call_.size(), [&](std::uint32_t r) { return read_from_[r]; });
  }

  bool run() {
    while (by_end_.last() != by_end_.end()) {
      if (!place_one_epoch()) return false;
    }
    return true;
  }

 private:
  static std::vector<std::int64_t> calls(const RegisterView& view,
                                         std::span<const Operation> operations) {
    std::vector<std::int64_t> calls;
    for (const auto& read : view.reads) calls.push_back(operations[read.operation].call_ns);
    return calls;
  }

  bool place_one_epoch() {
    candidates_.clear();
    const std::int64_t latest_begin = writes_[by_begin_.last()].begin;
    for (std::uint32_t w = by_end_.last(); w != by_end_.end() && writes_[w].end >= latest_begin;
         w = by_end_.before(w)) {
      candidates_.push_back(w);
    }
    for (std::uint64_t bound = kFirstBound;; bound *= 2) {
      std::size_t left = 0;
      for (const std::uint32_t w : candidates_) {
        const Attempt attempt = place(w, bound);
        if (attempt == Attempt::works) return true;
        undo();
        if (attempt == Attempt::out_of_bound) candidates_[left++] = w;
      }
      candidates_.resize(left);
      if (left == 0) return false;
    }
  }

  /// Takes out `w` as the last write, and all that this forces.
  Attempt place(std::uint32_t w, std::uint64_t bound) {
    taken_writes_.clear();
    taken_reads_.clear();
    while (w != kNone) {
      take_write(w);
      const std::uint32_t latest = by_begin_.last();
      if (latest != by_begin_.end() && writes_[latest].begin > writes_[w].end) {
        return Attempt::fails;
      }
      for (std::uint32_t i = first_read_[w]; i < first_read_[w + 1]; ++i) {
        if (!gone_[reads_of_[i]]) take_read(reads_of_[i]);
      }
      std::uint32_t next = kNone;
      for (std::uint32_t r = by_call_.last(); r != by_call_.end() && call_[r] > writes_[w].end;
           r = by_call_.last()) {
        if (next != kNone && read_from_[r] != next) return Attempt::fails;
        next = read_from_[r];
        take_read(r);
      }
      if (next != kNone && taken_writes_.size() + taken_reads_.size() > bound) {
        return Attempt::out_of_bound;
      }
      w = next;
    }
    return Attempt::works;
  }

  void take_write(std::uint32_t w) {
    by_begin_.take(w);
    by_end_.take(w);
    taken_writes_.push_back(w);
  }
  void take_read(std::uint32_t r) {
    by_call_.take(r);
    gone_[r] = true;
    taken_reads_.push_back(r);
  }
  void undo() {
    for (; !taken_writes_.empty(); taken_writes_.pop_back()) {
      by_end_.put_back(taken_writes_.back());
      by_begin_.put_back(taken_writes_.back());
    }
    for (; !taken_reads_.empty(); taken_reads_.pop_back()) {
      by_call_.put_back(taken_reads_.back());
      gone_[taken_reads_.back()] = false;
    }
  }

  std::vector<Interval> writes_;
  Order by_begin_, by_end_;
  std::vector<std::int64_t> call_;  ///< of each read
  Order by_call_;
  std::vector<std::uint32_t> read_from_;   ///< by read
  std::vector<std::uint32_t> first_read_;  ///< by write, in reads_of_
  std::vector<std::uint32_t> reads_of_;
  std::vector<bool> gone_;
  std::vector<std::uint32_t> candidates_, taken_writes_, taken_reads_;
};

}  // namespace

bool is_2_atomic(const RegisterView& view, std::span<const Operation> operations) {
  PARALLAX_ASSERT(!view.has_cas, "{} operations with a cas among them", operations.size());
  return Builder(view, operations, writes_of(view)).run();
}

}  // namespace parallax::checker
