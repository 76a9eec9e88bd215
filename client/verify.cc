#include "client/verify.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

namespace parallax {
namespace {

template <class... Operands>
Error does_not_follow(fmt::format_string<Operands...> format, Operands&&... operands) {
  return definite(ErrorCode::corrupt, "the evidence does not carry the answer's level: " +
                                          fmt::format(format, std::forward<Operands>(operands)...));
}

/// How many replicas a number of a quorum names.
std::uint32_t replicas_of(std::uint32_t number, std::size_t members) {
  if (number == 0) return static_cast<std::uint32_t>(members / 2 + 1);
  return number == Consistency::kAll ? static_cast<std::uint32_t>(members) : number;
}

/// The level that a request of `asked` may be answered at: its own, where nothing gives way.
Result<void> check_level(const Asked& asked, const Answer& answer) {
  if (!asked.consistency) return {};
  Consistency due = *asked.consistency;
  const Consistency& named = answer.consistency;
  if (due.level == Level::sequential && asked.is_read && !asked.session) due = {Level::prefix};
  if (due.level == Level::quorum) {  // the answer has the numbers that held
    due.r = replicas_of(due.r, asked.members);
    due.w = replicas_of(due.w, asked.members);
  }
  if (asked.is_read) due.ack = Ack::majority;
  if (answer.evidence.degraded) {
    if (due.ack != Ack::semi_sync) return does_not_follow("degraded, where nothing can give way");
    due.ack = Ack::leader;
  }
  if (due == named) return {};
  return does_not_follow("{} was asked for, {} is named", due.to_string(), named.to_string());
}

/// `with_node`: whoever answers is among those on whose word it does.
Result<void> check_replicas(const Evidence& evidence, std::size_t least, std::size_t members,
                            bool with_node = true) {
  const std::vector<NodeId>& replicas = evidence.replicas;
  if (!std::is_sorted(replicas.begin(), replicas.end(), std::less_equal<>{})) {
    return does_not_follow("replicas are no set in order");
  }
  if (std::find(replicas.begin(), replicas.end(), evidence.node) == replicas.end()) {
    if (with_node) {
      return does_not_follow("node {} answered and is none of the replicas", evidence.node);
    }
    if (replicas.size() >= members) {
      return does_not_follow("node {} answered and is none of {} replicas", evidence.node,
                             replicas.size());
    }
  }
  if (replicas.size() < least || replicas.size() > members) {
    return does_not_follow("{} replicas, {} to {} expected", replicas.size(), least, members);
  }
  return {};
}

Result<void> check_write_path(const Asked& asked, const Answer& answer) {
  const Evidence& evidence = answer.evidence;
  const std::size_t members = asked.members;
  const Ack ack = answer.consistency.ack;
  // A refusal that rests on nothing new is read, not written.
  const bool read = answer.refusal && evidence.path == Path::read_index;
  if (evidence.path != Path::log && !read) {
    return does_not_follow("a write by path {}", path_name(evidence.path));
  }
  if (evidence.degraded && ack != Ack::leader) {
    return does_not_follow("degraded at ack={}", kAcks[static_cast<std::size_t>(ack)]);
  }
  const LogIndex seen = asked.session ? asked.session->index : LogIndex{};
  if (!answer.replayed && (read ? evidence.index < seen : evidence.index <= seen)) {
    return does_not_follow("decided at {}, where the session has seen {}", evidence.index, seen);
  }
  const std::size_t majority = members / 2 + 1;
  // A refusal shows what the key holds, so it is committed, however early a write would be known.
  const bool whole = read || answer.refusal || answer.replayed || ack == Ack::majority;
  const std::size_t least = ack == Ack::all && !answer.refusal ? members
                            : whole                            ? majority
                            : ack == Ack::leader               ? 1
                                                               : std::min<std::size_t>(2, members);
  // Followers commit without the leader's disk, and one that has lost its office meanwhile answers
  // on the word of whoever leads now.
  return check_replicas(evidence, least, members, read);
}

Result<void> check_bounds(const Asked& asked, const Answer& answer) {
  const Consistency& level = answer.consistency;
  if (level.max_staleness_ms) {
    if (!answer.staleness_ms) return does_not_follow("it does not say how old it is");
    if (*answer.staleness_ms > *level.max_staleness_ms) {
      return does_not_follow("it is up to {} ms old, {} are allowed", *answer.staleness_ms,
                             *level.max_staleness_ms);
    }
  }
  if (level.max_lag) {
    const Evidence& evidence = answer.evidence;
    if (evidence.confirmed == LogIndex{}) {
      return does_not_follow("no leader has said what was committed");
    }
    if (asked.session && evidence.confirmed < asked.session->index) {
      return does_not_follow("{} was committed, where the session has seen {}", evidence.confirmed,
                             asked.session->index);
    }
    if (evidence.confirmed.value > evidence.index.value + *level.max_lag) {
      return does_not_follow("index {} is more than {} behind {}", evidence.index, *level.max_lag,
                             evidence.confirmed);
    }
  }
  return {};
}

Result<void> check_log_read(const Asked& asked, const Answer& answer) {
  const Evidence& evidence = answer.evidence;
  const bool leased = evidence.path == Path::lease &&
                      answer.consistency.level == Level::linearizable && asked.lease_reads;
  const bool confirmed = evidence.path == Path::read_index || leased;
  const bool here = evidence.path == Path::local && read_anywhere(answer.consistency.level);
  if (!confirmed && !here) {
    return does_not_follow("a {} read by path {}", level_info(answer.consistency.level).name,
                           path_name(evidence.path));
  }
  PARALLAX_TRY(check_replicas(evidence, confirmed ? asked.members / 2 + 1 : 1, asked.members));
  // What a session has seen of the log, linearizable and sequential reads have too.
  const bool ordered = answer.consistency.level == Level::linearizable ||
                       answer.consistency.level == Level::sequential;
  if (ordered && asked.session && asked.session->index > evidence.index) {
    return does_not_follow("index {}, where the session has seen {}", evidence.index,
                           asked.session->index);
  }
  if (evidence.degraded) return does_not_follow("a degraded read");
  return check_bounds(asked, answer);
}

/// How many replicas have something, by a leader that a majority has confirmed.
Result<void> check_count(const Asked& asked, const Answer& answer) {
  const Evidence& evidence = answer.evidence;
  if (evidence.path != Path::read_index) {
    return does_not_follow("a count by path {}", path_name(evidence.path));
  }
  if (evidence.degraded) return does_not_follow("a degraded count");
  if (evidence.replicas.size() != answer.replicas) {
    return does_not_follow("{} replicas are counted, {} are named", answer.replicas,
                           evidence.replicas.size());
  }
  if (asked.session && evidence.index < asked.session->index) {
    return does_not_follow("the count is of entry {}, where the session has seen {}",
                           evidence.index, asked.session->index);
  }
  return check_replicas(evidence, 0, asked.members, false);
}

Result<void> check_of_log(const Asked& asked, const Answer& answer) {
  const Evidence& evidence = answer.evidence;
  if (!evidence.sequenced) return does_not_follow("it went past the log");
  const bool bounded = asked.is_read && answer.consistency.max_lag;
  if (!bounded && evidence.confirmed != LogIndex{}) {
    return does_not_follow("a leader was asked what is committed, for nothing");
  }
  if (asked.is_count) return check_count(asked, answer);
  return asked.is_read ? check_log_read(asked, answer) : check_write_path(asked, answer);
}

Result<void> check_of_replicas(const Asked& asked, const Answer& answer) {
  const Evidence& evidence = answer.evidence;
  const Consistency& level = answer.consistency;
  if (evidence.sequenced)
    return does_not_follow("no log orders level {}", level_info(level.level).name);
  if (evidence.degraded)
    return does_not_follow("nothing of level {} gives way", level_info(level.level).name);
  if (evidence.confirmed != LogIndex{}) {
    return does_not_follow("a leader was asked, which level {} does without",
                           level_info(level.level).name);
  }
  PARALLAX_TRY(check_evidence(level, asked.is_read, evidence));
  if (level_info(level.level).protocol == Protocol::causal) {
    if (evidence.waited.count() < 0) return does_not_follow("it waited for less than no time");
    if (evidence.replicas != std::vector{evidence.node}) {
      return does_not_follow("a state of node {} on the word of others", evidence.node);
    }
    return {};
  }
  if (level.sloppy) return {};  // hints may count, and the node need not hold it
  const std::size_t least = level.level == Level::atomic   ? asked.members / 2 + 1
                            : level.level == Level::quorum ? (asked.is_read ? level.r : level.w)
                                                           : 1;
  // A node that asks others may itself have nothing to say: it recovers, or has an entry of the log
  // that may or may not be decided. What it writes it has on its own disk first.
  const bool asks_others = level.level == Level::atomic || level.level == Level::quorum;
  return check_replicas(evidence, least, asked.members, !(asked.is_read && asks_others));
}

/// Whether `now` says less than `before`. Incarnations that are over leave a session once every
/// node has what survives of them, and only where a later one is named.
bool goes_back(const OriginVector& before, const OriginVector& now, const SessionToken& after) {
  return std::any_of(before.entries().begin(), before.entries().end(), [&](const auto& entry) {
    const auto& [origin, count] = entry;
    const bool shed = now.at(origin) == 0 && after.names_later(origin);
    return !now.covers(origin, count) && !shed;
  });
}

Result<void> check_causal_session(const Asked& asked, const Answer& answer,
                                  const SessionToken& before) {
  const SessionToken& after = answer.session;
  const bool causal = level_info(answer.consistency.level).protocol == Protocol::causal;
  if (!causal && (after.read != before.read || after.write != before.write)) {
    return does_not_follow("level {} has no part in what the session has seen of causal ones",
                           level_info(answer.consistency.level).name);
  }
  if (!causal) return {};
  if (goes_back(before.read, after.read, after) || goes_back(before.write, after.write, after)) {
    return does_not_follow("the session has seen less than before");
  }
  if (asked.is_read || answer.refusal) {
    if (!before.write.dominates(after.write)) {
      return does_not_follow("the session has written, by a read");
    }
    return {};
  }
  const auto& entries = after.write.entries();
  const bool written = std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
    return entry.first.node == answer.evidence.node &&
           !before.write.covers(entry.first, entry.second);
  });
  if (!written) return does_not_follow("the write is not in its session");
  return {};
}

