#include "tests/checker/stores.h"

#include <algorithm>

#include <fmt/format.h>

namespace parallax::checker {
namespace {

struct Version {
  std::uint64_t stamp = 0;
  Text value = kAbsent;
};

/// When an operation takes effect.
struct Effect {
  std::int64_t at;
  std::size_t operation;
};

class Drawn {
 public:
  Drawn(const SessionShape& shape, Random& random) : shape_(shape), random_(random) {
    for (std::uint32_t k = 0; k < shape.keys; ++k) {
      keys_.push_back(history_.texts.intern(fmt::format("k{}", k)));
    }
    given_.resize(shape.keys);
    log_.resize(shape.keys);
    seen_.assign(shape.clients, 0);
    if (shape.store == Store::gossip) {
      replicas_.assign(shape.clients, std::vector<Version>(shape.keys));
    }
  }

  History draw() {
    std::vector<std::int64_t> free_at(shape_.clients, 0);
    std::vector<Effect> effects;
    for (std::size_t i = 0; i < shape_.operations; ++i) {
      const auto client = static_cast<std::uint32_t>(
          std::min_element(free_at.begin(), free_at.end()) - free_at.begin());
      draw_operation(i, client, free_at[client], effects);
    }
    std::stable_sort(effects.begin(), effects.end(),
                     [](const Effect& a, const Effect& b) { return a.at < b.at; });
    for (const Effect& effect : effects) apply(history_.operations[effect.operation]);
    return std::move(history_);
  }

 private:
  void draw_operation(std::size_t i, std::uint32_t client, std::int64_t& free_at,
                      std::vector<Effect>& effects) {
    const std::size_t key = random_.below(shape_.keys);
    Operation o{.kind = OperationKind::read, .client = client, .key = keys_[key]};
    o.call_ns = free_at + static_cast<std::int64_t>(random_.between(1, 3));
    o.return_ns = o.call_ns + static_cast<std::int64_t>(
                                  random_.between(0, static_cast<std::uint64_t>(shape_.longest)));
    free_at = o.return_ns;
    std::int64_t latest = o.return_ns;
    bool happens = true;
    if (!random_.chance(shape_.reads)) {
      o.kind = random_.chance(shape_.removes) ? OperationKind::remove
               : random_.chance(shape_.swaps) ? OperationKind::cas
                                              : OperationKind::write;
      if (o.kind != OperationKind::remove) {
        o.value = history_.texts.intern(fmt::format("{}", i + 1));
        if (random_.chance(shape_.duplicates) && !given_[key].empty()) o.value = any_given(key);
      }
      given_[key].push_back(o.kind == OperationKind::remove ? kAbsent : o.value);
      if (random_.chance(shape_.unknown)) {
        o.outcome = Outcome::unknown;
        o.return_ns = kNever;
        latest += 3 * shape_.longest;
        happens = random_.chance(0.5);
      }
    }
    const auto room = static_cast<std::uint64_t>(latest - o.call_ns);
    const std::int64_t at = o.call_ns + static_cast<std::int64_t>(random_.between(0, room));
    // What did not happen must still say what it expected.
    if (o.kind == OperationKind::cas && !happens) o.expected = kAbsent;
    if (happens) effects.push_back({at, i});
    history_.operations.push_back(o);
  }

  Text any_given(std::size_t key) { return given_[key][random_.below(given_[key].size())]; }
  std::size_t index(const Operation& o) const { return o.key.value - keys_.front().value; }
  Text stamp_text(std::uint64_t stamp) {
    return stamp == 0 ? kNothing : history_.texts.intern(fmt::format("{}-1", stamp));
  }

  void apply(Operation& o) {
    if (shape_.store == Store::gossip && random_.below(shape_.lag) == 0) join(o.client);
    const Version shown = current(o);
    if (o.kind == OperationKind::read) {
      o.result = shown.value;
      o.stamp = stamp_text(shown.stamp);
      return;
    }
    if (o.kind == OperationKind::cas) o.expected = shown.value;
    const Version mine{++last_stamp_, o.kind == OperationKind::remove ? kAbsent : o.value};
    o.stamp = stamp_text(mine.stamp);
    if (shape_.store == Store::gossip) replicas_[o.client][index(o)] = mine;
    if (shape_.store == Store::log) {
      log_[index(o)].push_back(mine);
      if (o.outcome == Outcome::ok) seen_[o.client] = last_stamp_;
    }
  }

  /// What a read, or the compare of a compare-and-set, sees.
  Version current(const Operation& o) {
    const std::size_t key = index(o);
    if (shape_.store == Store::gossip) return replicas_[o.client][key];
    if (shape_.store == Store::anything) {
      const bool none = given_[key].empty() || random_.chance(0.2);
      return {0, none ? kAbsent : any_given(key)};
    }
    std::uint64_t& seen = seen_[o.client];
    std::uint64_t upto = last_stamp_;
    if (o.kind == OperationKind::read) {
      const std::uint64_t low =
          std::max(seen, last_stamp_ > shape_.lag ? last_stamp_ - shape_.lag : 0);
      seen = upto = random_.between(low, last_stamp_);
    }
    const auto& versions = log_[key];
    const auto next =
        std::upper_bound(versions.begin(), versions.end(), upto,
                         [](std::uint64_t a, const Version& b) { return a < b.stamp; });
    return next == versions.begin() ? Version{} : *(next - 1);
  }

  void join(std::uint32_t client) {
    const auto& other = replicas_[random_.below(replicas_.size())];
    for (std::size_t k = 0; k < other.size(); ++k) {
      Version& mine = replicas_[client][k];
      if (mine.stamp < other[k].stamp) mine = other[k];
    }
  }

  const SessionShape& shape_;
  Random& random_;
  History history_;
  std::vector<Text> keys_;
  std::vector<std::vector<Text>> given_;   ///< by key: all values in call order
  std::vector<std::vector<Version>> log_;  ///< by key
  std::vector<std::uint64_t> seen_;        ///< by client: the prefix of the log
  std::vector<std::vector<Version>> replicas_;
  std::uint64_t last_stamp_ = 0;
};

}  // namespace

History random_sessions(const SessionShape& shape, Random& random) {
  return Drawn(shape, random).draw();
}

}  // namespace parallax::checker
