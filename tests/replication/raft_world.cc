#include "raft_world.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax::testing {

RaftWorld::RaftWorld(Options options) : options_(options) {
  for (std::uint32_t i = 1; i <= options_.nodes; ++i) {
    nodes_.emplace_back();
    nodes_.back().id = NodeId{i};
  }
  for (Node& node : nodes_) start(node);
}

void RaftWorld::start(Node& node) {
  RaftConfig config;
  config.id = node.id;
  for (const Node& member : nodes_) config.members.push_back(member.id);
  config.life = ++lives_;
  config.seed = options_.seed * 1000 + node.id.value * 100 + lives_;
  config.log_cache_bytes = options_.log_cache_bytes;
  const RaftDisk& disk = node.disk;
  std::vector<RaftLog::Run> runs;
  LogIndex last = disk.start.index;
  std::vector<LogEntry> cached;
  for (const auto& [index, entry] : disk.log) {
    if (index <= disk.start.index) continue;
    PARALLAX_ASSERT(index == last.next(), "hole at {}", last);
    if (runs.empty() || runs.back().term != entry.term) runs.push_back({index, entry.term});
    if (index > disk.applied) cached.push_back(entry);
    last = index;
  }
  node.state = disk.state;
  node.applied = disk.applied;
  node.last_seen.reset();
  node.raft = std::make_unique<Raft>(
      config,
      RaftRestored{disk.hard_state, RaftLog(disk.start, std::move(runs), last, std::move(cached)),
                   disk.applied, disk.incarnation, disk.recovering},
      now_);
  if (disk.recovering) node.raft->set_recovery_ready();
}

void RaftWorld::advance(Duration by) {
  now_ += by;
  for (Node& node : nodes_) {
    if (node.raft) node.raft->tick(now_);
  }
  collect();
}

void RaftWorld::collect() {
  for (Node& node : nodes_) {
    if (node.raft) collect(node);
  }
  check();
}

void RaftWorld::collect(Node& node) {
  for (int rounds = 0;; ++rounds) {
    PARALLAX_ASSERT(rounds < 1000, "node {} never ends its turn", node.id);
    RaftReady ready = node.raft->take_ready(node.batches.size() < 2);
    const bool idle = ready.send_now.empty() && ready.send_after.empty() && !ready.needs_write() &&
                      ready.committed.empty() && ready.loads.empty() && ready.chunk_reads.empty();
    const Sender sender{node.id, node.disk.incarnation, node.raft->recovering()};
    for (RaftMessage& m : ready.send_now) packets_.push_back({node.id, m.to, sender, m.message});
    for (ConfirmedRound& round : ready.confirmed) node.confirmed.push_back(std::move(round));
    for (const LogEntry& entry : ready.committed) {
      PARALLAX_ASSERT(entry.index == node.applied.next(), "apply {} after {}", entry.index,
                      node.applied);
      node.applied = entry.index;
      node.state[entry.index] = fmt::format("{}:{}", entry.term, entry.payload.view());
      node.raft->on_applied(entry.index);
      if (entry.payload ==
              Bytes{fmt::format("end-recovery {} {}", node.id, node.disk.incarnation)} &&
          node.raft->recovering()) {
        node.raft->end_recovery(node.disk.incarnation);
      }
    }
    for (const auto& [member, incarnation] : node.raft->recovered_members()) {
      const Bytes payload{fmt::format("end-recovery {} {}", member, incarnation)};
      const LogIndex last = node.raft->log().last_index();
      if (last.value > 0 && node.raft->log().cached(last) &&
          node.raft->log().cached_entry(last).payload == payload) {
        continue;  // under way
      }
      node.raft->propose(payload);
    }
    const std::vector<LogLoad> loads = std::move(ready.loads);
    const std::vector<ChunkRead> chunk_reads = std::move(ready.chunk_reads);
    if (ready.needs_write() || !ready.send_after.empty()) {
      Node::Batch batch;
      batch.mark = node.raft->persisted_mark();
      batch.send_after = std::move(ready.send_after);
      for (const SnapshotChunk& chunk : ready.install) {
        for (const auto& record : chunk.records) {
          node.state[LogIndex{std::stoull(record.key)}] = record.value.to_string();
        }
        if (chunk.last) node.applied = std::max(node.applied, chunk.index);
      }
      batch.change = [ready = std::move(ready), state = node.state, applied = node.applied,
                      recovering = node.raft->recovering()](RaftDisk& disk) {
        disk.recovering = recovering;
        if (ready.hard_state) disk.hard_state = *ready.hard_state;
        if (ready.truncate_from) {
          disk.log.erase(disk.log.lower_bound(*ready.truncate_from),
                         disk.log.upper_bound(ready.truncate_to));
        }
        if (ready.log_start) {
          disk.start = *ready.log_start;
          disk.log.erase(disk.log.begin(), disk.log.upper_bound(disk.start.index));
        }
        for (const LogEntry& entry : ready.append) disk.log[entry.index] = entry;
        disk.state = state;
        disk.applied = applied;
      };
      node.batches.push_back(std::move(batch));
      if (options_.durable_at_once && !node.hold_disk) {
        while (!node.batches.empty()) persist_one(node);
      }
    }
    for (const LogLoad& load : loads) {
      std::vector<LogEntry> entries;
      for (auto at = node.disk.log.find(load.from); at != node.disk.log.end(); ++at) {
        if (at->first != load.from + entries.size() || entries.size() >= 3) break;
        entries.push_back(at->second);
      }
      node.raft->on_loaded(load.peer, load.from, std::move(entries));
    }
    for (const ChunkRead& read : chunk_reads) serve_chunk(node, read);
    if (idle) return;
  }
}

