// Completion of the command line in bash, made from the command line's own definition: whatever
// verbs and options it has, the script knows, and nothing else.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace parallax::cli {

/// A script for bash that completes verbs, options, and the values of options whose type name is a
/// list of choices ("{a,b,c}") or a file ("PATH"). Needs no bash-completion package.
std::string bash_completion(const CLI::App& app);

}  // namespace parallax::cli
