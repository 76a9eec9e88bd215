#include "consistency/checker/model.h"

#include <catch2/catch.hpp>

#include "tests/checker/build.h"

namespace parallax::checker {
namespace {

/// The state after the only operation of `h`, as text: "-" if it cannot be, "nil" for no value.
std::string after(Build& h, std::optional<std::string_view> state) {
  Texts& texts = h.history.texts;
  const Next next = step(texts, h.text(state), h.history.operations.back());
  if (!next) return "-";
  return *next == kAbsent ? "nil" : std::string(texts[*next]);
}

}  // namespace

TEST_CASE("model: register") {
  Build h;
  h.read(1, "a", 0, 1);
  CHECK(after(h, "a") == "a");
  CHECK(after(h, "b") == "-");
  CHECK(after(h, std::nullopt) == "-");
  h.read(1, std::nullopt, 0, 1);
  CHECK(after(h, std::nullopt) == "nil");
  CHECK(after(h, "") == "-");
  h.write(1, "b", 0, 1);
  CHECK(after(h, "a") == "b");
  h.remove(1, 0, 1);
  CHECK(after(h, "a") == "nil");
  CHECK(after(h, std::nullopt) == "nil");
}

TEST_CASE("model: compare and set") {
  Build h;
  h.cas(1, "a", "b", 0, 1);
  CHECK(after(h, "a") == "b");
  CHECK(after(h, "c") == "-");
  h.cas(1, std::nullopt, "b", 0, 1);
  CHECK(after(h, std::nullopt) == "b");
  CHECK(after(h, "a") == "-");
  h.cas(1, "a", "b", 0, kNever);
  CHECK(after(h, "a") == "b");
  CHECK(after(h, "c") == "c");
  h.mismatch(1, "a", 0, 1);
  CHECK(after(h, "a") == "-");
  CHECK(after(h, "c") == "c");
  CHECK(after(h, std::nullopt) == "nil");
  h.mismatch(1, "a", 0, 1).result = h.text("c");
  CHECK(after(h, "c") == "c");
  CHECK(after(h, "d") == "-");
}

TEST_CASE("model: counter") {
  Build h;
  h.increment(1, "5", 0, 1);
  CHECK(after(h, std::nullopt) == "5");
  CHECK(after(h, "-7") == "-2");
  CHECK(after(h, "x") == "-");
  CHECK(after(h, "9223372036854775805") == "-");
  h.increment(1, "5", 0, 1).result = h.text("6");
  CHECK(after(h, "1") == "6");
  CHECK(after(h, "2") == "-");
  h.increment(1, "5", 0, kNever);
  CHECK(after(h, "x") == "x");
  CHECK(after(h, "1") == "6");
  h.increment(1, "5", 0, 1).value = kNothing;
  CHECK(after(h, "1") == "2");
}

TEST_CASE("model: append") {
  Build h;
  h.append(1, "b", 0, 1);
  CHECK(after(h, "a") == "ab");
  CHECK(after(h, std::nullopt) == "b");
  h.append(1, "b", 0, 1).result = h.text("ab");
  CHECK(after(h, "a") == "ab");
  CHECK(after(h, "b") == "-");
}

TEST_CASE("model: a set") {
  Build h;
  Texts& texts = h.history.texts;
  Operation add = h.adds(1, "b", 0, 1);
  const auto after = [&](Text state) {
    const Next next = step(texts, state, add);
    return next ? std::string(texts[*next]) : "no";
  };
  CHECK(after(kAbsent) == R"(["b"])");
  CHECK(after(h.text(R"(["a","c"])")) == R"(["a","b","c"])");
  CHECK(after(h.text(R"(["a","b"])")) == R"(["a","b"])");
  CHECK(after(h.text("a")) == "no");
  CHECK(after(h.text("{}")) == "no");
  add.outcome = Outcome::unknown;
  CHECK(after(h.text("a")) == "a");
  CHECK_FALSE(is_pure(add));
}

}  // namespace parallax::checker
