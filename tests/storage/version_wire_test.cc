// What is written by hand is what the generated types write (storage/version_wire.h).
#include "storage/version_wire.h"

#include "storage/key_state_codec.h"
#include "storage/records.pb.h"
#include "tests/storage/support.h"

namespace parallax::test {
namespace {

template <class Message>
std::string written_anew(const std::string& bytes) {
  Message message;
  REQUIRE(message.ParseFromString(bytes));
  return message.SerializeAsString();
}

template <class Record>
std::string by_hand(const Record& record) {
  std::string bytes = "before ";
  append_message(bytes, record);
  return bytes.substr(7);
}

TEST_CASE("version wire: what is written by hand is what the generated types write") {
  Random random(7);
  std::size_t with_context = 0;
  for (int i = 0; i < 5'000; ++i) {
    KeyState state = random_state(random);
    if (random.chance(0.3)) {  // something was replaced by what is gone
      state.join(KeyState::from_parts({}, random_context(random, 500)));
    }
    if (random.chance(0.2)) {
      // Lengths of one to three bytes.
      const std::size_t size = std::size_t{1} << random.between(0, 17);
      state.revise([&](Version& version) {
        if (!version.tombstone) version.value = Bytes(random_bytes(random, size));
      });
    }
    if (!state.context_follows()) ++with_context;
    REQUIRE(state.context_follows() == (state.context() == KeyState::covered_by(state.versions())));
    const std::string bytes = by_hand(state);
    REQUIRE(written_anew<stored::KeyState>(bytes) == bytes);
    const Result<KeyState> read = decode_key_state(Bytes{bytes});
    REQUIRE(read.has_value());
    REQUIRE(*read == state);
    const std::string history = by_hand(HistoryRecord{state.versions()});
    REQUIRE(written_anew<stored::HistoryRecord>(history) == history);
    const Stamp by{Hlc{random.next()}, NodeId{static_cast<std::uint32_t>(random.below(3))}};
    const std::string segment =
        by_hand(HistorySegment{{{by, random_bytes(random, random.below(300)), state.versions()},
                                {Stamp{}, "", {}},
                                {by, "key", state.versions()}}});
    REQUIRE(written_anew<stored::HistorySegment>(segment) == segment);
  }
  CHECK(with_context > 100);
  CHECK(with_context < 4'900);
  CHECK(by_hand(KeyState{}).empty());
  CHECK(by_hand(HistorySegment{}).empty());
}

}  // namespace
}  // namespace parallax::test
