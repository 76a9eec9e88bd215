// scan and history.
#include <limits>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/base64.h"
#include "client/cli/commands.h"
#include "client/cli/table.h"
#include "client/http_protocol.h"
#include "client/range_reader.h"

namespace parallax::cli {
namespace {

namespace json = boost::json;
using Align = Table::Align;

constexpr std::int64_t kMostNumber = std::numeric_limits<std::int64_t>::max();

struct ScanArguments {
  std::string prefix;
  std::string start;
  std::string end;
  std::uint64_t limit = 0;  ///< 0: all
  bool reverse = false;
  bool keys_only = false;
};

/// What is in the range and has the prefix. Nothing for an empty one.
std::optional<Scan> scan_range(const ScanArguments& arguments) {
  Scan range = prefix_range(arguments.prefix);
  range.start = std::max(range.start, arguments.start);
  if (range.end.empty() || (!arguments.end.empty() && arguments.end < range.end)) {
    range.end = arguments.end;
  }
  range.reverse = arguments.reverse;
  range.keys_only = arguments.keys_only;
  if (!range.end.empty() && range.end <= range.start) return std::nullopt;
  return range;
}

/// Prints pages as they come.
class PagePrinter {
 public:
  PagePrinter(bool as_json, bool keys_only)
      : json_(as_json), keys_only_(keys_only), table_(columns(keys_only)) {}

  Result<void> print(const std::vector<Item>& items) {
    std::string out;
    for (const Item& item : items) {
      if (json_) {
        out += item_json(item, !keys_only_);
      } else if (keys_only_) {
        table_.add({preview_key(item.key), item.stamp.to_string()});
      } else {
        table_.add({preview_key(item.key), item.stamp.to_string(), with_commas(item.value.size()),
                    preview(item.value.view())});
      }
    }
    if (!json_) out = table_.take(colour_on_stdout());
    return write_out(out);
  }

 private:
  static std::vector<Table::Column> columns(bool keys_only) {
    if (keys_only) return {{"KEY"}, {"VERSION"}};
    return {{"KEY"}, {"VERSION"}, {"BYTES", Align::right}, {"VALUE"}};
  }
  /// Keys whole, or nobody could use them; but never as bytes that drive a terminal.
  static std::string preview_key(const std::string& key) {
    return is_utf8(key) ? key : escaped(key);  // the table makes the rest printable
  }

  bool json_;
  bool keys_only_;
  Table table_;
};

ExitCode run_scan(const GlobalOptions& global, const ScanArguments& arguments) {
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  std::optional<Scan> range = scan_range(arguments);
  if (!range) return connection->end(kDone);
  std::uint64_t left =
      arguments.limit == 0 ? std::numeric_limits<std::uint64_t>::max() : arguments.limit;
  range->limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, limits::kMaxScanLimit));
  PagePrinter printer(global.json, arguments.keys_only);
  auto page = (*connection)->scan(*range, connection->options());
  while (page) {
    if (page->items.size() > left) page->items.resize(left);
    if (!page->items.empty()) {
      const auto printed = printer.print(page->items);
      if (!printed) return report(printed.error(), false);
    }
    left -= page->items.size();
    if (!page->next || left == 0) return connection->end(kDone);
    page = (*connection)->continue_scan(*page->next, connection->options());
  }
  return connection->end(report(page.error(), global.json));
}

// ---- history

struct HistoryArguments {
  std::string key;
  std::uint64_t from = 0;
  std::uint64_t to = std::numeric_limits<std::uint64_t>::max();
};

