#include "harness/io/parallax_store.h"

#include <utility>

#include <fmt/format.h>

#include "base/checksum.h"
#include "client/range_reader.h"
#include "client/verify.h"
#include "consistency/checker/sets.h"

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;
using checker::OperationKind;
using checker::Outcome;

/// Long enough for an election, short enough that a client does not stand still for a whole fault.
constexpr auto kOperationTimeout = 2'000ms;
/// Keys of which a client remembers the version.
constexpr std::size_t kMostKnown = 10'000;

bool by_log(const Consistency& level) {
  return level_info(level.level).protocol == Protocol::leader_follower;
}

bool needs_session(const Consistency& level) {
  return level.level == Level::sequential || level.level == Level::causal ||
         level.level == Level::session;
}

Performed failure(OperationKind kind, const Error& error) {
  const bool nothing_happened = error.definite() || kind == OperationKind::read;
  return {.kind = kind, .outcome = nothing_happened ? Outcome::failed : Outcome::unknown};
}

std::optional<std::string> value_of(const Answer& answer) {
  if (!answer.found) return std::nullopt;
  return answer.value.to_string();
}

}  // namespace

Result<std::unique_ptr<ParallaxStore>> ParallaxStore::open(
    const std::vector<std::string>& endpoints, const RunOptions& options) {
  auto store = std::make_unique<ParallaxStore>();
  for (const std::string& endpoint : endpoints) {
    ClientOptions client;
    client.endpoints = {endpoint};
    client.follow_leader = false;
    client.timeout = kOperationTimeout;
    client.connect_timeout = 500ms;
    client.read_attempt_timeout = kOperationTimeout;
    client.retry.max_attempts = 1;
    client.max_connections_per_endpoint = options.clients + 8;
    client.seed = options.seed;
    PARALLAX_ASSIGN(auto opened, Client::open(std::move(client)));
    store->clients_.push_back(std::move(opened));
  }
  return store;
}

std::unique_ptr<StoreSession> ParallaxStore::session(const RunOptions& options) {
  return std::make_unique<ParallaxSession>(*this, options);
}

Result<std::string> ParallaxStore::digest(std::uint32_t node, const std::string& prefix) {
  Scan range = prefix_range(prefix);
  range.limit = 1'000;
  RangeReader reader(*clients_.at(node - 1), range,
                     {.consistency = Consistency{.level = Level::eventual}, .forward = false});
  std::uint64_t keys = 0;
  std::uint64_t digest = 0;
  for (;;) {
    PARALLAX_ASSIGN(const auto item, reader.next());
    if (!item) break;
    ++keys;
    digest = hash64(fmt::format("{:016x} {}:{} {} {}:{}", digest, item->key.size(), item->key,
                                item->stamp, item->value.size(), item->value.view()));
  }
  return fmt::format("{} keys {:016x}", keys, digest);
}

ParallaxSession::ParallaxSession(ParallaxStore& store, const RunOptions& options)
    : store_(store),
      has_session_(needs_session(options.read_level) || needs_session(options.write_level) ||
                   options.workload == Workload::mixed_level),
      read_level_(options.read_level),
      members_(members_of(options)),
      accepts_leases_(!options.endpoints.empty()) {}

Performed ParallaxSession::done(const Step& step, OperationKind kind, const Answer& answer) const {
  Performed performed{.kind = kind, .outcome = Outcome::ok, .node = answer.evidence.node.value};
  if (answer.stamp) performed.stamp = answer.stamp->to_string();
  const Asked asked{.is_read = kind == OperationKind::read,
                    .consistency = step.level,
                    .session = sent_,
                    .members = members_,
                    .lease_reads = accepts_leases_};
  performed.verified = 1;
  if (const auto proven = verify(asked, answer); !proven) {
    performed.refused = fmt::format("{} of {} at n{}: {}", asked.is_read ? "read" : "write",
                                    step.key, step.node, proven.error().message);
  }
  return performed;
}

Step ParallaxSession::as(const Step& step, OperationKind kind, const Consistency& level) {
  Step other = step;
  other.kind = kind;
  other.level = level;
  return other;
}

template <class Options>
Options ParallaxSession::options_of(const Step& step) {
  Options options;
  options.consistency = step.level;
  if (has_session_) {
    options.session = session_;
    // One that has seen nothing goes without a token.
    if (!session_.token().empty()) sent_ = session_.value();
  }
  return options;
}

void ParallaxSession::know(const std::string& key, std::optional<std::string> value,
                           std::optional<Stamp> stamp) {
  if (known_.size() >= kMostKnown) known_.clear();
  known_[key] = {std::move(value), stamp};
}

