// The one list of consistency levels.
//
// A level is a rule for which version a read may return and when a write may be acknowledged. A
// request names its level; the reply names the level that it got, and they are never silently
// apart.
#pragma once

#include <array>
#include <cstdint>
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
enum class LevelParameter : std::uint8_t { r, w, sloppy, repair, guarantees, on_violation };

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
    LevelParameterInfo{LevelParameter::on_violation, "on_violation", "wait, forward or reject"},
};

/// What a replica does that cannot serve a level yet.
enum class OnViolation : std::uint8_t {
  wait,     ///< until it can, or the request's time is over
  forward,  ///< passes the request on to a replica that can, as far as it knows of one; else waits
  reject,   ///< level_unattainable
};
/// The one list, as on the wire.
inline constexpr std::array kOnViolation{
    std::pair{OnViolation::wait, std::string_view("wait")},
    std::pair{OnViolation::forward, std::string_view("forward")},
    std::pair{OnViolation::reject, std::string_view("reject")}};

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
    LevelInfo{Level::linearizable, "linearizable", "strong", Protocol::leader_follower,
              "committed on a majority and applied at the leader",
              "the leader's winner after a read round", "linearizability"},
    LevelInfo{Level::prefix, "prefix", "", Protocol::leader_follower,
              "committed on a majority and applied at the leader", "any replica's applied state",
              "a consistent prefix of the log"},
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
  // causal and session.
  SessionGuarantees guarantees = kAllGuarantees;  ///< session; never empty
  OnViolation on_violation = OnViolation::wait;
  /// As in the Parallax-Consistency header: the level, then its parameters ("quorum; r=2; w=2",
  /// "session; guarantees=\"ryw,mr\""; "; sloppy", "; repair=blocking" and "; on_violation=reject"
  /// where they are so). Parameters that the level does not take are not shown.
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

/// The inverse of Consistency::to_string(): a level by name, alias or QuorumName, then its
/// parameters, in any order; those of `beside` belong to them. Errors: unknown_level; bad_parameter
/// for a parameter that the level does not take, that is given twice (a QuorumName gives r and w),
/// or whose value is wrong.
Result<Consistency> parse_consistency(std::string_view text,
                                      std::span<const LevelArgument> beside = {});

}  // namespace parallax
