// What levels do not promise, and what shows it (promise_table.h).
#include "harness/promise_table.h"

namespace parallax::harness {
namespace {

using enum Demand;

constexpr std::string_view kCommittedAlone =
    "None can be produced: reads show committed entries alone, in the order of the log. It is not "
    "promised all the same, because the level's promise begins at the commit.";
constexpr std::string_view kLostWrite =
    "An acknowledged write that no later leader knows of is one that every later read lacks, its "
    "session's too, for ever; and what that session wrote behind it may stand without it.";
constexpr std::string_view kDegraded =
    "Of three nodes two disks are a majority, so a write is lost only where the mode gave way and "
    "says so (`degraded=?1`): then it is a write at `ack=leader`. Of five nodes two disks are too "
    "few anyway.";
constexpr std::string_view kNoSession =
    "No such read or write is held against a session: the clients of the run may be one.";
constexpr std::string_view kLaterLost =
    "A write asks nobody before it is stamped. A session that goes on at a node whose clock is "
    "behind writes below what it has written, or read, before: its write loses and is not read.";
constexpr std::string_view kOwnStore =
    "The node answers from its own store. What others have acknowledged is not waited for, and "
    "how long they cannot be heard is bounded by nothing.";
constexpr std::string_view kOneDisk =
    "The write is acknowledged by one disk. Lost before another node has heard of it, it is gone.";
constexpr std::string_view kNotAsked =
    "It was not asked for, so nothing waits for it: the kept run has a session with other "
    "guarantees than this one.";
constexpr std::string_view kAsUnasked =
    "Nothing is held against a session, as at `session` without that guarantee.";
constexpr std::string_view kConcurrent =
    "Two sessions at two nodes each write, and then read what the other wrote to as it was before: "
    "both are answered at once, and no one order of the four explains it.";

constexpr std::array kDenials{
    Denial{"sequential",
           {fresh, bounded},
           "sequential_stale_read",
           "A replica waits for what the session knows, and for nothing else; while it is cut off "
           "nothing bounds how old its state is."},

    Denial{"bounded; max_staleness_ms=1000",
           {fresh, read_your_writes},
           "bounded_stale_read",
           "A read may lack what was acknowledged within the bound. Who had written that plays no "
           "part, because a bounded read does not look at its session."},
    Denial{"bounded; max_staleness_ms=1000",
           {monotonic_reads, monotonic_writes, writes_follow_reads},
           "prefix_goes_back",
           "Within the bound it is as at `prefix`: a client that changes nodes goes back, and then "
           "lacks what it has seen something behind."},

    Denial{"prefix",
           {fresh, bounded, read_your_writes},
           "sequential_stale_read",
           "A prefix read is a sequential one of a session that knows of nothing: what its replica "
           "has applied, whoever had written the newer value."},
    Denial{
        "prefix",
        {monotonic_reads, monotonic_writes, writes_follow_reads},
        "prefix_goes_back",
        "Each node goes along the log, but a client that changes nodes goes back, and then lacks "
        "what it has seen something behind."},

    Denial{"linearizable; ack=semi-sync",
           {fresh, bounded, read_your_writes, monotonic_writes, survives_crash, survives_disk},
           "ack_leader_write_lost",
           kDegraded},
    Denial{"linearizable; ack=semi-sync",
           {monotonic_reads, writes_follow_reads, prefix},
           "",
           kCommittedAlone},
    Denial{"linearizable; ack=leader",
           {fresh, bounded, read_your_writes, monotonic_writes, survives_crash, survives_disk},
           "ack_leader_write_lost",
           kLostWrite},
    Denial{"linearizable; ack=leader",
           {monotonic_reads, writes_follow_reads, prefix},
           "",
           kCommittedAlone},

    Denial{"quorum", {monotonic_reads}, "quorum_not_linearizable", kNoSession},
    Denial{"quorum",
           {read_your_writes, monotonic_writes, writes_follow_reads},
           "quorum_later_write_lost",
           kLaterLost},
    Denial{"quorum; sloppy",
           {fresh, bounded},
           "quorum_stale_read",
           "A hint counts for the replica that it is kept for, and no read asks for hints: what "
           "was asked for reads and what has acknowledged need not meet, as with a lower r + w."},
    Denial{"quorum; sloppy", {monotonic_reads}, "quorum_not_linearizable", kNoSession},
    Denial{"quorum; sloppy",
           {read_your_writes, monotonic_writes, writes_follow_reads},
           "quorum_later_write_lost",
           kLaterLost},
    Denial{"quorum; r=1; w=1",
           {fresh, bounded, read_your_writes},
           "quorum_stale_read",
           "What was asked and what has acknowledged need not meet, whoever has written."},
    Denial{"quorum; r=1; w=1",
           {monotonic_reads},
           "quorum_not_linearizable",
           "What more replicas permit, fewer do: no such read is held against a session."},
    Denial{"quorum; r=1; w=1",
           {monotonic_writes, writes_follow_reads},
           "quorum_later_write_lost",
           kLaterLost},
    Denial{"quorum; r=1; w=1", {survives_disk}, "quorum_write_lost_with_disk", kOneDisk},

    Denial{"causal",
           {fresh, bounded},
           "eventual_stale_read",
           "What the session knows is waited for. One that knows of nothing reads as at "
           "`eventual`: what the node has."},
    Denial{"causal", {sequential}, "causal_not_sequential", kConcurrent},
    Denial{"causal", {survives_disk}, "causal_write_lost_with_disk", kOneDisk},

    Denial{"session; guarantees=\"ryw\"", {fresh, bounded}, "eventual_stale_read", kOwnStore},
    Denial{"session; guarantees=\"ryw\"", {monotonic_reads}, "session_reads_go_back", kNotAsked},
    Denial{"session; guarantees=\"ryw\"",
           {monotonic_writes},
           "session_writes_out_of_order",
           kNotAsked},
    Denial{"session; guarantees=\"ryw\"",
           {writes_follow_reads},
           "session_write_before_read",
           kNotAsked},
    Denial{
        "session; guarantees=\"ryw\"", {survives_disk}, "session_write_lost_with_disk", kOneDisk},

    Denial{"session; guarantees=\"mr\"", {fresh, bounded}, "eventual_stale_read", kOwnStore},
    Denial{"session; guarantees=\"mr\"", {read_your_writes}, "session_own_write", kNotAsked},
    Denial{
        "session; guarantees=\"mr\"", {monotonic_writes}, "session_writes_out_of_order", kNotAsked},
    Denial{"session; guarantees=\"mr\"",
           {writes_follow_reads},
           "session_write_before_read",
           kNotAsked},
    Denial{"session; guarantees=\"mr\"", {survives_disk}, "session_write_lost_with_disk", kOneDisk},

    Denial{"session; guarantees=\"mr,mw\"", {fresh, bounded}, "eventual_stale_read", kOwnStore},
    Denial{"session; guarantees=\"mr,mw\"", {read_your_writes}, "session_own_write", kNotAsked},
    Denial{"session; guarantees=\"mr,mw\"",
           {writes_follow_reads},
           "session_write_before_read",
           kNotAsked},
    Denial{
        "session; guarantees=\"mr,mw\"", {survives_disk}, "session_write_lost_with_disk", kOneDisk},

    Denial{"session; guarantees=\"mr,wfr\"", {fresh, bounded}, "eventual_stale_read", kOwnStore},
    Denial{"session; guarantees=\"mr,wfr\"", {read_your_writes}, "session_own_write", kNotAsked},
    Denial{"session; guarantees=\"mr,wfr\"",
           {monotonic_writes},
           "session_writes_out_of_order",
           kNotAsked},
    Denial{"session; guarantees=\"mr,wfr\"",
           {survives_disk},
           "session_write_lost_with_disk",
           kOneDisk},

    Denial{"eventual", {fresh, bounded, read_your_writes}, "eventual_stale_read", kOwnStore},
    Denial{"eventual", {monotonic_reads}, "session_reads_go_back", kAsUnasked},
    Denial{"eventual", {monotonic_writes}, "session_writes_out_of_order", kAsUnasked},
    Denial{"eventual", {writes_follow_reads}, "session_write_before_read", kAsUnasked},
    Denial{"eventual", {survives_disk}, "eventual_write_lost_with_disk", kOneDisk},

    Denial{"weak", {fresh, bounded, read_your_writes}, "eventual_stale_read", kOwnStore},
    Denial{"weak", {monotonic_reads}, "session_reads_go_back", kAsUnasked},
    Denial{"weak", {monotonic_writes}, "session_writes_out_of_order", kAsUnasked},
    Denial{"weak", {writes_follow_reads}, "session_write_before_read", kAsUnasked},
    Denial{"weak",
           {survives_crash, survives_disk},
           "weak_write_lost",
           "A write is acknowledged before it is on any disk."},
    Denial{"weak",
           {converges},
           "",
           "None can be produced: nodes converge on what is left. The level promises nothing all "
           "the same."},
};

}  // namespace

std::span<const Denial> denials() {
  return kDenials;
}

}  // namespace parallax::harness
