#include "node/http_render.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/assert.h"

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
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
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

void append_header(std::string_view name, std::string_view value, std::string& out) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_status_line(int status, std::string& out) {
  switch (status) {  // the common ones whole
    case 200:
      out.append("HTTP/1.1 200 OK\r\n");
      return;
    case 204:
      out.append("HTTP/1.1 204 No Content\r\n");
      return;
    default:
      break;
  }
  out.append("HTTP/1.1 ");
  append_number(static_cast<std::uint64_t>(status), out);
  out.append(" ").append(reason_phrase(status)).append("\r\n");
}

/// Whether the status has no body by definition, so that no length is given (RFC 9110, 8.6).
bool bodiless(int status) {
  return status == 204 || status == 304;
}

/// The end of every header: length, framing, empty line.
void append_header_end(int status, std::size_t body_size, const HttpFraming& framing,
                       std::string& out) {
  if (!bodiless(status)) {
    out.append("Content-Length: ");
    append_number(body_size, out);
    out.append("\r\n");
  }
  if (!framing.date.empty()) append_header("Date", framing.date, out);
  if (!framing.keep_alive) {
    out.append("Connection: close\r\n");
  } else if (framing.http10) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

/// Content types come from clients through peers and disks: what would break the header is not
/// sent.
std::string_view safe_content_type(std::string_view text) {
  const bool safe = std::all_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\t';
  });
  return text.empty() || !safe ? kDefaultContentType : text;
}

/// What tells how the answer was reached; on absence too.
void append_answer_headers(const Answer& answer, std::string& out) {
  if (answer.stamp) {
    out.append("ETag: \"").append(answer.stamp->to_string()).append("\"\r\n");
  }
  append_header(http_header::kConsistency, answer.consistency.to_string(), out);
  append_header(http_header::kEvidence, answer.evidence.to_string(), out);
}

/// The same for every key, so that it need not be kept or made.
const std::string& absent_problem() {
  static const std::string text =
      render_problem(Problem{.error = definite(ErrorCode::not_found, "the key has no value")});
  return text;
}

/// Room for every header of an answer, so that the value is copied exactly once.
constexpr std::size_t kHeaderRoom = 512;

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
  HttpReply reply{.status = error_info(code).http_status,
                  .content_type = std::string(kProblemContentType),
                  .headers = {},
                  .body = render_problem(problem)};
  // Without a leader or here only, another node or a moment helps more than a whole second's wait.
  if (code == ErrorCode::overloaded) reply.headers.emplace_back("Retry-After", "1");
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
  if (form.op == KvOp::put || form.op == KvOp::remove) return 204;
  if (!reply->found) return error_info(ErrorCode::not_found).http_status;
  if (!form.if_none_match.empty() && reply->stamp) {
    const Result<bool> matches = etag_list_matches(form.if_none_match, *reply->stamp);
    if (matches && *matches) return 304;
  }
  return 200;
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
  const bool has_value = status == 200;
  std::string_view body;
  if (has_value) body = reply->value.view();
  if (status == 404) body = absent_problem();

  out.reserve(out.size() + kHeaderRoom + reply->content_type.size() + body.size());
  append_status_line(status, out);
  append_answer_headers(*reply, out);
  if (has_value) append_header("Content-Type", safe_content_type(reply->content_type), out);
  if (status == 404) append_header("Content-Type", kProblemContentType, out);
  append_header_end(status, body.size(), framing, out);
  if (!framing.head && !bodiless(status)) out.append(body);
}

}  // namespace parallax
