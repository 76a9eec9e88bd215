// The verbs of the command line. Each returns the process's exit code, and prints what it has to
// say: results on stdout, the rest on stderr.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/output.h"
#include "client/client.h"

namespace parallax::cli {

/// What every verb takes.
struct GlobalOptions {
  std::vector<std::string> endpoints;
  std::optional<Consistency> consistency;
  std::optional<std::chrono::milliseconds> timeout;  ///< absent: the library's default
  bool json = false;
};

struct PutArguments {
  std::string key;
  std::optional<std::string> value;  ///< "-": standard input
  std::optional<std::string> file;
  std::string content_type;
};
ExitCode run_put(const GlobalOptions& global, const PutArguments& arguments);
ExitCode run_get(const GlobalOptions& global, const std::string& key);
ExitCode run_delete(const GlobalOptions& global, const std::string& key);

ExitCode run_cluster(const GlobalOptions& global);
/// Empty: every endpoint of `global`.
ExitCode run_status(const GlobalOptions& global, const std::vector<std::string>& endpoints);

struct ImportArguments {
  std::string format;
  std::string file;  ///< "-": standard input
  std::string prefix;
  std::size_t in_flight = 32;
  std::optional<std::string> progress_file;
  bool restart = false;  ///< forget what an earlier run stored
  bool verify = false;   ///< read everything back afterwards
  bool quiet = false;
};
ExitCode run_import(const GlobalOptions& global, const ImportArguments& arguments);
ExitCode run_verify(const GlobalOptions& global, const ImportArguments& arguments);

/// The client of a verb. Errors as Client::open().
Result<std::unique_ptr<Client>> open_client(const GlobalOptions& global,
                                            std::optional<int> max_attempts = std::nullopt);
/// All of a file, or of standard input for "-". Errors: io naming the file.
Result<std::string> read_input(const std::string& path);

}  // namespace parallax::cli
