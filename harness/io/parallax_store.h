// Steps carried out on a Parallax cluster, through the client library with retries off: one attempt
// is one operation. What the library says of its certainty is what is recorded.
//
// What no operation of the store is, an append, and an add at levels of the log, is a read and a
// put under the condition that nothing has changed since; the two count as one operation.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "harness/io/store.h"

namespace parallax::harness {

/// One client library for each node, which asks that node alone. Thread-safe.
class ParallaxStore final : public Store {
 public:
  /// Errors: bad_parameter.
  static Result<std::unique_ptr<ParallaxStore>> open(const std::vector<std::string>& endpoints,
                                                     const RunOptions& options);

  std::unique_ptr<StoreSession> session(const RunOptions& options) override;
  Result<std::string> digest(std::uint32_t node, const std::string& prefix) override;

 private:
  friend class ParallaxSession;
  std::vector<std::unique_ptr<Client>> clients_;  ///< by node - 1
};

class ParallaxSession final : public StoreSession {
 public:
  ParallaxSession(ParallaxStore& store, const RunOptions& options);
  Performed perform(const Step& step) override;

 private:
  /// A version that this client has seen of a key: what a cas expects.
  struct Known {
    std::optional<std::string> value;
    std::optional<Stamp> stamp;
  };
  /// Of the next request, whose answer is then held against what went with it.
  template <class Options>
  Options options_of(const Step& step);
  Performed done(const Step& step, checker::OperationKind kind, const Answer& answer) const;
  /// `step` as another operation at another level.
  static Step as(const Step& step, checker::OperationKind kind, const Consistency& level);
  Client& client_of(const Step& step) { return *store_.clients_.at(step.node - 1); }

  Performed look(const Step& step);
  Performed read(const Step& step);
  Performed put(const Step& step);
  Performed cas(const Step& step);
  Performed increment(const Step& step);
  Performed grow(const Step& step);
  Performed put_grown(const Step& step, const Answer& before);
  Performed update_merged(const Step& step, CrdtType type, CrdtUpdate update);
  void know(const std::string& key, std::optional<std::string> value, std::optional<Stamp> stamp);

  ParallaxStore& store_;
  bool has_session_;
  Consistency read_level_;
  std::size_t members_;
  bool accepts_leases_;  ///< those that were there before may run with them
  Session session_;
  std::optional<SessionToken> sent_;  ///< with the last request
  std::map<std::string, Known> known_;
};

}  // namespace parallax::harness
