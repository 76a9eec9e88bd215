#include "client/cli/table.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax::cli {

std::string paint(std::string_view text, Tone tone, bool colour) {
  if (!colour || tone == Tone::plain || text.empty()) return std::string(text);
  const char* code = "";
  switch (tone) {
    case Tone::plain:
      break;
    case Tone::strong:
      code = "1";
      break;
    case Tone::good:
      code = "32";
      break;
    case Tone::bad:
      code = "31";
      break;
    case Tone::faint:
      code = "2";
      break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;  // not a continuation byte
  }));
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

void Table::add(std::vector<Cell> row) {
  PARALLAX_ASSERT(row.size() == columns_.size(), "{} cells for {} columns", row.size(),
                  columns_.size());
  for (Cell& cell : row) cell.text = printable(cell.text);
  rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    if (!taken_widths_.empty()) width = std::max(width, taken_widths_[i]);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
  }
  return widths;
}

std::string Table::to_string(bool colour) const {
  return lines(widths(), true, colour);
}

std::string Table::take(bool colour) {
  const bool first = taken_widths_.empty();
  taken_widths_ = widths();
  std::string out = lines(taken_widths_, first, colour);
  rows_.clear();
  return out;
}

std::string Table::lines(const std::vector<std::size_t>& widths, bool titles, bool colour) const {
  std::string out;
  const auto line = [&](const auto& text_of, const auto& tone_of) {
    std::string text;
    std::size_t owed = 0;  // spaces that are written only when something follows them
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = text_of(i);
      const std::size_t padding = widths[i] - display_width(cell);
      const bool right = columns_[i].align == Align::right;
      owed += (i == 0 ? 0 : 2) + (right ? padding : 0);
      if (!cell.empty()) {
        text += std::string(owed, ' ') + paint(cell, tone_of(i), colour);
        owed = 0;
      }
      if (!right) owed += padding;
    }
    out += text + '\n';
  };
  if (titles) {
    line([&](std::size_t i) -> const std::string& { return columns_[i].title; },
         [](std::size_t) { return Tone::faint; });
  }
  for (const auto& row : rows_) {
    line([&](std::size_t i) -> const std::string& { return row[i].text; },
         [&](std::size_t i) { return row[i].tone; });
  }
  return out;
}

}  // namespace parallax::cli
