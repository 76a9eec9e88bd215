#include "harness/promise_page.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/promise_table.h"

namespace parallax::harness {
namespace {

constexpr std::string_view kIntroduction = R"(# What each level promises, and what it does not

This page is generated, and a test holds it against what is generated. Do not edit it; after a
change of `harness/promises.cc` or `harness/promise_denials.cc`:

```sh
ninja -C build/dev parallax-harness && build/dev/bin/parallax-harness promises > docs/CONSISTENCY.md
```

Each *yes* is what `parallax-harness run` holds a run at that level to (`promised()` in
`harness/promises.cc`), or what that implies. Each *no* leads to a kept run of the simulator that
shows it, which the suite runs again; below the table stands why it shows it. What contradicts a
guarantee contradicts those that imply it. A *no* without a link has no such run, and why is said
there, too. All is of three nodes, and of operations on single keys.
)";

std::string link_to_run(std::string_view kept) {
  return fmt::format("../tests/data/permitted/{}.txt", kept);
}

/// Each with `shown`, with commas between.
template <class Shown>
std::string listed(Demands demands, const Shown& shown) {
  std::vector<std::string_view> names;
  for (const DemandInfo& info : kDemands) {
    if (demands.contains(info.demand)) names.push_back(shown(info));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}
std::string titles(Demands demands) {
  return listed(demands, [](const DemandInfo& info) { return info.title; });
}

std::string guarantees() {
  std::string out = "\n## Guarantees\n\n| column | guarantee | is |\n|---|---|---|\n";
  for (const DemandInfo& info : kDemands) {
    const std::string implied = titles(strongest(implied_by(info.demand)));
    out += fmt::format("| {} | {} | {}{} |\n", info.heading, info.title, info.meaning,
                       implied.empty() ? "" : "; implies: " + implied);
  }
  return out;
}

std::string table() {
  std::string out = "\n## Levels and guarantees\n\n| level |";
  for (const DemandInfo& info : kDemands) out += fmt::format(" {} |", info.heading);
  out += "\n|---|";
  for (std::size_t i = 0; i < kDemands.size(); ++i) out += "---|";
  out += "\n";
  for (const LevelRow& row : kLevelRows) {
    out += fmt::format("| `{}` |", row.level);
    for (const DemandInfo& info : kDemands) {
      const Standing of = standing(row, info.demand);
      if (of.kind == Standing::Kind::promised) {
        out += " yes |";
      } else if (of.kind == Standing::Kind::no_place) {
        out += " – |";
      } else if (of.denial->kept.empty()) {
        out += " no |";
      } else {
        out += fmt::format(" [no]({}) |", link_to_run(of.denial->kept));
      }
    }
    out += "\n";
  }
  return out + "\n–: there is no log that there could be a prefix of.\n";
}

std::string level_by_level() {
  std::string out = "\n## Level by level\n";
  for (const LevelRow& row : kLevelRows) {
    const Consistency level = level_of(row.level);
    out += fmt::format("\n### `{}`\n\n", row.level);
    if (!row.note.empty()) out += fmt::format("({})\n\n", row.note);
    const Demands promised = promised_demands(level, level);
    const std::string kept = titles(strongest(promised));
    out += fmt::format("Promised: {}.\n", kept.empty() ? "nothing" : kept);
    // What is denied because of something below it follows from that.
    std::string denied;
    for (const Denial& denial : denials()) {
      if (denial.level != row.level) continue;
      denied += fmt::format("- {}: {}", titles(denial.demands), denial.why);
      if (!denial.kept.empty()) {
        denied += fmt::format(" [{}]({})", denial.kept, link_to_run(denial.kept));
      }
      denied += "\n";
    }
    Demands above;
    for (const DemandInfo& info : kDemands) {
      const Standing of = standing(row, info.demand);
      if (of.kind == Standing::Kind::denied && of.shown != info.demand) above.insert(info.demand);
    }
    if (!above.empty()) denied += fmt::format("- and so neither: {}\n", titles(above));
    out += denied.empty() ? "" : "\nNot promised:\n\n" + denied;
  }
  return out;
}

std::string pairs() {
  std::string out =
      "\n## Writes at one level, reads at another\n\nWhat all clients get together that write a "
      "key at the row's level and read it at the column's; columns of the\ntable above, and the "
      "argument's number. Whether a write survives is the write's alone, and stands above. One "
      "way of writing a key and several\nof reading it are one cell for each; where several "
      "write, operations of one way keep their promise among themselves if the others' writes "
      "may take\neffect at any time after they began, or never.\n\n| writes \\ reads |";
  for (const PairSide& read : kPairReads) out += fmt::format(" {} |", read.shown);
  out += "\n|---|";
  for (std::size_t i = 0; i < kPairReads.size(); ++i) out += "---|";
  out += "\n";
  for (const PairSide& write : kPairWrites) {
    out += fmt::format("| {} |", write.shown);
    for (const PairSide& read : kPairReads) {
      const Consistency writes = level_of(write.level);
      const Consistency reads = level_of(read.level);
      const Demands promised = promised_demands(writes, reads);
      Demands shown;
      for (const DemandInfo& info : kDemands) {
        const bool of_write =
            info.demand == Demand::survives_crash || info.demand == Demand::survives_disk;
        if (promised.contains(info.demand) && !of_write) shown.insert(info.demand);
      }
      const std::string names =
          listed(strongest(shown), [](const DemandInfo& info) { return info.heading; });
      out += fmt::format(" {} ({}) |", names.empty() ? "nothing" : names,
                         static_cast<int>(pair_rule(writes, reads)) + 1);
    }
    out += "\n";
  }
  out += "\n";
  for (std::size_t i = 0; i < kPairRules.size(); ++i) {
    out += fmt::format("{}. {}\n", i + 1, kPairRules[i]);
  }
  return out;
}

std::string assumptions() {
  return fmt::format("\n## What a promise can rest on beside that\n\n- {} at `{}`: {} [{}]({})\n",
                     titles(kLeaseReads.demands), kLeaseReads.level, kLeaseReads.why,
                     kLeaseReads.kept, link_to_run(kLeaseReads.kept));
}

}  // namespace

std::string promise_page() {
  return std::string(kIntroduction) + guarantees() + table() + level_by_level() + pairs() +
         assumptions();
}

}  // namespace parallax::harness
