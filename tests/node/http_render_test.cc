#include "node/http_render.h"

#include <catch2/catch.hpp>

#include "consistency/key_context.h"
#include "node/page_token.h"

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
                             .replicas = {NodeId{1}}},
                .context = VersionVector({{kLogActor, Hlc{112233}}}),
                .session = {.cluster = {1, 2}, .clock = Hlc{112233}, .index = LogIndex{120}}};
}

std::string rendered(const KvForm& form, const Reply& reply, const HttpFraming& framing = {},
                     std::string_view leader = {}) {
  std::string out;
  append_kv_reply(form, reply, framing, leader, out);
  return out;
}

KvForm form_of(KvOp op) {
  return {.op = op, .key = "k"};
}

/// What tells how an answer was reached; `key` empty: not about one key.
std::string claim_headers(const Answer& answer, const std::string& key = "k") {
  std::string text;
  if (answer.stamp) text += "ETag: \"" + answer.stamp->to_string() + "\"\r\n";
  text += "Parallax-Consistency: prefix\r\nParallax-Session: " + answer.session.encode() + "\r\n";
  if (!key.empty()) {
    text += "Parallax-Context: " + encode_key_context(key, answer.context) + "\r\n";
  }
  return text +
         "Parallax-Evidence: node=1, term=3, index=120, path=local, replicas=(1), sequenced=?0, "
         "degraded=?0\r\n";
}

/// The body of an answer that is JSON, after a look at its head.
std::string json_body_of(const std::string& out, int status, const std::string& headers) {
  const std::size_t end = out.find("\r\n\r\n");
  REQUIRE(end != std::string::npos);
  const std::string body = out.substr(end + 4);
  CHECK(out.starts_with("HTTP/1.1 " + std::to_string(status) + " "));
  const std::string head = out.substr(out.find("\r\n") + 2, end - out.find("\r\n"));
  CHECK(head == headers + "Content-Type: application/json\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n");
  CHECK(body.ends_with("}\n"));
  return body.substr(0, body.size() - 1);
}

}  // namespace

TEST_CASE("http render: a value") {
  const std::string head = "HTTP/1.1 200 OK\r\n" + claim_headers(found_answer()) +
                           "Content-Type: text/plain\r\nContent-Length: 5\r\n";
  CHECK(rendered(form_of(KvOp::get), found_answer()) == head + "\r\nvalue");
  CHECK(rendered(form_of(KvOp::head), found_answer(), {.head = true}) == head + "\r\n");
  CHECK(rendered(form_of(KvOp::get), found_answer(), {.keep_alive = false}) ==
        head + "Connection: close\r\n\r\nvalue");
  CHECK(rendered(form_of(KvOp::get), found_answer(), {.http10 = true, .date = "today"}) ==
        head + "Date: today\r\nConnection: keep-alive\r\n\r\nvalue");
}

TEST_CASE("http render: a value is copied once") {
  Answer answer = found_answer();
  answer.value = Bytes(std::string(1 << 20, 'v'));
  std::string out;
  append_kv_reply(form_of(KvOp::get), answer, {}, {}, out);
  // One reservation for all: whoever appended piece by piece would have ended with more.
  CHECK(out.capacity() < (1 << 20) + 2048);
  CHECK(out.size() > (1 << 20));
}

TEST_CASE("http render: content types that cannot be sent are not") {
  Answer answer = found_answer();
  for (const auto* type : {"", "a\r\nX: y", "a\x7f"}) {
    answer.content_type = type;
    const std::string out = rendered(form_of(KvOp::get), answer);
    CHECK(out.find("\r\nContent-Type: application/octet-stream\r\n") != std::string::npos);
    CHECK(out.find("X: y") == std::string::npos);
  }
}

TEST_CASE("http render: writes have no body") {
  Answer answer = found_answer();
  answer.found = false;
  answer.value = {};
  for (const KvOp op : {KvOp::put, KvOp::remove}) {
    CHECK(rendered(form_of(op), answer) ==
          "HTTP/1.1 204 No Content\r\n" + claim_headers(answer) + "\r\n");
  }
}

