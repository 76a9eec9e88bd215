// import and verify: two directions of one walk over the records of a file.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/checksum.h"
#include "client/cli/commands.h"
#include "client/cli/file_io.h"
#include "client/cli/journal_file.h"
#include "client/cli/record_formats.h"
#include "client/cli/table.h"
#include "client/cli/transfer_loop.h"

namespace parallax::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kFailuresShown = 10;

struct TransferArguments {
  std::string format;
  std::string file;  ///< "-": standard input
  std::string prefix;
  std::size_t in_flight = 32;
  std::string progress_file;  ///< import: empty: found by itself
  bool restart = false;       ///< import: forget what an earlier run stored
  bool verify = false;        ///< import: read everything back afterwards
  bool quiet = false;
};

/// A file, read and understood to its end before anything is sent: a line that is wrong stops the
/// whole while nothing is half done.
struct Source {
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
  std::vector<ImportRecord> records;
  /// By record: a later line has the same key, so that this one is not stored. Several requests are
  /// under way at once, and the order of two lines must not be left to them.
  std::vector<bool> superseded;
  std::uint64_t superseded_count = 0;
};

Result<Source> read_source(const TransferArguments& arguments) {
  PARALLAX_ASSIGN(std::string text, read_input(arguments.file));
  const Bytes file(std::move(text));
  Source source{.bytes = file.size(), .crc = crc32(file.view())};
  const auto format =
      std::find_if(kRecordFormats.begin(), kRecordFormats.end(),
                   [&](const auto& known) { return known.second == arguments.format; });
  auto records = read_records(format->first, file, arguments.prefix);
  if (!records) {
    Error error = records.error();
    error.message = fmt::format("{}: {}", arguments.file, error.message);
    return error;
  }
  source.records = std::move(*records);
  source.superseded = superseded(source.records);
  source.superseded_count = static_cast<std::uint64_t>(
      std::count(source.superseded.begin(), source.superseded.end(), true));
  return source;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// The journal where it was asked for, else beside the file, else in the state directory.
Result<JournalFile> open_journal(const TransferArguments& arguments,
                                 const ImportIdentity& identity) {
  namespace fs = std::filesystem;
  const auto open = [&](const fs::path& path) {
    std::error_code ignored;
    if (arguments.restart) fs::remove(path, ignored);
    return JournalFile::open(path, identity);
  };
  if (!arguments.progress_file.empty()) return open(arguments.progress_file);
  const JournalPlaces places =
      journal_places(arguments.file, environment("XDG_STATE_HOME"), environment("HOME"));
  auto journal = open(places.beside);
  const bool elsewhere = !journal && journal.error().code == ErrorCode::io;
  if (!elsewhere || places.in_state.empty()) return journal;
  std::error_code ignored;
  fs::create_directories(places.in_state.parent_path(), ignored);
  return open(places.in_state);
}

std::uint64_t count_if_unknown(const Transfer& transfer, bool definite_ones) {
  return static_cast<std::uint64_t>(
      std::count_if(transfer.failures().begin(), transfer.failures().end(),
                    [&](const auto& entry) { return entry.second.definite() == definite_ones; }));
}

std::string preview_key(const std::string& key) {
  return is_utf8(key) ? printable(key) : escaped(key);
}

void show_failures(const Transfer& transfer, const std::vector<ImportRecord>& records) {
  std::size_t shown = 0;
  for (const auto& [record, error] : transfer.failures()) {
    if (shown++ == kFailuresShown) {
      fmt::print(stderr, "parallax: and {} more\n", transfer.failures().size() - kFailuresShown);
      return;
    }
    fmt::print(stderr, "parallax: line {}: {}: {}{}\n", records[record].line,
               preview_key(records[record].key), printable(error.message),
               error.definite() ? "" : " (outcome unknown)");
  }
}

// ---- import

struct ImportCounts {
  std::uint64_t records = 0;
  std::uint64_t stored = 0;      ///< in all, earlier runs included
  std::uint64_t earlier = 0;     ///< by earlier runs
  std::uint64_t superseded = 0;  ///< not among the rest: a later line has the same key
  std::uint64_t failed = 0;
  std::uint64_t unknown = 0;
  std::uint64_t not_tried = 0;
};

void show_import(const GlobalOptions& global, const ImportCounts& counts) {
  if (global.json) {
    (void)write_out(json::serialize(json::object{{"records", counts.records},
                                                 {"stored", counts.stored},
                                                 {"stored_earlier", counts.earlier},
                                                 {"superseded", counts.superseded},
                                                 {"failed", counts.failed},
                                                 {"unknown", counts.unknown},
                                                 {"not_tried", counts.not_tried}}) +
                    '\n');
    return;
  }
  std::string text = fmt::format("{} of {} records stored", with_commas(counts.stored),
                                 with_commas(counts.records));
  if (counts.earlier > 0) text += fmt::format(" ({} earlier)", with_commas(counts.earlier));
  if (counts.superseded > 0) {
    text += fmt::format(", {} replaced by later lines with the same key",
                        with_commas(counts.superseded));
  }
  if (counts.failed > 0) text += fmt::format(", {} failed", with_commas(counts.failed));
  if (counts.unknown > 0)
    text += fmt::format(", {} of unknown outcome", with_commas(counts.unknown));
  if (counts.not_tried > 0) text += fmt::format(", {} not tried", with_commas(counts.not_tried));
  (void)write_out(text + '\n');
}

Result<ImportIdentity> identify(Client& client, const TransferArguments& arguments,
                                const Source& source) {
  // Progress at one cluster is none at another. This also says at once when nobody is there.
  PARALLAX_ASSIGN(const ClusterView view, client.cluster());
  return ImportIdentity{.format = arguments.format,
                        .records = source.records.size(),
                        .bytes = source.bytes,
                        .crc32 = source.crc,
                        .cluster = view.cluster_id,
                        .prefix = arguments.prefix};
}

ExitCode import_records(const GlobalOptions& global, const TransferArguments& arguments,
                        const Connection& connection, const Source& source) {
  Client& client = *connection;
  ProgressDisplay display(arguments.quiet);
  std::optional<JournalFile> journal;
  std::vector<bool> already(source.records.size(), false);
  if (arguments.file != "-" || !arguments.progress_file.empty()) {
    const auto identity = identify(client, arguments, source);
    if (!identity) return report(identity.error(), global.json);
    auto opened = open_journal(arguments, *identity);
    if (!opened) return report(opened.error(), global.json);
    journal.emplace(std::move(*opened));
    already = journal->earlier().stored;
    if (journal->earlier().count > 0) {
      display.say(fmt::format("going on where an earlier run stopped: {} of {} records are stored",
                              with_commas(journal->earlier().count),
                              with_commas(source.records.size())));
    } else if (journal->replaced_another()) {
      display.say(fmt::format("{} was of another import; starting anew", journal->path().string()));
    }
  }

  const auto earlier = static_cast<std::uint64_t>(std::count(already.begin(), already.end(), true));
  for (std::size_t i = 0; i < already.size(); ++i) {
    if (source.superseded[i]) already[i] = true;
  }
  Transfer transfer(std::move(already), {});
  const TransferLoop loop{
      .verb = "importing",
      .in_flight = arguments.in_flight,
      .start =
          [&](std::uint64_t number, std::function<void(Result<void>)> done) {
            const ImportRecord& record = source.records[number];
            PutOptions options = connection.options<PutOptions>();
            options.content_type = record.content_type;
            options.ttl = record.ttl;
            client.async_put(record.key, record.value, options,
                             [done = std::move(done)](Result<Answer> answer) {
                               done(answer ? Result<void>() : Result<void>(answer.error()));
                             });
          },
      .succeeded = [&](std::uint64_t number) -> Result<void> {
        return journal ? journal->stored(number) : Result<void>();
      },
  };
  const TransferEnd end = run_transfer(transfer, loop, display);

  const ImportCounts counts{.records = transfer.total() - source.superseded_count,
                            .stored = transfer.done() - source.superseded_count,
                            .earlier = earlier,
                            .superseded = source.superseded_count,
                            .failed = count_if_unknown(transfer, true),
                            .unknown = count_if_unknown(transfer, false),
                            .not_tried = transfer.not_tried()};
  show_failures(transfer, source.records);
  show_import(global, counts);
  if (!end.loop) return report(end.loop.error(), false);
  if (counts.stored == counts.records) {
    if (journal) journal->remove();
    return kDone;
  }
  if (transfer.gave_up())
    display.say("too many failures one after the other; the rest is not tried");
  if (journal) display.say("the same command goes on from here");
  return counts.unknown > 0 ? kUnknown : kFailed;
}

// ---- verify

enum class Match { same, missing, different };

/// Byte by byte. `detail` says where a difference begins.
Match compare(const ImportRecord& record, const Answer& answer, std::string& detail) {
  if (!answer.found) {
    detail = "is not there";
    return Match::missing;
  }
  const std::string_view want = record.value.view();
  const std::string_view got = answer.value.view();
  if (want == got) return Match::same;
  const auto [at, other] = std::mismatch(want.begin(), want.end(), got.begin(), got.end());
  detail = fmt::format("differs from byte {} on ({} bytes in the file, {} in the cluster)",
                       at - want.begin(), want.size(), got.size());
  return Match::different;
}

struct VerifyCounts {
  std::uint64_t records = 0;
  std::uint64_t same = 0;
  std::uint64_t missing = 0;
  std::uint64_t different = 0;
  std::uint64_t unread = 0;
};

void show_verify(const GlobalOptions& global, const VerifyCounts& counts, std::uint64_t bytes) {
  if (global.json) {
    (void)write_out(json::serialize(json::object{{"records", counts.records},
                                                 {"same", counts.same},
                                                 {"missing", counts.missing},
                                                 {"different", counts.different},
                                                 {"unread", counts.unread}}) +
                    '\n');
    return;
  }
  std::string text = fmt::format("{} of {} records are the same byte by byte",
                                 with_commas(counts.same), with_commas(counts.records));
  if (counts.same == counts.records) text += fmt::format(" ({} bytes)", with_commas(bytes));
  if (counts.missing > 0) text += fmt::format(", {} missing", with_commas(counts.missing));
  if (counts.different > 0) text += fmt::format(", {} different", with_commas(counts.different));
  if (counts.unread > 0) text += fmt::format(", {} could not be read", with_commas(counts.unread));
  (void)write_out(text + '\n');
}

ExitCode verify_records(const GlobalOptions& global, const TransferArguments& arguments,
                        const Connection& connection, const Source& source) {
  Client& client = *connection;
  ProgressDisplay display(arguments.quiet);
  // Each is written by one completion and read after the loop has taken that completion in.
  std::vector<Match> matches(source.records.size(), Match::same);
  std::vector<std::string> details(source.records.size());
  Transfer transfer(source.superseded, {});
  const TransferLoop loop{
      .verb = "verifying",
      .in_flight = arguments.in_flight,
      .start =
          [&](std::uint64_t number, std::function<void(Result<void>)> done) {
            client.async_get(source.records[number].key, connection.options<GetOptions>(),
                             [&, number, done = std::move(done)](Result<Answer> answer) {
                               if (!answer) return done(answer.error());
                               matches[number] =
                                   compare(source.records[number], *answer, details[number]);
                               done({});
                             });
          },
      .succeeded = [](std::uint64_t) -> Result<void> { return {}; },
  };
  const TransferEnd end = run_transfer(transfer, loop, display);

  VerifyCounts counts{.records = transfer.total() - source.superseded_count};
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < matches.size(); ++i) {
    counts.missing += matches[i] == Match::missing ? 1 : 0;
    counts.different += matches[i] == Match::different ? 1 : 0;
    if (!source.superseded[i]) bytes += source.records[i].value.size();
    const std::uint64_t wrong = counts.missing + counts.different;
    if (!details[i].empty() && wrong <= kFailuresShown) {
      fmt::print(stderr, "parallax: {} {}\n", preview_key(source.records[i].key), details[i]);
    } else if (!details[i].empty() && wrong == kFailuresShown + 1) {
      fmt::print(stderr, "parallax: and more\n");
    }
  }
  counts.same = transfer.done() - source.superseded_count - counts.missing - counts.different;
  counts.unread = transfer.total() - transfer.done();
  show_failures(transfer, source.records);
  show_verify(global, counts, bytes);
  if (end.interrupted) display.say("interrupted; not all records were compared");
  if (counts.missing + counts.different > 0) return kNotFound;
  return counts.unread > 0 ? kFailed : kDone;
}

