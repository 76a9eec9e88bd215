// The real program against a scripted node: what each verb sends, prints and ends with.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <regex>
#include <set>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <sys/stat.h>

#include "base/base64.h"
#include "client/cli/command_line.h"
#include "client/http_protocol.h"
#include "consistency/key_context.h"
#include "consistency/session_token.h"
#include "tests/client/io/cli_program.h"
#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace testing;               // NOLINT
using namespace std::chrono_literals;  // NOLINT
namespace fs = std::filesystem;
namespace json = boost::json;

using Headers = std::vector<std::pair<std::string, std::string>>;

/// A success with a JSON body.
Action json_answer(const std::string& body, Headers headers = {}) {
  headers.emplace_back("Parallax-Consistency", "linearizable");
  headers.emplace_back("Content-Type", "application/json");
  return respond(200, headers, body);
}

/// Answers every request alike and keeps them.
struct Scripted {
  explicit Scripted(Action action)
      : server([action](const SeenRequest& request) {
          if (request.path == "/v1/cluster") return cluster_answer(0, {});
          return action;
        }) {}
  FakeServer server;
  std::string at() const { return "--endpoints=" + server.endpoint(); }
  SeenRequest last() const {
    REQUIRE_FALSE(server.seen().empty());
    return server.seen().back();
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

json::object object_of(const std::string& text) {
  return json::parse(text).as_object();
}

TEST_CASE("command line: the options of put and delete reach the node") {
  const ScratchDirectory scratch;
  const Scripted node(stored_answer());
  const std::string context = encode_key_context("k", VersionVector({{kLogActor, Hlc{7}}}));
  CHECK(parallax(scratch,
                 {node.at(), "put", "k", "v", "--ttl", "90s", "--content-type", "a/b", "--if-match",
                  "100-1,200-2", "--idempotency-key", "once", "--context", context})
            .code == 0);
  SeenRequest seen = node.last();
  CHECK(seen.method == "PUT");
  CHECK(has(seen.query, "ttl_ms=90000"));
  CHECK(seen.headers["content-type"] == "a/b");
  CHECK(seen.headers["if-match"] == "\"100-1\", \"200-2\"");
  CHECK(seen.headers["idempotency-key"] == "once");
  CHECK(seen.headers["parallax-context"] == context);
  CHECK(parallax(scratch, {node.at(), "put", "k", "v", "--if-absent"}).code == 0);
  CHECK(node.last().headers["if-none-match"] == "*");
  CHECK(parallax(scratch, {node.at(), "delete", "k", "--if-exists"}).code == 0);
  CHECK(node.last().method == "DELETE");
  CHECK(node.last().headers["if-match"] == "*");
  CHECK(parallax(scratch, {node.at(), "delete", "k", "--if-none-match", "\"5-1\""}).code == 0);
  CHECK(node.last().headers["if-none-match"] == "\"5-1\"");
}

TEST_CASE("command line: a condition that does not hold says what is there") {
  const ScratchDirectory scratch;
  const Scripted node(
      problem_answer(412, "precondition-failed", "not_applied", false, R"(,"etag":"\"77-2\"")"));
  const Ended ended = parallax(scratch, {node.at(), "--json", "put", "k", "v", "--if-absent"});
  CHECK(ended.code == 3);
  CHECK(has(ended.err, "the present version is 77-2"));
  const auto error = object_of(ended.out).at("error").as_object();
  CHECK(error.at("code") == "precondition-failed");
  CHECK(error.at("etag") == "\"77-2\"");
}

TEST_CASE("command line: get knows what the caller has, and all siblings") {
  const ScratchDirectory scratch;
  {
    const Scripted node(
        respond(304, {{"Parallax-Consistency", "linearizable"}, {"ETag", "\"5-1\""}}, ""));
    const Ended ended = parallax(scratch, {node.at(), "get", "k", "--if-none-match", "5-1"});
    CHECK(ended.code == 0);
    CHECK(ended.out.empty());
    CHECK(has(ended.err, "still has that version"));
    CHECK(node.last().headers["if-none-match"] == "\"5-1\"");
  }
  const Scripted node(
      respond(300,
              {{"Parallax-Consistency", "linearizable"},
               {"ETag", "\"9-2\""},
               {"Content-Type", "application/json"}},
              R"({"siblings":[{"etag":"\"9-2\"","value_base64":"bmV3","content_type":"a/b"},)"
              R"({"etag":"\"8-1\"","value_base64":"/wA=","content_type":"c/d"}]})"));
  const Ended table = parallax(scratch, {node.at(), "get", "k", "--siblings"});
  CHECK(table.code == 0);
  CHECK(table.out ==
        "VERSION  BYTES  CONTENT TYPE  VALUE\n"
        "9-2          3  a/b           new\n"
        "8-1          2  c/d           \\xff\\x00\n");
  CHECK(has(node.last().query, "siblings=true"));
  const auto object =
      object_of(parallax(scratch, {node.at(), "--json", "get", "k", "--siblings"}).out);
  CHECK(object.at("siblings").as_array().at(1).as_object().at("value_base64") == "/wA=");
}

