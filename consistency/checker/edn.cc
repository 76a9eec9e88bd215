#include "consistency/checker/edn.h"

#include <fmt/format.h>

namespace parallax::checker {
namespace {

constexpr int kDeepest = 32;

Error wrong(std::string message) {
  return definite(ErrorCode::bad_request, std::move(message));
}

char closer(char open) {
  return open == '[' ? ']' : open == '(' ? ')' : '}';
}

bool ends_word(char c) {
  return std::string_view(" \t\r\n,;\"()[]{}").find(c) != std::string_view::npos;
}

}  // namespace

const EdnValue* EdnValue::at(std::string_view name) const {
  if (kind != Kind::map) return nullptr;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].is(Kind::keyword) && items[i].text == name) return &items[i + 1];
  }
  return nullptr;
}

char EdnReader::take() {
  const char c = left_.front();
  left_.remove_prefix(1);
  if (c == '\n') ++line_;
  return c;
}

void EdnReader::skip_space() {
  while (!left_.empty()) {
    const char c = left_.front();
    if (c == ';') {
      while (!left_.empty() && left_.front() != '\n') left_.remove_prefix(1);
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',') {
      take();
    } else {
      return;
    }
  }
}

Result<std::optional<EdnValue>> EdnReader::next() {
  for (;;) {
    skip_space();
    line_of_value_ = line_;
    if (left_.empty()) {
      if (open_.empty()) return std::optional<EdnValue>{};
      return wrong(fmt::format("the text ends and a \"{}\" is missing", open_.back()));
    }
    const char c = left_.front();
    if (c == '[' || c == '(') {
      if (open_.size() >= kDeepest) return wrong("lists are nested too deep");
      open_ += closer(take());
    } else if (!open_.empty() && c == open_.back()) {
      take();
      open_.pop_back();
    } else {
      auto found = value(0);
      if (!found) {
        line_of_value_ = line_;
        return found.error();
      }
      if (!found->is(EdnValue::Kind::map)) return wrong("it is not a map, {:process 0, ...}");
      return std::optional<EdnValue>(std::move(*found));
    }
  }
}

Result<std::vector<EdnValue>> EdnReader::rest() {
  std::vector<EdnValue> values;
  for (skip_space(); !left_.empty(); skip_space()) {
    PARALLAX_ASSIGN(EdnValue next, value(0));
    values.push_back(std::move(next));
  }
  return values;
}

Result<EdnValue> EdnReader::value(int depth) {
  skip_space();
  if (left_.empty()) return wrong("the text ends where a value is missing");
  if (depth > kDeepest) return wrong("values are nested too deep");
  const char c = left_.front();
  if (c == '"') return string();
  if (c == '[' || c == '(') {
    return items(closer(take()), EdnValue::Kind::list, depth);
  }
  if (c == '{') {
    take();
    PARALLAX_ASSIGN(EdnValue map, items('}', EdnValue::Kind::map, depth));
    if (map.items.size() % 2 != 0) return wrong("a map has a key without a value");
    return map;
  }
  if (c != '#') return word();
  take();
  if (!left_.empty() && left_.front() == '{') {
    take();
    return items('}', EdnValue::Kind::list, depth);
  }
  if (left_.empty() || left_.front() == '_') return wrong("\"#\" must stand before a tag or set");
  PARALLAX_TRY(word());
  return value(depth + 1);
}

Result<EdnValue> EdnReader::items(char close, EdnValue::Kind kind, int depth) {
  EdnValue found{.kind = kind};
  for (;;) {
    skip_space();
    if (left_.empty()) return wrong(fmt::format("the text ends and a \"{}\" is missing", close));
    if (left_.front() == close) {
      take();
      return found;
    }
    PARALLAX_ASSIGN(EdnValue item, value(depth + 1));
    found.items.push_back(std::move(item));
  }
}

Result<EdnValue> EdnReader::string() {
  take();
  EdnValue found{.kind = EdnValue::Kind::text};
  while (!left_.empty()) {
    char c = take();
    if (c == '"') return found;
    if (c == '\\' && !left_.empty()) {
      c = take();
      c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
    }
    found.text += c;
  }
  return wrong("the text ends inside of a string");
}

Result<EdnValue> EdnReader::word() {
  std::size_t end = 0;
  while (end < left_.size() && !ends_word(left_[end])) ++end;
  const std::string_view word = left_.substr(0, end);
  if (word.empty())
    return wrong(fmt::format("there is a \"{}\" where a value is missing", left_[0]));
  left_.remove_prefix(end);
  if (word == "nil") return EdnValue{};
  if (word[0] != ':') return EdnValue{.kind = EdnValue::Kind::word, .text = std::string(word)};
  return EdnValue{.kind = EdnValue::Kind::keyword, .text = std::string(word.substr(1))};
}

}  // namespace parallax::checker
