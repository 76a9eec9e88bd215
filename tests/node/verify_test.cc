// verify(): answers of every level pass, and none does with a member of its evidence altered.
#include "client/verify.h"

#include <functional>

#include <catch2/catch.hpp>

#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {
namespace {

struct Case {
  std::string name;
  Request request;
};

Request read_at(Consistency consistency) {
  Request request = get_request("k");
  request.consistency = consistency;
  return request;
}

Request write_at(Consistency consistency) {
  Request request = put_request("k", "v");
  request.consistency = consistency;
  return request;
}

Asked asked_of(const Request& request) {
  return Asked{.is_read = is_read(request.operation),
               .is_count = std::holds_alternative<CountReplicas>(request.operation),
               .consistency = request.consistency,
               .session = request.session,
               .members = 3};
}

std::string verdict(const Asked& asked, const Answer& answer) {
  const Result<void> verified = verify(asked, answer);
  return verified ? "" : verified.error().message;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&](Consistency consistency) {
    all.push_back({"read " + consistency.to_string(), read_at(consistency)});
    all.push_back({"write " + consistency.to_string(), write_at(consistency)});
  };
  add({Level::linearizable});
  add({Level::sequential});
  add({.level = Level::bounded, .max_staleness_ms = 900});
  add({.level = Level::bounded, .max_lag = 0});
  add({Level::prefix});
  add({Level::atomic});
  add({.level = Level::quorum, .r = 2, .w = 2});
  add({.level = Level::quorum, .r = 3, .w = 1});
  add({Level::quorum});
  add({.level = Level::quorum, .r = 1, .w = Consistency::kAll});
  add({Level::eventual});
  add({Level::causal});
  add({Level::session});
  add({Level::prefix});  // with a causal past
  for (const Ack ack : {Ack::leader, Ack::semi_sync, Ack::all}) {
    all.push_back({"write", write_at({.level = Level::linearizable, .ack = ack})});
  }
  Request refused = write_at({.level = Level::linearizable, .ack = Ack::leader});
  refused.conditions.if_none_match = EtagSet{.any = true};
  all.push_back({"refused", refused});
  refused.idempotency_key = "once";
  all.push_back({"refused and noted", refused});
  Request count = read_at({Level::linearizable});
  count.operation = CountReplicas{2};
  all.push_back({"count", count});
  return all;
}

/// Each alters one thing that an answer says.
struct Alteration {
  const char* name;
  std::function<void(Answer&)> alter;
};

