#include "consistency/level.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/assert.h"
#include "consistency/quoted.h"

namespace parallax {
namespace {

/// "linearizable (or strong), prefix, ... quorum (or one, two, three, all), ...".
std::string valid_levels() {
  std::string list;
  for (const LevelInfo& row : kLevels) {
    if (!list.empty()) list += ", ";
    list += row.name;
    if (!row.alias.empty()) list += fmt::format(" (or {})", row.alias);
    if (row.level != Level::quorum) continue;
    for (const QuorumName& name : kQuorumNames) {
      list += &name == &kQuorumNames.front() ? " (or " : ", ";
      list += name.name;
    }
    list += ")";
  }
  return list;
}

const LevelInfo* find_level(std::string_view text) {
  for (const LevelInfo& row : kLevels) {
    if (text == row.name || (!row.alias.empty() && text == row.alias)) return &row;
  }
  return nullptr;
}

Error unknown_level(std::string_view text) {
  return definite(ErrorCode::unknown_level, fmt::format("{} is no consistency level; use one of {}",
                                                        quoted(text), valid_levels()));
}

Error bad_parameter(std::string message) {
  return definite(ErrorCode::bad_parameter, std::move(message));
}

const LevelParameterInfo& parameter_info(LevelParameter parameter) {
  return kLevelParameters[static_cast<std::size_t>(parameter)];
}

/// "r, w, sloppy and repair"; "none".
std::string taken_by(const LevelInfo& level) {
  std::vector<std::string_view> names;
  for (const LevelParameterInfo& info : kLevelParameters) {
    if (level.parameters.contains(info.parameter)) names.push_back(info.name);
  }
  if (names.size() < 2) return names.empty() ? "none" : std::string(names.front());
  return fmt::format("{} and {}", fmt::join(names.begin(), names.end() - 1, ", "), names.back());
}

Error not_taken(const LevelInfo& level, std::string_view name) {
  return bad_parameter(fmt::format("{} is no parameter of {}, which takes {}", quoted(name),
                                   level.name, taken_by(level)));
}

/// 0: it is no number of replicas.
std::uint32_t replicas_of(std::string_view text) {
  if (text == "all") return Consistency::kAll;
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const bool good = error == std::errc{} && stop == end && number != Consistency::kAll;
  return good ? number : 0;
}

bool set_replicas(std::string_view text, std::uint32_t& out) {
  out = replicas_of(text);
  return out != 0;
}

/// "true" and "false" as in queries, "?1" and "?0" as in structured fields (RFC 8941, 3.3.6).
bool set_flag(std::string_view text, bool& out) {
  out = text == "true" || text == "?1";
  return out || text == "false" || text == "?0";
}

bool set_bound(std::string_view text, std::uint32_t least, std::uint32_t most,
               std::optional<std::uint32_t>& out) {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number < least || number > most) return false;
  out = number;
  return true;
}

/// One of a list of names that stands in the order of its enumeration.
template <class Names, class Enum>
bool set_named(const Names& names, std::string_view text, Enum& out) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return false;
  out = static_cast<Enum>(found - names.begin());
  return true;
}

/// As in queries, or between quotes, as a structured field has what holds commas.
bool set_guarantees(std::string_view text, SessionGuarantees& out) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  const Result<SessionGuarantees> guarantees = parse_guarantees(text);
  if (guarantees) out = *guarantees;
  return guarantees.has_value();
}

bool set_value(Consistency& consistency, const LevelArgument& argument) {
  const std::string_view value = argument.value;
  switch (argument.parameter) {
    case LevelParameter::r:
      return set_replicas(value, consistency.r);
    case LevelParameter::w:
      return set_replicas(value, consistency.w);
    case LevelParameter::sloppy:
      return set_flag(value, consistency.sloppy);
    case LevelParameter::repair:
      consistency.blocking_repair = value == "blocking";
      return consistency.blocking_repair || value == "async";
    case LevelParameter::guarantees:
      return set_guarantees(value, consistency.guarantees);
    case LevelParameter::max_staleness_ms:
      return set_bound(value, 1, kMaxStalenessMs, consistency.max_staleness_ms);
    case LevelParameter::max_lag:
      return set_bound(value, 0, kMaxLag, consistency.max_lag);
    case LevelParameter::on_violation:
      return set_named(kOnViolations, value, consistency.on_violation);
    case LevelParameter::ack:
      return set_named(kAcks, value, consistency.ack);
  }
  PARALLAX_UNREACHABLE("level parameter {}", static_cast<int>(argument.parameter));
}

