// What clients did and saw, in the form that the checkers read; and how the timeline tells it.
#pragma once

#include <optional>
#include <string>

#include "client/protocol.h"
#include "consistency/checker/history.h"
#include "simulation/trace.h"

namespace parallax::simulation {

/// Not thread-safe.
class Recorder {
 public:
  struct Call {
    std::size_t client;
    NodeId node;
    MonoTime at;
  };
  /// Nothing for operations that are not about the value of one key. `expected`: the value behind
  /// the stamp that the request's If-Match names; nullptr without.
  std::optional<std::size_t> begin(const Request& request, const Call& call,
                                   const std::string* expected = nullptr);
  /// An operation that never ends may happen at any time after it began, or never.
  /// `unknown`: it may have happened although `reply` is an error. `seen`: the value that a refusal
  /// rests on, where known.
  void end(std::size_t record, const Request& request, const Reply& reply, bool unknown,
           MonoTime at, const std::optional<std::string>& seen);

  const checker::History& history() const { return history_; }

 private:
  void add_expiry(const Request& request);

  checker::History history_;
};

/// A line of the timeline.
void tell_answer(Trace* trace, const Recorder::Call& call, const Request& request,
                 const Reply& reply);

}  // namespace parallax::simulation
