#include <catch2/catch.hpp>

#include "base/random.h"
#include "client/protocol.h"

namespace parallax::test {
namespace {

const std::string kExample =
    "node=1, term=3, index=120, path=read-index, replicas=(1 2), sequenced=?1, degraded=?0";

Evidence example() {
  return {.node = NodeId{1},
          .term = Term{3},
          .index = LogIndex{120},
          .path = Path::read_index,
          .replicas = {NodeId{1}, NodeId{2}},
          .sequenced = true,
          .degraded = false};
}

Evidence random_evidence(Random& random) {
  Evidence evidence;
  evidence.node = NodeId{static_cast<std::uint32_t>(random.next())};
  evidence.term = Term{random.next() >> random.below(64)};
  evidence.index = LogIndex{random.next() >> random.below(64)};
  evidence.path = static_cast<Path>(random.below(5));
  for (std::uint32_t node = 1; node <= 7; ++node) {
    if (random.below(2) == 0) evidence.replicas.push_back(NodeId{node});
  }
  evidence.sequenced = random.below(2) == 0;
  evidence.degraded = random.below(2) == 0;
  return evidence;
}

std::string with(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string refusal(std::string_view text) {
  const auto evidence = parse_evidence(text);
  if (evidence) return "";
  CHECK(evidence.error().code == ErrorCode::corrupt);
  CHECK(evidence.error().definite());
  return evidence.error().message;
}

}  // namespace

TEST_CASE("evidence: looks as documented") {
  CHECK(example().to_string() == kExample);
  const Evidence other{.node = NodeId{7},
                       .term = Term{},
                       .index = LogIndex{5},
                       .path = Path::local,
                       .replicas = {},
                       .sequenced = false,
                       .degraded = true};
  CHECK(other.to_string() ==
        "node=7, term=0, index=5, path=local, replicas=(), sequenced=?0, degraded=?1");
}

TEST_CASE("evidence: comes back as it was", "[random]") {
  Random random(1);
  for (int round = 0; round < 50'000; ++round) {
    const Evidence evidence = random_evidence(random);
    const auto got = parse_evidence(evidence.to_string());
    if (!got) FAIL(got.error().message);
    if (*got != evidence) FAIL(evidence.to_string());
  }
}

TEST_CASE("evidence: any dictionary that says the same is understood") {
  for (const char* same : {
           "degraded=?0,sequenced=?1,replicas=(1 2),path=read-index,index=120,term=3,node=1",
           "  node=1 ,\tterm=3,index=120, path=read-index, replicas=( 1   2 ), sequenced, "
           "degraded=?0  ",
           "node=1;a;b=2, term=3, index=120, path=read-index, replicas=(1;x 2);y=(, sequenced=?1, "
           "degraded=?0",
           "node=9, node=1, term=3, index=120, path=read-index, replicas=(3), replicas=(1 2), "
           "sequenced=?1, degraded=?0",
       }) {
    INFO(same);
    const auto got = parse_evidence(same);
    if (std::string_view(same).find("y=(") != std::string_view::npos) {
      CHECK_FALSE(got.has_value());  // a list is no parameter
      continue;
    }
    REQUIRE(got.has_value());
    CHECK(*got == example());
  }
}

TEST_CASE("evidence: members of a newer node are skipped") {
  for (const char* member : {"x", "x=1", "x=-1.5", "x=\"a, b=\\\"(\"", "x=:aGk=:", "x=?0",
                             "x=tok/en", "x=(1 \"two\" three;p=4)", "*x=*y", "x=1;y=2;z"}) {
    INFO(member);
    for (const std::string& text :
         {std::string(member) + ", " + kExample, kExample + ", " + member}) {
      const auto got = parse_evidence(text);
      REQUIRE(got.has_value());
      CHECK(*got == example());
    }
  }
}

TEST_CASE("evidence: what is none is refused with the member's name") {
  struct Case {
    const char* from;
    const char* to;
    const char* reason;
  };
  const Case cases[] = {
      {"node=1", "node=x", "node: wrong value"},
      {"node=1", "node=4294967296", "node: wrong value"},
      {"node=1", "node=-1", "node: wrong value"},
      {"node=1", "node=1.5", "node: wrong value"},
      {"node=1", "node=(1)", "node: wrong value"},
      {"node=1, ", "", "node: missing"},
      {"term=3", "term=18446744073709551616", "term: wrong value"},
      {"term=3", "term", "term: wrong value"},
      {"term=3", "term=", "term: no value"},
      {", term=3", "", "term: missing"},
      {"index=120", "index=\"120\"", "index: wrong value"},
      {"index=120", "index=120 x=1", "a comma expected behind index"},
      {", index=120", "", "index: missing"},
      {"read-index", "elsewhere", "path: wrong value"},
      {"read-index", "\"read-index\"", "path: wrong value"},
      {", path=read-index", "", "path: missing"},
      {"(1 2)", "(2 1)", "replicas: wrong value"},
      {"(1 2)", "(1 1)", "replicas: wrong value"},
      {"(1 2)", "(0 1)", "replicas: wrong value"},
      {"(1 2)", "(1 x)", "replicas: wrong value"},
      {"(1 2)", "1", "replicas: wrong value"},
      {"(1 2)", "(1 2", "replicas: no value"},
      {", replicas=(1 2)", "", "replicas: missing"},
      {"sequenced=?1", "sequenced=1", "sequenced: wrong value"},
      {"sequenced=?1", "sequenced=?2", "sequenced: no value"},
      {", sequenced=?1", "", "sequenced: missing"},
      {", degraded=?0", "", "degraded: missing"},
      {"degraded=?0", "degraded=?0,", "a key expected"},
      {"degraded=?0", "degraded=?0;=1", "degraded: wrong parameters"},
      {"degraded=?0", "degraded=?0, x=\"open", "x: no value"},
      {"degraded=?0", "degraded=?0, x=\"open\\", "x: no value"},
      {"degraded=?0", "degraded=?0, x=:open", "x: no value"},
      {"degraded=?0", "degraded=?0, X=1", "a key expected"},
  };
  for (const Case& c : cases) {
    INFO(c.from << " -> " << c.to);
    CHECK(refusal(with(kExample, c.from, c.to)) == std::string("evidence is corrupt: ") + c.reason);
  }
  CHECK(refusal("") == "evidence is corrupt: a key expected");
}

TEST_CASE("evidence: damaged text gives an error or evidence", "[random]") {
  Random random(2);
  std::size_t refused = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text = random_evidence(random).to_string();
    text.resize(random.below(8) == 0 ? random.below(text.size() + 1) : text.size());
    for (std::uint64_t flips = random.between(1, 3); flips > 0 && !text.empty(); --flips) {
      text[random.below(text.size())] ^= static_cast<char>(1 << random.below(8));
    }
    const auto got = parse_evidence(text);
    if (!got) {
      ++refused;
      continue;
    }
    const auto again = parse_evidence(got->to_string());
    if (!again || *again != *got) FAIL(text);
  }
  CHECK(refused > 10'000);
}

TEST_CASE("evidence: the path must be one of the level's, and bear as many replicas as it says") {
  struct Case {
    Consistency consistency;
    Path path;
    std::size_t replicas;
    bool read;  ///< carries a read
    bool write;
  };
  const auto quorum = [](std::uint32_t r, std::uint32_t w, bool sloppy = false) {
    return Consistency{.level = Level::quorum, .r = r, .w = w, .sloppy = sloppy};
  };
  const auto c = GENERATE_COPY(values<Case>({
      {quorum(2, 3), Path::quorum, 3, true, true},
      {quorum(2, 3), Path::quorum, 2, true, false},
      {quorum(2, 1), Path::quorum, 1, false, true},
      {quorum(2, 2, true), Path::quorum, 1, true, true},
      {quorum(0, 0), Path::quorum, 0, true, true},
      {quorum(1, 1), Path::local, 1, true, true},
      {quorum(1, 2), Path::local, 1, true, false},
      {quorum(1, 1), Path::local, 0, false, false},
      {quorum(0, 0), Path::local, 1, false, false},
      {quorum(1, 1), Path::abd, 3, false, false},
      {{Level::atomic}, Path::abd, 2, true, true},
      {{Level::atomic}, Path::quorum, 2, false, false},
      {{Level::atomic}, Path::log, 2, false, false},
      {{Level::eventual}, Path::local, 1, true, true},
      {{Level::eventual}, Path::log, 1, false, false},
      {{Level::causal}, Path::causal, 1, true, true},
      {{Level::causal}, Path::local, 1, false, false},
      {{Level::session}, Path::causal, 1, true, true},
      {{Level::eventual}, Path::causal, 1, false, false},
      {{Level::prefix}, Path::causal, 1, false, false},
      {{Level::weak}, Path::local, 1, true, true},
      {{Level::weak}, Path::quorum, 1, false, false},
      {{Level::linearizable}, Path::read_index, 0, true, true},
      {{Level::linearizable}, Path::abd, 3, false, false},
      {{Level::prefix}, Path::local, 1, true, true},
      {{Level::prefix}, Path::quorum, 3, false, false},
  }));
  Evidence evidence{.path = c.path};
  for (std::size_t i = 0; i < c.replicas; ++i) {
    evidence.replicas.push_back(NodeId{static_cast<std::uint32_t>(i + 1)});
  }
  CAPTURE(c.consistency.to_string(), evidence.to_string());
  for (const bool read : {true, false}) {
    const Result<void> checked = check_evidence(c.consistency, read, evidence);
    CHECK(checked.has_value() == (read ? c.read : c.write));
    if (!checked) CHECK(checked.error().code == ErrorCode::corrupt);
  }
}

}  // namespace parallax::test
