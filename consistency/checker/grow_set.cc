#include "consistency/checker/grow_set.h"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include <fmt/format.h>

#include "consistency/checker/sets.h"

namespace parallax::checker {
namespace {

constexpr std::uint32_t kNone = ~std::uint32_t{0};
constexpr std::int64_t kBeforeAll = std::numeric_limits<std::int64_t>::min();

using Members = std::vector<std::uint32_t>;  ///< numbers of members, in order

struct Read {
  std::uint32_t operation;
  Members members;
};

class GrowSet {
 public:
  GrowSet(const Texts& texts, std::span<const Operation> operations)
      : texts_(texts), operations_(operations) {}

  GrowSetResult run() {
    if (!gather()) return {};
    judge();
    while (make_smaller()) {
    }
    return std::move(result_);
  }

 private:
  void judge() {
    result_.applicable = true;
    setter_ = {};
    std::sort(reads_.begin(), reads_.end(),
              [](const Read& a, const Read& b) { return a.members.size() < b.members.size(); });
    static_cast<void>(reads_are_possible() && place_all());
  }

  /// Takes one operation away from the conflict, if a conflict is left.
  bool make_smaller() {
    for (const std::uint32_t gone : result_.conflict) {
      GrowSet rest(*this, gone);
      rest.judge();
      if (rest.result_.conflict.empty()) continue;
      result_ = std::move(rest.result_);
      return true;
    }
    return false;
  }

  /// The conflict of `whole` without `gone`. Reads that show what `gone` added are left out with
  /// it; what others show beyond the members that are still added does not count.
  GrowSet(const GrowSet& whole, std::uint32_t gone)
      : texts_(whole.texts_),
        operations_(whole.operations_),
        names_(whole.names_),
        adds_(whole.adds_.size()) {
    std::vector<std::uint32_t> left = whole.result_.conflict;
    std::erase(left, gone);
    const auto stays = [&](std::uint32_t i) {
      return std::binary_search(left.begin(), left.end(), i);
    };
    std::uint32_t removed = kNone;
    for (std::uint32_t member = 0; member < adds_.size(); ++member) {
      for (const std::uint32_t i : whole.adds_[member]) {
        if (stays(i)) adds_[member].push_back(i);
        if (i == gone) removed = member;
      }
    }
    for (const Read& read : whole.reads_) {
      const auto& all = read.members;
      if (!stays(read.operation) || std::binary_search(all.begin(), all.end(), removed)) continue;
      Read& kept = reads_.emplace_back(Read{read.operation, {}});
      std::copy_if(all.begin(), all.end(), std::back_inserter(kept.members),
                   [&](std::uint32_t member) { return !adds_[member].empty(); });
    }
  }

  /// Where an operation of an earlier group had to wait for its call.
  struct Setter {
    std::int64_t call_ns = kBeforeAll;
    std::uint32_t operation = kNone;
    std::uint32_t member = kNone;  ///< of an add
    std::size_t read = 0;          ///< of a read: its place; of an add: that of the next read
  };

  bool gather() {
    for (std::uint32_t i = 0; i < operations_.size(); ++i) {
      const Operation& operation = operations_[i];
      if (operation.outcome == Outcome::failed) continue;
      if (operation.kind == OperationKind::add) {
        if (operation.result != kNothing) return false;
        adds_[number_of(std::string(texts_[operation.value]))].push_back(i);
      } else if (operation.kind != OperationKind::read) {
        return false;
      } else if (operation.outcome == Outcome::ok && operation.result != kNothing) {
        if (!gather_read(i)) return false;
      }
    }
    const auto has_adds = [](const auto& adds) { return !adds.empty(); };
    return std::any_of(adds_.begin(), adds_.end(), has_adds);
  }

  bool gather_read(std::uint32_t i) {
    Read read{i, {}};
    if (operations_[i].result != kAbsent) {
      const auto members = parse_members(texts_[operations_[i].result]);
      if (!members) return false;
      for (const std::string& member : *members) read.members.push_back(number_of(member));
      std::sort(read.members.begin(), read.members.end());
    }
    reads_.push_back(std::move(read));
    return true;
  }

  std::uint32_t number_of(const std::string& member) {
    const auto [at, fresh] = numbers_.try_emplace(member, static_cast<std::uint32_t>(adds_.size()));
    if (fresh) {
      adds_.emplace_back();
      names_.push_back(&at->first);
    }
    return at->second;
  }

  /// Whether somebody added what they show, and each shows all that the one before it does.
  bool reads_are_possible() {
    for (std::size_t r = 0; r < reads_.size(); ++r) {
      const Members& members = reads_[r].members;
      for (const std::uint32_t member : members) {
        if (adds_[member].empty()) {
          return fail(
              {reads_[r].operation},
              fmt::format("{} saw the member {}, which nobody added.", who(r), name(member)));
        }
      }
      if (r == 0) continue;
      const Members& before = reads_[r - 1].members;
      const std::uint32_t mine = first_only_in(members, before);
      const std::uint32_t theirs = first_only_in(before, members);
      if (theirs == kNone) continue;
      std::vector<std::uint32_t> conflict{reads_[r].operation, reads_[r - 1].operation};
      add_adds(mine, conflict);
      add_adds(theirs, conflict);
      return fail(std::move(conflict),
                  fmt::format("{} saw the member {} and not {}, but {} saw {} and not {}.", who(r),
                              name(mine), name(theirs), who(r - 1), name(theirs), name(mine)));
    }
    return true;
  }

