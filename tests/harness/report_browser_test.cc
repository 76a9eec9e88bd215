// The report of a run as people see it: in headless Chromium, at two widths, light and dark, with
// its filters clicked. The pictures are left in report/ beside the test programs.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/report/measures.h"
#include "harness/report/report.h"
#include "tests/harness/browser.h"
#include "tests/harness/report_fixture.h"

namespace parallax::harness {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using checker::Operation;
using checker::OperationKind;
using checker::Outcome;
using testing::Browser;
using testing::fixture_run;

/// Where the page and its pictures go.
fs::path written(const Run& run, const std::string& name) {
  const fs::path folder = fs::path(PARALLAX_BINARY_DIR) / "tests" / "report";
  fs::create_directories(folder);
  const fs::path page = folder / (name + ".html");
  std::ofstream(page, std::ios::binary) << report_page(run);
  return page;
}

/// Texts of drawings that lie over each other, or stick out at the side.
constexpr std::string_view kBadTexts = R"js(
[...document.querySelectorAll('svg')].flatMap(svg => {
  const boxes = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
  const outer = svg.getBoundingClientRect();
  const where = svg.parentElement.id;
  const bad = boxes.filter(([text, box]) => box.left < outer.left - 1 || box.right > outer.right + 2)
    .map(([text]) => `${where}: "${text}" sticks out`);
  boxes.forEach(([text, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
    if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
        Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3) {
      bad.push(`${where}: "${text}" lies over "${other}"`);
    }
  }));
  return bad;
}))js";

