// Recorded histories of ours and of other tools. Input: one byte that says whose, then the text.
#include "consistency/checker/history.h"
#include "consistency/checker/import.h"
#include "tests/fuzz/fuzz.h"

namespace parallax::fuzz {
namespace {

using checker::History;

/// The same operations, whatever numbers the pools gave to their texts.
bool same(const History& a, const History& b) {
  if (a.operations.size() != b.operations.size()) return false;
  for (std::size_t i = 0; i < a.operations.size(); ++i) {
    checker::Operation mine = a.operations[i];
    const checker::Operation& theirs = b.operations[i];
    for (checker::Text checker::Operation::*text :
         {&checker::Operation::key, &checker::Operation::value, &checker::Operation::expected,
          &checker::Operation::result, &checker::Operation::level, &checker::Operation::session,
          &checker::Operation::stamp}) {
      const bool plain = mine.*text < checker::kFirstText || theirs.*text < checker::kFirstText;
      if (plain ? mine.*text != theirs.*text : a.texts[mine.*text] != b.texts[theirs.*text]) {
        return false;
      }
      mine.*text = theirs.*text;
    }
    if (mine.outcome == checker::Outcome::unknown) mine.return_ns = theirs.return_ns;
    if (mine != theirs) return false;
  }
  return true;
}

void check_lines(std::string_view text) {
  const auto history = checker::read_history(text);
  if (!history) return;
  const auto again = checker::read_history(checker::write_history(*history));
  FUZZ_HOLDS(again.has_value());
  FUZZ_HOLDS(same(*history, *again));
}

void check_imported(const Result<History>& history) {
  if (!history) return;
  for (const checker::Operation& operation : history->operations) {
    FUZZ_HOLDS(operation.call_ns > 0 && operation.return_ns >= operation.call_ns);
    const bool of_one_key = operation.kind < checker::OperationKind::txn;
    FUZZ_HOLDS(!of_one_key || operation.key >= checker::kFirstText);
  }
}

}  // namespace
}  // namespace parallax::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace parallax::fuzz;
  Input input(data, size);
  switch (input.byte()) {
    case 'j':
      check_imported(parallax::checker::import_jepsen_log(input.rest()));
      break;
    case 'e':
      check_imported(parallax::checker::import_edn_log(input.rest()));
      break;
    case 'l':
      check_imported(parallax::checker::import_elle_json(input.rest()));
      break;
    default:
      check_lines(input.rest());
      break;
  }
  return 0;
}
