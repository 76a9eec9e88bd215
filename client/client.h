// The client library: operations on a Parallax cluster over HTTP, with typed answers and errors.
//
// A Client keeps connections to several nodes, finds the others and the leader, retries what is
// safe to retry and says of every failure whether the operation may have happened.
//
// Promises:
//  - An operation ends once, at the latest at its deadline, with an answer or an error.
//  - An error is *definite* (it did not happen and will not) or *indefinite* (it may have happened,
//    or may happen yet). A write is indefinite only if a whole request may have left and no answer
//    said what became of it. Reads have no effect; their errors are always definite.
//  - A write that may have been applied is never sent again, unless it has an idempotency key: then
//    the same request with the same key is, and happens once all the same. Everything else is
//    retried until the deadline where that can help (client/retry.h has the rule).
//  - The answer names the level that the request got; a success that does not is refused (corrupt).
//  - An absent key is an answer (`found == false`), not an error. A write that the store's contents
//    forbid is an error (precondition_failed with `etag`, not_a_number, ...); Answer::refusal is
//    never set here.
//
// Errors, beside those of the API (base/error.h): `io` - no node could be reached or the connection
// broke; `timeout` - the deadline passed; `corrupt` - what came back is not Parallax's answer;
// `bad_request`, `bad_parameter`, `condition_unsupported`, `bad_session` - refused here, before
// anything was sent; `shutting_down` - the Client was closed. The message names the endpoint, and
// the attempts if there were several.
//
// Thread safety: every member may be called from any thread at any time, completions included,
// except that the destructor and the blocking calls must not run inside a completion.
//
// Coroutines, futures and whatever else Asio knows to wait with: client/io/async.h. All pages of a
// range: client/range_reader.h.
//
// With ClientOptions::near_cache, off by default, reads that promise no recency may be answered
// from values that nodes gave a moment ago (client/near_cache.h).
//
// It does not spread one client's load, cancel single operations (each ends at its
// deadline), or offer levels that consistency/level.h does not list.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "client/cluster_view.h"
#include "client/near_cache.h"
#include "client/options.h"
#include "client/protocol.h"
#include "client/retry.h"
#include "client/session.h"
#include "client/sla.h"

