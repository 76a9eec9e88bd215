#include "harness/workload.h"

#include <algorithm>
#include <deque>
#include <utility>

#include <fmt/format.h>

#include "base/assert.h"
#include "consistency/crdt.h"

namespace parallax::harness {
namespace {

using checker::OperationKind;
using checker::Outcome;

/// Steps on one key after which it is left and a new one is begun: sums, sets and texts are shown
/// whole, and a search for an order of them is exponential in what is open.
constexpr std::uint32_t kStepsOfGrowingKey = 60;
/// Keys of a chain of writes.
constexpr std::uint32_t kChain = 5;

/// What all have in common: where randomness, values and keys come from.
class Base : public Generator {
 public:
  Base(const RunOptions& options, std::string prefix)
      : options_(options), prefix_(std::move(prefix)), random_(options.seed ^ 0x9e1e) {
    homes_.resize(options.clients + 1);
    for (std::uint32_t client = 0; client < homes_.size(); ++client) {
      homes_[client] = 1 + client % nodes();
    }
  }
  void done(std::uint32_t, const Step&, const StepSeen&) override {}
  std::vector<Step> final_reads() const override { return {}; }

 protected:
  std::uint32_t nodes() const { return members_of(options_); }
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  bool chance(double p) { return random_.chance(p); }
  std::string new_value() { return std::to_string(++last_value_); }

  /// At the client's own node, which changes now and then: that is where sessions break.
  Step step(std::uint32_t client, OperationKind kind, std::string key) {
    std::uint32_t& home = homes_[client % homes_.size()];
    if (chance(0.2)) home = 1 + static_cast<std::uint32_t>(below(nodes()));
    const bool reads = kind == OperationKind::read;
    return {.kind = kind,
            .key = prefix_ + key,
            .node = home,
            .level = reads ? options_.read_level : options_.write_level};
  }
  Step read(std::uint32_t client, std::string key) {
    return step(client, OperationKind::read, std::move(key));
  }
  Step write(std::uint32_t client, std::string key) {
    Step made = step(client, OperationKind::write, std::move(key));
    made.value = new_value();
    return made;
  }
  Step at_any_node(Step made) {
    made.node = 1 + static_cast<std::uint32_t>(below(nodes()));
    return made;
  }
  /// A read of `key` at every node.
  void read_everywhere(std::vector<Step>& steps, const std::string& key, Shape shape) const {
    for (std::uint32_t node = 1; node <= nodes(); ++node) {
      steps.push_back({.kind = OperationKind::read,
                       .shape = shape,
                       .key = prefix_ + key,
                       .node = node,
                       .level = options_.read_level});
    }
  }

  const RunOptions options_;

 private:
  std::string prefix_;
  Random random_;
  std::uint64_t last_value_ = 0;
  std::vector<std::uint32_t> homes_;
};

/// Reads, writes and, where somebody decides conditions, compare-and-sets.
class Registers : public Base {
 public:
  using Base::Base;
  Step next(std::uint32_t client) override {
    const std::string key = fmt::format("r{}", below(options_.keys));
    if (chance(0.5)) {
      Step made = read(client, key);
      if (options_.workload == Workload::mixed_level) made.level = drawn_level();
      return made;
    }
    Step made = write(client, key);
    const bool conditions =
        level_info(options_.write_level.level).protocol == Protocol::leader_follower;
    if (conditions && chance(0.4)) made.kind = OperationKind::cas;
    return made;
  }
  std::vector<Step> final_reads() const override {
    std::vector<Step> steps;
    for (std::uint32_t i = 0; i < options_.keys; ++i) {
      read_everywhere(steps, fmt::format("r{}", i), Shape::text);
    }
    return steps;
  }

 private:
  Consistency drawn_level() {
    switch (below(5)) {
      case 0:
        return {.level = Level::sequential};
      case 1:
        return {.level = Level::bounded, .max_staleness_ms = 1'000};
      case 2:
        return {.level = Level::prefix};
      case 3:
        return {.level = Level::eventual};
      default:
        return options_.read_level;
    }
  }
};

/// Counters, sets and texts: every key is left after a while.
class Growing : public Base {
 public:
  Growing(const RunOptions& options, std::string prefix) : Base(options, std::move(prefix)) {
    slots_.resize(options.keys);
  }
  Step next(std::uint32_t client) override {
    const auto slot = static_cast<std::uint32_t>(below(slots_.size()));
    const bool ids = options_.workload == Workload::unique_ids;
    if (!ids && ++slots_[slot].steps > kStepsOfGrowingKey) {
      slots_[slot] = {slots_[slot].epoch + 1, 1};
    }
    const std::string key = fmt::format("g{}.{}", slot, slots_[slot].epoch);
    if (!ids && chance(0.4)) {
      Step made = read(client, key);
      made.shape = shape();
      return made;
    }
    Step made = step(client, kind(), key);
    made.shape = shape();
    made.value = shape() == Shape::counter ? "1" : new_value();
    // So that no value is the beginning of another with the one behind it.
    if (kind() == OperationKind::append) made.value += ",";
    return made;
  }
  std::vector<Step> final_reads() const override {
    std::vector<Step> steps;
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
      for (std::uint32_t epoch = 0; epoch <= slots_[slot].epoch; ++epoch) {
        // What is converged is the same everywhere, so one node tells of an old key.
        if (epoch < slots_[slot].epoch) {
          steps.push_back(one_read(fmt::format("g{}.{}", slot, epoch), slot + epoch));
        } else {
          read_everywhere(steps, fmt::format("g{}.{}", slot, epoch), shape());
        }
      }
    }
    return steps;
  }

