#include "tests/replication/causal/causal_world.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax::test {

using std::chrono::milliseconds;

CausalWorld::CausalWorld(Options options) : options_(options), nodes_(options.nodes) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].id = NodeId{static_cast<std::uint32_t>(i + 1)};
  }
  for (Node& node : nodes_) start(node);
}

void CausalWorld::start(Node& node) {
  CausalConfig config{.id = node.id, .incarnation = node.disk.incarnation};
  for (const Node& member : nodes_) config.members.push_back(member.id);
  config.life = ++lives_;
  config.buffer = options_.buffer;
  config.batch_bytes = options_.batch_bytes;
  config.log_bytes = options_.log_bytes;
  config.cache_bytes = options_.cache_bytes;
  config.max_removals = options_.max_removals;
  CausalRestored restored{
      .record = node.disk.record, .log = {}, .recovering = node.disk.recovering};
  for (const auto& [id, operation] : node.disk.log) {
    restored.log.push_back({id.first, id.second, operation.bytes(), operation.version.stamp.hlc});
  }
  if (const std::string what = fault(restored); !what.empty()) return fail(what);
  node.keys = node.disk.keys;
  node.core = std::make_unique<Causal>(config, restored, now_);
  for (std::size_t i = 0; i < node.disk.entries; ++i) {
    node.core->heard(recoveries_[i].first, recoveries_[i].second);
  }
  seen_by_[origin(node.id.value)] = node.disk.record.applied;
  collect(node);
}

// --- Turns --------------------------------------------------------------------------------------

void CausalWorld::advance(Duration by) {
  now_ += by;
  for (Node& node : nodes_) collect(node);
}

void CausalWorld::collect(Node& node) {
  for (int turns = 0; node.core && turns < 3; ++turns) {
    node.core->tick(now_);
    const bool may_persist = node.batches.size() < limits::kMaxBatchesInFlight;
    CausalReady ready = node.core->take_ready(may_persist);
    send(node, ready.send_now);
    if (may_persist) take(node, ready);
    serve_reads(node, ready);
    node.core->check();
    bool more = !ready.loads.empty() || !ready.page_reads.empty();
    if (!options_.hold_disks) {
      more |= !node.batches.empty();
      while (!node.batches.empty()) persist(node);
    }
    if (!more) return;
  }
}

void CausalWorld::take(Node& node, CausalReady& ready) {
  for (const CausalTransferPage::State& state : ready.install) {
    observe(node, state.state.context().highest());
    node.keys[state.key].join(state.state);
    node.dirty.insert(state.key);
  }
  if (!ready.install.empty() || node.core->counters().transfers != node.transfers) {
    // A jump comes before what is applied.
    node.transfers = node.core->counters().transfers;
    OriginVector& seen = seen_by_[origin(node.id.value)];
    for (const auto& [origin, count] : node.core->applied().entries()) {
      const auto behind = std::count_if(
          ready.apply.begin(), ready.apply.end(),
          [by = origin](const CausalOperation& operation) { return operation.origin() == by; });
      seen.advance(origin, count - static_cast<std::uint64_t>(behind));
    }
  }
  for (const CausalOperation& operation : ready.apply) {
    judge_applied(node, operation);
    observe(node, operation.version.stamp.hlc);
    node.keys[operation.key].add(operation.version);
    node.dirty.insert(operation.key);
  }
  join_early(node);
  if (!ready.needs_write() && node.dirty.empty()) {
    if (node.batches.empty()) {
      send(node, ready.send_after);
      for (const auto& [session, answer] : node.answers) answer();
    } else {
      Node::Batch& last = node.batches.back();
      std::move(ready.send_after.begin(), ready.send_after.end(),
                std::back_inserter(last.send_after));
      std::move(node.answers.begin(), node.answers.end(), std::back_inserter(last.answers));
    }
    node.answers.clear();
    return;
  }
  std::map<std::string, KeyState> keys;
  for (const std::string& key : node.dirty) keys[key] = node.keys[key];
  node.dirty.clear();
  std::vector<SharedOperation> puts = std::move(ready.apply);
  for (SharedOperation& operation : ready.append) puts.push_back(std::move(operation));
  auto change = [keys = std::move(keys), puts = std::move(puts), remove = std::move(ready.remove),
                 record = std::move(ready.record)](Disk& disk) {
    for (const auto& [key, state] : keys) disk.keys[key] = state;
    for (const CausalOperation& operation : puts) {
      disk.log[{operation.origin(), operation.number}] = operation;
    }
    for (const CausalRange& range : remove) {
      for (std::uint64_t n = range.first; n <= range.last; ++n) disk.log.erase({range.origin, n});
    }
    if (record) disk.record = *record;
  };
  node.batches.push_back({std::move(change), node.core->persisted_mark(),
                          std::move(ready.send_after), std::move(node.answers)});
  node.answers.clear();
}

