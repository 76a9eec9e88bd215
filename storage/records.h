// What the store holds, typed: key layout, record schemas and checksums.
//
// Every record is: 1 byte format version, a Protocol Buffers message (records.proto), 4 bytes
// CRC-32 (little-endian) over key and all bytes before it. The checksum covers the key, so that a
// record that turns up under another key is found out too. The generated types stay in records.cc.
//
// Layout (group, index and hlc big-endian, so that byte order is number order):
//
//   "N"                              NodeRecord: identity of the directory
//   "B"                              clock bound
//   "G" group "h"                    HardState
//   "G" group "l"                    LogStart: what compaction left
//   "G" group "a"                    AppliedRecord
//   "G" group "s"                    present while a snapshot is being installed
//   "G" group "k"                    StatesRecord: present while key states stay behind
//   "G" group "m"                    LeafRecord: every key has its "M" record
//   "L" group first                  LogSegment (log_segment.h): entries from there on
//   "K" group key                    KeyState
//   "E" group key                    KeyState that has come before its place in the log has
//   "H" group hlc node               HistorySegment (history_log.h): what versions replaced, the
//                                    last of which is {hlc, node}
//   "H" group hlc node key           HistoryRecord: what the version {hlc, node} of key replaced,
//                                    where that is large or came once more (node 0: what a
//                                    context replaced that left no version)
//   "M" group leaf key               LeafRecord: key is in that leaf of the hash tree
//   "Q" group node key               HintRecord: the node has missed a write of key
//   "G" group "c"                    CausalRecord
//   "C" group node incarnation number  CausalSegment (causal_codec.h) of that origin, up to there
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ids.h"
#include "clock/origin_vector.h"
#include "clock/stamp.h"
#include "storage/store.h"
#include "storage/version.h"

namespace parallax {

/// Raised when a record's schema changes in a way that an older program would misread.
inline constexpr std::uint32_t kStoreFormat = 4;

/// Where a node stands between an empty disk and membership (docs/ARCHITECTURE.md, "Empty store").
enum class Membership : std::uint8_t {
  none = 0,        ///< no durable marker yet: serves nothing, keeps asking its peers
  member = 1,      ///< an ordinary member
  recovering = 2,  ///< had a disk once and lost it: gives no vote, read or stamp
};

struct NodeRecord {
  std::uint32_t format = kStoreFormat;
  NodeId node;
  ClusterId cluster;  ///< empty until entry 1 is applied
  Incarnation incarnation;
  Membership membership = Membership::none;
  friend bool operator==(const NodeRecord&, const NodeRecord&) = default;
};

struct HardState {
  Term term;
  NodeId voted_for;
  friend bool operator==(const HardState&, const HardState&) = default;
};

/// The entry before the first one that the log still has.
struct LogStart {
  LogIndex index;
  Term term;
  friend bool operator==(const LogStart&, const LogStart&) = default;
};

struct AppliedRecord {
  LogIndex index;
  Term term;
  Hlc history_floor;      ///< past-stamp reads below this are refused
  Hlc idempotency_floor;  ///< idempotency records up to here have been let go of
  /// Incarnation with which each node last became a full member through the log.
  std::map<NodeId, Incarnation> incarnations;
  friend bool operator==(const AppliedRecord&, const AppliedRecord&) = default;
};

/// One entry of the replicated log. The payload is opaque here (replication/command.h).
struct LogEntry {
  Term term;
  LogIndex index;
  Bytes payload;
  /// What it counts for in byte bounds.
  std::size_t bytes() const { return payload.size() + 32; }
  friend bool operator==(const LogEntry&, const LogEntry&) = default;
};

/// What one version of a key replaced, beside what segments say of it (history_log.h).
struct HistoryRecord {
  std::vector<Version> replaced;
  friend bool operator==(const HistoryRecord&, const HistoryRecord&) = default;
};

/// The first outcome of a request that carried an idempotency key.
struct IdempotencyRecord {
  Hlc at;                         ///< of its entry: unique, and rising along the log
  LogIndex index = {};            ///< of its entry; set at apply
  std::uint64_t fingerprint = 0;  ///< of the request, so that another one under the key is noticed
  std::string refusal = {};       ///< name of the error that it was refused with; empty: done
  std::string message = {};       ///< of the refusal
  std::optional<Stamp> stamp = std::nullopt;  ///< version written, or present at the refusal
  std::optional<std::int64_t> number = std::nullopt;  ///< the sum of an increment
  friend bool operator==(const IdempotencyRecord&, const IdempotencyRecord&) = default;
};

/// What holds for the keys under a prefix, by the names that consistency/policy.h gives. Of two
/// records of one prefix the one with the higher index counts.
struct PolicyRecord {
  LogIndex log_index;  ///< the entry that set it
  bool removed = false;
  std::string default_consistency = {};  ///< empty: none
  std::string mixing = {};
  std::string conflict = {};
  friend bool operator==(const PolicyRecord&, const PolicyRecord&) = default;
};

/// A replica has missed a write of a key, whose state this node holds (replication/quorum/hints.h).
struct HintRecord {
  UnixMillis since;  ///< the last miss, by this node's physical clock
  friend bool operator==(const HintRecord&, const HintRecord&) = default;
};

/// A write of the causal protocol, as its origin issued it (replication/causal/causal.h).
struct CausalOperation {
  std::uint64_t number = 0;  ///< 1, 2, 3 ... of its origin, without gaps
  std::string key;
  Version version;  ///< its actor is that of the origin's causal path
  /// What must be applied before it, beyond its origin's earlier operations and what they depend
  /// on: those come first anyway.
  OriginVector dependencies;