ExitCode run_import(const GlobalOptions& global, const TransferArguments& arguments) {
  const auto source = read_source(arguments);
  if (!source) return report(source.error(), global.json);
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const ExitCode code = import_records(global, arguments, *connection, *source);
  if (code != kDone || !arguments.verify) return connection->end(code);
  return connection->end(verify_records(global, arguments, *connection, *source));
}

ExitCode run_verify(const GlobalOptions& global, const TransferArguments& arguments) {
  const auto source = read_source(arguments);
  if (!source) return report(source.error(), global.json);
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  return connection->end(verify_records(global, arguments, *connection, *source));
}

void add_transfer_options(CLI::App* verb, TransferArguments& arguments) {
  std::vector<std::string> formats;
  for (const auto& [format, name] : kRecordFormats) formats.emplace_back(name);
  one_of(verb->add_option("--format", arguments.format,
                          "dpkg: a dpkg status file; jsonl: lines of {\"key\", \"value\" or "
                          "\"value_base64\", \"ttl_ms\"}; csv: with the header key,value"),
         formats)
      ->required();
  verb->add_option("--prefix", arguments.prefix, "Put before every key")->type_name("TEXT");
  verb->add_option("FILE", arguments.file, "For example /var/lib/dpkg/status; - for stdin")
      ->required()
      ->type_name("PATH");
  whole_number(verb->add_option("--in-flight", arguments.in_flight, "Requests under way at once"),
               1, 1024)
      ->capture_default_str()
      ->type_name("NUMBER");
  verb->add_flag("--quiet", arguments.quiet, "No progress, only the result");
}

}  // namespace

