// parallax: the command line. What it understands is here; what the verbs do is in cli/.
#include <cstdlib>
#include <exception>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "client/cli/commands.h"

namespace {

using namespace parallax;       // NOLINT
using namespace parallax::cli;  // NOLINT

constexpr const char* kDefaultEndpoints = "127.0.0.1:7101,127.0.0.1:7102,127.0.0.1:7103";

constexpr const char* kFooter = R"(
Examples:
  parallax put greeting hello
  parallax get greeting --consistency prefix
  parallax put picture --file cat.png
  date | parallax put now -
  parallax import --format dpkg --prefix pkg/ /var/lib/dpkg/status
  parallax verify --format dpkg --prefix pkg/ /var/lib/dpkg/status
  parallax --endpoints 127.0.0.1:7101 cluster

Exit codes:
  0 done   1 not found, or not the same   2 usage
  3 definite failure: it did not happen   4 unknown outcome: it may have happened)";

std::string level_names() {
  std::string names;
  for (const LevelInfo& info : kLevels) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", info.name);
  }
  return names;
}

struct CommandLine {
  GlobalOptions global;
  std::string endpoints = kDefaultEndpoints;
  std::string consistency;
  std::int64_t timeout_ms = 0;
  PutArguments put;
  std::string put_value;
  std::string put_file;
  std::string key;
  std::vector<std::string> nodes;
  ImportArguments import;
  std::string progress_file;
};

