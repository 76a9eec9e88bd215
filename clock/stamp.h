// Stamps: the identity, the ETag and the last-writer-wins place of every version.
//
// Source: Kulkarni et al., "Logical Physical Clocks" (OPODIS 2014), for the hybrid clock value.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace parallax {

/// A reading of a hybrid logical clock: 48 bits of Unix milliseconds, 16 bits of logical counter.
/// 0 is before every reading.
struct Hlc {
  std::uint64_t value{};

  constexpr Hlc() = default;
  constexpr explicit Hlc(std::uint64_t v) : value(v) {}
  /// `ms` must be below 2^48 (the year 10889): higher bits are lost.
  static constexpr Hlc from_millis(UnixMillis ms) { return Hlc{ms.value << 16}; }

  constexpr UnixMillis millis() const { return UnixMillis{value >> 16}; }
  constexpr std::uint16_t logical() const { return static_cast<std::uint16_t>(value); }
  /// The next reading; the counter carries into the milliseconds.
  constexpr Hlc next() const { return Hlc{value + 1}; }
  friend constexpr auto operator<=>(const Hlc&, const Hlc&) = default;
};

/// Totally ordered, unique over the cluster's whole life, never reused.
struct Stamp {
  Hlc hlc;
  NodeId node;

  constexpr bool empty() const { return hlc.value == 0; }
  /// "HLC-NODE" in decimal, as in an ETag without its quotes.
  std::string to_string() const;
  /// Appends the same.
  void append_to(std::string& out) const;
  /// The inverse of to_string() for stamps that a version can have; nothing for other text.
  static std::optional<Stamp> parse(std::string_view text);
  friend constexpr auto operator<=>(const Stamp&, const Stamp&) = default;
};

}  // namespace parallax

template <>
struct fmt::formatter<parallax::Hlc> : fmt::formatter<std::uint64_t> {
  template <class Context>
  auto format(parallax::Hlc hlc, Context& context) const {
    return fmt::formatter<std::uint64_t>::format(hlc.value, context);
  }
};
template <>
struct fmt::formatter<parallax::Stamp> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const parallax::Stamp& stamp, Context& context) const {
    return fmt::formatter<std::string>::format(stamp.to_string(), context);
  }
};
