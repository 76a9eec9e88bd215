#include "node/operation_values.h"

#include <vector>

#include "node/operation.pb.h"

namespace parallax::operation_values {
namespace {

using google::protobuf::RepeatedPtrField;

void fill(RepeatedPtrField<forwarded::Session::Entry>& out, const OriginVector& vector) {
  for (const auto& [origin, count] : vector.entries()) {
    forwarded::Session::Entry& entry = *out.Add();
    entry.set_node(origin.node.value);
    entry.set_incarnation(origin.incarnation.value);
    entry.set_count(count);
  }
}

Result<OriginVector> read(std::string_view whose, std::string_view field,
                          const RepeatedPtrField<forwarded::Session::Entry>& in) {
  std::vector<OriginVector::Entry> entries;
  entries.reserve(static_cast<std::size_t>(in.size()));
  for (const forwarded::Session::Entry& entry : in) {
    const Origin origin{NodeId{entry.node()}, Incarnation{entry.incarnation()}};
    const Origin last = entries.empty() ? Origin{} : entries.back().first;
    if (origin.node == kNoNode || origin <= last) {
      return corrupt(whose, "session.{}: {}.{} behind {}.{}", field, origin.node,
                     origin.incarnation, last.node, last.incarnation);
    }
    if (entry.count() == 0) {
      return corrupt(whose, "session.{}: nothing of {}.{}", field, origin.node, origin.incarnation);
    }
    entries.emplace_back(origin, entry.count());
  }
  return OriginVector(std::move(entries));
}

}  // namespace

void fill(forwarded::Consistency& out, const Consistency& consistency) {
  out.set_level(std::string(level_info(consistency.level).name));
  out.set_r(consistency.r);
  out.set_w(consistency.w);
  out.set_sloppy(consistency.sloppy);
  out.set_blocking_repair(consistency.blocking_repair);
  if (consistency.max_staleness_ms) out.set_max_staleness_ms(*consistency.max_staleness_ms);
  if (consistency.max_lag) out.set_max_lag(*consistency.max_lag);
  out.set_on_violation(static_cast<std::uint32_t>(consistency.on_violation));
  out.set_ack(static_cast<std::uint32_t>(consistency.ack));
  if (consistency.level == Level::session) {
    out.set_guarantees(consistency.guarantees.to_string());
  }
}

Result<Consistency> read(std::string_view whose, const forwarded::Consistency& in) {
  auto level = parse_level(in.level());
  if (!level) return corrupt(whose, "level: {}", level.error().message);
  if (in.on_violation() >= kOnViolations.size()) {
    return corrupt(whose, "level: on_violation {}", in.on_violation());
  }
  if (in.ack() >= kAcks.size()) return corrupt(whose, "level: ack {}", in.ack());
  Consistency consistency{.level = *level,
                          .r = in.r(),
                          .w = in.w(),
                          .sloppy = in.sloppy(),
                          .blocking_repair = in.blocking_repair(),
                          .on_violation = static_cast<OnViolation>(in.on_violation()),
                          .ack = static_cast<Ack>(in.ack())};
  if (in.has_max_staleness_ms()) consistency.max_staleness_ms = in.max_staleness_ms();
  if (in.has_max_lag()) consistency.max_lag = in.max_lag();
  const std::pair<LevelParameter, bool> given[] = {
      {LevelParameter::r, in.r() != 0},
      {LevelParameter::w, in.w() != 0},
      {LevelParameter::sloppy, in.sloppy()},
      {LevelParameter::repair, in.blocking_repair()},
      {LevelParameter::guarantees, !in.guarantees().empty()},
      {LevelParameter::max_staleness_ms, in.has_max_staleness_ms()},
      {LevelParameter::max_lag, in.has_max_lag()},
      {LevelParameter::on_violation, in.on_violation() != 0},
      {LevelParameter::ack, in.ack() != 0},
  };
  const LevelInfo& info = level_info(*level);
  for (const auto& [parameter, set] : given) {
    if (!set || info.parameters.contains(parameter)) continue;
    return corrupt(whose, "level: {} with {}, which it does not take", info.name,
                   kLevelParameters[static_cast<std::size_t>(parameter)].name);
  }
  if (info.parameters.contains(LevelParameter::guarantees)) {
    const auto guarantees = parse_guarantees(in.guarantees());
    if (!guarantees) return corrupt(whose, "level: {}", guarantees.error().message);
    consistency.guarantees = *guarantees;
  }
  const bool in_range =
      (!consistency.max_staleness_ms ||
       (*consistency.max_staleness_ms >= 1 && *consistency.max_staleness_ms <= kMaxStalenessMs)) &&
      consistency.max_lag.value_or(0) <= kMaxLag;
  if (!in_range) return corrupt(whose, "level: {} is out of range", consistency.to_string());
  if (const auto error = incomplete(consistency))
    return corrupt(whose, "level: {}", error->message);
  return consistency;
}

void fill(forwarded::Stamp& out, const Stamp& stamp) {
  out.set_hlc(stamp.hlc.value);
  out.set_node(stamp.node.value);
}

Result<Stamp> read(std::string_view whose, std::string_view field, const forwarded::Stamp& in) {
  const Stamp stamp{Hlc{in.hlc()}, NodeId{in.node()}};
  if (stamp.empty() || stamp.node == kNoNode) return corrupt(whose, "{}: {}", field, stamp);
  return stamp;
}

void fill(forwarded::Context& out, const VersionVector& context) {
  for (const auto& [actor, hlc] : context.entries()) {
    forwarded::ContextEntry& entry = *out.add_entries();
    entry.set_path(static_cast<std::uint32_t>(actor.path));
    entry.set_node(actor.node.value);
    entry.set_incarnation(actor.incarnation.value);
    entry.set_hlc(hlc.value);
  }
}

Result<VersionVector> read(std::string_view whose, const forwarded::Context& in) {
  std::vector<VersionVector::Entry> entries;
  entries.reserve(static_cast<std::size_t>(in.entries_size()));
  for (const forwarded::ContextEntry& entry : in.entries()) {
    if (entry.path() > static_cast<std::uint32_t>(ActorPath::causal)) {
      return corrupt(whose, "context: path {}, at most {} expected", entry.path(),
                     static_cast<std::uint32_t>(ActorPath::causal));
    }
    const Actor actor{static_cast<ActorPath>(entry.path()), NodeId{entry.node()},
                      Incarnation{entry.incarnation()}};
    if (!entries.empty() && actor <= entries.back().first) {
      return corrupt(whose, "context: {} behind {}", actor.to_string(),
                     entries.back().first.to_string());
    }
    if (entry.hlc() == 0) return corrupt(whose, "context: nothing of {}", actor.to_string());
    entries.emplace_back(actor, Hlc{entry.hlc()});
  }
  return VersionVector(std::move(entries));
}

void fill(forwarded::Session& out, const SessionToken& session) {
  out.set_cluster_high(session.cluster.high);
  out.set_cluster_low(session.cluster.low);
  out.set_clock(session.clock.value);
  out.set_index(session.index.value);
  fill(*out.mutable_read(), session.read);
  fill(*out.mutable_write(), session.write);
}

Result<SessionToken> read(std::string_view whose, const forwarded::Session& in) {
  SessionToken session{.cluster = {in.cluster_high(), in.cluster_low()},
                       .clock = Hlc{in.clock()},
                       .index = LogIndex{in.index()},
                       .read = {},
                       .write = {}};
  PARALLAX_ASSIGN(session.read, read(whose, "read", in.read()));
  PARALLAX_ASSIGN(session.write, read(whose, "write", in.write()));
  return session;
}

void fill(forwarded::Policy& out, const Policy& policy) {
  if (policy.default_consistency) {
    fill(*out.mutable_default_consistency(), *policy.default_consistency);
  }
  out.set_mixing(std::string(mixing_name(policy.mixing)));
  out.set_conflict(std::string(conflict_name(policy.conflict)));
}

Result<Policy> read(std::string_view whose, const forwarded::Policy& in) {
  Policy policy;
  if (in.has_default_consistency()) {
    PARALLAX_ASSIGN(policy.default_consistency, read(whose, in.default_consistency()));
  }
  const auto mixing = parse_mixing(in.mixing());
  if (!mixing) return corrupt(whose, "policy.mixing: {}", mixing.error().message);
  const auto conflict = parse_conflict(in.conflict());
  if (!conflict) return corrupt(whose, "policy.conflict: {}", conflict.error().message);
  policy.mixing = *mixing;
  policy.conflict = *conflict;
  return policy;
}

}  // namespace parallax::operation_values