TEST_CASE("command line: increment prints the sum") {
  const ScratchDirectory scratch;
  const Scripted node(json_answer(R"({"value":-12})", {{"ETag", "\"5-1\""}}));
  const Ended ended = parallax(scratch, {node.at(), "increment", "n", "--by", "-3"});
  CHECK(ended.code == 0);
  CHECK(ended.out == "-12\n");
  CHECK(node.last().path == "/v1/kv/n/increment");
  CHECK(node.last().body == R"({"by":-3})");
  const auto object = object_of(parallax(scratch, {node.at(), "increment", "n", "--json"}).out);
  CHECK(object.at("value") == -12);
  CHECK(node.last().body == R"({"by":1})");
  const Scripted words(problem_answer(409, "not-a-number", "not_applied", false));
  CHECK(parallax(scratch, {words.at(), "increment", "n"}).code == 3);
}

/// A node that has `count` keys "k0000"... and gives them in pages of at most `page`.
Action paged(const SeenRequest& request, int count, int page) {
  if (request.path == "/v1/cluster") return cluster_answer(0, {});
  const auto parameter = [&](const std::string& name) -> std::string {
    const auto query = *parse_query(request.query);
    for (const auto& [known, value] : query) {
      if (known == name) return value;
    }
    return "";
  };
  const std::string next = parameter("next");
  const int from = next.empty() ? 0 : std::stoi(next);
  std::string items;
  int at = from;
  for (; at < count && at < from + page; ++at) {
    items +=
        fmt::format(R"({}{{"key":"k{:04}","value_base64":"{}","etag":"\"{}-1\""}})",
                    items.empty() ? "" : ",", at, base64("value " + std::to_string(at)), 1000 + at);
  }
  return json_answer(fmt::format(R"({{"items":[{}],"next":{}}})", items,
                                 at < count ? fmt::format("\"{}\"", at) : "null"));
}

TEST_CASE("command line: scan goes over all pages and stops at its limit") {
  const ScratchDirectory scratch;
  FakeServer server([](const SeenRequest& request) { return paged(request, 7, 3); });
  const std::string at = "--endpoints=" + server.endpoint();
  const Ended all =
      parallax(scratch, {at, "scan", "--prefix", "k", "--start", "k0000", "--reverse"});
  CHECK(all.code == 0);
  CHECK(std::count(all.out.begin(), all.out.end(), '\n') == 8);
  CHECK(has(all.out, "KEY    VERSION  BYTES  VALUE\nk0000  1000-1       7  value 0\n"));
  CHECK(has(all.out, "\nk0006  1006-1       7  value 6\n"));
  REQUIRE(server.seen().size() == 3);
  CHECK(server.seen()[0].path == "/v1/kv");
  CHECK(has(server.seen()[0].query, "start=k0000&end=l&reverse=true"));
  CHECK(has(server.seen()[1].query, "next=3"));

  const Ended few = parallax(scratch, {at, "--json", "scan", "--limit", "4"});
  CHECK(std::count(few.out.begin(), few.out.end(), '\n') == 4);
  CHECK(object_of(few.out.substr(0, few.out.find('\n'))).at("value_base64") == "dmFsdWUgMA==");
  CHECK(has(server.seen()[3].query, "limit=4"));
  CHECK(server.seen().size() == 5);
}

TEST_CASE("command line: an empty range asks nobody") {
  const ScratchDirectory scratch;
  FakeServer server([](const SeenRequest& request) { return paged(request, 7, 3); });
  const Ended ended = parallax(
      scratch, {"--endpoints", server.endpoint(), "scan", "--prefix", "b", "--start", "c"});
  CHECK(ended.code == 0);
  CHECK(ended.out.empty());
  CHECK(server.seen().empty());
}

