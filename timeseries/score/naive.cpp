#include "timeseries/score/naive.h"

#include <cmath>
#include <stdexcept>

#include "timeseries/score/metrics.h"

namespace timeseries {
namespace {

void check(int64_t season, int64_t horizon, int64_t seasons = 1) {
  if (season < 1 || seasons < 1 || horizon < 0)
    throw std::logic_error("naive forecast: season and seasons >= 1, horizon >= 0");
}

double newest(std::span<const double> history) {
  for (size_t t = history.size(); t > 0; --t)
    if (!std::isnan(history[t - 1])) return history[t - 1];
  return kMissing;
}

/// Row of the newest known value at the place of step `ahead` (1 = the row behind the last); -1:
/// none.
int64_t newest_in_season(std::span<const double> history, int64_t season, int64_t ahead) {
  const auto n = static_cast<int64_t>(history.size());
  for (int64_t t = n - season + (ahead - 1) % season; t >= 0; t -= season)
    if (!std::isnan(history[static_cast<size_t>(t)])) return t;
  return -1;
}

double mean_seasonal_difference(std::span<const double> history, int64_t season) {
  double sum = 0;
  int64_t pairs = 0;
  for (auto t = static_cast<size_t>(season); t < history.size(); ++t) {
    const double difference = history[t] - history[t - static_cast<size_t>(season)];
    if (std::isnan(difference)) continue;
    sum += difference;
    ++pairs;
  }
  return pairs > 0 ? sum / static_cast<double>(pairs) : 0;
}

/// Mean of the known values at the place of step `ahead` in the `seasons` before the origin; NaN:
/// none.
double mean_in_season(std::span<const double> history, int64_t season, int64_t seasons,
                      int64_t ahead) {
  double sum = 0;
  int64_t count = 0;
  int64_t t = static_cast<int64_t>(history.size()) - season + (ahead - 1) % season;
  for (int64_t k = 0; k < seasons && t >= 0; ++k, t -= season) {
    const double value = history[static_cast<size_t>(t)];
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : kMissing;
}

}  // namespace

std::vector<double> last_value(std::span<const double> history, int64_t horizon) {
  check(1, horizon);
  return std::vector<double>(static_cast<size_t>(horizon), newest(history));
}

std::vector<double> seasonal_naive(std::span<const double> history, int64_t season,
                                   int64_t horizon) {
  check(season, horizon);
  std::vector<double> out = last_value(history, horizon);
  for (int64_t h = 1; h <= horizon; ++h)
    if (const int64_t t = newest_in_season(history, season, h); t >= 0)
      out[static_cast<size_t>(h - 1)] = history[static_cast<size_t>(t)];
  return out;
}

std::vector<double> seasonal_drift(std::span<const double> history, int64_t season,
                                   int64_t horizon) {
  check(season, horizon);
  std::vector<double> out = last_value(history, horizon);
  const double drift = mean_seasonal_difference(history, season);
  const auto n = static_cast<int64_t>(history.size());
  for (int64_t h = 1; h <= horizon; ++h) {
    const int64_t t = newest_in_season(history, season, h);
    if (t < 0) continue;
    const int64_t seasons = (n - 1 + h - t) / season;
    out[static_cast<size_t>(h - 1)] =
        history[static_cast<size_t>(t)] + static_cast<double>(seasons) * drift;
  }
  return out;
}

std::vector<double> seasonal_mean(std::span<const double> history, int64_t season, int64_t seasons,
                                  int64_t horizon) {
  check(season, horizon, seasons);
  std::vector<double> out = seasonal_naive(history, season, horizon);
  for (int64_t h = 1; h <= horizon; ++h) {
    const double mean = mean_in_season(history, season, seasons, h);
    if (!std::isnan(mean)) out[static_cast<size_t>(h - 1)] = mean;
  }
  return out;
}

}  // namespace timeseries
