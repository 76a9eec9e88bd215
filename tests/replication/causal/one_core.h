// One Causal core, node 1 of three, spoken to by hand. Its disk finishes every batch at once.
#pragma once

#include <utility>
#include <vector>

#include "replication/causal/causal.h"
#include "tests/replication/causal/cases.h"

namespace parallax::test {

inline Sender sender(std::uint32_t id, std::uint64_t incarnation = 1, bool recovering = false) {
  return {NodeId{id}, Incarnation{incarnation}, recovering};
}

inline OriginVector counts(std::vector<OriginVector::Entry> entries) {
  return OriginVector(std::move(entries));
}

/// What a member says that knows the others' first incarnations.
inline CausalStatus status(OriginVector applied, std::uint64_t first = 1, std::uint64_t second = 1,
                           std::uint64_t third = 1) {
  return {.applied = std::move(applied),
          .heard = {{NodeId{1}, Incarnation{first}},
                    {NodeId{2}, Incarnation{second}},
                    {NodeId{3}, Incarnation{third}}}};
}

inline CausalConfig one_of_three() {
  return {
      .id = NodeId{1}, .incarnation = Incarnation{1}, .members = {NodeId{1}, NodeId{2}, NodeId{3}}};
}

struct OneCore {
  /// Both others have said that they know it, and have applied nothing.
  explicit OneCore(const CausalConfig& config = one_of_three(), const CausalRestored& restored = {})
      : core(config, restored, MonoTime{}) {
    core.step(sender(2), status({}));
    core.step(sender(3), status({}));
    turn();
  }

  CausalReady turn() {
    CausalReady ready = core.take_ready();
    core.on_persisted(core.persisted_mark());
    core.check();
    return ready;
  }
  CausalReady turn_after(Duration time) {
    now += time;
    core.tick(now);
    return turn();
  }
  /// A local write.
  std::uint64_t write(const OriginVector& dependencies = {}, std::string value = "v") {
    stamp += 100;
    return core.propose("k", causal_version(core.origin(), stamp, std::move(value)), dependencies);
  }

  Causal core;
  MonoTime now{};
  std::uint64_t stamp = 0;
};

/// The messages of one kind for `to`.
template <class M>
std::vector<M> sent(const std::vector<CausalMessage>& messages, std::uint32_t to) {
  std::vector<M> found;
  for (const CausalMessage& message : messages) {
    const M* m = std::get_if<M>(&message.message);
    if (message.to == NodeId{to} && m != nullptr) found.push_back(*m);
  }
  return found;
}

/// "1 2 3": the numbers in order, those of one message apart from the next one's by a bar.
inline std::string numbers(const std::vector<CausalOperations>& messages) {
  std::string text;
  for (const CausalOperations& message : messages) {
    if (!text.empty()) text += " |";
    for (const CausalOperation& operation : message.operations) {
      if (!text.empty()) text += ' ';
      text += std::to_string(operation.number);
    }
  }
  return text;
}

}  // namespace parallax::test
