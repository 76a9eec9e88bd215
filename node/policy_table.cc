#include "node/policy_table.h"

#include <algorithm>

#include "client/http_protocol.h"

namespace parallax {

PolicyRecord to_record(const std::optional<Policy>& policy) {
  PolicyRecord record;
  record.removed = !policy;
  if (!policy) return record;
  if (policy->default_consistency) {
    record.default_consistency = policy->default_consistency->to_string();
  }
  record.mixing = mixing_name(policy->mixing);
  record.conflict = conflict_name(policy->conflict);
  return record;
}

Result<std::optional<Policy>> from_record(const PolicyRecord& record) {
  if (record.removed) return std::optional<Policy>{};
  const auto corrupt = [](std::string_view member, const Error& error) {
    return definite(ErrorCode::corrupt,
                    fmt::format("a policy is corrupt: {}: {}", member, error.message));
  };
  Policy policy;
  if (!record.default_consistency.empty()) {
    const auto level = parse_consistency(record.default_consistency);
    if (!level) return corrupt("default_consistency", level.error());
    policy.default_consistency = *level;
  }
  const auto mixing = parse_mixing(record.mixing);
  if (!mixing) return corrupt("mixing", mixing.error());
  policy.mixing = *mixing;
  const auto conflict = parse_conflict(record.conflict);
  if (!conflict) return corrupt("conflict", conflict.error());
  policy.conflict = *conflict;
  return std::optional<Policy>{std::move(policy)};
}

std::optional<Error> mixing_refusal(const Policy* policy, const Operation& operation, Level level) {
  if (policy == nullptr || std::holds_alternative<ReadHistory>(operation) ||
      std::holds_alternative<GetPolicy>(operation) ||
      std::holds_alternative<ListPolicies>(operation) ||
      std::holds_alternative<SetPolicy>(operation)) {
    return std::nullopt;
  }
  if (policy->conflict != ConflictStrategy::last_writer && !is_unordered(level)) {
    return definite(ErrorCode::mixing_denied,
                    fmt::format("the prefix's policy resolves conflicts by {}, which level {} "
                                "does not go with; use one of {}",
                                conflict_name(policy->conflict), level_info(level).name,
                                unordered_level_names()));
  }
  if (policy->mixing == Mixing::allow || is_read(operation)) return std::nullopt;
  const Level pinned = policy->default_consistency.value_or(Consistency{}).level;
  if (level_info(level).protocol == level_info(pinned).protocol) return std::nullopt;
  std::string valid;
  for (const LevelInfo& info : kLevels) {
    if (info.protocol != level_info(pinned).protocol) continue;
    if (!valid.empty()) valid += ", ";
    valid += info.name;
  }
  return definite(ErrorCode::mixing_denied,
                  fmt::format("the prefix's policy denies writes of other protocols than that of "
                              "{}; {} is of another, use one of {}",
                              level_info(pinned).name, level_info(level).name, valid));
}

Result<bool> PolicyTable::set(std::string_view prefix, const PolicyRecord& record) {
  PARALLAX_ASSIGN(std::optional<Policy> policy, from_record(record));
  const auto [place, fresh] = entries_.try_emplace(std::string(prefix));
  Entry& entry = place->second;
  if (!fresh && entry.index >= record.log_index) return false;
  present_ += static_cast<std::size_t>(policy.has_value());
  present_ -= static_cast<std::size_t>(entry.policy.has_value());
  entry = {record.log_index, std::move(policy)};
  longest_ = std::max(longest_, prefix.size());
  return true;
}

std::pair<std::string_view, const Policy*> PolicyTable::longest(std::string_view key) const {
  if (present_ == 0) return {};
  for (std::size_t length = std::min(key.size(), longest_) + 1; length-- > 0;) {
    const std::string_view prefix = key.substr(0, length);
    if (const Policy* policy = at(prefix)) return {prefix, policy};
  }
  return {};
}

const Policy* PolicyTable::find(std::string_view key) const {
  return longest(key).second;
}

const Policy* PolicyTable::at(std::string_view prefix) const {
  const auto found = entries_.find(prefix);
  return found == entries_.end() || !found->second.policy ? nullptr : &*found->second.policy;
}

std::vector<std::pair<std::string, Policy>> PolicyTable::list() const {
  std::vector<std::pair<std::string, Policy>> all;
  for (const auto& [prefix, entry] : entries_) {
    if (entry.policy) all.emplace_back(prefix, *entry.policy);
  }
  return all;
}

Consistency PolicyTable::level_of_key(std::string_view key) const {
  const Policy* policy = find(key);
  return policy != nullptr && policy->default_consistency ? *policy->default_consistency
                                                          : Consistency{};
}

/// The policy that holds for the whole range; nullptr: there is none, or more than one.
const Policy* PolicyTable::around(const Scan& scan) const {
  // A policy inside the range may ask for more than the one around it.
  const bool inside = std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    const auto& [prefix, policy] = entry;
    return policy.policy && prefix > scan.start && (scan.end.empty() || prefix < scan.end);
  });
  if (inside) return nullptr;
  const auto [prefix, policy] = longest(scan.start);
  if (policy == nullptr) return nullptr;
  // It holds for the whole range if that ends with the keys under its prefix, or before.
  std::string behind(prefix);
  while (!behind.empty() && behind.back() == '\xff') behind.pop_back();
  if (!behind.empty()) behind.back() = static_cast<char>(behind.back() + 1);
  const bool whole = behind.empty() || (!scan.end.empty() && scan.end <= behind);
  return whole ? policy : nullptr;
}

std::optional<Error> PolicyTable::refusal_of(const Request& request) const {
  if (present_ == 0) return std::nullopt;
  const Level level = request.consistency.level;
  if (const auto* many = std::get_if<GetMany>(&request.operation)) {
    for (const std::string& key : many->keys) {
      if (auto refusal = mixing_refusal(find(key), request.operation, level)) return refusal;
    }
    return std::nullopt;
  }
  if (const auto* scan = std::get_if<Scan>(&request.operation)) {
    return mixing_refusal(around(*scan), request.operation, level);
  }
  const std::string* key = operation_key(request.operation);
  return key == nullptr ? std::nullopt : mixing_refusal(find(*key), request.operation, level);
}

Consistency PolicyTable::level_for(const Operation& operation) const {
  if (std::holds_alternative<UpdateCrdt>(operation) || std::holds_alternative<GetCrdt>(operation)) {
    const Policy* policy = find(*operation_key(operation));
    return policy != nullptr && policy->default_consistency ? *policy->default_consistency
                                                            : Consistency{Level::eventual};
  }
  if (present_ == 0) return {};
  if (const auto* many = std::get_if<GetMany>(&operation)) {
    const Consistency first = level_of_key(many->keys.front());
    const bool same = std::all_of(many->keys.begin(), many->keys.end(),
                                  [&](const auto& key) { return level_of_key(key) == first; });
    return same ? first : Consistency{};
  }
  if (const auto* scan = std::get_if<Scan>(&operation)) {
    const Policy* policy = around(*scan);
    return policy != nullptr && policy->default_consistency ? *policy->default_consistency
                                                            : Consistency{};
  }
  if (std::holds_alternative<GetPolicy>(operation) ||
      std::holds_alternative<ListPolicies>(operation) ||
      std::holds_alternative<SetPolicy>(operation) ||
      std::holds_alternative<CountReplicas>(operation)) {
    return {};
  }
  return level_of_key(*operation_key(operation));
}

}  // namespace parallax
