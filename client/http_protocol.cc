#include "client/http_protocol.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>

namespace parallax {
namespace {

namespace json = boost::json;

constexpr std::string_view kProblemTypePrefix = "urn:parallax:error:";
constexpr std::string_view kNotApplied = "not_applied";
constexpr std::string_view kUnknown = "unknown";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr auto kPlainInPath = [] {
  std::array<bool, 256> plain{};
  for (const char c :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")) {
    plain[static_cast<unsigned char>(c)] = true;
  }
  return plain;
}();

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// Of what a message says, only this goes into JSON: bytes that are not UTF-8 would break it.
std::string printable(std::string_view text) {
  std::string clean(text);
  for (char& c : clean) {
    if (c < 0x20 || c >= 0x7f) c = '?';
  }
  return clean;
}

json::string_view json_text(std::string_view text) {
  return {text.data(), text.size()};
}

Error corrupt(std::string_view what) {
  return definite(ErrorCode::corrupt, fmt::format("the problem is not understood: {}", what));
}

/// Nothing when absent; an error when of another type.
Result<std::optional<std::string_view>> text_member(const json::object& object,
                                                    std::string_view name) {
  const json::value* value = object.if_contains(json_text(name));
  if (value == nullptr) return std::optional<std::string_view>{};
  if (!value->is_string()) return corrupt(fmt::format("\"{}\" is no string", name));
  const json::string& text = value->get_string();
  return std::optional<std::string_view>{{text.data(), text.size()}};
}

template <class Number>
Result<std::optional<Number>> number_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json_text(name));
  if (value == nullptr || value->is_null()) return std::optional<Number>{};
  json::error_code error;
  const Number number = value->is_number() ? value->to_number<Number>(error) : Number{};
  if (!value->is_number() || error) {
    return corrupt(fmt::format("\"{}\" is no fitting number", name));
  }
  return std::optional<Number>{number};
}

}  // namespace

bool same_header_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](char x, char y) { return lower(x) == lower(y); });
}

std::string quoted_for_message(std::string_view text) {
  constexpr std::size_t kShown = 40;
  std::string shown = printable(text.substr(0, kShown));
  std::replace(shown.begin(), shown.end(), '\'', '?');
  return fmt::format("'{}{}'", shown, text.size() > kShown ? "..." : "");
}

std::string percent_encode(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const bool step = bytes == "." || bytes == "..";
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (kPlainInPath[byte] && !step) {
      text += c;
    } else {
      text += '%';
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
  }
  return text;
}

Result<std::string> percent_decode(std::string_view text, PlusMeans plus) {
  const auto stands_for_another = [plus](char c) {
    return c == '%' || (c == '+' && plus == PlusMeans::space);
  };
  const auto first = std::find_if(text.begin(), text.end(), stands_for_another);
  std::string bytes(text.begin(), first);
  if (first == text.end()) return bytes;
  bytes.reserve(text.size());
  for (std::size_t at = bytes.size(); at < text.size(); ++at) {
    const char c = text[at];
    if (c == '+' && plus == PlusMeans::space) {
      bytes += ' ';
    } else if (c == '%') {
      const int high = at + 1 < text.size() ? hex_digit(text[at + 1]) : -1;
      const int low = at + 2 < text.size() ? hex_digit(text[at + 2]) : -1;
      if (high < 0 || low < 0) {
        return definite(ErrorCode::bad_request,
                        fmt::format("the '%' at position {} of {} has no two hexadecimal digits "
                                    "behind it; write %25 for the character itself",
                                    at, quoted_for_message(text)));
      }
      bytes += static_cast<char>(high * 16 + low);
      at += 2;
    } else {
      bytes += c;
    }
  }
  return bytes;
}

Result<Query> parse_query(std::string_view text, std::string_view repeatable) {
  Query query;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view piece = text.substr(0, end);
    if (end + 1 == text.size()) {
      return definite(ErrorCode::bad_request, "the query ends with '&'; remove it");
    }
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = piece.find('=');
    if (equals == 0 || piece.empty()) {
      return definite(ErrorCode::bad_request,
                      "the query has a parameter without a name; write name=value&name=value");
    }
    if (equals == std::string_view::npos) {
      return definite(ErrorCode::bad_request,
                      fmt::format("the query parameter {} has no value; write name=value",
                                  quoted_for_message(piece)));
    }
    PARALLAX_ASSIGN(std::string name, percent_decode(piece.substr(0, equals), PlusMeans::space));
    PARALLAX_ASSIGN(std::string value, percent_decode(piece.substr(equals + 1), PlusMeans::space));
    const auto same = [&](const QueryParameter& other) { return other.name == name; };
    if (name != repeatable && std::any_of(query.begin(), query.end(), same)) {
      return definite(ErrorCode::bad_parameter, fmt::format("the query parameter {} is given twice",
                                                            quoted_for_message(name)));
    }
    query.push_back({std::move(name), std::move(value)});
  }
  return query;
}

std::string render_etag(const Stamp& stamp) {
  return '"' + stamp.to_string() + '"';
}

