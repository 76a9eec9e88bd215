// Clients with sessions at the causal levels, for tests of a few nodes.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/node/fake_world.h"
#include "tests/node/printing.h"

namespace parallax::testing {

inline constexpr Consistency kCausal{.level = Level::causal};
inline constexpr Consistency kRejecting{.level = Level::causal,
                                        .on_violation = OnViolation::reject};

inline Consistency of_session(std::string_view guarantees, OnViolation then = OnViolation::reject) {
  return {
      .level = Level::session, .guarantees = *parse_guarantees(guarantees), .on_violation = then};
}

/// A client with a session: every answer's token goes along with its next request.
struct Client {
  World& world;
  SessionToken token = {};

  Reply ask(NodeId at, Request request, Consistency consistency = kCausal) {
    request.consistency = consistency;
    if (!token.cluster.empty()) request.session = token;
    Reply reply = world.call(at, std::move(request));
    if (reply && !reply->session.cluster.empty()) token.join(reply->session);
    return reply;
  }
  Reply put(NodeId at, std::string key, std::string value, Consistency consistency = kCausal) {
    return ask(at, put_request(std::move(key), std::move(value)), consistency);
  }
  Reply get(NodeId at, std::string key, Consistency consistency = kCausal) {
    return ask(at, get_request(std::move(key)), consistency);
  }
  /// "" when there is no value.
  std::string value(NodeId at, std::string key, Consistency consistency = kCausal) {
    const Reply reply = get(at, std::move(key), consistency);
    REQUIRE(reply);
    return reply->found ? reply->value.to_string() : "";
  }
  Reply get_all(NodeId at, std::vector<std::string> keys) {
    Request request = get_request("");
    request.operation = GetMany{std::move(keys)};
    return ask(at, std::move(request));
  }
};

inline void written(const Reply& reply) {
  REQUIRE(reply);
  INFO((reply->refusal ? reply->refusal->message : ""));
  REQUIRE_FALSE(reply->refusal);
}

inline bool refused(const Reply& reply, ErrorCode code) {
  return reply.has_error() && reply.error().code == code && reply.error().definite();
}

/// Whether a message brings operations of this node's.
inline bool brings_operations_of(const Envelope& envelope, NodeId origin) {
  const auto any = [&](const std::vector<SharedOperation>& operations) {
    return std::any_of(operations.begin(), operations.end(),
                       [&](const auto& operation) { return operation->origin().node == origin; });
  };
  if (const auto* pushed = std::get_if<CausalOperations>(&envelope.message)) {
    return any(pushed->operations);
  }
  const auto* fetched = std::get_if<CausalFetched>(&envelope.message);
  return fetched != nullptr && any(fetched->operations);
}

inline bool equal_stores(World& world) {
  std::set<std::uint64_t> digests;
  for (const NodeId id : world.ids()) {
    if (!world.up(id)) return false;
    digests.insert(*KeySpace(world.replica(id).state(), kOnlyGroup).digest());
  }
  return digests.size() == 1;
}

/// The cluster is known everywhere, and the nodes know each other.
struct CausalReady : Elected {
  explicit CausalReady(WorldOptions options = {}) : Elected(options) { world.run_for(500ms); }
  /// What `third` does not get: operations of `follower`, from whomever.
  void hold_back_from_third() {
    world.drop_if([this](const Envelope& envelope) {
      return envelope.to == third && brings_operations_of(envelope, follower);
    });
  }
};

}  // namespace parallax::testing
