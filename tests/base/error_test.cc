#include "base/error.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include <catch2/catch.hpp>

#include "base/assert.h"

namespace parallax {
namespace {

/// Every code once. A new enumerator stops this from compiling (-Wswitch) until it is in the list
/// below too.
constexpr bool listed(ErrorCode code) {
  switch (code) {
    case ErrorCode::bad_request:
    case ErrorCode::unknown_level:
    case ErrorCode::bad_parameter:
    case ErrorCode::bad_session:
    case ErrorCode::condition_unsupported:
    case ErrorCode::not_found:
    case ErrorCode::method_not_allowed:
    case ErrorCode::payload_too_large:
    case ErrorCode::uri_too_long:
    case ErrorCode::unsupported_media_type:
    case ErrorCode::headers_too_large:
    case ErrorCode::request_timeout:
    case ErrorCode::mixing_denied:
    case ErrorCode::not_a_number:
    case ErrorCode::wrong_type:
    case ErrorCode::too_many_siblings:
    case ErrorCode::precondition_failed:
    case ErrorCode::not_leader:
    case ErrorCode::idempotency_key_reused:
    case ErrorCode::overloaded:
    case ErrorCode::no_leader:
    case ErrorCode::not_enough_replicas:
    case ErrorCode::level_unattainable:
    case ErrorCode::recovering:
    case ErrorCode::clock_skew:
    case ErrorCode::shutting_down:
    case ErrorCode::read_only:
    case ErrorCode::timeout:
    case ErrorCode::internal:
    case ErrorCode::io:
    case ErrorCode::corrupt:
    case ErrorCode::refused:
      return true;
  }
  return false;
}

/// Names and statuses are fixed: clients and scripts rely on them.
const std::map<std::string_view, int> kStatuses{
    {"bad-request", 400},
    {"unknown-level", 400},
    {"bad-parameter", 400},
    {"bad-session", 400},
    {"condition-unsupported", 400},
    {"not-found", 404},
    {"method-not-allowed", 405},
    {"mixing-denied", 409},
    {"not-a-number", 409},
    {"wrong-type", 409},
    {"too-many-siblings", 409},
    {"precondition-failed", 412},
    {"payload-too-large", 413},
    {"uri-too-long", 414},
    {"unsupported-media-type", 415},
    {"not-leader", 421},
    {"idempotency-key-reused", 422},
    {"overloaded", 429},
    {"headers-too-large", 431},
    {"request-timeout", 408},
    {"internal", 500},
    {"io", 500},
    {"corrupt", 500},
    {"refused", 500},
    {"no-leader", 503},
    {"not-enough-replicas", 503},
    {"level-unattainable", 503},
    {"recovering", 503},
    {"clock-skew", 503},
    {"shutting-down", 503},
    {"read-only", 503},
    {"timeout", 504},
};

std::vector<ErrorCode> all_codes() {
  std::vector<ErrorCode> codes;
  for (int i = 0; listed(static_cast<ErrorCode>(i)); ++i) {
    codes.push_back(static_cast<ErrorCode>(i));
  }
  return codes;
}

TEST_CASE("error: every code has one row with its fixed name and status") {
  const auto codes = all_codes();
  CHECK(codes.size() == kStatuses.size());
  std::set<std::string_view> names;
  for (const ErrorCode code : codes) {
    const ErrorInfo& row = error_info(code);
    CAPTURE(row.name);
    CHECK(row.code == code);
    CHECK(names.insert(row.name).second);
    CHECK_FALSE(row.title.empty());
    REQUIRE(kStatuses.count(row.name) == 1);
    CHECK(row.http_status == kStatuses.at(row.name));
    CHECK(find_error(row.name) == &row);
  }
}

TEST_CASE("error: a retry helps exactly where the cluster may change its mind") {
  for (const ErrorCode code : all_codes()) {
    const ErrorInfo& row = error_info(code);
    CAPTURE(row.name);
    const bool passing = row.http_status >= 503 || row.http_status == 429 ||
                         row.http_status == 408 || row.http_status == 421 || code == ErrorCode::io;
    CHECK(row.retryable == passing);
  }
}

TEST_CASE("error: names that are none") {
  CHECK(find_error("") == nullptr);
  CHECK(find_error("bad_request") == nullptr);
  CHECK(find_error("Bad-Request") == nullptr);
  CHECK(find_error("bad-request ") == nullptr);
}

TEST_CASE("error: a code outside the table is a broken invariant") {
  set_assertion_handler([](const std::string& line) { throw std::runtime_error(line); });
  CHECK_THROWS_WITH(error_info(static_cast<ErrorCode>(999)), Catch::EndsWith("row: 999"));
  set_assertion_handler(nullptr);
}

TEST_CASE("error: certainty is what the maker said") {
  CHECK(definite(ErrorCode::timeout, "late").definite());
  CHECK_FALSE(indefinite(ErrorCode::timeout, "late").definite());
  CHECK_FALSE(definite(ErrorCode::timeout, "late") == indefinite(ErrorCode::timeout, "late"));
}

Result<int> half(int n) {
  if (n % 2 != 0) return definite(ErrorCode::not_a_number, "odd");
  return n / 2;
}

Result<int> quarter(int n, int& reached) {
  PARALLAX_TRY(half(n));
  reached = 1;
  PARALLAX_ASSIGN(const int once, half(n));
  PARALLAX_ASSIGN(const int twice, half(once));
  reached = 2;
  return twice;
}

TEST_CASE("error: try and assign hand the first error on") {
  int reached = 0;
  const Result<int> good = quarter(12, reached);
  REQUIRE(good.has_value());
  CHECK(*good == 3);
  CHECK(reached == 2);
  reached = 0;
  const Result<int> odd = quarter(7, reached);
  REQUIRE(odd.has_error());
  CHECK(odd.error() == definite(ErrorCode::not_a_number, "odd"));
  CHECK(reached == 0);
  CHECK(quarter(6, reached).has_error());
  CHECK(reached == 1);
}

TEST_CASE("error: the value of a failed result is a broken invariant") {
  set_assertion_handler([](const std::string& line) { throw std::runtime_error(line); });
  const Result<int> odd = half(1);
  CHECK_THROWS_WITH(odd.value(), Catch::EndsWith("value() of a failed result: odd"));
  set_assertion_handler(nullptr);
}

}  // namespace
}  // namespace parallax
