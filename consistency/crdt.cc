#include "consistency/crdt.h"

#include <algorithm>

#include "base/assert.h"
#include "consistency/quoted.h"

namespace parallax {
namespace {

void append_name(std::string_view name, std::string& names) {
  if (!names.empty()) names += ", ";
  names += name;
}

}  // namespace

std::string crdt_document(const CrdtValue& value) {
  return fmt::format(R"({{"type":"{}","value":{}}})", crdt_type_name(value.type), value.json);
}

std::string_view crdt_type_name(CrdtType type) {
  for (const auto& [known, name] : kCrdtTypes) {
    if (known == type) return name;
  }
  PARALLAX_UNREACHABLE("a type without a name: {}", static_cast<int>(type));
}

const CrdtOpInfo& crdt_op_info(CrdtOp op) {
  for (const CrdtOpInfo& info : kCrdtOps) {
    if (info.op == op) return info;
  }
  PARALLAX_UNREACHABLE("an operation without a row: {}", static_cast<int>(op));
}

Result<CrdtType> parse_crdt_type(std::string_view text) {
  std::string valid;
  for (const auto& [type, name] : kCrdtTypes) {
    if (name == text) return type;
    append_name(name, valid);
  }
  return definite(ErrorCode::bad_parameter,
                  fmt::format("{} is no convergent type; use one of {}", quoted(text), valid));
}

Result<CrdtOp> parse_crdt_op(CrdtType type, std::string_view text) {
  std::string valid;
  for (const CrdtOpInfo& info : kCrdtOps) {
    if (info.type != type) continue;
    if (info.name == text) return info.op;
    append_name(info.name, valid);
  }
  return definite(ErrorCode::bad_parameter, fmt::format("{} is no operation of a {}; use one of {}",
                                                        quoted(text), crdt_type_name(type), valid));
}

std::optional<Error> crdt_level_error(Level level) {
  if (std::find(kCrdtLevels.begin(), kCrdtLevels.end(), level) != kCrdtLevels.end()) {
    return std::nullopt;
  }
  std::string valid;
  for (const Level carries : kCrdtLevels) append_name(level_info(carries).name, valid);
  return definite(ErrorCode::bad_parameter,
                  fmt::format("level {} does not carry convergent values; use one of {}",
                              level_info(level).name, valid));
}

}  // namespace parallax
