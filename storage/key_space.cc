#include "storage/key_space.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "base/checksum.h"

namespace parallax {
namespace {

bool newer(const Version& a, const Version& b) {
  return a.stamp > b.stamp;
}

bool holds(const KeyState& state, const Version& version) {
  return std::any_of(state.versions().begin(), state.versions().end(), [&](const Version& v) {
    return v.stamp == version.stamp && v.actor == version.actor;
  });
}

/// Which of the versions of `joined` is to be called the one that replaced `version`: the newest
/// whose own context covers it. Where none does (what covered it has been replaced itself and never
/// came here) the newest; where no version is left, the context's highest reading stands for it.
Stamp replacer(const KeyState& joined, const Version& version) {
  for (const Version& candidate : joined.versions()) {
    if (candidate.context.covers(version.actor, version.stamp.hlc)) return candidate.stamp;
  }
  if (const Version* winner = joined.winner()) return winner->stamp;
  return Stamp{joined.context().highest(), kNoNode};
}

/// Adds `versions` to what `record` holds; of one version both copies' knowledge stays.
void merge_replaced(HistoryRecord& record, std::vector<Version> versions) {
  for (Version& version : versions) {
    const auto same =
        std::find_if(record.replaced.begin(), record.replaced.end(),
                     [&](const Version& known) { return known.stamp == version.stamp; });
    if (same == record.replaced.end()) {
      record.replaced.push_back(std::move(version));
    } else {
      merge_version(*same, version);
    }
  }
  std::sort(record.replaced.begin(), record.replaced.end(), newer);
}

template <class T>
Result<void> add_digest(const ReadView& view, const ScanRange& range, std::uint64_t& sum) {
  std::optional<Error> fault;
  PARALLAX_TRY(view.scan(range, [&](std::string_view key, std::string_view value) {
    const Result<T> record = records::decode<T>(key, value);
    if (!record) {
      fault = record.error();
      return false;
    }
    // Encoded anew: bytes of another version of the schema may differ for equal contents.
    sum += hash64(records::encode(key, *record).view());
    return true;
  }));
  if (fault) return *fault;
  return {};
}

}  // namespace

Result<KeyState> KeySpace::load(std::string_view key) const {
  const std::string store_key = records::key_state_key(group_, key);
  if (overlay_ != nullptr) {
    if (const KeyState* const kept = overlay_->kept(store_key)) return *kept;
  }
  PARALLAX_ASSIGN(const std::optional<KeyState> stored, records::load<KeyState>(view_, store_key));
  const KeyState state = stored ? *stored : KeyState{};
  if (overlay_ != nullptr) overlay_->keep(store_key, state);
  return state;
}

void KeySpace::keep(std::string_view key, KeyState state) const {
  if (overlay_ != nullptr) overlay_->keep(records::key_state_key(group_, key), std::move(state));
}

Result<KeyState> KeySpace::load_early(std::string_view key) const {
  PARALLAX_ASSIGN(std::optional<KeyState> stored,
                  records::load<KeyState>(view_, records::early_key(group_, key)));
  return stored ? std::move(*stored) : KeyState{};
}

Result<KeyState> KeySpace::join_early(std::string_view key, const KeyState& incoming,
                                      WriteBatch& batch) const {
  PARALLAX_ASSIGN(KeyState state, load_early(key));
  if (!state.join(incoming)) return state;
  records::put(batch, records::early_key(group_, key), state);
  return state;
}

Result<KeyState> KeySpace::join(std::string_view key, const KeyState& incoming,
                                WriteBatch& batch) const {
  PARALLAX_ASSIGN(KeyState stored, load(key));
  return join(key, std::move(stored), incoming, batch);
}

Result<KeyState> KeySpace::join(std::string_view key, KeyState stored, const KeyState& incoming,
                                WriteBatch& batch) const {
  bool changed = false;
  PARALLAX_ASSIGN(KeyState state, join(key, std::move(stored), incoming, batch, changed));
  if (changed) records::put(batch, records::key_state_key(group_, key), state);
  return state;
}

Result<KeyState> KeySpace::join(std::string_view key, KeyState state, const KeyState& incoming,
                                WriteBatch& batch, bool& changed) const {
  // The join lets go of what it replaces, so that is set aside first.
  std::vector<Version> replaced;
  for (const Version& version : state.versions()) {
    if (incoming.context().covers(version.actor, version.stamp.hlc) && !holds(incoming, version)) {
      replaced.push_back(version);
    }
  }
  const VersionVector known = replaced.empty() ? VersionVector{} : state.context();
  changed = state.join(incoming);
  if (!changed) return state;
  if (!replaced.empty()) PARALLAX_TRY(put_history(key, known, state, std::move(replaced), batch));
  return state;
}

Result<void> KeySpace::put_history(std::string_view key, const VersionVector& known,
                                   const KeyState& joined, std::vector<Version> replaced,
                                   WriteBatch& batch) const {
  std::vector<std::pair<Stamp, std::vector<Version>>> by;  // nearly always one
  for (Version& version : replaced) {
    const Stamp stamp = replacer(joined, version);
    auto place =
        std::find_if(by.begin(), by.end(), [&](const auto& b) { return b.first == stamp; });
    if (place == by.end()) place = by.insert(by.end(), {stamp, {}});
    place->second.push_back(std::move(version));
  }
  for (auto& [replacing, versions] : by) {
    const Stamp stamp = replacing;  // which a lambda may capture
    // A version that comes here for the first time has no record yet: the usual case needs no read.
    const bool first_seen = std::any_of(
        joined.versions().begin(), joined.versions().end(),
        [&](const Version& v) { return v.stamp == stamp && !known.covers(v.actor, v.stamp.hlc); });
    if (first_seen && log_ != nullptr && log_->add(stamp, key, versions)) continue;
    std::string store_key = records::history_key(group_, stamp, key);
    HistoryRecord record;
    if (!first_seen) {
      PARALLAX_ASSIGN(std::optional<HistoryRecord> present,
                      records::load<HistoryRecord>(view_, store_key));
      if (present) record = std::move(*present);
    }
    merge_replaced(record, std::move(versions));
    records::put(batch, std::move(store_key), record);
  }
  return {};
}

Result<void> KeySpace::scan(std::string_view start, std::string_view end, bool reverse,
                            const Visitor& visit) const {
  ScanRange range = records::key_state_range(group_);
  range.reverse = reverse;
  if (!start.empty()) range.start = records::key_state_key(group_, start);
  if (!end.empty()) range.end = records::key_state_key(group_, end);
  std::optional<Error> fault;
  PARALLAX_TRY(view_.scan(range, [&](std::string_view store_key, std::string_view value) {
    Result<KeyState> state = records::decode<KeyState>(store_key, value);
    if (!state) {
      fault = state.error();
      return false;
    }
    return visit(records::user_key(store_key), *state);
  }));
  if (fault) return *fault;
  return {};
}

Result<Past> KeySpace::history(std::string_view key, const PastBounds& bounds) const {
  PARALLAX_ASSIGN(const KeyState state, load(key));
  // What is replaced has a lower stamp than what has replaced it: the newest first, none is missed.
  std::map<Stamp, PastVersion, std::greater<>> to_tell;
  std::set<Stamp> seen;
  HistoryReader reader(view_, group_, log_);
  const auto add = [&](const Version& version, Stamp replaced_by) {
    if (version.stamp.hlc.millis() < bounds.from || !seen.insert(version.stamp).second) return;
    to_tell.emplace(version.stamp, PastVersion{version, replaced_by});
  };
  const auto walk = [&](Stamp by) -> Result<void> {
    PARALLAX_ASSIGN(const std::vector<Version> replaced, reader.replaced_by(by, key));
    for (const Version& version : replaced) add(version, by);
    return {};
  };
  for (const Version& version : state.versions()) add(version, Stamp{});
  // Where no version is left, see replacer().
  if (state.versions().empty() && !state.context().empty()) {
    PARALLAX_TRY(walk(Stamp{state.context().highest(), kNoNode}));
  }
  Past past;
  std::size_t bytes = 0;
  while (!to_tell.empty()) {
    PastVersion next = std::move(to_tell.begin()->second);
    to_tell.erase(to_tell.begin());
    const Stamp stamp = next.version.stamp;
    const UnixMillis at = stamp.hlc.millis();
    const bool wanted = at <= bounds.to;
    if (wanted) bytes += next.version.value.size() + next.version.content_type.size();
    const bool too_much = bytes > bounds.most_bytes && !past.versions.empty();
    if (too_much || seen.size() - to_tell.size() > bounds.most_looked_at ||
        reader.bytes_read() > bounds.most_read) {
      past.complete_from = UnixMillis{at.value + 1};
      break;
    }
    if (wanted) past.versions.push_back(std::move(next));
    PARALLAX_TRY(walk(stamp));
  }
  return past;
}

Result<KeySpace::CleanUp> KeySpace::clean_history(Hlc from, Hlc horizon, std::size_t limit,
                                                  WriteBatch& batch) const {
  CleanUp done{0, std::max(from, horizon)};
  if (horizon <= from) return done;
  PARALLAX_TRY(view_.scan(records::history_range(group_, from, horizon),
                          [&](std::string_view store_key, std::string_view) {
                            if (done.removed == limit) {
                              done.reached = records::history_hlc(store_key);
                              return false;
                            }
                            batch.remove(std::string(store_key));
                            ++done.removed;
                            return true;
                          }));
  return done;
}

Result<std::uint64_t> KeySpace::digest() const {
  std::uint64_t sum = 0;
  PARALLAX_TRY(add_digest<KeyState>(view_, records::key_state_range(group_), sum));
  PARALLAX_TRY(add_digest<IdempotencyRecord>(view_, records::idempotency_range(group_), sum));
  PARALLAX_TRY(add_digest<PolicyRecord>(view_, records::policy_range(group_), sum));
  return sum;
}

}  // namespace parallax
