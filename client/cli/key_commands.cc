// put, get, delete and increment.
#include <limits>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "client/cli/commands.h"
#include "client/cli/file_io.h"
#include "client/cli/table.h"
#include "consistency/key_context.h"

namespace parallax::cli {
namespace {

/// Text that is checked only once all of it is known.
struct ConditionTexts {
  std::string if_match;
  std::string if_none_match;
  bool if_absent = false;
  bool if_exists = false;
  std::string idempotency_key;
  std::string context;
};

struct PutArguments {
  std::string key;
  std::string value;
  bool value_given = false;  ///< an empty one is one too
  std::string file;
  std::string content_type;
  std::string ttl;
  ConditionTexts conditions;
};

struct GetArguments {
  std::string key;
  bool siblings = false;
  std::string if_none_match;
  std::string sla;
  int probes = 10;
  bool accept_leases = false;
};

struct DeleteArguments {
  std::string key;
  ConditionTexts conditions;
};

struct IncrementArguments {
  std::string key;
  std::int64_t by = 1;
  std::string idempotency_key;
};

void add_key(CLI::App* verb, std::string& key) {
  verb->add_option("KEY", key, "Any bytes, 1 to 1,024")->required()->type_name("");
}

void add_idempotency_key(CLI::App* verb, std::string& key) {
  verb->add_option("--idempotency-key", key,
                   "A name for this very write, up to 128 bytes, new for each: however often it is "
                   "sent, it happens once")
      ->type_name("TEXT");
}

void add_conditions(CLI::App* verb, ConditionTexts& texts) {
  CLI::Option* match = verb->add_option("--if-match", texts.if_match,
                                        "Only over this version, or one of several; * for any")
                           ->type_name("VERSION");
  CLI::Option* none = verb->add_option("--if-none-match", texts.if_none_match,
                                       "Only if this version is not the present one; * for none")
                          ->type_name("VERSION");
  verb->add_flag("--if-exists", texts.if_exists, "Only over a value: --if-match '*'")
      ->excludes(match);
  verb->add_flag("--if-absent", texts.if_absent,
                 "Only where there is no value: --if-none-match '*'")
      ->excludes(none);
  add_idempotency_key(verb, texts.idempotency_key);
  verb->add_option("--context", texts.context,
                   "From get --json: the write replaces the versions that were read, and others "
                   "stay beside it")
      ->type_name("CONTEXT");
}

/// Fills what put and delete have in common.
template <class Options>
Result<void> apply(const ConditionTexts& texts, const std::string& key, Options& options) {
  if (!texts.if_match.empty()) {
    PARALLAX_ASSIGN(options.if_match, parse_versions(texts.if_match));
  }
  if (!texts.if_none_match.empty()) {
    PARALLAX_ASSIGN(options.if_none_match, parse_versions(texts.if_none_match));
  }
  if (texts.if_exists) options.if_match = any_version();
  if (texts.if_absent) options.if_none_match = any_version();
  if (!texts.context.empty()) {
    PARALLAX_ASSIGN(options.context, decode_key_context(key, texts.context));
  }
  options.idempotency_key = texts.idempotency_key;
  return {};
}

/// The version written, for people and for scripts that compare it later.
ExitCode show_written(const GlobalOptions& global, const std::string& key, const Answer& answer) {
  const std::string line = global.json    ? answer_json(key, answer, false)
                           : answer.stamp ? answer.stamp->to_string() + '\n'
                                          : std::string();
  if (const auto written = write_out(line); !written) return report(written.error(), false);
  return kDone;
}

ExitCode run_put(const GlobalOptions& global, const PutArguments& arguments) {
  if (!arguments.value_given && arguments.file.empty()) {
    return report(definite(ErrorCode::bad_parameter,
                           "put needs a VALUE, - for standard input, or --file PATH"),
                  false);
  }
  PutOptions options;
  options.content_type = arguments.content_type;
  if (const auto valid = apply(arguments.conditions, arguments.key, options); !valid) {
    return report(valid.error(), false);
  }
  if (!arguments.ttl.empty()) {
    const auto ttl = parse_duration(arguments.ttl);
    if (!ttl) return report(ttl.error(), false);
    options.ttl = *ttl;
  }
  Bytes value;
  if (!arguments.file.empty() || arguments.value == "-") {
    auto bytes = read_input(arguments.file.empty() ? "-" : arguments.file);
    if (!bytes) return report(bytes.error(), global.json);
    value = Bytes(std::move(*bytes));
  } else {
    value = Bytes(arguments.value);
  }
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const auto answer =
      (*connection)->put(arguments.key, std::move(value), connection->options(options));
  if (!answer) return connection->end(report(answer.error(), global.json));
  return connection->end(show_written(global, arguments.key, *answer));
}

ExitCode run_delete(const GlobalOptions& global, const DeleteArguments& arguments) {
  RemoveOptions options;
  if (const auto valid = apply(arguments.conditions, arguments.key, options); !valid) {
    return report(valid.error(), false);
  }
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const auto answer = (*connection)->remove(arguments.key, connection->options(options));
  if (!answer) return connection->end(report(answer.error(), global.json));
  return connection->end(show_written(global, arguments.key, *answer));
}

ExitCode run_increment(const GlobalOptions& global, const IncrementArguments& arguments) {
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const IncrementOptions options{.idempotency_key = arguments.idempotency_key};
  const auto answer =
      (*connection)->increment(arguments.key, arguments.by, connection->options(options));
  if (!answer) return connection->end(report(answer.error(), global.json));
  const std::string line = global.json ? answer_json(arguments.key, *answer, false)
                                       : fmt::format("{}\n", answer->number.value_or(0));
  if (const auto written = write_out(line); !written) return report(written.error(), false);
  return connection->end(kDone);
}

std::string siblings_text(const Answer& answer) {
  Table table({{"VERSION"}, {"BYTES", Table::Align::right}, {"CONTENT TYPE"}, {"VALUE"}});
  for (const Item& item : answer.items) {
    table.add({item.stamp.to_string(), with_commas(item.value.size()), item.content_type,
               preview(item.value.view())});
  }
  return table.to_string(colour_on_stdout());
}

/// The agreement itself, or a file that holds it.
Result<Sla> read_sla(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] == '[') return parse_sla(text);
  PARALLAX_ASSIGN(const std::string bytes, read_input(text));
  return parse_sla(bytes);
}

