#include "simulation/quorum_checks.h"

#include <algorithm>

#include "base/assert.h"
#include "replication/command.h"
#include "replication/quorum/state_content.h"
#include "storage/causal_codec.h"
#include "storage/key_space.h"
#include "storage/log_segment.h"

namespace parallax::simulation {
namespace {

/// The part of a context that is about versions which this life of the sender's disk has written.
VersionVector own_part(const VersionVector& context, const Envelope& sent) {
  VersionVector own;
  const Actor actor{ActorPath::quorum, sent.from, sent.incarnation};
  own.advance(actor, context.at(actor));
  return own;
}

/// What the logs in the store say of a key that its stored state may lack: a restart joins it. A
/// bound for what entries bring, whose versions do not say their place yet.
Result<VersionVector> logged_context(const ReadView& store, const std::string& key) {
  VersionVector context;
  PARALLAX_ASSIGN(const auto behind,
                  records::load<StatesRecord>(store, records::states_key(kOnlyGroup)));
  PARALLAX_ASSIGN(const auto applied,
                  records::load<AppliedRecord>(store, records::applied_key(kOnlyGroup)));
  PARALLAX_ASSIGN(const auto causal,
                  records::load<CausalRecord>(store, records::causal_key(kOnlyGroup)));
  if (!behind || !applied) return context;
  PARALLAX_TRY(scan_log(store, kOnlyGroup, behind->index.next(), [&](const LogSegment& segment) {
    for (const LogEntry& entry : segment.entries) {
      if (entry.index <= behind->index || entry.index > applied->index) continue;
      if (entry.payload.empty()) continue;
      const Result<Command> command = decode_command(entry.payload);
      const auto* const write = command ? std::get_if<WriteKey>(&*command) : nullptr;
      if (write != nullptr && write->key == key) context.join(write->state.context());
    }
    return true;
  }));
  const ScanRange log = records::causal_log_range(kOnlyGroup);
  PARALLAX_TRY(store.scan(log, [&](std::string_view store_key, std::string_view value) {
    const auto segment = records::decode<CausalSegment>(store_key, value);
    for (std::size_t i = 0; segment && causal && i < segment->operations.size(); ++i) {
      const CausalOperation& operation = segment->operations[i];
      const std::uint64_t last = causal->applied.at(operation.origin());
      if (operation.key != key || operation.number > last) continue;
      if (operation.number <= behind->operations.at(operation.origin())) continue;
      context.join(operation.version.context);
      context.advance(operation.version.actor, operation.version.stamp.hlc);
    }
    return true;
  }));
  return context;
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
  VersionVector held = stored->context();
  held.join(early->context());
  if (held.dominates(context)) return;
  const Result<VersionVector> logged = logged_context(world.store(id), key);
  if (!logged) return;
  held.join(*logged);
  PARALLAX_ASSERT(held.dominates(context),
                  "durable before said: node {} {} '{}' as {}, its disk holds {}", id, what, key,
                  context.to_string(), held.to_string());
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
