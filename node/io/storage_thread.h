// The disk of a node: one thread that writes one synced batch after the other.
//
// While a batch is being synced the next one gathers (group commit is the driver's doing: it hands
// over one batch per turn and at most limits::kMaxBatchesInFlight before the first is durable), so
// nothing is merged here and the order is that of submission.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "node/io/sockets.h"
#include "node/ports.h"
#include "storage/store.h"

namespace parallax {

/// What became of one batch.
struct Written {
  std::uint64_t sequence = 0;
  Result<void> result;
  Duration took{};
  std::size_t bytes = 0;
};

class StorageThread : public DiskPort {
 public:
  /// `done` is called through `context`, in the order of submission. `store` and `context` must
  /// outlive this, and no other thread may write to the store.
  StorageThread(Store& store, asio::io_context& context, std::function<void(Written)> done);
  /// As stop().
  ~StorageThread() override;

  /// Never waits for the disk. One thread at a time.
  void submit(std::uint64_t sequence, WriteBatch batch) override;
  /// Writes what was submitted and ends the thread. Nothing may be submitted afterwards.
  void stop();

 private:
  struct Task {
    std::uint64_t sequence;
    WriteBatch batch;
  };
  void run();
  void write(Task task);

  Store& store_;
  asio::io_context& context_;
  const std::function<void(Written)> done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> queue_;  // under mutex_
  bool stopping_ = false;   // under mutex_
  std::thread thread_;
};

}  // namespace parallax
