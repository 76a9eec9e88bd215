#include "simulation/causal_clients.h"

#include <algorithm>
#include <set>

#include "base/assert.h"
#include "consistency/checker/causal.h"
#include "consistency/checker/sequential.h"
#include "consistency/checker/session_guarantees.h"
#include "simulation/accounts.h"

namespace parallax::simulation {
namespace {

/// In the names of clients in the timeline and in the histories.
constexpr std::size_t kFirstClient = 300;

bool is_unknown(const Request& request, const Reply& reply) {
  return !reply && !reply.error().definite() && !is_read(request.operation);
}

}  // namespace

CausalClients::CausalClients(World& world, const Checks& checks, Trace* trace,
                             CausalOptions options)
    : world_(world),
      checks_(checks),
      trace_(trace),
      options_(options),
      random_(options.seed ^ 0xca05a1),
      next_number_(kFirstClient) {
  for (const Level level : {Level::causal, Level::session}) {
    for (std::size_t i = 0; i < options_.clients; ++i) {
      sessions_.push_back(begin(level));
    }
  }
}

CausalClients::Session CausalClients::begin(Level level) {
  // One that stays sees what others, who come and go, leave behind out of order.
  const NodeId home = random_.chance(0.4) ? any_node() : kNoNode;
  return {level, next_number_++, home, std::nullopt};
}

NodeId CausalClients::any_node() {
  const std::vector<NodeId> nodes = world_.ids();
  return nodes[random_.below(nodes.size())];
}

std::string CausalClients::key(Level level, std::size_t i) const {
  return fmt::format("{}-{}", level == Level::causal ? "causal" : "session", i);
}

std::vector<std::string> CausalClients::keys() const {
  std::vector<std::string> all;
  for (const Level level : {Level::causal, Level::session}) {
    for (std::size_t i = 0; i < options_.keys; ++i) all.push_back(key(level, i));
  }
  return all;
}

void CausalClients::start() {
  for (std::size_t session = 0; session < sessions_.size(); ++session) next(session);
}

void CausalClients::next(std::size_t session) {
  if (stopped_) return;
  // Every other one goes on at once, with another node: that is when it may be ahead of it.
  const auto mean = static_cast<std::uint64_t>(options_.think.count());
  const std::uint64_t pause = random_.chance(0.5) ? 0 : random_.below(2 * mean + 1);
  world_.after(Duration{static_cast<std::int64_t>(pause)}, [this, session] {
    if (!stopped_) issue(session);
  });
}

void CausalClients::issue(std::size_t at) {
  const Session& session = sessions_[at];
  ++issued_;
  const NodeId node = session.home != kNoNode ? session.home : any_node();
  Request request;
  request.timeout = std::chrono::milliseconds(random_.between(200, 1'500));
  request.consistency.level = session.level;
  request.consistency.guarantees = options_.guarantees;
  request.consistency.on_violation = static_cast<OnViolation>(random_.below(3));
  request.session = session.token;
  const std::string key = this->key(session.level, random_.below(options_.keys));
  if (random_.chance(0.6)) {
    request.operation = Get{.key = key};
  } else {
    request.operation = Put{.key = key, .value = Bytes{fmt::format("C{}", issued_)}};
  }
  const Recorder::Call call{session.number, node, world_.now()};
  const std::optional<std::size_t> record = recorder(session.level).begin(request, call);
  ++under_way_;
  if (random_.chance(options_.adopted)) adopt(any_node(), key);
  world_.submit(node, Request(request),
                [this, at, record, call, request, before = losses()](const Reply& reply) {
                  if (record) note_end(at, *record, request, reply, before);
                  finish(at, call, request, reply);
                });
}

/// What it shows is of no session.
void CausalClients::adopt(NodeId node, const std::string& key) {
  Request request;
  request.timeout = std::chrono::milliseconds(1'000);
  request.operation = Get{.key = key};
  ++under_way_;
  world_.submit(node, std::move(request), [this](const Reply&) { --under_way_; });
}

void CausalClients::finish(std::size_t at, const Recorder::Call& call, const Request& request,
                           const Reply& reply) {
  tell_answer(trace_, {call.client, call.node, world_.now()}, request, reply);
  --under_way_;
  Session& session = sessions_[at];
  if (reply) {
    ++answered_;
    session.token = reply->session;
  }
  if (is_unknown(request, reply)) session = begin(session.level);
  next(at);
}

CausalClients::Losses CausalClients::losses() const {
  Losses all;
  for (const NodeId id : world_.ids()) all[id] = checks_.losses(id);
  return all;
}

void CausalClients::note_end(std::size_t at, std::size_t record, const Request& request,
                             const Reply& reply, const Losses& losses) {
  const Level level = sessions_[at].level;
  const bool unknown = is_unknown(request, reply);
  recorder(level).end(record, request, reply, unknown, world_.now(), std::nullopt);
  if (is_read(request.operation) || (!unknown && (!reply || reply->refusal))) return;
  Write write{.level = level,
              .record = record,
              .origin = {},
              .number = 0,
              .losses = losses,
              .stamp = std::nullopt,
              .actor = {}};
  if (reply) {
    write.stamp = reply->stamp;
    write.actor = actor_of(*reply);
    const OriginVector before = request.session.value_or(SessionToken{}).write;
    for (const auto& [origin, number] : reply->session.write.entries()) {
      if (origin.node != reply->evidence.node || before.covers(origin, number)) continue;
      write.origin = origin;
      write.number = number;
    }
    PARALLAX_ASSERT(write.number > 0, "the write is not in its session");
  }
  writes_.push_back(std::move(write));
}

/// Whether nobody has it, now that all that was under way has arrived somewhere.
bool CausalClients::is_gone(const Write& write) const {
  if (write.number == 0) return true;
  const std::vector<NodeId> ids = world_.ids();
  const bool somewhere = std::any_of(ids.begin(), ids.end(), [&](NodeId id) {
    return world_.replica(id).status().causal.covers(write.origin, write.number);
  });
  if (somewhere) return false;
  PARALLAX_ASSERT(checks_.losses(write.origin.node) > write.losses.at(write.origin.node),
                  "operation {} of node {}'s incarnation {} was acknowledged and is gone, and the "
                  "node has kept its disk",
                  write.number, write.origin.node, write.origin.incarnation);
  return true;
}

checker::History CausalClients::surviving(Level level) const {
  const checker::History& all = (level == Level::causal ? causal_ : session_).history();
  const std::vector<NodeId> ids = world_.ids();
  const bool lost =
      std::any_of(ids.begin(), ids.end(), [&](NodeId id) { return checks_.losses(id) > 0; });
  std::set<std::size_t> gone;
  std::set<checker::Text> values;
  for (const Write& write : writes_) {
    if (write.level != level || (!lost && write.number == 0) || !is_gone(write)) continue;
    gone.insert(write.record);
    values.insert(all.operations[write.record].value);
  }
  checker::History left{.texts = all.texts, .operations = {}};
  for (std::size_t i = 0; i < all.operations.size(); ++i) {
    if (gone.contains(i) || values.contains(all.operations[i].result)) continue;
    left.operations.push_back(all.operations[i]);
  }
  return left;
}

std::string CausalClients::judge() const {
  const auto result = checker::check_causal(surviving(Level::causal), checker::CausalModel::ccv);
  if (result.verdict != checker::Verdict::yes) {
    return fmt::format("causal operations are not causally convergent:\n{}",
                       result.witness ? result.witness->text : result.reason);
  }
  const SessionGuarantees& asked = options_.guarantees;
  // What others see of a session tells nothing where they do not read monotonically.
  const bool told = asked.monotonic_reads;
  const bool judged[] = {asked.read_your_writes, asked.monotonic_reads,
                         asked.monotonic_writes && told, asked.writes_follow_reads && told};
  const auto results = checker::check_session_guarantees(surviving(Level::session));
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!judged[i] || results[i].verdict == checker::Verdict::yes) continue;
    return fmt::format("session operations violate {}:\n{}",
                       checker::to_string(checker::kGuarantees[i]),
                       results[i].witness ? results[i].witness->text : results[i].reason);
  }
  return {};
}

std::optional<std::string> CausalClients::counterexample(Permitted permitted) const {
  if (permitted == Permitted::causal_not_sequential) {
    const auto result = checker::check_sequential(surviving(Level::causal));
    if (result.verdict != checker::Verdict::no) return std::nullopt;
    return result.witness->text;
  }
  if (permitted == Permitted::causal_write_lost_with_disk) return lost_with_disk(Level::causal);
  if (permitted == Permitted::session_write_lost_with_disk) return lost_with_disk(Level::session);
  const std::optional<std::size_t> of = guarantee_left_out(permitted);
  return of ? without_guarantee(*of) : std::nullopt;
}

/// One that nobody has, and no replacement of it, and since it was issued one disk was lost alone.
std::optional<std::string> CausalClients::lost_with_disk(Level level) const {
  const checker::History& all = (level == Level::causal ? causal_ : session_).history();
  for (const Write& write : writes_) {
    if (write.level != level || !write.stamp || !is_gone(write)) continue;
    std::uint64_t before = 0;
    for (const auto& [node, losses] : write.losses) before += losses;
    if (disks_lost(world_, checks_) != before + 1) continue;
    const checker::Operation& operation = all.operations[write.record];
    const std::string key(all.texts[operation.key]);
    const std::vector<NodeId> ids = world_.ids();
    const bool somewhere = std::any_of(ids.begin(), ids.end(), [&](NodeId id) {
      return accounted_for(state_of(world_, id, key), write.actor, *write.stamp);
    });
    if (somewhere) continue;
    return fmt::format(
        "'{}' of '{}' at {} was acknowledged by node {} as {}; that node has lost its disk since, "
        "no other has, and no replica has the write, or anything that replaces it",
        all.texts[operation.value], key, level_info(level).name, write.origin.node, *write.stamp);
  }
  return std::nullopt;
}

std::optional<std::string> CausalClients::without_guarantee(std::size_t i) const {
  const SessionGuarantees& asked = options_.guarantees;
  const bool has[] = {asked.read_your_writes, asked.monotonic_reads, asked.monotonic_writes,
                      asked.writes_follow_reads};
  // The last two are told by others, who have to read monotonically.
  if (has[i] || (i >= 2 && !asked.monotonic_reads)) return std::nullopt;
  const auto results = checker::check_session_guarantees(session_.history());
  if (results[i].verdict != checker::Verdict::no) return std::nullopt;
  return fmt::format("guarantees: {}\n{}", asked.to_string(), results[i].witness->text);
}

}  // namespace parallax::simulation
