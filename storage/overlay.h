// Changes that are not in the store yet, seen above it.
//
// A replica applies entries in memory and writes them with a later batch, up to two of which are in
// flight. Reads of the replica go through the overlay: they see every change added, durable or not.
// What may be shown to others is the replica's business ("durable before shown").
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "storage/store.h"

namespace parallax {

/// Not thread-safe; belongs to the engine thread. Reads cost one map look-up more than the store's.
class Overlay : public ReadView {
 public:
  explicit Overlay(const ReadView& below) : below_(below) {}

  /// Makes `batch` visible. `sequence` never falls and is above all that was forgotten: what goes
  /// into the store with one write shares one sequence.
  void add(const WriteBatch& batch, std::uint64_t sequence);
  /// Everything up to `sequence` is in the store now: lets go of what no later batch changed.
  void forget(std::uint64_t sequence);

  Result<std::optional<std::string>> get(std::string_view key) const override;
  Result<void> scan(const ScanRange& range, const ScanVisitor& visit) const override;

  /// The sequence of the last change of `key` that is not in the store yet; 0: there is none.
  std::uint64_t last_change(std::string_view key) const;

  std::size_t entries() const { return changes_.size(); }
  /// Keys and values held here.
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::optional<Bytes> value;
    std::uint64_t sequence;
  };
  const ReadView& below_;
  std::map<std::string, Entry, std::less<>> changes_;
  std::size_t bytes_ = 0;
  std::uint64_t last_added_ = 0;
  std::uint64_t forgotten_ = 0;
};

}  // namespace parallax
