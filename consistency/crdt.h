// Convergent values: their types and what can be done to them (consistency/merge/crdt.h does it).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "consistency/level.h"

namespace parallax {

enum class CrdtType : std::uint8_t {
  counter,  ///< a whole number that grows and shrinks
  set,      ///< elements; of an add and a concurrent remove the add wins
  map,      ///< fields with values; of concurrent puts of a field the last one wins
};

enum class CrdtOp : std::uint8_t {
  increment,  ///< counter
  add,        ///< set
  remove,     ///< set
  put,        ///< map
  erase,      ///< map; "delete" on the wire
};

struct CrdtOpInfo {
  CrdtOp op;
  std::string_view name;
  CrdtType type;  ///< the one that it is for
};

/// The one list of each, as on the wire.
inline constexpr std::array kCrdtTypes{std::pair{CrdtType::counter, std::string_view("counter")},
                                       std::pair{CrdtType::set, std::string_view("set")},
                                       std::pair{CrdtType::map, std::string_view("map")}};
inline constexpr std::array kCrdtOps{CrdtOpInfo{CrdtOp::increment, "increment", CrdtType::counter},
                                     CrdtOpInfo{CrdtOp::add, "add", CrdtType::set},
                                     CrdtOpInfo{CrdtOp::remove, "remove", CrdtType::set},
                                     CrdtOpInfo{CrdtOp::put, "put", CrdtType::map},
                                     CrdtOpInfo{CrdtOp::erase, "delete", CrdtType::map}};
/// The levels that carry them: those at which every node takes writes, and none is lost to another.
/// On a leader's path, or as one register, an update would replace what it had not seen.
inline constexpr std::array kCrdtLevels{Level::quorum, Level::causal, Level::session,
                                        Level::eventual, Level::weak};

/// One operation. Which members count is the operation's.
struct CrdtUpdate {
  CrdtOp op = CrdtOp::increment;
  std::int64_t by = 1;     ///< increment; below 0 it shrinks
  std::string name = {};   ///< add, remove: the element, as JSON text; put, erase: the field
  std::string value = {};  ///< put: as JSON text
  friend bool operator==(const CrdtUpdate&, const CrdtUpdate&) = default;
};

/// What one shows.
struct CrdtValue {
  CrdtType type = CrdtType::counter;
  std::string json;  ///< a number; a list, sorted; an object, sorted
  friend bool operator==(const CrdtValue&, const CrdtValue&) = default;
};

/// {"type":"counter","value":3}
std::string crdt_document(const CrdtValue& value);

std::string_view crdt_type_name(CrdtType type);
const CrdtOpInfo& crdt_op_info(CrdtOp op);
/// Errors: bad_parameter, naming the text and the valid choices.
Result<CrdtType> parse_crdt_type(std::string_view text);
/// One that `type` has. Errors: as above.
Result<CrdtOp> parse_crdt_op(CrdtType type, std::string_view text);
/// bad_parameter, naming the valid ones, when `level` does not carry convergent values.
std::optional<Error> crdt_level_error(Level level);

}  // namespace parallax
