#include "node/http_parameters.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "client/http_protocol.h"
#include "node/page_token.h"

namespace parallax {
namespace {

Error bad_parameter(std::string message) {
  return definite(ErrorCode::bad_parameter, std::move(message));
}

std::string route_name(const RouteInfo& route) {
  return fmt::format("{} {}", route.method, route.path);
}

Result<std::uint64_t> whole_number(const Field& field, std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end || number < field.least || number > field.most) {
    return bad_parameter(fmt::format("{}={} must be a whole number from {} to {}", field.name,
                                     quoted_for_message(text), field.least, field.most));
  }
  return static_cast<std::uint64_t>(number);
}

Result<bool> boolean(const Field& field, std::string_view text) {
  if (text != "true" && text != "false") {
    return bad_parameter(
        fmt::format("{}={} must be true or false", field.name, quoted_for_message(text)));
  }
  return text == "true";
}

Result<std::string> bounded(const Field& field, std::string text) {
  if (text.size() > static_cast<std::size_t>(field.most)) {
    return bad_parameter(
        fmt::format("{} has {} bytes; at most {} are taken", field.name, text.size(), field.most));
  }
  return text;
}

std::optional<std::string>& level_parameter(GivenParameters& out, LevelParameter parameter) {
  return out.level.parameters[static_cast<std::size_t>(parameter)];
}

/// A parameter of a level where none is named.
Error without_level(LevelParameter parameter) {
  std::vector<std::string_view> takers;
  for (const LevelInfo& level : kLevels) {
    if (level.parameters.contains(parameter)) takers.push_back(level.name);
  }
  return bad_parameter(fmt::format("{} says nothing without a level; name one that takes it: {}",
                                   kLevelParameters[static_cast<std::size_t>(parameter)].name,
                                   list_of(takers)));
}

/// What any level can be told that takes it at all; which level it is the policy says.
Result<void> take_beside_policy(const LevelArgument& argument, Request& request) {
  Consistency any{.level = Level::sequential};  // it takes both
  if (argument.parameter == LevelParameter::ack) {
    PARALLAX_TRY(set_parameter(any, argument));
    request.policy_ack = any.ack;
    return {};
  }
  if (argument.parameter == LevelParameter::on_violation) {
    PARALLAX_TRY(set_parameter(any, argument));
    request.policy_on_violation = any.on_violation;
    return {};
  }
  return without_level(argument.parameter);
}

Result<void> take_parameter(ParamId id, std::string value, GivenParameters& out) {
  const Field& field = param(id);
  switch (id) {
    case ParamId::consistency:
      out.level.consistency = std::move(value);
      return {};
    case ParamId::r:
      level_parameter(out, LevelParameter::r) = std::move(value);
      return {};
    case ParamId::w:
      level_parameter(out, LevelParameter::w) = std::move(value);
      return {};
    case ParamId::sloppy:
      level_parameter(out, LevelParameter::sloppy) = std::move(value);
      return {};
    case ParamId::repair:
      level_parameter(out, LevelParameter::repair) = std::move(value);
      return {};
    case ParamId::max_staleness_ms:
      level_parameter(out, LevelParameter::max_staleness_ms) = std::move(value);
      return {};
    case ParamId::max_lag:
      level_parameter(out, LevelParameter::max_lag) = std::move(value);
      return {};
    case ParamId::guarantees:
      level_parameter(out, LevelParameter::guarantees) = std::move(value);
      return {};
    case ParamId::on_violation:
      level_parameter(out, LevelParameter::on_violation) = std::move(value);
      return {};
    case ParamId::ack:
      level_parameter(out, LevelParameter::ack) = std::move(value);
      return {};
    case ParamId::timeout_ms: {
      PARALLAX_ASSIGN(const std::uint64_t number, whole_number(field, value));
      out.timeout = std::chrono::milliseconds{number};
      return {};
    }
    case ParamId::ttl_ms: {
      PARALLAX_ASSIGN(const std::uint64_t number, whole_number(field, value));
      out.ttl = std::chrono::milliseconds{number};
      return {};
    }
    case ParamId::forward: {
      PARALLAX_ASSIGN(out.forward, boolean(field, value));
      return {};
    }
    case ParamId::siblings: {
      PARALLAX_ASSIGN(out.siblings, boolean(field, value));
      return {};
    }
    case ParamId::reverse: {
      PARALLAX_ASSIGN(out.reverse, boolean(field, value));
      return {};
    }
    case ParamId::keys_only: {
      PARALLAX_ASSIGN(out.keys_only, boolean(field, value));
      return {};
    }
    case ParamId::prefix: {
      PARALLAX_ASSIGN(out.prefix, bounded(field, std::move(value)));
      return {};
    }
    case ParamId::start: {
      PARALLAX_ASSIGN(out.start, bounded(field, std::move(value)));
      return {};
    }
    case ParamId::end: {
      PARALLAX_ASSIGN(out.end, bounded(field, std::move(value)));
      return {};
    }
    case ParamId::next: {
      PARALLAX_ASSIGN(out.next, bounded(field, std::move(value)));
      return {};
    }
    case ParamId::limit: {
      PARALLAX_ASSIGN(out.limit, whole_number(field, value));
      return {};
    }
    case ParamId::from: {
      PARALLAX_ASSIGN(out.from, whole_number(field, value));
      return {};
    }
    case ParamId::to: {
      PARALLAX_ASSIGN(out.to, whole_number(field, value));
      return {};
    }
    case ParamId::session: {
      PARALLAX_ASSIGN(out.session, bounded(field, std::move(value)));
      return {};
    }
    case ParamId::replicas: {
      PARALLAX_ASSIGN(out.replicas, whole_number(field, value));
      return {};
    }
    case ParamId::op: {
      if (value != "read" && value != "write") {
        return bad_parameter(fmt::format("op={} must be read or write", quoted_for_message(value)));
      }
      out.op = std::move(value);
      return {};
    }
    case ParamId::key: {
      PARALLAX_ASSIGN(std::string key, check_key(std::move(value)));
      if (out.keys.size() == limits::kMaxScanLimit) {
        return bad_parameter(fmt::format("key is given more than {} times", limits::kMaxScanLimit));
      }
      out.keys.push_back(std::move(key));
      return {};
    }
  }
  PARALLAX_UNREACHABLE("parameter {}", static_cast<int>(id));
}

Error unknown_parameter(const RouteInfo& route, std::string_view name) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kParams.size(); ++i) {
    if (route.params.contains(static_cast<ParamId>(i))) names.push_back(kParams[i].name);
  }
  std::sort(names.begin(), names.end());
  return bad_parameter(fmt::format("{} is no parameter of {}, which takes {}",
                                   quoted_for_message(name), route_name(route),
                                   names.empty() ? "none" : list_of(names)));
}

