#include "client/cli/transfer.h"

#include <utility>

#include "base/assert.h"

namespace parallax::cli {

Transfer::Transfer(std::vector<bool> already, Options options)
    : options_(options), total_(already.size()) {
  for (std::uint64_t i = 0; i < total_; ++i) {
    if (already[i]) {
      ++done_;
    } else {
      waiting_.push_back(i);
    }
  }
}

std::optional<std::uint64_t> Transfer::take() {
  if (stopped_ || gave_up() || waiting_.empty()) return std::nullopt;
  const std::uint64_t operation = waiting_.front();
  waiting_.pop_front();
  failures_.erase(operation);
  ++in_flight_;
  return operation;
}

void Transfer::succeeded(std::uint64_t operation) {
  PARALLAX_ASSERT(in_flight_ > 0, "operation {} was not under way", operation);
  --in_flight_;
  ++done_;
  consecutive_failures_ = 0;
}

void Transfer::failed(std::uint64_t operation, Error error) {
  PARALLAX_ASSERT(in_flight_ > 0, "operation {} was not under way", operation);
  --in_flight_;
  ++consecutive_failures_;
  const bool can_pass = !error.definite() || error_info(error.code).retryable;
  const bool again = can_pass && repeated_[operation]++ < options_.repeats;
  // It counts as failed until a repeat succeeds: if the whole ends before, this is its outcome.
  failures_.insert_or_assign(operation, std::move(error));
  if (again) waiting_.push_back(operation);
}

bool Transfer::over() const {
  return in_flight_ == 0 && (stopped_ || gave_up() || waiting_.empty());
}

}  // namespace parallax::cli
