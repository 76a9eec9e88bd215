// The policies that this replica has applied, by prefix, in memory.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "client/protocol.h"
#include "storage/records.h"

namespace parallax {

/// A policy by names, for the log and the store; nothing: the prefix has none any more.
PolicyRecord to_record(const std::optional<Policy>& policy);
/// The inverse. Errors: corrupt, naming the member (a level that this program does not know, say).
Result<std::optional<Policy>> from_record(const PolicyRecord& record);

/// Why a request about a key under `policy` (nullptr: none) is not carried out: mixing_denied,
/// definite; nothing: it is. `level` is the request's, once policies have decided it.
///   - Another strategy than last-writer needs one of kUnorderedLevels, for reads and writes of
///     values alike: the other levels promise an order, and so one winner.
///   - `mixing = deny` leaves the key's writes to the protocol of the policy's default level, or
///   the
///     leader's when it names none. Reads of any level may look.
/// What is about policies or the past is never refused. Thread-safe.
std::optional<Error> mixing_refusal(const Policy* policy, const Operation& operation, Level level);

/// Not thread-safe.
class PolicyTable {
 public:
  /// Of two records of one prefix the one with the higher index counts. True when it was taken.
  /// Errors: corrupt.
  Result<bool> set(std::string_view prefix, const PolicyRecord& record);

  /// That of the longest prefix of `key`; nullptr: none.
  const Policy* find(std::string_view key) const;
  /// The policy of exactly this prefix; nullptr: none.
  const Policy* at(std::string_view prefix) const;
  /// By prefix.
  std::vector<std::pair<std::string, Policy>> list() const;
  std::size_t size() const { return present_; }

  /// The level of a request that names none: that of its key's policy; of several keys theirs if it
  /// is the same for all; else linearizable, which is never weaker than what was meant. Convergent
  /// values, which linearizable does not carry: eventual.
  Consistency level_for(const Operation& operation) const;
  /// mixing_refusal() by the policies that `request` meets: that of its key; of several keys the
  /// first that refuses; of a range the one that holds for all of it. (Inside a longer range each
  /// key is shown as its own policy has it.)
  std::optional<Error> refusal_of(const Request& request) const;

 private:
  struct Entry {
    LogIndex index;
    std::optional<Policy> policy;
  };
  std::pair<std::string_view, const Policy*> longest(std::string_view key) const;
  const Policy* around(const Scan& scan) const;
  Consistency level_of_key(std::string_view key) const;
  std::map<std::string, Entry, std::less<>> entries_;
  std::size_t present_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace parallax
