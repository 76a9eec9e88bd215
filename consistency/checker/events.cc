#include "consistency/checker/events.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include <fmt/format.h>

namespace parallax::checker {
namespace {

/// From a key and a value to the event that wrote it. Open addressing: a history has a million.
class Writers {
 public:
  explicit Writers(std::size_t writes) {
    std::size_t size = 16;
    while (size < writes * 2) size *= 2;
    slots_.assign(size, {0, kNoEvent});
  }
  void add(std::uint32_t key, Text value, EventId writer) {
    Slot& slot = find(key, value);
    slot = {name(key, value), slot.writer == kNoEvent ? writer : kUnresolved};
  }
  /// kNoEvent if nobody wrote it, kUnresolved if several did.
  EventId of(std::uint32_t key, Text value) { return find(key, value).writer; }

 private:
  struct Slot {
    std::uint64_t name;
    EventId writer;
  };
  static std::uint64_t name(std::uint32_t key, Text value) {
    return std::uint64_t{key} << 32 | value.value;
  }
  Slot& find(std::uint32_t key, Text value) {
    const std::uint64_t wanted = name(key, value);
    std::uint64_t hash = wanted * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
    std::size_t place = hash & (slots_.size() - 1);
    while (slots_[place].writer != kNoEvent && slots_[place].name != wanted) {
      place = (place + 1) & (slots_.size() - 1);
    }
    return slots_[place];
  }
  std::vector<Slot> slots_;
};

bool shows(const Operation& operation) {
  if (operation.outcome == Outcome::unknown || operation.outcome == Outcome::failed) return false;
  return operation.kind == OperationKind::read || operation.kind == OperationKind::cas;
}

bool gives(const Operation& operation) {
  if (operation.outcome != Outcome::ok && operation.outcome != Outcome::unknown) return false;
  return operation.kind == OperationKind::write || operation.kind == OperationKind::cas ||
         operation.kind == OperationKind::remove;
}

bool grows(const Operation& operation) {
  return (operation.kind == OperationKind::increment || operation.kind == OperationKind::append) &&
         operation.outcome != Outcome::failed;
}

class Builder {
 public:
  Builder(const History& history, const std::optional<std::string>& initial)
      : history_(history), initial_(initial_text(history, initial)) {}

  Events build() {
    events_.initial = initial_;
    check_kinds();
    if (events_.refused.empty()) split();
    if (events_.refused.empty()) connect();
    return std::move(events_);
  }

