// parallax-check itself, over all histories whose verdict is known, and over what is no history.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <sys/wait.h>

namespace parallax::harness {
namespace {

namespace json = boost::json;

const std::string kHistories = PARALLAX_SOURCE_DIR "/tests/data/histories/";

struct Ended {
  int code;
  std::string out;  ///< with what went to standard error
};

Ended check(const std::string& arguments) {
  const std::string command =
      "cd " + kHistories + " && " PARALLAX_BINARY_DIR "/bin/parallax-check " + arguments + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  Ended ended{};
  std::array<char, 4096> part;
  for (std::size_t n = 0; (n = std::fread(part.data(), 1, part.size(), pipe)) > 0;) {
    ended.out.append(part.data(), n);
  }
  const int status = ::pclose(pipe);
  REQUIRE(WIFEXITED(status));
  ended.code = WEXITSTATUS(status);
  return ended;
}

/// The rows of a table with a line of titles.
std::vector<std::vector<std::string>> rows_of(const std::string& file) {
  std::ifstream table(kHistories + file);
  REQUIRE(table);
  std::vector<std::vector<std::string>> rows;
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    std::istringstream cells(line);
    auto& row = rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, '\t');) row.push_back(cell);
    REQUIRE(row.size() == 3);
  }
  return rows;
}

/// By file, what `--json` says.
std::map<std::string, json::object> told_of(const Ended& ended) {
  std::map<std::string, json::object> told;
  std::istringstream lines(ended.out);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    json::object object = json::parse(line).as_object();
    const std::string file(std::string_view(object.at("file").as_string()));
    told.emplace(file, std::move(object));
  }
  return told;
}

std::string text_at(const json::object& object, std::string_view name) {
  return std::string(std::string_view(object.at(name).as_string()));
}

const std::map<std::string, int> kCodes{
    {"held", 0}, {"violated", 1}, {"undecided", 2}, {"malformed", 3}};

}  // namespace

TEST_CASE("parallax-check: histories that other tools recorded get their known verdicts") {
  std::string files;
  const auto rows = rows_of("VERDICTS.tsv");
  for (const auto& row : rows) files += " " + row[0];
  const Ended ended = check("--json" + files);
  CHECK(ended.code == 1);
  const auto told = told_of(ended);
  CHECK(told.size() == rows.size());
  CHECK(rows.size() > 50);
  for (const auto& row : rows) {
    const json::object& object = told.at(row[0]);
    CAPTURE(row[0]);
    CHECK(text_at(object, "verdict") == (row[2] == "yes" ? "held" : "violated"));
    CHECK(row[1].starts_with(text_at(object, "model")));
    const bool kv = row[1].starts_with("kv-append");
    CHECK(text_at(object, "format") == (kv ? "porcupine-kv" : "jepsen-log"));
    CHECK(object.at("operations").as_int64() > 30);
    CHECK((object.if_contains("witness") != nullptr) == (row[2] == "no"));
  }
}

TEST_CASE("parallax-check: small histories of every format and level") {
  for (const auto& row : rows_of("small/VERDICTS.tsv")) {
    CAPTURE(row[0], row[1]);
    const Ended ended = check("--level " + row[1] + " small/" + row[0]);
    CAPTURE(ended.out);
    CHECK(ended.code == kCodes.at(row[2]));
    CHECK_THAT(ended.out, Catch::Contains("  " + row[2] + " "));
    CHECK(ended.out.find('\x1b') == std::string::npos);  // this is no terminal
    if (row[2] == "violated") CHECK_THAT(ended.out, Catch::Contains("client"));
  }
}

TEST_CASE("parallax-check: histories of sessions are held to each level and guarantee") {
  std::ifstream table(kHistories + "levels/VERDICTS.tsv");
  REQUIRE(table);
  std::string line;
  std::getline(table, line);
  std::map<std::string, std::string> violated;  // by file, between spaces
  std::string files;
  while (std::getline(table, line)) {
    const std::string file = "levels/" + line.substr(0, line.find('\t'));
    violated[file] = " " + line.substr(line.find('\t') + 1) + " ";
    files += " " + file;
  }
  REQUIRE(violated.size() > 20);
  const auto holds = [&](const std::string& file, const std::string& what) {
    return violated[file].find(" " + what + " ") == std::string::npos;
  };
  for (const std::string level : {"causal", "session", "ryw", "mr", "mw", "wfr"}) {
    const auto told = told_of(check("--json --level " + level + files));
    CHECK(told.size() == violated.size());
    for (const auto& [file, object] : told) {
      CAPTURE(level, file);
      const bool all =
          holds(file, "ryw") && holds(file, "mr") && holds(file, "mw") && holds(file, "wfr");
      const bool held = level == "session" ? all : holds(file, level == "causal" ? "ccv" : level);
      CHECK(text_at(object, "verdict") == (held ? "held" : "violated"));
      if (held) continue;
      const auto& operations = object.at("witness").as_object().at("operations").as_array();
      CHECK(operations.size() > 0);
      for (const auto& operation : operations) CHECK(operation.as_object().contains("key"));
    }
  }
}

