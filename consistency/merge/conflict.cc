#include "consistency/merge/conflict.h"

#include <algorithm>

#include "base/assert.h"
#include "base/limits.h"
#include "consistency/merge/crdt.h"
#include "consistency/merge/dotted_entries.h"
#include "consistency/merge/json_document.h"

namespace parallax {
namespace {

constexpr std::string_view kJson = "application/json";

bool is_document(const Version& version) {
  return version.content_type == kDocumentContentType;
}

/// The leaves of a live version; nothing: it is no JSON object.
std::optional<DottedEntries> leaves_of(const Version& version) {
  if (is_document(version)) {
    Result<DottedEntries> entries = decode_entries(version.value);
    const auto proper = [](const DottedEntry& entry) { return is_json_path(entry.name); };
    if (!entries || !can_hold(version, *entries) ||
        !std::all_of(entries->begin(), entries->end(), proper)) {
      return std::nullopt;
    }
    return std::move(*entries);
  }
  auto leaves = json_leaves(version.value.view());
  if (!leaves) return std::nullopt;
  DottedEntries entries;
  entries.reserve(leaves->size());
  for (JsonLeaf& leaf : *leaves) {
    entries.push_back({version.actor, version.stamp, std::move(leaf.path), std::move(leaf.text),
                       version.expires_at});
  }
  return entries;
}

/// All that is there of the live versions' fields; nothing: some of them is no JSON object.
std::optional<DottedEntries> merged_document(const KeyState& state, UnixMillis now) {
  std::vector<DottedEntries> held;
  for (const Version& version : state.versions()) {
    std::optional<DottedEntries> leaves;
    if (is_live(version, now)) {
      leaves = leaves_of(version);
      if (!leaves) return std::nullopt;
    }
    held.push_back(leaves ? std::move(*leaves) : DottedEntries{});
  }
  DottedEntries entries = merged(state, held);
  std::erase_if(entries, [&](const DottedEntry& entry) {
    return entry.expires_at.value != 0 && now >= entry.expires_at;
  });
  return entries;
}

Shown show(const Version& version, const Crdt& crdt) {
  return {version.stamp, Bytes{crdt_document(shown_crdt(crdt))}, std::string(kJson), true};
}

/// One version alone.
Shown show(const Version& version, UnixMillis now) {
  if (is_document(version)) {
    if (auto entries = leaves_of(version)) {
      std::erase_if(*entries, [&](const DottedEntry& entry) {
        return entry.expires_at.value != 0 && now >= entry.expires_at;
      });
      return {version.stamp, Bytes{json_of_leaves(shown_leaves(*entries))}, std::string(kJson),
              true};
    }
  } else if (const auto crdt = crdt_of(version)) {
    return show(version, *crdt);
  }
  return {version.stamp, version.value, version.content_type};
}

/// All that `known` has seen, except what is live there. An actor's versions are covered from the
/// first on, so its first live one keeps what comes after it uncovered, too.
VersionVector all_but_live(const KeyState& known, UnixMillis now) {
  std::vector<VersionVector::Entry> entries = known.context().entries();
  for (auto& [actor, hlc] : entries) {
    for (const Version& version : known.versions()) {
      if (version.actor == actor && is_live(version, now)) {
        hlc = std::min(hlc, Hlc{version.stamp.hlc.value - 1});
      }
    }
  }
  return VersionVector{std::move(entries)};
}

bool never(UnixMillis deadline) {
  return deadline.value == 0;
}

/// What `put` writes, and what is shown beside it. Nothing: it replaces everything as it is.
/// Errors: payload_too_large.
Result<void> merge_put(const KeyState& known, const Version& put, UnixMillis now, BlindPut& out) {
  const auto own = leaves_of(put);
  if (!own) return {};
  auto entries = merged_document(known, now);
  if (!entries) return {};
  entries->insert(entries->end(), own->begin(), own->end());
  DottedEntries kept;
  for (const DottedEntry* leaf : shown_leaves(*entries)) kept.push_back(*leaf);
  if (kept.size() == own->size()) return {};
  for (const DottedEntry& leaf : kept) {
    if (!never(out.expires_at)) {
      out.expires_at =
          never(leaf.expires_at) ? leaf.expires_at : std::max(out.expires_at, leaf.expires_at);
    }
  }
  std::sort(kept.begin(), kept.end());
  out.value = encode_entries(kept);
  out.content_type = kDocumentContentType;
  if (out.value.size() <= limits::kMaxMergedBytes) return {};
  return definite(ErrorCode::payload_too_large,
                  fmt::format("the merged value would have {} bytes, at most {} may be; write "
                              "with the context of a read to replace it",
                              out.value.size(), limits::kMaxMergedBytes));
}

}  // namespace

const Version* chosen_version(const KeyState& state, ConflictStrategy strategy, UnixMillis now) {
  const std::vector<Version>& versions = state.versions();  // newest first
  const auto live = [&](const Version& version) { return is_live(version, now); };
  switch (strategy) {
    case ConflictStrategy::last_writer: {
      const Version* winner = state.winner();
      return winner != nullptr && live(*winner) ? winner : nullptr;
    }
    case ConflictStrategy::first_writer: {
      const auto first = std::find_if(versions.rbegin(), versions.rend(), live);
      return first == versions.rend() ? nullptr : &*first;
    }
    case ConflictStrategy::siblings:
    case ConflictStrategy::merge_json: {
      const auto last = std::find_if(versions.begin(), versions.end(), live);
      return last == versions.end() ? nullptr : &*last;
    }
  }
  PARALLAX_UNREACHABLE("strategy {}", static_cast<int>(strategy));
}

std::optional<Shown> resolve(const KeyState& state, ConflictStrategy strategy, UnixMillis now) {
  const Version* chosen = chosen_version(state, strategy, now);
  if (chosen == nullptr) return std::nullopt;
  if (chosen == chosen_version(state, ConflictStrategy::siblings, now) && crdt_type_of(*chosen)) {
    return show(*chosen, merged_crdt(state, now));
  }
  if (strategy == ConflictStrategy::merge_json) {
    const auto live = [&](const Version& version) { return is_live(version, now); };
    const bool alone = std::count_if(state.versions().begin(), state.versions().end(), live) == 1;
    if (alone && !is_document(*chosen)) return show(*chosen, now);
    if (const auto entries = merged_document(state, now)) {
      if (entries->empty()) return std::nullopt;
      return Shown{chosen->stamp, Bytes{json_of_leaves(shown_leaves(*entries))}, std::string(kJson),
                   true};
    }
  }
  return show(*chosen, now);
}

std::vector<Shown> live_siblings(const KeyState& state, UnixMillis now) {
  std::vector<Shown> shown;
  for (const Version& version : state.versions()) {
    if (is_live(version, now)) shown.push_back(show(version, now));
  }
  return shown;
}

Result<BlindPut> blind_put(const KeyState& known, ConflictStrategy strategy, const Version& put,
                           UnixMillis now) {
  BlindPut out{known.context(), put.value, put.content_type, put.expires_at};
  if (strategy == ConflictStrategy::siblings) {
    out.context = all_but_live(known, now);
  } else if (strategy == ConflictStrategy::merge_json) {
    PARALLAX_TRY(merge_put(known, put, now, out));
  }
  return out;
}

}  // namespace parallax
