// A history's operations, key by key, and what keys begin with. Most guarantees are of single keys.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "consistency/checker/history.h"

namespace parallax::checker {

/// The operations of each key together: keys in the order of their first operation, operations in
/// the order of the history.
struct OperationsByKey {
  std::vector<Operation> moved;  ///< empty if there is one key: then the history's own serve
  std::vector<std::span<const Operation>> parts;
};

/// Valid as long as `history` is. The parts hold every operation, those without a key (kNothing)
/// as those of one more key.
OperationsByKey split_by_key(const History& history);

/// The value that keys hold at the beginning, as a text. It may be one that the history does not
/// have: then this keeps a copy of the history's texts that has it. Valid as long as those are.
class WithInitial {
 public:
  WithInitial(const Texts& texts, const std::optional<std::string>& initial);
  WithInitial(const WithInitial&) = delete;
  WithInitial& operator=(const WithInitial&) = delete;

  const Texts& texts() const { return own_ ? *own_ : *texts_; }
  Text initial() const { return initial_; }

 private:
  const Texts* texts_;
  std::optional<Texts> own_;
  Text initial_ = kAbsent;
};

}  // namespace parallax::checker
