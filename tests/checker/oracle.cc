#include "tests/checker/oracle.h"

#include <algorithm>
#include <cstdlib>
#include <set>

namespace parallax::checker {
namespace {

using Value = std::optional<std::string>;

struct Event {
  OperationKind kind;
  Outcome outcome;
  Value value, expected, result;
  bool shows = false;
  std::int64_t call, end;
  bool placed = false;
};

bool number(const std::string& text, long long& out) {
  if (text.empty()) return false;
  char* end = nullptr;
  out = std::strtoll(text.c_str(), &end, 10);
  return *end == '\0';
}

/// The members of "[\"a\",\"b\"]", and one more, in order.
std::string set_text(const std::string& set, const std::string& more) {
  std::set<std::string> members;
  for (std::size_t at = set.find('"'); at != set.npos; at = set.find('"', at)) {
    const std::size_t end = set.find('"', at + 1);
    members.insert(set.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  if (!more.empty()) members.insert(more);
  std::string text;
  for (const std::string& member : members) text += (text.empty() ? "[\"" : ",\"") + member + "\"";
  return text + "]";
}

/// Lets the event happen to `value`; false if it cannot have answered as it did.
bool take_effect(const Event& event, Value& value) {
  const bool unknown = event.outcome == Outcome::unknown;
  switch (event.kind) {
    case OperationKind::read:
      return value == event.result;
    case OperationKind::write:
      value = event.value;
      return true;
    case OperationKind::remove:
      value.reset();
      return true;
    case OperationKind::cas:
      if (event.outcome == Outcome::mismatch) {
        return value != event.expected && (!event.shows || value == event.result);
      }
      if (value != event.expected) return unknown;
      value = event.value;
      return true;
    case OperationKind::append:
      value = value.value_or("") + *event.value;
      return unknown || !event.shows || value == event.result;
    case OperationKind::add:
      if (value && value->front() != '[') return unknown;
      value = set_text(value.value_or("[]"), *event.value);
      return unknown || !event.shows || value == event.result;
    case OperationKind::increment: {
      long long before = 0, by = 0;
      if (!number(value.value_or("0"), before) || !number(*event.value, by)) return unknown;
      value = std::to_string(before + by);
      return unknown || !event.shows || value == event.result;
    }
    default:
      return false;
  }
}

bool some_order(std::vector<Event>& events, std::size_t placed, const Value& value) {
  if (placed == events.size()) return true;
  for (Event& next : events) {
    if (next.placed) continue;
    bool first = true;
    for (const Event& other : events) first = first && (other.placed || other.end >= next.call);
    Value after = value;
    if (!first || !take_effect(next, after)) continue;
    next.placed = true;
    const bool found = some_order(events, placed + 1, after);
    next.placed = false;
    if (found) return true;
  }
  return false;
}

}  // namespace

bool brute_force_linearizable(const Texts& texts, const std::vector<Operation>& operations,
                              std::optional<std::string> initial) {
  const bool sets = std::any_of(operations.begin(), operations.end(),
                                [](const Operation& o) { return o.kind == OperationKind::add; });
  const auto value = [&](Text text) {
    if (text <= kAbsent) return Value{};
    std::string content(texts[text]);
    if (!sets || content.front() != '[') return Value{content};
    content = set_text(content, "");
    return content == "]" ? Value{} : Value{content};
  };
  std::vector<Event> sure, maybe;
  for (const Operation& o : operations) {
    if (o.outcome == Outcome::failed) continue;
    const bool unknown = o.outcome == Outcome::unknown;
    if (unknown && o.kind == OperationKind::read) continue;
    (unknown ? maybe : sure)
        .push_back({o.kind, o.outcome, value(o.value), value(o.expected), value(o.result),
                    o.result != kNothing, o.call_ns, unknown ? kNever : o.return_ns});
  }
  for (std::size_t choice = 0; choice < std::size_t{1} << maybe.size(); ++choice) {
    std::vector<Event> events = sure;
    for (std::size_t i = 0; i < maybe.size(); ++i) {
      if (choice >> i & 1) events.push_back(maybe[i]);
    }
    if (some_order(events, 0, initial)) return true;
  }
  return false;
}

}  // namespace parallax::checker