  static std::uint32_t first_only_in(const Members& a, const Members& b) {
    auto at = b.begin();
    for (const std::uint32_t member : a) {
      at = std::lower_bound(at, b.end(), member);
      if (at == b.end() || *at != member) return member;
    }
    return kNone;
  }

  bool place_all() {
    std::vector<bool> shown(adds_.size(), false);
    std::size_t r = 0;
    while (r < reads_.size()) {
      std::vector<std::uint32_t> fresh;
      for (const std::uint32_t member : reads_[r].members) {
        if (!shown[member]) fresh.push_back(member);
        shown[member] = true;
      }
      if (!place_adds(fresh, r)) return false;
      std::size_t end = r;
      while (end < reads_.size() && reads_[end].members.size() == reads_[r].members.size()) ++end;
      if (!place_reads(r, end)) return false;
      r = end;
    }
    std::vector<std::uint32_t> rest;
    for (std::uint32_t member = 0; member < adds_.size(); ++member) {
      if (!shown[member]) rest.push_back(member);
    }
    return place_adds(rest, r);
  }

  /// Adds members that were not there before; `next` is the first read that shows them.
  bool place_adds(const std::vector<std::uint32_t>& members, std::size_t next) {
    Setter after = setter_;
    for (const std::uint32_t member : members) {
      std::uint32_t first = kNone;
      for (const std::uint32_t i : adds_[member]) {
        const Operation& add = operations_[i];
        if (add.outcome == Outcome::ok && add.return_ns < setter_.call_ns) {
          return fail_lost(i, member);
        }
        if (first == kNone || add.call_ns < operations_[first].call_ns) first = i;
      }
      if (first != kNone && operations_[first].call_ns > after.call_ns) {
        after = {operations_[first].call_ns, first, member, next};
      }
    }
    setter_ = after;
    return true;
  }

  bool place_reads(std::size_t begin, std::size_t end) {
    Setter after = setter_;
    for (std::size_t r = begin; r < end; ++r) {
      const Operation& read = operations_[reads_[r].operation];
      if (read.return_ns < setter_.call_ns) return fail_backwards(r);
      if (read.call_ns > after.call_ns) after = {read.call_ns, reads_[r].operation, kNone, r};
    }
    setter_ = after;
    return true;
  }

  /// An add had returned before a read was called that does not show it, or before the first add
  /// was called of another member, which some read shows without it.
  bool fail_lost(std::uint32_t add, std::uint32_t member) {
    const Operation& lost = operations_[add];
    std::vector<std::uint32_t> conflict{add, reads_[setter_.read].operation};
    const std::string had = fmt::format("although client {} had added it", lost.client);
    const std::string saw =
        fmt::format("{} did not see the member {}", who(setter_.read), name(member));
    if (setter_.member == kNone) return fail(std::move(conflict), saw + " " + had + " before.");
    add_adds(setter_.member, conflict);
    return fail(std::move(conflict), fmt::format("{} {} before {}, which that read saw, was added.",
                                                 saw, had, name(setter_.member)));
  }

  /// A read had returned before the first add was called of a member that it shows, or before a
  /// read was called that shows less.
  bool fail_backwards(std::size_t r) {
    std::vector<std::uint32_t> conflict{reads_[r].operation};
    if (setter_.member != kNone) {
      add_adds(setter_.member, conflict);
      return fail(std::move(conflict), fmt::format("{} saw the member {} before anybody added it.",
                                                   who(r), name(setter_.member)));
    }
    const std::uint32_t gone = first_only_in(reads_[r].members, reads_[setter_.read].members);
    conflict.push_back(setter_.operation);
    add_adds(gone, conflict);
    return fail(std::move(conflict),
                fmt::format("{} did not see the member {} although {} had seen it before.",
                            who(setter_.read), name(gone), who(r)));
  }

  bool fail(std::vector<std::uint32_t> conflict, std::string reason) {
    std::sort(conflict.begin(), conflict.end());
    result_.conflict = std::move(conflict);
    result_.reason = std::move(reason);
    return false;
  }

  void add_adds(std::uint32_t member, std::vector<std::uint32_t>& conflict) const {
    conflict.insert(conflict.end(), adds_[member].begin(), adds_[member].end());
  }

  std::string who(std::size_t read) const {
    return fmt::format("client {}", operations_[reads_[read].operation].client);
  }
  const std::string& name(std::uint32_t member) const { return *names_[member]; }

  const Texts& texts_;
  std::span<const Operation> operations_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<const std::string*> names_;         ///< by member
  std::vector<std::vector<std::uint32_t>> adds_;  ///< by member
  std::vector<Read> reads_;                       ///< by size, once gathered
  Setter setter_;
  GrowSetResult result_;
};

}  // namespace

GrowSetResult check_grow_set(const Texts& texts, std::span<const Operation> operations) {
  return GrowSet(texts, operations).run();
}

}  // namespace parallax::checker
