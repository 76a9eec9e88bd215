// The systems beside Parallax, as they are started (harness/target.h says what they are).
#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "harness/io/system.h"
#include "harness/run_options.h"

namespace parallax::harness {

/// The path of the target's program, as PATH has it; empty for targets without one of ours to look
/// for. Errors: bad_parameter, naming the package to install.
Result<std::string> find_program(const std::string& target);

/// Starts a target that is not Parallax, with its data below `directory`. Errors: io;
/// bad_parameter, as find_program().
Result<std::unique_ptr<System>> open_target(const RunOptions& options,
                                            const std::string& directory);

}  // namespace parallax::harness
