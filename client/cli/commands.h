// The verbs of the command line: each defines its options and examples, and what it does with them.
//
// A verb prints results on stdout and everything else on stderr, and returns the process's exit
// code. Wrong options end with kUsage before anything is sent.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "client/cli/output.h"
#include "client/cli/session_file.h"
#include "client/client.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace parallax::cli {

/// What every verb takes.
struct GlobalOptions {
  std::vector<std::string> endpoints;
  std::optional<Consistency> consistency;
  std::optional<std::chrono::milliseconds> timeout;  ///< absent: the library's default
  std::optional<std::string> session_file;
  bool json = false;
};

/// Does what a verb was asked for.
using VerbAction = std::function<ExitCode(const GlobalOptions&)>;

// Each adds its verbs to `app`; parsing one of them sets `chosen`, which must outlive `app`.
void add_key_verbs(CLI::App& app, VerbAction& chosen);       ///< put, get, delete, increment
void add_crdt_verb(CLI::App& app, VerbAction& chosen);       ///< crdt
void add_range_verbs(CLI::App& app, VerbAction& chosen);     ///< scan, history
void add_batch_verb(CLI::App& app, VerbAction& chosen);      ///< batch
void add_transfer_verbs(CLI::App& app, VerbAction& chosen);  ///< import, verify
void add_export_verb(CLI::App& app, VerbAction& chosen);     ///< export
void add_policy_verbs(CLI::App& app, VerbAction& chosen);    ///< policy get, set, delete, list
void add_cluster_verbs(CLI::App& app, VerbAction& chosen);   ///< cluster, status
void add_wait_verb(CLI::App& app, VerbAction& chosen);       ///< wait
void add_explain_verb(CLI::App& app, VerbAction& chosen);    ///< explain
void add_bench_verb(CLI::App& app, VerbAction& chosen);      ///< bench

/// A verb whose --help ends with `examples`, one command a line. `notes`: what there is to say
/// beyond one line, before them.
CLI::App* add_verb(CLI::App& app, const std::string& name, const std::string& description,
                   const std::vector<std::string>& examples, const std::string& notes = {});
/// The type name of an option whose value is one of `choices`, or begins with one: "{a,b,c}". Help
/// shows it, and completion offers them.
std::string choices_type(const std::vector<std::string>& choices);
/// Every name of a level.
std::vector<std::string> level_choices();
/// Restricts an option's value to one of `choices`, by its type name and a check.
CLI::Option* one_of(CLI::Option* option, const std::vector<std::string>& choices);

/// Restricts an option's value to whole numbers from `low` to `high`, however many digits it has.
CLI::Option* whole_number(CLI::Option* option, std::int64_t low, std::int64_t high);

/// "250ms", "60s", "5m", "2h" or "7d". Errors: bad_parameter.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
/// ETags, with or without their quotes, separated by commas; or "*". Errors: bad_parameter.
Result<EtagSet> parse_versions(std::string_view text);

/// A client and, where one was asked for, the session that its operations are part of.
class Connection {
 public:
  /// `options` without what the global ones say. Errors as Client::open() and SessionFile::open().
  static Result<Connection> open(const GlobalOptions& global, ClientOptions options = {});

  Client* operator->() const { return client_.get(); }
  Client& operator*() const { return *client_; }
  /// One of the library's options structs with what every operation of this run has.
  template <class Options = OperationOptions>
  Options options(Options made = {}) const {
    made.consistency = consistency_;
    if (session_) made.session = session_->session();
    return made;
  }
  /// Keeps the session. To be called last: what was done is done, so where the session cannot be
  /// kept a success becomes kUnknown, and says so.
  ExitCode end(ExitCode code);

 private:
  std::optional<Consistency> consistency_;
  std::optional<SessionFile> session_;
  std::unique_ptr<Client> client_;  // goes first: completions write to the session
};

}  // namespace parallax::cli
