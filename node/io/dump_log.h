// parallaxd --dump-log: the log of a node that is stopped, as lines on stdout (node/log_dump.h).
#pragma once

#include <string>

#include "base/error.h"

namespace parallax {

/// `directory` is a node's data directory. Opening its store may tidy up files; what it holds stays
/// as it is. Errors, naming the directory: refused (in use, no store in it), corrupt, io.
Result<void> print_log(const std::string& directory);

}  // namespace parallax
