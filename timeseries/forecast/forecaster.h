// What every forecasting network is to those who train it and forecast with it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "libattn/train/parameters.h"
#include "timeseries/forecast/frame.h"
#include "timeseries/forecast/naive_blend.h"
#include "timeseries/patch/cuts.h"
#include "timeseries/window/batch.h"

namespace timeseries {

/// How a forward pass is taken.
struct Pass {
  bool training = false;            ///< dropout and batch statistics
  uint64_t seed = 0;                ///< of dropout
  const PatchCuts* cuts = nullptr;  ///< of the batch, where they are known; else they are found
};

/// A forecast as the sum of what a plain map says and of what a network makes of the rest, (N,T)
/// each in the units of the batch. No gradient of `rest` reaches what `base` is made of.
struct ForecastParts {
  at::Tensor base, rest;
};

/// The plain map of such a sum, where it is one of the window within a frame: W (T,L), shared with
/// the forecaster, and the frame, whose parameters are among the forecaster's. Undefined: none.
struct LinearBase {
  at::Tensor weight;
  FrameOptions frame;
};

class Forecaster {
 public:
  virtual ~Forecaster() = default;

  /// (N,T) in the units of the batch. Not training: a row's forecast depends on nothing but that
  /// row, whatever else is in the batch and however many threads work.
  virtual at::Tensor forward(const WindowBatch& batch, const Pass& pass = {}) const = 0;

  /// For a forecaster that has a share, whose forward is base + share * rest, blended;
  /// std::logic_error for others.
  virtual ForecastParts parts(const WindowBatch& batch, const Pass& pass) const;
  /// (T), one of the buffers: how much of `rest` counts at each step, as fit_shares finds it;
  /// undefined where the forecast is no such sum.
  virtual at::Tensor share() const { return {}; }
  /// What fit_linear_base finds, in closed form, before the rest is taught.
  virtual LinearBase linear_base() const { return {}; }
  /// How that sum is blended with naive forecasts, as fit_shares finds it; its weight is one of the
  /// buffers. No seasons: not at all.
  virtual NaiveBlend blend() const { return {}; }

  /// What is learned; shared with the forecaster, so that changing them changes it.
  virtual const attn::train::Parameters& parameters() const = 0;
  /// What training changes besides (running statistics), shared too.
  virtual attn::train::NamedTensors buffers() const { return {}; }

  /// Whether the windows are cut into patches where their values tell.
  virtual bool cuts_by_values() const { return false; }
  /// Where to: of values (N,L) with NaN, as in WindowBatch. std::logic_error for those that do not.
  virtual PatchCuts cut(const at::Tensor& values) const;

  /// Everything but the numbers: {"kind": "dlinear", "lookback": ..., ...}.
  virtual nlohmann::json options() const = 0;
  virtual int64_t lookback() const = 0;
  virtual int64_t horizon() const = 0;
  /// A copy with numbers of its own.
  virtual std::unique_ptr<Forecaster> clone() const = 0;
};

}  // namespace timeseries
