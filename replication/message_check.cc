#include "replication/message_check.h"

#include "base/limits.h"
#include "replication/quorum/merkle_exchange.h"
#include "storage/causal_codec.h"

namespace parallax {
namespace {

template <class... Operands>
Error incoherent(fmt::format_string<Operands...> format, Operands&&... operands) {
  return definite(ErrorCode::corrupt, fmt::format(format, std::forward<Operands>(operands)...));
}

/// What counts upwards and could not be followed by anything beyond `most`.
Result<void> check_reach(std::string_view name, std::uint64_t value, std::uint64_t most) {
  if (value > most) return incoherent("{}: {}, at most {} expected", name, value, most);
  return {};
}

/// Only what is before every election has term 0, and nobody speaks for it.
Result<void> check_term(Term term) {
  if (term == Term{}) return incoherent("term: 0, at least 1 expected");
  return check_reach("term", term.value, limits::kMaxTerm);
}

/// Index and term of one log position: both 0 (before the first entry) or neither, and not of a
/// term that is yet to come.
Result<void> check_position(std::string_view name, LogIndex index, Term term, Term newest) {
  if ((index == LogIndex{}) != (term == Term{})) {
    return incoherent("{0}_index: {1} with {0}_term {2}", name, index, term);
  }
  if (term > newest) return incoherent("{}_term: {}, above term {}", name, term, newest);
  return check_reach(fmt::format("{}_index", name), index.value, limits::kMaxLogIndex);
}

Result<void> check_mark(const FreshnessMark& mark) {
  if (mark.life == 0 && mark.at != MonoTime{}) {
    return incoherent("mark.life: 0 with a time of {} ns", mark.at.time_since_epoch().count());
  }
  return {};
}

Result<void> check_call(const QuorumCall& call) {
  if (call.life == 0) return incoherent("call.life: 0, a life expected");
  if (call.id == RequestId{}) return incoherent("call.id: 0, a call expected");
  return {};
}

Result<void> check_key(std::string_view key) {
  if (key.empty()) return incoherent("key: empty, at least 1 byte expected");
  return check_reach("key bytes", key.size(), limits::kMaxKeyBytes);
}

/// The receiver's clock follows what it stores.
Result<void> check_state(const KeyState& state) {
  if (!well_formed(state)) return incoherent("state: the versions contradict the context");
  return check_reach("state: reading in ms", state.context().highest().millis().value,
                     limits::kMaxUnixMillis);
}

Result<void> check_remaining(Duration remaining) {
  // Unbounded, it would overflow when the receiver adds it to its own time.
  if (remaining < Duration::zero() || remaining > limits::kMaxRequestTimeout) {
    return incoherent("remaining: {} ns, 0 to {} expected", remaining.count(),
                      Duration{limits::kMaxRequestTimeout}.count());
  }
  return {};
}

Result<void> check_vector(std::string_view name, const OriginVector& vector) {
  for (const auto& [origin, count] : vector.entries()) {
    if (origin.node == kNoNode) return incoherent("{}: of node 0", name);
    PARALLAX_TRY(check_reach(name, count, limits::kMaxCausalNumber));
  }
  return {};
}

/// One origin's, one behind the other.
Result<void> check_operations(const std::vector<SharedOperation>& operations) {
  const CausalOperation* last = nullptr;
  for (const CausalOperation& operation : operations) {
    if (const auto what = fault(operation); !what.empty()) return incoherent("{}", what);
    PARALLAX_TRY(check_key(operation.key));
    PARALLAX_TRY(check_reach("operation: reading in ms", operation.version.stamp.hlc.millis().value,
                             limits::kMaxUnixMillis));
    PARALLAX_TRY(check_vector("dependencies", operation.dependencies));
    if (last != nullptr &&
        (operation.origin() != last->origin() || operation.number != last->number + 1)) {
      return incoherent("operations: {} of {}.{} behind {} of {}.{}", operation.number,
                        operation.origin().node, operation.origin().incarnation, last->number,
                        last->origin().node, last->origin().incarnation);
    }
    last = &operation;
  }
  return {};
}

struct Check {
  Result<void> operator()(const VoteRequest& m) const {
    PARALLAX_TRY(check_term(m.term));
    PARALLAX_TRY(check_position("last", m.last_index, m.last_term, m.term));
    // A transfer bypasses the pre-vote.
    if (m.pre_vote && m.transfer) return incoherent("transfer: set together with pre_vote");
    return {};
  }

