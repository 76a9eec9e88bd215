#include "consistency/checker/guarantee_demands.h"

namespace parallax::checker {

Demands::Demands(const Events& events)
    : events_(events),
      writes_(events, nullptr, ByKey::Kind::writes),
      reads_(events, nullptr, ByKey::Kind::reads),
      branch_head_(events.all.size(), kNoEvent),
      branch_next_(events.all.size() - events.first_open, kNoEvent) {
  for (EventId e = events.first_open; e < events.all.size(); ++e) {
    if (events.before(e) == kNoEvent) continue;
    branch_next_[e - events.first_open] = branch_head_[events.before(e)];
    branch_head_[events.before(e)] = e;
  }
}

}  // namespace parallax::checker
