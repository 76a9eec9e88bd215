#include "replication/quorum/codec.h"

#include <algorithm>

#include "base/assert.h"
#include "replication/message.pb.h"
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
  return QuorumStoreReply{
      .call = read(m.call()), .stored = m.stored(), .hint_for = NodeId{m.hint_for()}};
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
    default:
      PARALLAX_UNREACHABLE("message case {}", static_cast<int>(in.message_case()));
  }
}

}  // namespace parallax
