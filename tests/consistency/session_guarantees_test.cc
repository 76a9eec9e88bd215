#include "consistency/session_guarantees.h"

#include <catch2/catch.hpp>

namespace parallax {
namespace {

const Origin kFirst{NodeId{1}, Incarnation{1}};
const Origin kSecond{NodeId{2}, Incarnation{7}};

OriginVector vector(std::uint64_t first, std::uint64_t second) {
  return OriginVector({{kFirst, first}, {kSecond, second}});
}

/// It has read up to {4, 2} and written up to {1, 9}: neither is above the other.
SessionToken session() {
  return {.read = vector(4, 2), .write = vector(1, 9)};
}

}  // namespace

TEST_CASE("session guarantees: what is looked at when (Terry et al. 1994, section 4)") {
  struct Case {
    SessionGuarantees guarantees;
    OriginVector read;
    OriginVector write;
  };
  const OriginVector none;
  const OriginVector was_read = vector(4, 2);
  const OriginVector was_written = vector(1, 9);
  const OriginVector both = vector(4, 9);
  // Read your writes, monotonic reads, monotonic writes, writes follow reads.
  const Case cases[] = {
      {{false, false, false, false}, none, none},
      {{true, false, false, false}, was_written, none},
      {{false, true, false, false}, was_read, none},
      {{false, false, true, false}, none, was_written},
      {{false, false, false, true}, none, was_read},
      {{true, true, false, false}, both, none},
      {{true, false, true, false}, was_written, was_written},
      {{true, false, false, true}, was_written, was_read},
      {{false, true, true, false}, was_read, was_written},
      {{false, true, false, true}, was_read, was_read},
      {{false, false, true, true}, none, both},
      {{true, true, true, false}, both, was_written},
      {{true, true, false, true}, both, was_read},
      {{true, false, true, true}, was_written, both},
      {{false, true, true, true}, was_read, both},
      {kAllGuarantees, both, both},
  };
  for (const Case& c : cases) {
    CAPTURE(c.guarantees.to_string());
    CHECK(read_waits_for(c.guarantees, session()) == c.read);
    CHECK(write_waits_for(c.guarantees, session()) == c.write);
  }
}

TEST_CASE("session guarantees: a new session waits for nothing") {
  CHECK(read_waits_for(kAllGuarantees, {}).empty());
  CHECK(write_waits_for(kAllGuarantees, {}).empty());
}

TEST_CASE("session guarantees: operations move the vectors whatever was asked of them") {
  SessionToken token = session();
  note_write(token, kFirst, 5);
  CHECK(token.write == vector(5, 9));
  CHECK(token.read == vector(4, 2));
  note_write(token, kFirst, 3);
  CHECK(token.write == vector(5, 9));
  note_read(token, vector(3, 6));
  CHECK(token.read == vector(4, 6));
  CHECK(token.write == vector(5, 9));
  // What was read before a guarantee was asked for counts with it.
  CHECK(read_waits_for({.monotonic_reads = true}, token) == vector(4, 6));
}

TEST_CASE("session guarantees: each more waits for no less") {
  const auto set = [](unsigned bits) {
    return SessionGuarantees{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
  };
  for (unsigned some = 0; some < 16; ++some) {
    for (unsigned more = 0; more < 16; ++more) {
      if ((some & more) != some) continue;
      CHECK(read_waits_for(set(more), session()).dominates(read_waits_for(set(some), session())));
      CHECK(write_waits_for(set(more), session()).dominates(write_waits_for(set(some), session())));
    }
  }
}

TEST_CASE("session guarantees: names") {
  CHECK(SessionGuarantees{}.to_string().empty());
  CHECK(kAllGuarantees.to_string() == "ryw,mr,mw,wfr");
  for (unsigned bits = 1; bits < 16; ++bits) {
    const SessionGuarantees set{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
    const auto parsed = parse_guarantees(set.to_string());
    REQUIRE(parsed.has_value());
    CHECK(*parsed == set);
  }
  CHECK(*parse_guarantees("wfr,ryw") ==
        SessionGuarantees{.read_your_writes = true, .writes_follow_reads = true});
  const std::pair<const char*, const char*> refused[] = {
      {"",
       "guarantees: unknown ''; some of ryw, mr, mw, wfr are expected, with commas between "
       "them"},
      {"mr,", "unknown ''"},
      {",mr", "unknown ''"},
      {"mr,,mw", "unknown ''"},
      {"mr, mw", "unknown ' mw'"},
      {"MR", "unknown 'MR'"},
      {"mr,mw,mr", "twice 'mr'"},
  };
  for (const auto& [text, why] : refused) {
    const auto parsed = parse_guarantees(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().code == ErrorCode::bad_parameter);
    CHECK_THAT(parsed.error().message, Catch::Contains(why));
  }
}

}  // namespace parallax
