// The page as a whole, and the sections about what was asked.
#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/report/assets.h"
#include "harness/report/report.h"
#include "harness/report/sections.h"
#include "harness/report/text.h"
#include "harness/target.h"

namespace parallax::harness {
namespace {

using checker::Operation;
using checker::OperationKind;

constexpr std::size_t kTextBytes = 400;

std::string setting(std::string_view name, std::string_view value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, html(clipped(value, kTextBytes)));
}

std::string tile(std::string_view name, std::string_view value, std::string_view below = "") {
  return fmt::format("<div><dt>{}</dt><dd>{}{}</dd></div>\n", name, value,
                     below.empty() ? "" : fmt::format("<small>{}</small>", below));
}

std::string us_or_dash(const std::optional<std::int64_t>& us) {
  return us ? short_duration(*us * 1'000) : "–";
}

/// "parallax, 3 nodes", "etcd at 3 endpoints".
std::string cluster_text(const RunOptions& asked) {
  if (asked.endpoints.empty()) {
    return fmt::format("{}, {} node{}", asked.target, asked.nodes, asked.nodes == 1 ? "" : "s");
  }
  return fmt::format("{} at {} endpoint{}", asked.target, asked.endpoints.size(),
                     asked.endpoints.size() == 1 ? "" : "s");
}

std::string tiles(const Shown& shown) {
  const Measures& measures = shown.measures;
  const Counts& counts = measures.counts;
  const double seconds = static_cast<double>(measures.span_us) / 1e6;
  std::string out = "<dl class=\"tiles\">\n";
  out += tile("Operations", grouped(counts.total()),
              fmt::format("{:.0f} a second", static_cast<double>(counts.total()) / seconds));
  out += tile("Answered", percent(counts.answered, counts.total()), grouped(counts.answered));
  out += tile("Failed", percent(counts.failed, counts.total()), grouped(counts.failed));
  out += tile("Unknown", percent(counts.unknown, counts.total()), grouped(counts.unknown));
  out += tile("Latency p50", us_or_dash(measures.latencies.p50_us),
              "p99 " + us_or_dash(measures.latencies.p99_us));
  out += tile("Faults", grouped(shown.run.faults.size()),
              fmt::format("in {}", short_duration(measures.span_us * 1'000)));
  if (shown.run.convergence) {
    const auto& after = shown.run.convergence->after_ns;
    out += tile("Converged", after ? short_duration(*after) : "no", "after the last fault");
  }
  return out + fmt::format("<div class=\"seed\"><dt>Seed</dt><dd>{}</dd></div>\n</dl>\n",
                           shown.run.asked.seed);
}

std::string chip(std::string_view name, std::size_t value, std::string_view text,
                 std::string_view swatch, std::size_t count) {
  return fmt::format(
      "<label class=\"chip\"><input type=\"checkbox\" name=\"{}\" value=\"{}\" "
      "checked>{}<span>{} <span class=\"number\">{}</span></span></label>\n",
      name, value, swatch.empty() ? "" : fmt::format("<i style=\"--swatch:{}\"></i>", swatch),
      html(clipped(text, kTextBytes)), grouped(count));
}

std::string chips(std::string_view legend, const std::string& content) {
  return fmt::format("<fieldset><legend>{}</legend><div class=\"chips\">\n{}</div></fieldset>\n",
                     legend, content);
}

/// Checkboxes for each kind of operation, outcome and level that there is.
std::string chip_filters(const Shown& shown) {
  constexpr std::array<std::string_view, 4> kOutcomes{"ok", "failed", "mismatch", "unknown"};
  std::map<OperationKind, std::size_t> kinds;
  std::array<std::size_t, kOutcomes.size()> outcomes{};
  for (const Operation& operation : shown.run.history.operations) {
    ++kinds[operation.kind];
    const auto outcome = is_open(operation) ? checker::Outcome::unknown : operation.outcome;
    ++outcomes[static_cast<std::size_t>(outcome)];
  }
  std::string by_kind;
  for (const auto& [kind, count] : kinds) {
    by_kind += chip("kind", static_cast<std::size_t>(kind), to_string(kind), "", count);
  }
  std::string by_outcome;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i] == 0) continue;
    by_outcome +=
        chip("outcome", i, kOutcomes[i], fmt::format("var(--{})", kOutcomes[i]), outcomes[i]);
  }
  std::string by_level;
  for (std::size_t i = 0; i < shown.measures.levels.size(); ++i) {
    const LevelMeasures& level = shown.measures.levels[i];
    by_level += chip("level", i, level.name, fmt::format("var(--s{})", i), level.counts.total());
  }
  return chips("Operation", by_kind) + chips("Outcome", by_outcome) + chips("Level", by_level);
}

std::string choice_filters(const Shown& shown) {
  std::map<std::uint32_t, std::size_t> clients;
  for (const std::uint32_t index : shown.measures.sample) {
    ++clients[shown.run.history.operations[index].client];
  }
  std::string out =
      "<label class=\"field\"><span>Client</span><select name=\"client\" "
      "class=\"short\"><option value=\"\">all</option>\n";
  for (const auto& [client, count] : clients) {
    out += fmt::format("<option value=\"{0}\">client {0}</option>", client);
  }
  out +=
      "</select></label>\n<label class=\"field\"><span>Called during</span><select "
      "name=\"fault\"><option value=\"\">any time</option>"
      "<option value=\"none\">no fault</option>\n";
  const std::size_t windows = std::min(shown.run.faults.size(), shown.limits.windows);
  std::map<std::string, std::size_t> kinds;
  for (std::size_t i = 0; i < windows; ++i) {
    ++kinds[clipped(shown.run.faults[i].kind, kNameBytes)];  // as the scripts know it
  }
  for (const auto& [kind, count] : kinds) {
    if (count < 2) continue;
    out += fmt::format("<option value=\"{0}\">any {0} ({1})</option>\n", html(kind), count);
  }
  for (std::size_t i = 0; i < windows; ++i) {
    const FaultWindow& fault = shown.run.faults[i];
    const std::int64_t begin_us = (fault.begin_ns - shown.measures.begin_ns) / 1'000;
    out +=
        fmt::format("<option value=\"{}\">{} {} at {:.1f} s</option>\n", i,
                    html(clipped(fault.kind, kTextBytes)), html(clipped(fault.target, kTextBytes)),
                    static_cast<double>(begin_us) / 1e6);
  }
  return out + "</select></label>\n";
}

std::string levels_table(const Shown& shown) {
  std::string out =
      "<table class=\"cards\"><thead><tr><th>level</th><th class=\"amount\">"
      "operations</th><th class=\"amount\">answered</th><th class=\"amount\">p50</th>"
      "<th class=\"amount\">p99</th></tr></thead><tbody>\n";
  for (const LevelMeasures& level : shown.measures.levels) {
    out += fmt::format(
        "<tr><td class=\"whole\">{}</td>"
        "<td class=\"amount\" data-title=\"operations\">{}</td>"
        "<td class=\"amount\" data-title=\"answered\">{}</td>"
        "<td class=\"amount\" data-title=\"p50\">{}</td>"
        "<td class=\"amount\" data-title=\"p99\">{}</td></tr>\n",
        html(clipped(level.name, kTextBytes)), grouped(level.counts.total()),
        percent(level.counts.answered, level.counts.total()), us_or_dash(level.latencies.p50_us),
        us_or_dash(level.latencies.p99_us));
  }
  return out + "</tbody></table>\n";
}

/// Its words each in one piece: a browser would break lines within "--".
std::string command_html(std::string_view command) {
  std::string out;
  while (!command.empty()) {
    const std::size_t space = command.find(' ');
    out += fmt::format("<span>{}</span>", html(command.substr(0, space)));
    if (space == std::string_view::npos) break;
    out += ' ';
    command.remove_prefix(space + 1);
  }
  return out;
}

std::string chart(std::string_view title, std::string_view name, std::string_view key) {
  return fmt::format(
      "<div class=\"chart\"><h3>{0}</h3>\n<p class=\"key\">{2}</p>\n"
      "<div id=\"{1}-drawing\" tabindex=\"0\" role=\"group\" aria-label=\"{0}; arrow "
      "keys read it out\"></div>\n<p class=\"reading\" id=\"{1}-reading\" "
      "aria-live=\"polite\">Point at it to have it "
      "read out, or use the arrow keys.</p></div>\n",
      title, name, key);
}

}  // namespace

std::string header_html(const Shown& shown) {
  const Run& run = shown.run;
  const std::string_view outcome = to_string(run.outcome);
  std::string out = fmt::format(
      "<header class=\"top\">\n<p class=\"kicker\">parallax-harness run</p>\n"
      "<h1>{} workload on {}, {}</h1>\n"
      "<p class=\"verdict\"><span class=\"badge {}\" id=\"outcome\">{}</span> "
      "<span>{}</span></p>\n",
      to_string(run.asked.workload), html(clipped(cluster_text(run.asked), kTextBytes)),
      html(clipped(level_text(run.asked), kTextBytes)), outcome, outcome,
      html(clipped(run.reason, kTextBytes)));
  out += tiles(shown);
  out += "<nav class=\"sections\" aria-label=\"Sections\"><a href=\"#guarantees\">Guarantees</a>";
  if (run.levels) out += "<a href=\"#levels\">Levels</a>";
  if (run.tightening) out += "<a href=\"#tightened\">Unknown outcomes</a>";
  if (!shown.anomalies.empty()) out += "<a href=\"#anomalies\">Anomalies</a>";
  out += "<a href=\"#timeline\">Timeline</a><a href=\"#availability\">Availability</a>";
  if (run.staleness) out += "<a href=\"#staleness\">Staleness</a>";
  return out + "<a href=\"#settings\">Replay</a></nav>\n</header>\n";
}

std::string timeline_html(const Shown& shown) {
  std::string out = "<section id=\"timeline\">\n<h2>Timeline</h2>\n";
  if (shown.measures.sample.size() < shown.run.history.operations.size()) {
    out += fmt::format(
        "<p class=\"note\">This page carries one of {:.3g} operations: {} of {}, evenly by time. "
        "Tables above and below count all; so do rates and latencies while nothing is filtered or "
        "zoomed.</p>\n",
        static_cast<double>(shown.run.history.operations.size()) /
            static_cast<double>(shown.measures.sample.size()),
        grouped(shown.measures.sample.size()), grouped(shown.run.history.operations.size()));
  }
  out += "<form class=\"filters\" id=\"filters\">\n" + chip_filters(shown) + choice_filters(shown) +
         "<button type=\"reset\">Show all</button>\n</form>\n";
  out += "<div class=\"bar\"><output id=\"matching\" aria-live=\"polite\"></output>\n";
  constexpr std::array<std::array<std::string_view, 3>, 5> kButtons{{{"in", "Zoom in", "+"},
                                                                     {"out", "Zoom out", "−"},
                                                                     {"earlier", "Earlier", "←"},
                                                                     {"later", "Later", "→"},
                                                                     {"whole", "", "Whole run"}}};
  for (const auto& [action, label, text] : kButtons) {
    out += fmt::format("<button type=\"button\" data-zoom=\"{}\"{}>{}</button>\n", action,
                       label.empty() ? "" : fmt::format(" aria-label=\"{0}\" title=\"{0}\"", label),
                       text);
  }
  out +=
      "</div>\n<noscript><p class=\"note\">The drawings need scripts; they use no network. "
      "Everything else is here.</p></noscript>\n<div id=\"timeline-drawing\"></div>\n"
      "<p class=\"key\"><span><i class=\"swatch-ok\"></i>ok</span>"
      "<span><i class=\"swatch-mismatch\"></i>compared, mismatch</span>"
      "<span><i class=\"swatch-failed\"></i>failed</span>"
      "<span><i class=\"swatch-unknown\"></i>unknown</span>"
      "<span><i class=\"swatch-fault\"></i>fault</span>"
      "<span><i class=\"swatch-violated\"></i>anomaly</span></p>\n"
      "<p class=\"note\" id=\"timeline-note\"></p>\n";
  out += chart("Operations a second", "rate",
               "<span>A line is what was answered at one level; its colour is beside the level "
               "above.</span><span><i class=\"swatch-failed\"></i>failed or without an "
               "answer</span>");
  out += chart("Latency", "latency", "<span>Solid: p50. Dashed: p99. By level, log scale.</span>");
  out += levels_table(shown);
  return out +
         "<div class=\"chart\"><h3>Operations</h3>\n<p class=\"note\" id=\"rows-note\"></p>\n"
         "<div class=\"scroll\" tabindex=\"0\"><table class=\"cards\"><thead><tr><th>at</th>"
         "<th>took</th><th>client</th><th>node</th><th>operation</th><th>outcome</th><th>level</th>"
         "</tr></thead><tbody id=\"rows\"></tbody></table></div></div>\n</section>\n";
}

std::string settings_html(const Shown& shown) {
  const RunOptions& asked = shown.run.asked;
  std::string out = fmt::format(
      "<section id=\"settings\">\n<h2>Replay</h2>\n<p class=\"note\">Schedules follow from the "
      "seed; times do not.</p>\n<div class=\"command\"><pre id=\"command\">{}</pre>"
      "<button type=\"button\" id=\"copy\">Copy</button></div>\n"
      "<p class=\"note\" id=\"copied\" role=\"status\"></p>\n<dl class=\"settings\">\n",
      command_html(shown.run.replay_command));
  out += setting("Target", asked.target);
  if (asked.endpoints.empty()) {
    out += setting("Nodes", fmt::format("{}", asked.nodes));
  } else {
    out += setting("Endpoints", fmt::format("{}", fmt::join(asked.endpoints, ", ")));
  }
  out += setting("Workload", to_string(asked.workload));
  out += setting("Writes at", level_word(asked.target, asked.write_level));
  out += setting("Reads at", level_word(asked.target, asked.read_level));
  std::vector<std::string_view> faults;
  for (const Fault fault : asked.faults) faults.push_back(to_string(fault));
  out += setting("Faults", faults.empty() ? "none" : fmt::format("{}", fmt::join(faults, ", ")));
  if (asked.network != Network::faults) out += setting("Network", to_string(asked.network));
  out += setting("Clients", fmt::format("{}", asked.clients));
  out += setting("Rate", asked.rate == 0 ? "as fast as they can"
                                         : fmt::format("{} a second", grouped(asked.rate)));
  out += setting("Time", short_duration(asked.time.count() * 1'000'000));
  out += setting("Keys at a time", fmt::format("{}", asked.keys));
  out += setting("Seed", fmt::format("{}", asked.seed));
  if (!asked.check.empty()) {
    out += setting("Held to", fmt::format("{}", fmt::join(asked.check, ", ")));
  }
  return out + "</dl>\n</section>\n";
}

std::string report_page(const Run& run, const ReportLimits& limits) {
  const Measures measures = measure(run, limits);
  std::vector<Anomaly> anomalies;
  for (const bool promised : {true, false}) {  // what broke a promise comes first
    for (const Verdict& verdict : run.verdicts) {
      if (verdict.verdict != checker::Verdict::no || verdict.promised != promised) continue;
      if (anomalies.size() == limits.anomalies) break;
      anomalies.push_back({&verdict, steps_of(run, measures, verdict, limits)});
    }
  }
  const Shown shown{run, measures, anomalies, limits};
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>{} – {} on {}</title>\n<style>\n{}</style>\n"
      "</head>\n<body>\n<a class=\"skip\" href=\"#guarantees\">To the guarantees</a>\n",
      to_string(run.outcome), to_string(run.asked.workload),
      html(clipped(cluster_text(run.asked), kTextBytes)), kPageStyle);
  page += header_html(shown) + "<main>\n" + guarantees_html(shown) + levels_html(shown) +
          tightening_html(shown) + anomalies_html(shown) + timeline_html(shown) +
          availability_html(shown) + staleness_html(shown) + settings_html(shown) +
          "</main>\n<footer>parallax " PARALLAX_VERSION
          ". Times are since the run began.</footer>\n";
  page += "<script type=\"application/json\" id=\"data\">" +
          page_data(run, measures, anomalies, limits) + "</script>\n<script>\n'use strict';\n";
  page += kPageScript;
  return page + "</script>\n</body>\n</html>\n";
}

}  // namespace parallax::harness
