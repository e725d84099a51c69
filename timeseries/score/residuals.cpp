#include "timeseries/score/residuals.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "timeseries/score/metrics.h"

namespace timeseries {
namespace {

constexpr int64_t kMost = 20000, kLeast = 200;
constexpr int64_t kNumbers = 32'000'000;  // 256 MB

int64_t kept(const ResidualOptions& options) {
  if (options.keep > 0) return options.keep;
  return std::clamp(kNumbers / options.horizon / options.channels, kLeast, kMost);
}

}  // namespace

ResidualSample::ResidualSample(const ResidualOptions& options) : options_(options) {
  if (options.horizon < 1 || options.channels < 1 || options.keep < 0)
    throw std::logic_error("ResidualSample: horizon and channels >= 1, keep >= 0");
  options_.keep = kept(options);
  for (int64_t c = 0; c < options.channels; ++c)
    channels_.push_back(
        {attn::random::Rng::keyed({options.seed, static_cast<uint64_t>(c)}), 0, {}});
}

double* ResidualSample::place(int64_t channel, double scale) {
  if (!(std::isfinite(scale) && scale > 0)) {
    ++unscaled_;
    return nullptr;
  }
  Channel& to = channels_.at(static_cast<size_t>(channel));
  const auto width = static_cast<size_t>(options_.horizon);
  if (to.seen++ < options_.keep) {
    to.rows.resize(to.rows.size() + width, kMissing);
    return to.rows.data() + to.rows.size() - width;
  }
  // The window is one of `keep` out of `seen`, and takes the place of any of those kept.
  const auto at = static_cast<int64_t>(to.random.uniform() * static_cast<double>(to.seen));
  return at < options_.keep ? to.rows.data() + static_cast<size_t>(at) * width : nullptr;
}

template <class Number>
void ResidualSample::add_window(int64_t channel, std::span<const Number> target,
                                std::span<const Number> forecast, double scale) {
  const auto width = static_cast<size_t>(options_.horizon);
  if (target.size() != width || forecast.size() != width)
    throw std::logic_error("ResidualSample: targets and forecasts are not as many as steps");
  double* row = place(channel, scale);
  if (row == nullptr) return;
  for (size_t t = 0; t < width; ++t)
    row[t] = (static_cast<double>(target[t]) - static_cast<double>(forecast[t])) / scale;
}

void ResidualSample::add(int64_t channel, std::span<const double> target,
                         std::span<const double> forecast, double scale) {
  add_window(channel, target, forecast, scale);
}

void ResidualSample::add(int64_t channel, std::span<const float> target,
                         std::span<const float> forecast, double scale) {
  add_window(channel, target, forecast, scale);
}

int64_t ResidualSample::windows(int64_t channel) const {
  return std::min(channels_.at(static_cast<size_t>(channel)).seen, options_.keep);
}

std::vector<double> ResidualSample::sorted(int64_t channel, int64_t step) const {
  const std::vector<double>& rows = channels_.at(static_cast<size_t>(channel)).rows;
  const auto width = static_cast<size_t>(options_.horizon);
  std::vector<double> out;
  for (auto i = static_cast<size_t>(step); i < rows.size(); i += width)
    if (std::isfinite(rows[i])) out.push_back(rows[i]);
  std::sort(out.begin(), out.end());
  return out;
}

double residual_scale(std::span<const double> lookback, int64_t season) {
  const double scale = seasonal_scale(lookback, season);
  return std::isnan(scale) ? seasonal_scale(lookback, 1) : scale;
}

}  // namespace timeseries
