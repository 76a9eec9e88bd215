// What a run of parallax-harness is asked for: a value, and how it is told in words.
//
// What it does not do: read command lines (harness/main.cc).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "consistency/level.h"

namespace parallax::harness {

/// What the clients do.
enum class Workload : std::uint8_t {
  registers,       ///< read, write, compare-and-set
  counter,         ///< increments
  set,             ///< adds of unique members: what was acknowledged must be read at the end
  append,          ///< text that grows
  causal,          ///< posts and comments: who sees the comment sees the post
  causal_reverse,  ///< writes one after the other: who sees the later one sees the earlier one
  long_fork,       ///< two writes that two readers see in different orders
  session,         ///< each session writes and reads its own and others' keys
  monotonic,       ///< values that only grow
  sequential,      ///< a chain of flags, written in order and read in the reverse order
  mixed_level,     ///< registers, each operation at a level that is drawn
  unique_ids,      ///< increments whose answers must differ
};
inline constexpr std::array<std::string_view, 12> kWorkloads{
    "register",  "counter", "set",       "append",     "causal",      "causal-reverse",
    "long-fork", "session", "monotonic", "sequential", "mixed-level", "unique-ids"};
std::string_view to_string(Workload workload);
/// Errors: bad_parameter, naming the word and those that there are.
Result<Workload> parse_workload(std::string_view name);

/// What is done to a cluster. All may be combined.
enum class Fault : std::uint8_t {
  kill,       ///< SIGKILL, and a start some time later
  pause,      ///< SIGSTOP, and SIGCONT some time later
  restart,    ///< all nodes are killed at once and started again
  partition,  ///< links are cut: one of the forms of Partition
  loss,       ///< messages between nodes vanish, now and then
  delay,      ///< messages between nodes take longer
  duplicate,  ///< messages between nodes come twice
  reorder,    ///< messages between nodes overtake each other
  clock,      ///< a node's clock jumps, swings or drifts
  crash,      ///< a node dies at a named point in its work, and its unsynced writes with it
  slow_disk,  ///< synced writes take longer
  disk_full,  ///< writes fail until the node is started anew
  bit_flip,   ///< a bit of a table file flips while its node is down
  transfer,   ///< leadership is handed over
  rate,       ///< a node sends no more than so much; only in Network::namespaces
};
inline constexpr std::array<std::string_view, 15> kFaults{
    "kill",  "pause", "restart",   "partition", "loss",     "delay",    "duplicate", "reorder",
    "clock", "crash", "slow-disk", "disk-full", "bit-flip", "transfer", "rate"};
std::string_view to_string(Fault fault);
/// Whether it is done to a process, which must have been started here; else over /v1.
bool needs_process(Fault fault);
/// "kill,partition", "all", "none" or "": in the order of Fault, each once. `all`: what "all"
/// stands for; nothing: every fault. Errors: bad_parameter, naming the word and those that there
/// are.
Result<std::vector<Fault>> parse_faults(std::string_view text,
                                        const std::optional<std::vector<Fault>>& all = {});

/// Where nodes are, and what cuts their links and loses what they send.
enum class Network : std::uint8_t {
  faults,      ///< at this machine's loopback; nodes lose messages themselves (/v1/faults)
  namespaces,  ///< a network namespace each; the kernel loses packets (harness/io/namespaces.h)
};
inline constexpr std::array<std::string_view, 2> kNetworks{"faults", "namespaces"};
std::string_view to_string(Network network);
/// Errors: bad_parameter, naming the word and those that there are.
Result<Network> parse_network(std::string_view name);

/// "500ms", "30s", "5m", "1h". Errors: bad_parameter.
Result<std::chrono::milliseconds> parse_time(std::string_view text);

/// That one run records: its history and what judges it are in memory, a few GB then.
inline constexpr std::size_t kMostOperations = 5'000'000;

struct RunOptions {
  std::string target = "parallax";     ///< or etcd, redis, exec:COMMAND (harness/target.h)
  std::uint32_t nodes = 3;             ///< that are started
  std::vector<std::string> endpoints;  ///< "host:port" each, of a cluster that runs already
  Workload workload = Workload::registers;
  Consistency write_level = {};
  Consistency read_level = {};
  std::vector<Fault> faults;
  Network network = Network::faults;
  std::uint32_t clients = 10;
  std::uint32_t rate = 0;  ///< operations a second by all clients together; 0: as fast as they can
  std::chrono::milliseconds time{30'000};  ///< until the faults are healed
  std::uint32_t keys = 5;                  ///< that are in use at a time
  std::uint64_t seed = 1;
  /// Guarantees by name (harness/promises.h) to hold the run to; empty: those that its levels
  /// promise.
  std::vector<std::string> check;
  std::string out;       ///< a directory; empty: nothing is written
  bool tighten = false;  ///< unknown outcomes, by the nodes' log after the run (harness/tighten.h)
  friend bool operator==(const RunOptions&, const RunOptions&) = default;
};

/// Of the cluster: those that are started, or that run already.
std::uint32_t members_of(const RunOptions& options);
/// How many of `members` replicas a quorum of `asked` (Consistency::r or w) is.
std::uint32_t quorum_of(std::uint32_t asked, std::uint32_t members);

/// Errors: bad_parameter, naming what is out of its bounds or does not go together.
Result<void> check_options(const RunOptions& options);

/// "linearizable", or where they differ "quorum; r=1; w=3 / eventual": writes, then reads; as the
/// target calls them.
std::string level_text(const RunOptions& options);
/// The command that asks for the same. Schedules follow from the seed; times do not.
std::string replay_command(const RunOptions& options);

}  // namespace parallax::harness