TEST_CASE("command line: export writes every page, and a file only when it is whole") {
  const ScratchDirectory scratch;
  std::atomic<bool> broken{true};
  FakeServer server([&](const SeenRequest& request) {
    if (broken && has(request.query, "next=1000")) {
      return problem_answer(400, "bad-parameter", "not_applied", false);
    }
    return paged(request, 2500, 1000);
  });
  const std::string at = "--endpoints=" + server.endpoint();
  const fs::path file = scratch.file("out", "as before");
  const Ended failed = parallax(scratch, {at, "export", "--prefix", "k", file.string()});
  CHECK(failed.code == 2);
  CHECK(slurp(file) == "as before");
  broken = false;
  const Ended done = parallax(scratch, {at, "export", "--prefix", "k", file.string()});
  CHECK(done.code == 0);
  CHECK(has(done.out, "2,500 keys exported"));
  const std::string lines = slurp(file);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 2500);
  CHECK(lines.starts_with("{\"key\":\"k0000\",\"value\":\"value 0\"}\n"));
  CHECK(parallax(scratch, {at, "export", "--prefix", "k"}).out == lines);
  // Nothing is left beside it.
  std::size_t beside = 0;
  for (const auto& entry : fs::directory_iterator(scratch.path)) {
    beside += entry.path().filename().string().starts_with("out") ? 1 : 0;
  }
  CHECK(beside == 1);
}

TEST_CASE("command line: batch shows each outcome and ends with the worst") {
  const ScratchDirectory scratch;
  const std::string evidence =
      R"("evidence":"node=1, term=3, index=9, path=log, replicas=(1 2), sequenced=?1, degraded=?0")";
  const std::string good =
      R"({"status":204,"etag":"\"5-1\"","consistency":"linearizable",)" + evidence + "}";
  const auto problem = [](int status, const std::string& code, const std::string& outcome) {
    return fmt::format(
        R"({{"status":{0},"problem":{{"status":{0},"detail":"told {1}","code":"{1}",)"
        R"("outcome":"{2}","retryable":false}}}})",
        status, code, outcome);
  };
  const std::string input =
      R"({"operations":[{"op":"put","key":"a","value":"1"},{"op":"delete","key":"b"}]})";
  struct Row {
    std::string second;
    int code;
  };
  for (const Row& row : {Row{good, 0}, Row{problem(409, "mixing-denied", "not_applied"), 3},
                         Row{problem(504, "timeout", "unknown"), 4}}) {
    const Scripted node(json_answer(R"({"results":[)" + good + "," + row.second + "]}"));
    const Ended ended = parallax(scratch, {node.at(), "batch"}, input);
    INFO(ended.out << ended.err);
    CHECK(ended.code == row.code);
    CHECK(has(ended.out, "put        a    done"));
    const auto sent = object_of(node.last().body).at("operations").as_array();
    CHECK(sent.at(1).as_object().at("op") == "delete");
    const auto results =
        object_of(parallax(scratch, {node.at(), "batch", "-", "--json"}, input).out)
            .at("results")
            .as_array();
    CHECK(results.size() == 2);
    CHECK(results[1].as_object().contains("error") == (row.code != 0));
  }
  const Scripted node(hang_up());
  const Ended wrong = parallax(scratch, {node.at(), "batch"}, R"([{"op":"put","key":"a"}])");
  CHECK(wrong.code == 2);
  CHECK(has(wrong.err, "operations[0]"));
  CHECK(node.server.seen().empty());
}

TEST_CASE("command line: history newest first, as a table and as JSON") {
  const ScratchDirectory scratch;
  const Scripted node(json_answer(
      R"({"versions":[{"etag":"\"115966003052544000-2\"","at_ms":1769500778999,"kind":"tombstone"},)"
      R"({"etag":"\"115966003052478464-1\"","at_ms":1769500778998,"kind":"value",)"
      R"("value_base64":"dg==","content_type":"a/b"}],"complete_from_ms":17})"));
  const Ended table = parallax(scratch, {node.at(), "history", "k/1", "--from", "5", "--to", "9"});
  CHECK(table.code == 0);
  CHECK(
      has(table.out, "VERSION               TIME                      KIND       BYTES  VALUE\n"));
  CHECK(has(table.out, "115966003052478464-1  2026-01-27T"));
  CHECK(has(table.out, "Z  value          1  v\n"));
  CHECK(node.last().path == "/v1/history/k/1");
  CHECK(has(node.last().query, "from=5&to=9"));
  const auto object = object_of(parallax(scratch, {node.at(), "history", "k", "--json"}).out);
  CHECK(object.at("complete_from_ms") == 17);
  CHECK(object.at("versions").as_array().at(0).as_object().at("kind") == "tombstone");
  const Scripted empty(json_answer(R"({"versions":[]})"));
  CHECK(parallax(scratch, {empty.at(), "history", "k"}).code == 1);
}

