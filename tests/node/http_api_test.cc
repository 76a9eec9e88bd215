// The table of the API, and its document, against what the code does.
#include "node/http_api.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "consistency/key_context.h"
#include "node/http_bodies.h"
#include "node/http_render.h"
#include "node/http_routes.h"
#include "node/openapi.h"
#include "node/page_token.h"

namespace parallax {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using Headers = std::vector<HttpHeaderView>;

const RouteOptions kOptions{.max_value_bytes = 100, .enable_faults = true};

/// A request for this route that is in order.
struct Sample {
  std::string target;
  std::string body;
};
Sample sample(const RouteInfo& route) {
  Sample out{std::string(route.path), ""};
  if (const std::size_t open = out.target.find('{'); open != std::string::npos) {
    out.target.replace(open, out.target.find('}') - open + 1, "some");
  }
  if (route.id == RouteId::batch) out.body = R"({"operations":[{"op":"get","key":"a"}]})";
  if (route.id == RouteId::transfer) out.body = R"({"to":1})";
  if (route.body == BodyKind::policy || route.body == BodyKind::faults) out.body = "{}";
  if (route.body == BodyKind::crdt) out.body = R"({"type":"counter","op":"increment"})";
  return out;
}

Routed ask(const RouteInfo& info, const std::string& query = {}, const Headers& headers = {},
           std::optional<std::string> body = {}) {
  const Sample whole = sample(info);
  std::string target = whole.target + query;
  if (info.id == RouteId::wait) {  // what it cannot do without
    const std::pair<std::string, std::string> needed[] = {{"session=", SessionToken{}.encode()},
                                                          {"replicas=", "1"}};
    for (const auto& [name, value] : needed) {
      if (target.find(name) != std::string::npos) continue;
      target += target.find('?') == std::string::npos ? "?" : "&";
      target += name + value;
    }
  }
  if (info.id == RouteId::explain && target.find("op=") == std::string::npos) {
    target += (target.find('?') == std::string::npos ? "?op=" : "&op=") + std::string("read");
  }
  return route({info.method, target, headers, Bytes(body.value_or(whole.body))}, kOptions);
}

/// The code and the detail of a refusal; empty: it was taken.
std::pair<std::string, std::string> refusal(const Routed& routed) {
  const auto* reply = std::get_if<HttpReply>(&routed);
  if (reply == nullptr) return {};
  const auto problem = parse_problem(reply->body);
  REQUIRE(problem.has_value());
  return {std::string(error_info(problem->error.code).name), problem->error.message};
}

const json::object& document() {
  static const json::object parsed = json::parse(openapi_document()).as_object();
  return parsed;
}

const json::object& operation(const RouteInfo& route, bool head = false) {
  std::string method(route.method);
  for (char& c : method) c = static_cast<char>(std::tolower(c));
  return document().at("paths").at(route.path).at(head ? "head" : method).as_object();
}

/// A level that carries what the route is about.
std::string level_for(const RouteInfo& route) {
  const bool crdt = route.id == RouteId::get_crdt || route.id == RouteId::update_crdt;
  return crdt ? "eventual" : "prefix";
}

/// What must not be given together with another parameter.
std::string value_for(const RouteInfo& route, const Field& field) {
  switch (field.shape) {
    case Shape::level:
      return level_for(route);
    case Shape::replicas:
      return "all";
    case Shape::integer:
      return std::to_string(std::max<std::int64_t>(field.least, 1));
    case Shape::boolean:
      return "true";
    case Shape::token:
      return field.name == "session" ? SessionToken{}.encode() : encode_page_token({Scan{}, "x"});
    default:
      if (field.name == "guarantees") return "mr,wfr";
      return field.choices.empty() ? "x"
                                   : std::string(field.choices.substr(0, field.choices.find('|')));
  }
}

/// What must stand before a parameter: those of a level mean nothing without one.
std::string level_before(const RouteInfo& route, const Field& field) {
  const auto same = [&](const auto& info) { return info.name == field.name; };
  const auto parameter = std::find_if(kLevelParameters.begin(), kLevelParameters.end(), same);
  if (parameter == kLevelParameters.end()) return "?";
  const auto takes = [&](const LevelInfo& level) {
    // Convergent values are for some levels alone.
    const bool crdt = route.name.find("Crdt") != std::string_view::npos;
    return level.parameters.contains(parameter->parameter) &&
           (!crdt || !crdt_level_error(level.level));
  };
  const auto level = std::find_if(kLevels.begin(), kLevels.end(), takes);
  return fmt::format("?consistency={}&", level->name);
}

std::set<std::string> wrong_values(const Field& field) {
  switch (field.shape) {
    case Shape::level:
      return {"", "gold", "Linearizable", "prefix;"};
    case Shape::integer: {
      std::set<std::string> values{"", "x", "1x", " 1", "1.0", "99999999999999999999"};
      values.insert(std::to_string(field.least - 1));
      if (field.most < kMostNumber) values.insert(std::to_string(field.most + 1));
      return values;
    }
    case Shape::replicas:
      return {"", "0", "-1", "x", "1x", "1.5", "4294967295", "99999999999999999999", "All"};
    case Shape::boolean:
      return {"", "1", "TRUE", "yes"};
    case Shape::token:
      return {"x", std::string(static_cast<std::size_t>(field.most) + 1, 'A')};
    default:
      if (!field.choices.empty()) return {"", "x", std::string(field.choices)};
      return {std::string(static_cast<std::size_t>(field.most) + 1, 'x')};
  }
}

}  // namespace

