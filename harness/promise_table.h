// Every level against every guarantee: promised, or not and then what shows that.
//
// What is promised is not written down here: it is asked of promised() (harness/promises.h), and
// carried on to what a guarantee implies (consistency/checker/classify.h has the same order). What
// is not promised needs a Denial: a kept run of the simulator that shows it (tests/data/permitted),
// and why that run shows it; or, where there is none, why. A run that contradicts a guarantee
// contradicts those that imply it.
//
// Rows are at three nodes. The matrix (harness/matrix.h) tries all of it on a cluster. What it does
// not do: draw itself (harness/promise_page.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_set.h"
#include "harness/promises.h"

namespace parallax::harness {

/// What is asked of every level.
enum class Demand : std::uint8_t {
  linearizable,
  sequential,
  causal_convergence,
  causal,
  read_your_writes,
  monotonic_reads,
  monotonic_writes,
  writes_follow_reads,
  fresh,
  bounded,
  prefix,
  survives_crash,
  survives_disk,
  converges,
};
using Demands = EnumSet<Demand>;

struct DemandInfo {
  Demand demand;
  std::string_view heading;  ///< of a column
  std::string_view title;    ///< in a sentence
  std::string_view meaning;
};
/// By Demand.
inline constexpr std::array kDemands{
    DemandInfo{Demand::linearizable, "lin", "linearizable",
               "each operation takes effect at one instant between its call and its answer "
               "(Herlihy and Wing 1990)"},
    DemandInfo{Demand::sequential, "seq", "sequential",
               "one order explains all that was read, and keeps each session's own (Lamport 1979)"},
    DemandInfo{Demand::causal_convergence, "CCv", "causal convergence",
               "as causal, and one order of all writes decides between concurrent ones (Bouajjani "
               "et al. 2017)"},
    DemandInfo{Demand::causal, "CC", "causal",
               "whoever sees a write sees what its writer had seen (Bouajjani et al. 2017)"},
    DemandInfo{Demand::read_your_writes, "RYW", "read your writes",
               "a session reads no state without its own writes (Terry et al. 1994, as the next "
               "three)"},
    DemandInfo{Demand::monotonic_reads, "MR", "monotonic reads",
               "a session never goes back behind what it has read"},
    DemandInfo{Demand::monotonic_writes, "MW", "monotonic writes",
               "who sees a session's write sees its earlier ones"},
    DemandInfo{Demand::writes_follow_reads, "WFR", "writes follow reads",
               "who sees a session's write sees what it had read before"},
    DemandInfo{Demand::fresh, "fresh", "fresh",
               "no read shows a version below that of a write that was completed before it began "
               "(regular, in the order of stamps)"},
    DemandInfo{Demand::bounded, "bound", "bounded staleness",
               "no read lacks what was acknowledged longer ago than a bound that is known "
               "beforehand (Terry 2013)"},
    DemandInfo{
        Demand::prefix, "prefix", "consistent prefix",
        "each node shows states that the log passed through, in their order (Terry 2013); one that "
        "was started anew counts as another"},
    DemandInfo{Demand::survives_crash, "crash", "survives a crash",
               "what was acknowledged is there, or replaced, after any one node, the leader too, "
               "has died and its unsynced writes with it"},
    DemandInfo{Demand::survives_disk, "disk", "survives the loss of a disk",
               "and after the loss of any one disk"},
    DemandInfo{Demand::converges, "conv", "convergence",
               "once all nodes hear each other, all come to hold the same"},
};
const DemandInfo& demand_info(Demand demand);
/// Those that hold wherever it does.
Demands implied_by(Demand demand);

/// A level with its parameters, for reads and writes.
struct LevelRow {
  std::string_view level;  ///< as in a header
  std::string_view note;   ///< what that stands for; may be empty
};
inline constexpr std::array kLevelRows{
    LevelRow{"linearizable", ""},
    LevelRow{"sequential", "with a session; without one it is `prefix`, and says so"},
    LevelRow{"bounded; max_staleness_ms=1000", "likewise with another bound, or `max_lag`"},
    LevelRow{"prefix", ""},
    LevelRow{"linearizable; ack=all", "likewise at the three others"},
    LevelRow{"linearizable; ack=semi-sync", "likewise at the three others"},
    LevelRow{"linearizable; ack=leader", "likewise at the three others"},
    LevelRow{"atomic", ""},
    LevelRow{"quorum",
             "any `r` and `w` whose sum is above the number of replicas, and `w` a "
             "majority"},
    LevelRow{"quorum; sloppy", ""},
    LevelRow{"quorum; r=1; w=1", "any `r` and `w` whose sum is not above the number of replicas"},
    LevelRow{"causal", "and `session` with all four guarantees"},
    LevelRow{"session; guarantees=\"ryw\"", ""},
    LevelRow{"session; guarantees=\"mr\"", ""},
    LevelRow{"session; guarantees=\"mr,mw\"",
             "clients tell `mw` by reading twice, so it takes `mr`"},
    LevelRow{"session; guarantees=\"mr,wfr\"", "likewise"},
    LevelRow{"eventual", ""},
    LevelRow{"weak", ""},
};
/// What a row's text stands for.
Consistency level_of(std::string_view text);

/// Why something is not promised.
struct Denial {
  std::string_view level;  ///< of a LevelRow
  Demands demands;
  std::string_view kept;  ///< a file of tests/data/permitted, without .txt; empty: there is none
  std::string_view why;   ///< why that shows it, or why nothing does
};
std::span<const Denial> denials();
/// One whose promise rests on something that can be taken away. `kept` shows what comes of it.
inline constexpr Denial kLeaseReads{
    "linearizable",
    {Demand::linearizable},
    "lease_stale_read",
    "Nodes that run with `lease-reads` trust the rates of monotonic clocks. A leader whose clock "
    "is slower than the bound takes its lease for valid when another one leads already."};

struct Standing {
  enum class Kind : std::uint8_t { promised, denied, no_place };
  Kind kind = Kind::promised;
  const Denial* denial = nullptr;  ///< of denied
  Demand shown = {};               ///< of denied: what the denial is about; implied by the demand
};

/// What reads at `read` and writes at `write` promise together, with what that implies.
Demands promised_demands(const Consistency& write, const Consistency& read);
/// What a guarantee of a run is asked as; nothing of no_loss and unique, which are about what is
/// there at the end.
std::optional<Demand> demand_of(Guarantee guarantee);
/// Those of a set that no other of it implies.
Demands strongest(Demands demands);

/// Why reads at one level promise of writes at another what they do.
enum class PairRule : std::uint8_t {
  one_log,
  early,  ///< writes that are acknowledged before they are committed
  majorities,
  sets_meet,
  sets_miss,
  sessions,
  weak,
  apart,  ///< two protocols
};
/// By PairRule: the argument.
inline constexpr std::array<std::string_view, 8> kPairRules{
    "Both go through the one log. A write has its place there before it is acknowledged, whichever "
    "of the four levels wrote it; the level of the read decides which state of the log is shown.",
    "Both go through the one log, but an acknowledged write may never come to be in it. Whatever "
    "reads, the write's promise begins at the commit.",
    "Any two majorities share a node, and a read that shows a version has stored it at a majority "
    "before (Attiya, Bar-Noy and Dolev 1995).",
    "`r + w` is above the number of replicas: what is asked has one of those that have "
    "acknowledged (DeCandia et al. 2007).",
    "What is asked need not have one of those that have acknowledged.",
    "Both go by what sessions have seen. `ryw` and `mr` are the reader's to ask for, `mw` and "
    "`wfr` the writer's; clients tell the last two by reading twice, so they need a reader who "
    "reads monotonically. All four on both sides are causal convergence.",
    "A crash may take the write back, whatever reads.",
    "What one way of writing has acknowledged is no promise to another way of reading "
    "(docs/ARCHITECTURE.md). All versions of a key are merged by one rule on every node, so that "
    "nodes converge.",
};
/// Levels that are told of as one side of a pair.
struct PairSide {
  std::string_view level;
  std::string_view shown;  ///< in Markdown, with those for which the same is true
};
inline constexpr std::array kPairWrites{
    PairSide{"linearizable", "`linearizable`, `sequential`, `bounded`, `prefix`"},
    PairSide{"linearizable; ack=leader", "the same with `ack=leader` or `semi-sync`"},
    PairSide{"atomic", "`atomic`"},
    PairSide{"quorum", "`quorum`"},
    PairSide{"quorum; r=1; w=1", "`quorum; w=1`"},
    PairSide{"causal", "`causal`"},
    PairSide{"session; guarantees=\"mw,wfr\"", "`session; guarantees=\"mw,wfr\"`"},
    PairSide{"eventual", "`eventual`"},
    PairSide{"weak", "`weak`"},
};
inline constexpr std::array kPairReads{
    PairSide{"linearizable", "`linearizable`"},
    PairSide{"sequential", "`sequential`"},
    PairSide{"bounded; max_staleness_ms=1000", "`bounded`"},
    PairSide{"prefix", "`prefix`"},
    PairSide{"atomic", "`atomic`"},
    PairSide{"quorum", "`quorum`"},
    PairSide{"quorum; r=1; w=1", "`quorum; r=1`"},
    PairSide{"causal", "`causal`"},
    PairSide{"session; guarantees=\"ryw,mr\"", "`session; guarantees=\"ryw,mr\"`"},
    PairSide{"eventual", "`eventual`"},
    PairSide{"weak", "`weak`"},
};
/// Of three nodes.
PairRule pair_rule(const Consistency& write, const Consistency& read);

/// Where there is no log there is no prefix of one.
bool has_place(const Consistency& level, Demand demand);

/// Of a row; asserts that contradictions() finds nothing about it.
Standing standing(const LevelRow& row, Demand demand);
/// What is denied although it is promised, denied twice, or neither promised nor denied; of rows
/// that there are not. In words, a line each.
std::vector<std::string> contradictions(std::span<const Denial> denials);

}  // namespace parallax::harness
