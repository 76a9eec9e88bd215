#include "storage/store_keys.h"

#include <array>
#include <cstdint>

#include "base/assert.h"
#include "storage/causal_codec.h"
#include "storage/history_log.h"
#include "storage/log_segment.h"
#include "storage/records.h"

namespace parallax::records {
namespace {

void append_u32(std::string& out, std::uint32_t value) {
  const std::array<char, 4> bytes{static_cast<char>(value >> 24), static_cast<char>(value >> 16),
                                  static_cast<char>(value >> 8), static_cast<char>(value)};
  out.append(bytes.data(), bytes.size());
}

void append_u64(std::string& out, std::uint64_t value) {
  append_u32(out, static_cast<std::uint32_t>(value >> 32));
  append_u32(out, static_cast<std::uint32_t>(value));
}

std::uint64_t read_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

std::string group_prefix(char kind, GroupId group, std::size_t room = 0) {
  std::string key;
  key.reserve(5 + room);
  key.push_back(kind);
  append_u32(key, group.value);
  return key;
}

std::string group_record_key(GroupId group, char record) {
  std::string key = group_prefix('G', group, 1);
  key.push_back(record);
  return key;
}

/// The first key behind all that begin with `prefix`.
std::string behind(std::string prefix) {
  while (!prefix.empty() && static_cast<std::uint8_t>(prefix.back()) == 0xff) prefix.pop_back();
  PARALLAX_ASSERT(!prefix.empty(), "no key is behind a prefix of 0xff only");
  prefix.back() = static_cast<char>(static_cast<std::uint8_t>(prefix.back()) + 1);
  return prefix;
}

/// The record of one kind that goes by `name`.
std::string named_key(char kind, GroupId group, std::string_view name) {
  std::string store_key = group_prefix(kind, group, name.size());
  store_key.append(name);
  return store_key;
}

/// Everything of one kind.
ScanRange whole_range(char kind, GroupId group) {
  std::string prefix = group_prefix(kind, group);
  std::string end = behind(prefix);
  return {std::move(prefix), std::move(end)};
}

constexpr std::size_t kGroupPrefixBytes = 5;
constexpr std::size_t kHistoryPrefixBytes = kGroupPrefixBytes + 8 + 4;

std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes.substr(0, 64)) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte > 0x20 && byte < 0x7f && byte != '%') {
      text.push_back(c);
    } else {
      text += fmt::format("%{:02X}", byte);
    }
  }
  return bytes.size() > 64 ? text + "..." : text;
}

}  // namespace

/// What the record at `store_key` is, for messages.
std::string describe(std::string_view store_key) {
  if (store_key == "N") return "node record";
  if (store_key == "B") return "clock bound";
  if (store_key.size() >= kGroupPrefixBytes) {
    const std::uint64_t group = read_big_endian(store_key.substr(1, 4));
    const std::string_view rest = store_key.substr(kGroupPrefixBytes);
    switch (store_key[0]) {
      case 'G':
        if (rest == "h") return fmt::format("hard state of group {}", group);
        if (rest == "l") return fmt::format("log start of group {}", group);
        if (rest == "a") return fmt::format("applied record of group {}", group);
        if (rest == "c") return fmt::format("causal record of group {}", group);
        if (rest == "k") return fmt::format("states record of group {}", group);
        if (rest == "m") return fmt::format("mark of complete leaf records of group {}", group);
        break;
      case 'C':
        if (rest.size() != 20) break;
        return fmt::format("causal operations up to {} of {}.{} of group {}",
                           read_big_endian(rest.substr(12)), read_big_endian(rest.substr(0, 4)),
                           read_big_endian(rest.substr(4, 8)), group);
      case 'L':
        if (rest.size() != 8) break;
        return fmt::format("log from entry {} on of group {}", read_big_endian(rest), group);
      case 'I':
        return fmt::format("idempotency record '{}' of group {}", printable(rest), group);
      case 'K':
        return fmt::format("key state '{}' of group {}", printable(rest), group);
      case 'E':
        return fmt::format("early state '{}' of group {}", printable(rest), group);
      case 'P':
        return fmt::format("policy of prefix '{}' of group {}", printable(rest), group);
      case 'Q':
        if (rest.size() < 4) break;
        return fmt::format("hint '{}' for node {} of group {}", printable(rest.substr(4)),
                           read_big_endian(rest.substr(0, 4)), group);
      case 'M':
        if (rest.size() < 2) break;
        return fmt::format("leaf record '{}' of group {}", printable(rest.substr(2)), group);
      case 'T':
        if (rest.size() < 8) break;
        return fmt::format("idempotency index '{}' of group {}", printable(rest.substr(8)), group);
      case 'H':
        if (store_key.size() < kHistoryPrefixBytes) break;
        if (is_history_segment(store_key)) {
          return fmt::format("history up to {}-{} of group {}", read_big_endian(rest.substr(0, 8)),
                             read_big_endian(rest.substr(8, 4)), group);
        }
        return fmt::format("history record '{}' of group {} at {}-{}", printable(rest.substr(12)),
                           group, read_big_endian(rest.substr(0, 8)),
                           read_big_endian(rest.substr(8, 4)));
      default:
        break;
    }
  }
  return fmt::format("record '{}'", printable(store_key));
}