TEST_CASE("http api: every route is reached by what its row says") {
  for (const RouteInfo& route : all_routes()) {
    INFO(route.name);
    CHECK(&route_info(route.id) == &route);
    CHECK(match_route(route.method, sample(route).target).route == &route);
    CHECK(refusal(ask(route)).second.empty());
    CHECK(allowed_methods(sample(route).target, true).find(route.method) != std::string::npos);
  }
  CHECK(match_route("HEAD", "/v1/kv").route == &route_info(RouteId::range));
  CHECK(match_route("get", "/v1/kv").route == nullptr);
}

TEST_CASE("http api: a parameter is taken by the routes that list it, within its bounds") {
  for (const RouteInfo& route : all_routes()) {
    if (route.any_query) {
      CHECK(refusal(ask(route, "?what=ever&even")).second.empty());
      continue;
    }
    for (std::size_t i = 0; i < kParams.size(); ++i) {
      const Field& field = kParams[i];
      const bool listed = route.params.contains(static_cast<ParamId>(i));
      const std::string name(field.name);
      INFO(route.name << " " << name);
      const std::string query = (listed ? level_before(route, field) : "?") + name + "=";
      const auto taken = refusal(ask(route, query + value_for(route, field)));
      CHECK(taken.second.empty() == listed);
      if (!listed) {
        CHECK(taken.first == "bad-parameter");
        CHECK(taken.second.starts_with("'" + name + "' is no parameter of "));
        continue;
      }
      for (const std::string& wrong : wrong_values(field)) {
        const auto [code, detail] = refusal(ask(route, query + wrong));
        INFO("value " << wrong.substr(0, 50) << ": " << code << ": " << detail);
        REQUIRE_FALSE(detail.empty());
        CHECK(route.errors.contains(find_error(code)->code));
        // It says which one; a level and a key are recognized by themselves.
        CHECK((detail.find(name) != std::string::npos || field.shape == Shape::level));
      }
      if (field.shape == Shape::integer) {
        for (const std::int64_t bound : {field.least, field.most}) {
          CHECK(refusal(ask(route, query + std::to_string(bound))).second.empty());
        }
      }
    }
  }
}

