// Who of the replicas has been asked, and what they said: the counting behind every quorum.
//
// Invariants:
//   - a replica counts once, however often it (or the network) says the same;
//   - a recovering replica counts for nothing (docs/ARCHITECTURE.md, "Empty store");
//   - the word of a life whose disk is lost is void once a later life is heard.
// It does not know what was asked for: a read, a write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "replication/message.h"

namespace parallax {

/// A value.
class Tally {
 public:
  enum class Word : std::uint8_t {
    unasked,
    asked,  ///< its answer is waited for
    yes,
    no,  ///< it refused, or nothing will come
  };

  /// `replicas`: all of them, in the order in which they are best asked. `required`: at least 1, at
  /// most all.
  Tally(const std::vector<NodeId>& replicas, std::size_t required);

  void ask(NodeId replica);
  /// `by` vouches for `replica`, mostly for itself. False when that does not count.
  bool yes(NodeId replica, const Sender& by);
  bool yes(const Sender& by) { return yes(by.id, by); }
  /// A yes stays one.
  void no(NodeId replica);
  /// What a replica says of a store that it was sent: yes or no, for itself.
  void step(const Sender& from, const QuorumStoreReply& reply);
  /// Takes note of a life: what earlier ones have vouched for does not count, and one that recovers
  /// is not waited for. True when something that counted does not any more.
  bool heard(const Sender& sender);

  std::size_t required() const { return required_; }
  std::size_t received() const { return count(Word::yes); }
  bool enough() const { return received() >= required_; }
  /// Not even if all say yes from whom it is still possible.
  bool hopeless() const { return slots_.size() - count(Word::no) < required_; }
  /// Whether an answer is waited for.
  bool waiting() const { return count(Word::asked) > 0; }
  /// Whom to ask beyond those who have been, so that it is enough if all say yes.
  std::vector<NodeId> to_ask() const;
  /// The next one that nobody has asked; kNoNode when there is none.
  NodeId next() const;
  std::vector<NodeId> all(Word word) const;
  Word of(NodeId replica) const;

 private:
  struct Slot {
    NodeId replica;
    Word word = Word::unasked;
    NodeId by;  ///< with yes: who vouches
  };
  struct Life {
    NodeId node;
    Incarnation incarnation;
  };
  std::size_t count(Word word) const;
  Slot* find(NodeId replica);

  std::vector<Slot> slots_;
  std::vector<Life> lives_;  ///< the highest incarnation heard of each
  std::size_t required_;
};

}  // namespace parallax
