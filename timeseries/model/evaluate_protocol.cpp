#include "timeseries/model/evaluate_protocol.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "attn/error.h"
#include "attn/probe.h"
#include "timeseries/forecast/evaluate.h"
#include "timeseries/model/channel_columns.h"
#include "timeseries/model/forecast_parts.h"
#include "timeseries/model/intervals.h"
#include "timeseries/score/interval_metrics.h"
#include "timeseries/score/metrics.h"
#include "timeseries/score/naive.h"
#include "timeseries/series/calendar.h"
#include "timeseries/window/split.h"

namespace timeseries {
namespace {

constexpr int64_t kHorizon = 96;

class Seconds {
 public:
  double passed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// Errors and coverage of one method over all test windows.
class Scores {
 public:
  Scores(int64_t horizon, double level)
      : standardised_(horizon), own_(horizon), intervals_({level}, horizon) {}

  /// Target, forecast and bounds of one window in the units of the data.
  void add(std::span<const double> target, std::span<const double> forecast, const Moments& m,
           double scale) {
    own_.add(target, forecast, scale);
    std::vector<double> y, f;
    for (size_t t = 0; t < target.size(); ++t) {
      y.push_back(m.apply(target[t]));
      f.push_back(m.apply(forecast[t]));
    }
    standardised_.add(y, f);
  }
  void add_bounds(std::span<const double> target, const IntervalBounds& bounds, const Moments& m) {
    intervals_.add(target, bounds.low, bounds.high, m.sd);
    has_bounds_ = true;
  }

  TestScores take(bool units) const {
    const ErrorSums all = standardised_.overall(), own = own_.overall();
    TestScores out{
        all.value(Metric::mse), all.value(Metric::mae), kMissing, kMissing, kMissing, kMissing};
    if (units) {
      out.smape = own.value(Metric::smape);
      out.mase = own.value(Metric::mase);
    }
    if (has_bounds_) {
      const IntervalSums sums = intervals_.overall(0);
      out.coverage = sums.coverage();
      out.width = sums.mean_scaled_width();
    }
    return out;
  }
  int64_t values() const { return standardised_.overall().count; }

 private:
  HorizonErrors standardised_, own_;
  HorizonIntervals intervals_;
  bool has_bounds_ = false;
};

/// One call of evaluate_protocol.
class Evaluation {
 public:
  Evaluation(const SeriesSet& set, const EvaluateOptions& options, const attn::Hooks& hooks)
      : set_(set), options_(options), hooks_(hooks), split_(split_by(set, options.protocol)) {
    if (options.seeds < 1)
      throw attn::UsageError("the number of seeds must be at least 1, found " +
                             std::to_string(options.seeds));
    base_ = options.model;
    base_.horizon = horizon();
    if (!base_.season)
      base_.season =
          options.protocol.season > 0 ? options.protocol.season : season_length(set.frequency);
    const ModelOptions o = resolved(base_, set, split_);
    base_.lookback = o.lookback;
    base_.transform = o.transform;
    scaler_ = fit_scaler(set, split_.train, *o.scale);
    const WindowPlan plan = plan_windows(set, split_.test, {o.lookback, o.horizon, 1, 0});
    windows_ = plan.windows;
    if (windows_.empty())
      throw attn::Error(fmt::format(
          "{}: no test window of {} steps behind a look-back of {}; shorten --horizon or "
          "--lookback, or take another --protocol",
          name_of(set), o.horizon, o.lookback));
    require_targets(set, windows_, o.horizon);
    if (!plan.told().empty()) hooks.warning(name_of(set) + ": " + plan.told());
    out_.protocol = options.protocol.name;
    out_.lookback = o.lookback;
    out_.horizon = o.horizon;
    out_.season = *o.season;
    out_.level = options.level;
    out_.test_windows = static_cast<int64_t>(windows_.size());
    out_.channels = static_cast<int64_t>(set.channels.size());
    out_.series = static_cast<int64_t>(set.series.size());
    out_.short_series = plan.short_series;
    prepare_scales();
  }