TEST_CASE("http api: a header is taken by the routes that list it, within its bounds") {
  for (const RouteInfo& route : all_routes()) {
    if (!route.key_request && route.headers.empty()) continue;
    for (std::size_t i = 0; i < kRequestHeaders.size(); ++i) {
      const Field& field = kRequestHeaders[i];
      const auto id = static_cast<HeaderId>(i);
      if (id == HeaderId::content_type) continue;  // harmless with any body
      const bool listed = route.headers.contains(id);
      INFO(route.name << " " << field.name);
      std::string value = field.shape == Shape::level ? level_for(route) : "*";
      if (id == HeaderId::session) value = SessionToken{}.encode();
      if (id == HeaderId::context) value = encode_key_context("some", {});
      CHECK(refusal(ask(route, "", {{field.name, value}})).second.empty() == listed);
      const std::string wrong = field.shape == Shape::text ? "" : "?";
      const auto [code, detail] = refusal(ask(route, "", {{field.name, wrong}}));
      INFO(code << ": " << detail);
      REQUIRE_FALSE(detail.empty());
      CHECK(route.errors.contains(find_error(code)->code));
    }
  }
}

TEST_CASE("http api: what the routes refuse is listed, and what is listed they refuse") {
  const std::string too_long(limits::kMaxTargetBytes, 'x');
  // The codes that are the routes' alone to give, with a request that gets each.
  for (const RouteInfo& route : all_routes()) {
    INFO(route.name);
    std::set<std::string> given;
    const auto note = [&](const Routed& routed) {
      const std::string code = refusal(routed).first;
      if (code.empty()) return;
      given.insert(code);
      INFO(code);
      CHECK(route.errors.contains(find_error(code)->code));
    };
    note(ask(route, "?" + too_long));
    note(ask(route, "#"));
    note(ask(route, "?consistency=gold"));
    note(ask(route, "?what=ever"));
    note(ask(route, "", {{"Parallax-Session", "?"}}));
    note(ask(route, "", {{"If-Unmodified-Since", "x"}}));
    note(ask(route, "", {{"Content-Encoding", "gzip"}}));
    note(ask(route, "", {}, std::string(limits::kMaxBatchBytes + 1, ' ')));
    note(ask(route, "", {}, route.body == BodyKind::none ? "x" : "{"));
    if (route.body != BodyKind::none && route.body != BodyKind::value) {
      note(ask(route, "", {}, R"({"what":"ever"})"));
    }
    for (const ErrorCode code :
         {ErrorCode::bad_request, ErrorCode::unknown_level, ErrorCode::bad_parameter,
          ErrorCode::bad_session, ErrorCode::condition_unsupported, ErrorCode::payload_too_large,
          ErrorCode::uri_too_long, ErrorCode::unsupported_media_type}) {
      INFO("listed but never given: " << error_info(code).name);
      CHECK(route.errors.contains(code) == given.contains(std::string(error_info(code).name)));
    }
  }
}

TEST_CASE("http api: statuses of answers are those of the route") {
  const std::pair<RouteId, KvOp> kinds[] = {{RouteId::get_key, KvOp::get},
                                            {RouteId::get_key, KvOp::head},
                                            {RouteId::put_key, KvOp::put},
                                            {RouteId::delete_key, KvOp::remove},
                                            {RouteId::get_crdt, KvOp::get_crdt},
                                            {RouteId::update_crdt, KvOp::update_crdt},
                                            {RouteId::increment, KvOp::increment},
                                            {RouteId::range, KvOp::scan},
                                            {RouteId::range, KvOp::get_many},
                                            {RouteId::history, KvOp::history},
                                            {RouteId::get_policy, KvOp::get_policy},
                                            {RouteId::list_policies, KvOp::list_policies},
                                            {RouteId::put_policy, KvOp::put_policy},
                                            {RouteId::delete_policy, KvOp::delete_policy},
                                            {RouteId::wait, KvOp::wait}};
  CHECK(std::size(kinds) == kKvOpNames.size());
  for (const auto& [id, op] : kinds) {
    const RouteInfo& route = route_info(id);
    INFO(route.name);
    KvForm form{.op = op};
    Answer answer{.stamp = Stamp{Hlc{1}, NodeId{1}}};
    std::set<int> seen;
    for (const bool found : {false, true}) {
      for (const std::size_t siblings : {0, 2}) {
        for (const bool same : {false, true}) {
          answer.found = found;
          answer.items.resize(found ? siblings : 0);
          answer.policies.resize(found ? 1 : 0);
          answer.consistency.level = same ? Level::weak : Level::linearizable;
          form.if_none_match = same ? std::optional(EtagSet{.any = true}) : std::nullopt;
          seen.insert(kv_status(form, answer));
        }
      }
    }
    std::set<int> listed(route.successes.begin(), route.successes.end());
    listed.erase(0);
    if (route.errors.contains(ErrorCode::not_found)) listed.insert(404);
    CHECK(seen == listed);
  }
}

