// Lets a failed check say what the error was.
#pragma once

#include <string>

#include <catch2/catch.hpp>

#include "base/error.h"

template <class T>
struct Catch::StringMaker<boost::system::result<T, parallax::Error>> {
  static std::string convert(const boost::system::result<T, parallax::Error>& result) {
    if (result) return "a result";
    return (result.error().definite() ? "definite: " : "indefinite: ") + result.error().message;
  }
};
