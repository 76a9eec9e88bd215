#include "client/cli/command_line.h"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "client/cli/completion.h"
#include "client/http_protocol.h"

namespace parallax::cli {
namespace {

constexpr const char* kDefaultEndpoints = "127.0.0.1:7101,127.0.0.1:7102,127.0.0.1:7103";

constexpr const char* kFooter = R"(
Examples:
  parallax put greeting hello
  parallax get greeting --consistency prefix
  parallax put cart/7 milk --consistency quorum --w 2
  parallax scan --prefix pkg/
  parallax import --format dpkg --prefix pkg/ /var/lib/dpkg/status
  parallax export backup.jsonl
  parallax --endpoints 127.0.0.1:7101 cluster
More with --help behind each verb.

Exit codes:
  0 done   1 not found, or not the same   2 usage
  3 definite failure: it did not happen   4 unknown outcome: it may have happened)";

void add_completion_verb(CLI::App& app, VerbAction& chosen) {
  CLI::App* completion =
      add_verb(app, "completion", "Print a script that completes this command line in a shell",
               {"parallax completion bash > ~/.local/share/bash-completion/completions/parallax"});
  const auto shell = std::make_shared<std::string>();
  one_of(completion->add_option("SHELL", *shell, "Which one")->required(), {"bash"});
  completion->final_callback([&app, &chosen, shell] {  // which the parser writes to
    chosen = [&app](const GlobalOptions&) {
      const auto written = write_out(bash_completion(app));
      return written ? kDone : report(written.error(), false);
    };
  });
}

/// Names the first argument of the chosen verb that was not given, and what it takes.
bool tell_missing(const CLI::App& app) {
  for (const CLI::App* verb : app.get_subcommands()) {
    for (const CLI::Option* option : verb->get_options()) {
      if (!option->get_required() || option->count() != 0) continue;
      fmt::print(stderr, "parallax: {} needs {} ({}); --help tells more\n", verb->get_name(),
                 option->get_name(), option->get_description());
      return true;
    }
    if (tell_missing(*verb)) return true;
  }
  return false;
}

}  // namespace

CommandLine::CommandLine()
    : app_(std::make_unique<CLI::App>(
          "Parallax: a replicated key-value store in which every request names its "
          "consistency.")),
      endpoints_(kDefaultEndpoints) {
  CLI::App& app = *app_;
  app.name("parallax");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();  // the options of every verb may stand before or after it
  app.set_version_flag("--version", "parallax " PARALLAX_VERSION);
  // One word, split below: a list option would take the next argument, the key, for an endpoint.
  app.add_option("--endpoints", endpoints_, "Nodes to ask, HOST:PORT each, separated by commas")
      ->envname("PARALLAX_ENDPOINTS")
      ->capture_default_str()
      ->type_name("LIST");
  app.add_option("--consistency", consistency_,
                 "Level of the operation, with its parameters behind semicolons if it has any. "
                 "one, two, three and all are quorum with r and w set. Default: the cluster's for "
                 "the key, else linearizable")
      ->type_name(choices_type(level_choices()));
  add_level_options();
  whole_number(app.add_option("--timeout-ms", timeout_ms_,
                              "Bound on each operation, all its retries included (default 5000)"),
               1, 3'600'000)
      ->type_name("MS");
  app.add_option("--session", session_file_,
                 "Keep a session in this file, across runs: what one has seen or written, the next "
                 "one's levels know of")
      ->type_name("PATH");
  app.add_flag("--json", global_.json, "Machine-readable output, one JSON object a line");
  add_key_verbs(app, chosen_);
  add_crdt_verb(app, chosen_);
  add_range_verbs(app, chosen_);
  add_batch_verb(app, chosen_);
  add_transfer_verbs(app, chosen_);
  add_export_verb(app, chosen_);
  add_policy_verbs(app, chosen_);
  add_cluster_verbs(app, chosen_);
  add_wait_verb(app, chosen_);
  add_explain_verb(app, chosen_);
  add_bench_verb(app, chosen_);
  add_completion_verb(app, chosen_);
}

