// A recorded history, whoever recorded it: what format it has, and what model its keys follow.
//
// Both are recognised from the content unless they are given.
//
// What it does not do: read files, or judge (judge.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "consistency/checker/history.h"

namespace parallax::harness {

enum class Format : std::uint8_t {
  parallax,      ///< our JSON lines (consistency/checker/history.h)
  jepsen_log,    ///< the text log of a Jepsen run on one cas register
  edn,           ///< Jepsen's or Knossos' EDN maps of a cas register
  porcupine_kv,  ///< Porcupine's EDN maps of a key-value store
  elle,          ///< Elle's list-append transactions in JSON
};
inline constexpr std::array kFormats{Format::parallax, Format::jepsen_log, Format::edn,
                                     Format::porcupine_kv, Format::elle};

std::string_view to_string(Format format);
std::optional<Format> parse_format(std::string_view name);

/// What a key is: what it begins with, and what can be done to it.
struct Model {
  std::string_view name;
  std::optional<std::string_view> initial;  ///< nothing: keys begin without a value
  std::vector<checker::OperationKind> kinds;

  bool has(checker::OperationKind kind) const;
};

/// The model of that name, or nullptr.
const Model* find_model(std::string_view name);
/// The names of all models, for messages: "register, cas-register, ...".
std::string model_names();

struct ReadOptions {
  std::optional<Format> format;
  const Model* model = nullptr;
  std::optional<std::string> initial;  ///< what keys begin with, whatever the model says
};

struct Recorded {
  Format format = Format::parallax;
  const Model* model = nullptr;
  std::optional<std::string> initial;
  checker::History history;
};

/// A text without anything but white space is a history without operations. Errors: bad_request,
/// naming the line.
Result<Recorded> read_recorded(std::string_view text, const ReadOptions& options = {});

}  // namespace parallax::harness