/// Headers that ask for what no route does.
enum class Refused : std::uint8_t {
  condition,
  content_encoding,  ///< would be lost
  content_range,     ///< a part of a value cannot be written (RFC 9110, 14.5)
};
struct RefusedHeader {
  std::string_view name;
  Refused use;
};
constexpr std::array kRefusedHeaders{
    RefusedHeader{"If-Unmodified-Since", Refused::condition},
    RefusedHeader{"Content-Encoding", Refused::content_encoding},
    RefusedHeader{"Content-Range", Refused::content_range},
};

/// A header that the API knows and this route does not take.
Error not_taken(const RouteInfo& route, HeaderId id) {
  const std::string_view name = request_header(id).name;
  if (id == HeaderId::if_match || id == HeaderId::if_none_match) {
    return definite(ErrorCode::condition_unsupported,
                    fmt::format("{} cannot be decided by {}; PUT and DELETE of a key take "
                                "conditions, and GET of a key takes If-None-Match",
                                name, route_name(route)));
  }
  return definite(ErrorCode::bad_request, fmt::format("the header {} is not taken by {}; leave it "
                                                      "out",
                                                      name, route_name(route)));
}

Result<void> check_refused(const RefusedHeader& header, std::string_view value) {
  switch (header.use) {
    case Refused::condition:
      return definite(ErrorCode::condition_unsupported,
                      fmt::format("{} cannot be decided: versions have ETags and no dates; use "
                                  "If-Match",
                                  header.name));
    case Refused::content_encoding:
      if (same_header_name(value, "identity")) return {};
      return definite(ErrorCode::unsupported_media_type,
                      fmt::format("Content-Encoding {} is not kept with a value; send the bytes "
                                  "without it",
                                  quoted_for_message(value)));
    case Refused::content_range:
      return definite(ErrorCode::bad_request,
                      "Content-Range: a part of a value cannot be written; send all of it");
  }
  PARALLAX_UNREACHABLE("header use {}", static_cast<int>(header.use));
}

/// Lengths alone; what is in a header is read where it is used.
Result<void> check_length(HeaderId id, std::string_view value) {
  const Field& field = request_header(id);
  const bool counts_bytes = field.shape == Shape::text || field.shape == Shape::token;
  if (!counts_bytes) return {};
  const auto size = static_cast<std::int64_t>(value.size());
  if (size >= field.least && size <= field.most) return {};
  return definite(id == HeaderId::session ? ErrorCode::bad_session : ErrorCode::bad_request,
                  fmt::format("the {} has {} bytes; it must have {} to {}", field.name, size,
                              field.least, field.most));
}

}  // namespace