/// A process that has just begun has measured nothing: it reads some times before the read that
/// counts, in no more time than one operation may take. Those are nobody's reads: the session does
/// not grow by them.
void measure(const GlobalOptions& global, const GetArguments& arguments, const Sla& sla,
             GetOptions options, Client& client) {
  if (options.session) options.session = options.session->fork();
  const MonoTime until = monotonic_now() + global.timeout.value_or(limits::kDefaultRequestTimeout);
  for (int i = 0; i < arguments.probes && monotonic_now() < until; ++i) {
    (void)client.get_by_sla(arguments.key, sla, options);
  }
}

/// What get prints, `json` where that is wanted, and how it ends.
ExitCode show_value(const GetArguments& arguments, const Answer& answer, bool unchanged,
                    const std::optional<std::string>& json) {
  std::string out;
  if (json) {
    out = *json;
  } else if (!answer.items.empty()) {
    out = siblings_text(answer);
  } else if (answer.found && !unchanged) {
    out = answer.value.to_string();
    // The bytes and nothing else for programs; a prompt on a line of its own for people.
    if (stdout_is_terminal() && !out.ends_with('\n')) out += '\n';
  }
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  if (unchanged) {
    fmt::print(stderr, "parallax: {} still has that version\n", printable(arguments.key));
  }
  if (answer.found) return kDone;
  fmt::print(stderr, "parallax: {} is not there (read at {})\n", printable(arguments.key),
             answer.consistency.to_string());
  return kNotFound;
}

ExitCode run_get(const GlobalOptions& global, const GetArguments& arguments) {
  std::optional<Stamp> known;
  if (!arguments.if_none_match.empty()) {
    const auto versions = parse_versions(arguments.if_none_match);
    if (!versions) return report(versions.error(), false);
    if (versions->any || versions->stamps.size() != 1) {
      return report(definite(ErrorCode::bad_parameter, "get takes one version in --if-none-match"),
                    false);
    }
    known = versions->stamps.front();
  }
  std::optional<Sla> sla;
  if (!arguments.sla.empty()) {
    auto read = read_sla(arguments.sla);
    if (!read) return report(read.error(), false);
    sla = std::move(*read);
  }
  auto connection = Connection::open(global, {.accept_leases = arguments.accept_leases});
  if (!connection) return report(connection.error(), global.json);
  const GetOptions options =
      connection->options(GetOptions{.siblings = arguments.siblings, .if_none_match = known});
  const auto is_unchanged = [&](const Answer& answer) {
    return known && answer.found && answer.stamp == known;
  };
  std::optional<std::string> line;
  if (!sla) {
    const auto answer = (*connection)->get(arguments.key, options);
    if (!answer) return connection->end(report(answer.error(), global.json));
    const bool unchanged = is_unchanged(*answer);
    if (global.json) line = answer_json(arguments.key, *answer, !unchanged);
    return connection->end(show_value(arguments, *answer, unchanged, line));
  }
  measure(global, arguments, *sla, options, **connection);
  const auto answer = (*connection)->get_by_sla(arguments.key, *sla, options);
  if (!answer) return connection->end(report(answer.error(), global.json));
  const bool unchanged = is_unchanged(answer->answer);
  if (global.json) line = sla_answer_json(arguments.key, *sla, *answer, !unchanged);
  if (!global.json) fmt::print(stderr, "parallax: {}\n", sla_text(*sla, *answer));
  return connection->end(show_value(arguments, answer->answer, unchanged, line));
}

}  // namespace