TEST_CASE("command line: policies are listed, read, set and removed") {
  const ScratchDirectory scratch;
  const std::string policy =
      R"("default_consistency":"prefix","mixing":"deny","conflict":"last-writer")";
  const Scripted list(json_answer(R"({"policies":[{"prefix":"",)" + policy +
                                  R"(},{"prefix":"a/",)"
                                  R"("mixing":"allow","conflict":"last-writer"}]})"));
  CHECK(parallax(scratch, {list.at(), "policy", "list"}).out ==
        "PREFIX       LEVEL   MIXING  CONFLICT\n"
        "(every key)  prefix  deny    last-writer\n"
        "a/           -       allow   last-writer\n");
  CHECK(list.last().path == "/v1/policies");
  const Scripted one(json_answer("{" + policy + "}"));
  CHECK(
      object_of(parallax(scratch, {one.at(), "--json", "policy", "get", "a/"}).out).at("mixing") ==
      "deny");
  CHECK(one.last().path == "/v1/policies/a/");
  const Scripted none(problem_answer(404, "not-found", "not_applied", false, "",
                                     {{"Parallax-Consistency", "linearizable"}}));
  CHECK(parallax(scratch, {none.at(), "policy", "get", "a/"}).code == 1);
  const Scripted stored(stored_answer());
  CHECK(parallax(scratch, {stored.at(), "policy", "set", "a/", "--level", "prefix"}).code == 0);
  CHECK(stored.last().method == "PUT");
  const auto body = object_of(stored.last().body);
  CHECK(body.at("default_consistency") == "prefix");
  CHECK(body.at("mixing") == "allow");
  CHECK(parallax(scratch, {stored.at(), "policy", "delete", ""}).code == 0);
  CHECK(stored.last().method == "DELETE");
  CHECK(stored.last().path == "/v1/policies/");
  const std::size_t before = stored.server.seen().size();
  CHECK(parallax(scratch, {stored.at(), "policy", "set", "a/", "--level", "wish"}).code == 2);
  CHECK(parallax(scratch, {stored.at(), "policy", "set", "a/", "--mixing", "maybe"}).code == 2);
  CHECK(parallax(scratch, {stored.at(), "policy"}).code == 2);
  CHECK(stored.server.seen().size() == before);
}

SessionToken token(std::uint64_t index, std::uint64_t cluster = 1) {
  return SessionToken{.cluster = ClusterId{cluster, 2}, .index = LogIndex{index}};
}

TEST_CASE("command line: a session goes from run to run in its file") {
  const ScratchDirectory scratch;
  const std::string file = (scratch.path / "session").string();
  std::atomic<std::uint64_t> index{5};
  FakeServer server([&](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    return respond(204,
                   {{"Parallax-Consistency", "linearizable"},
                    {"ETag", "\"1-1\""},
                    {"Parallax-Session", token(index).encode()}},
                   "");
  });
  const std::string at = "--endpoints=" + server.endpoint();
  CHECK(parallax(scratch, {at, "put", "k", "v", "--session", file}).code == 0);
  CHECK(server.seen().back().headers.count("parallax-session") == 0);
  CHECK(slurp(file) == token(5).encode() + "\n");
  index = 9;
  CHECK(parallax(scratch, {at, "put", "k", "v", "--session", file}).code == 0);
  CHECK(server.seen().back().headers.at("parallax-session") == token(5).encode());
  CHECK(slurp(file) == token(9).encode() + "\n");
  // A node that knows less takes nothing away.
  index = 3;
  CHECK(parallax(scratch, {at, "put", "k", "v", "--session", file}).code == 0);
  CHECK(slurp(file) == token(9).encode() + "\n");
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(scratch.path)) {
    files += entry.path().filename().string().starts_with("session") ? 1 : 0;
  }
  CHECK(files == 1);
}

