#include "replication/message.h"

#include <algorithm>

namespace parallax {
namespace {

struct Name {
  std::string_view operator()(const VoteRequest&) const { return "vote-request"; }
  std::string_view operator()(const VoteReply&) const { return "vote-reply"; }
  std::string_view operator()(const AppendEntries&) const { return "append-entries"; }
  std::string_view operator()(const AppendReply&) const { return "append-reply"; }
  std::string_view operator()(const Heartbeat&) const { return "heartbeat"; }
  std::string_view operator()(const HeartbeatReply&) const { return "heartbeat-reply"; }
  std::string_view operator()(const TimeoutNow&) const { return "timeout-now"; }
  std::string_view operator()(const SnapshotChunk&) const { return "snapshot-chunk"; }
  std::string_view operator()(const SnapshotReply&) const { return "snapshot-reply"; }
  std::string_view operator()(const Probe&) const { return "probe"; }
  std::string_view operator()(const ProbeReply&) const { return "probe-reply"; }
  std::string_view operator()(const Forward&) const { return "forward"; }
  std::string_view operator()(const ForwardReply&) const { return "forward-reply"; }
  std::string_view operator()(const QuorumQuery&) const { return "quorum-query"; }
  std::string_view operator()(const QuorumQueryReply&) const { return "quorum-query-reply"; }
  std::string_view operator()(const QuorumStore&) const { return "quorum-store"; }
  std::string_view operator()(const QuorumStoreReply&) const { return "quorum-store-reply"; }
  std::string_view operator()(const MerkleQuery&) const { return "merkle-query"; }
  std::string_view operator()(const MerkleDigests&) const { return "merkle-digests"; }
  std::string_view operator()(const MerkleKeysQuery&) const { return "merkle-keys-query"; }
  std::string_view operator()(const MerkleKeys&) const { return "merkle-keys"; }
  std::string_view operator()(const CausalOperations&) const { return "causal-operations"; }
  std::string_view operator()(const CausalFetch&) const { return "causal-fetch"; }
  std::string_view operator()(const CausalFetched&) const { return "causal-fetched"; }
  std::string_view operator()(const CausalStatus&) const { return "causal-status"; }
  std::string_view operator()(const CausalTransferQuery&) const { return "causal-transfer-query"; }
  std::string_view operator()(const CausalTransferPage&) const { return "causal-transfer-page"; }
  std::string_view operator()(const IndexQuery&) const { return "index-query"; }
  std::string_view operator()(const IndexReply&) const { return "index-reply"; }
};

std::string payload(const Bytes& bytes) {
  const bool text = bytes.size() <= 40 && std::all_of(bytes.view().begin(), bytes.view().end(),
                                                      [](char c) { return c >= ' ' && c <= '~'; });
  return text ? fmt::format("'{}'", bytes.view()) : fmt::format("{} bytes", bytes.size());
}

/// "[12-1 'value', 9-2 deleted; {log:9, quorum/1.1:12}]".
std::string contents(const KeyState& state) {
  std::string text = "[";
  for (const Version& version : state.versions()) {
    if (text.size() > 1) text += ", ";
    text += version.stamp.to_string() + " ";
    text += version.tombstone ? "deleted" : payload(version.value);
  }
  return text + "; " + state.context().to_string() + "]";
}

std::string call(std::string_view what, const QuorumCall& call) {
  return fmt::format("{} {}", what, call.id);
}

/// "" for an ordinary one.
std::string stand_in(NodeId hint_for) {
  return hint_for == kNoNode ? "" : fmt::format(" for {}", hint_for);
}

/// " 2.1:7 'k' 9-2 'v' after {3.1:4}", one behind the other.
std::string listed(const std::vector<SharedOperation>& operations) {
  std::string text;
  for (const CausalOperation& operation : operations) {
    text += fmt::format(" [{}.{}:{} {} {} {} after {}]", operation.origin().node,
                        operation.origin().incarnation, operation.number, payload(operation.key),
                        operation.version.stamp,
                        operation.version.tombstone ? "deleted" : payload(operation.version.value),
                        operation.dependencies.to_string());
  }
  return text;
}

std::string describe_index(const Message& message) {
  if (const auto* m = std::get_if<IndexQuery>(&message)) return call("index?", m->call);
  if (const auto* m = std::get_if<IndexReply>(&message)) {
    return m->confirmed ? fmt::format("{} {}", call("index", m->call), m->index)
                        : call("index refused", m->call);
  }
  return std::string(message_name(message));
}

std::string describe_causal(const Message& message) {
  if (const auto* m = std::get_if<CausalOperations>(&message)) {
    return "operations" + listed(m->operations);
  }
  if (const auto* m = std::get_if<CausalFetch>(&message)) {
    return fmt::format("{} of {}.{} behind {}", call("operations?", m->call), m->origin.node,
                       m->origin.incarnation, m->after);
  }
  if (const auto* m = std::get_if<CausalFetched>(&message)) {
    return call(m->trimmed ? "trimmed" : "fetched", m->call) + listed(m->operations);
  }
  if (const auto* m = std::get_if<CausalStatus>(&message)) {
    std::string text = "applied " + m->applied.to_string() + " heard";
    for (const auto& [node, incarnation] : m->heard) {
      text += fmt::format(" {}.{}", node, incarnation);
    }
    return text;
  }
  if (const auto* m = std::get_if<CausalTransferQuery>(&message)) {
    return fmt::format("{} behind '{}'", call("states?", m->call), m->after);
  }
  if (const auto* m = std::get_if<CausalTransferPage>(&message)) {
    return fmt::format("{} {}, from {} up to {}{}", call("states", m->call), m->states.size(),
                       m->applied.to_string(), m->ceiling.to_string(), m->complete ? ", all" : "");
  }
  return describe_index(message);
}

std::string describe_merkle(const Message& message) {
  if (const auto* m = std::get_if<MerkleQuery>(&message)) {
    return fmt::format("{} level {}, {} nodes", call("digests?", m->call), m->level,
                       m->nodes.size());
  }
  if (const auto* m = std::get_if<MerkleDigests>(&message)) {
    return fmt::format("{} level {}, {} nodes", call("digests", m->call), m->level,
                       m->nodes.size());
  }
  if (const auto* m = std::get_if<MerkleKeysQuery>(&message)) {
    return fmt::format("{} leaf {} behind '{}'", call("keys?", m->call), m->leaf, m->after);
  }
  if (const auto* m = std::get_if<MerkleKeys>(&message)) {
    return fmt::format("{} leaf {}, {} keys{}", call("keys", m->call), m->leaf, m->keys.size(),
                       m->complete ? ", all" : "");
  }
  return describe_causal(message);
}

std::string describe_quorum(const Message& message) {
  if (const auto* m = std::get_if<QuorumQuery>(&message)) {
    return fmt::format("{} {}{}", call("query", m->call), payload(m->key),
                       m->majority ? " majority" : "");
  }
  if (const auto* m = std::get_if<QuorumQueryReply>(&message)) {
    switch (m->status) {
      case QuorumQueryStatus::held:
        return fmt::format("{} {}", call("held", m->call), contents(m->state));
      case QuorumQueryStatus::unresolved:
        return call("unresolved", m->call);
      case QuorumQueryStatus::refused:
        return call("query refused", m->call);
    }
  }
  if (const auto* m = std::get_if<QuorumStore>(&message)) {
    return fmt::format("{} {} {}{}", call("store", m->call), payload(m->key), contents(m->state),
                       stand_in(m->hint_for));
  }
  if (const auto* m = std::get_if<QuorumStoreReply>(&message)) {
    return call(m->stored ? "stored" : "not stored", m->call) + stand_in(m->hint_for);
  }
  return describe_merkle(message);
}

}  // namespace

std::string_view message_name(const Message& message) {
  return std::visit(Name{}, message);
}

std::string describe(const Message& message) {
  const auto yes = [](bool flag, std::string_view word) { return flag ? std::string(word) : ""; };
  if (const auto* m = std::get_if<VoteRequest>(&message)) {
    return fmt::format("{} term {} last {}/{}{}", m->pre_vote ? "pre-vote?" : "vote?", m->term,
                       m->last_index, m->last_term, yes(m->transfer, " transfer"));
  }
  if (const auto* m = std::get_if<VoteReply>(&message)) {
    return fmt::format("{} {} term {}", m->pre_vote ? "pre-vote" : "vote",
                       m->granted ? "granted" : "refused", m->term);
  }
  if (const auto* m = std::get_if<AppendEntries>(&message)) {
    std::string text = fmt::format("append term {} prev {}/{} commit {}", m->term, m->prev_index,
                                   m->prev_term, m->commit);
    for (const LogEntry& entry : m->entries) {
      text += fmt::format(" [{}/{} {}]", entry.index, entry.term, payload(entry.payload));
    }
    return text;
  }
  if (const auto* m = std::get_if<AppendReply>(&message)) {
    if (m->accepted) return fmt::format("appended term {} match {}", m->term, m->match);
    return fmt::format("append refused term {} prev {} hint {}/{}", m->term, m->rejected_prev,
                       m->hint_index, m->hint_term);
  }
  if (const auto* m = std::get_if<Heartbeat>(&message)) {
    return fmt::format("heartbeat term {} round {} commit {}", m->term, m->round, m->commit);
  }
  if (const auto* m = std::get_if<HeartbeatReply>(&message)) {
    return fmt::format("heartbeat-reply term {} round {}", m->term, m->round);
  }
  if (const auto* m = std::get_if<TimeoutNow>(&message)) {
    return fmt::format("timeout-now term {}", m->term);
  }
  if (const auto* m = std::get_if<SnapshotChunk>(&message)) {
    return fmt::format("chunk {} of snapshot {}/{}, {} records{}", m->sequence, m->index,
                       m->index_term, m->records.size(), yes(m->last, ", last"));
  }
  if (const auto* m = std::get_if<SnapshotReply>(&message)) {
    return fmt::format("chunks received {}{}", m->received, yes(m->done, ", done"));
  }
  return describe_quorum(message);
}

}  // namespace parallax
