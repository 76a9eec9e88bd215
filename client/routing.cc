#include "client/routing.h"

#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

#include "base/assert.h"

namespace parallax {
namespace {

Error endpoint_error(std::string_view text) {
  return definite(ErrorCode::bad_parameter,
                  fmt::format("endpoint \"{}\" is not of the form host:port, for example "
                              "127.0.0.1:7101 or [::1]:7101",
                              text));
}

/// Where in `tried` the endpoint was last seen; -1 when it was not.
std::ptrdiff_t last_try(const std::vector<Endpoint>& tried, const Endpoint& endpoint) {
  const auto found = std::find(tried.rbegin(), tried.rend(), endpoint);
  return found == tried.rend() ? -1 : std::distance(found, tried.rend()) - 1;
}

}  // namespace

std::string Endpoint::to_string() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  std::string_view rest = text;
  constexpr std::string_view kScheme = "http://";
  if (rest.starts_with(kScheme)) {
    rest.remove_prefix(kScheme.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
  }
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return endpoint_error(text);
  std::string_view host = rest.substr(0, colon);
  const std::string_view port = rest.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return endpoint_error(text);  // an IPv6 address without brackets
  }
  if (host.empty() || host.find_first_of("/@[]?# \t\r\n") != std::string_view::npos) {
    return endpoint_error(text);
  }
  std::uint16_t number = 0;
  const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || stop != port.data() + port.size() || number == 0) {
    return endpoint_error(text);
  }
  return Endpoint{std::string(host), std::to_string(number)};
}

Router::Router(std::vector<Endpoint> endpoints, Options options) : options_(options) {
  PARALLAX_ASSERT(!endpoints.empty(), "a router without endpoints");
  for (Endpoint& endpoint : endpoints) {
    if (std::find(listed_.begin(), listed_.end(), endpoint) == listed_.end()) {
      listed_.push_back(std::move(endpoint));
    }
  }
  all_ = listed_;
  home_ = options_.follow_leader ? listed_[options_.draw % listed_.size()] : listed_.front();
}

Endpoint Router::choose(Asks asks, const std::vector<Endpoint>& tried, MonoTime now) const {
  if (asks == Asks::leader) {
    const auto leader = leader_endpoint();
    if (leader && !cooling(*leader, now) && last_try(tried, *leader) < 0) return *leader;
    // A redirect that followed the failure makes the hint newer than the failure.
    if (leader && !cooling(*leader, now) && !tried.empty() && tried.back() != *leader) {
      return *leader;
    }
  }
  const auto rank = [&](const Endpoint& endpoint) {
    const bool away = asks == Asks::any && endpoint != home_;
    return std::tuple{last_try(tried, endpoint), cooling(endpoint, now), away};
  };
  return *std::min_element(all_.begin(), all_.end(),
                           [&](const Endpoint& a, const Endpoint& b) { return rank(a) < rank(b); });
}

std::vector<KnownEndpoint> Router::choices(const std::vector<Endpoint>& tried, MonoTime now) const {
  const auto rank = [&](const Endpoint& endpoint) {
    return std::pair{last_try(tried, endpoint), cooling(endpoint, now)};
  };
  auto best = rank(all_.front());
  for (const Endpoint& endpoint : all_) best = std::min(best, rank(endpoint));
  std::vector<KnownEndpoint> out;
  for (const Endpoint& endpoint : all_) {
    if (rank(endpoint) != best) continue;
    const auto member = std::find_if(members_.begin(), members_.end(),
                                     [&](const auto& one) { return one.second == endpoint; });
    out.push_back({endpoint, member == members_.end() ? kNoNode : member->first});
  }
  return out;
}

std::optional<Endpoint> Router::choose_beside(const Endpoint& first, MonoTime now) const {
  for (const Endpoint& endpoint : all_) {
    if (endpoint != first && !cooling(endpoint, now)) return endpoint;
  }
  return std::nullopt;
}

void Router::failed(const Endpoint& endpoint, MonoTime now) {
  avoid_until_[endpoint] = now + options_.cooldown;
  // A leader that does not answer is probably being replaced. Ask the others who leads.
  if (leader_endpoint() == endpoint) {
    leader_ = kNoNode;
    leader_endpoint_.reset();
  }
}

void Router::settle(const Endpoint& endpoint) {
  if (options_.follow_leader) home_ = endpoint;
}

void Router::answered(const Endpoint& endpoint) {
  avoid_until_.erase(endpoint);
}

void Router::learn_member(NodeId node, const Endpoint& endpoint) {
  if (!options_.follow_leader) return;
  Endpoint& known = members_[node];
  if (known == endpoint) return;
  known = endpoint;
  all_ = listed_;
  for (const auto& [id, member] : members_) {
    if (std::find(all_.begin(), all_.end(), member) == all_.end()) all_.push_back(member);
  }
}

void Router::learn_leader(NodeId node, Term term) {
  if (node == kNoNode || (term != Term{0} && term < term_)) return;
  term_ = std::max(term, term_);
  leader_ = node;
  leader_endpoint_.reset();
}

void Router::learn_leader_endpoint(const Endpoint& endpoint) {
  leader_ = kNoNode;
  leader_endpoint_ = endpoint;
}

std::optional<Endpoint> Router::leader_endpoint() const {
  if (!options_.follow_leader) return std::nullopt;
  if (leader_endpoint_) return leader_endpoint_;
  const auto member = members_.find(leader_);
  if (leader_ == kNoNode || member == members_.end()) return std::nullopt;
  return member->second;
}

bool Router::leader_address_missing() const {
  return options_.follow_leader && leader_ != kNoNode && !leader_endpoint();
}

bool Router::cooling(const Endpoint& endpoint, MonoTime now) const {
  const auto until = avoid_until_.find(endpoint);
  return until != avoid_until_.end() && now < until->second;
}

}  // namespace parallax
