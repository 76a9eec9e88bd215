#include "tests/replication/quorum/register_world.h"

#include <algorithm>

#include "base/assert.h"
#include "replication/quorum/sizes.h"

namespace parallax::test {

RegisterWorld::RegisterWorld(std::uint64_t seed, Options options)
    : random_(seed), options_(options), ids_(node_list(options.nodes)), nodes_(options.nodes) {
  for (Node& node : nodes_) node.offset = random_.below(60) << 16;
}

Hlc RegisterWorld::tick(Node& node) {
  const Hlc physical{(1'000 + now_) << 16 | 0};
  node.clock = std::max(node.clock.next(), Hlc{physical.value + node.offset});
  return node.clock;
}

std::size_t RegisterWorld::committed() const {
  std::vector<std::size_t> appended;
  for (const Node& node : nodes_) appended.push_back(node.recovering ? 0 : node.appended);
  std::sort(appended.rbegin(), appended.rend());
  return appended[majority_of(nodes_.size()) - 1];
}

void RegisterWorld::apply(Node& node, std::size_t up_to) {
  for (; node.applied < up_to; ++node.applied) {
    node.store.add(log_[node.applied]);
    observe(node, log_[node.applied].stamp.hlc);
    if (const auto found = log_operations_.find(node.applied); found != log_operations_.end()) {
      Operation& operation = history_[found->second];
      if (!operation.returned) operation.returned = now_;
    }
  }
}

void RegisterWorld::run(std::size_t steps) {
  for (std::size_t step = 0; step < steps; ++step) {
    ++now_;
    if (active_.size() < 3 && random_.chance(0.2)) begin();
    if (options_.log_writes && random_.chance(0.3)) log_step();
    if (options_.lost_disks && random_.chance(0.01)) lose_disk();
    if (options_.lost_disks && random_.chance(0.02)) recover();
    if (!persisting_.empty() && random_.chance(0.4)) {
      const std::size_t id = persisting_[random_.below(persisting_.size())];
      std::erase(persisting_, id);
      if (const auto found = active_.find(id); found != active_.end()) {
        std::visit(
            [](auto& core) {
              if constexpr (requires { core.on_persisted(); }) core.on_persisted();
            },
            found->second.core);
        collect(id);
      }
    }
    if (!packets_.empty() && random_.chance(0.9)) {
      const std::size_t at = random_.below(packets_.size());
      Packet packet = packets_[at];
      if (!random_.chance(0.1)) packets_.erase(packets_.begin() + static_cast<long>(at));
      if (!random_.chance(0.1)) deliver(std::move(packet));
    }
    std::vector<std::size_t> ids;
    for (auto& [id, active] : active_) {
      std::visit(
          [&](auto& core) {
            if constexpr (requires { core.take_asks(); }) core.tick(MonoTime{Duration{now_}});
          },
          active.core);
      ids.push_back(id);
    }
    for (const std::size_t id : ids) {
      if (random_.chance(0.01)) {
        std::visit([](auto& core) { core.expire(); }, active_.at(id).core);
      }
      collect(id);
    }
  }
}

void RegisterWorld::begin() {
  const NodeId coordinator = ids_[random_.below(ids_.size())];
  if (node(coordinator).recovering) return;
  std::vector<NodeId> order = ids_;
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_.below(i)]);
  std::optional<Duration> speculate_after;
  if (random_.chance(0.5)) speculate_after = Duration{random_.below(40)};
  const AtomicConfig config{
      .self = coordinator, .replicas = order, .speculate_after = speculate_after};
  Operation operation{.read = random_.chance(0.5), .call = now_};
  const MonoTime at{Duration{now_}};
  history_.push_back(operation);
  Active active{.operation = history_.size() - 1,
                .coordinator = coordinator,
                .core = AtomicRead(config, at),
                .expires = options_.expiries && random_.chance(0.5)};
  const std::size_t id = next_active_++;
  if (options_.quorum && operation.read) {
    active.core = QuorumRead({.query = {.replicas = order,
                                        .required = options_.quorum->r,
                                        .speculate_after = speculate_after},
                              .blocking_repair = options_.blocking_repair},
                             at);
  } else if (options_.quorum) {
    active.core = QuorumWrite({.self = coordinator, .replicas = order, .w = options_.quorum->w});
  } else if (!operation.read) {
    active.core = AtomicWrite(config, at);
  }
  Active& begun = active_.emplace(id, std::move(active)).first->second;
  if (auto* core = std::get_if<QuorumWrite>(&begun.core)) {
    const bool blind = random_.chance(0.5);
    write(id, {}, blind ? VersionVector{} : node(coordinator).store.context());
    core->start();
  }
  collect(id);
}

void RegisterWorld::send(std::size_t id, NodeId from, NodeId to,
                         decltype(Packet::message) message) {
  const Node& sender = node(from);
  packets_.push_back({.active = id,
                      .from = from,
                      .to = to,
                      .clock = sender.clock,
                      .incarnation = sender.incarnation,
                      .recovering = sender.recovering,
                      .message = std::move(message)});
}

void RegisterWorld::collect(std::size_t id) {
  const auto found = active_.find(id);
  if (found == active_.end()) return;
  Active& active = found->second;
  const NodeId self = active.coordinator;
  bool done = false;
  std::visit(
      [&](auto& core) {
        if constexpr (requires { core.take_asks(); }) {
          for (const NodeId to : core.take_asks())
            send(id, self, to, QuorumQuery{.majority = true});
        }
        std::vector<Repair> stores;
        if constexpr (requires { core.take_stores(); }) stores = core.take_stores();
        if constexpr (requires { core.take_repairs(); }) stores = core.take_repairs();
        for (Repair& store : stores) {
          send(id, self, store.to, QuorumStore{.state = std::move(store.state)});
        }
        if constexpr (requires { core.stamp_request(); }) {
          if (const auto request = core.stamp_request()) {
            observe(node(self), request->above);
            core.on_stamped(write(id, request->seen, request->seen.context()));
          }
        }
        if constexpr (requires { core.take_targets(); }) {
          for (const NodeId to : core.take_targets()) {
            send(id, self, to, QuorumStore{.state = node(self).store});
          }
        }
        done = core.outcome().has_value();
      },
      active.core);
  if (done) finish(id);
}

Stamp RegisterWorld::write(std::size_t id, const KeyState& seen, VersionVector context) {
  Active& active = active_.at(id);
  Node& self = node(active.coordinator);
  Version version;
  version.stamp = {tick(self), active.coordinator};
  version.actor = {ActorPath::quorum, active.coordinator, self.incarnation};
  version.context = std::move(context);
  version.value = Bytes{version.stamp.to_string()};
  if (active.expires) {
    version.expires_at = UnixMillis{version.stamp.hlc.millis().value + random_.below(100)};
  }
  history_[active.operation].stamp = version.stamp;
  self.store.join(seen);
  self.store.add(version);
  persisting_.push_back(id);
  return version.stamp;
}

void RegisterWorld::deliver(Packet packet) {
  Node& to = node(packet.to);
  if (packet.incarnation < node(packet.from).incarnation) return;  // void
  observe(to, packet.clock);
  if (const auto* store = std::get_if<QuorumStore>(&packet.message)) {
    receive(packet, *store);
  } else if (const auto* query = std::get_if<QuorumQuery>(&packet.message)) {
    if (!receive(packet, *query)) packets_.push_back(packet);
  } else if (const auto* held = std::get_if<QuorumQueryReply>(&packet.message)) {
    give(packet, *held);
  } else {
    give(packet, std::get<QuorumStoreReply>(packet.message));
  }
}

void RegisterWorld::receive(Packet& packet, const QuorumStore& store) {
  Node& to = node(packet.to);
  to.store.join(store.state);
  observe(to, to.store.context().highest());
  send(packet.active, packet.to, packet.from, QuorumStoreReply{.stored = true});
}

/// False: it waits for the pending tail.
bool RegisterWorld::receive(Packet& packet, const QuorumQuery&) {
  Node& to = node(packet.to);
  if (packet.tail == 0) packet.tail = to.appended;
  QuorumQueryReply reply{.state = to.store};
  if (to.recovering) {
    reply = {.status = QuorumQueryStatus::refused};
  } else if (to.applied < packet.tail) {
    if (!random_.chance(0.1)) return false;
    reply = {.status = QuorumQueryStatus::unresolved};
  }
  // Its physical clock shows in what it says.
  tick(to);
  send(packet.active, packet.to, packet.from, reply);
  return true;
}

template <class Reply>
void RegisterWorld::give(const Packet& packet, const Reply& reply) {
  const auto found = active_.find(packet.active);
  if (found == active_.end() || found->second.coordinator != packet.to) return;
  const Sender from{packet.from, packet.incarnation, packet.recovering};
  std::visit(
      [&](auto& core) {
        if constexpr (requires { core.step(from, reply); }) {
          core.step(from, reply);
        } else if constexpr (requires { core.step(from, packet.clock, reply); }) {
          core.step(from, packet.clock, reply);
        }
      },
      found->second.core);
  collect(packet.active);
}

void RegisterWorld::finish(std::size_t id) {
  Active& active = active_.at(id);
  Operation& operation = history_[active.operation];
  std::visit(
      [&](auto& core) {
        const auto& outcome = *core.outcome();
        if constexpr (requires { outcome.acknowledged; }) {
          if (outcome.acknowledged) operation.returned = now_;
          operation.definite = !outcome.acknowledged && outcome.certainty == Certainty::definite;
        } else if (outcome.answered) {
          operation.returned = now_;
          if constexpr (requires { core.wrote_back(); }) operation.rounds_two = core.wrote_back();
          if (const Version* winner = outcome.state.winner()) {
            operation.stamp = winner->stamp;
            operation.alive = !winner->tombstone;
          }
        }
      },
      active.core);
  active_.erase(id);
}

/// One step of the log: an entry by somebody who has applied all, on to a follower, or applied.
void RegisterWorld::log_step() {
  Node& any = nodes_[random_.below(nodes_.size())];
  if (any.recovering) return;
  switch (random_.below(3)) {
    case 0: {
      if (any.applied != log_.size() || any.appended != log_.size()) return;
      const NodeId self = ids_[static_cast<std::size_t>(&any - nodes_.data())];
      Version version;
      version.stamp = {tick(any), self};
      version.actor = kLogActor;
      version.context = any.store.context();
      version.value = Bytes{version.stamp.to_string()};
      version.log_index = LogIndex{log_.size() + 1};
      log_operations_[log_.size()] = history_.size();
      history_.push_back({.log = true, .call = now_, .stamp = version.stamp});
      log_.push_back(version);
      any.appended = log_.size();
      break;
    }
    case 1:
      any.appended = std::min(any.appended + 1, log_.size());
      break;
    default:
      apply(any, std::min(any.appended, committed()));
      break;
  }
}

void RegisterWorld::lose_disk() {
  if (std::any_of(nodes_.begin(), nodes_.end(), [](const Node& n) { return n.recovering; })) return;
  const std::size_t at = random_.below(nodes_.size());
  Node& lost = nodes_[at];
  // An entry that nobody else has is gone with it, and was not committed.
  std::size_t others = 0;
  for (const Node& node : nodes_) others = std::max(others, &node == &lost ? 0 : node.appended);
  log_.resize(others);
  lost.store = KeyState{};
  lost.appended = lost.applied = 0;
  lost.incarnation = Incarnation{lost.incarnation.value + 1};
  lost.recovering = true;
  std::erase_if(active_, [&](const auto& a) { return a.second.coordinator == ids_[at]; });
  const Sender next{ids_[at], lost.incarnation, true};
  for (auto& [id, active] : active_) {
    std::visit([&](auto& core) { core.heard(next); }, active.core);
  }
}

/// It joins what all others hold: at least a majority of members that are not recovering.
void RegisterWorld::recover() {
  std::size_t appended = 0;
  for (const Node& node : nodes_) appended = std::max(appended, node.appended);
  for (Node& node : nodes_) {
    if (!node.recovering) continue;
    for (const Node& other : nodes_) {
      node.store.join(other.store);
      observe(node, other.clock);
    }
    node.recovering = false;
    node.appended = appended;
    apply(node, committed());
  }
}

std::string RegisterWorld::judge() const {
  for (const Operation& first : history_) {
    if (!first.returned) continue;
    for (const Operation& later : history_) {
      if (!later.returned || later.log || later.call <= *first.returned) continue;
      const bool above = later.read ? later.stamp >= first.stamp : later.stamp > first.stamp;
      if (!above) {
        return fmt::format("{} {} at {}..{} after {} {} at {}..{}", later.read ? "read" : "write",
                           later.stamp, later.call, *later.returned,
                           first.read  ? "read"
                           : first.log ? "log write"
                                       : "write",
                           first.stamp, first.call, *first.returned);
      }
      if (first.read && later.read && first.stamp == later.stamp && later.alive && !first.alive) {
        return fmt::format("{} is alive at {} and was dead at {}", later.stamp, later.call,
                           *first.returned);
      }
    }
  }
  return "";
}

std::string RegisterWorld::judge_reads(bool after_writes, bool after_reads) const {
  for (const Operation& first : history_) {
    if (!first.returned || !(first.read ? after_reads : after_writes)) continue;
    for (const Operation& later : history_) {
      if (!later.returned || !later.read || later.call <= *first.returned) continue;
      if (later.stamp >= first.stamp) continue;
      return fmt::format("read {} at {}..{} after {} {} at {}..{}", later.stamp, later.call,
                         *later.returned, first.read ? "read" : "write", first.stamp, first.call,
                         *first.returned);
    }
  }
  return "";
}

}  // namespace parallax::test