CommandLine::~CommandLine() = default;

bool CommandLine::parse(std::vector<std::string> arguments, int& code) {
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app_->parse(arguments);
  } catch (const CLI::RequiredError& error) {
    const std::vector<std::string> unknown = app_->remaining();
    if (app_->get_subcommands().empty() && !unknown.empty()) {
      fmt::print(stderr, "parallax: {} is no verb; --help lists them\n",
                 quoted_for_message(unknown.front()));
    } else if (!tell_missing(*app_)) {
      app_->exit(error);
    }
    code = kUsage;
    return false;
  } catch (const CLI::ParseError& error) {
    code = app_->exit(error) == 0 ? kDone : kUsage;
    return false;
  }
  if (const auto valid = complete(); !valid) {
    code = report(valid.error(), false);
    return false;
  }
  return true;
}

/// Parameters of the level; which of them it takes, and whether a value is right, the list of
/// levels knows.
void CommandLine::add_level_options() {
  const auto option = [this](LevelParameter parameter) -> std::optional<std::string>& {
    return level_parameters_[static_cast<std::size_t>(parameter)];
  };
  app_->add_option("--r", option(LevelParameter::r),
                   "quorum: a read takes the newest of so many replicas, or of all; default: a "
                   "majority")
      ->type_name("NUMBER");
  app_->add_option("--w", option(LevelParameter::w),
                   "quorum: a write waits for so many replicas, or all; default: a majority")
      ->type_name("NUMBER");
  app_->add_flag("--sloppy", sloppy_,
                 "quorum: a durable hint counts for the replica that it is kept for");
  app_->add_option("--repair", option(LevelParameter::repair),
                   "quorum: whether a read waits until r replicas hold what it shows (default: "
                   "async, it does not)")
      ->type_name(choices_type({"async", "blocking"}));
  app_->add_option("--max-staleness-ms", option(LevelParameter::max_staleness_ms),
                   "bounded: the answer is at most so many milliseconds old")
      ->type_name("NUMBER");
  app_->add_option("--max-lag", option(LevelParameter::max_lag),
                   "bounded: the answer is at most so many log entries behind")
      ->type_name("NUMBER");
  app_->add_option(
          "--on-violation", option(LevelParameter::on_violation),
          "sequential, bounded, causal, session: what a node does that is not that far yet "
          "(default: wait)")
      ->type_name(choices_type({"wait", "forward", "reject"}));
  app_->add_option("--ack", option(LevelParameter::ack),
                   "writes of linearizable, sequential, bounded and prefix: who has stored it "
                   "(default: majority)")
      ->type_name(choices_type({"leader", "semi-sync", "majority", "all"}));
  app_->add_option("--guarantees", option(LevelParameter::guarantees),
                   "session: which of ryw, mr, mw and wfr hold, with commas between them; default: "
                   "all")
      ->type_name("LIST");
}

/// What CLI11 cannot check.
Result<void> CommandLine::complete() {
  global_.endpoints = CLI::detail::split(endpoints_, ',');
  if (sloppy_) level_parameters_[static_cast<std::size_t>(LevelParameter::sloppy)] = "true";
  std::vector<LevelArgument> beside;
  for (const LevelParameterInfo& info : kLevelParameters) {
    const auto& value = level_parameters_[static_cast<std::size_t>(info.parameter)];
    if (value) beside.push_back({info.parameter, *value});
  }
  if (!consistency_.empty()) {
    PARALLAX_ASSIGN(global_.consistency, parse_consistency(consistency_, beside));
  } else if (!beside.empty()) {
    return definite(
        ErrorCode::bad_parameter,
        fmt::format("--{} says nothing without a level; add --consistency",
                    kLevelParameters[static_cast<std::size_t>(beside.front().parameter)].name));
  }
  if (timeout_ms_ > 0) global_.timeout = std::chrono::milliseconds{timeout_ms_};
  if (!session_file_.empty()) global_.session_file = session_file_;
  return {};
}

ExitCode CommandLine::run() {
  return chosen_(global_);
}

}  // namespace parallax::cli