TEST_CASE("http api: every error that a node's sources speak of is some route's, and the reverse") {
  static const std::regex spoken("ErrorCode::([a-z_]+)");
  std::set<std::string> in_code;
  for (const char* folder : {"node", "node/io", "consistency", "client"}) {
    for (const auto& entry :
         fs::directory_iterator(PARALLAX_SOURCE_DIR + ("/" + std::string(folder)))) {
      const std::string name = entry.path().filename().string();
      // Of the client's folder only what nodes use; of the node's not the table itself.
      const bool shared = std::string(folder) != "client" || name.starts_with("http_protocol") ||
                          name.starts_with("level_support");
      if (entry.path().extension() != ".cc" || !shared || name == "http_api.cc" ||
          name == "openapi.cc") {
        continue;
      }
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      const std::string source = text.str();
      for (std::sregex_iterator it(source.begin(), source.end(), spoken), end; it != end; ++it) {
        std::string code = (*it)[1];
        std::replace(code.begin(), code.end(), '_', '-');
        in_code.insert(code);
      }
    }
  }
  for (const char* inner : {"io", "corrupt", "refused"}) CHECK(in_code.erase(inner) == 1);
  std::set<std::string> listed{"method-not-allowed"};  // of paths, not of routes
  for (const RouteInfo& route : all_routes()) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::refused); ++i) {
      const auto code = static_cast<ErrorCode>(i);
      if (route.errors.contains(code)) listed.insert(std::string(error_info(code).name));
    }
  }
  CHECK(in_code == listed);
}

TEST_CASE("http api: the document has every route, parameter, header, status and code") {
  CHECK(document().at("openapi") == "3.1.0");
  std::set<std::string> in_document;
  for (const auto& path : document().at("paths").as_object()) {
    for (const auto& method : path.value().as_object()) {
      in_document.insert(std::string(method.key()) + " " + std::string(path.key()));
    }
  }
  std::set<std::string> in_table;
  std::set<std::string> names;
  for (const RouteInfo& route : all_routes()) {
    INFO(route.name);
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    in_table.insert(method + " " + std::string(route.path));
    if (method == "get") in_table.insert("head " + std::string(route.path));
    for (const bool head : {false, true}) {
      if (head && route.method != "GET") continue;
      const json::object& written = operation(route, head);
      CHECK(names.insert(std::string(written.at("operationId").as_string())).second);

      std::set<std::string> parameters;
      if (const auto* list = written.if_contains("parameters")) {
        for (const auto& parameter : list->as_array()) {
          CHECK_FALSE(parameter.at("description").as_string().empty());
          if (parameter.at("in") == "path") continue;
          parameters.insert(std::string(parameter.at("name").as_string()));
        }
      }
      std::set<std::string> expected;
      for (std::size_t i = 0; i < kParams.size(); ++i) {
        if (route.params.contains(static_cast<ParamId>(i))) expected.emplace(kParams[i].name);
      }
      for (std::size_t i = 0; i < kRequestHeaders.size(); ++i) {
        if (route.headers.contains(static_cast<HeaderId>(i))) {
          expected.emplace(kRequestHeaders[i].name);
        }
      }
      CHECK(parameters == expected);
      CHECK(written.contains("requestBody") == (route.body != BodyKind::none));

      std::set<std::string> codes;
      std::set<int> successes;
      for (const auto& response : written.at("responses").as_object()) {
        CHECK_FALSE(response.value().at("description").as_string().empty());
        const int status = std::stoi(std::string(response.key()));
        if (status < 400) {
          successes.insert(status);
          continue;
        }
        for (const auto& code : response.value().at("x-codes").as_array()) {
          const ErrorInfo* info = find_error(std::string(code.as_string()));
          REQUIRE(info != nullptr);
          CHECK(info->http_status == status);
          CHECK(route.errors.contains(info->code));
          codes.emplace(info->name);
        }
      }
      for (int i = 0; i <= static_cast<int>(ErrorCode::refused); ++i) {
        const auto code = static_cast<ErrorCode>(i);
        CHECK(route.errors.contains(code) == codes.contains(std::string(error_info(code).name)));
      }
      std::set<int> table(route.successes.begin(), route.successes.end());
      table.erase(0);
      CHECK(successes == table);
    }
  }
  CHECK(in_document == in_table);
}