TEST_CASE("command line: a session that another run saved meanwhile is joined, not lost") {
  const ScratchDirectory scratch;
  const std::string file = (scratch.path / "session").string();
  FakeServer server([&](const SeenRequest& request) {
    if (request.path == "/v1/cluster") return cluster_answer(0, {});
    // While this run waits for its answer another one gets further.
    scratch.file("session", token(70).encode() + "\n");
    return respond(204,
                   {{"Parallax-Consistency", "linearizable"},
                    {"ETag", "\"1-1\""},
                    {"Parallax-Session", token(8).encode()}},
                   "");
  });
  CHECK(parallax(scratch, {"--endpoints", server.endpoint(), "put", "k", "v", "--session", file})
            .code == 0);
  CHECK(slurp(file) == token(70).encode() + "\n");
}

TEST_CASE("command line: a session file that cannot be used is found out before anything is sent") {
  const ScratchDirectory scratch;
  const Scripted node(stored_answer());
  const std::string file = scratch.file("session", "nonsense\n").string();
  const Ended ended = parallax(scratch, {node.at(), "put", "k", "v", "--session", file});
  CHECK(ended.code == 2);
  CHECK(has(ended.err, "the session file " + file));
  CHECK(slurp(file) == "nonsense\n");
  CHECK(parallax(scratch, {node.at(), "put", "k", "v", "--session", "/nowhere/at/all"}).code == 3);
  const std::string pipe = (scratch.path / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(parallax(scratch, {node.at(), "put", "k", "v", "--session", pipe}).code == 3);
  const Ended replaced = parallax(scratch, {node.at(), "export", pipe});
  CHECK(replaced.code == 3);
  CHECK(has(replaced.err, "no regular file"));
  CHECK(fs::is_fifo(pipe));
  CHECK(node.server.seen().empty());
}

TEST_CASE("command line: wrong options of every verb are 2, and nothing is sent") {
  const ScratchDirectory scratch;
  const Scripted node(stored_answer());
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"put", "k", "v", "--ttl", "5"},
           {"put", "k", "v", "--ttl", "100000d"},
           {"put", "k", "v", "--if-match", "five"},
           {"put", "k", "v", "--if-absent", "--if-none-match", "5-1"},
           {"put", "k", "v", "--context", "!"},
           {"put", "k", "v", "--idempotency-key", std::string(129, 'x')},
           {"get", "k", "--if-none-match", "*"},
           {"increment", "k", "--by", "one"},
           {"increment", "k", "--by", "9223372036854775808"},
           {"scan", "--limit", "-1"},
           {"scan", "--limit", "18446744073709551616"},
           {"import", "--format", "jsonl", "f", "--in-flight", "4294967297"},
           {"bench", "--keys", "18446744073709551617"},
           {"history"},
           {"history", "k", "--from", "yesterday"},
           {"bench", "--duration", "1d"},
           {"bench", "--in-flight", "0"},
           {"completion", "fish"},
           {"get", "k", "--consistency", "prefix; r=2"},
           {"get", "k", "--r", "2"},
           {"get", "k", "--sloppy"},
           {"get", "k", "--consistency", "quorum", "--r", "0"},
           {"get", "k", "--consistency", "quorum", "--r", ""},
           {"get", "k", "--consistency", "quorum; r=1", "--r", "1"},
           {"get", "k", "--consistency", "atomic", "--w", "1"},
           {"get", "k", "--consistency", "quorum", "--repair", "soon"},
           {"increment", "k", "--consistency", "quorum"},
           {"scan", "--consistency", "atomic"},
           {"put", "k", "v", "--consistency", "quorum", "--if-absent"},
           {"policy", "set", "a", "--level", "quorum; r=0"},
       }) {
    std::vector<std::string> all{node.at()};
    all.insert(all.end(), words.begin(), words.end());
    const Ended ended = parallax(scratch, all);
    INFO(words[0] << " " << words.back() << ": " << ended.err);
    CHECK(ended.code == 2);
    CHECK(ended.out.empty());
    CHECK_FALSE(ended.err.empty());
  }
  CHECK(node.server.seen().empty());
}

