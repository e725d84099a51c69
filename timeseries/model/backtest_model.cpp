#include "timeseries/model/backtest_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/io/json.h"
#include "timeseries/model/channel_columns.h"
#include "timeseries/model/forecast_parts.h"
#include "timeseries/model/intervals.h"
#include "timeseries/model/model_split.h"
#include "timeseries/model/predict.h"
#include "timeseries/score/naive.h"
#include "timeseries/series/calendar.h"

namespace timeseries {
namespace {

/// The series of the set that are long enough, and the origins of each.
struct Work {
  SeriesSet set;
  std::vector<int64_t> numbers;               // of the series in the set given
  std::vector<std::vector<int64_t>> origins;  // of each series, ascending
  std::vector<int64_t> seen;                  // rows of each that the model has met
};

bool any_seen(const Work& work) {
  for (size_t s = 0; s < work.origins.size(); ++s)
    if (work.origins[s].front() < work.seen[s]) return true;
  return false;
}

std::vector<int64_t> origins_at(const Work& work, size_t window) {
  std::vector<int64_t> out;
  for (const std::vector<int64_t>& own : work.origins)
    out.push_back(own[std::min(window, own.size() - 1)]);
  return out;
}

size_t most_windows(const Work& work) {
  size_t most = 0;
  for (const std::vector<int64_t>& own : work.origins) most = std::max(most, own.size());
  return most;
}

std::vector<RowSpan> rows_before(const std::vector<int64_t>& origins) {
  std::vector<RowSpan> out;
  for (const int64_t origin : origins) out.push_back({0, origin});
  return out;
}

/// One call of backtest_model.
class Backtest {
 public:
  Backtest(const ForecastModel& model, const SeriesSet& set, const BacktestModelOptions& options,
           const attn::Hooks& hooks)
      : model_(model), options_(options), hooks_(hooks) {
    out_.horizon = chosen_horizon(model, options.horizon);
    out_.stride = options.stride > 0 ? options.stride : out_.horizon;
    out_.season = options.season > 0 ? options.season : model.season();
    if (options.refit_every.value_or(0) < 0)
      throw attn::UsageError("the windows between two trainings must not be negative, found " +
                             std::to_string(*options.refit_every));
    if (model.intervals.levels.empty() && !options.levels.empty()) {
      hooks.warning(
          "the model has no intervals, since no residual of validation rows was known when it was "
          "trained; their coverage is not measured");
    } else {
      out_.levels = intervals_at(model.intervals, options.levels).levels;
    }
    plan(set);
  }

  BacktestResult run() {
    if (!options_.refit_every) leave_rows_to_train();
    const bool seen = any_seen(work_);
    const std::vector<Window> windows = windows_of(0, most_windows(work_), true);
    require_targets(work_.set, windows, out_.horizon);
    if (out_.empty_lookbacks > 0)
      hooks_.warning(fmt::format("{}: {} windows whose look-back holds no value are left out",
                                 name_of(work_.set), out_.empty_lookbacks));
    refit_every_ = options_.refit_every.value_or(
        seen && can_refit() ? static_cast<int64_t>(most_windows(work_)) : 0);
    out_.knows_targets = seen && refit_every_ == 0;
    if (out_.knows_targets)
      hooks_.warning(name_of(work_.set) +
                     ": the model was trained or validated on rows that are forecast here, so its "
                     "errors are too small; train it with a test part (--test)");
    prepare_scales();
    add_model();
    if (options_.dlinear && model_.options.network != Network::dlinear) add_dlinear();
    if (options_.naive) add_naive();
    return std::move(out_);
  }

 private:
  void plan(const SeriesSet& set) {
    const std::vector<RowsSeen> met = rows_seen(model_, set);
    work_.set = set;
    work_.set.series.clear();
    int64_t rows_wanted = 0;
    for (size_t s = 0; s < set.series.size(); ++s) {
      BacktestOptions o{out_.horizon, options_.windows, out_.stride, least(met[s].trained)};
      rows_wanted = rows_needed(o);
      if (set.series[s].rows < rows_wanted) {
        out_.short_series.push_back(set.series[s].id);
        continue;
      }
      work_.set.series.push_back(set.series[s]);
      work_.numbers.push_back(static_cast<int64_t>(s));
      work_.origins.push_back(rolling_origins(set.series[s].rows, o, name_of(set, set.series[s])));
      work_.seen.push_back(met[s].seen);
    }
    if (work_.set.series.empty()) refuse(set, rows_wanted);
    if (!out_.short_series.empty())
      hooks_.warning(
          fmt::format("{}: {} series with fewer than the {} rows that the windows need "
                      "are left out",
                      name_of(set), out_.short_series.size(), rows_wanted));
  }

