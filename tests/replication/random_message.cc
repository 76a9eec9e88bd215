#include "tests/replication/random_message.h"

#include <algorithm>

#include "base/limits.h"
#include "replication/quorum/merkle_tree.h"

namespace parallax::test {
namespace {

bool coin(Random& random) {
  return random.below(2) == 1;
}

/// A term of at least 1 and at most `newest`.
Term term_up_to(Random& random, Term newest) {
  return Term{1 + random_number(random) % newest.value};
}

std::uint64_t number_up_to(Random& random, std::uint64_t most) {
  return std::min(random_number(random), most);
}

Term random_term(Random& random) {
  return Term{std::max<std::uint64_t>(1, number_up_to(random, limits::kMaxTerm))};
}

LogIndex random_index(Random& random) {
  return LogIndex{std::max<std::uint64_t>(1, number_up_to(random, limits::kMaxLogIndex))};
}

FreshnessMark random_mark(Random& random) {
  if (coin(random)) return {};
  const auto at = static_cast<std::int64_t>(random_number(random));
  return {std::max<std::uint64_t>(1, random_number(random)), MonoTime{Duration{at}}};
}

Bytes random_payload(Random& random, std::size_t at_most) {
  return Bytes{random_bytes(random, at_most)};
}

VoteRequest make(Random& random, VoteRequest) {
  VoteRequest m{.term = random_term(random)};
  if (coin(random)) {
    m.last_index = random_index(random);
    m.last_term = term_up_to(random, m.term);
  }
  m.pre_vote = coin(random);
  m.transfer = !m.pre_vote && coin(random);
  return m;
}

VoteReply make(Random& random, VoteReply) {
  VoteReply m{.granted = coin(random), .pre_vote = coin(random)};
  m.term = m.granted ? random_term(random) : Term{number_up_to(random, limits::kMaxTerm)};
  return m;
}

AppendEntries make(Random& random, AppendEntries) {
  AppendEntries m{.term = random_term(random), .commit = LogIndex{random_number(random)}};
  if (coin(random)) {
    m.prev_index = random_index(random);
    m.prev_term = term_up_to(random, m.term);
  }
  Term term = std::max(m.prev_term, Term{1});
  LogIndex index = m.prev_index;
  for (std::uint64_t left = random.below(6); left > 0; --left) {
    if (random.below(4) == 0) term = std::min(Term{term.value + random.below(3)}, m.term);
    index = index.next();
    m.entries.push_back({.term = term, .index = index, .payload = random_payload(random, 200)});
  }
  return m;
}

AppendReply make(Random& random, AppendReply) {
  AppendReply m{.term = random_term(random), .accepted = coin(random)};
  if (m.accepted) {
    m.match = LogIndex{number_up_to(random, limits::kMaxLogIndex)};
  } else {
    m.rejected_prev = LogIndex{random_number(random)};
    if (coin(random)) {
      m.hint_index = random_index(random);
      m.hint_term = term_up_to(random, m.term);
    }
  }
  return m;
}

Heartbeat make(Random& random, Heartbeat) {
  Heartbeat m{.term = random_term(random)};
  m.round = RoundId{random_number(random)};
  m.commit = LogIndex{random_number(random)};
  m.mark = random_mark(random);
  m.mark_commit = LogIndex{random_number(random)};
  m.receiver = Incarnation{random_number(random)};
  return m;
}

HeartbeatReply make(Random& random, HeartbeatReply) {
  HeartbeatReply m{.term = random_term(random)};
  m.round = RoundId{random_number(random)};
  m.mark = random_mark(random);
  m.recovery_ready = coin(random);
  m.applied = LogIndex{random_number(random)};
  m.hold = std::chrono::microseconds(random.below(60'000'001));
  return m;
}

TimeoutNow make(Random& random, TimeoutNow) {
  return {random_term(random)};
}

SnapshotChunk make(Random& random, SnapshotChunk) {
  SnapshotChunk m{.term = random_term(random)};
  m.transfer = random_number(random);
  m.sequence = random_number(random);
  m.last = coin(random);
  m.index = random_index(random);
  m.index_term = term_up_to(random, m.term);
  for (std::uint64_t left = random.below(5); left > 0; --left) {
    m.records.push_back(
        {.key = "K" + random_bytes(random, 40), .value = random_payload(random, 200)});
  }
  return m;
}

SnapshotReply make(Random& random, SnapshotReply) {
  SnapshotReply m{.term = random_term(random)};
  m.transfer = random_number(random);
  m.received = random_number(random);
  m.done = coin(random);
  return m;
}

Probe make(Random& random, Probe) {
  return {.life = random_number(random)};
}

ProbeReply make(Random& random, ProbeReply) {
  ProbeReply m{.membership = static_cast<Membership>(random.below(3))};
  m.term = Term{number_up_to(random, limits::kMaxTerm)};
  m.has_log = coin(random);
  m.has_versions = coin(random);
  m.applied_first = coin(random);
  m.heard_of_receiver = Incarnation{number_up_to(random, limits::kMaxUnixMillis - 1)};
  m.life = random_number(random);
  return m;
}

Duration random_wait(Random& random) {
  const auto most = static_cast<std::uint64_t>(Duration{limits::kMaxRequestTimeout}.count());
  return Duration{static_cast<std::int64_t>(random.between(0, most))};
}

Forward make(Random& random, Forward) {
  Forward m{.id = RequestId{random_number(random)}};
  m.term = random_term(random);
  m.remaining = random_wait(random);
  m.request = random_payload(random, 300);
  return m;
}

ForwardReply make(Random& random, ForwardReply) {
  return {.id = RequestId{random_number(random)}, .reply = random_payload(random, 300)};
}

QuorumCall random_call(Random& random) {
  return {.life = random_number(random) | 1, .id = RequestId{random_number(random) | 1}};
}

IndexQuery make(Random& random, IndexQuery) {
  return {.call = random_call(random)};
}

IndexReply make(Random& random, IndexReply) {
  IndexReply m{.call = random_call(random), .confirmed = coin(random)};
  if (m.confirmed) m.index = LogIndex{number_up_to(random, limits::kMaxLogIndex)};
  return m;
}

QuorumQuery make(Random& random, QuorumQuery) {
  QuorumQuery m{.call = random_call(random)};
  m.key = "k" + random_bytes(random, limits::kMaxKeyBytes - 1);
  m.majority = coin(random);
  m.remaining = random_wait(random);
  return m;
}

QuorumQueryReply make(Random& random, QuorumQueryReply) {
  QuorumQueryReply m{.call = random_call(random)};
  m.status = static_cast<QuorumQueryStatus>(random.below(3));
  if (m.status == QuorumQueryStatus::held && random.below(4) != 0) {
    m.state = random_key_state(random);
  }
  return m;
}

QuorumStore make(Random& random, QuorumStore) {
  QuorumStore m{.call = random_call(random)};
  m.key = "k" + random_bytes(random, limits::kMaxKeyBytes - 1);
  m.state = random_key_state(random);
  m.hint_for = NodeId{static_cast<std::uint32_t>(random.below(8))};
  return m;
}

QuorumStoreReply make(Random& random, QuorumStoreReply) {
  return {.call = random_call(random),
          .stored = coin(random),
          .hint_for = NodeId{static_cast<std::uint32_t>(random.below(8))},
          .held = QuorumStoreReply::Held{
              coin(random) ? 0 : static_cast<std::uint32_t>(random.below(std::uint64_t{1} << 32))}};
}

std::vector<std::uint32_t> random_nodes(Random& random, std::uint32_t level) {
  std::vector<std::uint32_t> nodes(random.between(1, random.chance(0.1) ? 256 : 5));
  for (std::uint32_t& node : nodes) {
    node = static_cast<std::uint32_t>(random.below(MerkleTree::nodes_at(level)));
  }
  return nodes;
}

MerkleQuery make(Random& random, MerkleQuery) {
  const auto level = static_cast<std::uint32_t>(random.below(MerkleTree::kLeafLevel));
  return {.call = random_call(random), .level = level, .nodes = random_nodes(random, level)};
}

MerkleDigests make(Random& random, MerkleDigests) {
  const auto level = static_cast<std::uint32_t>(random.below(MerkleTree::kLeafLevel));
  MerkleDigests m{
      .call = random_call(random), .level = level, .nodes = random_nodes(random, level)};
  if (coin(random)) m.digests.resize(m.nodes.size() * MerkleTree::kFanOut);
  for (std::uint64_t& digest : m.digests) digest = random_number(random);
  return m;
}

MerkleKeysQuery make(Random& random, MerkleKeysQuery) {
  return {.call = random_call(random),
          .leaf = static_cast<std::uint32_t>(random.below(MerkleTree::kLeaves)),
          .after = random_bytes(random, random.chance(0.1) ? limits::kMaxKeyBytes : 20)};
}

/// All keys of one leaf would take long to find: none or one.
MerkleKeys make(Random& random, MerkleKeys) {
  MerkleKeys m{.call = random_call(random), .complete = coin(random)};
  if (!m.complete || coin(random)) {
    m.keys.push_back({"k" + random_bytes(random, limits::kMaxKeyBytes - 1), random_number(random)});
    m.leaf = MerkleTree::leaf_of(m.keys.front().key);
    if (coin(random)) m.after = "A";
  } else {
    m.leaf = static_cast<std::uint32_t>(random.below(MerkleTree::kLeaves));
    m.after = random_bytes(random, 20);
  }
  return m;
}

OriginVector random_vector(Random& random, Origin but) {
  std::vector<OriginVector::Entry> entries;
  for (std::uint64_t left = random.below(4); left > 0; --left) {
    const Origin origin{NodeId{static_cast<std::uint32_t>(random.between(1, 9))},
                        Incarnation{random.between(1, 3)}};
    if (origin != but) entries.emplace_back(origin, number_up_to(random, limits::kMaxCausalNumber));
  }
  return OriginVector{std::move(entries)};
}

/// Of one origin, without gaps; `least` or more.
std::vector<SharedOperation> random_operations(Random& random, std::uint64_t least) {
  std::vector<SharedOperation> operations;
  const std::uint64_t count = random.between(least, 4);
  const Origin origin{NodeId{static_cast<std::uint32_t>(random.between(1, 0xffffffffu))},
                      Incarnation{random_number(random)}};
  std::uint64_t number = 1 + number_up_to(random, limits::kMaxCausalNumber - 10);
  while (operations.size() < count) {
    CausalOperation operation{.number = number++};
    operation.key = "k" + random_bytes(random, limits::kMaxKeyBytes - 1);
    Version& version = operation.version;
    version.actor = {ActorPath::causal, origin.node, origin.incarnation};
    version.stamp = {Hlc{random.between(2, limits::kMaxUnixMillis << 16)}, origin.node};
    if (coin(random)) {
      version.context = random_key_state(random).context();
      version.stamp.hlc = std::max(version.stamp.hlc, version.context.highest().next());
    }
    version.tombstone = random.below(4) == 0;
    if (!version.tombstone) version.value = random_payload(random, 300);
    if (coin(random)) version.content_type = random_bytes(random, 20);
    if (coin(random)) version.expires_at = UnixMillis{random_number(random)};
    operation.dependencies = random_vector(random, origin);
    operations.emplace_back(std::move(operation));
  }
  return operations;
}

CausalOperations make(Random& random, CausalOperations) {
  return {random_operations(random, 1)};
}

CausalFetch make(Random& random, CausalFetch) {
  return {.call = random_call(random),
          .origin = {NodeId{static_cast<std::uint32_t>(random.between(1, 9))},
                     Incarnation{random_number(random)}},
          .after = number_up_to(random, limits::kMaxCausalNumber)};
}

CausalFetched make(Random& random, CausalFetched) {
  CausalFetched m{.call = random_call(random), .trimmed = coin(random)};
  if (!m.trimmed) m.operations = random_operations(random, 0);
  return m;
}

CausalStatus make(Random& random, CausalStatus) {
  CausalStatus m{.applied = random_vector(random, {})};
  for (std::uint64_t left = random.below(4); left > 0; --left) {
    m.heard[NodeId{static_cast<std::uint32_t>(random.between(1, 9))}] =
        Incarnation{number_up_to(random, limits::kMaxUnixMillis)};
  }
  return m;
}

CausalTransferQuery make(Random& random, CausalTransferQuery) {
  return {.call = random_call(random), .after = random_bytes(random, limits::kMaxKeyBytes)};
}

CausalTransferPage make(Random& random, CausalTransferPage) {
  CausalTransferPage m{.call = random_call(random), .applied = random_vector(random, {})};
  m.ceiling = m.applied;
  for (const auto& [origin, count] : m.applied.entries()) {
    m.stamps.advance({ActorPath::causal, origin.node, origin.incarnation},
                     Hlc{number_up_to(random, limits::kMaxUnixMillis << 16)});
  }
  m.ceiling.join(random_vector(random, {}));
  const std::uint64_t count = random.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    m.states.push_back(
        {static_cast<char>('a' + i) + random_bytes(random, 30), random_key_state(random)});
  }
  m.complete = m.states.empty() || coin(random);
  return m;
}

NoOp make(Random&, NoOp) {
  return {};
}

InitCluster make(Random& random, InitCluster) {
  return {ClusterId{random.next() | 1, random_number(random)}};
}

IdempotencyRow random_row(Random& random) {
  IdempotencyRow row{
      .key = "r" + random_bytes(random, limits::kMaxIdempotencyKeyBytes - 1),
      .record = {.at = Hlc{random_number(random) | 1}, .fingerprint = random_number(random)}};
  if (random.chance(0.5)) row.record.refusal = random_bytes(random, 30);
  if (random.chance(0.5)) row.record.message = random_bytes(random, 200);
  if (random.chance(0.5)) row.record.stamp = Stamp{Hlc{random_number(random) | 1}, NodeId{3}};
  if (random.chance(0.5)) row.record.number = static_cast<std::int64_t>(random_number(random));
  return row;
}

WriteKey make(Random& random, WriteKey) {
  WriteKey write{"k" + random_bytes(random, limits::kMaxKeyBytes - 1), random_key_state(random)};
  if (random.chance(0.5)) write.idempotency = random_row(random);
  if (random.chance(0.5)) write.idempotency_floor = Hlc{random_number(random)};
  return write;
}

WritePolicy make(Random& random, WritePolicy) {
  WritePolicy write{.prefix = random_bytes(random, limits::kMaxKeyBytes)};
  write.record.removed = random.chance(0.3);
  write.record.default_consistency = random_bytes(random, 20);
  write.record.mixing = random_bytes(random, 10);
  write.record.conflict = random_bytes(random, 10);
  return write;
}

EndRecovery make(Random& random, EndRecovery) {
  return {NodeId{static_cast<std::uint32_t>(random.between(1, 9))},
          Incarnation{std::max<std::uint64_t>(1, random_number(random))}};
}

RemoveTombstones make(Random& random, RemoveTombstones) {
  RemoveTombstones remove{.tombstones = {}, .at = Hlc{random_number(random)}};
  for (std::uint64_t left = random.below(4); left > 0; --left) {
    const KeyState state = random_key_state(random);
    std::vector<Version> versions = state.versions();
    for (Version& version : versions) bury(version);
    remove.tombstones.push_back({"k" + random_bytes(random, 20),
                                 KeyState::from_parts(std::move(versions), state.context())});
  }
  return remove;
}

/// A random value of the alternative with this place in `Variant`.
template <class Variant, std::size_t I = 0>
Variant make_alternative(Random& random, std::size_t kind) {
  if constexpr (I + 1 < std::variant_size_v<Variant>) {
    if (kind != I) return make_alternative<Variant, I + 1>(random, kind);
  }
  PARALLAX_ASSERT(kind == I, "kind {} of {}", kind, std::variant_size_v<Variant>);
  return make(random, std::variant_alternative_t<I, Variant>{});
}

}  // namespace

