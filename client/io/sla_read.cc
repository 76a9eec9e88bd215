#include "client/io/sla_read.h"

#include <utility>

#include "client/http_request.h"

namespace parallax {
namespace {

SlaMonitor::Ending ending_of(const AttemptEnd& end) {
  if (end.answered) return SlaMonitor::Ending::answered;
  const bool level = end.refused != nullptr && *end.refused == ErrorCode::level_unattainable;
  return level ? SlaMonitor::Ending::refused_level : SlaMonitor::Ending::failed;
}

}  // namespace

Result<void> check_sla_read(Request request, const Sla& sla, const GetOptions& options) {
  if (options.consistency) {
    return definite(ErrorCode::bad_parameter,
                    "a service-level agreement names the levels; name no other beside it");
  }
  PARALLAX_TRY(check_sla(sla));
  PARALLAX_TRY(check_request(request));
  for (const SlaEntry& entry : sla.entries) {
    request.consistency = entry.consistency;
    PARALLAX_TRY(check_level(request));
  }
  return {};
}

void follow_sla(const std::shared_ptr<SlaRead>& read, SlaMonitor& monitor, Call::Spec& spec) {
  spec.hedge_after = std::chrono::milliseconds{0};
  spec.request = [read](std::chrono::milliseconds timeout) {
    read->request.timeout = timeout;
    return render_request(read->request);
  };
  spec.choose = [read, &monitor](const std::vector<KnownEndpoint>& choices, Duration elapsed,
                                 MonoTime now) {
    read->choice = monitor.choose(read->sla, choices, read->request.session, elapsed, now);
    read->request.consistency = read->sla.entries[read->choice.entry].consistency;
    monitor.began(read->choice.path, now);
    return read->choice.node;
  };
  spec.ended = [read, &monitor](const AttemptEnd& end) {
    monitor.ended(read->choice.path, ending_of(end), end.took, end.at);
    read->took = end.since_call;
  };
}

SlaAnswer judge_sla_read(const SlaRead& read, Answer answer, std::size_t members,
                         bool accept_leases) {
  const SlaMonitor::Choice& choice = read.choice;
  const Asked asked{.consistency = read.sla.entries[choice.entry].consistency,
                    .session = read.request.session,
                    .members = members > 0 ? members : answer.evidence.replicas.size(),
                    .lease_reads = accept_leases};
  const auto met = met_entry(read.sla, asked, answer, read.took);
  return SlaAnswer{.answer = std::move(answer),
                   .chosen = choice.entry,
                   .endpoint = choice.path.endpoint.to_string(),
                   .expected = choice.expected,
                   .met = met,
                   .took = read.took};
}

}  // namespace parallax
