#include "consistency/crdt.h"

#include <catch2/catch.hpp>

namespace parallax::test {

TEST_CASE("crdt: every name finds its type and operation") {
  for (const auto& [type, name] : kCrdtTypes) {
    CHECK(crdt_type_name(type) == name);
    REQUIRE(parse_crdt_type(name).has_value());
    CHECK(*parse_crdt_type(name) == type);
    for (const CrdtOpInfo& info : kCrdtOps) {
      const auto op = parse_crdt_op(type, info.name);
      CHECK(op.has_value() == (info.type == type));
      if (op) CHECK(crdt_op_info(*op).name == info.name);
    }
  }
  CHECK(crdt_type_name(CrdtType::set) == "set");
  CHECK(crdt_op_info(CrdtOp::erase).name == "delete");
  CHECK(crdt_document({CrdtType::counter, "-3"}) == R"({"type":"counter","value":-3})");
}

TEST_CASE("crdt: what it is not is refused with the valid choices") {
  const auto refusal = [](const auto& result) {
    REQUIRE(result.has_error());
    CHECK(result.error().code == ErrorCode::bad_parameter);
    CHECK(result.error().definite());
    return result.error().message;
  };
  CHECK(refusal(parse_crdt_type("list")) ==
        "'list' is no convergent type; use one of counter, set, map");
  CHECK(refusal(parse_crdt_op(CrdtType::set, "put")) ==
        "'put' is no operation of a set; use one of add, remove");
  CHECK(refusal(parse_crdt_op(CrdtType::map, "")) ==
        "'' is no operation of a map; use one of put, delete");
}

TEST_CASE("crdt: levels at which every node takes writes carry them") {
  for (const LevelInfo& info : kLevels) {
    INFO(info.name);
    const bool carries = info.protocol == Protocol::causal || info.level == Level::quorum ||
                         info.level == Level::eventual || info.level == Level::weak;
    CHECK(crdt_level_error(info.level).has_value() != carries);
  }
  const auto error = crdt_level_error(Level::atomic);
  REQUIRE(error);
  CHECK(error->code == ErrorCode::bad_parameter);
  CHECK(error->message ==
        "level atomic does not carry convergent values; use one of quorum, causal, session, "
        "eventual, weak");
}

}  // namespace parallax::test
