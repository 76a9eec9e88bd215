// How the keys of stored records are laid out (docs/STORAGE.md): what records.h declares, and their
// names for messages.
#pragma once

#include <string>
#include <string_view>

namespace parallax::records {

/// What the record at `store_key` is, for messages. Thread-safe.
std::string describe(std::string_view store_key);

}  // namespace parallax::records
