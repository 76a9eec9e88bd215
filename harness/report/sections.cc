// The sections about what was found: guarantees, anomalies, availability, staleness.
#include "harness/report/sections.h"

#include <algorithm>

#include <fmt/format.h>

#include "consistency/checker/counterexample.h"
#include "harness/report/text.h"

namespace parallax::harness {
namespace {

using checker::Operation;

constexpr std::size_t kTextBytes = 400;

std::string seconds(std::int64_t us) {
  return fmt::format("{:.3f} s", static_cast<double>(us) / 1e6);
}

/// The place of a verdict's anomaly on the page, from 1; 0 if it has none.
std::size_t anomaly_number(const Shown& shown, const Verdict& verdict) {
  for (std::size_t i = 0; i < shown.anomalies.size(); ++i) {
    if (shown.anomalies[i].verdict == &verdict) return i + 1;
  }
  return 0;
}

std::string step_html(const Shown& shown, const AnomalyStep& step, std::size_t number) {
  const checker::History& history = shown.run.history;
  const Operation& operation = history.operations[step.operation];
  const auto took = took_us(shown.measures, operation);
  std::string end = "no answer, so it may have happened or may yet";
  if (took) {
    end = fmt::format("took {}", short_duration(*took * 1'000));
    if (operation.outcome == checker::Outcome::failed) end += ", failed: it did not happen";
  }
  return fmt::format(
      "<li{}><b>{}</b><span>{}, key {} <span class=\"number\">at {}</span>, {}</span></li>\n",
      step.named ? " class=\"named\"" : "", number, html(describe(history.texts, operation)),
      html(checker::show_value(history.texts, operation.key)),
      seconds(call_us(shown.measures, operation)), end);
}

/// Which faults there were while the operations that the witness names ran.
std::string faults_meanwhile(const Shown& shown, const Anomaly& anomaly) {
  std::int64_t begin = checker::kNever;
  std::int64_t end = 0;
  for (const AnomalyStep& step : anomaly.steps) {
    if (!step.named) continue;
    const Operation& operation = shown.run.history.operations[step.operation];
    begin = std::min(begin, operation.call_ns);
    end = std::max(end, is_open(operation) ? operation.call_ns : operation.return_ns);
  }
  std::string names;
  const std::size_t windows = std::min(shown.run.faults.size(), shown.limits.windows);
  for (std::size_t i = 0; i < windows; ++i) {
    const FaultWindow& fault = shown.run.faults[i];
    if (fault.begin_ns > end || fault.end_ns <= begin) continue;
    if (names.size() > 4 * kTextBytes) return names + " and more";
    names += fmt::format("{}<a href=\"#timeline\" data-fault=\"{}\">{} {}</a>",
                         names.empty() ? "" : ", ", i, html(clipped(fault.kind, kTextBytes)),
                         html(clipped(fault.target, kTextBytes)));
  }
  return names.empty() ? "no fault" : names;
}

std::string anomaly_html(const Shown& shown, std::size_t number) {
  const Anomaly& anomaly = shown.anomalies[number - 1];
  const Verdict& verdict = *anomaly.verdict;
  std::string out = fmt::format(
      "<article id=\"anomaly-{0}\">\n<h3>{0}. {1} {2}{3}</h3>\n<pre>{4}</pre>\n", number,
      html(clipped(verdict.guarantee, kTextBytes)), badge(verdict),
      verdict.promised ? "" : " <span class=\"note\">permitted: it was not promised</span>",
      html(clipped(verdict.witness, shown.limits.witness_bytes)));
  if (anomaly.steps.empty()) return out + "</article>\n";
  out += fmt::format("<div class=\"drawing\" id=\"spacetime-{}\"></div>\n<ol class=\"steps\">\n",
                     number);
  std::size_t named = 0;
  for (std::size_t i = 0; i < anomaly.steps.size(); ++i) {
    out += step_html(shown, anomaly.steps[i], i + 1);
    named += anomaly.steps[i].named ? 1 : 0;
  }
  out += "</ol>\n";
  if (named < verdict.operations.size()) {
    out += fmt::format(
        "<p class=\"note\">The first {} of {} operations that the witness names are "
        "shown.</p>\n",
        named, grouped(verdict.operations.size()));
  }
  out += fmt::format("<p class=\"note\">Meanwhile: {}.</p>\n", faults_meanwhile(shown, anomaly));
  const std::int64_t place = place_us(shown.run, shown.measures, anomaly);
  return out + fmt::format(
                   "<p><button type=\"button\" data-from=\"{}\" data-to=\"{}\">Show on the "
                   "timeline</button></p>\n</article>\n",
                   place - 500'000, place + 500'000);
}

std::string share_bar(const Counts& counts) {
  std::string out = "<div class=\"share\" aria-hidden=\"true\">";
  const auto part = [&](std::string_view name, std::size_t count) {
    if (count == 0) return;
    out += fmt::format("<i class=\"{}\" style=\"flex:{} 1 2px\"></i>", name, count);
  };
  part("ok", counts.answered);
  part("failed", counts.failed);
  part("unknown", counts.unknown);
  return out + "</div>";
}

/// The cells of a row of the availability table, behind its first three.
std::string count_cells(const Counts& counts) {
  return fmt::format(
      "<td class=\"whole\">{}</td>"
      "<td class=\"amount\" data-title=\"answered\">{}</td>"
      "<td class=\"amount\" data-title=\"ok\">{}</td>"
      "<td class=\"amount\" data-title=\"failed\">{}</td>"
      "<td class=\"amount\" data-title=\"unknown\">{}</td></tr>\n",
      share_bar(counts), percent(counts.answered, counts.total()), grouped(counts.answered),
      grouped(counts.failed), grouped(counts.unknown));
}

std::string window_row(const Shown& shown, std::size_t i) {
  const FaultWindow& fault = shown.run.faults[i];
  const std::string detail =
      fault.detail.empty()
          ? ""
          : fmt::format(" <span class=\"note\">{}</span>", html(clipped(fault.detail, kTextBytes)));
  return fmt::format(
      "<tr><td class=\"whole\"><a href=\"#timeline\" data-fault=\"{}\">{} {}</a>{}"
      "</td><td class=\"amount\" data-title=\"from\">{}</td>"
      "<td class=\"amount\" data-title=\"lasted\">{}</td>{}",
      i, html(clipped(fault.kind, kTextBytes)), html(clipped(fault.target, kTextBytes)), detail,
      seconds((fault.begin_ns - shown.measures.begin_ns) / 1'000),
      short_duration(fault.end_ns - fault.begin_ns), count_cells(shown.measures.windows[i]));
}

std::string total_row(std::string_view name, const Counts& counts) {
  return fmt::format(
      "<tr><td class=\"whole\">{}</td><td class=\"amount empty\"></td>"
      "<td class=\"amount empty\"></td>{}",
      name, count_cells(counts));
}

std::string convergence_text(const Shown& shown) {
  if (!shown.run.convergence) return "";
  const Convergence& convergence = *shown.run.convergence;
  if (convergence.after_ns) {
    return fmt::format("<p>All replicas held the same {} after the last fault was healed.</p>\n",
                       short_duration(*convergence.after_ns));
  }
  return fmt::format(
      "<p><span class=\"badge undecided\">not converged</span> The replicas did not come to hold "
      "the same in the time that they were given. {}</p>\n",
      html(clipped(convergence.detail, kTextBytes)));
}

std::string curve_table(const std::vector<StalenessPoint>& curve) {
  std::string out =
      "<details><summary>The numbers</summary><div class=\"scroll\" tabindex=\"0\">"
      "<table><thead><tr><th>time since the write</th>"
      "<th class=\"amount\">reads</th><th class=\"amount\">saw it</th>"
      "<th class=\"amount\">predicted</th></tr></thead><tbody>\n";
  for (const StalenessPoint& point : curve) {
    out += fmt::format(
        "<tr><td>{}</td><td class=\"amount\">{}</td><td class=\"amount\">{:.2f} %"
        "</td><td class=\"amount\">{}</td></tr>\n",
        short_duration(point.after_ns), grouped(point.reads), point.seen * 100,
        point.predicted ? fmt::format("{:.2f} %", *point.predicted * 100) : "–");
  }
  return out + "</tbody></table></div></details>\n";
}

}  // namespace

std::string badge(const Verdict& verdict) {
  switch (verdict.verdict) {
    case checker::Verdict::yes:
      return R"(<span class="badge held">held</span>)";
    case checker::Verdict::no:
      return verdict.promised ? R"(<span class="badge violated">violated</span>)"
                              : R"(<span class="badge permitted">violated</span>)";
    case checker::Verdict::undecided:
      break;
  }
  return R"(<span class="badge undecided">undecided</span>)";
}

std::string guarantees_html(const Shown& shown) {
  std::string out =
      "<section id=\"guarantees\">\n<h2>Guarantees</h2>\n<table class=\"cards\"><thead><tr>"
      "<th>guarantee</th><th>verdict</th><th>promised</th><th class=\"amount\">time to judge</th>"
      "</tr></thead><tbody>\n";
  for (const Verdict& verdict : shown.run.verdicts) {
    std::string first = html(clipped(verdict.guarantee, kTextBytes));
    if (const std::size_t number = anomaly_number(shown, verdict)) {
      first += fmt::format(" <a href=\"#anomaly-{0}\">anomaly {0}</a>", number);
    }
    if (!verdict.reason.empty()) {
      first += fmt::format("<br><span class=\"note\">{}</span>",
                           html(clipped(verdict.reason, kTextBytes)));
    }
    const bool broken = verdict.promised && verdict.verdict == checker::Verdict::no;
    out += fmt::format("<tr{}><td>{}</td><td>{}</td><td>{}</td><td class=\"amount\">{}</td></tr>\n",
                       broken ? " class=\"broken\"" : "", first, badge(verdict),
                       verdict.promised ? "promised" : "not promised",
                       verdict.took.count() == 0 ? "–" : short_duration(verdict.took.count()));
  }
  if (shown.run.verdicts.empty()) out += "<tr><td>Nothing was judged.</td></tr>\n";
  return out + "</tbody></table>\n</section>\n";
}

std::string anomalies_html(const Shown& shown) {
  if (shown.anomalies.empty()) return "";
  std::string out =
      "<section id=\"anomalies\">\n<h2>Anomalies</h2>\n"
      "<p class=\"note\">What the witness names is red; grey is what the same clients did just "
      "before and after. Time is not to scale: each call and return is one step. An arrow turns at "
      "the node that answered, in the middle: when in between it acted is not known.</p>\n";
  for (std::size_t i = 1; i <= shown.anomalies.size(); ++i) out += anomaly_html(shown, i);
  const auto violated = static_cast<std::size_t>(
      std::count_if(shown.run.verdicts.begin(), shown.run.verdicts.end(),
                    [](const Verdict& v) { return v.verdict == checker::Verdict::no; }));
  if (violated > shown.anomalies.size()) {
    out += fmt::format("<p class=\"note\">{} more are in results.json.</p>\n",
                       violated - shown.anomalies.size());
  }
  return out + "</section>\n";
}

std::string availability_html(const Shown& shown) {
  std::string out =
      "<section id=\"availability\">\n<h2>Availability</h2>\n"
      "<p class=\"note\">Operations by the fault in whose time they were called. An operation is "
      "in "
      "every window that covers its call.</p>\n"
      "<p class=\"key\"><span><i class=\"swatch-ok\"></i>answered</span>"
      "<span><i class=\"swatch-failed\"></i>failed: did not happen</span>"
      "<span><i class=\"swatch-unknown\"></i>unknown</span></p>\n";
  const std::size_t windows = std::min(shown.run.faults.size(), shown.limits.windows);
  out += fmt::format(
      "<div{}><table class=\"cards\"><thead><tr><th>fault</th>"
      "<th class=\"amount\">from</th><th class=\"amount\">lasted</th><th></th>"
      "<th class=\"amount\">answered</th><th class=\"amount\">ok</th>"
      "<th class=\"amount\">failed</th><th class=\"amount\">unknown</th></tr></thead>"
      "<tbody>\n",
      windows > 16 ? " class=\"scroll\" tabindex=\"0\"" : "");
  out += total_row("the whole run", shown.measures.counts);
  out += total_row("outside all faults", shown.measures.outside);
  for (std::size_t i = 0; i < windows; ++i) out += window_row(shown, i);
  out += "</tbody></table></div>\n";
  if (windows < shown.run.faults.size()) {
    out += fmt::format(
        "<p class=\"note\">The first {} of {} faults are listed and drawn; all are "
        "counted, and in faults.jsonl.</p>\n",
        windows, shown.run.faults.size());
  }
  return out + convergence_text(shown) + "</section>\n";
}

std::string staleness_html(const Shown& shown) {
  if (!shown.run.staleness) return "";
  const StalenessSummary& staleness = *shown.run.staleness;
  std::string out = fmt::format(
      "<section id=\"staleness\">\n<h2>Staleness</h2>\n<p>{} of {} reads ({}) showed a value that "
      "had surely been replaced before they began. Age of what reads showed: p50 {}, p99 {}, at "
      "most {}.</p>\n",
      grouped(staleness.stale_reads), grouped(staleness.reads),
      percent(staleness.stale_reads, staleness.reads), short_duration(staleness.p50_ns),
      short_duration(staleness.p99_ns), short_duration(staleness.max_ns));
  if (!staleness.prediction.empty()) {
    out += fmt::format("<p class=\"note\">{}</p>\n",
                       html(clipped(staleness.prediction, 4 * kTextBytes)));
  }
  if (staleness.curve.empty()) return out + "</section>\n";
  const bool predicted =
      std::any_of(staleness.curve.begin(), staleness.curve.end(),
                  [](const StalenessPoint& point) { return point.predicted.has_value(); });
  out +=
      "<p class=\"key\"><span><i class=\"half\" style=\"--swatch:var(--s0)\"></i>measured: reads "
      "that saw the last write, by the time since it was acknowledged</span>";
  if (predicted) {
    out +=
        "<span><i class=\"half\" style=\"--swatch:var(--s1)\"></i>predicted by PBS from the "
        "run's own latencies</span>";
  }
  return out + "</p>\n<div id=\"staleness-drawing\"></div>\n" + curve_table(staleness.curve) +
         "</section>\n";
}

}  // namespace parallax::harness
