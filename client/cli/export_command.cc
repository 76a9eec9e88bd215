// export: every key and value of a prefix as JSON lines.
#include <optional>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "client/cli/commands.h"
#include "client/cli/file_io.h"
#include "client/cli/record_formats.h"
#include "client/range_reader.h"

namespace parallax::cli {
namespace {

namespace json = boost::json;

struct ExportArguments {
  std::string prefix;
  std::string file = "-";
  bool quiet = false;
};

/// Standard output, or a file that is there whole or not at all.
class Sink {
 public:
  static Result<Sink> open(const std::string& file) {
    Sink sink;
    if (file != "-") {
      PARALLAX_ASSIGN(Replacement replacement, Replacement::begin(file));
      sink.file_.emplace(std::move(replacement));
    }
    return sink;
  }
  Result<void> write(std::string_view bytes) {
    return file_ ? file_->write(bytes) : write_out(bytes);
  }
  Result<void> commit() { return file_ ? file_->commit() : Result<void>(); }

 private:
  std::optional<Replacement> file_;
};

struct ExportCounts {
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;  ///< of keys and values
};

Result<ExportCounts> export_range(const Connection& connection, const ExportArguments& arguments,
                                  Sink& sink) {
  const bool own_terminal = arguments.file == "-" && stdout_is_terminal();
  ProgressDisplay display(arguments.quiet || own_terminal);
  Progress progress("exporting", monotonic_now());
  ExportCounts counts;
  Scan range = prefix_range(arguments.prefix);
  range.limit = limits::kMaxScanLimit;
  PARALLAX_ASSIGN(Answer page, connection->scan(range, connection.options()));
  while (true) {
    std::string lines;
    for (const Item& item : page.items) {
      lines += jsonl_line(item);
      ++counts.keys;
      counts.bytes += item.key.size() + item.value.size();
    }
    PARALLAX_TRY(sink.write(lines));
    progress.update(counts.keys, monotonic_now());
    display.show(progress);
    if (!page.next) break;
    PARALLAX_ASSIGN(page, connection->continue_scan(*page.next, connection.options()));
  }
  PARALLAX_TRY(sink.commit());
  display.finish(progress);
  return counts;
}

ExitCode run_export(const GlobalOptions& global, const ExportArguments& arguments) {
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  auto sink = Sink::open(arguments.file);
  if (!sink) return report(sink.error(), global.json);
  const auto counts = export_range(*connection, arguments, *sink);
  if (!counts) return connection->end(report(counts.error(), global.json));
  if (arguments.file == "-") return connection->end(kDone);
  const std::string out =
      global.json
          ? json::serialize(json::object{{"keys", counts->keys}, {"bytes", counts->bytes}}) + '\n'
          : fmt::format("{} keys exported ({} bytes)\n", with_commas(counts->keys),
                        with_commas(counts->bytes));
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  return connection->end(kDone);
}

}  // namespace

void add_export_verb(CLI::App& app, VerbAction& chosen) {
  const auto arguments = std::make_shared<ExportArguments>();
  CLI::App* verb = add_verb(
      app, "export", "Write keys and values as JSON lines",
      {"parallax export backup.jsonl", "parallax export --prefix pkg/ | gzip > pkg.jsonl.gz",
       "parallax export --consistency prefix backup.jsonl"},
      R"(parallax import --format jsonl takes them back: keys, values and content types, byte for byte.
Versions, expiry times and what was replaced are not in it. A file is replaced when all is written.
It is no snapshot: each key shows a state that it had at some time during the export.)");
  verb->add_option("--prefix", arguments->prefix, "Only keys that begin with this")
      ->type_name("TEXT");
  verb->add_option("FILE", arguments->file, "Where to; - for stdout")
      ->capture_default_str()
      ->type_name("PATH");
  verb->add_flag("--quiet", arguments->quiet, "No progress");
  verb->final_callback([&chosen, arguments] {
    chosen = [arguments](const GlobalOptions& global) { return run_export(global, *arguments); };
  });
}

}  // namespace parallax::cli
