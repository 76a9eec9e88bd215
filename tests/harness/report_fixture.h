// A run to show: made from a seed, with all that a report has a place for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/run.h"

namespace parallax::harness::testing {

struct FixtureOptions {
  std::size_t operations = 5'000;
  std::uint32_t clients = 9;
  std::uint64_t seed = 1;
};

/// Thirty seconds of mixed levels on three nodes under five faults; two guarantees are violated,
/// one of them promised.
Run fixture_run(const FixtureOptions& options = {});

/// The same, with texts wherever a run has any that try to break out of the page.
Run hostile_run();

}  // namespace parallax::harness::testing
