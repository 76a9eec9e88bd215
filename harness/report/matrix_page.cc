#include "harness/report/matrix_page.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include <fmt/format.h>

#include "harness/report/assets.h"
#include "harness/report/text.h"

namespace parallax::harness {
namespace {

constexpr std::size_t kWitnessBytes = 2'000;

/// By CellState.
constexpr std::array<std::string_view, 9> kClasses{"held",   "broken", "undecided", "seen", "seen",
                                                   "argued", "broken", "argued",    "none"};

const MatrixCell& cell_of(const MatrixLine& line, Demand demand) {
  return line.cells[static_cast<std::size_t>(demand)];
}

std::string anchor(std::size_t line, Demand demand) {
  return fmt::format("c{}-{}", line, static_cast<int>(demand));
}

bool has_words(const MatrixCell& cell) {
  return cell.state != CellState::none && cell.state != CellState::held && !cell.words.empty();
}

std::string cell_html(std::size_t at, const MatrixLine& line, const DemandInfo& info) {
  const MatrixCell& cell = cell_of(line, info.demand);
  const std::string_view name = to_string(cell.state);
  const std::string text =
      has_words(cell) ? fmt::format("<a href=\"#{}\">{}</a>", anchor(at, info.demand), name)
                      : std::string(name);
  return fmt::format("<td class=\"cell {}\">{}</td>",
                     kClasses[static_cast<std::size_t>(cell.state)], text);
}

std::string levels(const Matrix& matrix) {
  std::string out =
      "<section id=\"levels\">\n<h2>Levels and guarantees</h2>\n<div class=\"wide\" "
      "tabindex=\"0\" role=\"group\" aria-label=\"Levels and guarantees\"><table "
      "class=\"matrix\"><thead><tr><th>level</th>";
  for (const DemandInfo& info : kDemands) {
    out += fmt::format("<th><abbr title=\"{}: {}\">{}</abbr></th>", html(info.title),
                       html(info.meaning), info.heading);
  }
  out += "<th class=\"amount\">operations</th></tr></thead><tbody>\n";
  for (std::size_t at = 0; at < matrix.lines.size(); ++at) {
    const MatrixLine& line = matrix.lines[at];
    if (!line.is_row) continue;
    out += fmt::format("<tr><th scope=\"row\"><code>{}</code></th>", html(line.pair.write));
    for (const DemandInfo& info : kDemands) out += cell_html(at, line, info);
    out += fmt::format("<td class=\"amount\">{}</td></tr>\n", grouped(line.operations));
  }
  return out +
         "</tbody></table></div>\n<p class=\"key\">"
         "<span><b class=\"cell held\">held</b> promised, and kept in all operations</span>"
         "<span><b class=\"cell seen\">seen</b> not promised, and broken in this run</span>"
         "<span><b class=\"cell seen\">kept run</b> not promised, and shown by a kept run of the "
         "simulator, replayed for this page</span>"
         "<span><b class=\"cell argued\">argued</b> not promised, and why nothing shows it stands "
         "below</span>"
         "<span><b class=\"cell broken\">BROKEN</b> promised, and not "
         "kept</span></p>\n</section>\n";
}

/// What a pair's cell of the grid says: the strongest promises and what became of them.
std::string pair_html(std::size_t at, const MatrixLine& line) {
  Demands promised;
  std::string_view state = "held";
  std::string bad;
  for (const DemandInfo& info : kDemands) {
    const CellState of = cell_of(line, info.demand).state;
    if (of == CellState::held) promised.insert(info.demand);
    if (of != CellState::broken && of != CellState::undecided) continue;
    state = of == CellState::broken ? "broken" : "undecided";
    bad += fmt::format(" <a href=\"#{}\">{} {}</a>", anchor(at, info.demand), to_string(of),
                       info.heading);
  }
  std::string names;
  std::string seen;
  for (const DemandInfo& info : kDemands) {
    const MatrixCell& cell = cell_of(line, info.demand);
    if (strongest(promised).contains(info.demand)) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", info.heading);
    }
    if (cell.state == CellState::seen) {
      seen += fmt::format("{}<a href=\"#{}\">{}</a>", seen.empty() ? "" : ", ",
                          anchor(at, info.demand), info.heading);
    }
  }
  return fmt::format("<td class=\"cell {}\">{}{}{}<small>{}</small></td>",
                     promised.empty() && bad.empty() ? "argued" : state,
                     names.empty() ? "" : "held: " + names, bad,
                     seen.empty() ? "" : "<small>seen broken: " + seen + "</small>",
                     grouped(line.operations));
}

std::string pairs(const Matrix& matrix) {
  std::string out =
      "<section id=\"pairs\">\n<h2>Writes at one level, reads at another</h2>\n<p "
      "class=\"note\">Rows write, columns read. The strongest promises of a pair, what was seen "
      "broken of the rest, and its operations.</p>\n<div class=\"wide\" tabindex=\"0\" "
      "role=\"group\" aria-label=\"Pairs\"><table class=\"matrix pairs\"><thead><tr><th>writes"
      "</th>";
  for (const PairSide& read : kPairReads) {
    out += fmt::format("<th><code>{}</code></th>", html(read.level));
  }
  out += "</tr></thead><tbody>\n";
  for (const PairSide& write : kPairWrites) {
    out += fmt::format("<tr><th scope=\"row\"><code>{}</code></th>", html(write.level));
    for (const PairSide& read : kPairReads) {
      const auto line =
          std::find_if(matrix.lines.begin(), matrix.lines.end(), [&](const MatrixLine& other) {
            return other.pair.write == write.level && other.pair.read == read.level;
          });
      out += line == matrix.lines.end()
                 ? std::string("<td></td>")
                 : pair_html(static_cast<std::size_t>(line - matrix.lines.begin()), *line);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n</section>\n";
}

std::string counterexamples(const Matrix& matrix) {
  std::string out =
      "<section id=\"examples\">\n<h2>Counterexamples</h2>\n<p class=\"note\">What broke, in the "
      "words of the checkers; of kept runs and arguments, why.</p>\n";
  for (std::size_t at = 0; at < matrix.lines.size(); ++at) {
    const MatrixLine& line = matrix.lines[at];
    std::string inside;
    for (const DemandInfo& info : kDemands) {
      const MatrixCell& cell = cell_of(line, info.demand);
      if (!has_words(cell)) continue;
      inside +=
          fmt::format("<article id=\"{}\"><h3>{}: {}{}</h3><pre>{}</pre></article>\n",
                      anchor(at, info.demand), html(info.title), to_string(cell.state),
                      cell.kept.empty() ? "" : fmt::format(" <code>{}</code>", html(cell.kept)),
                      html(clipped(cell.words, kWitnessBytes)));
    }
    if (inside.empty()) continue;
    const std::string title = line.is_row
                                  ? fmt::format("<code>{}</code>", html(line.pair.write))
                                  : fmt::format("writes <code>{}</code>, reads <code>{}</code>",
                                                html(line.pair.write), html(line.pair.read));
    out += fmt::format("<details><summary>{}</summary>\n{}</details>\n", title, inside);
  }
  return out + "</section>\n";
}

std::string runs(const Matrix& matrix) {
  std::string out =
      "<section id=\"rounds\">\n<h2>Rounds and kept runs</h2>\n<table class=\"cards\"><thead><tr>"
      "<th>round</th><th class=\"amount\">operations</th><th class=\"amount\">unknown</th>"
      "<th>faults</th></tr></thead><tbody>\n";
  for (const MatrixRound& round : matrix.rounds) {
    out += fmt::format(
        "<tr><td class=\"whole\">{}, seed {}, network {}{}</td><td class=\"amount\" "
        "data-title=\"operations\">{}</td><td class=\"amount\" data-title=\"unknown\">{}</td>"
        "<td data-title=\"faults\">{}</td></tr>\n",
        short_duration(round.asked.time.count() * 1'000'000), round.asked.seed,
        to_string(round.asked.network),
        round.broken.empty() ? "" : ": " + html(clipped(round.broken, kWitnessBytes)),
        grouped(round.operations), percent(round.unknown, round.operations),
        html(counts_text(round.faults)));
  }
  out += "</tbody></table>\n";
  if (matrix.kept_runs.empty()) return out + "</section>\n";
  out +=
      "<table class=\"cards\"><thead><tr><th>kept run</th><th>outcome</th><th "
      "class=\"amount\">took</th></tr></thead><tbody>\n";
  for (const KeptRun& run : matrix.kept_runs) {
    out += fmt::format(
        "<tr><td class=\"whole\"><code>{}</code></td><td data-title=\"outcome\">{}</td><td "
        "class=\"amount\" data-title=\"took\">{}</td></tr>\n",
        html(run.name), run.shown ? "shown" : html(clipped(run.words, kWitnessBytes)),
        short_duration(run.took.count()));
  }
  return out + "</tbody></table>\n</section>\n";
}

std::string tile(std::string_view name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, value);
}

std::string header(const Matrix& matrix) {
  std::size_t operations = 0;
  std::size_t faults = 0;
  for (const MatrixRound& round : matrix.rounds) {
    operations += round.operations;
    faults += round.faults.size();
  }
  std::map<CellState, std::size_t> cells;
  for (const MatrixLine& line : matrix.lines) {
    for (const MatrixCell& cell : line.cells) ++cells[cell.state];
  }
  const std::string_view outcome = to_string(matrix.outcome);
  return fmt::format(
             "<header class=\"top\">\n<p class=\"kicker\">parallax-harness matrix</p>\n<h1>What "
             "each level promises, tried</h1>\n<p class=\"verdict\"><span class=\"badge {}\" "
             "id=\"outcome\">{}</span> <span>{}</span></p>\n<dl class=\"tiles\">\n",
             outcome, outcome, html(clipped(matrix.reason, kWitnessBytes))) +
         tile("Operations", grouped(operations)) + tile("Faults", grouped(faults)) +
         tile("Promises held", grouped(cells[CellState::held])) +
         tile("Promises broken", grouped(cells[CellState::broken])) +
         tile("Anomalies seen", grouped(cells[CellState::seen])) +
         tile("Shown by kept runs", grouped(cells[CellState::kept])) +
         tile("Took", short_duration(matrix.took.count())) +
         "</dl>\n<nav class=\"sections\" aria-label=\"Sections\"><a href=\"#levels\">Levels</a>"
         "<a href=\"#pairs\">Pairs</a><a href=\"#examples\">Counterexamples</a><a "
         "href=\"#rounds\">Rounds</a></nav>\n</header>\n";
}

}  // namespace

std::string matrix_page(const Matrix& matrix) {
  return fmt::format(
             "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
             "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<link rel=\"icon\" href=\"data:,\">\n<title>{} – matrix</title>\n<style>\n{}"
             "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#levels\">To the levels</a>\n",
             to_string(matrix.outcome), kPageStyle) +
         header(matrix) + "<main>\n" + levels(matrix) + pairs(matrix) + counterexamples(matrix) +
         runs(matrix) + "</main>\n<footer>parallax " PARALLAX_VERSION "</footer>\n" +
         // A link opens what its target is in.
         "<script>\n'use strict';\nconst open = () => {\n  const at = "
         "document.getElementById(location.hash.slice(1));\n  const box = at && "
         "at.closest('details');\n  if (box) { box.open = true; at.scrollIntoView(); }\n};\n"
         "window.addEventListener('hashchange', open);\nopen();\n</script>\n</body>\n</html>\n";
}

}  // namespace parallax::harness
