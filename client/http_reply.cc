#include "client/http_reply.h"

#include <charconv>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/assert.h"
#include "base/base64.h"
#include "client/answer_json.h"
#include "client/http_protocol.h"
#include "client/json_members.h"
#include "consistency/key_context.h"

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

/// A problem as far as it can be read. Not parse_problem(), which refuses codes that it does not
/// know: what a newer node says about the outcome and about retrying holds all the same.
struct Said {
  const ErrorInfo* info = nullptr;
  std::string detail;
  std::optional<bool> applied_unknown;
  std::optional<bool> retryable;
  LeaderHint leader;
  std::string etag;  ///< unquoted
  std::uint32_t required = 0;
  std::uint32_t received = 0;
};

std::string_view text_of(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

/// 0 when there is none.
std::uint32_t count_of(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return 0;
  json::error_code error;
  const auto count = value->to_number<std::uint32_t>(error);
  return error ? 0 : count;
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
  if (const auto etag = parse_etag(text_of(object, "etag"))) said.etag = etag->to_string();
  said.required = count_of(object, "required");
  said.received = count_of(object, "received");
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

bool is_success(const Operation& operation, int status) {
  if (status == 200) return true;
  if (const Get* get = std::get_if<Get>(&operation)) {
    return status == 304 || (status == 300 && get->siblings);
  }
  return !is_read(operation) && (status == 202 || status == 204);
}

/// What all answers have in their headers.
Result<void> read_headers(const Operation& operation, const HttpResponse& response,
                          Answer& answer) {
  const auto wrong = [](std::string message) {
    return definite(ErrorCode::corrupt, std::move(message));
  };
  const std::string_view level = response.header(http_header::kConsistency);
  if (level.empty()) {
    return wrong(
        fmt::format("a success ({}) without {}", response.status, http_header::kConsistency));
  }
  const auto consistency = parse_consistency(level);
  if (!consistency) {
    return wrong(fmt::format("{} \"{}\": {}", http_header::kConsistency, level,
                             consistency.error().message));
  }
  answer.consistency = *consistency;
  if (const std::string_view etag = response.header("ETag"); !etag.empty()) {
    const auto stamp = parse_etag(etag);
    if (!stamp) return wrong(fmt::format("ETag {}", etag));
    answer.stamp = *stamp;
  }
  if (const std::string_view header = response.header(http_header::kEvidence); !header.empty()) {
    PARALLAX_ASSIGN(answer.evidence, parse_evidence(header));
    PARALLAX_TRY(check_evidence(answer.consistency, is_read(operation), answer.evidence));
  }
  if (const std::string_view header = response.header(http_header::kContext); !header.empty()) {
    const std::string* key = operation_key(operation);
    if (key == nullptr) return wrong(fmt::format("{} for no key", http_header::kContext));
    PARALLAX_ASSIGN(answer.context, decode_key_context(*key, header));
  }
  PARALLAX_ASSIGN(auto session, read_session(response));
  if (session) answer.session = std::move(*session);
  answer.replayed = response.header(http_header::kIdempotencyReplayed) == "true";
  if (const std::string_view header = response.header(http_header::kStaleness); !header.empty()) {
    answer.staleness_ms = to_number<std::uint64_t>(trim(header));
    if (!answer.staleness_ms) return wrong(fmt::format("{} {}", http_header::kStaleness, header));
  }
  return {};
}

Result<void> read_value(bool head, const HttpResponse& response, Answer& answer) {
  answer.found = true;
  if (response.status == 300) {
    PARALLAX_ASSIGN(answer.items, parse_siblings_body(response.body));
    answer.value = answer.items.front().value;
    answer.content_type = answer.items.front().content_type;
    return {};
  }
  if (response.status == 304 || head) {
    answer.content_type = std::string(response.header("Content-Type"));
    return {};
  }
  answer.value = Bytes(response.body);
  answer.content_type = std::string(response.header("Content-Type"));
  return {};
}

Result<void> read_body(const Operation& operation, bool head, const HttpResponse& response,
                       Answer& answer) {
  if (std::holds_alternative<Get>(operation)) return read_value(head, response, answer);
  if (std::holds_alternative<Increment>(operation)) {
    PARALLAX_ASSIGN(answer.number, parse_increment_body(response.body));
  } else if (std::holds_alternative<UpdateCrdt>(operation) ||
             std::holds_alternative<GetCrdt>(operation)) {
    answer.found = std::holds_alternative<GetCrdt>(operation);
    PARALLAX_ASSIGN(answer.crdt, parse_crdt_body(response.body));
  } else if (std::holds_alternative<Scan>(operation) ||
             std::holds_alternative<GetMany>(operation)) {
    return parse_items_body(response.body, answer);
  } else if (std::holds_alternative<ReadHistory>(operation)) {
    return parse_history_body(response.body, answer);
  } else if (std::holds_alternative<ListPolicies>(operation)) {
    return parse_policies_body(response.body, answer);
  } else if (std::holds_alternative<CountReplicas>(operation)) {
    PARALLAX_ASSIGN(answer.replicas, parse_replicas_body(response.body));
  } else if (const GetPolicy* get = std::get_if<GetPolicy>(&operation)) {
    answer.found = true;
    return parse_policy_body(response.body, get->prefix, answer);
  }
  return {};
}

}  // namespace

Refusal refuse_misunderstood(bool is_read, std::string what) {
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

Result<std::optional<SessionToken>> read_session(const HttpResponse& response) {
  const std::string_view header = response.header(http_header::kSession);
  if (header.empty()) return std::optional<SessionToken>{};
  PARALLAX_ASSIGN(SessionToken token, SessionToken::decode(header));
  return std::optional<SessionToken>{std::move(token)};
}

std::variant<Answer, Refusal> read_answer(const Operation& operation, bool head,
                                          const HttpResponse& response) {
  const bool read = is_read(operation);
  // HEAD has no body to tell an absent key from a path that is no Parallax node's.
  const bool absent = read && response.status == 404 &&
                      !response.header(http_header::kConsistency).empty() &&
                      (head || read_said(response.body).info == &error_info(ErrorCode::not_found));
  if (!is_success(operation, response.status) && !absent) return read_refusal(read, response);
  Answer answer;
  if (auto good = read_headers(operation, response, answer); !good) {
    return refuse_misunderstood(read, good.error().message);
  }
  if (absent) return answer;
  if (auto good = read_body(operation, head, response, answer); !good) {
    return refuse_misunderstood(read, good.error().message);
  }
  return answer;
}

std::variant<BatchAnswers, Refusal> read_batch_answers(
    const std::vector<BatchOperation>& operations, const HttpResponse& response) {
  bool read = true;
  for (const BatchOperation& one : operations) {
    read = read && std::holds_alternative<Get>(one.operation);
  }
  if (response.status != 200) return read_refusal(read, response);
  const auto responses = parse_batch_body(response.body);
  if (!responses) return refuse_misunderstood(read, responses.error().message);
  if (responses->size() != operations.size()) {
    return refuse_misunderstood(
        read, fmt::format("{} results for {} operations", responses->size(), operations.size()));
  }
  BatchAnswers answers;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Operation operation =
        std::visit([](const auto& one) -> Operation { return one; }, operations[i].operation);
    auto outcome = read_answer(operation, false, (*responses)[i]);
    if (auto* refusal = std::get_if<Refusal>(&outcome)) {
      answers.emplace_back(std::move(refusal->failure.error));
    } else {
      answers.emplace_back(std::move(std::get<Answer>(outcome)));
    }
  }
  return answers;
}

Refusal read_refusal(bool is_read, const HttpResponse& response) {
  const int status = response.status;
  if (status < 400 || status > 599) {
    return refuse_misunderstood(is_read, fmt::format("unexpected status {}", status));
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
  refusal.failure.error = Error{code,
                                unknown ? Certainty::indefinite : Certainty::definite,
                                std::move(message),
                                said.leader.node,
                                said.etag,
                                said.required,
                                said.received};
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