Result<Stamp> parse_etag(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    if (const auto stamp = Stamp::parse(text.substr(1, text.size() - 2))) return *stamp;
  }
  return definite(ErrorCode::bad_request,
                  fmt::format("{} is no ETag of a version; one looks like \"112233-1\", quoted",
                              quoted_for_message(text)));
}

Result<EtagSet> parse_etag_set(std::string_view header, std::string_view list,
                               EtagComparison comparison) {
  const auto refuse = [&](std::string_view what) {
    return definite(ErrorCode::bad_request,
                    fmt::format("{}: {} {}", header, quoted_for_message(list), what));
  };
  EtagSet set;
  std::string_view rest = trim(list);
  if (rest == "*") {
    set.any = true;
    return set;
  }
  const bool strong = comparison == EtagComparison::strong;
  for (std::size_t count = 1;; ++count) {
    std::string_view tag = rest;
    const bool weak = tag.starts_with("W/");
    if (weak) tag.remove_prefix(2);
    const std::size_t close = tag.starts_with('"') ? tag.find('"', 1) : std::string_view::npos;
    if (close == std::string_view::npos) break;
    if (count > limits::kMaxEtagsPerCondition) {
      return refuse(fmt::format("has more than {} ETags", limits::kMaxEtagsPerCondition));
    }
    if (weak && strong) return refuse("has a weak ETag, which never matches");
    const auto stamp = Stamp::parse(tag.substr(1, close - 1));
    if (stamp) set.stamps.push_back(*stamp);
    if (!stamp && strong) {
      return refuse("has an ETag that no version can have; one looks like \"112233-1\", quoted");
    }
    rest = trim(tag.substr(close + 1));
    if (rest.empty()) return set;
    if (rest.front() != ',') break;
    rest = trim(rest.substr(1));
  }
  return refuse("is no list of quoted ETags and not *");
}

std::string render_problem(const Problem& problem) {
  const Error& error = problem.error;
  const ErrorInfo& info = error_info(error.code);
  json::object body;
  body.reserve(12);
  body["type"] = fmt::format("{}{}", kProblemTypePrefix, info.name);
  body["title"] = json_text(info.title);
  body["status"] = info.http_status;
  body["detail"] = printable(error.message);
  body["code"] = json_text(info.name);
  body["outcome"] = json_text(error.definite() ? kNotApplied : kUnknown);
  body["retryable"] = info.retryable;
  if (error.code == ErrorCode::not_leader) {
    body["leader"] = error.leader == kNoNode ? json::value(nullptr) : error.leader.value;
    body["leader_address"] = problem.leader_address.empty()
                                 ? json::value(nullptr)
                                 : json::value(json_text(problem.leader_address));
  }
  if (problem.etag) body["etag"] = render_etag(*problem.etag);
  if (error.code == ErrorCode::not_enough_replicas && error.required > 0) {
    body["required"] = error.required;
    body["received"] = error.received;
  }
  return json::serialize(body) + '\n';
}

Result<Problem> parse_problem(std::string_view text) {
  json::error_code parse_error;
  const json::value value = json::parse(json_text(text), parse_error);
  if (parse_error || !value.is_object()) return corrupt("no JSON object");
  const json::object& object = value.get_object();

  PARALLAX_ASSIGN(const auto code, text_member(object, "code"));
  PARALLAX_ASSIGN(const auto detail, text_member(object, "detail"));
  PARALLAX_ASSIGN(const auto outcome, text_member(object, "outcome"));
  PARALLAX_ASSIGN(const auto leader, number_member<std::uint32_t>(object, "leader"));
  if (!code) return corrupt("\"code\" is missing");
  const ErrorInfo* info = find_error(*code);
  if (info == nullptr) return corrupt(fmt::format("unknown code {}", quoted_for_message(*code)));
  if (!outcome || (*outcome != kNotApplied && *outcome != kUnknown)) {
    return corrupt("\"outcome\" must be \"not_applied\" or \"unknown\"");
  }

  Problem problem;
  problem.error = {info->code, *outcome == kUnknown ? Certainty::indefinite : Certainty::definite,
                   std::string(detail.value_or(info->title)), NodeId{leader.value_or(0)}};
  if (const json::value* address = object.if_contains("leader_address");
      address != nullptr && !address->is_null()) {
    PARALLAX_ASSIGN(const auto leader_address, text_member(object, "leader_address"));
    problem.leader_address = std::string(*leader_address);
  }
  PARALLAX_ASSIGN(const auto etag, text_member(object, "etag"));
  if (etag) {
    const auto stamp = parse_etag(*etag);
    if (!stamp) return corrupt("\"etag\" is no ETag");
    problem.etag = *stamp;
  }
  PARALLAX_ASSIGN(const auto required, number_member<std::uint32_t>(object, "required"));
  PARALLAX_ASSIGN(const auto received, number_member<std::uint32_t>(object, "received"));
  problem.error.required = required.value_or(0);
  problem.error.received = received.value_or(0);
  return problem;
}

}  // namespace parallax