namespace parallax {

struct ClientOptions {
  /// "host:port" each, at least one. Asked in this order; the leader, once known, is asked first
  /// where an operation needs it, whether it is listed or not. Levels without a leader begin with
  /// one that is drawn, and stay with the one that last did well.
  std::vector<std::string> endpoints;
  /// Bound on a whole operation, all attempts and waits included. At most a minute is passed on to
  /// the node.
  std::chrono::milliseconds timeout = limits::kDefaultRequestTimeout;
  /// A node that has not accepted a connection by then counts as unreachable.
  std::chrono::milliseconds connect_timeout{1'000};
  /// A read, or a write with an idempotency key, that has no answer by then is sent to another node
  /// (a paused one accepts and never answers).
  std::chrono::milliseconds read_attempt_timeout{2'000};
  /// A read that has no answer by then is sent to a second node as well; the first answer counts
  /// and the other request is abandoned (Dean and Barroso, "The Tail at Scale", 2013). 0: never.
  std::chrono::milliseconds hedge_after{0};
  RetryPolicy retry = {};
  /// More operations at once than this wait for a connection, first come first served.
  std::size_t max_connections_per_endpoint = 64;
  /// A connection unused for this long is closed rather than used again.
  std::chrono::milliseconds max_idle{30'000};
  /// A larger body is refused as corrupt.
  std::size_t max_response_bytes = 64 << 20;
  /// How long an endpoint that failed is asked last.
  std::chrono::milliseconds cooldown{1'000};
  /// Members that /v1/cluster names are asked too, behind the listed endpoints. Learned anew at
  /// most this often, while there are operations.
  std::chrono::milliseconds discovery_interval{10'000};
  /// false: only the listed endpoints are asked, the first one that works; for asking one node.
  bool follow_leader = true;
  /// Values that are kept for `get` at prefix, eventual and weak, where the call names the level.
  /// Such an answer says how old it is (Answer::cached_for) and has no evidence. Absent: none are.
  std::optional<NearCacheOptions> near_cache = std::nullopt;
  /// Reads under an agreement count a linearizable answer under a leader's lease, which rests on
  /// the rates of clocks, for what it says. false: such an answer meets no entry.
  bool accept_leases = false;
  /// Of the jitter in waits; 0 draws one.
  std::uint64_t seed = 0;
};

/// 128 random bits as text: fit for `idempotency_key`. Thread-safe.
std::string draw_idempotency_key();

class Client {
 public:
  /// Exactly one call per operation, on the client's own thread, never from within the call that
  /// started the operation. It may start operations; it must not block or throw.
  template <class T>
  using Completion = std::function<void(Result<T>)>;
  using BatchAnswers = std::vector<Result<Answer>>;

  /// Connects to nothing yet. Errors: bad_parameter for an option that is wrong.
  static Result<std::unique_ptr<Client>> open(ClientOptions options);
  /// Operations under way end with shutting_down before this returns.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // --- Keys
  void async_get(std::string key, GetOptions options, Completion<Answer> done);
  /// A read under a service-level agreement: node and level are chosen by what such reads of this
  /// client have measured, anew for each attempt (client/sla_monitor.h), and an answer that comes
  /// too late is an answer all the same. `options` must name no level; there is no hedging. Until
  /// /v1/cluster has said how many members there are, an answer's majority is taken at its word.
  void async_get_by_sla(std::string key, Sla sla, GetOptions options, Completion<SlaAnswer> done);
  /// As get, without the value.
  void async_head(std::string key, GetOptions options, Completion<Answer> done);
  void async_put(std::string key, Bytes value, PutOptions options, Completion<Answer> done);
  /// Also where there is nothing.
  void async_remove(std::string key, RemoveOptions options, Completion<Answer> done);
  /// Answer::number is the sum.
  void async_increment(std::string key, std::int64_t by, IncrementOptions options,
                       Completion<Answer> done);

  // --- Convergent values. Answer::crdt is what it is then. Levels: kCrdtLevels; where neither the
  // options nor a policy name one, eventual. Other values there: wrong_type.
  /// `update` must be one of the type's. Never sent again when its outcome is unknown.
  void async_update_crdt(std::string key, CrdtType type, CrdtUpdate update,
                         OperationOptions options, Completion<Answer> done);
  void async_get_crdt(std::string key, OperationOptions options, Completion<Answer> done);

  // --- Several keys
  /// One page. Answer::next is the place behind it, as text for continue_scan(); absent behind the
  /// last one. A page may be short, or empty, and not be the last.
  void async_scan(Scan range, OperationOptions options, Completion<Answer> done);
  /// The page behind the one that gave `next`, of the same range. It is good for any node, any
  /// time.
  void async_continue_scan(std::string next, OperationOptions options, Completion<Answer> done);
  /// Answer::items and Answer::missing.
  void async_get_many(std::vector<std::string> keys, OperationOptions options,
                      Completion<Answer> done);
  /// Independent operations, not atomic; their answers in the same order. The error of the whole is
  /// that of the request: nothing is known of any of them. Sent again, when its outcome is unknown,
  /// only if every write in it has an idempotency key. `consistency` of the options holds where an
  /// operation names none.
  void async_batch(std::vector<BatchOperation> operations, OperationOptions options,
                   Completion<BatchAnswers> done);
  /// Answer::versions, newest first, with stamps from `from` to `to`.
  void async_history(ReadHistory which, OperationOptions options, Completion<Answer> done);

  // --- Policies. Answer::policies; an empty prefix is that of every key.
  void async_get_policy(std::string prefix, OperationOptions options, Completion<Answer> done);
  void async_list_policies(OperationOptions options, Completion<Answer> done);
  void async_set_policy(std::string prefix, Policy policy, OperationOptions options,
                        Completion<Answer> done);
  void async_remove_policy(std::string prefix, OperationOptions options, Completion<Answer> done);

  // --- Replication
  /// Answer::replicas: how many members durably have what the options' session (required) has seen
  /// and written, as soon as it is `replicas`, else at the timeout. Levels have no say in it.
  void async_wait_for(std::uint32_t replicas, OperationOptions options, Completion<Answer> done);

  // --- The cluster
  /// As one reachable node sees it.
  void async_cluster(OperationOptions options, Completion<ClusterView> done);
  /// One node's own figures. Only `endpoint` is asked; empty: the first listed one.
  void async_status(std::string endpoint, OperationOptions options, Completion<NodeStatus> done);

  /// What the first node that answers would do about reading `key`, or writing to it, with these
  /// options; nothing is done. An empty key: one without a policy of its own. Errors: those with
  /// which the operation itself would be refused.
  void async_explain(bool write, std::string key, OperationOptions options,
                     Completion<PlanView> done);

  // --- The same, waiting for the end.
  Result<Answer> get(std::string key, GetOptions options = {});
  Result<SlaAnswer> get_by_sla(std::string key, Sla sla, GetOptions options = {});
  Result<Answer> head(std::string key, GetOptions options = {});
  Result<Answer> put(std::string key, Bytes value, PutOptions options = {});
  Result<Answer> remove(std::string key, RemoveOptions options = {});
  Result<Answer> increment(std::string key, std::int64_t by = 1, IncrementOptions options = {});
  Result<Answer> update_crdt(std::string key, CrdtType type, CrdtUpdate update,
                             OperationOptions options = {});
  Result<Answer> get_crdt(std::string key, OperationOptions options = {});
  Result<Answer> scan(Scan range, OperationOptions options = {});
  Result<Answer> continue_scan(std::string next, OperationOptions options = {});
  Result<Answer> get_many(std::vector<std::string> keys, OperationOptions options = {});
  Result<BatchAnswers> batch(std::vector<BatchOperation> operations, OperationOptions options = {});
  Result<Answer> history(ReadHistory which, OperationOptions options = {});
  Result<Answer> get_policy(std::string prefix, OperationOptions options = {});
  Result<Answer> list_policies(OperationOptions options = {});
  Result<Answer> set_policy(std::string prefix, Policy policy, OperationOptions options = {});
  Result<Answer> remove_policy(std::string prefix, OperationOptions options = {});
  Result<Answer> wait_for(std::uint32_t replicas, OperationOptions options);
  Result<ClusterView> cluster(OperationOptions options = {});
  Result<NodeStatus> status(std::string endpoint = {}, OperationOptions options = {});
  Result<PlanView> explain(bool write, std::string key, OperationOptions options = {});

 private:
  class Core;
  explicit Client(std::unique_ptr<Core> core);
  template <class T, class Start, class... Arguments>
  Result<T> wait(Start start, Arguments&&... arguments);
  std::unique_ptr<Core> core_;
};

}  // namespace parallax
