// wait: how many replicas have what a session has written.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "client/cli/commands.h"

namespace parallax::cli {
namespace {

ExitCode run_wait(const GlobalOptions& global, std::uint32_t replicas) {
  if (!global.session_file) {
    return report(definite(ErrorCode::bad_parameter,
                           "wait counts who has what a session has written; name its file with "
                           "--session"),
                  false);
  }
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  auto options = connection->options<OperationOptions>();
  const auto answer = (*connection)->wait_for(replicas, options);
  if (!answer) return connection->end(report(answer.error(), global.json));
  const std::string out = global.json ? fmt::format("{{\"replicas\":{}}}\n", answer->replicas)
                                      : fmt::format("{}\n", answer->replicas);
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  return connection->end(answer->replicas >= replicas ? kDone : kFailed);
}

}  // namespace

void add_wait_verb(CLI::App& app, VerbAction& chosen) {
  const auto replicas = std::make_shared<std::uint32_t>(1);
  CLI::App* wait = add_verb(
      app, "wait",
      "Print how many replicas have what a session has written, as soon as it is so many; exit 3 "
      "when it is fewer at the timeout",
      {"parallax put k v --consistency linearizable --ack leader --session s",
       "parallax wait 3 --session s --timeout-ms 2000"});
  whole_number(wait->add_option("REPLICAS", *replicas, "How many to wait for"), 1, 1'000)
      ->required()
      ->type_name("");
  wait->final_callback([&chosen, replicas] {
    chosen = [replicas](const GlobalOptions& global) { return run_wait(global, *replicas); };
  });
}

}  // namespace parallax::cli
