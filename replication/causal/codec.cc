#include "replication/causal/codec.h"

#include "base/assert.h"
#include "replication/message.pb.h"
#include "storage/causal_codec.h"
#include "storage/key_state_codec.h"

namespace parallax {
namespace {

Actor actor_of(const Origin& origin) {
  return {ActorPath::causal, origin.node, origin.incarnation};
}

// --- Messages -----------------------------------------------------------------------------------

void fill(wire::QuorumCall& out, const QuorumCall& call) {
  out.set_life(call.life);
  out.set_id(call.id.value);
}

QuorumCall read(const wire::QuorumCall& call) {
  return {.life = call.life(), .id = RequestId{call.id()}};
}

/// None: no bytes, which are no list.
Result<std::vector<SharedOperation>> read_operations(std::string& field) {
  if (field.empty()) return std::vector<SharedOperation>{};
  return unpack_operations(Bytes{std::move(field)});
}

using OriginCounts = google::protobuf::RepeatedPtrField<wire::OriginCount>;

void fill(OriginCounts& out, const OriginVector& vector) {
  for (const auto& [origin, count] : vector.entries()) {
    wire::OriginCount& entry = *out.Add();
    entry.set_node(origin.node.value);
    entry.set_incarnation(origin.incarnation.value);
    entry.set_count(count);
  }
}

OriginVector read(const OriginCounts& in) {
  std::vector<OriginVector::Entry> entries;
  entries.reserve(static_cast<std::size_t>(in.size()));
  for (const wire::OriginCount& entry : in) {
    entries.emplace_back(Origin{NodeId{entry.node()}, Incarnation{entry.incarnation()}},
                         entry.count());
  }
  return OriginVector(std::move(entries));
}

Result<Message> take(wire::CausalOperations& m) {
  PARALLAX_ASSIGN(auto operations, read_operations(*m.mutable_operations()));
  return CausalOperations{std::move(operations)};
}

Result<Message> take(const wire::CausalFetch& m) {
  return CausalFetch{.call = read(m.call()),
                     .origin = {NodeId{m.node()}, Incarnation{m.incarnation()}},
                     .after = m.after()};
}

Result<Message> take(wire::CausalFetched& m) {
  PARALLAX_ASSIGN(auto operations, read_operations(*m.mutable_operations()));
  return CausalFetched{
      .call = read(m.call()), .trimmed = m.trimmed(), .operations = std::move(operations)};
}

Result<Message> take(const wire::CausalStatus& m) {
  CausalStatus status{.applied = read(m.applied()), .heard = {}, .life = m.life()};
  for (const wire::NodeIncarnation& entry : m.heard()) {
    Incarnation& heard = status.heard[NodeId{entry.node()}];
    heard = std::max(heard, Incarnation{entry.incarnation()});
  }
  return status;
}

Result<Message> take(wire::CausalTransferQuery& m) {
  return CausalTransferQuery{.call = read(m.call()), .after = std::move(*m.mutable_after())};
}

Result<Message> take(wire::CausalTransferPage& m) {
  CausalTransferPage page{.call = read(m.call()),
                          .applied = read(m.applied()),
                          .stamps = {},
                          .ceiling = read(m.ceiling()),
                          .complete = m.complete()};
  for (const wire::OriginCount& entry : m.stamps()) {
    page.stamps.advance(actor_of({NodeId{entry.node()}, Incarnation{entry.incarnation()}}),
                        Hlc{entry.count()});
  }
  for (wire::CausalTransferPage::State& in : *m.mutable_states()) {
    CausalTransferPage::State& state = page.states.emplace_back();
    state.key = std::move(*in.mutable_key());
    PARALLAX_ASSIGN(state.state, decode_key_state(Bytes{std::move(*in.mutable_state())}));
  }
  return page;
}

}  // namespace

void fill_causal(wire::Envelope& out, const CausalOperations& m) {
  out.mutable_causal_operations()->set_operations(pack_operations(m.operations));
}

void fill_causal(wire::Envelope& out, const CausalFetch& m) {
  wire::CausalFetch& fetch = *out.mutable_causal_fetch();
  fill(*fetch.mutable_call(), m.call);
  fetch.set_node(m.origin.node.value);
  fetch.set_incarnation(m.origin.incarnation.value);
  fetch.set_after(m.after);
}

void fill_causal(wire::Envelope& out, const CausalFetched& m) {
  wire::CausalFetched& fetched = *out.mutable_causal_fetched();
  fill(*fetched.mutable_call(), m.call);
  fetched.set_trimmed(m.trimmed);
  fetched.set_operations(pack_operations(m.operations));
}

void fill_causal(wire::Envelope& out, const CausalStatus& m) {
  wire::CausalStatus& status = *out.mutable_causal_status();
  fill(*status.mutable_applied(), m.applied);
  status.set_life(m.life);
  for (const auto& [node, incarnation] : m.heard) {
    wire::NodeIncarnation& entry = *status.add_heard();
    entry.set_node(node.value);
    entry.set_incarnation(incarnation.value);
  }
}

void fill_causal(wire::Envelope& out, const CausalTransferQuery& m) {
  wire::CausalTransferQuery& query = *out.mutable_causal_transfer_query();
  fill(*query.mutable_call(), m.call);
  query.set_after(m.after);
}

void fill_causal(wire::Envelope& out, const CausalTransferPage& m) {
  wire::CausalTransferPage& page = *out.mutable_causal_transfer_page();
  fill(*page.mutable_call(), m.call);
  fill(*page.mutable_applied(), m.applied);
  fill(*page.mutable_ceiling(), m.ceiling);
  for (const auto& [actor, reading] : m.stamps.entries()) {
    wire::OriginCount& entry = *page.add_stamps();
    entry.set_node(actor.node.value);
    entry.set_incarnation(actor.incarnation.value);
    entry.set_count(reading.value);
  }
  for (const CausalTransferPage::State& state : m.states) {
    wire::CausalTransferPage::State& entry = *page.add_states();
    entry.set_key(state.key);
    encode_key_state(state.state, *entry.mutable_state());
  }
  page.set_complete(m.complete);
}

Result<Message> read_causal(wire::Envelope& in) {
  switch (in.message_case()) {
    case wire::Envelope::kCausalOperations:
      return take(*in.mutable_causal_operations());
    case wire::Envelope::kCausalFetch:
      return take(in.causal_fetch());
    case wire::Envelope::kCausalFetched:
      return take(*in.mutable_causal_fetched());
    case wire::Envelope::kCausalStatus:
      return take(in.causal_status());
    case wire::Envelope::kCausalTransferQuery:
      return take(*in.mutable_causal_transfer_query());
    case wire::Envelope::kCausalTransferPage:
      return take(*in.mutable_causal_transfer_page());
    default:
      PARALLAX_UNREACHABLE("message case {}", static_cast<int>(in.message_case()));
  }
}

}  // namespace parallax
