// What clients ask and what they are told: plain values, shared by node, client library and
// simulator. How they look over HTTP is client/http_protocol.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/limits.h"
#include "clock/stamp.h"
#include "clock/version_vector.h"
#include "consistency/crdt.h"
#include "consistency/level.h"
#include "consistency/policy.h"
#include "consistency/session_token.h"

namespace parallax {

// --- What is asked -------------------------------------------------------------------------------

struct Put {
  std::string key;
  Bytes value;
  std::string content_type = {};
  /// The value counts as deleted this long after the write's stamp. Absent: it stays.
  std::optional<std::chrono::milliseconds> ttl = std::nullopt;
  friend bool operator==(const Put&, const Put&) = default;
};
struct Get {
  std::string key;
  bool siblings = false;  ///< all concurrent values, when there are several
  friend bool operator==(const Get&, const Get&) = default;
};
struct Delete {
  std::string key;
  friend bool operator==(const Delete&, const Delete&) = default;
};
/// Adds to a value that is decimal text of a 64-bit number; an absent one counts as 0. Content type
/// and expiry of the value stay.
struct Increment {
  std::string key;
  std::int64_t by = 1;
  friend bool operator==(const Increment&, const Increment&) = default;
};
/// Keys from `start` (inclusive) to `end` (exclusive; empty: to the last), in byte order.
struct Scan {
  std::string start;
  std::string end;
  std::uint32_t limit = limits::kDefaultScanLimit;  ///< 1 to limits::kMaxScanLimit
  bool reverse = false;                             ///< from the end
  bool keys_only = false;
  friend bool operator==(const Scan&, const Scan&) = default;
};
struct GetMany {
  std::vector<std::string> keys;  ///< 1 to limits::kMaxScanLimit
  friend bool operator==(const GetMany&, const GetMany&) = default;
};
/// Versions of a key with stamps in [from, to], as far back as they are kept.
struct ReadHistory {
  std::string key;
  UnixMillis from;
  UnixMillis to{std::numeric_limits<std::uint64_t>::max()};
  friend bool operator==(const ReadHistory&, const ReadHistory&) = default;
};
struct GetPolicy {
  std::string prefix;
  friend bool operator==(const GetPolicy&, const GetPolicy&) = default;
};
struct ListPolicies {
  friend bool operator==(const ListPolicies&, const ListPolicies&) = default;
};
struct SetPolicy {
  std::string prefix;            ///< empty: every key
  std::optional<Policy> policy;  ///< absent: the prefix has none any more
  friend bool operator==(const SetPolicy&, const SetPolicy&) = default;
};
/// Changes a convergent value; one that is not there begins empty.
struct UpdateCrdt {
  std::string key;
  CrdtType type = CrdtType::counter;
  CrdtUpdate update = {};  ///< one of the type's
  friend bool operator==(const UpdateCrdt&, const UpdateCrdt&) = default;
};
struct GetCrdt {
  std::string key;
  friend bool operator==(const GetCrdt&, const GetCrdt&) = default;
};
/// How many replicas durably have what the request's session has seen and written: as soon as it is
/// `replicas`, else at the timeout.
struct CountReplicas {
  std::uint32_t replicas = 1;
  friend bool operator==(const CountReplicas&, const CountReplicas&) = default;
};
using Operation = std::variant<Put, Get, Delete, Increment, Scan, GetMany, ReadHistory, GetPolicy,
                               ListPolicies, SetPolicy, UpdateCrdt, GetCrdt, CountReplicas>;

/// "put", "get", "delete", "increment", "scan", "get-many", "history", "policy" ..., for people and
/// metrics.
std::string_view operation_name(const Operation& operation);
/// Whether it leaves everything as it is.
bool is_read(const Operation& operation);
/// The key (or prefix) that it is about; nullptr when it is about none, or several.
const std::string* operation_key(const Operation& operation);

/// What an ETag header names: any version that is there, or one of a list.
struct EtagSet {
  bool any = false;
  std::vector<Stamp> stamps;  ///< when not any; at least one
  bool matches(const std::optional<Stamp>& present) const;
  friend bool operator==(const EtagSet&, const EtagSet&) = default;
};
/// What must hold of the present version for a Put or Delete to happen (RFC 9110, section 13).
struct Conditions {
  std::optional<EtagSet> if_match;
  std::optional<EtagSet> if_none_match;
  bool empty() const { return !if_match && !if_none_match; }
  /// `present`: the stamp of the value that is there; nothing for none.
  bool hold(const std::optional<Stamp>& present) const;
  friend bool operator==(const Conditions&, const Conditions&) = default;
};

struct Request {
  Operation operation;
  Consistency consistency = {};
  /// The policy of the key's prefix decides the level, and `consistency` is of no meaning.
  bool level_by_policy = false;
  /// With level_by_policy: instead of what that level has. Of the node that takes the request in,
  /// which refuses them where the level does not take them; not passed on.
  std::optional<Ack> policy_ack = std::nullopt;
  std::optional<OnViolation> policy_on_violation = std::nullopt;
  std::chrono::milliseconds timeout = limits::kDefaultRequestTimeout;
  /// false: a node that cannot serve the request itself answers not_leader instead.
  bool forward = true;
  Conditions conditions = {};                           ///< Put and Delete
  std::string idempotency_key = {};                     ///< Put, Delete and Increment; empty: none
  std::optional<VersionVector> context = std::nullopt;  ///< Put and Delete: replaces these versions
  std::optional<SessionToken> session = std::nullopt;
  friend bool operator==(const Request&, const Request&) = default;
};

// --- What is answered ----------------------------------------------------------------------------

/// How an answer was reached, so that its claim can be derived again.
enum class Path : std::uint8_t {
  read_index,  ///< the leader's applied state after a confirmed read round
  log,         ///< committed in the log
  local,       ///< this replica's own state
  quorum,      ///< the replicas named, read or written together
  abd,         ///< a majority of replicas, read and stored back (the atomic register)
  causal,      ///< this replica's own state, which is a causal cut
  lease,       ///< the leader's applied state, while a majority elects nobody else
};
std::string_view path_name(Path path);
/// The inverse; nothing for any other text.
std::optional<Path> find_path(std::string_view name);

struct Evidence {
  NodeId node;     ///< whose state answered
  Term term;       ///< its term
  LogIndex index;  ///< read: applied index it answered from; write: the entry
  /// A commit index that the leader named, confirmed by a majority, after the read had come;
  /// 0: none was asked for.
  LogIndex confirmed = {};
  Path path = Path::local;
  std::vector<NodeId> replicas;  ///< whose word it rests on, sorted
  bool sequenced = false;        ///< through the log's one order
  bool degraded = false;         ///< an acknowledgement mode gave way, and says so
  /// causal: how long it took until the replica had what the session has seen.
  std::chrono::milliseconds waited{};
  /// RFC 8941 dictionary: `node=1, term=3, index=120, path=read-index, replicas=(1 2), ...`;
  /// `waited-ms=12` where it can be.
  std::string to_string() const;
  /// Appends the same.
  void append_to(std::string& out) const;
  friend bool operator==(const Evidence&, const Evidence&) = default;
};

/// The inverse of Evidence::to_string(). Members may come in any order; unknown ones are skipped.
/// Errors: corrupt, naming the member.
Result<Evidence> parse_evidence(std::string_view header);

/// Whether an answer's evidence can carry the level that it names, as far as one can tell from
/// outside: the path is one of the level's, and at quorum it rests on as many replicas as were
/// asked for (a sloppy one may count hints instead). Errors: corrupt, naming what does not fit.
Result<void> check_evidence(const Consistency& consistency, bool is_read, const Evidence& evidence);

/// A value with its key.
struct Item {
  std::string key;  ///< empty among the siblings of one key
  Stamp stamp;
  Bytes value;  ///< empty with keys_only
  std::string content_type;
  friend bool operator==(const Item&, const Item&) = default;
};

/// A version that a key has or had.
struct PastValue {
  Stamp stamp;
  bool tombstone = false;
  Bytes value;
  std::string content_type;
  friend bool operator==(const PastValue&, const PastValue&) = default;
};

/// The answer to a request that was decided. An absent key is an answer too, and so is a refusal
/// that rests on what the store holds: both show state, and carry the same evidence.
struct Answer {
  Consistency consistency = {};  ///< the effective level
  /// Version read or written; a tombstone's too; absent: none ever. With a refusal the present one.
  std::optional<Stamp> stamp = std::nullopt;
  bool found = false;             ///< reads of one key: there is a value
  Bytes value = {};               ///< reads of one key
  std::string content_type = {};  ///< reads of one key
  /// Get: the value is not the stamp's alone, and may change while that stays.
  bool merged = false;
  std::optional<CrdtValue> crdt = std::nullopt;  ///< UpdateCrdt: after it; GetCrdt: if found
  std::uint32_t replicas = 0;                    ///< CountReplicas
  Evidence evidence = {};
  /// precondition_failed, not_a_number, wrong_type, too_many_siblings, mixing_denied, ...:
  /// the write was decided against, definitely.
  std::optional<Error> refusal = std::nullopt;
  /// Reads from a replica's own state: writes acknowledged longer ago than this, when it was read,
  /// are in the answer. Absent: nothing is known.
  std::optional<std::uint64_t> staleness_ms = std::nullopt;
  /// Only from a client library's near-cache: how long ago a node gave this. Nothing else in the
  /// answer is that node's word any more; it has no evidence.
  std::optional<std::chrono::milliseconds> cached_for = std::nullopt;
  bool replayed = false;                              ///< the first outcome of an idempotency key
  std::optional<std::int64_t> number = std::nullopt;  ///< Increment: the sum
  VersionVector context = {};  ///< reads and writes of one key: what was seen
  SessionToken session = {};   ///< the request's, joined with what was done
  /// Scan and GetMany, in the order of the request; siblings, newest first, when there are several.
  std::vector<Item> items = {};
  std::vector<std::string> missing = {};  ///< GetMany: keys without a value
  /// Scan: where to go on (a start, or with reverse an end); absent: there is nothing more.
  std::optional<std::string> next = std::nullopt;
  std::vector<PastValue> versions = {};  ///< ReadHistory: newest first
  UnixMillis history_floor = {};         ///< ReadHistory: before this, versions may be missing
  std::vector<std::pair<std::string, Policy>> policies = {};  ///< GetPolicy, ListPolicies
  friend bool operator==(const Answer&, const Answer&) = default;
};

using Reply = Result<Answer>;

}  // namespace parallax
