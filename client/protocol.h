// What clients ask and what they are told: plain values, shared by node, client library and
// simulator. How they look over HTTP is client/http_protocol.h.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/limits.h"
#include "clock/stamp.h"
#include "consistency/level.h"

namespace parallax {

struct Put {
  std::string key;
  Bytes value;
  std::string content_type;
  friend bool operator==(const Put&, const Put&) = default;
};
struct Get {
  std::string key;
  friend bool operator==(const Get&, const Get&) = default;
};
struct Delete {
  std::string key;
  friend bool operator==(const Delete&, const Delete&) = default;
};
using Operation = std::variant<Put, Get, Delete>;

inline bool is_read(const Operation& operation) {
  return std::holds_alternative<Get>(operation);
}
const std::string& operation_key(const Operation& operation);

struct Request {
  Operation operation;
  Consistency consistency;
  std::chrono::milliseconds timeout = limits::kDefaultRequestTimeout;
  /// false: a node that cannot serve the request itself answers not_leader instead.
  bool forward = true;
  friend bool operator==(const Request&, const Request&) = default;
};

/// How an answer was reached, so that its claim can be derived again.
enum class Path : std::uint8_t {
  read_index,  ///< the leader's applied state after a confirmed read round
  log,         ///< committed in the log
  local,       ///< this replica's applied state
};
std::string_view path_name(Path path);
/// The inverse; nothing for any other text.
std::optional<Path> find_path(std::string_view name);

struct Evidence {
  NodeId node;     ///< whose state answered
  Term term;       ///< its term
  LogIndex index;  ///< read: applied index it answered from; write: the entry
  Path path = Path::local;
  std::vector<NodeId> replicas;  ///< whose word it rests on, sorted
  bool sequenced = false;        ///< through the log's one order
  bool degraded = false;         ///< an acknowledgement mode gave way, and says so
  /// RFC 8941 dictionary: `node=1, term=3, index=120, path=read-index, replicas=(1 2), ...`.
  std::string to_string() const;
  friend bool operator==(const Evidence&, const Evidence&) = default;
};

/// The inverse of Evidence::to_string(). Members may come in any order; unknown ones are skipped.
/// Errors: corrupt, naming the member.
Result<Evidence> parse_evidence(std::string_view header);

/// The answer to a request that was carried out. An absent key is an answer too.
struct Answer {
  Consistency consistency;     ///< the effective level
  std::optional<Stamp> stamp;  ///< version read or written; a tombstone's too; absent: none ever
  bool found = false;          ///< reads: there is a value
  Bytes value;                 ///< reads
  std::string content_type;    ///< reads
  Evidence evidence;
  friend bool operator==(const Answer&, const Answer&) = default;
};

using Reply = Result<Answer>;

}  // namespace parallax
