#include "consistency/session_token.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/assert.h"
#include "consistency/token_bytes.h"

namespace parallax {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kClusterBytes = 16;
constexpr std::size_t kClockBytes = 8;
/// Node, incarnation, number.
constexpr std::size_t kLeastEntryBytes = 3;
constexpr std::size_t kMostEntryBytes = 5 + 2 * kMaxVarintBytes;

std::size_t room(const OriginVector& vector) {
  return kMaxVarintBytes + vector.entries().size() * kMostEntryBytes;
}

void write(TokenWriter& out, const OriginVector& vector) {
  out.varint(vector.entries().size());
  for (const auto& [origin, count] : vector.entries()) {
    out.varint(origin.node.value);
    out.varint(origin.incarnation.value);
    out.varint(count);
  }
}

OriginVector read(TokenReader& in, std::string_view part) {
  std::vector<OriginVector::Entry> entries(in.count(part, kLeastEntryBytes));
  Origin last;
  for (auto& [origin, count] : entries) {
    constexpr std::uint64_t kHighestNode = std::numeric_limits<NodeId::rep>::max();
    origin.node = NodeId{static_cast<NodeId::rep>(in.varint(part, kHighestNode))};
    origin.incarnation = Incarnation{in.varint(part)};
    count = in.varint(part);
    if (in.failed()) return {};
    if (origin.node == kNoNode || origin <= last) {
      in.altered(part, "origins out of order");
    } else if (count == 0) {
      in.altered(part, "an empty entry");
    }
    last = origin;
  }
  return in.failed() ? OriginVector() : OriginVector(std::move(entries));
}

}  // namespace

void SessionToken::join(const SessionToken& other) {
  PARALLAX_ASSERT(cluster.empty() || other.cluster.empty() || cluster == other.cluster,
                  "a session of cluster {} and one of {}", cluster.to_string(),
                  other.cluster.to_string());
  if (cluster.empty()) cluster = other.cluster;
  clock = std::max(clock, other.clock);
  index = std::max(index, other.index);
  read.join(other.read);
  write.join(other.write);
}

bool SessionToken::names_later(const Origin& origin) const {
  const auto in = [&](const OriginVector& vector) {
    return std::any_of(vector.entries().begin(), vector.entries().end(), [&](const auto& entry) {
      return entry.first.node == origin.node && entry.first.incarnation > origin.incarnation;
    });
  };
  return in(read) || in(write);
}

std::string SessionToken::encode() const {
  std::string out;
  append_to(out);
  return out;
}

void SessionToken::append_to(std::string& out) const {
  TokenWriter to(out, kFormat,
                 kClusterBytes + kClockBytes + kMaxVarintBytes + room(read) + room(write));
  to.u64(cluster.high);
  to.u64(cluster.low);
  to.u64(clock.value);
  to.varint(index.value);
  parallax::write(to, read);
  parallax::write(to, write);
  to.finish({});
}

Result<SessionToken> SessionToken::decode(std::string_view text) {
  TokenReader in("session token", text, kFormat, kMaxSessionTokenBytes);
  SessionToken token;
  token.cluster.high = in.u64("cluster id");
  token.cluster.low = in.u64("cluster id");
  token.clock = Hlc{in.u64("clock")};
  token.index = LogIndex{in.varint("log index")};
  token.read = parallax::read(in, "read vector");
  token.write = parallax::read(in, "write vector");
  PARALLAX_TRY(in.finish(ErrorCode::bad_session, {}));
  return token;
}

Result<void> SessionToken::check(ClusterId of, const std::vector<NodeId>& members) const {
  if (cluster != of) {
    return definite(ErrorCode::bad_session,
                    fmt::format("the session token is of cluster {}, this is {}; begin a session "
                                "here without one",
                                cluster.to_string(), of.to_string()));
  }
  for (const OriginVector* vector : {&read, &write}) {
    for (const auto& [origin, count] : vector->entries()) {
      if (std::binary_search(members.begin(), members.end(), origin.node)) continue;
      return definite(ErrorCode::bad_session,
                      fmt::format("the session token names node {}, which is no member of this "
                                  "cluster; begin a session without one",
                                  origin.node));
    }
  }
  return {};
}

}  // namespace parallax
