#include "consistency/checker/by_key.h"

namespace parallax::checker {

OperationsByKey split_by_key(const History& history) {
  std::vector<std::size_t> place(history.texts.size(), 0);
  std::vector<Text> keys;
  for (const Operation& operation : history.operations) {
    if (place[operation.key.value]++ == 0) keys.push_back(operation.key);
  }
  OperationsByKey by_key;
  if (keys.size() <= 1) {
    if (keys.size() == 1) by_key.parts.emplace_back(history.operations);
    return by_key;
  }
  by_key.moved.resize(history.operations.size());
  std::size_t begin = 0;
  for (const Text key : keys) {
    const std::size_t count = place[key.value];
    by_key.parts.emplace_back(by_key.moved.data() + begin, count);
    place[key.value] = begin;
    begin += count;
  }
  for (const Operation& operation : history.operations) {
    by_key.moved[place[operation.key.value]++] = operation;
  }
  return by_key;
}

WithInitial::WithInitial(const Texts& texts, const std::optional<std::string>& initial)
    : texts_(&texts) {
  if (!initial) return;
  if (const auto found = texts.find(*initial)) {
    initial_ = *found;
  } else {
    own_ = texts;
    initial_ = own_->intern(*initial);
  }
}

}  // namespace parallax::checker
