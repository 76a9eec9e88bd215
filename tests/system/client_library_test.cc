// The client library against real nodes: its example, all operations, and as somebody else's
// project finds it after cmake --install.
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "client/range_reader.h"
#include "tests/system/cluster.h"
#include "tests/system/result_text.h"

namespace parallax::system_tests {
namespace {

using namespace std::chrono_literals;

std::string must_run(const std::vector<std::string>& argv, std::chrono::seconds limit = 60s) {
  const Ended ended = run(argv, limit);
  INFO(fmt::format("{}\n{}", fmt::join(argv, " "), ended.output));
  REQUIRE(ended.code == 0);
  return ended.output;
}

TEST_CASE("system: the client library's example runs") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const std::string output =
      must_run({programs() + "/parallax_quickstart", cluster.client_address(2)});
  INFO(output);
  CHECK(output.find("refused: version ") != std::string::npos);
  CHECK(output.find("quickstart/greeting = hello, world\n") != std::string::npos);
  CHECK(output.find("read at linearizable, served by node ") != std::string::npos);
  // A second run finds what the first one left, and ends the same.
  must_run({programs() + "/parallax_quickstart", cluster.client_address(3)});
}

TEST_CASE("system: the client library knows what nodes say, operation by operation") {
  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  const auto client = cluster.client();
  const Session session;
  const std::string odd("odd/\xff\0+%", 8);

  const auto put = client->put(odd, "1", {.session = session, .content_type = "text/odd"});
  REQUIRE(put);
  REQUIRE(put->stamp);
  CHECK_FALSE(session.token().empty());
  const auto got = client->get(odd, {.session = session});
  REQUIRE(got);
  CHECK(got->value.view() == "1");
  CHECK(got->content_type == "text/odd");
  CHECK(got->stamp == put->stamp);
  const auto unchanged = client->get(odd, {.if_none_match = put->stamp});
  REQUIRE(unchanged);
  CHECK(unchanged->found);
  CHECK(unchanged->value.empty());
  const auto head = client->head(odd);
  REQUIRE(head);
  CHECK(head->found);

  const auto refused = client->put(odd, "2", {.if_none_match = any_version()});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::precondition_failed);
  CHECK(refused.error().etag == put->stamp->to_string());
  REQUIRE(client->put(odd, "2", {.if_match = this_version(*put->stamp), .context = got->context}));

  const IncrementOptions once{.idempotency_key = draw_idempotency_key()};
  const auto sum = client->increment("odd/n", 5, once);
  REQUIRE(sum);
  CHECK(sum->number == 5);
  CHECK_FALSE(sum->replayed);
  const auto again = client->increment("odd/n", 5, once);
  REQUIRE(again);
  CHECK(again->number == 5);
  CHECK(again->replayed);
  const auto no_number = client->put("odd/text", "t");
  REQUIRE(no_number);
  const auto not_a_number = client->increment("odd/text");
  REQUIRE_FALSE(not_a_number);
  CHECK(not_a_number.error().code == ErrorCode::not_a_number);

  const auto many = client->get_many({"odd/n", "odd/none", odd, std::string("\xfe")});
  REQUIRE(many);
  CHECK(many->items.size() == 2);
  CHECK(many->missing.size() == 2);

  const auto batch = client->batch({
      {.operation = Put{"odd/batch", "b"}, .conditions = {.if_none_match = any_version()}},
      {.operation = Get{"odd/text"}, .consistency = Consistency{}},
      {.operation = Get{"odd/none"}},
      {.operation = Increment{"odd/text"}},
      {.operation = Delete{"odd/text"}, .conditions = {.if_match = this_version(*put->stamp)}},
  });
  REQUIRE(batch);
  REQUIRE(batch->size() == 5);
  CHECK((*batch)[0]);
  REQUIRE((*batch)[1]);
  CHECK((*batch)[1]->value.view() == "t");
  REQUIRE((*batch)[2]);
  CHECK_FALSE((*batch)[2]->found);
  REQUIRE_FALSE((*batch)[3]);
  CHECK((*batch)[3].error().code == ErrorCode::not_a_number);
  REQUIRE_FALSE((*batch)[4]);
  CHECK((*batch)[4].error().code == ErrorCode::precondition_failed);
  CHECK((*batch)[4].error().etag == no_number->stamp->to_string());

  std::vector<std::string> keys;
  RangeReader reader(*client, {.start = "odd/", .end = "odd0", .limit = 2, .reverse = true});
  auto item = reader.next();
  for (; item && *item; item = reader.next()) keys.push_back((*item)->key);
  REQUIRE(item);
  CHECK(keys == std::vector<std::string>{odd, "odd/text", "odd/n", "odd/batch"});

  REQUIRE(client->remove(odd));
  const auto history = client->history({.key = odd});
  REQUIRE(history);
  REQUIRE(history->versions.size() == 3);
  CHECK(history->versions[0].tombstone);
  CHECK(history->versions[2].stamp == *put->stamp);
  CHECK(history->versions[2].value.view() == "1");

  const Policy policy{.default_consistency = Consistency{Level::prefix}};
  REQUIRE(client->set_policy("odd/", policy));
  const auto listed = client->list_policies();
  REQUIRE(listed);
  CHECK(listed->policies == std::vector{std::pair{std::string("odd/"), policy}});
  const auto by_policy = client->get("odd/n");
  REQUIRE(by_policy);
  CHECK(by_policy->consistency.level == Level::prefix);
  REQUIRE(client->remove_policy("odd/"));
  const auto none = client->get_policy("odd/");
  REQUIRE(none);
  CHECK_FALSE(none->found);
}

TEST_CASE("system: an outside project builds against the installed library and runs") {
  const TemporaryDirectory directory;
  const std::string prefix = directory.path() + "/prefix";
  const std::string build = directory.path() + "/build";
  must_run({PARALLAX_CMAKE, "--install", PARALLAX_BINARY_DIR, "--prefix", prefix}, 120s);
  must_run({PARALLAX_CMAKE, "-G", "Ninja", "-S", PARALLAX_SOURCE_DIR "/tests/data/outside_project",
            "-B", build, "-DCMAKE_PREFIX_PATH=" + prefix});
  must_run({PARALLAX_CMAKE, "--build", build}, 240s);
  CHECK(must_run({prefix + "/bin/parallaxd", "--version"}).starts_with("parallaxd "));
  CHECK(must_run({prefix + "/bin/parallax", "--version"}).find("0.1.0") != std::string::npos);

  Cluster cluster;
  cluster.start_all();
  cluster.await_all_ready();
  CHECK(must_run({build + "/counter", cluster.client_address(1), cluster.client_address(2)}) ==
        "outside/counter = 3\n");
}

}  // namespace
}  // namespace parallax::system_tests
