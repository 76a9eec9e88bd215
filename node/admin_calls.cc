#include "node/admin_calls.h"

#include "client/http_protocol.h"
#include "node/cluster_json.h"
#include "node/http_render.h"
#include "node/openapi.h"
#include "node/plan.h"

namespace parallax {
namespace {

HttpReply text_reply(std::string_view content_type, std::string body) {
  return HttpReply{.status = 200,
                   .content_type = std::string(content_type),
                   .headers = {},
                   .body = std::move(body)};
}

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";
constexpr std::string_view kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

HttpReply readiness(const ReplicaStatus& status) {
  if (status.ready) return text_reply(kPlainText, "ready\n");
  if (status.membership == Membership::none) {
    return problem_reply(definite(ErrorCode::recovering,
                                  "not ready: the node does not know yet whether it is a member"));
  }
  if (status.membership == Membership::member && status.leader == kNoNode) {
    return problem_reply(definite(ErrorCode::no_leader, "not ready: no leader is known"));
  }
  return problem_reply(
      definite(ErrorCode::recovering,
               fmt::format("not ready: applied up to {}, and {} is known to be committed",
                           status.applied_index, status.commit_index)));
}

struct Visitor {
  NodeService& node;
  const RequestMetrics& requests;
  const HttpGauges& http;

  HttpReply operator()(const ShowCluster&) const {
    return json_reply(200, render_cluster(node.replica_status(), node.process_status()));
  }
  HttpReply operator()(const ShowStatus&) const {
    return json_reply(200, render_status(node.replica_status(), node.process_status()));
  }
  HttpReply operator()(const ShowMetrics&) const {
    return text_reply(kPrometheusText,
                      render_metrics(requests, http, node.replica_status(), node.replica_counters(),
                                     node.process_status()));
  }
  HttpReply operator()(const ShowOpenApi&) const { return json_reply(200, openapi_document()); }
  HttpReply operator()(const CheckHealth&) const { return text_reply(kPlainText, "ok\n"); }
  HttpReply operator()(const CheckReady&) const { return readiness(node.replica_status()); }
  HttpReply operator()(const TransferLeadership& call) const {
    const Result<void> begun = node.transfer_leadership(call.to);
    if (!begun) return problem_reply(with_leader(begun.error(), node));
    return json_reply(202, fmt::format("{{\"to\":{}}}\n", call.to));
  }
  HttpReply operator()(const Explain& call) const {
    const Result<Plan> plan = node.explain(call.request);
    if (!plan) return problem_reply(with_leader(plan.error(), node));
    return json_reply(200, render_plan(*plan, requests.observed(plan->consistency.level,
                                                                plan->is_read, plan->path)));
  }
  HttpReply operator()(const SetFaults& call) const {
    const Result<void> set = node.set_faults(call.faults);
    if (!set) return problem_reply(set.error());
    return HttpReply{.status = 204};
  }
};

}  // namespace

Problem with_leader(Error error, const NodeService& node) {
  Problem problem;
  if (error.code == ErrorCode::not_leader && error.leader != kNoNode) {
    problem.leader_address = client_address(node.process_status(), error.leader);
  }
  problem.error = std::move(error);
  return problem;
}

HttpReply carry_out(const AdminCall& call, NodeService& node, const RequestMetrics& requests,
                    const HttpGauges& http) {
  return std::visit(Visitor{node, requests, http}, call);
}

}  // namespace parallax
