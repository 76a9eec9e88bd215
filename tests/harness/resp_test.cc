// Redis' protocol, and what its nodes say of themselves.
#include "harness/io/resp.h"

#include <catch2/catch.hpp>

#include "harness/io/redis_cluster.h"

namespace parallax::harness {
namespace {

using Kind = RespReply::Kind;

RespReply whole(std::string bytes) {
  bool broken = true;
  auto reply = parse_resp(bytes, broken);
  CHECK_FALSE(broken);
  REQUIRE(reply);
  CHECK(bytes == "rest");
  return *reply;
}

TEST_CASE("a command is a list of texts with their lengths") {
  CHECK(resp_command({"SET", "k", "a\r\nb"}) == "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n");
}

TEST_CASE("every kind of reply is read and what follows it is left") {
  CHECK(whole("+OK\r\nrest").text == "OK");
  CHECK(whole("-READONLY no\r\nrest").is_error("READONLY"));
  CHECK(whole(":-12\r\nrest").number == -12);
  CHECK(whole("$-1\r\nrest").kind == Kind::nothing);
  CHECK(whole("$4\r\na\r\nb\r\nrest").text == "a\r\nb");
  CHECK(whole("$0\r\n\r\nrest").kind == Kind::text);
  const RespReply list = whole("*3\r\n:1\r\n*1\r\n$1\r\nx\r\n$-1\r\nrest");
  REQUIRE(list.list.size() == 3);
  CHECK(list.list[1].list.at(0).text == "x");
  CHECK(list.list[2].kind == Kind::nothing);
}

TEST_CASE("a reply that is not whole is waited for wherever it ends") {
  const std::string all = "*3\r\n:1\r\n*1\r\n$4\r\na\r\nb\r\n$-1\r\n";
  for (std::size_t size = 0; size < all.size(); ++size) {
    std::string part = all.substr(0, size);
    bool broken = true;
    CHECK_FALSE(parse_resp(part, broken));
    CHECK_FALSE(broken);
    CHECK(part == all.substr(0, size));
  }
}

TEST_CASE("what is no reply is told from one that is not whole") {
  for (const std::string text : {"HTTP/1.1 200 OK\r\n", "\r\n", ":one\r\n", "$-2\r\n", "*9x\r\n",
                                 "$1\r\nabc\r\n", "$99999999999\r\n"}) {
    std::string bytes = text;
    bool broken = false;
    CHECK_FALSE(parse_resp(bytes, broken));
    CHECK(broken);
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "*1\r\n";
  bool broken = false;
  CHECK_FALSE(parse_resp(deep, broken));
  CHECK(broken);
}

TEST_CASE("a node says whether it is the primary or whom it follows") {
  const auto role = [](std::string bytes) {
    bool broken = false;
    return parse_role(*parse_resp(bytes, broken));
  };
  const auto primary = role("*3\r\n$6\r\nmaster\r\n:42\r\n*0\r\n");
  REQUIRE(primary);
  CHECK(primary->primary);
  const auto replica =
      role("*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:7001\r\n$9\r\nconnected\r\n:41\r\n");
  REQUIRE(replica);
  CHECK_FALSE(replica->primary);
  CHECK(replica->follows == 7'001);
  CHECK(replica->connected);
  CHECK_FALSE(role("-LOADING\r\n"));
}

TEST_CASE("a replica says how much of the stream of writes it has") {
  const auto offset = [](const std::string& text) {
    return replica_offset({.kind = Kind::text, .text = text});
  };
  CHECK(offset("# Replication\r\nrole:slave\r\nslave_repl_offset:412\r\nslave_priority:100\r\n") ==
        412);
  CHECK(offset("role:slave\r\nslave_repl_offset:7") == 7);
  CHECK_FALSE(offset("role:master\r\nmaster_repl_offset:412\r\n"));
  CHECK_FALSE(offset(""));
}

}  // namespace
}  // namespace parallax::harness
