#include "tests/structure/rules.h"

#include <algorithm>
#include <regex>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace parallax::structure {

std::string Violation::to_string() const {
  return fmt::format("{}:{}: {}", path, line, problem);
}

namespace {

struct FolderRule {
  std::string_view folder;
  std::vector<std::string_view> may_include;  ///< beside itself
};

/// Every folder with sources, and what it may include. The longest name that fits a path counts.
const std::vector<FolderRule>& folder_rules() {
  static const std::vector<FolderRule> rules{
      {"base", {}},
      {"clock", {"base"}},
      {"storage", {"base", "clock"}},
      {"replication", {"base", "clock", "storage"}},
      {"consistency", {"base", "clock", "storage", "replication"}},
      {"consistency/merge", {"base", "clock", "storage", "consistency"}},
      {"consistency/checker", {"base", "clock", "consistency"}},
      {"client", {"base", "clock", "consistency"}},
      {"client/io", {"base", "clock", "consistency", "client"}},
      {"client/cli", {"base", "clock", "consistency", "client", "client/io"}},
      {"client/examples", {"base", "clock", "consistency", "client", "client/io"}},
      {"node",
       {"base", "clock", "storage", "replication", "consistency", "consistency/merge", "client"}},
      {"node/io", {"base", "clock", "storage", "replication", "consistency", "client", "node"}},
      {"simulation",
       {"base", "clock", "storage", "replication", "consistency", "consistency/merge",
        "consistency/checker", "client", "node"}},
      {"harness", {"base", "clock", "consistency", "consistency/checker", "client", "node"}},
      {"scripts/bench.d", {}},  // load generators for other stores; scripts/bench builds them
      {"harness/report",
       {"base", "clock", "consistency", "consistency/checker", "client", "harness"}},
      {"harness/io",
       {"base", "clock", "consistency", "consistency/checker", "client", "client/io", "harness",
        "harness/report"}},
  };
  return rules;
}

bool starts_with_folder(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

const FolderRule* rule_of(std::string_view path) {
  // A main.cc puts a program together: it belongs to the shell beside it.
  if (path == "node/main.cc") path = "node/io/main.cc";
  if (path == "client/main.cc") path = "client/cli/main.cc";
  if (path == "harness/main.cc") path = "harness/io/main.cc";
  const FolderRule* best = nullptr;
  for (const FolderRule& rule : folder_rules()) {
    if (!starts_with_folder(path, rule.folder)) continue;
    if (best == nullptr || rule.folder.size() > best->folder.size()) best = &rule;
  }
  return best;
}

bool is_test(std::string_view path) {
  return path.starts_with("tests/");
}
bool is_header(std::string_view path) {
  return path.ends_with(".h");
}
bool in_io_folder(std::string_view path) {
  return path.find("/io/") != std::string_view::npos;
}

/// Sources that may touch the world (docs/ARCHITECTURE.md, "Pure cores, thin shells").
bool is_shell(std::string_view path) {
  return in_io_folder(path) || path.starts_with("storage/leveldb_") ||
         path.starts_with("storage/data_directory.") || path.starts_with("client/cli/") ||
         path.starts_with("client/examples/") || path == "harness/check_main.cc" ||
         path.starts_with("scripts/bench.d/") ||
         path.starts_with("simulation/seed_range.") ||  // runs seeds in processes of their own
         path.ends_with("/main.cc");
}

void check_include(const SourceFile& file, const FolderRule& rule, const Include& include,
                   Violations& out) {
  const FolderRule* target = rule_of(include.target);
  if (target == nullptr) {
    out.push_back({file.path, include.line,
                   fmt::format("\"{}\" is not written from the root", include.target)});
  } else if (target->folder != rule.folder &&
             std::find(rule.may_include.begin(), rule.may_include.end(), target->folder) ==
                 rule.may_include.end()) {
    out.push_back({file.path, include.line,
                   fmt::format("{} may not include {} ({}); it may include: {}", rule.folder,
                               target->folder, include.target, fmt::join(rule.may_include, ", "))});
  } else if (include.target == "storage/leveldb_store.h" && rule.folder != "storage" &&
             rule.folder != "node/io") {
    out.push_back({file.path, include.line,
                   "only node/io knows the LevelDB store; others use storage/store.h"});
  }
}

}  // namespace

Violations check_layers(const std::vector<SourceFile>& files) {
  Violations out;
  for (const SourceFile& file : files) {
    if (is_test(file.path)) continue;
    const FolderRule* rule = rule_of(file.path);
    if (rule == nullptr) {
      out.push_back({file.path, 0, "is in no folder that tests/structure/rules.cc knows"});
      continue;
    }
    for (const Include& include : includes_of(file)) {
      if (include.quoted) check_include(file, *rule, include, out);
    }
  }
  return out;
}

Violations check_libraries(const std::vector<SourceFile>& files) {
  static const std::regex keeps_schema(
      R"(/(codec|operation_codec|operation_values|command|hello|records|etcd_load)\.cc$)");
  Violations out;
  for (const SourceFile& file : files) {
    for (const Include& include : includes_of(file)) {
      const std::string_view target = include.target;
      if ((target.starts_with("boost/asio") || target.starts_with("boost/beast")) &&
          !in_io_folder(file.path) && !is_test(file.path)) {
        out.push_back({file.path, include.line, "Asio and Beast belong under an io/ folder"});
      }
      if (target.starts_with("leveldb/") && !file.path.starts_with("storage/leveldb_") &&
          !is_test(file.path)) {
        out.push_back({file.path, include.line, "LevelDB belongs in storage/leveldb_*"});
      }
      if (target.ends_with(".pb.h") && !std::regex_search(file.path, keeps_schema) &&
          !is_test(file.path)) {
        out.push_back({file.path, include.line,
                       "generated types stay in the sources that encode and decode"});
      }
    }
  }
  return out;
}

Violations check_purity(const std::vector<SourceFile>& files) {
  static const std::regex header(
      R"(^(thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token)"
      R"(|filesystem|fstream|iostream|cstdio|stdio\.h|ctime|time\.h|random|unistd\.h|fcntl\.h)"
      R"(|signal\.h|csignal|poll\.h|sys/.*|netinet/.*|spdlog/.*)$)");
  static const std::regex call(
      R"(\b(system_clock|steady_clock|high_resolution_clock|file_clock|random_device|mt19937\w*)"
      R"(|clock_gettime|gettimeofday|sleep_for|sleep_until|getenv|fopen|fsync|fdatasync)"
      R"(|std::(time|rand|srand|thread|jthread|mutex|shared_mutex|async|ifstream|ofstream|cout)"
      R"(|cerr))\b)");
  Violations out;
  for (const SourceFile& file : files) {
    // assert.cc says on stderr what is broken before it ends the process.
    if (is_test(file.path) || is_shell(file.path) || file.path == "base/assert.cc") continue;
    for (const Include& include : includes_of(file)) {
      if (!std::regex_match(include.target, header)) continue;
      out.push_back({file.path, include.line,
                     fmt::format("<{}> has no place in a core; it belongs behind a port, under io/",
                                 include.target)});
    }
    const std::vector<std::string> lines = lines_of(code_only(file.text));
    for (std::size_t i = 0; i < lines.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(lines[i], match, call)) continue;
      out.push_back({file.path, i + 1,
                     fmt::format("{} has no place in a core; time, chance and data come in as "
                                 "values",
                                 match.str())});
    }
  }
  return out;
}

Violations check_shape(const std::vector<SourceFile>& files) {
  Violations out;
  for (const SourceFile& file : files) {
    const std::vector<std::string> lines = lines_of(file.text);
    const std::size_t most = is_test(file.path) ? kMaxTestLines : kMaxFileLines;
    if (lines.size() > most) {
      out.push_back({file.path, lines.size(),
                     fmt::format("{} lines; at most {} fit in a head: a file per concern",
                                 lines.size(), most)});
    }
    if (!is_header(file.path)) continue;
    if (lines.empty() || !lines.front().starts_with("//")) {
      out.push_back({file.path, 1, "a header opens by saying what it is"});
    }
    if (std::find(lines.begin(), lines.end(), "#pragma once") == lines.end()) {
      out.push_back({file.path, 1, "#pragma once is missing"});
    }
  }
  return out;
}

Violations check_all(const std::vector<SourceFile>& files) {
  Violations all;
  for (const auto& check :
       {check_layers, check_libraries, check_purity, check_shape, check_one_definition}) {
    for (Violation& violation : check(files)) all.push_back(std::move(violation));
  }
  return all;
}

}  // namespace parallax::structure
