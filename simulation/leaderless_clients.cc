#include "simulation/leaderless_clients.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "consistency/checker/linearizability.h"
#include "replication/quorum/sizes.h"
#include "simulation/accounts.h"
#include "simulation/undecided.h"

namespace parallax::simulation {
namespace {

constexpr std::array<std::string_view, 4> kFamilies{"atomic", "quorum", "eventual", "mixed"};

/// Of one key; beyond, the oldest is forgotten.
constexpr std::size_t kMostBounds = 64;

/// In the names of clients in the timeline, behind those of the leader's levels.
constexpr std::size_t kFirstClient = 100;

QuorumSizes sizes_of(const Consistency& consistency, std::size_t n) {
  const std::size_t majority = majority_of(n);
  switch (consistency.level) {
    case Level::atomic:
      return {.n = n, .r = majority, .w = majority};
    case Level::quorum:
      return {.n = n, .r = consistency.r, .w = consistency.w};
    default:
      return {.n = n, .r = 1, .w = 1};
  }
}

/// Whether all operations on the key are at r + w > n.
bool is_strict(const std::string& key) {
  return key.starts_with("quorum-") && (key.back() - '0') % 2 == 0;
}

std::string words_of(const checker::LinearizabilityResult& result) {
  if (result.verdict == checker::Verdict::undecided) throw Undecided(result.reason);
  return result.counterexample->text;
}

}  // namespace

LeaderlessClients::LeaderlessClients(World& world, const Checks& checks, Trace* trace,
                                     LeaderlessOptions options)
    : world_(world),
      checks_(checks),
      trace_(trace),
      options_(options),
      random_(options.seed ^ 0x1eade71e55) {}

std::string LeaderlessClients::key(Family family, std::size_t i) const {
  return fmt::format("{}-{}", kFamilies[static_cast<std::size_t>(family)], i);
}

std::vector<std::string> LeaderlessClients::keys() const {
  std::vector<std::string> all;
  for (std::size_t family = 0; family < kFamilies.size(); ++family) {
    for (std::size_t i = 0; i < options_.keys; ++i) {
      all.push_back(key(static_cast<Family>(family), i));
    }
  }
  return all;
}

std::size_t LeaderlessClients::majority() const {
  return majority_of(world_.ids().size());
}

void LeaderlessClients::start() {
  for (std::size_t client = 0; client < options_.clients; ++client) next(client);
}

void LeaderlessClients::next(std::size_t client) {
  if (stopped_) return;
  const auto mean = static_cast<std::uint64_t>(options_.think.count());
  world_.after(Duration{static_cast<std::int64_t>(random_.below(2 * mean + 1))}, [this, client] {
    if (stopped_) return;
    const auto family = static_cast<Family>(random_.below(kFamilies.size()));
    issue(client, family, random_.below(options_.keys));
  });
}

// --- What is asked -------------------------------------------------------------------------------

Consistency LeaderlessClients::draw_level(Family family, std::size_t key) {
  Consistency consistency;
  const std::uint64_t n = world_.ids().size();
  const auto quorum = [&](std::uint64_t least) {
    consistency.level = Level::quorum;
    consistency.r = static_cast<std::uint32_t>(random_.between(least, n));
    consistency.w = static_cast<std::uint32_t>(random_.between(least, n));
    consistency.blocking_repair = random_.chance(0.2);
    consistency.sloppy = least == 1 && random_.chance(0.3);
  };
  const auto local = [&] {
    consistency.level = random_.chance(0.7) ? Level::eventual : Level::weak;
  };
  switch (family) {
    case Family::atomic:
      consistency.level = Level::atomic;
      break;
    case Family::quorum:
      quorum(key % 2 == 0 ? majority() : 1);
      break;
    case Family::eventual:
      local();
      break;
    case Family::mixed: {
      const std::uint64_t draw = random_.below(options_.led ? 100 : 60);
      if (draw < 20) {
        consistency.level = Level::atomic;
      } else if (draw < 40) {
        quorum(1);
      } else if (draw < 60) {
        local();
      }
      break;
    }
  }
  return consistency;
}

void LeaderlessClients::draw_operation(Request& request, const std::string& key) {
  const auto seen = seen_.find(key);
  const bool log = request.consistency.level == Level::linearizable;
  if (random_.chance(options_.reads)) {
    if (log && random_.chance(options_.ranges)) {
      if (random_.chance(0.5)) {
        request.operation = Scan{.start = "mixed-", .end = "mixed."};
      } else {
        request.operation = GetMany{{this->key(Family::mixed, 0), key}};
      }
      return;
    }
    request.operation = Get{.key = key, .siblings = random_.chance(0.2)};
    return;
  }
  const bool remove = random_.chance(options_.deletes);
  if (remove) {
    request.operation = Delete{key};
  } else {
    Put put{.key = key, .value = Bytes{fmt::format("L{}", issued_)}};
    if (random_.chance(options_.expiring)) {
      put.ttl = std::chrono::milliseconds(random_.between(1, 3'000));
    }
    request.operation = std::move(put);
  }
  if (log && random_.chance(options_.conditions)) {
    if (seen != seen_.end() && random_.chance(0.7)) {
      request.conditions.if_match = EtagSet{.any = false, .stamps = {seen->second.stamp}};
    } else if (!remove) {
      request.conditions.if_none_match = EtagSet{.any = true, .stamps = {}};
    }
  } else if (seen != seen_.end() && random_.chance(options_.contexts)) {
    request.context = seen->second.context;
  }
}

void LeaderlessClients::issue(std::size_t client, Family family, std::size_t i) {
  ++issued_;
  const std::vector<NodeId> nodes = world_.ids();
  Asked asked{.client = kFirstClient + client,
              .request = {},
              .family = family,
              .key = i,
              .at = nodes[random_.below(nodes.size())],
              .began = ++moment_,
              .losses = {},
              .record = std::nullopt};
  asked.request.consistency = draw_level(asked.family, i);
  draw_operation(asked.request, key(asked.family, i));
  asked.request.timeout = std::chrono::milliseconds(random_.between(200, 1'500));
  for (const NodeId id : nodes) asked.losses.emplace_back(id, checks_.losses(id));
  record(asked);
  ++under_way_;
  world_.submit(asked.at, Request(asked.request),
                [this, asked](const Reply& reply) { finish(asked, reply); });
}

/// On mixed keys the operations of one protocol are judged with the others' writes as something
/// that may happen at any time, or never.
void LeaderlessClients::record(Asked& asked) {
  const Request& request = asked.request;
  if (operation_key(request.operation) == nullptr) return;  // by stamps alone
  const Recorder::Call call{asked.client, asked.at, world_.now()};
  const Level level = request.consistency.level;
  const std::string* expected = nullptr;
  const std::string& key = *operation_key(request.operation);
  if (request.conditions.if_match) expected = &seen_.at(key).value;
  if (asked.family != Family::mixed) {
    asked.record = recorder_of(asked).begin(request, call);
    return;
  }
  const bool write = !is_read(request.operation);
  if (level == Level::linearizable || write) {
    const auto index = mixed_linearizable_.begin(request, call, expected);
    if (level == Level::linearizable) asked.record = index;
  }
  if (level == Level::atomic || write) {
    // Another protocol decides a condition from what it knows: here it is a write like others.
    Request plain = request;
    if (level != Level::atomic) plain.conditions = {};
    const auto index = mixed_atomic_.begin(plain, call);
    if (level == Level::atomic) asked.record = index;
  }
}

// --- What is answered ----------------------------------------------------------------------------

void LeaderlessClients::finish(const Asked& asked, const Reply& reply) {
  tell_answer(trace_, {asked.client, asked.at, world_.now()}, asked.request, reply);
  --under_way_;
  ++moment_;
  const bool unknown = !reply && !reply.error().definite();
  if (reply) {
    ++answered_;
    const std::vector<Said> all = said(asked, *reply);
    for (const Said& each : all) check_in_log(asked, each);
    for (const Said& each : all) check_bounds(asked, each);
    for (const Said& each : all) note_bound(asked, each, reply->evidence.replicas);
    check_shown(asked, *reply);
    note_seen(asked, *reply);
    if (!is_read(asked.request.operation) && !reply->refusal) note_write(asked, *reply);
  }
  if (const auto* put = std::get_if<Put>(&asked.request.operation)) {
    const bool refused = reply ? reply->refusal.has_value() : !unknown;
    if (refused) refused_.insert(put->value.to_string());
  }
  complete(asked, reply);
  const std::size_t client = asked.client - kFirstClient;
  if (stopped_ || !random_.chance(options_.chained)) return next(client);
  world_.after(Duration{0}, [this, client, family = asked.family, i = asked.key] {
    if (!stopped_) issue(client, family, i);
  });
}

/// Whose verdict the operation is part of.
Recorder& LeaderlessClients::recorder_of(const Asked& asked) {
  switch (asked.family) {
    case Family::atomic:
      return atomic_;
    case Family::quorum:
      return is_strict(*operation_key(asked.request.operation)) ? quorum_strict_ : quorum_loose_;
    case Family::eventual:
      return eventual_;
    case Family::mixed:
      break;
  }
  return asked.request.consistency.level == Level::atomic ? mixed_atomic_ : mixed_linearizable_;
}

void LeaderlessClients::complete(const Asked& asked, const Reply& reply) {
  if (!asked.record) return;
  std::optional<std::string> seen;
  if (reply && reply->refusal && reply->stamp) {
    const auto known = values_.find(*reply->stamp);
    if (known != values_.end()) seen = known->second;
  }
  const bool unknown = !reply && !reply.error().definite();
  recorder_of(asked).end(*asked.record, asked.request, reply, unknown, world_.now(), seen);
}

LeaderlessClients::Losses LeaderlessClients::losses_of(const std::vector<NodeId>& nodes,
                                                       const Losses& then) const {
  Losses some;
  for (const auto& [id, losses] : then) {
    if (std::find(nodes.begin(), nodes.end(), id) != nodes.end()) some.emplace_back(id, losses);
  }
  return some;
}

/// Whether whoever held it has lost it, or is about to find that out.
bool LeaderlessClients::all_lost(const Losses& then) const {
  return !then.empty() && std::all_of(then.begin(), then.end(), [&](const auto& node) {
    return checks_.losses(node.first) != node.second || world_.damage_pending(node.first);
  });
}

std::vector<LeaderlessClients::Said> LeaderlessClients::said(const Asked& asked,
                                                             const Answer& answer) {
  if (const std::string* key = operation_key(asked.request.operation)) {
    // A refusal that found no value says nothing of the tombstone.
    if (answer.refusal && !answer.stamp) return {};
    return {{*key, answer.stamp}};
  }
  std::vector<Said> all;
  for (const Item& item : answer.items) all.push_back({item.key, item.stamp});
  return all;
}

/// A leader that shows what only its own store has may be followed by one that has never heard of
/// it.
void LeaderlessClients::check_in_log(const Asked& asked, const Said& said) const {
  if (asked.request.consistency.level != Level::linearizable || !said.stamp) return;
  PARALLAX_ASSERT(checks_.in_log(said.key, *said.stamp),
                  "adopt before showing: {} of '{}' shows {}, which no entry of the log has",
                  operation_name(asked.request.operation), said.key, *said.stamp);
}

void LeaderlessClients::check_bounds(const Asked& asked, const Said& said) const {
  const Request& request = asked.request;
  const Level level = request.consistency.level;
  const bool read = is_read(request.operation);
  const bool log = level == Level::linearizable;
  const bool queries = level == Level::atomic || (level == Level::quorum && read);
  if (!log && !queries) return;
  const auto known = bounds_.find(said.key);
  if (known == bounds_.end()) return;
  const QuorumSizes sizes = sizes_of(request.consistency, world_.ids().size());
  for (const Bound& bound : known->second) {
    if (bound.completed >= asked.began || all_lost(bound.losses)) continue;
    const bool from_log = bound.holders == 0;
    const bool meets = from_log ? log || sizes.waits_for_pending_tail()
                                : queries && bound.holders + sizes.r > sizes.n;
    PARALLAX_ASSERT(!meets || (said.stamp && *said.stamp >= bound.stamp),
                    "no read is older than what was completed before it: {} of '{}' at {} is {} "
                    "after {} {}",
                    operation_name(request.operation), said.key, request.consistency.to_string(),
                    said.stamp ? said.stamp->to_string() : "nothing", bound.stamp,
                    from_log ? "in the log" : fmt::format("on {} replicas", bound.holders));
  }
}

/// What a node has shown of its own store was durable there, so it is there until the disk is lost.
/// Not so what the log has committed: that may be shown before it is durable here, since no crash
/// takes it from the log, and after one it is here once the node has caught up.
void LeaderlessClients::check_shown(const Asked& asked, const Answer& answer) {
  const Request& request = asked.request;
  if (!is_read(request.operation) || answer.evidence.path != Path::local) return;
  const std::uint64_t losses = checks_.losses(asked.at);
  const std::uint64_t life = world_.life(asked.at);
  const std::string& key = *operation_key(request.operation);
  const auto known = shown_.find({asked.at, key});
  if (known != shown_.end()) {
    const ShownBy& before = known->second;
    const bool caught_up_later = before.life != life && checks_.in_log(key, before.stamp);
    const bool comparable = before.completed < asked.began && before.losses == losses &&
                            !caught_up_later && !world_.damage_pending(asked.at);
    PARALLAX_ASSERT(!comparable || (answer.stamp && *answer.stamp >= before.stamp),
                    "durable before shown: node {} shows '{}' as {} after {}", asked.at, key,
                    answer.stamp ? answer.stamp->to_string() : "nothing", before.stamp);
    const bool lower = !answer.stamp || *answer.stamp <= before.stamp;
    if (before.losses == losses && !caught_up_later && lower) return;
  }
  if (request.consistency.level == Level::weak || !answer.stamp) return;
  const bool same_disk = std::find(asked.losses.begin(), asked.losses.end(),
                                   std::pair(asked.at, losses)) != asked.losses.end();
  if (!same_disk) return;
  shown_.insert_or_assign({asked.at, key}, ShownBy{moment_, *answer.stamp, losses, life});
}

void LeaderlessClients::note_seen(const Asked& asked, const Answer& answer) {
  const Request& request = asked.request;
  if (operation_key(request.operation) == nullptr) return;
  const std::string& key = *operation_key(request.operation);
  PARALLAX_ASSERT(!answer.found || !refused_.contains(answer.value.to_string()),
                  "definite means not done: '{}' of '{}' was refused and is read",
                  answer.value.view(), key);
  if (!answer.stamp || answer.refusal) return;
  const auto* put = std::get_if<Put>(&request.operation);
  if (put == nullptr && !answer.found) return;
  const std::string value = put != nullptr ? put->value.to_string() : answer.value.to_string();
  values_.emplace(*answer.stamp, value);
  seen_.insert_or_assign(key, Seen{*answer.stamp, value, answer.context});
}

void LeaderlessClients::note_bound(const Asked& asked, const Said& said,
                                   const std::vector<NodeId>& replicas) {
  if (!said.stamp) return;
  const Request& request = asked.request;
  const bool read = is_read(request.operation);
  const QuorumSizes sizes = sizes_of(request.consistency, world_.ids().size());
  Bound bound{.completed = moment_, .stamp = *said.stamp, .holders = 0, .losses = {}};
  switch (request.consistency.level) {
    case Level::linearizable:
      break;
    case Level::atomic:
      bound.holders = sizes.w;
      break;
    case Level::quorum:
      if (request.consistency.sloppy) return;  // those who hold it may not be replicas of it
      if (!read) {
        bound.holders = sizes.w;
      } else if (request.consistency.blocking_repair) {
        bound.holders = sizes.r;
      } else {
        return;
      }
      break;
    case Level::eventual:
      if (read) return;
      bound.holders = 1;
      break;
    default:
      return;
  }
  // What the log has committed its holders need not have applied durably: after a crash it is in
  // their logs, which only majority reads wait for.
  if (read && checks_.in_log(said.key, *said.stamp)) bound.holders = 0;
  if (bound.holders != 0 && bound.holders < majority()) {
    if (read) return;  // it does not say who they are
    bound.losses = losses_of(replicas, asked.losses);
  }
  std::deque<Bound>& bounds = bounds_[said.key];
  bounds.push_back(std::move(bound));
  if (bounds.size() > kMostBounds) bounds.pop_front();
}

void LeaderlessClients::note_write(const Asked& asked, const Answer& answer) {
  const Request& request = asked.request;
  const Level level = request.consistency.level;
  Written written{.key = *operation_key(request.operation),
                  .stamp = *answer.stamp,
                  .actor = actor_of(answer),
                  .consistency = request.consistency,
                  .losses = {},
                  .disks_lost = 0,
                  .began = asked.began,
                  .completed = moment_,
                  .at = asked.at};
  const bool sloppy = request.consistency.sloppy;
  const bool few = answer.evidence.replicas.size() < majority();
  if (level != Level::linearizable && (few || sloppy)) {
    // Of a sloppy write only the coordinator is sure to hold more than a hint.
    written.losses =
        losses_of(sloppy ? std::vector{asked.at} : answer.evidence.replicas, asked.losses);
  }
  for (const auto& [node, losses] : asked.losses) written.disks_lost += losses;
  if (!written.durable()) {
    weak_.insert_or_assign({asked.at, written.key}, WeakWrite{written.stamp, written.actor});
    if (random_.chance(options_.deaths)) {
      world_.after(Duration{0}, [this, id = asked.at] { die_(id); });
    }
  }
  written_.push_back(std::move(written));
}

// --- Verdicts ------------------------------------------------------------------------------------

void LeaderlessClients::after_start(NodeId id) {
  for (auto entry = weak_.begin(); entry != weak_.end();) {
    if (entry->first.first != id) {
      ++entry;
      continue;
    }
    const std::string& key = entry->first.second;
    const std::vector<NodeId> nodes = world_.ids();
    const bool somewhere = std::any_of(nodes.begin(), nodes.end(), [&](NodeId node) {
      // One that is down may have it: not on show. Nor is what cannot be read.
      return !world_.up(node) || world_.damage_pending(node) ||
             accounted_for(state_of(world_, node, key), entry->second.actor, entry->second.stamp);
    });
    if (!somewhere && !weak_lost_) {
      weak_lost_ = fmt::format(
          "'{}': a weak write was acknowledged by node {} as {}; that node's process has died, and "
          "no replica has the write, or anything that replaces it",
          key, id, entry->second.stamp);
    }
    entry = weak_.erase(entry);
  }
}

void LeaderlessClients::check_end(World& world) const {
  std::map<std::string, KeyState> states;
  for (const std::string& key : keys())
    states.emplace(key, state_of(world, world.ids().front(), key));
  for (const Written& written : written_) {
    if (!written.durable() || all_lost(written.losses)) continue;
    const KeyState& state = states.at(written.key);
    PARALLAX_ASSERT(accounted_for(state, written.actor, written.stamp),
                    "no acknowledged write is lost: {} of '{}' at {} is neither there nor "
                    "replaced; there is {}",
                    written.stamp, written.key, written.consistency.to_string(),
                    state.versions().empty() ? "nothing" : state.winner()->stamp.to_string());
  }
  for (const auto& [key, state] : states) {
    for (const Version& version : state.versions()) {
      PARALLAX_ASSERT(!refused_.contains(version.value.to_string()),
                      "definite means not done: '{}' of '{}' was refused and is there",
                      version.value.view(), key);
    }
  }
}

std::string LeaderlessClients::judge() const {
  const std::pair<const Recorder*, std::string_view> histories[] = {
      {&atomic_, "atomic operations are not linearizable"},
      {&mixed_atomic_, "atomic operations among others are not linearizable"},
      {&mixed_linearizable_, "linearizable operations among others are not linearizable"},
  };
  for (const auto& [recorder, what] : histories) {
    const auto result = checker::check_linearizability(recorder->history());
    if (result.verdict == checker::Verdict::yes) continue;
    return fmt::format("{}:\n{}", what, words_of(result));
  }
  return {};
}

std::optional<std::string> LeaderlessClients::counterexample(Permitted permitted) const {
  const auto judged = [](const Recorder& recorder) -> std::optional<std::string> {
    const auto result = checker::check_linearizability(recorder.history());
    if (result.verdict != checker::Verdict::no) return std::nullopt;
    return result.counterexample->text;
  };
  switch (permitted) {
    case Permitted::quorum_not_linearizable:
      return judged(quorum_strict_);
    case Permitted::quorum_stale_read:
      return judged(quorum_loose_);
    case Permitted::eventual_stale_read:
      return judged(eventual_);
    case Permitted::quorum_later_write_lost:
      for (const Written& later : written_) {
        if (!is_strict(later.key)) continue;
        for (const Written& earlier : written_) {
          if (earlier.key != later.key || earlier.completed >= later.began) continue;
          if (earlier.stamp < later.stamp) continue;
          return fmt::format(
              "'{}': node {} stamped a write at {} as {}; after that was acknowledged node {}, "
              "whose "
              "clock is slower, stamped another one as {}: the earlier one wins",
              later.key, earlier.at, earlier.consistency.to_string(), earlier.stamp, later.at,
              later.stamp);
        }
      }
      return std::nullopt;
    case Permitted::weak_write_lost:
      return weak_lost_;
    case Permitted::quorum_write_lost_with_disk:
      return lost_with_disk(Level::quorum);
    case Permitted::eventual_write_lost_with_disk:
      return lost_with_disk(Level::eventual);
    default:
      return std::nullopt;  // of other clients
  }
}

/// One that one disk had acknowledged, which was lost since, and no other; when all replicas are
/// equal.
std::optional<std::string> LeaderlessClients::lost_with_disk(Level level) const {
  for (const Written& written : written_) {
    const Consistency& consistency = written.consistency;
    if (consistency.level != level || consistency.sloppy || written.losses.size() != 1) continue;
    const auto& [node, before] = written.losses.front();
    if (checks_.losses(node) == before) continue;
    if (disks_lost(world_, checks_) != written.disks_lost + 1) continue;
    const KeyState state = state_of(world_, world_.ids().front(), written.key);
    if (accounted_for(state, written.actor, written.stamp)) continue;
    return fmt::format(
        "'{}': node {} alone acknowledged a write at {} as {}; it has lost its disk since, no "
        "other has, and no replica has the write, or anything that replaces it",
        written.key, node, consistency.to_string(), written.stamp);
  }
  return std::nullopt;
}

}  // namespace parallax::simulation
