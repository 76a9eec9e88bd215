#include "tests/checker/planted.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

namespace parallax::checker {
namespace {

constexpr std::array<std::string_view, 8> kNames{"thin air",     "lost own write", "going back",
                                                 "hidden cause", "hidden chain",   "flipped",
                                                 "long fork",    "both missed"};

class Planter {
 public:
  Planter(History& history, Random& random) : history_(history) {
    for (const Operation& o : history.operations) {
      if (o.outcome != Outcome::unknown) end_ = std::max(end_, o.return_ns);
      end_ = std::max(end_, o.call_ns);
      clients_ = std::max(clients_, o.client + 1);
      if (std::find(keys_.begin(), keys_.end(), o.key) == keys_.end()) keys_.push_back(o.key);
    }
    shift_ = static_cast<std::uint32_t>(random.below(clients_));
    std::swap(keys_[0], keys_[random.below(keys_.size())]);
    // Everybody sees everything first, so that what follows is about the planted writes alone.
    for (int k = 0; k < 2; ++k) old_[k] = write(0, k);
    for (std::uint32_t c = 0; c < 4; ++c) {
      for (int k = 0; k < 2; ++k) read(c, k, old_[k]);
    }
  }

  Text write(std::uint32_t client, int key) {
    const Text value = history_.texts.intern(fmt::format("planted-{}", ++values_));
    add(OperationKind::write, client, key).value = value;
    return value;
  }
  void read(std::uint32_t client, int key, Text value) {
    add(OperationKind::read, client, key).result = value;
  }
  Text old(int key) const { return old_[key]; }
  Text nobodys() { return history_.texts.intern("nobody-wrote-this"); }

 private:
  Operation& add(OperationKind kind, std::uint32_t client, int key) {
    Operation o{.kind = kind, .client = (client + shift_) % clients_, .key = keys_[key]};
    o.call_ns = ++end_;
    o.return_ns = ++end_;
    return history_.operations.emplace_back(o);
  }

  History& history_;
  std::vector<Text> keys_;
  std::int64_t end_ = 0;
  std::uint32_t clients_ = 0;
  std::uint32_t shift_ = 0;
  std::array<Text, 2> old_;
  int values_ = 0;
};

}  // namespace

std::string_view to_string(Plant plant) {
  return kNames[static_cast<std::size_t>(plant)];
}

void plant(History& history, Plant what, Random& random) {
  Planter p(history, random);
  switch (what) {
    case Plant::thin_air:
      p.read(0, 0, p.nobodys());
      return;
    case Plant::lost_own_write:
      p.write(1, 0);
      p.read(1, 0, p.old(0));
      return;
    case Plant::going_back: {
      const Text value = p.write(0, 0);
      p.read(1, 0, value);
      p.read(1, 0, p.old(0));
      return;
    }
    case Plant::hidden_cause: {
      p.write(0, 0);
      const Text second = p.write(0, 1);
      p.read(1, 1, second);
      p.read(1, 0, p.old(0));
      return;
    }
    case Plant::hidden_chain: {
      const Text first = p.write(0, 0);
      p.read(1, 0, first);
      const Text second = p.write(1, 1);
      p.read(2, 1, second);
      p.read(2, 0, p.old(0));
      return;
    }
    case Plant::flipped: {
      const Text one = p.write(0, 0), two = p.write(1, 0);
      for (const Text value : {one, two}) p.read(2, 0, value);
      for (const Text value : {two, one}) p.read(3, 0, value);
      return;
    }
    case Plant::long_fork: {
      const Text one = p.write(0, 0), two = p.write(1, 1);
      p.read(2, 0, one);
      p.read(2, 1, p.old(1));
      p.read(3, 1, two);
      p.read(3, 0, p.old(0));
      return;
    }
    case Plant::both_missed:
      p.write(0, 0);
      p.read(0, 1, p.old(1));
      p.write(1, 1);
      p.read(1, 0, p.old(0));
      return;
  }
}

}  // namespace parallax::checker
