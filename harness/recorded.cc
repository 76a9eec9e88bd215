#include "harness/recorded.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "consistency/checker/import.h"

namespace parallax::harness {
namespace {

using checker::History;
using checker::OperationKind;
using enum checker::OperationKind;

constexpr std::string_view kSpace = " \t\r\n";

constexpr std::array<std::string_view, kFormats.size()> kFormatNames{"parallax", "jepsen-log",
                                                                     "edn", "porcupine-kv", "elle"};

/// In the order in which they are tried.
const std::vector<Model> kModels{
    Model{"register", std::nullopt, {read, write, remove}},
    Model{"cas-register", std::nullopt, {read, write, remove, cas}},
    Model{"counter", std::nullopt, {read, write, remove, increment}},
    Model{"set", std::nullopt, {read, add}},
    Model{"list-append", std::nullopt, {read, append}},
    Model{"kv-append", "", {read, write, append}},
    Model{"mixed", std::nullopt, {read, write, remove, cas, increment, append, add}},
};

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kSpace) == std::string_view::npos;
}

/// From the first event that tells, so that a large file is not looked through.
std::optional<Format> recognise(std::string_view text) {
  if (is_blank(text)) return Format::parallax;
  const std::string_view begin = text.substr(text.find_first_not_of(kSpace));
  // JSON's names are in quotes, EDN's begin with a colon.
  const std::size_t open = begin.find_first_not_of("[({ \t\r\n,");
  const bool bracket = begin[0] == '{' || begin[0] == '[' || begin[0] == '(';
  if (bracket && open != std::string_view::npos && begin[open] == '"') {
    const std::string_view first = begin.substr(0, begin.find('}'));
    return first.find("\"op\"") == std::string_view::npos &&
                   first.find("\"type\"") != std::string_view::npos
               ? Format::elle
               : Format::parallax;
  }
  if (bracket && (open == std::string_view::npos || begin[open] == ']')) return Format::elle;
  if ((bracket && begin[open] == ':') || begin[0] == ';') {
    for (const std::string_view of_store : {":f :get", ":f :put", ":f :append"}) {
      if (begin.find(of_store) != std::string_view::npos) return Format::porcupine_kv;
    }
    return Format::edn;
  }
  if (begin.find("jepsen.util") != std::string_view::npos) return Format::jepsen_log;
  return std::nullopt;
}

Result<History> read_as(Format format, std::string_view text) {
  switch (format) {
    case Format::parallax:
      return checker::read_history(text);
    case Format::jepsen_log:
      return checker::import_jepsen_log(text);
    case Format::edn:
    case Format::porcupine_kv:
      return checker::import_edn_log(text);
    case Format::elle:
      break;
  }
  return checker::import_elle_json(text);
}

const Model* recognise_model(Format format, const History& history) {
  if (format == Format::porcupine_kv) return find_model("kv-append");
  for (const Model& model : kModels) {
    const bool fits =
        std::all_of(history.operations.begin(), history.operations.end(),
                    // What no model has is left to the checkers, which say so.
                    [&](const auto& operation) {
                      return operation.kind >= OperationKind::txn || model.has(operation.kind);
                    });
    const bool of_lists = model.name == "list-append" || model.name == "kv-append";
    if (fits && (!of_lists || format == Format::elle)) return &model;
  }
  return &kModels.back();
}

}  // namespace

std::string_view to_string(Format format) {
  return kFormatNames[static_cast<std::size_t>(format)];
}

std::optional<Format> parse_format(std::string_view name) {
  for (const Format format : kFormats) {
    if (to_string(format) == name) return format;
  }
  return std::nullopt;
}

bool Model::has(OperationKind kind) const {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

const Model* find_model(std::string_view name) {
  for (const Model& model : kModels) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

std::string model_names() {
  std::vector<std::string_view> names;
  for (const Model& model : kModels) names.push_back(model.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<Recorded> read_recorded(std::string_view text, const ReadOptions& options) {
  const std::optional<Format> format = options.format ? options.format : recognise(text);
  if (!format) {
    return definite(ErrorCode::bad_request,
                    fmt::format("line 1: it begins like none of the formats {}; if it is one of "
                                "them, say which",
                                fmt::join(kFormatNames, ", ")));
  }
  Recorded recorded{.format = *format};
  // An empty text is no malformed JSON array.
  if (!is_blank(text)) {
    PARALLAX_ASSIGN(recorded.history, read_as(*format, text));
  }
  recorded.model =
      options.model != nullptr ? options.model : recognise_model(*format, recorded.history);
  if (options.initial) {
    recorded.initial = options.initial;
  } else if (recorded.model->initial) {
    recorded.initial = std::string(*recorded.model->initial);
  }
  return recorded;
}

}  // namespace parallax::harness