  Result<void> operator()(const VoteReply& m) const {
    // Whoever refuses may not have heard of any term.
    return m.granted ? check_term(m.term) : check_reach("term", m.term.value, limits::kMaxTerm);
  }

  Result<void> operator()(const AppendEntries& m) const {
    PARALLAX_TRY(check_term(m.term));
    PARALLAX_TRY(check_position("prev", m.prev_index, m.prev_term, m.term));
    if (m.entries.size() > limits::kMaxAppendEntries) {
      return incoherent("entries: {}, at most {} expected", m.entries.size(),
                        limits::kMaxAppendEntries);
    }
    LogIndex index = m.prev_index;
    Term term = m.prev_term;
    for (const LogEntry& entry : m.entries) {
      if (entry.index != index.next()) {
        return incoherent("entries: index {} behind {}", entry.index, index);
      }
      if (entry.term < term || entry.term == Term{} || entry.term > m.term) {
        return incoherent("entries: term {} at index {}, behind term {} in a message of term {}",
                          entry.term, entry.index, term, m.term);
      }
      index = entry.index;
      term = entry.term;
    }
    return {};
  }

  Result<void> operator()(const AppendReply& m) const {
    PARALLAX_TRY(check_term(m.term));
    if (!m.accepted && m.match != LogIndex{}) {
      return incoherent("match: {} in a refusal", m.match);
    }
    if (m.accepted && (m.rejected_prev != LogIndex{} || m.hint_index != LogIndex{})) {
      return incoherent("rejected_prev: {} with hint_index {} in an acceptance", m.rejected_prev,
                        m.hint_index);
    }
    PARALLAX_TRY(check_reach("match", m.match.value, limits::kMaxLogIndex));
    return check_position("hint", m.hint_index, m.hint_term, m.term);
  }

  Result<void> operator()(const Heartbeat& m) const {
    PARALLAX_TRY(check_term(m.term));
    return check_mark(m.mark);
  }

  Result<void> operator()(const HeartbeatReply& m) const {
    PARALLAX_TRY(check_term(m.term));
    if (m.hold < Duration::zero()) {
      return incoherent("hold: {} ns, at least 0 expected", m.hold.count());
    }
    return check_mark(m.mark);
  }

  Result<void> operator()(const TimeoutNow& m) const { return check_term(m.term); }

  Result<void> operator()(const SnapshotChunk& m) const {
    PARALLAX_TRY(check_term(m.term));
    if (m.index == LogIndex{}) return incoherent("index: 0, at least 1 expected");
    PARALLAX_TRY(check_reach("index", m.index.value, limits::kMaxLogIndex));
    if (m.index_term == Term{} || m.index_term > m.term) {
      return incoherent("index_term: {}, 1 to {} expected", m.index_term, m.term);
    }
    for (const SnapshotChunk::Record& record : m.records) {
      if (record.key.empty()) return incoherent("records: a record without a key");
    }
    return {};
  }

  Result<void> operator()(const SnapshotReply& m) const { return check_term(m.term); }

  Result<void> operator()(const Probe&) const { return {}; }

  Result<void> operator()(const ProbeReply& m) const {
    if (m.membership > Membership::recovering) {
      return incoherent("membership: {}, at most {} expected", static_cast<int>(m.membership),
                        static_cast<int>(Membership::recovering));
    }
    PARALLAX_TRY(check_reach("term", m.term.value, limits::kMaxTerm));
    // Its receiver draws the next one.
    return check_reach("heard_of_receiver", m.heard_of_receiver.value, limits::kMaxUnixMillis - 1);
  }

  Result<void> operator()(const Forward& m) const {
    PARALLAX_TRY(check_term(m.term));
    return check_remaining(m.remaining);
  }

  Result<void> operator()(const ForwardReply&) const { return {}; }

  Result<void> operator()(const QuorumQuery& m) const {
    PARALLAX_TRY(check_call(m.call));
    PARALLAX_TRY(check_key(m.key));
    return check_remaining(m.remaining);
  }

  Result<void> operator()(const QuorumQueryReply& m) const {
    PARALLAX_TRY(check_call(m.call));
    if (m.status > QuorumQueryStatus::refused) {
      return incoherent("status: {}, at most {} expected", static_cast<int>(m.status),
                        static_cast<int>(QuorumQueryStatus::refused));
    }
    if (m.status != QuorumQueryStatus::held && !m.state.empty()) {
      return incoherent("state: not empty with status {}", static_cast<int>(m.status));
    }
    return check_state(m.state);
  }

