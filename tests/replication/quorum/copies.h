// Copies of one key at several replicas, as they come about: writes on top of what a replica holds,
// blind ones, deletions, and joins between replicas, at random.
#pragma once

#include <vector>

#include "base/random.h"
#include "storage/version.h"

namespace parallax::test {

inline KeyState joined(KeyState a, const KeyState& b) {
  a.join(b);
  return a;
}

/// Copy i belongs to node i + 1.
class Copies {
 public:
  explicit Copies(std::size_t count) : states_(count) {}

  std::vector<KeyState>& states() { return states_; }
  KeyState& of(NodeId node) { return states_.at(node.value - 1); }
  static NodeId node(std::size_t at) { return NodeId{static_cast<std::uint32_t>(at + 1)}; }
  Hlc last() const { return last_; }

  /// A version above all that was ever written, at `node`, on top of `seen`.
  Version version(NodeId node, VersionVector seen, std::uint64_t step = 1) {
    last_ = Hlc{last_.value + step};
    Version version;
    version.stamp = {last_, node};
    version.actor = {ActorPath::quorum, node, Incarnation{1}};
    version.context = std::move(seen);
    version.value = Bytes{version.stamp.to_string()};
    return version;
  }

  void write(Random& random, std::size_t at) {
    KeyState& state = states_.at(at);
    // Blind, or replacing all that is here.
    VersionVector seen = random.chance(0.4) ? VersionVector{} : state.context();
    Version made = version(node(at), std::move(seen), 1 + random.below(100));
    if (random.chance(0.2)) bury(made);
    state.add(std::move(made));
  }

  /// Some writes and joins.
  void stir(Random& random, std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step) {
      const std::size_t at = random.below(states_.size());
      if (random.chance(0.5)) {
        write(random, at);
      } else {
        states_[at].join(states_[random.below(states_.size())]);
      }
    }
  }

 private:
  std::vector<KeyState> states_;
  Hlc last_{1'000};
};

inline std::vector<NodeId> node_list(std::size_t count) {
  std::vector<NodeId> nodes;
  for (std::size_t at = 0; at < count; ++at) nodes.push_back(Copies::node(at));
  return nodes;
}

}  // namespace parallax::test
