// The log of a node as text, for those who look at it when the node is stopped: what is in it, and
// how far it is applied. parallaxd --dump-log prints it.
//
// One JSON object a line. First the node:
//   {"node":1,"log_start":0,"applied":12,"last":13}
// with the index of the last entry that was compacted (0: the log is whole), of the last one that
// is known to be applied, so committed, and of the last one that is there. Then each entry, in
// order:
//   {"index":2,"term":1,"kind":"write","key":"k","versions":[{"stamp":"...","value":"7"}]}
// A deletion has "deleted":true in place of a value. A key or value that is no UTF-8 is in
// "key_base64" or "value_base64". Of other kinds of entries there is no more than the kind.
//
// What it does not do: open a directory (node/io/), or say of entries behind the applied ones
// whether they are committed: that is in no node's log.
#pragma once

#include <functional>
#include <string_view>

#include "base/error.h"
#include "storage/store.h"

namespace parallax {

/// Calls `line` with each line, its end included. Errors: corrupt (also where entries are missing),
/// io, refused (a newer format; no node's store), definite all; lines may have been written before.
Result<void> dump_log(const ReadView& store, const std::function<void(std::string_view)>& line);

}  // namespace parallax