  Result<void> operator()(const QuorumStore& m) const {
    PARALLAX_TRY(check_call(m.call));
    PARALLAX_TRY(check_key(m.key));
    if (m.state.empty()) return incoherent("state: empty, nothing to store");
    return check_state(m.state);
  }

  Result<void> operator()(const QuorumStoreReply& m) const { return check_call(m.call); }

  Result<void> operator()(const IndexQuery& m) const { return check_call(m.call); }
  Result<void> operator()(const IndexReply& m) const {
    PARALLAX_TRY(check_call(m.call));
    if (!m.confirmed && m.index != LogIndex{}) {
      return incoherent("index: {} without confirmed", m.index);
    }
    return check_reach("index", m.index.value, limits::kMaxLogIndex);
  }

  Result<void> operator()(const MerkleQuery& m) const { return merkle(m); }
  Result<void> operator()(const MerkleDigests& m) const { return merkle(m); }
  Result<void> operator()(const MerkleKeysQuery& m) const { return merkle(m); }
  Result<void> operator()(const MerkleKeys& m) const { return merkle(m); }

  Result<void> operator()(const CausalOperations& m) const {
    if (m.operations.empty()) return incoherent("operations: none");
    return check_operations(m.operations);
  }

  Result<void> operator()(const CausalFetch& m) const {
    PARALLAX_TRY(check_call(m.call));
    if (m.origin.node == kNoNode) return incoherent("origin.node: 0, a node expected");
    return check_reach("after", m.after, limits::kMaxCausalNumber);
  }

  Result<void> operator()(const CausalFetched& m) const {
    PARALLAX_TRY(check_call(m.call));
    if (m.trimmed && !m.operations.empty()) {
      return incoherent("operations: {} of what is trimmed", m.operations.size());
    }
    return check_operations(m.operations);
  }

  Result<void> operator()(const CausalStatus& m) const {
    for (const auto& [node, incarnation] : m.heard) {
      if (node == kNoNode) return incoherent("heard: of node 0");
      PARALLAX_TRY(check_reach("heard", incarnation.value, limits::kMaxUnixMillis));
    }
    return check_vector("applied", m.applied);
  }

  Result<void> operator()(const CausalTransferQuery& m) const {
    PARALLAX_TRY(check_call(m.call));
    return check_reach("key bytes", m.after.size(), limits::kMaxKeyBytes);
  }

  Result<void> operator()(const CausalTransferPage& m) const {
    PARALLAX_TRY(check_call(m.call));
    PARALLAX_TRY(check_vector("applied", m.applied));
    PARALLAX_TRY(check_vector("ceiling", m.ceiling));
    for (const auto& [actor, reading] : m.stamps.entries()) {
      if (actor.path != ActorPath::causal) return incoherent("stamps: of no causal origin");
      PARALLAX_TRY(
          check_reach("stamps: reading in ms", reading.millis().value, limits::kMaxUnixMillis));
    }
    if (!m.ceiling.dominates(m.applied)) return incoherent("ceiling: below what is applied");
    if (m.states.empty() && !m.complete) return incoherent("states: none, and there are more");
    std::string_view last;
    for (const CausalTransferPage::State& state : m.states) {
      PARALLAX_TRY(check_key(state.key));
      if (state.key <= last) return incoherent("states: keys out of order");
      if (state.state.empty()) return incoherent("state: empty, nothing to store");
      PARALLAX_TRY(check_state(state.state));
      last = state.key;
    }
    return {};
  }

  template <class M>
  static Result<void> merkle(const M& m) {
    PARALLAX_TRY(check_call(m.call));
    if (const std::string what = fault(m); !what.empty()) return incoherent("{}", what);
    return {};
  }
};

}  // namespace

Result<void> check_envelope(const Envelope& envelope) {
  if (envelope.from == kNoNode) return incoherent("from: 0, a node expected");
  if (envelope.to == kNoNode) return incoherent("to: 0, a node expected");
  if (envelope.group == GroupId{}) return incoherent("group: 0, a group expected");
  // Either would be passed on and kept: a clock or a node that has reached the end stands still.
  PARALLAX_TRY(check_reach("incarnation", envelope.incarnation.value, limits::kMaxUnixMillis));
  PARALLAX_TRY(check_reach("clock in ms", envelope.clock.millis().value, limits::kMaxUnixMillis));
  if (auto sound = std::visit(Check{}, envelope.message); !sound) {
    return incoherent("{}: {}", message_name(envelope.message), sound.error().message);
  }
  return {};
}

}  // namespace parallax
