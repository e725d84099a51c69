#include "timeseries/forecast/patchtst.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "attn/attention.h"
#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/io/json.h"
#include "libattn/io/text.h"
#include "libattn/nn/linear.h"
#include "timeseries/forecast/transformer.h"

namespace timeseries {
namespace {

using attn::train::Init;
using attn::train::Parameters;
using attn::train::ParameterSpec;

constexpr const char* kWhere = "the options of the forecaster";
constexpr double kMomentum = 0.1, kEps = 1e-5;  // of batch normalisation

std::string layer_name(int64_t i) {
  return "layers." + std::to_string(i) + ".";
}

class Network {
 public:
  Network(const PatchTstOptions& options, const Parameters& parameters, const Parameters& buffers,
          const Pass& pass)
      : o_(options),
        w_(parameters),
        buffers_(buffers),
        training_(pass.training),
        draws_(pass.training, pass.seed) {}

  /// u (N,L) -> v (N,T).
  at::Tensor forward(const at::Tensor& u) {
    const int64_t n = u.size(0), d = o_.width, count = o_.patches();
    const at::Tensor end = u.narrow(1, o_.lookback - 1, 1).expand({n, o_.stride});
    const at::Tensor pieces = at::cat({u, end}, 1).unfold(1, o_.patch, o_.stride);
    at::Tensor x =
        attn::nn::linear(pieces, w_.at("patch.weight"), w_.at("patch.bias")) + w_.at("position");
    x = draws_.drop(x, o_.dropout).reshape({n * count, d});
    at::Tensor scores;
    for (int64_t i = 0; i < o_.layers; ++i) x = layer(x, layer_name(i), n, scores);
    const at::Tensor flat = x.view({n, count, d}).transpose(1, 2).reshape({n, d * count});
    return attn::nn::linear(flat, w_.at("head.weight"), w_.at("head.bias"));
  }

 private:
  at::Tensor layer(at::Tensor x, const std::string& name, int64_t n, at::Tensor& scores) {
    x = normalised(x + draws_.drop(attend(x, name, n, scores), o_.dropout), name + "norm1");
    at::Tensor wide =
        at::gelu(attn::nn::linear(x, w_.at(name + "up.weight"), w_.at(name + "up.bias")));
    wide = draws_.drop(wide, o_.dropout);
    const at::Tensor y =
        attn::nn::linear(wide, w_.at(name + "down.weight"), w_.at(name + "down.bias"));
    return normalised(x + draws_.drop(y, o_.dropout), name + "norm2");
  }

  /// x (N P, d) -> (N P, d); `scores` (N,H,P,P): in, of the layer before; out, of this one.
  at::Tensor attend(const at::Tensor& x, const std::string& name, int64_t n, at::Tensor& scores) {
    const attn::ProbeLayer label(part_name(name));
    const int64_t head = o_.width / o_.heads;
    const auto part = [&](const at::Tensor& all, int64_t index) {
      return all.narrow(1, index * o_.width, o_.width)
          .view({n, o_.patches(), o_.heads, head})
          .transpose(1, 2);
    };
    const at::Tensor all = attn::nn::linear(x, w_.at(name + "qkv.weight"), w_.at(name + "qkv.bias"))
                               .reshape({n * o_.patches(), 3 * o_.width});
    const at::Tensor q = part(all, 0), k = part(all, 1), v = part(all, 2);
    attn::AttentionOptions options;
    if (o_.residual_scores) options.bias = scores;
    const at::Tensor out = attn::attention(q, k, v, options).out;
    if (o_.residual_scores) {
      const at::Tensor own =
          at::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(head));
      scores = scores.defined() ? own + scores : own;
    }
    const at::Tensor y = attn::nn::linear(out.transpose(1, 2).reshape({n * o_.patches(), o_.width}),
                                          w_.at(name + "out.weight"), w_.at(name + "out.bias"));
    return draws_.drop(y, o_.dropout);
  }

  at::Tensor normalised(const at::Tensor& x, const std::string& name) const {
    return at::batch_norm(x, w_.at(name + ".weight"), w_.at(name + ".bias"),
                          buffers_.at(name + ".mean"), buffers_.at(name + ".variance"), training_,
                          kMomentum, kEps, false);
  }

