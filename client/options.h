// What one operation may say differently from the rest, a struct per kind of operation. All members
// are optional, so that a call names only what it means: `get(key, {.siblings = true})`.
//
// Those that every struct begins with:
//   consistency  the level; absent: the one that the cluster has for the key (its prefix's policy,
//                else linearizable)
//   timeout      bound on the whole operation, above 0; absent: the client's
//   session      whose token goes out with the request and takes in the answer's (client/session.h)
//   forward      false: a node that cannot serve the request itself answers with where the leader
//                is; the client then asks there
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "client/protocol.h"
#include "client/session.h"

namespace parallax {

/// Ranges, several keys, history, policies, cluster and status. The last two take the timeout alone
/// and have no use for the rest.
struct OperationOptions {
  std::optional<Consistency> consistency = std::nullopt;
  std::optional<std::chrono::milliseconds> timeout = std::nullopt;
  std::optional<Session> session = std::nullopt;
  bool forward = true;
  /// Reads: instead of the client's (ClientOptions::hedge_after); 0: no second request.
  std::optional<std::chrono::milliseconds> hedge_after = std::nullopt;
};

/// get and head.
struct GetOptions {
  std::optional<Consistency> consistency = std::nullopt;
  std::optional<std::chrono::milliseconds> timeout = std::nullopt;
  std::optional<Session> session = std::nullopt;
  bool forward = true;
  /// As above.
  std::optional<std::chrono::milliseconds> hedge_after = std::nullopt;
  /// All concurrent values, in Answer::items, when there are several. get alone.
  bool siblings = false;
  /// A version that the caller has: if it is still the present one, the answer has its stamp and
  /// `found`, and no value (304).
  std::optional<Stamp> if_none_match = std::nullopt;
};

struct PutOptions {
  std::optional<Consistency> consistency = std::nullopt;
  std::optional<std::chrono::milliseconds> timeout = std::nullopt;
  std::optional<Session> session = std::nullopt;
  bool forward = true;
  /// Kept with the value; empty: the node's default.
  std::string content_type = {};
  /// The value counts as deleted after this long; 1 ms to limits::kMaxTtl. Absent: it stays.
  std::optional<std::chrono::milliseconds> ttl = std::nullopt;
  /// The write happens only over one of these versions. Where it does not: precondition_failed,
  /// with the present version in Error::etag.
  std::optional<EtagSet> if_match = std::nullopt;
  /// The write happens only where none of these is present; any_version(): only where no value is.
  std::optional<EtagSet> if_none_match = std::nullopt;
  /// Up to 128 bytes of the caller's choice, new for each write (draw_idempotency_key()): a write
  /// that has one is sent again when its outcome is unknown, and still happens once.
  std::string idempotency_key = {};
  /// From an answer about the same key: the versions that this write replaces. Absent: all that its
  /// coordinator knows.
  std::optional<VersionVector> context = std::nullopt;
};

/// As PutOptions.
struct RemoveOptions {
  std::optional<Consistency> consistency = std::nullopt;
  std::optional<std::chrono::milliseconds> timeout = std::nullopt;
  std::optional<Session> session = std::nullopt;
  bool forward = true;
  std::optional<EtagSet> if_match = std::nullopt;
  std::optional<EtagSet> if_none_match = std::nullopt;
  std::string idempotency_key = {};
  std::optional<VersionVector> context = std::nullopt;
};

/// As PutOptions.
struct IncrementOptions {
  std::optional<Consistency> consistency = std::nullopt;
  std::optional<std::chrono::milliseconds> timeout = std::nullopt;
  std::optional<Session> session = std::nullopt;
  bool forward = true;
  std::string idempotency_key = {};
};

/// For if_match: there is a value. For if_none_match: there is none.
inline EtagSet any_version() {
  return EtagSet{.any = true, .stamps = {}};
}
/// The version with this stamp, as an answer named it.
inline EtagSet this_version(const Stamp& stamp) {
  return EtagSet{.any = false, .stamps = {stamp}};
}

/// One of a batch's operations: independent of the others, with a level of its own.
struct BatchOperation {
  std::variant<Put, Get, Delete, Increment> operation;
  std::optional<Consistency> consistency = std::nullopt;
  Conditions conditions = {};                           ///< Put and Delete
  std::string idempotency_key = {};                     ///< Put, Delete and Increment
  std::optional<VersionVector> context = std::nullopt;  ///< Put and Delete
};

}  // namespace parallax
