#include "node/http_render.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/assert.h"
#include "consistency/key_context.h"
#include "node/http_bodies.h"

namespace parallax {
namespace {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 300:
      return "Multiple Choices";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      PARALLAX_UNREACHABLE("a status without a reason: {}", status);
  }
}

void append_number(std::uint64_t number, std::string& out) {
  char digits[std::numeric_limits<std::uint64_t>::digits10 + 1];
  const char* const end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
  out.append(digits, static_cast<std::size_t>(end - digits));
}

// Every line ends where the next one begins, so that the end of one and the name of the next are
// one piece to append: pieces cost more than their bytes.

/// The end of the line before, and the beginning of a header's.
template <const std::string_view& kName>
constexpr auto kLineOf = [] {
  std::array<char, kName.size() + 4> line{'\r', '\n'};
  std::copy(kName.begin(), kName.end(), line.begin() + 2);
  line[kName.size() + 2] = ':';
  line[kName.size() + 3] = ' ';
  return line;
}();

template <const std::string_view& kName>
void begin_header(std::string& out) {
  out.append(kLineOf<kName>.data(), kLineOf<kName>.size());
}

void append_header(std::string_view name, std::string_view value, std::string& out) {
  out.append("\r\n").append(name).append(": ").append(value);
}

void append_status_line(int status, std::string& out) {
  switch (status) {  // the common ones whole
    case 200:
      out.append("HTTP/1.1 200 OK");
      return;
    case 204:
      out.append("HTTP/1.1 204 No Content");
      return;
    default:
      break;
  }
  out.append("HTTP/1.1 ");
  append_number(static_cast<std::uint64_t>(status), out);
  out.append(" ").append(reason_phrase(status));
}

/// Whether the status has no body by definition, so that no length is given (RFC 9110, 8.6).
bool bodiless(int status) {
  return status == 204 || status == 304;
}

/// The end of every header: length, framing, empty line.
void append_header_end(int status, std::size_t body_size, const HttpFraming& framing,
                       std::string& out) {
  if (!bodiless(status)) {
    out.append("\r\nContent-Length: ");
    append_number(body_size, out);
  }
  if (!framing.date.empty()) out.append("\r\nDate: ").append(framing.date);
  if (!framing.keep_alive) {
    out.append("\r\nConnection: close");
  } else if (framing.http10) {
    out.append("\r\nConnection: keep-alive");
  }
  out.append("\r\n\r\n");
}

/// What tells how the answer was reached; on absence and refusals too.
void append_answer_headers(const KvForm& form, const Answer& answer, std::string& out) {
  if (answer.stamp) {
    out.append("\r\nETag: \"");
    answer.stamp->append_to(out);
    out.push_back('"');
  }
  begin_header<http_header::kConsistency>(out);
  answer.consistency.append_to(out);
  begin_header<http_header::kSession>(out);
  answer.session.append_to(out);
  if (!form.key.empty() && form.op != KvOp::history) {
    begin_header<http_header::kContext>(out);
    append_key_context(form.key, answer.context, out);
  }
  begin_header<http_header::kEvidence>(out);
  answer.evidence.append_to(out);
  if (answer.staleness_ms) {
    begin_header<http_header::kStaleness>(out);
    append_number(*answer.staleness_ms, out);
  }
  if (answer.replayed) append_header(http_header::kIdempotencyReplayed, "true", out);
}

std::string absent_problem(std::string message) {
  return render_problem(Problem{.error = definite(ErrorCode::not_found, std::move(message))});
}

/// Room for every header of an answer, so that the value is copied exactly once.
constexpr std::size_t kHeaderRoom = 1024;

}  // namespace

HttpReply json_reply(int status, std::string body) {
  return HttpReply{.status = status,
                   .content_type = std::string(kJsonContentType),
                   .headers = {},
                   .body = std::move(body)};
}

HttpReply problem_reply(const Problem& problem) {
  const ErrorCode code = problem.error.code;
  if (code == ErrorCode::io || code == ErrorCode::corrupt || code == ErrorCode::refused) {
    Problem hidden = problem;
    hidden.error.code = ErrorCode::internal;
    return problem_reply(hidden);
  }
  if (!problem.etag && !problem.error.etag.empty()) {
    Problem whole = problem;
    whole.etag = Stamp::parse(problem.error.etag);
    if (whole.etag) return problem_reply(whole);
  }
  HttpReply reply{.status = error_info(code).http_status,
                  .content_type = std::string(kProblemContentType),
                  .headers = {},
                  .body = render_problem(problem)};
  // Without a leader or here only, another node or a moment helps more than a whole second's wait.
  // Replicas that did not answer in the time that there was will hardly do so at once.
  if (code == ErrorCode::overloaded || code == ErrorCode::not_enough_replicas) {
    reply.headers.emplace_back("Retry-After", "1");
  }
  return reply;
}

