// Linearizable reads without a round, under the leader's lease
// (replication/leader_follower/lease.h): on only with lease_reads.
//
// In this order: the read has come; the lease is asked for, with the turn's time, which is older;
// the state is read; the lease is asked for again, with a time that the owner reads behind all this
// (settle_leased()). Only the last one counts. At that moment nobody else leads, so nobody has
// committed anything that is not in the state, and the read takes its place in the order there. A
// leader that stood still anywhere before finds its lease gone and asks for a round after all; one
// that stands still behind it shows late what was the newest while the read was under way.
//
// A read that would show what the log does not have (adopt(), replica_reads.cc) takes a round, and
// so do the refusals of conditions.
#include "base/canary.h"
#include "base/coverage.h"
#include "node/replica_impl.h"

namespace parallax {

bool Replica::Impl::may_read_under_lease(const Request& request) const {
  return config_.lease_reads && is_read(request.operation) &&
         request.consistency.level == Level::linearizable && raft_->lease_holds(now_.monotonic);
}

/// True when some of them ask for a round instead.
bool Replica::Impl::read_under_lease() {
  bool rounds = false;
  for (RequestHandle handle : std::exchange(lease_reads_, {})) {
    const PendingRequest* const pending = requests_.find(handle);
    if (pending == nullptr) continue;
    std::optional<Answer> answer;
    if (serving()) answer = leased_answer(pending->request);
    if (fatal_) return false;
    if (answer) {
      leased_.emplace_back(handle, std::move(*answer));
    } else if (leading()) {
      begin_read_round(handle);
      rounds = true;
    } else {
      route(handle);  // its disk does not read any more
    }
  }
  return rounds;
}

/// Nothing: it takes a round. Whoever was told of a commit may have been told of the last one.
std::optional<Answer> Replica::Impl::leased_answer(const Request& request) {
  if (applied_.index < raft_->commit_index()) return std::nullopt;
  const Evidence evidence{.node = config_.id,
                          .term = raft_->term(),
                          .index = applied_.index,
                          .path = Path::lease,
                          .replicas = raft_->lease_replicas(),
                          .sequenced = true};
  const Adopted nothing{};
  ReadScope scope{.known = true, .agreed = true, .adopted = &nothing};
  Reply reply = read(request, evidence, scope);
  if (!reply || !scope.unsettled.empty()) return std::nullopt;
  return std::move(*reply);
}

void Replica::Impl::settle_leased(MonoTime now) {
  const bool holds = serving() && (raft_->lease_holds(now) || canary(Canary::lease_not_rechecked));
  for (auto& [handle, answer] : std::exchange(leased_, {})) {
    if (requests_.find(handle) == nullptr) continue;
    if (holds) {
      finish(handle, std::move(answer));
    } else {
      mark(Mark::lease_ran_out);
      route_soon(handle);
    }
  }
}

}  // namespace parallax