void RaftWorld::persist_one(Node& node) {
  if (node.batches.empty()) return;
  Node::Batch batch = std::move(node.batches.front());
  node.batches.pop_front();
  batch.change(node.disk);
  const Sender sender{node.id, node.disk.incarnation, node.raft->recovering()};
  for (RaftMessage& m : batch.send_after) packets_.push_back({node.id, m.to, sender, m.message});
  node.raft->on_persisted(batch.mark);
}

void RaftWorld::serve_chunk(Node& node, const ChunkRead& read) {
  if (read.sequence == 0) {
    const RaftDisk& disk = node.disk;
    const auto term = node.raft->log().term_at(disk.applied);
    if (!term) return node.raft->on_snapshot_failed(read.peer, read.transfer);
    node.views[read.transfer] = {LogStart{disk.applied, *term}, disk.state};
  }
  const auto& [start, state] = node.views.at(read.transfer);
  SnapshotChunk chunk{.transfer = read.transfer, .sequence = read.sequence};
  chunk.index = start.index;
  chunk.index_term = start.term;
  std::size_t skip = read.sequence * options_.chunk_entries;
  for (const auto& [index, text] : state) {
    if (skip > 0) {
      --skip;
    } else if (chunk.records.size() < options_.chunk_entries) {
      chunk.records.push_back({std::to_string(index.value), Bytes{text}});
    }
  }
  chunk.last = (read.sequence + 1) * options_.chunk_entries >= state.size();
  if (skip > 0 || (chunk.records.empty() && read.sequence > 0)) {  // asked past the end
    return node.raft->on_snapshot_failed(read.peer, read.transfer);
  }
  node.raft->on_snapshot_chunk(read.peer, std::move(chunk));
}

std::size_t RaftWorld::deliver_round() {
  const std::size_t count = packets_.size();
  for (std::size_t i = 0; i < count; ++i) deliver(0);
  collect();
  return count;
}

void RaftWorld::deliver(std::size_t position) {
  const Packet packet = packets_[position];
  packets_.erase(packets_.begin() + static_cast<long>(position));
  if (cut_.contains({packet.from, packet.to}) || cut_.contains({packet.to, packet.from})) return;
  Node& to = node(packet.to.value);
  if (!to.raft) return;
  if (on_deliver) on_deliver(packet);
  to.raft->step(packet.sender, packet.message);
}

void RaftWorld::stabilize() {
  collect();
  for (int round = 0; round < 300; ++round) {
    if (deliver_round() == 0) return;
  }
  PARALLAX_ASSERT(false, "{} packets never end", packets_.size());
}

void RaftWorld::crash(std::uint32_t id) {
  Node& node = this->node(id);
  node.raft.reset();
  node.batches.clear();
  node.views.clear();
  node.confirmed.clear();
}

void RaftWorld::restart(std::uint32_t id) {
  start(node(id));
}

void RaftWorld::wipe(std::uint32_t id) {
  crash(id);
  RaftDisk& disk = node(id).disk;
  const Incarnation next{disk.incarnation.value + 1};
  disk = RaftDisk{};
  disk.incarnation = next;
  disk.recovering = true;
  start(node(id));
}

void RaftWorld::isolate(std::uint32_t id) {
  for (const Node& other : nodes_) {
    if (other.id.value != id) cut(id, other.id.value);
  }
}

std::optional<std::uint32_t> RaftWorld::leader() const {
  std::optional<std::uint32_t> result;
  Term best;
  for (const Node& node : nodes_) {
    if (node.raft && node.raft->is_leader() && node.raft->term() >= best) {
      best = node.raft->term();
      result = node.id.value;
    }
  }
  return result;
}

std::uint32_t RaftWorld::elect() {
  for (int step = 0; step < 1500; ++step) {
    stabilize();
    if (const auto id = leader(); id && raft(*id).ready_to_serve()) return *id;
    advance(std::chrono::milliseconds(20));
  }
  PARALLAX_UNREACHABLE("no leader after 30 s");
}

void RaftWorld::check() {
  for (Node& node : nodes_) {
    if (!node.raft) continue;
    const Raft& raft = *node.raft;
    check_basic(raft);
    if (node.last_seen) check_delta(*node.last_seen, raft);
    node.last_seen = summarize(raft);
    if (raft.is_leader()) {
      const auto [at, fresh] = leaders_.try_emplace(raft.term(), node.id);
      PARALLAX_ASSERT(at->second == node.id, "two leaders in term {}: {} and {}", raft.term(),
                      at->second, node.id);
      if (fresh) {  // leader completeness
        for (const auto& [index, entry] : committed_) {
          if (index <= raft.log().start().index) continue;
          PARALLAX_ASSERT(raft.log().term_at(index) == entry.term,
                          "leader {} of term {} lacks committed entry {}", node.id, raft.term(),
                          index);
        }
      }
    }
    for (const auto& [index, text] : node.state) {
      if (index > node.applied) continue;
      const auto known = committed_.find(index);
      const std::string term = text.substr(0, text.find(':'));
      if (known == committed_.end()) {
        committed_[index] = {Term{std::stoull(term)}, index, Bytes{text}};
      } else {
        PARALLAX_ASSERT(known->second.payload.view() == text,
                        "node {} applied '{}' at {}, another '{}'", node.id, text, index,
                        known->second.payload.view());
      }
    }
  }
}

}  // namespace parallax::testing
