#include "client/session.h"

#include <mutex>

namespace parallax {
namespace {

/// `vector` without the origins of `sent` that `answer`, a part of `token`, sheds.
OriginVector without(const OriginVector& vector, const OriginVector& sent,
                     const OriginVector& answer, const SessionToken& token) {
  std::vector<OriginVector::Entry> kept;
  for (const OriginVector::Entry& entry : vector.entries()) {
    const Origin& origin = entry.first;
    const bool shed = sent.at(origin) != 0 && answer.at(origin) == 0 && token.names_later(origin);
    if (!shed) kept.push_back(entry);
  }
  return OriginVector(std::move(kept));
}

}  // namespace

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
  return join_locked(other);
}

Result<void> Session::follow(const SessionToken& sent, const SessionToken& answer) {
  const std::lock_guard lock(state_->mutex);
  PARALLAX_TRY(join_locked(answer));
  SessionToken& seen = state_->seen;
  seen.read = without(seen.read, sent.read, answer.read, answer);
  seen.write = without(seen.write, sent.write, answer.write, answer);
  return {};
}

Result<void> Session::join_locked(const SessionToken& other) {
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
