// The handshake of a connection between peers: the first frame in both directions says who speaks.
//
// A node that meets another cluster's node, a stranger or itself (an address that is wrong) must
// not take one word from it: nothing else of the protocol names the cluster.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ids.h"

namespace parallax {

/// Raised when the protocol changes in a way that an older program would misread.
inline constexpr std::uint32_t kPeerProtocol = 3;

struct Hello {
  std::uint32_t protocol = kPeerProtocol;
  ClusterId cluster;  ///< empty while the sender has not applied entry 1
  NodeId node;
  GroupId group = kOnlyGroup;
  Incarnation incarnation;     ///< of the sender, none while it has no marker
  std::string client_address;  ///< where the sender serves clients, "127.0.0.1:7101"; may be empty
  friend bool operator==(const Hello&, const Hello&) = default;
};

/// The payload of the frame. Thread-safe.
std::string encode_hello(const Hello& hello);
/// Judges only the form. Errors: corrupt, naming the field. Thread-safe.
Result<Hello> decode_hello(const Bytes& payload);

/// What a node knows of itself and of whoever is at the other end.
struct ExpectedHello {
  NodeId self;
  std::vector<NodeId> members;  ///< itself included
  ClusterId cluster;            ///< empty: not known yet, any is fine
  GroupId group = kOnlyGroup;
  NodeId peer = kNoNode;  ///< whose address was dialled; none: whoever has dialled us
};

/// Whether to go on with whoever said `got`. Errors: refused, with the reason. Thread-safe.
Result<void> check_hello(const ExpectedHello& expected, const Hello& got);

}  // namespace parallax
