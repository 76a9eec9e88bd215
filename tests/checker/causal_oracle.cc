#include "tests/checker/causal_oracle.h"

#include <map>

#include "tests/checker/small_history.h"

namespace parallax::checker {
namespace {

/// Whether every operation that `checked` names saw, in this order, the last write before it.
bool explains(const World& world, const std::vector<int>& order, const std::vector<bool>& checked) {
  std::map<std::uint32_t, Text> state;
  for (const int i : order) {
    const auto index = static_cast<std::size_t>(i);
    const SmallOperation& o = world.operations[index];
    const auto found = state.find(o.key);
    const Text current = found == state.end() ? kAbsent : found->second;
    if (o.reads && checked[index] && current != o.seen) return false;
    if (o.writes) state[o.key] = o.given;
  }
  return true;
}

/// The causal past of `last`, and itself.
std::vector<int> past(const Relation& causal, std::size_t last) {
  std::vector<int> members;
  for (std::size_t i = 0; i < causal.size(); ++i) {
    if (i == last || causal[i][last]) members.push_back(static_cast<int>(i));
  }
  return members;
}

bool holds(const World& world, CausalModel model) {
  Relation causal = world.before;
  const std::size_t count = world.operations.size();
  for (std::size_t r = 0; r < count; ++r) {
    if (world.operations[r].reads && world.source[r] != kBeginning) {
      causal[static_cast<std::size_t>(world.source[r])][r] = true;
    }
  }
  if (!close(causal)) return false;
  if (model == CausalModel::ccv) {
    std::vector<int> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(static_cast<int>(i));
    return some_order(all, causal, [&](const std::vector<int>& order) {
      for (std::size_t o = 0; o < count; ++o) {
        std::vector<int> mine;
        for (const int i : order) {
          if (static_cast<std::size_t>(i) == o || causal[static_cast<std::size_t>(i)][o]) {
            mine.push_back(i);
          }
        }
        std::vector<bool> checked(count, false);
        checked[o] = true;
        if (!explains(world, mine, checked)) return false;
      }
      return true;
    });
  }
  for (std::size_t o = 0; o < count; ++o) {
    std::vector<bool> checked(count, false);
    checked[o] = true;
    for (std::size_t i = 0; i < count && model == CausalModel::cm; ++i) {
      checked[i] = checked[i] || world.before[i][o];
    }
    const bool explained = some_order(past(causal, o), causal, [&](const std::vector<int>& order) {
      return explains(world, order, checked);
    });
    if (!explained) return false;
  }
  return true;
}

}  // namespace

bool brute_force_causal(const History& history, CausalModel model) {
  return some_world(history, [&](const World& world) { return holds(world, model); });
}

}  // namespace parallax::checker
