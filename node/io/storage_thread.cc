#include "node/io/storage_thread.h"

#include <utility>

#include <boost/asio/post.hpp>

#include "base/assert.h"

namespace parallax {
namespace {

/// Batches beyond this wait for the next sync: nobody is to wait long for others' bytes.
constexpr std::size_t kMaxGroupBytes = 4 << 20;

}  // namespace

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
    std::deque<Task> group = take_group();
    lock.unlock();
    write(std::move(group));
    lock.lock();
  }
}

/// All that waits, within a bound. Under mutex_.
std::deque<StorageThread::Task> StorageThread::take_group() {
  std::deque<Task> group;
  std::size_t bytes = 0;
  while (!queue_.empty()) {
    bytes += queue_.front().batch.bytes();
    if (!group.empty() && bytes > kMaxGroupBytes) break;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

/// Together or not at all, so all of them have one outcome.
void StorageThread::write(std::deque<Task> group) {
  const auto begun = std::chrono::steady_clock::now();
  WriteBatch all = std::move(group.front().batch);
  const std::size_t last = group.size() - 1;
  for (std::size_t i = 1; i <= last; ++i) all.append(std::move(group[i].batch));
  const std::size_t bytes = all.bytes();
  const Result<void> result = store_.write(all);
  const Duration took = std::chrono::steady_clock::now() - begun;
  asio::post(context_, [this, group = std::move(group), result, took, bytes] {
    for (const Task& task : group) {
      const bool first = &task == &group.front();
      done_({.sequence = task.sequence,
             .result = result,
             .syncs = first ? 1u : 0u,
             .took = first ? took : Duration{},
             .bytes = first ? bytes : 0});
    }
  });
}

}  // namespace parallax