void append_number(std::string_view name, std::uint32_t number, std::string& out) {
  char digits[std::numeric_limits<std::uint32_t>::digits10 + 1];
  const char* const end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
  out.append("; ").append(name).append("=");
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void append_replicas(std::string_view name, std::uint32_t count, std::string& out) {
  if (count == 0) return;
  if (count == Consistency::kAll) {
    out.append("; ").append(name).append("=all");
  } else {
    append_number(name, count, out);
  }
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// A level as it is being read.
struct Reading {
  Consistency consistency;
  EnumSet<LevelParameter> given;

  Result<void> take(const LevelArgument& argument) {
    PARALLAX_TRY(set_parameter(consistency, argument));
    if (given.contains(argument.parameter)) {
      return bad_parameter(
          fmt::format("{} is given twice", parameter_info(argument.parameter).name));
    }
    given.insert(argument.parameter);
    return {};
  }
};

Result<Reading> read_name(std::string_view text) {
  for (const QuorumName& row : kQuorumNames) {
    if (text != row.name) continue;
    return Reading{{.level = Level::quorum, .r = row.replicas, .w = row.replicas},
                   {LevelParameter::r, LevelParameter::w}};
  }
  const LevelInfo* const row = find_level(text);
  if (row == nullptr) return unknown_level(text);
  return Reading{{.level = row->level}, {}};
}

/// "r=2", or "sloppy", which means that it is so.
Result<void> take_text(std::string_view text, Reading& reading) {
  const std::size_t equals = std::min(text.find('='), text.size());
  const std::string_view name = trim(text.substr(0, equals));
  const std::string_view value =
      equals == text.size() ? std::string_view("?1") : trim(text.substr(equals + 1));
  for (const LevelParameterInfo& info : kLevelParameters) {
    if (info.name == name) return reading.take({info.parameter, value});
  }
  return not_taken(level_info(reading.consistency.level), name);
}

}  // namespace

const LevelInfo& level_info(Level level) {
  for (const LevelInfo& row : kLevels) {
    if (row.level == level) return row;
  }
  PARALLAX_UNREACHABLE("a level without a row: {}", static_cast<int>(level));
}

std::string Consistency::to_string() const {
  std::string text;
  append_to(text);
  return text;
}

void Consistency::append_to(std::string& out) const {
  const LevelInfo& info = level_info(level);
  out.append(info.name);
  if (info.parameters.contains(LevelParameter::r)) append_replicas("r", r, out);
  if (info.parameters.contains(LevelParameter::w)) append_replicas("w", w, out);
  if (sloppy && info.parameters.contains(LevelParameter::sloppy)) out.append("; sloppy");
  if (blocking_repair && info.parameters.contains(LevelParameter::repair)) {
    out.append("; repair=blocking");
  }
  if (info.parameters.contains(LevelParameter::guarantees)) {
    out.append("; guarantees=\"").append(guarantees.to_string()).append("\"");
  }
  if (max_staleness_ms && info.parameters.contains(LevelParameter::max_staleness_ms)) {
    append_number("max_staleness_ms", *max_staleness_ms, out);
  }
  if (max_lag && info.parameters.contains(LevelParameter::max_lag)) {
    append_number("max_lag", *max_lag, out);
  }
  if (on_violation != OnViolation::wait && info.parameters.contains(LevelParameter::on_violation)) {
    out.append("; on_violation=").append(kOnViolations[static_cast<std::size_t>(on_violation)]);
  }
  if (ack != Ack::majority && info.parameters.contains(LevelParameter::ack)) {
    out.append("; ack=").append(kAcks[static_cast<std::size_t>(ack)]);
  }
}

std::vector<std::string_view> level_names() {
  std::vector<std::string_view> names;
  for (const LevelInfo& row : kLevels) {
    names.push_back(row.name);
    if (!row.alias.empty()) names.push_back(row.alias);
  }
  for (const QuorumName& row : kQuorumNames) names.push_back(row.name);
  return names;
}

Result<Level> parse_level(std::string_view text) {
  const LevelInfo* const row = find_level(text);
  if (row == nullptr) return unknown_level(text);
  return row->level;
}

Result<void> set_parameter(Consistency& consistency, const LevelArgument& argument) {
  const LevelInfo& level = level_info(consistency.level);
  const LevelParameterInfo& info = parameter_info(argument.parameter);
  if (!level.parameters.contains(argument.parameter)) return not_taken(level, info.name);
  if (set_value(consistency, argument)) return {};
  return bad_parameter(
      fmt::format("{}={} must be {}", info.name, quoted(argument.value), info.values));
}

std::optional<Error> incomplete(const Consistency& consistency) {
  if (consistency.level != Level::bounded) return std::nullopt;
  if (consistency.max_staleness_ms || consistency.max_lag) return std::nullopt;
  return bad_parameter("bounded needs a bound: max_staleness_ms, max_lag or both");
}

Result<Consistency> parse_consistency(std::string_view text,
                                      std::span<const LevelArgument> beside) {
  PARALLAX_ASSIGN(Consistency consistency, parse_consistency_part(text, beside));
  if (auto error = incomplete(consistency)) return std::move(*error);
  return consistency;
}

Result<Consistency> parse_consistency_part(std::string_view text,
                                           std::span<const LevelArgument> beside) {
  std::size_t end = std::min(text.find(';'), text.size());
  PARALLAX_ASSIGN(Reading reading, read_name(trim(text.substr(0, end))));
  while (end != text.size()) {
    text.remove_prefix(end + 1);
    end = std::min(text.find(';'), text.size());
    PARALLAX_TRY(take_text(trim(text.substr(0, end)), reading));
  }
  for (const LevelArgument& argument : beside) PARALLAX_TRY(reading.take(argument));
  return reading.consistency;
}

}  // namespace parallax
