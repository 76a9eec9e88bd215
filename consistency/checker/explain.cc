// A counterexample in words.
#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "consistency/checker/counterexample.h"
#include "consistency/checker/model.h"

namespace parallax::checker {
namespace {

constexpr std::size_t kShownBytes = 48;

std::string verb(const Texts& texts, const Operation& operation) {
  const bool unknown = operation.outcome == Outcome::unknown;
  const std::string value = show_value(texts, operation.value);
  switch (operation.kind) {
    case OperationKind::read:
      return fmt::format("read {}", operation.result == kNothing
                                        ? "something"
                                        : show_value(texts, operation.result));
    case OperationKind::write:
      return fmt::format("{} {}", unknown ? "tried to write" : "wrote", value);
    case OperationKind::remove:
      return unknown ? "tried to delete" : "deleted";
    case OperationKind::append:
      return fmt::format("{} {}", unknown ? "tried to append" : "appended", value);
    case OperationKind::increment:
      return fmt::format("{} {}", unknown ? "tried to add" : "added",
                         operation.value == kNothing ? "1" : value);
    case OperationKind::add:
      return fmt::format("{} the member {}", unknown ? "tried to add" : "added", value);
    case OperationKind::cas: {
      const std::string expected = show_value(texts, operation.expected);
      if (operation.outcome == Outcome::mismatch) {
        return operation.result == kNothing
                   ? fmt::format("compared with {} and was told it is something else", expected)
                   : fmt::format("compared with {} and saw {}", expected,
                                 show_value(texts, operation.result));
      }
      return fmt::format("{} {} by {}", unknown ? "tried to replace" : "replaced", expected, value);
    }
    default:
      return std::string(to_string(operation.kind));
  }
}

std::string who(const Operation& operation) {
  return fmt::format("client {}", operation.client);
}

/// "client 1's write of 9".
std::string deed(const Texts& texts, const Operation& operation) {
  if (operation.kind == OperationKind::remove) return who(operation) + "'s delete";
  const bool read = operation.kind == OperationKind::read;
  return fmt::format("{}'s {} of {}", who(operation),
                     read                                   ? "read"
                     : operation.kind == OperationKind::cas ? "cas"
                                                            : "write",
                     show_value(texts, read ? operation.result : operation.value));
}

/// Explains reads and writes; what else there is gets the plain list.
class Reasons {
 public:
  Reasons(const Texts& texts, std::span<const Operation> operations, Text initial)
      : texts_(texts), operations_(operations), initial_(initial) {}

  /// One sentence, or the general one.
  std::string find() const {
    for (const Operation& operation : operations_) {
      const bool grows = operation.kind == OperationKind::append ||
                         operation.kind == OperationKind::increment ||
                         operation.kind == OperationKind::add;
      if (grows && operation.outcome != Outcome::failed) return general();
    }
    for (const auto reason : {&Reasons::from_nowhere, &Reasons::stale, &Reasons::backwards}) {
      for (const Operation& operation : operations_) {
        if (seen(operation) == kNothing) continue;
        if (std::string text = (this->*reason)(operation); !text.empty()) return text;
      }
    }
    return general();
  }

 private:
  static std::string general() { return "No order of them explains all their answers."; }

  static Text seen(const Operation& operation) {
    if (operation.outcome == Outcome::unknown) return kNothing;
    if (operation.result != kNothing) return operation.result;
    return operation.kind == OperationKind::cas && operation.outcome == Outcome::ok
               ? operation.expected
               : kNothing;
  }
  static Text given(const Operation& operation) {
    if (is_pure(operation)) return kNothing;
    return operation.kind == OperationKind::remove ? kAbsent : operation.value;
  }
  static std::int64_t end(const Operation& operation) {
    return operation.outcome == Outcome::unknown ? kNever : operation.return_ns;
  }
  static bool before(const Operation& a, const Operation& b) { return end(a) < b.call_ns; }

  std::string saw(const Operation& operation) const {
    return fmt::format("{} {} {}", who(operation),
                       operation.kind == OperationKind::read ? "read" : "saw",
                       show_value(texts_, seen(operation)));
  }

