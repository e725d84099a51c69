#include "apps/common/completion.h"

namespace attn::app {

std::string completion_words(const App& app, const std::vector<std::string>& given) {
  std::string out;
  if (given.empty()) {
    for (const auto& verb : app.verbs) out += verb.name + "\n";
    return out + "--help\n--version\n";
  }
  for (const auto& verb : app.verbs) {
    if (verb.name != given.front()) continue;
    Common common;
    OptionTable table;
    verb.declare(table);
    declare_common(common, verb, table);
    for (const auto& option : table.options()) {
      if (given.size() < 2 && !option.positional) out += option.spelling() + "\n";
      if (given.size() > 1 && option.spelling() == given[1])
        for (const auto& choice : option.choices) out += choice + "\n";
    }
    if (given.size() < 2) out += "--help\n";
  }
  return out;
}

}  // namespace attn::app
