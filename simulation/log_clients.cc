#include "simulation/log_clients.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/assert.h"
#include "replication/quorum/sizes.h"

namespace parallax::simulation {
namespace {

constexpr std::array<std::string_view, 4> kFamilies{"sequential", "bounded", "prefix", "acked"};

/// In the names of clients in the timeline and in the histories.
constexpr std::size_t kFirstClient = 400;

constexpr std::uint32_t kStaleness[] = {5, 30, 100, 400, 2'000};
constexpr std::uint32_t kLags[] = {0, 1, 3, 10};

constexpr std::int64_t kMillion = 1'000'000;

std::int64_t ns(MonoTime at) {
  return at.time_since_epoch().count();
}

template <class T, std::size_t N>
T pick(Random& random, const T (&choices)[N]) {
  return choices[random.below(N)];
}

bool is_early(Ack ack) {
  return ack == Ack::leader || ack == Ack::semi_sync;
}

std::string_view mode(Ack ack, bool degraded) {
  return degraded ? "semi-sync, degraded" : kAcks[static_cast<std::size_t>(ack)];
}

}  // namespace

LogClients::LogClients(World& world, const Checks& checks, Trace* trace, LogClientOptions options)
    : world_(world),
      checks_(checks),
      trace_(trace),
      options_(options),
      random_(options.seed ^ 0x10c11e),
      next_number_(kFirstClient) {
  for (std::size_t family = 0; family < kFamilies.size(); ++family) {
    for (std::size_t i = 0; i < options_.clients; ++i) {
      clients_.push_back({static_cast<Family>(family), next_number_++, std::nullopt});
    }
  }
}

std::string LogClients::key(Family family, std::size_t i) const {
  return fmt::format("{}-{}", kFamilies[static_cast<std::size_t>(family)], i);
}

void LogClients::start() {
  for (std::size_t client = 0; client < clients_.size(); ++client) next(client);
}

void LogClients::next(std::size_t client) {
  if (stopped_) return;
  // Every other one goes on at once, with another node: that is when it may be ahead of it.
  const auto mean = static_cast<std::uint64_t>(options_.think.count());
  const std::uint64_t pause = random_.chance(0.5) ? 0 : random_.below(4 * mean + 1);
  world_.after(Duration{static_cast<std::int64_t>(pause)}, [this, client] {
    if (!stopped_) issue(client);
  });
}

// --- What is asked -------------------------------------------------------------------------------

void LogClients::draw_bound(Consistency& consistency) {
  consistency.level = Level::bounded;
  const std::uint64_t kind = random_.below(4);
  if (kind != 0) consistency.max_staleness_ms = pick(random_, kStaleness);
  if (kind < 2) consistency.max_lag = pick(random_, kLags);
}

void LogClients::draw(Client& client, Request& request) {
  const std::string key = this->key(client.family, random_.below(options_.keys));
  Consistency& consistency = request.consistency;
  if (client.family == Family::sequential) {
    consistency.level = Level::sequential;
    request.session = client.token;
  }
  if (!random_.chance(options_.reads)) {
    request.operation = Put{.key = key, .value = Bytes{fmt::format("O{}", issued_)}};
    constexpr Ack kModes[] = {Ack::leader, Ack::semi_sync, Ack::majority, Ack::all};
    if (client.family == Family::acked) {
      consistency.ack = pick(random_, kModes);
    } else if (random_.chance(0.1)) {
      consistency.ack = Ack::all;
    }
    return;
  }
  if (client.family == Family::bounded) draw_bound(consistency);
  if (client.family == Family::prefix) consistency.level = Level::prefix;
  if (consistency.level == Level::sequential || consistency.level == Level::bounded) {
    consistency.on_violation = static_cast<OnViolation>(random_.below(3));
  }
  if (random_.chance(0.15)) {
    request.operation = GetMany{{key, this->key(client.family, 0)}};
  } else {
    request.operation = Get{.key = key};
  }
}

void LogClients::issue(std::size_t at) {
  ++issued_;
  const std::vector<NodeId> nodes = world_.ids();
  Client& client = clients_[at];
  Asked asked{.client = at,
              .call = {client.number, nodes[random_.below(nodes.size())], world_.now()},
              .request = {},
              .committed = checks_.committed(),
              .lives = {},
              .losses = {},
              .record = std::nullopt};
  asked.request.timeout = std::chrono::milliseconds(random_.between(200, 1'500));
  draw(client, asked.request);
  for (const NodeId id : nodes) {
    asked.lives.push_back(world_.life(id));
    asked.losses.push_back(checks_.losses(id));
  }
  asked.record = records(client.family).recorder.begin(asked.request, asked.call);
  ++under_way_;
  const NodeId node = asked.call.node;
  Request request = asked.request;
  world_.submit(node, std::move(request),
                [this, asked = std::move(asked)](const Reply& reply) { finish(asked, reply); });
}

// --- What is answered ----------------------------------------------------------------------------

void LogClients::finish(const Asked& asked, const Reply& reply) {
  const Request& request = asked.request;
  tell_answer(trace_, {asked.call.client, asked.call.node, world_.now()}, request, reply);
  --under_way_;
  Client& client = clients_[asked.client];
  const bool read = is_read(request.operation);
  const bool unknown = !reply && !reply.error().definite() && !read;
  bool early = false;
  if (reply) {
    ++answered_;
    early = !read && is_early(reply->consistency.ack);
    if (!early) checks_.check_answer(request, *reply);
    if (client.family == Family::sequential) client.token = reply->session;
    if (read) {
      check_bound(asked, *reply);
      if (asked.record) note_read(asked, *reply);
    } else {
      note_write(asked, *reply);
    }
  } else if (const auto* put = std::get_if<Put>(&request.operation); put != nullptr && !unknown) {
    refused_.insert(put->value.to_string());
  }
  // One that was acknowledged early never ends: it takes effect later, or not at all.
  if (asked.record && !early) {
    records(client.family)
        .recorder.end(*asked.record, request, reply, unknown, world_.now(), std::nullopt);
  }
  if (unknown) client = {client.family, next_number_++, std::nullopt};
  next(asked.client);
}

/// A bound that was asked for is one that the answer says it keeps; the lag by what was committed
/// in truth when it came, too. Ages are judged when all is known.
void LogClients::check_bound(const Asked& asked, const Answer& answer) const {
  const Consistency& level = asked.request.consistency;
  if (level.max_staleness_ms) {
    PARALLAX_ASSERT(answer.staleness_ms && *answer.staleness_ms <= *level.max_staleness_ms,
                    "a bound is kept or refused: {} is answered with {} ms", level.to_string(),
                    answer.staleness_ms.value_or(~std::uint64_t{0}));
  }
  if (!level.max_lag) return;
  const std::uint64_t reached = answer.evidence.index.value + *level.max_lag;
  PARALLAX_ASSERT(answer.evidence.confirmed.value <= reached && reached >= asked.committed,
                  "a bound is kept or refused: {} is answered from entry {}, {} were committed "
                  "when it was asked, and the leader had named {}",
                  level.to_string(), answer.evidence.index, asked.committed,
                  answer.evidence.confirmed);
}

void LogClients::note_read(const Asked& asked, const Answer& answer) {
  const NodeId shown_by = answer.evidence.node;
  const std::size_t place = shown_by.value - 1;
  const std::uint64_t life = asked.lives[place];
  const std::uint64_t alone = ~std::uint32_t{0} - *asked.record;  // nobody can say of which process
  const Consistency& level = asked.request.consistency;
  ReadNote note{.record = *asked.record,
                // What comes from another node was read before it travelled.
                .from_ns = ns(shown_by == asked.call.node ? world_.now() : asked.call.at),
                .staleness_ns = std::nullopt,
                .max_staleness_ms = level.max_staleness_ms,
                .max_lag = level.max_lag,
                .process = world_.life(shown_by) == life ? life : alone};
  if (answer.staleness_ms) {
    // What a slow clock shows as so long takes longer.
    const std::int64_t rate = kMillion - std::int64_t{options_.slow_clock_ppm};
    const auto shown = static_cast<std::int64_t>(*answer.staleness_ms) * kMillion;
    note.staleness_ns = (shown * kMillion + rate - 1) / rate;
  }
  records(clients_[asked.client].family).reads.push_back(note);
}

void LogClients::note_write(const Asked& asked, const Answer& answer) {
  const auto& put = std::get<Put>(asked.request.operation);
  PARALLAX_ASSERT(!answer.refusal, "a write of '{}' without conditions is decided against: {}",
                  put.key, answer.refusal->message);
  check_disks(asked, answer);
  acknowledged_.push_back({.key = put.key,
                           .value = put.value.to_string(),
                           .stamp = *answer.stamp,
                           .ack = answer.consistency.ack,
                           .degraded = answer.evidence.degraded,
                           .leader = answer.evidence.node,
                           .at = world_.now()});
}

/// What was acknowledged is on as many disks as its mode names. Fewer than asked for, and the
/// answer says so.
void LogClients::check_disks(const Asked& asked, const Answer& answer) const {
  const Ack wanted = asked.request.consistency.ack;
  const Ack ack = answer.consistency.ack;
  PARALLAX_ASSERT(ack == wanted || (wanted == Ack::semi_sync && answer.evidence.degraded),
                  "a write at ack={} is acknowledged at {} and does not say that it gave way",
                  mode(wanted, false), mode(ack, answer.evidence.degraded));
  // What is not committed the next leader may have replaced: on the way to here, or at followers
  // that had said they have it.
  if (is_early(ack) && answer.evidence.node != asked.call.node) return;
  const LogIndex index = answer.evidence.index;
  const bool committed = checks_.in_log(*operation_key(asked.request.operation), *answer.stamp);
  const Term term = committed ? checks_.term_of(index) : answer.evidence.term;
  const std::vector<NodeId> nodes = world_.ids();
  std::size_t holders = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    // Whoever has lost its disk meanwhile may have held it.
    const bool lost = checks_.losses(nodes[i]) != asked.losses[i] || world_.lost_disk(nodes[i]);
    if (lost || Checks::holds(world_, nodes[i], index, term)) ++holders;
  }
  std::size_t needed = 1;
  if (ack == Ack::majority) needed = majority_of(nodes.size());
  if (ack == Ack::semi_sync && majority_of(nodes.size()) <= 2) needed = majority_of(nodes.size());
  if (ack == Ack::all) needed = nodes.size();
  PARALLAX_ASSERT(holders >= needed,
                  "acknowledged is on disk: a write at ack={} was acknowledged with entry {} on {} "
                  "disks",
                  mode(ack, answer.evidence.degraded), index, holders);
}

// --- The verdict ---------------------------------------------------------------------------------

/// What two nodes have is committed where they are a majority.
bool LogClients::may_be_lost(const Acknowledged& written) const {
  return written.ack == Ack::leader ||
         (written.ack == Ack::semi_sync && majority_of(world_.ids().size()) > 2);
}

void LogClients::check_end() const {
  for (const Acknowledged& written : acknowledged_) {
    PARALLAX_ASSERT(may_be_lost(written) || !is_lost(written),
                    "no acknowledged write is lost: '{}' of '{}', acknowledged at {} as {}, is in "
                    "no entry of the log",
                    written.value, written.key, mode(written.ack, written.degraded), written.stamp);
  }
  for (const std::string& value : refused_) {
    PARALLAX_ASSERT(!checks_.was_written(value),
                    "definite means not done: '{}' was refused and is committed", value);
  }
}

std::string LogClients::judge() const {
  if (clients_.empty()) return {};
  const Records& sequential = records(Family::sequential);
  const Records& bounded = records(Family::bounded);
  const Records& prefix = records(Family::prefix);
  std::string broken = judge_linearizable(
      records(Family::acked).recorder.history(),
      "operations among writes that are acknowledged early are not linearizable");
  if (broken.empty()) broken = judge_ages(bounded, "bounded reads");
  if (broken.empty()) broken = judge_ages(prefix, "prefix reads");
  if (broken.empty()) broken = judge_ages(sequential, "sequential reads");
  if (broken.empty()) broken = judge_lags(bounded, checks_.log_of("bounded-"));
  if (broken.empty()) broken = judge_prefix(bounded, checks_.log_of("bounded-"), "bounded reads");
  if (broken.empty()) broken = judge_prefix(prefix, checks_.log_of("prefix-"), "prefix reads");
  if (broken.empty()) broken = judge_sequential(sequential, checks_.log_of("sequential-"));
  return broken;
}

std::optional<std::string> LogClients::counterexample(Permitted permitted) const {
  switch (permitted) {
    case Permitted::sequential_stale_read:
      return not_linearizable(records(Family::sequential).recorder.history());
    case Permitted::bounded_stale_read:
      return oldest_within_bound(records(Family::bounded));
    case Permitted::prefix_goes_back:
      return session_goes_back(records(Family::prefix), checks_.log_of("prefix-"));
    case Permitted::ack_leader_write_lost:
      return lost();
    default:
      return std::nullopt;  // of other clients
  }
}

std::optional<std::string> LogClients::lost() const {
  std::size_t early = 0;
  std::size_t gone = 0;
  std::string first;
  for (const Acknowledged& written : acknowledged_) {
    if (written.ack != Ack::leader) continue;
    ++early;
    if (!is_lost(written)) continue;
    if (gone++ > 0) continue;
    first = fmt::format(
        "'{}' of '{}' was acknowledged at {} by node {} as {} at {} ms, and no entry "
        "of the log has it",
        written.value, written.key, mode(written.ack, written.degraded), written.leader,
        written.stamp, ns(written.at) / kMillion);
  }
  if (gone == 0) return std::nullopt;
  return fmt::format("{} writes were acknowledged by their leader alone, {} of them are lost:\n{}",
                     early, gone, first);
}

}  // namespace parallax::simulation
