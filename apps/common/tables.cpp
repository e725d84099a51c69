#include "apps/common/tables.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libattn/report/report.h"

namespace attn::app {
namespace {

// Characters, not bytes: "±" is two bytes of UTF-8.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string lines_of(const nlohmann::json& facts, const std::string& prefix, size_t width) {
  std::string out;
  for (const auto& [key, value] : facts.items()) {
    std::string name = prefix;
    if (!name.empty()) name += '.';
    name += key;
    if (value.is_object() && !value.empty()) {
      out += lines_of(value, name, width);
      continue;
    }
    name.resize(std::max(width, name.size()), ' ');
    out += name + " " + (value.is_string() ? value.get<std::string>() : value.dump()) + "\n";
  }
  return out;
}

}  // namespace

std::string text_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - width_of(row[i]), ' ');
      line += i == 0 ? row[i] + space : "  " + space + row[i];
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string number_words(int64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    const size_t left = digits.size() - i;
    if (i > 0 && left % 3 == 0 && digits[i - 1] != '-') text += ',';
    text += digits[i];
  }
  return text;
}

std::string fact_lines(const nlohmann::json& facts, size_t width) {
  return lines_of(facts, "", width);
}

std::vector<std::string> split_names(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const auto& word : words) {
    names.emplace_back();
    for (size_t i = 0; i < word.size(); ++i) {
      if (word.compare(i, 2, "\\,") == 0)
        names.back() += word[++i];
      else if (word[i] == ',')
        names.emplace_back();
      else
        names.back() += word[i];
    }
  }
  std::erase(names, "");
  return names;
}

std::string counted(int64_t count, const std::string& one, const std::string& many) {
  return number_words(count) + " " + (count == 1 ? one : many);
}

std::string figure(double value) {
  return attn::report::format_number(value, 4);
}

}  // namespace attn::app
