// What the disk gives back. Input: one byte that says which record, then the record, or with a
// capital letter its message alone, to which format and checksum are added.
#include <cctype>

#include "base/checksum.h"
#include "storage/causal_codec.h"
#include "storage/history_log.h"
#include "storage/key_state_codec.h"
#include "storage/log_segment.h"
#include "storage/records.h"
#include "tests/fuzz/fuzz.h"

namespace parallax::fuzz {
namespace {

std::string sealed(std::string_view store_key, std::string_view message) {
  std::string record(1, static_cast<char>(kStoreFormat));
  record += message;
  const std::uint32_t sum = crc32(record, crc32(store_key));
  for (int shift = 0; shift < 32; shift += 8) record += static_cast<char>(sum >> shift);
  return record;
}

template <class T>
void check_record(const std::string& store_key, std::string_view bytes) {
  const auto record = records::decode<T>(store_key, bytes);
  if (!record) return;
  const auto again = records::decode<T>(store_key, records::encode(store_key, *record).view());
  FUZZ_HOLDS(again.has_value());
  FUZZ_HOLDS(*again == *record);
}

void check_key_state(std::string_view bytes) {
  const auto state = decode_key_state(Bytes{std::string(bytes)});
  if (!state) return;
  FUZZ_HOLDS(well_formed(*state));
  std::string encoded;
  encode_key_state(*state, encoded);
  const auto again = decode_key_state(Bytes{std::move(encoded)});
  FUZZ_HOLDS(again.has_value());
  FUZZ_HOLDS(*again == *state);
  KeyState joined = *state;
  FUZZ_HOLDS(!joined.join(*again));
  FUZZ_HOLDS(joined == *state);
}

template <class T>
void check_either(std::uint8_t what, const std::string& store_key, std::string_view bytes) {
  check_record<T>(store_key,
                  std::isupper(what) != 0 ? sealed(store_key, bytes) : std::string(bytes));
}

void check(std::uint8_t what, std::string_view bytes) {
  const Stamp stamp{Hlc{1}, NodeId{1}};
  switch (std::tolower(what)) {
    case 'n':
      return check_either<NodeRecord>(what, records::node_key(), bytes);
    case 'b':
      return check_either<Hlc>(what, records::clock_bound_key(), bytes);
    case 'h':
      return check_either<HardState>(what, records::hard_state_key(kOnlyGroup), bytes);
    case 'l':
      return check_either<LogStart>(what, records::log_start_key(kOnlyGroup), bytes);
    case 'a':
      return check_either<AppliedRecord>(what, records::applied_key(kOnlyGroup), bytes);
    case 'e':
      return check_either<LogSegment>(what, records::log_segment_key(kOnlyGroup, LogIndex{1}),
                                      bytes);
    case 'k':
      return check_either<KeyState>(what, records::key_state_key(kOnlyGroup, "key"), bytes);
    case 'p':
      return check_either<PolicyRecord>(what, records::policy_key(kOnlyGroup, "key"), bytes);
    case 'q':
      return check_either<HintRecord>(what, records::hint_key(kOnlyGroup, NodeId{1}, "key"), bytes);
    case 'c':
      return check_either<CausalRecord>(what, records::causal_key(kOnlyGroup), bytes);
    case 's':
      return check_either<StatesRecord>(what, records::states_key(kOnlyGroup), bytes);
    case 'o':
      return check_either<CausalSegment>(
          what, records::causal_segment_key(kOnlyGroup, {NodeId{1}, Incarnation{1}}, 1), bytes);
    case 'i':
      return check_either<IdempotencyRecord>(what, records::idempotency_key(kOnlyGroup, "key"),
                                             bytes);
    case 't':
      return check_either<HistorySegment>(what, records::history_segment_key(kOnlyGroup, stamp),
                                          bytes);
    case 'r':
      return check_either<HistoryRecord>(what, records::history_key(kOnlyGroup, stamp, "key"),
                                         bytes);
    default:
      return check_key_state(bytes);
  }
}

}  // namespace
}  // namespace parallax::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  parallax::fuzz::Input input(data, size);
  const std::uint8_t what = input.byte();
  parallax::fuzz::check(what, input.rest());
  return 0;
}
