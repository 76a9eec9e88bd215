// A system that a command speaks for: one process of it for each client, which is told operations
// and tells outcomes, a line of JSON each (docs/HARNESS.md, "Any system").
//
// A command that ends, or says what cannot be understood, breaks the run. One that says nothing in
// time leaves its operation unknown; what it says of it later is passed over.
//
// What it does not do: start, break or compare nodes, of which it knows none.
#pragma once

#include <memory>
#include <string>

#include "harness/io/system.h"

namespace parallax::harness {

/// `directory`: for the commands' logs, and for their own use. Errors: io.
Result<std::unique_ptr<System>> open_exec(const RunOptions& options, const std::string& directory);

/// The line of an operation, without its end.
std::string exec_request(const Step& step, const std::optional<std::string>& expected,
                         std::uint64_t id);
/// What a line says of the step. Errors: corrupt, naming what is wrong.
Result<Performed> parse_exec_answer(const Step& step, std::string_view line);
/// The "id" of a line; nothing if it has none.
std::optional<std::uint64_t> exec_answer_id(std::string_view line);

}  // namespace parallax::harness
