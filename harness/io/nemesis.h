// Carries a plan of faults out on a cluster, and heals it.
//
// Called again and again by the thread that started the processes. What it did, and when, is what
// windows() says; the plan is only what it wanted. A fault that cannot be done when it is due (its
// node is down, nobody leads) is left out; a bit that cannot be flipped yet is put off. What a node
// refuses to do breaks the run; what it was asked to do and did not confirm counts as done, and
// says so.
//
// A bit flips on one node of a run only: what two disks have lost may be lost for good.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/fault_plan.h"
#include "harness/io/system.h"
#include "harness/run.h"

namespace parallax::harness {

class Nemesis {
 public:
  /// `now`: nanoseconds of the history's clock.
  Nemesis(System& cluster, std::vector<PlannedFault> plan, std::function<std::int64_t()> now)
      : cluster_(cluster), plan_(std::move(plan)), now_(std::move(now)) {}

  /// `began_ns`: when the clients began, by the clock.
  void begin(std::int64_t began_ns) { began_ns_ = began_ns; }
  /// Does what is due. Errors: io, when a node ended and nobody had meant it to, with the end of
  /// its log; when a node refuses faults.
  Result<void> tick();
  /// Ends all faults and starts what is down. True once every node is ready and has been told; to
  /// be called until then. Errors: as above.
  Result<bool> heal();

  /// By begin; those under way end now.
  std::vector<FaultWindow> windows() const;
  /// "kill n2, partition n1 | n2 n3", for the progress line; empty: none.
  std::string under_way() const;

 private:
  struct Running {
    ActiveFault fault;
    FaultWindow window;
    std::int64_t until_ns;
    /// Of a fault that nodes are told of: whether one was, and whether one said that it has it.
    bool asked = true;
    bool confirmed = true;
  };

  void start_due();
  /// Nothing when it cannot be done now.
  std::optional<Running> inject(PlannedFault planned);
  bool take_down(PlannedFault& planned, FaultWindow& window);
  /// Takes the node down. `planned.amount` says how many bits were flipped.
  void flip_bit(PlannedFault& planned, std::string& detail);
  /// Tries again a little later.
  void put_off(PlannedFault planned);
  void end_over(std::int64_t now);
  void end(Running running);
  /// Nothing if it never came about.
  static std::optional<FaultWindow> window_of(const Running& running, std::int64_t end_ns);
  /// `node` was told at `at_ns` what is the matter with it.
  void note_told(std::uint32_t node, std::int64_t at_ns, bool confirmed);
  void move_clocks();
  /// Starts the node if no other fault wants it down.
  void start_if_free(std::uint32_t node);
  bool is_held_down(std::uint32_t node) const;
  Result<void> look_after_processes();
  void tell();
  std::uint32_t target(const PlannedFault& planned);
  void change(std::uint32_t node) { untold_.insert(node); }
  void change_all();
  std::vector<ActiveFault> active() const;

  System& cluster_;
  std::vector<PlannedFault> plan_;
  std::function<std::int64_t()> now_;
  std::int64_t began_ns_ = 0;
  std::size_t next_ = 0;  ///< in the plan
  std::vector<Running> running_;
  std::vector<FaultWindow> over_;
  std::set<std::uint32_t> untold_;  ///< nodes that have not been told what is the matter with them
  std::int64_t tell_again_ns_ = 0;
  std::uint32_t flipped_ = 0;  ///< the node whose disk may be damaged; 0: none
  std::optional<Error> failure_;
};

}  // namespace parallax::harness
