#include "finance/lists/svm_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "attn/error.h"
#include "libattn/io/text.h"

namespace finance {
namespace {

using attn::Error;
using attn::io::quote_text;

constexpr std::string_view kBlanks = " \t\r";

/// The next word; empty at the end.
std::string_view take_word(std::string_view& text) {
  const size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  const size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
  const std::string_view word = text.substr(begin, end - begin);
  text.remove_prefix(end);
  return word;
}

double label_of(std::string_view word, const std::string& where) {
  double label = 0;
  if (!attn::io::parse_finite(word, label))
    throw Error(where + ": expected a label, a number, found " + quote_text(word));
  if (label < 0)
    throw Error(where + ": expected a label of 0 or more, found " + quote_text(word) +
                "; write 0 for what is not relevant");
  return label;
}

float value_of(std::string_view word, std::string_view text, const std::string& where) {
  double value = 0;
  if (!attn::io::parse_finite(text, value))
    throw Error(where + ": expected a number behind the colon, found " + quote_text(word));
  const auto stored = static_cast<float>(value);
  if (std::isinf(stored))
    throw Error(where + ": " + quote_text(word) + " is too large for single precision");
  return stored;
}

void sort_by_id(SvmRow& row, const std::string& where) {
  const auto by_id = [](const auto& a, const auto& b) { return a.first < b.first; };
  if (!std::is_sorted(row.values.begin(), row.values.end(), by_id))
    std::sort(row.values.begin(), row.values.end(), by_id);
  const auto twice =
      std::adjacent_find(row.values.begin(), row.values.end(),
                         [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice != row.values.end())
    throw Error(where + ": feature " + std::to_string(twice->first) + " stands there twice");
}

}  // namespace

std::string_view svm_row_text(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const size_t begin = line.find_first_not_of(kBlanks);
  if (begin == line.npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlanks) - begin + 1);
}

bool parse_svm_id(std::string_view text, int64_t& id) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() && end == text.data() + text.size() && id >= 0;
}

bool looks_like_svm(std::string_view line, bool with_qid) {
  std::string_view text = svm_row_text(line);
  double label = 0;
  if (!attn::io::parse_finite(take_word(text), label)) return false;
  const std::string_view word = take_word(text);
  if (with_qid) return word.substr(0, 4) == "qid:";
  int64_t id = 0;
  return word.find(':') != word.npos && parse_svm_id(word.substr(0, word.find(':')), id);
}

void parse_svm_row(std::string_view text, const std::string& where, SvmRow& row) {
  row.qid = {};
  row.values.clear();
  row.label = label_of(take_word(text), where);
  for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
    const size_t colon = word.find(':');
    const std::string_view before = word.substr(0, colon);
    if (before == "qid" && colon + 1 < word.size() && row.qid.empty() && row.values.empty()) {
      row.qid = word.substr(colon + 1);
      continue;
    }
    int64_t id = 0;
    if (colon == word.npos || !parse_svm_id(before, id))
      throw Error(where + ": expected id:value with a whole number as id, found " +
                  quote_text(word));
    row.values.emplace_back(id, value_of(word, word.substr(colon + 1), where));
  }
  sort_by_id(row, where);
}

}  // namespace finance