void add_key_verbs(CLI::App& app, VerbAction& chosen) {
  const auto put_arguments = std::make_shared<PutArguments>();
  CLI::App* put = add_verb(app, "put", "Store a value; prints the version's stamp",
                           {"parallax put greeting hello", "date | parallax put now -",
                            "parallax put picture --file cat.png --content-type image/png",
                            "parallax put lock me --if-absent --ttl 30s",
                            "parallax put config new --if-match 115412860928-1",
                            "parallax put order/17 paid --idempotency-key order-17-paid",
                            "parallax put cart milk --consistency quorum --w 2",
                            "parallax put cart milk --consistency all --context CONTEXT"});
  add_key(put, put_arguments->key);
  CLI::Option* value =
      put->add_option("VALUE", put_arguments->value, "The value, or - for stdin")->type_name("");
  put->add_option("--file", put_arguments->file, "Take the value from a file")
      ->excludes(value)
      ->type_name("PATH");
  put->add_option("--content-type", put_arguments->content_type, "Kept with the value")
      ->type_name("TYPE");
  put->add_option("--ttl", put_arguments->ttl,
                  "The value counts as deleted after this long, like 500ms, 30s, 5m, 2h or 7d")
      ->type_name("DURATION");
  add_conditions(put, put_arguments->conditions);
  put->final_callback([&chosen, put_arguments, value] {
    put_arguments->value_given = value->count() > 0;
    chosen = [put_arguments](const GlobalOptions& global) {
      return run_put(global, *put_arguments);
    };
  });

  const auto get_arguments = std::make_shared<GetArguments>();
  CLI::App* get = add_verb(
      app, "get", "Print a value's bytes, as they are, on stdout",
      {"parallax get greeting", "parallax get picture > cat.png",
       "parallax get greeting --consistency prefix --json",
       "parallax get greeting --session my.session", "parallax get cart --siblings",
       "parallax get cart --consistency quorum --r 2 --repair blocking",
       "parallax get cart --sla '[{\"level\": \"linearizable\", \"latency_ms\": 20, "
       "\"utility\": 1}, {\"level\": \"prefix\", \"latency_ms\": 50, \"utility\": 0.3}]'"});
  add_key(get, get_arguments->key);
  get->add_flag("--siblings", get_arguments->siblings,
                "All concurrent values, as a table, when there are several");
  get->add_option("--if-none-match", get_arguments->if_none_match,
                  "Print nothing if this is still the present version")
      ->type_name("VERSION");
  CLI::Option* sla =
      get->add_option("--sla", get_arguments->sla,
                      "Instead of a level: a JSON list of {level, latency_ms, utility}, or a file "
                      "that holds one. Node and level are chosen for the greatest expected utility "
                      "by what was measured; what was met is said on stderr, or with --json")
          ->type_name("JSON|PATH");
  whole_number(get->add_option("--probes", get_arguments->probes,
                               "Reads before that one, to measure nodes and levels"),
               0, 1'000)
      ->needs(sla)
      ->capture_default_str()
      ->type_name("NUMBER");
  get->add_flag("--accept-leases", get_arguments->accept_leases,
                "With --sla: a leader's lease, which rests on clocks, makes an answer linearizable")
      ->needs(sla);
  get->final_callback([&chosen, get_arguments] {
    chosen = [get_arguments](const GlobalOptions& global) {
      return run_get(global, *get_arguments);
    };
  });

  const auto delete_arguments = std::make_shared<DeleteArguments>();
  CLI::App* remove = add_verb(app, "delete", "Delete a key (also where there is nothing)",
                              {"parallax delete greeting", "parallax delete lock --if-exists",
                               "parallax delete lock --if-match 115412860928-1"});
  add_key(remove, delete_arguments->key);
  add_conditions(remove, delete_arguments->conditions);
  remove->final_callback([&chosen, delete_arguments] {
    chosen = [delete_arguments](const GlobalOptions& global) {
      return run_delete(global, *delete_arguments);
    };
  });

  const auto increment_arguments = std::make_shared<IncrementArguments>();
  CLI::App* increment =
      add_verb(app, "increment", "Add to a number, absent ones being 0; prints the sum",
               {"parallax increment visits", "parallax increment stock --by -3",
                "parallax increment visits --idempotency-key visit-8c1f"});
  add_key(increment, increment_arguments->key);
  whole_number(increment->add_option("--by", increment_arguments->by, "What to add"),
               std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max())
      ->capture_default_str()
      ->type_name("NUMBER");
  add_idempotency_key(increment, increment_arguments->idempotency_key);
  increment->final_callback([&chosen, increment_arguments] {
    chosen = [increment_arguments](const GlobalOptions& global) {
      return run_increment(global, *increment_arguments);
    };
  });
}

}  // namespace parallax::cli
