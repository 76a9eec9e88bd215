#include "client/cli/dpkg_status.h"

#include <map>
#include <set>

#include <fmt/format.h>

namespace parallax::cli {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// Field names are compared without regard to case (deb-control(5)).
bool same_field(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if ((a[i] | 0x20) != (b[i] | 0x20)) return false;
  }
  return true;
}

Error line_error(std::size_t line, std::string_view what) {
  return definite(
      ErrorCode::bad_parameter,
      fmt::format("line {}: {}; a dpkg status file has \"Field: value\" lines and blank "
                  "lines between packages",
                  line, what));
}

/// Adds one line, without its newline, to the stanza.
Result<void> read_line(DpkgStanza& stanza, std::string_view text, std::size_t line) {
  const bool continues = text.front() == ' ' || text.front() == '\t';
  if (continues) {
    if (stanza.line == line) return line_error(line, "a stanza begins with a continuation line");
    return {};
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return line_error(line, "this is no field");
  }
  const std::string_view name = text.substr(0, colon);
  const std::string_view value = trim(text.substr(colon + 1));
  if (same_field(name, "Package")) {
    if (!stanza.package.empty()) return line_error(line, "a second Package field in one stanza");
    if (value.empty()) return line_error(line, "the Package field is empty");
    stanza.package = value;
  } else if (same_field(name, "Architecture")) {
    stanza.architecture = value;
  }
  return {};
}

}  // namespace

Result<std::vector<DpkgStanza>> parse_dpkg_status(std::string_view file) {
  std::vector<DpkgStanza> stanzas;
  bool inside = false;
  const auto close = [&]() -> Result<void> {
    if (!inside) return {};
    inside = false;
    if (!stanzas.back().package.empty()) return {};
    return line_error(stanzas.back().line, "the stanza that begins here has no Package field");
  };

  std::size_t line = 0;
  for (std::size_t at = 0; at < file.size();) {
    ++line;
    const std::size_t newline = file.find('\n', at);
    const std::size_t end = newline == std::string_view::npos ? file.size() : newline + 1;
    const std::string_view text =
        file.substr(at, newline == std::string_view::npos ? end - at : newline - at);
    if (text.find_first_not_of(kBlank) == std::string_view::npos) {
      PARALLAX_TRY(close());
    } else {
      if (!inside) {
        stanzas.push_back(
            DpkgStanza{.offset = at, .line = line, .bytes = {}, .package = {}, .architecture = {}});
        inside = true;
      }
      PARALLAX_TRY(read_line(stanzas.back(), text, line));
      stanzas.back().bytes = file.substr(stanzas.back().offset, end - stanzas.back().offset);
    }
    at = end;
  }
  PARALLAX_TRY(close());
  return stanzas;
}

std::vector<std::string> dpkg_names(const std::vector<DpkgStanza>& stanzas) {
  std::string_view native;
  // Per name: how many stanzas, and which of them is plain NAME.
  struct Group {
    std::size_t count = 0;
    std::size_t plain = 0;
    bool plain_is_native = false;
  };
  std::map<std::string_view, Group> groups;
  for (const DpkgStanza& stanza : stanzas) {
    if (native.empty() && stanza.package == "dpkg") native = stanza.architecture;
  }
  for (std::size_t i = 0; i < stanzas.size(); ++i) {
    Group& group = groups[stanzas[i].package];
    const std::string_view architecture = stanzas[i].architecture;
    const bool is_native = architecture == "all" || (!native.empty() && architecture == native);
    if (group.count++ == 0 || (is_native && !group.plain_is_native)) {
      group.plain = i;
      group.plain_is_native = is_native;
    }
  }

  std::vector<std::string> names(stanzas.size());
  std::set<std::string> taken;
  for (const auto& [package, group] : groups) {
    names[group.plain] = std::string(package);
    taken.insert(names[group.plain]);
  }
  for (std::size_t i = 0; i < stanzas.size(); ++i) {
    if (!names[i].empty()) continue;
    const std::string base = fmt::format("{}:{}", stanzas[i].package, stanzas[i].architecture);
    std::string name = base;
    for (std::size_t n = 2; !taken.insert(name).second; ++n) name = fmt::format("{}#{}", base, n);
    names[i] = std::move(name);
  }
  return names;
}

Result<std::vector<ImportRecord>> dpkg_records(const Bytes& file, std::string_view prefix) {
  PARALLAX_ASSIGN(const auto stanzas, parse_dpkg_status(file.view()));
  const std::vector<std::string> names = dpkg_names(stanzas);
  std::vector<ImportRecord> records;
  records.reserve(stanzas.size());
  for (std::size_t i = 0; i < stanzas.size(); ++i) {
    records.push_back(ImportRecord{
        .key = fmt::format("{}{}", prefix, names[i]),
        .value = file.slice(stanzas[i].offset, stanzas[i].bytes.size()),
        .content_type = "text/plain; charset=utf-8",
        .line = stanzas[i].line,
    });
  }
  return records;
}

}  // namespace parallax::cli
