// What the fuzz targets share. A target is one program: libFuzzer calls LLVMFuzzerTestOneInput()
// with bytes, mutated from a corpus towards code that no input has reached yet.
//
// A crash, a sanitizer's finding, a broken PARALLAX_ASSERT or a run of more than ten seconds is a
// find. Beside "never a crash" the targets assert that what is accepted comes back: decoding what
// was encoded from a decoded value gives that value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"

namespace parallax::fuzz {

/// Cuts an input into parts, from the front. Behind the end there are empty ones.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto first = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }
  /// Up to the next line feed, which is taken too.
  std::string_view line() {
    const std::size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return line;
  }
  std::string_view rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace parallax::fuzz

/// What must hold of every input.
#define FUZZ_HOLDS(...) PARALLAX_ASSERT((__VA_ARGS__), "of this input")