std::string node_key() {
  return "N";
}
std::string clock_bound_key() {
  return "B";
}
std::string hard_state_key(GroupId group) {
  return group_record_key(group, 'h');
}
std::string log_start_key(GroupId group) {
  return group_record_key(group, 'l');
}
std::string applied_key(GroupId group) {
  return group_record_key(group, 'a');
}
std::string installing_key(GroupId group) {
  return group_record_key(group, 's');
}

std::string states_key(GroupId group) {
  return group_record_key(group, 'k');
}

std::string causal_key(GroupId group) {
  return group_record_key(group, 'c');
}

std::string causal_segment_key(GroupId group, const Origin& origin, std::uint64_t last) {
  std::string key = group_prefix('C', group, 20);
  append_u32(key, origin.node.value);
  append_u64(key, origin.incarnation.value);
  append_u64(key, last);
  return key;
}

std::string log_segment_key(GroupId group, LogIndex first) {
  std::string key = group_prefix('L', group, 8);
  append_u64(key, first.value);
  return key;
}

std::string key_state_key(GroupId group, std::string_view key) {
  return named_key('K', group, key);
}

std::string early_key(GroupId group, std::string_view key) {
  return named_key('E', group, key);
}

std::string history_key(GroupId group, const Stamp& by, std::string_view key) {
  std::string store_key = group_prefix('H', group, 12 + key.size());
  append_u64(store_key, by.hlc.value);
  append_u32(store_key, by.node.value);
  store_key.append(key);
  return store_key;
}

std::string history_segment_key(GroupId group, const Stamp& last) {
  return history_key(group, last, "");
}

bool is_history_segment(std::string_view store_key) {
  return store_key.size() == kHistoryPrefixBytes && store_key[0] == 'H';
}

ScanRange log_range(GroupId group, LogIndex from, LogIndex to_exclusive) {
  return {log_segment_key(group, from), log_segment_key(group, to_exclusive)};
}

ScanRange key_state_range(GroupId group) {
  return whole_range('K', group);
}

ScanRange early_range(GroupId group) {
  return whole_range('E', group);
}

ScanRange history_range(GroupId group, Hlc from, Hlc to_exclusive) {
  std::string start = group_prefix('H', group, 8);
  std::string end = start;
  append_u64(start, from.value);
  append_u64(end, to_exclusive.value);
  return {std::move(start), std::move(end)};
}

std::string idempotency_key(GroupId group, std::string_view key) {
  return named_key('I', group, key);
}

std::string idempotency_index_key(GroupId group, Hlc at, std::string_view key) {
  std::string store_key = group_prefix('T', group, 8 + key.size());
  append_u64(store_key, at.value);
  store_key.append(key);
  return store_key;
}

