#include "timeseries/score/interval_metrics.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace timeseries {
namespace {

double ratio(double sum, int64_t count) {
  return count > 0 ? sum / static_cast<double>(count) : kMissing;
}

void require(bool good, const char* what) {
  if (!good) throw std::logic_error(what);
}

template <class Sums>
Sums row_sum(const std::vector<Sums>& sums, size_t row, int64_t horizon) {
  Sums all;
  const auto width = static_cast<size_t>(horizon);
  for (size_t t = 0; t < width; ++t) all.add(sums.at(row * width + t));
  return all;
}

template <class Sums>
void add_all(std::vector<Sums>& sums, const std::vector<Sums>& other) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i].add(other[i]);
}

void check_levels(const std::vector<double>& levels) {
  require(std::all_of(levels.begin(), levels.end(), [](double a) { return a > 0 && a < 1; }),
          "levels and quantiles lie between 0 and 1");
}

}  // namespace

double pinball_loss(double target, double forecast, double quantile) {
  const double error = target - forecast;
  return error >= 0 ? quantile * error : (quantile - 1) * error;
}

void QuantileSums::add(double target, double forecast, double quantile) {
  if (std::isnan(target)) {
    ++missing;
  } else if (std::isnan(forecast)) {
    ++unforecast;
  } else {
    ++count;
    if (target <= forecast) ++below;
    loss += pinball_loss(target, forecast, quantile);
  }
}

void QuantileSums::add(const QuantileSums& other) {
  count += other.count;
  missing += other.missing;
  unforecast += other.unforecast;
  below += other.below;
  loss += other.loss;
}

double QuantileSums::mean_loss() const {
  return ratio(loss, count);
}

double QuantileSums::share_below() const {
  return ratio(static_cast<double>(below), count);
}

HorizonQuantiles::HorizonQuantiles(std::vector<double> quantile_levels, int64_t steps)
    : quantiles(std::move(quantile_levels)),
      sums(quantiles.size() * static_cast<size_t>(steps)),
      horizon(steps) {
  check_levels(quantiles);
}

void HorizonQuantiles::add(std::span<const double> target, std::span<const double> forecasts) {
  const auto width = static_cast<size_t>(horizon);
  require(target.size() == width && forecasts.size() == sums.size(),
          "HorizonQuantiles: targets or forecasts of another shape");
  for (size_t i = 0; i < sums.size(); ++i)
    sums[i].add(target[i % width], forecasts[i], quantiles[i / width]);
}

void HorizonQuantiles::add(const HorizonQuantiles& other) {
  require(quantiles == other.quantiles && horizon == other.horizon,
          "HorizonQuantiles: sums of other quantiles or another horizon");
  add_all(sums, other.sums);
}

const QuantileSums& HorizonQuantiles::at(size_t quantile, int64_t step) const {
  return sums.at(quantile * static_cast<size_t>(horizon) + static_cast<size_t>(step));
}

QuantileSums HorizonQuantiles::overall(size_t quantile) const {
  return row_sum(sums, quantile, horizon);
}

void IntervalSums::add(double target, double low, double high, double level, double scale) {
  if (std::isnan(target)) {
    ++missing;
    return;
  }
  if (std::isnan(low) || std::isnan(high)) {
    ++unforecast;
    return;
  }
  ++count;
  ++(target < low ? below : target > high ? above : covered);
  const double outside = std::max({low - target, target - high, 0.0});
  const double wide = high - low, cost = wide + 2 / (1 - level) * outside;
  width += wide;
  score += cost;
  if (!(std::isfinite(scale) && scale > 0)) return;
  ++scaled;
  scaled_width += wide / scale;
  scaled_score += cost / scale;
}

void IntervalSums::add(const IntervalSums& other) {
  count += other.count;
  missing += other.missing;
  unforecast += other.unforecast;
  covered += other.covered;
  below += other.below;
  above += other.above;
  scaled += other.scaled;
  width += other.width;
  score += other.score;
  scaled_width += other.scaled_width;
  scaled_score += other.scaled_score;
}

double IntervalSums::coverage() const {
  return ratio(static_cast<double>(covered), count);
}

double IntervalSums::mean_width() const {
  return ratio(width, count);
}

double IntervalSums::mean_score() const {
  return ratio(score, count);
}

double IntervalSums::mean_scaled_width() const {
  return ratio(scaled_width, scaled);
}

double IntervalSums::mean_scaled_score() const {
  return ratio(scaled_score, scaled);
}

HorizonIntervals::HorizonIntervals(std::vector<double> interval_levels, int64_t steps)
    : levels(std::move(interval_levels)),
      sums(levels.size() * static_cast<size_t>(steps)),
      horizon(steps) {
  check_levels(levels);
}

void HorizonIntervals::add(std::span<const double> target, std::span<const double> low,
                           std::span<const double> high, double scale) {
  const auto width = static_cast<size_t>(horizon);
  require(target.size() == width && low.size() == sums.size() && high.size() == sums.size(),
          "HorizonIntervals: targets or bounds of another shape");
  for (size_t i = 0; i < sums.size(); ++i)
    sums[i].add(target[i % width], low[i], high[i], levels[i / width], scale);
}

void HorizonIntervals::add(const HorizonIntervals& other) {
  require(levels == other.levels && horizon == other.horizon,
          "HorizonIntervals: sums of other levels or another horizon");
  add_all(sums, other.sums);
}

const IntervalSums& HorizonIntervals::at(size_t level, int64_t step) const {
  return sums.at(level * static_cast<size_t>(horizon) + static_cast<size_t>(step));
}

IntervalSums HorizonIntervals::overall(size_t level) const {
  return row_sum(sums, level, horizon);
}

}  // namespace timeseries