std::string time_text(UnixMillis at) {
  const std::chrono::sys_time<std::chrono::seconds> second{std::chrono::seconds(at.value / 1'000)};
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(
                         std::chrono::system_clock::time_point(second))),
                     at.value % 1'000);
}

std::string history_json(const std::string& key, const Answer& answer) {
  json::object object = json::parse(answer_json(key, answer, false)).as_object();
  json::array versions;
  for (const PastValue& version : answer.versions) {
    json::object entry{{"etag", render_etag(version.stamp)},
                       {"at_ms", version.stamp.hlc.millis().value},
                       {"kind", version.tombstone ? "tombstone" : "value"},
                       {"origin", version.stamp.node.value}};
    if (!version.tombstone) {
      entry["value_base64"] = base64(version.value.view());
      entry["content_type"] = version.content_type;
    }
    versions.emplace_back(std::move(entry));
  }
  object.erase("etag");
  object["versions"] = std::move(versions);
  object["complete_from_ms"] = answer.history_floor.value;
  return json::serialize(object) + '\n';
}

std::string history_text(const Answer& answer) {
  Table table({{"VERSION"}, {"TIME"}, {"KIND"}, {"BYTES", Align::right}, {"VALUE"}});
  for (const PastValue& version : answer.versions) {
    table.add({version.stamp.to_string(), time_text(version.stamp.hlc.millis()),
               version.tombstone ? Cell("tombstone", Tone::bad) : Cell("value"),
               version.tombstone ? Cell("-", Tone::faint) : Cell(with_commas(version.value.size())),
               version.tombstone ? Cell("") : Cell(preview(version.value.view()))});
  }
  return table.to_string(colour_on_stdout());
}

ExitCode run_history(const GlobalOptions& global, const HistoryArguments& arguments) {
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const auto answer = (*connection)
                          ->history(ReadHistory{.key = arguments.key,
                                                .from = UnixMillis{arguments.from},
                                                .to = UnixMillis{arguments.to}},
                                    connection->options());
  if (!answer) return connection->end(report(answer.error(), global.json));
  const bool any = !answer->versions.empty();
  std::string out;
  if (global.json) {
    out = history_json(arguments.key, *answer);
  } else if (any) {
    out = history_text(*answer);
  }
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  if (any) return connection->end(kDone);
  fmt::print(stderr, "parallax: {} has no versions then, as far as they are kept\n",
             printable(arguments.key));
  return connection->end(kNotFound);
}

}  // namespace

void add_range_verbs(CLI::App& app, VerbAction& chosen) {
  const auto scan_arguments = std::make_shared<ScanArguments>();
  CLI::App* scan = add_verb(
      app, "scan", "Print the keys and values of a range, in byte order of the keys",
      {"parallax scan --prefix pkg/", "parallax scan --start b --end d --reverse",
       "parallax scan --prefix pkg/ --keys-only --limit 10", "parallax scan --json > items.jsonl"});
  scan->add_option("--prefix", scan_arguments->prefix, "Keys that begin with this")
      ->type_name("TEXT");
  scan->add_option("--start", scan_arguments->start, "From this key on")->type_name("KEY");
  scan->add_option("--end", scan_arguments->end, "Up to this key, itself not included")
      ->type_name("KEY");
  whole_number(scan->add_option("--limit", scan_arguments->limit, "At most so many; 0 for all"), 0,
               kMostNumber)
      ->capture_default_str()
      ->type_name("NUMBER");
  scan->add_flag("--reverse", scan_arguments->reverse, "From the end");
  scan->add_flag("--keys-only", scan_arguments->keys_only, "Without the values");
  scan->final_callback([&chosen, scan_arguments] {
    chosen = [scan_arguments](const GlobalOptions& global) {
      return run_scan(global, *scan_arguments);
    };
  });

  const auto history_arguments = std::make_shared<HistoryArguments>();
  CLI::App* history =
      add_verb(app, "history", "Print the versions that a key has and had, newest first",
               {"parallax history greeting", "parallax history greeting --from 1767225600000",
                "parallax history greeting --json"});
  history->add_option("KEY", history_arguments->key, "Any bytes, 1 to 1,024")
      ->required()
      ->type_name("");
  whole_number(history->add_option("--from", history_arguments->from,
                                   "Written then or later, Unix milliseconds"),
               0, kMostNumber)
      ->type_name("MS");
  whole_number(history->add_option("--to", history_arguments->to,
                                   "Written then or earlier, Unix milliseconds"),
               0, kMostNumber)
      ->type_name("MS");
  history->final_callback([&chosen, history_arguments] {
    chosen = [history_arguments](const GlobalOptions& global) {
      return run_history(global, *history_arguments);
    };
  });
}

}  // namespace parallax::cli
