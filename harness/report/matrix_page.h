// The matrix as one HTML page that needs nothing else; the rules of report.h hold for it, too.
#pragma once

#include <string>

#include "harness/matrix.h"

namespace parallax::harness {

std::string matrix_page(const Matrix& matrix);

}  // namespace parallax::harness
