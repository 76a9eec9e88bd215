// Are reads as fresh as what had completed before they began, in the order of the stamps?
//
// A version's stamp, which is its ETag, says where it stands among all versions of its key. A
// quorum with r + w > n promises that no read shows a stamp below that of a write that had
// completed before the read began: a regular register (Lamport 1986, "On Interprocess
// Communication", extended to several writers) whose order of writes is that of the stamps. A
// register that is atomic in that order promises the same of what any operation had shown. This
// verdict does not look at values, so it stands beside those of the checkers that do: what they
// call fine and this one does not, or the reverse, is worth a look.
//
// A read that found nothing, without a stamp, has seen no version: it is below all stamps. A
// deletion is a version. A refused compare is a read. Failed and unknown operations have no say;
// what an unknown write left is known once somebody has seen it, but only the atomic rule counts
// that. Linear in the history but for sorting each key's operations by time.
//
// What it does not do: judge whether values belong to their stamps, whether a version was written
// before it was read, or the order in which writes got their stamps. Operations' levels play no
// part: filter before if only some promise this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "consistency/checker/history.h"
#include "consistency/checker/verdict.h"

namespace parallax::checker {

enum class StampRule : std::uint8_t {
  regular,  ///< not below what was written before
  atomic,   ///< nor below what was read before
};

struct StampWitness {
  Operation earlier;  ///< had completed ...
  Operation read;     ///< ... before this began, which shows an older stamp
  std::string text;   ///< in words
};

struct StampOrderResult {
  /// No if any read is too old; else undecided if an operation that counts has no stamp; else yes.
  Verdict verdict = Verdict::yes;
  std::string reason;     ///< of undecided
  std::size_t reads = 0;  ///< that were compared with what had completed before them
  std::size_t too_old = 0;
  /// With no: of the reads that are too old the one that returned first.
  std::optional<StampWitness> witness;
};

StampOrderResult check_stamp_order(const History& history, StampRule rule = StampRule::regular);

}  // namespace parallax::checker
