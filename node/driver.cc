#include "node/driver.h"

#include "base/assert.h"
#include "base/canary.h"

namespace parallax {

void Driver::fail_point(std::string_view name) {
  if (ports_.fail_points != nullptr) ports_.fail_points->reached(name);
}

void Driver::send_all(std::vector<Envelope>& envelopes) {
  for (Envelope& envelope : envelopes) ports_.network.send(std::move(envelope));
  envelopes.clear();
}

void Driver::begin_inputs() {
  replica_.begin_turn({ports_.clock.monotonic_now(), ports_.clock.now()});
}

void Driver::request(RequestId id, Request&& request) {
  replica_.on_request(id, std::move(request));
}

void Driver::receive(const Envelope& envelope) {
  replica_.on_envelope(envelope);
}

void Driver::on_written(std::uint64_t sequence, const Result<void>& result) {
  if (failed_) return;  // the store refuses everything after its first error
  if (!result && !canary(Canary::failed_batch_counts)) {
    failed_ = true;
    in_flight_.clear();
    replica_.on_disk_failed(result.error());
    return;
  }
  PARALLAX_ASSERT(!in_flight_.empty() && in_flight_.front().sequence == sequence,
                  "batch {} was written, {} are in flight", sequence, in_flight_.size());
  for (Envelope& envelope : in_flight_.front().send_after) {
    released_.push_back(std::move(envelope));
  }
  in_flight_.pop_front();
  replica_.on_persisted(sequence);
}

void Driver::release() {
  if (!released_.empty()) {
    fail_point("before-send-after");
    send_all(released_);
  }
  ReplicaReady ready = replica_.take_released();
  send_all(ready.send_now);
  answer(ready);
}

void Driver::turn() {
  release();
  const bool may_persist = !failed_ && in_flight_.size() < ports_.most_batches;
  replica_.end_inputs(ports_.clock.monotonic_now());
  ReplicaReady ready = replica_.take_ready(may_persist);
  // Read anew: the process may have slept while it read.
  if (ready.leased) replica_.settle_leased(ports_.clock.monotonic_now(), ready);
  if (!ready.send_now.empty()) {
    fail_point("before-send");
    send_all(ready.send_now);
  }
  if (ready.batch) {
    PARALLAX_ASSERT(may_persist, "batch {} with {} in flight", ready.sequence, in_flight_.size());
    fail_point("between-send-submit");
    in_flight_.push_back({ready.sequence, std::move(ready.send_after)});
    ports_.disk.submit(ready.sequence, std::move(*ready.batch));
    fail_point("after-submit");
  } else if (in_flight_.empty()) {
    // Everything before is durable.
    if (!failed_) send_all(ready.send_after);
  } else {
    std::vector<Envelope>& waiting = in_flight_.back().send_after;
    for (Envelope& envelope : ready.send_after) waiting.push_back(std::move(envelope));
  }
  answer(ready);
}

void Driver::answer(ReplicaReady& ready) {
  if (ready.replies.empty()) return;
  fail_point("before-reply");
  for (auto& [id, reply] : ready.replies) ports_.clients.reply(id, std::move(reply));
}

}  // namespace parallax
