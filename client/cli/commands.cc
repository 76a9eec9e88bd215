// What the verbs have in common.
#include "client/cli/commands.h"

#include <algorithm>
#include <charconv>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "client/http_protocol.h"

namespace parallax::cli {

CLI::App* add_verb(CLI::App& app, const std::string& name, const std::string& description,
                   const std::vector<std::string>& examples, const std::string& notes) {
  CLI::App* verb = app.add_subcommand(name, description);
  std::string footer = notes.empty() ? "\nExamples:" : "\n" + notes + "\n\nExamples:";
  for (const std::string& example : examples) footer += "\n  " + example;
  verb->footer(footer);
  return verb;
}

std::string choices_type(const std::vector<std::string>& choices) {
  return fmt::format("{{{}}}", fmt::join(choices, ","));
}

std::vector<std::string> level_choices() {
  const std::vector<std::string_view> names = level_names();
  return {names.begin(), names.end()};
}

CLI::Option* one_of(CLI::Option* option, const std::vector<std::string>& choices) {
  option->type_name(choices_type(choices));
  option->check([choices](const std::string& given) -> std::string {
    if (std::find(choices.begin(), choices.end(), given) != choices.end()) return {};
    return fmt::format("{} is none of {}", quoted_for_message(given), fmt::join(choices, ", "));
  });
  return option;
}

CLI::Option* whole_number(CLI::Option* option, std::int64_t low, std::int64_t high) {
  return option->check([low, high](const std::string& given) -> std::string {
    std::int64_t value = 0;
    const char* const end = given.data() + given.size();
    const auto [stop, failed] = std::from_chars(given.data(), end, value);
    if (failed == std::errc{} && stop == end && value >= low && value <= high) return {};
    return fmt::format("{} is not a whole number from {} to {}", quoted_for_message(given), low,
                       high);
  });
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  const char* const end = text.data() + text.size();
  std::uint32_t count = 0;
  const auto [stop, failed] = std::from_chars(text.data(), end, count);
  const std::string_view found(stop, static_cast<std::size_t>(end - stop));
  for (const auto& [unit, factor] : kUnits) {
    if (failed == std::errc{} && found == unit) {
      return std::chrono::milliseconds(std::int64_t{count} * factor);
    }
  }
  return definite(
      ErrorCode::bad_parameter,
      fmt::format("{} is no duration like 60s (units: ms, s, m, h, d)", quoted_for_message(text)));
}

Result<EtagSet> parse_versions(std::string_view text) {
  if (text == "*") return any_version();
  EtagSet set;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    std::string_view tag = text.substr(at, comma - at);
    at = comma + 1;
    while (tag.starts_with(' ')) tag.remove_prefix(1);
    while (tag.ends_with(' ')) tag.remove_suffix(1);
    if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"') {
      tag = tag.substr(1, tag.size() - 2);
    }
    const auto stamp = Stamp::parse(tag);
    if (!stamp) {
      return definite(ErrorCode::bad_parameter,
                      fmt::format("{} is no version; expected HLC-NODE as put and get --json "
                                  "print it, several with commas between, or *",
                                  quoted_for_message(tag)));
    }
    set.stamps.push_back(*stamp);
  }
  return set;
}

Result<Connection> Connection::open(const GlobalOptions& global, ClientOptions options) {
  Connection made;
  made.consistency_ = global.consistency;
  if (global.session_file) {
    PARALLAX_ASSIGN(SessionFile session, SessionFile::open(*global.session_file));
    made.session_.emplace(std::move(session));
  }
  options.endpoints = global.endpoints;
  options.timeout = global.timeout.value_or(limits::kDefaultRequestTimeout);
  PARALLAX_ASSIGN(made.client_, Client::open(std::move(options)));
  return made;
}

ExitCode Connection::end(ExitCode code) {
  if (!session_) return code;
  const auto saved = session_->save();
  if (saved) return code;
  report(saved.error(), false);
  if (code != kDone && code != kNotFound) return code;
  fmt::print(stderr, "parallax: the operation was carried out, but its session was not kept\n");
  return kUnknown;
}

}  // namespace parallax::cli
