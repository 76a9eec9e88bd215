// The one list of consistency levels.
//
// A level is a rule for which version a read may return and when a write may be acknowledged. A
// request names its level; the reply names the level that it got, and they are never silently
// apart.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_set.h"
#include "base/error.h"
#include "consistency/session_guarantees.h"

namespace parallax {

enum class Level : std::uint8_t {
  linearizable,  ///< the leader's newest, as if there were one copy (Herlihy and Wing 1990)
  sequential,    ///< one order for all, in which each session's own is kept (Lamport 1979)
  bounded,       ///< as prefix, and never older than a bound (Terry 2013)
  prefix,        ///< some state that the log really passed through, possibly old
  atomic,        ///< a linearizable register without a leader (Attiya, Bar-Noy and Dolev 1995)
  quorum,        ///< r replicas answer a read, w acknowledge a write (DeCandia et al. 2007)
  causal,        ///< this replica, once it has all that the session has seen (Lloyd et al. 2011)
  session,       ///< likewise, for the guarantees that are chosen (Terry et al. 1994)
  eventual,      ///< this replica; all converge (Terry et al. 1995)
  weak,          ///< this replica, and a write may be lost
};

/// The protocol that carries a level's operations.
enum class Protocol : std::uint8_t { leader_follower, quorum, causal, none };

/// What a level can be told beside its name.
enum class LevelParameter : std::uint8_t {
  r,
  w,
  sloppy,
  repair,
  guarantees,
  max_staleness_ms,
  max_lag,
  on_violation,
  ack,
};

/// The most that a bound may be: a day, and more entries than a log keeps for anybody.
inline constexpr std::uint32_t kMaxStalenessMs = 86'400'000;
inline constexpr std::uint32_t kMaxLag = 1'000'000'000;

struct LevelParameterInfo {
  LevelParameter parameter;
  std::string_view name;    ///< as in headers, queries and bodies
  std::string_view values;  ///< what it may be, for messages
};
/// By LevelParameter.
inline constexpr std::array kLevelParameters{
    LevelParameterInfo{LevelParameter::r, "r", "a whole number from 1 to the replicas, or all"},
    LevelParameterInfo{LevelParameter::w, "w", "a whole number from 1 to the replicas, or all"},
    LevelParameterInfo{LevelParameter::sloppy, "sloppy", "true or false"},
    LevelParameterInfo{LevelParameter::repair, "repair", "async or blocking"},
    LevelParameterInfo{LevelParameter::guarantees, "guarantees",
                       "some of ryw, mr, mw, wfr, with commas between them"},
    LevelParameterInfo{LevelParameter::max_staleness_ms, "max_staleness_ms",
                       "a whole number from 1 to 86400000"},
    LevelParameterInfo{LevelParameter::max_lag, "max_lag", "a whole number from 0 to 1000000000"},
    LevelParameterInfo{LevelParameter::on_violation, "on_violation", "wait, forward or reject"},
    LevelParameterInfo{LevelParameter::ack, "ack", "leader, semi-sync, majority or all"},
};

/// What a replica does that cannot serve a level yet.
enum class OnViolation : std::uint8_t {
  wait,     ///< until it can, or the deadline
  forward,  ///< to one that can, as far as it knows of one: on the log's path the leader
  reject,   ///< with level-unattainable
};
/// By OnViolation, as on the wire.
inline constexpr std::array<std::string_view, 3> kOnViolations{"wait", "forward", "reject"};

/// How many replicas hold a leader-path write durably before it is acknowledged.
enum class Ack : std::uint8_t {
  majority,   ///< committed, and applied at the leader
  leader,     ///< the leader; the level's promise begins at commit
  semi_sync,  ///< and one follower, as long as there is one that answers
  all,        ///< every member, and committed
};
/// By Ack, as on the wire.
inline constexpr std::array<std::string_view, 4> kAcks{"majority", "leader", "semi-sync", "all"};

struct LevelInfo {
  Level level;
  std::string_view name;
  std::string_view alias;  ///< another name for it, or empty
  Protocol protocol;
  std::string_view write_acknowledged_when;
  std::string_view read_returns;
  std::string_view promise;
  EnumSet<LevelParameter> parameters = {};  ///< that it takes; on reads and writes alike
};

inline constexpr std::array kLevels{
    LevelInfo{Level::linearizable,
              "linearizable",
              "strong",
              Protocol::leader_follower,
              "committed on a majority and applied at the leader",
              "the leader's winner after a read round",
              "linearizability",
              {LevelParameter::ack}},
    LevelInfo{Level::sequential,
              "sequential",
              "",
              Protocol::leader_follower,
              "committed on a majority and applied at the leader",
              "any replica's state that has applied what the session has seen; prefix without a "
              "session",
              "sequential consistency: one order for all, in which each session's own is kept",
              {LevelParameter::on_violation, LevelParameter::ack}},
    LevelInfo{
        Level::bounded,
        "bounded",
        "",
        Protocol::leader_follower,
        "committed on a majority and applied at the leader",
        "any replica's applied state that is within the bound",
        "a consistent prefix of the log, never older than max_staleness_ms and never more than "
        "max_lag entries behind",
        {LevelParameter::max_staleness_ms, LevelParameter::max_lag, LevelParameter::on_violation,
         LevelParameter::ack}},
    LevelInfo{Level::prefix,
              "prefix",
              "",
              Protocol::leader_follower,
              "committed on a majority and applied at the leader",
              "any replica's applied state",
              "a consistent prefix of the log",
              {LevelParameter::ack}},
    LevelInfo{Level::atomic, "atomic", "", Protocol::quorum,
              "a majority was asked and then a majority has stored it durably",
              "the newest that a majority holds, once a majority holds it",
              "linearizability, without a leader"},
    LevelInfo{
        Level::quorum,
        "quorum",
        "",
        Protocol::quorum,
        "w replicas have stored it durably",
        "the newest that r replicas hold",
        "with r + w > n no read is older than a write completed before it began",
        {LevelParameter::r, LevelParameter::w, LevelParameter::sloppy, LevelParameter::repair}},
    LevelInfo{Level::causal,
              "causal",
              "",
              Protocol::causal,
              "the receiving node has what the session has seen, and has stored it durably",
              "what the receiving node holds, once it has what the session has seen",
              "causal consistency, and convergence",
              {LevelParameter::on_violation}},
    LevelInfo{Level::session,
              "session",
              "",
              Protocol::causal,
              "as at causal, for what the chosen guarantees need",
              "as at causal, for what the chosen guarantees need",
              "the chosen ones of read your writes, monotonic reads, monotonic writes, writes "
              "follow reads",
              {LevelParameter::guarantees, LevelParameter::on_violation}},
    LevelInfo{Level::eventual, "eventual", "", Protocol::quorum,
              "the receiving node has stored it durably", "what the receiving node holds",
              "convergence"},
    LevelInfo{Level::weak, "weak", "", Protocol::none, "it was received, not yet durable",
              "what the receiving node holds", "none"},
};

const LevelInfo& level_info(Level level);

/// What a request asks for: a level with its parameters. A value.
struct Consistency {
  /// Of r and w: every replica.
  static constexpr std::uint32_t kAll = 0xffff'ffff;

