#include "timeseries/model/stream.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "attn/error.h"
#include "libattn/io/text.h"
#include "timeseries/model/channel_columns.h"
#include "timeseries/model/forecast_parts.h"
#include "timeseries/model/intervals.h"
#include "timeseries/score/residuals.h"
#include "timeseries/series/calendar.h"

namespace timeseries {
namespace {

/// Mean of |x_t - x_{t-m}| over all rows so far.
class RunningDifference {
 public:
  void add(double now, double before) {
    const double difference = std::abs(now - before);
    if (std::isnan(difference)) return;
    sum_ += difference;
    ++pairs_;
  }
  /// NaN where there is none, or all are 0.
  double mean() const {
    return sum_ > 0 ? sum_ / static_cast<double>(pairs_) : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  double sum_ = 0;
  int64_t pairs_ = 0;
};

/// Mean and population sd of all values so far (Welford 1962; West 1979 for `times`).
class RunningMoments {
 public:
  void add(double x, int64_t times = 1) {
    if (times == 0) return;
    count_ += times;
    const double away = x - mean_, weight = static_cast<double>(times);
    mean_ += away * weight / static_cast<double>(count_);
    squares_ += away * (x - mean_) * weight;
  }
  int64_t count() const { return count_; }
  double mean() const { return mean_; }
  double sd() const { return std::sqrt(squares_ / static_cast<double>(count_)); }

 private:
  int64_t count_ = 0;
  double mean_ = 0, squares_ = 0;
};

/// Moments of a series that the model does not know, as scaler_for finds them.
class OwnMoments {
 public:
  explicit OwnMoments(Transform transform) : transform_(transform) {}

  void add(double x) {
    if (std::isnan(x)) return;
    plain_.add(x);
    if (transform_ == Transform::none) return;
    zeros_ += static_cast<int64_t>(x == 0);
    if (x == 0 || nonzero_ == kBendValues) {
      bent_.add(bent(x));
    } else {
      bend_anew(x);
    }
  }
  Moments moments() const {
    if (plain_.count() == 0) return {};
    const double mean = plain_.mean(), sd = plain_.sd();
    if (sd <= constant_below(mean, plain_.count())) return {mean, 1};
    if (!(bend_ > 0)) return {mean, sd};
    return {bent_.mean(), bent_.sd(), bend_, sd};
  }

 private:
  double bent(double x) const { return bend_ > 0 ? std::asinh(x / bend_) : x; }
  void bend_anew(double x) {
    first_.push_back(x);
    magnitudes_ += std::abs(x);
    ++nonzero_;
    bend_ = bend_of(magnitudes_ / static_cast<double>(nonzero_));
    bent_ = {};
    bent_.add(0, zeros_);
    for (const double each : first_) bent_.add(bent(each));
  }

  Transform transform_;
  RunningMoments plain_, bent_;
  double bend_ = 0, magnitudes_ = 0;
  int64_t zeros_ = 0, nonzero_ = 0;
  std::vector<double> first_;  // that are not 0 and decide where it bends
};

struct ChannelSums {
  explicit ChannelSums(Transform transform) : moments(transform) {}
  RunningDifference season, neighbour;
  OwnMoments moments;
};

void require_numbers(const char* what, std::span<const double> values, size_t wanted) {
  if (values.size() != wanted)
    throw attn::Error("the row holds " + std::to_string(values.size()) + " " + what +
                      ", the model was trained on " + std::to_string(wanted));
  for (const double x : values)
    if (std::isinf(x))
      throw attn::Error(std::string("the row holds an infinite number among its ") + what +
                        "; leave it missing (NaN)");
}

}  // namespace

struct StreamForecaster::State {
  State(ForecastModel m, const SeriesSet& history, int64_t series, std::vector<double> levels)
      : model(std::move(m)),
        intervals(intervals_at(model.intervals, std::move(levels))),
        recent(history),
        keep(std::max(model.lookback(), model.season()) + 1) {
    require_same_columns(model, history);
    if (series < 0 || series >= static_cast<int64_t>(history.series.size()))
      throw attn::UsageError(name_of(history) + ": has no series number " + std::to_string(series));
    Series own = history.series[static_cast<size_t>(series)];
    recent.series = {std::move(own)};
    start = tail().start;
    rows = tail().rows;
    sums.assign(history.channels.size(), ChannelSums(model.scaler.transform));
    for (int64_t r = 0; r < rows; ++r) count_row(r);
    known_series = model.scaler.by == ScaleBy::channel ||
                   std::find(model.scaler.series.begin(), model.scaler.series.end(), tail().id) !=
                       model.scaler.series.end();
    trim(0);
  }

  Series& tail() { return recent.series.front(); }
  double value(int64_t row, size_t channel) {
    return tail().values[static_cast<size_t>(row) * sums.size() + channel];
  }

  /// Takes row r of the tail into the sums of the whole past.
  void count_row(int64_t r) {
    for (size_t c = 0; c < sums.size(); ++c) {
      const double now = value(r, c);
      sums[c].moments.add(now);
      if (r >= 1) sums[c].neighbour.add(now, value(r - 1, c));
      if (r >= model.season()) sums[c].season.add(now, value(r - model.season(), c));
    }
  }

