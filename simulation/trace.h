// What happened in a run, as a hash and, on request, as lines for people.
//
// The hash covers every event with its time, so two runs with equal hashes went the same way. It is
// the same with every compiler and build type; a test compares them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace parallax::simulation {

class Trace {
 public:
  /// With a sink every event is told to it as a line: time, node, what.
  explicit Trace(std::function<void(const std::string&)> sink = nullptr) : sink_(std::move(sink)) {}

  /// `tell` makes the line; it is called only when somebody listens. `kind` and the numbers go into
  /// the hash.
  template <class Tell>
  void event(MonoTime at, char kind, NodeId node, std::uint64_t a, std::uint64_t b, Tell&& tell) {
    fold(static_cast<std::uint64_t>(at.time_since_epoch().count()));
    fold(static_cast<std::uint64_t>(kind) << 32 | node.value);
    fold(a);
    fold(b);
    ++events_;
    if (sink_) {
      const double ms = std::chrono::duration<double, std::milli>(at.time_since_epoch()).count();
      const std::string who = node == kNoNode ? "" : fmt::format("n{}", node);
      sink_(fmt::format("{:>12.3f} {:<3} {}", ms, who, tell()));
    }
  }

  std::uint64_t hash() const { return hash_; }
  std::uint64_t events() const { return events_; }

 private:
  void fold(std::uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15u;
    hash_ ^= hash_ >> 29;
  }

  std::function<void(const std::string&)> sink_;
  std::uint64_t hash_ = 0xcbf29ce484222325u;
  std::uint64_t events_ = 0;
};

}  // namespace parallax::simulation
