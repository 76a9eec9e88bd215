#include "node/operation_codec.h"

#include <limits>
#include <utility>

#include "base/assert.h"
#include "base/limits.h"
#include "node/operation.pb.h"
#include "node/operation_values.h"

namespace parallax {
namespace {

using google::protobuf::RepeatedPtrField;
using operation_values::corrupt;
using operation_values::fill;
using operation_values::read;

/// A page may begin or end just behind the longest key: at that key and a zero byte.
constexpr std::size_t kMaxBoundBytes = limits::kMaxKeyBytes + 1;

struct Bounds {
  std::size_t least = 0;
  std::size_t most;
};
constexpr Bounds kKeyBytes{1, limits::kMaxKeyBytes};
constexpr Bounds kPrefixBytes{0, limits::kMaxKeyBytes};
constexpr Bounds kContentTypeBytes{0, limits::kMaxContentTypeBytes};

Result<void> check_size(std::string_view whose, std::string_view field, std::size_t size,
                        Bounds bounds, std::string_view unit = "bytes") {
  if (size >= bounds.least && size <= bounds.most) return {};
  return corrupt(whose, "{}: {} {}, {} to {} expected", field, size, unit, bounds.least,
                 bounds.most);
}

bool parse(google::protobuf::MessageLite& message, const Bytes& payload) {
  return payload.size() <= limits::kMaxFrameBytes &&
         message.ParseFromArray(payload.view().data(), static_cast<int>(payload.size()));
}

/// Takes the keys out of the message.
Result<std::vector<std::string>> read_keys(std::string_view whose, std::string_view field,
                                           Bounds count, RepeatedPtrField<std::string>& in) {
  PARALLAX_TRY(check_size(whose, field, static_cast<std::size_t>(in.size()), count, "keys"));
  std::vector<std::string> keys;
  keys.reserve(static_cast<std::size_t>(in.size()));
  for (std::string& key : in) {
    PARALLAX_TRY(check_size(whose, field, key.size(), kKeyBytes));
    keys.push_back(std::move(key));
  }
  return keys;
}

// --- Requests -----------------------------------------------------------------------------------

constexpr std::string_view kRequest = "request";

struct Fill {
  forwarded::Request& out;

