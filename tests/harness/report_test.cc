// The report of a run, as bytes: what is in it, and that nothing of a run breaks out of it.
#include "harness/report/report.h"

#include <algorithm>
#include <string>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/report/measures.h"
#include "harness/report/text.h"
#include "tests/harness/report_fixture.h"

namespace parallax::harness {
namespace {

namespace json = boost::json;
using Catch::Matchers::Contains;
using checker::OperationKind;
using checker::Outcome;
using testing::fixture_run;
using testing::hostile_run;

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos;
       at += part.size()) {
    ++count;
  }
  return count;
}

/// What the page's scripts are given.
json::object data_of(const std::string& page) {
  const std::string_view tag = "<script type=\"application/json\" id=\"data\">";
  const std::size_t begin = page.find(tag) + tag.size();
  return json::parse(std::string_view(page).substr(begin, page.find("</script>", begin) - begin))
      .as_object();
}

/// Operations at a level "l", by call and return in µs; a return of -1 is unknown.
Run run_of(const std::vector<std::pair<int, int>>& times) {
  Run run;
  const checker::Text level = run.history.texts.intern("l");
  const checker::Text key = run.history.texts.intern("k");
  for (const auto& [call, end] : times) {
    run.history.operations.push_back({.outcome = end < 0 ? Outcome::unknown : Outcome::ok,
                                      .client = 1,
                                      .key = key,
                                      .call_ns = call * 1'000,
                                      .return_ns = end < 0 ? checker::kNever : end * 1'000,
                                      .level = level});
  }
  return run;
}

