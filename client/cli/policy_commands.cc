// policy: get, set, delete and list.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/base64.h"
#include "client/cli/commands.h"
#include "client/cli/table.h"
#include "client/http_protocol.h"

namespace parallax::cli {
namespace {

namespace json = boost::json;
using Policies = std::vector<std::pair<std::string, Policy>>;

struct PolicyArguments {
  std::string prefix;
  std::string level;
  std::string mixing{mixing_name(Policy{}.mixing)};
  std::string conflict{conflict_name(Policy{}.conflict)};
};

json::object policy_object(const std::string& prefix, const Policy& policy) {
  json::object object;
  if (is_utf8(prefix)) {
    object["prefix"] = prefix;
  } else {
    object["prefix_base64"] = base64(prefix);
  }
  object["default_consistency"] =
      policy.default_consistency ? json::value(policy.default_consistency->to_string()) : nullptr;
  object["mixing"] = std::string(mixing_name(policy.mixing));
  object["conflict"] = std::string(conflict_name(policy.conflict));
  return object;
}

std::string policies_text(const Policies& policies) {
  Table table({{"PREFIX"}, {"LEVEL"}, {"MIXING"}, {"CONFLICT"}});
  for (const auto& [prefix, policy] : policies) {
    table.add({prefix.empty() ? Cell("(every key)", Tone::faint)
                              : Cell(is_utf8(prefix) ? prefix : escaped(prefix)),
               policy.default_consistency ? Cell(policy.default_consistency->to_string())
                                          : Cell("-", Tone::faint),
               std::string(mixing_name(policy.mixing)),
               std::string(conflict_name(policy.conflict))});
  }
  return table.to_string(colour_on_stdout());
}

ExitCode show(const std::string& out, ExitCode code) {
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  return code;
}

ExitCode run_list(const GlobalOptions& global) {
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const auto answer = (*connection)->list_policies(connection->options());
  if (!answer) return connection->end(report(answer.error(), global.json));
  if (!global.json) return connection->end(show(policies_text(answer->policies), kDone));
  json::array list;
  for (const auto& [prefix, policy] : answer->policies) {
    list.emplace_back(policy_object(prefix, policy));
  }
  const std::string out = json::serialize(json::object{{"policies", std::move(list)}}) + '\n';
  return connection->end(show(out, kDone));
}

ExitCode run_get_policy(const GlobalOptions& global, const PolicyArguments& arguments) {
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const auto answer = (*connection)->get_policy(arguments.prefix, connection->options());
  if (!answer) return connection->end(report(answer.error(), global.json));
  if (answer->policies.empty()) {
    fmt::print(stderr, "parallax: the prefix \"{}\" has no policy of its own\n",
               printable(arguments.prefix));
    return connection->end(kNotFound);
  }
  const std::string out =
      global.json
          ? json::serialize(policy_object(arguments.prefix, answer->policies.front().second)) + '\n'
          : policies_text(answer->policies);
  return connection->end(show(out, kDone));
}

ExitCode run_set_policy(const GlobalOptions& global, const PolicyArguments& arguments) {
  Policy policy;
  if (!arguments.level.empty()) {
    const auto level = parse_consistency(arguments.level);
    if (!level) return report(level.error(), false);
    policy.default_consistency = *level;
  }
  const auto mixing = parse_mixing(arguments.mixing);
  if (!mixing) return report(mixing.error(), false);
  policy.mixing = *mixing;
  const auto conflict = parse_conflict(arguments.conflict);
  if (!conflict) return report(conflict.error(), false);
  policy.conflict = *conflict;
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const auto answer = (*connection)->set_policy(arguments.prefix, policy, connection->options());
  if (!answer) return connection->end(report(answer.error(), global.json));
  if (!global.json) return connection->end(kDone);
  const std::string out = json::serialize(policy_object(arguments.prefix, policy)) + '\n';
  return connection->end(show(out, kDone));
}

ExitCode run_delete_policy(const GlobalOptions& global, const PolicyArguments& arguments) {
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const auto answer = (*connection)->remove_policy(arguments.prefix, connection->options());
  if (!answer) return connection->end(report(answer.error(), global.json));
  return connection->end(kDone);
}

template <class Choices>
std::vector<std::string> names_of(const Choices& choices) {
  std::vector<std::string> names;
  for (const auto& [value, name] : choices) names.emplace_back(name);
  return names;
}

/// A verb below policy that does `run` with a prefix.
CLI::App* add_prefix_verb(CLI::App& policy, VerbAction& chosen,
                          const std::shared_ptr<PolicyArguments>& arguments,
                          const std::string& name, const std::string& description,
                          const std::vector<std::string>& examples,
                          ExitCode (*run)(const GlobalOptions&, const PolicyArguments&)) {
  CLI::App* verb = add_verb(policy, name, description, examples);
  verb->add_option("PREFIX", arguments->prefix, "Of the keys; '' for every key")
      ->required()
      ->type_name("");
  verb->final_callback([&chosen, arguments, run] {
    chosen = [arguments, run](const GlobalOptions& global) { return run(global, *arguments); };
  });
  return verb;
}

}  // namespace

void add_policy_verbs(CLI::App& app, VerbAction& chosen) {
  CLI::App* policy = add_verb(app, "policy", "What holds for the keys under a prefix",
                              {"parallax policy list", "parallax policy set cache/ --level prefix",
                               "parallax policy get cache/", "parallax policy delete cache/"});
  policy->require_subcommand(1);
  const auto arguments = std::make_shared<PolicyArguments>();
  add_prefix_verb(*policy, chosen, arguments, "get", "Print the policy of a prefix",
                  {"parallax policy get cache/", "parallax policy get '' --json"}, run_get_policy);
  CLI::App* set = add_prefix_verb(
      *policy, chosen, arguments, "set", "Give a prefix a policy, in place of the one it has",
      {"parallax policy set cache/ --level prefix", "parallax policy set ledger/ --mixing deny",
       "parallax policy set cart/ --level 'quorum; r=1; w=3'"},
      run_set_policy);
  // Not one_of(): a level may come with parameters, which the parser checks.
  set->add_option("--level", arguments->level, "For requests that name none")
      ->type_name(choices_type(level_choices()));
  one_of(set->add_option("--mixing", arguments->mixing,
                         "Whether keys may be written through several protocols"),
         names_of(kMixings))
      ->capture_default_str();
  one_of(set->add_option("--conflict", arguments->conflict,
                         "Which of several concurrent versions wins"),
         names_of(kConflictStrategies))
      ->capture_default_str();
  add_prefix_verb(*policy, chosen, arguments, "delete", "Let a prefix have no policy of its own",
                  {"parallax policy delete cache/"}, run_delete_policy);
  CLI::App* list = add_verb(*policy, "list", "Print all policies",
                            {"parallax policy list", "parallax policy list --json"});
  list->final_callback([&chosen] { chosen = run_list; });
}

}  // namespace parallax::cli
