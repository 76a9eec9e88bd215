// The real program against a fake node: exit codes, bytes, JSON, and imports that are interrupted.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "tests/client/io/cli_program.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace testing;               // NOLINT
using namespace std::chrono_literals;  // NOLINT
namespace fs = std::filesystem;
namespace json = boost::json;

/// `count` packages and what they become under `prefix`.
std::string status_file(int count, const std::string& prefix,
                        std::map<std::string, std::string>& values) {
  std::string file;
  for (int i = 0; i < count; ++i) {
    const std::string stanza = "Package: p" + std::to_string(i) +
                               "\nArchitecture: amd64\nDescription: number " + std::to_string(i) +
                               "\n more of it\n";
    values[prefix + "p" + std::to_string(i)] = stanza;
    file += stanza + "\n";
  }
  return file;
}

TEST_CASE("command line: put get and delete") {
  const ScratchDirectory scratch;
  FakeStore store;
  FakeServer server(serving(store));
  const std::string at = "--endpoints=" + server.endpoint();
  const std::string bytes("a\0b\xff\n\n", 6);

  CHECK(parallax(scratch, {at, "put", "k", "v"}).code == 0);
  CHECK(store.values()["k"] == "v");
  CHECK(parallax(scratch, {"put", "k", "-", at}, bytes).code == 0);
  CHECK(store.values()["k"] == bytes);
  CHECK(parallax(scratch, {"put", "--endpoints", server.endpoint(), "f", "--file",
                           scratch.file("value", bytes).string()})
            .out == "1001-1\n");
  CHECK(store.values()["f"] == bytes);
  CHECK(parallax(scratch, {at, "put", "empty", ""}).code == 0);
  CHECK(store.values().at("empty").empty());

  const Ended get = parallax(scratch, {"get", "--endpoints", server.endpoint(), "k"});
  CHECK(get.code == 0);
  CHECK(get.out == bytes);
  CHECK(get.err.empty());

  CHECK(parallax(scratch, {at, "delete", "k"}).code == 0);
  CHECK(store.values().count("k") == 0);
  const Ended absent = parallax(scratch, {at, "get", "k"});
  CHECK(absent.code == 1);
  CHECK(absent.out.empty());
  CHECK(absent.err.find("k is not there") != std::string::npos);
}

TEST_CASE("command line: JSON") {
  const ScratchDirectory scratch;
  FakeStore store;
  FakeServer server(serving(store));
  const std::string at = "--endpoints=" + server.endpoint();
  store.set("k\xff", "v");
  const auto get = json::parse(parallax(scratch, {at, "--json", "get", "k\xff"}).out).as_object();
  CHECK(get.at("key_base64") == "a/8=");
  CHECK(get.at("value_base64") == "dg==");
  CHECK(get.at("found") == true);
  CHECK(get.at("etag") == "\"1000-1\"");
  CHECK(get.at("consistency") == "linearizable");
  CHECK(get.at("evidence").as_object().at("path") == "read-index");
  CHECK(get.at("evidence").as_object().at("replicas") == json::array{1, 2});
  const Ended absent = parallax(scratch, {at, "--json", "get", "absent"});
  CHECK(absent.code == 1);
  CHECK(json::parse(absent.out).as_object().at("found") == false);
  const Ended failed = parallax(
      scratch, {"--endpoints", refusing_endpoint(), "--timeout-ms", "200", "--json", "get", "k"});
  CHECK(failed.code == 3);
  const auto error = json::parse(failed.out).as_object().at("error").as_object();
  CHECK(error.at("code") == "io");
  CHECK(error.at("outcome") == "not_applied");
}

TEST_CASE("command line: explain shows the plan as a table, or as it came") {
  const ScratchDirectory scratch;
  const std::string plan = R"({"level":"prefix","path":"local","replicas":[2],"waits_for":null,)"
                           R"("survives":{"nodes_down":2}})";
  FakeServer server([&](const SeenRequest&) { return respond(200, {}, plan); });
  const std::string at = "--endpoints=" + server.endpoint();
  const Ended table = parallax(scratch, {at, "explain", "read", "k", "--consistency", "prefix"});
  CHECK(table.code == 0);
  CHECK(table.out.find("path                 local\n") != std::string::npos);
  CHECK(table.out.find("replicas             [2]\n") != std::string::npos);
  CHECK(table.out.find("survives nodes down  2\n") != std::string::npos);
  CHECK(table.out.find("waits for            -\n") != std::string::npos);
  const std::vector<SeenRequest> seen = server.seen();
  CHECK(std::count_if(seen.begin(), seen.end(), [](const SeenRequest& request) {
          return request.path == "/v1/explain" && request.query.starts_with("op=read&key=k&");
        }) == 1);
  CHECK(parallax(scratch, {at, "--json", "explain", "write"}).out == plan + "\n");
  CHECK(parallax(scratch, {at, "explain", "delete"}).code == 2);
  CHECK(parallax(scratch, {at, "explain"}).code == 2);
}

