#include "consistency/checker/convergence.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace parallax::checker {

ConvergenceResult check_convergence(std::vector<DigestSeen> seen, const std::vector<NodeId>& nodes,
                                    std::int64_t healed_ns) {
  std::stable_sort(seen.begin(), seen.end(),
                   [](const DigestSeen& a, const DigestSeen& b) { return a.at_ns < b.at_ns; });
  for (const NodeId node : nodes) {
    const bool asked = std::any_of(seen.begin(), seen.end(), [&](const DigestSeen& s) {
      return s.node == node && s.at_ns >= healed_ns;
    });
    if (!asked) return {.reason = fmt::format("n{} gave no digest after the cluster healed", node)};
  }
  std::map<NodeId, std::string> last;
  bool converged = false;
  std::int64_t since = 0;  ///< if converged
  for (const DigestSeen& s : seen) {
    if (std::find(nodes.begin(), nodes.end(), s.node) == nodes.end()) continue;
    last[s.node] = s.digest;
    const bool same = last.size() == nodes.size() &&
                      std::all_of(last.begin(), last.end(), [&](const auto& known) {
                        return known.second == last.begin()->second;
                      });
    if (same && !converged) since = s.at_ns;
    converged = same;
  }
  if (converged) {
    return {.verdict = Verdict::yes,
            .converged_after_ns = std::max<std::int64_t>(0, since - healed_ns)};
  }
  std::string digests;
  for (const auto& [node, digest] : last) digests += fmt::format(" n{}: {}", node, digest);
  return {.verdict = Verdict::no, .reason = "the last digests differ:" + digests};
}

}  // namespace parallax::checker
