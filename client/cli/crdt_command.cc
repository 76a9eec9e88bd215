// crdt: counters, sets and maps that converge.
#include <algorithm>
#include <limits>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "client/cli/commands.h"
#include "client/cli/table.h"

namespace parallax::cli {
namespace {

struct CrdtArguments {
  std::string key;
  std::string op;
  std::string name;
  std::string value;
  std::int64_t by = 1;
  bool json = false;
  bool name_given = false;
  bool value_given = false;
};

Error wrong(std::string message) {
  return definite(ErrorCode::bad_parameter, std::move(message));
}

/// As JSON: itself, or the string that it is.
Result<std::string> as_json(const CrdtArguments& arguments, const std::string& text) {
  if (!arguments.json) return boost::json::serialize(boost::json::string_view(text));
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(text, error);
  if (error || value.is_null()) return wrong(fmt::format("'{}' is no JSON value", text));
  return boost::json::serialize(value);
}

Result<UpdateCrdt> take_update(const CrdtArguments& arguments) {
  const auto found = std::find_if(kCrdtOps.begin(), kCrdtOps.end(), [&](const CrdtOpInfo& info) {
    return info.name == arguments.op;
  });
  if (found == kCrdtOps.end()) {
    return wrong(fmt::format("crdt cannot {}; use get, increment, add, remove, put or delete",
                             arguments.op));
  }
  UpdateCrdt update{.key = arguments.key, .type = found->type, .update = {.op = found->op}};
  const bool named = found->type != CrdtType::counter;
  const bool valued = found->op == CrdtOp::put;
  if (arguments.name_given != named || arguments.value_given != valued) {
    return wrong(fmt::format("crdt KEY {} takes {}", found->name,
                             valued                         ? "a FIELD and a VALUE"
                             : !named                       ? "no more than --by"
                             : found->type == CrdtType::set ? "an ELEMENT"
                                                            : "a FIELD"));
  }
  update.update.by = arguments.by;
  update.update.name = arguments.name;
  if (found->type == CrdtType::set) {
    PARALLAX_ASSIGN(update.update.name, as_json(arguments, arguments.name));
  }
  if (valued) {
    PARALLAX_ASSIGN(update.update.value, as_json(arguments, arguments.value));
  }
  return update;
}

ExitCode run_crdt(const GlobalOptions& global, const CrdtArguments& arguments) {
  const bool get = arguments.op == "get";
  UpdateCrdt update;
  if (get && (arguments.name_given || arguments.value_given)) {
    return report(wrong("crdt KEY get takes no more"), false);
  }
  if (!get) {
    auto taken = take_update(arguments);
    if (!taken) return report(taken.error(), false);
    update = std::move(*taken);
  }
  auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const auto options = connection->options<OperationOptions>();
  const auto answer =
      get ? (*connection)->get_crdt(arguments.key, options)
          : (*connection)->update_crdt(arguments.key, update.type, update.update, options);
  if (!answer) return connection->end(report(answer.error(), global.json));
  std::string out;
  if (global.json) {
    out = answer_json(arguments.key, *answer, false);
  } else if (answer->crdt) {
    out = answer->crdt->json + '\n';
  }
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  if (answer->crdt) return connection->end(kDone);
  fmt::print(stderr, "parallax: {} is not there (read at {})\n", printable(arguments.key),
             answer->consistency.to_string());
  return connection->end(kNotFound);
}

}  // namespace

void add_crdt_verb(CLI::App& app, VerbAction& chosen) {
  const auto arguments = std::make_shared<CrdtArguments>();
  CLI::App* crdt = add_verb(
      app, "crdt", "Counters, sets and maps that every node takes updates of; prints the value",
      {"parallax crdt likes increment", "parallax crdt likes increment --by -2",
       "parallax crdt cart add milk", "parallax crdt cart remove milk --consistency quorum",
       "parallax crdt profile put name Ada", "parallax crdt profile put age 36 --as-json",
       "parallax crdt profile delete age", "parallax crdt profile get"});
  crdt->add_option("KEY", arguments->key, "Any bytes, 1 to 1,024")->required()->type_name("");
  crdt->add_option("OPERATION", arguments->op, "get, increment, add, remove, put or delete")
      ->required()
      ->type_name("");
  CLI::Option* name =
      crdt->add_option("NAME", arguments->name, "The element of a set, the field of a map")
          ->type_name("");
  CLI::Option* value =
      crdt->add_option("VALUE", arguments->value, "put: the value of the field")->type_name("");
  whole_number(crdt->add_option("--by", arguments->by, "increment: what to add"),
               std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max())
      ->capture_default_str()
      ->type_name("NUMBER");
  crdt->add_flag("--as-json", arguments->json, "Elements and values are JSON, not text");
  crdt->final_callback([&chosen, arguments, name, value] {
    arguments->name_given = name->count() > 0;
    arguments->value_given = value->count() > 0;
    chosen = [arguments](const GlobalOptions& global) { return run_crdt(global, *arguments); };
  });
}

}  // namespace parallax::cli