TEST_CASE("command line: what is wrongly asked is 2 and nothing is sent") {
  const ScratchDirectory scratch;
  FakeStore store;
  FakeServer server(serving(store));
  const std::string at = "--endpoints=" + server.endpoint();
  struct Row {
    std::vector<std::string> arguments;
    const char* says;
  };
  for (const Row& row : std::vector<Row>{
           {{}, "subcommand"},
           {{"fetch", "k"}, "fetch"},
           {{at, "get"}, "KEY"},
           {{at, "put", "k"}, "VALUE"},
           {{at, "put", "k", "v", "--file", "f"}, "--file"},
           {{at, "get", "k", "--consistency", "wish"}, "linearizable"},
           {{at, "get", "k", "--timeout-ms", "0"}, "--timeout-ms"},
           {{at, "get", "k", "--unknown"}, "--unknown"},
           {{at, "get", ""}, "1 to 1024"},
           {{"--endpoints", "nowhere", "get", "k"}, "nowhere"},
           {{at, "import", "x", "--format", "tar"}, "dpkg, jsonl, csv"},
           {{at, "import", "x"}, "import needs --format (dpkg"},
           {{at, "verify", "x", "--format", "dpkg", "--in-flight", "0"}, "--in-flight"},
       }) {
    const Ended ended = parallax(scratch, row.arguments);
    INFO(row.says);
    CHECK(ended.code == 2);
    CHECK(ended.out.empty());
    CHECK(ended.err.find(row.says) != std::string::npos);
  }
  CHECK(server.seen().empty());
  const Ended help = parallax(scratch, {"--help"});
  CHECK(help.code == 0);
  CHECK(help.out.find("parallax import --format dpkg") != std::string::npos);
  CHECK(parallax(scratch, {"--version"}).out == "parallax " PARALLAX_VERSION "\n");
}

TEST_CASE("command line: failures are 3 when definite and 4 when the outcome is unknown") {
  const ScratchDirectory scratch;
  FakeServer closing([](const SeenRequest&) { return hang_up(); });
  FakeServer refusing([](const SeenRequest&) {
    return problem_answer(409, "mixing-denied", "not_applied", false);
  });
  const std::string unsure = "--endpoints=" + closing.endpoint();
  const std::string sure = "--endpoints=" + refusing.endpoint();
  const Ended unknown = parallax(scratch, {unsure, "put", "k", "v"});
  CHECK(unknown.code == 4);
  CHECK(unknown.err.find("outcome is unknown") != std::string::npos);
  CHECK(parallax(scratch, {unsure, "delete", "k"}).code == 4);
  CHECK(parallax(scratch, {unsure, "get", "k", "--timeout-ms", "200"}).code == 3);
  const Ended refused = parallax(scratch, {sure, "put", "k", "v"});
  CHECK(refused.code == 3);
  CHECK(refused.err.find("told mixing-denied") != std::string::npos);
  CHECK(parallax(scratch, {sure, "put", "k", "--file", "/nowhere/at/all"}).code == 3);
}

TEST_CASE("command line: tables of cluster and status") {
  const ScratchDirectory scratch;
  FakeServer server([](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(2, {{1, "h:7101"}, {2, "h:7102"}});
    return respond(200, {}, R"({"id":1,"role":"follower","term":3})");
  });
  const std::string at = "--endpoints=" + server.endpoint();
  const Ended cluster = parallax(scratch, {at, "cluster"});
  CHECK(cluster.code == 0);
  CHECK(cluster.out ==
        "cluster c1  term 3  leader 2\n"
        "NODE  ROLE      STATE  CLIENT  PEER            MATCH  APPLIED  LAG MS  CLOCK MS\n"
        "   1  follower  up     h:7101  127.0.0.1:7201    120      120     0.0       0.5\n"
        "   2  leader    up     h:7102  127.0.0.1:7202    120      120     0.0       0.5\n");
  CHECK(json::parse(parallax(scratch, {at, "cluster", "--json"}).out).as_object().at("term") == 3);

  const std::string dead = refusing_endpoint();
  const Ended status = parallax(scratch, {"--endpoints", server.endpoint() + "," + dead, "status"});
  CHECK(status.code == 3);
  CHECK(status.out.find("role") != std::string::npos);
  CHECK(status.out.find("unreachable") != std::string::npos);
  CHECK(status.err.find(dead) != std::string::npos);
  const auto nodes = json::parse(parallax(scratch, {at, "status", "--json"}).out)
                         .as_object()
                         .at("nodes")
                         .as_array();
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].as_object().at("endpoint") == json::value(server.endpoint()));
  CHECK(nodes[0].as_object().at("role") == "follower");
}

