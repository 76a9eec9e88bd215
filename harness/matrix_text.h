// The matrix as a table for a terminal, and as JSON.
#pragma once

#include <string>

#include "harness/matrix.h"

namespace parallax::harness {

/// Levels against guarantees; the pairs in short; what failed, in full.
std::string matrix_text(const Matrix& matrix);
/// One object: outcome, rounds, kept runs, and every cell of every line.
std::string matrix_json(const Matrix& matrix);

}  // namespace parallax::harness
