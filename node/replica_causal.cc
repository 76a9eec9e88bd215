// The turn of the causal protocol: messages in, one pass over the core, what it asks for into the
// turn's batch. Numbers and record are staged together, so they are durable together; key states
// may wait longer (node/replica_states.cc).
#include "node/replica_causal.h"

#include <algorithm>
#include <limits>

#include "base/canary.h"
#include "base/coverage.h"

namespace parallax {
namespace {

/// Keys of one page of a transfer, beside what causal_batch_bytes says.
constexpr std::size_t kMostPageKeys = 1'024;
/// A core that nothing has happened to is asked so often: a turn of another protocol costs nothing.
constexpr Duration kIdleRun = std::chrono::milliseconds(10);

Error corrupt(std::string message) {
  return definite(ErrorCode::corrupt, std::move(message));
}

LogIndex highest_index(const CausalTransferPage& page) {
  LogIndex highest;
  for (const CausalTransferPage::State& item : page.states) {
    for (const Version& version : item.state.versions()) {
      highest = std::max(highest, version.log_index);
    }
  }
  return highest;
}

}  // namespace

Replica::Impl::~Impl() = default;

// --- Beginning and end --------------------------------------------------------------------------

Result<void> Replica::Impl::Causality::start() {
  CausalConfig config{.id = at_.config_.id, .incarnation = at_.node_.incarnation};
  config.members = at_.config_.members;
  config.life = at_.config_.life;
  config.log_bytes = at_.config_.causal_log_bytes;
  config.batch_bytes = at_.config_.causal_batch_bytes;
  CausalRestored restored;
  restored.recovering = at_.recovering();
  PARALLAX_ASSIGN(auto record,
                  records::load<CausalRecord>(at_.overlay_, records::causal_key(kOnlyGroup)));
  if (record) restored.record = *std::move(record);
  std::optional<Error> wrong;
  segments_.clear();
  PARALLAX_TRY(at_.overlay_.scan(
      records::causal_log_range(kOnlyGroup), [&](std::string_view key, std::string_view value) {
        const auto segment = records::decode<CausalSegment>(key, value);
        if (!segment) {
          wrong = segment.error();
          return false;
        }
        const CausalOperation& last = segment->operations.back();
        if (records::causal_segment_key(kOnlyGroup, last.origin(), last.number) != key) {
          wrong = corrupt(
              fmt::format("the causal log is damaged: a segment up to {} elsewhere", last.number));
          return false;
        }
        segments_[last.origin()].insert(last.number);
        for (const CausalOperation& operation : segment->operations) {
          restored.log.push_back({.origin = operation.origin(),
                                  .number = operation.number,
                                  .bytes = operation.bytes(),
                                  .reading = operation.version.stamp.hlc});
        }
        return true;
      }));
  if (wrong) return *wrong;
  if (const std::string what = fault(restored); !what.empty()) {
    return corrupt("the causal log is damaged: " + what);
  }
  core_.emplace(std::move(config), restored, at_.now_.monotonic);
  if (at_.states_behind_.stored) core_->on_states_written(at_.states_behind_.stored->operations);
  for (const auto& [node, incarnation] : at_.applied_.incarnations) {
    core_->heard(node, incarnation);
  }
  staged();
  tell_incarnations();
  wake_all();
  stirred_ = true;
  return {};
}

/// What the core knows, the replica knows: a node whose clock has fallen behind must be told that
/// the incarnation that it has drawn is below one that is over, or nobody here takes its word.
void Replica::Impl::Causality::tell_incarnations() {
  for (auto& [id, peer] : at_.peers_) {
    const Incarnation heard = core_->heard_of(id);
    if (heard <= peer.incarnation) continue;
    peer.incarnation = heard;
    at_.heard_life({id, heard, true});
  }
}

void Replica::Impl::Causality::draw_again() {
  PARALLAX_ASSERT(at_.recovering(), "node {} is no recovering one", at_.config_.id);
  core_.reset();
  marks_.clear();
  held_page_.reset();
}

void Replica::Impl::Causality::end_recovery() {
  if (core_) core_->end_recovery();
  wake_all();
  stirred_ = true;
}

bool Replica::Impl::Causality::joined() const {
  return core_ && core_->joined().size() >= at_.raft_->majority();
}

// --- Inputs -------------------------------------------------------------------------------------

void Replica::Impl::Causality::tick() {
  if (core_) {
    core_->tick(at_.now_.monotonic);
  } else if (at_.raft_ && changed_in_ <= durable_) {
    // What an earlier incarnation has staged is in the store: the record says what is durable.
    if (const Result<void> started = start(); !started) at_.fail(started.error());
  }
}

void Replica::Impl::Causality::heard(NodeId node, Incarnation incarnation) {
  if (!core_ || incarnation == Incarnation{}) return;
  core_->heard(node, incarnation);
}

void Replica::Impl::Causality::step(const Envelope& envelope) {
  if (!core_) return;
  // What is durable here may be asked for as ever.
  const bool needs_disk = !std::holds_alternative<CausalStatus>(envelope.message) &&
                          !std::holds_alternative<CausalFetch>(envelope.message);
  if (at_.disk_failed_ && needs_disk) return;
  if (const auto* status = std::get_if<CausalStatus>(&envelope.message)) {
    at_.peers_.at(envelope.from).life = status->life;
    told_ = true;
  } else if (const auto* page = std::get_if<CausalTransferPage>(&envelope.message)) {
    for (const CausalTransferPage::State& item : page->states) {
      if (!well_formed(item.state)) return;
    }
    // Its states go into those that follow the log, so they wait until the log is there: a page
    // cannot be kept apart as an early state, for the vector will say that it is here.
    const LogIndex needs = highest_index(*page);
    if (needs > at_.applied_.index) {
      held_page_ = HeldPage{envelope, needs};
      core_->await_page(page->call);
      return;
    }
  }
  core_->step({envelope.from, envelope.incarnation, envelope.recovering}, envelope.message);
  tell_incarnations();
  woken_ = stirred_ = true;
}

/// The core knows whether it still waits for it, and is told that it need not ask again.
void Replica::Impl::Causality::step_held_page() {
  if (!held_page_) return;
  if (held_page_->needs > at_.applied_.index) {
    core_->await_page(std::get<CausalTransferPage>(held_page_->envelope.message).call);
    return;
  }
  const HeldPage held = *std::exchange(held_page_, std::nullopt);
  const Envelope& envelope = held.envelope;
  core_->step({envelope.from, envelope.incarnation, envelope.recovering}, envelope.message);
}

// --- The turn -----------------------------------------------------------------------------------

void Replica::Impl::Causality::run(bool persist) {
  // The log has come to it in this turn.
  if (held_page_ && held_page_->needs <= at_.applied_.index) stirred_ = true;
  if (!core_ || (!stirred_ && at_.now_.monotonic < next_run_)) return;
  stirred_ = !persist;
  next_run_ = at_.now_.monotonic + kIdleRun;
  if (at_.disk_failed_) {
    answer_from_failed_disk();
    return;
  }
  step_held_page();
  carry_out(core_->take_ready(persist));
  if (at_.fatal_ || at_.disk_failed_) return;
  join_early_states();
  proposed_ = false;
  serve_waiting();
  // What they have written is seen with this turn's batch: its records belong into that, too.
  if (proposed_ && !at_.fatal_ && !at_.disk_failed_) carry_out(core_->take_ready(persist));
}

/// It still tells what is durable here, and passes requests on.
void Replica::Impl::Causality::answer_from_failed_disk() {
  CausalReady ready = core_->take_ready(false);
  for (CausalMessage& message : ready.send_now) at_.send(message.to, std::move(message.message));
  for (const CausalLoad& load : ready.loads) {
    Result<std::vector<SharedOperation>> read = operations(load);
    if (read) core_->on_loaded(load, *std::move(read));
    stirred_ = true;
  }
  serve_waiting();
}

void Replica::Impl::Causality::on_disk_failed() {
  wake_all();
  stirred_ = true;
}

void Replica::Impl::Causality::carry_out(CausalReady ready) {
  for (CausalMessage& message : ready.send_now) at_.send(message.to, std::move(message.message));
  // Ahead of what a failing disk may cut short: the vector has come to all of it already.
  if (ready.record) changed_in_ = at_.next_sequence_;
  if (ready.page) at_.states_behind_.all = true;
  for (const CausalTransferPage::State& item : ready.install) {
    if (!at_.take_in(item.key, item.state, at_.applied_.index, Arrival::transfer)) return;
    at_.clean_credit_ += 2;
  }
  for (const CausalOperation& operation : ready.apply) {
    if (!join_operation(operation)) return;
  }
  put_operations(std::move(ready.apply));
  put_operations(std::move(ready.append));
  for (const CausalRange& range : ready.remove) remove_segments(range);
  if (ready.record) {
    record_ = *std::move(ready.record);
    at_.touch();
    woken_ = true;
  }
  for (CausalMessage& message : ready.send_after) send_after(std::move(message));
  for (const CausalLoad& load : ready.loads) {
    Result<std::vector<SharedOperation>> read = operations(load);
    if (!read) {
      at_.fail(read.error());
      return;
    }
    core_->on_loaded(load, *std::move(read));
    stirred_ = true;
  }
  for (const CausalPageRead& read : ready.page_reads) read_page(read);
}

/// On top of what is shown of the key, early or not: what is applied is in there.
bool Replica::Impl::Causality::join_operation(const CausalOperation& operation) {
  at_.clock_.observe(operation.version.stamp.hlc);
  Result<KeyState> state = at_.keys_.load(operation.key);
  if (!state) {
    at_.fail(state.error());
    return false;
  }
  KeyState next = *state;
  next.add(operation.version);
  at_.clean_credit_ += 2;
  return at_.take_in(operation.key, *std::move(state), next, at_.applied_.index, Arrival::operation)
      .has_value();
}

/// What a turn brings of an origin is one record: a record has its price in the store, and again
/// when it is removed, whatever is in it.
void Replica::Impl::Causality::put_operations(std::vector<SharedOperation> operations) {
  struct Open {
    CausalSegment segment;
    std::size_t bytes = 0;
  };
  std::map<Origin, Open> open;
  for (SharedOperation& operation : operations) {
    const Origin origin = operation->origin();
    Open& of = open[origin];
    if (of.bytes >= at_.config_.causal_batch_bytes ||
        of.segment.operations.size() == limits::kCausalBufferOperations) {
      put_segment(origin, std::exchange(of, {}).segment);
    }
    of.bytes += operation->bytes();
    of.segment.operations.push_back(std::move(operation));
  }
  for (auto& [origin, of] : open) put_segment(origin, std::move(of.segment));
}

void Replica::Impl::Causality::put_segment(const Origin& origin, CausalSegment segment) {
  const std::uint64_t last = segment.operations.back()->number;
  segments_[origin].insert(last);
  WriteBatch batch;
  records::put(batch, records::causal_segment_key(kOnlyGroup, origin, last), segment);
  stage(std::move(batch));
}

/// Those that end in `range`. What is let go of later is behind it, so a segment goes with its last
/// operation.
void Replica::Impl::Causality::remove_segments(const CausalRange& range) {
  const auto found = segments_.find(range.origin);
  if (found == segments_.end()) return;
  std::set<std::uint64_t>& ends = found->second;
  const auto first = ends.lower_bound(range.first);
  const auto last = ends.upper_bound(range.last);
  WriteBatch batch;
  for (auto it = first; it != last; ++it) {
    batch.remove(records::causal_segment_key(kOnlyGroup, range.origin, *it));
  }
  ends.erase(first, last);
  if (ends.empty()) segments_.erase(found);
  if (!batch.empty()) stage(std::move(batch));
}

void Replica::Impl::Causality::stage(WriteBatch batch) {
  changed_in_ = at_.next_sequence_;
  at_.stage(std::move(batch));
}

/// Behind everything that the core has asked to write.
void Replica::Impl::Causality::send_after(CausalMessage message) {
  at_.after_batch(changed_in_ <= durable_ ? 0 : changed_in_,
                  HeldMessage{message.to, std::move(message.message)});
}

/// Several turns may have gone by since the last batch: only the newest record counts.
void Replica::Impl::Causality::on_batch(std::uint64_t sequence, WriteBatch& batch) {
  if (const auto record = std::exchange(record_, std::nullopt)) {
    records::put(batch, records::causal_key(kOnlyGroup), *record);
  }
  if (core_ && changed_in_ == sequence) marks_.emplace_back(sequence, core_->persisted_mark());
}

void Replica::Impl::Causality::on_persisted(std::uint64_t sequence, const OriginVector& states) {
  durable_ = sequence;
  if (core_) core_->on_states_written(states);
  while (!marks_.empty() && marks_.front().first <= sequence) {
    core_->on_persisted(marks_.front().second);
    marks_.pop_front();
    stirred_ = true;
  }
}

std::uint64_t Replica::Impl::Causality::shown_after(const KeyState& state) const {
  const bool durable = changed_in_ <= durable_ || core_->covers_durably(state.context());
  return durable ? 0 : changed_in_;
}

/// What is durable of the vector when batch `sequence` is; that one may not be handed out yet.
OriginVector Replica::Impl::Causality::vector_of_batch(std::uint64_t sequence) const {
  if (sequence >= at_.next_sequence_) return core_->applied();
  OriginVector vector = core_->durable();
  for (const auto& [batch, mark] : marks_) {
    if (batch <= sequence) vector = mark.applied;
  }
  return vector;
}

// --- Reading for others -------------------------------------------------------------------------

Result<std::vector<SharedOperation>> Replica::Impl::Causality::operations(
    const CausalLoad& load) const {
  std::vector<SharedOperation> operations;
  std::size_t bytes = 0;
  std::optional<Error> wrong;
  PARALLAX_TRY(at_.overlay_.scan(records::causal_log_range(kOnlyGroup, load.origin, load.after + 1),
                                 [&](std::string_view key, std::string_view value) {
                                   auto segment = records::decode<CausalSegment>(key, value);
                                   if (!segment) {
                                     wrong = segment.error();
                                     return false;
                                   }
                                   for (SharedOperation& operation : segment->operations) {
                                     if (operation->number <= load.after) continue;
                                     bytes += operation->bytes();
                                     if (!operations.empty() && bytes > load.max_bytes) {
                                       return false;
                                     }
                                     operations.push_back(std::move(operation));
                                   }
                                   return true;
                                 }));
  if (wrong) return *wrong;
  return operations;
}

const OriginVector& Replica::Impl::Causality::staged() {
  if (core_) staged_ = core_->persisted_mark().applied;
  return staged_;
}

Result<std::vector<SharedOperation>> Replica::Impl::Causality::applied_since(
    const OriginVector& done) const {
  std::vector<SharedOperation> since;
  for (const auto& [origin, last] : core_->applied().entries()) {
    // What is left below the log's start is being removed.
    const std::uint64_t after = std::max(done.at(origin), core_->log(origin)->start());
    if (last <= after) continue;
    PARALLAX_ASSIGN(std::vector<SharedOperation> of,
                    operations({.origin = origin,
                                .after = after,
                                .max_bytes = std::numeric_limits<std::size_t>::max()}));
    for (SharedOperation& operation : of) {
      if (operation->number <= last) since.push_back(std::move(operation));
    }
  }
  return since;
}

void Replica::Impl::Causality::read_page(const CausalPageRead& read) {
  std::vector<CausalTransferPage::State> states;
  std::size_t bytes = 0;
  bool complete = true;
  const std::string from = read.after.empty() ? std::string() : read.after + '\0';
  const Result<void> done =
      at_.keys_.scan(from, "", false, [&](std::string_view key, const KeyState& state) {
        if (states.size() == kMostPageKeys || bytes >= at_.config_.causal_batch_bytes) {
          complete = false;
          return false;
        }
        if (state.empty()) return true;
        bytes += key.size() + 64;
        for (const Version& version : state.versions()) bytes += version.value.size() + 64;
        states.push_back({std::string(key), state});
        return true;
      });
  if (!done) {
    at_.fail(done.error());
    return;
  }
  // The page leaves behind all that it shows, whatever protocol that is of.
  changed_in_ = at_.next_sequence_;
  core_->on_page(read, std::move(states), complete);
  stirred_ = true;
}

}  // namespace parallax
