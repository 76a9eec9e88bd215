// docs/CONSISTENCY.md: the promise table (promise_table.h) in words and tables.
//
// What it does not do: read or write files. A test holds the document against it.
#pragma once

#include <string>

namespace parallax::harness {

/// The whole document, in Markdown.
std::string promise_page();

}  // namespace parallax::harness
