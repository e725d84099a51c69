// What a fit will take.
#include <fmt/format.h>

#include <algorithm>

#include "libattn/io/text.h"
#include "timeseries/forecast/linear_base.h"
#include "timeseries/forecast/share.h"
#include "timeseries/model/entropy_stage.h"
#include "timeseries/model/fit_model.h"
#include "timeseries/series/read.h"

namespace timeseries {
namespace {

int64_t validation_windows(const SeriesSet& set, const Split& split, const ModelOptions& o) {
  return static_cast<int64_t>(
      plan_windows(set, split.validation, {o.lookback, o.horizon, 1, 0}).windows.size());
}

int64_t steps_of(int64_t items, const attn::train::TrainOptions& o) {
  return o.epochs * ((items + o.batch - 1) / o.batch);
}

/// Numbers that one window takes in a step, forward and back, roughly.
double numbers_of(const ModelOptions& o) {
  const auto lookback = static_cast<double>(o.lookback), horizon = static_cast<double>(o.horizon);
  const double window = 2 * lookback + 4 * horizon;
  switch (o.network) {
    case Network::entrope: {
      const EntropeOptions& e = o.entrope;
      const auto layers = static_cast<double>(e.encoder_layers + e.decoder_layers) +
                          static_cast<double>(e.global_layers) / 8;
      return window + lookback * static_cast<double>(e.width) * (6 + 14 * layers);
    }
    case Network::patchtst:
      return window + static_cast<double>(o.patchtst.patches() * o.patchtst.layers) *
                          (12 * static_cast<double>(o.patchtst.width) +
                           3 * static_cast<double>(o.patchtst.hidden) +
                           3 * static_cast<double>(o.patchtst.heads * o.patchtst.patches()));
    default:
      return window + 4 * lookback;
  }
}

double bytes_of(const SeriesSet& set) {
  double numbers = 0;
  for (const Series& s : set.series)
    numbers += static_cast<double>(s.values.size() + s.past.size() + s.future.size());
  return numbers * (sizeof(double) + sizeof(float));
}

}  // namespace

FitEstimate estimate_fit(const SeriesSet& set, const Split& split, const ModelOptions& options) {
  const ModelOptions o = resolved(options, set, split);
  FitEstimate out;
  out.train_windows = static_cast<int64_t>(training_windows(set, split, o).windows.size());
  out.validation_windows = validation_windows(set, split, o);
  if (o.network != Network::seasonal_naive)
    out.steps = steps_of(out.train_windows, o.fit.optimisation);
  if (o.network == Network::entrope && needs_entropy(o.patching.boundaries.rule)) {
    const EntropyTrainOptions& e = o.patching.entropy_training;
    const int64_t windows = count_entropy_windows(set, split.train, o);
    out.entropy_steps = steps_of(
        e.windows_per_epoch > 0 ? std::min(e.windows_per_epoch, windows) : windows, e.train);
  }
  const auto batch = static_cast<double>(
      std::min(o.fit.optimisation.batch, std::max<int64_t>(out.train_windows, 1)));
  const auto windows = static_cast<double>(out.train_windows + out.validation_windows);
  out.bytes = bytes_of(set) + windows * (16 + 12 + 16) + batch * numbers_of(o) * sizeof(float);
  if (o.network == Network::entrope && o.entrope.linear_path)
    out.bytes += std::max(shares_bytes(out.validation_windows, o.lookback, o.horizon),
                          linear_base_bytes(o.lookback, o.horizon));
  return out;
}

std::string told(const FitEstimate& e) {
  std::string text = fmt::format("{} training and {} validation windows, at most {} steps",
                                 e.train_windows, e.validation_windows, e.steps);
  if (e.entropy_steps > 0) text += fmt::format(" after {} of the entropy model", e.entropy_steps);
  return text + ", about " + attn::io::size_text(e.bytes) + " of memory";
}

}  // namespace timeseries