  std::string from_nowhere(const Operation& read) const {
    if (seen(read) == initial_) return {};
    const Operation* writer = nullptr;
    for (const Operation& operation : operations_) {
      if (given(operation) != seen(read)) continue;
      if (!before(read, operation)) return {};
      writer = &operation;
    }
    if (writer == nullptr) return saw(read) + ", which nobody wrote.";
    return fmt::format("{} {} before {} began.", saw(read),
                       describe_duration(writer->call_ns - read.return_ns), deed(texts_, *writer));
  }

  /// Something else was written after everybody who wrote what was seen, and before it was seen.
  std::string stale(const Operation& read) const {
    for (const Operation& newer : operations_) {
      const Text value = given(newer);
      if (value == kNothing || value == seen(read) || !before(newer, read)) continue;
      const bool last = std::none_of(
          operations_.begin(), operations_.end(),
          [&](const Operation& o) { return given(o) == seen(read) && !before(o, newer); });
      if (!last) continue;
      return fmt::format("{} although {} had completed {} before that began.", saw(read),
                         deed(texts_, newer), describe_duration(read.call_ns - newer.return_ns));
    }
    return {};
  }

  /// Somebody had seen what came later.
  std::string backwards(const Operation& read) const {
    for (const Operation& other : operations_) {
      const Text newer = seen(other);
      if (newer == kNothing || newer == seen(read) || !before(other, read)) continue;
      const bool later =
          std::any_of(operations_.begin(), operations_.end(), [&](const Operation& o) {
            const bool old = given(o) == seen(read) || seen(o) == seen(read);
            return old &&
                   std::any_of(operations_.begin(), operations_.end(), [&](const Operation& n) {
                     return (given(n) == newer || seen(n) == newer) && before(o, n);
                   });
          });
      if (!later) continue;
      return fmt::format("{} although {} had seen {} {} before that began.", saw(read), who(other),
                         show_value(texts_, newer),
                         describe_duration(read.call_ns - other.return_ns));
    }
    return {};
  }

  const Texts& texts_;
  std::span<const Operation> operations_;
  Text initial_;
};

}  // namespace

std::string show_value(const Texts& texts, Text value) {
  if (value == kAbsent) return "nothing";
  const std::string_view text = texts[value];
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (plain && text.size() <= kShownBytes) return std::string(text);
  if (text.size() <= kShownBytes) return fmt::format("\"{}\"", text);
  // The end of a long text is where two of them differ.
  return fmt::format("\"...{}\" ({} bytes)", text.substr(text.size() - kShownBytes), text.size());
}

std::string describe_duration(std::int64_t ns) {
  const auto number = static_cast<double>(ns);
  if (ns < 10'000) return fmt::format("{} ns", ns);
  if (ns < 10'000'000) return fmt::format("{:.4g} us", number / 1e3);
  if (ns < 10'000'000'000) return fmt::format("{:.4g} ms", number / 1e6);
  return fmt::format("{:.4g} s", number / 1e9);
}

std::string describe(const Texts& texts, const Operation& operation) {
  std::string text = who(operation) + " " + verb(texts, operation);
  if (operation.node != kNoNode) text += fmt::format(" at n{}", operation.node);
  return text;
}

std::string explain(const Texts& texts, std::span<const Operation> operations, Text initial,
                    const std::string& reason) {
  const std::int64_t start = operations.empty() ? 0 : operations.front().call_ns;
  std::string text = fmt::format(
      "Key \"{}\" is not linearizable: {}\n", texts[operations.front().key],
      operations.size() == 1
          ? std::string("one operation is impossible by itself.")
          : fmt::format("these {} operations contradict each other.", operations.size()));
  text += (reason.empty() ? Reasons(texts, operations, initial).find() : reason) + "\n\n";
  for (const Operation& operation : operations) {
    const std::string begin = describe_duration(operation.call_ns - start);
    text += operation.outcome == Outcome::unknown
                ? fmt::format("  {}, from {}, outcome open\n", describe(texts, operation), begin)
                : fmt::format("  {}, from {} to {}\n", describe(texts, operation), begin,
                              describe_duration(operation.return_ns - start));
  }
  text += fmt::format("  (0 is {} ns; the key began with {})\n", start, show_value(texts, initial));
  const std::string picture = draw(texts, operations);
  if (!picture.empty()) text += "\n" + picture;
  return text;
}

}  // namespace parallax::checker
