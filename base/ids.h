// The small strong types of the whole project. None converts into another.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace parallax {

/// A number with a meaning. `Tag` keeps two meanings from mixing.
template <class Tag, class Rep>
struct StrongId {
  using rep = Rep;
  Rep value{};

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep v) : value(v) {}
  friend constexpr auto operator<=>(const StrongId&, const StrongId&) = default;
};

/// A member of the cluster, 1 and up. 0 means "none".
using NodeId = StrongId<struct NodeIdTag, std::uint32_t>;
/// A replica group: the unit of replication. Version 1 has one, `kOnlyGroup`.
using GroupId = StrongId<struct GroupIdTag, std::uint32_t>;
/// One life of a node's disk. A node that lost its disk draws a higher one. 0 means "none yet".
using Incarnation = StrongId<struct IncarnationTag, std::uint64_t>;
/// Raft term (Ongaro 2014, section 3.3). 0 is before every election.
using Term = StrongId<struct TermTag, std::uint64_t>;
/// A round of heartbeats that confirms leadership (ReadIndex, Ongaro 2014, section 6.4).
using RoundId = StrongId<struct RoundIdTag, std::uint64_t>;
/// A request of a client at one node, unique for the life of the process.
using RequestId = StrongId<struct RequestIdTag, std::uint64_t>;

inline constexpr GroupId kOnlyGroup{1};
inline constexpr NodeId kNoNode{0};

/// Position in the replicated log. 0 is before the first entry.
struct LogIndex {
  std::uint64_t value{};

  constexpr LogIndex() = default;
  constexpr explicit LogIndex(std::uint64_t v) : value(v) {}
  constexpr LogIndex next() const { return LogIndex{value + 1}; }
  /// The entry before this one; 0 stays 0.
  constexpr LogIndex prev() const { return LogIndex{value == 0 ? 0 : value - 1}; }
  friend constexpr auto operator<=>(const LogIndex&, const LogIndex&) = default;
  friend constexpr LogIndex operator+(LogIndex a, std::uint64_t n) { return LogIndex{a.value + n}; }
  /// Entries from b (exclusive) to a (inclusive); b must not be above a.
  friend constexpr std::uint64_t operator-(LogIndex a, LogIndex b) { return a.value - b.value; }
};

/// 128 random bits drawn by the first leader and committed as entry 1. All zero means "none yet".
struct ClusterId {
  std::uint64_t high{};
  std::uint64_t low{};

  constexpr bool empty() const { return high == 0 && low == 0; }
  /// 32 lower-case hexadecimal digits.
  std::string to_string() const { return fmt::format("{:016x}{:016x}", high, low); }
  friend constexpr auto operator<=>(const ClusterId&, const ClusterId&) = default;
};

using Duration = std::chrono::nanoseconds;

/// Tag of this process's monotonic time. It has no now(): time enters the cores as a value.
struct MonotonicTag {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicTag>;
  static constexpr bool is_steady = true;
};
/// A point of one process's monotonic time, nanoseconds. Meaningless in another process.
using MonoTime = MonotonicTag::time_point;

/// Physical time, milliseconds since the Unix epoch. May jump.
using UnixMillis = StrongId<struct UnixMillisTag, std::uint64_t>;

}  // namespace parallax

template <class Tag, class Rep>
struct fmt::formatter<parallax::StrongId<Tag, Rep>> : fmt::formatter<Rep> {
  template <class Context>
  auto format(const parallax::StrongId<Tag, Rep>& id, Context& context) const {
    return fmt::formatter<Rep>::format(id.value, context);
  }
};

template <>
struct fmt::formatter<parallax::LogIndex> : fmt::formatter<std::uint64_t> {
  template <class Context>
  auto format(parallax::LogIndex index, Context& context) const {
    return fmt::formatter<std::uint64_t>::format(index.value, context);
  }
};

template <class Tag, class Rep>
struct std::hash<parallax::StrongId<Tag, Rep>> {
  std::size_t operator()(const parallax::StrongId<Tag, Rep>& id) const {
    return std::hash<Rep>{}(id.value);
  }
};
template <>
struct std::hash<parallax::LogIndex> {
  std::size_t operator()(parallax::LogIndex index) const {
    return std::hash<std::uint64_t>{}(index.value);
  }
};
