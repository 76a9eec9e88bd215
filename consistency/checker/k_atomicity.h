// Is a register 2-atomic: does every read return one of the two newest values?
//
// A history is k-atomic (Aiyer, Alvisi and Bazzi 2005) if there is an order of its operations, in
// which none comes before one that had returned when it was called, and in which each read returns
// what one of the k writes latest before it wrote. 1-atomic is linearizable.
//
// The method is LBT of Golab, Hurwitz and Li (2013, "On the k-Atomicity-Verification Problem"). The
// order is built from its end. A write can come last among what is left if none of the others began
// after it was over. What must follow it are reads of it, and reads of at most one other write,
// which then has to be the one just before it; and so on until nothing more is forced. Where
// several writes could come last each is tried, with a bound that doubles; the first whose forced
// part works out stays, because no other choice could do better.
//
// What it does not do: k above 2, writes of equal values, compare-and-sets (as a pair of a read and
// a write they would be judged too mildly).
#pragma once

#include <span>

#include "consistency/checker/register_view.h"

namespace parallax::checker {

/// Whether the history is 2-atomic but for `view.impossible_reads`, which no k allows.
/// `operations` are those that `view` was made of.
bool is_2_atomic(const RegisterView& view, std::span<const Operation> operations);

}  // namespace parallax::checker