  EvaluationResult run() {
    add_network(base_);
    for (const Network network : options_.baselines) {
      if (network == base_.network) continue;
      ModelOptions o = default_options(network, out_.channels);
      o.horizon = base_.horizon;
      o.lookback = base_.lookback;
      o.season = base_.season;
      o.scale = base_.scale;
      o.seed = base_.seed;
      add_network(o);
    }
    if (options_.naive) add_naive();
    return std::move(out_);
  }

 private:
  int64_t horizon() const {
    const int64_t own = options_.protocol.horizon;
    if (!options_.horizon) return own > 0 ? own : kHorizon;
    if (own > 0 && *options_.horizon != own)
      throw attn::UsageError(fmt::format("the protocol {} has a horizon of {}, found {}",
                                         options_.protocol.name, own, *options_.horizon));
    return *options_.horizon;
  }

  /// In the units of the data, with MASE and sMAPE: of the protocols that ask for these.
  bool units() const { return options_.protocol.kind == Protocol::Kind::tail; }

  /// Denominators of MASE, by all rows before the test part.
  void prepare_scales() {
    ChannelColumns columns(set_);
    for (size_t s = 0; s < set_.series.size(); ++s)
      for (int64_t c = 0; c < out_.channels; ++c)
        scales_.push_back(units() ? seasonal_scale(columns.before(static_cast<int64_t>(s), c,
                                                                  split_.test[s].begin),
                                                   out_.season)
                                  : kMissing);
  }
  double scale_of(const Window& w) const {
    return scales_[static_cast<size_t>(w.series * out_.channels + w.channel)];
  }

  void add_network(const ModelOptions& options) {
    MethodEvaluation method;
    method.method = to_string(options.network);
    const int64_t runs = options.network == Network::seasonal_naive ? 1 : options_.seeds;
    for (int64_t run = 0; run < runs; ++run) {
      const Seconds time;
      ModelOptions o = options;
      o.seed += static_cast<uint64_t>(run);
      const std::string name = fmt::format("{}-seed-{}", method.method, o.seed);
      FitFiles files = options_.files;
      if (!files.folder.empty()) files.folder /= name;
      const attn::ProbeLayer label(name);
      const ForecastModel model = kept_fit(set_, split_, o, files, hooks_).model;
      method.parameters = model.parameters();
      method.seeds.push_back(test(model));
      method.seconds += time.passed();
      hooks_.report(method.method + " runs", run + 1, runs);
    }
    out_.methods.push_back(std::move(method));
  }

  TestScores test(const ForecastModel& model) {
    Scores scores(out_.horizon, out_.level);
    const bool bounds = !model.intervals.levels.empty();
    const ConformalIntervals intervals = intervals_at(
        model.intervals, bounds ? std::vector<double>{out_.level} : std::vector<double>{});
    ChannelColumns columns(set_);
    const Scaler own = scaler_of(model, set_);
    std::vector<double> forecast(static_cast<size_t>(out_.horizon));
    const auto take = [&](std::span<const Window> part, const at::Tensor& given,
                          const at::Tensor& /*target*/) {
      const at::Tensor y = given.to(at::kFloat).contiguous();
      const auto* value = y.const_data_ptr<float>();
      for (const Window& w : part) {
        const Moments &m = scaler_.of(w.series, w.channel), &units = own.of(w.series, w.channel);
        for (double& f : forecast) f = units.undo(static_cast<double>(*value++));
        const auto column = columns.of(w.series, w.channel);
        const auto past = column.first(static_cast<size_t>(w.origin));
        const auto target = column.subspan(past.size(), forecast.size());
        scores.add(target, forecast, m, scale_of(w));
        if (!bounds) continue;
        const double scale = interval_scale(past, model.lookback(), model.season(),
                                            model.options.intervals.scaled, units);
        scores.add_bounds(target, bounds_of(intervals, w.channel, forecast, scale), m);
      }
    };
    evaluate(*model.forecaster, source_for(model, set_), windows_, hooks_, take);
    out_.values = scores.values();
    return scores.take(units());
  }

