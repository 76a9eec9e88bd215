// Reads a dpkg status file (/var/lib/dpkg/status) as records: one key and value per package stanza.
//
// The format is deb-control(5): stanzas of "Field: value" lines, separated by blank lines. A value
// here is a stanza's bytes exactly as in the file, its last newline included, without the blank
// lines around it; so the values and the gaps between them are the file again.
//
// It does not interpret fields other than Package and Architecture, and changes no byte.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "client/cli/record_formats.h"

namespace parallax::cli {

struct DpkgStanza {
  std::size_t offset = 0;  ///< of its first byte in the file
  std::size_t line = 0;    ///< of its first line, from 1
  std::string_view bytes;  ///< into the file
  std::string_view package;
  std::string_view architecture;  ///< empty when the stanza has none
};

/// The stanzas in file order; views into `file`. Errors: bad_parameter naming the line, for text
/// that is no field, a stanza without Package, or one with two.
Result<std::vector<DpkgStanza>> parse_dpkg_status(std::string_view file);

/// Names for the stanzas, all different, in their order; a pure function of the file:
///  - NAME where the name occurs once;
///  - with Multi-Arch a name occurs once per architecture: the native one is NAME, the others are
///    NAME:ARCH. Native is the architecture of the package `dpkg` in the same file, and `all`;
///    where no stanza of a name is native its first one is NAME;
///  - stanzas that would still share a name (no status file has them, lists of available packages
///    do) are NAME:ARCH#2, #3 and so on, so that none is lost.
std::vector<std::string> dpkg_names(const std::vector<DpkgStanza>& stanzas);

/// Key = prefix + name. The values share `file`'s buffer. Errors as parse_dpkg_status().
Result<std::vector<ImportRecord>> dpkg_records(const Bytes& file, std::string_view prefix);

}  // namespace parallax::cli
