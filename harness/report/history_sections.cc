// The sections about the history as a whole: the levels that it reaches, and what the nodes' log
// says of outcomes that no client knows.
#include <algorithm>

#include <fmt/format.h>

#include "harness/findings_text.h"
#include "harness/report/sections.h"
#include "harness/report/text.h"

namespace parallax::harness {
namespace {

constexpr std::size_t kTextBytes = 400;

std::string reached_badge(checker::Verdict verdict) {
  switch (verdict) {
    case checker::Verdict::yes:
      return R"(<span class="badge held">reached</span>)";
    case checker::Verdict::no:
      return R"(<span class="badge permitted">not reached</span>)";
    case checker::Verdict::undecided:
      break;
  }
  return R"(<span class="badge undecided">undecided</span>)";
}

/// The whole of a witness behind its first line.
std::string witness_html(const Shown& shown, std::string_view witness) {
  constexpr std::size_t kSummaryBytes = 160;
  return fmt::format("<details><summary>{}</summary><pre>{}</pre></details>",
                     html(clipped(witness.substr(0, witness.find('\n')), kSummaryBytes)),
                     html(clipped(witness, shown.limits.witness_bytes)));
}

/// What a level fails by: the anomaly that the page tells of, or the witness itself.
std::string why_not_html(const Shown& shown, const Verdict& level) {
  for (std::size_t i = 0; i < shown.anomalies.size(); ++i) {
    if (shown.anomalies[i].verdict->witness != level.witness) continue;
    return fmt::format("<a href=\"#anomaly-{0}\">anomaly {0}</a>", i + 1);
  }
  const std::string why = why_not(*shown.run.levels, level);
  if (why.empty()) {
    return fmt::format(
        "<span class=\"note\">{}</span>",
        level.reason.empty() ? "as a level above it" : html(clipped(level.reason, kTextBytes)));
  }
  return witness_html(shown, why);
}

std::string level_row(const Shown& shown, const Verdict& level) {
  const bool no = level.verdict == checker::Verdict::no;
  return fmt::format(
      "<tr><td>{}</td><td>{}</td><td class=\"whole\">{}</td></tr>\n",
      html(clipped(level.guarantee, kTextBytes)), reached_badge(level.verdict),
      no ? why_not_html(shown, level)
         : fmt::format("<span class=\"note\">{}</span>", html(clipped(level.reason, kTextBytes))));
}

/// Of the same guarantee by the history alone; nullptr: it was not judged so.
const Verdict* by_history(const Run& run, const Verdict& tightened) {
  const auto found = std::find_if(
      run.verdicts.begin(), run.verdicts.end(),
      [&](const Verdict& verdict) { return verdict.guarantee == tightened.guarantee; });
  return found == run.verdicts.end() ? nullptr : &*found;
}

std::string tightened_row(const Shown& shown, const Verdict& verdict) {
  std::string first = html(clipped(verdict.guarantee, kTextBytes));
  if (!verdict.reason.empty()) {
    first += fmt::format("<br><span class=\"note\">{}</span>",
                         html(clipped(verdict.reason, kTextBytes)));
  }
  if (!verdict.witness.empty()) first += witness_html(shown, verdict.witness);
  const Verdict* const alone = by_history(shown.run, verdict);
  const bool broken = verdict.promised && verdict.verdict == checker::Verdict::no;
  return fmt::format(
      "<tr{}><td class=\"whole\">{}</td><td data-title=\"by answers\">{}</td>"
      "<td data-title=\"with the log\">{}</td><td class=\"whole muted\">{}</td></tr>\n",
      broken ? " class=\"broken\"" : "", first, alone == nullptr ? "–" : badge(*alone),
      badge(verdict), verdict.promised ? "promised" : "not promised");
}

}  // namespace

std::string levels_html(const Shown& shown) {
  if (!shown.run.levels) return "";
  const LevelsReached& reached = *shown.run.levels;
  std::string out = fmt::format(
      "<section id=\"levels\">\n<h2>Levels reached</h2>\n<p>Strongest that the history as a whole "
      "reaches, whatever was promised: <b>{}</b>.</p>\n<p class=\"note\">By the order and the "
      "answers of all operations, not by stamps or the log. What holds at a level holds below "
      "it.</p>\n<table class=\"cards\"><thead><tr><th>level</th><th>reached</th><th>why not</th>"
      "</tr></thead><tbody>\n",
      html(strongest_text(reached)));
  for (const Verdict& level : reached.levels) out += level_row(shown, level);
  return out + "</tbody></table>\n</section>\n";
}

std::string tightening_html(const Shown& shown) {
  if (!shown.run.tightening) return "";
  const Tightening& tightening = *shown.run.tightening;
  std::string out = fmt::format(
      "<section id=\"tightened\">\n<h2>Unknown outcomes</h2>\n<p>Of {} operations, {}.</p>\n",
      grouped(shown.run.history.operations.size()),
      html(tightening_text(tightening, shown.run.history.operations.size())));
  if (!tightening.reason.empty()) {
    out += fmt::format("<p class=\"note\">{}.</p>\n", html(clipped(tightening.reason, kTextBytes)));
  }
  if (tightening.verdicts.empty()) return out + "</section>\n";
  out +=
      "<p class=\"note\">The log is the stopped nodes' own. The verdicts by answers do without it "
      "and stay as they are; with the log, what is in no node's log has not happened.</p>\n"
      "<table class=\"cards\"><thead><tr><th>guarantee</th><th>by answers</th>"
      "<th>with the log</th><th>promised</th></tr></thead><tbody>\n";
  for (const Verdict& verdict : tightening.verdicts) out += tightened_row(shown, verdict);
  return out + "</tbody></table>\n</section>\n";
}

}  // namespace parallax::harness
