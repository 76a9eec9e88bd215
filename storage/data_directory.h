// Whose data a store holds: the check that every start begins with.
#pragma once

#include "base/error.h"
#include "base/ids.h"
#include "storage/records.h"
#include "storage/store.h"

namespace parallax {

struct ExpectedNode {
  NodeId node;
  ClusterId cluster;  ///< empty: any
};

/// The node record of `store`. Of an empty store a new one with the expected node in it; nothing is
/// written. The first batch that a node ever writes must hold its node record, for a store that has
/// records and no identity counts as damaged.
/// Errors, all definite and one line that names what was found and what was expected: refused
/// (another node's or cluster's, a newer format), corrupt, io.
Result<NodeRecord> open_node(const ReadView& store, const ExpectedNode& expected);

}  // namespace parallax
