// What a history's reads surely say about the order of all its operations, if there is one order:
// see sequential.h.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "consistency/checker/events.h"
#include "consistency/checker/growing_order.h"
#include "consistency/checker/order.h"

namespace parallax::checker {

class Saturation {
 public:
  Saturation(const Events& events, const Readers& readers, const CausalOrder& order);

  /// Adds all that follows from the history; false if that is a contradiction.
  bool begin();
  /// Adds that `first` comes before `second`, and all that follows; false if that is a
  /// contradiction. After that, only undo_to() is allowed.
  bool assume(EventId first, EventId second);
  /// The edge that would have closed a cycle, after a contradiction.
  const Edge& contradiction() const { return *contradiction_; }

  GrowingOrder& order() { return order_; }
  const GrowingOrder& order() const { return order_; }
  ByKey& writes() { return writes_; }
  void undo_to(GrowingOrder::Mark mark);

 private:
  bool propose(const Edge& edge);
  bool settle_all();
  bool settle_read(EventId read);
  bool settle_write(EventId write);

  const Events& events_;
  const Readers& readers_;
  GrowingOrder order_;
  ByKey writes_;
  std::vector<EventId> todo_;
  std::vector<bool> waiting_;  ///< in todo_
  std::optional<Edge> contradiction_;
};

}  // namespace parallax::checker