std::uint64_t random_number(Random& random) {
  switch (random.below(6)) {
    case 0:
      return 0;
    case 1:
      return ~std::uint64_t{0};
    case 2:
      return std::uint64_t{1} << random.below(64);
    case 3:
      return (std::uint64_t{1} << random.below(64)) - 1;
    case 4:
      return random.below(1'000);
    default:
      return random.next();
  }
}

std::string random_bytes(Random& random, std::size_t at_most) {
  std::string bytes(random.below(at_most + 1), '\0');
  for (char& c : bytes) c = static_cast<char>(random.next());
  return bytes;
}

KeyState random_key_state(Random& random) {
  KeyState state;
  std::uint64_t hlc = 1;
  for (std::uint64_t left = random.between(1, 5); left > 0; --left) {
    hlc += 1 + random.below(1'000'000);
    const NodeId node{static_cast<std::uint32_t>(random.between(1, 5))};
    Version version;
    version.stamp = {Hlc{hlc}, node};
    if (coin(random)) {
      version.actor = {static_cast<ActorPath>(random.between(1, 2)), node,
                       Incarnation{random.between(1, 3)}};
    }
    // It replaces all that was there, or what one of the actors wrote, or nothing.
    switch (random.below(3)) {
      case 0:
        version.context = state.context();
        break;
      case 1:
        if (!state.context().empty()) {
          const auto& [actor, reading] = state.context().entries().front();
          version.context.advance(actor, reading);
        }
        break;
      default:
        break;
    }
    version.tombstone = random.below(4) == 0;
    if (!version.tombstone) version.value = random_payload(random, 300);
    version.content_type = random_bytes(random, 20);
    version.expires_at = UnixMillis{random_number(random)};
    version.log_index = LogIndex{random_number(random)};
    state.add(std::move(version));
  }
  return state;
}

Message random_message(Random& random, std::size_t kind) {
  return make_alternative<Message>(random, kind);
}

Envelope random_envelope(Random& random, std::size_t kind) {
  Envelope envelope;
  envelope.from = NodeId{static_cast<std::uint32_t>(random.between(1, 0xffffffffu))};
  envelope.to = NodeId{static_cast<std::uint32_t>(random.between(1, 7))};
  envelope.group = GroupId{static_cast<std::uint32_t>(random.between(1, 300))};
  envelope.incarnation = Incarnation{number_up_to(random, limits::kMaxUnixMillis)};
  envelope.recovering = coin(random);
  envelope.clock = Hlc{number_up_to(random, (limits::kMaxUnixMillis << 16) | 0xffff)};
  envelope.physical.sent = UnixMillis{random_number(random)};
  envelope.physical.echo_sent = UnixMillis{random_number(random)};
  envelope.physical.echo_received = UnixMillis{random_number(random)};
  envelope.message = random_message(random, kind);
  return envelope;
}

Command random_command(Random& random, std::size_t kind) {
  return make_alternative<Command>(random, kind);
}

}  // namespace parallax::test
