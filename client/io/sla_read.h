// One read under a service-level agreement: what its call asks whom, and what came of it.
//
// Everything here runs on the calls' thread, once the call has started.
#pragma once

#include <memory>

#include "client/io/calls.h"
#include "client/sla.h"
#include "client/sla_monitor.h"

namespace parallax {

struct SlaRead {
  Request request;            ///< at the level of the last attempt
  Sla sla;                    ///< checked
  SlaMonitor::Choice choice;  ///< of the last attempt
  Duration took{};            ///< from the call to the last attempt's end
};

/// Errors: bad_parameter and those of the agreement's levels.
Result<void> check_sla_read(Request request, const Sla& sla, const GetOptions& options);
/// Lets `monitor`, which must outlive the call, choose each attempt's node and level, and measure.
void follow_sla(const std::shared_ptr<SlaRead>& read, SlaMonitor& monitor, Call::Spec& spec);
/// `members` of the cluster; 0: not known, and a majority of the log is taken at its word; what a
/// quorum of unnumbered r comes to is not known then, and such an entry not met.
SlaAnswer judge_sla_read(const SlaRead& read, Answer answer, std::size_t members,
                         bool accept_leases);

}  // namespace parallax
