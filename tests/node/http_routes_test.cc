#include "node/http_routes.h"

#include <catch2/catch.hpp>

#include "client/http_protocol.h"

namespace parallax {
namespace {

using Headers = std::vector<HttpHeaderView>;

Routed ask(std::string_view method, std::string_view target, const Headers& headers = {},
           std::string body = {},
           RouteOptions options = {.max_value_bytes = 100, .enable_faults = true}) {
  return route({.method = method, .target = target, .headers = headers, .body = body}, options);
}

KvCall kv(const Routed& routed) {
  if (const auto* reply = std::get_if<HttpReply>(&routed)) FAIL(reply->body);
  REQUIRE(std::holds_alternative<KvCall>(routed));
  return std::get<KvCall>(routed);
}

template <class Call>
Call admin(const Routed& routed) {
  if (const auto* reply = std::get_if<HttpReply>(&routed)) FAIL(reply->body);
  REQUIRE(std::holds_alternative<AdminCall>(routed));
  REQUIRE(std::holds_alternative<Call>(std::get<AdminCall>(routed)));
  return std::get<Call>(std::get<AdminCall>(routed));
}

struct Refused {
  std::string title;
  std::string method;
  std::string target;
  Headers headers;
  std::string body;
  ErrorCode code;
  std::string detail;
};

}  // namespace

TEST_CASE("http routes: operations on keys") {
  const KvCall get = kv(ask("GET", "/v1/kv/a%2Fb/c%00"));
  CHECK(std::get<Get>(get.request.operation).key == std::string("a/b/c\0", 6));
  CHECK(get.request.consistency.level == Level::linearizable);
  CHECK(get.request.timeout == limits::kDefaultRequestTimeout);
  CHECK(get.request.forward);
  CHECK(get.form.op == KvOp::get);

  const KvCall put = kv(ask("PUT", "/v1/kv/k%C3%A4se?timeout_ms=60000&forward=false",
                            {{"content-TYPE", "text/plain"}, {"Host", "x"}}, "value"));
  CHECK(put.request.operation == Operation(Put{"k\xC3\xA4se", Bytes("value"), "text/plain"}));
  CHECK(put.request.timeout == std::chrono::milliseconds{60'000});
  CHECK_FALSE(put.request.forward);
  CHECK(put.form.op == KvOp::put);

  const KvCall remove = kv(ask("DELETE", "/v1/kv/x?consistency=strong"));
  CHECK(remove.request.operation == Operation(Delete{"x"}));
  CHECK(remove.form.op == KvOp::remove);

  const KvCall head = kv(ask("HEAD", "http://host:1/v1/kv/x?consistency=prefix"));
  CHECK(head.request.operation == Operation(Get{"x"}));
  CHECK(head.request.consistency.level == Level::prefix);
  CHECK(head.form.op == KvOp::head);
  CHECK(head.form.level == Level::prefix);

  CHECK(kv(ask("PUT", "/v1/kv/" + std::string(1024, 'k'))).form.op == KvOp::put);
  CHECK(kv(ask("PUT", "/v1/kv/x", {}, std::string(100, 'v'))).form.op == KvOp::put);
  CHECK(std::get<Get>(kv(ask("GET", "/v1/kv/..")).request.operation).key == "..");
  CHECK(std::get<Get>(kv(ask("GET", "/v1/kv/a+b")).request.operation).key == "a+b");
}

TEST_CASE("http routes: a put's value is the body itself") {
  const Bytes body(std::string(50, 'v'));
  const Routed routed =
      route({.method = "PUT", .target = "/v1/kv/k", .headers = {}, .body = body}, {});
  CHECK(std::get<Put>(kv(routed).request.operation).value.view().data() == body.view().data());
}

TEST_CASE("http routes: the query's level wins over the header's") {
  const Headers prefix{{"parallax-consistency", "prefix"}};
  CHECK(kv(ask("GET", "/v1/kv/x", prefix)).form.level == Level::prefix);
  CHECK(kv(ask("GET", "/v1/kv/x?consistency=linearizable", prefix)).form.level ==
        Level::linearizable);
  const Headers unknown{{"Parallax-Consistency", "gold"}};
  CHECK(kv(ask("GET", "/v1/kv/x?consistency=prefix", unknown)).form.level == Level::prefix);
  CHECK(kv(ask("GET", "/v1/kv/x", {{"If-None-Match", "\"1-1\""}})).form.if_none_match == "\"1-1\"");
}

TEST_CASE("http routes: everything else that there is") {
  admin<ShowCluster>(ask("GET", "/v1/cluster"));
  admin<ShowCluster>(ask("HEAD", "/v1/cluster?"));
  admin<ShowStatus>(ask("GET", "/v1/status"));
  admin<CheckHealth>(ask("GET", "/healthz?probe=1"));
  admin<CheckReady>(ask("GET", "/readyz"));
  admin<ShowMetrics>(ask("GET", "/metrics"));
  CHECK(admin<TransferLeadership>(ask("POST", "/v1/cluster/transfer-leadership", {}, "{\"to\": 3}"))
            .to == NodeId{3});
  CHECK(admin<SetFaults>(ask("DELETE", "/v1/faults")).faults.drop_from.empty());
}

TEST_CASE("http routes: faults") {
  const FaultSettings all =
      admin<SetFaults>(ask("POST", "/v1/faults", {},
                           R"({"drop_from":[2,3],"drop_to":[2],"drop_probability":0.5,"delay_ms":20,
                  "duplicate_probability":1,"reorder_probability":0.25,"clock_offset_ms":-700,
                  "fsync_delay_ms":5,"disk_full":true,"on_crash":"torn_tail",
                  "fail_point":{"name":"before-send","action":"crash"}})"))
          .faults;
  CHECK(all.drop_from == std::vector{NodeId{2}, NodeId{3}});
  CHECK(all.drop_to == std::vector{NodeId{2}});
  CHECK(all.drop_probability == 0.5);
  CHECK(all.delay == std::chrono::milliseconds{20});
  CHECK(all.duplicate_probability == 1);
  CHECK(all.reorder_probability == 0.25);
  CHECK(all.clock_offset_ms == -700);
  CHECK(all.fsync_delay == std::chrono::milliseconds{5});
  CHECK(all.disk_full);
  CHECK(all.on_crash == FaultSettings::OnCrash::torn_tail);
  REQUIRE(all.fail_point);
  CHECK(all.fail_point->name == "before-send");
  CHECK(all.fail_point->action == "crash");

  const FaultSettings none = admin<SetFaults>(ask("POST", "/v1/faults", {}, "{}")).faults;
  CHECK(none.drop_probability == 0);
  CHECK(none.on_crash == FaultSettings::OnCrash::keep);
  CHECK_FALSE(none.fail_point);

  const auto refused = [](std::string_view body) {
    const auto faults = parse_faults(body);
    REQUIRE(!faults);
    return faults.error().message;
  };
  CHECK(refused("[]") == "the body must be a JSON object");
  CHECK(refused("{").find("the body must be a JSON object: ") == 0);
  CHECK(refused(R"({"dropfrom":[]})").find("'dropfrom' is not known; it may be drop_from, ") == 0);
  CHECK(refused(R"({"drop_from":2})") ==
        "\"drop_from\" must be a list of whole numbers from 1 to 4294967295");
  CHECK(refused(R"({"drop_from":[0]})").find("\"drop_from\" must be a list") == 0);
  CHECK(refused(R"({"drop_probability":1.5})") ==
        "\"drop_probability\" must be a number from 0 to 1");
  CHECK(refused(R"({"delay_ms":-1})") == "\"delay_ms\" must be a whole number from 0 to 60000");
  CHECK(refused(R"({"delay_ms":1.5})").find("\"delay_ms\" must be") == 0);
  CHECK(refused(R"({"disk_full":1})") == "\"disk_full\" must be true or false");
  CHECK(refused(R"({"on_crash":"burn"})") ==
        "\"on_crash\" must be keep, drop_unsynced or torn_tail");
  CHECK(refused(R"({"fail_point":{"name":"x","action":"crash"}})")
            .find("\"fail_point.name\" must be one of before-send, ") == 0);
  CHECK(refused(R"({"fail_point":{"name":"before-send","action":"x"}})") ==
        "\"fail_point.action\" must be crash or pause");
  CHECK(refused(R"({"fail_point":{"where":1}})")
            .find("'fail_point.where' is not known; it may be fail_point.name, ") == 0);
  CHECK(refused(R"({"fail_point":5})") == "\"fail_point\" must be an object");
}

TEST_CASE("http routes: what is refused and how") {
  const std::string long_key(1025, 'k');
  const Refused cases[] = {
      {"empty key",
       "GET",
       "/v1/kv/",
       {},
       "",
       ErrorCode::bad_request,
       "the key is empty; it must have 1 to 1024 bytes"},
      {"long key",
       "GET",
       "/v1/kv/" + long_key,
       {},
       "",
       ErrorCode::uri_too_long,
       "the key has 1025 bytes; it must have 1 to 1024"},
      {"long target",
       "GET",
       "/v1/kv/a?x=" + std::string(9000, 'x'),
       {},
       "",
       ErrorCode::uri_too_long,
       "the target has 9011 bytes; at most 8192 are taken"},
      {"encoding",
       "GET",
       "/v1/kv/ab%4",
       {},
       "",
       ErrorCode::bad_request,
       "the '%' at position 2 of 'ab%4' has no two hexadecimal digits behind it; write %25 for the "
       "character itself"},
      {"fragment",
       "GET",
       "/v1/kv/a#b",
       {},
       "",
       ErrorCode::bad_request,
       "the target has a '#'; in a key it must be written %23"},
      {"unknown level",
       "GET",
       "/v1/kv/a?consistency=gold",
       {},
       "",
       ErrorCode::unknown_level,
       "'gold' is no consistency level; use one of linearizable (or strong), prefix"},
      {"unknown level in the header",
       "GET",
       "/v1/kv/a",
       {{"Parallax-Consistency", "gold"}},
       "",
       ErrorCode::unknown_level,
       "'gold' is no consistency level; use one of linearizable (or strong), prefix"},
      {"empty level in the header",
       "GET",
       "/v1/kv/a",
       {{"Parallax-Consistency", ""}},
       "",
       ErrorCode::unknown_level,
       "'' is no consistency level; use one of linearizable (or strong), prefix"},
      {"level with parameters",
       "GET",
       "/v1/kv/a",
       {{"Parallax-Consistency", "prefix; r=2"}},
       "",
       ErrorCode::bad_parameter,
       "'r' is no parameter of prefix, which takes none"},
      {"parameter of another level",
       "GET",
       "/v1/kv/a?consistency=prefix&r=2",
       {},
       "",
       ErrorCode::bad_parameter,
       "'r' is no parameter of an operation on a key at prefix, which takes consistency, forward "
       "and timeout_ms"},
      {"ttl",
       "PUT",
       "/v1/kv/a?ttl_ms=5",
       {},
       "",
       ErrorCode::bad_parameter,
       "'ttl_ms' is no parameter of an operation on a key at linearizable, which takes "
       "consistency, "
       "forward and timeout_ms"},
      {"timeout too small",
       "GET",
       "/v1/kv/a?timeout_ms=0",
       {},
       "",
       ErrorCode::bad_parameter,
       "timeout_ms='0' must be a whole number from 1 to 60000"},
      {"timeout too big",
       "GET",
       "/v1/kv/a?timeout_ms=60001",
       {},
       "",
       ErrorCode::bad_parameter,
       "timeout_ms='60001' must be a whole number from 1 to 60000"},
      {"timeout not a number",
       "GET",
       "/v1/kv/a?timeout_ms=5s",
       {},
       "",
       ErrorCode::bad_parameter,
       "timeout_ms='5s' must be a whole number from 1 to 60000"},
      {"timeout beyond numbers",
       "GET",
       "/v1/kv/a?timeout_ms=99999999999999999999",
       {},
       "",
       ErrorCode::bad_parameter,
       "timeout_ms='99999999999999999999' must be a whole number from 1 to 60000"},
      {"forward",
       "GET",
       "/v1/kv/a?forward=no",
       {},
       "",
       ErrorCode::bad_parameter,
       "forward='no' must be true or false"},
      {"parameter twice",
       "GET",
       "/v1/kv/a?forward=true&forward=true",
       {},
       "",
       ErrorCode::bad_parameter,
       "the query parameter 'forward' is given twice"},
      {"header twice",
       "GET",
       "/v1/kv/a",
       {{"Parallax-Consistency", ""}, {"parallax-consistency", "prefix"}},
       "",
       ErrorCode::bad_request,
       "the header Parallax-Consistency is given twice"},
      {"large value",
       "PUT",
       "/v1/kv/a",
       {},
       std::string(101, 'v'),
       ErrorCode::payload_too_large,
       "the value has 101 bytes; at most 100 are stored"},
      {"long content type",
       "PUT",
       "/v1/kv/a",
       {{"Content-Type", long_key}},
       "v",
       ErrorCode::bad_request,
       "the Content-Type has 1025 bytes; at most 256 are kept"},
      {"If-Match",
       "PUT",
       "/v1/kv/a",
       {{"if-match", "*"}},
       "v",
       ErrorCode::condition_unsupported,
       "If-Match cannot be decided here: this version takes no conditions on writes, and "
       "If-None-Match alone on reads"},
      {"If-None-Match on a put",
       "PUT",
       "/v1/kv/a",
       {{"If-None-Match", "*"}},
       "v",
       ErrorCode::condition_unsupported,
       "If-None-Match cannot be decided here: this version takes no conditions on writes, and "
       "If-None-Match alone on reads"},
      {"If-None-Match on a delete",
       "DELETE",
       "/v1/kv/a",
       {{"If-None-Match", "*"}},
       "",
       ErrorCode::condition_unsupported,
       "If-None-Match cannot be decided here: this version takes no conditions on writes, and "
       "If-None-Match alone on reads"},
      {"If-Match on a get",
       "GET",
       "/v1/kv/a",
       {{"If-Match", "*"}},
       "",
       ErrorCode::condition_unsupported,
       "If-Match cannot be decided here: this version takes no conditions on writes, and "
       "If-None-Match alone on reads"},
      {"If-None-Match of nothing",
       "GET",
       "/v1/kv/a",
       {{"If-None-Match", "abc"}},
       "",
       ErrorCode::bad_request,
       "'abc' is no list of quoted ETags and not *"},
      {"idempotency",
       "PUT",
       "/v1/kv/a",
       {{"Idempotency-Key", "1"}},
       "v",
       ErrorCode::bad_request,
       "the header Idempotency-Key is not supported by this version; leave it out"},
      {"session",
       "GET",
       "/v1/kv/a",
       {{"Parallax-Session", "1"}},
       "",
       ErrorCode::bad_request,
       "the header Parallax-Session is not supported by this version; leave it out"},
      {"context",
       "PUT",
       "/v1/kv/a",
       {{"parallax-context", "1"}},
       "v",
       ErrorCode::bad_request,
       "the header Parallax-Context is not supported by this version; leave it out"},
      {"content encoding",
       "PUT",
       "/v1/kv/a",
       {{"Content-Encoding", "gzip"}},
       "v",
       ErrorCode::unsupported_media_type,
       "Content-Encoding 'gzip' is not kept with a value; send the bytes without it"},
      {"content range",
       "PUT",
       "/v1/kv/a",
       {{"Content-Range", "bytes 0-1/5"}},
       "v",
       ErrorCode::bad_request,
       "Content-Range: a part of a value cannot be written; send all of it"},
      {"body of a get", "GET", "/v1/kv/a", {}, "v", ErrorCode::bad_request, "GET takes no body"},
      {"body of a delete",
       "DELETE",
       "/v1/kv/a",
       {},
       "v",
       ErrorCode::bad_request,
       "DELETE takes no body"},
      {"method",
       "POST",
       "/v1/kv/a",
       {},
       "",
       ErrorCode::method_not_allowed,
       "'POST' is not possible on '/v1/kv/a'; allowed are DELETE, GET, HEAD, PUT"},
      {"method on the cluster",
       "PUT",
       "/v1/cluster",
       {},
       "",
       ErrorCode::method_not_allowed,
       "'PUT' is not possible on '/v1/cluster'; allowed are GET, HEAD"},
      {"method on faults",
       "GET",
       "/v1/faults",
       {},
       "",
       ErrorCode::method_not_allowed,
       "'GET' is not possible on '/v1/faults'; allowed are DELETE, POST"},
      {"no route",
       "GET",
       "/v1/batch",
       {},
       "",
       ErrorCode::not_found,
       "there is nothing at '/v1/batch'"},
      {"no key", "GET", "/v1/kv", {}, "", ErrorCode::not_found, "there is nothing at '/v1/kv'"},
      {"root", "GET", "/", {}, "", ErrorCode::not_found, "there is nothing at '/'"},
      {"asterisk", "OPTIONS", "*", {}, "", ErrorCode::not_found, "there is nothing at '*'"},
      {"host only", "GET", "http://host", {}, "", ErrorCode::not_found, "there is nothing at '/'"},
      {"trailing slash",
       "GET",
       "/v1/cluster/",
       {},
       "",
       ErrorCode::not_found,
       "there is nothing at '/v1/cluster/'"},
      {"control characters",
       "GET",
       "/\x01\xff'",
       {},
       "",
       ErrorCode::not_found,
       "there is nothing at '/?"
       "?"
       "?'"},
      {"parameters where none are",
       "GET",
       "/v1/status?verbose=1",
       {},
       "",
       ErrorCode::bad_parameter,
       "'verbose' is no parameter of /v1/status, which takes none"},
      {"body where none is",
       "GET",
       "/v1/status",
       {},
       "x",
       ErrorCode::bad_request,
       "GET takes no body"},
      {"large administration",
       "POST",
       "/v1/faults",
       {},
       std::string(70'000, ' '),
       ErrorCode::payload_too_large,
       "the body has 70000 bytes; /v1/faults takes at most 65536"},
      {"transfer without a body",
       "POST",
       "/v1/cluster/transfer-leadership",
       {},
       "",
       ErrorCode::bad_request,
       "the body must be a JSON object: incomplete JSON"},
      {"transfer to nobody",
       "POST",
       "/v1/cluster/transfer-leadership",
       {},
       "{}",
       ErrorCode::bad_parameter,
       "\"to\" is missing; it must be the number of a member"},
      {"transfer to a name",
       "POST",
       "/v1/cluster/transfer-leadership",
       {},
       "{\"to\":\"2\"}",
       ErrorCode::bad_parameter,
       "\"to\" must be a whole number from 1 to 4294967295"},
      {"transfer to more",
       "POST",
       "/v1/cluster/transfer-leadership",
       {},
       "{\"to\":2,\"by\":1}",
       ErrorCode::bad_parameter,
       "'by' is not known; it may be to"},
  };
  for (const Refused& refused : cases) {
    DYNAMIC_SECTION(refused.title) {
      const Routed routed = ask(refused.method, refused.target, refused.headers, refused.body);
      REQUIRE(std::holds_alternative<HttpReply>(routed));
      const HttpReply& reply = std::get<HttpReply>(routed);
      CHECK(reply.status == error_info(refused.code).http_status);
      CHECK(reply.content_type == "application/problem+json");
      const auto problem = parse_problem(reply.body);
      REQUIRE(problem.has_value());
      CHECK(problem->error == definite(refused.code, refused.detail));
      const bool wrong_method = refused.code == ErrorCode::method_not_allowed;
      REQUIRE(reply.headers.size() == (wrong_method ? 1u : 0u));
      if (wrong_method) {
        CHECK(reply.headers[0].first == "Allow");
        CHECK(refused.detail.ends_with(reply.headers[0].second));
      }
    }
  }
}

TEST_CASE("http routes: without fault injection there are no faults") {
  for (const auto* method : {"POST", "DELETE", "GET"}) {
    const Routed routed = ask(method, "/v1/faults", {}, "", {});
    REQUIRE(std::holds_alternative<HttpReply>(routed));
    CHECK(std::get<HttpReply>(routed).status == 404);
    CHECK(std::get<HttpReply>(routed).body.find("--enable-fault-injection") != std::string::npos);
  }
}

}  // namespace parallax