  Origin origin() const { return {version.actor.node, version.actor.incarnation}; }
  /// What it counts for in byte bounds.
  std::size_t bytes() const {
    return key.size() + version.value.size() + version.content_type.size() + 64;
  }
  friend bool operator==(const CausalOperation&, const CausalOperation&) = default;
};

/// An operation that several hold, as messages, the cache of its log and what is to be applied do:
/// copies are one operation, which nobody changes. Behaves like the operation itself; a moved-from
/// one may only be assigned to or destroyed. Thread-safe like a shared_ptr.
class SharedOperation {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor)
  SharedOperation(CausalOperation operation)
      : operation_(std::make_shared<const CausalOperation>(std::move(operation))) {}
  const CausalOperation& operator*() const { return *operation_; }
  const CausalOperation* operator->() const { return operation_.get(); }
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator const CausalOperation&() const { return *operation_; }
  friend bool operator==(const SharedOperation& a, const SharedOperation& b) {
    return a.operation_ == b.operation_ || *a == *b;
  }

 private:
  std::shared_ptr<const CausalOperation> operation_;
};

/// What of the log and of causal operations is in the store's key states, at least. What has been
/// applied since, up to AppliedRecord and CausalRecord, is in there in part: whoever opens the
/// store joins it once more (docs/ARCHITECTURE.md, "Key states behind the log").
struct StatesRecord {
  LogIndex index;
  OriginVector operations;
  friend bool operator==(const StatesRecord&, const StatesRecord&) = default;
};

/// How far a node is in the causal protocol.
struct CausalRecord {
  OriginVector applied;     ///< all operations up to here are applied: see StatesRecord
  OriginVector log_starts;  ///< operations up to here are not in the log, or are being removed
  VersionVector stamps;     ///< of the last applied operation of each origin, by its actor
  /// What a transfer brought may be of operations up to here. Empty: nothing is beyond `applied`.
  OriginVector ceiling;
  /// The highest incarnation heard of each node, itself included once it is admitted.
  std::map<NodeId, Incarnation> heard;
  friend bool operator==(const CausalRecord&, const CausalRecord&) = default;
};

/// Says by its place alone what it says: which keys a leaf of the hash tree has
/// (replication/quorum/merkle_tree.h), written once per key.
struct LeafRecord {
  friend bool operator==(const LeafRecord&, const LeafRecord&) = default;
};

struct CausalSegment;   // storage/causal_codec.h
struct HistorySegment;  // storage/history_log.h
struct LogSegment;      // storage/log_segment.h

