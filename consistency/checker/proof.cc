#include "consistency/checker/proof.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace parallax::checker {
namespace {

bool follows_in_session(const Events& events, EventId before, EventId after) {
  return before < events.first_open && events.all[before].session == events.all[after].session &&
         events.all[after].source != before;
}

}  // namespace

std::vector<std::uint32_t> Proof::operations(const Events& events) const {
  std::vector<std::uint32_t> all;
  for (const Block& block : blocks) {
    for (const EventId event : block.events) all.push_back(events.all[event].operation);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::string Proof::text(const History& history, const Events& events) const {
  std::string text = fmt::format("{}: {}\n", pattern, headline);
  for (const Block& block : blocks) {
    if (!block.reason.empty()) text += fmt::format("  {}\n", block.reason);
    for (std::size_t i = 0; i < block.events.size(); ++i) {
      const bool then = i > 0 && follows_in_session(events, block.events[i - 1], block.events[i]);
      text += fmt::format("    {}{}\n", then ? "then " : "",
                          describe_event(history, events, block.events[i]));
    }
  }
  return text;
}

std::vector<EventId> causal_path(const Events& events, const CausalOrder& order, EventId a,
                                 EventId b) {
  std::vector<EventId> path{b};
  while (path.back() != a) {
    const EventId at = path.back();
    // The last event of the session that comes before or is `at`.
    const EventId last = at < events.first_open ? at : events.before(at);
    if (last == kNoEvent || !order.reaches(a, last)) {
      path.push_back(events.all[at].source);  // an open event that reads
      continue;
    }
    const Event& event = events.all[at];
    if (a < events.first_open && events.all[a].session == event.session && a <= last) {
      path.push_back(a);
      continue;
    }
    // The first of the session that came to know `a`: it did so by reading.
    EventId low = events.sessions[event.session].begin, high = last;
    while (low < high) {
      const EventId middle = low + (high - low) / 2;
      if (order.reaches(a, middle)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    if (low != at) path.push_back(low);
    path.push_back(events.all[low].source);
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::vector<EventId> shorten(const Events& events, const std::vector<EventId>& path) {
  std::vector<EventId> kept;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool between = i > 0 && i + 1 < path.size() &&
                         follows_in_session(events, path[i - 1], path[i]) &&
                         follows_in_session(events, path[i], path[i + 1]);
    if (!between) kept.push_back(path[i]);
  }
  return kept;
}

void add_path(Proof& proof, const History& history, const Events& events, const GrowingOrder& order,
              EventId a, EventId b, std::size_t edges, std::vector<bool>& explained) {
  const std::vector<EventId> path = order.path(a, b, edges);
  // Between settled conflicts the steps are causal.
  std::vector<EventId> part{path.front()};
  std::vector<Proof::Block> blocks;
  const auto finish = [&] {
    if (part.size() > 1) blocks.push_back({{}, shorten(events, part)});
  };
  for (std::size_t i = 1; i < path.size(); ++i) {
    const EventId from = path[i - 1], to = path[i];
    const bool causal = events.before(to) == from || events.all[to].source == from;
    if (!causal) {
      finish();
      part.clear();
      const Edge& edge = *order.edge_between(from, to);
      const auto number = static_cast<std::size_t>(&edge - order.edges().data());
      if (!explained[number]) {
        explained[number] = true;
        const bool overwritten = edge.reader == edge.from;
        std::string reason =
            edge.premise_from == kNoEvent
                ? fmt::format("Assume that {} comes before {}.", name_write(history, events, from),
                              name_write(history, events, to))
            : overwritten
                ? fmt::format(
                      "Because {}, that must come before {}, which comes after what it "
                      "saw:",
                      name_read(history, events, edge.reader), name_write(history, events, to))
                : fmt::format("Because {} after {}, the latter must come before what it saw:",
                              name_read(history, events, edge.reader),
                              name_write(history, events, from));
        proof.blocks.push_back({std::move(reason), {}});
        if (edge.premise_from == kNoEvent) {
          proof.blocks.back().events = {from, to};
        } else {
          proof.blocks.back().events = {edge.from, edge.to, edge.reader};
          if (is_event(edge.premise_from)) {
            add_path(proof, history, events, order, edge.premise_from, edge.premise_to, number,
                     explained);
          }
        }
      }
    }
    part.push_back(to);
  }
  finish();
  std::move(blocks.begin(), blocks.end(), std::back_inserter(proof.blocks));
}

}  // namespace parallax::checker
