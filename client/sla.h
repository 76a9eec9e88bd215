// A service-level agreement for one read: what an answer of which consistency, within which time,
// is worth to the caller. The client picks whom it asks, and at which level, by it
// (client/sla_monitor.h), and this says afterwards which line of it the answer has met.
//
// Source: Terry et al., "Consistency-Based Service Level Agreements for Cloud Storage" (SOSP 2013),
// section 3. As there, a line is met by what came back, not by what was asked for: a prefix read
// that says it is 5 ms old is a bounded one too. What came back is taken from the answer's evidence
// (client/verify.h), never from its name alone; an answer that does not verify meets nothing.
//
// Which answers carry which level, beside their own: those of the log's path whatever their
// evidence carries there; a quorum's those of as many replicas or fewer; causal the session
// guarantees, and more of them fewer; causal and session eventual; all of them weak. The log's path
// and the others do not carry one another, since they need not show the same writes.
//
// Pure; thread-safe. It does not reach a node: `sla` is no level, and a node that is asked for it
// says unknown-level.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/protocol.h"
#include "client/verify.h"

namespace parallax {

struct SlaEntry {
  Consistency consistency;
  std::chrono::milliseconds latency{};  ///< from the call to the answer; 1 to kMaxSlaLatency
  double utility = 0;                   ///< above 0, finite; only ratios matter
  /// "bounded; max_staleness_ms=100 within 20 ms".
  std::string to_string() const;
  friend bool operator==(const SlaEntry&, const SlaEntry&) = default;
};

/// In the caller's order of preference; among equals the first one counts.
struct Sla {
  std::vector<SlaEntry> entries;  ///< 1 to kMaxSlaEntries
  friend bool operator==(const Sla&, const Sla&) = default;
};

inline constexpr std::chrono::milliseconds kMaxSlaLatency{3'600'000};
inline constexpr std::size_t kMaxSlaEntries = 16;

/// Errors: bad_parameter, naming the entry and what would be right.
Result<void> check_sla(const Sla& sla);
/// A JSON list of {"level", "latency_ms", "utility"}; the level with its parameters, as in the
/// Parallax-Consistency header. Errors: bad_parameter and unknown_level, naming the entry.
Result<Sla> parse_sla(std::string_view text);

/// Whether `answer`, to a read that was asked as `asked` has it and took `took` in all, is one at
/// the level `wanted` too.
bool carries(const Consistency& wanted, const Asked& asked, const Answer& answer, Duration took);
/// The entry of the highest utility whose level the answer carries and whose time it has kept, the
/// first one of several; nothing when it has met none.
std::optional<std::size_t> met_entry(const Sla& sla, const Asked& asked, const Answer& answer,
                                     Duration took);

/// A read under an agreement.
struct SlaAnswer {
  Answer answer;
  std::size_t chosen = 0;          ///< entry whose level was asked for
  std::string endpoint;            ///< "host:port" that answered
  double expected = 0;             ///< utility that the choice was expected to bring
  std::optional<std::size_t> met;  ///< entry whose utility it has brought
  Duration took{};                 ///< from the call to the answer
};

}  // namespace parallax