TEST_CASE("command line: a level's parameters are options") {
  const ScratchDirectory scratch;
  const Scripted node(hang_up());
  const auto query = [&](std::vector<std::string> words) {
    words.insert(words.begin(), node.at());
    words.insert(words.end(), {"--timeout-ms", "300"});
    (void)parallax(scratch, words);
    const std::string whole = node.last().query;
    const auto begin = whole.find("consistency=");
    return begin == whole.npos ? std::string() : whole.substr(begin);
  };
  CHECK(query({"put", "k", "v", "--consistency", "quorum", "--w", "all", "--sloppy"}) ==
        "consistency=quorum&w=all&sloppy=true");
  CHECK(query({"put", "k", "v", "--consistency", "two"}) == "consistency=quorum&r=2&w=2");
  CHECK(query({"delete", "k", "--consistency", "quorum; r=1", "--w=3"}) ==
        "consistency=quorum&r=1&w=3");
  CHECK(query({"--r=2", "--repair", "blocking", "put", "k", "v", "--consistency", "quorum"}) ==
        "consistency=quorum&r=2&repair=blocking");
  CHECK(query({"put", "k", "v", "--consistency", "atomic"}) == "consistency=atomic");
}

TEST_CASE("command line: too few replicas are counted") {
  const ScratchDirectory scratch;
  const Scripted node(problem_answer(503, "not-enough-replicas", "unknown", false,
                                     R"(,"required":3,"received":1)"));
  const Ended ended =
      parallax(scratch, {node.at(), "put", "k", "v", "--consistency", "all", "--json"});
  CHECK(ended.code == 4);
  const auto error = object_of(ended.out).at("error").as_object();
  CHECK(error.at("required") == 3);
  CHECK(error.at("received") == 1);
}

TEST_CASE("command line: import of jsonl stores types and expiry, the last of one key, by line") {
  const ScratchDirectory scratch;
  FakeStore store;
  std::mutex mutex;
  std::map<std::string, SeenRequest> puts;
  FakeServer server([&](const SeenRequest& request) {
    if (request.method == "PUT") {
      const std::lock_guard lock(mutex);
      puts[request.path] = request;
    }
    return store(request);
  });
  const std::string at = "--endpoints=" + server.endpoint();
  std::string lines = R"({"key":"t","value":"x","content_type":"a/b","ttl_ms":4000})"
                      "\n";
  for (int i = 0; i < 200; ++i) {
    lines += R"({"key":"same","value":")" + std::to_string(i) + "\"}\n";
  }
  const std::string file = scratch.file("in.jsonl", lines).string();
  const std::vector<std::string> command{at,         "import", "--format", "jsonl",
                                         "--prefix", "p/",     file,       "--verify"};
  const Ended done = parallax(scratch, command);
  INFO(done.err);
  CHECK(done.code == 0);
  CHECK(has(done.out, "2 of 2 records stored, 199 replaced by later lines with the same key\n"));
  CHECK(has(done.out, "2 of 2 records are the same byte by byte (4 bytes)"));
  CHECK(store.values() == std::map<std::string, std::string>{{"p/t", "x"}, {"p/same", "199"}});
  CHECK(store.puts().at("p/same") == 1);
  {
    const std::lock_guard lock(mutex);
    CHECK(has(puts.at("/v1/kv/p/t").query, "ttl_ms=4000"));
    CHECK(puts.at("/v1/kv/p/t").headers.at("content-type") == "a/b");
  }

  const std::string bad = scratch.file("bad.jsonl", lines + "{\"key\":\"z\"}\n" + lines).string();
  const std::size_t before = server.seen().size();
  const Ended refused = parallax(scratch, {at, "import", "--format", "jsonl", bad});
  CHECK(refused.code == 2);
  CHECK(has(refused.err, bad + ": line 202: "));
  CHECK(server.seen().size() == before);
  CHECK_FALSE(fs::exists(bad + ".progress"));
}

TEST_CASE("command line: a killed import of csv goes on where it stopped") {
  const ScratchDirectory scratch;
  FakeStore store;
  std::atomic<bool> slow{true};
  store.before_put([&](const std::string&, int) {
    if (slow) std::this_thread::sleep_for(3ms);
    return std::unique_ptr<Action>();
  });
  FakeServer server(serving(store));
  std::string file = "key,value\r\n";
  std::map<std::string, std::string> values;
  for (int i = 0; i < 400; ++i) {
    const std::string key = "k" + std::to_string(i);
    values[key] = "line one\nline \"two\", of " + key;
    file += key + ",\"line one\nline \"\"two\"\", of " + key + "\"\r\n";
  }
  const std::string path = scratch.file("in.csv", file).string();
  const std::vector<std::string> command{
      "--endpoints", server.endpoint(), "import", "--format", "csv", path, "--in-flight", "4"};
  {
    Running running(scratch, command);
    for (int i = 0; i < 2000 && store.puts().size() < 100; ++i) std::this_thread::sleep_for(2ms);
    running.signal(SIGKILL);
    CHECK(running.wait().code == 128 + SIGKILL);
  }
  REQUIRE(store.puts().size() >= 100);
  REQUIRE(store.puts().size() < 400);
  slow = false;
  CHECK(parallax(scratch, command).code == 0);
  CHECK(store.values() == values);
  int repeated = 0;
  for (const auto& [key, puts] : store.puts()) repeated += puts - 1;
  CHECK(repeated <= 4);
}

