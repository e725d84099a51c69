#include "timeseries/window/batch.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "attn/error.h"
#include "libattn/io/text.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/calendar_features.h"
#include "timeseries/window/clock.h"

namespace timeseries {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

float known_or_mean(double x, const Moments& m) {
  return std::isnan(x) ? 0.0F : static_cast<float>(m.apply(x));
}

/// Rows begin ... begin + count - 1 of a matrix (rows, width) to `out`; `absent` where there are
/// none.
void copy_rows(const std::vector<float>& matrix, int64_t first_element, int64_t rows, int64_t width,
               int64_t begin, int64_t count, float absent, float* out) {
  const int64_t from = std::clamp<int64_t>(begin, 0, rows),
                to = std::clamp<int64_t>(begin + count, from, rows);
  std::fill(out, out + (from - begin) * width, absent);
  std::copy(matrix.begin() + first_element + from * width,
            matrix.begin() + first_element + to * width, out + (from - begin) * width);
  std::fill(out + (to - begin) * width, out + count * width, absent);
}

}  // namespace

WindowSource::WindowSource(const SeriesSet& set, const Scaler& scaler, const BatchOptions& options)
    : options_(options),
      path_(set.path.string()),
      future_width_(static_cast<int64_t>(set.future_names.size())) {
  known_names_ = set.future_names;
  if (options.calendar)
    for (std::string& name : cyclic_feature_names(set.frequency))
      known_names_.push_back(std::move(name));
  past_names_ = set.past_names;
  past_names_.insert(past_names_.end(), set.static_names.begin(), set.static_names.end());
  const Scaler own = scaler_for(scaler, set, all_rows(set));
  for (size_t s = 0; s < set.series.size(); ++s) series_.push_back(copy_of(set, s, own));
}

WindowSource::Rows WindowSource::copy_of(const SeriesSet& set, size_t index,
                                         const Scaler& scaler) const {
  const Series& s = set.series[index];
  const size_t channels = set.channels.size(), n = static_cast<size_t>(s.rows);
  Rows out;
  out.id = s.id;
  out.rows = s.rows;
  out.values.resize(channels * n);
  for (size_t c = 0; c < channels; ++c) {
    const Moments& m = scaler.of(static_cast<int64_t>(index), static_cast<int64_t>(c));
    for (size_t r = 0; r < n; ++r)
      out.values[c * n + r] = static_cast<float>(m.apply(s.values[r * channels + c]));
  }
  out.phase.assign(n + 1, 0);
  if (options_.season > 0) {
    const std::vector<Instant> instants = instants_of(s, set.frequency, s.rows + 1);
    for (size_t r = 0; r <= n; ++r)
      out.phase[r] = static_cast<int32_t>(phase_of(instants[r], set.frequency, options_.season));
  }
  add_covariates(out, set, index, scaler);
  return out;
}

void WindowSource::add_covariates(Rows& rows, const SeriesSet& set, size_t index,
                                  const Scaler& scaler) const {
  const Series& s = set.series[index];
  const size_t f = scaler.future.size(), all = known_names_.size();
  rows.known_rows = s.rows + (f > 0 ? s.ahead : options_.horizon);
  rows.known.resize(static_cast<size_t>(rows.known_rows) * all);
  for (size_t r = 0; r < static_cast<size_t>(rows.known_rows); ++r)
    for (size_t k = 0; k < f; ++k)
      rows.known[r * all + k] = known_or_mean(s.future[r * f + k], scaler.future[k]);
  if (options_.calendar) {
    const std::vector<double> features =
        cyclic_features(instants_of(s, set.frequency, rows.known_rows), set.frequency);
    for (size_t i = 0; i < features.size(); ++i)
      rows.known[i / (all - f) * all + f + i % (all - f)] = static_cast<float>(features[i]);
  }
  const size_t p = scaler.past.size(), width = past_names_.size();
  rows.past.resize(static_cast<size_t>(s.rows) * width);
  for (size_t r = 0; r < static_cast<size_t>(s.rows); ++r) {
    for (size_t k = 0; k < p; ++k)
      rows.past[r * width + k] = known_or_mean(s.past[r * p + k], scaler.past[k]);
    for (size_t k = p; k < width; ++k)
      rows.past[r * width + k] = known_or_mean(s.statics[k - p], scaler.statics[k - p]);
  }
}

WindowBatch WindowSource::gather(std::span<const Window> windows) const {
  const auto n = static_cast<int64_t>(windows.size());
  const int64_t lookback = options_.lookback, horizon = options_.horizon;
  const int64_t f = known_width(), p = past_width();
  WindowBatch batch;
  batch.values = at::empty({n, lookback}, at::kFloat);
  batch.target = at::empty({n, horizon}, at::kFloat);
  if (f > 0) batch.known = at::empty({n, lookback + horizon, f}, at::kFloat);
  if (p > 0) batch.past = at::empty({n, lookback, p}, at::kFloat);
  batch.phase = at::empty({n}, at::kLong);
  batch.channel = at::empty({n}, at::kLong);
  for (int64_t i = 0; i < n; ++i) {
    const Window& w = windows[static_cast<size_t>(i)];
    const Rows& s = series_.at(static_cast<size_t>(w.series));
    const int64_t begin = w.origin - lookback;
    if (future_width_ > 0 && w.origin + horizon > s.known_rows) {
      throw attn::Error(path_ + (s.id.empty() ? "" : ": series " + attn::io::quote_text(s.id)) +
                        ": the covariates known ahead end " +
                        std::to_string(s.known_rows - w.origin) +
                        " steps after the origin of the forecast, " + std::to_string(horizon) +
                        " are needed; give a file that holds them over the whole horizon");
    }
    copy_rows(s.values, w.channel * s.rows, s.rows, 1, begin, lookback, kMissing,
              batch.values.mutable_data_ptr<float>() + i * lookback);
    copy_rows(s.values, w.channel * s.rows, s.rows, 1, w.origin, horizon, kMissing,
              batch.target.mutable_data_ptr<float>() + i * horizon);
    if (f > 0)
      copy_rows(s.known, 0, s.known_rows, f, begin, lookback + horizon, 0.0F,
                batch.known.mutable_data_ptr<float>() + i * (lookback + horizon) * f);
    if (p > 0)
      copy_rows(s.past, 0, s.rows, p, begin, lookback, 0.0F,
                batch.past.mutable_data_ptr<float>() + i * lookback * p);
    batch.phase.mutable_data_ptr<int64_t>()[i] = s.phase.at(static_cast<size_t>(w.origin));
    batch.channel.mutable_data_ptr<int64_t>()[i] = w.channel;
  }
  return batch;
}

}  // namespace timeseries
