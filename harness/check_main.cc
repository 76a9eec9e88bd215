// parallax-check: judges recorded histories.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <new>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include "harness/judge.h"

namespace {

using namespace parallax;
using namespace parallax::harness;
namespace json = boost::json;

enum ExitCode { kHeld = 0, kViolated = 1, kUndecided = 2, kMalformed = 3, kUsage = 4 };

constexpr const char* kExamples = R"(
Examples:
  parallax-check run.jsonl                         our own JSON lines
  parallax-check etcd_000.log c10-ok.txt           a Jepsen log, a key-value log of Porcupine
  parallax-check --level quorum run.jsonl          by the versions' stamps
  parallax-check --classify run.jsonl              which levels it reaches, and why not the others
  parallax-check --staleness run.jsonl             and how old was what reads returned
  parallax-check --json *.log | jq .verdict        a line of JSON for each file
  parallax-check --format edn --initial 0 - < cas.edn

Exit: 0 all held, 1 one is violated, 2 one is undecided, 3 one is malformed, 4 wrong usage or a file
that cannot be read. Of several the highest of 4, 3, 1, 2.)";

struct Arguments {
  std::vector<std::string> files;
  std::string format = "auto";
  std::string model = "auto";
  std::string initial;
  std::string level = "linearizable";
  bool staleness = false;
  bool classify = false;
  bool json = false;
  std::uint64_t memory_mb = 1024;
  std::uint64_t steps = checker::Limits{}.max_steps;
};

/// What is told of one file.
struct Report {
  std::string file;
  ExitCode code = kUsage;
  std::string problem;  ///< of undecided, malformed, and what cannot be read
  std::optional<Recorded> recorded;
  Judgement judgement;
  std::optional<checker::Staleness> staleness;
  std::optional<checker::Classification> levels;
  double read_ms = 0;
  double check_ms = 0;
  std::uint64_t memory_mb = 0;
};

class Clock {
 public:
  /// Milliseconds since the last call, or the beginning.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// The most memory that this process had since the last reset (Linux: VmHWM).
std::uint64_t peak_memory_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10) / 1024;
  }
  return 0;
}

void reset_peak_memory() {
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

std::optional<std::string> slurp(const std::string& path, std::string& problem) {
  std::string text;
  if (path == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
    return text;
  }
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    problem = "it is a directory";
    return std::nullopt;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    problem = fmt::format("it cannot be opened ({})", std::strerror(errno));
    return std::nullopt;
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (!error) text.reserve(size);
  std::array<char, 1 << 16> part;
  while (file.read(part.data(), part.size()) || file.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) {
    problem = "it cannot be read";
    return std::nullopt;
  }
  return text;
}

ExitCode code_of(checker::Verdict verdict) {
  return verdict == checker::Verdict::yes  ? kHeld
         : verdict == checker::Verdict::no ? kViolated
                                           : kUndecided;
}

void judge_file(const Arguments& arguments, const ReadOptions& options, const CheckedLevel& level,
                Report& report) {
  Clock clock;
  {
    const auto text = slurp(report.file, report.problem);
    if (!text) return;
    auto recorded = read_recorded(*text, options);
    report.read_ms = clock.lap();
    if (!recorded) {
      report.code = kMalformed;
      report.problem = recorded.error().message;
      return;
    }
    report.recorded = std::move(*recorded);
  }
  clock.lap();
  const checker::Limits limits{.max_steps = arguments.steps,
                               .max_memory_bytes = arguments.memory_mb << 20};
  report.judgement = judge(*report.recorded, level, limits);
  report.check_ms = clock.lap();
  report.code = code_of(report.judgement.verdict);
  report.problem = report.judgement.reason;
  if (arguments.classify) {
    report.levels = classify(*report.recorded, level, report.judgement, limits);
  }
  if (arguments.staleness) {
    report.staleness =
        checker::measure_staleness(report.recorded->history, {.initial = report.recorded->initial});
  }
}

Report report_of(const std::string& file, const Arguments& arguments, const ReadOptions& options,
                 const CheckedLevel& level) {
  reset_peak_memory();
  Report report{.file = file};
  try {
    judge_file(arguments, options, level, report);
  } catch (const std::bad_alloc&) {
    report = Report{.file = file, .code = kUndecided, .problem = "there is not enough memory"};
  }
  report.memory_mb = peak_memory_mb();
  return report;
}

std::string_view word_of(ExitCode code) {
  constexpr std::array<std::string_view, 5> kWords{"held", "violated", "undecided", "malformed",
                                                   "unreadable"};
  return kWords[code];
}

/// What others wrote must not drive the terminal.
std::string printable(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7f) c = '?';
  }
  return text;
}

