#include "apps/common/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace attn::app {
namespace {

constexpr size_t kColumn = 30;  // where the descriptions begin
constexpr size_t kWidth = 100;

// `left` in its column, `text` wrapped beside it.
std::string entry(const std::string& left, const std::string& text) {
  std::string out = "  " + left;
  if (out.size() + 2 > kColumn)
    out += "\n" + std::string(kColumn, ' ');
  else
    out.append(kColumn - out.size(), ' ');
  size_t used = kColumn;
  size_t begin = 0;
  while (begin < text.size()) {
    size_t end = text.find(' ', begin);
    if (end == std::string::npos) end = text.size();
    if (used > kColumn && used + 1 + end - begin > kWidth) {
      out += "\n" + std::string(kColumn, ' ');
      used = kColumn;
    } else if (used > kColumn) {
      out += ' ';
      ++used;
    }
    out += text.substr(begin, end - begin);
    used += end - begin;
    begin = end + 1;
  }
  return out + "\n";
}

std::string value_name(const Option& option) {
  if (!option.choices.empty()) return fmt::format("{}", fmt::join(option.choices, "|"));
  if (!option.unit.empty()) return option.unit;
  return std::visit(
      [](const auto* target) -> std::string {
        using T = std::remove_cvref_t<decltype(*target)>;
        if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::optional<double>>)
          return "X";
        if constexpr (std::is_integral_v<T> || std::is_same_v<T, std::optional<int64_t>>)
          return "N";
        if constexpr (std::is_same_v<T, std::string> ||
                      std::is_same_v<T, std::optional<std::string>>)
          return "NAME";
        return "PATH";
      },
      option.target);
}

std::string left_side(const Option& option) {
  if (option.positional) return option.name + (option.is_list() ? "..." : "");
  std::string out = option.short_name != 0 ? fmt::format("-{}, ", option.short_name) : "";
  out += (option.negatable() ? "--[no-]" : "--") + option.name;
  return option.is_flag() ? out : out + " " + value_name(option);
}

std::string right_side(const Option& option) {
  if (option.required) return option.help + " (required)";
  if (option.default_text.empty() || (option.is_flag() && !option.negatable())) return option.help;
  return fmt::format("{} (default {})", option.help,
                     option.negatable() ? "on" : option.default_text);
}

std::string usage(const App& app, const Verb& verb, const OptionTable& table) {
  std::string out = fmt::format("{} {}", app.name, verb.name);
  for (const auto& option : table.options()) {
    if (!option.positional) continue;
    const std::string name = left_side(option);
    out += option.required ? " " + name : " [" + name + "]";
  }
  return out + " [options]";
}

constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 failed, or some items failed; 2 wrong usage; 130 interrupted.\n";

}  // namespace

std::string verb_help(const App& app, const Verb& verb, const OptionTable& table) {
  std::string out = fmt::format("{} {}: {}\n\nUsage:   {}\nExample: {}\n", app.name, verb.name,
                                verb.summary, usage(app, verb, table), verb.example);
  if (!verb.details.empty()) out += "\n" + verb.details + "\n";
  std::vector<std::string> groups;
  for (const auto& option : table.options())
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end())
      groups.push_back(option.group);
  for (const auto& group : groups) {
    out += fmt::format("\n{}:\n", group);
    for (const auto& option : table.options())
      if (option.group == group && (verb.attention || option.name != kAttentionReport))
        out += entry(left_side(option), right_side(option));
  }
  out +=
      "\nAn option is taken from the command line, else from its environment variable "
      "(ATTN_THREADS for\n"
      "--threads), else from the --config file, else from its default.\n";
  return out + kExitCodes;
}

std::string program_help(const App& app) {
  std::string out = fmt::format("{}: {}\n\nUsage:   {} VERB [options]\nExample: {}\n\nVerbs:\n",
                                app.name, app.summary, app.name, app.example);
  for (const auto& verb : app.verbs) out += entry(verb.name, verb.summary);
  out += "\nOptions:\n" + entry("-h, --help", "this page; after a verb, that verb's page") +
         entry("--version [--json]", "revision, build, libraries and the SIMD instructions in use");
  return out + "\n" + kExitCodes;
}

}  // namespace attn::app