TEST_CASE("command line: import stores every record and verify finds them") {
  const ScratchDirectory scratch;
  FakeStore store;
  store.before_put([](const std::string&, int) {
    std::this_thread::sleep_for(1ms);
    return std::unique_ptr<Action>();
  });
  FakeServer server(serving(store));
  const std::string at = "--endpoints=" + server.endpoint();
  std::map<std::string, std::string> values;
  const std::string file = scratch.file("status", status_file(300, "pkg/", values)).string();
  const Ended import =
      parallax(scratch, {at, "import", "--format", "dpkg", "--prefix", "pkg/", file, "--verify"});
  INFO(import.err);
  CHECK(import.code == 0);
  CHECK(import.out.find("300 of 300 records stored\n") == 0);
  CHECK(import.out.find("300 of 300 records are the same byte by byte") != std::string::npos);
  CHECK(store.values() == values);
  for (const auto& [key, puts] : store.puts()) CHECK(puts == 1);
  CHECK_FALSE(fs::exists(file + ".progress"));
  CHECK(server.peak() > 1);

  // One changed byte, one missing key, and one more key than the file has.
  std::string changed = values["pkg/p7"];
  changed.back() = 'X';
  store.set("pkg/p7", changed);
  parallax(scratch, {at, "delete", "pkg/p8"});
  store.set("pkg/other", "x");
  const Ended verify =
      parallax(scratch, {at, "verify", "--format", "dpkg", "--prefix", "pkg/", file});
  CHECK(verify.code == 1);
  CHECK(verify.out == "298 of 300 records are the same byte by byte, 1 missing, 1 different\n");
  CHECK(verify.err.find("pkg/p7 differs from byte " + std::to_string(changed.size() - 1)) !=
        std::string::npos);
  CHECK(verify.err.find("pkg/p8 is not there") != std::string::npos);
  const auto counts = json::parse(parallax(scratch, {at, "verify", "--format", "dpkg", "--prefix",
                                                     "pkg/", "--json", "--quiet", file})
                                      .out)
                          .as_object();
  CHECK(counts.at("same") == 298);
}

TEST_CASE("command line: a killed import goes on and neither repeats nor loses a record") {
  const ScratchDirectory scratch;
  FakeStore store;
  std::atomic<bool> slow{true};
  store.before_put([&](const std::string&, int) {
    if (slow) std::this_thread::sleep_for(3ms);
    return std::unique_ptr<Action>();
  });
  FakeServer server(serving(store));
  const std::string at = "--endpoints=" + server.endpoint();
  std::map<std::string, std::string> values;
  const std::string file = scratch.file("status", status_file(400, "", values)).string();
  const std::vector<std::string> command{at,   "import",      "--format", "dpkg",
                                         file, "--in-flight", "4"};
  {
    Running running(scratch, command);
    for (int i = 0; i < 2000 && store.puts().size() < 100; ++i) std::this_thread::sleep_for(2ms);
    running.signal(SIGKILL);
    CHECK(running.wait().code == 128 + SIGKILL);
  }
  const std::size_t before = store.puts().size();
  REQUIRE(before >= 100);
  REQUIRE(before < 400);
  REQUIRE(fs::exists(file + ".progress"));

  slow = false;
  const Ended again = parallax(scratch, command);
  INFO(again.err);
  CHECK(again.code == 0);
  CHECK(again.err.find("going on where an earlier run stopped") != std::string::npos);
  CHECK(store.values() == values);
  // At most what was under way when it was killed is stored a second time.
  int repeated = 0;
  for (const auto& [key, puts] : store.puts()) repeated += puts - 1;
  CHECK(repeated <= 4);
  CHECK_FALSE(fs::exists(file + ".progress"));
}