TEST_CASE("command line: bench shows its rows and leaves nothing behind") {
  const ScratchDirectory scratch;
  FakeStore store;
  store.set("mine", "stays");
  FakeServer server([&](const SeenRequest& request) {
    Action action = store(request);
    // This store has one answer at any level; say the level that was asked for.
    if (has(request.query, "consistency=prefix") && request.method == "GET") {
      return value_answer(std::string(8, 'v'), 1, "prefix");
    }
    for (const std::string level : {"atomic", "quorum", "eventual", "weak"}) {
      if (!has(request.query, "consistency=" + level)) continue;
      return respond(request.method == "GET" ? 200 : 204, {{"Parallax-Consistency", level}},
                     request.method == "GET" ? "value" : "");
    }
    return action;
  });
  const std::string at = "--endpoints=" + server.endpoint();
  const std::vector<std::string> command{
      at, "bench", "--duration", "150ms", "--keys", "20", "--value-bytes", "8", "--in-flight", "4"};
  const Ended table = parallax(scratch, command);
  INFO(table.err);
  CHECK(table.code == 0);
  CHECK(std::regex_search(table.out, std::regex("^OPERATION  LEVEL +COUNT +FAILED +P50 MS +P99 MS +"
                                                "P99.9 MS +PER SECOND\n")));
  for (const char* row :
       {"put        linearizable", "get        linearizable", "get        prefix",
        "put        atomic", "get        atomic", "put        quorum", "get        quorum",
        "put        eventual", "get        eventual", "put        weak"}) {
    CHECK(has(table.out, row));
  }
  CHECK(store.values() == std::map<std::string, std::string>{{"mine", "stays"}});
  std::vector<std::string> as_json = command;
  as_json.push_back("--json");
  const auto rows = object_of(parallax(scratch, as_json).out).at("rows").as_array();
  REQUIRE(rows.size() == 10);
  for (const auto& row : rows) {
    CHECK(row.as_object().at("count").to_number<int>() > 0);
    CHECK(row.as_object().at("failed") == 0);
    CHECK(row.as_object().at("p50_ms").as_double() <= row.as_object().at("p99_9_ms").as_double());
  }
  SECTION("an interrupted one too") {
    Running running(scratch, {at, "bench", "--duration", "1m", "--keys", "20"});
    for (int i = 0; i < 2000 && store.values().size() < 41; ++i) std::this_thread::sleep_for(2ms);
    running.signal(SIGINT);
    CHECK(running.wait().code == 3);
    CHECK(store.values() == std::map<std::string, std::string>{{"mine", "stays"}});
  }
}

// ---- The definition itself: help and completion.

/// Every verb with its path, "policy set" too.
void each_verb(const CLI::App& app, const std::string& path,
               const std::function<void(const std::string&, const CLI::App&)>& visit) {
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string below = path.empty() ? verb->get_name() : path + " " + verb->get_name();
    visit(below, *verb);
    each_verb(*verb, below, visit);
  }
}

/// An example as the shell takes it apart: quotes around a word, and what a pipe or a redirection
/// cuts off, is not the program's.
std::vector<std::string> words_of(std::string example) {
  if (const auto pipe = example.find(" | parallax"); pipe != example.npos) {
    example = example.substr(pipe + 3);
  }
  example = example.substr(0, example.find_first_of("|>"));
  std::vector<std::string> words;
  static const std::regex word(R"('([^']*)'|(\S+))");
  for (std::sregex_iterator it(example.begin(), example.end(), word), end; it != end; ++it) {
    words.push_back((*it)[1].matched ? (*it)[1].str() : (*it)[2].str());
  }
  return words;
}

