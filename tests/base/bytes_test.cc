#include "base/bytes.h"

#include <catch2/catch.hpp>

namespace parallax {
namespace {

TEST_CASE("bytes: empty ones are equal however they came about") {
  CHECK(Bytes().empty());
  CHECK(Bytes().size() == 0);
  CHECK(Bytes() == Bytes(""));
  CHECK(Bytes() == Bytes(std::string()));
  CHECK(Bytes("abc").slice(3, 0) == Bytes());
}

TEST_CASE("bytes: any byte counts for equality") {
  const std::string text("a\0b\xff", 4);
  const Bytes bytes(text);
  CHECK(bytes.size() == 4);
  CHECK(bytes.to_string() == text);
  CHECK(bytes == Bytes(text));
  CHECK_FALSE(bytes == Bytes(std::string("a\0b", 3)));
  CHECK_FALSE(bytes == Bytes(std::string("a\0c\xff", 4)));
}

TEST_CASE("bytes: copies and slices share the buffer") {
  const std::string text(100, 'x');
  const Bytes bytes(text);
  const Bytes copy = bytes;  // NOLINT: the copy is what is tested
  CHECK(copy.view().data() == bytes.view().data());
  const Bytes slice = bytes.slice(10, 20);
  CHECK(slice.size() == 20);
  CHECK(slice.view().data() == bytes.view().data() + 10);
  CHECK(slice.slice(5, 3).view().data() == bytes.view().data() + 15);
}

TEST_CASE("bytes: a slice keeps the buffer alive") {
  // Short and long: a short string lives inside its object, which must not move either.
  const std::string text = GENERATE(std::string("short"), std::string(1'000, 'y'));
  Bytes slice;
  {
    const Bytes whole(text);
    slice = whole.slice(1, text.size() - 1);
  }
  CHECK(slice.view() == std::string_view(text).substr(1));
}

TEST_CASE("bytes: a view into a shared buffer keeps that alive") {
  auto owner = std::make_shared<const std::string>("header:payload");
  const std::weak_ptr<const std::string> watch = owner;
  Bytes payload(owner, std::string_view(*owner).substr(7));
  owner.reset();
  CHECK_FALSE(watch.expired());
  CHECK(payload.view() == "payload");
  payload = Bytes();
  CHECK(watch.expired());
}

}  // namespace
}  // namespace parallax
