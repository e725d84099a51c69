#include "timeseries/forecast/dlinear.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/nn/linear.h"

namespace timeseries {
namespace {

using attn::train::Init;
using attn::train::Parameters;
using attn::train::ParameterSpec;

constexpr const char* kWhere = "the options of the forecaster";

/// Moving average of u (N,L) over an odd window, its ends repeated.
at::Tensor trend_of(const at::Tensor& u, int64_t kernel) {
  const at::Tensor wide = at::replication_pad1d(u.unsqueeze(1), {kernel / 2, kernel / 2});
  return at::avg_pool1d(wide, {kernel}, {1}).squeeze(1);
}

}  // namespace

void to_json(nlohmann::json& j, const DLinearOptions& o) {
  j = {{"kind", "dlinear"},
       {"lookback", o.lookback},
       {"horizon", o.horizon},
       {"kernel", o.kernel},
       {"frame", nlohmann::json(o.frame)}};
}

void from_json(const nlohmann::json& j, DLinearOptions& o) {
  o.lookback = attn::io::get_or<int64_t>(j, "lookback", kWhere, o.lookback);
  o.horizon = attn::io::get_or<int64_t>(j, "horizon", kWhere, o.horizon);
  o.kernel = attn::io::get_or<int64_t>(j, "kernel", kWhere, o.kernel);
  if (const nlohmann::json* frame = attn::io::find(j, "frame", kWhere)) from_json(*frame, o.frame);
}

std::vector<ParameterSpec> DLinear::specs(const DLinearOptions& o) {
  if (o.lookback < 1 || o.horizon < 1)
    throw attn::UsageError("look-back and horizon must be at least 1");
  if (o.kernel < 1 || o.kernel % 2 == 0)
    throw attn::UsageError("the moving average of DLinear must be over an odd number of steps, " +
                           ("found " + std::to_string(o.kernel)));
  check(o.frame);
  std::vector<ParameterSpec> specs = frame_parameters(o.frame);
  for (const char* part : {"trend", "remainder"}) {
    const std::string name(part);
    specs.push_back({name + ".weight", {o.horizon, o.lookback}, Init::linear(o.lookback)});
    specs.push_back({name + ".bias", {o.horizon}, Init::linear(o.lookback)});
  }
  return specs;
}

DLinear::DLinear(const DLinearOptions& options, uint64_t seed)
    : DLinear(options, Parameters(specs(options), seed)) {}

DLinear::DLinear(const DLinearOptions& options, Parameters parameters)
    : options_(options), parameters_(std::move(parameters)) {}

at::Tensor DLinear::forward(const WindowBatch& batch, const Pass& /*pass*/) const {
  const Parameters& w = parameters_;
  const Framed framed =
      enter_frame(batch, options_.frame, w, options_.horizon, w.at("trend.weight").scalar_type());
  const at::Tensor trend = trend_of(framed.input, options_.kernel);
  const at::Tensor v =
      attn::nn::linear(trend, w.at("trend.weight"), w.at("trend.bias")) +
      attn::nn::linear(framed.input - trend, w.at("remainder.weight"), w.at("remainder.bias"));
  return leave_frame(v, framed);
}

nlohmann::json DLinear::options() const {
  return nlohmann::json(options_);
}

std::unique_ptr<Forecaster> DLinear::clone() const {
  return std::make_unique<DLinear>(options_, parameters_.clone());
}

}  // namespace timeseries
