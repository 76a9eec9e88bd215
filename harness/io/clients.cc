#include "harness/io/clients.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace parallax::harness {
namespace {

using namespace std::chrono_literals;
using checker::Outcome;

constexpr int kFinalAttempts = 5;

}  // namespace

Clients::Clients(Store& store, const RunOptions& options, const std::vector<RunOptions>& parts,
                 std::unique_ptr<Generator> generator, Recorder& recorder)
    : store_(store),
      options_(options),
      parts_(parts),
      recorder_(recorder),
      generator_(std::move(generator)),
      sessions_(options.clients) {}

void Clients::start() {
  for (std::uint32_t i = 0; i < options_.clients; ++i) {
    threads_.emplace_back([this, i] { work(i); });
  }
}

void Clients::stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Clients::tell(Evidences& evidences) const {
  evidences.answers_verified = verified_;
  evidences.answers_refused = refused_;
  evidences.first_refused = first_refused_;
}

void Clients::start_last_reads() {
  last_reads_ = generator_->final_reads();
  unread_ = last_reads_.size();
  stop_ = false;
  for (std::uint32_t i = 0; i < options_.clients; ++i) {
    threads_.emplace_back([this, i] {
      for (std::size_t at = next_++; !stop_ && at < last_reads_.size(); at = next_++) {
        read_surely(i, last_reads_[at]);
        --unread_;
      }
    });
  }
}

StoreSession& Clients::session(std::uint32_t client, std::uint32_t part) {
  auto& session = sessions_[client][part];
  if (!session) session = store_.session(parts_.at(part));
  return *session;
}

Performed Clients::perform(std::uint32_t client, const Step& step) {
  // People count from 1.
  const std::size_t place = recorder_.begin(client + 1, step);
  Performed performed = session(client, step.part).perform(step);
  recorder_.end(place, performed);
  verified_ += performed.verified;
  if (!performed.refused.empty()) {
    const std::lock_guard lock(mutex_);
    if (refused_++ == 0) first_refused_ = performed.refused;
  }
  return performed;
}

void Clients::work(std::uint32_t client) {
  const auto pause = options_.rate == 0
                         ? std::chrono::nanoseconds(0)
                         : std::chrono::nanoseconds(1s) * options_.clients / options_.rate;
  auto due = std::chrono::steady_clock::now() + pause * client / options_.clients;
  while (!stop_) {
    if (pause > 0ns) {
      // What could not be done in time is not made up for.
      due = std::max(due + pause, std::chrono::steady_clock::now() - pause);
      while (!stop_ && std::chrono::steady_clock::now() < due) {
        std::this_thread::sleep_until(std::min(due, std::chrono::steady_clock::now() + 50ms));
      }
      if (stop_) break;
    }
    Step step;
    {
      const std::lock_guard lock(mutex_);
      step = generator_->next(client);
    }
    Performed performed = perform(client, step);
    {
      const std::lock_guard lock(mutex_);
      generator_->done(client, step, {performed.outcome, std::move(performed.shown)});
    }
    // A node that refuses at once must not be asked in a tight loop.
    if (performed.outcome == Outcome::failed) std::this_thread::sleep_for(5ms);
  }
}

void Clients::read_surely(std::uint32_t client, const Step& step) {
  for (int attempt = 0; !stop_ && attempt < kFinalAttempts; ++attempt) {
    while (held_ && !stop_) std::this_thread::sleep_for(10ms);
    if (stop_) return;
    if (perform(client, step).outcome == Outcome::ok) return;
    std::this_thread::sleep_for(200ms);
  }
}

}  // namespace parallax::harness
