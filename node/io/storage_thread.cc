#include "node/io/storage_thread.h"

#include <utility>

#include <boost/asio/post.hpp>

#include "base/assert.h"

namespace parallax {

StorageThread::StorageThread(Store& store, asio::io_context& context,
                             std::function<void(Written)> done)
    : store_(store), context_(context), done_(std::move(done)), thread_([this] { run(); }) {}

StorageThread::~StorageThread() {
  stop();
}

void StorageThread::submit(std::uint64_t sequence, WriteBatch batch) {
  {
    const std::scoped_lock lock(mutex_);
    PARALLAX_ASSERT(!stopping_, "batch {} after the end", sequence);
    queue_.push_back(Task{sequence, std::move(batch)});
  }
  changed_.notify_one();
}

void StorageThread::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void StorageThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    write(std::move(task));
    lock.lock();
  }
}

void StorageThread::write(Task task) {
  const auto begun = std::chrono::steady_clock::now();
  Written written;
  written.sequence = task.sequence;
  written.bytes = task.batch.bytes();
  written.result = store_.write(task.batch);
  written.took = std::chrono::steady_clock::now() - begun;
  asio::post(context_,
             [this, written = std::move(written)]() mutable { done_(std::move(written)); });
}

}  // namespace parallax
