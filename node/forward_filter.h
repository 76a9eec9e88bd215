// Which forwarded requests have been seen before.
//
// Problem: the network may double a message. A write that is carried out twice is not one write: a
// value that another client has replaced in between would come back. And a second copy must not be
// refused either, for the sender takes a definite refusal as leave to try elsewhere.
//
// A sender numbers what it forwards: the upper half of an id is drawn once in its life, the lower
// half counts. Per life a window of the last kWindow numbers is kept; what is below it counts as
// seen, which costs a request that was late by that much its answer and nothing else.
//
// It forgets everything when the process ends: the term in Forward sees to copies that come then.
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <memory>

#include "base/ids.h"

namespace parallax {

/// Not thread-safe; belongs to one replica.
class ForwardFilter {
 public:
  static constexpr std::uint32_t kWindow = 1 << 16;
  static constexpr std::size_t kMaxLives = 64;

  /// True for the first copy of request `id` of `sender`, false for every other.
  bool first_time(NodeId sender, RequestId id);

 private:
  struct Life {
    NodeId sender;
    std::uint32_t life;
    std::uint32_t highest = 0;
    std::bitset<kWindow> seen;  ///< by number modulo kWindow
  };
  std::deque<std::unique_ptr<Life>> lives_;  ///< oldest first
};

}  // namespace parallax
