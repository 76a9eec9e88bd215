#include "consistency/checker/register_view.h"

#include "consistency/checker/model.h"

namespace parallax::checker {
namespace {

/// What an operation showed to be there, or kNothing.
Text seen(const Operation& operation) {
  if (operation.outcome == Outcome::mismatch) return operation.result;
  if (operation.outcome != Outcome::ok) return kNothing;
  return operation.kind == OperationKind::cas ? operation.expected : operation.result;
}

/// False if there is an operation that has no place in the view.
bool gather_writes(std::span<const Operation> operations, RegisterView& view,
                   std::vector<Text>& values, std::vector<std::uint32_t>& write_of) {
  for (std::uint32_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    if (operation.outcome == Outcome::failed) continue;
    if (operation.kind >= OperationKind::txn) return false;
    if (is_pure(operation)) continue;
    const bool is_cas = operation.kind == OperationKind::cas;
    if (!is_cas && operation.kind != OperationKind::write) return false;
    std::uint32_t& write = write_of[operation.value.value];
    if (write != kNoOperation) return false;
    write = static_cast<std::uint32_t>(view.writes.size());
    values.push_back(operation.value);
    view.has_cas = view.has_cas || is_cas;
    const bool known = operation.outcome == Outcome::ok;
    view.writes.push_back(
        {i, operation.call_ns, known ? operation.return_ns : kNever, known ? i : kNoOperation});
  }
  return true;
}

void gather_reads(std::span<const Operation> operations, RegisterView& view,
                  const std::vector<std::uint32_t>& write_of) {
  for (std::uint32_t i = 0; i < operations.size(); ++i) {
    const Operation& read = operations[i];
    const bool reads = read.kind == OperationKind::read || read.kind == OperationKind::cas;
    if (!reads || seen(read) == kNothing) continue;
    const std::uint32_t at = write_of[seen(read).value];
    if (at == kNoOperation || read.return_ns < view.writes[at].call_ns) {
      ++view.impossible_reads;
      continue;
    }
    RegisterView::Write& write = view.writes[at];
    view.reads.push_back({i, at});
    if (read.return_ns < write.first_return_ns) {
      write.first_return_ns = read.return_ns;
      write.first_returned = i;
    }
  }
}

}  // namespace

std::optional<RegisterView> view_register(const Texts& texts, std::span<const Operation> operations,
                                          Text initial, RegisterRoom& room) {
  room.write_of.resize(texts.size(), kNoOperation);
  RegisterView view;
  view.writes.push_back({.first_return_ns = kBeforeAll});
  std::vector<Text> values{initial};
  room.write_of[initial.value] = 0;
  const bool applicable = gather_writes(operations, view, values, room.write_of);
  if (applicable) gather_reads(operations, view, room.write_of);
  for (const Text value : values) room.write_of[value.value] = kNoOperation;
  if (!applicable) return std::nullopt;
  return view;
}

}  // namespace parallax::checker