  Level level = Level::linearizable;
  // quorum. In an answer r and w are the numbers that held.
  std::uint32_t r = 0;           ///< replicas that a read takes the newest of; 0: a majority
  std::uint32_t w = 0;           ///< replicas that acknowledge a write; 0: a majority
  bool sloppy = false;           ///< a durable hint counts for the replica that it is for
  bool blocking_repair = false;  ///< a read waits until r replicas hold what it shows
  // session; never empty.
  SessionGuarantees guarantees = kAllGuarantees;
  // bounded: at least one of the two; both must hold.
  std::optional<std::uint32_t> max_staleness_ms = std::nullopt;  ///< 1 to kMaxStalenessMs
  std::optional<std::uint32_t> max_lag = std::nullopt;           ///< log entries, 0 to kMaxLag
  // sequential, bounded, causal, session.
  OnViolation on_violation = OnViolation::wait;
  // Writes of the leader's path; reads have no use for it.
  Ack ack = Ack::majority;
  /// As in the Parallax-Consistency header: the level, then its parameters ("quorum; r=2; w=2",
  /// "session; guarantees=\"ryw,mr\""; "; sloppy", "; repair=blocking", "; on_violation=..." and
  /// "; ack=..." where they are not what they are by default). Parameters that the level does not
  /// take are not shown.
  std::string to_string() const;
  /// Appends the same.
  void append_to(std::string& out) const;
  friend bool operator==(const Consistency&, const Consistency&) = default;
};

/// Names of the quorum level with r and w set, as users of other stores know them.
struct QuorumName {
  std::string_view name;
  std::uint32_t replicas;  ///< both r and w
};
inline constexpr std::array kQuorumNames{QuorumName{"one", 1}, QuorumName{"two", 2},
                                         QuorumName{"three", 3},
                                         QuorumName{"all", Consistency::kAll}};

/// Every text that names a level, with or without parameters in it.
std::vector<std::string_view> level_names();

/// A level by its name or alias; a QuorumName is none. Errors: unknown_level, naming the text and
/// the valid choices.
Result<Level> parse_level(std::string_view text);

/// A parameter that is given beside the level's name, as in a query: "r" and "2".
struct LevelArgument {
  LevelParameter parameter;
  std::string_view value;
};
/// Sets a parameter, whatever it was. Errors: bad_parameter, naming the parameter and what the
/// level takes, or its value and what would be right. Whether there are so many replicas is for the
/// node to say.
Result<void> set_parameter(Consistency& consistency, const LevelArgument& argument);

/// Whether any replica whose state is far enough serves its reads, from that alone.
constexpr bool read_anywhere(Level level) {
  return level == Level::sequential || level == Level::bounded || level == Level::prefix;
}

/// bounded without a bound says nothing: bad_parameter, naming both.
std::optional<Error> incomplete(const Consistency& consistency);

/// As parse_consistency(), where parameters may still come from elsewhere: the result can be
/// incomplete().
Result<Consistency> parse_consistency_part(std::string_view text,
                                           std::span<const LevelArgument> beside = {});

/// The inverse of Consistency::to_string(): a level by name, alias or QuorumName, then its
/// parameters, in any order; those of `beside` belong to them. Errors: unknown_level; bad_parameter
/// for a parameter that the level does not take, that is given twice (a QuorumName gives r and w),
/// whose value is wrong, or that is missing.
Result<Consistency> parse_consistency(std::string_view text,
                                      std::span<const LevelArgument> beside = {});

}  // namespace parallax
