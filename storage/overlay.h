// Changes that are not in the store yet, seen above it.
//
// A replica applies entries in memory and writes them with a later batch, up to two of which are in
// flight. Reads of the replica go through the overlay: they see every change added, durable or not.
// What may be shown to others is the replica's business ("durable before shown").
//
// Some key states need not go with their turn's batch, for something else in the store says how to
// make them anew: they wait here, decoded, and of those of one key only the last is written.
//
// All changes of a store come through here, so what key states were read or changed lately can be
// kept in memory and is never out of date: a change of a record lets go of what it has said.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "storage/store.h"
#include "storage/version.h"

namespace parallax {

struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
};

/// The key states under the store keys that were asked for or changed lately, read. Two generations
/// in place of an order of use: what is not asked for while half of the room is filled anew goes.
/// Not thread-safe.
class RecentStates {
 public:
  /// `most_bytes`: keys and states, about, and what they cost beside that.
  explicit RecentStates(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  /// The state, empty where nothing is stored; nullptr: unknown. Valid until the next call of any
  /// other.
  const KeyState* find(std::string_view key);
  void put(std::string_view key, KeyState state);
  /// What is known under `key` is so no more; its place is kept for what comes.
  void outdate(std::string_view key);

  std::size_t bytes() const { return young_bytes_ + old_bytes_; }

 private:
  struct Entry {
    std::optional<KeyState> state;  ///< nothing: outdated
    std::size_t bytes = 0;          ///< that it counts for
  };
  using States = std::unordered_map<std::string, Entry, KeyHash, std::equal_to<>>;

  Entry* entry(std::string_view key);
  void age();

  const std::size_t most_bytes_;
  States young_;
  States old_;
  std::size_t young_bytes_ = 0;
  std::size_t old_bytes_ = 0;
};

/// Which records an overlay keeps in memory as key states, and how much of them.
struct Remembered {
  ScanRange keys{};
  std::size_t most_bytes = 0;  ///< 0: none are kept
};

/// Not thread-safe; belongs to the engine thread. Reads cost two map look-ups more than the
/// store's.
class Overlay : public ReadView {
 public:
  explicit Overlay(const ReadView& below, Remembered remembered = {})
      : below_(below), remembered_(std::move(remembered)), recent_(remembered_.most_bytes) {}

  /// Makes `batch` visible. `sequence` never falls and is above all that was forgotten: what goes
  /// into the store with one write shares one sequence.
  void add(const WriteBatch& batch, std::uint64_t sequence);
  /// Everything up to `sequence` is in the store now: lets go of what no later batch changed.
  void forget(std::uint64_t sequence);

  /// Makes `state` visible as what the record under `key` says. It is not in the store with
  /// `sequence`, but waits until take_deferred() hands it out or add() takes its place.
  /// `durable`: it is no change that anybody has to wait for. Returns whether one waited already.
  bool defer(std::string_view key, KeyState state, std::uint64_t sequence, bool durable = false);
  /// Puts what has waited since `until` or before into `batch`, which becomes `sequence`, and more,
  /// the oldest first, while more than `most_bytes` wait.
  void take_deferred(std::uint64_t until, std::size_t most_bytes, std::uint64_t sequence,
                     WriteBatch& batch);
  /// The lowest sequence since which something waits; nothing: nothing does.
  std::optional<std::uint64_t> deferred_since() const;
  /// Keys and states that wait, about, and what they cost beside that.
  std::size_t deferred_bytes() const { return deferred_bytes_; }

  Result<std::optional<std::string>> get(std::string_view key) const override;
  Result<void> scan(const ScanRange& range, const ScanVisitor& visit) const override;

  /// With which sequence `key` was changed last; 0 when everything up to that is in the store, or
  /// can be made anew from what is.
  std::uint64_t last_change(std::string_view key) const;
  /// Whether it would be 0 for every key.
  bool all_stored() const { return last_added_ <= forgotten_; }

  /// What the record under `key` says, empty where there is none, if keep() was told so not long
  /// ago and the record has not changed since; else nullptr. Valid until the next call of any
  /// other.
  const KeyState* kept(std::string_view key) const;
  /// `state` is what the record under `key` says as this overlay shows it now: read or just added.
  void keep(std::string_view key, KeyState state) const;

  std::size_t entries() const { return changes_.size(); }
  /// Keys and values that are not in the store yet.
  std::size_t bytes() const { return bytes_; }
  /// Those that are kept beside: see RecentStates.
  std::size_t remembered_bytes() const { return recent_.bytes(); }

 private:
  struct Entry {
    std::optional<Bytes> value;
    std::uint64_t sequence;
    std::uint64_t changed;  ///< the sequence of its change: it may have waited
  };
  struct Deferred;
  using Waiting = std::unordered_map<std::string, Deferred, KeyHash, std::equal_to<>>;
  struct Deferred {
    KeyState state;
    std::size_t bytes = 0;
    std::uint64_t since = 0;
    std::uint64_t changed = 0;
    std::list<Waiting::value_type*>::iterator place = {};
  };
  void put(const std::string& key, std::optional<Bytes> value, std::uint64_t sequence,
           std::uint64_t changed);
  void drop(const Waiting::value_type& deferred);
  bool remembers(std::string_view key) const;

  const ReadView& below_;
  const Remembered remembered_;
  mutable RecentStates recent_;
  std::map<std::string, Entry, std::less<>> changes_;
  std::size_t bytes_ = 0;
  Waiting deferred_;
  std::list<Waiting::value_type*> by_age_;  ///< rising by `since`
  std::map<std::string_view, const Waiting::value_type*> in_order_;
  std::size_t deferred_bytes_ = 0;
  std::uint64_t last_added_ = 0;
  std::uint64_t forgotten_ = 0;
};

}  // namespace parallax
