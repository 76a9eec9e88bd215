#include "consistency/checker/log_order.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "clock/stamp.h"
#include "consistency/checker/counterexample.h"

namespace parallax::checker {
namespace {

using Position = std::uint64_t;                 ///< in the log, from 1; 0 is before all of it
constexpr std::uint32_t kNobody = 0xffff'ffff;  ///< no operation
constexpr Position kEnd = std::numeric_limits<Position>::max();

bool is_write(const Operation& o) {
  const bool effect = o.kind == OperationKind::write || o.kind == OperationKind::cas ||
                      o.kind == OperationKind::remove;
  return effect && (o.outcome == Outcome::ok || o.outcome == Outcome::unknown);
}
Text given(const Operation& o) {
  return o.kind == OperationKind::remove ? kAbsent : o.value;
}
/// What a read, or a comparison that answered mismatch, showed; kNothing if nothing.
Text shown(const Operation& o) {
  const bool reads =
      (o.kind == OperationKind::read && o.outcome == Outcome::ok) || o.outcome == Outcome::mismatch;
  return reads ? o.result : kNothing;
}

/// One version of a key.
struct Version {
  Position from;
  Position upto = kEnd;                   ///< where the next one begins
  std::uint32_t writer = kNobody;         ///< an operation, if one is known
  std::int64_t surely_after_ns = kNever;  ///< when it, or a later one, was acknowledged
};

std::uint64_t name(Text key, Text value) {
  return std::uint64_t{key.value} << 32 | value.value;
}

class LogCheck {
 public:
  LogCheck(const History& history, const std::vector<LogEntry>& log, const LogOptions& options)
      : history_(history), options_(options) {
    initial_ = kAbsent;
    if (options.initial) {
      initial_ = history.texts.find(*options.initial).value_or(Text{0xffff'ffff});
    }
    for (std::size_t i = 0; i < log.size(); ++i) {
      auto& versions = versions_of(log[i].key);
      versions.back().upto = i + 1;
      places_[name(log[i].key, log[i].value)].push_back(
          static_cast<std::uint32_t>(versions.size()));
      versions.push_back({.from = i + 1});
    }
    find_writers();
  }

  LogResult run() {
    result_.prefix = result_.bounded = Verdict::yes;
    for (auto& [observer, operations] : observers()) follow(operations);
    if (result_.prefix_witness) result_.prefix = Verdict::no;
    if (result_.bounded_witness) result_.bounded = Verdict::no;
    return std::move(result_);
  }

 private:
  std::vector<Version>& versions_of(Text key) {
    auto [found, fresh] = versions_.try_emplace(key.value);
    if (fresh) found->second.push_back({.from = 0});
    return found->second;
  }
  const Operation& at(std::uint32_t i) const { return history_.operations[i]; }

  void find_writers() {
    std::unordered_map<std::uint64_t, std::size_t> used;
    for (std::uint32_t i = 0; i < history_.operations.size(); ++i) {
      const Operation& o = at(i);
      if (!is_write(o)) continue;
      const auto found = places_.find(name(o.key, given(o)));
      if (found == places_.end()) continue;
      // Of several equal values nobody knows which write is which.
      if (found->second.size() > 1) continue;
      Version& version = versions_of(o.key)[found->second.front()];
      version.writer = i;
      if (o.outcome == Outcome::ok) version.surely_after_ns = o.return_ns;
    }
    for (auto& [key, versions] : versions_) {
      std::int64_t earliest = kNever;
      for (std::size_t i = versions.size(); i-- > 0;) {
        earliest = std::min(earliest, versions[i].surely_after_ns);
        versions[i].surely_after_ns = earliest;
      }
    }
  }

  /// The operations of each, by call.
  std::map<std::pair<bool, std::uint32_t>, std::vector<std::uint32_t>> observers() const {
    std::map<std::pair<bool, std::uint32_t>, std::vector<std::uint32_t>> all;
    for (std::uint32_t i = 0; i < history_.operations.size(); ++i) {
      const Operation& o = at(i);
      const bool acknowledged = is_write(o) && o.outcome == Outcome::ok;
      if (shown(o) == kNothing && !acknowledged) continue;
      if (options_.observer == Observer::node) {
        all[{false, o.node.value}].push_back(i);
      } else if (o.session != kNothing) {
        all[{true, o.session.value}].push_back(i);
      } else {
        all[{false, o.client}].push_back(i);
      }
    }
    for (auto& [observer, operations] : all) {
      std::stable_sort(operations.begin(), operations.end(), [&](std::uint32_t a, std::uint32_t b) {
        return at(a).call_ns != at(b).call_ns ? at(a).call_ns < at(b).call_ns
                                              : at(a).return_ns < at(b).return_ns;
      });
    }
    return all;
  }

  /// The least place at which later operations can stand, and the operation that says so.
  struct Floor {
    Position position = 0;
    std::uint32_t operation = kNobody;
    void raise(Position to, std::uint32_t by) {
      if (to <= position) return;
      position = to;
      operation = by;
    }
  };

  void follow(const std::vector<std::uint32_t>& operations) {
    struct Waiting {
      std::int64_t returns;
      Position position;
      std::uint32_t operation;
    };
    const auto later = [](const Waiting& a, const Waiting& b) { return a.returns > b.returns; };
    std::vector<Waiting> running;
    Floor floor;
    for (const std::uint32_t i : operations) {
      const Operation& o = at(i);
      // A session is sequential even where its operations touch.
      const std::int64_t now = options_.observer == Observer::session ? kNever : o.call_ns;
      while (!running.empty() && running.front().returns < now) {
        floor.raise(running.front().position, running.front().operation);
        std::pop_heap(running.begin(), running.end(), later);
        running.pop_back();
      }
      std::optional<Position> stands;
      if (shown(o) != kNothing) {
        stands = stand(i, floor);
      } else if (options_.own_writes && options_.observer == Observer::session) {
        const auto found = places_.find(name(o.key, given(o)));
        if (found != places_.end() && found->second.size() == 1) {
          stands = versions_of(o.key)[found->second.front()].from;
        }
      }
      if (!stands) continue;
      running.push_back({o.return_ns, *stands, i});
      std::push_heap(running.begin(), running.end(), later);
    }
  }

  /// Where a read stands; nothing if it cannot.
  std::optional<Position> stand(std::uint32_t read, const Floor& floor) {
    ++result_.reads;
    const Operation& o = at(read);
    const auto& versions = versions_of(o.key);
    const auto found = places_.find(name(o.key, shown(o)));
    std::vector<std::uint32_t> places;
    if (shown(o) == initial_) places.push_back(0);
    if (found != places_.end()) {
      places.insert(places.end(), found->second.begin(), found->second.end());
    }
    if (places.empty()) {
      fail_prefix("NotInLog", {read}, fmt::format("{}, which the log does not have.", says(read)));
      return std::nullopt;
    }
    const auto fits = [&](std::uint32_t p) { return versions[p].upto > floor.position; };
    const auto in_time = [&](std::uint32_t p) {
      return versions[p].writer == kNobody || at(versions[p].writer).call_ns <= o.return_ns;
    };
    auto place = std::find_if(places.begin(), places.end(),
                              [&](std::uint32_t p) { return fits(p) && in_time(p); });
    if (place == places.end()) {
      place = std::find_if(places.begin(), places.end(), fits);
      if (place != places.end()) {
        const std::uint32_t writer = versions[*place].writer;
        fail_prefix("FromTheFuture", {writer, read},
                    fmt::format("{} {} before that write was called.", says(read),
                                describe_duration(at(writer).call_ns - o.return_ns)));
      }
    }
    if (place == places.end()) {
      const Version& last = versions[places.back()];
      const Version& next = versions[places.back() + 1];
      std::vector<std::uint32_t> part{floor.operation, read};
      for (const std::uint32_t writer : {last.writer, next.writer}) {
        if (writer != kNobody) part.push_back(writer);
      }
      fail_prefix("GoesBack", std::move(part),
                  fmt::format("{}, which the log replaces at {}, although {}, which is at {} or "
                              "later.",
                              says(read), last.upto, says(floor.operation), floor.position));
      measure(read, versions, places.back());
      return std::nullopt;
    }
    // Behind as little as the value allows.
    measure(read, versions, places.back());
    return std::max(versions[*place].from, floor.position);
  }

  void measure(std::uint32_t read, const std::vector<Version>& versions, std::uint32_t place) {
    const Operation& o = at(read);
    const auto newer = versions.begin() + place + 1;
    const auto end = std::partition_point(
        newer, versions.end(), [&](const Version& v) { return v.surely_after_ns < o.call_ns; });
    const auto behind = static_cast<std::uint64_t>(end - newer);
    const std::int64_t age = behind == 0 ? 0 : o.call_ns - newer->surely_after_ns;
    const bool too_many = options_.max_versions && behind > *options_.max_versions;
    const bool too_old = options_.max_age_ns && age > *options_.max_age_ns;
    const bool worst = behind > result_.worst_versions || age > result_.worst_age_ns;
    result_.worst_versions = std::max(result_.worst_versions, behind);
    result_.worst_age_ns = std::max(result_.worst_age_ns, age);
    if (!(too_many || too_old) || (result_.bounded_witness && !worst)) return;
    std::vector<std::uint32_t> part{read};
    if (newer->writer != kNobody) part.push_back(newer->writer);
    result_.bounded_witness = make("TooStale", std::move(part),
                                   fmt::format("{}, {} versions behind and replaced {} before the "
                                               "read began.",
                                               says(read), behind, describe_duration(age)));
  }

  std::string says(std::uint32_t operation) const {
    return fmt::format("{} of \"{}\"", describe(history_.texts, at(operation)),
                       history_.texts[at(operation).key]);
  }
  Witness make(std::string_view pattern, std::vector<std::uint32_t> operations,
               const std::string& sentence) const {
    std::sort(operations.begin(), operations.end());
    operations.erase(std::unique(operations.begin(), operations.end()), operations.end());
    return {.pattern = std::string(pattern),
            .part = extract(history_, operations),
            .text = fmt::format("{}: {}\n", pattern, sentence)};
  }
  void fail_prefix(std::string_view pattern, std::vector<std::uint32_t> operations,
                   const std::string& sentence) {
    if (!result_.prefix_witness) {
      result_.prefix_witness = make(pattern, std::move(operations), sentence);
    }
  }

  const History& history_;
  const LogOptions& options_;
  Text initial_;
  std::unordered_map<std::uint32_t, std::vector<Version>> versions_;  ///< by key; first the initial
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> places_;  ///< by key and value
  LogResult result_;
};

}  // namespace

Result<std::vector<LogEntry>> log_by_stamps(const History& history) {
  std::vector<std::pair<Stamp, LogEntry>> stamped;
  for (const Operation& o : history.operations) {
    if (!is_write(o)) continue;
    const auto stamp = Stamp::parse(history.texts[o.stamp]);
    if (stamp) {
      stamped.emplace_back(*stamp, LogEntry{o.key, given(o)});
    } else if (o.outcome == Outcome::ok) {
      return definite(
          ErrorCode::bad_request,
          fmt::format("client {}'s write called at {} ns has no stamp", o.client, o.call_ns));
    }
  }
  std::sort(stamped.begin(), stamped.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<LogEntry> log;
  log.reserve(stamped.size());
  for (const auto& [stamp, entry] : stamped) log.push_back(entry);
  return log;
}

LogResult check_against_log(const History& history, const std::vector<LogEntry>& log,
                            const LogOptions& options) {
  for (const Operation& o : history.operations) {
    if (o.outcome == Outcome::failed || o.kind < OperationKind::increment) continue;
    LogResult refused;
    refused.reason = fmt::format("client {} has a {}; only reads and whole writes are judged",
                                 o.client, to_string(o.kind));
    return refused;
  }
  return LogCheck(history, log, options).run();
}

}  // namespace parallax::checker