void CausalWorld::join_early(Node& node) {
  for (auto it = node.early.begin(); it != node.early.end();) {
    if (!node.core->covers(it->second.context())) {
      ++it;
      continue;
    }
    node.keys[it->first].join(it->second);
    node.dirty.insert(it->first);
    it = node.early.erase(it);
  }
}

void CausalWorld::repair(std::uint32_t from, std::uint32_t to, const std::string& key) {
  Node& at = node(to);
  const auto found = node(from).disk.keys.find(key);
  if (!at.core || found == node(from).disk.keys.end()) return;
  observe(at, found->second.context().highest());
  at.early[key].join(found->second);
  collect(at);
}

void CausalWorld::serve_reads(Node& node, const CausalReady& ready) {
  for (const CausalLoad& load : ready.loads) {
    std::vector<SharedOperation> operations;
    std::size_t bytes = 0;
    auto it = node.disk.log.upper_bound({load.origin, load.after});
    for (; it != node.disk.log.end() && it->first.first == load.origin; ++it) {
      bytes += it->second.bytes();
      if (!operations.empty() && bytes > load.max_bytes) break;
      operations.push_back(it->second);
    }
    node.core->on_loaded(load, std::move(operations));
  }
  for (const CausalPageRead& read : ready.page_reads) {
    std::vector<CausalTransferPage::State> states;
    auto it = node.keys.upper_bound(read.after);
    for (; it != node.keys.end() && states.size() < options_.page_keys; ++it) {
      if (!it->second.empty()) states.push_back({it->first, it->second});
    }
    node.core->on_page(read, std::move(states), it == node.keys.end());
  }
}

void CausalWorld::send(Node& node, std::vector<CausalMessage>& messages) {
  const Sender from{node.id, node.disk.incarnation, node.disk.recovering};
  for (CausalMessage& message : messages) {
    packets_.push_back({message.to, from, node.clock, std::move(message.message)});
  }
  messages.clear();
}

void CausalWorld::persist(Node& node) {
  if (!node.core || node.batches.empty()) return;
  Node::Batch batch = std::move(node.batches.front());
  node.batches.pop_front();
  batch.change(node.disk);
  node.core->on_persisted(batch.mark);
  send(node, batch.send_after);
  for (const auto& [session, answer] : batch.answers) answer();
  if (options_.hold_disks) collect(node);
}

void CausalWorld::deliver(std::size_t position) {
  Packet packet = std::move(packets_[position]);
  drop(position);
  Node& to = node(packet.to.value);
  if (!to.core || cut_.contains({packet.from.id, packet.to})) return;
  observe(to, packet.clock);
  to.core->tick(now_);
  to.core->step(packet.from, packet.message);
  collect(to);
}

void CausalWorld::run_for(Duration time) {
  const MonoTime end = now_ + time;
  while (now_ < end) {
    advance(milliseconds(20));
    for (std::size_t left = 3 * packets_.size(); left > 0 && !packets_.empty(); --left) deliver(0);
    for (Node& node : nodes_) {
      while (node.core && !node.batches.empty()) persist(node);
    }
  }
}

// --- Faults -------------------------------------------------------------------------------------

