// A session: what its user has read and written, carried from request to request as a token, so
// that any node can tell how far it must be before it answers (consistency/session_token.h).
//
// A handle: copies are the same session. An operation that is given one sends its token and joins
// the answer's into it before the operation's completion runs; so a request that is started after
// another has ended knows what that one saw. Requests under way at the same time do not know of
// each other.
//
// Thread safety: every member, from any thread, on the same session too.
//
// It sheds what the nodes' tokens shed: incarnations that are over and of which every node has all
// that survives, for good (Causal::told in replication/causal/causal.h). A node answers with all
// that it was sent and what it adds, but for those; so an origin that was sent and does not come
// back is one, if the answer names a later incarnation of that node. That rests on what went with
// the very request that is answered, and on nothing that the session has learned meanwhile; and it
// makes no difference that the session may have heard of higher numbers of that origin, or hears of
// them again from a node that does not know yet: waiting for any number of it waits for nothing. So
// a session is bounded by the members, like a token, however many disks were lost in its time.
//
// It promises nothing by itself: which of what it has seen a read must show is the level's matter.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "consistency/session_token.h"

namespace parallax {

class Session {
 public:
  /// Has seen nothing yet.
  Session();
  /// Goes on from a token that another process, or another client library, gave; empty: one that
  /// has seen nothing. Errors: bad_session, saying what is wrong with it.
  static Result<Session> from_token(std::string_view token);

  /// As in Parallax-Session; empty while nothing has been seen.
  std::string token() const;
  SessionToken value() const;

  /// A session of its own that starts from what this one has seen so far.
  Session fork() const;
  /// Afterwards this one has seen what either has. Errors: bad_session when they belong to
  /// different clusters, which leaves it as it was.
  Result<void> join(const Session& other);
  Result<void> join(const SessionToken& other);
  /// A node has answered a request that `sent` went with, and `answer` came back: as join(), and
  /// origins of `sent` that `answer` sheds are shed. Errors: as of join().
  Result<void> follow(const SessionToken& sent, const SessionToken& answer);

 private:
  Result<void> join_locked(const SessionToken& other);

  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace parallax
