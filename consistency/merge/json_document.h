// JSON objects as sets of leaves, so that concurrent ones merge field by field.
//
// A leaf is what is no object: a text, a number, an array (whole), true, false, null, and an object
// without members. Its path is the names that lead to it. Objects are nothing but their leaves.
//
// What of several writes' leaves a document shows (shown_leaves()): a leaf is hidden by one with a
// higher stamp at its own path, above it, or below it. So of one field the later write wins; where
// both wrote an object, that holds inside it; where one wrote an object and the other did not, the
// later one hides the earlier as a whole. An object without members hides no members.
//
// It does not look at what a number or text means: they stay as they were written.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "consistency/merge/dotted_entries.h"

namespace parallax {

struct JsonLeaf {
  std::string path;  ///< opaque; in byte order a path stands before all below it
  std::string text;  ///< JSON, without white space
  friend bool operator==(const JsonLeaf&, const JsonLeaf&) = default;
};

/// The leaves of `text`, by path; of a name given twice the last one counts. Nothing: it is no JSON
/// object (RFC 8259), or one nested more than 32 deep. Thread-safe.
std::optional<std::vector<JsonLeaf>> json_leaves(std::string_view text);

/// Whether a leaf can have this path. Thread-safe.
bool is_json_path(std::string_view path);

/// The object with these leaves (name: path, value: text), its members sorted by name, without
/// white space. `leaves` must be sorted by path, and none must hide another.
std::string json_of_leaves(const std::vector<const DottedEntry*>& leaves);

/// Those of `entries` that are not hidden, by path.
std::vector<const DottedEntry*> shown_leaves(const DottedEntries& entries);

}  // namespace parallax
