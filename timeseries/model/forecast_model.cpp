#include "timeseries/model/forecast_model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "libattn/train/model_file.h"
#include "timeseries/forecast/make.h"
#include "timeseries/forecast/seasonal_naive.h"
#include "timeseries/series/calendar.h"

namespace timeseries {
namespace {

namespace fs = std::filesystem;
using attn::train::ModelFile;
using attn::train::NamedTensors;
using nlohmann::json;

constexpr const char* kKind = "forecast";
constexpr const char* kFile = "model.safetensors";
constexpr const char* kEntropyPrefix = "entropy.";

json frequency_json(const Frequency& f) {
  return {{"step", frequency_text(f)}, {"month_end", f.month_end}};
}

Frequency frequency_of(const json& j, const std::string& where) {
  Frequency f = parse_frequency(attn::io::get<std::string>(j, "step", where));
  f.month_end = attn::io::get_or<bool>(j, "month_end", where, f.month_end);
  return f;
}

at::Tensor table(const std::vector<double>& values, const std::vector<int64_t>& shape) {
  return at::tensor(values, at::kDouble).view(shape);
}

std::vector<double> values_of(const at::Tensor& tensor) {
  const at::Tensor t = tensor.to(at::kDouble).contiguous();
  const auto* data = t.const_data_ptr<double>();
  return {data, data + t.numel()};
}

/// The tables of intervals are tensors: a model of many channels and steps has millions of them.
void add_intervals(const ConformalIntervals& intervals, json& config, NamedTensors& tensors) {
  if (intervals.levels.empty()) return;
  const auto levels = static_cast<int64_t>(intervals.levels.size());
  config["intervals"] = {{"levels", intervals.levels},
                         {"horizon", intervals.horizon},
                         {"channels", intervals.channels},
                         {"symmetric", intervals.symmetric}};
  const std::vector<int64_t> shape{levels, intervals.channels, intervals.horizon};
  tensors.emplace_back("intervals.low", table(intervals.low, shape));
  tensors.emplace_back("intervals.high", table(intervals.high, shape));
  const std::vector<double> counts(intervals.residuals.begin(), intervals.residuals.end());
  tensors.emplace_back("intervals.residuals",
                       table(counts, {intervals.channels, intervals.horizon}));
}

ConformalIntervals read_intervals(const ModelFile& file, const fs::path& path,
                                  const ForecastModel& model, const std::string& where) {
  ConformalIntervals out;
  const json* j = attn::io::find(file.config, "intervals", where);
  if (j == nullptr) return out;
  out.levels = attn::io::get<std::vector<double>>(*j, "levels", where);
  out.horizon = attn::io::get<int64_t>(*j, "horizon", where);
  out.channels = attn::io::get<int64_t>(*j, "channels", where);
  out.symmetric = attn::io::get<bool>(*j, "symmetric", where);
  const auto channels = static_cast<int64_t>(model.channels.size());
  const bool ascending = std::is_sorted(out.levels.begin(), out.levels.end());
  if (out.horizon != model.horizon() || (out.channels != 1 && out.channels != channels) ||
      out.levels.empty() || !ascending || !(out.levels.front() > 0 && out.levels.back() < 1))
    throw attn::Error("the intervals are not those of its network");
  const std::vector<int64_t> shape{static_cast<int64_t>(out.levels.size()), out.channels,
                                   out.horizon};
  out.low = values_of(attn::train::require_tensor(file, path, "intervals.low", shape));
  out.high = values_of(attn::train::require_tensor(file, path, "intervals.high", shape));
  for (const double count : values_of(attn::train::require_tensor(file, path, "intervals.residuals",
                                                                  {out.channels, out.horizon})))
    out.residuals.push_back(std::llround(count));
  return out;
}

/// Throws where the scaler or the network is of other columns or sizes than the model.
void check_parts(const ForecastModel& m) {
  const size_t rows = m.scaler.by == ScaleBy::series ? m.scaler.series.size() : 1;
  if (m.channels.empty() || m.scaler.channels != m.channels ||
      m.scaler.values.size() != rows * m.channels.size() ||
      m.scaler.past.size() != m.past_names.size() ||
      m.scaler.future.size() != m.future_names.size() ||
      m.scaler.statics.size() != m.static_names.size())
    throw attn::Error("the scaling is not that of its columns");
  if (m.forecaster->lookback() != m.lookback() || m.forecaster->horizon() != m.horizon())
    throw attn::Error("look-back or horizon differ between options and network");
}

ForecastModel read_model(const ModelFile& file, const fs::path& path, const std::string& where) {
  const json& c = file.config;
  const auto part = [&](const char* key) { return attn::io::get<json>(c, key, where); };
  const auto names = [&](const char* key) {
    return attn::io::get<std::vector<std::string>>(c, key, where);
  };
  ForecastModel m;
  ModelOptions base;
  base.entrope.naive_blend = false;  // as files of version 1 were
  m.options = read_model_options(part("options"), base, where + ": options");
  check(m.options);
  if (m.lookback() < 1 || !m.options.scale || !m.options.season || !m.options.cycle)
    throw attn::Error("its options are not those of a trained model");
  m.channels = names("channels");
  m.past_names = names("past");
  m.future_names = names("future");
  m.static_names = names("statics");
  m.frequency = frequency_of(part("frequency"), where);
  from_json(part("scaler"), m.scaler);
  Patching patching;
  if (attn::io::find(c, "patcher", where) != nullptr) {
    m.patcher = EntropyPatcher::load(part("patcher"), file, path, kEntropyPrefix);
    patching = patching_of(*m.patcher);
  } else if (m.options.network == Network::entrope) {
    throw attn::Error("the patcher is missing");
  }
  m.forecaster = load_forecaster(forecaster_options(m.options), file, path, patching);
  m.intervals = read_intervals(file, path, m, where);
  m.training = attn::io::get_or<json>(c, "training", where, json::object());
  m.metrics = attn::io::get_or<json>(c, "metrics", where, json::object());
  check_parts(m);
  return m;
}

std::string list(const std::vector<std::string>& names) {
  return attn::io::list_names(names);
}

void require(const SeriesSet& set, const char* what, const std::vector<std::string>& found,
             const std::vector<std::string>& wanted) {
  if (found != wanted)
    throw attn::Error(name_of(set) + ": its " + what + " are " + list(found) +
                      ", the model was trained on " + list(wanted) +
                      "; give a file with these columns, or name them");
}

}  // namespace

const std::vector<double>& stored_levels() {
  static const std::vector<double> levels = [] {
    std::vector<double> out;
    for (int percent = 5; percent <= 95; percent += 5) out.push_back(percent / 100.0);
    out.insert(out.end(), {0.975, 0.98, 0.99});
    return out;
  }();
  return levels;
}

int64_t ForecastModel::parameters() const {
  return forecaster->parameters().count() +
         (patcher && patcher->has_model() ? patcher->model().parameters().count() : 0);
}

Patching patching_of(const EntropyPatcher& patcher) {
  Patching out;
  out.cut = [patcher](const at::Tensor& values) { return patcher.cut(values); };
  if (patcher.has_model())
    out.tokens = [patcher](const at::Tensor& values) { return patcher.tokens(values); };
  return out;
}

json forecaster_options(const ModelOptions& o) {
  switch (o.network) {
    case Network::patchtst:
      return o.patchtst;
    case Network::dlinear:
      return o.dlinear;
    case Network::seasonal_naive:
      return SeasonalNaiveOptions{o.lookback, o.horizon,
                                  std::min(o.season.value_or(1), o.lookback)};
    case Network::entrope:
      break;
  }
  EntropeOptions entrope = o.entrope;
  // Where swings are bent to be alike, dividing by the window's sd would magnify calm windows. Not
  // in the model's options: a refit may choose another transform.
  if (o.transform == Transform::asinh) entrope.frame.scale = false;
  return entrope;
}

void save_forecast_model(const fs::path& path, const ForecastModel& m) {
  json config = {{"options", m.options},      {"channels", m.channels},
                 {"past", m.past_names},      {"future", m.future_names},
                 {"statics", m.static_names}, {"frequency", frequency_json(m.frequency)},
                 {"scaler", m.scaler},        {"training", m.training},
                 {"metrics", m.metrics}};
  NamedTensors tensors = forecaster_tensors(*m.forecaster);
  if (m.patcher) {
    config["patcher"] = m.patcher->config();
    for (auto& named : m.patcher->tensors(kEntropyPrefix)) tensors.push_back(std::move(named));
  }
  add_intervals(m.intervals, config, tensors);
  attn::train::save_model_file(path, kKind, kForecastModelVersion, std::move(config), tensors);
}

ForecastModel load_forecast_model(const fs::path& path) {
  const ModelFile file = attn::train::load_model_file(path, kKind, kForecastModelVersion);
  const std::string where = "attn_config of " + path.string();
  try {
    return read_model(file, path, where);
  } catch (const attn::Error& error) {
    const std::string text = error.what();
    if (text.find(path.string()) != std::string::npos) throw;
    throw attn::Error(path.string() + ": " + text + "; the file is damaged");
  }
}

fs::path model_path_of(const fs::path& run) {
  if (!fs::is_directory(run)) return run;
  fs::path model = run / kFile;
  if (fs::exists(model)) return model;
  throw attn::Error(run.string() +
                    ": holds no model.safetensors; expected the folder of a finished training run");
}

json describe(const ForecastModel& m) {
  json out = {{"kind", "forecast model"},
              {"network", to_string(m.options.network)},
              {"lookback", m.lookback()},
              {"horizon", m.horizon()},
              {"season", m.season()},
              {"learned_season", m.options.cycle.value_or(0)},
              {"frequency", frequency_words(m.frequency)},
              {"channels", m.channels},
              {"past_covariates", m.past_names},
              {"future_covariates", m.future_names},
              {"static_covariates", m.static_names},
              {"calendar", m.options.calendar},
              {"scaled_by", m.scaler.by == ScaleBy::series ? "series" : "channel"},
              {"series", m.scaler.by == ScaleBy::series ? m.scaler.series.size() : 0},
              {"parameters", m.parameters()},
              {"interval_levels", m.intervals.levels},
              {"options", m.options},
              {"training", m.training},
              {"metrics", m.metrics}};
  out["training"].erase("seen");  // a line a series
  if (m.scaler.by != ScaleBy::series) out.erase("series");
  if (m.patcher) out["patcher"] = m.patcher->config();
  return out;
}

ReadOptions reading_for(const ForecastModel& m, ReadOptions options) {
  // A table of one series a row knows no columns by name.
  const bool rows = m.frequency.unit == Unit::index && m.channels.size() == 1 &&
                    m.channels.front() == "value" && m.past_names.empty() &&
                    m.future_names.empty() && m.static_names.empty();
  if (rows) return options;
  if (options.targets.empty()) options.targets = m.channels;
  if (options.past.empty()) options.past = m.past_names;
  if (options.future.empty()) options.future = m.future_names;
  if (options.statics.empty()) options.statics = m.static_names;
  return options;
}

Reading read_for(const ForecastModel& m, const fs::path& path, const ReadOptions& options) {
  try {
    return read_series(path, reading_for(m, options));
  } catch (const attn::StorageError&) {
    throw;
  } catch (const attn::Error& error) {
    const std::string text = error.what();
    if (text.find("there is no column") == std::string::npos || text.back() == '?') throw;
    throw attn::Error(text +
                      ", and the model was trained on it; give a file with the same columns");
  }
}

void require_same_columns(const ForecastModel& m, const SeriesSet& set) {
  require(set, "channels", set.channels, m.channels);
  require(set, "covariates known up to now", set.past_names, m.past_names);
  require(set, "covariates known ahead", set.future_names, m.future_names);
  require(set, "static covariates", set.static_names, m.static_names);
  Frequency found = normalised(set.frequency), wanted = normalised(m.frequency);
  found.month_end = wanted.month_end = false;  // which day of a month tells no step
  if (found != wanted)
    throw attn::Error(name_of(set) + ": its rows are " + frequency_words(set.frequency) +
                      " apart, the model was trained on steps of " + frequency_words(m.frequency) +
                      "; give rows at that step, or train a model on these");
}

Scaler scaler_of(const ForecastModel& m, const SeriesSet& set, std::span<const RowSpan> known) {
  return scaler_for(m.scaler, set, known.empty() ? std::span<const RowSpan>(all_rows(set)) : known);
}

WindowSource source_for(const ForecastModel& m, const SeriesSet& set,
                        std::span<const RowSpan> known) {
  const BatchOptions options{m.lookback(), m.horizon(), m.options.cycle.value_or(0),
                             m.options.calendar};
  return {set, scaler_of(m, set, known), options};
}

}  // namespace timeseries
