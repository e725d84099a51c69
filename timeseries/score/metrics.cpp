#include "timeseries/score/metrics.h"

#include <cmath>
#include <stdexcept>

namespace timeseries {
namespace {

double ratio(double sum, int64_t count) {
  return count > 0 ? sum / static_cast<double>(count) : kMissing;
}

template <class Number>
void add_window(HorizonErrors& errors, std::span<const Number> target,
                std::span<const Number> forecast, double scale) {
  if (target.size() != errors.steps.size() || forecast.size() != errors.steps.size())
    throw std::logic_error("HorizonErrors: targets and forecasts are not as many as steps");
  for (size_t t = 0; t < target.size(); ++t)
    errors.steps[t].add(static_cast<double>(target[t]), static_cast<double>(forecast[t]), scale);
  ++errors.windows;
}

}  // namespace

double seasonal_scale(std::span<const double> history, int64_t season) {
  if (season < 1) throw std::logic_error("seasonal_scale: a season has at least one step");
  const auto m = static_cast<size_t>(season);
  double sum = 0;
  int64_t pairs = 0;
  for (size_t t = m; t < history.size(); ++t) {
    const double difference = std::abs(history[t] - history[t - m]);
    if (std::isnan(difference)) continue;
    sum += difference;
    ++pairs;
  }
  return sum > 0 ? ratio(sum, pairs) : kMissing;
}

std::string_view name_of(Metric metric) {
  switch (metric) {
    case Metric::mse:
      return "mse";
    case Metric::mae:
      return "mae";
    case Metric::rmse:
      return "rmse";
    case Metric::smape:
      return "smape";
    case Metric::mase:
      return "mase";
    case Metric::mape:
      return "mape";
    case Metric::wape:
      return "wape";
  }
  throw std::logic_error("name_of: no such metric");
}

void ErrorSums::add(double target, double forecast, double scale) {
  if (std::isnan(target)) {
    ++missing;
    return;
  }
  if (std::isnan(forecast)) {
    ++unforecast;
    return;
  }
  ++count;
  const double error = std::abs(target - forecast), size = std::abs(target);
  squared += error * error;
  absolute += error;
  magnitude += size;
  if (error > 0) symmetric += std::isfinite(error) ? 2 * error / (size + std::abs(forecast)) : 2;
  if (size > 0) {
    ++nonzero;
    relative += error / size;
  }
  if (std::isfinite(scale) && scale > 0) {
    ++scaled;
    scaled_absolute += error / scale;
  }
}

void ErrorSums::add(const ErrorSums& other) {
  count += other.count;
  missing += other.missing;
  unforecast += other.unforecast;
  nonzero += other.nonzero;
  scaled += other.scaled;
  squared += other.squared;
  absolute += other.absolute;
  magnitude += other.magnitude;
  symmetric += other.symmetric;
  relative += other.relative;
  scaled_absolute += other.scaled_absolute;
}

double ErrorSums::value(Metric metric) const {
  switch (metric) {
    case Metric::mse:
      return ratio(squared, count);
    case Metric::mae:
      return ratio(absolute, count);
    case Metric::rmse:
      return std::sqrt(ratio(squared, count));
    case Metric::smape:
      return 100 * ratio(symmetric, count);
    case Metric::mase:
      return ratio(scaled_absolute, scaled);
    case Metric::mape:
      return 100 * ratio(relative, nonzero);
    case Metric::wape:
      return magnitude > 0 ? 100 * absolute / magnitude : kMissing;
  }
  throw std::logic_error("ErrorSums: no such metric");
}

HorizonErrors::HorizonErrors(int64_t horizon) : steps(static_cast<size_t>(horizon)) {}

void HorizonErrors::add(std::span<const double> target, std::span<const double> forecast,
                        double scale) {
  add_window(*this, target, forecast, scale);
}

void HorizonErrors::add(std::span<const float> target, std::span<const float> forecast,
                        double scale) {
  add_window(*this, target, forecast, scale);
}

void HorizonErrors::add(const HorizonErrors& other) {
  if (other.steps.size() != steps.size())
    throw std::logic_error("HorizonErrors: sums of another horizon");
  for (size_t t = 0; t < steps.size(); ++t) steps[t].add(other.steps[t]);
  windows += other.windows;
}

ErrorSums HorizonErrors::overall() const {
  ErrorSums all;
  for (const ErrorSums& step : steps) all.add(step);
  return all;
}

}  // namespace timeseries
