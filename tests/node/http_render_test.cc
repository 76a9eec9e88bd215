#include "node/http_render.h"

#include <catch2/catch.hpp>

namespace parallax {
namespace {

Answer found_answer() {
  return Answer{.consistency = {.level = Level::prefix},
                .stamp = Stamp{Hlc{112233}, NodeId{2}},
                .found = true,
                .value = Bytes("value"),
                .content_type = "text/plain",
                .evidence = {.node = NodeId{1},
                             .term = Term{3},
                             .index = LogIndex{120},
                             .path = Path::local,
                             .replicas = {NodeId{1}}}};
}

std::string rendered(const KvForm& form, const Reply& reply, const HttpFraming& framing = {},
                     std::string_view leader = {}) {
  std::string out;
  append_kv_reply(form, reply, framing, leader, out);
  return out;
}

const std::string kAnswerHeaders =
    "ETag: \"112233-2\"\r\n"
    "Parallax-Consistency: prefix\r\n"
    "Parallax-Evidence: node=1, term=3, index=120, path=local, replicas=(1), sequenced=?0, "
    "degraded=?0\r\n";

}  // namespace

TEST_CASE("http render: a value") {
  const std::string head =
      "HTTP/1.1 200 OK\r\n" + kAnswerHeaders + "Content-Type: text/plain\r\nContent-Length: 5\r\n";
  CHECK(rendered({.op = KvOp::get}, found_answer()) == head + "\r\nvalue");
  CHECK(rendered({.op = KvOp::head}, found_answer(), {.head = true}) == head + "\r\n");
  CHECK(rendered({.op = KvOp::get}, found_answer(), {.keep_alive = false}) ==
        head + "Connection: close\r\n\r\nvalue");
  CHECK(rendered({.op = KvOp::get}, found_answer(), {.http10 = true, .date = "today"}) ==
        head + "Date: today\r\nConnection: keep-alive\r\n\r\nvalue");
}

TEST_CASE("http render: a value is copied once") {
  Answer answer = found_answer();
  answer.value = Bytes(std::string(1 << 20, 'v'));
  std::string out;
  append_kv_reply({.op = KvOp::get}, answer, {}, {}, out);
  // One reservation for all: whoever appended piece by piece would have ended with more.
  CHECK(out.capacity() < (1 << 20) + 2048);
  CHECK(out.size() > (1 << 20));
}

TEST_CASE("http render: content types that cannot be sent are not") {
  Answer answer = found_answer();
  for (const auto* type : {"", "a\r\nX: y", "a\x7f"}) {
    answer.content_type = type;
    const std::string out = rendered({.op = KvOp::get}, answer);
    CHECK(out.find("\r\nContent-Type: application/octet-stream\r\n") != std::string::npos);
    CHECK(out.find("X: y") == std::string::npos);
  }
}

TEST_CASE("http render: writes have no body") {
  Answer answer = found_answer();
  answer.found = false;
  answer.value = {};
  for (const KvOp op : {KvOp::put, KvOp::remove}) {
    CHECK(rendered({.op = op}, answer) == "HTTP/1.1 204 No Content\r\n" + kAnswerHeaders + "\r\n");
  }
}

TEST_CASE("http render: absence is an answer at a level") {
  Answer answer = found_answer();
  answer.found = false;
  const std::string body =
      "{\"type\":\"urn:parallax:error:not-found\",\"title\":\"Nothing is there\",\"status\":404,"
      "\"detail\":\"the key has no value\",\"code\":\"not-found\",\"outcome\":\"not_applied\","
      "\"retryable\":false}\n";
  CHECK(rendered({.op = KvOp::get}, answer) ==
        "HTTP/1.1 404 Not Found\r\n" + kAnswerHeaders +
            "Content-Type: application/problem+json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body);
  answer.stamp.reset();
  CHECK(rendered({.op = KvOp::get}, answer).find("ETag") == std::string::npos);
}

TEST_CASE("http render: not modified") {
  const KvForm same{.op = KvOp::get, .if_none_match = "\"1-1\", \"112233-2\""};
  CHECK(rendered(same, found_answer()) ==
        "HTTP/1.1 304 Not Modified\r\n" + kAnswerHeaders + "\r\n");
  CHECK(kv_status(same, found_answer()) == 304);
  CHECK(kv_status({.op = KvOp::get, .if_none_match = "*"}, found_answer()) == 304);
  CHECK(kv_status({.op = KvOp::get, .if_none_match = "\"1-1\""}, found_answer()) == 200);
  Answer absent = found_answer();
  absent.found = false;
  CHECK(kv_status(same, absent) == 404);
}

TEST_CASE("http render: errors of the node") {
  const std::string timeout =
      rendered({.op = KvOp::put}, indefinite(ErrorCode::timeout, "not committed in time"));
  CHECK(timeout.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"));
  CHECK(timeout.find("\"outcome\":\"unknown\"") != std::string::npos);
  CHECK(timeout.find("Parallax-Consistency") == std::string::npos);

  Error elsewhere = definite(ErrorCode::not_leader, "node 2 leads");
  elsewhere.leader = NodeId{2};
  const std::string redirect =
      rendered({.op = KvOp::get}, elsewhere, {.keep_alive = true}, "127.0.0.1:7102");
  CHECK(redirect.starts_with("HTTP/1.1 421 Misdirected Request\r\n"));
  CHECK(redirect.find("\"leader\":2,\"leader_address\":\"127.0.0.1:7102\"") != std::string::npos);

  const std::string busy = rendered({.op = KvOp::get}, definite(ErrorCode::overloaded, "busy"));
  CHECK(busy.starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
  CHECK(busy.find("\r\nRetry-After: 1\r\n") != std::string::npos);

  // What never leaves a process goes out as what it is to a client.
  for (const ErrorCode code : {ErrorCode::io, ErrorCode::corrupt, ErrorCode::refused}) {
    CHECK(problem_reply(definite(code, "x")).body.find("\"code\":\"internal\"") !=
          std::string::npos);
    CHECK(kv_status({}, definite(code, "x")) == 500);
  }
}

TEST_CASE("http render: every error has a reason phrase") {
  for (int i = 0; i <= static_cast<int>(ErrorCode::refused); ++i) {
    const HttpReply reply = problem_reply(definite(static_cast<ErrorCode>(i), "x"));
    std::string out;
    append_reply(reply, {}, out);
    CHECK(out.starts_with("HTTP/1.1 " + std::to_string(reply.status) + " "));
  }
}

}  // namespace parallax
