// How Catch prints what the tests of this folder compare.
#pragma once

#include <string>

#include <catch2/catch.hpp>

#include "base/error.h"

namespace Catch {

template <class T>
struct StringMaker<boost::system::result<T, parallax::Error>> {
  static std::string convert(const boost::system::result<T, parallax::Error>& result) {
    if (result.has_value()) return "a value";
    const parallax::Error& error = result.error();
    return std::string(parallax::error_info(error.code).name) +
           (error.definite() ? " (definite): " : " (indefinite): ") + error.message;
  }
};

template <class Tag, class Rep>
struct StringMaker<parallax::StrongId<Tag, Rep>> {
  static std::string convert(parallax::StrongId<Tag, Rep> id) { return std::to_string(id.value); }
};

template <>
struct StringMaker<parallax::LogIndex> {
  static std::string convert(parallax::LogIndex index) { return std::to_string(index.value); }
};

}  // namespace Catch
