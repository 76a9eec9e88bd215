#include "replication/hello.h"

#include <algorithm>

#include "base/limits.h"
#include "replication/message.pb.h"

namespace parallax {
namespace {

/// Longer than any host name with a port.
constexpr std::size_t kMaxAddressBytes = 512;

Error corrupt(std::string_view what) {
  return definite(ErrorCode::corrupt, fmt::format("a peer's hello is corrupt: {}", what));
}

template <class... Operands>
Error refused(fmt::format_string<Operands...> format, Operands&&... operands) {
  return definite(ErrorCode::refused, fmt::format(format, std::forward<Operands>(operands)...));
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string list(const std::vector<NodeId>& nodes) {
  return fmt::format("{}", fmt::join(nodes, ", "));
}

}  // namespace

std::string encode_hello(const Hello& hello) {
  wire::Hello out;
  out.set_protocol(hello.protocol);
  out.set_cluster_high(hello.cluster.high);
  out.set_cluster_low(hello.cluster.low);
  out.set_node(hello.node.value);
  out.set_group(hello.group.value);
  out.set_incarnation(hello.incarnation.value);
  out.set_client_address(hello.client_address);
  return out.SerializeAsString();
}

Result<Hello> decode_hello(const Bytes& payload) {
  wire::Hello in;
  if (payload.size() > limits::kMaxFrameBytes ||
      !in.ParseFromArray(payload.view().data(), static_cast<int>(payload.size()))) {
    return corrupt("it does not follow its schema");
  }
  if (in.protocol() == 0) return corrupt("protocol: 0, at least 1 expected");
  if (in.node() == 0) return corrupt("node: 0, a node expected");
  if (in.group() == 0) return corrupt("group: 0, a group expected");
  if (in.client_address().size() > kMaxAddressBytes || !is_printable(in.client_address())) {
    return corrupt("client_address: not host and port");
  }
  return Hello{.protocol = in.protocol(),
               .cluster = ClusterId{in.cluster_high(), in.cluster_low()},
               .node = NodeId{in.node()},
               .group = GroupId{in.group()},
               .incarnation = Incarnation{in.incarnation()},
               .client_address = std::move(*in.mutable_client_address())};
}

Result<void> check_hello(const ExpectedHello& expected, const Hello& got) {
  // The version first: what the other fields mean depends on it.
  if (got.protocol != kPeerProtocol) {
    return refused("node {} speaks peer protocol {}, this program speaks {}", got.node,
                   got.protocol, kPeerProtocol);
  }
  if (!expected.cluster.empty() && !got.cluster.empty() && got.cluster != expected.cluster) {
    return refused("node {} belongs to cluster {}, this node to {}", got.node,
                   got.cluster.to_string(), expected.cluster.to_string());
  }
  if (got.group != expected.group) {
    return refused("node {} speaks for group {}, group {} expected", got.node, got.group,
                   expected.group);
  }
  if (got.node == expected.self) {
    return refused("the peer calls itself node {}, which is this node's own id", got.node);
  }
  const auto& members = expected.members;
  if (std::find(members.begin(), members.end(), got.node) == members.end()) {
    return refused("node {} is not a member: the members are {}", got.node, list(members));
  }
  if (expected.peer != kNoNode && got.node != expected.peer) {
    return refused("node {} answered at the address of node {}", got.node, expected.peer);
  }
  return {};
}

}  // namespace parallax
