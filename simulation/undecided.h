// A history that a checker could not judge within its bounds on steps and memory: neither held nor
// broken. Ends the run's judgement; simulate() catches it, and says so.
#pragma once

#include <stdexcept>

namespace parallax::simulation {

struct Undecided : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace parallax::simulation
