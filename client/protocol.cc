#include "client/protocol.h"

#include <algorithm>

#include "base/assert.h"

namespace parallax {

std::string_view operation_name(const Operation& operation) {
  struct Name {
    std::string_view operator()(const Put&) const { return "put"; }
    std::string_view operator()(const Get&) const { return "get"; }
    std::string_view operator()(const Delete&) const { return "delete"; }
    std::string_view operator()(const Increment&) const { return "increment"; }
    std::string_view operator()(const Scan&) const { return "scan"; }
    std::string_view operator()(const GetMany&) const { return "get-many"; }
    std::string_view operator()(const ReadHistory&) const { return "history"; }
    std::string_view operator()(const GetPolicy&) const { return "policy"; }
    std::string_view operator()(const ListPolicies&) const { return "policies"; }
    std::string_view operator()(const SetPolicy&) const { return "set-policy"; }
    std::string_view operator()(const UpdateCrdt&) const { return "update-crdt"; }
    std::string_view operator()(const GetCrdt&) const { return "get-crdt"; }
    std::string_view operator()(const CountReplicas&) const { return "wait"; }
  };
  return std::visit(Name{}, operation);
}

bool is_read(const Operation& operation) {
  return !std::holds_alternative<Put>(operation) && !std::holds_alternative<Delete>(operation) &&
         !std::holds_alternative<Increment>(operation) &&
         !std::holds_alternative<SetPolicy>(operation) &&
         !std::holds_alternative<UpdateCrdt>(operation);
}

const std::string* operation_key(const Operation& operation) {
  return std::visit(
      [](const auto& o) -> const std::string* {
        if constexpr (requires { o.key; }) {
          return &o.key;
        } else if constexpr (requires { o.prefix; }) {
          return &o.prefix;
        } else {
          return nullptr;
        }
      },
      operation);
}

bool EtagSet::matches(const std::optional<Stamp>& present) const {
  if (!present) return false;
  return any || std::find(stamps.begin(), stamps.end(), *present) != stamps.end();
}

bool Conditions::hold(const std::optional<Stamp>& present) const {
  return (!if_match || if_match->matches(present)) &&
         (!if_none_match || !if_none_match->matches(present));
}

std::string_view path_name(Path path) {
  switch (path) {
    case Path::read_index:
      return "read-index";
    case Path::log:
      return "log";
    case Path::local:
      return "local";
    case Path::quorum:
      return "quorum";
    case Path::abd:
      return "abd";
    case Path::causal:
      return "causal";
    case Path::lease:
      return "lease";
  }
  PARALLAX_UNREACHABLE("path {}", static_cast<int>(path));
}

std::optional<Path> find_path(std::string_view name) {
  for (const Path path : {Path::read_index, Path::log, Path::local, Path::quorum, Path::abd,
                          Path::causal, Path::lease}) {
    if (path_name(path) == name) return path;
  }
  return std::nullopt;
}

}  // namespace parallax
