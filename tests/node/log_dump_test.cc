// The log of a node as text.
#include "node/log_dump.h"

#include <catch2/catch.hpp>

#include "replication/command.h"
#include "storage/log_segment.h"
#include "storage/memory_store.h"
#include "tests/storage/support.h"

namespace parallax {
namespace {

void put(WriteBatch& batch, std::string key, const auto& record) {
  Bytes bytes = records::encode(key, record);
  batch.put(std::move(key), std::move(bytes));
}

void put_entry(WriteBatch& batch, std::uint64_t index, const Command& command) {
  put(batch, records::log_segment_key(kOnlyGroup, LogIndex{index}),
      LogSegment{LogIndex{index}, {{Term{3}, LogIndex{index}, encode_command(command)}}});
}

WriteKey write_of(std::string key, std::optional<std::string> value, std::uint64_t hlc) {
  Version version;
  version.stamp = {Hlc{hlc}, NodeId{2}};
  version.actor = kLogActor;
  version.tombstone = !value;
  if (value) version.value = Bytes{*value};
  WriteKey write{.key = std::move(key), .state = {}};
  write.state.add(std::move(version));
  return write;
}

struct Dumped {
  std::string text;
  std::string error;
};

Dumped dump(const MemoryStore& store) {
  Dumped out;
  const auto done = dump_log(store, [&out](std::string_view line) { out.text += line; });
  if (!done) out.error = done.error().message;
  return out;
}

/// A node whose log has been compacted up to 4, with an entry that is not applied.
WriteBatch a_node() {
  WriteBatch batch;
  put(batch, records::node_key(), NodeRecord{.node = NodeId{2}, .membership = Membership::member});
  put(batch, records::log_start_key(kOnlyGroup), LogStart{LogIndex{4}, Term{2}});
  put(batch, records::applied_key(kOnlyGroup),
      AppliedRecord{.index = LogIndex{7}, .term = Term{3}});
  put_entry(batch, 4, NoOp{});  // a compaction that a crash cut short
  put(batch, records::log_segment_key(kOnlyGroup, LogIndex{5}),
      LogSegment{LogIndex{5}, {{Term{3}, LogIndex{5}, Bytes{}}}});  // a term's no-op
  put_entry(batch, 6, write_of("k\"", "7", 900));
  put_entry(batch, 7, write_of("k\"", std::nullopt, 901));
  put_entry(batch, 8, write_of("\xff", "\xfe", 902));
  return batch;
}

}  // namespace

TEST_CASE("log dump: a line for the node and one for each entry behind what was compacted") {
  MemoryStore store;
  test::must_write(store, a_node());
  const Dumped dumped = dump(store);
  CHECK(dumped.error.empty());
  CHECK(dumped.text ==
        R"({"node":2,"log_start":4,"applied":7,"last":8}
{"index":5,"term":3,"kind":"no-op"}
{"index":6,"term":3,"kind":"write","key":"k\"","versions":[{"stamp":"900-2","value":"7"}]}
{"index":7,"term":3,"kind":"write","key":"k\"","versions":[{"stamp":"901-2","deleted":true}]}
{"index":8,"term":3,"kind":"write","key_base64":"/w==","versions":[{"stamp":"902-2","value_base64":"/g=="}]}
)");
}

TEST_CASE("log dump: of an empty log there is the node alone") {
  MemoryStore store;
  WriteBatch batch;
  put(batch, records::node_key(), NodeRecord{.node = NodeId{1}});
  test::must_write(store, batch);
  CHECK(dump(store).text == "{\"node\":1,\"log_start\":0,\"applied\":0,\"last\":0}\n");
}

TEST_CASE("log dump: what is no node's or has a gap or is damaged is said") {
  MemoryStore store;
  CHECK(dump(store).error == "there is no node's identity in it");
  test::must_write(store, a_node());
  WriteBatch gap;
  gap.remove(records::log_segment_key(kOnlyGroup, LogIndex{6}));
  test::must_write(store, gap);
  CHECK(dump(store).error == "the log has entry 7 where 6 is expected");
  CHECK(dump(store).text.empty());
  MemoryStore damaged;
  test::must_write(damaged, a_node());
  REQUIRE(damaged.flip_bit(records::log_segment_key(kOnlyGroup, LogIndex{7}), 40));
  CHECK_FALSE(dump(damaged).error.empty());
}

}  // namespace parallax
