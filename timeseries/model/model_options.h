// All that decides what a model will be, beside the data.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "timeseries/forecast/dlinear.h"
#include "timeseries/forecast/entrope_options.h"
#include "timeseries/forecast/forecast_train.h"
#include "timeseries/forecast/patchtst.h"
#include "timeseries/patch/boundaries.h"
#include "timeseries/patch/entropy_model.h"
#include "timeseries/patch/entropy_train.h"
#include "timeseries/series/series.h"
#include "timeseries/window/scaler.h"
#include "timeseries/window/split.h"

namespace timeseries {

enum class Network { entrope, patchtst, dlinear, seasonal_naive };

/// "entrope", "patchtst", "dlinear", "seasonal-naive". Throws UsageError with the nearest.
Network parse_network(std::string_view word);
std::string to_string(Network network);
std::vector<std::string> network_names();

/// How EntroPE's windows are cut into patches.
struct PatchingOptions {
  BoundaryOptions boundaries;
  /// Thresholds are fitted to this mean length of the training windows' patches; 0: taken as
  /// `boundaries` has them. Not set: 8 for the rules threshold, rise and both, else 0.
  std::optional<double> mean_length;
  double range = 0;  ///< centres of the tokeniser's end bins, -range and range; 0: learned, so
                     ///< that the end bins hold at most 1 % of the training values
  EntropyModelOptions entropy_model;
  EntropyTrainOptions entropy_training;
};

/// Conformal intervals from the residuals of the validation windows.
struct IntervalOptions {
  bool symmetric = true;  ///< see ConformalOptions
  double shrink = 50;     ///< see ConformalOptions
  double smooth = 1000;   ///< see ConformalOptions
  bool scaled = true;  ///< residuals over the window's residual_scale; else over the channel's sd
};

struct ModelOptions {
  Network network = Network::entrope;
  int64_t horizon = 96;
  int64_t lookback = 0;           ///< 0: automatic_lookback
  std::optional<int64_t> season;  ///< steps, of MASE, naive forecasts and residual scales; not set:
                                  ///< season_length(frequency)
  std::optional<int64_t> cycle;   ///< steps of the learned season; 0: none; not set: `season` for
                                  ///< entrope where the series have a common clock, else none
  bool calendar = false;          ///< calendar features as covariates known ahead
  std::optional<ScaleBy> scale;   ///< not set: by channel for one series, by series for more
  std::optional<Transform> transform;  ///< of the values; not set: choose_transform
  int64_t stride = 1;                  ///< rows between training windows
  PatchingOptions patching;            ///< of entrope
  EntropeOptions entrope;    ///< look-back, horizon, season, covariates and frame sizes are set
  PatchTstOptions patchtst;  ///< from the data, here and in the next two
  DLinearOptions dlinear;
  FitOptions fit;             ///< its optimisation.seed, and that of the entropy model, are `seed`
  int64_t least_steps = 400;  ///< epochs are raised until they take as many steps; 0: they are not
  IntervalOptions intervals;
  uint64_t seed = 0;

  ModelOptions();
};

/// Options of a network with the training that it learns well by: entrope's our own; of PatchTST
/// and DLinear the settings of their authors' ETT scripts, a batch being 128 or 32 windows of all
/// `channels`.
ModelOptions default_options(Network network, int64_t channels = 7);

/// Throws UsageError, one sentence, on the first option out of its range.
void check(const ModelOptions& options);

/// `options` with nothing automatic left: look-back, season, cycle, scaling, transform, covariates,
/// epochs and seeds.
/// Throws UsageError as check() does; Error, naming the file, where look-back or horizon are longer
/// than the training rows of all series.
ModelOptions resolved(const ModelOptions& options, const SeriesSet& set, const Split& split);

/// Two weeks where a season is a day of 24 steps or more and 512 steps hold them, else one week,
/// else 96 or two seasons where these are longer, 512 at most; not more than half of the longest
/// training range leaves beside the horizon, nor two thirds of the middle range; at least 1.
int64_t automatic_lookback(const Split& split, const Frequency& frequency, int64_t horizon,
                           int64_t season);

/// Every key, as configuration files and model files hold it.
void to_json(nlohmann::json& j, const ModelOptions& options);
/// The options of `j` over `base`: a missing key leaves what is there, but for least_steps, which
/// epochs alone set to 0. Throws Error naming `where`
/// and the key: unknown ones (with the nearest known), ill-typed ones.
ModelOptions read_model_options(const nlohmann::json& j, const ModelOptions& base,
                                const std::string& where);

}  // namespace timeseries