/// Texts whose contrast with what is behind them is below 4.5 to 1 (WCAG 2.2, 1.4.3).
constexpr std::string_view kFaintTexts = R"js(
(() => {
  const parse = color => color.match(/[\d.]+/g).map(Number);
  const light = color => {
    const [r, g, b] = parse(color).map(v => v / 255)
      .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = element => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      const [, , , alpha = 1] = parse(color);
      if (alpha > 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const bad = new Set();
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    if (['SCRIPT', 'STYLE', 'NOSCRIPT', 'OPTION', 'title'].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const isSvg = element instanceof SVGElement;
    const color = isSvg ? style.fill : style.color;
    const back = isSvg && element.previousElementSibling?.tagName === 'circle'
      ? getComputedStyle(element.previousElementSibling).fill : behind(element);
    const [a, b] = [light(color), light(back)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) bad.add(`${ratio.toFixed(2)} ${element.tagName}.${element.getAttribute('class')} ${element.textContent.slice(0, 30)}`);
  }
  return [...bad];
})())js";

std::string texts(const json::value& list) {
  std::string out;
  for (const json::value& item : list.as_array()) out += std::string(item.as_string()) + "\n";
  return out;
}

std::string all_of(const std::vector<std::string>& list) {
  return fmt::format("{}", fmt::join(list, "\n"));
}

TEST_CASE("the report is readable at 1280 and 400 pixels in light and in dark") {
  const fs::path page = written(fixture_run(), "report");
  Browser browser;
  for (const int width : {1'280, 400}) {
    for (const bool dark : {false, true}) {
      const std::string name = fmt::format("report-{}-{}", width, dark ? "dark" : "light");
      INFO(name);
      browser.open(page, {.width = width, .dark = dark});
      const fs::path picture = page.parent_path() / (name + ".png");
      browser.screenshot(picture);
      CHECK(fs::file_size(picture) > 50'000);  // a blank one has some 10,000
      CHECK(browser.evaluate("document.documentElement.scrollWidth").to_number<int>() <= width);
      CHECK(texts(browser.evaluate(kBadTexts)) == "");
      CHECK(texts(browser.evaluate(kFaintTexts)) == "");
      const auto color = browser.evaluate("getComputedStyle(document.body).backgroundColor");
      CHECK(color.as_string() == (dark ? "rgb(14, 18, 24)" : "rgb(244, 246, 249)"));
      for (const char* drawing : {"timeline-drawing", "rate-drawing", "latency-drawing",
                                  "staleness-drawing", "spacetime-1", "spacetime-2"}) {
        INFO(drawing);
        CHECK(
            browser.evaluate(fmt::format("document.querySelectorAll('#{} svg *').length", drawing))
                .to_number<int>() > 10);
      }
    }
  }
  CHECK(all_of(browser.requests()) == "");
  CHECK(all_of(browser.errors()) == "");
}

/// How many operations of the run a filter lets through, counted here, as the page says it.
std::string expected(const Run& run, const std::function<bool(const Operation&)>& matches) {
  const auto& all = run.history.operations;
  const auto count = std::count_if(all.begin(), all.end(), matches);
  return fmt::format("{} operations of 5,000",
                     count < 1'000 ? std::to_string(count)
                                   : fmt::format("{},{:03}", count / 1'000, count % 1'000));
}

std::string chip(std::string_view name, int value) {
  return fmt::format("label.chip:has(input[name={}][value=\"{}\"])", name, value);
}

struct Page {
  explicit Page(const Run& run) : file(written(run, "filters")) { browser.open(file, {}); }
  std::string matching() {
    return std::string(
        browser.evaluate("document.getElementById('matching').textContent").as_string());
  }
  int count(std::string_view selector) {
    return browser.evaluate(fmt::format("document.querySelectorAll('{}').length", selector))
        .to_number<int>();
  }
  void choose(std::string_view name, std::string_view value) {
    browser.evaluate(
        fmt::format("(() => {{ const s = document.querySelector('select[name={}]');"
                    "s.value = '{}'; s.dispatchEvent(new Event('change', {{bubbles: true}}));"
                    "}})()",
                    name, value));
  }
  fs::path file;
  Browser browser;
};

TEST_CASE("the report's filters take operations out of what is drawn and listed") {
  const Run run = fixture_run();
  Page page(run);
  const auto is = [](OperationKind kind) {
    return [=](const Operation& operation) { return operation.kind == kind; };
  };
  CHECK(page.matching() == "5,000 operations of 5,000");
  CHECK(page.count("#rows tr") == 100);
  // Too many to draw one by one; reads alone are too, writes are not.
  CHECK(page.count("#timeline-drawing .op") == 0);
  CHECK(page.count("#timeline-drawing .cell") > 500);

  page.browser.click(chip("kind", static_cast<int>(OperationKind::read)));
  page.browser.click(chip("kind", static_cast<int>(OperationKind::cas)));
  CHECK(page.matching() == expected(run, is(OperationKind::write)));
  CHECK(page.count("#timeline-drawing .op") > 500);
  CHECK(page.count("#timeline-drawing .cell") == 0);

  page.browser.click(chip("outcome", static_cast<int>(Outcome::ok)));
  page.browser.click(chip("outcome", static_cast<int>(Outcome::failed)));
  const auto unknown_writes = [](const Operation& operation) {
    return operation.kind == OperationKind::write && operation.outcome == Outcome::unknown;
  };
  CHECK(page.matching() == expected(run, unknown_writes));
  CHECK(page.count("#timeline-drawing .op.unknown") == page.count("#timeline-drawing .op"));
  CHECK(page.count("#rows tr") == page.count("#timeline-drawing .op"));

  page.choose("client", "4");
  CHECK(page.matching() == expected(run, [&](const Operation& operation) {
          return unknown_writes(operation) && operation.client == 4;
        }));
  page.browser.click("button[type=reset]");
  page.browser.evaluate("new Promise(done => setTimeout(done, 20))");
  CHECK(page.matching() == "5,000 operations of 5,000");
  CHECK(all_of(page.browser.errors()) == "");
}

TEST_CASE("the report's filter by fault agrees with its table of faults") {
  const Run run = fixture_run();
  const Measures measures = measure(run, {});
  Page page(run);
  for (std::size_t i = 0; i < run.faults.size(); ++i) {
    page.browser.click(fmt::format("a[data-fault=\"{}\"]", i));
    CHECK(page.matching() == fmt::format("{} operations of 5,000", measures.windows[i].total()));
  }
  page.choose("fault", "none");
  CHECK(page.matching() == expected(run, [&](const Operation& operation) {
          return std::none_of(run.faults.begin(), run.faults.end(), [&](const FaultWindow& fault) {
            return operation.call_ns >= fault.begin_ns && operation.call_ns < fault.end_ns;
          });
        }));
  page.choose("fault", "partition");
  CHECK(page.matching() ==
        fmt::format("{},{:03} operations of 5,000",
                    (measures.windows[1].total() + measures.windows[4].total()) / 1'000,
                    (measures.windows[1].total() + measures.windows[4].total()) % 1'000));
}

TEST_CASE("the report is worked with keys alone, and its address keeps what was chosen") {
  const Run run = fixture_run();
  Page page(run);
  page.browser.evaluate("document.querySelector('input[name=kind]').focus()");
  page.browser.press(" ");
  page.browser.press("Tab");
  page.browser.press(" ");
  const auto expect = expected(
      run, [](const Operation& operation) { return operation.kind == OperationKind::cas; });
  CHECK(page.matching() == expect);
  // The focus is seen.
  CHECK(page.browser.evaluate("getComputedStyle(document.activeElement.parentElement).outlineStyle")
            .as_string() == "solid");
  const auto address = page.browser.evaluate("location.hash.slice(1)");
  page.browser.open(page.file, {}, std::string(address.as_string()));
  CHECK(page.matching() == expect);

  page.browser.evaluate("document.getElementById('rate-drawing').focus()");
  page.browser.press("ArrowRight");
  CHECK(
      page.browser
          .evaluate("document.getElementById('rate-reading').textContent.includes('linearizable')")
          .as_bool());
  page.browser.click("#anomaly-1 button");
  CHECK(page.browser.evaluate("range.to - range.from").to_number<double>() == 1e6);
  CHECK(page.count("#timeline-drawing .mark") == 1);
  CHECK(page.count("#timeline-drawing .op") > 5);
  page.browser.evaluate("document.querySelector('[data-zoom=whole]').focus()");
  page.browser.press("Enter");
  CHECK(page.matching() == expect);
  page.browser.evaluate("document.getElementById('copy').focus()");
  page.browser.press("Enter");
  page.browser.evaluate("new Promise(done => setTimeout(done, 100))");
  CHECK(page.browser.evaluate("document.getElementById('copied').textContent").as_string() ==
        "copied");
}

TEST_CASE("the report's scripts measure what the program measures") {
  Page page(fixture_run());
  CHECK(page.browser.evaluate("JSON.stringify(measure(operations)) === JSON.stringify(data.series)")
            .as_bool());
}

TEST_CASE("the report of a long run draws cells, and single operations when zoomed in") {
  const Run run = fixture_run({.operations = 60'000, .clients = 300});
  Page page(run);
  CHECK(page.matching() == "20,000 operations of 20,000 in the sample of 60,000");
  CHECK(page.count("#timeline-drawing .cell") > 500);
  CHECK(page.count("#timeline-drawing .cell") < 5'000);
  page.browser.screenshot(page.file.parent_path() / "report-long.png");
  CHECK(texts(page.browser.evaluate(kBadTexts)) == "");
  for (int i = 0; i < 4; ++i) page.browser.click("[data-zoom=in]");
  CHECK(page.count("#timeline-drawing .op") > 500);
  CHECK(page.count("#timeline-drawing .cell") == 0);
  CHECK(all_of(page.browser.errors()) == "");
}

TEST_CASE("the report of a run of nothing is drawn without errors") {
  Page page(Run{});
  CHECK(page.matching() == "0 operations of 0");
  CHECK(all_of(page.browser.errors()) == "");
}

TEST_CASE("a run's texts stay texts in a browser") {
  Page page(testing::hostile_run());
  CHECK(page.count("#pwned") == 0);
  CHECK(page.browser.evaluate("typeof window.pwned").as_string() == "undefined");
  CHECK(page.count("script") == 2);
  CHECK(page.count("#rows tr") == 2);
  CHECK(page.browser.evaluate("document.getElementById('rows').textContent.includes('</script><b')")
            .as_bool());
  CHECK(all_of(page.browser.errors()) == "");
  CHECK(all_of(page.browser.requests()) == "");
  page.browser.open(page.file, {.width = 400});
  CHECK(page.browser.evaluate("document.documentElement.scrollWidth").to_number<int>() <= 400);
}

}  // namespace
}  // namespace parallax::harness