TEST_CASE("http render: a write at weak was received and no more") {
  Answer answer = found_answer();
  answer.consistency = {.level = Level::weak};
  for (const KvOp op : {KvOp::put, KvOp::remove}) {
    const std::string out = rendered(form_of(op), answer);
    CHECK(out.starts_with("HTTP/1.1 202 Accepted\r\n"));
    CHECK(out.find("\r\nParallax-Consistency: weak\r\n") != std::string::npos);
    CHECK(out.find("Content-Type") == std::string::npos);
    CHECK(out.ends_with("\r\nContent-Length: 0\r\n\r\n"));
  }
  CHECK(kv_status(form_of(KvOp::get), answer) == 200);
  CHECK(kv_status(form_of(KvOp::put_policy), answer) == 204);
  answer.refusal = definite(ErrorCode::mixing_denied, "no");
  CHECK(kv_status(form_of(KvOp::put), answer) == 409);
}

TEST_CASE("http render: an answer says which parameters held") {
  Answer answer = found_answer();
  answer.consistency = {.level = Level::quorum, .r = 2, .w = 3, .sloppy = true};
  CHECK(rendered(form_of(KvOp::get), answer)
            .find("\r\nParallax-Consistency: quorum; r=2; w=3; sloppy\r\n") != std::string::npos);
}

TEST_CASE("http render: too few replicas say how many and when to come again") {
  for (const bool sure : {false, true}) {
    Error few = sure ? definite(ErrorCode::not_enough_replicas, "x")
                     : indefinite(ErrorCode::not_enough_replicas, "x");
    few.required = 2;
    few.received = 1;
    const HttpReply reply = problem_reply(few);
    CHECK(reply.status == 503);
    CHECK(reply.headers == std::vector{std::pair<std::string, std::string>{"Retry-After", "1"}});
    CHECK(reply.body.find(sure ? R"("outcome":"not_applied","retryable":true,)"
                               : R"("outcome":"unknown","retryable":true,)") != std::string::npos);
    CHECK(reply.body.ends_with("\"required\":2,\"received\":1}\n"));
  }
  // None at all is a number too.
  Error none = definite(ErrorCode::not_enough_replicas, "x");
  none.required = 1;
  CHECK(problem_reply(none).body.ends_with("\"required\":1,\"received\":0}\n"));
}

TEST_CASE("http render: absence is an answer at a level") {
  Answer answer = found_answer();
  answer.found = false;
  const std::string body =
      "{\"type\":\"urn:parallax:error:not-found\",\"title\":\"Nothing is there\",\"status\":404,"
      "\"detail\":\"the key has no value\",\"code\":\"not-found\",\"outcome\":\"not_applied\","
      "\"retryable\":false}\n";
  CHECK(rendered(form_of(KvOp::get), answer) ==
        "HTTP/1.1 404 Not Found\r\n" + claim_headers(answer) +
            "Content-Type: application/problem+json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body);
  answer.stamp.reset();
  CHECK(rendered(form_of(KvOp::get), answer).find("ETag") == std::string::npos);
}

TEST_CASE("http render: not modified") {
  KvForm same = form_of(KvOp::get);
  same.if_none_match = EtagSet{.stamps = {{Hlc{1}, NodeId{1}}, {Hlc{112233}, NodeId{2}}}};
  const Answer answer = found_answer();
  CHECK(rendered(same, answer) == "HTTP/1.1 304 Not Modified\r\n" + claim_headers(answer) + "\r\n");
  KvForm any = form_of(KvOp::head);
  any.if_none_match = EtagSet{.any = true};
  CHECK(kv_status(any, answer) == 304);
  any.if_none_match = EtagSet{.stamps = {{Hlc{1}, NodeId{1}}}};
  CHECK(kv_status(any, answer) == 200);
  Answer absent = found_answer();
  absent.found = false;
  CHECK(kv_status(same, absent) == 404);
  Answer several = found_answer();
  several.items.resize(2);
  CHECK(kv_status(same, several) == 300);  // the winner alone is known to the client
}

TEST_CASE("http render: several values") {
  Answer answer = found_answer();
  answer.items = {{"", {Hlc{112233}, NodeId{2}}, Bytes("value"), "text/plain"},
                  {"", {Hlc{5}, NodeId{1}}, Bytes(std::string("\0\xff", 2)), ""}};
  const std::string out = rendered(form_of(KvOp::get), answer);
  CHECK(out.starts_with("HTTP/1.1 300 Multiple Choices\r\n"));
  CHECK(json_body_of(out, 300, claim_headers(answer)) ==
        R"({"siblings":[{"etag":"\"112233-2\"","value_base64":"dmFsdWU=",)"
        R"("content_type":"text/plain"},{"etag":"\"5-1\"","value_base64":"AP8=",)"
        R"("content_type":"application/octet-stream"}]})");
  CHECK(rendered(form_of(KvOp::head), answer, {.head = true}).ends_with("\r\n\r\n"));
}

