#include "tests/checker/random_history.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace parallax::checker {
namespace {

/// When an operation takes effect, and which.
struct Effect {
  std::int64_t at;
  std::uint64_t tie;
  std::size_t operation;
};

class Store {
 public:
  Store(Texts& texts, std::size_t keys, bool stamps)
      : texts_(texts),
        state_(keys, kAbsent),
        previous_(keys, kAbsent),
        stamp_(keys, kNothing),
        stamps_(stamps) {}

  Text state(std::size_t key) const { return state_[key]; }
  Text previous(std::size_t key) const { return previous_[key]; }

  void apply(Operation& operation, std::size_t key, bool vague) {
    Text& state = state_[key];
    const bool writes = operation.kind != OperationKind::read &&
                        (operation.kind != OperationKind::cas || state == operation.expected);
    if (stamps_ && writes) stamp_[key] = texts_.intern(fmt::format("{}-1", ++count_));
    operation.stamp = stamp_[key];
    switch (operation.kind) {
      case OperationKind::read:
        operation.result = state;
        break;
      case OperationKind::write:
        previous_[key] = std::exchange(state, operation.value);
        break;
      case OperationKind::remove:
        state = kAbsent;
        break;
      case OperationKind::cas:
        if (state == operation.expected) {
          state = operation.value;
        } else if (operation.outcome == Outcome::ok) {
          operation.outcome = Outcome::mismatch;
          operation.value = kNothing;
          if (!vague) operation.result = state;
        }
        break;
      case OperationKind::append:
        state = texts_.intern(std::string(texts_[state]) + std::string(texts_[operation.value]));
        break;
      case OperationKind::add: {
        if (state != kAbsent && texts_[state].front() != '[') {
          if (operation.outcome == Outcome::ok) operation.outcome = Outcome::failed;
          break;
        }
        // As members come, and as other stores may show them.
        std::string set(state == kAbsent ? "[]" : texts_[state]);
        const std::string member = fmt::format("\"{}\"", texts_[operation.value]);
        if (set.find(member) == set.npos) {
          set.insert(set.size() - 1, (set.size() > 2 ? "," : "") + member);
        }
        state = texts_.intern(set);
        break;
      }
      case OperationKind::increment:
        state = texts_.intern(std::to_string(number(state) + number(operation.value)));
        operation.result = state;
        break;
      default:
        break;
    }
  }

 private:
  long long number(Text text) const {
    return text <= kAbsent ? 0 : std::stoll(std::string(texts_[text]));
  }
  Texts& texts_;
  std::vector<Text> state_;
  std::vector<Text> previous_;  ///< of a register that is only written
  std::vector<Text> stamp_;
  bool stamps_;
  std::uint64_t count_ = 0;
};

Text draw_value(const Shape& shape, Texts& texts, Random& random, std::size_t i) {
  return texts.intern(
      fmt::format("{}", shape.values == 0 ? i + 1 : 1 + random.below(shape.values)));
}

}  // namespace

History random_history(const Shape& shape, Random& random) {
  History history;
  Texts& texts = history.texts;
  std::vector<std::int64_t> free_at(shape.clients, 0);
  std::vector<std::size_t> key_of;
  std::vector<Effect> effects;
  for (std::size_t i = 0; i < shape.operations; ++i) {
    Operation o{.kind = shape.kinds[random.below(shape.kinds.size())]};
    // The client that is free first goes on, so that all stay in step.
    o.client = static_cast<std::uint32_t>(std::min_element(free_at.begin(), free_at.end()) -
                                          free_at.begin());
    key_of.push_back(random.below(shape.keys));
    o.key = texts.intern(fmt::format("k{}", key_of.back()));
    o.call_ns = free_at[o.client] + static_cast<std::int64_t>(random.between(0, shape.pause));
    o.return_ns = o.call_ns + static_cast<std::int64_t>(random.between(0, shape.longest));
    free_at[o.client] = o.return_ns;
    if (o.kind != OperationKind::read && o.kind != OperationKind::remove) {
      o.value = draw_value(shape, texts, random, i);
    }
    if (o.kind == OperationKind::cas) {
      o.expected =
          random.chance(0.2) ? kAbsent : draw_value(shape, texts, random, random.below(i + 1));
    }
    const bool failed = random.chance(shape.failed);
    const bool unknown = !failed && random.chance(shape.unknown);
    std::int64_t latest = o.return_ns;
    if (failed) o.outcome = Outcome::failed;
    if (unknown) {
      o.outcome = Outcome::unknown;
      latest += 3 * shape.longest;
      o.return_ns = kNever;
    }
    const auto room = static_cast<std::uint64_t>(latest - o.call_ns);
    const auto at = o.call_ns + static_cast<std::int64_t>(random.between(0, room));
    const bool happens = !failed && (!unknown || random.chance(0.5));
    if (happens) effects.push_back({at, random.next(), i});
    history.operations.push_back(o);
  }
  std::sort(effects.begin(), effects.end(), [](const Effect& a, const Effect& b) {
    return a.at != b.at ? a.at < b.at : a.tie < b.tie;
  });
  Store store(texts, shape.keys, shape.stamps);
  for (const Effect& effect : effects) {
    Operation& operation = history.operations[effect.operation];
    const std::size_t key = key_of[effect.operation];
    if (shape.fresh && operation.kind == OperationKind::cas && random.chance(0.8)) {
      operation.expected = store.state(key);
    }
    const bool behind = operation.kind == OperationKind::read && random.chance(shape.behind);
    store.apply(operation, key, random.chance(shape.vague));
    if (behind) operation.result = store.previous(key);
  }
  for (Operation& operation : history.operations) {
    if (operation.outcome == Outcome::unknown) operation.result = operation.stamp = kNothing;
  }
  return history;
}

void spoil(History& history, Random& random) {
  auto& operations = history.operations;
  std::vector<Text> values{kAbsent};
  for (const Operation& operation : operations) {
    if (operation.value > kAbsent) values.push_back(operation.value);
    if (operation.result > kAbsent) values.push_back(operation.result);
  }
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const bool replaced =
        operations[i].kind == OperationKind::cas && operations[i].outcome == Outcome::ok;
    if (operations[i].result != kNothing || replaced) shown.push_back(i);
  }
  if (shown.empty()) return;
  Operation& spoiled = operations[shown[random.below(shown.size())]];
  (spoiled.result != kNothing ? spoiled.result : spoiled.expected) =
      values[random.below(values.size())];
}

}  // namespace parallax::checker
