#include "timeseries/series/frequency.h"

#include <algorithm>
#include <limits>
#include <map>
#include <unordered_map>

#include "attn/error.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/civil.h"

namespace timeseries {
namespace {

struct Distance {
  int64_t steps = 0;  ///< 0 where there is none
  int64_t times = 0;  ///< that neighbours are so far apart
};

/// Stamps beside the clock of `distance` from the first, and rows absent from it; the greatest
/// number where less than three quarters of the stamps are on it.
int64_t faults_of(std::span<const int64_t> ascending, int64_t distance) {
  const auto size = static_cast<int64_t>(ascending.size());
  const int64_t on = std::count_if(ascending.begin(), ascending.end(),
                                   [&](int64_t at) { return (at - ascending[0]) % distance == 0; });
  if (4 * on < 3 * size) return std::numeric_limits<int64_t>::max();
  const int64_t clock_rows = (ascending.back() - ascending[0]) / distance + 1;
  return size - on + clock_rows - on;
}

/// The most frequent distance of unequal neighbours; of equally frequent ones that of the fewest
/// faults, else the least.
Distance usual_distance(std::span<const int64_t> ascending) {
  constexpr size_t kFewStamps = 1000;  // bounds the work where all distances differ
  std::unordered_map<int64_t, int64_t> times;
  for (size_t i = 1; i < ascending.size(); ++i)
    if (ascending[i] != ascending[i - 1]) ++times[ascending[i] - ascending[i - 1]];
  Distance best;
  int64_t least_faults = 0;
  for (const auto& [distance, count] : times) {
    if (count < best.times) continue;
    const int64_t faults = ascending.size() > kFewStamps ? 0 : faults_of(ascending, distance);
    const bool fewer = faults < least_faults || (faults == least_faults && distance < best.steps);
    if (count == best.times && !fewer) continue;
    best = {distance, count};
    least_faults = faults;
  }
  return best;
}

/// The most frequent item, of equally frequent ones the greatest.
int64_t usual_item(const std::vector<int64_t>& items) {
  std::map<int64_t, int64_t> times;
  for (const int64_t item : items) ++times[item];
  int64_t best = 0, most = 0;
  for (const auto& [item, count] : times)
    if (count >= most) best = item, most = count;
  return best;
}

/// Where in their months the stamps stand: on the usual day (as far as the month has one) or, where
/// most are and no more are on that day, on the last; at the usual time of day.
class MonthPlaces {
 public:
  explicit MonthPlaces(std::span<const Instant> stamps) {
    for (const Instant stamp : stamps) {
      const Civil c = civil_of(stamp);
      days_.push_back(c.day);
      last_days_.push_back(days_in_month(c.year, c.month));
      months_.push_back(12 * c.year + c.month);
      clocks_.push_back(stamp - kDaySeconds * floor_div(stamp, kDaySeconds));
    }
    usual_day_ = usual_item(days_);
    usual_clock_ = usual_item(clocks_);
    const int64_t on_day = count_in_place();
    at_ends_ = true;
    const int64_t on_end = count_in_place();
    at_ends_ = on_end >= on_day && 2 * on_end > static_cast<int64_t>(stamps.size());
  }

  const std::vector<int64_t>& months() const { return months_; }
  bool at_ends() const { return at_ends_; }

  /// Neighbours `months` apart, both in place.
  int64_t steps_of(int64_t months) const {
    int64_t steps = 0;
    for (size_t i = 1; i < months_.size(); ++i)
      if (months_[i] - months_[i - 1] == months && in_place(i - 1) && in_place(i)) ++steps;
    return steps;
  }

 private:
  bool in_place(size_t i) const {
    const int64_t day = at_ends_ ? last_days_[i] : std::min(usual_day_, last_days_[i]);
    return clocks_[i] == usual_clock_ && days_[i] == day;
  }
  int64_t count_in_place() const {
    int64_t count = 0;
    for (size_t i = 0; i < days_.size(); ++i) count += in_place(i) ? 1 : 0;
    return count;
  }

  std::vector<int64_t> days_, last_days_, clocks_;
  std::vector<int64_t> months_;  // since the year 0
  int64_t usual_day_ = 0, usual_clock_ = 0;
  bool at_ends_ = false;
};

/// Months where as many neighbours are such a step apart as the most frequent distance has.
std::optional<Frequency> months_frequency(std::span<const Instant> stamps, int64_t times) {
  const MonthPlaces places(stamps);
  const int64_t count = usual_distance(places.months()).steps;
  if (count < 1 || places.steps_of(count) < times) return {};
  return normalised({Unit::month, count, places.at_ends()});
}

/// Whether daily stamps leave out Saturdays and Sundays: none is there though a weekend lies
/// between, or more neighbours are one business day apart than `times`, those one day apart.
bool leaves_weekends_out(std::span<const Instant> stamps, int64_t times) {
  bool weekend = weekday_of(stamps[0]) > 4, crossed = false;
  int64_t steps = 0;
  for (size_t i = 1; i < stamps.size(); ++i) {
    const Instant from = stamps[i - 1], to = stamps[i];
    weekend |= weekday_of(to) > 4;
    crossed |= weekday_of(to) < weekday_of(from);
    steps += weekday_of(from) <= 4 && advance(from, {Unit::business_day}, 1) == to ? 1 : 0;
  }
  return (crossed && !weekend) || steps > times;
}

/// Whether the two stamps behind the first are on one clock.
bool first_is_odd(std::span<const Instant> stamps, const Frequency& frequency) {
  return stamps.size() > 2 && steps_between(stamps[1], stamps[1], frequency) &&
         steps_between(stamps[1], stamps[2], frequency);
}

std::string off_what(bool first, size_t size, const StampWords& words) {
  if (!first) return " from the first, '" + words.text(0) + "'";
  return size > 1 ? " from the next, '" + words.text(1) + "'" : "";
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
                        "column that tells the series apart by --id");
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
  const auto [distance, times] = usual_distance(stamps);
  if (!has_calendar) return Frequency{Unit::index, distance};
  constexpr int64_t kShortestMonth = 28 * kDaySeconds;
  if (distance >= kShortestMonth)
    if (const auto months = months_frequency(stamps, times)) return months;
  if (distance == kDaySeconds && leaves_weekends_out(stamps, times))
    return Frequency{Unit::business_day};
  return normalised({Unit::second, distance});
}

Frequency settled(Frequency frequency, std::span<const Instant> stamps) {
  const bool monthly = frequency.unit == Unit::month || frequency.unit == Unit::quarter ||
                       frequency.unit == Unit::year;
  if (!monthly || stamps.size() < 2 || frequency.month_end) return frequency;
  frequency.month_end = MonthPlaces(stamps).at_ends();
  return frequency;
}

std::vector<int64_t> positions_of(std::span<const Instant> stamps, const Frequency& frequency,
                                  const StampWords& words) {
  std::vector<int64_t> out;
  out.reserve(stamps.size());
  for (size_t i = 0; i < stamps.size(); ++i) {
    const std::optional<int64_t> steps = steps_between(stamps[0], stamps[i], frequency);
    if (!steps) {
      const bool first = i == 0 || (i == 1 && first_is_odd(stamps, frequency));
      throw attn::Error(words.locate(first ? 0 : i) + ": the time stamp '" +
                        words.text(first ? 0 : i) + "' lies on no step of " +
                        frequency_words(frequency) + off_what(first, stamps.size(), words) +
                        "; mend it, or name the step by --freq");
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
