// EDN, the notation of Clojure's data, as far as recorded histories use it.
//
// Source: github.com/edn-format/edn. Numbers, symbols, true and false are kept as their text; tags
// (#inst) are skipped, what they tag is kept; sets are lists. Comments are skipped.
//
// What it does not do: characters (\a), #_, metadata, checks of symbols' letters.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace parallax::checker {

struct EdnValue {
  enum class Kind : unsigned char {
    nil,
    word,     ///< a number, a symbol, true or false
    keyword,  ///< without its colon
    text,     ///< a string, with escapes resolved
    list,     ///< a vector, list or set
    map,      ///< `items` are key, value, key, value ...
  };
  Kind kind = Kind::nil;
  std::string text = {};
  std::vector<EdnValue> items = {};

  bool is(Kind expected) const { return kind == expected; }
  /// The value at the keyword `name` of a map; nullptr if there is none.
  const EdnValue* at(std::string_view name) const;
};

/// Reads the maps of a text one after the other, be they inside of a vector or not. The text must
/// stay as long as the reader.
class EdnReader {
 public:
  explicit EdnReader(std::string_view text) : left_(text) {}
  /// The next map; nothing at the end. Errors: bad_request, without the line.
  Result<std::optional<EdnValue>> next();
  /// All values of a text that is not a list of maps.
  Result<std::vector<EdnValue>> rest();
  /// Where the last map began, from 1; after an error, where that is.
  std::size_t line() const { return line_of_value_; }

 private:
  void skip_space();
  Result<EdnValue> value(int depth);
  Result<EdnValue> items(char close, EdnValue::Kind kind, int depth);
  Result<EdnValue> string();
  Result<EdnValue> word();
  char take();

  std::string_view left_;
  std::size_t line_ = 1;
  std::size_t line_of_value_ = 1;
  std::string open_;  ///< what closes the lists that the maps are in
};

}  // namespace parallax::checker