const std::vector<Alteration> kAlterations{
    {"node", [](Answer& a) { a.evidence.node = NodeId{9}; }},
    {"no node", [](Answer& a) { a.evidence.node = kNoNode; }},
    {"index above", [](Answer& a) { a.evidence.index = LogIndex{a.evidence.index.value + 1}; }},
    {"index below", [](Answer& a) { a.evidence.index = LogIndex{a.evidence.index.value - 1}; }},
    {"replicas gone", [](Answer& a) { a.evidence.replicas.clear(); }},
    {"replicas doubled",
     [](Answer& a) { a.evidence.replicas.push_back(a.evidence.replicas.back()); }},
    {"too many replicas",
     [](Answer& a) {
       for (const std::uint32_t id : {11u, 12u, 13u, 14u}) {
         a.evidence.replicas.push_back(NodeId{id});
       }
     }},
    {"sequenced", [](Answer& a) { a.evidence.sequenced = !a.evidence.sequenced; }},
    {"degraded", [](Answer& a) { a.evidence.degraded = !a.evidence.degraded; }},
    {"term", [](Answer& a) { a.evidence.term = Term{}; }},
    {"confirmed", [](Answer& a) { a.evidence.confirmed = LogIndex{a.evidence.index.value + 9}; }},
    {"path causal", [](Answer& a) { a.evidence.path = Path::causal; }},
    {"what was seen at causal", [](Answer& a) { a.session.read = {}; }},
    {"what was written at causal", [](Answer& a) { a.session.write = {}; }},
    {"waited", [](Answer& a) { a.evidence.waited = -1ms; }},
    {"number of replicas counted", [](Answer& a) { ++a.replicas; }},
    {"staleness", [](Answer& a) { a.staleness_ms = 90'000; }},
    {"no staleness", [](Answer& a) { a.staleness_ms.reset(); }},
    {"quorum",
     [](Answer& a) {
       a.consistency.r = a.consistency.w = 1;
       a.evidence.path = Path::local;
       a.evidence.replicas = {a.evidence.node};
     }},
    {"session's index",
     [](Answer& a) { a.session.index = LogIndex{a.session.index.value + 1'000}; }},
    {"session's clock", [](Answer& a) { a.session.clock = Hlc{1}; }},
    {"session's cluster", [](Answer& a) { a.session.cluster.low ^= 1; }},
    {"level", [](Answer& a) {
       a.consistency = {a.consistency.level == Level::prefix ? Level::linearizable : Level::prefix};
     }}};

/// The index is no part of what these claim.
bool of_replicas(const Request& request) {
  return level_info(request.consistency.level).protocol != Protocol::leader_follower ||
         std::holds_alternative<CountReplicas>(request.operation);
}

/// Whether an alteration says nothing of what this answer claims.
bool beside_the_point(const std::string& name, const Request& request, const Answer& answer) {
  const Level level = request.consistency.level;
  const bool causal = level_info(level).protocol == Protocol::causal;
  const bool count = std::holds_alternative<CountReplicas>(request.operation);
  const Ack ack = request.consistency.ack;
  if (name.starts_with("index") && of_replicas(request)) return true;
  // Nobody knows to what it was committed before it was acknowledged.
  const bool early = (ack == Ack::leader || ack == Ack::semi_sync) && !answer.refusal;
  if (name.starts_with("index") && early) return true;
  // The place of the first outcome, before all that the session has seen since.
  if (name == "index below" && answer.replayed) return true;
  // A majority of followers, and no word of the leader's own disk.
  const bool log_write = answer.evidence.path == Path::log;
  if (name == "node" && (count || (log_write && answer.evidence.replicas.size() < 3))) return true;
  // A node that asks others need not have anything to say itself.
  const bool asks_others =
      is_read(request.operation) && (level == Level::atomic || level == Level::quorum);
  if (name == "node" && asks_others && answer.evidence.replicas.size() < 3) return true;
  if (name == "path causal") return causal;
  if (name == "what was seen at causal") return request.session->read.empty();
  if (name == "what was written at causal") {
    return request.session->write.empty() && answer.session.write.empty();
  }
  if (name.ends_with("staleness")) {
    return !request.consistency.max_staleness_ms || !is_read(request.operation);
  }
  if (name.starts_with("number of")) return !count;
  if (name == "quorum") {
    const std::uint32_t asked =
        is_read(request.operation) ? request.consistency.r : request.consistency.w;
    return level != Level::quorum || asked == 1;
  }
  return false;
}

}  // namespace

TEST_CASE_METHOD(Elected, "verify: answers of every level pass, and fail when they are altered") {
  world.run_for(1s);
  SessionToken session = world.put(leader, "k", "first")->session;
  for (Case& c : cases()) {
    for (const NodeId at : {leader, follower}) {
      c.request.session = session;
      INFO(c.name << " at " << at.value);
      const Asked asked = asked_of(c.request);
      const Reply reply = world.call(at, c.request);
      REQUIRE(reply);
      INFO(reply->evidence.to_string() << ", " << reply->consistency.to_string());
      REQUIRE(verdict(asked, *reply) == "");
      session = reply->session;
      for (const Alteration& alteration : kAlterations) {
        Answer altered = *reply;
        alteration.alter(altered);
        const std::string name = alteration.name;
        if (beside_the_point(name, c.request, *reply)) continue;
        // These may lag behind their session, by however much.
        const bool loose = asked.is_read && read_anywhere(reply->consistency.level) &&
                           !reply->consistency.max_lag &&
                           reply->consistency.level != Level::sequential;
        if (name == "index below" && loose) continue;
        if (name == "index above" && reply->evidence.index < asked.session->index) continue;
        INFO("with another " << name);
        CHECK(verdict(asked, altered) != "");
      }
      if (!asked.is_read && !reply->refusal && !of_replicas(c.request)) {
        Answer altered = *reply;
        altered.evidence.index = asked.session->index;
        altered.session.index = asked.session->index;
        CHECK(verdict(asked, altered) != "");  // an entry that the session had seen before
      }
      for (const Path path : {Path::read_index, Path::log, Path::local, Path::quorum, Path::abd}) {
        if (path == reply->evidence.path) continue;
        Answer altered = *reply;
        altered.evidence.path = path;
        // A state that is the leader's own may as well have been confirmed, if enough say so.
        const bool more = read_anywhere(reply->consistency.level) && path == Path::local;
        // One replica of a quorum may be the node itself.
        const bool alone = reply->evidence.replicas.size() == 1 &&
                           (path == Path::local || reply->evidence.path == Path::local);
        // A refusal may have been noted in the log, or confirmed by a round.
        const bool refused = reply->refusal && path == Path::read_index;
        if (more || alone || refused) continue;
        INFO("by path " << path_name(path));
        CHECK(verdict(asked, altered) != "");
      }
    }
  }
}

TEST_CASE("verify: incarnations that are over may leave a causal session and others may not") {
  const Origin over{NodeId{1}, Incarnation{1}};
  const Origin next{NodeId{1}, Incarnation{2}};
  const Origin other{NodeId{2}, Incarnation{1}};
  const Consistency causal{.level = Level::causal};
  Answer answer;
  answer.consistency = causal;
  answer.evidence = {
      .node = NodeId{2}, .term = Term{2}, .path = Path::causal, .replicas = {NodeId{2}}};
  Asked asked{.consistency = causal, .session = SessionToken{}};
  asked.session->read = OriginVector({{over, 5}, {other, 3}});
  asked.session->write = OriginVector({{over, 2}});
  const auto back = Catch::Contains("has seen less than before");
  answer.session.read = OriginVector({{next, 1}, {other, 3}});
  CHECK(verdict(asked, answer) == "");
  answer.session.read = OriginVector({{other, 3}});
  CHECK_THAT(verdict(asked, answer), back);  // nothing says that it is over
  answer.session.read = OriginVector({{over, 4}, {next, 1}, {other, 3}});
  CHECK_THAT(verdict(asked, answer), back);
  answer.session.read = OriginVector({{next, 1}});
  CHECK_THAT(verdict(asked, answer), back);
  answer.session.read = OriginVector({{next, 1}, {other, 3}});
  answer.session.write = OriginVector({{over, 2}, {other, 1}});
  CHECK_THAT(verdict(asked, answer), Catch::Contains("has written, by a read"));
}

TEST_CASE("verify: a node that reads at others need not be one of them and one that writes must") {
  Answer answer;
  answer.evidence = {.node = NodeId{2}, .term = Term{2}, .replicas = {NodeId{1}, NodeId{3}}};
  for (const Level level : {Level::atomic, Level::quorum}) {
    answer.consistency = {.level = level};
    if (level == Level::quorum) answer.consistency.r = answer.consistency.w = 2;
    answer.evidence.path = level == Level::atomic ? Path::abd : Path::quorum;
    INFO(level_info(level).name);
    CHECK(verdict({.consistency = Consistency{.level = level}}, answer) == "");
    CHECK_THAT(verdict({.is_read = false, .consistency = Consistency{.level = level}}, answer),
               Catch::Contains("node 2 answered and is none of the replicas"));
    Answer all = answer;
    all.evidence.node = NodeId{4};
    all.evidence.replicas.insert(all.evidence.replicas.begin() + 1, NodeId{2});
    CHECK_THAT(verdict({.consistency = Consistency{.level = level}}, all),
               Catch::Contains("node 4 answered and is none of 3 replicas"));
  }
}

TEST_CASE("verify: what does not follow is named") {
  const NodeId one{1};
  const NodeId two{2};
  Answer answer;
  answer.evidence = {.node = one,
                     .term = Term{2},
                     .index = LogIndex{7},
                     .path = Path::read_index,
                     .replicas = {one, two},
                     .sequenced = true};
  answer.session.index = LogIndex{7};
  Asked asked{.consistency = Consistency{}};
  CHECK(verdict(asked, answer) == "");
  const auto says = [](const std::string& what) {
    return "the evidence does not carry the answer's level: " + what;
  };

  asked.members = 5;
  CHECK(verdict(asked, answer) == says("2 replicas, 3 to 5 expected"));
  asked.members = 3;
  answer.evidence.term = Term{};
  CHECK(verdict(asked, answer) == says("term 0"));
  answer.evidence.term = Term{2};
  asked.session = SessionToken{.index = LogIndex{8}};
  CHECK(verdict(asked, answer) == says("index 7, where the session has seen 8"));
  asked.session.reset();

  asked.consistency = Consistency{.level = Level::bounded, .max_staleness_ms = 50, .max_lag = 2};
  CHECK(verdict(asked, answer) ==
        says("bounded; max_staleness_ms=50; max_lag=2 was asked for, linearizable is named"));
  answer.consistency = *asked.consistency;
  answer.evidence.path = Path::local;
  CHECK(verdict(asked, answer) == says("it does not say how old it is"));
  answer.staleness_ms = 51;
  CHECK(verdict(asked, answer) == says("it is up to 51 ms old, 50 are allowed"));
  answer.staleness_ms = 50;
  CHECK(verdict(asked, answer) == says("no leader has said what was committed"));
  answer.evidence.confirmed = LogIndex{10};
  CHECK(verdict(asked, answer) == says("index 7 is more than 2 behind 10"));
  answer.evidence.confirmed = LogIndex{9};
  CHECK(verdict(asked, answer) == "");

  // A degraded write says that it is the leader's alone.
  Asked write{.is_read = false,
              .consistency = Consistency{.level = Level::linearizable, .ack = Ack::semi_sync}};
  Answer done;
  done.evidence = {.node = one,
                   .term = Term{2},
                   .index = LogIndex{7},
                   .path = Path::log,
                   .replicas = {one},
                   .sequenced = true,
                   .degraded = true};
  done.consistency = {.level = Level::linearizable, .ack = Ack::leader};
  CHECK(verdict(write, done) == "");
  // One that has lost its office has the word of its successor, and not yet its own disk's.
  done.evidence.node = two;
  CHECK(verdict(write, done) == "");
  done.evidence.replicas.clear();
  CHECK(verdict(write, done) == says("0 replicas, 1 to 3 expected"));
  done.evidence.replicas = {one};
  done.evidence.node = one;
  done.consistency.ack = Ack::semi_sync;
  CHECK(verdict(write, done) != "");
  done.evidence.degraded = false;
  CHECK(verdict(write, done) == says("1 replicas, 2 to 3 expected"));
}

TEST_CASE_METHOD(Elected, "verify: answers that meet other protocols on their key pass") {
  SessionToken session = world.put(leader, "k", "first")->session;
  std::size_t adopted = 0;
  for (int i = 0; i < 60; ++i) {
    for (const NodeId at : {leader, follower, third}) {
      world.submit(at, write_at({Level::eventual}), [](const Reply&) {});
    }
    for (int j = 0; j < 20; ++j) {
      world.after(j * 200us,
                  [&] { world.submit(leader, put_request("other", "v"), [](const Reply&) {}); });
    }
    Request read = read_at({Level::linearizable});
    read.session = session;
    const Reply reply = world.call(leader, read);
    REQUIRE(reply);
    INFO(reply->evidence.to_string());
    CHECK(verdict(asked_of(read), *reply) == "");
    if (reply->evidence.index < world.replica(leader).status().applied_index) ++adopted;
    session = reply->session;
  }
  CHECK(adopted > 0);
}

}  // namespace parallax::testing
