// A node that answers from a map, for the tests of what is in front of one.
#pragma once

#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "node/plan.h"
#include "node/service.h"

namespace parallax {

class FakeNode final : public NodeService {
 public:
  explicit FakeNode(boost::asio::io_context& io) : io_(io) {}

  void submit(Request request, std::function<void(Reply)> done) override {
    requests.push_back(request);
    if (!record_requests) requests.clear();
    if (hold) {
      held.emplace_back(std::move(request), std::move(done));
    } else if (answer_inside) {
      done(answer(request));
    } else {
      boost::asio::post(io_, [this, request = std::move(request), done = std::move(done)] {
        done(answer(request));
      });
    }
  }
  void release() {
    for (auto& [request, done] : std::exchange(held, {})) done(answer(request));
  }

  Result<Plan> explain(Request request) const override {
    if (error) return *error;
    return Plan{.is_read = is_read(request.operation), .consistency = request.consistency};
  }
  ReplicaStatus replica_status() const override { return status; }
  const ReplicaCounters& replica_counters() const override { return counters; }
  ProcessStatus process_status() const override { return process; }
  Result<void> transfer_leadership(NodeId to) override {
    transferred_to = to;
    return {};
  }
  Result<void> set_faults(FaultSettings settings) override {
    faults = std::move(settings);
    return {};
  }

  Reply answer(const Request& request) {
    if (error) return *error;
    Answer answer{.consistency = request.consistency};
    answer.evidence = {.node = NodeId{1},
                       .term = Term{3},
                       .index = LogIndex{next_stamp},
                       .path = is_read(request.operation) ? Path::local : Path::log,
                       .replicas = {NodeId{1}},
                       .sequenced = !is_read(request.operation)};
    if (const auto* put = std::get_if<Put>(&request.operation)) {
      answer.stamp = Stamp{Hlc{++next_stamp}, NodeId{1}};
      values[put->key] = {put->value, put->content_type, *answer.stamp};
    } else if (const auto* get = std::get_if<Get>(&request.operation)) {
      if (const auto found = values.find(get->key); found != values.end()) {
        answer.found = true;
        answer.value = found->second.value;
        answer.content_type = found->second.content_type;
        answer.stamp = found->second.stamp;
      }
    } else if (const auto* increment = std::get_if<Increment>(&request.operation)) {
      Value& value = values[increment->key];
      answer.number = std::atoll(value.value.to_string().c_str()) + increment->by;
      answer.stamp = Stamp{Hlc{++next_stamp}, NodeId{1}};
      value = {Bytes(std::to_string(*answer.number)), value.content_type, *answer.stamp};
    } else if (const auto* scan = std::get_if<Scan>(&request.operation)) {
      for (const auto& [key, value] : values) {
        if (key < scan->start || (!scan->end.empty() && key >= scan->end)) continue;
        if (answer.items.size() == scan->limit) {
          answer.next = key;
          break;
        }
        answer.items.push_back({key, value.stamp, value.value, value.content_type});
      }
    } else if (std::holds_alternative<Delete>(request.operation)) {
      answer.stamp = Stamp{Hlc{++next_stamp}, NodeId{1}};
      values.erase(*operation_key(request.operation));
    }
    return answer;
  }

  struct Value {
    Bytes value;
    std::string content_type;
    Stamp stamp;
  };
  bool hold = false;           ///< requests wait for release()
  bool answer_inside = false;  ///< answers come from inside submit()
  bool record_requests = true;
  std::optional<Error> error;
  std::uint64_t next_stamp = 0;
  std::map<std::string, Value> values;
  std::vector<Request> requests;
  std::vector<std::pair<Request, std::function<void(Reply)>>> held;
  ReplicaStatus status{.id = NodeId{1}};
  ReplicaCounters counters;
  ProcessStatus process;
  std::optional<NodeId> transferred_to;
  std::optional<FaultSettings> faults;

 private:
  boost::asio::io_context& io_;
};

}  // namespace parallax
