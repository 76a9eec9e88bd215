#include "client/cli/completion.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace parallax::cli {
namespace {

using Words = std::vector<std::string>;

/// The type that the definition gave, without what a check appends (":INT in [1 - 9]").
std::string type_of(const CLI::Option& option) {
  const std::string whole = option.get_type_name();
  return whole.substr(0, whole.find(':'));
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

Words names_of(const CLI::Option& option) {
  Words names;
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  return names;
}

/// How a value of that type is completed; empty: not at all.
std::string value_completion(const std::string& type) {
  if (type == "PATH") {
    return "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); compopt -o filenames 2>/dev/null";
  }
  if (!type.starts_with('{') || !type.ends_with('}')) return {};
  std::string words = type.substr(1, type.size() - 2);
  std::replace(words.begin(), words.end(), ',', ' ');
  return fmt::format("mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$cur\")", words);
}

struct Script {
  std::string verbs;        ///< "path verb": this word leads from one verb to another
  std::string valued;       ///< "path option": it takes a value
  std::string values;       ///< "path option": how its value is completed
  std::string words;        ///< "path": what may stand there
  std::string positionals;  ///< "path": how a word that is no option is completed
};

void describe(const CLI::App& app, const std::string& path, const Words& inherited, Script& out) {
  Words options = inherited;
  std::string positional;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      const std::string completion = value_completion(type_of(*option));
      if (positional.empty()) positional = completion;
      continue;
    }
    const Words names = names_of(*option);
    options.insert(options.end(), names.begin(), names.end());
    if (!takes_value(*option)) continue;
    const std::string completion = value_completion(type_of(*option));
    for (const std::string& name : names) {
      // Options of the program may follow every verb.
      const std::string pattern =
          path.empty() ? fmt::format("*' {}'", name) : fmt::format("'{} {}'", path, name);
      out.valued += fmt::format("    {}) return 0 ;;\n", pattern);
      if (!completion.empty()) out.values += fmt::format("    {}) {} ;;\n", pattern, completion);
    }
  }
  // --help and --version of the program are not those of a verb.
  Words down;
  for (const std::string& name : options) {
    if (name != "--help" && name != "-h" && name != "--version") down.push_back(name);
  }
  std::sort(options.begin(), options.end());
  options.erase(std::unique(options.begin(), options.end()), options.end());
  Words verbs;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    verbs.push_back(verb->get_name());
    const std::string below = path.empty() ? verb->get_name() : path + " " + verb->get_name();
    out.verbs += fmt::format("      '{} {}') path='{}' ;;\n", path, verb->get_name(), below);
    describe(*verb, below, down, out);
  }
  out.words += fmt::format("    '{}') verbs='{}' options='{}' ;;\n", path, fmt::join(verbs, " "),
                           fmt::join(options, " "));
  if (!positional.empty()) out.positionals += fmt::format("    '{}') {} ;;\n", path, positional);
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  Script script;
  describe(app, "", {}, script);
  return fmt::format(
      R"(# Completion of parallax for bash; made by: parallax completion bash
# To have it in every shell: parallax completion bash > ~/.local/share/bash-completion/completions/parallax
_parallax() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} path='' option='' word verbs='' options='' i
  COMPREPLY=()
  # bash takes --option=value for three words.
  [[ $cur == '=' ]] && cur=''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${{COMP_WORDS[i]}}
    [[ $word == '=' ]] && continue
    if [[ -n $option ]]; then option=''; continue; fi
    if [[ $word == -* ]]; then
      if _parallax_takes_value "$path" "$word"; then option=$word; fi
      continue
    fi
    case "$path $word" in
{0}    esac
  done
  if [[ -n $option ]]; then _parallax_complete_value "$path" "$option"; return; fi
  case "$path" in
{1}  esac
  if [[ $cur == -* ]]; then mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur"); return; fi
  if [[ -n $verbs ]]; then mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur"); return; fi
  case "$path" in
{2}  esac
}}
# The words are the verbs so far and an option of theirs. Reads cur.
_parallax_complete_value() {{
  case "$1 $2" in
{3}  esac
}}
_parallax_takes_value() {{
  case "$1 $2" in
{4}  esac
  return 1
}}
complete -F _parallax parallax
)",
      script.verbs, script.words, script.positionals, script.values, script.valued);
}

}  // namespace parallax::cli
