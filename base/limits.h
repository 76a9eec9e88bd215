// Every bound of the product in one place. What can be set at start-up has its default here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace parallax::limits {

using namespace std::chrono_literals;

// Keys, values and requests.
inline constexpr std::size_t kMaxKeyBytes = 1'024;
inline constexpr std::size_t kDefaultMaxValueBytes = 1 << 20;
inline constexpr std::size_t kMaxContentTypeBytes = 256;
inline constexpr std::size_t kMaxTargetBytes = 8 << 10;
inline constexpr std::size_t kMaxHeaderBytes = 16 << 10;
/// How much of an oversized body is read and thrown away so that the client sees the answer.
inline constexpr std::size_t kMaxDiscardedBodyBytes = 8 << 20;
inline constexpr auto kDefaultRequestTimeout = 5'000ms;
inline constexpr auto kMaxRequestTimeout = 60'000ms;
inline constexpr auto kIdleConnectionTimeout = 60s;
/// A request must have arrived whole this long after its first byte.
inline constexpr auto kSlowRequestTimeout = 15s;
inline constexpr std::size_t kMaxClientConnections = 10'000;
inline constexpr unsigned kMaxIoThreads = 64;
inline constexpr std::size_t kMaxRequestsInFlight = 20'000;
inline constexpr std::size_t kMaxSiblings = 32;
/// Of their values together: whole states travel in one frame, joined from several coordinators.
inline constexpr std::size_t kMaxSiblingBytes = 8 << 20;
/// Of a value that several writes share: a merged document, a set, a map, a counter.
inline constexpr std::size_t kMaxMergedBytes = 1 << 20;
/// Of an element of a set, as JSON text, and of the name of a field of a map.
inline constexpr std::size_t kMaxCrdtNameBytes = 1'024;
inline constexpr std::uint32_t kDefaultScanLimit = 100;
inline constexpr std::uint32_t kMaxScanLimit = 1'000;
/// A page of a range ends behind this many bytes of keys and values, or keys looked at.
inline constexpr std::size_t kMaxScanBytes = 4 << 20;
inline constexpr std::size_t kMaxScanKeys = 10'000;
/// Versions of a key's past that are looked at for one answer.
inline constexpr std::size_t kMaxHistoryVersions = 10'000;
/// Of any keys' history, in the search for them.
inline constexpr std::size_t kMaxHistoryBytesRead = 8 << 20;
inline constexpr std::size_t kMaxBatchOperations = 1'000;
/// Of its body, and of the values that it reads.
inline constexpr std::size_t kMaxBatchBytes = 8 << 20;
inline constexpr std::size_t kMaxBatchReadsAtOnce = 64;
inline constexpr std::size_t kMaxEtagsPerCondition = 64;
/// A time to live of up to ten years.
inline constexpr auto kMaxTtl = std::chrono::hours(24 * 3653);

// Idempotency keys.
inline constexpr std::size_t kMaxIdempotencyKeyBytes = 128;
inline constexpr auto kIdempotencyRetention = std::chrono::hours(24);
inline constexpr std::size_t kMaxIdempotencyRows = 1'000'000;

// Clocks.
inline constexpr auto kClockBoundAhead = 100ms;
inline constexpr auto kDefaultMaxClockSkew = 500ms;

