#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "attn/error.h"
#include "libattn/io/text.h"
#include "timeseries/series/calendar.h"

namespace timeseries {
namespace {

struct UnitName {
  Unit unit;
  std::string_view code;  // what frequency_text writes
  std::string_view word;
  std::string_view adverb;
};

constexpr std::array<UnitName, 10> kUnits{{{Unit::index, "index", "row", ""},
                                           {Unit::second, "s", "second", ""},
                                           {Unit::minute, "min", "minute", "minutely"},
                                           {Unit::hour, "h", "hour", "hourly"},
                                           {Unit::day, "D", "day", "daily"},
                                           {Unit::business_day, "B", "business day", ""},
                                           {Unit::week, "W", "week", "weekly"},
                                           {Unit::month, "M", "month", "monthly"},
                                           {Unit::quarter, "Q", "quarter", "quarterly"},
                                           {Unit::year, "Y", "year", "yearly"}}};

/// Codes besides kUnits, as pandas of several versions writes them.
struct OtherCode {
  std::string_view code;
  Unit unit;
  bool month_end;
};

constexpr std::array<OtherCode, 21> kOthers{{
    {"S", Unit::second, false},    {"sec", Unit::second, false}, {"T", Unit::minute, false},
    {"H", Unit::hour, false},      {"d", Unit::day, false},      {"b", Unit::business_day, false},
    {"w", Unit::week, false},      {"MS", Unit::month, false},   {"ME", Unit::month, true},
    {"q", Unit::quarter, false},   {"QS", Unit::quarter, false}, {"QE", Unit::quarter, true},
    {"y", Unit::year, false},      {"YS", Unit::year, false},    {"YE", Unit::year, true},
    {"A", Unit::year, false},      {"AS", Unit::year, false},    {"AE", Unit::year, true},
    {"annual", Unit::year, false}, {"rows", Unit::index, false}, {"mins", Unit::minute, false},
}};

const UnitName& name_of(Unit unit) {
  return *std::find_if(kUnits.begin(), kUnits.end(),
                       [unit](const UnitName& name) { return name.unit == unit; });
}

/// "W-SUN" and "Q-DEC": the stamps tell the anchor.
std::string_view without_anchor(std::string_view code) {
  const size_t dash = code.find('-');
  if (dash == std::string_view::npos || dash == 0 || code.size() != dash + 4) return code;
  return std::string_view("WQYA").find(code[0]) != std::string_view::npos ? code.substr(0, dash)
                                                                          : code;
}

bool read_code(std::string_view code, Frequency& frequency) {
  for (const UnitName& unit : kUnits) {
    const bool plural = code.size() == unit.word.size() + 1 && code.back() == 's' &&
                        code.substr(0, unit.word.size()) == unit.word;
    if (code != unit.code && code != unit.word && !plural &&
        (unit.adverb.empty() || code != unit.adverb))
      continue;
    frequency.unit = unit.unit;
    return true;
  }
  for (const OtherCode& other : kOthers) {
    if (code != other.code) continue;
    frequency.unit = other.unit;
    frequency.month_end = other.month_end;
    return true;
  }
  return false;
}

}  // namespace

Frequency parse_frequency(std::string_view text) {
  // Rows that are numbered may be microseconds apart by hours.
  constexpr int64_t kMostUnits = 1'000'000, kMostNumbers = 10'000'000'000'000;
  const auto refuse = [&]() {
    return attn::UsageError("unknown frequency " + attn::io::quote_text(text) +
                            "; expected a count and a unit, such as h, 15min, D, B, W, M, Q, Y, s "
                            "or index (min is for minutes, M for months)");
  };
  Frequency frequency;
  size_t at = 0;
  if (!text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) != 0) {
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), frequency.count);
    if (error != std::errc() || frequency.count < 1) throw refuse();
    at = static_cast<size_t>(end - text.data());
    while (at < text.size() && text[at] == ' ') ++at;
  }
  if (!read_code(without_anchor(text.substr(at)), frequency)) throw refuse();
  if (frequency.count > (frequency.unit == Unit::index ? kMostNumbers : kMostUnits)) throw refuse();
  return normalised(frequency);
}

std::string frequency_text(const Frequency& f) {
  std::string text = f.count == 1 ? "" : std::to_string(f.count);
  text += name_of(f.unit).code;
  return f.month_end ? text + "E" : text;
}

std::string frequency_words(const Frequency& f) {
  return std::to_string(f.count) + " " + std::string(name_of(f.unit).word) +
         (f.count == 1 ? "" : "s");
}

}  // namespace timeseries
