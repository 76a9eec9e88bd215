#include "simulation/clients.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax::simulation {
namespace {

std::int64_t ns(MonoTime at) {
  return at.time_since_epoch().count();
}

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

void Clients::issue(std::size_t client) {
  Request request;
  const std::string key = this->key(random_.below(options_.keys));
  if (random_.chance(options_.reads)) {
    request.operation = Get{key};
    if (random_.chance(options_.prefix_reads)) request.consistency.level = Level::prefix;
  } else if (random_.chance(options_.deletes)) {
    request.operation = Delete{key};
  } else {
    request.operation = Put{key, Bytes{fmt::format("{}", issued_ + 1)}, ""};
  }
  request.timeout = std::chrono::milliseconds(random_.between(300, 2'000));
  const std::vector<NodeId> nodes = world_.ids();
  const NodeId at = nodes[random_.below(nodes.size())];
  ++issued_;
  ++under_way_;
  const std::size_t record = this->record(client, request, at);
  std::optional<Stamp> floor;
  if (const auto known = completed_.find(key); known != completed_.end()) floor = known->second;
  world_.submit(at, request, [this, client, request, at, record, floor](const Reply& reply) {
    finish(client, request, at, record, floor, reply);
  });
}

std::size_t Clients::record(std::size_t client, const Request& request, NodeId at) {
  if (request.consistency.level != Level::linearizable) return history_.operations.size();
  checker::Operation operation;
  operation.client = static_cast<std::uint32_t>(client);
  operation.node = at;
  operation.outcome = checker::Outcome::unknown;
  operation.key = history_.texts.intern(operation_key(request.operation));
  operation.call_ns = ns(world_.now());
  if (const auto* put = std::get_if<Put>(&request.operation)) {
    operation.kind = checker::OperationKind::write;
    operation.value = history_.texts.intern(put->value.view());
  } else if (std::holds_alternative<Delete>(request.operation)) {
    operation.kind = checker::OperationKind::remove;
  }
  history_.operations.push_back(operation);
  return history_.operations.size() - 1;
}

void Clients::finish(std::size_t client, const Request& request, NodeId at, std::size_t record,
                     std::optional<Stamp> floor, const Reply& reply) {
  --under_way_;
  if (trace_ != nullptr) {
    const std::string_view verb = std::holds_alternative<Get>(request.operation)   ? "get"
                                  : std::holds_alternative<Put>(request.operation) ? "put"
                                                                                   : "delete";
    const std::uint64_t stamp = reply && reply->stamp ? reply->stamp->hlc.value : 0;
    trace_->event(world_.now(), 'o', at, client, stamp, [&] {
      return fmt::format("answers client {}: {} {} {}: {}", client, verb,
                         operation_key(request.operation),
                         level_info(request.consistency.level).name,
                         reply ? (reply->stamp ? reply->stamp->to_string() : std::string("nothing"))
                               : reply.error().message);
    });
  }
  if (reply) {
    ++answered_;
    checks_.check_answer(request, *reply);
    if (request.consistency.level == Level::linearizable && reply->stamp) {
      // Log order is stamp order, so real time shows in stamps: a second verdict beside the
      // checker's, which sees values alone.
      PARALLAX_ASSERT(!floor || *reply->stamp >= *floor,
                      "linearizability by stamps: '{}' is {} after {} had been seen",
                      operation_key(request.operation), reply->stamp->to_string(),
                      floor->to_string());
      Stamp& highest = completed_[operation_key(request.operation)];
      highest = std::max(highest, *reply->stamp);
    }
  } else if (const auto* put = std::get_if<Put>(&request.operation);
             put != nullptr && reply.error().definite()) {
    refused_.insert(put->value.to_string());
  }
  complete(record, request, reply);
  next(client);
}

void Clients::complete(std::size_t record, const Request& request, const Reply& reply) {
  if (request.consistency.level != Level::linearizable) return;
  checker::Operation& operation = history_.operations[record];
  if (!reply) {
    const bool nothing_happened = is_read(request.operation) || reply.error().definite();
    operation.outcome = nothing_happened ? checker::Outcome::failed : checker::Outcome::unknown;
    if (nothing_happened) operation.return_ns = ns(world_.now());
    return;
  }
  operation.outcome = checker::Outcome::ok;
  operation.return_ns = ns(world_.now());
  if (!is_read(request.operation)) return;
  operation.result = reply->found ? history_.texts.intern(reply->value.view()) : checker::kAbsent;
}

void Clients::check_refused() const {
  for (const std::string& value : refused_) {
    PARALLAX_ASSERT(!checks_.was_written(value),
                    "definite means not done: '{}' was refused and is committed", value);
  }
}

}  // namespace parallax::simulation