TEST_CASE("http render: refusals show what they rest on") {
  Answer answer = found_answer();
  answer.found = false;
  answer.value = {};
  answer.refusal = definite(ErrorCode::precondition_failed, "another version is there");
  const std::string out = rendered(form_of(KvOp::put), answer);
  CHECK(out.starts_with("HTTP/1.1 412 Precondition Failed\r\n" + claim_headers(answer) +
                        "Content-Type: application/problem+json\r\n"));
  CHECK(out.find(R"("code":"precondition-failed","outcome":"not_applied","retryable":false,)"
                 R"("etag":"\"112233-2\"")") != std::string::npos);
  answer.stamp.reset();
  CHECK(rendered(form_of(KvOp::put), answer).find("etag") == std::string::npos);

  answer.refusal = definite(ErrorCode::not_a_number, "x");
  CHECK(kv_status(form_of(KvOp::increment), answer) == 409);
  answer.refusal = definite(ErrorCode::idempotency_key_reused, "x");
  CHECK(kv_status(form_of(KvOp::put), answer) == 422);
}

TEST_CASE("http render: a first outcome given again says so") {
  Answer answer = found_answer();
  answer.replayed = true;
  CHECK(rendered(form_of(KvOp::put), answer) == "HTTP/1.1 204 No Content\r\n" +
                                                    claim_headers(answer) +
                                                    "Idempotency-Replayed: true\r\n\r\n");
}

TEST_CASE("http render: increments") {
  Answer answer = found_answer();
  answer.number = -42;
  CHECK(json_body_of(rendered(form_of(KvOp::increment), answer), 200, claim_headers(answer)) ==
        R"({"value":-42})");
}

TEST_CASE("http render: convergent values") {
  Answer answer = found_answer();
  answer.value = Bytes{};
  answer.crdt = CrdtValue{CrdtType::set, R"([1,"a"])"};
  CHECK(json_body_of(rendered(form_of(KvOp::get_crdt), answer), 200, claim_headers(answer)) ==
        R"({"type":"set","value":[1,"a"]})");
  CHECK(json_body_of(rendered(form_of(KvOp::update_crdt), answer), 200, claim_headers(answer)) ==
        R"({"type":"set","value":[1,"a"]})");
  answer.found = false;
  answer.crdt.reset();
  CHECK(kv_status(form_of(KvOp::get_crdt), answer) == 404);
  answer.crdt = CrdtValue{CrdtType::counter, "7"};
  answer.consistency.level = Level::weak;
  const std::string weak = rendered(form_of(KvOp::update_crdt), answer);
  CHECK(weak.starts_with("HTTP/1.1 202 "));
  CHECK(weak.ends_with("{\"type\":\"counter\",\"value\":7}\n"));
  answer.refusal = definite(ErrorCode::wrong_type, "x");
  CHECK(kv_status(form_of(KvOp::update_crdt), answer) == 409);
}

TEST_CASE("http render: a merged value is sent again although its stamp is known") {
  Answer answer = found_answer();
  KvForm form = form_of(KvOp::get);
  form.if_none_match = EtagSet{.any = false, .stamps = {*answer.stamp}};
  CHECK(kv_status(form, answer) == 304);
  answer.merged = true;
  CHECK(kv_status(form, answer) == 200);
}

TEST_CASE("http render: ranges") {
  Answer answer = found_answer();
  answer.stamp.reset();
  answer.items = {{"a \"b\"\n", {Hlc{7}, NodeId{1}}, Bytes("v"), "text/plain"},
                  {"\xff", {Hlc{8}, NodeId{2}}, Bytes(), ""}};
  answer.next = "c";
  KvForm form{.op = KvOp::scan, .range = Scan{.start = "a", .limit = 2}};
  const std::string token = encode_page_token({*form.range, "c"});
  CHECK(json_body_of(rendered(form, answer), 200, claim_headers(answer, "")) ==
        R"({"items":[{"key":"a \"b\"\u000a","value_base64":"dg==","content_type":"text/plain",)"
        R"("etag":"\"7-1\""},{"key_base64":"/w==","value_base64":"",)"
        R"("content_type":"application/octet-stream","etag":"\"8-2\""}],"next":")" +
            token + "\"}");
  form.range->keys_only = true;
  answer.next.reset();
  answer.items.resize(1);
  CHECK(json_body_of(rendered(form, answer), 200, claim_headers(answer, "")) ==
        R"({"items":[{"key":"a \"b\"\u000a","etag":"\"7-1\""}],"next":null})");
}

