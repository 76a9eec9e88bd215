// An allocator that costs the same everywhere: what malloc does for an operation depends on the C
// library, and on everything that was allocated before.
//
// Blocks come from free lists by size; fresh ones are cut from chunks. Only what goes through
// operator new is served, which is all that the project's code allocates.
#pragma once

#include <cstdint>

namespace parallax::instructions {

/// Calls of operator new so far.
std::uint64_t allocations();

}  // namespace parallax::instructions
