#include "consistency/merge/json_document.h"

#include <algorithm>
#include <map>

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include "base/assert.h"

namespace parallax {
namespace {

namespace json = boost::json;

constexpr std::string_view kEmptyObject = "{}";

// A path is its names one after the other, each ended by 00 01; a zero byte in a name is 00 ff. So
// byte order is that of the lists of names, and whatever begins with a path lies at or below it.
constexpr std::string_view kNameEnd{"\0\1", 2};
constexpr std::string_view kZeroInName{"\0\xff", 2};

void append_name(std::string_view name, std::string& path) {
  for (const char c : name) {
    if (c == '\0') {
      path += kZeroInName;
    } else {
      path += c;
    }
  }
  path += kNameEnd;
}

/// The first name of `path`, and where the rest begins.
std::pair<std::string, std::size_t> first_name(std::string_view path) {
  std::string name;
  std::size_t at = 0;
  for (; path.substr(at, 2) != kNameEnd; ++at) {
    PARALLAX_ASSERT(at + 1 < path.size(), "a path of {} bytes without an end", path.size());
    name += path[at];
    if (path[at] == '\0') ++at;
  }
  return {std::move(name), at + kNameEnd.size()};
}

void append_text(std::string_view text, std::string& out) {
  out += json::serialize(json::string_view(text.data(), text.size()));
}

/// Takes what the parser finds: outside of arrays into leaves, inside of one into its text.
struct Handler {
  static constexpr std::size_t max_object_size = json::string::max_size();
  static constexpr std::size_t max_array_size = json::string::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    if (arrays > 0) {
      separate();
      array += '{';
      first = true;
      return true;
    }
    if (lengths.empty()) {
      is_object = true;
    } else {
      replace();
    }
    lengths.push_back(path.size());
    return true;
  }
  bool on_object_end(std::size_t members, json::error_code&) {
    if (arrays > 0) {
      array += '}';
      first = false;
      return true;
    }
    path.resize(lengths.back());
    lengths.pop_back();
    if (members == 0) leaves[path] = kEmptyObject;
    return true;
  }
  bool on_array_begin(json::error_code& error) {
    if (!is_object) return refuse(error);
    if (arrays > 0) separate();
    if (arrays == 0) array.clear();
    ++arrays;
    array += '[';
    first = true;
    return true;
  }
  bool on_array_end(std::size_t, json::error_code& error) {
    array += ']';
    first = false;
    return --arrays > 0 || leaf(std::move(array), error);
  }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    text.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code&) {
    text.append(part.data(), part.size());
    if (arrays > 0) {
      separate();
      append_text(text, array);
      array += ':';
      first = true;  // no comma before the value
    } else {
      path.resize(lengths.back());
      append_name(text, path);
    }
    text.clear();
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    text.append(part.data(), part.size());
    return true;
  }
  bool on_string(json::string_view part, std::size_t, json::error_code& error) {
    text.append(part.data(), part.size());
    std::string quoted;
    append_text(std::exchange(text, {}), quoted);
    return leaf(std::move(quoted), error);
  }
  bool on_number_part(json::string_view part, json::error_code&) {
    text.append(part.data(), part.size());
    return true;
  }
  bool number(json::string_view part, json::error_code& error) {
    text.append(part.data(), part.size());
    return leaf(std::exchange(text, {}), error);
  }
  bool on_int64(std::int64_t, json::string_view part, json::error_code& error) {
    return number(part, error);
  }
  bool on_uint64(std::uint64_t, json::string_view part, json::error_code& error) {
    return number(part, error);
  }
  bool on_double(double, json::string_view part, json::error_code& error) {
    return number(part, error);
  }
  bool on_bool(bool value, json::error_code& error) {
    return leaf(value ? "true" : "false", error);
  }
  bool on_null(json::error_code& error) { return leaf("null", error); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  /// A comma, where something stands before.
  void separate() {
    if (!first) array += ',';
    first = false;
  }
  /// A name given twice: what it was first is gone.
  void replace() {
    auto place = leaves.lower_bound(path);
    while (place != leaves.end() && place->first.starts_with(path)) place = leaves.erase(place);
  }
  bool leaf(std::string value, json::error_code& error) {
    if (!is_object) return refuse(error);
    if (arrays > 0) {
      separate();
      array += value;
    } else {
      replace();
      leaves[path] = std::move(value);
    }
    return true;
  }
  bool refuse(json::error_code& error) {
    error = json::error::syntax;
    return false;
  }

  std::map<std::string, std::string> leaves;
  bool is_object = false;
  std::string path;                  ///< of the value that comes next
  std::vector<std::size_t> lengths;  ///< of the paths of the objects that are open
  std::string text;                  ///< of a string or number, as far as it has come
  std::string array;                 ///< of the outermost array that is open
  std::size_t arrays = 0;            ///< how many are open
  bool first = true;
};

/// Those of `leaves` from `at` on that begin with `above`, as the members of an object.
void append_members(const std::vector<const DottedEntry*>& leaves, std::size_t& at,
                    std::string_view above, std::string& out) {
  out += '{';
  bool first = true;
  while (at < leaves.size() && std::string_view(leaves[at]->name).starts_with(above)) {
    const std::string_view path = leaves[at]->name;
    if (path.size() == above.size()) {  // the object, said to have no members
      ++at;
      continue;
    }
    const auto [name, length] = first_name(path.substr(above.size()));
    if (!first) out += ',';
    first = false;
    append_text(name, out);
    out += ':';
    const std::string_view below = path.substr(0, above.size() + length);
    if (path.size() == below.size() && leaves[at]->value != kEmptyObject) {
      out += leaves[at++]->value;
    } else {
      append_members(leaves, at, below, out);
    }
  }
  out += '}';
}

}  // namespace