  void operator()(const Put& put) const {
    forwarded::Request::Put& to = *out.mutable_put();
    to.set_key(put.key);
    to.set_value(put.value.view().data(), put.value.size());
    to.set_content_type(put.content_type);
    if (put.ttl) to.set_ttl_ms(put.ttl->count());
  }
  void operator()(const Get& get) const {
    out.mutable_get()->set_key(get.key);
    out.mutable_get()->set_siblings(get.siblings);
  }
  void operator()(const Delete& gone) const { out.mutable_delete_()->set_key(gone.key); }
  void operator()(const Increment& increment) const {
    out.mutable_increment()->set_key(increment.key);
    out.mutable_increment()->set_by(increment.by);
  }
  void operator()(const Scan& scan) const {
    forwarded::Request::Scan& to = *out.mutable_scan();
    to.set_start(scan.start);
    to.set_end(scan.end);
    to.set_limit(scan.limit);
    to.set_reverse(scan.reverse);
    to.set_keys_only(scan.keys_only);
  }
  void operator()(const GetMany& many) const {
    forwarded::Request::GetMany& to = *out.mutable_get_many();
    for (const std::string& key : many.keys) to.add_keys(key);
  }
  void operator()(const ReadHistory& history) const {
    forwarded::Request::ReadHistory& to = *out.mutable_read_history();
    to.set_key(history.key);
    to.set_from_ms(history.from.value);
    to.set_to_ms(history.to.value);
  }
  void operator()(const GetPolicy& get) const { out.mutable_get_policy()->set_prefix(get.prefix); }
  void operator()(const ListPolicies&) const { out.mutable_list_policies(); }
  void operator()(const SetPolicy& set) const {
    forwarded::Request::SetPolicy& to = *out.mutable_set_policy();
    to.set_prefix(set.prefix);
    if (set.policy) fill(*to.mutable_policy(), *set.policy);
  }
  void operator()(const UpdateCrdt& crdt) const {
    forwarded::Request::UpdateCrdt& to = *out.mutable_update_crdt();
    to.set_key(crdt.key);
    to.set_type(std::string(crdt_type_name(crdt.type)));
    to.set_op(std::string(crdt_op_info(crdt.update.op).name));
    to.set_by(crdt.update.by);
    to.set_name(crdt.update.name);
    to.set_value(crdt.update.value);
  }
  void operator()(const GetCrdt& get) const { out.mutable_get_crdt()->set_key(get.key); }
  void operator()(const CountReplicas& count) const {
    out.mutable_count_replicas()->set_replicas(count.replicas);
  }
};

Result<Operation> read(forwarded::Request::Put& in) {
  PARALLAX_TRY(check_size(kRequest, "key", in.key().size(), kKeyBytes));
  PARALLAX_TRY(
      check_size(kRequest, "put.content_type", in.content_type().size(), kContentTypeBytes));
  Put put{.key = std::move(*in.mutable_key()),
          .value = Bytes{std::move(*in.mutable_value())},
          .content_type = std::move(*in.mutable_content_type())};
  if (in.has_ttl_ms()) {
    constexpr std::chrono::milliseconds kMost = limits::kMaxTtl;
    if (in.ttl_ms() < 0 || in.ttl_ms() > kMost.count()) {
      return corrupt(kRequest, "put.ttl_ms: {}, 0 to {} expected", in.ttl_ms(), kMost.count());
    }
    put.ttl = std::chrono::milliseconds{in.ttl_ms()};
  }
  return Operation{std::move(put)};
}

Result<Operation> read(forwarded::Request::Scan& in) {
  PARALLAX_TRY(check_size(kRequest, "scan.start", in.start().size(), {.most = kMaxBoundBytes}));
  PARALLAX_TRY(check_size(kRequest, "scan.end", in.end().size(), {.most = kMaxBoundBytes}));
  PARALLAX_TRY(check_size(kRequest, "scan.limit", in.limit(), {1, limits::kMaxScanLimit}, "keys"));
  return Operation{Scan{.start = std::move(*in.mutable_start()),
                        .end = std::move(*in.mutable_end()),
                        .limit = in.limit(),
                        .reverse = in.reverse(),
                        .keys_only = in.keys_only()}};
}

Result<Operation> read(forwarded::Request::SetPolicy& in) {
  PARALLAX_TRY(check_size(kRequest, "prefix", in.prefix().size(), kPrefixBytes));
  SetPolicy set{.prefix = std::move(*in.mutable_prefix()), .policy = std::nullopt};
  if (in.has_policy()) {
    PARALLAX_ASSIGN(set.policy, read(kRequest, in.policy()));
  }
  return Operation{std::move(set)};
}

Result<Operation> read(forwarded::Request::UpdateCrdt& in) {
  PARALLAX_TRY(check_size(kRequest, "key", in.key().size(), kKeyBytes));
  const auto type = parse_crdt_type(in.type());
  if (!type) return corrupt(kRequest, "update_crdt.type: {}", type.error().message);
  const auto op = parse_crdt_op(*type, in.op());
  if (!op) return corrupt(kRequest, "update_crdt.op: {}", op.error().message);
  return Operation{UpdateCrdt{.key = std::move(*in.mutable_key()),
                              .type = *type,
                              .update = {.op = *op,
                                         .by = in.by(),
                                         .name = std::move(*in.mutable_name()),
                                         .value = std::move(*in.mutable_value())}}};
}

Result<Operation> read_operation(forwarded::Request& in) {
  switch (in.operation_case()) {
    case forwarded::Request::kPut:
      return read(*in.mutable_put());
    case forwarded::Request::kGet:
      PARALLAX_TRY(check_size(kRequest, "key", in.get().key().size(), kKeyBytes));
      return Operation{
          Get{.key = std::move(*in.mutable_get()->mutable_key()), .siblings = in.get().siblings()}};
    case forwarded::Request::kDelete:
      PARALLAX_TRY(check_size(kRequest, "key", in.delete_().key().size(), kKeyBytes));
      return Operation{Delete{std::move(*in.mutable_delete_()->mutable_key())}};
    case forwarded::Request::kIncrement:
      PARALLAX_TRY(check_size(kRequest, "key", in.increment().key().size(), kKeyBytes));
      return Operation{Increment{.key = std::move(*in.mutable_increment()->mutable_key()),
                                 .by = in.increment().by()}};
    case forwarded::Request::kScan:
      return read(*in.mutable_scan());
    case forwarded::Request::kGetMany: {
      GetMany many;
      PARALLAX_ASSIGN(many.keys, read_keys(kRequest, "get_many.keys", {1, limits::kMaxScanLimit},
                                           *in.mutable_get_many()->mutable_keys()));
      return Operation{std::move(many)};
    }
    case forwarded::Request::kReadHistory:
      PARALLAX_TRY(check_size(kRequest, "key", in.read_history().key().size(), kKeyBytes));
      return Operation{ReadHistory{.key = std::move(*in.mutable_read_history()->mutable_key()),
                                   .from = UnixMillis{in.read_history().from_ms()},
                                   .to = UnixMillis{in.read_history().to_ms()}}};
    case forwarded::Request::kGetPolicy:
      PARALLAX_TRY(check_size(kRequest, "prefix", in.get_policy().prefix().size(), kPrefixBytes));
      return Operation{GetPolicy{std::move(*in.mutable_get_policy()->mutable_prefix())}};
    case forwarded::Request::kListPolicies:
      return Operation{ListPolicies{}};
    case forwarded::Request::kSetPolicy:
      return read(*in.mutable_set_policy());
    case forwarded::Request::kUpdateCrdt:
      return read(*in.mutable_update_crdt());
    case forwarded::Request::kGetCrdt:
      PARALLAX_TRY(check_size(kRequest, "key", in.get_crdt().key().size(), kKeyBytes));
      return Operation{GetCrdt{std::move(*in.mutable_get_crdt()->mutable_key())}};
    case forwarded::Request::kCountReplicas:
      return Operation{CountReplicas{in.count_replicas().replicas()}};
    case forwarded::Request::OPERATION_NOT_SET:
      return corrupt(kRequest, "operation: of no kind that is known here");
  }
  PARALLAX_UNREACHABLE("operation case {}", static_cast<int>(in.operation_case()));
}

void fill(forwarded::EtagSet& out, const EtagSet& etags) {
  out.set_any(etags.any);
  for (const Stamp& stamp : etags.stamps) fill(*out.add_stamps(), stamp);
}

Result<EtagSet> read(std::string_view field, const forwarded::EtagSet& in) {
  const Bounds bounds = in.any() ? Bounds{0, 0} : Bounds{1, limits::kMaxEtagsPerCondition};
  EtagSet etags{.any = in.any(), .stamps = {}};
  PARALLAX_TRY(check_size(kRequest, field, static_cast<std::size_t>(in.stamps_size()), bounds,
                          in.any() ? "etags with any" : "etags"));
  for (const forwarded::Stamp& stamp : in.stamps()) {
    PARALLAX_ASSIGN(const Stamp etag, read(kRequest, field, stamp));
    etags.stamps.push_back(etag);
  }
  return etags;
}

/// What only some operations take.
Result<void> read_extras(forwarded::Request& in, Request& request) {
  const bool replaces = std::holds_alternative<Put>(request.operation) ||
                        std::holds_alternative<Delete>(request.operation);
  const bool once = replaces || std::holds_alternative<Increment>(request.operation);
  if (!replaces && (in.has_if_match() || in.has_if_none_match())) {
    return corrupt(kRequest, "conditions: with neither a put nor a delete");
  }
  if (!replaces && in.has_context()) {
    return corrupt(kRequest, "context: with neither a put nor a delete");
  }
  if (!once && !in.idempotency_key().empty()) {
    return corrupt(kRequest, "idempotency_key: with neither a put, a delete nor an increment");
  }
  PARALLAX_TRY(check_size(kRequest, "idempotency_key", in.idempotency_key().size(),
                          {.most = limits::kMaxIdempotencyKeyBytes}));
  if (!in.idempotency_key().empty()) {
    request.idempotency_key = std::move(*in.mutable_idempotency_key());
  }
  if (in.has_if_match()) {
    PARALLAX_ASSIGN(request.conditions.if_match, read("if_match", in.if_match()));
  }
  if (in.has_if_none_match()) {
    PARALLAX_ASSIGN(request.conditions.if_none_match, read("if_none_match", in.if_none_match()));
  }
  if (in.has_context()) {
    PARALLAX_ASSIGN(request.context, read(kRequest, in.context()));
  }
  return {};
}

// --- Replies ------------------------------------------------------------------------------------

constexpr std::string_view kAnswer = "answer";

void fill(forwarded::Evidence& out, const Evidence& evidence) {
  out.set_node(evidence.node.value);
  out.set_term(evidence.term.value);
  out.set_index(evidence.index.value);
  out.set_path(std::string(path_name(evidence.path)));
  for (const NodeId replica : evidence.replicas) out.add_replicas(replica.value);
  out.set_sequenced(evidence.sequenced);
  out.set_degraded(evidence.degraded);
  out.set_confirmed(evidence.confirmed.value);
  out.set_waited_ms(static_cast<std::uint32_t>(evidence.waited.count()));
}

void fill(forwarded::Error& out, const Error& error) {
  out.set_code(std::string(error_info(error.code).name));
  out.set_definite(error.definite());
  out.set_message(error.message);
  out.set_leader(error.leader.value);
  out.set_etag(error.etag);
  out.set_required(error.required);
  out.set_received(error.received);
}

/// What answers to other requests than the reads and writes of one key have.
void fill_lists(forwarded::Answer& out, const Answer& answer) {
  for (const Item& item : answer.items) {
    forwarded::Answer::Item& to = *out.add_items();
    to.set_key(item.key);
    fill(*to.mutable_stamp(), item.stamp);
    to.set_value(item.value.view().data(), item.value.size());
    to.set_content_type(item.content_type);
  }
  for (const std::string& key : answer.missing) out.add_missing(key);
  if (answer.next) out.set_next(*answer.next);
  for (const PastValue& version : answer.versions) {
    forwarded::Answer::PastValue& to = *out.add_versions();
    fill(*to.mutable_stamp(), version.stamp);
    to.set_tombstone(version.tombstone);
    to.set_value(version.value.view().data(), version.value.size());
    to.set_content_type(version.content_type);
  }
  out.set_history_floor_ms(answer.history_floor.value);
  for (const auto& [prefix, policy] : answer.policies) {
    forwarded::Answer::PrefixPolicy& to = *out.add_policies();
    to.set_prefix(prefix);
    fill(*to.mutable_policy(), policy);
  }
}

void fill(forwarded::Answer& out, const Answer& answer) {
  fill(*out.mutable_consistency(), answer.consistency);
  if (answer.stamp) fill(*out.mutable_stamp(), *answer.stamp);
  out.set_found(answer.found);
  out.set_value(answer.value.view().data(), answer.value.size());
  out.set_content_type(answer.content_type);
  fill(*out.mutable_evidence(), answer.evidence);
  out.set_merged(answer.merged);
  if (answer.crdt) {
    out.set_crdt_type(std::string(crdt_type_name(answer.crdt->type)));
    out.set_crdt_json(answer.crdt->json);
  }
  if (answer.refusal) fill(*out.mutable_refusal(), *answer.refusal);
  out.set_replayed(answer.replayed);
  out.set_replicas(answer.replicas);
  if (answer.staleness_ms) out.set_staleness_ms(*answer.staleness_ms);
  if (answer.number) out.set_number(*answer.number);
  if (!answer.context.empty()) fill(*out.mutable_context(), answer.context);
  if (answer.session != SessionToken{}) fill(*out.mutable_session(), answer.session);
  fill_lists(out, answer);
}

Result<Evidence> read(const forwarded::Evidence& in) {
  const std::optional<Path> path = find_path(in.path());
  if (!path) return corrupt(kAnswer, "evidence.path: of no kind that is known here");
  Evidence evidence{.node = NodeId{in.node()},
                    .term = Term{in.term()},
                    .index = LogIndex{in.index()},
                    .path = *path,
                    .replicas = {},
                    .sequenced = in.sequenced(),
                    .degraded = in.degraded(),
                    .waited = std::chrono::milliseconds{in.waited_ms()}};
  evidence.confirmed = LogIndex{in.confirmed()};
  for (const std::uint32_t replica : in.replicas()) {
    // Zero is below every node, so the first of them is caught as well.
    const NodeId last = evidence.replicas.empty() ? kNoNode : evidence.replicas.back();
    if (NodeId{replica} <= last) {
      return corrupt(kAnswer, "evidence.replicas: {} behind {}", replica, last);
    }
    evidence.replicas.push_back(NodeId{replica});
  }
  return evidence;
}

Result<void> read(std::string_view whose, forwarded::Error& in, Error& error) {
  const ErrorInfo* const info = find_error(in.code());
  if (info == nullptr) return corrupt(whose, "code: of no kind that is known here");
  error = Error{.code = info->code,
                .certainty = in.definite() ? Certainty::definite : Certainty::indefinite,
                .message = std::move(*in.mutable_message()),
                .leader = NodeId{in.leader()},
                .etag = std::move(*in.mutable_etag()),
                .required = in.required(),
                .received = in.received()};
  return {};
}

/// What items and past values have alike.
template <class In, class Out>
Result<void> read_value(std::string_view field, In& in, Out& out) {
  PARALLAX_TRY(check_size(kAnswer, field, in.content_type().size(), kContentTypeBytes));
  PARALLAX_ASSIGN(out.stamp, read(kAnswer, field, in.stamp()));
  out.value = Bytes{std::move(*in.mutable_value())};
  out.content_type = std::move(*in.mutable_content_type());
  return {};
}

Result<void> read_lists(forwarded::Answer& in, Answer& answer) {
  constexpr Bounds kCount{0, limits::kMaxScanLimit};
  PARALLAX_TRY(
      check_size(kAnswer, "items", static_cast<std::size_t>(in.items_size()), kCount, "keys"));
  answer.items.reserve(static_cast<std::size_t>(in.items_size()));
  for (forwarded::Answer::Item& item : *in.mutable_items()) {
    PARALLAX_TRY(check_size(kAnswer, "items.key", item.key().size(), kPrefixBytes));
    Item& to = answer.items.emplace_back();
    PARALLAX_TRY(read_value("items", item, to));
    to.key = std::move(*item.mutable_key());
  }
  if (in.missing_size() > 0) {
    PARALLAX_ASSIGN(answer.missing, read_keys(kAnswer, "missing", kCount, *in.mutable_missing()));
  }
  if (in.has_next()) {
    PARALLAX_TRY(check_size(kAnswer, "next", in.next().size(), {.most = kMaxBoundBytes}));
    answer.next = std::move(*in.mutable_next());
  }
  answer.versions.reserve(static_cast<std::size_t>(in.versions_size()));
  for (forwarded::Answer::PastValue& past : *in.mutable_versions()) {
    if (past.tombstone() && !past.value().empty()) {
      return corrupt(kAnswer, "versions: {} bytes of a tombstone", past.value().size());
    }
    PastValue version{.tombstone = past.tombstone()};
    PARALLAX_TRY(read_value("versions", past, version));
    if (!answer.versions.empty() && version.stamp >= answer.versions.back().stamp) {
      return corrupt(kAnswer, "versions: {} behind {}", version.stamp,
                     answer.versions.back().stamp);
    }
    answer.versions.push_back(std::move(version));
  }
  answer.history_floor = UnixMillis{in.history_floor_ms()};
  answer.policies.reserve(static_cast<std::size_t>(in.policies_size()));
  for (forwarded::Answer::PrefixPolicy& entry : *in.mutable_policies()) {
    PARALLAX_TRY(check_size(kAnswer, "policies.prefix", entry.prefix().size(), kPrefixBytes));
    PARALLAX_ASSIGN(const Policy policy, read(kAnswer, entry.policy()));
    answer.policies.emplace_back(std::move(*entry.mutable_prefix()), policy);
  }
  return {};
}

Result<Answer> read(forwarded::Answer& in) {
  Answer answer;
  PARALLAX_ASSIGN(answer.consistency, read(kAnswer, in.consistency()));
  PARALLAX_ASSIGN(answer.evidence, read(in.evidence()));
  if (in.has_stamp()) {
    PARALLAX_ASSIGN(answer.stamp, read(kAnswer, "stamp", in.stamp()));
  }
  answer.found = in.found();
  if (answer.found && !answer.stamp) return corrupt(kAnswer, "found: without a stamp");
  if (!answer.found && !in.value().empty()) {
    return corrupt(kAnswer, "value: {} bytes of what was not found", in.value().size());
  }
  PARALLAX_TRY(check_size(kAnswer, "content_type", in.content_type().size(), kContentTypeBytes));
  answer.value = Bytes{std::move(*in.mutable_value())};
  answer.content_type = std::move(*in.mutable_content_type());
  answer.merged = in.merged();
  if (!in.crdt_type().empty()) {
    const auto type = parse_crdt_type(in.crdt_type());
    if (!type) return corrupt(kAnswer, "crdt_type: {}", type.error().message);
    answer.crdt = CrdtValue{*type, std::move(*in.mutable_crdt_json())};
  }
  if (in.has_refusal()) {
    PARALLAX_TRY(read(kAnswer, *in.mutable_refusal(), answer.refusal.emplace()));
    if (!answer.refusal->definite()) return corrupt(kAnswer, "refusal: of unknown outcome");
  }
  answer.replayed = in.replayed();
  answer.replicas = in.replicas();
  if (in.has_staleness_ms()) answer.staleness_ms = in.staleness_ms();
  if (in.has_number()) answer.number = in.number();
  if (in.has_context()) {
    PARALLAX_ASSIGN(answer.context, read(kAnswer, in.context()));
  }
  if (in.has_session()) {
    PARALLAX_ASSIGN(answer.session, read(kAnswer, in.session()));
  }
  PARALLAX_TRY(read_lists(in, answer));
  return answer;
}

// An Error alone could be either the outer Result's or the inner one's: these say which.
Result<Reply> a_reply(Reply reply) {
  return Result<Reply>(boost::system::in_place_value, std::move(reply));
}
Result<Reply> no_reply(Error error) {
  return Result<Reply>(boost::system::in_place_error, std::move(error));
}

}  // namespace

Bytes encode_request(const Request& request) {
  forwarded::Request out;
  std::visit(Fill{out}, request.operation);
  fill(*out.mutable_consistency(), request.consistency);
  out.set_timeout_ms(request.timeout.count());
  out.set_forward(request.forward);
  out.set_level_by_policy(request.level_by_policy);
  const Conditions& conditions = request.conditions;
  if (conditions.if_match) fill(*out.mutable_if_match(), *conditions.if_match);
  if (conditions.if_none_match) fill(*out.mutable_if_none_match(), *conditions.if_none_match);
  if (!request.idempotency_key.empty()) out.set_idempotency_key(request.idempotency_key);
  if (request.context) fill(*out.mutable_context(), *request.context);
  if (request.session) fill(*out.mutable_session(), *request.session);
  return Bytes{out.SerializeAsString()};
}

Result<Request> decode_request(const Bytes& payload) {
  forwarded::Request in;
  if (!parse(in, payload)) return corrupt(kRequest, "it does not follow its schema");
  Request request;
  PARALLAX_ASSIGN(request.operation, read_operation(in));
  PARALLAX_ASSIGN(request.consistency, read(kRequest, in.consistency()));
  request.timeout = std::chrono::milliseconds{in.timeout_ms()};
  if (in.timeout_ms() < 0 || request.timeout > limits::kMaxRequestTimeout) {
    return corrupt(kRequest, "timeout_ms: {}, 0 to {} expected", in.timeout_ms(),
                   std::chrono::milliseconds{limits::kMaxRequestTimeout}.count());
  }
  request.forward = in.forward();
  request.level_by_policy = in.level_by_policy();
  PARALLAX_TRY(read_extras(in, request));
  if (in.has_session()) {
    PARALLAX_ASSIGN(request.session, read(kRequest, in.session()));
  }
  return request;
}

Bytes encode_reply(const Reply& reply) {
  forwarded::Reply out;
  if (reply) {
    fill(*out.mutable_answer(), *reply);
  } else {
    fill(*out.mutable_error(), reply.error());
  }
  return Bytes{out.SerializeAsString()};
}

Result<Reply> decode_reply(const Bytes& payload) {
  forwarded::Reply in;
  if (!parse(in, payload)) return no_reply(corrupt("reply", "it does not follow its schema"));
  switch (in.reply_case()) {
    case forwarded::Reply::kAnswer: {
      Result<Answer> answer = read(*in.mutable_answer());
      return answer ? a_reply(*std::move(answer)) : no_reply(answer.error());
    }
    case forwarded::Reply::kError: {
      Error error;
      const Result<void> sound = read("error", *in.mutable_error(), error);
      return sound ? a_reply(std::move(error)) : no_reply(sound.error());
    }
    case forwarded::Reply::REPLY_NOT_SET:
      return no_reply(corrupt("reply", "of no kind that is known here"));
  }
  PARALLAX_UNREACHABLE("reply case {}", static_cast<int>(in.reply_case()));
}

}  // namespace parallax
