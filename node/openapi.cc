#include "node/openapi.h"

#include <charconv>
#include <map>
#include <vector>

#include <boost/json.hpp>

#include "base/assert.h"
#include "consistency/level.h"
#include "node/http_api.h"
#include "node/ports.h"

namespace parallax {
namespace {

namespace json = boost::json;

json::string_view json_text(std::string_view text) {
  return {text.data(), text.size()};
}

json::value number_of(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

json::object reference(std::string_view schema) {
  return {{"$ref", fmt::format("#/components/schemas/{}", schema)}};
}

// --- Answers' bodies -----------------------------------------------------------------------------

/// What the renderers write (node/http_bodies.cc, node/cluster_json.cc, client/http_protocol.cc).
constexpr std::string_view kSchemas = R"({
"Problem": {"type": "object", "required": ["type", "title", "status", "detail", "code", "outcome",
    "retryable"], "properties": {
  "type": {"type": "string", "description": "urn:parallax:error: and the code"},
  "title": {"type": "string"}, "status": {"type": "integer"},
  "detail": {"type": "string", "description": "what was wrong and what would be right"},
  "code": {"type": "string"},
  "outcome": {"enum": ["not_applied", "unknown"],
    "description": "not_applied: it did not happen and will not; unknown: it may have"},
  "retryable": {"type": "boolean", "description": "whether the same request can succeed later"},
  "leader": {"type": ["integer", "null"], "description": "with not-leader: who leads"},
  "leader_address": {"type": ["string", "null"], "description": "where it serves clients"},
  "etag": {"type": "string", "description": "with precondition-failed: the present version's"},
  "required": {"type": "integer", "description": "with not-enough-replicas: how many it takes"},
  "received": {"type": "integer", "description": "and how many have answered"}}},
"Siblings": {"type": "object", "required": ["siblings"], "properties": {
  "siblings": {"type": "array", "description": "newest first", "items": {"type": "object",
    "required": ["etag", "value_base64", "content_type"], "properties": {
      "etag": {"type": "string"}, "value_base64": {"type": "string"},
      "content_type": {"type": "string"}}}}}},
"IncrementAnswer": {"type": "object", "required": ["value"], "properties": {
  "value": {"type": "integer", "description": "the sum"}}},
"Crdt": {"type": "object", "required": ["type", "value"], "properties": {
  "type": {"enum": ["counter", "set", "map"]},
  "value": {"description": "a whole number; a list, sorted; an object, its members sorted"}}},
"Item": {"type": "object", "required": ["etag"], "properties": {
  "key": {"type": "string"},
  "key_base64": {"type": "string", "description": "instead of key, when it is not UTF-8"},
  "value_base64": {"type": "string", "description": "absent with keys_only"},
  "content_type": {"type": "string", "description": "absent with keys_only"},
  "etag": {"type": "string"}}},
"Range": {"type": "object", "required": ["items", "next"], "properties": {
  "items": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
  "next": {"type": ["string", "null"], "description": "for the next page; null: this is the last"},
  "missing": {"type": "array", "items": {"type": "string"},
    "description": "with key: those without a value"},
  "missing_base64": {"type": "array", "items": {"type": "string"},
    "description": "of these, those that are not UTF-8; absent when there are none"}}},
"BatchAnswer": {"type": "object", "required": ["results"], "properties": {
  "results": {"type": "array", "description": "in the order of the operations",
    "items": {"type": "object", "required": ["status"], "properties": {
      "status": {"type": "integer", "description": "as the operation by itself would have had"},
      "etag": {"type": "string"}, "consistency": {"type": "string"}, "context": {"type": "string"},
      "evidence": {"type": "string"}, "staleness_ms": {"type": "integer"},
      "replayed": {"type": "boolean"},
      "value_base64": {"type": "string"}, "content_type": {"type": "string"},
      "value": {"type": "integer", "description": "increment: the sum"},
      "siblings": {"type": "array", "items": {"type": "object"}},
      "problem": {"$ref": "#/components/schemas/Problem"}}}}}},
"History": {"type": "object", "required": ["versions", "complete_from_ms"], "properties": {
  "versions": {"type": "array", "description": "newest first", "items": {"type": "object",
    "required": ["etag", "at_ms", "kind", "origin"], "properties": {
      "etag": {"type": "string"}, "at_ms": {"type": "integer"},
      "kind": {"enum": ["value", "tombstone"]}, "value_base64": {"type": "string"},
      "content_type": {"type": "string"},
      "origin": {"type": "integer", "description": "the node that stamped it"}}}},
  "complete_from_ms": {"type": "integer",
    "description": "before this moment versions may be missing"}}},
"PolicyAnswer": {"type": "object", "required": ["default_consistency", "mixing", "conflict"],
  "properties": {"default_consistency": {"type": ["string", "null"]},
    "mixing": {"enum": ["allow", "deny"]}, "conflict": {"type": "string"}}},
"Policies": {"type": "object", "required": ["policies"], "properties": {
  "policies": {"type": "array", "items": {"allOf": [
    {"$ref": "#/components/schemas/PolicyAnswer"}, {"type": "object", "properties": {
      "prefix": {"type": "string"}, "prefix_base64": {"type": "string"}}}]}}}},
"Cluster": {"type": "object", "required": ["cluster_id", "term", "leader", "members"],
  "properties": {"cluster_id": {"type": ["string", "null"]}, "term": {"type": "integer"},
    "leader": {"type": ["integer", "null"]},
    "members": {"type": "array", "items": {"type": "object", "required": ["id", "client", "peer",
      "role", "up", "match_index", "applied_index", "lag_ms", "clock_offset_ms", "hints"],
      "properties": {
        "id": {"type": "integer"}, "client": {"type": ["string", "null"]},
        "peer": {"type": ["string", "null"]},
        "role": {"enum": ["leader", "follower", "candidate", "recovering", "starting", "unknown"]},
        "up": {"type": "boolean"}, "match_index": {"type": ["integer", "null"]},
        "applied_index": {"type": ["integer", "null"]}, "lag_ms": {"type": ["integer", "null"]},
        "clock_offset_ms": {"type": ["integer", "null"]},
        "hints": {"type": "integer"}}}}}},
"Plan": {"type": "object", "required": ["op", "level", "consistency", "path", "node", "forwarded",
    "replicas", "needed", "round_trips", "round_trips_most", "waits_for", "survives", "promises",
    "p50_ms", "p99_ms", "observed"], "properties": {
  "op": {"enum": ["read", "write"]}, "level": {"type": "string"},
  "consistency": {"type": "string", "description": "the effective level with its parameters"},
  "path": {"type": "string", "description": "as the answer's evidence would have it"},
  "node": {"type": ["integer", "null"],
    "description": "whose state or log answers; null: nobody is known who could"},
  "forwarded": {"type": "boolean", "description": "passed on to that node"},
  "replicas": {"type": "array", "items": {"type": "integer"}, "description": "that take part"},
  "needed": {"type": "integer", "description": "so many of them have to answer"},
  "round_trips": {"type": "integer",
    "description": "between nodes, one behind the other, when nothing is in the way"},
  "round_trips_most": {"type": "integer",
    "description": "when replicas differ, others write the key too, or a lease has run out"},
  "waits_for": {"type": ["string", "null"], "description": "what has to come first"},
  "survives": {"type": "object", "required": ["nodes_down", "disks_lost"], "properties": {
    "nodes_down": {"type": "integer",
      "description": "so many replicas may be down, but not the one asked, and it is answered"},
    "disks_lost": {"type": ["integer", "null"],
      "description": "so many disks may be lost; null: of reads, and of what a crash may lose"}}},
  "promises": {"type": "string"},
  "p50_ms": {"type": ["number", "null"],
    "description": "of such requests by this path at this node: half took at most this"},
  "p99_ms": {"type": ["number", "null"]},
  "observed": {"type": "integer", "description": "how many there were"}}},
"Replicas": {"type": "object", "required": ["replicas"], "properties": {
  "replicas": {"type": "integer"}}},
"Transfer": {"type": "object", "required": ["to"], "properties": {"to": {"type": "integer"}}},
"Status": {"type": "object", "required": ["id", "role", "ready", "term", "leader", "cluster_id",
    "commit_index", "applied_index", "durable_index", "last_index", "log_start_index",
    "installing_snapshot", "lease_reads", "clock", "causal_vector", "stable_vector",
    "hints_queued", "store_bytes", "resident_bytes", "uptime_ms", "version"], "properties": {
  "id": {"type": "integer"}, "role": {"type": "string"}, "ready": {"type": "boolean"},
  "term": {"type": "integer"}, "leader": {"type": ["integer", "null"]},
  "cluster_id": {"type": ["string", "null"]}, "commit_index": {"type": "integer"},
  "applied_index": {"type": "integer"}, "durable_index": {"type": "integer"},
  "last_index": {"type": "integer"}, "log_start_index": {"type": "integer"},
  "installing_snapshot": {"type": "boolean"},
  "lease_reads": {"type": "boolean",
    "description": "whether linearizable reads may rest on the leader's lease, and so on clocks"},
  "clock": {"type": "integer"},
  "causal_vector": {"$ref": "#/components/schemas/Vector"},
  "stable_vector": {"$ref": "#/components/schemas/Vector"},
  "hints_queued": {"type": "integer"}, "store_bytes": {"type": "integer"},
  "resident_bytes": {"type": "integer"}, "uptime_ms": {"type": "integer"},
  "version": {"type": "string"}}},
"Vector": {"type": "array", "items": {"type": "object",
  "required": ["node", "incarnation", "operations"], "properties": {
    "node": {"type": "integer"}, "incarnation": {"type": "integer"},
    "operations": {"type": "integer"}}}},
"OpenApi": {"type": "object"}
})";

struct AnswerContent {
  std::string_view type;
  std::string_view schema;  ///< empty: bytes or text as they are
};

AnswerContent answer_content(RouteId id, int status) {
  switch (id) {
    case RouteId::get_key:
      return status == 300 ? AnswerContent{"application/json", "Siblings"}
                           : AnswerContent{"*/*", ""};
    case RouteId::increment:
      return {"application/json", "IncrementAnswer"};
    case RouteId::get_crdt:
    case RouteId::update_crdt:
      return {"application/json", "Crdt"};
    case RouteId::range:
      return {"application/json", "Range"};
    case RouteId::batch:
      return {"application/json", "BatchAnswer"};
    case RouteId::history:
      return {"application/json", "History"};
    case RouteId::list_policies:
      return {"application/json", "Policies"};
    case RouteId::get_policy:
      return {"application/json", "PolicyAnswer"};
    case RouteId::cluster:
      return {"application/json", "Cluster"};
    case RouteId::transfer:
      return {"application/json", "Transfer"};
    case RouteId::status:
      return {"application/json", "Status"};
    case RouteId::wait:
      return {"application/json", "Replicas"};
    case RouteId::explain:
      return {"application/json", "Plan"};
    case RouteId::openapi:
      return {"application/json", "OpenApi"};
    case RouteId::health:
    case RouteId::ready:
    case RouteId::metrics:
      return {"text/plain", ""};
    case RouteId::put_key:
    case RouteId::delete_key:
    case RouteId::put_policy:
    case RouteId::delete_policy:
    case RouteId::set_faults:
    case RouteId::clear_faults:
      return {};
  }
  PARALLAX_UNREACHABLE("route {}", static_cast<int>(id));
}

// --- Fields --------------------------------------------------------------------------------------

/// A level, or one with parameters behind it.
json::object level_schema() {
  const std::vector<std::string_view> names = level_names();
  json::array list;
  for (const std::string_view name : names) list.emplace_back(json_text(name));
  return {{"type", "string"},
          {"anyOf",
           {{{"enum", std::move(list)}},
            {{"pattern",
              fmt::format("^({}) *(; *[a-z_]+ *(= *[a-z0-9?-]+)?)+$", fmt::join(names, "|"))}}}}};
}

json::object replicas_schema(const Field& field) {
  return {
      {"anyOf",
       {{{"type", "integer"}, {"minimum", field.least}}, {{"type", "string"}, {"const", "all"}}}}};
}

/// "a|b" as ["a","b"].
json::array choices_of(std::string_view text) {
  json::array choices;
  while (true) {
    const std::size_t end = std::min(text.find('|'), text.size());
    choices.emplace_back(json_text(text.substr(0, end)));
    if (end == text.size()) return choices;
    text.remove_prefix(end + 1);
  }
}

json::object length_schema(const Field& field) {
  json::object schema{{"type", "string"}};
  if (field.least > 0) schema["minLength"] = field.least;
  if (field.most > 0) schema["maxLength"] = field.most;
  return schema;
}

json::object integer_schema(const Field& field) {
  return {{"type", "integer"}, {"minimum", field.least}, {"maximum", field.most}};
}

json::object fail_point_schema();

json::object field_schema(const Field& field) {
  json::object schema;
  switch (field.shape) {
    case Shape::text:
    case Shape::key:
    case Shape::token:
      schema = length_schema(field);
      break;
    case Shape::base64:
      schema = {{"type", "string"}, {"contentEncoding", "base64"}};
      break;
    case Shape::etags:
      schema = {{"type", "string"}};
      break;
    case Shape::level:
      schema = level_schema();
      break;
    case Shape::replicas:
      schema = replicas_schema(field);
      break;
    case Shape::integer:
      schema = integer_schema(field);
      break;
    case Shape::integers:
      schema = {{"type", "array"}, {"items", integer_schema(field)}};
      break;
    case Shape::number:
      schema = {{"type", "number"}, {"minimum", field.least}, {"maximum", field.most}};
      break;
    case Shape::boolean:
      schema = {{"type", "boolean"}};
      break;
    case Shape::json:
      break;
    case Shape::object:
      schema = fail_point_schema();
      break;
    case Shape::objects:
      schema = {{"type", "array"},
                {"minItems", field.least},
                {"maxItems", field.most},
                {"items", reference("BatchOperation")}};
      break;
  }
  if (!field.choices.empty()) schema["enum"] = choices_of(field.choices);
  if (field.fallback.empty()) return schema;
  if (field.shape == Shape::integer || field.shape == Shape::number) {
    schema["default"] = number_of(field.fallback);
  } else if (field.shape == Shape::boolean) {
    schema["default"] = field.fallback == "true";
  } else {
    schema["default"] = json_text(field.fallback);
  }
  return schema;
}

/// What a field means, with the bounds that a schema cannot say.
std::string field_help(const Field& field) {
  std::string help(field.help);
  if ((field.shape == Shape::key || field.shape == Shape::base64) && field.most > 0) {
    help += fmt::format(" {} to {} bytes after decoding.", field.least, field.most);
  } else if (field.shape == Shape::etags) {
    help += fmt::format(" At most {} ETags.", field.most);
  }
  return help;
}

json::object members_schema(std::span<const Field> members) {
  json::object properties;
  json::array required;
  for (const Field& member : members) {
    json::object schema = field_schema(member);
    schema["description"] = field_help(member);
    properties[json_text(member.name)] = std::move(schema);
    if (member.required) required.emplace_back(json_text(member.name));
  }
  json::object schema{
      {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

json::object fail_point_schema() {
  json::object schema = members_schema(kFailPointMembers);
  json::array names;
  for (const std::string_view name : kFailPoints) names.emplace_back(json_text(name));
  schema["properties"].as_object()["name"].as_object()["enum"] = std::move(names);
  return schema;
}

json::object parameter(const Field& field, std::string_view in) {
  json::object out{{"name", json_text(field.name)},
                   {"in", json_text(in)},
                   {"required", in == "path"},
                   {"description", field_help(field)}};
  json::object schema = field_schema(field);
  if (field.name == param(ParamId::key).name && in == "query") {
    schema = {{"type", "array"}, {"items", std::move(schema)}, {"maxItems", limits::kMaxScanLimit}};
    out["explode"] = true;
  }
  out["schema"] = std::move(schema);
  return out;
}

// --- Operations ----------------------------------------------------------------------------------

json::array parameters_of(const RouteInfo& route) {
  json::array out;
  const std::size_t open = route.path.find('{');
  if (open != std::string_view::npos) {
    const std::string_view name = route.path.substr(open + 1, route.path.find('}') - open - 1);
    out.push_back(parameter({name, Shape::key, name == "key" ? 1 : 0, kMaxKeyField, "",
                             "Percent-encoded; any bytes, '/' included as it is."},
                            "path"));
  }
  for (std::size_t i = 0; i < kParams.size(); ++i) {
    if (route.params.contains(static_cast<ParamId>(i)))
      out.push_back(parameter(kParams[i], "query"));
  }
  for (std::size_t i = 0; i < kRequestHeaders.size(); ++i) {
    if (!route.headers.contains(static_cast<HeaderId>(i))) continue;
    out.push_back(parameter(kRequestHeaders[i], "header"));
  }
  return out;
}

json::object content(std::string_view type, json::object schema) {
  json::object media;
  media["schema"] = std::move(schema);
  json::object out;
  out[json_text(type)] = std::move(media);
  return out;
}

json::object request_body(BodyKind kind) {
  if (kind == BodyKind::value) {
    return {{"required", true},
            {"description", fmt::format("The value: any bytes, at most --max-value-bytes "
                                        "(default {}).",
                                        limits::kDefaultMaxValueBytes)},
            {"content", content("*/*", {})}};
  }
  const std::size_t bound =
      kind == BodyKind::batch ? limits::kMaxBatchBytes : std::size_t{64 << 10};
  return {{"required", kind != BodyKind::increment},
          {"description", fmt::format("At most {} bytes. Read as JSON whatever its type.", bound)},
          {"content", content("application/json", members_schema(body_members(kind)))}};
}

json::object header_object(std::string_view help) {
  return {{"description", json_text(help)}, {"schema", {{"type", "string"}}}};
}

/// Whether an answer with this status shows what the store holds, and so says how it knows.
bool shows_state(int status) {
  return status < 400 || status == 404 || status == 409 || status == 412 || status == 422;
}

json::object response_headers(const RouteInfo& route, int status) {
  json::object headers;
  if (route.key_request && shows_state(status)) {
    for (const ResponseHeader& header : kAnswerHeaders) {
      const bool batch = route.id == RouteId::batch;
      if (batch && header.name != http_header::kSession) continue;
      headers[json_text(header.name)] = header_object(header.help);
    }
  }
  const bool waits_for_replicas =
      status == 503 && route.errors.contains(ErrorCode::not_enough_replicas);
  if (status == 429 || waits_for_replicas) headers["Retry-After"] = header_object("Seconds.");
  return headers;
}

json::object success_response(const RouteInfo& route, int status) {
  const bool weak = status == 202 && route.key_request;
  json::object response{
      {"description",
       json_text(status == 304   ? "The version is the one named."
                 : status == 300 ? "There are several values."
                 : weak          ? "weak: it was received, is not durable yet and may be lost."
                                 : "Done.")}};
  const AnswerContent body = answer_content(route.id, status);
  if (!body.type.empty() && status != 304) {
    response["content"] =
        content(body.type, body.schema.empty() ? json::object{} : reference(body.schema));
  }
  return response;
}

json::object error_response(const std::vector<const ErrorInfo*>& errors) {
  std::string help;
  json::array codes;
  for (const ErrorInfo* error : errors) {
    help += fmt::format("{}{}: {}.", help.empty() ? "" : " ", error->name, error->title);
    codes.emplace_back(json_text(error->name));
  }
  json::object code{{"properties", {{"code", {{"enum", codes}}}}}};
  json::object schema{{"allOf", {reference("Problem"), std::move(code)}}};
  return {{"description", help},
          {"content", content("application/problem+json", std::move(schema))},
          {"x-codes", std::move(codes)}};
}

std::map<int, std::vector<const ErrorInfo*>> by_status(ErrorCodes codes) {
  std::map<int, std::vector<const ErrorInfo*>> out;
  for (int i = 0; i <= static_cast<int>(ErrorCode::refused); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    if (codes.contains(code)) out[error_info(code).http_status].push_back(&error_info(code));
  }
  return out;
}

json::object responses(const RouteInfo& route, bool head) {
  std::map<int, json::object> all;
  for (const int status : route.successes) {
    if (status != 0) all[status] = success_response(route, status);
  }
  for (const auto& [status, errors] : by_status(route.errors)) all[status] = error_response(errors);
  json::object out;
  for (auto& [status, response] : all) {
    json::object headers = response_headers(route, status);
    if (!headers.empty()) response["headers"] = std::move(headers);
    if (head) response.erase("content");
    out[std::to_string(status)] = std::move(response);
  }
  return out;
}

json::object operation(const RouteInfo& route, bool head) {
  std::string name(route.name);
  if (head) name.replace(0, name.starts_with("get") ? 3 : 0, "head");
  json::object out{{"operationId", name}, {"summary", json_text(route.summary)}};
  json::array parameters = parameters_of(route);
  if (!parameters.empty()) out["parameters"] = std::move(parameters);
  if (route.body != BodyKind::none) out["requestBody"] = request_body(route.body);
  out["responses"] = responses(route, head);
  return out;
}

json::object paths() {
  json::object out;
  for (const RouteInfo& route : all_routes()) {
    json::value& path = out[json_text(route.path)];
    if (!path.is_object()) path.emplace_object();
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(c - 'A' + 'a');
    path.as_object()[method] = operation(route, false);
    if (method == "get") path.as_object()["head"] = operation(route, true);
  }
  return out;
}

json::object make_document() {
  json::object schemas = json::parse(json_text(kSchemas)).as_object();
  json::array codes;
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    codes.emplace_back(json_text(error_info(static_cast<ErrorCode>(i)).name));
  }
  schemas["Problem"].as_object()["properties"].as_object()["code"].as_object()["enum"] =
      std::move(codes);
  schemas["BatchOperation"] = members_schema(kBatchOperationMembers);
  json::object anywhere;
  ErrorCodes codes_anywhere = common_errors();
  codes_anywhere.insert(ErrorCode::not_found);
  codes_anywhere.insert(ErrorCode::method_not_allowed);
  for (const auto& [status, errors] : by_status(codes_anywhere)) {
    anywhere[std::to_string(status)] = error_response(errors);
    if (status != 405) continue;
    anywhere["405"].as_object()["headers"] =
        json::object{{"Allow", header_object("The methods that are possible.")}};
  }
  return {{"openapi", "3.1.0"},
          {"info",
           {{"title", "Parallax"},
            {"version", PARALLAX_VERSION},
            {"summary",
             "A replicated key-value store in which every request names its "
             "consistency."},
            {"description",
             "Any node takes any request. Every error is application/problem+json and says whether "
             "what was asked for may still have happened. x-codes lists the codes behind a status; "
             "x-anywhere what a request may get that is for none of these paths and methods."}}},
          {"paths", paths()},
          {"components", {{"schemas", std::move(schemas)}}},
          {"x-anywhere", std::move(anywhere)}};
}

}  // namespace

const std::string& openapi_document() {
  static const std::string text = json::serialize(make_document()) + '\n';
  return text;
}

}  // namespace parallax
