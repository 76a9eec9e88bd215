#include "clock/stamp.h"

#include <charconv>
#include <limits>

namespace parallax {
namespace {

/// A whole decimal number as to_chars prints it; nothing for anything else.
template <class Number>
std::optional<Number> parse_number(std::string_view digits) {
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  Number number{};
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

}  // namespace

std::string Stamp::to_string() const {
  std::string text;
  append_to(text);
  return text;
}

void Stamp::append_to(std::string& out) const {
  // An ETag goes out with every answer, so no format string here.
  constexpr std::size_t kHlcDigits = std::numeric_limits<std::uint64_t>::digits10 + 1;
  constexpr std::size_t kNodeDigits = std::numeric_limits<std::uint32_t>::digits10 + 1;
  char text[kHlcDigits + 1 + kNodeDigits];
  char* end = std::to_chars(text, text + kHlcDigits, hlc.value).ptr;
  *end++ = '-';
  end = std::to_chars(end, end + kNodeDigits, node.value).ptr;
  out.append(text, static_cast<std::size_t>(end - text));
}

std::optional<Stamp> Stamp::parse(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto hlc = parse_number<std::uint64_t>(text.substr(0, dash));
  const auto node = parse_number<std::uint32_t>(text.substr(dash + 1));
  if (!hlc || !node || *hlc == 0 || *node == 0) return std::nullopt;
  return Stamp{Hlc{*hlc}, NodeId{*node}};
}

}  // namespace parallax