std::string indented(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) out += "  " + text.substr(at, end - at);
    out += "\n";
    at = end + 1;
  }
  return out;
}

std::string painted(ExitCode code, bool colour) {
  const std::string word = fmt::format("{:10}", word_of(code));
  if (!colour) return word;
  return fmt::format("\x1b[{}m{}\x1b[0m", code == kHeld ? 32 : code == kUndecided ? 33 : 31, word);
}

void print_line(const Report& report, std::string_view level, std::size_t width, bool colour) {
  fmt::print("{:{}}  {}", printable(report.file), width, painted(report.code, colour));
  if (report.recorded) {
    fmt::print(
        "  {:12}  {:12}  {:12}  {:>9} operations  {:>9.1f} ms read  {:>9.1f} ms checked  "
        "{:>5} MB",
        to_string(report.recorded->format), report.recorded->model->name, level,
        report.recorded->history.operations.size(), report.read_ms, report.check_ms,
        report.memory_mb);
  }
  fmt::print("\n");
  if (!report.problem.empty()) fmt::print("{}", indented(printable(report.problem)));
  if (report.staleness) {
    fmt::print("{}", indented(describe(*report.staleness)));
    if (report.staleness->worst) {
      fmt::print("{}", indented(printable(report.staleness->worst->text)));
    }
  }
  const std::string levels = report.levels ? report.levels->text() : std::string();
  if (!levels.empty()) fmt::print("{}\n", indented(printable(levels)));
  // A witness is told once.
  if (!report.judgement.text.empty() && levels.find(report.judgement.text) == std::string::npos) {
    fmt::print("\n{}\n", indented(printable(report.judgement.text)));
  }
  std::fflush(stdout);
}

