#include "finance/report/iso_time.h"

#include <charconv>
#include <chrono>

namespace finance {
namespace {

/// Takes `digits` digits from the front of `text`, and `behind` them where it is not 0.
std::optional<int> take(std::string_view& text, size_t digits, char behind = 0) {
  int value = 0;
  if (text.size() < digits || text.front() == '-') return std::nullopt;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + digits, value);
  if (error != std::errc() || stop != text.data() + digits) return std::nullopt;
  text.remove_prefix(digits);
  if (behind == 0) return value;
  if (!text.starts_with(behind)) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

/// ".25": 0.25.
std::optional<double> take_fraction(std::string_view& text) {
  if (!text.starts_with('.')) return 0;
  double value = 0, place = 0.1;
  for (text.remove_prefix(1); !text.empty() && text.front() >= '0' && text.front() <= '9';
       place /= 10, text.remove_prefix(1))
    value += place * (text.front() - '0');
  return place == 0.1 ? std::nullopt : std::optional(value);
}

/// "13:00", "13:00:05.5": seconds of the day.
std::optional<double> take_clock(std::string_view& text) {
  const auto hour = take(text, 2, ':');
  const auto minute = hour ? take(text, 2) : std::nullopt;
  if (!minute || *hour > 23 || *minute > 59) return std::nullopt;
  double seconds = 3600.0 * *hour + 60.0 * *minute;
  if (!text.starts_with(':')) return seconds;
  text.remove_prefix(1);
  const auto second = take(text, 2);
  const auto fraction = second ? take_fraction(text) : std::nullopt;
  if (!fraction || *second > 59) return std::nullopt;
  return seconds + *second + *fraction;
}

}  // namespace

std::optional<double> iso_seconds(std::string_view text) {
  namespace chrono = std::chrono;
  const auto year = take(text, 4, '-');
  const auto month = year ? take(text, 2, '-') : std::nullopt;
  const auto day = month ? take(text, 2) : std::nullopt;
  if (!day) return std::nullopt;
  const chrono::year_month_day date{chrono::year{*year},
                                    chrono::month{static_cast<unsigned>(*month)},
                                    chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  double seconds = 86400.0 * chrono::sys_days{date}.time_since_epoch().count();
  if (text.empty()) return seconds;
  if (text.front() != ' ' && text.front() != 'T') return std::nullopt;
  text.remove_prefix(1);
  const auto clock = take_clock(text);
  if (!clock || !(text.empty() || text == "Z")) return std::nullopt;
  return seconds + *clock;
}

std::vector<double> ascending_times(const std::vector<std::string>& times) {
  std::vector<double> out;
  for (const std::string& time : times) {
    const auto seconds = iso_seconds(time);
    if (!seconds || (!out.empty() && *seconds < out.back())) return {};
    out.push_back(*seconds);
  }
  return out;
}

}  // namespace finance
