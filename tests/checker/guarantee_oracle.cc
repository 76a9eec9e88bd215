#include "tests/checker/guarantee_oracle.h"

#include <algorithm>
#include <functional>
#include <set>

#include "tests/checker/small_history.h"

namespace parallax::checker {
namespace {

/// The place of each write in its key's order, from 1; the beginning is 0.
using Ranks = std::vector<int>;

class Key {
 public:
  Key(const World& world, std::uint32_t key) : world_(world), key_(key) {
    for (int i = 0; i < count(); ++i) {
      if (at(i).writes && at(i).key == key) writes_.push_back(i);
    }
  }

  bool some_order_of(const std::function<bool(const Ranks&)>& judge) const {
    std::vector<int> order = writes_;
    std::sort(order.begin(), order.end());
    do {
      Ranks ranks(world_.operations.size(), 0);
      for (std::size_t i = 0; i < order.size(); ++i) {
        ranks[static_cast<std::size_t>(order[i])] = static_cast<int>(i) + 1;
      }
      if (judge(ranks)) return true;
    } while (std::next_permutation(order.begin(), order.end()));
    return false;
  }

  bool writers(const Ranks& ranks) const {
    for (const int w : writes_) {
      for (int e = 0; e < count(); ++e) {
        if (at(e).key != key_) continue;
        if (before(e, w) && at(e).writes && rank(ranks, e) >= rank(ranks, w)) return false;
        const bool read_first = before(e, w) || e == w;
        if (read_first && at(e).reads && shown(ranks, e) >= rank(ranks, w)) return false;
      }
    }
    return true;
  }
  /// Only demands that no order can meet, if `never`.
  bool own_writes(const Ranks& ranks, bool never) const {
    return each_read([&](int r) {
      for (const int w : writes_) {
        if (!before(w, r)) continue;
        if (never ? from_beginning(r) : shown(ranks, r) < rank(ranks, w)) return false;
      }
      return true;
    });
  }
  bool monotonic(const Ranks& ranks, bool never) const {
    return each_read([&](int r) {
      return each_read([&](int earlier) {
        if (!before(earlier, r)) return true;
        if (never) return from_beginning(earlier) || !from_beginning(r);
        return shown(ranks, r) >= shown(ranks, earlier);
      });
    });
  }
  bool observed(const Ranks& ranks, bool reads) const {
    return each_read([&](int r) {
      for (int seen = 0; seen < count(); ++seen) {
        if (!at(seen).reads || !before(seen, r) || from_beginning(seen)) continue;
        const int write = world_.source[static_cast<std::size_t>(seen)];
        if (at(write).key == key_ || at(write).session == at(r).session) continue;
        int last_read = -1;
        for (int e = 0; e < count(); ++e) {
          if (at(e).key != key_ || !before(e, write)) continue;
          if (!reads && at(e).writes && shown(ranks, r) < rank(ranks, e)) return false;
          if (at(e).reads) last_read = e;
        }
        if (reads && last_read >= 0 && shown(ranks, r) < shown(ranks, last_read)) return false;
      }
      return true;
    });
  }

 private:
  int count() const { return static_cast<int>(world_.operations.size()); }
  const SmallOperation& at(int i) const { return world_.operations[static_cast<std::size_t>(i)]; }
  bool before(int a, int b) const {
    return world_.before[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)];
  }
  static int rank(const Ranks& ranks, int write) { return ranks[static_cast<std::size_t>(write)]; }
  int shown(const Ranks& ranks, int read) const {
    const int source = world_.source[static_cast<std::size_t>(read)];
    return source == kBeginning ? 0 : rank(ranks, source);
  }
  bool from_beginning(int read) const {
    return world_.source[static_cast<std::size_t>(read)] == kBeginning;
  }
  bool each_read(const std::function<bool(int)>& judge) const {
    for (int r = 0; r < count(); ++r) {
      if (at(r).reads && at(r).key == key_ && !judge(r)) return false;
    }
    return true;
  }

  const World& world_;
  std::uint32_t key_;
  std::vector<int> writes_;
};

bool holds(const World& world, Guarantee guarantee) {
  std::set<std::uint32_t> keys;
  for (const SmallOperation& o : world.operations) keys.insert(o.key);
  for (const std::uint32_t name : keys) {
    const Key key(world, name);
    const bool own = guarantee == Guarantee::read_your_writes;
    const bool observers = guarantee >= Guarantee::monotonic_writes;
    const bool reads = guarantee == Guarantee::writes_follow_reads;
    if (!key.some_order_of([&](const Ranks& r) { return key.writers(r); })) {
      if (reads) return false;
      if (!observers && !(own ? key.own_writes({}, true) : key.monotonic({}, true))) return false;
      continue;
    }
    const bool evidence = key.some_order_of(
        [&](const Ranks& r) { return key.writers(r) && key.monotonic(r, false); });
    const bool good = key.some_order_of([&](const Ranks& r) {
      if (!key.writers(r)) return false;
      if (own) return key.own_writes(r, false);
      if (!observers) return key.monotonic(r, false);
      return (!evidence || key.monotonic(r, false)) && key.observed(r, reads);
    });
    if (!good) return false;
  }
  return true;
}

}  // namespace

bool brute_force_guarantee(const History& history, Guarantee guarantee) {
  return some_world(history, [&](const World& world) { return holds(world, guarantee); });
}

}  // namespace parallax::checker