void add_transfer_verbs(CLI::App& app, VerbAction& chosen) {
  const auto import_arguments = std::make_shared<TransferArguments>();
  CLI::App* import = add_verb(
      app, "import", "Store every record of a file; resumes after an interruption",
      {"parallax import --format dpkg --prefix pkg/ /var/lib/dpkg/status",
       "parallax import --format jsonl backup.jsonl", "parallax import --format csv prices.csv",
       "generate | parallax import --format jsonl -"},
      R"(The whole file is checked before the first record is sent: a line that is wrong is named, and
nothing is stored. What is stored is noted in the progress file; after an interruption, whatever its
kind, the same command goes on from there. Of several lines with one key the last one is stored.)");
  add_transfer_options(import, *import_arguments);
  import
      ->add_option("--progress-file", import_arguments->progress_file,
                   "Where to keep what is done (default FILE.progress, else below "
                   "$XDG_STATE_HOME/parallax)")
      ->type_name("PATH");
  import->add_flag("--restart", import_arguments->restart, "Store everything again");
  import->add_flag("--verify", import_arguments->verify, "Then read everything back and compare");
  import->final_callback([&chosen, import_arguments] {
    chosen = [import_arguments](const GlobalOptions& global) {
      return run_import(global, *import_arguments);
};
}  // namespace parallax::cli
);

const auto verify_arguments = std::make_shared<TransferArguments>();
CLI::App* verify =
    add_verb(app, "verify", "Read back every record of a file and compare it byte by byte",
             {"parallax verify --format dpkg --prefix pkg/ /var/lib/dpkg/status",
              "parallax verify --format jsonl backup.jsonl"});
add_transfer_options(verify, *verify_arguments);
verify->final_callback([&chosen, verify_arguments] {
  chosen = [verify_arguments](const GlobalOptions& global) {
    return run_verify(global, *verify_arguments);
  };
});
}

}  // namespace parallax::cli
