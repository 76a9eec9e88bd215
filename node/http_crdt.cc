// The body of POST /v1/crdt/{key}.
#include "node/http_api.h"
#include "node/http_routes.h"
#include "node/json_body.h"

namespace parallax {
namespace {

/// What an operation takes beside itself.
std::string_view member_of(CrdtType type) {
  switch (type) {
    case CrdtType::counter:
      return "by";
    case CrdtType::set:
      return "element";
    case CrdtType::map:
      return "field";
  }
  return {};
}

Error missing(const JsonBody& body, std::string_view member, CrdtOp op) {
  return body.wrong(member, fmt::format("given: it is what {} is about", crdt_op_info(op).name));
}

}  // namespace

Result<UpdateCrdt> parse_crdt(std::string key, std::string_view text) {
  PARALLAX_ASSIGN(const JsonBody body, JsonBody::parse(text, kCrdtMembers));
  UpdateCrdt out{.key = std::move(key)};
  PARALLAX_ASSIGN(const auto type, body.text("type"));
  if (!type) return body.wrong("type", "given: counter, set or map");
  PARALLAX_ASSIGN(out.type, parse_crdt_type(*type));
  PARALLAX_ASSIGN(const auto op, body.text("op"));
  PARALLAX_ASSIGN(out.update.op, parse_crdt_op(out.type, op.value_or(std::string())));
  for (const std::string_view member : {"by", "element", "field", "value"}) {
    const bool taken =
        member == member_of(out.type) || (member == "value" && out.update.op == CrdtOp::put);
    if (!taken && body.has(member)) {
      return body.wrong(member, fmt::format("left out: {} of a {} takes none", *op, *type));
    }
  }
  if (out.type == CrdtType::counter) {
    PARALLAX_ASSIGN(const auto by, body.whole_number("by"));
    out.update.by = by.value_or(out.update.by);
    return out;
  }
  PARALLAX_ASSIGN(auto name, out.type == CrdtType::set ? body.json("element") : body.text("field"));
  if (!name) return missing(body, member_of(out.type), out.update.op);
  out.update.name = std::move(*name);
  if (out.update.op == CrdtOp::put) {
    PARALLAX_ASSIGN(auto value, body.json("value"));
    if (!value) return missing(body, "value", out.update.op);
    out.update.value = std::move(*value);
  }
  return out;
}

}  // namespace parallax