// Raft.
/// Without a word of any follower for so long, semi-sync writes are the leader's alone.
inline constexpr auto kSemiSyncTimeout = 10'000ms;
inline constexpr auto kElectionTimeoutMin = 500ms;
inline constexpr auto kElectionTimeoutMax = 1'000ms;
inline constexpr auto kHeartbeatInterval = 100ms;
/// Parts per million by which a monotonic clock may run faster or slower than the true time, and
/// what may be set at most. Kernels slew theirs by 500, quartz is off by 100.
inline constexpr std::uint32_t kClockDriftPpm = 10'000;
inline constexpr std::uint32_t kMaxClockDriftPpm = 500'000;
inline constexpr std::size_t kMaxAppendBytes = 1 << 20;
inline constexpr std::size_t kMaxAppendEntries = 4'096;
inline constexpr std::size_t kMaxInflightAppends = 64;
inline constexpr std::size_t kMaxInflightAppendBytes = 16 << 20;
/// Entries above this are kept in memory; older ones are read back from the store.
inline constexpr std::size_t kLogCacheBytes = 8 << 20;
/// Changes of key states that are made anew after a crash are written so long after their batch at
/// the latest, and when these bytes wait.
inline constexpr auto kStatesWait = 2s;
inline constexpr std::size_t kStatesWaitBytes = 8 << 20;
inline constexpr std::uint64_t kLogKeepEntries = 50'000;
inline constexpr std::size_t kLogKeepBytes = 64 << 20;
inline constexpr std::size_t kSnapshotChunkBytes = 256 << 10;
inline constexpr std::size_t kMaxProposalsInFlightBytes = 64 << 20;

// Causal replication (replication/causal/causal.h).
/// Of one origin, waiting at a receiver for what comes before them: as far as a sender goes ahead.
inline constexpr std::size_t kCausalBufferOperations = 4'096;
inline constexpr std::size_t kCausalBufferBytes = 8 << 20;
/// Operations in one message; one goes in any case.
inline constexpr std::size_t kCausalBatchBytes = 256 << 10;
/// Above this, operations are let go of that some peer lacks.
inline constexpr std::size_t kCausalLogBytes = 64 << 20;
/// Operations above this are read back from the store when a peer needs them.
inline constexpr std::size_t kCausalCacheBytes = 8 << 20;
inline constexpr std::size_t kMaxCausalRemovals = 4'096;
/// Between two messages with operations, while more are on their way to the disk.
inline constexpr auto kCausalPushInterval = 1ms;
inline constexpr auto kCausalStatusInterval = 100ms;
inline constexpr auto kCausalIdleStatusInterval = 1'000ms;
/// How long an operation that others have may be on its way before it is asked for.
inline constexpr auto kCausalPatience = 200ms;
inline constexpr auto kCausalAnswerTimeout = 500ms;
inline constexpr auto kCausalTransferHold = 10s;

// Repair.
inline constexpr auto kAntiEntropyInterval = 10s;
/// Of digests, lists of keys and states, over all peers.
inline constexpr std::size_t kAntiEntropyBytesPerSecond = 8 << 20;
inline constexpr std::size_t kAntiEntropyBurstBytes = 1 << 20;
inline constexpr auto kHintExpiry = std::chrono::hours(3);
inline constexpr std::size_t kMaxHints = 200'000;
inline constexpr std::size_t kMaxHintBytes = 32 << 20;
inline constexpr std::size_t kMaxHintsInFlight = 64;
inline constexpr std::size_t kHintsPerSecond = 2'000;
inline constexpr auto kTombstoneGrace = std::chrono::hours(4);
/// More than twice the longest time that a request may take.
inline constexpr auto kMinTombstoneGrace = 300s;
/// Tombstones that one node remembers to be held by all; more wait for their turn.
inline constexpr std::size_t kMaxTombstonesWatched = 1'000'000;

// Storage.
inline constexpr auto kDefaultHistoryRetention = 60s;
inline constexpr std::size_t kMaxBatchesInFlight = 2;

// What a peer may say at most: out of reach, and far below where the next number would be 0.
/// One election per millisecond takes 8,900 years to get there.
inline constexpr std::uint64_t kMaxTerm = std::uint64_t{1} << 48;
inline constexpr std::uint64_t kMaxLogIndex = std::uint64_t{1} << 60;
inline constexpr std::uint64_t kMaxCausalNumber = std::uint64_t{1} << 60;
/// Unix milliseconds of a clock, and of the incarnations drawn from it: the year 2527.
inline constexpr std::uint64_t kMaxUnixMillis = std::uint64_t{1} << 44;

// Peers.
inline constexpr std::size_t kMaxFrameBytes = 64 << 20;
inline constexpr std::size_t kMaxPeerQueueBytes = 64 << 20;
inline constexpr auto kMaxReconnectBackoff = 1'000ms;

}  // namespace parallax::limits
