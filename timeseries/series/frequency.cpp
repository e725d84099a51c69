#include "timeseries/series/frequency.h"

#include <algorithm>
#include <unordered_map>

#include "attn/error.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/civil.h"

namespace timeseries {
namespace {

/// The most frequent difference of neighbours, of equals the least.
int64_t usual_distance(std::span<const int64_t> ascending) {
  std::unordered_map<int64_t, int64_t> count;
  for (size_t i = 1; i < ascending.size(); ++i) ++count[ascending[i] - ascending[i - 1]];
  int64_t best = 0, most = 0;
  for (const auto& [distance, times] : count)
    if (times > most || (times == most && distance < best)) best = distance, most = times;
  return best;
}

/// Where in their months the stamps stand.
struct MonthPlaces {
  bool ends = true;       ///< all on the last day
  bool same_day = true;   ///< all on the first stamp's day, or the last of a shorter month
  bool same_time = true;  ///< of day
  int64_t first_day = 0;
  std::vector<int64_t> months;  ///< since the year 0
};

MonthPlaces month_places(std::span<const Instant> stamps) {
  MonthPlaces out;
  const Instant clock = stamps[0] - kDaySeconds * floor_div(stamps[0], kDaySeconds);
  out.first_day = civil_of(stamps[0]).day;
  for (const Instant stamp : stamps) {
    const Civil c = civil_of(stamp);
    const int64_t last = days_in_month(c.year, c.month);
    out.ends &= c.day == last;
    out.same_day &= c.day == std::min(out.first_day, last);
    out.same_time &= stamp - kDaySeconds * floor_div(stamp, kDaySeconds) == clock;
    out.months.push_back(12 * c.year + c.month);
  }
  return out;
}

std::optional<Frequency> months_frequency(std::span<const Instant> stamps) {
  const MonthPlaces places = month_places(stamps);
  if (!places.same_time || (!places.same_day && !places.ends)) return {};
  const int64_t count = usual_distance(places.months);
  if (count < 1) return {};
  return normalised({Unit::month, count, places.ends});
}

bool weekend_left_out(std::span<const Instant> stamps) {
  bool crossed = false;
  for (size_t i = 0; i < stamps.size(); ++i) {
    if (weekday_of(stamps[i]) > 4) return false;
    crossed |= i > 0 && weekday_of(stamps[i]) < weekday_of(stamps[i - 1]);
  }
  return crossed;
}

}  // namespace

bool runs_backwards(std::span<const Instant> stamps, const StampWords& words) {
  size_t falling = 0;
  for (size_t i = 1; i < stamps.size(); ++i) falling += stamps[i] < stamps[i - 1] ? 1 : 0;
  const bool backwards = 2 * falling > stamps.size() - 1 && stamps.size() > 1;
  for (size_t i = 1; i < stamps.size(); ++i) {
    if (stamps[i] == stamps[i - 1]) {
      throw attn::Error(words.locate(i) + ": the time stamp '" + words.text(i) +
                        "' is that of the row before; keep one row of each stamp, or name the "
                        "column that tells the series apart by --id-column");
    }
    if ((stamps[i] < stamps[i - 1]) != backwards) {
      throw attn::Error(words.locate(i) + ": the time stamp '" + words.text(i) + "' comes after '" +
                        words.text(i - 1) +
                        "', against the order of the other rows; sort the rows "
                        "by time");
    }
  }
  return backwards;
}

std::optional<Frequency> infer_frequency(std::span<const Instant> stamps, bool has_calendar) {
  if (stamps.size() < 2) return {};
  const int64_t distance = usual_distance(stamps);
  if (!has_calendar) return Frequency{Unit::index, distance};
  constexpr int64_t kShortestMonth = 28 * kDaySeconds;
  if (distance >= kShortestMonth)
    if (const auto months = months_frequency(stamps)) return months;
  if (distance == kDaySeconds && weekend_left_out(stamps)) return Frequency{Unit::business_day};
  return normalised({Unit::second, distance});
}

Frequency settled(Frequency frequency, std::span<const Instant> stamps) {
  const bool monthly = frequency.unit == Unit::month || frequency.unit == Unit::quarter ||
                       frequency.unit == Unit::year;
  if (!monthly || stamps.empty() || frequency.month_end) return frequency;
  frequency.month_end = stamps.size() > 1 && month_places(stamps).ends;
  return frequency;
}

std::vector<int64_t> positions_of(std::span<const Instant> stamps, const Frequency& frequency,
                                  const StampWords& words) {
  std::vector<int64_t> out;
  out.reserve(stamps.size());
  for (size_t i = 0; i < stamps.size(); ++i) {
    const std::optional<int64_t> steps = steps_between(stamps[0], stamps[i], frequency);
    if (!steps) {
      throw attn::Error(words.locate(i) + ": the time stamp '" + words.text(i) +
                        "' lies on no step of " + frequency_words(frequency) +
                        " from the first, '" + words.text(0) +
                        "'; mend it, or name the step by --frequency");
    }
    out.push_back(*steps);
  }
  return out;
}

std::string gap_sentence(std::span<const Instant> stamps, std::span<const int64_t> positions,
                         size_t i, const Frequency& frequency, const StampWords& words) {
  const int64_t absent = positions[i] - positions[i - 1] - 1;
  return words.locate(i) + ": a gap: after '" + words.text(i - 1) + "' comes '" + words.text(i) +
         "', expected '" + words.write(advance(stamps[0], frequency, positions[i - 1] + 1)) +
         "' (a step of " + frequency_words(frequency) + ", " + std::to_string(absent) +
         (absent == 1 ? " row" : " rows") +
         " absent); add the rows, or choose --fill missing, linear or forward";
}

}  // namespace timeseries