namespace records {

// Store keys.
std::string node_key();
std::string clock_bound_key();
std::string hard_state_key(GroupId group);
std::string log_start_key(GroupId group);
std::string applied_key(GroupId group);
std::string installing_key(GroupId group);
std::string key_state_key(GroupId group, std::string_view key);
std::string early_key(GroupId group, std::string_view key);
std::string history_key(GroupId group, const Stamp& by, std::string_view key);
std::string idempotency_key(GroupId group, std::string_view key);
/// Holds the record's time once more (as an Hlc): the records in their order of time.
std::string idempotency_index_key(GroupId group, Hlc at, std::string_view key);
std::string policy_key(GroupId group, std::string_view prefix);
std::string hint_key(GroupId group, NodeId target, std::string_view key);
std::string states_key(GroupId group);
std::string causal_key(GroupId group);
std::string leaf_key(GroupId group, std::uint32_t leaf, std::string_view key);
std::string leaves_complete_key(GroupId group);
/// The whole range of one kind of record of a group, for scans.
ScanRange key_state_range(GroupId group);
ScanRange early_range(GroupId group);
ScanRange history_range(GroupId group, Hlc from, Hlc to_exclusive);
ScanRange idempotency_range(GroupId group);
ScanRange idempotency_index_range(GroupId group);
ScanRange policy_range(GroupId group);
/// By target, then by key.
ScanRange hint_range(GroupId group);
/// Segments of one origin in their order: those with operations from number `from` on. The first
/// may have earlier ones, too.
ScanRange causal_log_range(GroupId group, const Origin& origin, std::uint64_t from);
/// Of all origins, one after the other.
ScanRange causal_log_range(GroupId group);
/// The keys of one leaf behind `after` (empty: all), in byte order.
ScanRange leaf_range(GroupId group, std::uint32_t leaf, std::string_view after);
/// What stands behind kind and group: the idempotency key, the prefix, the key of an early state.
std::string_view group_record_name(std::string_view store_key);
/// Time and key inside an idempotency_index_key().
std::pair<Hlc, std::string_view> idempotency_index(std::string_view store_key);
/// Target and key inside a hint_key().
std::pair<NodeId, std::string_view> hint_of(std::string_view store_key);
/// The user's key inside a leaf_key().
std::string_view key_in_leaf(std::string_view store_key);
/// The user's key inside a key_state_key().
std::string_view user_key(std::string_view store_key);
/// The reading inside a history_key() or history_segment_key().
Hlc history_hlc(std::string_view store_key);
/// Which of the two it is.
bool is_history_segment(std::string_view store_key);

// Records. encode() takes the store key because the checksum covers it; decode() refuses with
// `corrupt` and names the record. A record of a newer format is `refused`.
Bytes encode(std::string_view store_key, const NodeRecord& record);
Bytes encode(std::string_view store_key, Hlc clock_bound);
Bytes encode(std::string_view store_key, const HardState& record);
Bytes encode(std::string_view store_key, const LogStart& record);
Bytes encode(std::string_view store_key, const AppliedRecord& record);
Bytes encode(std::string_view store_key, const KeyState& record);
Bytes encode(std::string_view store_key, const HistoryRecord& record);
Bytes encode(std::string_view store_key, const IdempotencyRecord& record);
Bytes encode(std::string_view store_key, const PolicyRecord& record);
Bytes encode(std::string_view store_key, const HintRecord& record);
Bytes encode(std::string_view store_key, const StatesRecord& record);
Bytes encode(std::string_view store_key, const CausalRecord& record);
Bytes encode(std::string_view store_key, const LeafRecord& record);
Bytes encode(std::string_view store_key, const LogSegment& record);
Bytes encode(std::string_view store_key, const HistorySegment& record);
Bytes encode(std::string_view store_key, const CausalSegment& record);

/// Encodes and puts. T is one of the above.
template <class T>
void put(WriteBatch& batch, std::string store_key, const T& record) {
  Bytes bytes = encode(store_key, record);
  batch.put(std::move(store_key), std::move(bytes));
}

/// T is one of the types above or Hlc.
template <class T>
Result<T> decode(std::string_view store_key, std::string_view bytes);

/// Reads and decodes; nothing when the key is absent.
template <class T>
Result<std::optional<T>> load(const ReadView& view, std::string_view store_key);

}  // namespace records
}  // namespace parallax
