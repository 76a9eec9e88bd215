// What the clients of a run do, step by step: seeded, and fed with what they saw.
//
// One generator serves all clients, so that a step can depend on what another client was told (a
// chain of writes goes on only when the last one was acknowledged). With the same seed, the same
// calls in the same order give the same steps. Written values are unique in the run.
//
// The shapes are Jepsen's workloads (register, counter, set, append, causal, causal-reverse,
// long-fork, monotonic, sequential), as operations on single keys.
//
// What it does not do: carry steps out, wait, or judge. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "consistency/checker/history.h"
#include "harness/run_options.h"

namespace parallax::harness {

/// What a key holds, for whoever carries a step out.
enum class Shape : std::uint8_t { text, counter, set };

/// One operation for a client.
struct Step {
  checker::OperationKind kind = checker::OperationKind::read;
  Shape shape = Shape::text;
  std::string key;
  std::string value;       ///< to be written, appended or added; of an increment by how much
  std::uint32_t node = 0;  ///< which node to ask, from 1
  Consistency level = {};
  std::uint32_t part = 0;  ///< of the load: a client has a session for each
  friend bool operator==(const Step&, const Step&) = default;
};

/// What became of it.
struct StepSeen {
  checker::Outcome outcome = checker::Outcome::unknown;
  std::optional<std::string> value = {};  ///< of a read that is ok: what it showed, if anything
};

class Generator {
 public:
  virtual ~Generator() = default;
  /// A client asks only when its last step is done.
  virtual Step next(std::uint32_t client) = 0;
  virtual void done(std::uint32_t client, const Step& step, const StepSeen& seen) = 0;
  /// What to read once all is healed and has converged, at each node: what must be there then is.
  virtual std::vector<Step> final_reads() const = 0;
};

/// `prefix` begins every key. `options` must have passed check_options().
std::unique_ptr<Generator> make_generator(const RunOptions& options, std::string prefix = {});

/// Whether the workload's values are those of registers, which all checkers understand.
bool has_registers(Workload workload);
/// Why the workload cannot be run at these levels; nothing: it can.
std::optional<std::string> workload_needs(Workload workload, const Consistency& write_level,
                                          const Consistency& read_level);

}  // namespace parallax::harness
