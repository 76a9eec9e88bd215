// Clients that update convergent values (consistency/merge/crdt.h) at the levels that carry them,
// each at any node, and what must be there when all replicas are equal:
//
//   - a counter is the sum of the acknowledged increments, and of any of those of unknown outcome;
//   - an element that was added and that nobody removed is in the set; one that was removed where
//   it
//     had been added before is not;
//   - a field of a map has the value of the put with the highest stamp;
//   - nothing of an update that was refused.
//
// An update that only one disk had, which is lost, counts as of unknown outcome; so does a weak
// one.
//
// Not thread-safe.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "simulation/checks.h"
#include "simulation/trace.h"
#include "simulation/world.h"

namespace parallax::simulation {

struct CrdtOptions {
  std::uint64_t seed = 1;
  std::size_t clients = 2;
  Duration think{};  ///< mean pause between two operations of one client
};

class CrdtClients {
 public:
  CrdtClients(World& world, const Checks& checks, Trace* trace, CrdtOptions options);

  void start();
  /// No new operations; what is under way goes on.
  void stop() { stopped_ = true; }
  bool idle() const { return under_way_ == 0; }

  /// When all replicas are equal.
  void check_end() const;

  std::uint64_t issued() const { return issued_; }
  std::uint64_t answered() const { return answered_; }

 private:
  enum class Fate : std::uint8_t { unknown, refused, acknowledged };
  struct Update {
    UpdateCrdt what;
    Consistency level;
    NodeId at;
    std::uint64_t losses;  ///< of the node, as it began
    Fate fate = Fate::unknown;
    bool on_majority = false;
    Stamp stamp = {};
  };

  void next(std::size_t client);
  void issue(std::size_t client);
  UpdateCrdt draw_update();
  void finish(std::size_t client, std::size_t update, const Reply& reply);
  /// Whether what was acknowledged has to be there.
  bool counts(const Update& update) const;
  bool removed_for_sure(const Update& add) const;
  void check_counter(std::string_view json) const;
  void check_set(std::string_view json) const;
  void check_map(std::string_view json) const;

  World& world_;
  const Checks& checks_;
  Trace* trace_;
  CrdtOptions options_;
  Random random_;
  std::vector<Update> updates_;
  std::uint64_t issued_ = 0;
  std::uint64_t answered_ = 0;
  std::size_t under_way_ = 0;
  bool stopped_ = false;
};

}  // namespace parallax::simulation
