#include "consistency/checker/stamped_guarantees.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "clock/stamp.h"
#include "consistency/checker/counterexample.h"

namespace parallax::checker {
namespace {

constexpr std::uint32_t kNobody = 0xffff'ffff;

/// The highest version of a key that somebody knows of, and by which operation.
struct Highest {
  Stamp stamp;
  std::uint32_t operation = kNobody;
  void raise(Stamp to, std::uint32_t by) {
    if (operation != kNobody && to <= stamp) return;
    stamp = to;
    operation = by;
  }
};
using ByKeyHighest = std::unordered_map<std::uint32_t, Highest>;

/// What an operation adds to what others must see who have seen a later write of its session.
struct Behind {
  std::uint32_t key;
  Highest highest;
  bool written;
};

class StampedCheck {
 public:
  explicit StampedCheck(const History& history) : history_(history) {}

  GuaranteeResults run() {
    if (!read_stamps()) return std::move(results_);
    for (GuaranteeResult& result : results_) result.verdict = Verdict::yes;
    for (const auto& session : sessions_) follow_own(session);
    for (const auto& session : sessions_) follow_others(session);
    return std::move(results_);
  }

 private:
  struct Source {
    std::size_t session;
    std::size_t position;
  };

  const Operation& at(std::uint32_t i) const { return history_.operations[i]; }
  static bool reads(const Operation& o) {
    return (o.kind == OperationKind::read && o.outcome == Outcome::ok) ||
           o.outcome == Outcome::mismatch;
  }
  static bool writes(const Operation& o) {
    const bool effect = o.kind == OperationKind::write || o.kind == OperationKind::cas ||
                        o.kind == OperationKind::remove;
    return effect && o.outcome == Outcome::ok;
  }
  GuaranteeResult& result(Guarantee g) { return results_[static_cast<std::size_t>(g)]; }

  bool read_stamps() {
    stamps_.resize(history_.operations.size());
    std::map<std::pair<bool, std::uint32_t>, std::vector<std::uint32_t>> sessions;
    for (std::uint32_t i = 0; i < history_.operations.size(); ++i) {
      const Operation& o = at(i);
      if (!reads(o) && !writes(o)) continue;
      const auto stamp = Stamp::parse(history_.texts[o.stamp]);
      const bool nothing = reads(o) && o.result <= kAbsent;
      if (!stamp && !nothing) {
        for (GuaranteeResult& r : results_) {
          r.reason = fmt::format("client {}'s {} called at {} ns has no stamp", o.client,
                                 to_string(o.kind), o.call_ns);
        }
        return false;
      }
      stamps_[i] = stamp.value_or(Stamp{});
      const auto name =
          o.session == kNothing ? std::pair(false, o.client) : std::pair(true, o.session.value);
      sessions[name].push_back(i);
    }
    for (auto& [name, operations] : sessions) {
      std::stable_sort(operations.begin(), operations.end(), [&](std::uint32_t a, std::uint32_t b) {
        return at(a).call_ns != at(b).call_ns ? at(a).call_ns < at(b).call_ns
                                              : at(a).return_ns < at(b).return_ns;
      });
      for (std::size_t p = 0; p < operations.size(); ++p) {
        const std::uint32_t i = operations[p];
        if (writes(at(i))) writer_[stamps_[i]] = {sessions_.size(), p};
      }
      sessions_.push_back(std::move(operations));
    }
    return true;
  }

  void fail(Guarantee guarantee, std::vector<std::uint32_t> part, const std::string& sentence) {
    GuaranteeResult& r = result(guarantee);
    if (r.verdict == Verdict::no) return;
    r.verdict = Verdict::no;
    std::sort(part.begin(), part.end());
    part.erase(std::unique(part.begin(), part.end()), part.end());
    r.witness = Witness{.pattern = "Stamps",
                        .part = extract(history_, part),
                        .minimal = false,
                        .text = fmt::format("Stamps: {}\n", sentence)};
  }
  std::string says(std::uint32_t i) const {
    return fmt::format("{} of \"{}\" (stamp {})", describe(history_.texts, at(i)),
                       history_.texts[at(i).key],
                       stamps_[i].empty() ? "none" : stamps_[i].to_string());
  }
  std::string after(std::uint32_t newer, std::uint32_t older) const {
    return fmt::format("{} although before it {}.", says(newer), says(older));
  }

  /// What a session says by itself. Also notes what those must see who have seen its writes.
  void follow_own(const std::vector<std::uint32_t>& operations) {
    ByKeyHighest written, read;
    std::vector<Behind> behind;
    for (const std::uint32_t i : operations) {
      const std::uint32_t key = at(i).key.value;
      const Stamp stamp = stamps_[i];
      const Highest own = written[key], seen = read[key];
      const bool below_own = own.operation != kNobody && stamp < own.stamp;
      // A session may read one version twice, but not what it is only about to write.
      const bool below_seen =
          seen.operation != kNobody && (writes(at(i)) ? stamp <= seen.stamp : stamp < seen.stamp);
      if (writes(at(i))) {
        if (below_own)
          fail(Guarantee::monotonic_writes, {own.operation, i}, after(i, own.operation));
        if (below_seen) {
          fail(Guarantee::writes_follow_reads, {seen.operation, i}, after(i, seen.operation));
        }
        written[key].raise(stamp, i);
        behind.push_back({key, written[key], true});
      } else {
        if (below_own)
          fail(Guarantee::read_your_writes, {own.operation, i}, after(i, own.operation));
        if (below_seen) {
          fail(Guarantee::monotonic_reads, {seen.operation, i}, after(i, seen.operation));
        }
        read[key].raise(stamp, i);
        behind.push_back({key, read[key], false});
      }
    }
    behind_.push_back(std::move(behind));
  }

  /// What a session says of the others whose writes it reads: it must see what was behind them.
  void follow_others(const std::vector<std::uint32_t>& operations) {
    std::vector<std::size_t> passed(sessions_.size(), 0);
    ByKeyHighest due_writes, due_reads;
    const std::size_t mine = static_cast<std::size_t>(&operations - sessions_.data());
    for (const std::uint32_t i : operations) {
      if (!reads(at(i))) continue;
      const std::uint32_t key = at(i).key.value;
      for (const auto& [guarantee, due] : {std::pair(Guarantee::monotonic_writes, &due_writes),
                                           std::pair(Guarantee::writes_follow_reads, &due_reads)}) {
        const auto found = due->find(key);
        if (found == due->end() || stamps_[i] >= found->second.stamp) continue;
        const std::uint32_t older = found->second.operation;
        fail(guarantee, {older, i},
             fmt::format("{} although it had seen a write before which {}.", says(i), says(older)));
      }
      const auto source = writer_.find(stamps_[i]);
      if (source == writer_.end() || source->second.session == mine) continue;
      const auto [session, position] = source->second;
      for (std::size_t& p = passed[session]; p < position; ++p) {
        const Behind& b = behind_[session][p];
        (b.written ? due_writes : due_reads)[b.key].raise(b.highest.stamp, b.highest.operation);
      }
    }
  }

  const History& history_;
  std::vector<Stamp> stamps_;  ///< by operation; empty: the beginning
  std::vector<std::vector<std::uint32_t>> sessions_;
  std::map<Stamp, Source> writer_;
  std::vector<std::vector<Behind>> behind_;  ///< by session and position
  GuaranteeResults results_;
};

}  // namespace

GuaranteeResults check_stamped_guarantees(const History& history) {
  return StampedCheck(history).run();
}

}  // namespace parallax::checker
