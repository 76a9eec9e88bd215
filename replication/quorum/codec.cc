#include "replication/quorum/codec.h"

#include <algorithm>

#include "base/assert.h"
#include "replication/message.pb.h"
#include "replication/quorum/merkle_exchange.h"
#include "storage/key_state_codec.h"

namespace parallax {
namespace {

void fill(wire::QuorumCall& out, const QuorumCall& call) {
  out.set_life(call.life);
  out.set_id(call.id.value);
}

/// The empty state is no bytes.
void fill(std::string& out, const KeyState& state) {
  if (!state.empty()) encode_key_state(state, out);
}

QuorumCall read(const wire::QuorumCall& call) {
  return {.life = call.life(), .id = RequestId{call.id()}};
}

Result<KeyState> take_state(std::string* field) {
  if (field->empty()) return KeyState{};
  return decode_key_state(Bytes{std::move(*field)});
}

Result<Message> take(wire::QuorumQuery& m) {
  return QuorumQuery{.call = read(m.call()),
                     .key = std::move(*m.mutable_key()),
                     .majority = m.majority(),
                     .remaining = Duration{m.remaining_ns()}};
}

Result<Message> take(wire::QuorumQueryReply& m) {
  // What QuorumQueryStatus has no room for stays recognizably wrong.
  const auto status = static_cast<std::uint8_t>(std::min(m.status(), 0xffu));
  PARALLAX_ASSIGN(KeyState state, take_state(m.mutable_state()));
  return QuorumQueryReply{.call = read(m.call()),
                          .status = static_cast<QuorumQueryStatus>(status),
                          .state = std::move(state)};
}

Result<Message> take(wire::QuorumStore& m) {
  PARALLAX_ASSIGN(KeyState state, take_state(m.mutable_state()));
  return QuorumStore{.call = read(m.call()),
                     .key = std::move(*m.mutable_key()),
                     .state = std::move(state),
                     .hint_for = NodeId{m.hint_for()}};
}

Result<Message> take(wire::QuorumStoreReply& m) {
  return QuorumStoreReply{.call = read(m.call()),
                          .stored = m.stored(),
                          .hint_for = NodeId{m.hint_for()},
                          .held = QuorumStoreReply::Held{m.held_micros()}};
}

// --- Lists of numbers and keys, by hand: few bytes must not make many objects --------------------

template <class Number>
void append_number(std::string& out, Number value) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    out.push_back(static_cast<char>(value >> (8 * i)));
  }
}

/// The number in front of `bytes`, which must be there; they move on.
template <class Number>
Number take_number(std::string_view& bytes) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    value |= static_cast<Number>(Number{static_cast<std::uint8_t>(bytes[i])} << (8 * i));
  }
  bytes.remove_prefix(sizeof(Number));
  return value;
}

template <class Number>
std::string pack(const std::vector<Number>& numbers) {
  std::string out;
  out.reserve(numbers.size() * sizeof(Number));
  for (const Number number : numbers) append_number(out, number);
  return out;
}

Error broken_list(std::string_view name, std::size_t bytes) {
  return definite(ErrorCode::corrupt, fmt::format("{}: {} bytes are no list", name, bytes));
}

template <class Number>
Result<std::vector<Number>> unpack(std::string_view name, std::string_view bytes) {
  if (bytes.size() % sizeof(Number) != 0) return broken_list(name, bytes.size());
  std::vector<Number> numbers;
  numbers.reserve(bytes.size() / sizeof(Number));
  while (!bytes.empty()) numbers.push_back(take_number<Number>(bytes));
  return numbers;
}

Result<std::vector<KeyDigest>> unpack_keys(std::string_view bytes) {
  const std::size_t all = bytes.size();
  std::vector<KeyDigest> keys;
  while (!bytes.empty()) {
    if (bytes.size() < 2) return broken_list("keys", all);
    const std::size_t length = take_number<std::uint16_t>(bytes);
    if (bytes.size() < length + 8) return broken_list("keys", all);
    // More than that are refused anyway.
    if (keys.size() > MerkleExchange::kMostKeys) return broken_list("keys", all);
    std::string key(bytes.substr(0, length));
    bytes.remove_prefix(length);
    keys.push_back({std::move(key), take_number<std::uint64_t>(bytes)});
  }
  return keys;
}

Result<Message> take(wire::MerkleQuery& m) {
  PARALLAX_ASSIGN(auto nodes, unpack<std::uint32_t>("nodes", m.nodes()));
  return MerkleQuery{.call = read(m.call()), .level = m.level(), .nodes = std::move(nodes)};
}

