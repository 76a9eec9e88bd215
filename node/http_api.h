// The one table of the HTTP API: routes, parameters, headers, members of JSON bodies, statuses and
// errors.
//
// node/http_routes takes from it what a request may say, and within which bounds;
// node/openapi makes the document of GET /v1/openapi.json from it. Tests hold what the code does
// against it, both ways. What an answer's body looks like is in node/openapi.cc.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "base/enum_set.h"
#include "base/error.h"
#include "base/limits.h"
#include "client/http_protocol.h"
#include "consistency/level.h"

namespace parallax {

/// What a parameter or a member looks like, and so what its bounds count.
enum class Shape : std::uint8_t {
  text,      ///< bytes
  key,       ///< any bytes, percent-encoded in a query; bytes
  base64,    ///< bytes after decoding
  level,     ///< a consistency level, with its parameters
  replicas,  ///< how many, or all
  etags,     ///< as in the header: a list of ETags, or *
  token,     ///< opaque, from an earlier answer; bytes
  integer,   ///< the value
  integers,  ///< each value
  number,    ///< the value
  boolean,
  object,
  objects,  ///< how many
  json,     ///< anything; bytes as text without white space
};

struct Field {
  std::string_view name;
  Shape shape = Shape::text;
  std::int64_t least = 0;
  std::int64_t most = 0;
  std::string_view fallback = {};  ///< what absence means, as text; empty: see help
  std::string_view help = {};
  bool required = false;
  std::string_view choices = {};  ///< of a text that is one of a few: "allow|deny"
};

enum class ParamId : std::uint8_t {
  consistency,
  r,
  w,
  sloppy,
  repair,
  guarantees,
  max_staleness_ms,
  max_lag,
  on_violation,
  ack,
  timeout_ms,
  forward,
  siblings,
  ttl_ms,
  prefix,
  start,
  end,
  limit,
  reverse,
  keys_only,
  next,
  key,
  from,
  to,
  session,
  replicas,
  op,
};

inline constexpr std::int64_t kMaxKeyField = limits::kMaxKeyBytes;
inline constexpr std::int64_t kMaxTtlMs =
    std::chrono::duration_cast<std::chrono::milliseconds>(limits::kMaxTtl).count();
inline constexpr std::int64_t kMaxNodeNumber = 0xffff'ffff;
inline constexpr std::int64_t kLeastNumber = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kMostNumber = std::numeric_limits<std::int64_t>::max();
/// Room for a range's bounds and the place in it, each as long as a key may be.
inline constexpr std::int64_t kMaxPageTokenBytes = 4'352;

/// By ParamId.
inline constexpr std::array kParams{
    Field{
        "consistency", Shape::level, 0, 0, "",
        "The consistency level; wins over the header Parallax-Consistency. Absent: the default "
        "of the policy of the key's prefix, else linearizable. one, two, three and all are quorum "
        "with r and w set. Parameters may follow, as in the header."},
    Field{"r", Shape::replicas, 1, 0, "",
          "quorum: the answer is the newest of so many replicas. Absent: of a majority."},
    Field{"w", Shape::replicas, 1, 0, "",
          "quorum: so many replicas have stored the write durably. Absent: a majority."},
    Field{"sloppy", Shape::boolean, 0, 0, "false",
          "quorum: a hint that is durable counts for the replica that it is kept for. What r and w "
          "promise together is lost by it."},
    Field{"repair", Shape::text, 0, 0, "async",
          "quorum: blocking: the answer waits until r replicas hold what it shows; async: those "
          "that are behind are told besides.",
          false, "async|blocking"},
    Field{"guarantees", Shape::text, 0, 0, "ryw,mr,mw,wfr",
          "session: which guarantees hold, with commas between them: ryw (read your writes), mr "
          "(monotonic reads), mw (monotonic writes), wfr (writes follow reads)."},
    Field{"max_staleness_ms", Shape::integer, 1, kMaxStalenessMs, "",
          "bounded: what was committed and acknowledged longer ago than this is in the answer."},
    Field{"max_lag", Shape::integer, 0, kMaxLag, "",
          "bounded: at most so many log entries that were committed when the read came are not in "
          "the answer."},
    Field{"on_violation", Shape::text, 0, 0, "wait",
          "sequential, bounded, causal, session: what a node does that is not that far yet. wait: "
          "until "
          "it is; forward: to one that is, as far as it knows of one; reject: 503 "
          "level-unattainable.",
          false, "wait|forward|reject"},
    Field{
        "ack", Shape::text, 0, 0, "majority",
        "Writes of linearizable, sequential, bounded and prefix: who has stored it durably. leader "
        "and semi-sync: it is not committed, and may be lost with the leader; all: every member. "
        "Reads have no use for it.",
        false, "leader|semi-sync|majority|all"},
    Field{"timeout_ms", Shape::integer, 1, limits::kMaxRequestTimeout.count(), "5000",
          "How long the node may try."},
    Field{"forward", Shape::boolean, 0, 0, "true",
          "false: a node that cannot serve the request itself answers 421 and names the leader."},
    Field{"siblings", Shape::boolean, 0, 0, "false",
          "Whether to show all concurrent values when there are several (300)."},
    Field{"ttl_ms", Shape::integer, 1, kMaxTtlMs, "",
          "The value expires this long after it was written. Absent: never."},
    Field{"prefix", Shape::key, 0, kMaxKeyField, "", "Only keys that begin with it."},
    Field{"start", Shape::key, 0, kMaxKeyField, "", "The first key, inclusive."},
    Field{"end", Shape::key, 0, kMaxKeyField, "",
          "The last key, exclusive. Absent or empty: none."},
    Field{"limit", Shape::integer, 1, limits::kMaxScanLimit, "100",
          "At most so many items; there may be fewer although next says that there are more."},
    Field{"reverse", Shape::boolean, 0, 0, "false", "From the end, in descending order."},
    Field{"keys_only", Shape::boolean, 0, 0, "false", "Leaves the values out."},
    Field{"next", Shape::token, 0, kMaxPageTokenBytes, "",
          "The next of an earlier page: goes on behind it. It holds the whole range, so nothing "
          "else need be given; what is given must be as it was, limit and keys_only apart."},
    Field{"key", Shape::key, 1, kMaxKeyField, "",
          "Instead of a range: this key. Given several times (at most 1,000), several keys."},
    Field{"from", Shape::integer, 0, kMostNumber, "0", "The earliest stamp, in Unix milliseconds."},
    Field{"to", Shape::integer, 0, kMostNumber, "",
          "The latest stamp, in Unix milliseconds, inclusive. Absent: now."},
    Field{"session", Shape::token, 1, 4'096, "",
          "A session token, as in the header Parallax-Session; one of the two is needed.", false},
    Field{"replicas", Shape::integer, 1, 1'000, "",
          "Answers as soon as so many replicas have it; at most as many as there are.", true},
    Field{"op", Shape::text, 0, 0, "", "What is explained: to read a key, or to write one.", true,
          "read|write"},
};
constexpr const Field& param(ParamId id) {
  return kParams[static_cast<std::size_t>(id)];
}

/// Request headers that mean something.
enum class HeaderId : std::uint8_t {
  consistency,
  session,
  context,
  idempotency_key,
  if_match,
  if_none_match,
  content_type,
};

/// By HeaderId.
inline constexpr std::array kRequestHeaders{
    Field{http_header::kConsistency, Shape::level, 0, 0, "",
          "The consistency level, with its parameters as in the answer's header."},
    Field{http_header::kSession, Shape::token, 1, 4'096, "",
          "The session token of an earlier answer of any node of this cluster."},
    Field{http_header::kContext, Shape::token, 1, 4'096, "",
          "The causal context of an earlier answer about this key: the versions that this write "
          "replaces. Absent: all that its coordinator knows."},
    Field{http_header::kIdempotencyKey, Shape::text, 1, limits::kMaxIdempotencyKeyBytes, "",
          "The same key with the same request gives the first outcome again (and "
          "Idempotency-Replayed: true); with another request it is refused (422). Kept for 24 "
          "hours, at most 1,000,000."},
    Field{"If-Match", Shape::etags, 1, limits::kMaxEtagsPerCondition, "",
          "Done only if the present version is one of these; *: if there is a value."},
    Field{"If-None-Match", Shape::etags, 1, limits::kMaxEtagsPerCondition, "",
          "Reads: 304 when the present version is one of these. Writes: done only if it is none of "
          "these; *: if there is no value."},
    Field{"Content-Type", Shape::text, 0, limits::kMaxContentTypeBytes, "application/octet-stream",
          "Kept with the value and given back with it."},
};
constexpr const Field& request_header(HeaderId id) {
  return kRequestHeaders[static_cast<std::size_t>(id)];
}

/// Headers of answers beside HTTP's own framing.
struct ResponseHeader {
  std::string_view name;
  std::string_view help;
};
inline constexpr std::array kAnswerHeaders{
    ResponseHeader{"ETag",
                   "The stamp of the version, quoted: \"HLC-NODE\". Absent: there is none, "
                   "or the answer is about several keys."},
    ResponseHeader{http_header::kConsistency, "The effective level with its parameters."},
    ResponseHeader{http_header::kSession, "The session token; goes into the next request."},
    ResponseHeader{http_header::kContext,
                   "The causal context of the key, for a write that replaces "
                   "what was seen. Answers about one key alone."},
    ResponseHeader{http_header::kEvidence,
                   "A structured-field dictionary from which the claim can "
                   "be derived again."},
    ResponseHeader{http_header::kStaleness,
                   "Reads from a replica's own state: what was committed and acknowledged longer "
                   "ago than this, when it was read, is in the answer. Absent: nothing is known."},
    ResponseHeader{http_header::kIdempotencyReplayed,
                   "true: this is the first outcome of the idempotency key, given again."},
};

// --- JSON bodies ---------------------------------------------------------------------------------

enum class BodyKind : std::uint8_t {
  none,
  value,  ///< raw bytes
  increment,
  crdt,
  batch,
  policy,
  transfer,
  faults,
};

inline constexpr std::array kIncrementMembers{
    Field{"by", Shape::integer, kLeastNumber, kMostNumber, "1", "What is added."},
};
inline constexpr std::array kCrdtMembers{
    Field{"type", Shape::text, 0, 0, "", "What the key holds, or will.", true, "counter|set|map"},
    Field{"op", Shape::text, 0, 0, "",
          "counter: increment; set: add, remove; map: put, delete (a field).", true,
          "increment|add|remove|put|delete"},
    Field{"by", Shape::integer, kLeastNumber, kMostNumber, "1", "increment: what is added."},
    Field{"element", Shape::json, 1, limits::kMaxCrdtNameBytes, "",
          "add, remove: any JSON value but null."},
    Field{"field", Shape::text, 1, limits::kMaxCrdtNameBytes, "", "put, delete: which one."},
    Field{"value", Shape::json, 0, 0, "", "put: any JSON value but null."},
};
inline constexpr std::array kBatchMembers{
    Field{"operations", Shape::objects, 1, limits::kMaxBatchOperations, "",
          "Independent operations; not atomic, and in no order.", true},
};
inline constexpr std::array kBatchOperationMembers{
    Field{"op", Shape::text, 0, 0, "", "What to do.", true, "put|get|delete|increment"},
    Field{"key", Shape::text, 1, kMaxKeyField, "", "The key, when it is UTF-8."},
    Field{"key_base64", Shape::base64, 1, kMaxKeyField, "", "Instead of key: any bytes."},
    Field{"value", Shape::text, 0, 0, "", "put: the value, when it is UTF-8."},
    Field{"value_base64", Shape::base64, 0, 0, "", "put: instead of value, any bytes."},
    Field{"content_type", Shape::text, 0, limits::kMaxContentTypeBytes, "application/octet-stream",
          "put: kept with the value."},
    Field{"ttl_ms", Shape::integer, 1, kMaxTtlMs, "", "put: as the parameter."},
    Field{"by", Shape::integer, kLeastNumber, kMostNumber, "1", "increment: what is added."},
    Field{"siblings", Shape::boolean, 0, 0, "false", "get: as the parameter."},
    Field{"consistency", Shape::level, 0, 0, "",
          "As the header Parallax-Consistency. Absent: the request's."},
    Field{"r", Shape::replicas, 1, 0, "", "As the parameter."},
    Field{"w", Shape::replicas, 1, 0, "", "As the parameter."},
    Field{"sloppy", Shape::boolean, 0, 0, "", "As the parameter."},
    Field{"repair", Shape::text, 0, 0, "", "As the parameter.", false, "async|blocking"},
    Field{"guarantees", Shape::text, 0, 0, "", "As the parameter."},
    Field{"max_staleness_ms", Shape::integer, 1, kMaxStalenessMs, "", "As the parameter."},
    Field{"max_lag", Shape::integer, 0, kMaxLag, "", "As the parameter."},
    Field{"on_violation", Shape::text, 0, 0, "", "As the parameter.", false, "wait|forward|reject"},
    Field{"ack", Shape::text, 0, 0, "", "As the parameter.", false,
          "leader|semi-sync|majority|all"},
    Field{"timeout_ms", Shape::integer, 1, limits::kMaxRequestTimeout.count(), "",
          "As the parameter. Absent: the request's."},
    Field{"if_match", Shape::etags, 1, limits::kMaxEtagsPerCondition, "",
          "put and delete: as the header If-Match."},
    Field{"if_none_match", Shape::etags, 1, limits::kMaxEtagsPerCondition, "",
          "put, delete and get: as the header If-None-Match."},
    Field{"idempotency_key", Shape::text, 1, limits::kMaxIdempotencyKeyBytes, "",
          "put, delete and increment: as the header."},
    Field{"context", Shape::token, 1, 4'096, "", "put and delete: as the header Parallax-Context."},
};
inline constexpr std::array kPolicyMembers{
    Field{"default_consistency", Shape::level, 0, 0, "linearizable",
          "The level of requests that name none, with its parameters (quorum; r=1; w=3)."},
    Field{"mixing", Shape::text, 0, 0, "allow",
          "deny: only the protocol of the default level may write.", false, "allow|deny"},
    Field{"conflict", Shape::text, 0, 0, "last-writer",
          "What is shown of versions that do not replace each other.", false,
          "last-writer|first-writer|siblings|merge-json"},
};
inline constexpr std::array kTransferMembers{
    Field{"to", Shape::integer, 1, kMaxNodeNumber, "", "The number of the member that shall lead.",
          true},
};
inline constexpr std::int64_t kMaxFaultDelayMs = 60'000;
inline constexpr std::int64_t kMaxClockOffsetMs = 86'400'000;
inline constexpr std::array kFaultMembers{
    Field{"drop_from", Shape::integers, 1, kMaxNodeNumber, "", "Peers whose messages are lost."},
    Field{"drop_to", Shape::integers, 1, kMaxNodeNumber, "", "Peers to whom messages are lost."},
    Field{"drop_probability", Shape::number, 0, 1, "0", "Of each message to a peer."},
    Field{"delay_ms", Shape::integer, 0, kMaxFaultDelayMs, "0", "Of each message to a peer."},
    Field{"duplicate_probability", Shape::number, 0, 1, "0", "Of each message to a peer."},
    Field{"reorder_probability", Shape::number, 0, 1, "0", "Of each message to a peer."},
    Field{"clock_offset_ms", Shape::integer, -kMaxClockOffsetMs, kMaxClockOffsetMs, "0",
          "Of this node's reading of the clock; the machine's is never touched."},
    Field{"fsync_delay_ms", Shape::integer, 0, kMaxFaultDelayMs, "0", "Of each synced write."},
    Field{"disk_full", Shape::boolean, 0, 0, "false", "Whether writes fail for want of room."},
    Field{"on_crash", Shape::text, 0, 0, "keep", "What a crash leaves of unsynced writes.", false,
          "keep|drop_unsynced|torn_tail"},
    Field{"fail_point", Shape::object, 0, 0, "", "Where the node crashes or pauses next."},
};
inline constexpr std::array kFailPointMembers{
    Field{"name", Shape::text, 0, 0, "", "The point.", true},
    Field{"action", Shape::text, 0, 0, "", "crash: SIGKILL; pause: SIGSTOP.", true, "crash|pause"},
};
/// The members that a body of this kind may have; none for what is no JSON.
std::span<const Field> body_members(BodyKind kind);

// --- Routes --------------------------------------------------------------------------------------

enum class RouteId : std::uint8_t {
  get_key,
  put_key,
  delete_key,
  increment,
  get_crdt,
  update_crdt,
  range,
  batch,
  history,
  list_policies,
  get_policy,
  put_policy,
  delete_policy,
  cluster,
  transfer,
  status,
  wait,
  explain,
  health,
  ready,
  metrics,
  openapi,
  set_faults,
  clear_faults,
};

using Params = EnumSet<ParamId>;
using RequestHeaders = EnumSet<HeaderId>;
using ErrorCodes = EnumSet<ErrorCode>;

struct RouteInfo {
  RouteId id;
  std::string_view method;  ///< GET stands for HEAD too
  std::string_view path;    ///< with at most one {part}, which takes what is there, '/' included
  std::string_view name;    ///< operationId
  std::string_view summary;
  Params params = {};
  RequestHeaders headers = {};
  BodyKind body = BodyKind::none;
  std::array<int, 3> successes = {200};  ///< statuses; 0: no more
  ErrorCodes errors = {};
  /// Its answer carries the headers of kAnswerHeaders, and a header that asks for what it does not
  /// do is refused.
  bool key_request = false;
  bool any_query = false;  ///< probes and scrapers may add what they like
  bool faults = false;     ///< only with fault injection
};

/// In the order of RouteId.
std::span<const RouteInfo> all_routes();
const RouteInfo& route_info(RouteId id);

/// A row with what stood for its {part}, still encoded.
struct RouteMatch {
  const RouteInfo* route = nullptr;  ///< nullptr: the path has no such method, or is none
  std::string_view part;
};
RouteMatch match_route(std::string_view method, std::string_view path);
/// The methods of a path as in Allow; empty: there is no such path.
std::string allowed_methods(std::string_view path, bool faults);

/// What any request may get, whatever it asks for.
ErrorCodes common_errors();

}  // namespace parallax