TEST_CASE("command line: every verb has examples, and each is understood") {
  cli::CommandLine definition;
  std::size_t verbs = 0;
  each_verb(definition.app(), "", [&](const std::string& path, const CLI::App& verb) {
    ++verbs;
    const std::string help = verb.help();
    const std::size_t begin = help.find("Examples:\n");
    INFO(path);
    REQUIRE(begin != std::string::npos);
    std::istringstream lines(help.substr(begin + 10));
    std::string line;
    std::size_t examples = 0;
    while (std::getline(lines, line)) {
      if (line.find("parallax") == line.npos) continue;
      ++examples;
      INFO(line);
      std::vector<std::string> words = words_of(line);
      REQUIRE(words.size() > 1);
      CHECK(words.front() == "parallax");
      words.erase(words.begin());
      cli::CommandLine one;
      int code = -1;
      CHECK(one.parse(words, code));
    }
    CHECK(examples > 0);
  });
  CHECK(verbs >= 18);
}

/// What bash offers for the last of `words`.
std::set<std::string> completions(const ScratchDirectory& scratch, const std::string& script,
                                  const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += " '" + word + "'";
  const Ended ended = run_program(
      scratch, {"bash", "--norc", "-c",
                "set -u; source '" + script + "'; COMP_WORDS=(parallax" + list +
                    "); COMP_CWORD=" + std::to_string(words.size()) +
                    "; _parallax; ((${#COMPREPLY[@]})) && printf '%s\\n' \"${COMPREPLY[@]}\""});
  INFO(ended.err);
  CHECK(ended.err.empty());
  std::set<std::string> found;
  std::istringstream lines(ended.out);
  for (std::string line; std::getline(lines, line);) found.insert(line);
  return found;
}

using Set = std::set<std::string>;

TEST_CASE("completion: bash offers what the definition has, verb by verb") {
  const ScratchDirectory scratch;
  const Ended made = parallax(scratch, {"completion", "bash"});
  REQUIRE(made.code == 0);
  const std::string script = scratch.file("completion.bash", made.out).string();
  cli::CommandLine definition;
  const auto long_options = [](const CLI::App& app) {
    Set names;
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) names.insert("--" + name);
    }
    return names;
  };
  Set global = long_options(definition.app());
  CHECK(completions(scratch, script, {"--"}) == global);
  global.erase("--version");
  Set verbs;
  each_verb(definition.app(), "", [&](const std::string& path, const CLI::App& verb) {
    INFO(path);
    std::vector<std::string> words = words_of(path);
    if (words.size() == 1) verbs.insert(path);
    words.push_back("--");
    Set expected = global;
    expected.merge(long_options(verb));
    CHECK(completions(scratch, script, words) == expected);
  });
  CHECK(completions(scratch, script, {""}) == verbs);
}

TEST_CASE("completion: values, files, and words that are values of options") {
  const ScratchDirectory scratch;
  const std::string script =
      scratch.file("completion.bash", parallax(scratch, {"completion", "bash"}).out).string();
  const auto offered = [&](std::vector<std::string> words) {
    return completions(scratch, script, words);
  };
  Set levels;
  for (const std::string_view level : level_names()) levels.emplace(level);
  CHECK(offered({"get", "k", "--consistency", ""}) == levels);
  CHECK(offered({"--consistency", "=", "l"}) == Set{"linearizable"});
  CHECK(offered({"get", "k", "--repair", ""}) == Set{"async", "blocking"});
  CHECK(offered({"get", "k", "--r", ""}).empty());
  CHECK(offered({"import", "--format", ""}) == Set{"dpkg", "jsonl", "csv"});
  CHECK(offered({"policy", ""}) == Set{"get", "set", "delete", "list"});
  CHECK(offered({"policy", "set", "a", "--mixing", "d"}) == Set{"deny"});
  CHECK(offered({"completion", ""}) == Set{"bash"});
  CHECK(offered({"sc"}) == Set{"scan"});
  CHECK(offered({"--endpoints", "put", "ge"}) == Set{"get"});
  CHECK(offered({"put", "k", ""}).empty());
  const std::string odd = scratch.file("with space", "").string();
  const std::string start = odd.substr(0, odd.size() - 3);
  CHECK(offered({"put", "k", "--file", start}) == Set{odd});
  CHECK(offered({"export", start}) == Set{odd});
}

}  // namespace
}  // namespace parallax
