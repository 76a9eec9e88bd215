// Which endpoint an attempt asks.
//
// What it knows: the endpoints that the caller listed, where members listen (from /v1/cluster and
// redirects), which member leads (from evidence, redirects and /v1/cluster), and which endpoints
// failed a moment ago. Operations that the leader must carry out go straight to it when it is
// known; reads of a replica's own state go to the first listed endpoint that is not known to be
// failing, so that one client keeps reading from one replica. What any node can coordinate goes to
// one that is drawn for this client, so that clients with the same list spread, and stays with the
// one that last did it well. Members that the caller did not list come behind those that it did.
// The knowledge is a hint and may be wrong: a wrong hint costs a forward or a redirect, never an
// answer at another level.
//
// Pure, and a value. It does not open connections or measure nodes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace parallax {

/// Where a node listens for clients.
struct Endpoint {
  std::string host;  ///< a name or an address, without brackets
  std::string port;  ///< decimal
  /// "host:port", with brackets around an IPv6 address.
  std::string to_string() const;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// Reads "host:port", "[::1]:port", each also with "http://" before and "/" after it.
/// Errors: bad_parameter naming the text and the form that is right.
Result<Endpoint> parse_endpoint(std::string_view text);

/// One that can be asked, and who listens there, where that is known.
struct KnownEndpoint {
  Endpoint endpoint;
  NodeId node = kNoNode;
  friend bool operator==(const KnownEndpoint&, const KnownEndpoint&) = default;
};

/// Who can do it, the least particular first.
enum class Asks : std::uint8_t {
  first,   ///< any node, and the same one each time
  any,     ///< any node: it coordinates others
  leader,  ///< the leader, or whoever forwards to it
};

class Router {
 public:
  struct Options {
    bool follow_leader = true;  ///< false: the listed endpoints alone are asked, in order
    Duration cooldown{};        ///< how long a failed endpoint comes last
    std::uint64_t draw = 0;     ///< of the listed endpoint that is asked first for Asks::any
  };
  /// `endpoints` must not be empty. Repeated ones count once.
  Router(std::vector<Endpoint> endpoints, Options options);

  /// The endpoint for the next attempt. `tried` are those that already failed in this operation, in
  /// order: they come last, the one tried longest ago first.
  Endpoint choose(Asks asks, const std::vector<Endpoint>& tried, MonoTime now) const;
  /// Those that choose() would not put behind others, for whoever has reasons of his own to choose:
  /// not tried yet and not failing, as long as there are such. Never empty.
  std::vector<KnownEndpoint> choices(const std::vector<Endpoint>& tried, MonoTime now) const;
  /// Another endpoint than `first`, for a second request beside the one that is under way there;
  /// nothing when no other is known, or all of them are failing.
  std::optional<Endpoint> choose_beside(const Endpoint& first, MonoTime now) const;

  /// The endpoint did not take or finish a request.
  void failed(const Endpoint& endpoint, MonoTime now);
  /// The endpoint answered, whatever it said.
  void answered(const Endpoint& endpoint);

  /// The endpoint did what any node can do: it is asked for such from now on.
  void settle(const Endpoint& endpoint);

  /// `node` listens at `endpoint`, which is asked from now on too.
  void learn_member(NodeId node, const Endpoint& endpoint);
  /// `node` leads in `term`. What is known from a later term stays; term 0: it was not said.
  void learn_leader(NodeId node, Term term);
  /// Whoever listens at `endpoint` leads (a redirect that gives an address only).
  void learn_leader_endpoint(const Endpoint& endpoint);

  /// Where the leader listens, if both are known.
  std::optional<Endpoint> leader_endpoint() const;
  /// A leader is known by number only: its address is worth asking for.
  bool leader_address_missing() const;

  /// The listed ones, then those of members that are not listed, by node.
  const std::vector<Endpoint>& endpoints() const { return all_; }

 private:
  bool cooling(const Endpoint& endpoint, MonoTime now) const;

  std::vector<Endpoint> listed_;
  std::vector<Endpoint> all_;
  Options options_;
  Endpoint home_;  ///< asked first for Asks::any
  std::map<NodeId, Endpoint> members_;
  std::map<Endpoint, MonoTime> avoid_until_;
  NodeId leader_ = kNoNode;
  Term term_;  ///< the latest in which a leader was heard of
  std::optional<Endpoint> leader_endpoint_;
};

}  // namespace parallax