Performed ParallaxSession::perform(const Step& step) {
  switch (step.kind) {
    case OperationKind::write:
      return put(step);
    case OperationKind::cas:
      // What it does not know it cannot expect.
      return known_.contains(step.key) ? cas(step) : look(step);
    case OperationKind::increment:
      return increment(step);
    case OperationKind::append:
      return grow(step);
    case OperationKind::add: {
      if (by_log(step.level)) return grow(step);
      return update_merged(step, CrdtType::set,
                           {.op = CrdtOp::add, .name = fmt::format("\"{}\"", step.value)});
    }
    default:
      return read(step);
  }
}

/// A read in place of a cas is one at the level of reads.
Performed ParallaxSession::look(const Step& step) {
  Performed performed = read(as(step, step.kind, read_level_));
  performed.level = read_level_;
  return performed;
}

Performed ParallaxSession::read(const Step& step) {
  const bool merged = step.shape != Shape::text && !by_log(step.level);
  const auto answer = merged
                          ? client_of(step).get_crdt(step.key, options_of<OperationOptions>(step))
                          : client_of(step).get(step.key, options_of<GetOptions>(step));
  if (!answer) return failure(OperationKind::read, answer.error());
  Performed performed = done(step, OperationKind::read, *answer);
  performed.shows = true;
  if (!merged) {
    performed.shown = value_of(*answer);
    if (step.kind == OperationKind::cas || step.shape == Shape::text) {
      know(step.key, performed.shown, answer->stamp);
    }
  } else if (answer->found && answer->crdt) {
    performed.shown = answer->crdt->json;
  }
  return performed;
}

Performed ParallaxSession::put(const Step& step) {
  const auto answer = client_of(step).put(step.key, step.value, options_of<PutOptions>(step));
  known_.erase(step.key);
  if (!answer) return failure(step.kind, answer.error());
  know(step.key, step.value, answer->stamp);
  return done(step, step.kind, *answer);
}

Performed ParallaxSession::cas(const Step& step) {
  const Known known = known_[step.key];
  known_.erase(step.key);
  PutOptions options = options_of<PutOptions>(step);
  if (known.value && known.stamp) {
    options.if_match = this_version(*known.stamp);
  } else {
    options.if_none_match = any_version();
  }
  const auto answer = client_of(step).put(step.key, step.value, options);
  if (answer) {
    know(step.key, step.value, answer->stamp);
    Performed performed = done(step, step.kind, *answer);
    performed.expected = known.value;
    return performed;
  }
  Performed performed = failure(step.kind, answer.error());
  performed.expected = known.value;
  if (answer.error().code == ErrorCode::precondition_failed) {
    performed.outcome = Outcome::mismatch;
    performed.stamp = answer.error().etag;
    // It names the version that is there, not the value; without one there is none.
    performed.shows = answer.error().etag.empty();
  }
  return performed;
}

Performed ParallaxSession::increment(const Step& step) {
  if (!by_log(step.level)) {
    return update_merged(step, CrdtType::counter, {.op = CrdtOp::increment, .by = 1});
  }
  const auto answer = client_of(step).increment(step.key, 1, options_of<IncrementOptions>(step));
  if (!answer) return failure(step.kind, answer.error());
  Performed performed = done(step, step.kind, *answer);
  if (answer->number) {
    performed.shows = true;
    performed.shown = std::to_string(*answer->number);
  }
  return performed;
}

Performed ParallaxSession::grow(const Step& step) {
  const Step look = as(step, OperationKind::read, {.level = Level::linearizable});
  const auto before = client_of(look).get(look.key, options_of<GetOptions>(look));
  if (!before) return {.kind = step.kind, .outcome = Outcome::failed};
  const Performed looked = done(look, OperationKind::read, *before);
  Performed performed = put_grown(step, *before);
  performed.verified += looked.verified;
  if (!looked.refused.empty()) performed.refused = looked.refused;
  return performed;
}

Performed ParallaxSession::put_grown(const Step& step, const Answer& before) {
  std::string value = before.found ? before.value.to_string() : std::string();
  if (step.kind == OperationKind::append) {
    value += step.value;
  } else {
    auto members = before.found ? checker::parse_members(value)
                                : std::optional<std::vector<std::string>>(std::in_place);
    if (!members) return {.kind = step.kind, .outcome = Outcome::failed};
    members->push_back(step.value);
    value = checker::members_text(*members);
  }
  PutOptions options = options_of<PutOptions>(step);
  if (before.found) {
    options.if_match = this_version(*before.stamp);
  } else {
    options.if_none_match = any_version();
  }
  const auto answer = client_of(step).put(step.key, std::move(value), options);
  if (!answer) return failure(step.kind, answer.error());
  return done(step, step.kind, *answer);
}

Performed ParallaxSession::update_merged(const Step& step, CrdtType type, CrdtUpdate update) {
  const auto answer = client_of(step).update_crdt(step.key, type, std::move(update),
                                                  options_of<OperationOptions>(step));
  if (!answer) return failure(step.kind, answer.error());
  return done(step, step.kind, *answer);
}

}  // namespace parallax::harness
