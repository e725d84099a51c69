#include "libattn/report/date_ticks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace attn::report {
namespace {

namespace chrono = std::chrono;

enum class Step { second, day, odd_day, week, month, year };

/// `count` units between ticks, and the least seconds between two of them.
struct Grid {
  Step step;
  int64_t count;
  double seconds;
};

constexpr double kDay = 86400;
constexpr std::array<Grid, 27> kGrids{
    {{Step::second, 1, 1},         {Step::second, 2, 2},         {Step::second, 5, 5},
     {Step::second, 10, 10},       {Step::second, 15, 15},       {Step::second, 30, 30},
     {Step::second, 60, 60},       {Step::second, 120, 120},     {Step::second, 300, 300},
     {Step::second, 600, 600},     {Step::second, 900, 900},     {Step::second, 1800, 1800},
     {Step::second, 3600, 3600},   {Step::second, 7200, 7200},   {Step::second, 10800, 10800},
     {Step::second, 21600, 21600}, {Step::second, 43200, 43200}, {Step::day, 1, kDay},
     {Step::odd_day, 2, 2 * kDay}, {Step::week, 1, 7 * kDay},    {Step::week, 2, 14 * kDay},
     {Step::month, 1, 28 * kDay},  {Step::month, 2, 59 * kDay},  {Step::month, 3, 90 * kDay},
     {Step::month, 6, 181 * kDay}, {Step::year, 1, 365 * kDay},  {Step::year, 2, 730 * kDay}}};
constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
/// Within these ends a year has at most four digits and every sum below fits.
constexpr double kEarliest = -377'705'116'800, kLatest = 253'402'300'799;

struct Date {
  int64_t year = 0;
  unsigned month = 1, day = 1;
};

Date date_of(int64_t days) {
  const chrono::year_month_day date{chrono::sys_days{chrono::days{days}}};
  return {static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day())};
}

int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

int64_t days_of(int64_t seconds) {
  return floor_div(seconds, 86400);
}

/// Seconds at the begin of the month that is `months` behind January of the year 0.
double month_start(int64_t months) {
  const chrono::year year{static_cast<int>(floor_div(months, 12))};
  const chrono::month month{static_cast<unsigned>(months - floor_div(months, 12) * 12 + 1)};
  const auto days = chrono::sys_days{year / month / 1}.time_since_epoch().count();
  return static_cast<double>(days) * kDay;
}

int64_t months_of(double seconds) {
  const Date date = date_of(days_of(static_cast<int64_t>(std::floor(seconds))));
  return date.year * 12 + date.month - 1;
}

/// All multiples of `step` seconds behind `origin` in [low, high].
std::vector<double> even_ticks(double low, double high, double step, double origin) {
  std::vector<double> out;
  for (double k = std::ceil((low - origin) / step); origin + k * step <= high; ++k)
    out.push_back(origin + k * step);
  return out;
}

std::vector<double> month_ticks(double low, double high, int64_t every) {
  std::vector<double> out;
  for (int64_t m = floor_div(months_of(low), every) * every;; m += every) {
    const double at = month_start(m);
    if (at > high) return out;
    if (at >= low) out.push_back(at);
  }
}

std::vector<double> odd_days(double low, double high) {
  std::vector<double> out;
  for (const double at : even_ticks(low, high, kDay, 0)) {
    const unsigned day = date_of(days_of(static_cast<int64_t>(at))).day;
    if (day % 2 == 1 && day < 31) out.push_back(at);  // the 31st stands beside the 1st
  }
  return out;
}

std::vector<double> places(double low, double high, const Grid& grid) {
  switch (grid.step) {
    case Step::second:
    case Step::day:
      return even_ticks(low, high, grid.seconds, 0);
    case Step::odd_day:
      return odd_days(low, high);
    case Step::week:
      return even_ticks(low, high, grid.seconds, 4 * kDay);  // 1970-01-05 was a Monday
    case Step::month:
      return month_ticks(low, high, grid.count);
    case Step::year:
      return month_ticks(low, high, 12 * grid.count);
  }
  return {};
}

std::string day_text(const Date& date) {
  return fmt::format("{} {}", date.day, kMonths.at(date.month - 1));
}

/// Label, and the context before it is left out where it repeats.
DateTick tick_at(double at, const Grid& grid) {
  const auto seconds = static_cast<int64_t>(at);
  const Date date = date_of(days_of(seconds));
  const std::string year = fmt::format("{}", date.year);
  switch (grid.step) {
    case Step::year:
      return {at, year};
    case Step::month:
      return {at, kMonths.at(date.month - 1), year};
    case Step::week:
    case Step::odd_day:
    case Step::day:
      return {at, day_text(date), year};
    case Step::second:
      break;
  }
  const int64_t of_day = seconds - days_of(seconds) * 86400;
  std::string time = fmt::format("{:02}:{:02}", of_day / 3600, of_day / 60 % 60);
  if (grid.count < 60) time += fmt::format(":{:02}", of_day % 60);
  return {at, std::move(time), day_text(date) + " " + year};
}

Grid years(int64_t count) {
  return {Step::year, count, static_cast<double>(count) * 365 * kDay};
}

/// The finest grid of at most `most` ticks, and those.
std::pair<Grid, std::vector<double>> chosen(double low, double high, int most) {
  const auto fits = [&](const Grid& grid) { return (high - low) / grid.seconds < 4.0 * most; };
  for (const Grid& grid : kGrids) {
    if (!fits(grid)) continue;  // far too many to list
    std::vector<double> at = places(low, high, grid);
    if (at.size() <= static_cast<size_t>(most)) return {grid, std::move(at)};
  }
  for (int64_t decade = 1;; decade *= 10) {
    for (const int64_t factor : {5, 10, 20}) {
      const Grid grid = years(decade * factor);
      if (!fits(grid)) continue;
      std::vector<double> at = places(low, high, grid);
      if (at.size() <= static_cast<size_t>(most)) return {grid, std::move(at)};
    }
  }
}

}  // namespace

std::vector<DateTick> date_ticks(double low, double high, int most) {
  if (!(low >= kEarliest && high <= kLatest && low <= high)) return {};
  const auto [grid, places_of_ticks] = chosen(low, high, std::max(most, 1));
  std::vector<DateTick> out;
  std::string before;
  for (const double at : places_of_ticks) {
    DateTick tick = tick_at(at, grid);
    const std::string context = tick.context;
    if (context == before) tick.context.clear();
    before = context;
    out.push_back(std::move(tick));
  }
  return out;
}

}  // namespace attn::report
