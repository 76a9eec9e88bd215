// explain: what a node would do about a request.
#include <algorithm>

#include <CLI/CLI.hpp>

#include "client/cli/commands.h"
#include "client/cli/table.h"

namespace parallax::cli {
namespace {

struct ExplainArguments {
  std::string op;
  std::string key;
};

std::string plan_text(const PlanView& plan, bool colour) {
  Table table({Table::Column{"PLAN"}, Table::Column{""}});
  for (const StatusField& field : plan.fields) {
    std::string name = field.name;
    std::replace(name.begin(), name.end(), '_', ' ');
    std::replace(name.begin(), name.end(), '.', ' ');
    const bool told = field.value != "-";
    table.add({Cell(name), Cell(printable(field.value), told ? Tone::plain : Tone::faint)});
  }
  return table.to_string(colour);
}

ExitCode run_explain(const GlobalOptions& global, const ExplainArguments& arguments) {
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const auto plan =
      (*connection)->explain(arguments.op == "write", arguments.key, connection->options());
  if (!plan) return report(plan.error(), global.json);
  std::string out = global.json ? plan->json : plan_text(*plan, colour_on_stdout());
  if (!out.ends_with('\n')) out += '\n';
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  return kDone;
}

}  // namespace

void add_explain_verb(CLI::App& app, VerbAction& chosen) {
  const auto arguments = std::make_shared<ExplainArguments>();
  CLI::App* explain = add_verb(
      app, "explain",
      "Show what the first node that answers would do about reading or writing a key: by which "
      "path, with whom, what that survives and promises, and what it has taken so far",
      {"parallax explain read", "parallax explain write cart/7 --consistency quorum --w 2",
       "parallax explain read --consistency bounded --max-lag 5 --json"});
  one_of(explain->add_option("OP", arguments->op, "What to explain"), {"read", "write"})
      ->required();
  explain->add_option("KEY", arguments->key, "The key; its policy may name the level")
      ->type_name("");
  explain->final_callback([&chosen, arguments] {
    chosen = [arguments](const GlobalOptions& global) { return run_explain(global, *arguments); };
  });
}

}  // namespace parallax::cli
