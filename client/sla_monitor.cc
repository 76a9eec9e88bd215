#include "client/sla_monitor.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.h"

namespace parallax {
namespace {

/// The hopeful estimate of a probability.
double hopeful(std::size_t good, std::size_t all) {
  return static_cast<double>(good + 1) / static_cast<double>(all + 1);
}

template <class T>
void push_bounded(std::deque<T>& window, T value, std::size_t most) {
  window.push_back(std::move(value));
  if (window.size() > most) window.pop_front();
}

}  // namespace

SlaMonitor::SlaMonitor(Options options) : options_(options) {
  PARALLAX_ASSERT(options.window > 0 && options.max_paths > 0 && options.max_age > Duration::zero(),
                  "a monitor that keeps nothing");
}

SlaMonitor::Choice SlaMonitor::choose(const Sla& sla, const std::vector<KnownEndpoint>& nodes,
                                      const std::optional<SessionToken>& session, Duration elapsed,
                                      MonoTime now) const {
  PARALLAX_ASSERT(!nodes.empty() && !sla.entries.empty(), "nothing to choose from");
  using Rank = std::tuple<double, bool, double, double>;  // the greater, the better
  std::optional<Rank> best;
  Choice choice;
  for (std::size_t e = 0; e < sla.entries.size(); ++e) {
    const SlaEntry& entry = sla.entries[e];
    const std::string level = entry.consistency.to_string();
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      const bool far = far_enough(entry.consistency, nodes[n].node, session, now);
      Path path{nodes[n].endpoint, level, far};
      const Estimate known =
          estimate(entry.consistency, path, nodes[n].node, entry.latency - elapsed, now);
      const double expected = entry.utility * known.in_time * known.serves;
      const double at_any_time = entry.utility * known.answers * known.serves;
      const Rank rank{expected, known.unexplored, at_any_time, -known.mean};
      if (best && rank <= *best) continue;
      best = rank;
      choice = Choice{e, n, expected, std::move(path)};
    }
  }
  return choice;
}

bool SlaMonitor::far_enough(const Consistency& level, NodeId node,
                            const std::optional<SessionToken>& session, MonoTime now) const {
  if (level.level != Level::sequential || !session || session->index == LogIndex{}) return true;
  const auto known = nodes_.find(node);
  return node != kNoNode && known != nodes_.end() && fresh(known->second.index_at, now) &&
         known->second.index >= session->index;
}

SlaMonitor::Estimate SlaMonitor::estimate(const Consistency& level, const Path& path, NodeId node,
                                          Duration within, MonoTime now) const {
  std::size_t in_time = 0;
  std::size_t answered = 0;
  std::size_t failed = 0;
  std::size_t refused = 0;
  std::size_t under_way = 0;
  Duration sum{};
  if (const auto known = paths_.find(path); known != paths_.end()) {
    for (const Measured& one : known->second.measured) {
      if (!fresh(one.at, now)) continue;
      if (one.ending == Ending::refused_level) ++refused;
      if (one.ending == Ending::failed) ++failed;
      if (one.ending != Ending::answered) continue;
      ++answered;
      sum += one.took;
      if (one.took <= within) ++in_time;
    }
    under_way = known->second.under_way;
  }
  const bool may_refuse = level.on_violation == OnViolation::reject;
  if (!may_refuse) failed += std::exchange(refused, 0);
  Estimate out;
  const bool measured = answered + failed + refused > 0;
  out.unexplored = !measured && under_way == 0;
  const std::size_t all = measured ? answered + failed : under_way;
  // What has no time left is late, however good the path is.
  out.in_time = within > Duration::zero() ? hopeful(in_time, all) : 0;
  out.answers = hopeful(answered, all);
  if (may_refuse) {
    out.serves = measured ? hopeful(answered, answered + refused) : serves_bound(level, node, now);
  }
  if (answered > 0) out.mean = static_cast<double>(sum.count()) / static_cast<double>(answered);
  return out;
}

double SlaMonitor::serves_bound(const Consistency& level, NodeId node, MonoTime now) const {
  const auto known = nodes_.find(node);
  if (!level.max_staleness_ms || node == kNoNode || known == nodes_.end()) return 1;
  std::size_t within = 0;
  std::size_t all = 0;
  for (const Staleness& one : known->second.staleness) {
    if (!fresh(one.at, now)) continue;
    ++all;
    if (one.ms <= *level.max_staleness_ms) ++within;
  }
  return hopeful(within, all);
}

void SlaMonitor::began(const Path& path, MonoTime now) {
  Known& known = paths_[path];
  ++known.under_way;
  known.last = now;
  if (paths_.size() > options_.max_paths) forget_one();
}

void SlaMonitor::ended(const Path& path, Ending ending, Duration took, MonoTime now) {
  const auto found = paths_.find(path);
  PARALLAX_ASSERT(found != paths_.end() && found->second.under_way > 0,
                  "an attempt ended that had not begun");
  Known& known = found->second;
  --known.under_way;
  known.last = now;
  push_bounded(known.measured, Measured{now, ending, took}, options_.window);
}

void SlaMonitor::heard(const Answer& answer, MonoTime now) {
  const Evidence& evidence = answer.evidence;
  if (evidence.node == kNoNode) return;
  Node& node = nodes_[evidence.node];
  // A node's state only grows; of one that was set back nothing is known after a while.
  if (evidence.sequenced && (evidence.index >= node.index || !fresh(node.index_at, now))) {
    node.index = evidence.index;
    node.index_at = now;
  }
  if (evidence.path == parallax::Path::local && answer.staleness_ms) {
    push_bounded(node.staleness, Staleness{now, *answer.staleness_ms}, options_.window);
  }
}

/// The one that was used longest ago and has nothing under way, if there is one.
void SlaMonitor::forget_one() {
  auto oldest = paths_.end();
  for (auto path = paths_.begin(); path != paths_.end(); ++path) {
    if (path->second.under_way > 0) continue;
    if (oldest == paths_.end() || path->second.last < oldest->second.last) oldest = path;
  }
  if (oldest != paths_.end()) paths_.erase(oldest);
}

}  // namespace parallax