/// Where the session stands behind it: joined with what the answer has, and with nothing else.
Result<void> check_session(const Asked& asked, const Answer& answer) {
  const SessionToken before = asked.session.value_or(SessionToken{});
  const SessionToken& after = answer.session;
  // A count shows no state.
  const bool of_log =
      !asked.is_count && level_info(answer.consistency.level).protocol == Protocol::leader_follower;
  const bool early = !asked.is_read && (answer.consistency.ack == Ack::leader ||
                                        answer.consistency.ack == Ack::semi_sync);
  const bool either = early && !answer.refusal;  // it may have been committed by then
  const LogIndex joined = of_log ? std::max(before.index, answer.evidence.index) : before.index;
  if (after.index != joined && !(either && after.index == before.index)) {
    return does_not_follow("the session is at {}, {} expected", after.index, joined);
  }
  if (after.clock < before.clock) return does_not_follow("the session's clock goes back");
  if (answer.stamp && after.clock < answer.stamp->hlc) {
    return does_not_follow("the version is ahead of the session");
  }
  if (!before.cluster.empty() && before.cluster != after.cluster) {
    return does_not_follow("the session is of another cluster");
  }
  return check_causal_session(asked, answer, before);
}

}  // namespace

Result<void> verify(const Asked& asked, const Answer& answer) {
  if (answer.cached_for) return does_not_follow("it came from a near-cache, not from a node");
  PARALLAX_TRY(check_level(asked, answer));
  if (answer.evidence.node == kNoNode) return does_not_follow("nobody has answered");
  if (answer.evidence.term == Term{}) return does_not_follow("term 0");
  const Protocol protocol = level_info(answer.consistency.level).protocol;
  if (protocol != Protocol::causal && answer.evidence.waited.count() != 0) {
    return does_not_follow("it says how long it waited for a causal past");
  }
  if (protocol == Protocol::leader_follower) {
    PARALLAX_TRY(check_of_log(asked, answer));
  } else {
    PARALLAX_TRY(check_of_replicas(asked, answer));
  }
  return check_session(asked, answer);
}

}  // namespace parallax
