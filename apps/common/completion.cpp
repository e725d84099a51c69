#include "apps/common/completion.h"

namespace attn::app {

namespace {

// Every way to begin an option.
std::string spellings(const Option& option) {
  if (option.positional) return {};
  return option.spelling() + "\n" + (option.negatable() ? "--no-" + option.name + "\n" : "");
}

}  // namespace

std::string completion_words(const App& app, const std::vector<std::string>& given) {
  std::string out;
  if (given.empty()) {
    for (const auto& verb : app.verbs) out += verb.name + "\n";
    return out + "help\n--help\n--version\n";
  }
  for (const auto& verb : app.verbs) {
    if (verb.name != given.front()) continue;
    Common common;
    OptionTable table;
    verb.declare(table);
    declare_common(common, verb, table);
    for (const auto& option : table.options()) {
      if (option.name == kAttentionReport && !verb.attention) continue;
      if (given.size() < 2)
        out += spellings(option);
      else if (option.spelling() == given[1])
        for (const auto& choice : option.choices) out += choice + "\n";
    }
    if (given.size() < 2) out += "--help\n";
  }
  return out;
}

}  // namespace attn::app
