// Immutable, shared bytes: one buffer from the socket to the log, never copied on the way.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace parallax {

/// A view into a buffer that it keeps alive. Copying shares. Safe to read from several threads.
class Bytes {
 public:
  Bytes() = default;
  Bytes(std::string owned)  // NOLINT: a string is bytes
      : owner_(std::make_shared<const std::string>(std::move(owned))), view_(*owner_) {}
  Bytes(const char* literal) : Bytes(std::string(literal)) {}  // NOLINT
  /// `view` must lie inside `*owner`.
  Bytes(std::shared_ptr<const std::string> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  std::string_view view() const { return view_; }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  /// Part of the same buffer. `offset + count` must be within size().
  Bytes slice(std::size_t offset, std::size_t count) const {
    return Bytes{owner_, view_.substr(offset, count)};
  }
  std::string to_string() const { return std::string(view_); }

  /// Whether it keeps a buffer alive that is much larger: not to be held for long.
  bool is_small_part() const {
    constexpr std::size_t kLittle = 256;
    return owner_ && owner_->capacity() > 2 * size() + kLittle;
  }

  friend bool operator==(const Bytes& a, const Bytes& b) { return a.view_ == b.view_; }

 private:
  std::shared_ptr<const std::string> owner_;
  std::string_view view_;
};

}  // namespace parallax
