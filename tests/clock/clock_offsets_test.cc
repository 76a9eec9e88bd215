#include "clock/clock_offsets.h"

#include <array>
#include <cstdlib>
#include <limits>

#include "tests/clock/cases.h"

namespace parallax {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMaxSkew{500};
const NodeId kPeer{2};

MonoTime at_mono(std::int64_t ns) {
  return MonoTime{Duration{ns}};
}

/// One exchange with `peer`, whose clock is `offset_ms` ahead of ours: our message travels
/// `out_ms`, the answer leaves `hold_ms` later and travels `back_ms`.
struct Exchange {
  std::int64_t offset_ms = 0;
  std::int64_t out_ms = 0;
  std::int64_t hold_ms = 0;
  std::int64_t back_ms = 0;
};

UnixMillis time(std::int64_t ms) {
  return UnixMillis{static_cast<std::uint64_t>(ms)};
}

void run(ClockOffsets& offsets, NodeId peer, const Exchange& e) {
  constexpr std::int64_t kStart = 1'700'000'000'000;
  const std::int64_t received = kStart + e.out_ms;
  const std::int64_t answered = received + e.hold_ms;
  const ClockSample answer{time(answered + e.offset_ms), time(kStart),
                           time(received + e.offset_ms)};
  offsets.on_sample(peer, answer, time(answered + e.back_ms), at_mono(answered));
}

TEST_CASE("clock offsets: offset and error of one exchange (RFC 5905 section 8)") {
  struct Case {
    const char* name;
    Exchange exchange;
    std::int64_t offset_ms, error_ms;
  };
  const auto c = GENERATE(values<Case>({
      {"equal clocks and no delay", {0, 0, 0, 0}, 0, 1},
      {"ahead", {300, 10, 0, 10}, 300, 11},
      {"behind", {-300, 10, 0, 10}, -300, 11},
      {"the hold is not delay", {40, 10, 60'000, 10}, 40, 11},
      {"all delay on the way out", {0, 100, 5, 0}, 50, 51},
      {"all delay on the way back", {0, 0, 5, 100}, -50, 51},
      {"an odd delay rounds the error up", {0, 1, 0, 0}, 0, 2},
  }));
  DYNAMIC_SECTION(c.name) {
    ClockOffsets offsets;
    run(offsets, kPeer, c.exchange);
    const auto estimate = offsets.estimate(kPeer);
    REQUIRE(estimate.has_value());
    CHECK(estimate->offset_ms == c.offset_ms);
    CHECK(estimate->error_ms == c.error_ms);
    CHECK(std::abs(estimate->offset_ms - c.exchange.offset_ms) <= estimate->error_ms);
  }
}

TEST_CASE("clock offsets: samples echo the last message and a first one estimates nothing") {
  ClockOffsets offsets;
  CHECK(offsets.sample_for(kPeer, UnixMillis{100}) == ClockSample{UnixMillis{100}, {}, {}});
  CHECK_FALSE(offsets.estimate(kPeer).has_value());
  offsets.on_sample(kPeer, ClockSample{UnixMillis{70}, {}, {}}, UnixMillis{90}, at_mono(1));
  CHECK_FALSE(offsets.estimate(kPeer).has_value());
  CHECK(offsets.sample_for(kPeer, UnixMillis{100}) ==
        ClockSample{UnixMillis{100}, UnixMillis{70}, UnixMillis{90}});
  CHECK(offsets.sample_for(NodeId{3}, UnixMillis{100}) == ClockSample{UnixMillis{100}, {}, {}});
  const ClockSample answer{UnixMillis{95}, UnixMillis{100}, UnixMillis{90}};
  offsets.on_sample(kPeer, answer, UnixMillis{110}, at_mono(7));
  REQUIRE(offsets.estimate(kPeer).has_value());
  CHECK(offsets.estimate(kPeer)->measured == at_mono(7));
}

TEST_CASE("clock offsets: an impossible exchange leaves the estimate as it was") {
  ClockOffsets offsets;
  run(offsets, kPeer, {.offset_ms = 20, .out_ms = 1, .back_ms = 1});
  const auto before = offsets.estimate(kPeer);
  SECTION("our clock jumped back on the way") {
    run(offsets, kPeer, {.offset_ms = 20, .out_ms = 1, .back_ms = -10'000});
  }
  SECTION("times that no hlc can hold") {
    const UnixMillis huge{std::numeric_limits<std::uint64_t>::max()};
    offsets.on_sample(kPeer, ClockSample{huge, UnixMillis{1}, UnixMillis{1}}, UnixMillis{9}, {});
    offsets.on_sample(kPeer, ClockSample{UnixMillis{1}, huge, UnixMillis{1}}, UnixMillis{9}, {});
    offsets.on_sample(kPeer, ClockSample{UnixMillis{1}, UnixMillis{1}, huge}, UnixMillis{9}, {});
    offsets.on_sample(kPeer, ClockSample{UnixMillis{1}, UnixMillis{1}, UnixMillis{1}}, huge, {});
  }
  REQUIRE(offsets.estimate(kPeer).has_value());
  CHECK(offsets.estimate(kPeer)->offset_ms == before->offset_ms);
  CHECK(offsets.estimate(kPeer)->measured == before->measured);
}

TEST_CASE("clock offsets: too far only when a majority surely is") {
  struct Case {
    const char* name;
    std::size_t cluster_size;
    std::vector<Exchange> peers;  // nodes 2, 3, ...
    bool too_far;
  };
  const Exchange fine{.offset_ms = 400, .out_ms = 1, .back_ms = 1};
  const Exchange ahead{.offset_ms = 600, .out_ms = 1, .back_ms = 1};
  const Exchange behind{.offset_ms = -600, .out_ms = 1, .back_ms = 1};
  const Exchange slow{.offset_ms = 0, .out_ms = 30'000, .back_ms = 0};
  const Exchange slow_back{.offset_ms = 0, .out_ms = 0, .back_ms = 30'000};
  const auto c = GENERATE_COPY(values<Case>({
      {"alone", 1, {}, false},
      {"nobody measured", 3, {}, false},
      {"all within", 3, {fine, fine}, false},
      {"one of three off", 3, {ahead, fine}, false},
      {"one of three off and one not measured", 3, {ahead}, false},
      {"both others ahead", 3, {ahead, ahead}, true},
      {"both others behind", 3, {behind, behind}, true},
      {"one ahead and one behind", 3, {ahead, behind}, true},
      {"two of five off", 5, {ahead, ahead, fine, fine}, false},
      {"three of five off", 5, {ahead, ahead, ahead, fine}, true},
      {"two of four off", 4, {ahead, ahead, fine}, true},
      {"one of four off", 4, {ahead, fine, fine}, false},
      {"one of two off", 2, {ahead}, true},
      {"slow out", 3, {slow, slow}, false},
      {"slow back", 3, {slow_back, slow_back}, false},
      {"just within", 2, {{.offset_ms = 501}}, false},
      {"just outside", 2, {{.offset_ms = 502}}, true},
      {"just within below", 2, {{.offset_ms = -501}}, false},
      {"just outside below", 2, {{.offset_ms = -502}}, true},
  }));
  DYNAMIC_SECTION(c.name) {
    ClockOffsets offsets;
    std::uint32_t node = 2;
    for (const Exchange& exchange : c.peers) run(offsets, NodeId{node++}, exchange);
    CHECK(offsets.too_far_from_majority(c.cluster_size, kMaxSkew) == c.too_far);
  }
}

TEST_CASE("clock offsets: unblocked as soon as the clocks agree again") {
  ClockOffsets offsets;
  run(offsets, kPeer, {.offset_ms = 900});
  CHECK(offsets.too_far_from_majority(2, kMaxSkew));
  run(offsets, kPeer, {.offset_ms = 10});
  CHECK_FALSE(offsets.too_far_from_majority(2, kMaxSkew));
}

/// A cluster in true time (microseconds) whose members' clocks are off by fixed amounts. Messages
/// take any time, overtake one another and get lost.
class Cluster {
 public:
  Cluster(Random& random, std::size_t size, std::int64_t spread_ms, std::int64_t max_delay_ms)
      : random_(random), size_(size), max_delay_us_(max_delay_ms * 1'000) {
    for (std::size_t i = 0; i < size_; ++i) {
      offset_us_[i] = signed_below(spread_ms * 1'000);
    }
  }

  void step() {
    true_us_ += signed_below(20'000) + 20'000;
    if (in_flight_.empty() || random_.chance(0.5)) {
      const std::size_t from = random_.below(size_);
      const std::size_t to = (from + 1 + random_.below(size_ - 1)) % size_;
      const auto delay_us =
          static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(max_delay_us_) + 1));
      in_flight_.push_back(
          {from, to, true_us_ + delay_us, nodes_[from].sample_for(id(to), clock(from))});
      return;
    }
    const std::size_t pick = random_.below(in_flight_.size());
    const Message message = in_flight_[pick];
    in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(pick));
    if (random_.chance(0.1)) return;
    true_us_ = std::max(true_us_, message.arrives_us);
    nodes_[message.to].on_sample(id(message.from), message.sample, clock(message.to),
                                 at_mono(true_us_ * 1'000));
    check(message.to);
  }

  std::uint64_t blocked() const { return blocked_; }

 private:
  struct Message {
    std::size_t from, to;
    std::int64_t arrives_us;
    ClockSample sample;
  };

  static NodeId id(std::size_t i) { return NodeId{static_cast<std::uint32_t>(i + 1)}; }
  /// In (-bound, bound).
  std::int64_t signed_below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(2 * bound - 1))) -
           (bound - 1);
  }
  UnixMillis clock(std::size_t i) const { return time((true_us_ + offset_us_[i]) / 1'000); }

  void check(std::size_t self) {
    std::size_t within = 0;
    std::size_t surely_far = 0;
    for (std::size_t peer = 0; peer < size_; ++peer) {
      const std::int64_t off_us = offset_us_[peer] - offset_us_[self];
      within += std::abs(off_us) <= kMaxSkew.count() * 1'000;
      const auto estimate = nodes_[self].estimate(id(peer));
      if (!estimate) continue;
      HOLDS(std::abs(estimate->offset_ms * 1'000 - off_us) <= estimate->error_ms * 1'000);
      // However the estimate lies, the interval is no wider than twice its error.
      surely_far += std::abs(off_us) > (kMaxSkew.count() + 2 * estimate->error_ms) * 1'000;
    }
    const std::size_t majority = size_ / 2 + 1;
    const bool blocked = nodes_[self].too_far_from_majority(size_, kMaxSkew);
    HOLDS(!blocked || within < majority);
    HOLDS(blocked || size_ - surely_far >= majority);
    blocked_ += blocked;
  }

  Random& random_;
  std::size_t size_;
  std::int64_t max_delay_us_;
  std::int64_t true_us_ = 1'700'000'000'000'000;
  std::array<std::int64_t, 5> offset_us_{};
  std::array<ClockOffsets, 5> nodes_;
  std::vector<Message> in_flight_;
  std::uint64_t blocked_ = 0;
};

TEST_CASE("clock offsets: the true offset is within the error and delay alone never blocks") {
  std::uint64_t blocked = 0;
  test::for_each_seed(test::kRandomCases, [&](Random& random) {
    const std::size_t size = random.between(2, 5);
    const std::int64_t spread_ms = random.chance(0.5) ? 250 : 2'000;
    const std::int64_t max_delay_ms = random.chance(0.5) ? 3 : 5'000;
    Cluster cluster(random, size, spread_ms, max_delay_ms);
    for (int i = 0; i < 30; ++i) cluster.step();
    HOLDS(spread_ms == 2'000 || cluster.blocked() == 0);
    blocked += cluster.blocked();
  });
  CHECK(blocked > test::kRandomCases / 4);
}

}  // namespace
}  // namespace parallax
