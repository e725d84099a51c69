// Series and options small enough to train in a test.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "attn/hooks.h"
#include "timeseries/model/fit_model.h"
#include "timeseries/model/model_split.h"
#include "timeseries/series/simulate.h"

namespace timeseries::test {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// Hourly series of known make. With two channels the second is the first, turned and shifted.
inline SeriesSet small_set(int64_t series, int64_t rows, int64_t channels = 1) {
  SimulateOptions o;
  o.series = series;
  o.rows = rows;
  o.seed = 3;
  SeriesSet set = simulate(o);
  set.path = "small.csv";
  if (channels == 1) return set;
  set.channels = {"value", "other"};
  for (Series& s : set.series) {
    std::vector<double> both;
    for (const double x : s.values) both.insert(both.end(), {x, 100 - 3 * x});
    s.values = std::move(both);
  }
  return set;
}

inline ModelOptions small_options(Network network = Network::entrope, int64_t horizon = 6) {
  ModelOptions o = default_options(network);
  o.horizon = horizon;
  o.lookback = 24;
  o.season = 24;
  o.entrope.width = 8;
  o.entrope.global_layers = 1;
  o.patchtst.patch = 8;
  o.patchtst.stride = 4;
  o.patchtst.layers = 1;
  o.patchtst.width = 8;
  o.patchtst.hidden = 16;
  o.fit.optimisation.epochs = 2;
  o.least_steps = 0;
  o.fit.optimisation.batch = 64;
  o.fit.optimisation.patience = 0;
  o.patching.entropy_model.width = 16;
  o.patching.entropy_model.heads = 2;
  o.patching.entropy_model.depth = 1;
  o.patching.entropy_model.vocabulary = 37;
  o.patching.entropy_model.context = 24;
  o.patching.entropy_training.train.epochs = 2;
  o.patching.entropy_training.windows_per_epoch = 256;
  return o;
}

inline ModelFit small_fit(const SeriesSet& set, const ModelOptions& options) {
  return fit_model(set, tail_split(set, options.horizon), options, {}, {});
}

/// What a function warned of.
class Warnings {
 public:
  Warnings() {
    hooks_.warn = [this](std::string_view sentence) { all_ += std::string(sentence) + "\n"; };
  }
  const attn::Hooks& hooks() const { return hooks_; }
  const std::string& all() const { return all_; }

 private:
  attn::Hooks hooks_;
  std::string all_;
};

}  // namespace timeseries::test
