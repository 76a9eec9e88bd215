// Lets a failed check of a Result say what the error was.
#pragma once

#include <catch2/catch.hpp>

#include "base/error.h"

namespace Catch {
template <class T>
struct StringMaker<parallax::Result<T>> {
  static std::string convert(const parallax::Result<T>& result) {
    if (result) return "a value";
    return fmt::format("{} error {}: {}", result.error().definite() ? "definite" : "indefinite",
                       parallax::error_info(result.error().code).name, result.error().message);
  }
};
}  // namespace Catch
