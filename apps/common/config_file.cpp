#include "apps/common/config_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <type_traits>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/nearest_name.h"

namespace attn::app {
namespace {

std::string text_of(const toml::node& node, const std::string& where) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return std::to_string(whole->get());
  if (const auto* real = node.as_floating_point()) return fmt::format("{}", real->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  throw UsageError(where + ": the value is neither text, number, true/false nor a list of these");
}

std::vector<std::string> texts_of(const toml::node& node, const std::string& where) {
  std::vector<std::string> out;
  if (const auto* list = node.as_array()) {
    for (const auto& one : *list) out.push_back(text_of(one, where));
  } else {
    out.push_back(text_of(node, where));
  }
  return out;
}

std::string at(const std::filesystem::path& file, const toml::node& node, std::string_view key) {
  return fmt::format("{}: line {}: {}", file.string(), node.source().begin.line, key);
}

void assign_table(OptionTable& table, const toml::table& values, const std::filesystem::path& file,
                  const std::string& verb, const std::vector<std::string>& all_verbs, bool top) {
  std::vector<std::string> names;
  for (const auto& option : table.options())
    if (!option.control) names.push_back(option.name);
  for (const auto& [key, node] : values) {
    const std::string name(key.str());
    const std::string where = at(file, node, name);
    if (top && node.is_table()) {
      if (name == verb) continue;
      if (std::find(all_verbs.begin(), all_verbs.end(), name) != all_verbs.end()) continue;
      throw UsageError(where + ": no such table; tables are named after verbs" +
                       io::did_you_mean(name, all_verbs));
    }
    Option* option = table.find(name);
    if (option != nullptr && option->control)
      throw UsageError(fmt::format(
          "{}: --{} is for one call; give it on the command line, not in a file", where, name));
    if (option == nullptr)
      throw UsageError(
          fmt::format("{}: '{}' has no such option{}", where, verb, io::did_you_mean(name, names)));
    if (option->source < Source::environment)
      assign(*option, texts_of(node, where), Source::file, where);
  }
}

std::string quoted(const std::string& text) {
  std::ostringstream out;
  out << toml::toml_formatter(
      toml::value<std::string>(text),
      toml::toml_formatter::default_flags & ~toml::format_flags::allow_literal_strings);
  return out.str();
}

template <class T>
std::string toml_of(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    const std::string text = fmt::format("{}", value);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return quoted(value);
  } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
    return quoted(value.string());
  } else if constexpr (requires { value.has_value(); }) {
    return value ? toml_of(*value) : std::string();
  } else {
    std::string out = "[";
    for (const auto& one : value) out += (out.size() > 1 ? ", " : "") + toml_of(one);
    return out + "]";
  }
}

bool not_given(const Option& option) {
  return value_text(option).empty();
}

}  // namespace

void assign_from_file(OptionTable& table, const std::filesystem::path& file,
                      const std::string& verb, const std::vector<std::string>& all_verbs) {
  if (!std::filesystem::exists(file) || std::filesystem::is_directory(file))
    throw UsageError(
        fmt::format("--config {}: {}", file.string(),
                    std::filesystem::exists(file) ? "is a folder; name a file" : "no such file"));
  toml::table values;
  try {
    values = toml::parse(io::read_file(file), file.string());  // pipes, too
  } catch (const toml::parse_error& error) {
    throw UsageError(fmt::format("{}: line {}: not TOML: {}", file.string(),
                                 error.source().begin.line, error.description()));
  }
  assign_table(table, values, file, verb, all_verbs, true);
  if (const auto* own = values.get_as<toml::table>(verb))
    assign_table(table, *own, file, verb, all_verbs, false);
}

std::string dump_config(const OptionTable& table, const std::string& program,
                        const std::string& verb) {
  std::string out = fmt::format("# {} {}\n", program, verb);
  std::string group;
  for (const auto& option : table.options()) {
    if (option.control) continue;
    if (option.group != group) out += fmt::format("\n# {}\n", group = option.group);
    const std::string value =
        std::visit([](const auto* target) { return toml_of(*target); }, option.target);
    out += fmt::format("{}{} = {}{}\n", not_given(option) ? "# " : "", option.name, value,
                       option.unit.empty() ? "" : "  # " + option.unit);
  }
  return out;
}

}  // namespace attn::app
