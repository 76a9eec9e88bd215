#include "client/cli/transfer_loop.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "client/cli/interrupt.h"

namespace parallax::cli {
namespace {

/// Results on their way from the client's thread to the loop's.
class Inbox {
 public:
  using Item = std::pair<std::uint64_t, Result<void>>;

  void put(std::uint64_t operation, Result<void> result) {
    const std::lock_guard lock(mutex_);
    items_.emplace_back(operation, std::move(result));
    filled_.notify_one();
  }
  /// What has arrived; waits a little when nothing has.
  std::vector<Item> take() {
    std::unique_lock lock(mutex_);
    // Short enough for a smooth bar and a prompt answer to an interrupt.
    filled_.wait_for(lock, std::chrono::milliseconds{50}, [this] { return !items_.empty(); });
    return std::exchange(items_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<Item> items_;
};

}  // namespace

TransferEnd run_transfer(Transfer& transfer, const TransferLoop& loop, ProgressDisplay& display) {
  const InterruptGuard guard;
  TransferEnd end;
  auto inbox = std::make_shared<Inbox>();  // shared with completions
  Progress progress(loop.verb, transfer.total(), transfer.done(), monotonic_now());
  while (true) {
    if (interrupt_requested() && !end.interrupted) {
      end.interrupted = true;
      transfer.stop();
      display.say("interrupted; waiting for what is under way (once more to end at once)");
    }
    while (transfer.in_flight() < loop.in_flight) {
      const auto operation = transfer.take();
      if (!operation) break;
      loop.start(*operation, [inbox, number = *operation](Result<void> result) {
        inbox->put(number, std::move(result));
      });
    }
    if (transfer.over()) break;
    for (auto& [operation, result] : inbox->take()) {
      if (!result) {
        transfer.failed(operation, result.error());
        continue;
      }
      transfer.succeeded(operation);
      if (auto kept = loop.succeeded(operation); !kept && end.loop) {
        end.loop = kept;
        transfer.stop();
      }
    }
    progress.update(transfer.done(), monotonic_now());
    display.show(progress);
  }
  display.finish(progress);
  return end;
}

}  // namespace parallax::cli