  /// Drops the oldest windows until the rows before the first are enough to train on, where the
  /// model has seen what it is to forecast; none, where even one window leaves too few.
  void leave_rows_to_train() {
    const std::vector<std::vector<int64_t>> all = work_.origins;
    const size_t asked = most_windows(work_);
    while (any_seen(work_) && !can_refit()) {
      const size_t most = most_windows(work_);
      if (most == 1) {
        work_.origins = all;
        return;
      }
      for (std::vector<int64_t>& own : work_.origins)
        if (own.size() == most) own.erase(own.begin());
    }
    if (const size_t left = most_windows(work_); left < asked)
      hooks_.warning(fmt::format("{}: {} windows leave too few rows before them to train on; {} {}",
                                 name_of(work_.set), asked, left,
                                 left == 1 ? "is forecast" : "are forecast"));
  }

  /// Rows before the first origin at least.
  int64_t least(int64_t trained) const {
    const int64_t lookback = model_.lookback();
    if (options_.refit_every.value_or(0) > 0) return lookback + 3 * model_.horizon();
    return options_.windows == 0 ? std::max(lookback, trained) : lookback;
  }

  [[noreturn]] void refuse(const SeriesSet& set, int64_t wanted) const {
    int64_t longest = 0;
    for (const Series& s : set.series) longest = std::max(longest, s.rows);
    throw attn::Error(fmt::format(
        "{}: {} rows are needed for {} of {} steps behind a look-back of {}, the longest series "
        "has "
        "{}; ask for fewer windows or a shorter horizon, or give more rows",
        name_of(set), wanted,
        options_.windows == 1 ? "a window"
                              : fmt::format("{} windows", std::max<int64_t>(options_.windows, 1)),
        out_.horizon, model_.lookback(), longest));
  }

  /// Denominators of MASE, by the rows before the first origin.
  void prepare_scales() {
    ChannelColumns columns(work_.set);
    const auto channels = static_cast<int64_t>(work_.set.channels.size());
    for (size_t s = 0; s < work_.origins.size(); ++s)
      for (int64_t c = 0; c < channels; ++c)
        scales_.push_back(seasonal_scale(
            columns.before(static_cast<int64_t>(s), c, work_.origins[s].front()), out_.season));
  }
  double scale_of(const Window& w) const {
    const size_t channels = work_.set.channels.size();
    return scales_[static_cast<size_t>(w.series) * channels + static_cast<size_t>(w.channel)];
  }

  /// Windows first ... last - 1 of every series that has a known look-back.
  std::vector<Window> windows_of(size_t first, size_t last, bool count) {
    std::vector<Window> out;
    ChannelColumns columns(work_.set);
    for (size_t s = 0; s < work_.origins.size(); ++s) {
      const auto series = static_cast<int32_t>(s);
      for (size_t i = first; i < std::min(last, work_.origins[s].size()); ++i) {
        for (size_t c = 0; c < work_.set.channels.size(); ++c) {
          const Window w{series, static_cast<int32_t>(c), work_.origins[s][i]};
          const auto past = columns.before(series, w.channel, w.origin);
          const auto look =
              past.last(std::min(past.size(), static_cast<size_t>(model_.lookback())));
          if (std::all_of(look.begin(), look.end(), [](double x) { return std::isnan(x); })) {
            out_.empty_lookbacks += static_cast<int64_t>(count);
          } else {
            out.push_back(w);
          }
        }
      }
    }
    return out;
  }

  void add_model() {
    MethodScores scores{to_string(model_.options.network), HorizonErrors(out_.horizon),
                        intervals_of_levels()};
    const size_t all = most_windows(work_);
    const size_t step = refit_every_ > 0 ? static_cast<size_t>(refit_every_) : all;
    for (size_t first = 0; first < all; first += step) {
      const std::vector<Window> windows = windows_of(first, first + step, false);
      out_.windows += static_cast<int64_t>(windows.size());
      if (refit_every_ > 0) {
        score(refitted(model_.options, first, fmt::format("refit-{}", first)), windows, first,
              scores, true);
        ++out_.refits;
      } else {
        score(model_, windows, first, scores, true);
      }
    }
    out_.methods.push_back(std::move(scores));
  }

  void add_dlinear() {
    ModelOptions o =
        default_options(Network::dlinear, static_cast<int64_t>(work_.set.channels.size()));
    o.horizon = out_.horizon;
    o.lookback = model_.lookback();
    o.season = out_.season;
    o.scale = model_.options.scale;
    o.seed = model_.options.seed;
    MethodScores scores{to_string(o.network), HorizonErrors(out_.horizon), intervals_of_levels()};
    try {
      score(refitted(o, 0, "dlinear"), windows_of(0, most_windows(work_), false), 0, scores, false);
    } catch (const attn::StorageError&) {
      throw;
    } catch (const attn::Error& error) {
      hooks_.warning(std::string("DLinear is left out, since it cannot be trained: ") +
                     error.what());
      return;
    }
    out_.methods.push_back(std::move(scores));
  }

  /// Whether the rows before the first origins are enough to train on.
  bool can_refit() const {
    const SeriesSet past = first_rows(work_.set, origins_at(work_, 0), model_.horizon());
    try {
      resolved(model_.options, past, tail_split(past, model_.horizon()));
      return true;
    } catch (const attn::Error&) {
      return false;
    }
  }

