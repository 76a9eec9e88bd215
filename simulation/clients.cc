#include "simulation/clients.h"

#include <algorithm>

#include "base/assert.h"
#include "storage/key_space.h"

namespace parallax::simulation {
namespace {

/// Well below the retention of idempotency rows: an attempt can outlast its timeout where its node
/// stands still, and the entry of the first one can take as long to commit.
constexpr Duration kTriesAgainFor = std::chrono::seconds(20);

}  // namespace

Clients::Clients(World& world, const Checks& checks, Trace* trace, ClientOptions options)
    : world_(world),
      checks_(checks),
      trace_(trace),
      options_(options),
      random_(options.seed ^ 0xc11e47) {}

void Clients::start() {
  for (std::size_t client = 0; client < options_.clients; ++client) next(client);
}

void Clients::next(std::size_t client) {
  if (stopped_) return;
  const auto mean = static_cast<std::uint64_t>(options_.think.count());
  world_.after(Duration{static_cast<std::int64_t>(random_.below(2 * mean + 1))}, [this, client] {
    if (!stopped_) issue(client);
  });
}

Operation Clients::draw_operation() {
  const std::string key = this->key(random_.below(options_.keys));
  const std::string counter = this->counter(random_.below(2));
  if (random_.chance(options_.policies)) {
    SetPolicy set{.prefix = key, .policy = Policy{}};
    if (random_.chance(0.3)) set.policy.reset();
    return set;
  }
  if (random_.chance(options_.increments)) {
    if (random_.chance(0.3)) return Get{.key = counter};
    return Increment{counter, static_cast<std::int64_t>(random_.between(1, 3))};
  }
  if (random_.chance(options_.reads)) {
    if (!random_.chance(options_.ranges)) return Get{.key = key};
    if (random_.chance(0.5)) return GetMany{{key, counter, this->key(0)}};
    // From the very first key there are others' too, which the log then adopts.
    const std::string first = random_.chance(0.3) ? "" : "count-";
    return Scan{.start = random_.chance(0.5) ? key : first,
                .end = {},
                .limit = static_cast<std::uint32_t>(random_.between(1, 4)),
                .reverse = random_.chance(0.3)};
  }
  if (random_.chance(options_.deletes)) return Delete{key};
  Put put{.key = key, .value = Bytes{fmt::format("{}", issued_ + 1)}};
  if (random_.chance(options_.expiring)) {
    put.ttl = std::chrono::milliseconds(random_.between(1, 3'000));
  }
  return put;
}

/// Conditions, contexts, idempotency keys.
void Clients::draw_terms(Request& request) {
  const bool put = std::holds_alternative<Put>(request.operation);
  if (put || std::holds_alternative<Delete>(request.operation)) {
    const auto seen = seen_.find(*operation_key(request.operation));
    if (random_.chance(options_.conditions)) {
      const bool known = seen != seen_.end();
      if (put && (!known || random_.chance(0.3))) {
        request.conditions.if_none_match = EtagSet{.any = true, .stamps = {}};
      } else if (known) {
        request.conditions.if_match = EtagSet{.any = false, .stamps = {seen->second.stamp}};
      }
    } else if (put && seen != seen_.end() && random_.chance(options_.contexts)) {
      request.context = seen->second.context;
    }
  }
  if (!is_read(request.operation) && !std::holds_alternative<SetPolicy>(request.operation) &&
      random_.chance(options_.retried)) {
    request.idempotency_key = fmt::format("request-{}", issued_);
  }
}

void Clients::issue(std::size_t client) {
  ++issued_;
  Request request;
  request.operation = draw_operation();
  if (is_read(request.operation) && random_.chance(options_.prefix_reads)) {
    request.consistency.level = Level::prefix;
  }
  draw_terms(request);
  request.timeout = std::chrono::milliseconds(random_.between(300, 2'000));
  const std::vector<NodeId> nodes = world_.ids();
  Attempted operation{.client = client,
                      .request = std::move(request),
                      .at = nodes[random_.below(nodes.size())],
                      .record = std::nullopt,
                      .floor = std::nullopt,
                      .begun = world_.now()};
  ++under_way_;
  operation.record = record(client, operation.request, operation.at);
  if (const std::string* key = operation_key(operation.request.operation)) {
    if (const auto known = completed_.find(*key); known != completed_.end()) {
      operation.floor = known->second;
    }
  }
  submit(std::move(operation));
}

void Clients::submit(Attempted operation) {
  const NodeId at = operation.at;
  Request request = operation.request;
  world_.submit(
      at, std::move(request),
      [this, operation = std::move(operation)](const Reply& reply) { finish(operation, reply); });
}

std::optional<std::size_t> Clients::record(std::size_t client, const Request& request, NodeId at) {
  if (request.consistency.level != Level::linearizable) return std::nullopt;
  const std::string* expected = nullptr;
  if (request.conditions.if_match) {
    expected = &seen_.at(*operation_key(request.operation)).value;
  }
  // Others, of several keys, are held against the reference alone.
  return recorder_.begin(request, {client, at, world_.now()}, expected);
}

void Clients::finish(Attempted operation, const Reply& reply) {
  tell_answer(trace_, {operation.client, operation.at, world_.now()}, operation.request, reply);
  if (!reply) {
    operation.unknown |= !reply.error().definite();
    if (!operation.request.idempotency_key.empty() &&
        world_.now() - operation.begun < kTriesAgainFor && !stopped_) {
      const std::vector<NodeId> nodes = world_.ids();
      operation.at = nodes[random_.below(nodes.size())];
      world_.after(std::chrono::milliseconds(random_.between(1, 200)),
                   [this, operation = std::move(operation)] { submit(operation); });
      return;
    }
  }
  --under_way_;
  if (reply) {
    ++answered_;
    check_answer(operation, *reply);
  } else if (const auto* put = std::get_if<Put>(&operation.request.operation);
             put != nullptr && !operation.unknown) {
    refused_.insert(put->value.to_string());
  }
  complete(operation, reply);
  next(operation.client);
}

void Clients::check_answer(const Attempted& operation, const Answer& answer) {
  const Request& request = operation.request;
  checks_.check_answer(request, answer);
  if (request.consistency.level != Level::linearizable || !answer.stamp) return;
  const std::string& key = *operation_key(request.operation);
  if (!answer.replayed && options_.judge_stamps) {
    // Log order is stamp order, so real time shows in stamps: a second verdict beside the
    // checker's, which sees values alone.
    PARALLAX_ASSERT(!operation.floor || *answer.stamp >= *operation.floor,
                    "linearizability by stamps: '{}' is {} after {} had been seen", key,
                    answer.stamp->to_string(), operation.floor->to_string());
  }
  Stamp& highest = completed_[key];
  highest = std::max(highest, *answer.stamp);
  const auto* put = std::get_if<Put>(&request.operation);
  if (put != nullptr && !answer.refusal) {
    seen_.insert_or_assign(key, Seen{*answer.stamp, put->value.to_string(), answer.context});
  } else if (answer.found) {
    seen_.insert_or_assign(key, Seen{*answer.stamp, answer.value.to_string(), answer.context});
  }
}

void Clients::complete(const Attempted& operation, const Reply& reply) {
  const Request& request = operation.request;
  if (const auto* increment = std::get_if<Increment>(&request.operation)) {
    auto& [certain, perhaps] = added_[increment->key];
    if (reply && !reply->refusal) certain += increment->by;
    if (!reply && operation.unknown) perhaps += increment->by;
  }
  if (!operation.record) return;
  std::optional<std::string> seen;
  if (reply && reply->refusal && reply->stamp) {
    seen = checks_.value_of(*operation_key(request.operation), *reply->stamp);
  }
  recorder_.end(*operation.record, request, reply, operation.unknown, world_.now(), seen);
}

void Clients::check_end(World& world) const {
  for (const std::string& value : refused_) {
    PARALLAX_ASSERT(!checks_.was_written(value),
                    "definite means not done: '{}' was refused and is committed", value);
  }
  const KeySpace keys(world.replica(world.ids().front()).state(), kOnlyGroup);
  for (const auto& [key, added] : added_) {
    const Result<KeyState> state = keys.load(key);
    PARALLAX_ASSERT(state, "{}", state.error().message);
    const Version* winner = state->winner();
    const std::int64_t holds = winner == nullptr ? 0 : std::stoll(winner->value.to_string());
    PARALLAX_ASSERT(holds >= added.first && holds <= added.first + added.second,
                    "'{}' holds {}; {} were added for certain and {} perhaps", key, holds,
                    added.first, added.second);
  }
}

}  // namespace parallax::simulation