Result<Message> take(wire::MerkleDigests& m) {
  PARALLAX_ASSIGN(auto nodes, unpack<std::uint32_t>("nodes", m.nodes()));
  PARALLAX_ASSIGN(auto digests, unpack<std::uint64_t>("digests", m.digests()));
  return MerkleDigests{.call = read(m.call()),
                       .level = m.level(),
                       .nodes = std::move(nodes),
                       .digests = std::move(digests)};
}

Result<Message> take(wire::MerkleKeysQuery& m) {
  return MerkleKeysQuery{
      .call = read(m.call()), .leaf = m.leaf(), .after = std::move(*m.mutable_after())};
}

Result<Message> take(wire::MerkleKeys& m) {
  PARALLAX_ASSIGN(auto keys, unpack_keys(m.keys()));
  return MerkleKeys{.call = read(m.call()),
                    .leaf = m.leaf(),
                    .after = std::move(*m.mutable_after()),
                    .keys = std::move(keys),
                    .complete = m.complete()};
}

}  // namespace

void fill_quorum(wire::Envelope& out, const QuorumQuery& m) {
  wire::QuorumQuery& query = *out.mutable_quorum_query();
  fill(*query.mutable_call(), m.call);
  query.set_key(m.key);
  query.set_majority(m.majority);
  query.set_remaining_ns(m.remaining.count());
}

void fill_quorum(wire::Envelope& out, const QuorumQueryReply& m) {
  wire::QuorumQueryReply& reply = *out.mutable_quorum_query_reply();
  fill(*reply.mutable_call(), m.call);
  reply.set_status(static_cast<std::uint32_t>(m.status));
  fill(*reply.mutable_state(), m.state);
}

void fill_quorum(wire::Envelope& out, const QuorumStore& m) {
  wire::QuorumStore& store = *out.mutable_quorum_store();
  fill(*store.mutable_call(), m.call);
  store.set_key(m.key);
  fill(*store.mutable_state(), m.state);
  store.set_hint_for(m.hint_for.value);
}

void fill_quorum(wire::Envelope& out, const QuorumStoreReply& m) {
  wire::QuorumStoreReply& reply = *out.mutable_quorum_store_reply();
  fill(*reply.mutable_call(), m.call);
  reply.set_stored(m.stored);
  reply.set_hint_for(m.hint_for.value);
  reply.set_held_micros(m.held.count());
}

void fill_quorum(wire::Envelope& out, const MerkleQuery& m) {
  wire::MerkleQuery& query = *out.mutable_merkle_query();
  fill(*query.mutable_call(), m.call);
  query.set_level(m.level);
  query.set_nodes(pack(m.nodes));
}

void fill_quorum(wire::Envelope& out, const MerkleDigests& m) {
  wire::MerkleDigests& digests = *out.mutable_merkle_digests();
  fill(*digests.mutable_call(), m.call);
  digests.set_level(m.level);
  digests.set_nodes(pack(m.nodes));
  digests.set_digests(pack(m.digests));
}

void fill_quorum(wire::Envelope& out, const MerkleKeysQuery& m) {
  wire::MerkleKeysQuery& query = *out.mutable_merkle_keys_query();
  fill(*query.mutable_call(), m.call);
  query.set_leaf(m.leaf);
  query.set_after(m.after);
}

void fill_quorum(wire::Envelope& out, const MerkleKeys& m) {
  wire::MerkleKeys& keys = *out.mutable_merkle_keys();
  fill(*keys.mutable_call(), m.call);
  keys.set_leaf(m.leaf);
  keys.set_after(m.after);
  std::string& list = *keys.mutable_keys();
  for (const KeyDigest& item : m.keys) {
    append_number(list, static_cast<std::uint16_t>(item.key.size()));
    list.append(item.key);
    append_number(list, item.digest);
  }
  keys.set_complete(m.complete);
}

Result<Message> read_quorum(wire::Envelope& in) {
  switch (in.message_case()) {
    case wire::Envelope::kQuorumQuery:
      return take(*in.mutable_quorum_query());
    case wire::Envelope::kQuorumQueryReply:
      return take(*in.mutable_quorum_query_reply());
    case wire::Envelope::kQuorumStore:
      return take(*in.mutable_quorum_store());
    case wire::Envelope::kQuorumStoreReply:
      return take(*in.mutable_quorum_store_reply());
    case wire::Envelope::kMerkleQuery:
      return take(*in.mutable_merkle_query());
    case wire::Envelope::kMerkleDigests:
      return take(*in.mutable_merkle_digests());
    case wire::Envelope::kMerkleKeysQuery:
      return take(*in.mutable_merkle_keys_query());
    case wire::Envelope::kMerkleKeys:
      return take(*in.mutable_merkle_keys());
    default:
      PARALLAX_UNREACHABLE("message case {}", static_cast<int>(in.message_case()));
  }
}

}  // namespace parallax