  /// A model trained on the rows before the origins numbered `window`.
  ForecastModel refitted(const ModelOptions& options, size_t window, const std::string& name) {
    const SeriesSet past = first_rows(work_.set, origins_at(work_, window), options.horizon);
    FitFiles files = options_.files;
    if (!files.folder.empty()) files.folder /= name;
    const attn::ProbeLayer label(name);
    ModelOptions own = options;
    // What was chosen for the model was chosen by rows that may lie behind these origins.
    if (attn::io::get_or<bool>(model_.training, "transform_chosen", "the model", false) &&
        own.network == model_.options.network)
      own.transform.reset();
    return kept_fit(past, tail_split(past, options.horizon), own, files, hooks_).model;
  }

  /// Forecasts of the windows, whose first origins are those numbered `first`, into the scores.
  void score(const ForecastModel& model, const std::vector<Window>& windows, size_t first,
             MethodScores& scores, bool keep) {
    const std::vector<RowSpan> known = rows_before(origins_at(work_, first));
    const SeriesSet padded = with_ahead(work_.set, model.horizon());
    const Scaler scaler = scaler_of(model, work_.set, known);
    const WindowForecasts all =
        forecast_windows(model, source_for(model, padded, known), scaler, windows, hooks_);
    const bool bounded = !out_.levels.empty() && !model.intervals.levels.empty();
    ConformalIntervals intervals;
    if (bounded) intervals = intervals_at(model.intervals, out_.levels);
    if (!bounded && !out_.levels.empty())
      hooks_.warning(name_of(work_.set) +
                     ": a model trained on the rows before a window has no intervals, since no "
                     "residual of its validation rows was known; that window's coverage is not "
                     "measured");
    ChannelColumns columns(work_.set);
    const auto steps = static_cast<size_t>(model.horizon()),
               asked = static_cast<size_t>(out_.horizon);
    for (size_t i = 0; i < windows.size(); ++i) {
      const Window& w = windows[i];
      const auto column = columns.of(w.series, w.channel);
      const auto past = column.first(static_cast<size_t>(w.origin));
      const auto target = column.subspan(past.size(), asked);
      const auto forecast = std::span<const double>(all.values).subspan(i * steps, asked);
      const double scale =
          interval_scale(past, model.lookback(), model.season(), model.options.intervals.scaled,
                         scaler.of(w.series, w.channel));
      IntervalBounds bounds;
      if (bounded) {
        bounds = bounds_of(intervals, w.channel, forecast, scale);
      } else {
        bounds.low.assign(out_.levels.size() * asked, kMissing);
        bounds.high = bounds.low;
      }
      scores.errors.add(target, forecast, scale_of(w));
      if (!out_.levels.empty()) scores.intervals.add(target, bounds.low, bounds.high, scale_of(w));
      if (keep && options_.keep_forecasts) this->keep(w, target, forecast, bounds);
    }
  }

  HorizonIntervals intervals_of_levels() const {
    return out_.levels.empty() ? HorizonIntervals() : HorizonIntervals(out_.levels, out_.horizon);
  }

  void keep(const Window& w, std::span<const double> target, std::span<const double> forecast,
            const IntervalBounds& bounds) {
    out_.forecasts.push_back({work_.numbers[static_cast<size_t>(w.series)],
                              w.channel,
                              w.origin,
                              {target.begin(), target.end()},
                              {forecast.begin(), forecast.end()},
                              bounds.low,
                              bounds.high});
  }

  void add_naive() {
    MethodScores season{"seasonal-naive", HorizonErrors(out_.horizon), {}};
    MethodScores last{"last-value", HorizonErrors(out_.horizon), {}};
    ChannelColumns columns(work_.set);
    for (const Window& w : windows_of(0, most_windows(work_), false)) {
      const auto column = columns.of(w.series, w.channel);
      const auto past = column.first(static_cast<size_t>(w.origin));
      const auto target = column.subspan(past.size(), static_cast<size_t>(out_.horizon));
      season.errors.add(target, seasonal_naive(past, out_.season, out_.horizon), scale_of(w));
      last.errors.add(target, last_value(past, out_.horizon), scale_of(w));
    }
    if (model_.options.network != Network::seasonal_naive)
      out_.methods.push_back(std::move(season));
    out_.methods.push_back(std::move(last));
  }

  const ForecastModel& model_;
  const BacktestModelOptions& options_;
  const attn::Hooks& hooks_;
  Work work_;
  int64_t refit_every_ = 0;
  std::vector<double> scales_;  // (series, channel)
  BacktestResult out_;
};

}  // namespace

BacktestResult backtest_model(const ForecastModel& model, const SeriesSet& set,
                              const BacktestModelOptions& options, const attn::Hooks& hooks) {
  require_same_columns(model, set);
  return Backtest(model, set, options, hooks).run();
}

}  // namespace timeseries
