// SIGINT and SIGTERM as a question that long commands ask between two steps. The first signal is
// remembered; a second one has its usual effect. One guard at a time in a process.
#pragma once

#include <csignal>

namespace parallax::cli {

class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction before_interrupt_ {};
  struct sigaction before_terminate_ {};
};

/// Whether a signal came since the guard was made. From any thread.
bool interrupt_requested();
/// Forgets it, for work that is to be done all the same.
void interrupt_reset();

}  // namespace parallax::cli
