// A JSON object in a request's body, read strictly: a member that is not expected, given twice or
// of another type is refused and named.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/error.h"

namespace parallax {

/// A value. Members that are absent or null read as nothing; errors of the readers are
/// bad_parameter and name the member as `prefix` + name.
class JsonBody {
 public:
  /// Errors: bad_request (no JSON object), bad_parameter (a member other than `members`).
  static Result<JsonBody> parse(std::string_view text,
                                std::initializer_list<std::string_view> members);

  Result<std::optional<std::int64_t>> whole_number(std::string_view name, std::int64_t least,
                                                   std::int64_t most) const;
  Result<std::optional<double>> number(std::string_view name, double least, double most) const;
  Result<std::optional<bool>> boolean(std::string_view name) const;
  Result<std::optional<std::string>> text(std::string_view name) const;
  /// Whole numbers in a list.
  Result<std::vector<std::int64_t>> whole_numbers(std::string_view name, std::int64_t least,
                                                  std::int64_t most) const;
  /// An object inside this one.
  Result<std::optional<JsonBody>> object(std::string_view name,
                                         std::initializer_list<std::string_view> members) const;

 private:
  static Result<JsonBody> checked(boost::json::object object, std::string prefix,
                                  std::initializer_list<std::string_view> members);
  const boost::json::value* find(std::string_view name) const;
  Error wrong(std::string_view name, std::string_view right) const;

  boost::json::object object_;
  std::string prefix_;
};

}  // namespace parallax
