#include "timeseries/forecast/forecast_train.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>

#include "attn/error.h"
#include "libattn/train/model_file.h"
#include "tests/support/temp_folder.h"
#include "tests/timeseries/forecast/networks.h"
#include "timeseries/forecast/evaluate.h"
#include "timeseries/forecast/linear_base.h"
#include "timeseries/forecast/make.h"
#include "timeseries/forecast/patchtst.h"

namespace timeseries {
namespace {

using attn::test::TempFolder;
using attn::train::TrainFiles;
using attn::train::TrainResult;
using test::patching;

constexpr int64_t kLookback = 16, kHorizon = 4;

/// Two channels: a day of 8 steps that grows and shrinks, and noise.
SeriesSet waves(int64_t rows) {
  SeriesSet set;
  set.path = "waves.csv";
  set.frequency = {Unit::index, 1, false};
  set.channels = {"a", "b"};
  Series s;
  s.rows = rows;
  attn::train::Random random(3);
  for (int64_t r = 0; r < rows; ++r) {
    const auto t = static_cast<double>(r);
    s.values.push_back(std::sin(t * 0.785398) * (1 + 0.5 * std::sin(t / 31)) +
                       0.1 * random.uniform());
    s.values.push_back(std::cos(t * 0.785398) + t / 100 + 0.1 * random.uniform());
  }
  set.series.push_back(std::move(s));
  return set;
}

/// A set, its parts and what gathers them.
struct Case {
  explicit Case(int64_t rows = 240)
      : set(waves(rows)),
        split(split_by_share(set, 0.6, 0.2)),
        source(set, fit_scaler(set, split.train, ScaleBy::channel), batch_options()),
        train(plan(split.train)),
        validation(plan(split.validation)),
        data{source, train, validation, "waves"} {}

  static BatchOptions batch_options() {
    BatchOptions o;
    o.lookback = kLookback;
    o.horizon = kHorizon;
    o.season = 8;
    return o;
  }
  std::vector<Window> plan(const std::vector<RowSpan>& ranges) const {
    WindowOptions o;
    o.lookback = kLookback;
    o.horizon = kHorizon;
    return plan_windows(set, ranges, o).windows;
  }

