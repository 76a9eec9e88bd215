#include "replication/leader_follower/codec.h"

#include "base/assert.h"
#include "replication/message.pb.h"

namespace parallax {
namespace {

void fill(wire::QuorumCall& out, const QuorumCall& call) {
  out.set_life(call.life);
  out.set_id(call.id.value);
}

QuorumCall read(const wire::QuorumCall& call) {
  return {.life = call.life(), .id = RequestId{call.id()}};
}

}  // namespace

void fill_index(wire::Envelope& out, const IndexQuery& m) {
  fill(*out.mutable_index_query()->mutable_call(), m.call);
}

void fill_index(wire::Envelope& out, const IndexReply& m) {
  wire::IndexReply& reply = *out.mutable_index_reply();
  fill(*reply.mutable_call(), m.call);
  reply.set_confirmed(m.confirmed);
  reply.set_index(m.index.value);
}

Message read_index(const wire::Envelope& in) {
  switch (in.message_case()) {
    case wire::Envelope::kIndexQuery:
      return IndexQuery{.call = read(in.index_query().call())};
    case wire::Envelope::kIndexReply:
      return IndexReply{.call = read(in.index_reply().call()),
                        .confirmed = in.index_reply().confirmed(),
                        .index = LogIndex{in.index_reply().index()}};
    default:
      PARALLAX_UNREACHABLE("message case {}", static_cast<int>(in.message_case()));
  }
}

}  // namespace parallax
