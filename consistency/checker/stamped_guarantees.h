// The session guarantees by stamps: a second verdict, independent of session_guarantees.h.
//
// A stamp is a version's place among all versions of its key (clock/stamp.h), so what is newer need
// not be worked out. The four guarantees are those of session_guarantees.h with the stamps' order:
// each compares a read's stamp, or a write's, with the highest that came before. Monotonic writes
// and writes follow reads are also judged within a key, where clients see nothing of them: a
// write's stamp is above those that its session wrote, or read, before; and who has seen it sees
// nothing older than those, of that key either. A compare-and-set counts as a write.
//
// What it does not do: check that stamps and values belong together.
#pragma once

#include <array>
#include <string>

#include "consistency/checker/history.h"
#include "consistency/checker/session_guarantees.h"
#include "consistency/checker/verdict.h"

namespace parallax::checker {

/// In the order of kGuarantees. Witnesses are few operations, but not made smaller. Undecided if a
/// write that is ok, or a read of something, has no stamp ("HLC-NODE"). A read without one that
/// showed nothing saw the beginning.
GuaranteeResults check_stamped_guarantees(const History& history);

}  // namespace parallax::checker