TEST_CASE("command line: an interrupted import waits for what is under way and says how to go on") {
  const ScratchDirectory scratch;
  FakeStore store;
  store.before_put([&](const std::string&, int) {
    std::this_thread::sleep_for(5ms);
    return std::unique_ptr<Action>();
  });
  FakeServer server(serving(store));
  std::map<std::string, std::string> values;
  const std::string file = scratch.file("status", status_file(1000, "", values)).string();
  const std::vector<std::string> command{
      "--endpoints", server.endpoint(), "import", "--format", "dpkg", file, "--in-flight", "4"};
  Running running(scratch, command);
  for (int i = 0; i < 2000 && store.puts().size() < 50; ++i) std::this_thread::sleep_for(2ms);
  running.signal(SIGINT);
  const Ended ended = running.wait();
  CHECK(ended.code == 3);
  CHECK(ended.err.find("interrupted") != std::string::npos);
  CHECK(ended.err.find("the same command goes on from here") != std::string::npos);
  const std::size_t stored = store.puts().size();
  CHECK(ended.out.find(std::to_string(stored) + " of 1,000 records stored") == 0);
  store.before_put(nullptr);
  CHECK(parallax(scratch, command).code == 0);
  for (const auto& [key, puts] : store.puts()) CHECK(puts == 1);
  CHECK(store.values() == values);
}

TEST_CASE("command line: records of unknown outcome are stored again") {
  const ScratchDirectory scratch;
  FakeStore store;
  std::mutex mutex;
  std::set<std::string> broken;
  store.before_put([&](const std::string& key, int) -> std::unique_ptr<Action> {
    const std::lock_guard lock(mutex);
    if (key.back() != '5' || !broken.insert(key).second) return nullptr;
    return std::make_unique<Action>(hang_up());
  });
  FakeServer server(serving(store));
  std::map<std::string, std::string> values;
  const std::string file = scratch.file("status", status_file(100, "", values)).string();
  const Ended ended =
      parallax(scratch, {"--endpoints", server.endpoint(), "import", "--format", "dpkg", file});
  INFO(ended.err);
  CHECK(ended.code == 0);
  {
    const std::lock_guard lock(mutex);
    CHECK(broken.size() == 10);
  }
  CHECK(store.values() == values);
}

TEST_CASE("command line: what could not be imported is reported and kept for the next run") {
  const ScratchDirectory scratch;
  FakeStore store;
  store.before_put([&](const std::string& key, int) -> std::unique_ptr<Action> {
    if (key == "p3") {
      return std::make_unique<Action>(problem_answer(409, "mixing-denied", "not_applied", false));
    }
    if (key == "p4") return std::make_unique<Action>(hang_up());
    return nullptr;
  });
  FakeServer server(serving(store));
  const std::string at = "--endpoints=" + server.endpoint();
  std::map<std::string, std::string> values;
  const std::string file = scratch.file("status", status_file(20, "", values)).string();
  const std::vector<std::string> command{at, "import", "--format", "dpkg", file};
  const Ended ended = parallax(scratch, command);
  CHECK(ended.code == 4);
  CHECK(ended.out == "18 of 20 records stored, 1 failed, 1 of unknown outcome\n");
  CHECK(ended.err.find("p3: told mixing-denied") != std::string::npos);
  CHECK(ended.err.find("(outcome unknown)") != std::string::npos);
  store.before_put(nullptr);
  const Ended again = parallax(scratch, command);
  CHECK(again.code == 0);
  CHECK(again.out == "20 of 20 records stored (18 earlier)\n");
  CHECK(store.puts().at("p1") == 1);
}