  SeriesSet set;
  Split split;
  WindowSource source;
  std::vector<Window> train, validation;
  FitData data;
};

std::unique_ptr<Forecaster> network(const std::string& kind, uint64_t seed = 1) {
  nlohmann::json j{{"kind", kind}, {"lookback", kLookback}, {"horizon", kHorizon}};
  if (kind == "entrope") {
    j["width"] = 8;
    j["frame"] = {{"season", 8}, {"channels", 2}};
  }
  if (kind == "patchtst") {
    j["patch"] = 4;
    j["stride"] = 2;
    j["layers"] = 1;
  }
  return make_forecaster(j, seed, patching());
}

FitOptions options(int64_t epochs) {
  FitOptions o;
  o.optimisation.epochs = epochs;
  o.optimisation.batch = 32;
  o.optimisation.lr = 3e-3;
  o.optimisation.seed = 5;
  return o;
}

const std::vector<std::string> kKinds{"entrope", "patchtst", "dlinear"};

/// All numbers of two forecasters are the same.
void expect_same(const Forecaster& a, const Forecaster& b) {
  const attn::train::NamedTensors x = forecaster_tensors(a), y = forecaster_tensors(b);
  ASSERT_EQ(x.size(), y.size());
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_TRUE(at::equal(x[i].second, y[i].second)) << x[i].first;
}

/// Whether any number that steps change differs.
bool differ(const Forecaster& a, const Forecaster& b) {
  const attn::train::NamedTensors x = a.parameters().named(), y = b.parameters().named();
  for (size_t i = 0; i < x.size(); ++i)
    if (!in_linear_base(x[i].first) && !at::equal(x[i].second, y[i].second)) return true;
  return false;
}

TEST(Fit, LowersTheLossAndKeepsTheBestEpoch) {
  const Case c;
  for (const std::string& kind : kKinds) {
    const auto f = network(kind);
    const double before = evaluate(*f, c.source, c.validation, {}).mse;
    const TrainResult result = fit(*f, c.data, options(6), {}, {});
    // What a linear map leaves of these waves is little.
    const double least = f->linear_base().weight.defined() ? 1 : 0.7;
    EXPECT_LT(result.history.back().loss, least * result.history.front().loss) << kind;
    const Errors after = evaluate(*f, c.source, c.validation, {});
    EXPECT_LT(after.mse, 0.5 * before) << kind;
    EXPECT_DOUBLE_EQ(-after.mse, result.best_score) << kind;
    const attn::train::EpochRecord& best = result.history[static_cast<size_t>(result.best_epoch)];
    EXPECT_DOUBLE_EQ(best.validation_columns.at(1), after.mae) << kind;
  }
}

TEST(Fit, EveryLossTrains) {
  const Case c;
  for (const Loss loss : {Loss::mse, Loss::mae, Loss::huber}) {
    const auto f = network("dlinear");
    FitOptions o = options(4);
    o.loss = loss;
    const TrainResult result = fit(*f, c.data, o, {}, {});
    EXPECT_LT(result.history.back().loss, result.history.front().loss);
    EXPECT_DOUBLE_EQ(-evaluate(*f, c.source, c.validation, {}).mse, result.best_score);
  }
}

TEST(Fit, IsTheSameWithTheSameSeed) {
  const Case c;
  for (const std::string& kind : kKinds) {
    const auto a = network(kind), b = network(kind), other = network(kind);
    fit(*a, c.data, options(2), {}, {});
    fit(*b, c.data, options(2), {}, {});
    expect_same(*a, *b);
    FitOptions o = options(2);
    o.optimisation.seed = 6;
    fit(*other, c.data, o, {}, {});
    EXPECT_TRUE(differ(*a, *other)) << kind;
  }
}

TEST(Fit, ResumedIsUndisturbed) {
  const Case c;
  for (const std::string& kind : kKinds) {
    const TempFolder folder;
    TrainFiles files;
    files.checkpoint = folder / "checkpoint.safetensors";
    const FitOptions o = options(4);
    const auto straight = network(kind), stopped = network(kind), resumed = network(kind);
    fit(*straight, c.data, o, {}, {});
    std::atomic<bool> stop = false;
    attn::Hooks hooks;
    hooks.stop = &stop;
    hooks.progress = [&](std::string_view what, int64_t done, int64_t) {
      if (what == "epochs" && done == 2) stop = true;
    };
    EXPECT_THROW(fit(*stopped, c.data, o, files, hooks), attn::Interrupted);
    const TrainResult rest = fit(*resumed, c.data, o, files, {});
    EXPECT_GT(rest.resumed_at, 0);
    expect_same(*straight, *resumed);
  }
}

TEST(Fit, ACheckpointOfOtherDataOrOptionsIsRefused) {
  const Case c;
  const TempFolder folder;
  TrainFiles files;
  files.checkpoint = folder / "checkpoint.safetensors";
  const auto f = network("dlinear");
  fit(*f, c.data, options(1), files, {});
  FitData other = c.data;
  other.digest = "another file";
  EXPECT_THROW(fit(*f, other, options(1), files, {}), attn::Error);
  FitOptions o = options(1);
  o.loss = Loss::mae;
  EXPECT_THROW(fit(*f, c.data, o, files, {}), attn::Error);
  FitData fewer = c.data;
  fewer.train = fewer.train.subspan(1);
  EXPECT_THROW(fit(*f, fewer, options(1), files, {}), attn::Error);
}

TEST(Fit, MissingValuesHinderNothing) {
  Case whole;
  SeriesSet set = waves(240);
  attn::train::Random random(9);
  for (double& x : set.series[0].values)
    if (random.uniform() < 0.2) x = NAN;
  const WindowSource source(set, fit_scaler(set, whole.split.train, ScaleBy::channel),
                            Case::batch_options());
  const FitData data{source, whole.train, whole.validation, "holes"};
  for (const std::string& kind : kKinds) {
    const auto f = network(kind);
    const TrainResult result = fit(*f, data, options(4), {}, {});
    EXPECT_LT(result.history.back().loss, result.history.front().loss) << kind;
    const Errors errors = evaluate(*f, source, whole.validation, {});
    EXPECT_TRUE(std::isfinite(errors.mse));
    EXPECT_LT(errors.values, errors.windows * kHorizon);
  }
}

TEST(Fit, ALossOfMissingTargetsAloneIsZero) {
  Case c;
  SeriesSet set = waves(240);
  for (size_t i = 60; i < set.series[0].values.size(); ++i) set.series[0].values[i] = NAN;
  const WindowSource source(set, fit_scaler(set, c.split.train, ScaleBy::channel),
                            Case::batch_options());
  const std::vector<Window> one{{0, 0, 30}};
  const FitData data{source, one, {}, "end"};
  const auto f = network("dlinear");
  const TrainResult result = fit(*f, data, options(1), {}, {});
  EXPECT_EQ(result.history[0].loss, 0);
}

TEST(Fit, NothingToLearnIsDoneAtOnce) {
  const Case c;
  nlohmann::json j{{"kind", "seasonal-naive"}, {"lookback", 16}, {"horizon", 4}, {"season", 8}};
  const auto f = make_forecaster(j, 0);
  EXPECT_TRUE(fit(*f, c.data, options(3), {}, {}).history.empty());
  EXPECT_LT(evaluate(*f, c.source, c.validation, {}).mse, 0.2);
}

TEST(Fit, OptionsComeBackFromJson) {
  FitOptions o = options(7);
  o.loss = Loss::huber;
  const nlohmann::json j = o;
  EXPECT_EQ(nlohmann::json(j.get<FitOptions>()), j);
  EXPECT_THROW((nlohmann::json{{"loss", "log"}}.get<FitOptions>()), attn::Error);
  o.optimisation.epochs = 0;
  EXPECT_THROW(check(o), attn::UsageError);
}

TEST(Evaluate, CountsEveryWindowAndSumsInFull) {
  const Case c;
  const auto f = network("entrope");
  double squares = 0, magnitudes = 0;
  int64_t count = 0;
  for (const Window& w : c.validation) {
    const WindowBatch one = c.source.gather(std::vector<Window>{w});
    const at::Tensor e = (f->forward(one, {}) - one.target).to(at::kDouble);
    squares += e.square().sum().item<double>();
    magnitudes += e.abs().sum().item<double>();
    count += kHorizon;
  }
  CutCache cuts(static_cast<int64_t>(c.validation.size()), kLookback);
  int64_t seen = 0;
  const TakeForecasts take = [&](std::span<const Window> windows, const at::Tensor& forecast,
                                 const at::Tensor& target) {
    EXPECT_EQ(windows[0], c.validation[static_cast<size_t>(seen)]);
    EXPECT_EQ(forecast.sizes(), target.sizes());
    seen += static_cast<int64_t>(windows.size());
  };
  for (const int64_t batch : {1, 7, 1000}) {
    seen = 0;
    const Errors e = evaluate(*f, c.source, c.validation, {}, take, &cuts, batch);
    EXPECT_EQ(seen, static_cast<int64_t>(c.validation.size()));
    EXPECT_EQ(e.windows, seen);
    EXPECT_EQ(e.values, count);
    EXPECT_NEAR(e.mse, squares / static_cast<double>(count), 1e-6);
    EXPECT_NEAR(e.mae, magnitudes / static_cast<double>(count), 1e-6);
  }
}

TEST(Evaluate, CutsAreCachedByNumber) {
  const Case c;
  const auto f = network("entrope");
  CutCache cache(static_cast<int64_t>(c.train.size()), kLookback);
  for (const std::vector<int64_t>& items : {std::vector<int64_t>{130, 3}, {3, 77, 130, 5, 77}}) {
    std::vector<Window> windows;
    for (const int64_t i : items) windows.push_back(c.train[static_cast<size_t>(i)]);
    const at::Tensor values = c.source.gather(windows).values;
    const PatchCuts wanted = f->cut(values), found = *cached_cuts(*f, values, items, cache);
    EXPECT_TRUE(at::equal(found.offsets, wanted.offsets));
    EXPECT_TRUE(at::equal(found.begin, wanted.begin));
  }
  EXPECT_EQ(cache.found(), 4);
  const auto other = network("dlinear");
  EXPECT_FALSE(cached_cuts(*other, at::zeros({1, kLookback}), std::vector<int64_t>{0}, cache));
  EXPECT_THROW(other->cut(at::zeros({1, kLookback})), std::logic_error);
}

TEST(Make, AModelFileGivesTheForecasterBack) {
  const Case c;
  const TempFolder folder;
  for (const std::string& kind : kKinds) {
    const auto f = network(kind);
    fit(*f, c.data, options(1), {}, {});
    const auto path = folder / (kind + ".safetensors");
    attn::train::save_model_file(path, "forecast", 1, f->options(), forecaster_tensors(*f));
    const attn::train::ModelFile model = attn::train::load_model_file(path, "forecast", 1);
    const auto back = load_forecaster(f->options(), model, path, patching());
    expect_same(*f, *back);
    EXPECT_EQ(back->options(), f->options());
    const WindowBatch batch = c.source.gather(c.validation);
    EXPECT_TRUE(at::equal(back->forward(batch, {}), f->forward(batch, {})));
    nlohmann::json longer = f->options();
    longer["horizon"] = 5;
    EXPECT_THROW(load_forecaster(longer, model, path, patching()), attn::Error);
  }
  EXPECT_THROW(make_forecaster({{"kind", "arima"}}, 1), attn::Error);
  EXPECT_THROW(make_forecaster(nlohmann::json::object(), 1), attn::Error);
}

}  // namespace
}  // namespace timeseries