std::string policy_key(GroupId group, std::string_view prefix) {
  return named_key('P', group, prefix);
}

std::string hint_key(GroupId group, NodeId target, std::string_view key) {
  std::string store_key = group_prefix('Q', group, 4 + key.size());
  append_u32(store_key, target.value);
  store_key.append(key);
  return store_key;
}

std::string leaf_key(GroupId group, std::uint32_t leaf, std::string_view key) {
  PARALLAX_ASSERT(leaf <= 0xffff, "leaf {}", leaf);
  std::string store_key = group_prefix('M', group, 2 + key.size());
  store_key.push_back(static_cast<char>(leaf >> 8));
  store_key.push_back(static_cast<char>(leaf));
  store_key.append(key);
  return store_key;
}

std::string leaves_complete_key(GroupId group) {
  return group_record_key(group, 'm');
}

ScanRange leaf_range(GroupId group, std::uint32_t leaf, std::string_view after) {
  std::string start = leaf_key(group, leaf, after);
  std::string end = behind(leaf_key(group, leaf, ""));
  // The next key in byte order; no key is empty, so that all of them are behind "".
  start.push_back('\0');
  return {std::move(start), std::move(end)};
}

ScanRange idempotency_range(GroupId group) {
  return whole_range('I', group);
}
ScanRange idempotency_index_range(GroupId group) {
  return whole_range('T', group);
}
ScanRange policy_range(GroupId group) {
  return whole_range('P', group);
}
ScanRange hint_range(GroupId group) {
  return whole_range('Q', group);
}

ScanRange causal_log_range(GroupId group, const Origin& origin, std::uint64_t from) {
  std::string start = causal_segment_key(group, origin, from);
  std::string end = behind(start.substr(0, start.size() - 8));
  return {std::move(start), std::move(end)};
}
ScanRange causal_log_range(GroupId group) {
  return whole_range('C', group);
}

std::string_view group_record_name(std::string_view store_key) {
  PARALLAX_ASSERT(store_key.size() >= kGroupPrefixBytes, "no record of a group: {}",
                  describe(store_key));
  return store_key.substr(kGroupPrefixBytes);
}

std::pair<Hlc, std::string_view> idempotency_index(std::string_view store_key) {
  PARALLAX_ASSERT(store_key.size() >= kGroupPrefixBytes + 8 && store_key[0] == 'T',
                  "not an idempotency index: {}", describe(store_key));
  return {Hlc{read_big_endian(store_key.substr(kGroupPrefixBytes, 8))},
          store_key.substr(kGroupPrefixBytes + 8)};
}

std::pair<NodeId, std::string_view> hint_of(std::string_view store_key) {
  PARALLAX_ASSERT(store_key.size() >= kGroupPrefixBytes + 4 && store_key[0] == 'Q',
                  "not a hint: {}", describe(store_key));
  const std::uint64_t target = read_big_endian(store_key.substr(kGroupPrefixBytes, 4));
  return {NodeId{static_cast<std::uint32_t>(target)}, store_key.substr(kGroupPrefixBytes + 4)};
}

std::string_view key_in_leaf(std::string_view store_key) {
  PARALLAX_ASSERT(store_key.size() >= kGroupPrefixBytes + 2 && store_key[0] == 'M',
                  "not a leaf record: {}", describe(store_key));
  return store_key.substr(kGroupPrefixBytes + 2);
}

std::string_view user_key(std::string_view store_key) {
  PARALLAX_ASSERT(store_key.size() >= kGroupPrefixBytes && store_key[0] == 'K',
                  "not a key state: {}", describe(store_key));
  return store_key.substr(kGroupPrefixBytes);
}

Hlc history_hlc(std::string_view store_key) {
  PARALLAX_ASSERT(store_key.size() >= kHistoryPrefixBytes && store_key[0] == 'H',
                  "not a history record: {}", describe(store_key));
  return Hlc{read_big_endian(store_key.substr(kGroupPrefixBytes, 8))};
}

}  // namespace parallax::records
