#include "consistency/checker/stamp_order.h"

#include <algorithm>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "clock/stamp.h"
#include "consistency/checker/by_key.h"
#include "consistency/checker/counterexample.h"

namespace parallax::checker {
namespace {

/// A completed operation and the version that it wrote or saw; an empty stamp is none.
struct Completed {
  const Operation* operation;
  Stamp stamp;
};

bool is_read(const Operation& operation) {
  return operation.kind == OperationKind::read || operation.outcome == Outcome::mismatch;
}

/// As in the ETag header too, with its quotes.
std::optional<Stamp> parse_stamp(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  return Stamp::parse(text);
}

class Check {
 public:
  Check(const Texts& texts, StampRule rule) : texts_(texts), rule_(rule) {}

  void judge(std::span<const Operation> operations) {
    before_.clear();
    reads_.clear();
    for (const Operation& operation : operations) add(operation);
    std::sort(before_.begin(), before_.end(), [](const Completed& a, const Completed& b) {
      return a.operation->return_ns < b.operation->return_ns;
    });
    std::sort(reads_.begin(), reads_.end(), [](const Completed& a, const Completed& b) {
      return a.operation->call_ns < b.operation->call_ns;
    });
    const Completed* newest = nullptr;
    auto next = before_.begin();
    for (const Completed& read : reads_) {
      for (; next != before_.end() && next->operation->return_ns < read.operation->call_ns;
           ++next) {
        if (newest == nullptr || newest->stamp < next->stamp) newest = &*next;
      }
      ++result_.reads;
      if (newest != nullptr && read.stamp < newest->stamp) offer(*newest, read);
    }
  }

  StampOrderResult take() {
    if (result_.too_old > 0) {
      result_.verdict = Verdict::no;
      tell();
    } else if (unjudged_ > 0) {
      result_.verdict = Verdict::undecided;
      result_.reason = fmt::format("{} completed operations cannot be judged; the first of them {}",
                                   unjudged_, why_);
    }
    return std::move(result_);
  }

 private:
  void add(const Operation& operation) {
    if (operation.outcome == Outcome::failed || operation.outcome == Outcome::unknown) return;
    if (operation.kind >= OperationKind::txn) {
      return unjudged(operation, "is of more than one key, which has no one stamp");
    }
    if (operation.return_ns < operation.call_ns) {
      return unjudged(operation, "returned before its call");
    }
    Stamp stamp;
    if (operation.stamp > kAbsent) {
      const std::optional<Stamp> parsed = parse_stamp(texts_[operation.stamp]);
      if (!parsed) {
        return unjudged(operation, fmt::format("has the stamp \"{}\"; it must be HLC-NODE",
                                               texts_[operation.stamp]));
      }
      stamp = *parsed;
    } else if (!is_read(operation) || operation.result != kAbsent) {
      return unjudged(operation, "has no stamp");
    }
    if (is_read(operation)) reads_.push_back({&operation, stamp});
    if (!stamp.empty() && (!is_read(operation) || rule_ == StampRule::atomic)) {
      before_.push_back({&operation, stamp});
    }
  }

  void unjudged(const Operation& operation, std::string_view why) {
    if (unjudged_++ == 0) why_ = fmt::format("{} ({})", why, describe(texts_, operation));
  }

  void offer(const Completed& earlier, const Completed& read) {
    ++result_.too_old;
    const auto& kept = result_.witness;
    if (kept && kept->read.return_ns <= read.operation->return_ns) return;
    result_.witness = {*earlier.operation, *read.operation, {}};
  }

  static std::string at(const Operation& operation) {
    return operation.node == kNoNode ? "" : fmt::format(" at n{}", operation.node);
  }

  void tell() {
    StampWitness& witness = *result_.witness;
    const Operation& read = witness.read;
    const Operation& earlier = witness.earlier;
    const std::string_view verb = read.kind == OperationKind::read ? "read" : "saw";
    const std::string shown =
        read.stamp > kAbsent ? std::string(texts_[read.stamp]) : std::string("no version");
    witness.text = fmt::format(
        "Key \"{}\": client {} {} {}{} although client {}'s {} of {}{} had completed {} before the "
        "{} began.",
        texts_[read.key], read.client, verb, shown, at(read), earlier.client,
        to_string(earlier.kind), texts_[earlier.stamp], at(earlier),
        describe_duration(read.call_ns - earlier.return_ns), to_string(read.kind));
  }

  const Texts& texts_;
  StampRule rule_;
  std::vector<Completed> before_;  ///< what reads may not be below
  std::vector<Completed> reads_;
  std::size_t unjudged_ = 0;
  std::string why_;  ///< the first of those cannot
  StampOrderResult result_;
};

}  // namespace

StampOrderResult check_stamp_order(const History& history, StampRule rule) {
  Check check(history.texts, rule);
  const OperationsByKey by_key = split_by_key(history);
  for (const auto& operations : by_key.parts) check.judge(operations);
  return check.take();
}

}  // namespace parallax::checker
