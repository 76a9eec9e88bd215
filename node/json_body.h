// A JSON object in a request's body, read strictly: a member that is not expected, given twice, of
// another type or out of its bounds is refused and named.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/error.h"
#include "node/http_api.h"

namespace parallax {

/// A value. Every reader takes the name of one of `members`, whose bounds count, which must outlive
/// this. Members that are absent or null read as nothing; errors of the readers are bad_parameter
/// and name the member as prefix + name.
class JsonBody {
 public:
  /// Errors: bad_request (no JSON object, a member twice), bad_parameter (a member other than
  /// `members`).
  static Result<JsonBody> parse(std::string_view text, std::span<const Field> members);
  /// An object that was found elsewhere, as `prefix` says ("operations[3].").
  static Result<JsonBody> checked(boost::json::object object, std::string prefix,
                                  std::span<const Field> members);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  Result<std::optional<std::int64_t>> whole_number(std::string_view name) const;
  /// How many replicas: a whole number, or "all"; as text, bounds not checked.
  Result<std::optional<std::string>> replicas(std::string_view name) const;
  Result<std::optional<double>> number(std::string_view name) const;
  Result<std::optional<bool>> boolean(std::string_view name) const;
  Result<std::optional<std::string>> text(std::string_view name) const;
  /// The bytes behind base64 with padding.
  Result<std::optional<std::string>> base64(std::string_view name) const;
  /// Whatever it is, as text: no white space, members sorted by name, so that equal values are
  /// equal texts.
  Result<std::optional<std::string>> json(std::string_view name) const;
  /// Whole numbers in a list.
  Result<std::vector<std::int64_t>> whole_numbers(std::string_view name) const;
  /// An object inside this one.
  Result<std::optional<JsonBody>> object(std::string_view name,
                                         std::span<const Field> members) const;
  /// The list of a member that must be one, of a length within its bounds; what is in it is not
  /// looked at.
  Result<boost::json::array> take_list(std::string_view name);

  /// bad_parameter: `name` must be `right`.
  Error wrong(std::string_view name, std::string_view right) const;

 private:
  const Field& field(std::string_view name) const;
  const boost::json::value* find(std::string_view name) const;
  Result<void> check_size(std::string_view name, std::size_t size) const;

  boost::json::object object_;
  std::string prefix_;
  std::span<const Field> members_;
};

}  // namespace parallax
