#include "client/http_reply.h"

#include <charconv>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/assert.h"
#include "client/http_protocol.h"

namespace parallax {
namespace {

namespace json = boost::json;

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

template <class Number>
std::optional<Number> to_number(std::string_view text) {
  Number number{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || stop != text.data() + text.size()) return {};
  return number;
}

Refusal not_understood(bool is_read, std::string what) {
  std::string message = "the answer is not understood: " + what;
  return Refusal{
      .failure = {.stage = AttemptStage::answered,
                  .error = is_read ? definite(ErrorCode::corrupt, std::move(message))
                                   : indefinite(ErrorCode::corrupt, std::move(message)),
                  .retryable = is_read,
                  .retry_after = std::nullopt},
      .leader = {},
  };
}

/// A problem as far as it can be read. Not parse_problem(), which refuses codes that it does not
/// know: what a newer node says about the outcome and about retrying holds all the same.
struct Said {
  const ErrorInfo* info = nullptr;
  std::string detail;
  std::optional<bool> applied_unknown;
  std::optional<bool> retryable;
  LeaderHint leader;
};

std::string_view text_of(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

Said read_said(const std::string& body) {
  Said said;
  json::error_code error;
  const json::value value = json::parse(body, error);
  if (error || !value.is_object()) return said;
  const json::object& object = value.get_object();
  said.info = find_error(text_of(object, "code"));
  said.detail = std::string(text_of(object, "detail"));
  if (said.detail.empty()) said.detail = std::string(text_of(object, "title"));
  const std::string_view outcome = text_of(object, "outcome");
  if (outcome == "unknown") said.applied_unknown = true;
  if (outcome == "not_applied") said.applied_unknown = false;
  if (const json::value* retryable = object.if_contains("retryable");
      retryable != nullptr && retryable->is_bool()) {
    said.retryable = retryable->get_bool();
  }
  if (const json::value* leader = object.if_contains("leader"); leader && leader->is_number()) {
    said.leader.node = NodeId{leader->to_number<std::uint32_t>(error)};
  }
  if (const auto endpoint = parse_endpoint(text_of(object, "leader_address"))) {
    said.leader.endpoint = *endpoint;
  }
  return said;
}

/// What an HTTP status alone says, for answers without a problem that is known.
ErrorCode code_of_status(int status) {
  switch (status) {
    case 404:
      return ErrorCode::not_found;
    case 405:
      return ErrorCode::method_not_allowed;
    case 412:
      return ErrorCode::precondition_failed;
    case 413:
      return ErrorCode::payload_too_large;
    case 414:
      return ErrorCode::uri_too_long;
    case 415:
      return ErrorCode::unsupported_media_type;
    case 421:
      return ErrorCode::not_leader;
    case 429:
      return ErrorCode::overloaded;
    case 431:
      return ErrorCode::headers_too_large;
    case 503:
      return ErrorCode::level_unattainable;
    case 504:
      return ErrorCode::timeout;
    default:
      return status >= 400 && status < 500 ? ErrorCode::bad_request : ErrorCode::internal;
  }
}

}  // namespace

std::string_view http_method(KvMethod method) {
  switch (method) {
    case KvMethod::get:
      return "GET";
    case KvMethod::head:
      return "HEAD";
    case KvMethod::put:
      return "PUT";
    case KvMethod::remove:
      return "DELETE";
  }
  PARALLAX_UNREACHABLE("method {}", static_cast<int>(method));
}

std::string kv_path(std::string_view key) {
  return std::string(kKeyPathPrefix) + percent_encode(key);
}

std::string kv_query(const std::optional<Consistency>& consistency,
                     std::chrono::milliseconds timeout, bool forward) {
  std::string query = fmt::format("?timeout_ms={}", timeout.count());
  if (consistency) query += fmt::format("&consistency={}", level_info(consistency->level).name);
  if (!forward) query += "&forward=false";
  return query;
}

std::variant<Answer, Refusal> read_kv_answer(KvMethod method, const HttpResponse& response) {
  const bool read = is_read(method);
  const bool success =
      read ? response.status == 200
           : response.status == 200 || response.status == 202 || response.status == 204;
  // HEAD has no body to tell an absent key from a path that is no Parallax node's.
  const bool absent = read && response.status == 404 &&
                      (method == KvMethod::head ||
                       read_said(response.body).info == &error_info(ErrorCode::not_found));
  const std::string_view level = response.header(http_header::kConsistency);
  if (!success && !(absent && !level.empty())) return read_refusal(read, response);

  Answer answer;
  if (level.empty()) {
    return not_understood(
        read, fmt::format("a success ({}) without {}", response.status, http_header::kConsistency));
  }
  const auto consistency = parse_consistency(level);
  if (!consistency) {
    return not_understood(read, fmt::format("{} \"{}\": {}", http_header::kConsistency, level,
                                            consistency.error().message));
  }
  answer.consistency = *consistency;
  if (const std::string_view etag = response.header("ETag"); !etag.empty()) {
    const auto stamp = parse_etag(etag);
    if (!stamp) return not_understood(read, fmt::format("ETag {}", etag));
    answer.stamp = *stamp;
  }
  if (const std::string_view header = response.header(http_header::kEvidence); !header.empty()) {
    const auto evidence = parse_evidence(header);
    if (!evidence) return not_understood(read, evidence.error().message);
    answer.evidence = *evidence;
  }
  if (read && !absent) {
    answer.found = true;
    answer.value = Bytes(response.body);
    answer.content_type = std::string(response.header("Content-Type"));
  }
  return answer;
}

Refusal read_refusal(bool is_read, const HttpResponse& response) {
  const int status = response.status;
  if (status < 400 || status > 599) {
    return not_understood(is_read, fmt::format("unexpected status {}", status));
  }
  const Said said = read_said(response.body);
  const ErrorCode code = said.info != nullptr ? said.info->code : code_of_status(status);
  // Without a word about the outcome: a client error means that nothing was done, a server error
  // leaves it open.
  const bool unknown = !is_read && said.applied_unknown.value_or(status >= 500);
  std::string message =
      said.detail.empty() ? fmt::format("{} ({})", error_info(code).title, status) : said.detail;

  Refusal refusal;
  refusal.failure.stage = AttemptStage::answered;
  refusal.failure.error = Error{code, unknown ? Certainty::indefinite : Certainty::definite,
                                std::move(message), said.leader.node};
  const bool retryable_status = status == 421 || status == 429 || status >= 502;
  refusal.failure.retryable =
      said.retryable.value_or(said.info != nullptr ? said.info->retryable : retryable_status);
  if (const auto wait = to_number<std::uint32_t>(trim(response.header("Retry-After")))) {
    refusal.failure.retry_after = std::chrono::seconds{*wait};
  }
  refusal.leader = said.leader;
  return refusal;
}

}  // namespace parallax
