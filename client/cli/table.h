// Aligned tables for people. A value that turns into text; it does not know the terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace parallax::cli {

enum class Tone { plain, strong, good, bad, faint };

/// `text` in the colour of `tone` (ANSI), or as it is when `colour` is false.
std::string paint(std::string_view text, Tone tone, bool colour);

struct Cell {
  std::string text;
  Tone tone = Tone::plain;
  Cell(std::string t, Tone of = Tone::plain) : text(std::move(t)), tone(of) {}  // NOLINT
  Cell(const char* t) : text(t) {}                                              // NOLINT
};

/// How many columns UTF-8 `text` takes, one per code point.
std::size_t display_width(std::string_view text);
/// `text` with control characters replaced, so that stored bytes cannot drive a terminal.
std::string printable(std::string_view text);

class Table {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One cell per column.
  void add(std::vector<Cell> row);
  /// A title line and one line per row, columns two spaces apart, no trailing spaces.
  std::string to_string(bool colour) const;
  /// For a table that is longer than should be kept: the rows so far, which are forgotten then. The
  /// titles come the first time alone, and no column gets narrower from one part to the next.
  std::string take(bool colour);

 private:
  std::string lines(const std::vector<std::size_t>& widths, bool titles, bool colour) const;
  std::vector<std::size_t> widths() const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
  std::vector<std::size_t> taken_widths_;  ///< of the parts so far; empty before the first
};

}  // namespace parallax::cli
