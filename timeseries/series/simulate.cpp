#include "timeseries/series/simulate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "attn/error.h"
#include "libattn/random/rng.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/civil.h"

namespace timeseries {
namespace {

using attn::random::Rng;

/// What each stream of random numbers is for.
enum Purpose : uint64_t { kShape = 1, kShifts, kNoise, kMissing, kWeather, kPromotion };

Rng stream(const SimulateOptions& o, int64_t series, Purpose purpose) {
  return Rng::keyed({o.seed, static_cast<uint64_t>(series), purpose});
}

/// Two harmonics of one cycle, amplitude about 1.
struct Season {
  double first = 0, second = 0;  // phases
  double at(double share) const {
    const double angle = 2 * std::numbers::pi * share;
    return 0.8 * std::sin(angle + first) + 0.3 * std::sin(2 * angle + second);
  }
};

double share_of(Instant t, int64_t cycle) {
  return static_cast<double>(t - cycle * floor_div(t, cycle)) / static_cast<double>(cycle);
}

double year_share(Instant t) {
  return static_cast<double>(day_of_year(t)) / 366;
}

/// Which seasons a step is short enough, or long enough, for.
struct Seasons {
  bool daily, weekly, yearly;
};

Seasons seasons_of(const Frequency& f) {
  const int64_t step = advance(0, f, 1);
  return {step < kDaySeconds, step < 7 * kDaySeconds, step >= kDaySeconds};
}

/// Steps at random rows, added up.
std::vector<double> shifts_of(const SimulateOptions& o, int64_t series) {
  Rng random = stream(o, series, kShifts);
  const double chance = std::min(1.0, o.level_shifts / static_cast<double>(o.rows));
  std::vector<double> out;
  double level = 0;
  for (int64_t t = 0; t < o.rows; ++t) {
    if (random.chance(chance)) level += random.normal(0, o.shift_size);
    out.push_back(level);
  }
  return out;
}

/// AR(1) with sd 1.
std::vector<double> weather_of(const SimulateOptions& o, int64_t series) {
  constexpr double kPersistence = 0.95;
  Rng random = stream(o, series, kWeather);
  std::vector<double> out;
  double now = random.normal();
  for (int64_t t = 0; t < o.rows; ++t) {
    out.push_back(now);
    now = kPersistence * now + std::sqrt(1 - kPersistence * kPersistence) * random.normal();
  }
  return out;
}

/// 0 or 1 in stretches of about a day of 24 rows.
std::vector<double> promotion_of(const SimulateOptions& o, int64_t series) {
  Rng random = stream(o, series, kPromotion);
  std::vector<double> out;
  bool on = false;
  for (int64_t t = 0; t < o.rows + o.ahead; ++t) {
    if (random.chance(on ? 1.0 / 24 : 1.0 / 96)) on = !on;
    out.push_back(on ? 1 : 0);
  }
  return out;
}

void remove_stretches(const SimulateOptions& o, int64_t series, std::vector<double>& values) {
  Rng random = stream(o, series, kMissing);
  const double end = 1 / std::max(1.0, o.missing_length);
  const double begin = o.missing >= 1 ? 1 : std::min(1.0, end * o.missing / (1 - o.missing));
  bool gone = false;
  for (double& value : values) {
    if (random.chance(gone ? end : begin)) gone = !gone;
    if (gone) value = std::numeric_limits<double>::quiet_NaN();
  }
}

std::vector<double> values_of(const SimulateOptions& o, int64_t series, const Series& made) {
  Rng shape = stream(o, series, kShape), random = stream(o, series, kNoise);
  const Seasons seasons = seasons_of(o.frequency);
  const Season day{shape.angle(), shape.angle()}, week{shape.angle(), shape.angle()},
      year{shape.angle(), shape.angle()};
  const double level = o.level * shape.log_normal(1, 0.3), trend = o.trend * shape.normal();
  const std::vector<double> shifts = shifts_of(o, series);
  std::vector<double> out;
  for (int64_t t = 0; t < o.rows; ++t) {
    const Instant at = advance(o.start, o.frequency, t);
    const double of_day = seasons.daily ? day.at(share_of(at, kDaySeconds)) : 0;
    const double of_week =
        seasons.weekly ? week.at(share_of(at - 4 * kDaySeconds, 7 * kDaySeconds)) : 0;
    const double of_year = seasons.yearly ? year.at(year_share(at)) : 0;
    const double swing = std::clamp(seasons.daily ? of_day : of_week, -1.0, 1.0);
    const double sigma = o.noise * (1 + o.heteroscedastic * (swing + 1) / 2);
    double y = level + trend * static_cast<double>(t) / static_cast<double>(o.rows) +
               o.daily * of_day + o.weekly * of_week + o.yearly * of_year +
               shifts[static_cast<size_t>(t)] + sigma * random.normal();
    if (o.covariates)
      y += o.covariate_effect * ((t > 0 ? made.past[static_cast<size_t>(t - 1)] : 0) +
                                 made.future[static_cast<size_t>(t)]);
    out.push_back(y);
  }
  return out;
}

void check(const SimulateOptions& o) {
  if (o.series < 1 || o.rows < 1 || o.ahead < 0)
    throw attn::UsageError("a simulation needs at least one series and one row");
  if (!(o.missing >= 0 && o.missing <= 1))
    throw attn::UsageError("the missing share must lie in 0 ... 1, found " +
                           std::to_string(o.missing));
  if (o.frequency.unit == Unit::index)
    throw attn::UsageError("a simulation needs a frequency of the calendar, such as h or D");
}

}  // namespace

SeriesSet simulate(const SimulateOptions& o) {
  check(o);
  SeriesSet set;
  set.path = "simulated";
  set.frequency = o.frequency;
  set.stamps.pattern = "Y-m-d h:i:s";
  set.time_column = "date";
  set.channels = {"value"};
  if (o.covariates) {
    set.past_names = {"weather"};
    set.future_names = {"promotion"};
    set.static_names = {"size"};
  }
  for (int64_t i = 0; i < o.series; ++i) {
    Series s;
    if (o.series > 1) s.id = "S" + std::to_string(i + 1);
    s.start = o.start;
    s.rows = o.rows;
    if (o.covariates) {
      s.past = weather_of(o, i);
      s.future = promotion_of(o, i);
      s.ahead = o.ahead;
    }
    s.values = values_of(o, i, s);
    if (o.covariates) s.statics = {std::round(s.values[0])};
    remove_stretches(o, i, s.values);
    set.series.push_back(std::move(s));
  }
  return set;
}

}  // namespace timeseries
