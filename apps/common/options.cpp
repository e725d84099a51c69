#include "apps/common/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <type_traits>

#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace attn::app {
namespace {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

void check_range(const Option& option, double value, const std::string& text,
                 const std::string& where) {
  const bool low = option.min && value < *option.min;
  const bool high = option.max && value > *option.max;
  if (!low && !high) return;
  std::string allowed = option.min && option.max ? fmt::format("{} to {}", *option.min, *option.max)
                        : option.min             ? fmt::format("{} or more", *option.min)
                                                 : fmt::format("{} or less", *option.max);
  throw UsageError(fmt::format("{}: {} is out of range; give {}", where, text, allowed));
}

template <class Number>
Number parse_number(const Option& option, const std::string& text, const std::string& where) {
  Number value{};
  const char* first = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, value);
  const bool whole = std::is_integral_v<Number>;
  if (error == std::errc::result_out_of_range)
    throw UsageError(fmt::format("{}: {} does not fit; give a smaller number", where, text));
  bool good = error == std::errc() && end == last;
  if constexpr (!std::is_integral_v<Number>) good = good && std::isfinite(value);
  if (!good)
    throw UsageError(fmt::format("{}: '{}' is not a {}number{}", where, text, whole ? "whole " : "",
                                 option.unit.empty() ? "" : " (" + option.unit + ")"));
  check_range(option, static_cast<double>(value), text, where);
  return value;
}

bool parse_bool(const std::string& text, const std::string& where) {
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
  throw UsageError(fmt::format("{}: '{}' is neither true nor false", where, text));
}

void check_choice(const Option& option, const std::string& text, const std::string& where) {
  if (option.choices.empty()) return;
  if (std::find(option.choices.begin(), option.choices.end(), text) != option.choices.end()) return;
  throw UsageError(fmt::format("{}: '{}' is not one of {}{}", where, text,
                               fmt::join(option.choices, ", "),
                               io::did_you_mean(text, option.choices)));
}

template <class T>
T parse_one(const Option& option, const std::string& text, const std::string& where) {
  if constexpr (std::is_same_v<T, bool>) {
    return parse_bool(text, where);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return parse_number<T>(option, text, where);
  } else {
    if (text.empty()) throw UsageError(where + " is empty; give a value");
    if (io::find_invalid_utf8(text) != std::string::npos)
      throw UsageError(
          fmt::format("{}: {} is not UTF-8, and our files can hold no other names; rename it",
                      where, io::quote_text(text, 200)));
    check_choice(option, text, where);
    return T(text);
  }
}

template <class T>
std::string text_of(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
    return value.string();
  } else if constexpr (IsOptional<T>::value) {
    return value ? text_of(*value) : std::string();
  } else if constexpr (IsVector<T>::value) {
    std::vector<std::string> texts;
    for (const auto& one : value) texts.push_back(text_of(one));
    return fmt::format("{}", fmt::join(texts, " "));
  } else {
    return fmt::format("{}", value);
  }
}

template <class T>
nlohmann::json json_of(const T& value) {
  if constexpr (std::is_same_v<T, std::filesystem::path>) {
    return value.string();
  } else if constexpr (IsOptional<T>::value) {
    return value ? json_of(*value) : nlohmann::json(nullptr);
  } else if constexpr (IsVector<T>::value) {
    auto list = nlohmann::json::array();
    for (const auto& one : value) list.push_back(json_of(one));
    return list;
  } else {
    return value;
  }
}

}  // namespace

bool Option::is_list() const {
  return std::holds_alternative<std::vector<std::string>*>(target) ||
         std::holds_alternative<std::vector<std::filesystem::path>*>(target);
}

std::string Option::environment_name() const {
  if (positional || control) return {};
  std::string out = "ATTN_";
  for (const char c : name)
    out += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

void OptionTable::add(Option option) {
  if (find(option.name) != nullptr) throw std::logic_error("option declared twice: " + option.name);
  option.group = option.positional ? "Arguments" : group_;
  option.default_text = value_text(option);
  options_.push_back(std::move(option));
}

Option* OptionTable::find(std::string_view name) {
  for (auto& option : options_)
    if (option.name == name) return &option;
  return nullptr;
}

void assign(Option& option, const std::vector<std::string>& texts, Source source,
            const std::string& where) {
  if (texts.empty()) throw UsageError(where + " needs a value");
  std::visit(
      [&](auto* target) {
        using T = std::remove_pointer_t<decltype(target)>;
        if constexpr (IsVector<T>::value) {
          T values;
          for (const auto& text : texts)
            values.push_back(parse_one<typename T::value_type>(option, text, where));
          *target = std::move(values);
        } else {
          if (texts.size() > 1)
            throw UsageError(fmt::format("{} takes one value, {} were given", where, texts.size()));
          if constexpr (IsOptional<T>::value)
            *target = parse_one<typename T::value_type>(option, texts.front(), where);
          else
            *target = parse_one<T>(option, texts.front(), where);
        }
      },
      option.target);
  option.source = source;
}

void assign_from_environment(OptionTable& table) {
  for (auto& option : table.options()) {
    const std::string name = option.environment_name();
    if (name.empty() || option.source >= Source::environment) continue;
    const char* value = std::getenv(name.c_str());
    if (value != nullptr) assign(option, {value}, Source::environment, name);
  }
}

void require_all(const OptionTable& table) {
  for (const auto& option : table.options())
    if (option.required && option.source == Source::defaults)
      throw UsageError(option.spelling() + " is missing: " + option.help);
}

std::string value_text(const Option& option) {
  return std::visit([](const auto* target) { return text_of(*target); }, option.target);
}

nlohmann::json resolved(const OptionTable& table) {
  auto out = nlohmann::json::object();
  for (const auto& option : table.options())
    if (!option.control)
      out[option.name] =
          std::visit([](const auto* target) { return json_of(*target); }, option.target);
  return out;
}

}  // namespace attn::app
