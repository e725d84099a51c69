#include "timeseries/model/forecast_model.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "attn/error.h"
#include "libattn/train/model_file.h"
#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"
#include "tests/timeseries/model/small_model.h"
#include "timeseries/model/predict.h"

namespace timeseries {
namespace {

using attn::test::sentence_of;
using attn::test::TempFolder;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

void expect_same(const ForecastResult& a, const ForecastResult& b) {
  ASSERT_EQ(a.series.size(), b.series.size());
  for (size_t s = 0; s < a.series.size(); ++s) {
    EXPECT_EQ(a.series[s].values, b.series[s].values);
    EXPECT_EQ(a.series[s].low, b.series[s].low);
    EXPECT_EQ(a.series[s].high, b.series[s].high);
  }
}

TEST(ForecastModel, AFileIsEnough) {
  for (const Network network :
       {Network::entrope, Network::patchtst, Network::dlinear, Network::seasonal_naive}) {
    SCOPED_TRACE(to_string(network));
    const TempFolder folder;
    const SeriesSet set = test::small_set(2, 300, 2);
    const ForecastModel model = test::small_fit(set, test::small_options(network)).model;
    save_forecast_model(folder / "m.safetensors", model);
    const ForecastModel loaded = load_forecast_model(folder / "m.safetensors");
    PredictOptions o;
    o.levels = {0.5, 0.77, 0.95};
    expect_same(predict(model, set, o, {}), predict(loaded, set, o, {}));
    EXPECT_EQ(json(loaded.options), json(model.options));
    EXPECT_EQ(loaded.training, model.training);
    EXPECT_EQ(loaded.metrics, model.metrics);
    EXPECT_EQ(loaded.channels, model.channels);
    EXPECT_EQ(loaded.frequency, model.frequency);
    EXPECT_EQ(loaded.parameters(), model.parameters());
    EXPECT_EQ(describe(loaded), describe(model));
    save_forecast_model(folder / "again.safetensors", loaded);
    EXPECT_EQ(attn::test::slurp(folder / "again.safetensors"),
              attn::test::slurp(folder / "m.safetensors"));
  }
}

/// One trained model for all that damages its file.
class ForecastModelFile : public testing::Test {
 protected:
  void SetUp() override {
    const SeriesSet set = test::small_set(1, 300);
    save_forecast_model(path_, test::small_fit(set, test::small_options()).model);
    file_ = attn::train::load_model_file(path_, "forecast", kForecastModelVersion);
  }
  /// What loading says of the file with another configuration or other tensors.
  std::string says(const std::function<void(attn::train::ModelFile&)>& change,
                   int64_t version = kForecastModelVersion) {
    attn::train::ModelFile changed = file_;
    change(changed);
    attn::train::save_model_file(path_, "forecast", version, changed.config, changed.tensors);
    return sentence_of([&] { load_forecast_model(path_); });
  }

  TempFolder folder_;
  std::filesystem::path path_ = folder_ / "model.safetensors";
  attn::train::ModelFile file_;
};

TEST_F(ForecastModelFile, NewerOnesAreRefused) {
  EXPECT_THAT(says([](auto&) {}, kForecastModelVersion + 1), HasSubstr("newer"));
  EXPECT_THROW(load_forecast_model(path_), attn::NewerFormat);
}

TEST_F(ForecastModelFile, ThoseWithoutABlendAreRead) {
  attn::train::ModelFile old = file_;
  old.config["options"]["entrope"].erase("naive_blend");
  old.config["options"]["entrope"].erase("season");
  std::erase_if(old.tensors, [](const auto& t) { return t.first == "buffer.naive.weight"; });
  attn::train::save_model_file(path_, "forecast", 1, old.config, old.tensors);
  EXPECT_TRUE(load_forecast_model(path_).forecaster->blend().seasons.empty());
}

TEST_F(ForecastModelFile, WhatIsMissingIsNamed) {
  for (const char* key : {"options", "channels", "frequency", "scaler", "patcher"})
    EXPECT_THAT(says([&](auto& f) { f.config.erase(key); }),
                AllOf(HasSubstr("model.safetensors"), HasSubstr(key)));
  for (const auto& [name, tensor] : file_.tensors) {
    const std::string gone = name;
    EXPECT_THAT(says([&](auto& f) {
                  std::erase_if(f.tensors, [&](const auto& t) { return t.first == gone; });
                }),
                AllOf(HasSubstr("model.safetensors"), HasSubstr(gone)));
  }
}

TEST_F(ForecastModelFile, WhatDoesNotFitIsRefused) {
  const std::vector<std::function<void(json&)>> changes{
      [](json& c) { c["options"]["lookback"] = 0; },
      [](json& c) { c["options"]["horizon"] = 7; },
      [](json& c) { c["options"]["season"] = nullptr; },
      [](json& c) { c["options"]["other"] = 1; },
      [](json& c) { c["options"]["entrope"]["width"] = 10; },
      [](json& c) {
        c["channels"] = {"a", "b"};
      },
      [](json& c) { c["channels"] = 3; },
      [](json& c) { c["past"] = {"a"}; },
      [](json& c) { c["frequency"]["step"] = "m"; },
      [](json& c) { c["scaler"] = json::object(); },
      [](json& c) { c["intervals"]["horizon"] = 7; },
      [](json& c) { c["intervals"]["levels"] = {0.5}; },
      [](json& c) { c["intervals"]["channels"] = -1; },
      [](json& c) { c["patcher"]["boundaries"]["rule"] = "some"; },
  };
  for (const auto& change : changes)
    EXPECT_THAT(says([&](auto& f) { change(f.config); }), HasSubstr("model.safetensors"));
}

TEST_F(ForecastModelFile, DamageIsOneSentence) {
  for (const auto& [what, bytes] : attn::test::broken_versions(attn::test::slurp(path_))) {
    attn::test::put(folder_ / "broken.safetensors", bytes);
    sentence_of([&] { load_forecast_model(folder_ / "broken.safetensors"); });
  }
  EXPECT_EQ(model_path_of(folder_.path()), path_);
  std::filesystem::remove(path_);
  EXPECT_THAT(sentence_of([&] { model_path_of(folder_.path()); }),
              HasSubstr("no model.safetensors"));
}

TEST(ForecastModel, KnowsItsColumns) {
  const SeriesSet set = test::small_set(1, 300, 2);
  const ForecastModel model = test::small_fit(set, test::small_options(Network::dlinear)).model;
  SeriesSet other = set;
  other.channels = {"value", "third"};
  EXPECT_THAT(sentence_of([&] { require_same_columns(model, other); }),
              AllOf(HasSubstr("small.csv"), HasSubstr("value, third"), HasSubstr("value, other")));
  SeriesSet daily = set;
  daily.frequency = {Unit::day};
  EXPECT_THAT(sentence_of([&] { require_same_columns(model, daily); }),
              AllOf(HasSubstr("1 day"), HasSubstr("1 hour")));
  SeriesSet minutes = set;
  minutes.frequency = {Unit::minute, 60};
  EXPECT_NO_THROW(require_same_columns(model, minutes));
  EXPECT_EQ(reading_for(model, {}).targets, set.channels);
  ReadOptions named;
  named.targets = {"x"};
  EXPECT_EQ(reading_for(model, named).targets, named.targets);
}

}  // namespace
}  // namespace timeseries
