// Versions, key states and history written as their Protocol Buffers messages
// (storage/records.proto), by hand: byte for byte what the generated types would write, at a third
// of the cost. Every put writes one of each on every node. They are read by the generated types.
#pragma once

#include <string>

#include "storage/history_log.h"
#include "storage/records.h"

namespace parallax {

/// Each appends one message to `out`. Thread-safe.
void append_message(std::string& out, const KeyState& state);
void append_message(std::string& out, const HistoryRecord& record);
void append_message(std::string& out, const HistorySegment& segment);

}  // namespace parallax