  const PatchTstOptions& o_;
  const Parameters &w_, &buffers_;
  bool training_;
  Draws draws_;
};

void check(const PatchTstOptions& o) {
  const auto require = [](bool ok, const std::string& sentence) {
    if (!ok) throw attn::UsageError(sentence);
  };
  require(o.horizon >= 1, "the horizon must be at least 1, found " + std::to_string(o.horizon));
  require(o.patch >= 1 && o.stride >= 1 && o.lookback >= o.patch,
          "PatchTST's patches of " + std::to_string(o.patch) + " steps must fit the look-back of " +
              std::to_string(o.lookback));
  require(o.heads >= 1 && o.width >= 1 && o.width % o.heads == 0,
          "the width, " + std::to_string(o.width) +
              ", must be a multiple of the number of heads, " + std::to_string(o.heads));
  require(o.layers >= 1 && o.hidden >= 1, "layers and hidden width must be at least 1");
  require(o.dropout >= 0 && o.dropout < 1,
          "the dropout must be at least 0 and below 1, found " + attn::io::number_text(o.dropout));
  check(o.frame);
}

/// Weight (out,in) and bias (out).
void add_linear(std::vector<ParameterSpec>& specs, const std::string& name, int64_t out,
                int64_t in) {
  specs.push_back({name + ".weight", {out, in}, Init::linear(in)});
  specs.push_back({name + ".bias", {out}, Init::linear(in)});
}

}  // namespace

void to_json(nlohmann::json& j, const PatchTstOptions& o) {
  j = {{"kind", "patchtst"},
       {"lookback", o.lookback},
       {"horizon", o.horizon},
       {"patch", o.patch},
       {"stride", o.stride},
       {"width", o.width},
       {"heads", o.heads},
       {"layers", o.layers},
       {"hidden", o.hidden},
       {"dropout", o.dropout},
       {"residual_scores", o.residual_scores},
       {"frame", nlohmann::json(o.frame)}};
}

void from_json(const nlohmann::json& j, PatchTstOptions& o) {
  const auto whole = [&](const char* key, int64_t& value) {
    value = attn::io::get_or<int64_t>(j, key, kWhere, value);
  };
  whole("lookback", o.lookback);
  whole("horizon", o.horizon);
  whole("patch", o.patch);
  whole("stride", o.stride);
  whole("width", o.width);
  whole("heads", o.heads);
  whole("layers", o.layers);
  whole("hidden", o.hidden);
  o.dropout = attn::io::get_or<double>(j, "dropout", kWhere, o.dropout);
  o.residual_scores = attn::io::get_or<bool>(j, "residual_scores", kWhere, o.residual_scores);
  if (const nlohmann::json* frame = attn::io::find(j, "frame", kWhere)) from_json(*frame, o.frame);
}

std::vector<ParameterSpec> PatchTst::specs(const PatchTstOptions& o) {
  check(o);
  std::vector<ParameterSpec> specs = frame_parameters(o.frame);
  add_linear(specs, "patch", o.width, o.patch);
  specs.push_back({"position", {o.patches(), o.width}, Init::uniform(0.02)});
  for (int64_t i = 0; i < o.layers; ++i) {
    const std::string name = layer_name(i);
    add_linear(specs, name + "qkv", 3 * o.width, o.width);
    add_linear(specs, name + "out", o.width, o.width);
    add_linear(specs, name + "up", o.hidden, o.width);
    add_linear(specs, name + "down", o.width, o.hidden);
    for (const char* norm : {"norm1", "norm2"}) {
      specs.push_back({name + norm + ".weight", {o.width}, Init::ones()});
      specs.push_back({name + norm + ".bias", {o.width}, Init::zeros()});
    }
  }
  add_linear(specs, "head", o.horizon, o.width * o.patches());
  return specs;
}

std::vector<ParameterSpec> PatchTst::buffer_specs(const PatchTstOptions& o) {
  std::vector<ParameterSpec> specs;
  for (int64_t i = 0; i < o.layers; ++i) {
    for (const char* norm : {"norm1", "norm2"}) {
      specs.push_back({layer_name(i) + norm + ".mean", {o.width}, Init::zeros()});
      specs.push_back({layer_name(i) + norm + ".variance", {o.width}, Init::ones()});
    }
  }
  return specs;
}

PatchTst::PatchTst(const PatchTstOptions& options, uint64_t seed)
    : PatchTst(options, Parameters(specs(options), seed), Parameters(buffer_specs(options), 0)) {}

PatchTst::PatchTst(const PatchTstOptions& options, Parameters parameters, Parameters buffers)
    : options_(options), parameters_(std::move(parameters)), buffers_(std::move(buffers)) {
  for (const auto& [name, tensor] : buffers_.named()) tensor.set_requires_grad(false);
}

at::Tensor PatchTst::forward(const WindowBatch& batch, const Pass& pass) const {
  const Framed framed = enter_frame(batch, options_.frame, parameters_, options_.horizon,
                                    parameters_.at("position").scalar_type());
  Network network(options_, parameters_, buffers_, pass);
  return leave_frame(network.forward(framed.input), framed);
}

nlohmann::json PatchTst::options() const {
  return nlohmann::json(options_);
}

std::unique_ptr<Forecaster> PatchTst::clone() const {
  return std::make_unique<PatchTst>(options_, parameters_.clone(), buffers_.clone());
}

}  // namespace timeseries
