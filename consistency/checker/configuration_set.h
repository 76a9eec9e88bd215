// A set of short words of 64-bit numbers, compared exactly: the configurations that a search has
// seen. Only grows. A word must not be a prefix of another of different length.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

namespace parallax::checker {

class ConfigurationSet {
 public:
  /// Whether `word` is new here. `length_of` tells a stored word's length from its beginning.
  template <class LengthOf>
  bool insert(std::span<const std::uint64_t> word, LengthOf length_of) {
    if ((count_ + 1) * 3 > slots_.size() * 2) grow();
    const std::uint64_t hash = hash_of(word);
    std::size_t slot = hash & (slots_.size() - 1);
    for (; slots_[slot].word != nullptr; slot = (slot + 1) & (slots_.size() - 1)) {
      if (slots_[slot].hash == hash && length_of(slots_[slot].word) == word.size() &&
          std::memcmp(slots_[slot].word, word.data(), word.size_bytes()) == 0) {
        return false;
      }
    }
    slots_[slot] = {store(word), hash};
    ++count_;
    return true;
  }
  std::size_t size() const { return count_; }
  static std::uint64_t hash_of(std::span<const std::uint64_t> word) {
    std::uint64_t hash = 0x9e3779b97f4a7c15u;
    for (const std::uint64_t part : word) {
      hash = (hash ^ part) * 0xff51afd7ed558ccdu;
      hash ^= hash >> 32;
    }
    return hash;
  }
  /// What it takes now; growing takes three times its slots for a moment.
  std::uint64_t memory_bytes() const { return stored_bytes_ + slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    const std::uint64_t* word = nullptr;
    std::uint64_t hash = 0;
  };

  void grow() {
    std::vector<Slot> larger(slots_.size() * 2);
    for (const Slot& slot : slots_) {
      if (slot.word == nullptr) continue;
      std::size_t to = slot.hash & (larger.size() - 1);
      while (larger[to].word != nullptr) to = (to + 1) & (larger.size() - 1);
      larger[to] = slot;
    }
    slots_.swap(larger);
  }

  const std::uint64_t* store(std::span<const std::uint64_t> word) {
    if (word.size() > free_) {
      // The first chunks are small, because most keys of a history are.
      const std::size_t wanted = std::min<std::size_t>(
          256u << std::min<std::size_t>(chunks_.size(), 8), std::size_t{1} << 16);
      free_ = std::max(wanted, word.size());
      chunks_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(free_));
      next_ = chunks_.back().get();
      stored_bytes_ += free_ * sizeof(std::uint64_t);
    }
    std::uint64_t* at = next_;
    std::memcpy(at, word.data(), word.size_bytes());
    next_ += word.size();
    free_ -= word.size();
    return at;
  }

  std::vector<Slot> slots_ = std::vector<Slot>(64);
  std::size_t count_ = 0;
  std::vector<std::unique_ptr<std::uint64_t[]>> chunks_;
  std::uint64_t* next_ = nullptr;
  std::size_t free_ = 0;
  std::uint64_t stored_bytes_ = 0;
};

}  // namespace parallax::checker
