#include "timeseries/model/fit_model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/io/digest.h"
#include "libattn/io/json.h"
#include "libattn/train/seed.h"
#include "timeseries/forecast/make.h"
#include "timeseries/model/channel_columns.h"
#include "timeseries/model/entropy_stage.h"
#include "timeseries/model/fit_files.h"
#include "timeseries/model/intervals.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/series_digest.h"

namespace timeseries {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json number(double v) {
  return std::isfinite(v) ? json(v) : json();
}

void warn_of_columns(const Scaler& scaler, const SeriesSet& set, const attn::Hooks& hooks) {
  constexpr size_t kShown = 5;
  const size_t count = scaler.notes.size();
  for (size_t i = 0; i < std::min(count, kShown); ++i)
    hooks.warning(name_of(set) + ": " + scaler.notes[i]);
  if (count > kShown)
    hooks.warning(name_of(set) + ": " + std::to_string(count - kShown) +
                  " more columns are constant or empty in the training rows");
}

/// Where each series' training, and its validation, ended: [id, the first instant behind training,
/// behind both].
json seen_of(const SeriesSet& set, const Split& split) {
  json out = json::array();
  for (size_t s = 0; s < set.series.size(); ++s) {
    const auto instant = [&](int64_t row) {
      return advance(set.series[s].start, set.frequency, row);
    };
    const int64_t train = split.train[s].end;
    out.push_back(
        {set.series[s].id, instant(train), instant(std::max(train, split.validation[s].end))});
  }
  return out;
}

int64_t rows_of(const std::vector<RowSpan>& ranges) {
  int64_t rows = 0;
  for (const RowSpan& range : ranges) rows += range.size();
  return rows;
}

json epochs_of(const attn::train::TrainResult& result) {
  return {{"epochs_run", result.history.size()},
          {"best_epoch", result.history.empty() ? 0 : result.best_epoch + 1},
          {"stopped_early", result.stopped_early}};
}

/// One call of fit_model.
class Job {
 public:
  Job(const SeriesSet& set, const Split& split, const ModelOptions& options, const FitFiles& files,
      const attn::Hooks& hooks)
      : set_(set), split_(split), files_(files), hooks_(hooks) {
    ForecastModel& m = out_.model;
    chosen_ = !options.transform;
    m.options = resolved(options, set, split);
    m.channels = set.channels;
    m.past_names = set.past_names;
    m.future_names = set.future_names;
    m.static_names = set.static_names;
    m.frequency = set.frequency;
    m.scaler = fit_scaler(set, split.train, *m.options.scale, *m.options.transform);
  }

  ModelFit run() {
    ForecastModel& m = out_.model;
    const ModelOptions& o = m.options;
    warn_of_columns(m.scaler, set_, hooks_);
    const WindowPlan train = training_windows(set_, split_, o);
    if (!train.told().empty()) hooks_.warning(name_of(set_) + ": " + train.told());
    const std::vector<Window> validation = judging_windows();
    digest_ = fit_digest(set_, split_, o);
    begin_files(files_, digest_, hooks_);
    json training = {{"entropy", json()}};
    Patching patching;
    if (o.network == Network::entrope) patching = fit_patcher_stage(training);
    fit_forecaster(train.windows, validation, patching);
    finish(train, validation, std::move(training));
    return std::move(out_);
  }

 private:
  /// The windows of the validation rows that can judge: with a known target; and where there are
  /// such, of a column whose scale is known.
  std::vector<Window> judging_windows() const {
    const ModelOptions& o = out_.model.options;
    std::vector<Window> windows =
        plan_windows(set_, split_.validation, {o.lookback, o.horizon, 1, 0}).windows;
    ChannelColumns columns(set_);
    std::erase_if(windows, [&](const Window& w) {
      const auto target =
          columns.of(w.series, w.channel)
              .subspan(static_cast<size_t>(w.origin), static_cast<size_t>(o.horizon));
      return std::all_of(target.begin(), target.end(), [](double x) { return std::isnan(x); });
    });
    const auto flat = [&](const Window& w) {
      return out_.model.scaler.of(w.series, w.channel).flat;
    };
    if (!std::all_of(windows.begin(), windows.end(), flat)) std::erase_if(windows, flat);
    return windows;
  }

  Patching fit_patcher_stage(json& training) {
    ForecastModel& m = out_.model;
    PatcherFit fit = fit_patcher({set_, split_, m.options, m.scaler, digest_}, files_, hooks_);
    m.patcher = std::move(fit.patcher);
    out_.entropy = std::move(fit.result);
    training["entropy"] = epochs_of(out_.entropy);
    training["entropy"]["validation_cross_entropy"] = number(fit.validation);
    training["patch_length"] = fit.mean_length;
    return patching_of(*m.patcher);
  }