void CausalWorld::forget_unwritten(const Node& node) {
  const Origin self{node.id, node.disk.incarnation};
  const std::uint64_t written = node.disk.record.applied.at(self);
  while (true) {
    const auto found = ledger_.upper_bound({self, written});
    if (found == ledger_.end() || found->first.first != self) return;
    by_stamp_.erase(found->second.version.stamp);
    ledger_.erase(found);
  }
}

void CausalWorld::crash(std::uint32_t id) {
  Node& down = node(id);
  if (!down.core) return;
  const Causal::Counters& last = down.core->counters();
  down.counters.fetches += last.fetches;
  down.counters.relayed += last.relayed;
  down.counters.transfers += last.transfers;
  down.counters.trimmed_early += last.trimmed_early;
  down.core.reset();
  down.transfers = 0;
  // Its clients hear nothing.
  for (Node::Batch& batch : down.batches) {
    for (const auto& [session, answer] : batch.answers) session->busy = false;
  }
  for (const auto& [session, answer] : down.answers) session->busy = false;
  down.batches.clear();
  down.answers.clear();
  down.dirty.clear();
  down.early.clear();
  forget_unwritten(down);
}

void CausalWorld::restart(std::uint32_t id) {
  if (!node(id).core) start(node(id));
}

void CausalWorld::wipe(std::uint32_t id) {
  crash(id);
  Node& lost = node(id);
  const Incarnation next{lost.disk.incarnation.value + 1};
  lost.disk = Disk{.incarnation = next, .recovering = true};
  start(lost);
}

void CausalWorld::end_recovery(std::uint32_t id) {
  Node& back = node(id);
  if (!back.core || !back.disk.recovering || back.disk.entries < recoveries_.size()) return;
  if (back.core->joined().size() < size() / 2 + 1) return;
  recoveries_.emplace_back(back.id, back.disk.incarnation);
}

void CausalWorld::apply_entry(Node& node) {
  if (!node.core || node.disk.entries == recoveries_.size()) return;
  const auto& [id, incarnation] = recoveries_[node.disk.entries++];
  if (id == node.id && incarnation == node.disk.incarnation) {
    node.disk.recovering = false;
    node.core->end_recovery();
  } else {
    node.core->heard(id, incarnation);
  }
}

void CausalWorld::isolate(std::uint32_t id) {
  for (std::uint32_t other = 1; other <= size(); ++other) {
    if (other != id) cut(id, other);
  }
}

// --- Sessions -----------------------------------------------------------------------------------