std::string list_of(const std::vector<std::string_view>& words) {
  if (words.size() < 2) return words.empty() ? std::string() : std::string(words.front());
  return fmt::format("{} and {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back());
}

Result<void> read_parameters(const RouteInfo& route, std::string_view text, GivenParameters& out) {
  if (text.empty() || route.any_query) return {};
  const bool keys = route.params.contains(ParamId::key);
  PARALLAX_ASSIGN(Query query, parse_query(text, keys ? param(ParamId::key).name : ""));
  for (QueryParameter& parameter : query) {
    const auto found = std::find_if(kParams.begin(), kParams.end(), [&](const Field& field) {
      return field.name == parameter.name;
    });
    const auto id = static_cast<ParamId>(found - kParams.begin());
    if (found == kParams.end() || !route.params.contains(id)) {
      return unknown_parameter(route, parameter.name);
    }
    out.given.insert(id);
    PARALLAX_TRY(take_parameter(id, std::move(parameter.value), out));
  }
  return {};
}

Result<GivenHeaders> read_headers(const RouteInfo& route, std::span<const HttpHeaderView> headers) {
  GivenHeaders out;
  if (!route.key_request && route.headers.empty()) return out;
  for (const HttpHeaderView& header : headers) {
    const auto same = [&](const auto& known) { return same_header_name(known.name, header.name); };
    const auto found = std::find_if(kRequestHeaders.begin(), kRequestHeaders.end(), same);
    if (found == kRequestHeaders.end()) {
      const auto refused = std::find_if(kRefusedHeaders.begin(), kRefusedHeaders.end(), same);
      if (refused != kRefusedHeaders.end()) PARALLAX_TRY(check_refused(*refused, header.value));
      continue;
    }
    const auto id = static_cast<HeaderId>(found - kRequestHeaders.begin());
    if (!route.headers.contains(id)) {
      // Every tool sends some type with a body, and JSON is JSON by whatever name.
      if (id == HeaderId::content_type) continue;
      return not_taken(route, id);
    }
    std::string_view& value = out.values[static_cast<std::size_t>(id)];
    if (value.data() != nullptr) {
      return definite(ErrorCode::bad_request,
                      fmt::format("the header {} is given twice", found->name));
    }
    value = header.value.data() == nullptr ? std::string_view("") : header.value;
    PARALLAX_TRY(check_length(id, value));
  }
  return out;
}

Result<void> apply_level(const GivenLevel& given, Request& request) {
  std::vector<LevelArgument> arguments;
  for (const LevelParameterInfo& info : kLevelParameters) {
    const auto& value = given.parameters[static_cast<std::size_t>(info.parameter)];
    if (value) arguments.push_back({info.parameter, *value});
  }
  if (given.consistency) {
    PARALLAX_ASSIGN(request.consistency, parse_consistency(*given.consistency, arguments));
    request.level_by_policy = false;
    return {};
  }
  for (const LevelArgument& argument : arguments) {
    if (request.level_by_policy) {
      PARALLAX_TRY(take_beside_policy(argument, request));
    } else {
      PARALLAX_TRY(set_parameter(request.consistency, argument));
    }
  }
  if (auto error = incomplete(request.consistency)) return std::move(*error);
  return {};
}

Result<void> apply_common(const GivenParameters& parameters, const GivenHeaders& headers,
                          Request& request) {
  request.level_by_policy = true;
  if (headers.has(HeaderId::consistency) && !parameters.level.consistency) {
    // Parameters of the query belong to it.
    PARALLAX_ASSIGN(request.consistency, parse_consistency_part(headers.of(HeaderId::consistency)));
    request.level_by_policy = false;
  }
  PARALLAX_TRY(apply_level(parameters.level, request));
  request.timeout = parameters.timeout;
  request.forward = parameters.forward;
  if (headers.has(HeaderId::session)) {
    PARALLAX_ASSIGN(request.session, SessionToken::decode(headers.of(HeaderId::session)));
  }
  return {};
}

std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) {
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  }
  return prefix;
}

Result<GivenRange> read_range(const GivenParameters& given) {
  Scan range;
  range.start = std::max(given.start, given.prefix);
  range.end = prefix_end(given.prefix);
  if (!given.end.empty() && (range.end.empty() || given.end < range.end)) range.end = given.end;
  range.limit = static_cast<std::uint32_t>(given.limit);
  range.reverse = given.reverse;
  range.keys_only = given.keys_only;
  if (!range.end.empty() && range.start > range.end) {
    return bad_parameter(
        given.prefix.empty()
            ? fmt::format("start={} is behind end={}; the start comes first in reverse too",
                          quoted_for_message(given.start), quoted_for_message(given.end))
            : fmt::format("start={} and end={} leave nothing of prefix={}",
                          quoted_for_message(given.start), quoted_for_message(given.end),
                          quoted_for_message(given.prefix)));
  }
  // Scripts pass an empty next for the first page.
  if (given.next.empty()) return GivenRange{range, range};

  PARALLAX_ASSIGN(PageToken token, decode_page_token(given.next));
  const bool bounds_given = given.given.contains(ParamId::prefix) ||
                            given.given.contains(ParamId::start) ||
                            given.given.contains(ParamId::end);
  const bool same_bounds = range.start == token.range.start && range.end == token.range.end;
  const bool same_order =
      !given.given.contains(ParamId::reverse) || range.reverse == token.range.reverse;
  if ((bounds_given && !same_bounds) || !same_order) {
    return bad_parameter(
        "next belongs to another range; pass prefix, start, end and reverse as for the first page, "
        "or next alone");
  }
  if (given.given.contains(ParamId::limit)) token.range.limit = range.limit;
  if (given.given.contains(ParamId::keys_only)) token.range.keys_only = range.keys_only;
  return GivenRange{token.range, token.rest()};
}

}  // namespace parallax
