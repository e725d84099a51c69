#include "timeseries/forecast/frame.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "attn/error.h"
#include "libattn/core/parallel.h"
#include "libattn/io/json.h"
#include "libattn/nn/linear.h"
#include "libattn/ops/check.h"
#include "timeseries/forecast/segment.h"

namespace timeseries {
namespace {

using attn::train::Init;
using attn::train::Parameters;
using attn::train::ParameterSpec;

constexpr double kEps = 1e-5;  // of RevIN

struct Statistics {
  double mean = 0, sd = 1;
  int64_t missing = 0;
};

/// Mean and sqrt(biased variance + eps) of the known values of x (length).
template <class T>
Statistics statistics_of(const T* x, int64_t length) {
  Statistics s;
  double sum = 0, squares = 0;
  for (int64_t t = 0; t < length; ++t) {
    const bool known = !std::isnan(x[t]);
    sum += known ? static_cast<double>(x[t]) : 0.0;
    s.missing += static_cast<int64_t>(!known);
  }
  if (s.missing == length) return s;
  const auto known = static_cast<double>(length - s.missing);
  s.mean = sum / known;
  for (int64_t t = 0; t < length; ++t) {
    const double difference = static_cast<double>(x[t]) - s.mean;
    squares += std::isnan(x[t]) ? 0.0 : difference * difference;
  }
  s.sd = std::sqrt(squares / known + kEps);
  return s;
}

/// Writes z, m, s and the mask; returns whether anything is missing.
template <class T>
bool normalise(const T* x, int64_t rows, int64_t length, const FrameOptions& o, T* z, T* mean,
               T* sd, T* mask) {
  std::vector<int64_t> missing(static_cast<size_t>(rows));
  attn::core::run_tasks(attn::ops::torch_threads(), (rows + 31) / 32, [&](int64_t task) {
    for (int64_t n = 32 * task; n < std::min(32 * task + 32, rows); ++n) {
      const T* in = x + n * length;
      const Statistics s = statistics_of(in, length);
      missing[static_cast<size_t>(n)] = s.missing;
      mean[n] = o.normalise ? static_cast<T>(s.mean) : T(0);
      sd[n] = o.normalise && o.scale ? static_cast<T>(s.sd) : T(1);
      const T absent = o.normalise ? T(0) : static_cast<T>(s.mean);
      for (int64_t t = 0; t < length; ++t) {
        const bool known = !std::isnan(in[t]);
        z[n * length + t] = known ? (in[t] - mean[n]) / sd[n] : absent;
        mask[n * length + t] = known ? T(0) : T(1);
      }
    }
  });
  return std::any_of(missing.begin(), missing.end(), [](int64_t count) { return count > 0; });
}

Framed normalised(const WindowBatch& batch, const FrameOptions& o, at::ScalarType type) {
  const at::Tensor x = batch.values.to(type).contiguous();
  Framed out;
  out.input = at::empty_like(x);
  out.missing = at::empty_like(x);
  out.mean = at::empty({x.size(0), 1}, x.options());
  out.sd = at::empty({x.size(0), 1}, x.options());
  bool any = false;
  AT_DISPATCH_FLOATING_TYPES(type, "enter_frame", [&] {
    any = normalise(x.const_data_ptr<scalar_t>(), x.size(0), x.size(1), o,
                    out.input.mutable_data_ptr<scalar_t>(), out.mean.mutable_data_ptr<scalar_t>(),
                    out.sd.mutable_data_ptr<scalar_t>(), out.missing.mutable_data_ptr<scalar_t>());
  });
  if (!any) out.missing = at::Tensor();
  return out;
}

void check_batch(const WindowBatch& batch, const FrameOptions& o) {
  if (o.known > 0 && (!batch.known.defined() || batch.known.size(2) != o.known)) {
    throw attn::Error("the forecaster was made for " + std::to_string(o.known) +
                      " covariates known ahead, the windows hold " +
                      std::to_string(batch.known.defined() ? batch.known.size(2) : 0));
  }
}

/// e (N, L + T), from the first row looked at; undefined where there is none.
at::Tensor effect_of(const WindowBatch& batch, const at::Tensor& row, const FrameOptions& o,
                     const Parameters& parameters, int64_t horizon, at::ScalarType type) {
  const int64_t lookback = batch.values.size(1), length = lookback + horizon;
  at::Tensor effect;
  if (o.season > 0)
    effect = periodic_rows(parameters.at("frame.season"), row, batch.phase, -lookback, length);
  if (o.known > 0) {
    const at::Tensor k = batch.known.to(type), beta = parameters.at("frame.known");
    const at::Tensor own = o.channels == 1 ? attn::nn::linear(k, beta).squeeze(2)
                                           : (k * beta.index_select(0, row).unsqueeze(1)).sum(2);
    effect = effect.defined() ? effect + own : own;
  }
  return effect;
}

at::Tensor carried_on(const at::Tensor& u, const at::Tensor& missing) {
  const at::Tensor none = at::full({1}, -1, at::kLong);
  const at::Tensor place = at::where(missing > 0, none, at::arange(u.size(1), at::kLong));
  const at::Tensor last = std::get<0>(place.cummax(1));
  return u.gather(1, last.clamp_min(0)) * (last >= 0);
}

}  // namespace

void to_json(nlohmann::json& j, const FrameOptions& o) {
  j = {{"normalise", o.normalise}, {"scale", o.scale},   {"affine", o.affine},
       {"channels", o.channels},   {"season", o.season}, {"known", o.known}};
}

void from_json(const nlohmann::json& j, FrameOptions& o) {
  const char* where = "the frame of the forecaster";
  o.normalise = attn::io::get_or<bool>(j, "normalise", where, o.normalise);
  o.scale = attn::io::get_or<bool>(j, "scale", where, o.scale);
  o.affine = attn::io::get_or<bool>(j, "affine", where, o.affine);
  o.channels = attn::io::get_or<int64_t>(j, "channels", where, o.channels);
  o.season = attn::io::get_or<int64_t>(j, "season", where, o.season);
  o.known = attn::io::get_or<int64_t>(j, "known", where, o.known);
}

void check(const FrameOptions& o) {
  if (o.channels < 1) throw attn::UsageError("the frame needs at least 1 channel");
  if (o.season < 0) throw attn::UsageError("the season must not be negative");
  if (o.known < 0) throw attn::UsageError("the number of covariates must not be negative");
}

std::vector<ParameterSpec> frame_parameters(const FrameOptions& o) {
  std::vector<ParameterSpec> specs;
  if (o.affine) {
    specs.push_back({"frame.weight", {o.channels}, Init::ones()});
    specs.push_back({"frame.bias", {o.channels}, Init::zeros()});
  }
  if (o.season > 0) specs.push_back({"frame.season", {o.channels, o.season}, Init::zeros()});
  if (o.known > 0) specs.push_back({"frame.known", {o.channels, o.known}, Init::zeros()});
  return specs;
}

Framed enter_frame(const WindowBatch& batch, const FrameOptions& o, const Parameters& parameters,
                   int64_t horizon, at::ScalarType type) {
  check_batch(batch, o);
  Framed out = normalised(batch, o, type);
  const at::Tensor row = o.channels == 1 ? at::zeros_like(batch.channel) : batch.channel;
  if (o.affine) {
    out.weight = parameters.at("frame.weight").index_select(0, row).unsqueeze(1);
    out.bias = parameters.at("frame.bias").index_select(0, row).unsqueeze(1);
    out.input = at::addcmul(out.bias, out.input, out.weight);
  }
  const at::Tensor effect = effect_of(batch, row, o, parameters, horizon, type);
  if (effect.defined()) {
    const int64_t lookback = batch.values.size(1);
    out.input = out.input - effect.narrow(1, 0, lookback);
    out.effect = effect.narrow(1, lookback, horizon);
  }
  out.carried = out.missing.defined() ? carried_on(out.input, out.missing) : out.input;
  if (out.missing.defined() && o.normalise) out.input = out.input * (1 - out.missing);
  return out;
}

at::Tensor leave_frame(const at::Tensor& v, const Framed& framed) {
  at::Tensor y = framed.effect.defined() ? v + framed.effect : v;
  if (framed.weight.defined()) y = (y - framed.bias) / (framed.weight + kScaleEps);
  return at::addcmul(framed.mean, y, framed.sd);
}

}  // namespace timeseries
