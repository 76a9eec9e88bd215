#include "replication/quorum/tally.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax {

Tally::Tally(const std::vector<NodeId>& replicas, std::size_t required) : required_(required) {
  PARALLAX_ASSERT(required >= 1 && required <= replicas.size(), "{} of {} replicas", required,
                  replicas.size());
  slots_.reserve(replicas.size());
  for (const NodeId replica : replicas) {
    PARALLAX_ASSERT(find(replica) == nullptr, "replica {} twice", replica);
    slots_.push_back({.replica = replica});
  }
}

Tally::Slot* Tally::find(NodeId replica) {
  const auto found = std::find_if(slots_.begin(), slots_.end(),
                                  [&](const Slot& slot) { return slot.replica == replica; });
  return found == slots_.end() ? nullptr : &*found;
}

Tally::Word Tally::of(NodeId replica) const {
  for (const Slot& slot : slots_) {
    if (slot.replica == replica) return slot.word;
  }
  return Word::no;
}

std::size_t Tally::count(Word word) const {
  return static_cast<std::size_t>(std::count_if(
      slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.word == word; }));
}

void Tally::ask(NodeId replica) {
  if (Slot* slot = find(replica); slot != nullptr && slot->word == Word::unasked) {
    slot->word = Word::asked;
  }
}

bool Tally::heard(const Sender& sender) {
  if (sender.recovering) no(sender.id);
  const auto life = std::find_if(lives_.begin(), lives_.end(),
                                 [&](const Life& l) { return l.node == sender.id; });
  if (life == lives_.end()) {
    lives_.push_back({sender.id, sender.incarnation});
    return false;
  }
  if (sender.incarnation <= life->incarnation) return false;
  life->incarnation = sender.incarnation;
  bool changed = false;
  for (Slot& slot : slots_) {
    if (slot.word != Word::yes || slot.by != sender.id) continue;
    slot.word = Word::no;
    changed = true;
  }
  return changed;
}

void Tally::step(const Sender& from, const QuorumStoreReply& reply) {
  if (reply.stored) {
    yes(from);
  } else {
    no(from.id);
  }
}

bool Tally::yes(NodeId replica, const Sender& by) {
  Slot* slot = find(replica);
  if (slot == nullptr) return false;
  heard(by);
  const auto life =
      std::find_if(lives_.begin(), lives_.end(), [&](const Life& l) { return l.node == by.id; });
  if (by.incarnation < life->incarnation) return false;
  if (by.recovering) {
    no(replica);
    return false;
  }
  // The replica's own word is worth more than another's for it.
  if (slot->word == Word::yes && (slot->by == by.id || by.id != replica)) return false;
  slot->word = Word::yes;
  slot->by = by.id;
  return true;
}

void Tally::no(NodeId replica) {
  if (Slot* slot = find(replica); slot != nullptr && slot->word != Word::yes) {
    slot->word = Word::no;
  }
}

std::vector<NodeId> Tally::to_ask() const {
  const std::size_t hoped = count(Word::yes) + count(Word::asked);
  std::vector<NodeId> nodes;
  for (const Slot& slot : slots_) {
    if (hoped + nodes.size() >= required_) break;
    if (slot.word == Word::unasked) nodes.push_back(slot.replica);
  }
  return nodes;
}

NodeId Tally::next() const {
  for (const Slot& slot : slots_) {
    if (slot.word == Word::unasked) return slot.replica;
  }
  return kNoNode;
}

std::vector<NodeId> Tally::all(Word word) const {
  std::vector<NodeId> nodes;
  for (const Slot& slot : slots_) {
    if (slot.word == word) nodes.push_back(slot.replica);
  }
  return nodes;
}

}  // namespace parallax
