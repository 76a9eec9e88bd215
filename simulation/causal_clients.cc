#include "simulation/causal_clients.h"

#include "consistency/checker/causal.h"
#include "consistency/checker/session_guarantees.h"

namespace parallax::simulation {
namespace {

/// In the names of clients in the timeline and in the histories.
constexpr std::size_t kFirstClient = 300;

}  // namespace

CausalClients::CausalClients(World& world, Trace* trace, CausalOptions options)
    : world_(world),
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
  world_.submit(node, Request(request), [this, at, record, call, request](const Reply& reply) {
    finish(at, record, call, request, reply);
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

void CausalClients::finish(std::size_t at, std::optional<std::size_t> record,
                           const Recorder::Call& call, const Request& request, const Reply& reply) {
  tell_answer(trace_, {call.client, call.node, world_.now()}, request, reply);
  --under_way_;
  Session& session = sessions_[at];
  const bool unknown = !reply && !reply.error().definite() && !is_read(request.operation);
  if (reply) {
    ++answered_;
    session.token = reply->session;
  }
  if (record) {
    recorder(session.level).end(*record, request, reply, unknown, world_.now(), std::nullopt);
  }
  if (unknown) session = begin(session.level);
  next(at);
}

std::string CausalClients::judge() const {
  const auto result = checker::check_causal(causal_.history(), checker::CausalModel::ccv);
  if (result.verdict != checker::Verdict::yes) {
    return fmt::format("causal operations are not causally convergent:\n{}",
                       result.witness ? result.witness->text : result.reason);
  }
  const SessionGuarantees& asked = options_.guarantees;
  // What others see of a session tells nothing where they do not read monotonically.
  const bool told = asked.monotonic_reads;
  const bool judged[] = {asked.read_your_writes, asked.monotonic_reads,
                         asked.monotonic_writes && told, asked.writes_follow_reads && told};
  const auto results = checker::check_session_guarantees(session_.history());
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!judged[i] || results[i].verdict == checker::Verdict::yes) continue;
    return fmt::format("session operations violate {}:\n{}",
                       checker::to_string(checker::kGuarantees[i]),
                       results[i].witness ? results[i].witness->text : results[i].reason);
  }
  return {};
}

std::optional<std::string> CausalClients::counterexample(Permitted permitted) const {
  const std::optional<std::size_t> of = guarantee_left_out(permitted);
  if (!of) return std::nullopt;
  const std::size_t i = *of;
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
