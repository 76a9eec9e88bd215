#include "client/sla.h"

#include <algorithm>
#include <cmath>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace parallax {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

Error wrong(std::string message) {
  return definite(ErrorCode::bad_parameter, "service-level agreement: " + std::move(message));
}

Error in_entry(std::size_t number, const Error& error) {
  return definite(error.code,
                  fmt::format("service-level agreement: entry {}: {}", number, error.message));
}

Result<void> check_entry(const SlaEntry& entry) {
  if (auto error = incomplete(entry.consistency)) return std::move(*error);
  if (entry.latency < milliseconds{1} || entry.latency > kMaxSlaLatency) {
    return definite(
        ErrorCode::bad_parameter,
        fmt::format("latency_ms must be a whole number from 1 to {}", kMaxSlaLatency.count()));
  }
  if (!std::isfinite(entry.utility) || entry.utility <= 0) {
    return definite(ErrorCode::bad_parameter, "utility must be a number above 0");
  }
  return {};
}

Result<SlaEntry> read_entry(const json::value& value) {
  constexpr std::string_view kForm =
      R"(must be {"level": TEXT, "latency_ms": NUMBER, "utility": NUMBER})";
  const auto bad_form = [&] { return definite(ErrorCode::bad_parameter, std::string(kForm)); };
  const json::object* object = value.if_object();
  if (object == nullptr || object->size() != 3) return bad_form();
  const json::value* level = object->if_contains("level");
  const json::value* latency = object->if_contains("latency_ms");
  const json::value* utility = object->if_contains("utility");
  if (level == nullptr || latency == nullptr || utility == nullptr) return bad_form();
  if (!level->is_string() || !latency->is_number() || !utility->is_number()) return bad_form();
  SlaEntry entry;
  const json::string& name = level->get_string();
  PARALLAX_ASSIGN(entry.consistency, parse_consistency({name.data(), name.size()}));
  json::error_code error;
  const auto number = latency->to_number<std::int64_t>(error);
  entry.latency = milliseconds{error ? 0 : number};  // 0 is refused below
  entry.utility = utility->to_number<double>(error);
  return entry;
}

/// The answer without its value, as one at `level`.
Answer relabelled(const Answer& answer, const Consistency& level) {
  Answer out;
  out.consistency = level;
  out.consistency.ack = Ack::majority;  // of no use to a read
  out.stamp = answer.stamp;
  out.evidence = answer.evidence;
  out.staleness_ms = answer.staleness_ms;
  out.session = answer.session;
  return out;
}

bool carries_of_log(const Consistency& wanted, const Asked& asked, const Answer& answer,
                    Duration took) {
  // Without a session there is nothing that sequential has and prefix has not.
  const bool sessionless = wanted.level == Level::sequential && !asked.session;
  Answer as_wanted = relabelled(answer, sessionless ? Consistency{.level = Level::prefix} : wanted);
  Evidence& evidence = as_wanted.evidence;
  // Where a lease is taken for a confirmation, it is one for the weaker levels, too.
  if (evidence.path == Path::lease && asked.lease_reads) evidence.path = Path::read_index;
  if (!wanted.max_lag) evidence.confirmed = LogIndex{};
  if (evidence.path == Path::read_index) {
    // Everything that was committed when the request arrived is in it, and that was not before the
    // call.
    const auto since_call =
        static_cast<std::uint64_t>(std::chrono::ceil<milliseconds>(took).count());
    if (wanted.max_lag) evidence.confirmed = evidence.index;
    as_wanted.staleness_ms = std::min(since_call, answer.staleness_ms.value_or(since_call));
  }
  Asked as = asked;
  as.consistency = wanted;
  return verify(as, as_wanted).has_value();
}

bool carries_quorum(const Consistency& wanted, const Consistency& named, std::size_t members) {
  const std::size_t needed = wanted.r == 0                   ? members / 2 + 1
                             : wanted.r == Consistency::kAll ? members
                                                             : wanted.r;
  return named.level == Level::quorum && named.r >= needed && (!named.sloppy || wanted.sloppy) &&
         (named.blocking_repair || !wanted.blocking_repair);
}

bool has_guarantees(const Consistency& named, const SessionGuarantees& wanted) {
  if (named.level == Level::causal) return true;
  const SessionGuarantees& held = named.guarantees;
  return named.level == Level::session && (held.read_your_writes || !wanted.read_your_writes) &&
         (held.monotonic_reads || !wanted.monotonic_reads) &&
         (held.monotonic_writes || !wanted.monotonic_writes) &&
         (held.writes_follow_reads || !wanted.writes_follow_reads);
}

}  // namespace

std::string SlaEntry::to_string() const {
  return fmt::format("{} within {} ms", consistency.to_string(), latency.count());
}

Result<void> check_sla(const Sla& sla) {
  if (sla.entries.empty() || sla.entries.size() > kMaxSlaEntries) {
    return wrong(
        fmt::format("must have 1 to {} entries, has {}", kMaxSlaEntries, sla.entries.size()));
  }
  for (std::size_t i = 0; i < sla.entries.size(); ++i) {
    if (auto valid = check_entry(sla.entries[i]); !valid) return in_entry(i + 1, valid.error());
  }
  return {};
}

Result<Sla> parse_sla(std::string_view text) {
  json::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error);
  if (error || !value.is_array()) {
    return wrong(R"(must be a JSON list, like [{"level": "prefix", "latency_ms": 20, )"
                 R"("utility": 1}])");
  }
  Sla sla;
  for (const json::value& one : value.get_array()) {
    auto entry = read_entry(one);
    if (!entry) return in_entry(sla.entries.size() + 1, entry.error());
    sla.entries.push_back(std::move(*entry));
  }
  PARALLAX_TRY(check_sla(sla));
  return sla;
}

bool carries(const Consistency& wanted, const Asked& asked, const Answer& answer, Duration took) {
  if (!verify(asked, answer)) return false;
  const Consistency& named = answer.consistency;
  if (wanted.level == Level::quorum) return carries_quorum(wanted, named, asked.members);
  if (wanted == asked.consistency) return true;
  if (level_info(wanted.level).protocol == Protocol::leader_follower) {
    return level_info(named.level).protocol == Protocol::leader_follower &&
           carries_of_log(wanted, asked, answer, took);
  }
  switch (wanted.level) {
    case Level::session:
      return has_guarantees(named, wanted.guarantees);
    case Level::eventual:
      return named.level == Level::eventual || named.level == Level::causal ||
             named.level == Level::session;
    case Level::weak:
      return true;
    default:
      return named.level == wanted.level;
  }
}

std::optional<std::size_t> met_entry(const Sla& sla, const Asked& asked, const Answer& answer,
                                     Duration took) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < sla.entries.size(); ++i) {
    const SlaEntry& entry = sla.entries[i];
    if (took > entry.latency) continue;
    if (best && entry.utility <= sla.entries[*best].utility) continue;
    if (carries(entry.consistency, asked, answer, took)) best = i;
  }
  return best;
}

}  // namespace parallax
