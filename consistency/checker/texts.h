// Texts that occur again and again in a history, each kept once and named by a small number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace parallax::checker {

/// A text of a `Texts`. Two are equal exactly when their contents are. Meaningless in another pool.
using Text = StrongId<struct TextTag, std::uint32_t>;

inline constexpr Text kNothing{0};  ///< the field is not there: nothing was given or shown
inline constexpr Text kAbsent{1};   ///< JSON null: there is no value at the key
inline constexpr Text kFirstText{2};

/// A pool of texts. A value; ids stay valid as it grows. Not thread-safe.
class Texts {
 public:
  Texts();
  /// The id of `text`, which is added if it is new.
  Text intern(std::string_view text);
  /// The id of `text`, if it is here.
  std::optional<Text> find(std::string_view text) const;
  /// The content; empty for kNothing and kAbsent. Valid until the next intern().
  std::string_view operator[](Text text) const;
  /// One above the highest id, so that a vector can be indexed by `text.value`.
  std::size_t size() const { return texts_.size(); }
  /// About how much memory it takes.
  std::size_t memory_bytes() const;

 private:
  std::size_t slot_of(std::string_view text) const;
  void grow();

  std::vector<std::string> texts_;
  std::vector<std::uint32_t> slots_;  ///< open addressing by hash; 0 is free
  std::size_t content_bytes_ = 0;
};

}  // namespace parallax::checker
