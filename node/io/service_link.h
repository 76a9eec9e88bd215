// A NodeService for HTTP on a thread of its own: passes what is asked to the engine's thread and
// brings back the answers, in batches on both ways. A wake-up costs more than a request, so what a
// thread's connections ask in one pass of its loop goes together, and so does what a turn answers.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "node/plan.h"
#include "node/service.h"

namespace parallax {

/// Calls of NodeService on the thread that runs `own`; those that answer at once wait for the
/// engine's thread, which never waits for this one. Owned by a shared_ptr: what is under way holds
/// it. The engine must answer nothing any more once `own` is gone.
class ServiceLink final : public NodeService, public std::enable_shared_from_this<ServiceLink> {
 public:
  /// `engine` is called on the thread that runs `engine_io`. All three must outlive it.
  ServiceLink(NodeService& engine, boost::asio::io_context& engine_io, boost::asio::io_context& own)
      : engine_(engine), engine_io_(engine_io), own_(own) {}

  void submit(Request request, std::function<void(Reply)> done) override;
  Result<Plan> explain(Request request) const override;
  ReplicaStatus replica_status() const override;
  /// Valid until the next call.
  const ReplicaCounters& replica_counters() const override;
  ProcessStatus process_status() const override;
  Result<void> transfer_leadership(NodeId to) override;
  Result<void> set_faults(FaultSettings faults) override;

  /// On the engine's thread, which will not run `engine_io` again: who waits is told that the node
  /// is stopping, or gets a value that says nothing.
  void close();

 private:
  struct Asked {
    std::uint32_t place;
    Request request;
  };
  struct Answered {
    std::uint32_t place;
    Reply reply;
  };
  void send();
  void carry_out(std::vector<Asked> asked);
  void answer(std::uint32_t place, Reply&& reply);
  void give(std::vector<Answered> answers);
  template <class Answer, class Call>
  Answer ask(Answer otherwise, Call call) const;

  NodeService& engine_;
  boost::asio::io_context& engine_io_;
  boost::asio::io_context& own_;

  // On the own thread.
  std::vector<std::function<void(Reply)>> waiting_;  ///< by place
  std::vector<std::uint32_t> free_;                  ///< places
  std::vector<Asked> asked_;                         ///< not sent yet
  mutable ReplicaCounters counters_;

  // On the engine's thread.
  std::vector<Answered> answered_;  ///< not brought back yet

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable bool told_ = false;  // under mutex_
  bool closed_ = false;        // under mutex_
};

}  // namespace parallax
