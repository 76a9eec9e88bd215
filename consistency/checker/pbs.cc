#include "consistency/checker/pbs.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/random.h"

namespace parallax::checker {
namespace {

constexpr std::uint32_t kMostReplicas = 64;
constexpr std::int64_t kLongestNs = std::int64_t{1} << 60;  // sums of a few of them have room

Error wrong(std::string message) {
  return definite(ErrorCode::bad_request, std::move(message));
}

Result<void> check_times(std::string_view name, const std::vector<std::int64_t>& samples) {
  if (samples.empty()) return {};
  const auto [least_at, most_at] = std::minmax_element(samples.begin(), samples.end());
  const std::int64_t least = *least_at;
  if (least < 0)
    return wrong(fmt::format("a sample of {} is {} ns; none is negative", name, least));
  if (*most_at > kLongestNs) {
    return wrong(
        fmt::format("a sample of {} is {} ns; none is above {} ns", name, *most_at, kLongestNs));
  }
  return {};
}

Result<void> check(std::string_view name, const std::vector<std::int64_t>& samples) {
  if (samples.empty()) return wrong(fmt::format("there are no samples of {}", name));
  return check_times(name, samples);
}

Result<void> check(const WarsSamples& samples, const PbsQuestion& question) {
  PARALLAX_TRY(check("write", samples.write));
  PARALLAX_TRY(check("ack", samples.ack));
  PARALLAX_TRY(check("read", samples.read));
  PARALLAX_TRY(check("response", samples.response));
  PARALLAX_TRY(check_times("client", samples.client));
  const auto within = [](std::uint32_t x, std::uint32_t most) { return x >= 1 && x <= most; };
  if (!within(question.n, kMostReplicas)) {
    return wrong(fmt::format("n is {}; it must be from 1 to {}", question.n, kMostReplicas));
  }
  if (!within(question.r, question.n) || !within(question.w, question.n)) {
    return wrong(fmt::format("r is {} and w is {}; both must be from 1 to n, {}", question.r,
                             question.w, question.n));
  }
  if (question.coordinator == Coordinator::another && question.n < 2) {
    return wrong("n is 1: there is no other replica that could coordinate reads");
  }
  if (question.trials == 0) return wrong("trials is 0; it must be 1 or more");
  return {};
}

/// One write and one read after it.
class Trial {
 public:
  Trial(const WarsSamples& samples, const PbsQuestion& question)
      : samples_(samples),
        question_(question),
        random_(question.seed),
        acknowledged_(question.n),
        replicas_(question.n) {}

  /// From how long after the acknowledgement on the read sees the write.
  std::int64_t run() {
    return question_.coordinator == Coordinator::client ? run_by_client() : run_by_replica();
  }

 private:
  static constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  struct Replica {
    std::int64_t written, asked, answered;
  };

  std::int64_t run_by_client() {
    for (std::uint32_t i = 0; i < question_.n; ++i) {
      Replica& replica = replicas_[i];
      replica.written = draw(samples_.write);
      acknowledged_[i] = replica.written + draw(samples_.ack);
      replica.asked = draw(samples_.read);
      replica.answered = replica.asked + draw(samples_.response);
    }
    const std::int64_t acknowledged = of_w();
    const auto heard = replicas_.begin() + question_.r;
    std::partial_sort(replicas_.begin(), heard, replicas_.end(),
                      [](const Replica& a, const Replica& b) { return a.answered < b.answered; });
    std::int64_t needed = kMost;
    for (auto replica = replicas_.begin(); replica != heard; ++replica) {
      needed = std::min(needed, replica->written - acknowledged - replica->asked);
    }
    return std::max<std::int64_t>(needed, 0);
  }

  /// Replica 0 takes the write: time begins when it is durable there and goes out.
  std::int64_t run_by_replica() {
    replicas_[0].written = acknowledged_[0] = 0;
    for (std::uint32_t i = 1; i < question_.n; ++i) {
      replicas_[i].written = draw(samples_.write);
      acknowledged_[i] = replicas_[i].written + draw(samples_.ack);
    }
    const std::int64_t acknowledged = of_w() + way_of_client();
    const std::int64_t taken = way_of_client();
    const bool same = question_.coordinator == Coordinator::same;
    const auto first = same ? 0 : 1 + static_cast<std::uint32_t>(random_.below(question_.n - 1));
    std::int64_t needed = replicas_[first].written - acknowledged - taken;
    for (std::uint32_t i = 1; i < question_.r; ++i) {
      const Replica& replica = replicas_[(first + i) % question_.n];
      needed = std::min(needed, replica.written - acknowledged - taken - draw(samples_.read));
    }
    return std::max<std::int64_t>(needed, 0);
  }

  /// When the w-th acknowledgement has come.
  std::int64_t of_w() {
    const auto last_ack = acknowledged_.begin() + (question_.w - 1);
    std::nth_element(acknowledged_.begin(), last_ack, acknowledged_.end());
    return *last_ack;
  }

  std::int64_t way_of_client() { return samples_.client.empty() ? 0 : draw(samples_.client); }

  std::int64_t draw(const std::vector<std::int64_t>& samples) {
    return samples[random_.below(samples.size())];
  }

  const WarsSamples& samples_;
  const PbsQuestion& question_;
  Random random_;
  std::vector<std::int64_t> acknowledged_;
  std::vector<Replica> replicas_;
};

}  // namespace

double PbsPrediction::seen_after(std::int64_t after_ns) const {
  const auto seen = std::upper_bound(sorted_.begin(), sorted_.end(), after_ns) - sorted_.begin();
  return static_cast<double>(seen) / static_cast<double>(sorted_.size());
}

std::int64_t PbsPrediction::time_until(double share) const {
  PARALLAX_ASSERT(share > 0 && share <= 1, "share {}", share);
  const auto rank =
      static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted_.size())));
  return sorted_[std::clamp<std::size_t>(rank, 1, sorted_.size()) - 1];
}

Result<PbsPrediction> predict_staleness(const WarsSamples& samples, const PbsQuestion& question) {
  PARALLAX_TRY(check(samples, question));
  Trial trial(samples, question);
  std::vector<std::int64_t> needed(question.trials);
  for (std::int64_t& ns : needed) ns = trial.run();
  std::sort(needed.begin(), needed.end());
  return PbsPrediction(std::move(needed));
}

}  // namespace parallax::checker