TEST_CASE("parallax-check: one file is judged against all levels at once") {
  std::ifstream table(kHistories + "levels/VERDICTS.tsv");
  std::string line;
  std::getline(table, line);
  const std::map<std::string, std::string> titles{{"linearizable", "linearizable"},
                                                  {"sequential", "sequential"},
                                                  {"ccv", "causal convergence (CCv)"},
                                                  {"cm", "causal memory (CM)"},
                                                  {"cc", "causal (CC)"},
                                                  {"ryw", "read your writes"},
                                                  {"mr", "monotonic reads"},
                                                  {"mw", "monotonic writes"},
                                                  {"wfr", "writes follow reads"}};
  std::size_t files = 0;
  while (std::getline(table, line)) {
    const std::string file = "levels/" + line.substr(0, line.find('\t'));
    const std::string violated = " " + line.substr(line.find('\t') + 1) + " ";
    // Whatever --level asks is not judged twice, and says the same.
    const auto level = ++files % 2 == 0 ? std::string("--level causal ") : std::string();
    const auto told = told_of(check("--json --classify " + level + file));
    const json::object& classified = told.at(file).at("classified").as_object();
    const json::array& levels = classified.at("levels").as_array();
    CAPTURE(file, level);
    CHECK(levels.size() == 9);
    for (const auto& [name, title] : titles) {
      const auto* const found =
          std::find_if(levels.begin(), levels.end(), [&, t = title](const json::value& entry) {
            return text_at(entry.as_object(), "level") == t;
          });
      REQUIRE(found != levels.end());
      CAPTURE(title);
      const bool holds = violated.find(" " + name + " ") == std::string::npos;
      CHECK(text_at(found->as_object(), "verdict") == (holds ? "yes" : "no"));
      CHECK(found->as_object().contains("witness") == !holds);
    }
  }
  CHECK(files > 20);
}

TEST_CASE("parallax-check: the strongest level and why not the others in words") {
  const Ended ended = check("--classify small/register_bad.jsonl");
  CHECK(ended.code == 1);
  CHECK_THAT(ended.out, Catch::Contains("Strongest that holds: sequential\n"));
  // The witness is told once.
  const std::size_t first = ended.out.find("client 3 read 7 at n2");
  REQUIRE(first != std::string::npos);
  CHECK(ended.out.find("Not linearizable:") < first);
  CHECK(ended.out.find("Not linearizable:", first) == std::string::npos);
  // A level without a place in that order keeps its own.
  CHECK_THAT(check("--classify small/register_good.jsonl").out,
             Catch::Contains("Strongest that holds: linearizable\n"));
  // Limits are those of all.
  CHECK_THAT(check("--classify --steps 10 porcupine-kv/c50-ok.txt").out,
             Catch::Contains("Strongest that holds: none"));
}

TEST_CASE("parallax-check: what is malformed is named with its line") {
  for (const auto& row : rows_of("malformed/LINES.tsv")) {
    CAPTURE(row[0]);
    const Ended ended = check("malformed/" + row[0]);
    CAPTURE(ended.out);
    CHECK(ended.code == 3);
    CHECK_THAT(ended.out, Catch::Contains("malformed"));
    CHECK_THAT(ended.out, Catch::Contains("line " + row[1] + ": "));
    CHECK_THAT(ended.out, Catch::Contains(row[2]));
    const auto told = told_of(check("--json malformed/" + row[0]));
    CHECK(text_at(told.at("malformed/" + row[0]), "verdict") == "malformed");
  }
}

