#include "harness/prediction.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "consistency/checker/counterexample.h"
#include "consistency/checker/pbs.h"

namespace parallax::harness {
namespace {

using checker::Coordinator;
using checker::describe_duration;

/// Of each kind of time; more say no more.
constexpr std::size_t kMostSamples = 4'000;
constexpr std::uint64_t kTrials = 50'000;
constexpr std::string_view kAnswers = "parallax_peer_answer_duration_seconds_bucket{request=\"";
constexpr std::string_view kWays = "parallax_peer_way_duration_seconds_bucket{request=\"";

using Times = std::vector<std::int64_t>;

std::optional<double> number_of(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return number;
}

/// The text between the two, and `text` behind them.
std::optional<std::string_view> cut(std::string_view& text, std::string_view before,
                                    std::string_view behind) {
  if (!text.starts_with(before)) return std::nullopt;
  text.remove_prefix(before.size());
  const std::size_t end = text.find(behind);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view found = text.substr(0, end);
  text.remove_prefix(end + behind.size());
  return found;
}

/// `request="store",le="0.000128"} 7`; le is the bucket's bound, the count that of all up to it.
void read_bucket(std::string_view line, PeerTimes& cumulative) {
  const bool is_way = line.starts_with(kWays);
  const auto request = cut(line, is_way ? kWays : kAnswers, "\",le=\"");
  const auto bound = cut(line, "", "\"} ");
  if (!request || !bound) return;
  const auto count = number_of(line);
  const auto seconds = number_of(*bound);
  if (!count) return;
  TimeBuckets* const buckets = is_way                ? &cumulative.ways
                               : *request == "store" ? &cumulative.stores
                               : *request == "query" ? &cumulative.queries
                                                     : nullptr;
  if (buckets == nullptr) return;
  std::int64_t ns = 0;
  if (seconds && std::isfinite(*seconds)) {
    ns = std::llround(*seconds * 1e9);
  } else {
    // What is above all bounds, the last one, is taken to be at most twice the highest.
    ns = buckets->empty() ? 1 : 2 * buckets->rbegin()->first;
  }
  (*buckets)[ns] = static_cast<std::uint64_t>(*count);
}

/// Counts up to each bound become those between the bounds.
void take_apart(TimeBuckets& buckets) {
  std::uint64_t below = 0;
  for (auto& [bound, count] : buckets) {
    const std::uint64_t up_to = std::max(count, below);
    count = up_to - below;
    below = up_to;
  }
}

std::uint64_t total(const TimeBuckets& buckets) {
  std::uint64_t sum = 0;
  for (const auto& [bound, count] : buckets) sum += count;
  return sum;
}

/// Times as they may have been: spread evenly, by their logarithm, over each bucket. Ascending.
Times samples_of(const TimeBuckets& buckets) {
  Times times;
  const double all = static_cast<double>(std::max<std::uint64_t>(total(buckets), 1));
  for (const auto& [bound, count] : buckets) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / all * kMostSamples;
    const auto wanted = static_cast<std::size_t>(std::ceil(share));
    for (std::size_t i = 0; i < wanted; ++i) {
      const double place = (static_cast<double>(i) + 0.5) / static_cast<double>(wanted);
      times.push_back(std::llround(static_cast<double>(bound) / 2 * std::exp2(place)));
    }
  }
  return times;
}

/// Of sorted times.
std::int64_t quantile(const Times& times, double q) {
  if (times.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(times.size())));
  return times[std::clamp<std::size_t>(rank, 1, times.size()) - 1];
}

/// Half of what answered reads took, as their clients saw it; evenly some of them, ascending.
Times half_of_reads(const checker::History& history) {
  Times all;
  for (const checker::Operation& operation : history.operations) {
    if (operation.kind != checker::OperationKind::read) continue;
    if (operation.outcome != checker::Outcome::ok) continue;
    all.push_back((operation.return_ns - operation.call_ns) / 2);
  }
  std::sort(all.begin(), all.end());
  if (all.size() <= kMostSamples) return all;
  Times some;
  for (std::size_t i = 0; i < kMostSamples; ++i) {
    some.push_back(all[i * all.size() / kMostSamples]);
  }
  return some;
}

std::uint32_t replicas(const Consistency& level, std::uint32_t asked, std::uint32_t members) {
  return level.level == Level::eventual ? 1 : quorum_of(asked, members);
}

std::string spread(std::uint64_t count, std::string_view what, const Times& times) {
  return fmt::format("{} {} (p50 {}, p99 {})", count, what, describe_duration(quantile(times, 0.5)),
                     describe_duration(quantile(times, 0.99)));
}

/// The times of the model, and in words where each is from.
struct Measured {
  checker::WarsSamples samples;
  std::string text;
};