TEST_CASE("command line: progress of another import is not taken for this one's") {
  const ScratchDirectory scratch;
  FakeStore store;
  store.before_put([&](const std::string& key, int) -> std::unique_ptr<Action> {
    if (key != "p9") return nullptr;
    return std::make_unique<Action>(problem_answer(409, "mixing-denied", "not_applied", false));
  });
  FakeServer server(serving(store));
  std::map<std::string, std::string> values;
  const std::string file = scratch.file("status", status_file(10, "", values)).string();
  const auto import_to = [&](const FakeServer& target, const std::string& prefix) {
    return parallax(scratch, {"--endpoints", target.endpoint(), "import", "--format", "dpkg",
                              "--prefix", prefix, file});
  };
  REQUIRE(import_to(server, "").code == 3);
  REQUIRE(fs::exists(file + ".progress"));
  SECTION("another prefix") {
    CHECK(import_to(server, "x/").out == "10 of 10 records stored\n");
  }
  SECTION("another cluster") {
    FakeStore other_store("c2");
    FakeServer other(serving(other_store));
    CHECK(import_to(other, "").out == "10 of 10 records stored\n");
    CHECK(other_store.values() == values);
  }
  SECTION("a file that changed") {
    std::ofstream(file, std::ios::app) << "Package: last\n";
    CHECK(import_to(server, "x/").out == "11 of 11 records stored\n");
  }
  SECTION("a file of somebody else") {
    std::ofstream(file + ".progress", std::ios::trunc) << "notes";
    const Ended ended = import_to(server, "");
    CHECK(ended.code == 3);
    CHECK(ended.err.find("left alone") != std::string::npos);
    CHECK(slurp(file + ".progress") == "notes");
  }
  SECTION("starting again when told to") {
    store.before_put(nullptr);
    const Ended ended = parallax(scratch, {"--endpoints", server.endpoint(), "import", "--format",
                                           "dpkg", file, "--restart"});
    CHECK(ended.out == "10 of 10 records stored\n");
    CHECK(store.puts().at("p1") == 2);
  }
}

TEST_CASE("command line: progress is kept where it can be written") {
  const ScratchDirectory scratch;
  FakeStore store;
  FakeServer server(serving(store));
  store.before_put([&](const std::string& key, int) -> std::unique_ptr<Action> {
    if (key != "p9") return nullptr;
    return std::make_unique<Action>(problem_answer(409, "mixing-denied", "not_applied", false));
  });
  std::map<std::string, std::string> values;
  const std::string file = scratch.file("status", status_file(10, "", values)).string();
  std::vector<std::string> command{"--endpoints", server.endpoint(), "import", "--format", "dpkg",
                                   file};
  SECTION("a path of one's own") {
    const std::string own = (scratch.path / "own").string();
    command.insert(command.end(), {"--progress-file", own});
    CHECK(parallax(scratch, command).code == 3);
    CHECK(fs::exists(own));
    CHECK_FALSE(fs::exists(file + ".progress"));
  }
  SECTION("the state directory where the file's own cannot be written") {
    // A directory in the way works for root too, whom permissions do not stop.
    fs::create_directory(file + ".progress");
    CHECK(parallax(scratch, command).code == 3);
    CHECK_FALSE(fs::is_empty(scratch.path / "state" / "parallax"));
    store.before_put(nullptr);
    CHECK(parallax(scratch, command).out == "10 of 10 records stored (9 earlier)\n");
    CHECK(fs::is_empty(scratch.path / "state" / "parallax"));
  }
}

TEST_CASE("command line: an import without a cluster ends soon and says so") {
  const ScratchDirectory scratch;
  std::map<std::string, std::string> values;
  const std::string file = scratch.file("status", status_file(500, "", values)).string();
  const auto start = std::chrono::steady_clock::now();
  const Ended ended = parallax(scratch, {"--endpoints", refusing_endpoint(), "--timeout-ms", "300",
                                         "import", "--format", "dpkg", file});
  CHECK(ended.code == 3);
  CHECK(ended.err.find("cannot connect") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - start < 3s);
  const Ended broken = parallax(scratch, {"--endpoints", refusing_endpoint(), "import", "--format",
                                          "dpkg", scratch.file("no", "not a file\n").string()});
  CHECK(broken.code == 2);
  CHECK(broken.err.find("line 1") != std::string::npos);
}

TEST_CASE("command line: progress without a terminal is plain lines and few") {
  const ScratchDirectory scratch;
  FakeStore store;
  store.before_put([&](const std::string&, int) {
    std::this_thread::sleep_for(20ms);
    return std::unique_ptr<Action>();
  });
  FakeServer server(serving(store));
  std::map<std::string, std::string> values;
  const std::string file = scratch.file("status", status_file(100, "", values)).string();
  const Ended ended = parallax(scratch, {"--endpoints", server.endpoint(), "import", "--format",
                                         "dpkg", file, "--in-flight", "1"});
  CHECK(ended.code == 0);
  CHECK(ended.err.find('\x1b') == std::string::npos);
  CHECK(ended.err.find('\r') == std::string::npos);
  const auto lines = std::count(ended.err.begin(), ended.err.end(), '\n');
  CHECK(lines >= 2);
  CHECK(lines <= 5);
  CHECK(ended.err.find("left") != std::string::npos);
  CHECK(ended.err.find("100%  100/100") != std::string::npos);
}

}  // namespace
}  // namespace parallax
