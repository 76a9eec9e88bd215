#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "client/cli/commands.h"
#include "client/cli/table.h"

namespace parallax::cli {
namespace {

/// The version written, for people and for scripts that compare it later.
ExitCode show_written(const GlobalOptions& global, const std::string& key, const Answer& answer) {
  const std::string line = global.json    ? answer_json(key, answer, false)
                           : answer.stamp ? answer.stamp->to_string() + '\n'
                                          : std::string();
  if (const auto written = write_out(line); !written) return report(written.error(), false);
  return kDone;
}

}  // namespace

Result<std::unique_ptr<Client>> open_client(const GlobalOptions& global,
                                            std::optional<int> max_attempts) {
  ClientOptions options;
  options.endpoints = global.endpoints;
  options.timeout = global.timeout.value_or(limits::kDefaultRequestTimeout);
  if (max_attempts) options.retry.max_attempts = *max_attempts;
  return Client::open(std::move(options));
}

Result<std::string> read_input(const std::string& path) {
  const auto error = [&path] {
    return definite(ErrorCode::io, fmt::format("cannot read {}: {}", path == "-" ? "stdin" : path,
                                               std::strerror(errno)));
  };
  const auto close = [](std::FILE* open) {
    if (open != stdin) std::fclose(open);
  };
  const std::unique_ptr<std::FILE, decltype(close)> file(
      path == "-" ? stdin : std::fopen(path.c_str(), "rbe"), close);
  if (!file) return error();
  std::string bytes;
  char buffer[64 << 10];
  while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, file.get())) {
    bytes.append(buffer, got);
  }
  if (std::ferror(file.get()) != 0) return error();
  return bytes;
}

ExitCode run_put(const GlobalOptions& global, const PutArguments& arguments) {
  Bytes value;
  if (arguments.file || arguments.value == "-") {
    auto bytes = read_input(arguments.file.value_or("-"));
    if (!bytes) return report(bytes.error(), global.json);
    value = Bytes(std::move(*bytes));
  } else {
    value = Bytes(*arguments.value);
  }
  const auto client = open_client(global);
  if (!client) return report(client.error(), global.json);
  PutOptions options;
  options.consistency = global.consistency;
  options.content_type = arguments.content_type;
  const auto answer = (*client)->put(arguments.key, std::move(value), options);
  if (!answer) return report(answer.error(), global.json);
  return show_written(global, arguments.key, *answer);
}

ExitCode run_delete(const GlobalOptions& global, const std::string& key) {
  const auto client = open_client(global);
  if (!client) return report(client.error(), global.json);
  const auto answer = (*client)->remove(key, {.consistency = global.consistency});
  if (!answer) return report(answer.error(), global.json);
  return show_written(global, key, *answer);
}

ExitCode run_get(const GlobalOptions& global, const std::string& key) {
  const auto client = open_client(global);
  if (!client) return report(client.error(), global.json);
  const auto answer = (*client)->get(key, {.consistency = global.consistency});
  if (!answer) return report(answer.error(), global.json);
  std::string out;
  if (global.json) {
    out = answer_json(key, *answer, true);
  } else if (answer->found) {
    out = answer->value.to_string();
    // The bytes and nothing else for programs; a prompt on a line of its own for people.
    if (stdout_is_terminal() && !out.ends_with('\n')) out += '\n';
  }
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  if (answer->found) return kDone;
  fmt::print(stderr, "parallax: {} is not there (read at {})\n", printable(key),
             answer->consistency.to_string());
  return kNotFound;
}

}  // namespace parallax::cli
