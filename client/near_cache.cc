#include "client/near_cache.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace parallax {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kLags = 64;

/// The key that a request writes, or nothing.
const std::string* written_key(const Request& request) {
  if (is_read(request.operation) || std::holds_alternative<SetPolicy>(request.operation)) {
    return nullptr;
  }
  return operation_key(request.operation);
}

/// The key of a read that may be served from here, or nothing.
const std::string* cached_key(const Request& request, bool head) {
  const Get* get = std::get_if<Get>(&request.operation);
  if (get == nullptr || get->siblings || head || request.level_by_policy) return nullptr;
  if (!request.conditions.empty() || !may_be_cached(request.consistency.level)) return nullptr;
  return &get->key;
}

}  // namespace

NearCache::NearCache(NearCacheOptions options) : options_(options) {
  PARALLAX_ASSERT(options.ttl > milliseconds::zero() && options.max_entries > 0 &&
                      options.default_delay >= milliseconds::zero(),
                  "a near-cache that keeps nothing");
}

NearCache::Begun NearCache::began(const Request& request, bool head, MonoTime now) {
  do_what_is_due(now);
  if (const std::string* key = written_key(request); key != nullptr && !versioned()) forget(*key);
  const std::string* key = cached_key(request, head);
  if (key == nullptr) return {};
  if (auto answer = hit(request, *key, now)) return {.answer = std::move(answer)};
  const std::uint64_t ticket = ++tickets_;
  if (versioned() && find(*key) == nullptr) touch(*key).since = ticket;
  return {.ticket = {ticket, now}};
}

void NearCache::ended(const Request& request, bool head, Ticket ticket,
                      const Result<Answer>& result, MonoTime now) {
  do_what_is_due(now);
  if (const std::string* key = written_key(request)) {
    write_ended(*key, result, now);
    return;
  }
  if (!result) return;
  if (result->staleness_ms && result->evidence.path == Path::local) {
    lags_.push_back(*result->staleness_ms);
    if (lags_.size() > kLags) lags_.pop_front();
  }
  shown(request, *result);
  const std::string* key = cached_key(request, head);
  if (ticket.number != 0 && key != nullptr) fill(*key, ticket, *result, now);
}

milliseconds NearCache::delay() const {
  if (lags_.empty()) return options_.default_delay;
  // Longer than it keeps anything it need not wait.
  const auto most = static_cast<std::uint64_t>(options_.ttl.count());
  return milliseconds{std::min(*std::max_element(lags_.begin(), lags_.end()), most)};
}

std::optional<Answer> NearCache::hit(const Request& request, const std::string& key, MonoTime now) {
  Record* record = find(key);
  if (record == nullptr || !record->value) return std::nullopt;
  const Value& value = *record->value;
  if (now - value.at >= options_.ttl) {
    record->value.reset();
    return std::nullopt;
  }
  if (value.answer.consistency.level != request.consistency.level) return std::nullopt;
  Answer answer = value.answer;
  answer.cached_for = std::chrono::duration_cast<milliseconds>(now - value.at);
  answer.session = request.session.value_or(SessionToken{});
  touch(key);
  return answer;
}

void NearCache::fill(const std::string& key, Ticket ticket, const Answer& answer, MonoTime now) {
  if (now - ticket.began >= options_.ttl) return;
  const bool plain = answer.found && answer.stamp && !answer.merged && answer.items.empty();
  if (!plain || !may_be_cached(answer.consistency.level)) return;
  Record* record = find(key);
  if (versioned()) {
    // Its record, if it was forgotten, may have known of a newer version.
    if (record == nullptr || ticket.number < record->since || ticket.number <= record->barred)
      return;
    if (*answer.stamp < record->newest) return;
    record->newest = *answer.stamp;
  } else {
    if (now < no_fill_before_) return;
    if (record != nullptr && record->value && *answer.stamp < *record->value->answer.stamp) return;
    record = &touch(key);
  }
  Answer kept{.consistency = {.level = answer.consistency.level},
              .stamp = answer.stamp,
              .found = true,
              .value = answer.value,
              .content_type = answer.content_type};
  kept.context = answer.context;
  record->value = Value{std::move(kept), ticket.began};
}

void NearCache::shown(const std::string& key, const std::optional<Stamp>& stamp, bool found) {
  Record* record = find(key);
  if (record == nullptr) return;
  if (stamp) record->newest = std::max(record->newest, *stamp);
  // Of nothing without a stamp one cannot tell when it came to be.
  const bool gone = !found && !stamp;
  if (record->value && (gone || (stamp && *record->value->answer.stamp < *stamp))) {
    record->value.reset();
  }
}

void NearCache::shown(const Request& request, const Answer& answer) {
  const Operation& operation = request.operation;
  for (const std::string& key : answer.missing) shown(key, std::nullopt, false);
  if (const Get* get = std::get_if<Get>(&operation)) {
    shown(get->key, answer.stamp, answer.found);
    for (const Item& sibling : answer.items) shown(get->key, sibling.stamp, true);
    return;
  }
  for (const Item& item : answer.items) shown(item.key, item.stamp, true);
  if (const ReadHistory* history = std::get_if<ReadHistory>(&operation)) {
    for (const PastValue& past : answer.versions) shown(history->key, past.stamp, true);
  }
}

void NearCache::write_ended(const std::string& key, const Result<Answer>& result, MonoTime now) {
  if (!result && result.error().definite()) {
    if (const auto stamp = Stamp::parse(result.error().etag)) shown(key, stamp, true);
    return;
  }
  if (!versioned()) {
    forget(key);
    delete_later(key, now);
    return;
  }
  if (result && result->stamp) {
    touch(key);
    shown(key, result->stamp, true);
    return;
  }
  // It may have happened, as nobody knows which version.
  Record& record = touch(key);
  record.value.reset();
  record.barred = tickets_;
}

void NearCache::delete_later(const std::string& key, MonoTime now) {
  const MonoTime due = now + delay();
  deletes_.emplace(due, key);
  if (deletes_.size() <= options_.max_entries) return;
  // Nothing is to be kept that a delete would have met.
  no_fill_before_ = std::max(no_fill_before_, std::prev(deletes_.end())->first);
  deletes_.clear();
  by_key_.clear();
  records_.clear();
}

void NearCache::do_what_is_due(MonoTime now) {
  while (!deletes_.empty() && deletes_.begin()->first <= now) {
    forget(deletes_.begin()->second);
    deletes_.erase(deletes_.begin());
  }
}

NearCache::Record* NearCache::find(std::string_view key) {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : &*found->second;
}

NearCache::Record& NearCache::touch(const std::string& key) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    records_.splice(records_.begin(), records_, found->second);
    return records_.front();
  }
  records_.push_front(Record{.key = key, .since = tickets_ + 1});
  by_key_.emplace(records_.front().key, records_.begin());
  if (records_.size() > options_.max_entries) {
    by_key_.erase(records_.back().key);
    records_.pop_back();
  }
  return records_.front();
}

void NearCache::forget(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  const auto record = found->second;
  by_key_.erase(found);
  records_.erase(record);
}

}  // namespace parallax
