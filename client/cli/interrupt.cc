#include "client/cli/interrupt.h"

#include <atomic>

namespace parallax::cli {
namespace {

std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // a signal handler may store it

}  // namespace

InterruptGuard::InterruptGuard() {
  requested = false;
  struct sigaction action {};
  action.sa_handler = [](int) { requested = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, &before_interrupt_);
  ::sigaction(SIGTERM, &action, &before_terminate_);
}

InterruptGuard::~InterruptGuard() {
  ::sigaction(SIGINT, &before_interrupt_, nullptr);
  ::sigaction(SIGTERM, &before_terminate_, nullptr);
}

bool interrupt_requested() {
  return requested;
}

void interrupt_reset() {
  requested = false;
}

}  // namespace parallax::cli
