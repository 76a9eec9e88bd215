// A history as its sessions, and which write each read saw: what the checkers of causal, session
// and sequential consistency start from.
//
// Session order: operations with a `session` belong to that session, others to their client's. A
// session is sequential: its operations stand by call, of equal ones by return, then by place, and
// may touch in time but not overlap; if they do, nothing is judged (`refused`).
//
// Which write a read saw is told by the value, so values must be unique per key where they are read
// (a differentiated history: Bouajjani et al., POPL 2017, section 2). A deletion is a write of
// "absent", which is what a key begins with, too: a read that shows nothing, of a key that somebody
// may have deleted, has several possible sources, like a read of a value that was written twice.
// Such a read is kept as `unresolved`: it says nothing, and is no one's witness. Leaving reads
// unsaid only takes constraints away, so a "no" stays right; a "yes" must resolve them first.
//
// Outcomes: what failed is not here, nor is a read without an answer. A mismatch is a read of what
// it saw. A write of unknown outcome exists if and only if somebody read it. It comes after what
// its session did before, but nothing comes after it for the session's sake: the client was not
// told that it happened, and it may have happened later. Such a write is `open`. An open
// compare-and-set is a write alone, because its client saw nothing. Otherwise a compare-and-set is
// one event that reads and writes.
//
// What it does not do: transactions (nothing is judged), scans, increments and appends (left out
// with all of their keys, and named in `left_out`), or judging.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "consistency/checker/history.h"

namespace parallax::checker {

/// Index into Events::all, or one of the sources below that are no events.
using EventId = std::uint32_t;
inline constexpr EventId kNoEvent = 0xffff'ffff;     ///< it did not read, or nobody can say what
inline constexpr EventId kInitial = 0xffff'fffe;     ///< what the key began with
inline constexpr EventId kThinAir = 0xffff'fffd;     ///< a value that nobody wrote
inline constexpr EventId kUnresolved = 0xffff'fffc;  ///< one of several writes
inline constexpr EventId kFirstSpecial = kUnresolved;

constexpr bool is_event(EventId id) {
  return id < kFirstSpecial;
}

struct Event {
  std::uint32_t operation;  ///< index in the history
  std::uint32_t key;        ///< index in Events::keys
  std::uint32_t session;    ///< index in Events::sessions
  EventId source = kNoEvent;
  bool writes = false;
  bool open = false;
};

struct Session {
  EventId begin;  ///< its events that are not open stand together, in session order
  EventId end;
};

/// A place on a chain of events; positions count from 1. A session is a chain.
struct Place {
  std::uint32_t chain;
  std::uint32_t position;
};

struct Events {
  std::vector<Event> all;
  EventId first_open = 0;            ///< from here on they are open
  std::vector<EventId> open_parent;  ///< what comes just before an open one, or kNoEvent
  std::vector<Session> sessions;
  std::vector<Text> keys;
  Text initial = kAbsent;           ///< what each key begins with; no text of the pool if not there
  std::vector<EventId> unresolved;  ///< reads, in the order of `all`
  std::string refused;              ///< not empty: the history cannot be judged, and why
  std::string left_out;             ///< not empty: what is not here; then a "yes" cannot be said

  /// The event before it in session order, or kNoEvent.
  EventId before(EventId event) const {
    if (event >= first_open) return open_parent[event - first_open];
    return event == sessions[all[event].session].begin ? kNoEvent : event - 1;
  }
  /// Of an event that is not open, in its session.
  Place place(EventId event) const {
    const std::uint32_t session = all[event].session;
    return {session, event - sessions[session].begin + 1};
  }
};

/// `initial`: what every key holds at the beginning; nothing by default.
Events make_events(const History& history, const std::optional<std::string>& initial);

/// What a read showed, or a compare-and-set compared with; kNothing if nothing.
Text shown_by(const Operation& operation);
/// What a write gave the key; kAbsent of a delete.
Text given_by(const Operation& operation);

/// Who saw each write: the readers of `write` are in the order of Events::all.
class Readers {
 public:
  explicit Readers(const Events& events);
  std::span<const EventId> of(EventId write) const {
    return {readers_.data() + begin_[write], begin_[write + 1] - begin_[write]};
  }

 private:
  std::vector<std::uint32_t> begin_;
  std::vector<EventId> readers_;
};

}  // namespace parallax::checker
