#include "node/coordination.h"

namespace parallax {

Error not_enough_replicas(Certainty certainty, std::size_t required, std::size_t received,
                          std::string_view what, std::size_t unresolved) {
  std::string message = fmt::format("{} of {} replicas that it takes {}", received, required, what);
  if (unresolved > 0) {
    message += fmt::format("; {} had log entries for the key whose fate is open", unresolved);
  }
  Error error{ErrorCode::not_enough_replicas, certainty, std::move(message)};
  error.required = static_cast<std::uint32_t>(required);
  error.received = static_cast<std::uint32_t>(received);
  return error;
}

Error too_few_can_store(const WriteOutcome& outcome) {
  return not_enough_replicas(Certainty::definite, outcome.required, outcome.received,
                             "can store it: others are recovering");
}

}  // namespace parallax
