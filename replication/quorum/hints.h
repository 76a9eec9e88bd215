// Hints: which keys a replica has missed, kept by a node that holds them until the replica is back.
//
// Source: DeCandia et al., "Dynamo" (SOSP 2007), section 4.6, hinted handoff. Unlike there a hint
// holds no data: whoever keeps one is a replica of the key itself and sends its own whole KeyState,
// as it is when it is sent. So a hint that waited for hours brings nothing back that has been
// replaced, or removed, meanwhile.
//
// Rules:
//   - one hint per replica and key, that of the last miss: it expires `expiry` after it;
//   - an acknowledgement removes a hint only if nothing has been missed since it was sent;
//   - bounded in number and bytes: what does not fit is refused and told, and anti-entropy is left
//     to find it;
//   - drained at a bounded rate, oldest miss first.
// The owner keeps records (storage/records.h, HintRecord) of exactly what is here.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "replication/quorum/token_bucket.h"

namespace parallax {

struct HintBounds {
  std::uint64_t expiry_ms = 0;     ///< after the miss
  std::size_t most = 0;            ///< hints, over all replicas
  std::size_t most_bytes = 0;      ///< of their keys
  std::size_t most_in_flight = 0;  ///< sent and not acknowledged, per replica
  TokenBucket::Rate drain;         ///< hints sent, over all replicas
};

/// A value.
class Hints {
 public:
  Hints(const HintBounds& bounds, MonoTime now);

  /// `target` has missed a write of `key`. True: it is noted, and its record is to be written.
  /// False: there is no room.
  bool add(NodeId target, const std::string& key, UnixMillis now);
  /// From a record, at the start. Beyond the bounds, too: it is there already.
  void restore(NodeId target, const std::string& key, UnixMillis since);

  /// To be sent now: the whole state of the key, and the revision to acknowledge it with.
  struct Due {
    std::string key;
    std::uint64_t revision = 0;
    friend bool operator==(const Due&, const Due&) = default;
  };
  /// What `target`, which is up, may be sent now. Each counts as in flight then.
  std::vector<Due> take_due(NodeId target, MonoTime now);
  /// The target holds what was sent (or there is nothing of the key any more). True: the hint is
  /// gone, and its record is to be removed.
  bool acknowledge(NodeId target, const std::string& key, std::uint64_t revision);
  /// Nothing will come of what is in flight to `target`: it is sent again.
  void retry(NodeId target);

  struct Expired {
    NodeId target;
    std::string key;
    friend bool operator==(const Expired&, const Expired&) = default;
  };
  /// At most `limit` that have expired are gone; their records are to be removed.
  std::vector<Expired> expire(UnixMillis now, std::size_t limit);

  struct Status {
    std::size_t hints = 0;
    std::size_t in_flight = 0;
    std::optional<UnixMillis> oldest;
    friend bool operator==(const Status&, const Status&) = default;
  };
  Status status(NodeId target) const;
  std::size_t size() const { return size_; }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t refused() const { return refused_; }

 private:
  /// Place in the order of misses.
  struct Place {
    UnixMillis since;
    std::uint64_t revision = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Entry {
    Place place;
    std::optional<std::uint64_t> sent;  ///< in flight: the revision that was sent
  };
  struct Target {
    std::map<std::string, Entry, std::less<>> entries;
    std::map<Place, std::string> order;    ///< all of them
    std::map<Place, std::string> waiting;  ///< those that are not in flight
  };
  void put(Target& target, const std::string& key, UnixMillis since);
  void drop(Target& target, std::map<std::string, Entry, std::less<>>::iterator entry);

  HintBounds bounds_;
  TokenBucket bucket_;
  std::map<NodeId, Target> targets_;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t next_revision_ = 1;
};

}  // namespace parallax
