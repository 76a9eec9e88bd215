// docs/OPERATIONS.md against the code: every setting with its default and bounds, every limit with
// its value, every metric with its type; nothing more and nothing less.
#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "node/config.h"
#include "node/metrics.h"

namespace parallax {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream in(std::string(PARALLAX_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << in.rdbuf();
  REQUIRE_FALSE(text.str().empty());
  return text.str();
}

using Row = std::vector<std::string>;

std::string trimmed(std::string text) {
  while (text.ends_with(' ')) text.pop_back();
  return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

/// Without backquotes, if it is in them.
std::string unquoted(const std::string& cell) {
  return cell.size() > 2 && cell.front() == '`' && cell.back() == '`'
             ? cell.substr(1, cell.size() - 2)
             : cell;
}

/// The rows of the table below "## heading", without its two head lines.
std::vector<Row> table_of(const std::string& heading) {
  std::istringstream lines(read_text("docs/OPERATIONS.md"));
  std::vector<Row> rows;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) inside = line == "## " + heading;
    if (!inside || !line.starts_with("|")) continue;
    Row cells;
    std::istringstream text(line.substr(1));
    for (std::string cell; std::getline(text, cell, '|');) cells.push_back(trimmed(cell));
    rows.push_back(cells);
  }
  REQUIRE(rows.size() > 2);
  rows.erase(rows.begin(), rows.begin() + 2);
  return rows;
}

Result<CommandLine> configured(const std::vector<std::string>& more) {
  std::vector<std::string> arguments;
  for (const char* required :
       {"--node-id=1", "--data-dir=d", "--client-address=127.0.0.1:1", "--peer-address=127.0.0.1:2",
        "--peers=1=127.0.0.1:2,2=127.0.0.1:3"}) {
    const std::string name = std::string(required).substr(0, std::string(required).find('=') + 1);
    const bool given = std::any_of(more.begin(), more.end(), [&](const std::string& argument) {
      return argument.starts_with(name);
    });
    if (!given) arguments.emplace_back(required);
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return parse_command_line(arguments, [](const std::string&) { return std::string(); });
}

bool accepted(const std::string& name, const std::string& value) {
  // A node's number must be among the peers: that is not what is asked here.
  std::vector<std::string> arguments{"--" + name + "=" + value};
  if (name == "node-id") arguments.push_back("--peers=" + value + "=127.0.0.1:2");
  return configured(arguments).has_value();
}

void check_allowed(const std::string& name, const std::string& allowed) {
  std::smatch match;
  if (std::regex_match(allowed, match, std::regex("(\\d+) to (\\d+)"))) {
    const std::uint64_t low = std::stoull(match[1]);
    const std::uint64_t high = std::stoull(match[2]);
    CHECK(accepted(name, std::to_string(low)));
    CHECK(accepted(name, std::to_string(high)));
    CHECK_FALSE(accepted(name, std::to_string(low - 1)));
    CHECK_FALSE(accepted(name, std::to_string(high + 1)));
  } else if (std::regex_match(allowed, match, std::regex("MIN-MAX from (\\d+) to (\\d+)"))) {
    CHECK(accepted(name, match[1].str() + "-" + match[2].str()));
    CHECK_FALSE(accepted(name, std::to_string(std::stoul(match[1]) - 1) + "-" + match[2].str()));
    CHECK_FALSE(accepted(name, match[1].str() + "-" + std::to_string(std::stoul(match[2]) + 1)));
  } else if (allowed.starts_with("one of ")) {
    static const std::regex word("[a-z]+");
    for (std::sregex_iterator it(allowed.begin() + 7, allowed.end(), word), end; it != end; ++it) {
      CHECK(accepted(name, it->str()));
    }
    CHECK_FALSE(accepted(name, "other"));
  } else if (allowed == "a duration in ms, s, m or h") {
    for (const char* good : {"5ms", "5s", "5m", "5h"}) CHECK(accepted(name, good));
    for (const char* bad : {"5", "5d", "s"}) CHECK_FALSE(accepted(name, bad));
  } else if (std::regex_match(allowed, match, std::regex("a duration from (\\w+)"))) {
    for (const std::string& good : {match[1].str(), std::string("5h")}) CHECK(accepted(name, good));
    for (const char* bad : {"5", "1ms", "s"}) CHECK_FALSE(accepted(name, bad));
  } else if (allowed == "true or false") {
    CHECK(configured({"--" + name}).has_value());
  } else if (allowed == "a path") {
    CHECK_FALSE(accepted(name, ""));
  } else {
    CHECK((allowed == "HOST:PORT" || allowed == "ID=HOST:PORT, with commas between"));
    CHECK_FALSE(accepted(name, "here"));
  }
}

TEST_CASE("operations: the configuration table is what parallaxd takes") {
  std::set<std::string> described;
  const Result<CommandLine> plain = configured({});
  REQUIRE(plain.has_value());
  for (const Row& row : table_of("Configuration")) {
    REQUIRE(row.size() == 4);
    const std::string name = unquoted(row[0]);
    INFO(name);
    CHECK(described.insert(name).second);
    CHECK_FALSE(row[3].empty());
    check_allowed(name, row[2]);
    const std::string given = unquoted(row[1]);
    if (given == "required") {
      const auto without = parse_command_line({}, [](const std::string&) { return std::string(); });
      CHECK_FALSE(without.has_value());
    } else if (row[1] == given) {  // not a value, but what happens: stderr
      CHECK(plain->config.log_file.empty());
    } else {
      const auto same = configured({"--" + name + (row[2] == "true or false" ? "" : "=" + given)});
      REQUIRE(same.has_value());
      CHECK((same->config == plain->config) == (row[2] != "true or false"));
      if (row[2] == "true or false") CHECK(given == "false");
    }
  }
  std::set<std::string> known;
  for (const std::string_view name : setting_names()) known.emplace(name);
  CHECK(described == known);
}

/// "1,024 bytes", "8 KiB", "5,000 ms", "24 h" as a number of bytes or milliseconds.
std::uint64_t value_of(const std::string& text) {
  static const std::map<std::string, std::uint64_t> units{
      {"", 1},   {"bytes", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20},
      {"ms", 1}, {"s", 1'000}, {"h", 3'600'000}};
  std::string digits = text.substr(0, text.find(' '));
  digits.erase(std::remove(digits.begin(), digits.end(), ','), digits.end());
  const std::string unit = text.find(' ') == text.npos ? "" : text.substr(text.find(' ') + 1);
  INFO(text);
  REQUIRE(units.contains(unit));
  return std::stoull(digits) * units.at(unit);
}

/// What the right side of a definition in base/limits.h is worth, likewise.
std::uint64_t evaluate(std::string code) {
  code.erase(std::remove(code.begin(), code.end(), '\''), code.end());
  INFO(code);
  std::smatch match;
  const auto number = [&](std::size_t i) { return std::stoull(match[i]); };
  if (std::regex_match(code, match, std::regex("(?:std::uint64_t\\{)?(\\d+)\\}? << (\\d+)"))) {
    return number(1) << number(2);
  }
  if (std::regex_match(code, match, std::regex("std::chrono::hours\\((\\d+)(?: \\* (\\d+))?\\)"))) {
    return number(1) * (match[2].matched ? number(2) : 1) * 3'600'000;
  }
  if (std::regex_match(code, match, std::regex("(\\d+)ms"))) return number(1);
  if (std::regex_match(code, match, std::regex("(\\d+)s"))) return number(1) * 1'000;
  REQUIRE(std::regex_match(code, match, std::regex("(\\d+)")));
  return number(1);
}

TEST_CASE("operations: the limits are those of base/limits.h") {
  std::map<std::string, std::uint64_t> limits;
  const std::string header = read_text("base/limits.h");
  static const std::regex definition("inline constexpr [a-z0-9_:]+ (k\\w+) =\\s+([^;]+);");
  for (std::sregex_iterator it(header.begin(), header.end(), definition), end; it != end; ++it) {
    limits[(*it)[1]] = evaluate((*it)[2]);
  }
  CHECK(limits.at("kMaxKeyBytes") == limits::kMaxKeyBytes);
  CHECK(limits.size() == static_cast<std::size_t>(std::count(header.begin(), header.end(), '=')));
  std::map<std::string, std::uint64_t> described;
  for (const Row& row : table_of("Limits")) {
    REQUIRE(row.size() == 3);
    CHECK(described.emplace(unquoted(row[2]), value_of(row[1])).second);
  }
  CHECK(described == limits);
}

TEST_CASE("operations: the metrics are those of /metrics") {
  std::map<std::string, std::string> printed;
  std::istringstream lines(render_metrics({}, {}, {}, {}, {}));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    const std::size_t space = line.find(' ', 7);
    printed[line.substr(7, space - 7)] = line.substr(space + 1);
  }
  std::map<std::string, std::string> described;
  for (const Row& row : table_of("Metrics")) {
    REQUIRE(row.size() == 3);
    CHECK_FALSE(row[2].empty());
    CHECK(described.emplace(unquoted(row[0]), row[1]).second);
  }
  for (const auto& [name, type] : printed) {
    INFO("/metrics prints " << name << ", which docs/OPERATIONS.md does not describe so");
    CHECK(described[name] == type);
  }
  for (const auto& [name, type] : described) {
    INFO("docs/OPERATIONS.md describes " << name << ", which /metrics does not print");
    CHECK(printed.contains(name));
  }
}

}  // namespace
}  // namespace parallax
