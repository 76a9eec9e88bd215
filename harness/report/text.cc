#include "harness/report/text.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace parallax::harness {
namespace {

using checker::Operation;
using checker::OperationKind;
using checker::Text;
using checker::Texts;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::size_t kValueBytes = 20;

/// How many bytes the character at the beginning has; 0 if it is none (Unicode 15, table 3-7).
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xC2   ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  const unsigned char least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < least || byte(1) > most) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

/// Calls `take` with each character, and with U+FFFD for what is none.
template <class Take>
void for_each_character(std::string_view text, Take take) {
  while (!text.empty()) {
    const std::size_t length = character(text);
    const auto first = static_cast<unsigned char>(text.front());
    const bool control = (first < 0x20 && first != '\n' && first != '\t') || first == 0x7F;
    take(length == 0 || control ? kReplacement : text.substr(0, length));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

std::string show(const Texts& texts, Text value) {
  if (value == checker::kNothing) return "?";
  if (value == checker::kAbsent) return "nothing";
  const std::string_view text = texts[value];
  if (text.empty()) return "\"\"";
  if (text.size() <= kValueBytes) return std::string(text);
  // The end of a long text is where two of them differ.
  return fmt::format("…{}", text.substr(text.size() - kValueBytes + 4));
}

}  // namespace

std::string html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_character(text, [&](std::string_view c) {
    if (c == "<") {
      out += "&lt;";
    } else if (c == ">") {
      out += "&gt;";
    } else if (c == "&") {
      out += "&amp;";
    } else if (c == "\"") {
      out += "&quot;";
    } else if (c == "'") {
      out += "&#39;";
    } else {
      out += c;
    }
  });
  return out;
}

std::string script_string(std::string_view text) {
  std::string out = "\"";
  for_each_character(text, [&](std::string_view c) {
    // < and > could end the script or begin a comment of HTML; & is for readers of XHTML.
    if (c == "<" || c == ">" || c == "&") {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c.front()));
    } else if (c == "\"" || c == "\\") {
      out += fmt::format("\\{}", c);
    } else if (c == "\n") {
      out += "\\n";
    } else if (c == "\t") {
      out += "\\t";
    } else {
      out += c;
    }
  });
  return out + "\"";
}

std::string clipped(std::string_view text, std::size_t most_bytes) {
  if (text.size() <= most_bytes) return std::string(text);
  std::size_t end = most_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return fmt::format("{}… ({} more bytes)", text.substr(0, end), grouped(text.size() - end));
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string short_duration(std::int64_t ns) {
  struct Unit {
    double ns;
    std::string_view name;
  };
  constexpr std::array kUnits{Unit{1e9, "s"}, Unit{1e6, "ms"}, Unit{1e3, "µs"}};
  for (const auto& [unit_ns, name] : kUnits) {
    const double number = static_cast<double>(ns) / unit_ns;
    if (number >= 100) return fmt::format("{:.0f} {}", number, name);
    if (number >= 1) return fmt::format("{:.3g} {}", number, name);
  }
  return fmt::format("{} ns", ns);
}

std::string percent(std::uint64_t part, std::uint64_t all) {
  if (all == 0) return "–";
  if (part == 0) return "0 %";
  if (part == all) return "100 %";
  const double share = 100.0 * static_cast<double>(part) / static_cast<double>(all);
  return fmt::format("{:.2f} %", std::clamp(share, 0.01, 99.99));
}

std::string short_label(const Texts& texts, const Operation& operation) {
  switch (operation.kind) {
    case OperationKind::read:
      return "read " + show(texts, operation.result);
    case OperationKind::write:
      return "write " + show(texts, operation.value);
    case OperationKind::cas:
      return operation.outcome == checker::Outcome::mismatch
                 ? fmt::format("cas {} ≠ {}", show(texts, operation.expected),
                               show(texts, operation.result))
                 : fmt::format("cas {} → {}", show(texts, operation.expected),
                               show(texts, operation.value));
    case OperationKind::increment:
      return "+" + (operation.value == checker::kNothing ? "1" : show(texts, operation.value));
    case OperationKind::append:
      return "append " + show(texts, operation.value);
    case OperationKind::add:
      return "add " + show(texts, operation.value);
    case OperationKind::remove:
    case OperationKind::txn:
    case OperationKind::scan:
      break;
  }
  return std::string(to_string(operation.kind));
}

}  // namespace parallax::harness
