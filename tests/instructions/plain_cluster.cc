#include "tests/instructions/plain_cluster.h"

#include "base/assert.h"

namespace parallax::instructions {

using namespace std::chrono_literals;

PlainNode::PlainNode(PlainCluster& cluster, NodeId id) : cluster_(cluster) {
  ReplicaConfig config;
  config.id = id;
  config.members = {NodeId{1}, NodeId{2}, NodeId{3}};
  config.seed = id.value;
  replica_ = std::move(*Replica::open(config, store_, {cluster.now(), now()}));
  driver_.emplace(*replica_, DriverPorts{*this, *this, *this, *this});
}

void PlainNode::take_inputs() {
  driver_->begin_inputs();
  for (; !written_.empty(); written_.pop_front()) driver_->on_written(written_.front(), {});
  for (; !inbox.empty(); inbox.pop_front()) driver_->receive(inbox.front());
}

void PlainNode::write_batches() {
  for (; !batches_.empty(); batches_.pop_front()) {
    const auto& [sequence, batch] = batches_.front();
    PARALLAX_ASSERT(store_.write(batch), "memory takes every batch");
    written_.push_back(sequence);
  }
}

UnixMillis PlainNode::now() const {
  const auto passed =
      std::chrono::floor<std::chrono::milliseconds>(cluster_.now().time_since_epoch());
  return UnixMillis{1'700'000'000'000 + static_cast<std::uint64_t>(passed.count())};
}
MonoTime PlainNode::monotonic_now() const {
  return cluster_.now();
}
void PlainNode::submit(std::uint64_t sequence, WriteBatch batch) {
  batches_.emplace_back(sequence, std::move(batch));
}
void PlainNode::send(Envelope envelope) {
  cluster_.node(envelope.to).inbox.push_back(std::move(envelope));
}
void PlainNode::reply(RequestId id, Reply&& reply) {
  replies.emplace_back(id, std::move(reply));
}

PlainCluster::PlainCluster() {
  for (const NodeId id : {NodeId{1}, NodeId{2}, NodeId{3}}) {
    nodes_.emplace(id, std::make_unique<PlainNode>(*this, id));
  }
  const MonoTime limit = now_ + 30s;
  while (leader_ == nullptr || !leader_->replica().status().ready) {
    PARALLAX_ASSERT(now_ < limit, "nobody leads");
    pass_time(10ms);
    settle();
    for (auto& [id, node] : nodes_) {
      (node->replica().status().role == Role::leader ? leader_ : follower_) = node.get();
    }
  }
  for (int i = 0; i < 100; ++i) {  // all that follows an election is over
    pass_time(10ms);
    settle();
  }
}

void PlainCluster::settle() {
  settle_others(nullptr);
}
void PlainCluster::settle_all_but(const PlainNode& one) {
  settle_others(&one);
}

void PlainCluster::settle_others(const PlainNode* but) {
  // One turn at least, as a tick gives it.
  for (bool busy = true; busy;) {
    busy = false;
    for (auto& [id, node] : nodes_) {
      if (node.get() == but) continue;
      node->take_inputs();
      node->turn();
      node->write_batches();
      busy = busy || !node->idle();
    }
    for (auto& [id, node] : nodes_) {
      busy = busy || (node.get() != but && !node->idle());
    }
  }
}

}  // namespace parallax::instructions
