#include "tests/checker/small_history.h"

#include <algorithm>
#include <map>
#include <string>

namespace parallax::checker {
namespace {

std::vector<SmallOperation> all_operations(const History& history) {
  std::vector<Operation> sorted = history.operations;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Operation& a, const Operation& b) {
    return a.call_ns != b.call_ns ? a.call_ns < b.call_ns : a.return_ns < b.return_ns;
  });
  std::map<std::string, std::size_t> sessions;
  std::vector<SmallOperation> all;
  for (const Operation& o : sorted) {
    if (o.outcome == Outcome::failed) continue;
    const bool unknown = o.outcome == Outcome::unknown;
    const std::string name = o.session == kNothing
                                 ? "client " + std::to_string(o.client)
                                 : "session " + std::string(history.texts[o.session]);
    SmallOperation small{.session = sessions.emplace(name, sessions.size()).first->second,
                         .key = o.key.value};
    small.open = unknown;
    if (o.kind == OperationKind::read && !unknown) {
      small.reads = true;
      small.seen = o.result;
    } else if (o.kind == OperationKind::write || o.kind == OperationKind::remove) {
      small.writes = true;
      small.given = o.kind == OperationKind::remove ? kAbsent : o.value;
    } else if (o.kind == OperationKind::cas && o.outcome == Outcome::mismatch) {
      small.reads = o.result != kNothing;
      small.seen = o.result;
    } else if (o.kind == OperationKind::cas) {
      small.reads = !unknown;
      small.seen = o.expected;
      small.writes = true;
      small.given = o.value;
    }
    if (small.reads || small.writes) all.push_back(small);
  }
  return all;
}

bool choose_sources(World& world, std::size_t next,
                    const std::function<bool(const World&)>& judge) {
  if (next == world.operations.size()) return judge(world);
  const SmallOperation& read = world.operations[next];
  if (!read.reads) return choose_sources(world, next + 1, judge);
  if (read.seen == kAbsent) {
    world.source[next] = kBeginning;
    if (choose_sources(world, next + 1, judge)) return true;
  }
  for (std::size_t w = 0; w < world.operations.size(); ++w) {
    const SmallOperation& write = world.operations[w];
    if (w == next || !write.writes || write.key != read.key || write.given != read.seen) continue;
    world.source[next] = static_cast<int>(w);
    if (choose_sources(world, next + 1, judge)) return true;
  }
  return false;
}

bool extend(std::vector<int>& order, std::vector<bool>& placed, const std::vector<int>& members,
            const Relation& relation, const std::function<bool(const std::vector<int>&)>& judge) {
  if (order.size() == members.size()) return judge(order);
  for (const int m : members) {
    if (placed[static_cast<std::size_t>(m)]) continue;
    const bool ready = std::all_of(members.begin(), members.end(), [&](int other) {
      return placed[static_cast<std::size_t>(other)] ||
             !relation[static_cast<std::size_t>(other)][static_cast<std::size_t>(m)];
    });
    if (!ready) continue;
    placed[static_cast<std::size_t>(m)] = true;
    order.push_back(m);
    if (extend(order, placed, members, relation, judge)) return true;
    order.pop_back();
    placed[static_cast<std::size_t>(m)] = false;
  }
  return false;
}

}  // namespace

bool some_world(const History& history, const std::function<bool(const World&)>& judge) {
  const std::vector<SmallOperation> all = all_operations(history);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].open) open.push_back(i);
  }
  for (std::size_t choice = 0; choice < std::size_t{1} << open.size(); ++choice) {
    World world;
    for (std::size_t i = 0, o = 0; i < all.size(); ++i) {
      const bool happened = !all[i].open || (choice >> o & 1) != 0;
      if (all[i].open) ++o;
      if (happened) world.operations.push_back(all[i]);
    }
    const std::size_t count = world.operations.size();
    world.source.assign(count, kBeginning);
    world.before.assign(count, std::vector<bool>(count, false));
    for (std::size_t a = 0; a < count; ++a) {
      for (std::size_t b = a + 1; b < count; ++b) {
        world.before[a][b] =
            !world.operations[a].open && world.operations[a].session == world.operations[b].session;
      }
    }
    if (choose_sources(world, 0, judge)) return true;
  }
  return false;
}

bool close(Relation& relation) {
  const std::size_t count = relation.size();
  for (std::size_t k = 0; k < count; ++k) {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < count; ++j) {
        if (relation[i][k] && relation[k][j]) relation[i][j] = true;
      }
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (relation[i][i]) return false;
  }
  return true;
}

bool some_order(const std::vector<int>& members, const Relation& relation,
                const std::function<bool(const std::vector<int>&)>& judge) {
  std::vector<int> order;
  std::vector<bool> placed(relation.size(), false);
  return extend(order, placed, members, relation, judge);
}

}  // namespace parallax::checker
