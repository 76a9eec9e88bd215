// Which faults a run has, and when: all drawn from the seed before the run begins.
//
// Windows of one kind do not overlap; those of different kinds may, so kinds are combined at
// random. The forms of partitions are Jepsen's. What a node is told by POST /v1/faults is all that
// is the matter with it at the time, because each request replaces what was said before.
//
// What it does not do: inject anything (harness/io/nemesis.h).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "harness/run_options.h"

namespace parallax::harness {

/// Which links are cut.
enum class Partition : std::uint8_t {
  one,              ///< one node alone
  majority,         ///< a majority from the others
  majorities_ring,  ///< each node hears a majority, and no two the same
  leader,           ///< the leader alone
  one_way,          ///< one node hears nothing of the others, or they nothing of it
  bridge,           ///< two halves that only one node connects
};
inline constexpr std::array<std::string_view, 6> kPartitions{
    "one", "majority", "majorities-ring", "leader", "one-way", "bridge"};

/// What a node's clock does.
enum class ClockFault : std::uint8_t {
  bump,    ///< it is off by so much
  strobe,  ///< it swings to and fro
  drift,   ///< it runs away, a little more every tenth of a second
};
inline constexpr std::array<std::string_view, 3> kClockFaults{"bump", "strobe", "drift"};

struct PlannedFault {
  Fault fault = Fault::kill;
  Duration at{};            ///< since the clients began
  Duration lasts{};         ///< 0 of a transfer of leadership
  std::uint32_t node = 0;   ///< 1 and up; 0: whoever leads then
  std::uint32_t form = 0;   ///< a Partition, a ClockFault, or which fail point; else of no meaning
  std::int64_t amount = 0;  ///< milliseconds, per mille of what is sent, or kbit/s
  std::uint64_t draw = 0;   ///< for what is decided when it begins
  friend bool operator==(const PlannedFault&, const PlannedFault&) = default;
};

/// By time. Ends before `time` does.
std::vector<PlannedFault> plan_faults(const RunOptions& options);

/// "300 ms", "majorities-ring", ...; may be empty.
std::string describe(const PlannedFault& fault);

/// Messages from the first to the second are lost.
using CutLinks = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
/// `leader`: 0 if nobody knows; then a drawn node is cut off instead.
CutLinks cut_links(Partition form, std::uint32_t nodes, std::uint32_t node, std::uint32_t leader,
                   std::uint64_t draw);
/// "n1 | n2 n3", "n1 -> n2 n3 cut", ...
std::string describe_cut(const CutLinks& links, std::uint32_t nodes);

/// A fault that is under way.
struct ActiveFault {
  PlannedFault planned;     ///< `node` is never 0 any more
  CutLinks links;           ///< of a partition
  std::int64_t offset = 0;  ///< of a clock: what it is off by now, milliseconds
};

/// The body of POST /v1/faults for `node`; empty: there is nothing to say (DELETE).
std::string faults_body(std::uint32_t node, const std::vector<ActiveFault>& active);

/// Whether it is a matter of the network, where nodes have one of their own.
bool is_of_network(const ActiveFault& fault);
/// Whether `node`, or its network, is told of it.
bool is_told(std::uint32_t node, const ActiveFault& fault);

/// What a clock that `fault` has is off by, so long after it began; milliseconds.
std::int64_t clock_offset(const PlannedFault& fault, Duration since);

}  // namespace parallax::harness