HttpReply problem_reply(Error error) {
  return problem_reply(Problem{.error = std::move(error)});
}

void append_reply(const HttpReply& reply, const HttpFraming& framing, std::string& out) {
  out.reserve(out.size() + kHeaderRoom + reply.body.size());
  append_status_line(reply.status, out);
  if (!reply.content_type.empty()) append_header("Content-Type", reply.content_type, out);
  for (const auto& [name, value] : reply.headers) append_header(name, value, out);
  append_header_end(reply.status, reply.body.size(), framing, out);
  if (!framing.head) out.append(reply.body);
}

int kv_status(const KvForm& form, const Reply& reply) {
  if (!reply) return problem_reply(reply.error()).status;
  if (reply->refusal) return error_info(reply->refusal->code).http_status;
  switch (form.op) {
    case KvOp::put:
    case KvOp::remove:
      // Received is all that weak says.
      return reply->consistency.level == Level::weak ? 202 : 204;
    case KvOp::put_policy:
    case KvOp::delete_policy:
      return 204;
    case KvOp::get_crdt:
      return reply->found ? 200 : error_info(ErrorCode::not_found).http_status;
    case KvOp::get_policy:
      return reply->policies.empty() ? error_info(ErrorCode::not_found).http_status : 200;
    case KvOp::update_crdt:
      return reply->consistency.level == Level::weak ? 202 : 200;
    case KvOp::increment:
    case KvOp::scan:
    case KvOp::get_many:
    case KvOp::history:
    case KvOp::list_policies:
    case KvOp::wait:
      return 200;
    case KvOp::get:
    case KvOp::head:
      break;
  }
  if (!reply->found) return error_info(ErrorCode::not_found).http_status;
  if (reply->items.size() > 1) return 300;
  const bool named = form.if_none_match && form.if_none_match->matches(reply->stamp);
  if (named && !reply->merged) return 304;
  return 200;
}

const std::string& absent_body(const KvForm& form) {
  // The same for every key, so that they need not be made.
  static const std::string no_value = absent_problem("the key has no value");
  static const std::string no_policy = absent_problem("the prefix has no policy of its own");
  return form.op == KvOp::get_policy ? no_policy : no_value;
}

void append_kv_reply(const KvForm& form, const Reply& reply, const HttpFraming& framing,
                     std::string_view leader_address, std::string& out) {
  if (!reply) {
    append_reply(problem_reply(Problem{.leader_address = std::string(leader_address),
                                       .error = reply.error()}),
                 framing, out);
    return;
  }
  const int status = kv_status(form, reply);
  const bool value = status == 200 && (form.op == KvOp::get || form.op == KvOp::head);
  std::string made;
  std::string_view body;
  std::string_view type;
  if (value) {
    body = reply->value.view();
    type = safe_content_type(reply->content_type);
  } else if (status >= 400) {
    if (reply->refusal) made = refusal_body(*reply);
    body = reply->refusal ? made : absent_body(form);
    type = kProblemContentType;
  } else if (!bodiless(status) && (status != 202 || form.op == KvOp::update_crdt)) {
    made = answer_body(form, *reply);
    body = made;
    type = kJsonContentType;
  }

  out.reserve(out.size() + kHeaderRoom + type.size() + body.size());
  append_status_line(status, out);
  append_answer_headers(form, *reply, out);
  if (!type.empty()) out.append("\r\nContent-Type: ").append(type);
  append_header_end(status, body.size(), framing, out);
  if (!framing.head && !bodiless(status)) out.append(body);
}

HttpReply batch_reply(const SessionToken& session, std::string body) {
  HttpReply reply = json_reply(200, std::move(body));
  // Where nothing was done there is no cluster to speak of.
  if (!session.cluster.empty()) {
    reply.headers.emplace_back(http_header::kSession, session.encode());
  }
  return reply;
}

}  // namespace parallax
