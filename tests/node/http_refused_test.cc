// tests/data/http/refused.txt: what is refused, and how.
#include <filesystem>
#include <fstream>
#include <regex>

#include <catch2/catch.hpp>

#include "client/http_protocol.h"
#include "node/http_routes.h"

namespace parallax {
namespace {

const std::string kCases = std::string(PARALLAX_SOURCE_DIR) + "/tests/data/http/refused.txt";

struct RefusedCase {
  int line = 0;
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string error;
};

/// {5*x} as xxxxx.
std::string expand(const std::string& text) {
  static const std::regex repeated(R"(\{(\d+)\*(.)\})");
  std::string out;
  auto rest = text.begin();
  for (std::sregex_iterator it(text.begin(), text.end(), repeated), end; it != end; ++it) {
    out.append(rest, (*it)[0].first);
    out.append(std::stoul((*it)[1]), *(*it)[2].first);
    rest = (*it)[0].second;
  }
  return out.append(rest, text.end());
}

std::vector<RefusedCase> read_cases() {
  std::ifstream in(kCases);
  REQUIRE(in);
  std::vector<RefusedCase> cases;
  RefusedCase now;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.starts_with('#')) continue;
    if (line.starts_with("! ")) {
      now.error = line.substr(2);
      cases.push_back(std::exchange(now, {}));
    } else if (line.starts_with("= ")) {
      now.body = expand(line.substr(2));
    } else if (now.method.empty() && !line.empty()) {
      now.line = number;
      now.method = line.substr(0, line.find(' '));
      now.target = expand(line.substr(line.find(' ') + 1));
    } else if (!line.empty()) {
      const std::size_t colon = line.find(':');
      INFO(kCases << ":" << number);
      REQUIRE(colon != std::string::npos);
      const std::string value = colon + 2 < line.size() ? line.substr(colon + 2) : "";
      now.headers.emplace_back(line.substr(0, colon), expand(value));
    }
  }
  CHECK(now.method.empty());
  return cases;
}

}  // namespace

TEST_CASE("http routes: what is refused and how") {
  const std::vector<RefusedCase> cases = read_cases();
  CHECK(cases.size() > 100);
  for (const RefusedCase& refused : cases) {
    INFO(kCases << ":" << refused.line << ": " << refused.method << " " << refused.target);
    std::vector<HttpHeaderView> headers;
    for (const auto& [name, value] : refused.headers) headers.push_back({name, value});
    const HttpRequestView request{refused.method, refused.target, headers, refused.body};
    const Routed routed = route(request, {.max_value_bytes = 100, .enable_faults = true});
    CHECK(std::holds_alternative<HttpReply>(routed));
    if (!std::holds_alternative<HttpReply>(routed)) continue;
    const HttpReply& reply = std::get<HttpReply>(routed);
    CHECK(reply.content_type == "application/problem+json");
    const auto problem = parse_problem(reply.body);
    REQUIRE(problem.has_value());
    const ErrorInfo& info = error_info(problem->error.code);
    CHECK(reply.status == info.http_status);
    CHECK(problem->error.definite());
    CHECK(std::string(info.name) + ": " + problem->error.message == refused.error);

    const bool wrong_method = problem->error.code == ErrorCode::method_not_allowed;
    REQUIRE(reply.headers.size() == (wrong_method ? 1u : 0u));
    if (wrong_method) {
      CHECK(reply.headers[0].first == "Allow");
      CHECK(refused.error.ends_with(reply.headers[0].second));
      continue;
    }
    // Whatever a route says is in the table of the API, and so in its document.
    const std::string path = refused.target.substr(0, refused.target.find_first_of("?#"));
    const RouteMatch match = match_route(refused.method, path);
    if (match.route != nullptr) CHECK(match.route->errors.contains(problem->error.code));
  }
}

}  // namespace parallax
