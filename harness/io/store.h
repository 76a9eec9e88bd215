// What a run drives: a store that steps are carried out on, whichever system it is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "harness/io/recorder.h"
#include "harness/run_options.h"
#include "harness/workload.h"

namespace parallax::harness {

/// One client of the run, with what it knows. One thread at a time.
class StoreSession {
 public:
  virtual ~StoreSession() = default;
  /// One attempt is one operation. Its wait has a bound.
  virtual Performed perform(const Step& step) = 0;
};

/// Thread-safe. Outlives its sessions.
class Store {
 public:
  virtual ~Store() = default;
  /// Of a client whose steps are at the levels of `options`.
  virtual std::unique_ptr<StoreSession> session(const RunOptions& options) = 0;
  /// A digest of what `node` holds below `prefix`: keys, versions and values. Errors: those of the
  /// read.
  virtual Result<std::string> digest(std::uint32_t node, const std::string& prefix) = 0;
};

}  // namespace parallax::harness
