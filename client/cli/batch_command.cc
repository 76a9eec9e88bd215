// batch.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "client/cli/batch_file.h"
#include "client/cli/commands.h"
#include "client/cli/file_io.h"
#include "client/cli/table.h"

namespace parallax::cli {
namespace {

namespace json = boost::json;

struct BatchArguments {
  std::string file = "-";
};

struct OperationName {
  std::string_view operator()(const Put&) const { return "put"; }
  std::string_view operator()(const Get&) const { return "get"; }
  std::string_view operator()(const Delete&) const { return "delete"; }
  std::string_view operator()(const Increment&) const { return "increment"; }
};

const std::string& key_of(const BatchOperation& operation) {
  return std::visit([](const auto& one) -> const std::string& { return one.key; },
                    operation.operation);
}

bool is_get(const BatchOperation& operation) {
  return std::holds_alternative<Get>(operation.operation);
}

ExitCode code_of(const BatchOperation& operation, const Result<Answer>& answer) {
  if (!answer) return exit_code(answer.error());
  return is_get(operation) && !answer->found ? kNotFound : kDone;
}

std::string batch_json(const std::vector<BatchOperation>& batch,
                       const Client::BatchAnswers& answers) {
  json::array results;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    results.push_back(json::parse(answers[i]
                                      ? answer_json(key_of(batch[i]), *answers[i], is_get(batch[i]))
                                      : error_json(answers[i].error())));
  }
  return json::serialize(json::object{{"results", std::move(results)}}) + '\n';
}

std::string batch_text(const std::vector<BatchOperation>& batch,
                       const Client::BatchAnswers& answers) {
  Table table({{"OPERATION"}, {"KEY"}, {"RESULT"}, {"VERSION"}, {"VALUE"}});
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::string name(std::visit(OperationName{}, batch[i].operation));
    const std::string key = preview(key_of(batch[i]));
    if (!answers[i]) {
      const Error& error = answers[i].error();
      table.add({name, key,
                 Cell(error.definite() ? std::string(error_info(error.code).name)
                                       : std::string("unknown outcome"),
                      Tone::bad),
                 error.etag, error.message});
      continue;
    }
    const Answer& answer = *answers[i];
    const bool absent = is_get(batch[i]) && !answer.found;
    std::string value =
        answer.number ? fmt::to_string(*answer.number) : preview(answer.value.view());
    if (!answer.items.empty()) value = fmt::format("{} siblings", answer.items.size());
    table.add({name, key, absent ? Cell("not found", Tone::faint) : Cell("done", Tone::good),
               answer.stamp ? answer.stamp->to_string() : std::string(), value});
  }
  return table.to_string(colour_on_stdout());
}

ExitCode run_batch(const GlobalOptions& global, const BatchArguments& arguments) {
  const auto text = read_input(arguments.file);
  if (!text) return report(text.error(), global.json);
  auto batch = parse_batch(*text);
  if (!batch) return report(batch.error(), global.json);
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const auto answers = (*connection)->batch(*batch, connection->options());
  if (!answers) return connection->end(report(answers.error(), global.json));
  const std::string out = global.json ? batch_json(*batch, *answers) : batch_text(*batch, *answers);
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  ExitCode worst = kDone;  // the codes rise with what there is to worry about
  for (std::size_t i = 0; i < batch->size(); ++i) {
    worst = std::max(worst, code_of((*batch)[i], (*answers)[i]));
  }
  return connection->end(worst);
}

}  // namespace

void add_batch_verb(CLI::App& app, VerbAction& chosen) {
  const auto arguments = std::make_shared<BatchArguments>();
  CLI::App* batch = add_verb(
      app, "batch", "Carry out the operations of a JSON document",
      {"parallax batch operations.json", "generate | parallax batch",
       "parallax batch operations.json --json"},
      R"(The document: {"operations": [{"op": "put", "key": "a", "value": "b"}, ...]}. "op" is put, get,
delete or increment; beside "key" (or "key_base64") and "value" (or "value_base64") there may be
"content_type", "ttl_ms", "by", "siblings", "if_match", "if_none_match", "idempotency_key", and
"consistency" with "r", "w", "sloppy", "repair", "guarantees" and "on_violation", as operation and
level take them. Each is carried out on its own: some may fail while others do not. Ends with the
worst of their exit codes.)");
  batch->add_option("FILE", arguments->file, "The document; - for stdin")
      ->capture_default_str()
      ->type_name("PATH");
  batch->final_callback([&chosen, arguments] {
    chosen = [arguments](const GlobalOptions& global) { return run_batch(global, *arguments); };
  });
}

}  // namespace parallax::cli
