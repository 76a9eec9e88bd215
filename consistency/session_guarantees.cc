#include "consistency/session_guarantees.h"

#include <array>

#include "consistency/quoted.h"

namespace parallax {
namespace {

struct Name {
  std::string_view name;
  bool SessionGuarantees::*guarantee;
};

constexpr std::array kNames{
    Name{"ryw", &SessionGuarantees::read_your_writes},
    Name{"mr", &SessionGuarantees::monotonic_reads},
    Name{"mw", &SessionGuarantees::monotonic_writes},
    Name{"wfr", &SessionGuarantees::writes_follow_reads},
};

OriginVector waits_for(bool for_reads, bool for_writes, const SessionToken& session) {
  OriginVector vector;
  if (for_reads) vector.join(session.read);
  if (for_writes) vector.join(session.write);
  return vector;
}

Error no_guarantees(std::string_view what, std::string_view part) {
  return definite(
      ErrorCode::bad_parameter,
      fmt::format("guarantees: {} {}; some of ryw, mr, mw, wfr are expected, with commas "
                  "between them",
                  what, quoted(part)));
}

}  // namespace

std::string SessionGuarantees::to_string() const {
  std::string text;
  for (const Name& name : kNames) {
    if (!(this->*name.guarantee)) continue;
    if (!text.empty()) text += ',';
    text += name.name;
  }
  return text;
}

Result<SessionGuarantees> parse_guarantees(std::string_view text) {
  SessionGuarantees guarantees;
  while (true) {
    const std::string_view part = text.substr(0, text.find(','));
    bool known = false;
    for (const Name& name : kNames) {
      if (name.name != part) continue;
      known = true;
      if (guarantees.*name.guarantee) return no_guarantees("twice", part);
      guarantees.*name.guarantee = true;
    }
    if (!known) return no_guarantees("unknown", part);
    if (part.size() == text.size()) return guarantees;
    text.remove_prefix(part.size() + 1);
  }
}

OriginVector read_waits_for(const SessionGuarantees& guarantees, const SessionToken& session) {
  return waits_for(guarantees.monotonic_reads, guarantees.read_your_writes, session);
}

OriginVector write_waits_for(const SessionGuarantees& guarantees, const SessionToken& session) {
  return waits_for(guarantees.writes_follow_reads, guarantees.monotonic_writes, session);
}

void note_read(SessionToken& session, const OriginVector& applied) {
  session.read.join(applied);
}

void note_write(SessionToken& session, const Origin& origin, std::uint64_t number) {
  session.write.advance(origin, number);
}

}  // namespace parallax