TEST_CASE("parallax-check: every history cut off anywhere is judged or malformed") {
  for (const auto* file : {"small/cas_good.jsonl", "small/knossos_good.edn", "small/elle_good.json",
                           "porcupine-kv/c01-ok.txt", "jepsen-etcd/etcd_002.log"}) {
    const auto size = std::filesystem::file_size(kHistories + file);
    for (std::uintmax_t bytes = 0; bytes < size; bytes += 1 + size / 40) {
      CAPTURE(file, bytes);
      const Ended ended = check("- < /dev/null; head -c " + std::to_string(bytes) + " " + file +
                                " | " PARALLAX_BINARY_DIR "/bin/parallax-check -");
      CAPTURE(ended.out);
      CHECK((ended.code >= 0 && ended.code <= 3));
    }
  }
}

TEST_CASE("parallax-check: of several files the worst counts") {
  CHECK(check("small/register_good.jsonl small/cas_good.jsonl").code == 0);
  CHECK(check("small/register_good.jsonl small/two_keys_at_once.jsonl").code == 2);
  CHECK(check("small/register_bad.jsonl small/two_keys_at_once.jsonl").code == 1);
  CHECK(check("small/register_bad.jsonl malformed/nobodys.txt").code == 3);
  CHECK(check("small/register_good.jsonl small/no_such_file malformed/nobodys.txt").code == 4);
  CHECK(check("/dev/null").code == 0);
  CHECK(check("- < small/register_bad.jsonl").code == 1);
  CHECK(check(".").code == 4);
}

TEST_CASE("parallax-check: format and model and initial value can be given") {
  CHECK(check("--format edn small/register_good.jsonl").code == 3);
  CHECK(check("--format parallax small/knossos_good.edn").code == 3);
  CHECK(check("--format parallax small/empty.jsonl").code == 0);
  const Ended other = check("--model register small/cas_good.jsonl");
  CHECK(other.code == 2);
  CHECK_THAT(other.out, Catch::Contains("has a cas, which is not in the model register"));
  // Without the model's empty text at the beginning nobody wrote what is read.
  CHECK(check("porcupine-kv/c01-ok.txt").code == 0);
  CHECK(check("--model mixed porcupine-kv/c01-ok.txt").code == 1);
  CHECK(check("--model mixed --initial '' porcupine-kv/c01-ok.txt").code == 0);
}

TEST_CASE("parallax-check: limits lead to undecided") {
  CHECK(check("porcupine-kv/c50-ok.txt").code == 0);
  const Ended ended = check("--steps 10 porcupine-kv/c50-ok.txt");
  CHECK(ended.code == 2);
  CHECK_THAT(ended.out, Catch::Contains("10"));
}

TEST_CASE("parallax-check: how old reads were") {
  const Ended ended = check("--staleness small/register_bad.jsonl");
  CHECK(ended.code == 1);
  CHECK_THAT(ended.out, Catch::Contains("of 2 reads 1 are stale"));
  CHECK_THAT(ended.out,
             Catch::Contains("client 3 read 7 at n2 20 ns after that had been replaced"));
  const auto told = told_of(check("--json --staleness small/register_bad.jsonl"));
  const auto& staleness = told.at("small/register_bad.jsonl").at("staleness").as_object();
  CHECK(staleness.at("max_ns").as_int64() == 20);
  CHECK(staleness.at("keys_2_atomic").as_int64() == 1);
}

TEST_CASE("parallax-check: usage") {
  CHECK(check("--version").out == "parallax-check " PARALLAX_VERSION "\n");
  CHECK(check("--help").code == 0);
  CHECK_THAT(check("--help").out, Catch::Contains("parallax-check --level quorum run.jsonl"));
  CHECK(check("").code == 4);
  CHECK(check("--nonsense x").code == 4);
  for (const auto* wrong : {"--level strange", "--format strange", "--model strange"}) {
    const Ended ended = check(std::string(wrong) + " /dev/null");
    CHECK(ended.code == 4);
    CHECK_THAT(ended.out, Catch::Contains("strange: "));
  }
}

TEST_CASE("parallax-check: what is in a history does not drive the terminal") {
  const Ended ended = check(
      R"(- <<'END'
{"client":1,"op":"write","key":"\u001b[31mk","value":"a","call":0,"return":10,"ok":true}
{"client":1,"op":"read","key":"\u001b[31mk","value":null,"call":20,"return":30,"ok":true}
END
)");
  CHECK(ended.out.find('\x1b') == std::string::npos);
  CHECK_THAT(ended.out, Catch::Contains("Key \"?[31mk\""));
}

}  // namespace parallax::harness
