#include "consistency/merge/crdt.h"

#include <algorithm>
#include <charconv>

#include <boost/json.hpp>

#include "base/assert.h"
#include "base/canary.h"
#include "consistency/merge/conflict.h"

namespace parallax {
namespace {

using Wide = __int128;

std::optional<std::int64_t> number_of(const DottedEntry& entry) {
  std::int64_t number = 0;
  const char* const end = entry.value.data() + entry.value.size();
  const auto [stop, error] = std::from_chars(entry.value.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

Wide sum_of(const DottedEntries& entries) {
  Wide sum = 0;
  for (const DottedEntry& entry : entries) sum += number_of(entry).value_or(0);
  return sum;
}

bool fits(Wide number) {
  return number >= std::numeric_limits<std::int64_t>::min() &&
         number <= std::numeric_limits<std::int64_t>::max();
}

/// Nothing: not what a coordinator has written.
std::optional<DottedEntries> entries_of(const Version& version, CrdtType type) {
  if (version.content_type != crdt_content_type(type)) return std::nullopt;
  Result<DottedEntries> entries = decode_entries(version.value);
  if (!entries || !can_hold(version, *entries)) return std::nullopt;
  if (type == CrdtType::counter &&
      !std::all_of(entries->begin(), entries->end(),
                   [](const DottedEntry& entry) { return number_of(entry).has_value(); })) {
    return std::nullopt;
  }
  return std::move(*entries);
}

std::string list(const DottedEntries& entries) {
  std::vector<std::string_view> elements;
  for (const DottedEntry& entry : entries) elements.push_back(entry.name);
  std::sort(elements.begin(), elements.end());
  elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  return fmt::format("[{}]", fmt::join(elements, ","));
}

std::string object(const DottedEntries& entries) {
  std::vector<const DottedEntry*> fields;
  for (const DottedEntry& entry : entries) fields.push_back(&entry);
  std::sort(fields.begin(), fields.end(), [](const DottedEntry* a, const DottedEntry* b) {
    return a->name != b->name ? a->name < b->name : a->stamp > b->stamp;
  });
  std::string out = "{";
  const DottedEntry* last = nullptr;
  for (const DottedEntry* field : fields) {
    if (last != nullptr && last->name == field->name) continue;
    if (last != nullptr) out += ',';
    out += boost::json::serialize(boost::json::string_view(field->name));
    out += ':';
    out += field->value;
    last = field;
  }
  return out + '}';
}

/// Adds to what `actor` has counted.
Result<void> count(std::int64_t by, DottedEntry entry, DottedEntries& entries) {
  const Wide sum = sum_of(entries);
  Wide own = by;
  for (const DottedEntry& other : entries) {
    if (other.actor == entry.actor) own += number_of(other).value_or(0);
  }
  if (!fits(own) || !fits(sum + by)) {
    return definite(ErrorCode::not_a_number,
                    fmt::format("{} more make a number of more than 64 bits", by));
  }
  std::erase_if(entries, [&](const DottedEntry& other) { return other.actor == entry.actor; });
  entry.value = fmt::format("{}", static_cast<std::int64_t>(own));
  entries.push_back(std::move(entry));
  return {};
}

}  // namespace

std::string_view crdt_content_type(CrdtType type) {
  switch (type) {
    case CrdtType::counter:
      return "application/vnd.parallax.counter";
    case CrdtType::set:
      return "application/vnd.parallax.set";
    case CrdtType::map:
      return "application/vnd.parallax.map";
  }
  PARALLAX_UNREACHABLE("type {}", static_cast<int>(type));
}

std::optional<Crdt> crdt_of(const Version& version) {
  if (!version.content_type.starts_with(kOwnContentTypes)) return std::nullopt;
  for (const auto& [type, name] : kCrdtTypes) {
    if (auto entries = entries_of(version, type)) return Crdt{type, std::move(*entries)};
  }
  return std::nullopt;
}

std::optional<CrdtType> crdt_type_of(const Version& version) {
  const std::optional<Crdt> crdt = crdt_of(version);
  return crdt ? std::optional(crdt->type) : std::nullopt;
}

Crdt merged_crdt(const KeyState& state, UnixMillis now) {
  const Version* newest = chosen_version(state, ConflictStrategy::siblings, now);
  const std::optional<CrdtType> type = newest == nullptr ? std::nullopt : crdt_type_of(*newest);
  PARALLAX_ASSERT(type, "no convergent value among {} versions", state.versions().size());
  std::vector<DottedEntries> held;
  for (const Version& version : state.versions()) {
    std::optional<DottedEntries> entries;
    const bool left_out = canary(Canary::siblings_not_merged) && &version != newest;
    if (is_live(version, now) && !left_out) entries = entries_of(version, *type);
    held.push_back(entries ? std::move(*entries) : DottedEntries{});
  }
  return {*type, merged(state, held)};
}

CrdtValue shown_crdt(const Crdt& crdt) {
  switch (crdt.type) {
    case CrdtType::counter:
      // Wider than 64 bits only where concurrent increments have met.
      return {crdt.type, fmt::format("{}", sum_of(crdt.entries))};
    case CrdtType::set:
      return {crdt.type, list(crdt.entries)};
    case CrdtType::map:
      return {crdt.type, object(crdt.entries)};
  }
  PARALLAX_UNREACHABLE("type {}", static_cast<int>(crdt.type));
}

Result<void> apply(const CrdtUpdate& update, const Actor& actor, const Stamp& stamp, Crdt& crdt) {
  PARALLAX_ASSERT(crdt_op_info(update.op).type == crdt.type, "{} of a {}",
                  crdt_op_info(update.op).name, crdt_type_name(crdt.type));
  DottedEntry entry{actor, stamp, update.name, update.value};
  if (update.op == CrdtOp::increment) {
    entry.name.clear();
    PARALLAX_TRY(count(update.by, std::move(entry), crdt.entries));
  } else {
    std::erase_if(crdt.entries,
                  [&](const DottedEntry& other) { return other.name == update.name; });
    if (update.op == CrdtOp::add) entry.value.clear();
    if (update.op == CrdtOp::add || update.op == CrdtOp::put) {
      crdt.entries.push_back(std::move(entry));
    }
  }
  std::sort(crdt.entries.begin(), crdt.entries.end());
  return {};
}

}  // namespace parallax