Stamp CausalWorld::stamp(Node& node) {
  const auto ms = std::chrono::duration_cast<milliseconds>(now_.time_since_epoch()).count();
  const Hlc physical = Hlc::from_millis(UnixMillis{1'000 + static_cast<std::uint64_t>(ms)});
  node.clock = std::max(node.clock.next(), physical);
  return {node.clock, node.id};
}

bool CausalWorld::write(Session& session, std::uint32_t id, const std::string& key, bool blind) {
  Node& at = node(id);
  if (!at.core || at.disk.recovering || session.busy) return false;
  const OriginVector dependencies = write_waits_for(session.guarantees, session.token);
  if (!at.core->consistent() || !at.core->covers(dependencies)) return false;
  Version version;
  version.stamp = stamp(at);
  const Origin self = origin(id);
  version.actor = {ActorPath::causal, self.node, self.incarnation};
  if (!blind) version.context = at.keys[key].context();
  version.value = Bytes{version.stamp.to_string()};

  OriginVector past;
  if (session.guarantees.monotonic_writes) past.join(session.wrote);
  if (session.guarantees.writes_follow_reads) past.join(session.saw);
  const std::uint64_t number = at.core->propose(key, version, dependencies);
  past.advance(self, number);
  if (!ledger_.emplace(OperationId{self, number}, Issued{key, version, past}).second) {
    fail(fmt::format("{} of {}.{} is issued twice", number, self.node, self.incarnation));
  }
  by_stamp_[version.stamp] = {self, number};
  at.keys[key].add(version);
  at.dirty.insert(key);
  seen_by_[self].advance(self, number);
  session.busy = true;
  at.answers.emplace_back(&session, [&session, self, number, past] {
    note_write(session.token, self, number);
    session.wrote.join(past);
    session.busy = false;
  });
  collect(at);
  return true;
}

bool CausalWorld::read(Session& session, std::uint32_t id, const std::vector<std::string>& keys) {
  Node& at = node(id);
  if (!at.core || at.disk.recovering || session.busy) return false;
  const OriginVector needed = read_waits_for(session.guarantees, session.token);
  if (!at.core->consistent() || !at.core->covers(needed)) return false;
  OriginVector past;
  if (session.guarantees.monotonic_reads) past.join(session.saw);
  if (session.guarantees.read_your_writes) past.join(session.wrote);
  OriginVector seen;
  for (const std::string& key : keys) seen.join(past_of_state(at.keys[key]));
  past.join(seen);
  judge_read(at, keys, past);
  session.busy = true;
  at.answers.emplace_back(&session, [&session, seen, applied = at.core->applied()] {
    note_read(session.token, applied);
    session.saw.join(seen);
    session.busy = false;
  });
  collect(at);
  return true;
}

std::string CausalWorld::value(std::uint32_t id, const std::string& key) {
  const Version* winner = node(id).keys[key].winner();
  return winner == nullptr ? "" : winner->value.to_string();
}

// --- Verdicts -----------------------------------------------------------------------------------

std::uint64_t CausalWorld::surviving(const Origin& origin) const {
  std::uint64_t most = 0;
  for (const Node& node : nodes_) {
    most = std::max(most, node.disk.record.applied.at(origin));
    if (node.core) most = std::max(most, node.core->applied().at(origin));
  }
  return most;
}

/// What the versions that can be seen follow.
OriginVector CausalWorld::past_of_state(const KeyState& state) const {
  OriginVector past;
  for (const Version& version : state.versions()) {
    const auto id = by_stamp_.find(version.stamp);
    if (id != by_stamp_.end()) past.join(ledger_.at(id->second).past);
  }
  return past;
}

void CausalWorld::judge_applied(Node& node, const CausalOperation& operation) {
  const Origin by = operation.origin();
  const auto text = [&] {
    return fmt::format("{} of {}.{} at {}", operation.number, by.node, by.incarnation, node.id);
  };
  OriginVector& seen = seen_by_[origin(node.id.value)];
  const auto issued = ledger_.find({by, operation.number});
  if (issued == ledger_.end() || issued->second.version != operation.version) {
    return fail(text() + " is not what was issued");
  }
  if (operation.number != seen.at(by) + 1) {
    return fail(fmt::format("{} comes behind {}", text(), seen.at(by)));
  }
  for (const auto& [origin, count] : issued->second.past.entries()) {
    const std::uint64_t need = origin == by ? operation.number - 1 : count;
    if (seen.at(origin) < std::min(need, surviving(origin))) {
      fail(fmt::format("{} comes before what it follows: {} with {}", text(),
                       issued->second.past.to_string(), seen.to_string()));
    }
  }
  seen.advance(by, operation.number);
}

void CausalWorld::judge_read(const Node& node, const std::vector<std::string>& keys,
                             OriginVector past) {
  for (const auto& [id, issued] : ledger_) {
    const auto& [origin, number] = id;
    if (number > past.at(origin) || number > surviving(origin)) continue;
    if (std::find(keys.begin(), keys.end(), issued.key) == keys.end()) continue;
    const KeyState& state = node.keys.at(issued.key);
    if (state.context().covers(issued.version.actor, issued.version.stamp.hlc)) continue;
    fail(fmt::format("a read of '{}' at {} lacks {} of {}.{}, which it follows", issued.key,
                     node.id, number, origin.node, origin.incarnation));
  }
}

void CausalWorld::check_contents(const Node& node) {
  const CausalRecord& record = node.disk.record;
  for (const auto& [id, issued] : ledger_) {
    if (!record.applied.covers(id.first, id.second)) continue;
    const auto state = node.disk.keys.find(issued.key);
    if (state == node.disk.keys.end() ||
        !state->second.context().covers(issued.version.actor, issued.version.stamp.hlc)) {
      return fail(fmt::format("{} of {}.{} is applied at {} and not there", id.second,
                              id.first.node, id.first.incarnation, node.id));
    }
  }
  for (const auto& [key, state] : node.disk.keys) {
    for (const Version& version : state.versions()) {
      const auto id = by_stamp_.find(version.stamp);
      if (id == by_stamp_.end()) return fail("a version of no operation at a node");
      const auto& [origin, number] = id->second;
      if (record.applied.covers(origin, number) || record.ceiling.covers(origin, number)) continue;
      if (number > surviving(origin)) continue;  // its origin is lost, and the ceiling settled
      return fail(fmt::format("{} of {}.{} is at {}, beyond its bounds", number, origin.node,
                              origin.incarnation, node.id));
    }
  }
}

void CausalWorld::check_converged(bool disks_were_lost) {
  const Node& first = nodes_.front();
  for (Node& node : nodes_) {
    if (!node.core || node.disk.recovering) return fail("a node is not back");
    if (!node.core->consistent()) {
      return fail(fmt::format("{} has {} and not all of {}", node.id,
                              node.core->applied().to_string(),
                              node.disk.record.ceiling.to_string()));
    }
    if (node.core->applied() != first.core->applied()) {
      return fail(fmt::format("{} has {}, {} has {}", node.id, node.core->applied().to_string(),
                              first.id, first.core->applied().to_string()));
    }
    if (!node.early.empty()) return fail("an early state is still early");
    if (node.core->durable() != node.core->applied()) return fail("not all is durable");
    if (node.core->stable() != node.core->applied()) return fail("not all is stable");
    if (node.core->log_bytes() != 0 || !node.disk.log.empty()) return fail("a log is not trimmed");
    for (const auto& [origin, count] : node.core->applied().entries()) {
      if (node.core->waiting(origin) != 0) return fail("something still waits");
    }
    check_contents(node);
  }
  for (const auto& [id, issued] : ledger_) {
    const bool there = first.core->applied().covers(id.first, id.second);
    const bool lost = id.second > surviving(id.first);
    if (!there && !lost) return fail("an operation got lost");
    if (!there && !disks_were_lost) return fail("an operation got lost without a lost disk");
    if (!there && !first.core->covers(OriginVector({{id.first, id.second}}))) {
      return fail("what is lost is still waited for");
    }
  }
  if (disks_were_lost) {
    // A transfer may have brought what was lost to some: repair is to spread it.
    for (Node& node : nodes_) {
      for (const Node& other : nodes_) {
        for (const auto& [key, state] : other.disk.keys) node.disk.keys[key].join(state);
      }
    }
  }
  for (const Node& node : nodes_) {
    for (const auto& [key, state] : node.disk.keys) {
      const auto found = first.disk.keys.find(key);
      if (found == first.disk.keys.end() ? !state.empty() : found->second != state) {
        return fail(fmt::format("'{}' differs at {}", key, node.id));
      }
    }
  }
  if (disks_were_lost) return;
  // The dumb oracle: of all that was written, what nothing that was written replaces.
  for (const auto& [key, state] : first.disk.keys) {
    std::set<Stamp> expected;
    for (const auto& [id, issued] : ledger_) {
      const bool replaced = std::any_of(ledger_.begin(), ledger_.end(), [&](const auto& other) {
        return other.second.key == issued.key &&
               other.second.version.context.covers(issued.version.actor, issued.version.stamp.hlc);
      });
      if (issued.key == key && !replaced) expected.insert(issued.version.stamp);
    }
    std::set<Stamp> there;
    for (const Version& version : state.versions()) there.insert(version.stamp);
    if (there != expected) return fail(fmt::format("'{}' is not what was written", key));
  }
}

Causal::Counters CausalWorld::counters() const {
  Causal::Counters sum;
  for (const Node& node : nodes_) {
    const Causal::Counters now = node.core ? node.core->counters() : Causal::Counters{};
    sum.fetches += node.counters.fetches + now.fetches;
    sum.relayed += node.counters.relayed + now.relayed;
    sum.transfers += node.counters.transfers + now.transfers;
    sum.trimmed_early += node.counters.trimmed_early + now.trimmed_early;
  }
  return sum;
}

}  // namespace parallax::test