/// JSON is UTF-8; an EDN log need not be.
json::string json_text(std::string text) {
  boost::system::error_code error;
  json::parse(json::serialize(json::string(text)), error);
  if (error) {
    for (char& c : text) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  return json::string(text);
}

/// The witness as lines of our own format.
json::array json_witness(const Report& report) {
  json::array lines;
  const checker::History& witness = report.judgement.witness;
  for (const checker::Operation& operation : witness.operations) {
    std::string line;
    checker::append_line(line, witness.texts, operation);
    boost::system::error_code error;
    lines.push_back(json::parse(std::string_view(json_text(std::move(line))), error));
  }
  return lines;
}

json::object json_staleness(const checker::Staleness& staleness) {
  return {{"reads", staleness.reads},
          {"stale_reads", staleness.stale_reads},
          {"p50_ns", staleness.p50_ns},
          {"p99_ns", staleness.p99_ns},
          {"max_ns", staleness.max_ns},
          {"delta_ns", staleness.delta_ns},
          {"impossible_reads", staleness.impossible_reads},
          {"keys", staleness.keys},
          {"keys_left_out", staleness.keys_left_out},
          {"keys_1_atomic", staleness.keys_1_atomic},
          {"keys_2_atomic", staleness.keys_2_atomic},
          {"keys_beyond_2", staleness.keys_beyond_2}};
}

json::object json_levels(const checker::Classification& levels) {
  json::array strongest;
  for (const checker::Criterion criterion : levels.strongest) {
    strongest.push_back(json::string(to_string(criterion)));
  }
  json::array all;
  for (std::size_t i = 0; i < checker::kCriteria; ++i) {
    const checker::CriterionVerdict& verdict = levels.verdicts[i];
    json::object line{{"level", to_string(static_cast<checker::Criterion>(i))},
                      {"verdict", checker::to_string(verdict.verdict)}};
    if (!verdict.reason.empty()) line["reason"] = json_text(verdict.reason);
    if (!verdict.witness.empty()) line["witness"] = json_text(verdict.witness);
    all.push_back(std::move(line));
  }
  return {{"strongest", std::move(strongest)}, {"levels", std::move(all)}};
}

void print_json(const Report& report, std::string_view level) {
  json::object line{{"file", json_text(report.file)}, {"verdict", word_of(report.code)}};
  if (report.recorded) {
    line["format"] = to_string(report.recorded->format);
    line["model"] = report.recorded->model->name;
    line["level"] = level;
    line["operations"] = report.recorded->history.operations.size();
    line["check_ms"] = report.check_ms;
  }
  line["read_ms"] = report.read_ms;
  line["memory_mb"] = report.memory_mb;
  if (!report.problem.empty()) line["problem"] = json_text(report.problem);
  if (!report.judgement.text.empty()) {
    line["witness"] = {{"text", json_text(report.judgement.text)},
                       {"operations", json_witness(report)}};
  }
  if (report.staleness) line["staleness"] = json_staleness(*report.staleness);
  if (report.levels) line["classified"] = json_levels(*report.levels);
  std::cout << line << std::endl;
}

std::string levels_help() {
  std::string text = "what to hold the history to; linearizable by default:";
  for (const CheckedLevel& level : checked_levels()) {
    text += fmt::format("\n  {}: {}", level.name, level.what);
  }
  return text;
}

std::string level_names() {
  std::string names;
  for (const CheckedLevel& level : checked_levels()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", level.name);
  }
  return names;
}

int usage_error(const std::string& message) {
  fmt::print(stderr, "parallax-check: {}\n", message);
  return kUsage;
}

int run(const Arguments& arguments, bool initial_given) {
  ReadOptions options;
  if (arguments.format != "auto") {
    options.format = parse_format(arguments.format);
    if (!options.format) {
      return usage_error(
          fmt::format("--format {}: it must be auto, parallax, jepsen-log, edn, "
                      "porcupine-kv or elle",
                      arguments.format));
    }
  }
  if (arguments.model != "auto") {
    options.model = find_model(arguments.model);
    if (options.model == nullptr) {
      return usage_error(
          fmt::format("--model {}: it must be auto or one of {}", arguments.model, model_names()));
    }
  }
  if (initial_given) options.initial = arguments.initial;
  const CheckedLevel* level = find_level(arguments.level);
  if (level == nullptr) {
    return usage_error(fmt::format("--level {}: there is no checker; there is one for {}",
                                   arguments.level, level_names()));
  }
  const bool colour = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  std::size_t width = 0;
  for (const std::string& file : arguments.files) width = std::max(width, file.size());
  std::array<bool, 5> seen{};
  for (const std::string& file : arguments.files) {
    const Report report = report_of(file, arguments, options, *level);
    seen[report.code] = true;
    if (arguments.json) {
      print_json(report, level->name);
    } else {
      print_line(report, level->name, width, colour);
    }
  }
  for (const ExitCode code : {kUsage, kMalformed, kViolated, kUndecided}) {
    if (seen[code]) return code;
  }
  return kHeld;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app{"Judges recorded histories: did the store keep its promise?"};
  app.footer(kExamples);
  app.set_version_flag("--version", "parallax-check " PARALLAX_VERSION);
  app.add_option("FILE", arguments.files, "recorded histories; - is standard input")->required();
  app.add_option("--level", arguments.level, levels_help());
  app.add_option("--format", arguments.format,
                 "auto (from the content), parallax, jepsen-log, edn, porcupine-kv, elle");
  app.add_option("--model", arguments.model, "auto (from the operations), " + model_names());
  const auto* initial = app.add_option("--initial", arguments.initial,
                                       "what every key holds at the beginning; else by the model");
  app.add_flag("--staleness", arguments.staleness, "tell how old was what reads returned");
  app.add_flag(
      "--classify", arguments.classify,
      "tell which levels it reaches as a whole, whatever --level asks, and why not others");
  app.add_flag("--json", arguments.json, "print a line of JSON for each file");
  app.add_option("--memory-mb", arguments.memory_mb,
                 "of the search of one key; beyond that it is undecided")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--steps", arguments.steps, "of the search of one key, likewise");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kHeld : kUsage;
  }
  return run(arguments, initial->count() > 0);
}