  void fit_forecaster(const std::vector<Window>& train, const std::vector<Window>& validation,
                      const Patching& patching) {
    ForecastModel& m = out_.model;
    std::shared_ptr<Forecaster> forecaster =
        make_forecaster(forecaster_options(m.options),
                        attn::train::derive_seed(m.options.seed, "forecaster"), patching);
    const WindowSource source = source_for(m, set_);
    attn::train::TrainFiles traces;
    if (!files_.folder.empty()) {
      traces.metrics_csv = files_.folder / kMetricsFile;
      traces.checkpoint = files_.folder / kCheckpointFile;
    }
    traces.checkpoint_seconds = files_.checkpoint_seconds;
    traces.resume = files_.resume;
    out_.forecaster =
        fit(*forecaster, {source, train, validation, digest_}, m.options.fit, traces, hooks_);
    out_.forecaster.best.clear();
    out_.forecaster.best_buffers.clear();
    m.forecaster = std::move(forecaster);
    out_.validation = {NAN, NAN, 0, 0};
    if (validation.empty()) {
      hooks_.warning(name_of(set_) +
                     ": no window validates with a known value, so the last epoch is taken and the "
                     "model has no intervals; give more rows, or a shorter --horizon");
      return;
    }
    const attn::ProbePause repeated;  // the best epoch's validation
    Calibration calibration = calibrate(m, set_, source, validation, hooks_);
    m.intervals = std::move(calibration.intervals);
    out_.validation = calibration.errors;
    if (m.intervals.levels.empty()) {
      hooks_.warning(name_of(set_) +
                     ": the model has no intervals, since its values stay the same, or are "
                     "missing, in all validation rows");
      return;
    }
    const std::string sentence = told(select_levels(m.intervals, {0.8, 0.95}));
    if (!sentence.empty()) hooks_.warning(name_of(set_) + ": " + sentence);
  }

  void finish(const WindowPlan& train, const std::vector<Window>& validation, json training) {
    ForecastModel& m = out_.model;
    training.update(
        {{"fit_digest", digest_},
         {"data_digest", digest_of(set_)},
         {"series", set_.series.size()},
         {"rows",
          {{"train", rows_of(split_.train)},
           {"validation", rows_of(split_.validation)},
           {"test", rows_of(split_.test)}}},
         {"windows", {{"train", train.windows.size()}, {"validation", validation.size()}}},
         {"short_series", train.short_series.size()},
         {"seed", m.options.seed},
         {"transform_chosen", chosen_},
         {"forecaster", epochs_of(out_.forecaster)},
         {"seen", seen_of(set_, split_)}});
    m.training = std::move(training);
    m.metrics = json::object();
    if (!validation.empty())
      m.metrics["validation"] = {{"mse", number(out_.validation.mse)},
                                 {"mae", number(out_.validation.mae)},
                                 {"windows", out_.validation.windows}};
  }

  const SeriesSet& set_;
  const Split& split_;
  const FitFiles& files_;
  const attn::Hooks& hooks_;
  std::string digest_;
  bool chosen_ = false;  // the transform, by the data
  ModelFit out_;
};

/// The finished model of an earlier call of this digest; none where there is none.
std::optional<ForecastModel> standing(const fs::path& path, const std::string& digest) {
  if (!fs::exists(path)) return {};
  try {
    ForecastModel model = load_forecast_model(path);
    if (attn::io::get_or<std::string>(model.training, "fit_digest", path.string(), "") == digest)
      return model;
  } catch (const attn::NewerFormat&) {
    throw;
  } catch (const attn::StorageError&) {
    throw;
  } catch (const attn::Error&) {
    // Damaged: made again.
  }
  return {};
}

json spans(const std::vector<RowSpan>& ranges) {
  json out = json::array();
  for (const RowSpan& range : ranges) out.push_back({range.begin, range.end});
  return out;
}

}  // namespace

WindowPlan training_windows(const SeriesSet& set, const Split& split, const ModelOptions& o) {
  WindowPlan plan = plan_windows(set, split.train, {o.lookback, o.horizon, o.stride, 0});
  if (!plan.windows.empty()) return plan;
  throw attn::Error(name_of(set) + ": no window of a look-back of " + std::to_string(o.lookback) +
                    " and a horizon of " + std::to_string(o.horizon) +
                    " in the training rows has a known value" +
                    (plan.told().empty() ? "" : " (" + plan.told() + ")") +
                    "; shorten --lookback or --horizon, or give more rows");
}

ModelFit fit_model(const SeriesSet& set, const Split& split, const ModelOptions& options,
                   const FitFiles& files, const attn::Hooks& hooks) {
  return Job(set, split, options, files, hooks).run();
}

ModelFit kept_fit(const SeriesSet& set, const Split& split, const ModelOptions& options,
                  const FitFiles& files, const attn::Hooks& hooks) {
  if (files.folder.empty()) return fit_model(set, split, options, files, hooks);
  const fs::path path = files.folder / kModelFile;
  if (files.resume) {
    const std::string digest = fit_digest(set, split, resolved(options, set, split));
    if (std::optional<ForecastModel> model = standing(path, digest)) {
      ModelFit fit;
      fit.model = std::move(*model);
      fit.validation = {NAN, NAN, 0, 0};
      return fit;
    }
  }
  ModelFit fit = fit_model(set, split, options, files, hooks);
  save_forecast_model(path, fit.model);
  remove_checkpoints(files);
  return fit;
}

std::string fit_digest(const SeriesSet& set, const Split& split, const ModelOptions& options) {
  const json all = {{"version", kForecastModelVersion},
                    {"data", digest_of(set)},
                    {"train", spans(split.train)},
                    {"validation", spans(split.validation)},
                    {"options", resolved(options, set, split)}};
  return attn::io::digest(all.dump());
}

}  // namespace timeseries