  static Text initial_text(const History& history, const std::optional<std::string>& initial) {
    if (!initial) return kAbsent;
    return history.texts.find(*initial).value_or(Text{0xffff'ffff});
  }

 private:
  struct Open {
    std::uint32_t operation, session;
    EventId parent;
  };
  const Operation& at(std::uint32_t operation) const { return history_.operations[operation]; }

  void check_kinds() {
    key_of_.assign(history_.texts.size(), kNoKey);
    for (const Operation& operation : history_.operations) {
      if (operation.outcome == Outcome::failed) continue;
      if (operation.kind == OperationKind::txn) {
        events_.refused =
            fmt::format("client {} has a txn, which is of more than one key", operation.client);
        return;
      }
      if (gives(operation) && given_by(operation) == kNothing) {
        events_.refused = fmt::format("client {} has a {} without a value", operation.client,
                                      to_string(operation.kind));
        return;
      }
      if (operation.kind == OperationKind::scan) {
        events_.left_out = "scans, which are of more than one key";
      } else if (grows(operation)) {
        key_of_[operation.key.value] = kGrowingKey;
        events_.left_out = "keys with increments or appends, whose values are not written whole";
      }
    }
  }

  bool counts(const Operation& operation) const {
    if (operation.outcome == Outcome::failed || operation.kind == OperationKind::scan) return false;
    if (key_of_[operation.key.value] == kGrowingKey) return false;
    return operation.outcome != Outcome::unknown || gives(operation);
  }

  std::uint32_t session_of(const Operation& operation) {
    if (operation.session != kNothing) {
      return named_.emplace(operation.session.value, sessions_).first->second;
    }
    return unnamed_.emplace(operation.client, sessions_).first->second;
  }

  /// Puts the operations of each session together, in order.
  void split() {
    std::vector<std::uint32_t> session(history_.operations.size(), kNoKey);
    std::vector<std::uint32_t> begin{0};
    for (std::uint32_t i = 0; i < history_.operations.size(); ++i) {
      if (!counts(at(i))) continue;
      session[i] = session_of(at(i));
      if (session[i] == sessions_) {
        ++sessions_;
        begin.push_back(0);
      }
      ++begin[session[i] + 1];
    }
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    order_.resize(begin.back());
    std::vector<std::uint32_t> place = begin;
    for (std::uint32_t i = 0; i < history_.operations.size(); ++i) {
      if (session[i] != kNoKey) order_[place[session[i]]++] = i;
    }
    for (std::uint32_t s = 0; s < sessions_ && events_.refused.empty(); ++s) {
      sort_session(std::span(order_).subspan(begin[s], begin[s + 1] - begin[s]));
    }
    session_begin_ = std::move(begin);
  }

  void sort_session(std::span<std::uint32_t> operations) {
    const auto earlier = [&](std::uint32_t a, std::uint32_t b) {
      const Operation& first = at(a);
      const Operation& second = at(b);
      if (first.call_ns != second.call_ns) return first.call_ns < second.call_ns;
      return end_of(first) != end_of(second) ? end_of(first) < end_of(second) : a < b;
    };
    if (!std::is_sorted(operations.begin(), operations.end(), earlier)) {
      std::sort(operations.begin(), operations.end(), earlier);
    }
    const Operation* last = nullptr;
    for (const std::uint32_t i : operations) {
      if (last != nullptr && at(i).call_ns < last->return_ns) {
        const std::string name = at(i).session == kNothing
                                     ? fmt::format("client {}", at(i).client)
                                     : fmt::format("session {}", history_.texts[at(i).session]);
        events_.refused = fmt::format(
            "{} called an operation at {} ns, before the one called at {} ns had returned: a "
            "session must be sequential",
            name, at(i).call_ns, last->call_ns);
        return;
      }
      if (at(i).outcome != Outcome::unknown) last = &at(i);
    }
  }
  static std::int64_t end_of(const Operation& operation) {
    return operation.outcome == Outcome::unknown ? kNever : operation.return_ns;
  }

  /// Makes the events: first those of known outcome, then the open ones that somebody read.
  void connect() {
    std::size_t writes = 0;
    for (const std::uint32_t i : order_) writes += gives(at(i)) ? 1 : 0;
    Writers writers(writes);
    events_.all.reserve(order_.size());
    std::vector<Open> open;
    for (std::uint32_t s = 0; s < sessions_; ++s) {
      const auto begin = static_cast<EventId>(events_.all.size());
      for (std::uint32_t i = session_begin_[s]; i < session_begin_[s + 1]; ++i) {
        const auto next = static_cast<EventId>(events_.all.size());
        if (at(order_[i]).outcome == Outcome::unknown) {
          open.push_back({order_[i], s, next == begin ? kNoEvent : next - 1});
        } else {
          add_event(order_[i], s, writers);
        }
      }
      events_.sessions.push_back({begin, static_cast<EventId>(events_.all.size())});
    }
    // An open write has its final place only if it is read: until then, a number past all.
    const auto closed = static_cast<EventId>(events_.all.size());
    events_.first_open = closed;
    for (std::size_t i = 0; i < open.size(); ++i) {
      const Operation& operation = at(open[i].operation);
      writers.add(key_index(operation.key), given_by(operation), static_cast<EventId>(closed + i));
    }
    std::vector<EventId> place(open.size(), kNoEvent);
    for (EventId e = 0; e < closed; ++e) {
      find_source(e, writers);
      EventId& source = events_.all[e].source;
      if (!is_event(source) || source < closed) continue;
      const Open& read = open[source - closed];
      EventId& mapped = place[source - closed];
      if (mapped == kNoEvent) mapped = add_open(read);
      events_.all[e].source = mapped;
    }
    // Somebody may have read these. If nobody did, they are where nobody sees them.
    for (std::size_t i = 0; i < open.size() && !events_.unresolved.empty(); ++i) {
      const Operation& operation = at(open[i].operation);
      const bool shared =
          writers.of(key_index(operation.key), given_by(operation)) == kUnresolved ||
          given_by(operation) == initial_;
      if (shared && place[i] == kNoEvent) add_open(open[i]);
    }
  }

  EventId add_open(const Open& write) {
    events_.all.push_back({.operation = write.operation,
                           .key = key_index(at(write.operation).key),
                           .session = write.session,
                           .writes = true,
                           .open = true});
    events_.open_parent.push_back(write.parent);
    return static_cast<EventId>(events_.all.size() - 1);
  }

  std::uint32_t key_index(Text key) {
    std::uint32_t& index = key_of_[key.value];
    if (index == kNoKey) {
      index = static_cast<std::uint32_t>(events_.keys.size());
      events_.keys.push_back(key);
    }
    return index;
  }

  void add_event(std::uint32_t i, std::uint32_t session, Writers& writers) {
    const Operation& operation = at(i);
    const std::uint32_t key = key_index(operation.key);
    if (gives(operation)) {
      writers.add(key, given_by(operation), static_cast<EventId>(events_.all.size()));
    }
    events_.all.push_back(
        {.operation = i, .key = key, .session = session, .writes = gives(operation)});
  }

  void find_source(EventId e, Writers& writers) {
    Event& event = events_.all[e];
    const Operation& operation = at(event.operation);
    if (!shows(operation)) return;
    const Text value = shown_by(operation);
    if (value == kNothing) return;
    event.source = writers.of(event.key, value);
    if (value == initial_) {
      event.source = event.source == kNoEvent ? kInitial : kUnresolved;
    } else if (event.source == kNoEvent) {
      event.source = kThinAir;
    } else if (event.source == e) {
      event.source = kThinAir;  // a compare-and-set that saw what it was only about to write
    }
    if (event.source == kUnresolved) events_.unresolved.push_back(e);
  }

  static constexpr std::uint32_t kNoKey = 0xffff'ffff;
  static constexpr std::uint32_t kGrowingKey = 0xffff'fffe;

  const History& history_;
  Text initial_;
  Events events_;
  std::vector<std::uint32_t> key_of_;  ///< by text
  std::unordered_map<std::uint32_t, std::uint32_t> named_, unnamed_;
  std::uint32_t sessions_ = 0;
  std::vector<std::uint32_t> order_;  ///< operations, session by session
  std::vector<std::uint32_t> session_begin_;
};

}  // namespace

Events make_events(const History& history, const std::optional<std::string>& initial) {
  return Builder(history, initial).build();
}

Text shown_by(const Operation& operation) {
  const bool swapped = operation.kind == OperationKind::cas && operation.outcome == Outcome::ok;
  return swapped ? operation.expected : operation.result;
}

Text given_by(const Operation& operation) {
  return operation.kind == OperationKind::remove ? kAbsent : operation.value;
}

Readers::Readers(const Events& events) : begin_(events.all.size() + 1, 0) {
  for (const Event& event : events.all) {
    if (is_event(event.source)) ++begin_[event.source + 1];
  }
  std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
  readers_.resize(begin_.back());
  std::vector<std::uint32_t> place(begin_.begin(), begin_.end() - 1);
  for (EventId e = 0; e < events.all.size(); ++e) {
    const EventId source = events.all[e].source;
    if (is_event(source)) readers_[place[source]++] = e;
  }
}

}  // namespace parallax::checker
