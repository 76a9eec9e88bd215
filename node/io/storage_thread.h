// The disk of a node: one thread that writes and syncs batches in the order of submission.
//
// This is where group commit happens: what is submitted while a sync is under way is written
// together, with one sync, as soon as that is over. So a batch waits for half of a sync and its
// own, the disk never waits for the engine, and the busier it is the fewer syncs there are.
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

/// What became of one batch. The first of those that were written together speaks for all.
struct Written {
  std::uint64_t sequence = 0;
  Result<void> result;
  std::uint32_t syncs = 1;  ///< 0: written with the one before
  Duration took{};
  std::size_t bytes = 0;
};

class StorageThread : public DiskPort {
 public:
  /// So many may wait at once: beyond, they had better gather before they come here.
  static constexpr std::size_t kMostBatches = 16;

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
  std::deque<Task> take_group();
  void write(std::deque<Task> group);

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
