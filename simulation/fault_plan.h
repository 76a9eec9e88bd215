// Which faults a run has, and when: all drawn from the seed before the run begins.
//
// Swarm testing (Groce et al., ISSTA 2012): each seed switches every kind of fault on or off, so
// that runs differ in kind and rare combinations get room. The plan is a list of dated events and a
// few probabilities; leaving events out of the list is how a failure is shrunk.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/random.h"

namespace parallax::simulation {

enum class FaultKind : std::uint8_t {
  loss,         ///< messages vanish
  duplication,  ///< messages come twice, the second time late
  reordering,   ///< messages overtake each other
  delay,        ///< messages take long for a while
  partition,    ///< links are cut, one way or both
  crash,        ///< a process dies, at any point; what was not synced may be lost
  pause,        ///< a process stands still
  slow_disk,    ///< writes take long
  disk_full,    ///< writes are refused until the process is started anew
  corruption,   ///< a bit of a stored record flips
  wipe,         ///< a disk is lost
  clock,        ///< offsets, jumps and drift of physical clocks
  transfer,     ///< leadership is handed over on request
  silence,      ///< what a node has others store is lost for a while; all else passes
  count,
};
std::string_view fault_name(FaultKind kind);
/// "crash,partition", "all" or "none". Errors: bad_parameter, naming the word and the valid ones.
Result<std::set<FaultKind>> parse_faults(std::string_view text);

struct FaultEvent {
  MonoTime at;
  FaultKind kind;
  std::uint32_t node = 0;  ///< 1 and up; 0: whoever leads then
  Duration lasts{};
  std::uint64_t variant = 0;  ///< which of the kind's forms; its meaning is apply_fault()'s
  std::int64_t amount = 0;
};

struct FaultPlan {
  std::set<FaultKind> kinds;
  double loss = 0;
  double duplication = 0;
  bool reordering = false;
  std::vector<FaultEvent> events;  ///< by time
  std::size_t total = 0;           ///< events before any was left out
};

struct PlanOptions {
  std::uint64_t seed = 1;
  std::size_t nodes = 3;
  Duration duration{};
  std::set<FaultKind> allowed;
  std::set<std::size_t> skip;  ///< positions of events to leave out
};

FaultPlan make_plan(const PlanOptions& options);

/// One line: what this event does.
std::string describe(const FaultEvent& event);

}  // namespace parallax::simulation