TEST_CASE("http render: several keys") {
  Answer answer = found_answer();
  answer.stamp.reset();
  answer.items = {{"a", {Hlc{7}, NodeId{1}}, Bytes("v"), "text/plain"}};
  answer.missing = {"b", "\xc3\xa4"};
  const KvForm form{.op = KvOp::get_many};
  const std::string expected =
      "{\"items\":[{\"key\":\"a\",\"value_base64\":\"dg==\",\"content_type\":\"text/plain\","
      "\"etag\":\"\\\"7-1\\\"\"}],\"next\":null,\"missing\":[\"b\",\"\xc3\xa4\"]";
  CHECK(json_body_of(rendered(form, answer), 200, claim_headers(answer, "")) == expected + "}");
  answer.missing.push_back("\xc3");
  CHECK(json_body_of(rendered(form, answer), 200, claim_headers(answer, "")) ==
        expected + ",\"missing_base64\":[\"ww==\"]}");
}

TEST_CASE("http render: history") {
  Answer answer = found_answer();
  answer.stamp.reset();
  answer.versions = {{Stamp{Hlc::from_millis(UnixMillis{9}), NodeId{3}}, true, {}, ""},
                     {Stamp{Hlc::from_millis(UnixMillis{5}), NodeId{1}}, false, Bytes("v"), "a/b"}};
  answer.history_floor = UnixMillis{4};
  CHECK(json_body_of(rendered(form_of(KvOp::history), answer), 200, claim_headers(answer, "")) ==
        R"({"versions":[{"etag":"\"589824-3\"","at_ms":9,"kind":"tombstone","origin":3},)"
        R"({"etag":"\"327680-1\"","at_ms":5,"kind":"value","value_base64":"dg==",)"
        R"("content_type":"a/b","origin":1}],"complete_from_ms":4})");
}

TEST_CASE("http render: policies") {
  Answer answer = found_answer();
  answer.stamp.reset();
  const std::string headers = claim_headers(answer, "");
  CHECK(kv_status({.op = KvOp::get_policy}, answer) == 404);
  CHECK(rendered({.op = KvOp::get_policy}, answer).find("the prefix has no policy") !=
        std::string::npos);
  answer.policies = {{"a", {Consistency{.level = Level::prefix}, Mixing::deny, {}}}};
  CHECK(json_body_of(rendered({.op = KvOp::get_policy}, answer), 200, headers) ==
        R"({"default_consistency":"prefix","mixing":"deny","conflict":"last-writer"})");
  answer.policies.push_back({"\xff", {}});
  CHECK(json_body_of(rendered({.op = KvOp::list_policies}, answer), 200, headers) ==
        R"({"policies":[{"prefix":"a","default_consistency":"prefix","mixing":"deny",)"
        R"("conflict":"last-writer"},{"prefix_base64":"/w==","default_consistency":null,)"
        R"("mixing":"allow","conflict":"last-writer"}]})");
  for (const KvOp op : {KvOp::put_policy, KvOp::delete_policy}) {
    CHECK(rendered({.op = op}, answer) == "HTTP/1.1 204 No Content\r\n" + headers + "\r\n");
  }
}

TEST_CASE("http render: errors of the node") {
  const std::string timeout =
      rendered(form_of(KvOp::put), indefinite(ErrorCode::timeout, "not committed in time"));
  CHECK(timeout.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"));
  CHECK(timeout.find("\"outcome\":\"unknown\"") != std::string::npos);
  CHECK(timeout.find("Parallax-Consistency") == std::string::npos);

  Error elsewhere = definite(ErrorCode::not_leader, "node 2 leads");
  elsewhere.leader = NodeId{2};
  const std::string redirect =
      rendered(form_of(KvOp::get), elsewhere, {.keep_alive = true}, "127.0.0.1:7102");
  CHECK(redirect.starts_with("HTTP/1.1 421 Misdirected Request\r\n"));
  CHECK(redirect.find("\"leader\":2,\"leader_address\":\"127.0.0.1:7102\"") != std::string::npos);

  const std::string busy = rendered(form_of(KvOp::get), definite(ErrorCode::overloaded, "busy"));
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
