// Batches over a connection, and what bounds the memory of answers.
#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "tests/node_io/http_world.h"

namespace parallax {
namespace {

std::string batch(const std::string& operations) {
  return request("POST", "/v1/batch", "{\"operations\":[" + operations + "]}");
}

/// The results' members `name`, as text.
std::vector<std::string> each(const std::string& answer, const char* name) {
  std::vector<std::string> out;
  const auto whole = boost::json::parse(std::string(body_of(answer)));
  for (const auto& result : whole.at("results").as_array()) {
    const auto* member = result.as_object().if_contains(name);
    out.push_back(member == nullptr ? "-" : boost::json::serialize(*member));
  }
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("http server: a batch is answered when all of it is, in its order") {
  for (const bool inside : {false, true}) {
    World world;
    world.node.answer_inside = inside;
    RawClient client(world);
    const std::string answer =
        client
            .send(batch(R"({"op":"put","key":"a","value":"v"},{"op":"increment","key":"n","by":5},
                {"op":"frob","key":"a"},{"op":"delete","key":"b"},{"op":"get","key":"a"},
                {"op":"get","key":"none"})") +
                  request("GET", "/v1/kv/n"))
            .receive();
    CHECK(has_status(answer, 200));
    CHECK(contains(answer, "\r\nContent-Type: application/json\r\n"));
    CHECK(each(answer, "status") == Texts{"204", "200", "400", "204", "200", "404"});
    CHECK(each(answer, "value") == Texts{"-", "5", "-", "-", "-", "-"});
    CHECK(each(answer, "value_base64") == Texts{"-", "-", "-", "-", "\"dg==\"", "-"});
    // What was sent ahead waits for the batch.
    CHECK(body_of(client.receive()) == "5");
    CHECK(world.server.requests_in_flight() == 0);
  }
}

TEST_CASE("http server: answers to a batch come in any order") {
  World world;
  world.node.hold = true;
  RawClient client(world);
  client.send(batch(R"({"op":"put","key":"a","value":"1"},{"op":"put","key":"b","value":"2"},
      {"op":"put","key":"c","value":"3"})"));
  CHECK(world.run_until([&] { return world.node.held.size() == 3; }));
  CHECK(world.server.requests_in_flight() == 3);
  std::reverse(world.node.held.begin(), world.node.held.end());
  world.node.hold = false;
  world.node.release();
  CHECK(each(client.receive(), "etag") == Texts{R"("\"3-1\"")", R"("\"2-1\"")", R"("\"1-1\"")"});
  client.hang_up();
  check_clean(world);
}

TEST_CASE("http server: what of a batch is more than may be under way is refused by itself") {
  World world({.max_requests_in_flight = 2});
  world.node.hold = true;
  RawClient client(world);
  client.send(batch(R"({"op":"put","key":"a","value":"1"},{"op":"put","key":"b","value":"2"},
      {"op":"put","key":"c","value":"3"})"));
  CHECK(world.run_until([&] { return world.node.held.size() == 2; }));
  world.run_for(10ms);
  CHECK(world.node.held.size() == 2);
  world.node.hold = false;
  world.node.release();
  CHECK(each(client.receive(), "status") == Texts{"204", "204", "429"});
  CHECK_FALSE(world.node.values.contains("c"));
}

TEST_CASE("http server: a batch reads a few values at a time") {
  World world;
  world.node.hold = true;
  world.node.values["k"] = {Bytes("v"), "", Stamp{Hlc{1}, NodeId{1}}};
  std::string reads = R"({"op":"get","key":"k"})";
  for (int i = 1; i < 200; ++i) reads += R"(,{"op":"get","key":"k"})";
  RawClient client(world);
  client.send(batch(reads));
  std::size_t answered = 0;
  while (answered < 200) {
    CHECK(world.run_until([&] { return !world.node.held.empty(); }));
    const std::size_t under_way = world.node.held.size();
    CHECK(under_way <= limits::kMaxBatchReadsAtOnce);
    answered += under_way;
    world.node.release();
  }
  CHECK(each(client.receive(), "status") == Texts(200, "200"));
}

TEST_CASE("http server: a client that leaves a batch takes nothing with it") {
  World world;
  world.node.hold = true;
  {
    RawClient client(world);
    client.send(batch(R"({"op":"put","key":"a","value":"1"},{"op":"get","key":"a"})"));
    CHECK(world.run_until([&] { return world.node.held.size() == 2; }));
  }
  world.node.hold = false;
  world.node.release();
  CHECK(world.node.values.contains("a"));
  check_clean(world);
}

TEST_CASE("http server: metrics count every operation of a batch") {
  World world;
  RawClient client(world);
  client.send(batch(R"({"op":"increment","key":"n"},{"op":"increment","key":"n"},
      {"op":"get","key":"n","consistency":"prefix"},{"op":"put","key":"n"})"));
  CHECK(has_status(client.receive(), 200));
  const std::string metrics = client.send(request("GET", "/metrics")).receive();
  CHECK(contains(metrics,
                 "parallax_requests_total{level=\"linearizable\",op=\"increment\","
                 "status=\"200\",outcome=\"done\"} 2\n"));
  CHECK(contains(metrics,
                 "parallax_requests_total{level=\"prefix\",op=\"get\",status=\"200\","
                 "outcome=\"done\"} 1\n"));
  CHECK(contains(metrics, "parallax_other_requests_total{status=\"200\"} 1\n"));
}

TEST_CASE("http server: bodies of batches may be longer than values") {
  World world({.max_value_bytes = 100'000});
  RawClient client(world);
  const std::string value(90'000, 'v');
  std::string puts = R"({"op":"put","key":"a","value":")" + value + "\"}";
  for (int i = 0; i < 50; ++i) puts += R"(,{"op":"put","key":"a","value":")" + value + "\"}";
  CHECK(each(client.send(batch(puts)).receive(), "status") == Texts(51, "204"));
  CHECK(has_status(client.send(request("PUT", "/v1/kv/a", std::string(100'001, 'v'))).receive_all(),
                   413));
  RawClient other(world);
  const std::string huge =
      request("POST", "/v1/batch", std::string(limits::kMaxBatchBytes + 1, ' '));
  CHECK(has_status(other.send(huge).receive_all(), 413));
}

TEST_CASE("http server: no more answers wait for slow readers than allowed") {
  World world({.max_answer_bytes_in_flight = 20 << 20, .slow_request_timeout = 5s});
  world.node.values["large"] = {Bytes(std::string(16 << 20, 'v')), "", Stamp{Hlc{1}, NodeId{1}}};
  world.node.values["small"] = {Bytes("v"), "", Stamp{Hlc{2}, NodeId{1}}};
  Tcp::socket slow(world.io);  // asks and does not read
  slow.connect({asio::ip::address_v4::loopback(), world.port});
  const std::string ask = request("GET", "/v1/kv/large");
  boost::system::error_code failed;
  slow.write_some(asio::buffer(ask), failed);
  CHECK(world.run_until([&] { return world.node.requests.size() == 1; }));
  world.run_for(20ms);
  RawClient client(world);
  const std::string refused = client.send(ask).receive();
  CHECK(has_status(refused, 429));
  CHECK(contains(refused, "Retry-After: 1"));
  CHECK(has_status(client.send(request("GET", "/v1/kv/small")).receive(), 200));
  CHECK(has_status(client.send(request("PUT", "/v1/kv/a", "v")).receive(), 204));
  slow.close();
  CHECK(world.run_until([&] { return world.server.connections() == 1; }));
  CHECK(has_status(client.send(ask).receive(), 200));
}

TEST_CASE("http server: ranges page by page, increments, and the document") {
  World world;
  for (const char* key : {"a", "b", "c", "d", "e"}) {
    world.node.values[key] = {Bytes(key), "", Stamp{Hlc{1}, NodeId{1}}};
  }
  RawClient client(world);
  std::string keys;
  std::string next;
  do {
    const std::string answer =
        client.send(request("GET", "/v1/kv?prefix=&limit=2&next=" + next)).receive();
    CHECK(has_status(answer, 200));
    const auto page = boost::json::parse(std::string(body_of(answer)));
    for (const auto& item : page.at("items").as_array()) {
      keys += std::string(item.at("key").as_string());
    }
    next = page.at("next").is_null() ? "" : std::string(page.at("next").as_string());
  } while (!next.empty());
  CHECK(keys == "abcde");
  CHECK(body_of(client.send(request("POST", "/v1/kv/n/increment", "{\"by\":7}")).receive()) ==
        "{\"value\":7}\n");
  const std::string document = client.send(request("GET", "/v1/openapi.json")).receive();
  CHECK(has_status(document, 200));
  CHECK(contains(document, "\r\nContent-Type: application/json\r\n"));
  CHECK(boost::json::parse(std::string(body_of(document))).at("openapi") == "3.1.0");
  CHECK(has_status(client.send(request("HEAD", "/v1/kv?limit=1")).receive(true), 200));
  CHECK(client.received() == 0);
}

}  // namespace parallax