TEST_CASE("http api: docs/API.md has a curl line for every route, and every code") {
  static const std::regex line(
      R"rx(curl (-I )?(?:-X ([A-Z]+) )?.*http://127\.0\.0\.1:710[^/]*(/[^ '"?]*))rx");
  std::ifstream in(PARALLAX_SOURCE_DIR "/docs/API.md");
  std::set<RouteId> shown;
  std::set<std::string> codes;
  std::string text;
  std::string whole;
  while (std::getline(in, text)) {
    whole += text + "\n";
    std::smatch match;
    if (!std::regex_search(text, match, line)) continue;
    INFO(text);
    const std::string method = match[2].matched ? match[2].str() : "GET";
    const RouteMatch found = match_route(method, match[3].str());
    REQUIRE(found.route != nullptr);
    shown.insert(found.route->id);
  }
  for (const RouteInfo& route : all_routes()) {
    INFO("no curl line for " << route.name);
    CHECK(shown.contains(route.id));
    for (int i = 0; i <= static_cast<int>(ErrorCode::refused); ++i) {
      const auto code = static_cast<ErrorCode>(i);
      if (!route.errors.contains(code)) continue;
      INFO("not a word about " << error_info(code).name);
      CHECK(whole.find(fmt::format("`{}`", error_info(code).name)) != std::string::npos);
    }
  }
}

