// Whose data a store holds (storage/data_directory.h).
#include "storage/data_directory.h"

#include "storage/memory_store.h"
#include "tests/storage/support.h"

namespace parallax::test {
namespace {

const ClusterId kOurs{1, 2};
const ClusterId kTheirs{3, 4};

MemoryStore store_with(const NodeRecord& record) {
  MemoryStore store;
  WriteBatch batch;
  batch.put(records::node_key(), records::encode(records::node_key(), record));
  must_write(store, batch);
  return store;
}

NodeRecord node_two() {
  return {.format = kStoreFormat,
          .node = NodeId{2},
          .cluster = kOurs,
          .incarnation = Incarnation{7},
          .membership = Membership::member};
}

void check_refused(const ReadView& store, const ExpectedNode& expected, ErrorCode code,
                   const std::vector<std::string>& named) {
  const Result<NodeRecord> opened = open_node(store, expected);
  REQUIRE(!opened.has_value());
  CHECK(opened.error().code == code);
  CHECK(opened.error().definite());
  CHECK(opened.error().message.find('\n') == std::string::npos);
  for (const std::string& text : named) CHECK_THAT(opened.error().message, Catch::Contains(text));
}

TEST_CASE("data directory: an empty store is a new node and stays empty") {
  const MemoryStore store;
  const Result<NodeRecord> opened = open_node(store, {.node = NodeId{2}, .cluster = kOurs});
  REQUIRE(opened.has_value());
  NodeRecord fresh;
  fresh.node = NodeId{2};
  CHECK(*opened == fresh);
  CHECK(must_scan(store).empty());
}

TEST_CASE("data directory: its own node gets its record back") {
  const MemoryStore store = store_with(node_two());
  const ClusterId cluster = GENERATE(ClusterId{}, kOurs);
  const Result<NodeRecord> opened = open_node(store, {.node = NodeId{2}, .cluster = cluster});
  REQUIRE(opened.has_value());
  CHECK(*opened == node_two());
}

TEST_CASE("data directory: one that has not joined a cluster yet fits any") {
  NodeRecord record = node_two();
  record.cluster = {};
  const MemoryStore store = store_with(record);
  CHECK(open_node(store, {.node = NodeId{2}, .cluster = kOurs}).has_value());
}

TEST_CASE("data directory: another node's is refused") {
  check_refused(store_with(node_two()), {.node = NodeId{3}, .cluster = {}}, ErrorCode::refused,
                {"node 2", "node 3"});
}

TEST_CASE("data directory: another cluster's is refused") {
  check_refused(store_with(node_two()), {.node = NodeId{2}, .cluster = kTheirs}, ErrorCode::refused,
                {kOurs.to_string(), kTheirs.to_string()});
}

TEST_CASE("data directory: a newer format is refused") {
  NodeRecord record = node_two();
  record.format = kStoreFormat + 1;
  check_refused(store_with(record), {.node = NodeId{2}, .cluster = {}}, ErrorCode::refused,
                {"format 5", "up to 4"});
}

TEST_CASE("data directory: a corrupt node record is found out") {
  MemoryStore store = store_with(node_two());
  REQUIRE(store.flip_bit(records::node_key(), 33));
  check_refused(store, {.node = NodeId{2}, .cluster = {}}, ErrorCode::corrupt, {"node record"});
}

TEST_CASE("data directory: records without a node record are damage and no new node") {
  MemoryStore store;
  WriteBatch batch;
  batch.put(records::hard_state_key(kOnlyGroup),
            records::encode(records::hard_state_key(kOnlyGroup), HardState{Term{3}, NodeId{1}}));
  must_write(store, batch);
  check_refused(store, {.node = NodeId{2}, .cluster = {}}, ErrorCode::corrupt, {"node 2"});
}

}  // namespace
}  // namespace parallax::test
