// What the load generators of scripts/bench share: their command line, the keys, and the result
// line, which is that of result.lua.
//
//   PROGRAM --port P --op OP --clients N --seconds S [--rate R] [--preload]
//
// A closed loop by default: each of N connections has one operation in flight. With --rate an open
// one: Poisson arrivals, R a second in all, each carried out by the next free connection, its
// latency from the moment that it should have begun.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kKeys = 4096;

struct Settings {
  std::string op;  ///< put, get (linearizable) or local
  std::string protocol;
  int port = 0;
  std::size_t clients = 1;
  double seconds = 1;
  double rate = 0;       ///< operations a second; 0: closed loop
  bool preload = false;  ///< every key once, in order
};

inline Settings settings(int argc, char** argv) {
  Settings s;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--preload") {
      s.preload = true;
      continue;
    }
    if (i + 1 == argc) {
      std::fprintf(stderr, "%s needs a value\n", option.c_str());
      std::exit(2);
    }
    const char* value = argv[++i];
    if (option == "--op") {
      s.op = value;
    } else if (option == "--protocol") {
      s.protocol = value;
    } else if (option == "--port") {
      s.port = std::atoi(value);
    } else if (option == "--clients") {
      s.clients = static_cast<std::size_t>(std::atoi(value));
    } else if (option == "--seconds") {
      s.seconds = std::atof(value);
    } else if (option == "--rate") {
      s.rate = std::atof(value);
    } else {
      std::fprintf(stderr, "unknown option '%s'\n", option.c_str());
      std::exit(2);
    }
  }
  return s;
}

inline std::string key(std::uint32_t i) {
  char text[16];
  std::snprintf(text, sizeof text, "bench/%04u", i + 1);
  return text;
}
inline std::string value(std::uint32_t i) {
  char text[16];
  std::snprintf(text, sizeof text, "%04u", i + 1);
  return std::string(96, 'v') + text;
}

/// Which operation comes next and when, and how long they took. One thread.
class Course {
 public:
  explicit Course(const Settings& s)
      : settings_(s), random_(std::random_device{}()), arrivals_(s.rate > 0 ? s.rate : 1) {
    start_ = next_arrival_ = Clock::now();
    end_ = start_ +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s.seconds));
    if (s.rate > 0) plan_arrival();
  }

  std::uint32_t next_key() {
    if (settings_.preload) return begun_ < kKeys ? static_cast<std::uint32_t>(begun_) : 0;
    return static_cast<std::uint32_t>(random_() % kKeys);
  }
  /// Whether an operation is due at `now`; if so, `began` is what its latency counts from.
  bool begin(Clock::time_point now, Clock::time_point& began) {
    if (over(now)) return false;
    if (settings_.rate > 0) {
      if (now < next_arrival_) return false;
      began = next_arrival_;
      plan_arrival();
    } else {
      began = now;
    }
    ++begun_;
    return true;
  }
  /// No operation begins any more. In an open loop those that should have begun still do.
  bool over(Clock::time_point now) const {
    if (settings_.preload) return begun_ >= kKeys;
    return (settings_.rate > 0 ? next_arrival_ : now) >= end_;
  }
  /// When to look again if begin() said no.
  Clock::time_point next_arrival() const { return std::min(next_arrival_, end_); }

  void done(Clock::time_point began, Clock::time_point now, bool good) {
    last_ = now;
    if (!good) {
      ++failures_;
      return;
    }
    latencies_.push_back(static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now - began).count()));
  }
  void failed(std::uint64_t operations) { failures_ += operations; }

  void print() {
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double share) {
      if (latencies_.empty()) return 0U;
      return latencies_[static_cast<std::size_t>(share *
                                                 static_cast<double>(latencies_.size() - 1))];
    };
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
        std::max(last_, start_ + std::chrono::microseconds(1)) - start_);
    std::printf("result %zu %lld %llu %u %u %u\n", latencies_.size(),
                static_cast<long long>(took.count()), static_cast<unsigned long long>(failures_),
                at(0.5), at(0.99), at(0.999));
  }

 private:
  void plan_arrival() {
    next_arrival_ += std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(arrivals_(random_)));
  }

  Settings settings_;
  std::mt19937_64 random_;
  std::exponential_distribution<double> arrivals_;
  Clock::time_point start_, end_, next_arrival_, last_;
  std::uint64_t begun_ = 0;
  std::uint64_t failures_ = 0;
  std::vector<std::uint32_t> latencies_;  ///< microseconds, of operations that succeeded
};

}  // namespace bench
