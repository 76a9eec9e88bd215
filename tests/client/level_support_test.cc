#include "client/level_support.h"

#include <catch2/catch.hpp>

namespace parallax::test {
namespace {

/// "" when it is carried out.
std::string refusal(Request request, Level level) {
  request.consistency.level = level;
  const auto error = unsupported(request);
  if (!error) return "";
  CHECK(error->definite());
  CHECK(error->message.find(level_info(level).name) != std::string::npos);
  return fmt::format("{}: {}", error_info(error->code).name, error->message);
}

struct Kind {
  const char* name;
  Request request;
};
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"put", {.operation = Put{.key = "k", .value = "v"}}},
      {"get", {.operation = Get{"k"}}},
      {"delete", {.operation = Delete{"k"}}},
      {"put with a context", {.operation = Put{.key = "k"}, .context = VersionVector{}}},
      {"conditional put",
       {.operation = Put{.key = "k"}, .conditions = {.if_match = EtagSet{.any = true}}}},
      {"conditional delete",
       {.operation = Delete{"k"}, .conditions = {.if_none_match = EtagSet{.any = true}}}},
      {"put once", {.operation = Put{.key = "k"}, .idempotency_key = "i"}},
      {"delete once", {.operation = Delete{"k"}, .idempotency_key = "i"}},
      {"increment", {.operation = Increment{"k"}}},
      {"scan", {.operation = Scan{}}},
      {"get-many", {.operation = GetMany{{"k"}}}},
      {"history", {.operation = ReadHistory{.key = "k"}}},
      {"policy", {.operation = GetPolicy{"k"}}},
      {"policies", {.operation = ListPolicies{}}},
      {"set-policy", {.operation = SetPolicy{"k", Policy{}}}},
      {"update-crdt", {.operation = UpdateCrdt{"k"}}},
      {"get-crdt", {.operation = GetCrdt{"k"}}},
  };
  return all;
}

}  // namespace

TEST_CASE("level support: which operations each level carries out") {
  // By the rows of kinds(): + carried out, c condition-unsupported, p bad-parameter.
  const std::pair<Level, std::string_view> expected[] = {
      {Level::linearizable, "+++++++++++++++pp"}, {Level::prefix, "+++++++++++++++pp"},
      {Level::sequential, "+++++++++++++++pp"},   {Level::bounded, "+++++++++++++++pp"},
      {Level::atomic, "++++cccccpppppppp"},       {Level::quorum, "++++cccccpppppp++"},
      {Level::causal, "++++ccccc++pppp++"},       {Level::session, "++++ccccc++pppp++"},
      {Level::eventual, "++++ccccc+++ppp++"},     {Level::weak, "++++ccccc+++ppp++"},
  };
  CHECK(std::size(expected) == kLevels.size());
  for (const auto& [level, row] : expected) {
    REQUIRE(row.size() == kinds().size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      INFO(level_info(level).name << ": " << kinds()[i].name);
      const std::string message = refusal(kinds()[i].request, level);
      const char got = message.empty()                                 ? '+'
                       : message.starts_with("condition-unsupported:") ? 'c'
                       : message.starts_with("bad-parameter:")         ? 'p'
                                                                       : '?';
      CHECK(got == row[i]);
    }
  }
}

TEST_CASE("level support: refusals say what would be right") {
  const auto of = [](std::size_t kind, Level level) {
    return refusal(kinds()[kind].request, level);
  };
  CHECK(of(4, Level::quorum) ==
        "condition-unsupported: If-Match and If-None-Match are decided by the leader alone, and "
        "quorum has none; use linearizable or prefix");
  CHECK(of(6, Level::atomic) ==
        "condition-unsupported: what an Idempotency-Key has done is decided by the leader alone, "
        "and atomic has none; use linearizable or prefix");
  CHECK(of(8, Level::weak) ==
        "condition-unsupported: an increment is decided by the leader alone, and weak has none; "
        "use linearizable or prefix");
  CHECK(of(9, Level::atomic) ==
        "bad-parameter: consistency: a range cannot be read at atomic; use linearizable, prefix or "
        "eventual");
  CHECK(of(10, Level::quorum) ==
        "bad-parameter: consistency: several keys at once cannot be read at quorum; ask for each "
        "by itself, or in a batch, or use linearizable, prefix or eventual");
  CHECK(of(14, Level::eventual) ==
        "bad-parameter: consistency: policies are agreed on through the log, and eventual goes "
        "past it; use linearizable or prefix");
}

TEST_CASE("level support: a level that a policy has named is judged like another") {
  Request request{.operation = Increment{"k"}, .level_by_policy = true};
  CHECK(!unsupported(request));
  request.consistency.level = Level::quorum;
  CHECK(unsupported(request).has_value());
}

}  // namespace parallax::test
