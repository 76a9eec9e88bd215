#include "client/session.h"

#include <mutex>

namespace parallax {

struct Session::State {
  explicit State(SessionToken token) : seen(std::move(token)) {}
  std::mutex mutex;
  SessionToken seen;
};

Session::Session() : state_(std::make_shared<State>(SessionToken{})) {}

Result<Session> Session::from_token(std::string_view token) {
  if (token.empty()) return Session();
  PARALLAX_ASSIGN(const SessionToken seen, SessionToken::decode(token));
  Session session;
  session.state_->seen = seen;
  return session;
}

SessionToken Session::value() const {
  const std::lock_guard lock(state_->mutex);
  return state_->seen;
}

std::string Session::token() const {
  const SessionToken seen = value();
  return seen == SessionToken{} ? std::string() : seen.encode();
}

Session Session::fork() const {
  Session forked;
  forked.state_->seen = value();
  return forked;
}

Result<void> Session::join(const Session& other) {
  return join(other.value());
}

Result<void> Session::join(const SessionToken& other) {
  const std::lock_guard lock(state_->mutex);
  const ClusterId mine = state_->seen.cluster;
  if (!mine.empty() && !other.cluster.empty() && mine != other.cluster) {
    return definite(ErrorCode::bad_session,
                    fmt::format("the session belongs to cluster {}, the other to cluster {}; use "
                                "one session per cluster",
                                mine.to_string(), other.cluster.to_string()));
  }
  state_->seen.join(other);
  return {};
}

}  // namespace parallax