  void add_naive() {
    const Seconds time;
    Scores season(out_.horizon, out_.level), last(out_.horizon, out_.level);
    ChannelColumns columns(set_);
    for (const Window& w : windows_) {
      const auto column = columns.of(w.series, w.channel);
      const auto past = column.first(static_cast<size_t>(w.origin));
      const auto target = column.subspan(past.size(), static_cast<size_t>(out_.horizon));
      const Moments& m = scaler_.of(w.series, w.channel);
      season.add(target, seasonal_naive(past, out_.season, out_.horizon), m, scale_of(w));
      last.add(target, last_value(past, out_.horizon), m, scale_of(w));
    }
    out_.values = std::max(out_.values, season.values());
    const bool there = std::any_of(out_.methods.begin(), out_.methods.end(),
                                   [](const auto& m) { return m.method == "seasonal-naive"; });
    if (!there)
      out_.methods.push_back({"seasonal-naive", {season.take(units())}, 0, time.passed() / 2});
    out_.methods.push_back({"last-value", {last.take(units())}, 0, time.passed() / 2});
  }

  const SeriesSet& set_;
  const EvaluateOptions& options_;
  const attn::Hooks& hooks_;
  Split split_;
  ModelOptions base_;
  Scaler scaler_;  // by which errors are standardised: never bent
  std::vector<Window> windows_;
  std::vector<double> scales_;  // (series, channel)
  EvaluationResult out_;
};

nlohmann::json number(double v) {
  return std::isfinite(v) ? nlohmann::json(v) : nlohmann::json();
}

struct NamedScore {
  const char* name;
  double TestScores::*value;
};
constexpr NamedScore kScores[] = {
    {"mse", &TestScores::mse},           {"mae", &TestScores::mae},
    {"smape", &TestScores::smape},       {"mase", &TestScores::mase},
    {"coverage", &TestScores::coverage}, {"width", &TestScores::width}};

nlohmann::json scores_json(const MethodEvaluation& method) {
  nlohmann::json out = nlohmann::json::object();
  for (const auto& [name, value] : kScores) {
    const OverSeeds over = over_seeds(method, value);
    if (std::isfinite(over.mean))
      out[name] = {{"mean", number(over.mean)}, {"sd", number(over.sd)}};
  }
  return out;
}

}  // namespace

EvaluationResult evaluate_protocol(const SeriesSet& set, const EvaluateOptions& options,
                                   const attn::Hooks& hooks) {
  return Evaluation(set, options, hooks).run();
}

OverSeeds over_seeds(const MethodEvaluation& method, double TestScores::*metric) {
  const auto n = static_cast<double>(method.seeds.size());
  double sum = 0, squares = 0;
  for (const TestScores& scores : method.seeds) sum += scores.*metric;
  const double mean = sum / n;
  for (const TestScores& scores : method.seeds)
    squares += (scores.*metric - mean) * (scores.*metric - mean);
  return {mean, n > 1 ? std::sqrt(squares / (n - 1)) : kMissing};
}

nlohmann::json to_json(const EvaluationResult& r) {
  nlohmann::json out = scores_json(r.methods.front());
  out.update({{"protocol", r.protocol},
              {"network", r.methods.front().method},
              {"seeds", r.methods.front().seeds.size()},
              {"lookback", r.lookback},
              {"horizon", r.horizon},
              {"season", r.season},
              {"level", r.level},
              {"test_windows", r.test_windows},
              {"values", r.values},
              {"channels", r.channels},
              {"series", r.series},
              {"series_left_out", r.short_series}});
  nlohmann::json order = nlohmann::json::array();
  for (const MethodEvaluation& method : r.methods) {
    nlohmann::json one = scores_json(method);
    for (const TestScores& scores : method.seeds) {
      nlohmann::json run = nlohmann::json::object();
      for (const auto& [name, value] : kScores)
        if (std::isfinite(scores.*value)) run[name] = scores.*value;
      one["runs"].push_back(std::move(run));
    }
    one["parameters"] = method.parameters;
    one["seconds"] = method.seconds;
    out["methods"][method.method] = std::move(one);
    order.push_back(method.method);
  }
  out["method_order"] = order;
  return out;
}

}  // namespace timeseries