bool is_json_path(std::string_view path) {
  constexpr std::size_t kDepth = 32;
  std::size_t names = 0;
  std::size_t end = 0;  // of the names seen so far
  for (std::size_t at = 0; at < path.size(); ++at) {
    if (path[at] != '\0') continue;
    const std::string_view pair = path.substr(at, 2);
    if (pair != kNameEnd && pair != kZeroInName) return false;
    ++at;
    if (pair == kZeroInName) continue;
    end = at + 1;
    if (++names > kDepth) return false;
  }
  return end == path.size();
}

std::optional<std::vector<JsonLeaf>> json_leaves(std::string_view text) {
  json::basic_parser<Handler> parser(json::parse_options{});
  json::error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (error || read != text.size()) return std::nullopt;
  std::vector<JsonLeaf> leaves;
  for (auto& [path, value] : parser.handler().leaves) leaves.push_back({path, std::move(value)});
  return leaves;
}

std::string json_of_leaves(const std::vector<const DottedEntry*>& leaves) {
  std::string out;
  std::size_t at = 0;
  append_members(leaves, at, "", out);
  PARALLAX_ASSERT(at == leaves.size(), "{} of {} leaves", at, leaves.size());
  return out;
}

std::vector<const DottedEntry*> shown_leaves(const DottedEntries& entries) {
  std::vector<const DottedEntry*> order;
  for (const DottedEntry& entry : entries) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(),
                   [](const DottedEntry* a, const DottedEntry* b) { return a->stamp > b->stamp; });
  // All with higher stamps, whether they are shown or not: what is hidden hides, too.
  std::map<std::string_view, bool> above;  // path -> some leaf there is more than an empty object
  std::vector<const DottedEntry*> shown;
  for (const DottedEntry* leaf : order) {
    const std::string_view path = leaf->name;
    const bool empty_object = leaf->value == kEmptyObject;
    bool hidden = above.contains(path);
    for (std::size_t end = path.find(kNameEnd); !hidden && end != path.npos;
         end = path.find(kNameEnd, end + kNameEnd.size())) {
      const auto found = above.find(path.substr(0, end + kNameEnd.size()));
      hidden = found != above.end() && found->second;
    }
    if (!hidden && !empty_object) {
      const auto below = above.lower_bound(path);
      hidden = below != above.end() && below->first.starts_with(path);
    }
    if (!hidden) shown.push_back(leaf);
    above[path] |= !empty_object;
  }
  std::sort(shown.begin(), shown.end(),
            [](const DottedEntry* a, const DottedEntry* b) { return a->name < b->name; });
  return shown;
}

}  // namespace parallax
