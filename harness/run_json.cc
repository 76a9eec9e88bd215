#include "harness/run_json.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "client/json_members.h"
#include "harness/target.h"

namespace parallax::harness {
namespace {

namespace json = boost::json;
using json_members::find;
using json_members::for_each_object;
using json_members::need;
using json_members::parse_object;
using json_members::read;
using json_members::shape_error;

// --- Writing

json::array texts(const std::vector<std::string>& list) {
  return json::array(list.begin(), list.end());
}

json::object to_json(const RunOptions& asked) {
  json::array faults;
  for (const Fault fault : asked.faults) faults.push_back(json::string(to_string(fault)));
  return {{"target", asked.target},
          {"nodes", asked.nodes},
          {"endpoints", texts(asked.endpoints)},
          {"workload", to_string(asked.workload)},
          {"write_level", level_word(asked.target, asked.write_level)},
          {"read_level", level_word(asked.target, asked.read_level)},
          {"faults", std::move(faults)},
          {"network", to_string(asked.network)},
          {"clients", asked.clients},
          {"rate", asked.rate},
          {"time_ms", asked.time.count()},
          {"keys", asked.keys},
          {"seed", asked.seed},
          {"check", texts(asked.check)},
          {"out", asked.out},
          {"tighten", asked.tighten}};
}

json::object to_json(const Verdict& verdict) {
  return {{"guarantee", verdict.guarantee},
          {"promised", verdict.promised},
          {"verdict", checker::to_string(verdict.verdict)},
          {"reason", verdict.reason},
          {"witness", verdict.witness},
          {"operations", json::array(verdict.operations.begin(), verdict.operations.end())},
          {"took_ns", verdict.took.count()}};
}

json::object to_json(const StalenessSummary& staleness) {
  json::array curve;
  for (const StalenessPoint& point : staleness.curve) {
    json::object line{{"after_ns", point.after_ns},
                      {"reads", point.reads},
                      {"seen", point.seen},
                      {"same_node", point.same_node}};
    if (point.predicted) line["predicted"] = *point.predicted;
    curve.push_back(std::move(line));
  }
  return {{"reads", staleness.reads},          {"stale_reads", staleness.stale_reads},
          {"p50_ns", staleness.p50_ns},        {"p99_ns", staleness.p99_ns},
          {"max_ns", staleness.max_ns},        {"curve", std::move(curve)},
          {"prediction", staleness.prediction}};
}

json::object to_json(const Convergence& convergence) {
  json::object object{{"healed_ns", convergence.healed_ns}, {"detail", convergence.detail}};
  if (convergence.after_ns) object["after_ns"] = *convergence.after_ns;
  return object;
}

template <class T>
json::array list_of(const std::vector<T>& list) {
  json::array array;
  for (const T& item : list) array.push_back(to_json(item));
  return array;
}

json::object to_json(const LevelsReached& reached) {
  return {{"strongest", texts(reached.strongest)}, {"levels", list_of(reached.levels)}};
}

json::object to_json(const Tightening& tightening) {
  return {{"unknown", tightening.unknown}, {"happened", tightening.happened},
          {"never", tightening.never},     {"open", tightening.open},
          {"reason", tightening.reason},   {"verdicts", list_of(tightening.verdicts)}};
}

// --- Reading

/// `name`, which must be there and of T's type.
template <class T>
Result<void> get(const json::object& object, std::string_view name, T& out) {
  PARALLAX_ASSIGN(out, need<T>(object, name));
  return {};
}

Result<void> get_texts(const json::object& object, std::string_view name,
                       std::vector<std::string>& out) {
  const json::value* list = find(object, name);
  if (list == nullptr || !list->is_array()) {
    return shape_error(fmt::format("\"{}\" is no list", name));
  }
  for (const json::value& value : list->get_array()) {
    if (!value.is_string()) return shape_error(fmt::format("\"{}\" is no list of texts", name));
    out.emplace_back(value.get_string());
  }
  return {};
}

Result<void> get_levels(const json::object& object, RunOptions& out) {
  PARALLAX_ASSIGN(const auto writes, need<std::string>(object, "write_level"));
  PARALLAX_ASSIGN(const auto reads, need<std::string>(object, "read_level"));
  const auto levels = parse_levels(out.target, writes, reads);
  if (!levels) {
    return shape_error(fmt::format("\"write_level\", \"read_level\": {}", levels.error().message));
  }
  std::tie(out.write_level, out.read_level) = *levels;
  return {};
}

Result<RunOptions> read_options(const json::object& object) {
  RunOptions asked;
  PARALLAX_TRY(get(object, "target", asked.target));
  PARALLAX_TRY(get(object, "nodes", asked.nodes));
  PARALLAX_TRY(get_texts(object, "endpoints", asked.endpoints));
  PARALLAX_ASSIGN(const auto workload, need<std::string>(object, "workload"));
  auto parsed = parse_workload(workload);
  if (!parsed) return shape_error(fmt::format("\"workload\": {}", parsed.error().message));
  asked.workload = *parsed;
  PARALLAX_TRY(get_levels(object, asked));
  std::vector<std::string> faults;
  PARALLAX_TRY(get_texts(object, "faults", faults));
  auto kinds = parse_faults(fmt::format("{}", fmt::join(faults, ",")));
  if (!kinds) return shape_error(fmt::format("\"faults\": {}", kinds.error().message));
  asked.faults = std::move(*kinds);
  PARALLAX_ASSIGN(const auto network, need<std::string>(object, "network"));
  const auto known = parse_network(network);
  if (!known) return shape_error(fmt::format("\"network\": {}", known.error().message));
  asked.network = *known;
  PARALLAX_TRY(get(object, "clients", asked.clients));
  PARALLAX_TRY(get(object, "rate", asked.rate));
  std::int64_t time_ms = 0;
  PARALLAX_TRY(get(object, "time_ms", time_ms));
  asked.time = std::chrono::milliseconds(time_ms);
  PARALLAX_TRY(get(object, "keys", asked.keys));
  PARALLAX_TRY(get(object, "seed", asked.seed));
  PARALLAX_TRY(get_texts(object, "check", asked.check));
  PARALLAX_TRY(get(object, "out", asked.out));
  PARALLAX_TRY(get(object, "tighten", asked.tighten));
  return asked;
}

Result<FaultWindow> read_window(const json::object& object) {
  FaultWindow window;
  PARALLAX_TRY(get(object, "kind", window.kind));
  PARALLAX_TRY(get(object, "target", window.target));
  PARALLAX_TRY(get(object, "detail", window.detail));
  PARALLAX_TRY(get(object, "begin", window.begin_ns));
  PARALLAX_TRY(get(object, "end", window.end_ns));
  return window;
}

Result<Verdict> read_verdict(const json::object& object) {
  Verdict verdict;
  PARALLAX_TRY(get(object, "guarantee", verdict.guarantee));
  PARALLAX_TRY(get(object, "promised", verdict.promised));
  PARALLAX_ASSIGN(const auto text, need<std::string>(object, "verdict"));
  constexpr std::array kAll{checker::Verdict::yes, checker::Verdict::no,
                            checker::Verdict::undecided};
  const auto* found = std::find_if(
      kAll.begin(), kAll.end(), [&](checker::Verdict v) { return checker::to_string(v) == text; });
  if (found == kAll.end()) return shape_error("\"verdict\" is not yes, no or undecided");
  verdict.verdict = *found;
  PARALLAX_TRY(get(object, "reason", verdict.reason));
  PARALLAX_TRY(get(object, "witness", verdict.witness));
  const json::value* operations = find(object, "operations");
  if (operations == nullptr || !operations->is_array()) {
    return shape_error("\"operations\" is no list");
  }
  for (const json::value& index : operations->get_array()) {
    json::error_code error;
    verdict.operations.push_back(index.to_number<std::size_t>(error));
    if (error) return shape_error("\"operations\" is no list of indices");
  }
  std::int64_t took_ns = 0;
  PARALLAX_TRY(get(object, "took_ns", took_ns));
  verdict.took = Duration(took_ns);
  return verdict;
}

/// A list of objects, which `read_one` turns into what they stand for.
template <class T>
Result<void> get_list(const json::object& object, std::string_view name, std::vector<T>& out,
                      Result<T> (*read_one)(const json::object&)) {
  return for_each_object(object, name, [&](const json::object& line) -> Result<void> {
    PARALLAX_ASSIGN(T item, read_one(line));
    out.push_back(std::move(item));
    return {};
  });
}

Result<StalenessPoint> read_point(const json::object& object) {
  StalenessPoint point;
  PARALLAX_TRY(get(object, "after_ns", point.after_ns));
  PARALLAX_TRY(get(object, "reads", point.reads));
  PARALLAX_TRY(get(object, "seen", point.seen));
  PARALLAX_ASSIGN(point.predicted, read<double>(object, "predicted"));
  PARALLAX_TRY(get(object, "same_node", point.same_node));
  return point;
}

Result<StalenessSummary> read_staleness(const json::object& object) {
  StalenessSummary staleness;
  PARALLAX_TRY(get(object, "reads", staleness.reads));
  PARALLAX_TRY(get(object, "stale_reads", staleness.stale_reads));
  PARALLAX_TRY(get(object, "p50_ns", staleness.p50_ns));
  PARALLAX_TRY(get(object, "p99_ns", staleness.p99_ns));
  PARALLAX_TRY(get(object, "max_ns", staleness.max_ns));
  PARALLAX_TRY(get_list(object, "curve", staleness.curve, read_point));
  PARALLAX_TRY(get(object, "prediction", staleness.prediction));
  return staleness;
}

Result<LevelsReached> read_levels(const json::object& object) {
  LevelsReached reached;
  PARALLAX_TRY(get_texts(object, "strongest", reached.strongest));
  PARALLAX_TRY(get_list(object, "levels", reached.levels, read_verdict));
  return reached;
}

Result<Tightening> read_tightening(const json::object& object) {
  Tightening tightening;
  PARALLAX_TRY(get(object, "unknown", tightening.unknown));
  PARALLAX_TRY(get(object, "happened", tightening.happened));
  PARALLAX_TRY(get(object, "never", tightening.never));
  PARALLAX_TRY(get(object, "open", tightening.open));
  PARALLAX_TRY(get(object, "reason", tightening.reason));
  PARALLAX_TRY(get_list(object, "verdicts", tightening.verdicts, read_verdict));
  return tightening;
}

/// Nothing when it is absent.
Result<const json::object*> find_object(const json::object& object, std::string_view name) {
  const json::value* value = find(object, name);
  if (value == nullptr) return static_cast<const json::object*>(nullptr);
  if (!value->is_object()) return shape_error(fmt::format("\"{}\" is no object", name));
  return &value->get_object();
}

Result<void> read_findings(const json::object& object, Run& run) {
  PARALLAX_TRY(get_list(object, "faults", run.faults, read_window));
  PARALLAX_TRY(get_list(object, "verdicts", run.verdicts, read_verdict));
  PARALLAX_ASSIGN(const json::object* staleness, find_object(object, "staleness"));
  if (staleness != nullptr) {
    PARALLAX_ASSIGN(run.staleness, read_staleness(*staleness));
  }
  PARALLAX_ASSIGN(const json::object* levels, find_object(object, "levels"));
  if (levels != nullptr) {
    PARALLAX_ASSIGN(run.levels, read_levels(*levels));
  }
  PARALLAX_ASSIGN(const json::object* tightening, find_object(object, "tightening"));
  if (tightening != nullptr) {
    PARALLAX_ASSIGN(run.tightening, read_tightening(*tightening));
  }
  PARALLAX_ASSIGN(const json::object* convergence, find_object(object, "convergence"));
  if (convergence != nullptr) {
    run.convergence.emplace();
    PARALLAX_TRY(get(*convergence, "healed_ns", run.convergence->healed_ns));
    PARALLAX_TRY(get(*convergence, "detail", run.convergence->detail));
    PARALLAX_ASSIGN(run.convergence->after_ns, read<std::int64_t>(*convergence, "after_ns"));
  }
  return {};
}

Result<Run> read_run(std::string_view text) {
  PARALLAX_ASSIGN(const json::object object, parse_object(text));
  Run run;
  PARALLAX_ASSIGN(const json::object* asked, find_object(object, "asked"));
  if (asked == nullptr) return shape_error("\"asked\" is missing");
  PARALLAX_ASSIGN(run.asked, read_options(*asked));
  PARALLAX_TRY(get(object, "replay_command", run.replay_command));
  PARALLAX_TRY(read_findings(object, run));
  PARALLAX_ASSIGN(const auto outcome, need<std::string>(object, "outcome"));
  constexpr std::array kAll{RunOutcome::held, RunOutcome::violated, RunOutcome::undecided};
  const auto* found =
      std::find_if(kAll.begin(), kAll.end(), [&](RunOutcome o) { return to_string(o) == outcome; });
  if (found == kAll.end()) return shape_error("\"outcome\" is not held, violated or undecided");
  run.outcome = *found;
  PARALLAX_TRY(get(object, "reason", run.reason));
  return run;
}

/// The members are read as those of a node's answer; the message must not say that.
Error renamed(Error error, std::string_view what) {
  const std::string_view said = error.message;
  const std::size_t skip =
      said.starts_with(json_members::kNotUnderstood) ? json_members::kNotUnderstood.size() : 0;
  error.message = fmt::format("{}: {}", what, said.substr(skip));
  return error;
}

}  // namespace

json::object to_json(const FaultWindow& window) {
  return {{"kind", window.kind},
          {"target", window.target},
          {"detail", window.detail},
          {"begin", window.begin_ns},
          {"end", window.end_ns}};
}

std::string write_results(const Run& run) {
  json::object object{{"outcome", to_string(run.outcome)},    {"reason", run.reason},
                      {"replay_command", run.replay_command}, {"asked", to_json(run.asked)},
                      {"verdicts", list_of(run.verdicts)},    {"faults", list_of(run.faults)}};
  if (run.staleness) object["staleness"] = to_json(*run.staleness);
  if (run.levels) object["levels"] = to_json(*run.levels);
  if (run.tightening) object["tightening"] = to_json(*run.tightening);
  if (run.convergence) object["convergence"] = to_json(*run.convergence);
  return json::serialize(object) + "\n";
}

Result<Run> read_results(std::string_view text) {
  auto run = read_run(text);
  if (!run) return renamed(run.error(), "the results of a run");
  return run;
}

std::string write_faults(const std::vector<FaultWindow>& faults) {
  std::string lines;
  for (const FaultWindow& window : faults) lines += json::serialize(to_json(window)) + "\n";
  return lines;
}

Result<std::vector<FaultWindow>> read_faults(std::string_view lines) {
  std::vector<FaultWindow> faults;
  for (std::size_t number = 1; !lines.empty(); ++number) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto object = parse_object(line);
    auto window = object ? read_window(*object) : Result<FaultWindow>(object.error());
    if (!window) return renamed(window.error(), fmt::format("line {}", number));
    faults.push_back(std::move(*window));
  }
  return faults;
}

}  // namespace parallax::harness
