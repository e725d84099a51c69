// The literature's protocols: trained, chosen and tested on their rows, every test window counted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attn/hooks.h"
#include "timeseries/model/fit_model.h"
#include "timeseries/model/model_options.h"
#include "timeseries/series/protocol.h"
#include "timeseries/series/series.h"

namespace timeseries {

struct EvaluateOptions {
  Protocol protocol;
  ModelOptions model;              ///< of the network evaluated; its seed is that of the first run
  std::optional<int64_t> horizon;  ///< not set: the protocol's, else 96; model.horizon has no say
  int64_t seeds = 1;               ///< runs with seeds seed, seed + 1, ...
  std::vector<Network> baselines{Network::dlinear, Network::patchtst};  ///< with default_options
  bool naive = true;   ///< seasonal naive and last value in the table
  double level = 0.8;  ///< of the interval whose coverage is told
  FitFiles files;      ///< a folder for each run in it, kept: a finished one is not trained again
};

/// One test of one method. `mse` and `mae` of values standardised by the training rows, over all
/// windows, channels and steps; of m4-hourly `smape` and `mase` in the units of the data, with the
/// season's scale over all rows before the test part, NaN for other protocols.
struct TestScores {
  double mse = 0, mae = 0, smape = 0, mase = 0;
  double coverage = 0, width = 0;  ///< of the interval; width in standard deviations; NaN without
};

struct MethodEvaluation {
  std::string method;
  std::vector<TestScores> seeds;  ///< one a run; naive methods: one
  int64_t parameters = 0;
  double seconds = 0;  ///< of all tests, and of the trainings that were not taken from a file
};

struct EvaluationResult {
  std::string protocol;
  int64_t lookback = 0, horizon = 0, season = 1;
  double level = 0.8;
  int64_t test_windows = 0, channels = 0, series = 0, values = 0;
  std::vector<std::string> short_series;  ///< left out: too short for a test window
  std::vector<MethodEvaluation> methods;  ///< the network evaluated first
};

/// Throws Error: series too short for the protocol, no test window; UsageError: a horizon that the
/// protocol does not have, fewer than 1 seed; Interrupted, after which the same call goes on.
EvaluationResult evaluate_protocol(const SeriesSet& set, const EvaluateOptions& options,
                                   const attn::Hooks& hooks);

/// Mean and sample standard deviation over the runs (sd null for one).
struct OverSeeds {
  double mean = 0, sd = 0;
};
OverSeeds over_seeds(const MethodEvaluation& method, double TestScores::*metric);

/// {"mse": {"mean", "sd"}, "mae": ..., ("smape", "mase" for m4-hourly,) "coverage": ...,
/// "protocol", "lookback", ..., "methods": {NAME: {the same, "runs": [...], "parameters",
/// "seconds"}}}
nlohmann::json to_json(const EvaluationResult& result);

}  // namespace timeseries
