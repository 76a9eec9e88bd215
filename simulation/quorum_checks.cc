#include "simulation/quorum_checks.h"

#include <algorithm>

#include "base/assert.h"
#include "replication/quorum/state_content.h"
#include "storage/key_space.h"

namespace parallax::simulation {
namespace {

/// The part of a context that is about versions which this life of the sender's disk has written.
VersionVector own_part(const VersionVector& context, const Envelope& sent) {
  VersionVector own;
  const Actor actor{ActorPath::quorum, sent.from, sent.incarnation};
  own.advance(actor, context.at(actor));
  return own;
}

}  // namespace

bool QuorumChecks::Earlier::operator()(const CallOf& a, const CallOf& b) const {
  const auto order = [](const CallOf& call) {
    const auto& [from, to, of] = call;
    return std::tuple(from, to, of.life, of.id);
  };
  return order(a) < order(b);
}

/// `state`, or only its `context`, is on the disk of who has `said` so.
void QuorumChecks::check_durable(World& world, const Envelope& said, const std::string& key,
                                 const KeyState& state, const VersionVector& context,
                                 std::string_view what) {
  const NodeId id = said.from;
  if (!world.up(id) || !world.same_disk(said)) return;
  // Committed: others have it, whatever becomes of this disk.
  if (!state.versions().empty() && !beyond_log(state)) return;
  const KeySpace keys(world.store(id), kOnlyGroup);
  const Result<KeyState> stored = keys.load(key);
  const Result<KeyState> early = keys.load_early(key);
  if (!stored || !early) return;  // damage is found elsewhere
  KeyState held = *stored;
  held.join(*early);
  PARALLAX_ASSERT(held.context().dominates(context),
                  "durable before said: node {} {} '{}' as {}, its disk holds {}", id, what, key,
                  context.to_string(), held.context().to_string());
}

void QuorumChecks::on_message(World& world, const Envelope& envelope) {
  const NodeId from = envelope.from;
  const NodeId to = envelope.to;
  if (const auto* query = std::get_if<QuorumQuery>(&envelope.message)) {
    queries_[{from, to, query->call}] = query->key;
  } else if (const auto* held = std::get_if<QuorumQueryReply>(&envelope.message)) {
    const auto asked = queries_.find({to, from, held->call});
    if (asked == queries_.end()) return;  // a copy
    check_durable(world, envelope, asked->second, held->state, held->state.context(), "shows");
    queries_.erase(asked);
  } else if (const auto* store = std::get_if<QuorumStore>(&envelope.message)) {
    // What others have shown is on their disks.
    check_durable(world, envelope, store->key, {}, own_part(store->state.context(), envelope),
                  "sends");
    stores_[{from, to, store->call}] = {store->key, store->state.context()};
  } else if (const auto* reply = std::get_if<QuorumStoreReply>(&envelope.message)) {
    const auto asked = stores_.find({to, from, reply->call});
    if (asked == stores_.end()) return;
    if (reply->stored && reply->hint_for == kNoNode) {
      check_durable(world, envelope, asked->second.key, {}, asked->second.context, "acknowledges");
    }
    stores_.erase(asked);
  }
}

}  // namespace parallax::simulation
