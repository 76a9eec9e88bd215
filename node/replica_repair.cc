// What brings replicas together that have missed something.
#include "node/replica_impl.h"

namespace parallax {

void Replica::Impl::on_missed(const std::string&, const std::vector<NodeId>&) {}
void Replica::Impl::on_other_query_reply(const Envelope&, const QuorumQueryReply&) {}
void Replica::Impl::on_other_store_reply(const Envelope&, const QuorumStoreReply&) {}

}  // namespace parallax