TEST_CASE("http api: bounds and defaults stand in the document") {
  const auto& range = operation(route_info(RouteId::range)).at("parameters").as_array();
  const auto find = [&](std::string_view name) {
    for (const auto& parameter : range) {
      if (parameter.at("name").as_string() == name) return parameter.at("schema").as_object();
    }
    FAIL("no parameter " << name);
    return json::object{};
  };
  CHECK(json::serialize(find("limit")) ==
        R"({"type":"integer","minimum":1,"maximum":1000,"default":100})");
  CHECK(json::serialize(find("reverse")) == R"({"type":"boolean","default":false})");
  CHECK(json::serialize(find("prefix")) == R"({"type":"string","maxLength":1024})");
  CHECK(
      json::serialize(find("key")) ==
      R"({"type":"array","items":{"type":"string","minLength":1,"maxLength":1024},"maxItems":1000})");
  CHECK(
      json::serialize(find("consistency").at("anyOf").at(0)) ==
      R"({"enum":["linearizable","strong","sequential","bounded","prefix","atomic","quorum","causal","session","eventual","weak","one","two","three","all"]})");
  // What absence means is what the code takes it for.
  CHECK(std::get<Scan>(std::get<KvCall>(ask(route_info(RouteId::range))).request.operation).limit ==
        100);
  CHECK(std::get<KvCall>(ask(route_info(RouteId::range))).request.timeout.count() == 5'000);
}

TEST_CASE("http api: references in the document lead somewhere") {
  static const std::regex reference("\"#/components/schemas/([A-Za-z]+)\"");
  const json::object& schemas = document().at("components").at("schemas").as_object();
  const std::string text = openapi_document();
  std::set<std::string> used;
  for (std::sregex_iterator it(text.begin(), text.end(), reference), end; it != end; ++it) {
    used.insert((*it)[1]);
    CHECK(schemas.contains((*it)[1].str()));
  }
  for (const auto& schema : schemas) CHECK(used.contains(std::string(schema.key())));
}

namespace {

/// Names of an object's members.
std::set<std::string> names_of(const json::object& object) {
  std::set<std::string> names;
  for (const auto& member : object) names.emplace(member.key());
  return names;
}

std::set<std::string> properties(const char* schema) {
  return names_of(
      document().at("components").at("schemas").at(schema).at("properties").as_object());
}

json::object body_of(const KvForm& form, const Answer& answer) {
  return json::parse(answer_body(form, answer)).as_object();
}

}  // namespace

TEST_CASE("http api: bodies have the members of their schemas") {
  Answer answer;
  answer.items = {{"a", {}, {}, ""}, {"\xff", {}, {}, ""}};
  answer.missing = {"b", "\xff"};
  answer.versions = {{Stamp{}, false, {}, ""}};
  answer.policies = {{"a", {}}, {"\xff", {}}};
  answer.number = 1;
  const json::object many = body_of({.op = KvOp::get_many}, answer);
  CHECK(names_of(many) == properties("Range"));
  std::set<std::string> item = names_of(many.at("items").at(0).as_object());
  item.merge(names_of(many.at("items").at(1).as_object()));
  CHECK(item == properties("Item"));
  CHECK(names_of(body_of({.op = KvOp::increment}, answer)) == properties("IncrementAnswer"));
  const json::object history = body_of({.op = KvOp::history}, answer);
  CHECK(names_of(history) == properties("History"));
  const auto& schemas = document().at("components").at("schemas");
  const auto inner = [&](const char* schema, const char* list) {
    return names_of(
        schemas.at(schema).at("properties").at(list).at("items").at("properties").as_object());
  };
  CHECK(names_of(history.at("versions").at(0).as_object()) == inner("History", "versions"));
  const json::object siblings = body_of({.op = KvOp::get}, answer);
  CHECK(names_of(siblings) == properties("Siblings"));
  CHECK(names_of(siblings.at("siblings").at(0).as_object()) == inner("Siblings", "siblings"));
  CHECK(names_of(body_of({.op = KvOp::get_policy}, answer)) == properties("PolicyAnswer"));
  const json::object policies = body_of({.op = KvOp::list_policies}, answer);
  CHECK(names_of(policies) == properties("Policies"));
  CHECK(names_of(policies.at("policies").at(1).as_object()) ==
        std::set<std::string>{"prefix_base64", "default_consistency", "mixing", "conflict"});

  Problem problem{.leader_address = "a", .error = definite(ErrorCode::not_leader, "x")};
  problem.etag = Stamp{};
  std::set<std::string> members = names_of(json::parse(render_problem(problem)).as_object());
  problem.error.code = ErrorCode::not_enough_replicas;
  problem.error.required = 2;
  members.merge(names_of(json::parse(render_problem(problem)).as_object()));
  CHECK(members == properties("Problem"));
}

TEST_CASE("http api: the document says what a level with parameters looks like") {
  const auto& put = operation(route_info(RouteId::put_key)).at("parameters").as_array();
  std::map<std::string, json::object> schemas;
  for (const auto& parameter : put) {
    schemas[std::string(parameter.at("name").as_string())] = parameter.at("schema").as_object();
  }
  CHECK(json::serialize(schemas.at("r")) ==
        R"({"anyOf":[{"type":"integer","minimum":1},{"type":"string","const":"all"}]})");
  CHECK(json::serialize(schemas.at("sloppy")) == R"({"type":"boolean","default":false})");
  CHECK(json::serialize(schemas.at("repair")) ==
        R"({"type":"string","enum":["async","blocking"],"default":"async"})");
  const std::regex pattern(
      std::string(schemas.at("consistency").at("anyOf").at(1).at("pattern").as_string()));
  for (const char* text :
       {"quorum; r=2; w=2", "quorum;w=all", "two; sloppy", "quorum; sloppy=?1"}) {
    INFO(text);
    CHECK(std::regex_match(text, pattern));
    CHECK(parse_consistency(text).has_value());
  }
  for (const char* text : {"gold; r=2", "quorum;", "quorum r=2"}) {
    INFO(text);
    CHECK_FALSE(std::regex_match(text, pattern));
    CHECK_FALSE(parse_consistency(text).has_value());
  }
}

}  // namespace parallax
