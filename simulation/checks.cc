#include "simulation/checks.h"

#include <algorithm>

#include "base/assert.h"
#include "replication/command.h"
#include "storage/key_space.h"
#include "storage/log_segment.h"

namespace parallax::simulation {
namespace {

/// The version that an entry writes; nothing for entries of other kinds.
std::optional<WriteKey> write_of(const Bytes& payload) {
  if (payload.empty()) return std::nullopt;
  Result<Command> command = decode_command(payload);
  PARALLAX_ASSERT(command, "an entry does not decode: {}", command.error().message);
  if (auto* write = std::get_if<WriteKey>(&*command)) return std::move(*write);
  return std::nullopt;
}

}  // namespace

bool is_counter(const std::string& key) {
  return key.starts_with("count-");
}

bool is_leaderless(std::string_view key) {
  for (const std::string_view family :
       {"atomic-", "causal-", "crdt-", "eventual-", "mixed-", "quorum-", "session-"}) {
    if (key.starts_with(family)) return true;
  }
  return false;
}

std::uint64_t Checks::losses(NodeId id) const {
  const auto found = losses_.find(id);
  return found == losses_.end() ? 0 : found->second;
}

void Checks::after_start(NodeId id, const Replica& replica) {
  Seen& seen = seen_[id] = {};
  if (const Raft* raft = replica.raft()) {
    seen.applied = raft->applied_index();
    seen.log = raft->log().last_index();
  }
  const ReplicaStatus status = replica.status();
  if (status.installing_snapshot) return;  // half a snapshot is ahead of the applied index
  const Result<void> scanned =
      KeySpace(replica.state(), kOnlyGroup)
          .scan({}, {}, false, [&](auto key, const KeyState& state) {
            for (const Version& version : state.versions()) {
              PARALLAX_ASSERT(version.log_index <= status.applied_index,
                              "node {} holds '{}' of entry {}, applied {}", id, key,
                              version.log_index, status.applied_index);
            }
            return true;
          });
  (void)scanned;  // a damaged record is found when it is read for good
}

/// Stamps of entries that were only on the lost disk are forgotten: nobody has seen them. Those
/// that are committed rise along the log whatever was lost.
void Checks::after_loss(NodeId id) {
  ++losses_[id];
  issued_.erase(id);
  std::erase_if(entered_, [&](const auto& entry) { return entry.first.node == id; });
}

void Checks::after_crash(NodeId id) {
  seen_[id] = {};
}

void Checks::after_turn(NodeId id, const Replica& replica) {
  const Raft* raft = replica.raft();
  if (raft == nullptr) return;
  Seen& seen = seen_[id];
  check_basic(*raft);
  if (seen.last) check_delta(*seen.last, *raft);
  const bool was_leader = seen.last && seen.last->role == Role::leader;
  const bool new_term = !seen.last || seen.last->last_term != raft->log().last_term() ||
                        seen.last->last > raft->log().last_index();
  seen.last = summarize(*raft);
  if (new_term) seen.log = std::min(seen.log, seen.last->commit);
  check_new_entries(*raft, seen);
  if (raft->is_leader() && !was_leader) check_leader(*raft);
  check_applied(*raft, seen);
}

void Checks::check_leader(const Raft& raft) {
  const auto [known, added] = leaders_.try_emplace(raft.term(), raft.id());
  PARALLAX_ASSERT(known->second == raft.id(), "election safety: term {} has the leaders {} and {}",
                  raft.term(), known->second, raft.id());
  for (std::size_t i = raft.log().start().index.value; i < committed_.size(); ++i) {
    const LogIndex index{i + 1};
    // Votes may be late: who wins a term when a later one has its leader lacks what that commits.
    if (committed_[i].seen_in >= raft.term()) continue;
    PARALLAX_ASSERT(raft.log().term_at(index) == committed_[i].term,
                    "leader completeness: leader {} of term {} lacks committed entry {} of term {}",
                    raft.id(), raft.term(), index, committed_[i].term);
  }
}

/// Log matching, by induction: entries of one index and term are the same and stand behind entries
/// of one term. And whoever stamps, stamps above all its earlier stamps.
void Checks::check_new_entries(const Raft& raft, Seen& seen) {
  const RaftLog& log = raft.log();
  for (LogIndex i = std::max(seen.log, log.start().index).next(); i <= log.last_index();
       i = i.next()) {
    if (!log.cached(i)) continue;
    const LogEntry& entry = log.cached_entry(i);
    const Term before = *log.term_at(i.prev());
    const auto [known, added] = entries_.try_emplace({i, entry.term}, entry.payload, before);
    PARALLAX_ASSERT(known->second.first == entry.payload && known->second.second == before,
                    "log matching: entry {} of term {} differs on node {}", i, entry.term,
                    raft.id());
    if (!added) continue;
    const std::optional<WriteKey> write = write_of(entry.payload);
    if (!write) continue;
    for (const Version& version : write->state.versions()) {
      const auto known_stamp = entered_.find(version.stamp);
      if (known_stamp != entered_.end()) {  // there again: beside a new one, or its time is over
        const auto& [key, value] = known_stamp->second;
        PARALLAX_ASSERT(key == write->key && (version.tombstone || value == version.value.view()),
                        "stamps: {} is used twice", version.stamp);
        continue;
      }
      const bool expiry = version.tombstone && version.expires_at.value != 0;
      if (expiry || &version != write->state.winner()) continue;  // of an entry not seen here
      entered_.try_emplace(version.stamp, write->key, version.value.to_string());
      if (version.actor != kLogActor) continue;  // adopted, whenever it was stamped
      Hlc& last = issued_[version.stamp.node];
      PARALLAX_ASSERT(version.stamp.hlc > last, "stamps: node {} issued {} after {}",
                      version.stamp.node, version.stamp.hlc, last);
      last = version.stamp.hlc;
    }
  }
  seen.log = log.last_index();
}

void Checks::check_applied(const Raft& raft, Seen& seen) {
  const LogIndex applied = raft.applied_index();
  PARALLAX_ASSERT(applied >= seen.applied, "node {} applied {} and then {}", raft.id(),
                  seen.applied, applied);
  for (LogIndex i = seen.applied.next(); i <= applied; i = i.next()) {
    const std::optional<Term> term = raft.log().term_at(i);
    if (!term || i == raft.log().start().index) continue;  // came with a snapshot
    if (i.value > committed_.size()) {
      // It was seen when it was appended, first of all at its leader.
      const auto entry = entries_.find({i, *term});
      PARALLAX_ASSERT(entry != entries_.end(), "entry {} of term {} comes from nowhere", i, *term);
      commit(i, {*term, raft.term(), entry->second.first});
      continue;
    }
    const Entry& known = committed_[i.value - 1];
    PARALLAX_ASSERT(known.term == *term,
                    "state machine safety: node {} applies entry {} of term {}, others of {}",
                    raft.id(), i, *term, known.term);
  }
  seen.applied = applied;
}

void Checks::commit(LogIndex index, Entry entry) {
  PARALLAX_ASSERT(index.value == committed_.size() + 1, "entry {} is applied first, {} never was",
                  index, committed_.size() + 1);
  committed_.push_back(std::move(entry));
  const std::optional<WriteKey> write = write_of(committed_.back().payload);
  if (!write) return;
  if (write->idempotency) {
    const bool first = rows_.insert(write->idempotency->key).second;
    PARALLAX_ASSERT(first || !options_.keys_kept,
                    "a retry is recognized: entry {} gives '{}' a second outcome", index,
                    write->idempotency->key);
  }
  std::vector<WrittenAt>& past = reference_[write->key];
  for (const Version& version : write->state.versions()) {
    in_log_.emplace(write->key, version.stamp);
    const bool known = std::any_of(past.begin(), past.end(), [&](const WrittenAt& written) {
      return written.stamp == version.stamp;
    });
    if (known) {
      // It is there again because its time is over, or beside a new one.
      if (version.tombstone && !past.back().tombstone && past.back().stamp == version.stamp) {
        past.push_back({index, version.stamp, true, {}, version.expires_at});
      }
      continue;
    }
    if (version.actor != kLogActor) continue;  // adopted: its place is not the log's to give
    PARALLAX_ASSERT(version.stamp.hlc > last_stamp_,
                    "log order is stamp order: entry {} is stamped {}, one before it {}", index,
                    version.stamp.hlc, last_stamp_);
    last_stamp_ = version.stamp.hlc;
    const bool fresh = version.tombstone || is_counter(write->key) ||
                       values_.insert(version.value.to_string()).second;
    PARALLAX_ASSERT(fresh || !options_.values_differ,
                    "a write is carried out once: entry {} writes '{}' again", index,
                    version.value.view());
    past.push_back({index, version.stamp, version.tombstone, version.value, version.expires_at});
  }
}

bool Checks::holds(World& world, NodeId id, LogIndex index, Term term) {
  const MemoryStore& store = world.store(id);
  const auto start = records::load<LogStart>(store, records::log_start_key(kOnlyGroup));
  if (!start || (*start && (*start)->index >= index)) return true;  // damage is found elsewhere
  bool found = false;
  const Result<void> read = scan_log(store, kOnlyGroup, index, [&](const LogSegment& segment) {
    if (segment.first > index || index - segment.first >= segment.entries.size()) return false;
    found = segment.entries[index - segment.first].term == term;
    return false;
  });
  return !read || found;
}

void Checks::check_committed(World& world, NodeId id) {
  if (!world.up(id)) return;
  const Raft* raft = world.replica(id).raft();
  if (raft == nullptr || !raft->is_leader()) return;
  Seen& seen = seen_[id];
  const LogIndex index = raft->commit_index();
  if (index <= seen.committed || index <= raft->log().start().index) return;
  seen.committed = index;
  const Term term = *raft->log().term_at(index);
  std::size_t disks = 0;
  for (NodeId each : world.ids()) {
    if (world.lost_disk(each) || holds(world, each, index, term)) ++disks;
  }
  PARALLAX_ASSERT(disks >= raft->majority(), "leader {} commits entry {}, on {} disks", id, index,
                  disks);
}

void Checks::on_message(World& world, const Envelope& envelope) {
  quorum_.on_message(world, envelope);
  check_promise(world, envelope);
  check_committed(world, envelope.from);
}

void Checks::check_promise(World& world, const Envelope& envelope) {
  const bool same_disk = world.up(envelope.from) && world.same_disk(envelope);
  if (const auto* reply = std::get_if<AppendReply>(&envelope.message)) {
    // Only while the sender still is where it was when it said so.
    if (!reply->accepted || !same_disk || reply->match.value == 0) return;
    const Raft* raft = world.replica(envelope.from).raft();
    if (raft == nullptr || raft->term() != reply->term) return;
    const std::optional<Term> term = raft->log().term_at(reply->match);
    PARALLAX_ASSERT(!term || holds(world, envelope.from, reply->match, *term),
                    "durable before said: node {} acknowledges entry {}, which is not on its disk",
                    envelope.from, reply->match);
    return;
  }
  const auto* reply = std::get_if<VoteReply>(&envelope.message);
  if (reply == nullptr || !reply->granted || reply->pre_vote) return;
  if (same_disk) {
    const auto hard =
        records::load<HardState>(world.store(envelope.from), records::hard_state_key(kOnlyGroup));
    PARALLAX_ASSERT(
        !hard || (*hard && ((*hard)->term > reply->term ||
                            ((*hard)->term == reply->term && (*hard)->voted_for == envelope.to))),
        "durable before said: node {} votes for {} in {}, which is not on its disk", envelope.from,
        envelope.to, reply->term);
  }
  const auto [known, added] =
      votes_.try_emplace({envelope.from, envelope.incarnation, reply->term}, envelope.to);
  PARALLAX_ASSERT(known->second == envelope.to,
                  "one vote per term: node {} voted for {} and {} in {}", envelope.from,
                  known->second, envelope.to, reply->term);
}

const Checks::WrittenAt* Checks::held(const std::string& key, LogIndex index) const {
  const auto found = reference_.find(key);
  if (found == reference_.end()) return nullptr;
  const std::vector<WrittenAt>& all = found->second;
  const auto after = std::upper_bound(all.begin(), all.end(), index,
                                      [](LogIndex i, const WrittenAt& w) { return i < w.index; });
  return after == all.begin() ? nullptr : &*std::prev(after);
}

void Checks::check_answer(const Request& request, const Answer& answer) const {
  const LogIndex index = answer.evidence.index;
  PARALLAX_ASSERT(index.value <= committed_.size(), "an answer rests on entry {}, {} are committed",
                  index, committed_.size());
  PARALLAX_ASSERT(answer.session.index >= index, "a session ends at {}, its answer is of {}",
                  answer.session.index, index);
  const bool agreed = request.consistency.level == Level::linearizable;
  if (const auto* scan = std::get_if<Scan>(&request.operation)) {
    return check_range(*scan, answer, agreed);
  }
  if (const auto* many = std::get_if<GetMany>(&request.operation)) {
    PARALLAX_ASSERT(answer.items.size() + answer.missing.size() == many->keys.size(),
                    "{} keys asked for, {} and {} answered", many->keys.size(), answer.items.size(),
                    answer.missing.size());
    for (const Item& item : answer.items) check_shown(item.key, &item, index, agreed);
    for (const std::string& key : answer.missing) check_shown(key, nullptr, index, agreed);
    return;
  }
  const std::string* key = operation_key(request.operation);
  if (key == nullptr || is_leaderless(*key) ||
      std::holds_alternative<SetPolicy>(request.operation) ||
      std::holds_alternative<GetPolicy>(request.operation)) {
    return;
  }
  const WrittenAt* at = held(*key, index);
  if (!is_read(request.operation)) {
    return answer.refusal ? check_refusal(request, answer, at) : check_write(request, answer, at);
  }
  if (!std::holds_alternative<Get>(request.operation)) return;
  if (at == nullptr) {
    PARALLAX_ASSERT(!answer.stamp && !answer.found, "'{}' is shown at {}, where nothing was", *key,
                    index);
    return;
  }
  PARALLAX_ASSERT(answer.stamp == at->stamp, "'{}' at {} is {}, shown as {}", *key, index,
                  at->stamp, answer.stamp ? answer.stamp->to_string() : "nothing");
  const Item item{*key, at->stamp, answer.value, answer.content_type};
  check_shown(*key, answer.found ? &item : nullptr, index, agreed);
}

/// `item`: what is shown of `key`; nullptr: that it has no value. Where expiry is `agreed` on, the
/// log alone decides; elsewhere a value whose time is limited may be gone by a replica's own clock.
void Checks::check_shown(const std::string& key, const Item* item, LogIndex index,
                         bool agreed) const {
  if (is_leaderless(key)) return;
  const WrittenAt* at = held(key, index);
  const bool there = at != nullptr && !at->tombstone;
  if (item == nullptr) {
    PARALLAX_ASSERT(!there || (!agreed && at->expires_at.value != 0),
                    "'{}' at {} is {}, shown as absent", key, index, at->stamp);
    return;
  }
  PARALLAX_ASSERT(there && item->stamp == at->stamp && item->value == at->value,
                  "'{}' at {} is shown as {} with another value", key, index, item->stamp);
}

void Checks::check_range(const Scan& scan, const Answer& answer, bool agreed) const {
  const LogIndex index = answer.evidence.index;
  std::map<std::string, const Item*> shown;
  for (const Item& item : answer.items) {
    check_shown(item.key, &item, index, agreed);
    shown.emplace(item.key, &item);
  }
  for (const auto& [key, writes] : reference_) {
    const bool forward_page = !scan.reverse && (!answer.next || key < *answer.next);
    const bool reverse_page = scan.reverse && (!answer.next || key >= *answer.next);
    const bool within = key >= scan.start && (scan.end.empty() || key < scan.end);
    if (within && (forward_page || reverse_page) && !shown.contains(key)) {
      check_shown(key, nullptr, index, agreed);
    }
  }
}

/// The entry that the answer names has the effect, and the condition held just before it.
void Checks::check_write(const Request& request, const Answer& answer, const WrittenAt* at) const {
  const std::string& key = *operation_key(request.operation);
  const LogIndex index = answer.evidence.index;
  PARALLAX_ASSERT(at != nullptr && at->index == index && answer.stamp == at->stamp,
                  "a write of '{}' is acknowledged as {} in entry {}, which holds another", key,
                  answer.stamp ? answer.stamp->to_string() : "nothing", index);
  const WrittenAt* before = held(key, index.prev());
  const bool present = before != nullptr && before->present(at->stamp.hlc.millis());
  // A stamp may lag behind the clock by which its leader judged.
  const bool may_be_gone = !present || before->expires_at.value != 0;
  PARALLAX_ASSERT(
      (present && request.conditions.hold(before->stamp)) ||
          (may_be_gone && request.conditions.hold(std::nullopt)),
      "conditions serialize: a write of '{}' in entry {} was not allowed on what was there", key,
      index);
  if (const auto* increment = std::get_if<Increment>(&request.operation)) {
    const std::int64_t was = present ? std::stoll(before->value.to_string()) : 0;
    PARALLAX_ASSERT(answer.number == was + increment->by &&
                        at->value.view() == fmt::format("{}", *answer.number),
                    "increments serialize: '{}' was {} before entry {}", key, was, index);
  }
}

void Checks::check_refusal(const Request& request, const Answer& answer,
                           const WrittenAt* at) const {
  if (answer.refusal->code != ErrorCode::precondition_failed || answer.replayed) return;
  // Whether what was there counts as expired is in the log when the refusal rests on it.
  const bool present = at != nullptr && !at->tombstone;
  PARALLAX_ASSERT(!request.conditions.hold(present ? std::optional(at->stamp) : std::nullopt),
                  "conditions serialize: '{}' was refused at {} although what was there allows it",
                  *operation_key(request.operation), answer.evidence.index);
}

std::optional<std::string> Checks::value_of(const std::string& key, const Stamp& stamp) const {
  const auto entry = entered_.find(stamp);
  if (entry == entered_.end() || entry->second.first != key) return std::nullopt;
  return entry->second.second;
}

std::vector<Logged> Checks::log_of(std::string_view family) const {
  std::map<LogIndex, Logged> by_index;
  for (auto entry = reference_.lower_bound(std::string(family)); entry != reference_.end();
       ++entry) {
    const auto& [key, writes] = *entry;
    if (!key.starts_with(family)) break;
    for (const WrittenAt& at : writes)
      by_index.emplace(at.index, Logged{key, at.value.to_string()});
  }
  std::vector<Logged> log;
  for (auto& [index, logged] : by_index) log.push_back(std::move(logged));
  return log;
}

void Checks::check_contents(World& world) const {
  for (NodeId id : world.ids()) {
    const Replica& replica = world.replica(id);
    PARALLAX_ASSERT(replica.status().applied_index.value == committed_.size(),
                    "node {} applied {}, {} are committed", id, replica.status().applied_index,
                    committed_.size());
    const KeySpace keys(replica.state(), kOnlyGroup);
    for (const auto& [key, writes] : reference_) {
      if (writes.empty() || is_leaderless(key)) continue;
      const Result<KeyState> state = keys.load(key);
      PARALLAX_ASSERT(state, "{}", state.error().message);
      const Version* winner = state->winner();
      PARALLAX_ASSERT(
          winner != nullptr && winner->stamp == writes.back().stamp &&
              winner->value == writes.back().value && winner->tombstone == writes.back().tombstone,
          "no acknowledged write is lost: node {} holds {} of '{}', {} was the last", id,
          winner == nullptr ? "nothing" : winner->stamp.to_string(), key, writes.back().stamp);
    }
  }
}

void Checks::check_join_laws(World& world, const std::string& key) const {
  std::vector<KeyState> states;
  for (NodeId id : world.ids()) {
    if (!world.up(id)) continue;
    const Result<KeyState> state = KeySpace(world.replica(id).state(), kOnlyGroup).load(key);
    if (!state) continue;  // damaged
    PARALLAX_ASSERT(state->check(), "node {} holds '{}' in a state that contradicts itself", id,
                    key);
    states.push_back(*state);
  }
  for (const KeyState& a : states) {
    for (const KeyState& b : states) {
      KeyState ab = a;
      ab.join(b);
      KeyState ba = b;
      ba.join(a);
      PARALLAX_ASSERT(ab == ba, "join of '{}' does not commute", key);
      KeyState again = ab;
      PARALLAX_ASSERT(!again.join(b) && again == ab, "join of '{}' is not idempotent", key);
      KeyState right = states.front();
      right.join(ab);
      KeyState left = states.front();
      left.join(a);
      left.join(b);
      PARALLAX_ASSERT(left == right, "join of '{}' is not associative", key);
    }
  }
}

}  // namespace parallax::simulation
