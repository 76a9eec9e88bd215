// One name, one type: what a compiler need not tell (C++20, [basic.def.odr]).
#include <algorithm>
#include <cctype>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "tests/structure/rules.h"

namespace parallax::structure {
namespace {

bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Words and single characters of a source, with "::" as one.
class Tokens {
 public:
  explicit Tokens(std::string_view code) : code_(code) {}
  /// Empty at the end.
  std::string_view next() {
    while (at_ < code_.size() && std::isspace(static_cast<unsigned char>(code_[at_])) != 0) ++at_;
    const std::size_t begin = at_;
    if (code_.substr(at_).starts_with("::")) {
      at_ += 2;
    } else if (at_ < code_.size() && !in_word(code_[at_++])) {
      return code_.substr(begin, 1);
    }
    while (at_ < code_.size() && in_word(code_[begin]) && in_word(code_[at_])) ++at_;
    return code_.substr(begin, at_ - begin);
  }
  std::string_view peek() {
    const std::size_t at = at_;
    const std::string_view token = next();
    at_ = at;
    return token;
  }
  std::size_t position() const { return at_; }

 private:
  std::string_view code_;
  std::size_t at_ = 0;
};

struct Definition {
  std::string name;  ///< with its namespaces
  std::size_t line;
};

/// The classes and enumerations that a file defines in named namespaces, outside of other classes.
std::vector<Definition> types_of(const std::string& code) {
  struct Scope {
    bool is_namespace;
    std::string name;  ///< of a namespace; empty: it has none
  };
  std::vector<Definition> out;
  std::vector<Scope> scopes;
  Tokens tokens(code);
  std::string before;
  for (std::string_view token = tokens.next(); !token.empty(); token = tokens.next()) {
    if (token == "namespace") {
      std::string name;
      while (tokens.peek() != "{" && tokens.peek() != ";" && !tokens.peek().empty()) {
        name += tokens.next();
      }
      if (tokens.next() == "{") scopes.push_back({true, name});
    } else if (token == "{") {
      scopes.push_back({false, ""});
    } else if (token == "}") {
      if (!scopes.empty()) scopes.pop_back();
    } else if (token == "class" || token == "struct" || token == "union") {
      std::string path;
      for (const Scope& scope : scopes) {
        if (!scope.is_namespace || scope.name.empty()) path = "no";
        if (path != "no") path += scope.name + "::";
      }
      // In a template's parameters it is no definition.
      const bool is_parameter = before == "<" || before == ",";
      const std::string name(tokens.peek());
      if (path != "no" && !is_parameter && !name.empty() && in_word(name[0])) {
        tokens.next();
        const std::string_view behind = tokens.peek();
        if (behind == "{" || behind == ":" || behind == "final") {
          const std::string_view upto = std::string_view(code).substr(0, tokens.position());
          out.push_back({path + name,
                         1 + static_cast<std::size_t>(std::count(upto.begin(), upto.end(), '\n'))});
        }
      }
    }
    before = token;
  }
  return out;
}

}  // namespace

Violations check_one_definition(const std::vector<SourceFile>& files) {
  Violations out;
  std::map<std::string, std::string> first;
  for (const SourceFile& file : files) {
    for (const Definition& type : types_of(code_only(file.text))) {
      const auto [at, is_new] = first.try_emplace(type.name, file.path);
      if (is_new || at->second == file.path) continue;
      out.push_back({file.path, type.line,
                     fmt::format("{} is another type in {}: in one program each would be used as "
                                 "the other",
                                 type.name, at->second)});
    }
  }
  return out;
}

}  // namespace parallax::structure