TEST_CASE("html escapes what has a meaning there, and repairs what is no text") {
  struct Case {
    std::string_view text;
    std::string_view expected;
  };
  const auto [text, expected] = GENERATE(
      Case{"a b", "a b"}, Case{"<b>&'\"", "&lt;b&gt;&amp;&#39;&quot;"}, Case{"é€😀\n\t", "é€😀\n\t"},
      Case{"\x01\x7F", "\uFFFD\uFFFD"}, Case{"\xFF", "\uFFFD"}, Case{"\xC3", "\uFFFD"},
      Case{"\xC0\xBC", "\uFFFD\uFFFD"},                      // '<' in two bytes is none
      Case{"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},            // half of a pair
      Case{"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},  // above the last character
      Case{"\xE2\x82<", "\uFFFD\uFFFD&lt;"});                // cut off, then a tag
  CHECK(html(text) == expected);
}

TEST_CASE("a string for a script is read back as it was and holds nothing that ends one") {
  const std::string text = "</script><!--\"\\\n\t&\u2028é";
  const std::string written = script_string(text);
  CHECK(json::parse(written).as_string() == text);
  CHECK_THAT(written, !Contains("<") && !Contains(">") && !Contains("&"));
}

TEST_CASE("numbers on the page") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1'000) == "1,000");
  CHECK(grouped(1'234'567) == "1,234,567");
  CHECK(short_duration(999) == "999 ns");
  CHECK(short_duration(12'340) == "12.3 µs");
  CHECK(short_duration(2'500'000'000) == "2.5 s");
  CHECK(short_duration(3'600'000'000'000) == "3600 s");
  CHECK(percent(1, 3) == "33.33 %");
  CHECK(percent(999'999, 1'000'000) == "99.99 %");
  CHECK(percent(1, 1'000'000) == "0.01 %");
  CHECK(percent(7, 7) == "100 %");
  CHECK(percent(0, 7) == "0 %");
  CHECK(percent(0, 0) == "–");
  CHECK(clipped("abcé", 4) == "abc… (2 more bytes)");
}

TEST_CASE("every verdict and fault and their counts are on the page") {
  const Run run = fixture_run();
  const std::string page = report_page(run);
  const Measures measures = measure(run, {});
  REQUIRE(run.verdicts.size() == 7);
  for (const Verdict& verdict : run.verdicts) CHECK_THAT(page, Contains(html(verdict.guarantee)));
  // Two of them are by the log.
  CHECK(count_of(page, "<span class=\"badge held\">held</span>") == 6);
  CHECK(count_of(page,
                 "<td><span class=\"badge violated\">violated</span></td><td>promised</td>") == 1);
  CHECK(count_of(page,
                 "<td><span class=\"badge permitted\">violated</span></td><td>not promised</td>") ==
        1);
  // And a level.
  CHECK(count_of(page, "<td><span class=\"badge undecided\">undecided</span></td>") == 2);
  CHECK_THAT(page, Contains("id=\"outcome\">violated</span>"));
  CHECK_THAT(page, Contains("the bounded search ended after 200000000 steps"));
  for (const auto index : {0, 4}) {
    CHECK_THAT(page, Contains(html(run.verdicts[static_cast<std::size_t>(index)].witness)));
  }
  CHECK_THAT(page,
             Contains("<article id=\"anomaly-2\">") && !Contains("<article id=\"anomaly-3\">"));
  CHECK(count_of(page, "<li class=\"named\">") == 8);

  REQUIRE(measures.windows.size() == 5);
  for (std::size_t i = 0; i < run.faults.size(); ++i) {
    CHECK_THAT(page, Contains(html(run.faults[i].target)));
    const Counts& counts = measures.windows[i];
    CHECK(counts.unknown > 0);
    CHECK_THAT(page,
               Contains(fmt::format("data-title=\"ok\">{}</td>"
                                    "<td class=\"amount\" data-title=\"failed\">{}</td>"
                                    "<td class=\"amount\" data-title=\"unknown\">{}</td>",
                                    grouped(counts.answered), counts.failed, counts.unknown)));
  }
  CHECK_THAT(page, Contains("<dd>5,000<small>") &&
                       Contains("<span>--seed</span> <span>20260117</span>") &&
                       Contains("<dd>20260117</dd>") && Contains("212 of 2,950 reads (7.19 %)") &&
                       Contains("held the same 840 ms after the last fault"));
  CHECK_THAT(page, Contains(fmt::format("<dt>Unknown</dt><dd>{}<small>{}</small>",
                                        percent(measures.counts.unknown, 5'000),
                                        measures.counts.unknown)));
}

TEST_CASE("the levels that the history reaches are on the page and why not the others") {
  Run run = fixture_run();
  std::string page = report_page(run);
  CHECK_THAT(page, Contains("whatever was promised: <b>causal memory (CM), monotonic writes</b>") &&
                       Contains("<a href=\"#levels\">Levels</a>"));
  CHECK(count_of(page, "<span class=\"badge held\">reached</span>") == 3);
  CHECK(count_of(page, "<span class=\"badge permitted\">not reached</span>") == 5);
  // What the page draws as an anomaly it points at, what several levels fail by it tells once.
  const std::string not_reached = "<span class=\"badge permitted\">not reached</span></td>";
  CHECK_THAT(page, Contains("<tr><td>linearizable</td><td>" + not_reached +
                            "<td class=\"whole\"><a href=\"#anomaly-1\">anomaly 1</a>"));
  CHECK(count_of(page, html("client 9 read them the other way around.")) == 1);
  CHECK_THAT(page, Contains("<details><summary>CyclicCF</summary><pre>CyclicCF\nclient 7 read"));
  CHECK_THAT(page,
             Contains("<tr><td>causal convergence (CCv)</td><td>" + not_reached +
                      "<td class=\"whole\"><span class=\"note\">as a level above it</span></td>"));
  run.levels.reset();
  page = report_page(run);
  CHECK(count_of(page, "#levels\"") == 0);
  CHECK(count_of(page, "Levels reached") == 0);
}

TEST_CASE("what the log says of unknown outcomes is on the page beside the verdicts by answers") {
  Run run = fixture_run();
  std::string page = report_page(run);
  CHECK_THAT(page, Contains("Of 5,000 operations, 231 of unknown outcome (4.62 %): 97 happened, "
                            "122 never did, 12 stay open.") &&
                       Contains("12 are in a log behind what is applied."));
  // Undecided by its answers, held with the log.
  CHECK_THAT(page,
             Contains("<td class=\"whole\">sequential</td><td data-title=\"by answers\"><span "
                      "class=\"badge undecided\">undecided</span></td><td data-title=\"with "
                      "the log\"><span class=\"badge held\">held</span></td>"));
  CHECK_THAT(page, Contains("<td class=\"whole\">answers agree with the log</td>"
                            "<td data-title=\"by answers\">–</td>"));
  run.tightening->verdicts.clear();
  run.tightening->reason = "the log of node 2 cannot be read";
  page = report_page(run);
  CHECK_THAT(page, Contains("the log of node 2 cannot be read.") && !Contains("by answers"));
  run.tightening.reset();
  CHECK_THAT(report_page(run), !Contains("Unknown outcomes"));
}

TEST_CASE("the page says what a prediction rests on or why there is none") {
  Run run = fixture_run();
  CHECK_THAT(report_page(run),
             Contains("Predicted for n = 3, r = 1, w = 1") && Contains("predicted by PBS"));
  run.staleness->prediction = "No prediction: at prefix the log decides.";
  for (StalenessPoint& point : run.staleness->curve) point.predicted.reset();
  CHECK_THAT(report_page(run), Contains("No prediction: at prefix the log decides.") &&
                                   !Contains("predicted by PBS"));
}

TEST_CASE("equal runs give equal pages") {
  CHECK(report_page(fixture_run()) == report_page(fixture_run()));
  CHECK(report_page(fixture_run()) != report_page(fixture_run({.seed = 2})));
}

TEST_CASE("nothing of a run breaks out of its page") {
  const std::string page = report_page(hostile_run());
  // The data and the program: no other script begins or ends.
  CHECK(count_of(page, "<script") == 2);
  CHECK(count_of(page, "</script") == 2);
  CHECK(count_of(page, "<b id=") == 0);
  CHECK(count_of(page, "<!--") == 0);
  CHECK(count_of(page, "\x01") == 0);
  CHECK(count_of(page, "\xFF") == 0);
  CHECK_THAT(page, Contains("<span>&lt;/script&gt;&lt;b</span> <span>id=&quot;pwned&quot;</span>"));
  const json::object data = data_of(page);
  CHECK(data.at("ops").as_array().size() == 2);
  CHECK(data.at("keys").as_array()[0].as_string().starts_with("</script><b"));
}

TEST_CASE("the page names nothing outside itself") {
  for (const Run& run : {fixture_run(), hostile_run()}) {
    const std::string page = report_page(run);
    CHECK(count_of(page, "src=") == 0);
    CHECK(count_of(page, "@import") == 0);
    CHECK(count_of(page, "url(") == 0);
    CHECK(count_of(page, "href=") ==
          count_of(page, "href=\"#") + count_of(page, "href=\"data:,\""));
    CHECK(count_of(page, "http") ==
          count_of(page, "http-equiv") + count_of(page, "http://www.w3.org/2000/svg"));
  }
}

TEST_CASE("a run of nothing has a page too") {
  const std::string page = report_page(Run{});
  CHECK_THAT(page, Contains("Nothing was judged.") && Contains("</html>"));
  CHECK(data_of(page).at("total").as_int64() == 0);
}

TEST_CASE("a long run's page is a sample and says so, with all counted") {
  const Run run = fixture_run({.operations = 60'000, .clients = 300});
  const std::string page = report_page(run);
  CHECK(page.size() < 3'000'000);
  CHECK_THAT(page, Contains("This page carries one of 3 operations: 20,000 of 60,000"));
  CHECK_THAT(page, Contains("<dd>60,000<small>"));
  const json::object data = data_of(page);
  CHECK(data.at("total").as_int64() == 60'000);
  CHECK(data.at("ops").as_array().size() == 20'000);
  std::int64_t counted = 0;
  for (const json::value& level : data.at("series").as_array()) {
    for (const char* member : {"answered", "failed", "unknown"}) {
      for (const json::value& bucket : level.at(member).as_array()) counted += bucket.as_int64();
    }
  }
  CHECK(counted == 60'000);
  // Evenly: no stretch of the run is left out.
  std::int64_t last = 0;
  for (const json::value& row : data.at("ops").as_array()) {
    const std::int64_t call = row.at(0).as_int64();
    CHECK(call - last < 600'000);
    last = call;
  }
  CHECK(30'000'000 - last < 1'000'000);
}

TEST_CASE("texts, faults, levels and witnesses without bound do not make a page without bound") {
  Run run = fixture_run();
  const std::string huge(300'000, 'x');
  run.verdicts[0].witness = huge;
  run.verdicts[0].operations.resize(0);
  for (std::size_t i = 0; i < 3'000; ++i) run.verdicts[0].operations.push_back(i);
  for (std::size_t i = 0; i < 100; ++i) run.verdicts.push_back(run.verdicts[0]);
  for (Verdict& level : run.levels->levels) level.witness = level.reason = level.guarantee = huge;
  for (Verdict& verdict : run.tightening->verdicts) verdict.witness = verdict.reason = huge;
  run.tightening->reason = run.staleness->prediction = huge;
  run.faults.assign(5'000, {huge.substr(0, 5'000), huge.substr(0, 5'000), "", 1, 2});
  for (std::size_t i = 0; i < run.history.operations.size(); ++i) {
    auto& operation = run.history.operations[i];
    operation.key = run.history.texts.intern(huge.substr(0, 2'000) + std::to_string(i));
    operation.level = run.history.texts.intern("level " + std::to_string(i));
  }
  const std::string page = report_page(run);
  CHECK(page.size() < 3'000'000);
  CHECK_THAT(page, Contains("The first 400 of 5000 faults are listed") &&
                       Contains("The first 24 of 3,000 operations that the witness names") &&
                       Contains("82 more are in results.json") && Contains("other levels"));
  CHECK(data_of(page).at("levels").as_array().size() == 8);
}

TEST_CASE("operations are counted in the windows in which they were called") {
  // Windows overlap; one is empty; ends are open.
  Run run = run_of({{0, 5}, {10, 25}, {15, -1}, {19, 21}, {20, 22}, {30, 31}});
  run.history.operations[3].outcome = Outcome::failed;
  run.faults = {
      {"a", "", "", 10'000, 20'000}, {"b", "", "", 15'000, 30'000}, {"c", "", "", 26'000, 27'000}};
  const Measures measures = measure(run, {});
  CHECK(measures.windows[0] == Counts{1, 1, 1});
  CHECK(measures.windows[1] == Counts{1, 1, 1});
  CHECK(measures.windows[2] == Counts{});
  CHECK(measures.outside == Counts{2, 0, 0});
  CHECK(measures.counts == Counts{4, 1, 1});
}

TEST_CASE("latencies are of what was answered, by nearest rank") {
  std::vector<std::pair<int, int>> times;
  for (int i = 1; i <= 200; ++i) times.emplace_back(0, i);
  times.emplace_back(0, -1);
  Run run = run_of(times);
  run.history.operations.push_back(run.history.operations[0]);
  run.history.operations.back().outcome = Outcome::failed;
  const Measures measures = measure(run, {});
  CHECK(measures.latencies == Latencies{100, 198});
  REQUIRE(measures.levels.size() == 1);
  CHECK(measures.levels[0].latencies == Latencies{100, 198});
  CHECK(measures.span_us == 200);
  // A bucket is 2.5 µs: the last of all is in the last one, and what has no end in that of its
  // call.
  CHECK(measures.levels[0].counts_by_bucket.back().answered == 3);
  CHECK(measures.levels[0].counts_by_bucket.front() == Counts{2, 1, 1});
}

TEST_CASE("an anomaly is shown with what its clients did before and after") {
  const Run run = run_of({{0, 1}, {10, 11}, {20, 21}, {30, 31}, {40, 41}, {50, 51}});
  const Measures measures = measure(run, {});
  const auto shown = [&](std::vector<std::size_t> named, std::size_t limit) {
    std::string text;
    const Verdict verdict{.verdict = checker::Verdict::no, .operations = std::move(named)};
    for (const AnomalyStep& step : steps_of(run, measures, verdict, {.steps = limit})) {
      text += fmt::format("{}{} ", step.operation, step.named ? "!" : "");
    }
    return text;
  };
  CHECK(shown({2}, 24) == "1 2! 3 ");
  CHECK(shown({0, 4}, 24) == "0! 1 3 4! 5 ");
  CHECK(shown({0, 4}, 3) == "0! 1 4! ");
  CHECK(shown({1, 2, 4}, 2) == "1! 2! ");
  CHECK(shown({}, 24) == "");
}

TEST_CASE("labels are short and tell what was shown") {
  checker::Texts texts;
  const auto text = [&](std::string_view content) { return texts.intern(content); };
  CHECK(short_label(texts, {.kind = OperationKind::read, .result = text("7")}) == "read 7");
  CHECK(short_label(texts, {.kind = OperationKind::read}) == "read ?");
  CHECK(short_label(texts, {.kind = OperationKind::read, .result = checker::kAbsent}) ==
        "read nothing");
  CHECK(
      short_label(texts, {.kind = OperationKind::cas, .value = text("8"), .expected = text("7")}) ==
      "cas 7 → 8");
  CHECK(short_label(texts, {.kind = OperationKind::cas,
                            .outcome = Outcome::mismatch,
                            .value = text("8"),
                            .expected = text("7"),
                            .result = text("9")}) == "cas 7 ≠ 9");
  CHECK(short_label(texts, {.kind = OperationKind::increment}) == "+1");
  CHECK(short_label(texts, {.kind = OperationKind::remove}) == "delete");
  CHECK(short_label(texts,
                    {.kind = OperationKind::write, .value = text(std::string(90, 'a') + "end")}) ==
        "write …aaaaaaaaaaaaaend");
}

}  // namespace
}  // namespace parallax::harness