 private:
  struct Slot {
    std::uint32_t epoch = 0;
    std::uint32_t steps = 0;
  };
  Step one_read(const std::string& key, std::uint32_t turn) const {
    std::vector<Step> steps;
    read_everywhere(steps, key, shape());
    return steps[turn % steps.size()];
  }
  OperationKind kind() const {
    return options_.workload == Workload::set      ? OperationKind::add
           : options_.workload == Workload::append ? OperationKind::append
                                                   : OperationKind::increment;
  }
  Shape shape() const {
    return options_.workload == Workload::set      ? Shape::set
           : options_.workload == Workload::append ? Shape::text
                                                   : Shape::counter;
  }
  std::vector<Slot> slots_;
};

/// Clients that have something in mind for their next steps.
class Planned : public Base {
 public:
  Planned(const RunOptions& options, std::string prefix) : Base(options, std::move(prefix)) {
    plans_.resize(options.clients + 1);
  }
  Step next(std::uint32_t client) override {
    auto& plan = plans_[client % plans_.size()];
    if (plan.empty()) make_plan(client, plan);
    PARALLAX_ASSERT(!plan.empty(), "client {} has no plan", client);
    Step made = std::move(plan.front());
    plan.pop_front();
    return made;
  }

 protected:
  using Plan = std::deque<Step>;
  virtual void make_plan(std::uint32_t client, Plan& plan) = 0;
  void add(std::uint32_t client, Step made) {
    plans_[client % plans_.size()].push_back(std::move(made));
  }
  /// One of the newest groups, as many as there are keys in use; the newest most often.
  std::uint64_t recent(std::uint64_t newest) {
    const std::uint64_t span = std::min<std::uint64_t>(newest + 1, options_.keys);
    return chance(0.5) ? newest : newest - below(span);
  }

 private:
  std::vector<Plan> plans_;
};

/// Who sees the comment sees the post, and the one who commented had seen it.
class PostsAndComments : public Planned {
 public:
  using Planned::Planned;
  void done(std::uint32_t client, const Step& step, const StepSeen& seen) override {
    if (step.kind != OperationKind::read || seen.outcome != Outcome::ok || !seen.value) return;
    const std::size_t at = step.key.rfind("post");
    if (at == std::string::npos || !chance(0.4)) return;
    add(client, write(client, "comment" + step.key.substr(at + 4)));
  }

 private:
  void make_plan(std::uint32_t client, Plan& plan) override {
    if (chance(0.2)) {
      plan.push_back(write(client, fmt::format("post{}", ++newest_)));
      return;
    }
    const std::uint64_t group = recent(newest_);
    if (chance(0.4)) {
      plan.push_back(at_any_node(read(client, fmt::format("post{}", group))));
      return;
    }
    plan.push_back(at_any_node(read(client, fmt::format("comment{}", group))));
    plan.push_back(at_any_node(read(client, fmt::format("post{}", group))));
  }
  std::uint64_t newest_ = 0;
};

/// Keys that are written one after the other, each when the one before was acknowledged, and read
/// in the reverse order. `sequential`: by one client; `causal-reverse`: each by another one.
class Chains : public Planned {
 public:
  using Planned::Planned;
  void done(std::uint32_t client, const Step& step, const StepSeen& seen) override {
    if (step.kind != OperationKind::write) return;
    busy_ = false;
    if (seen.outcome == Outcome::ok) ++written_;
    if (seen.outcome != Outcome::ok || written_ == kChain) {
      ++newest_;  // nothing may be concluded from what is behind a write of unknown outcome
      written_ = 0;
    } else if (options_.workload == Workload::sequential) {
      busy_ = true;
      add(client, write(client, key(newest_, written_)));
    }
  }

