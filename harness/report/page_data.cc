#include "harness/report/page_data.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include <fmt/format.h>

#include "harness/report/text.h"

namespace parallax::harness {
namespace {

using checker::Operation;

constexpr std::size_t kKeyBytes = 40;

std::size_t outcome_index(const Operation& operation) {
  return static_cast<std::size_t>(is_open(operation) ? checker::Outcome::unknown
                                                     : operation.outcome);
}

/// The members of a JSON object, or the items of an array, one after the other.
template <class Items, class Write>
std::string joined(const Items& items, Write write) {
  std::string out;
  for (const auto& item : items) {
    if (!out.empty()) out += ',';
    out += write(item);
  }
  return out;
}

std::string number_or_null(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : "null";
}

std::string series(const LevelMeasures& level) {
  const auto counts = [&](std::size_t Counts::*member) {
    return joined(level.counts_by_bucket,
                  [&](const Counts& c) { return std::to_string(c.*member); });
  };
  const auto times = [&](std::optional<std::int64_t> Latencies::*member) {
    return joined(level.latencies_by_bucket,
                  [&](const Latencies& l) { return number_or_null(l.*member); });
  };
  return fmt::format(R"({{"answered":[{}],"failed":[{}],"unknown":[{}],"p50":[{}],"p99":[{}]}})",
                     counts(&Counts::answered), counts(&Counts::failed), counts(&Counts::unknown),
                     times(&Latencies::p50_us), times(&Latencies::p99_us));
}

/// The sampled operations and the keys that they name, each key once.
void add_operations(const Run& run, const Measures& measures, std::string& out) {
  std::unordered_map<std::uint32_t, std::size_t> key_index;
  std::string keys;
  std::string rows;
  for (const std::uint32_t index : measures.sample) {
    const Operation& operation = run.history.operations[index];
    const auto [key, is_new] = key_index.try_emplace(operation.key.value, key_index.size());
    if (is_new) {
      if (!keys.empty()) keys += ',';
      keys += script_string(clipped(run.history.texts[operation.key], kKeyBytes));
    }
    fmt::format_to(std::back_inserter(rows), "{}[{},{},{},{},{},{},{},{},{}]",
                   rows.empty() ? "" : ",\n", call_us(measures, operation),
                   took_us(measures, operation).value_or(-1), operation.client,
                   operation.node.value, static_cast<unsigned>(operation.kind),
                   outcome_index(operation), measures.level_of[index], key->second,
                   script_string(short_label(run.history.texts, operation)));
  }
  out += fmt::format("\"keys\":[{}],\n\"ops\":[{}]", keys, rows);
}

std::string anomaly_json(const Run& run, const Measures& measures, const Anomaly& anomaly) {
  const auto& operations = run.history.operations;
  const bool one_key =
      std::all_of(anomaly.steps.begin(), anomaly.steps.end(), [&](const AnomalyStep& step) {
        return operations[step.operation].key == operations[anomaly.steps.front().operation].key;
      });
  const std::string steps = joined(anomaly.steps, [&](const AnomalyStep& step) {
    const Operation& operation = operations[step.operation];
    std::string label = short_label(run.history.texts, operation);
    if (!one_key) {
      label = clipped(run.history.texts[operation.key], kKeyBytes) + ": " + label;
    }
    return fmt::format("[{},{},{},{},{},{:d},{}]", call_us(measures, operation),
                       took_us(measures, operation).value_or(-1), operation.client,
                       operation.node.value, outcome_index(operation), step.named,
                       script_string(label));
  });
  return fmt::format(R"({{"at":{},"ops":[{}]}})", place_us(run, measures, anomaly), steps);
}

}  // namespace

std::int64_t place_us(const Run& run, const Measures& measures, const Anomaly& anomaly) {
  std::int64_t place = -1;
  for (const AnomalyStep& step : anomaly.steps) {
    if (!step.named) continue;
    place = std::max(place, call_us(measures, run.history.operations[step.operation]));
  }
  return place;
}

std::string page_data(const Run& run, const Measures& measures,
                      const std::vector<Anomaly>& anomalies, const ReportLimits& limits) {
  std::string out = fmt::format("{{\"total\":{},\"kept\":{},\"span\":{},\"buckets\":{},\n",
                                run.history.operations.size(), measures.sample.size(),
                                measures.span_us, kBuckets);
  std::vector<std::string_view> kinds;
  for (unsigned kind = 0; kind <= static_cast<unsigned>(checker::OperationKind::scan); ++kind) {
    kinds.push_back(to_string(static_cast<checker::OperationKind>(kind)));
  }
  const auto list = [](const auto& texts) { return joined(texts, script_string); };
  // By checker::Outcome.
  out += fmt::format("\"kinds\":[{}],\"outcomes\":[\"ok\",\"failed\",\"mismatch\",\"unknown\"],\n",
                     list(kinds));
  out += fmt::format("\"levels\":[{}],\n", joined(measures.levels, [](const LevelMeasures& level) {
                       return script_string(clipped(level.name, kNameBytes));
                     }));
  const std::size_t windows = std::min(run.faults.size(), limits.windows);
  out += fmt::format(
      "\"faults\":[{}],\n",
      joined(std::vector<FaultWindow>(run.faults.begin(),
                                      run.faults.begin() + static_cast<std::ptrdiff_t>(windows)),
             [&](const FaultWindow& fault) {
               return fmt::format(R"({{"kind":{},"target":{},"detail":{},"begin":{},"end":{}}})",
                                  script_string(clipped(fault.kind, kNameBytes)),
                                  script_string(clipped(fault.target, kNameBytes)),
                                  script_string(clipped(fault.detail, kNameBytes)),
                                  (fault.begin_ns - measures.begin_ns) / 1'000,
                                  (fault.end_ns - measures.begin_ns) / 1'000);
             }));
  out += fmt::format("\"series\":[{}],\n", joined(measures.levels, series));
  out += fmt::format("\"anomalies\":[{}],\n", joined(anomalies, [&](const Anomaly& anomaly) {
                       return anomaly_json(run, measures, anomaly);
                     }));
  static const std::vector<StalenessPoint> kNoCurve;
  out += fmt::format(
      "\"staleness\":[{}],\n",
      joined(run.staleness ? run.staleness->curve : kNoCurve, [](const StalenessPoint& point) {
        return fmt::format("[{},{},{:.6f},{}]", point.after_ns / 1'000, point.reads, point.seen,
                           point.predicted ? fmt::format("{:.6f}", *point.predicted) : "null");
      }));
  add_operations(run, measures, out);
  return out + "}";
}

}  // namespace parallax::harness
