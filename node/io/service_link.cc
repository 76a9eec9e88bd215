#include "node/io/service_link.h"

namespace parallax {
namespace {

Error stopping() {
  return definite(ErrorCode::shutting_down, "this node is stopping");
}

}  // namespace

// --- There and back ------------------------------------------------------------------------------

void ServiceLink::submit(Request request, std::function<void(Reply)> done) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(waiting_.size()));
    waiting_.emplace_back();
  }
  const std::uint32_t place = free_.back();
  free_.pop_back();
  waiting_[place] = std::move(done);
  asked_.push_back({place, std::move(request)});
  // Behind every handler that is ready now.
  if (asked_.size() == 1) boost::asio::post(own_, [link = shared_from_this()] { link->send(); });
}

void ServiceLink::send() {
  boost::asio::post(engine_io_,
                    [link = shared_from_this(), asked = std::exchange(asked_, {})]() mutable {
                      link->carry_out(std::move(asked));
                    });
}

void ServiceLink::carry_out(std::vector<Asked> asked) {
  for (Asked& one : asked) {
    engine_.submit(std::move(one.request),
                   [this, place = one.place](Reply&& reply) { answer(place, std::move(reply)); });
  }
}

void ServiceLink::answer(std::uint32_t place, Reply&& reply) {
  answered_.push_back({place, std::move(reply)});
  if (answered_.size() > 1) return;
  boost::asio::post(engine_io_, [link = shared_from_this()] {
    boost::asio::post(link->own_, [link, answers = std::exchange(link->answered_, {})]() mutable {
      link->give(std::move(answers));
    });
  });
}

void ServiceLink::give(std::vector<Answered> answers) {
  for (Answered& one : answers) {
    const std::function<void(Reply)> done = std::exchange(waiting_[one.place], nullptr);
    free_.push_back(one.place);
    done(std::move(one.reply));
  }
}

// --- What is answered at once --------------------------------------------------------------------

/// `call()` on the engine's thread; `otherwise` where that has ended.
template <class Answer, class Call>
Answer ServiceLink::ask(Answer otherwise, Call call) const {
  std::optional<Answer> told;
  std::unique_lock lock(mutex_);
  if (closed_) return otherwise;
  told_ = false;
  // What it refers to is there as long as it can run: until it has told, or the link is closed.
  boost::asio::post(engine_io_, [this, &told, &call] {
    Answer answer = call();
    const std::scoped_lock telling(mutex_);
    told.emplace(std::move(answer));
    told_ = true;
    changed_.notify_one();
  });
  changed_.wait(lock, [this] { return told_ || closed_; });
  return told ? *std::move(told) : std::move(otherwise);
}

Result<Plan> ServiceLink::explain(Request request) const {
  return ask(Result<Plan>(stopping()), [&] { return engine_.explain(std::move(request)); });
}

ReplicaStatus ServiceLink::replica_status() const {
  return ask(ReplicaStatus{}, [this] { return engine_.replica_status(); });
}

const ReplicaCounters& ServiceLink::replica_counters() const {
  counters_ = ask(ReplicaCounters{}, [this] { return engine_.replica_counters(); });
  return counters_;
}

ProcessStatus ServiceLink::process_status() const {
  return ask(ProcessStatus{}, [this] { return engine_.process_status(); });
}

Result<void> ServiceLink::transfer_leadership(NodeId to) {
  return ask(Result<void>(stopping()), [&] { return engine_.transfer_leadership(to); });
}

Result<void> ServiceLink::set_faults(FaultSettings faults) {
  return ask(Result<void>(stopping()), [&] { return engine_.set_faults(std::move(faults)); });
}

void ServiceLink::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  changed_.notify_one();
}

}  // namespace parallax
