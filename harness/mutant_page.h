// What became of the mutants: for the terminal, as docs/MUTANTS.md, and as JSON.
//
// What it does not do: read or write files. A test holds the document against the table of mutants.
#pragma once

#include <string>
#include <vector>

#include "harness/mutants.h"

namespace parallax::harness {

/// The beginning of a mutant's row in the document: what does not come from runs.
std::string mutant_row(const Mutant& mutant);
/// The whole document, in Markdown.
std::string mutants_page(const std::vector<MutantResult>& results);
/// A table for a terminal, and in words what is wrong, if anything is.
std::string mutants_summary(const std::vector<MutantResult>& results);
/// One JSON object: {"mutants":[...]}
std::string write_mutants(const std::vector<MutantResult>& results);

}  // namespace parallax::harness