Measured measured(const Run& run, const PeerTimes& times, std::uint32_t r) {
  Measured out;
  const Times stores = samples_of(times.stores);
  const Times queries = samples_of(times.queries);
  const Times ways = samples_of(times.ways);
  const Times of_clients = half_of_reads(run.history);
  const bool asks_others = r > 1 && !queries.empty();
  const std::int64_t half = quantile(ways, 0.5) / 2;
  for (const std::int64_t way : ways) out.samples.write.push_back(way / 2);
  for (const std::int64_t store : stores) {
    out.samples.ack.push_back(std::max<std::int64_t>(store - half, 0));
  }
  out.samples.read = out.samples.response = {0};
  out.text = fmt::format(
      "W and A together: {}, as the nodes say; without the synced write there {}. That counts for "
      "A, since a read there waits for it; W is half of the ways, A what their p50 leaves. ",
      spread(total(times.stores), "durable stores at another replica", stores),
      spread(total(times.ways), "ways there and back", ways));
  if (asks_others) {
    out.samples.read.clear();
    for (const std::int64_t query : queries) out.samples.read.push_back(query / 2);
    out.samples.response = out.samples.read;
    out.text +=
        fmt::format("R and S: half each of {}. The client's way to its node counts as nothing.",
                    spread(total(times.queries), "queries", queries));
  } else {
    out.samples.client = of_clients;
    out.text += fmt::format(
        "Reads ask the node that takes them alone, so R and S are nothing; the client's way there "
        "or back is half of what its reads took (half of the p50: {}).",
        describe_duration(quantile(of_clients, 0.5)));
  }
  return out;
}

}  // namespace

PeerTimes parse_peer_times(std::string_view metrics) {
  PeerTimes times;
  while (!metrics.empty()) {
    const std::size_t end = std::min(metrics.find('\n'), metrics.size());
    read_bucket(metrics.substr(0, end), times);
    metrics.remove_prefix(std::min(end + 1, metrics.size()));
  }
  take_apart(times.stores);
  take_apart(times.ways);
  take_apart(times.queries);
  return times;
}

void add(PeerTimes& times, const PeerTimes& more) {
  for (const auto& [bound, count] : more.stores) times.stores[bound] += count;
  for (const auto& [bound, count] : more.ways) times.ways[bound] += count;
  for (const auto& [bound, count] : more.queries) times.queries[bound] += count;
}

PeerTimes since(const PeerTimes& before, PeerTimes times) {
  const auto subtract = [](const TimeBuckets& old, TimeBuckets& now) {
    for (const auto& [bound, count] : old) now[bound] -= std::min(now[bound], count);
  };
  subtract(before.stores, times.stores);
  subtract(before.ways, times.ways);
  subtract(before.queries, times.queries);
  return times;
}

std::optional<std::string> unpredictable(const RunOptions& options) {
  const auto of_quorums = [](const Consistency& level) {
    return level.level == Level::quorum || level.level == Level::eventual;
  };
  if (options.target != "parallax") {
    return "how long its replicas take is not told by " + options.target;
  }
  if (options.workload == Workload::mixed_level) return "reads are at several levels";
  for (const Consistency* const level : {&options.write_level, &options.read_level}) {
    if (of_quorums(*level)) continue;
    const std::string name(level_info(level->level).name);
    switch (level_info(level->level).protocol) {
      case Protocol::leader_follower:
        return fmt::format(
            "at {} the log decides what a read shows, and not which replicas have answered first",
            name);
      case Protocol::causal:
        return fmt::format("at {} writes are passed on in causal order, and not to a quorum", name);
      default:
        return level->level == Level::weak
                   ? fmt::format("at {} writes are acknowledged before any replica has them", name)
                   : fmt::format("at {} a read writes back what it found before it answers", name);
    }
  }
  if (members_of(options) < 2) return "one node alone has nobody to be behind";
  return std::nullopt;
}

void predict_staleness(Run& run, const PeerTimes& times) {
  if (!run.staleness) return;
  StalenessSummary& staleness = *run.staleness;
  const auto none = [&](std::string_view why) {
    staleness.prediction = fmt::format("No prediction: {}.", why);
  };
  if (const auto why = unpredictable(run.asked)) return none(*why);
  if (total(times.ways) == 0) return none("no node has timed a store at another one");
  checker::PbsQuestion question{.n = members_of(run.asked), .trials = kTrials};
  question.r = replicas(run.asked.read_level, run.asked.read_level.r, question.n);
  question.w = replicas(run.asked.write_level, run.asked.write_level.w, question.n);
  const Measured from = measured(run, times, question.r);
  question.coordinator = Coordinator::same;
  const auto same = checker::predict_staleness(from.samples, question);
  question.coordinator = Coordinator::another;
  const auto another = checker::predict_staleness(from.samples, question);
  if (!same || !another) return none((same ? another : same).error().message);
  std::size_t reads = 0;
  std::size_t own = 0;
  for (StalenessPoint& point : staleness.curve) {
    const auto middle =
        static_cast<std::int64_t>(static_cast<double>(point.after_ns) * std::numbers::sqrt2);
    const double share = static_cast<double>(point.same_node) /
                         static_cast<double>(std::max<std::size_t>(point.reads, 1));
    point.predicted = share * same->seen_after(middle) + (1 - share) * another->seen_after(middle);
    reads += point.reads;
    own += point.same_node;
  }
  staleness.prediction = fmt::format(
      "Predicted for n = {}, r = {}, w = {}, {} trials. {} {:.0f} % of the reads were answered by "
      "the node that had taken the write. Not in the model: failed replicas, repair, writes at "
      "the same time.",
      question.n, question.r, question.w, kTrials, from.text,
      100 * static_cast<double>(own) / static_cast<double>(std::max<std::size_t>(reads, 1)));
}

}  // namespace parallax::harness