  /// Drops rows that no forecast looks at any more, once more than `spare` of them are there.
  void trim(int64_t spare) {
    Series& s = tail();
    const int64_t drop = s.rows - keep;
    if (drop <= spare) return;
    const auto erase = [&](std::vector<double>& matrix, size_t width) {
      matrix.erase(matrix.begin(), matrix.begin() + drop * static_cast<int64_t>(width));
    };
    erase(s.values, recent.channels.size());
    erase(s.past, recent.past_names.size());
    erase(s.future, recent.future_names.size());
    s.rows -= drop;
    s.start = advance(start, recent.frequency, rows - s.rows);
  }

  Scaler scaler() const {
    Scaler out = scaler_of(model, recent);
    if (!known_series)
      for (size_t c = 0; c < sums.size(); ++c) out.values[c] = sums[c].moments.moments();
    return out;
  }

  double scale(std::span<const double> past, size_t channel, const Moments& moments) const {
    if (!model.options.intervals.scaled) return moments.unit();
    const auto window = std::min(past.size(), static_cast<size_t>(model.lookback()));
    for (const double found : {residual_scale(past.last(window), model.season()),
                               sums[channel].season.mean(), sums[channel].neighbour.mean()})
      if (!std::isnan(found)) return found;
    return 0;
  }

  SeriesForecast forecast();

  ForecastModel model;
  ConformalIntervals intervals;
  SeriesSet recent;  // the one series, its last rows
  int64_t keep;      // rows that a forecast may look at
  Instant start = 0;
  int64_t rows = 0;  // of the whole past
  std::vector<ChannelSums> sums;
  bool known_series = true;
  std::optional<SeriesForecast> last;  // until the next row
};

SeriesForecast StreamForecaster::State::forecast() {
  const std::string sentence =
      hindrance(recent, tail(), rows, model.lookback(), least_rows(model, 0));
  if (!sentence.empty()) throw attn::Error(sentence);
  const Scaler scaling = scaler();
  const WindowSource source(
      recent, scaling,
      {model.lookback(), model.horizon(), model.options.cycle.value_or(0), model.options.calendar});
  std::vector<Window> windows;
  for (size_t c = 0; c < sums.size(); ++c)
    windows.push_back({0, static_cast<int32_t>(c), tail().rows});
  const WindowForecasts all = forecast_windows(model, source, scaling, windows, {});
  SeriesForecast out = blank_forecast(intervals.levels.size(), sums.size(), model.horizon());
  out.id = tail().id;
  out.origin = rows;
  for (int64_t h = 0; h < model.horizon(); ++h)
    out.stamps.push_back(advance(start, recent.frequency, rows + h));
  ChannelColumns columns(recent);
  const auto steps = static_cast<size_t>(model.horizon());
  for (size_t c = 0; c < sums.size(); ++c) {
    const auto channel = static_cast<int64_t>(c);
    put_channel(out, intervals, c, std::span(all.values).subspan(c * steps, steps),
                scale(columns.of(0, channel), c, scaling.of(0, channel)));
  }
  return out;
}

StreamForecaster::StreamForecaster(ForecastModel model, const SeriesSet& history, int64_t series,
                                   std::vector<double> levels)
    : state_(std::make_unique<State>(std::move(model), history, series, std::move(levels))) {}
StreamForecaster::~StreamForecaster() = default;
StreamForecaster::StreamForecaster(StreamForecaster&&) noexcept = default;
StreamForecaster& StreamForecaster::operator=(StreamForecaster&&) noexcept = default;

void StreamForecaster::push(std::span<const double> values, std::span<const double> past) {
  State& s = *state_;
  Series& tail = s.tail();
  require_numbers("values", values, s.recent.channels.size());
  require_numbers("covariates known up to now", past, s.recent.past_names.size());
  if (!s.recent.future_names.empty() && tail.ahead < 1)
    throw attn::Error(
        "the covariates known ahead end with the last row; give those of the next row first");
  tail.values.insert(tail.values.end(), values.begin(), values.end());
  tail.past.insert(tail.past.end(), past.begin(), past.end());
  if (!s.recent.future_names.empty()) --tail.ahead;
  ++tail.rows;
  ++s.rows;
  s.count_row(tail.rows - 1);
  s.trim(s.keep);
  s.last.reset();
}

void StreamForecaster::know(std::span<const double> future) {
  State& s = *state_;
  require_numbers("covariates known ahead", future, s.recent.future_names.size());
  s.tail().future.insert(s.tail().future.end(), future.begin(), future.end());
  ++s.tail().ahead;
  s.last.reset();
}

SeriesForecast StreamForecaster::forecast() {
  State& s = *state_;
  if (!s.last) {
    if (!s.recent.future_names.empty()) require_ahead(s.recent, s.model.horizon());
    s.last = s.forecast();
  }
  return *s.last;
}

int64_t StreamForecaster::rows() const {
  return state_->rows;
}

}  // namespace timeseries
