#include "clock/actor.h"

namespace parallax {

std::string Actor::to_string() const {
  switch (path) {
    case ActorPath::log:
      return "log";
    case ActorPath::quorum:
      return fmt::format("quorum/{}.{}", node, incarnation);
    case ActorPath::causal:
      return fmt::format("causal/{}.{}", node, incarnation);
  }
  return fmt::format("path{}/{}.{}", static_cast<int>(path), node, incarnation);
}

}  // namespace parallax
