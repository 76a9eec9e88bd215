// Values that merge: what clients write as JSON, and what peers and disks give back as payloads.
// Input: one byte that says what follows: 'j' a JSON text, 'd' a payload, else a key state.
#include "consistency/merge/conflict.h"
#include "consistency/merge/crdt.h"
#include "consistency/merge/json_document.h"
#include "storage/key_state_codec.h"
#include "tests/fuzz/fuzz.h"

namespace parallax::fuzz {
namespace {

constexpr UnixMillis kNow{1'700'000'000'000};

std::string rendered(const std::vector<JsonLeaf>& leaves) {
  DottedEntries entries;
  for (const JsonLeaf& leaf : leaves) {
    FUZZ_HOLDS(is_json_path(leaf.path));
    entries.push_back({kLogActor, {Hlc{1}, NodeId{1}}, leaf.path, leaf.text});
  }
  return json_of_leaves(shown_leaves(entries));
}

void check_json(std::string_view text) {
  const auto leaves = json_leaves(text);
  if (!leaves) return;
  const std::string once = rendered(*leaves);
  const auto again = json_leaves(once);
  FUZZ_HOLDS(again.has_value());
  FUZZ_HOLDS(*again == *leaves);
  FUZZ_HOLDS(rendered(*again) == once);
}

void check_payload(std::string_view bytes) {
  const auto entries = decode_entries(Bytes{std::string(bytes)});
  if (!entries) {
    FUZZ_HOLDS(entries.error().code == ErrorCode::corrupt);
    return;
  }
  const auto again = decode_entries(encode_entries(*entries));
  FUZZ_HOLDS(again.has_value());
  FUZZ_HOLDS(*again == *entries);
}

void check_state(std::string_view bytes) {
  const auto state = decode_key_state(Bytes{std::string(bytes)});
  if (!state) return;
  for (const auto& [strategy, name] : kConflictStrategies) {
    const auto shown = resolve(*state, strategy, kNow);
    FUZZ_HOLDS(shown == resolve(*state, strategy, kNow));
    const Version put{.stamp = {state->context().highest().next(), NodeId{1}},
                      .value = "{\"a\":1}"};
    if (put.stamp.empty()) continue;  // no reading is above
    (void)blind_put(*state, strategy, put, kNow);
  }
  const Version* newest = chosen_version(*state, ConflictStrategy::siblings, kNow);
  if (newest != nullptr && crdt_type_of(*newest)) (void)shown_crdt(merged_crdt(*state, kNow));
  (void)live_siblings(*state, kNow);
}

}  // namespace
}  // namespace parallax::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace parallax::fuzz;
  Input input(data, size);
  switch (input.byte()) {
    case 'j':
      check_json(input.rest());
      break;
    case 'd':
      check_payload(input.rest());
      break;
    default:
      check_state(input.rest());
      break;
  }
  return 0;
}
