// The command line against a real cluster: what a whole verb promises, kills included.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "client/range_reader.h"
#include "tests/system/cluster.h"
#include "tests/system/result_text.h"

namespace parallax::system_tests {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string endpoints(const Cluster& cluster) {
  std::string list;
  for (int id = 1; id <= cluster.size(); ++id) {
    list += (list.empty() ? "" : ",") + cluster.client_address(id);
  }
  return "--endpoints=" + list;
}

std::vector<std::string> command(const Cluster& cluster, std::vector<std::string> words) {
  words.insert(words.begin(), {programs() + "/parallax", endpoints(cluster)});
  return words;
}

Ended parallax(const Cluster& cluster, std::vector<std::string> words) {
  return run(command(cluster, std::move(words)), 120s);
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Key -> value and content type, of every key that begins with `prefix`.
using Contents = std::map<std::string, std::pair<std::string, std::string>>;
Contents contents(const Cluster& cluster, const std::string& prefix) {
  const auto client = cluster.client(15s);
  RangeReader reader(*client, prefix_range(prefix));
  Contents found;
  while (true) {
    const auto item = reader.next();
    REQUIRE(item);
    if (!*item) return found;
    REQUIRE(
        found.emplace((*item)->key, std::pair((*item)->value.to_string(), (*item)->content_type))
            .second);
  }
}

void start(Cluster& cluster) {
  cluster.start_all();
  cluster.await_all_ready();
}

TEST_CASE("system: an import that is killed again and again loses no line") {
  Cluster cluster;
  start(cluster);
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/in.jsonl";
  constexpr int kLines = 3'000;
  Contents expected;
  {
    std::ofstream out(file);
    for (int i = 0; i < kLines; ++i) {
      // Every tenth line is replaced by the one after it.
      const std::string key = fmt::format("k{:05}", i % 10 == 0 ? i + 1 : i);
      const std::string value = fmt::format("line {} {}", i, std::string(200, 'x'));
      out << fmt::format("{{\"key\":\"{}\",\"value\":\"{}\"}}\n", key, value);
      expected["in/" + key] = {value, "application/octet-stream"};
    }
  }
  const auto words = command(cluster, {"import", "--format", "jsonl", "--prefix", "in/", file,
                                       "--in-flight", "8", "--quiet"});
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  Random random(5);
  int kills = 0;
  int status = 0;
  for (;;) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      const int null = ::open("/dev/null", O_WRONLY);
      ::dup2(null, 1);
      ::dup2(null, 2);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    if (kills < 4) {
      std::this_thread::sleep_for(std::chrono::milliseconds{150 + random.below(400)});
      ::kill(pid, SIGKILL);
    }
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    if (!WIFSIGNALED(status)) break;
    ++kills;
    if (kills == 2) {  // the cluster has its own trouble meanwhile
      const int leader = cluster.await_leader();
      cluster.kill(leader);
      cluster.start(leader);
    }
  }
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(kills >= 1);
  CHECK_FALSE(fs::exists(file + ".progress"));
  CHECK(contents(cluster, "in/") == expected);
  // What was stored in an earlier run was not stored again: at most what was under way at a kill.
  const auto client = cluster.client(15s);
  int repeated = 0;
  for (const auto& [key, value] : expected) {
    const auto history = client->history(ReadHistory{.key = key});
    REQUIRE(history);
    repeated += static_cast<int>(history->versions.size()) - 1;
  }
  CHECK(repeated <= kills * 8);
}

TEST_CASE("system: what export writes import restores, byte for byte") {
  Cluster cluster;
  start(cluster);
  {
    const auto client = cluster.client(15s);
    Random random(7);
    for (int i = 0; i < 1'200; ++i) {
      std::string key = fmt::format("a/{:04}", i);
      if (i % 3 == 0) key += std::string("\xff\n\"\0", 4);
      std::string value;
      for (auto left = random.below(100); left > 0; --left) {
        value += static_cast<char>(i % 2 == 0 ? random.below(256) : ' ' + random.below(90));
      }
      PutOptions options;
      if (i % 5 == 0) options.content_type = "text/x; charset=\"y\"";
      REQUIRE(client->put(key, value, options));
    }
    REQUIRE(client->put("a/large", std::string(1 << 20, '\xfe')));
    REQUIRE(client->put("a/empty", ""));
    REQUIRE(client->put("b/other", "not asked for"));
    REQUIRE(client->put("a/deleted", "gone"));
    REQUIRE(client->remove("a/deleted"));
  }
  const Contents before = contents(cluster, "a/");
  REQUIRE(before.size() == 1'202);
  const TemporaryDirectory directory;
  const std::string first = directory.path() + "/first.jsonl";
  const std::string second = directory.path() + "/second.jsonl";
  const Ended exported = parallax(cluster, {"export", "--prefix", "a/", first, "--quiet"});
  INFO(exported.output);
  REQUIRE(exported.code == 0);
  CHECK_THAT(exported.output, Catch::Contains("1,202 keys exported"));

  Cluster other;
  start(other);
  const Ended imported =
      parallax(other, {"import", "--format", "jsonl", first, "--quiet", "--verify"});
  INFO(imported.output);
  REQUIRE(imported.code == 0);
  CHECK(contents(other, "") == before);
  REQUIRE(parallax(other, {"export", second, "--quiet"}).code == 0);
  CHECK(slurp(first) == slurp(second));
}

TEST_CASE("system: the verbs do what they say") {
  Cluster cluster;
  start(cluster);
  const TemporaryDirectory directory;
  const std::string session = directory.path() + "/session";
  const auto ends = [&](std::vector<std::string> words, int code, const std::string& output) {
    const Ended ended = parallax(cluster, words);
    INFO(fmt::format("{}", fmt::join(words, " ")) << ": " << ended.output);
    CHECK(ended.code == code);
    CHECK_THAT(ended.output, Catch::Contains(output));
    return ended.output;
  };
  std::string version = ends({"put", "lock", "me", "--if-absent", "--session", session}, 0, "-");
  version.pop_back();
  CHECK_FALSE(slurp(session).empty());
  ends({"put", "lock", "you", "--if-absent"}, 3, "the present version is " + version);
  ends({"get", "lock", "--session", session, "--consistency", "prefix"}, 0, "me");
  ends({"get", "lock", "--if-none-match", version}, 0, "still has that version");
  ends({"put", "lock", "you", "--if-match", version}, 0, "-");
  ends({"delete", "lock", "--if-match", version}, 3, "the present version is ");
  ends({"delete", "lock", "--if-exists"}, 0, "-");
  ends({"get", "lock"}, 1, "is not there");
  ends({"history", "lock"}, 0, "tombstone");
  ends({"put", "brief", "v", "--ttl", "200ms"}, 0, "-");
  std::this_thread::sleep_for(300ms);
  ends({"get", "brief"}, 1, "is not there");
  ends({"increment", "n", "--by", "41", "--idempotency-key", "one"}, 0, "41\n");
  ends({"increment", "n", "--by", "41", "--idempotency-key", "one"}, 0, "41\n");
  ends({"increment", "n"}, 0, "42\n");
  ends({"increment", "n", "--idempotency-key", "one"}, 3, "");
  ends({"put", "word", "w"}, 0, "-");
  ends({"increment", "word"}, 3, "");
  ends({"scan"}, 0, "word");
  ends({"scan", "--keys-only", "--json", "--limit", "1"}, 0, "{\"key\":\"n\"");
  std::ofstream(directory.path() + "/batch.json")
      << R"({"operations":[{"op":"put","key":"x","value":"1"},{"op":"get","key":"n"},)"
      << R"({"op":"get","key":"nowhere"},{"op":"increment","key":"x","by":4}]})";
  ends({"batch", directory.path() + "/batch.json"}, 1, "not found");
  ends({"policy", "set", "cache/", "--level", "prefix"}, 0, "");
  ends({"policy", "list"}, 0, "cache/  prefix  allow   last-writer");
  ends({"put", "cache/a", "v"}, 0, "-");
  ends({"get", "cache/a", "--json"}, 0, "\"consistency\":\"prefix\"");
  ends({"policy", "delete", "cache/"}, 0, "");
  ends({"policy", "get", "cache/"}, 1, "no policy");
  ends({"cluster"}, 0, "leader");
  ends({"status"}, 0, "role");
  ends({"bench", "--duration", "300ms", "--keys", "50"}, 0, "get        prefix");
  CHECK(contents(cluster, "parallax-bench/").empty());
}

}  // namespace
}  // namespace parallax::system_tests
