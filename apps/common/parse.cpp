#include "apps/common/parse.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>

#include "attn/error.h"
#include "libattn/io/nearest_name.h"

namespace attn::app {
namespace {

// What CLI11 collected for one option: the texts only; their meaning is given by assign().
struct Collected {
  Option* option;
  CLI::Option* cli;
  std::vector<std::string> texts;
};

CLI::Option* add_to(CLI::App& app, const Option& option) {
  if (option.is_flag()) {
    const std::string names =
        (option.short_name != 0 ? fmt::format("-{},", option.short_name) : "") + "--" +
        option.name + (option.negatable() ? ",!--no-" + option.name : "");
    return app.add_flag(names);
  }
  const std::string names = (option.short_name != 0 ? fmt::format("-{},", option.short_name) : "") +
                            (option.positional ? option.name : "--" + option.name);
  CLI::Option* cli = app.add_option(names);
  return option.is_list()
             ? cli->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args()
             : cli->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

std::vector<std::string> long_names(const OptionTable& table) {
  std::vector<std::string> names{"--help"};
  for (const auto& option : table.options()) {
    if (option.positional) continue;
    names.push_back("--" + option.name);
    if (option.negatable()) names.push_back("--no-" + option.name);
  }
  return names;
}

// CLI11 takes "[a,b]" for a list of two values; a file may have such a name.
constexpr char kGuard = '\x01';

std::string guarded(const std::string& arg) {
  const size_t value =
      arg.starts_with("--") && arg.find('=') != std::string::npos ? arg.find('=') + 1 : 0;
  std::string out = arg;
  if (arg.size() > value && arg[value] == '[' && arg.back() == ']') out.insert(value, 1, kGuard);
  return out;
}

std::string unguarded(const std::string& text) {
  return text.starts_with(kGuard) ? text.substr(1) : text;
}

[[noreturn]] void refuse_extra(const std::string& extra, const OptionTable& table) {
  if (extra.starts_with("--") && extra.size() > 2) {
    const std::string word = extra.substr(0, extra.find('='));
    throw UsageError(fmt::format("unknown option {}{}; --help lists them", word,
                                 io::did_you_mean(word, long_names(table))));
  }
  if (extra.starts_with("-") && extra.size() > 1)
    throw UsageError(fmt::format("unknown option {}; --help lists them", extra));
  throw UsageError(
      fmt::format("one argument too many: '{}'; --help shows what is expected", extra));
}

// `--out --seed 3` would give --out the value "--seed": a forgotten value, not a file of that name.
void refuse_option_as_value(const Collected& collected, const OptionTable& table) {
  if (collected.option->is_flag()) return;
  const auto names = long_names(table);
  for (const auto& text : collected.texts)
    if (std::find(names.begin(), names.end(), text) != names.end())
      throw UsageError(fmt::format("{} needs a value, found the option {} instead",
                                   collected.option->spelling(), text));
}

}  // namespace

void parse_arguments(OptionTable& table, const std::vector<std::string>& args) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::deque<Collected> all;
  for (auto& option : table.options()) {
    all.push_back({&option, nullptr, {}});
    all.back().cli = add_to(app, option);
  }
  try {
    std::vector<std::string> words;
    for (const auto& arg : args) words.push_back(guarded(arg));
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 reads from the back
  } catch (const CLI::ArgumentMismatch&) {
    for (const auto& one : all)
      if (!args.empty() && (args.back() == "--" + one.option->name))
        throw UsageError(one.option->spelling() + " needs a value: " + one.option->help);
    throw UsageError("an option lacks its value; --help shows what each expects");
  } catch (const CLI::ParseError& error) {
    throw UsageError(std::string("the command line cannot be read: ") + error.what());
  }
  for (auto& one : all) {
    if (one.cli->count() == 0) continue;
    for (const auto& text : one.cli->results()) one.texts.push_back(unguarded(text));
    if (!one.option->is_list())
      one.texts.erase(one.texts.begin(), one.texts.end() - 1);  // the last one given counts
    refuse_option_as_value(one, table);
  }
  auto extras = app.remaining();
  const auto mark =
      std::find(extras.begin(), extras.end(), "--");  // what follows it are no options
  if (mark != extras.end()) extras.erase(mark);
  if (!extras.empty()) refuse_extra(unguarded(extras.front()), table);
  for (auto& one : all)
    if (one.cli->count() > 0) assign(*one.option, one.texts, Source::flag, one.option->spelling());
}

}  // namespace attn::app