void add_global(CLI::App& app, CommandLine& line) {
  app.set_version_flag("--version", "parallax " PARALLAX_VERSION);
  // One word, split below: a list option would take the next argument, the key, for an endpoint.
  app.add_option("--endpoints", line.endpoints, "Nodes to ask, HOST:PORT each, separated by commas")
      ->envname("PARALLAX_ENDPOINTS")
      ->capture_default_str()
      ->type_name("LIST");
  app.add_option("--consistency", line.consistency,
                 "Level of the operation: " + level_names() +
                     ". Default: the cluster's for the key, else linearizable")
      ->type_name("LEVEL");
  app.add_option("--timeout-ms", line.timeout_ms,
                 "Bound on each operation, all its retries included (default 5000)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{3'600'000}))
      ->type_name("MS");
  app.add_flag("--json", line.global.json, "Machine-readable output, one JSON object");
}

void add_key_verbs(CLI::App& app, CommandLine& line) {
  CLI::App* put = app.add_subcommand("put", "Store a value; prints the version's stamp");
  put->add_option("KEY", line.key, "Any bytes, 1 to 1,024")->required();
  CLI::Option* value = put->add_option("VALUE", line.put_value, "The value, or - for stdin");
  put->add_option("--file", line.put_file, "Take the value from a file")
      ->excludes(value)
      ->type_name("PATH");
  put->add_option("--content-type", line.put.content_type, "Kept with the value")
      ->type_name("TYPE");
  CLI::App* get = app.add_subcommand("get", "Print a value's bytes, as they are, on stdout");
  get->add_option("KEY", line.key)->required();
  CLI::App* remove = app.add_subcommand("delete", "Delete a key (also where there is nothing)");
  remove->add_option("KEY", line.key)->required();
}

void add_cluster_verbs(CLI::App& app, CommandLine& line) {
  app.add_subcommand("cluster", "Show the members, as the first node that answers sees them");
  CLI::App* status = app.add_subcommand("status", "Show each node's own figures, side by side");
  status->add_option("ENDPOINT", line.nodes, "Nodes to ask (default: all of --endpoints)");
}

void add_transfer_verb(CLI::App* verb, CommandLine& line) {
  // The names that are promised but not there yet are refused by name.
  const auto known = [](const std::string& format) -> std::string {
    if (format == "dpkg") return {};
    if (format == "jsonl" || format == "csv") {
      return fmt::format("{} is not supported yet; supported is dpkg", format);
    }
    return fmt::format("\"{}\" is no format; supported is dpkg", format);
  };
  verb->add_option("--format", line.import.format, "Of the file: dpkg (a dpkg status file)")
      ->required()
      ->check(known)
      ->type_name("FORMAT");
  verb->add_option("--prefix", line.import.prefix, "Put before every name to make its key");
  verb->add_option("FILE", line.import.file, "For example /var/lib/dpkg/status; - for stdin")
      ->required();
  verb->add_option("--in-flight", line.import.in_flight, "Requests under way at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  verb->add_flag("--quiet", line.import.quiet, "No progress, only the result");
}

void add_transfer_verbs(CLI::App& app, CommandLine& line) {
  CLI::App* import =
      app.add_subcommand("import",
                         "Store every record of a file: one key for each package. Resumes where an "
                         "interrupted run stopped");
  add_transfer_verb(import, line);
  import
      ->add_option("--progress-file", line.progress_file,
                   "Where to keep what is done (default FILE.progress, else below "
                   "$XDG_STATE_HOME/parallax)")
      ->type_name("PATH");
  import->add_flag("--restart", line.import.restart, "Store everything again");
  import->add_flag("--verify", line.import.verify, "Then read everything back and compare");
  CLI::App* verify =
      app.add_subcommand("verify", "Read back every record of a file and compare it byte by byte");
  add_transfer_verb(verify, line);
}

/// What CLI11 cannot check. Errors: what to say.
Result<void> complete(const CLI::App& app, CommandLine& line) {
  line.global.endpoints = CLI::detail::split(line.endpoints, ',');
  if (!line.consistency.empty()) {
    PARALLAX_ASSIGN(const Level level, parse_level(line.consistency));
    line.global.consistency = Consistency{.level = level};
  }
  if (line.timeout_ms > 0) line.global.timeout = std::chrono::milliseconds{line.timeout_ms};
  const CLI::App* put = app.get_subcommand("put");
  if (put->parsed()) {
    line.put.key = line.key;
    if (put->count("VALUE") > 0) line.put.value = line.put_value;
    if (put->count("--file") > 0) line.put.file = line.put_file;
    if (!line.put.value && !line.put.file) {
      return definite(ErrorCode::bad_parameter,
                      "put needs a VALUE, - for standard input, or --file PATH");
    }
  }
  if (!line.progress_file.empty()) line.import.progress_file = line.progress_file;
  return {};
}

ExitCode run(const CLI::App& app, const CommandLine& line) {
  const auto chosen = [&app](const char* verb) { return app.get_subcommand(verb)->parsed(); };
  if (chosen("put")) return run_put(line.global, line.put);
  if (chosen("get")) return run_get(line.global, line.key);
  if (chosen("delete")) return run_delete(line.global, line.key);
  if (chosen("cluster")) return run_cluster(line.global);
  if (chosen("status")) return run_status(line.global, line.nodes);
  if (chosen("import")) return run_import(line.global, line.import);
  return run_verify(line.global, line.import);
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app(
      "Parallax: a replicated key-value store in which every request names its "
      "consistency.");
  CommandLine line;
  app.name("parallax");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();  // the options of every verb may stand before or after it
  add_global(app, line);
  add_key_verbs(app, line);
  add_cluster_verbs(app, line);
  add_transfer_verbs(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    const std::vector<std::string> unknown = app.remaining();
    if (app.get_subcommands().empty() && !unknown.empty()) {
      fmt::print(stderr, "parallax: \"{}\" is no verb; --help lists them\n", unknown.front());
    } else {
      app.exit(error);
    }
    return kUsage;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  if (const auto valid = complete(app, line); !valid) return report(valid.error(), false);
  return run(app, line);
} catch (const std::exception& error) {
  // Out of memory, or a defect: whether the operation happened is not known here.
  fmt::print(stderr, "parallax: {}\n", error.what());
  return kUnknown;
}
