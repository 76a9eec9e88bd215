// shoot_page PAGE.html PREFIX: pictures of a page at 1280 and 400 pixels, light and dark, as
// PREFIX-1280-light.png and so on; for those who change how a page looks.
#include <cstdio>
#include <exception>
#include <filesystem>

#include <fmt/format.h>

#include "tests/harness/browser.h"

int main(int count, char** arguments) {
  using namespace parallax::harness::testing;
  if (count != 3) {
    fmt::print(stderr, "usage: {} PAGE.html PREFIX\n", arguments[0]);
    return 2;
  }
  try {
    Browser browser;
    for (const int width : {1'280, 400}) {
      for (const bool dark : {false, true}) {
        browser.open(std::filesystem::absolute(arguments[1]), {.width = width, .dark = dark});
        const std::string file =
            fmt::format("{}-{}-{}.png", arguments[2], width, dark ? "dark" : "light");
        browser.screenshot(file);
        fmt::print("{}\n", file);
      }
    }
    for (const std::string& error : browser.errors()) fmt::print(stderr, "{}\n", error);
    return browser.errors().empty() ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 2;
  }
}