 private:
  static std::string key(std::uint64_t chain, std::uint32_t link) {
    return fmt::format("chain{}.{}", chain, link);
  }
  void make_plan(std::uint32_t client, Plan& plan) override {
    if (!busy_ && chance(0.5)) {
      busy_ = true;
      plan.push_back(write(client, key(newest_, written_)));
      return;
    }
    const std::uint64_t chain = recent(newest_);
    for (std::uint32_t link = kChain; link-- > 0;) {
      plan.push_back(at_any_node(read(client, key(chain, link))));
    }
  }
  bool busy_ = false;
  std::uint32_t written_ = 0;
  std::uint64_t newest_ = 0;
};

/// Two writes that have nothing to do with each other: readers must agree on which was first.
class Forks : public Planned {
 public:
  using Planned::Planned;

 private:
  void make_plan(std::uint32_t client, Plan& plan) override {
    if (left_ < 2 && chance(0.3)) {
      plan.push_back(write(client, key(newest_, left_++)));
      return;
    }
    if (left_ == 2 && ++readers_ > 4 + options_.clients / 2) {
      ++newest_;
      left_ = readers_ = 0;
    }
    const std::uint64_t group = recent(newest_);
    const std::uint32_t first = chance(0.5) ? 1 : 0;
    plan.push_back(at_any_node(read(client, key(group, first))));
    plan.push_back(at_any_node(read(client, key(group, 1 - first))));
  }
  static std::string key(std::uint64_t group, std::uint32_t side) {
    return fmt::format("fork{}.{}", group, side == 0 ? "x" : "y");
  }
  std::uint64_t newest_ = 0;
  std::uint32_t left_ = 0;     ///< sides of the newest that were written
  std::uint32_t readers_ = 0;  ///< since both were
};

/// Each client has a key that it alone writes; all read all. `monotonic`: only as many writers as
/// there are keys, the others read.
class OwnKeys : public Base {
 public:
  using Base::Base;
  Step next(std::uint32_t client) override {
    const bool monotonic = options_.workload == Workload::monotonic;
    const std::uint32_t writers =
        monotonic ? std::min(options_.keys, options_.clients) : options_.clients;
    if (client < writers && chance(0.4)) {
      return at_any_node(write(client, fmt::format("own{}", client)));
    }
    const std::uint64_t whose = client < writers && chance(0.4) ? client : below(writers);
    return at_any_node(read(client, fmt::format("own{}", whose)));
  }
};

}  // namespace

std::unique_ptr<Generator> make_generator(const RunOptions& options, std::string prefix) {
  switch (options.workload) {
    case Workload::registers:
    case Workload::mixed_level:
      return std::make_unique<Registers>(options, std::move(prefix));
    case Workload::counter:
    case Workload::set:
    case Workload::append:
    case Workload::unique_ids:
      return std::make_unique<Growing>(options, std::move(prefix));
    case Workload::causal:
      return std::make_unique<PostsAndComments>(options, std::move(prefix));
    case Workload::causal_reverse:
    case Workload::sequential:
      return std::make_unique<Chains>(options, std::move(prefix));
    case Workload::long_fork:
      return std::make_unique<Forks>(options, std::move(prefix));
    case Workload::session:
    case Workload::monotonic:
      break;
  }
  return std::make_unique<OwnKeys>(options, std::move(prefix));
}

bool has_registers(Workload workload) {
  return workload != Workload::counter && workload != Workload::set &&
         workload != Workload::append && workload != Workload::unique_ids;
}

std::optional<std::string> workload_needs(Workload workload, const Consistency& write_level,
                                          const Consistency& read_level) {
  const auto by_log = [](const Consistency& level) {
    return level_info(level.level).protocol == Protocol::leader_follower;
  };
  const auto merges = [](const Consistency& level) { return !crdt_level_error(level.level); };
  const bool log = by_log(write_level) && by_log(read_level);
  if (workload == Workload::append || workload == Workload::unique_ids) {
    if (log) return std::nullopt;
    return fmt::format(
        "{} is decided by the leader: --level must be linearizable, sequential, bounded or prefix",
        to_string(workload));
  }
  if (workload == Workload::counter || workload == Workload::set) {
    if (log || (merges(write_level) && merges(read_level))) return std::nullopt;
    return fmt::format(
        "{} is decided by the leader, or merges: --level must be linearizable, sequential, bounded "
        "or prefix, or else quorum, causal, session, eventual or weak",
        to_string(workload));
  }
  if (workload == Workload::mixed_level && !by_log(write_level)) {
    return std::string(
        "mixed-level reads at several levels what the log wrote: --level must be linearizable, "
        "sequential, bounded or prefix");
  }
  return std::nullopt;
}

}  // namespace parallax::harness
