// Agreements as text, and which of their entries an answer meets.
#include "client/sla.h"

#include <algorithm>

#include <catch2/catch.hpp>
#include <fmt/ranges.h>

#include "tests/client/io/result_text.h"

namespace parallax {
namespace {

using namespace std::chrono_literals;  // NOLINT

Consistency level(const std::string& text) {
  return *parse_consistency(text);
}

TEST_CASE("sla: a list of entries is read") {
  const auto sla = parse_sla(R"([{"level": "strong", "latency_ms": 20, "utility": 1},
      {"latency_ms": 3600000, "utility": 0.25, "level": "bounded; max_staleness_ms=100"}])");
  REQUIRE(sla);
  CHECK(*sla == Sla{{{level("linearizable"), 20ms, 1},
                     {level("bounded; max_staleness_ms=100"), 3'600'000ms, 0.25}}});
  CHECK(sla->entries[1].to_string() == "bounded; max_staleness_ms=100 within 3600000 ms");
}

TEST_CASE("sla: what is no agreement is refused and named") {
  struct Row {
    const char* text;
    const char* says;
  };
  const auto entry = [](const char* text) { return std::string("[") + text + "]"; };
  const auto row = GENERATE(values<Row>({
      {R"({"level": "prefix", "latency_ms": 20})", R"(must be {"level": TEXT)"},
      {R"({"level": "prefix", "latency_ms": 20, "utility": 1, "more": 1})", "must be {"},
      {R"({"level": "prefix", "latency": 20, "utility": 1})", "must be {"},
      {R"({"level": 7, "latency_ms": 20, "utility": 1})", "must be {"},
      {R"({"level": "prefix", "latency_ms": "20", "utility": 1})", "must be {"},
      {R"({"level": "prefix", "latency_ms": 20, "utility": "1"})", "must be {"},
      {R"(7)", "must be {"},
      {R"({"level": "gold", "latency_ms": 20, "utility": 1})", "'gold' is no consistency level"},
      {R"({"level": "sla", "latency_ms": 20, "utility": 1})", "'sla' is no consistency level"},
      {R"({"level": "bounded", "latency_ms": 20, "utility": 1})", "bounded needs a bound"},
      {R"({"level": "prefix", "latency_ms": 0, "utility": 1})", "from 1 to 3600000"},
      {R"({"level": "prefix", "latency_ms": -5, "utility": 1})", "from 1 to 3600000"},
      {R"({"level": "prefix", "latency_ms": 2.5, "utility": 1})", "from 1 to 3600000"},
      {R"({"level": "prefix", "latency_ms": 3600001, "utility": 1})", "from 1 to 3600000"},
      {R"({"level": "prefix", "latency_ms": 20, "utility": 0})", "must be a number above 0"},
      {R"({"level": "prefix", "latency_ms": 20, "utility": -1})", "must be a number above 0"},
  }));
  CAPTURE(row.text);
  const auto good =
      R"({"level": "prefix", "latency_ms": 20, "utility": 1}, )" + std::string(row.text);
  for (const auto& [text, number] :
       {std::pair{entry(row.text), "entry 1: "}, std::pair{entry(good.c_str()), "entry 2: "}}) {
    const auto sla = parse_sla(text);
    REQUIRE_FALSE(sla);
    CHECK(sla.error().message.find(number) != std::string::npos);
    CHECK_THAT(sla.error().message, Catch::Contains(row.says));
    CHECK(error_info(sla.error().code).http_status == 400);
  }
}

TEST_CASE("sla: it has 1 to 16 entries") {
  for (const char* text : {"", "{}", "7", "[", "[{}", "null"}) {
    CAPTURE(text);
    REQUIRE_FALSE(parse_sla(text));
    CHECK_THAT(parse_sla(text).error().message, Catch::Contains("must be a JSON list"));
  }
  CHECK_FALSE(parse_sla("[]"));
  const SlaEntry entry{level("prefix"), 20ms, 1};
  CHECK(check_sla(Sla{std::vector<SlaEntry>(16, entry)}));
  CHECK_FALSE(check_sla(Sla{std::vector<SlaEntry>(17, entry)}));
}

/// An answer as a node gives it to a read at `text`, with the state of node 2.
Answer answer_at(const std::string& text, Path path, std::vector<NodeId> replicas,
                 std::optional<std::uint64_t> staleness_ms = std::nullopt) {
  Answer answer;
  answer.consistency = level(text);
  answer.stamp = Stamp{Hlc{1'000}, NodeId{1}};
  answer.found = true;
  const bool of_log = level_info(answer.consistency.level).protocol == Protocol::leader_follower;
  answer.evidence = {.node = NodeId{2},
                     .term = Term{3},
                     .index = LogIndex{of_log ? 120u : 0u},
                     .path = path,
                     .replicas = std::move(replicas),
                     .sequenced = of_log};
  answer.staleness_ms = staleness_ms;
  answer.session.clock = Hlc{1'000};
  answer.session.index = answer.evidence.index;
  return answer;
}

const std::vector<NodeId> kAlone{NodeId{2}};
const std::vector<NodeId> kTwo{NodeId{1}, NodeId{2}};

const std::vector<std::string> kWanted{"linearizable",
                                       "sequential",
                                       "bounded; max_staleness_ms=10",
                                       "bounded; max_staleness_ms=100",
                                       "bounded; max_lag=0",
                                       "prefix",
                                       "atomic",
                                       "quorum",
                                       "one",
                                       "causal",
                                       "session; guarantees=\"ryw\"",
                                       "eventual",
                                       "weak"};

std::vector<std::string> carried(const Asked& asked, const Answer& answer, Duration took) {
  std::vector<std::string> out;
  for (const std::string& wanted : kWanted) {
    if (carries(level(wanted), asked, answer, took)) out.push_back(wanted);
  }
  return out;
}

TEST_CASE("sla: which levels an answer carries") {
  struct Row {
    Answer answer;
    Duration took;
    std::vector<std::string> carries;
  };
  const std::string within_10 = "bounded; max_staleness_ms=10";
  const std::string within_100 = "bounded; max_staleness_ms=100";
  const std::string no_lag = "bounded; max_lag=0";
  const std::string ryw = "session; guarantees=\"ryw\"";
  const std::vector<Row> rows{
      {answer_at("linearizable", Path::read_index, kTwo),
       7ms,
       {"linearizable", "sequential", within_10, within_100, no_lag, "prefix", "weak"}},
      {answer_at("linearizable", Path::read_index, kTwo),
       50ms,
       {"linearizable", "sequential", within_100, no_lag, "prefix", "weak"}},
      {answer_at("prefix", Path::local, kAlone, 5),
       50ms,
       {"sequential", within_10, within_100, "prefix", "weak"}},
      {answer_at("prefix", Path::local, kAlone), 1ms, {"sequential", "prefix", "weak"}},
      {answer_at(within_100, Path::local, kAlone, 60),
       1ms,
       {"sequential", within_100, "prefix", "weak"}},
      {answer_at("quorum; r=2; w=2", Path::quorum, kTwo), 1ms, {"quorum", "one", "weak"}},
      {answer_at("quorum; r=2; w=2; sloppy", Path::quorum, kTwo), 1ms, {"weak"}},
      {answer_at("quorum; r=1; w=3", Path::local, kAlone), 1ms, {"one", "weak"}},
      {answer_at("atomic", Path::abd, kTwo), 1ms, {"atomic", "weak"}},
      {answer_at("causal", Path::causal, kAlone), 1ms, {"causal", ryw, "eventual", "weak"}},
      {answer_at("session; guarantees=\"ryw,mr\"", Path::causal, kAlone),
       1ms,
       {ryw, "eventual", "weak"}},
      {answer_at("session; guarantees=\"mr\"", Path::causal, kAlone), 1ms, {"eventual", "weak"}},
      {answer_at("eventual", Path::local, kAlone), 1ms, {"eventual", "weak"}},
      {answer_at("weak", Path::local, kAlone), 1ms, {"weak"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.answer.consistency.to_string(), row.took);
    CHECK(carried({.consistency = row.answer.consistency}, row.answer, row.took) == row.carries);
  }
}

TEST_CASE("sla: an answer whose evidence does not carry its own level carries none") {
  const Asked asked{.consistency = level("linearizable")};
  Answer answer = answer_at("linearizable", Path::read_index, kTwo);
  CHECK_FALSE(carried(asked, answer, 1ms).empty());
  answer.evidence.replicas = kAlone;  // no majority
  CHECK(carried(asked, answer, 1ms).empty());
  Answer cached = answer_at("prefix", Path::local, kAlone, 5);
  cached.cached_for = 1ms;
  CHECK(carried({.consistency = level("prefix")}, cached, 1ms).empty());
}

TEST_CASE("sla: sequential is carried by what has what the session has seen") {
  const Answer answer = answer_at("prefix", Path::local, kAlone);
  Asked asked{.consistency = level("prefix"), .session = SessionToken{}};
  asked.session->index = LogIndex{120};
  CHECK(carries(level("sequential"), asked, answer, 1ms));
  Answer behind = answer;
  asked.session->index = LogIndex{121};
  behind.session.index = LogIndex{121};
  CHECK(carries(level("prefix"), asked, behind, 1ms));
  CHECK_FALSE(carries(level("sequential"), asked, behind, 1ms));
}

TEST_CASE("sla: the entry that is worth most of those that are met") {
  const Sla sla{{{level("linearizable"), 20ms, 1},
                 {level("bounded; max_staleness_ms=10"), 50ms, 0.8},
                 {level("prefix"), 20ms, 0.3},
                 {level("prefix"), 200ms, 0.3},
                 {level("weak"), 300ms, 0.1}}};
  const Answer strong = answer_at("linearizable", Path::read_index, kTwo);
  const Asked for_strong{.consistency = level("linearizable")};
  CHECK(met_entry(sla, for_strong, strong, 20ms) == 0u);
  CHECK(met_entry(sla, for_strong, strong, 20'000'001ns) == 3u);  // how old it is follows from it
  CHECK(met_entry(sla, for_strong, strong, 9ms) == 0u);
  CHECK(met_entry(sla, for_strong, strong, 201ms) == 4u);
  CHECK_FALSE(met_entry(sla, for_strong, strong, 301ms));
  // More than was asked for.
  const Asked for_prefix{.consistency = level("prefix")};
  CHECK(met_entry(sla, for_prefix, answer_at("prefix", Path::local, kAlone, 10), 50ms) == 1u);
  CHECK(met_entry(sla, for_prefix, answer_at("prefix", Path::local, kAlone, 11), 50ms) == 3u);
  CHECK(met_entry(sla, for_prefix, answer_at("prefix", Path::local, kAlone, 11), 20ms) == 2u);
}

}  // namespace
}  // namespace parallax
