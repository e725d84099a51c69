#include "timeseries/forecast/entrope.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "attn/attention.h"
#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/core/parallel.h"
#include "libattn/nn/linear.h"
#include "libattn/nn/one_thread.h"
#include "libattn/nn/rms_norm.h"
#include "libattn/ops/check.h"
#include "libattn/ops/probe_scope.h"
#include "timeseries/forecast/entrope_kernel.h"
#include "timeseries/forecast/linear_base.h"
#include "timeseries/forecast/segment.h"
#include "timeseries/forecast/transformer.h"

namespace timeseries {
namespace {

using attn::nn::rms_norm;
using attn::train::Init;
using attn::train::Parameters;
using attn::train::ParameterSpec;

/// The windows as the patcher sees them.
at::Tensor shown(const at::Tensor& values, bool normalised) {
  if (!normalised) return values;
  const at::Tensor centred = values - values.nanmean(1, true);
  return centred / (centred.square().nanmean(1, true) + 1e-5).sqrt();
}

LayerOptions token_layer(const EntropeOptions& o) {
  return {o.width, o.heads, o.token_hidden};
}

LayerOptions patch_layer(const EntropeOptions& o) {
  return {o.width, o.heads, o.patch_hidden};
}

int64_t head_width(const EntropeOptions& o) {
  return o.head_width > 0 ? o.head_width : o.width;
}

std::string numbered(const char* part, int64_t i) {
  return std::string(part) + "." + std::to_string(i) + ".";
}

/// How the windows of a batch are packed: tokens by window and by patch, patches by window.
struct Packed {
  Packing tokens;       // by window
  Packing patches;      // by window
  at::Tensor patch_of;  // (P+1) int64: the first token of each patch, of all tokens
  at::Tensor own;       // (P+1) int64, 0, 1, ...: each patch a query of its own
};

void check_cuts(const PatchCuts& cuts, int64_t rows, const EntropeOptions& o) {
  if (cuts.length != o.lookback || cuts.offsets.size(0) != rows + 1)
    throw std::logic_error("Entrope: the patches are those of other windows");
}

Packed packed(const PatchCuts& cuts, int64_t rows, const EntropeOptions& o) {
  const int64_t patches = cuts.begin.size(0);
  Packed out;
  out.tokens.offsets = at::arange(rows + 1, at::kLong) * o.lookback;
  out.tokens.positions = at::arange(o.lookback, at::kLong).repeat({rows});
  out.tokens.causal = true;
  out.patches.offsets = cuts.offsets;
  out.patches.positions = o.patch_time ? cuts.begin : at::empty_like(cuts.begin);
  out.patch_of = at::empty({patches + 1}, at::kLong);
  out.own = at::arange(patches + 1, at::kLong);
  const auto *first = cuts.offsets.const_data_ptr<int64_t>(),
             *begin = cuts.begin.const_data_ptr<int64_t>();
  auto *token = out.patch_of.mutable_data_ptr<int64_t>(),
       *number = out.patches.positions.mutable_data_ptr<int64_t>();
  for (int64_t n = 0; n < rows; ++n) {
    for (int64_t p = first[n]; p < first[n + 1]; ++p) {
      token[p] = n * o.lookback + begin[p];
      if (!o.patch_time) number[p] = p - first[n];
    }
  }
  token[patches] = rows * o.lookback;
  return out;
}

/// One pass of the network over one batch.
class Network {
 public:
  Network(const EntropeOptions& options, const Parameters& parameters, const Pass& pass,
          PatchCuts cuts, int64_t rows)
      : o_(options), w_(parameters), draws_(pass.training, pass.seed), cuts_(std::move(cuts)) {
    check_cuts(cuts_, rows, o_);
  }

  at::Tensor forward(const Framed& framed, const at::Tensor& ids, const at::Tensor& past) {
    const int64_t rows = framed.input.size(0);
    at::Tensor h = tokens(framed, ids, past);
    const at::Tensor given = h;
    const bool kernel = by_kernel(h);
    if (kernel && !attn::ops::probing()) return head(features(given, rows), rows);
    layout_ = packed(cuts_, rows, o_);
    h = draws_.drop(h, o_.dropout);
    at::Tensor patches = encode(h);
    patches = draws_.drop(patches, o_.dropout);
    for (int64_t i = 0; i < o_.global_layers; ++i)
      patches = layer_forward(patches, layout_.patches, patch_layer(o_), w_, numbered("global", i),
                              layer_dropout(), draws_);
    decode(h, patches);
    // Operators tell a probe; what is forecast must not depend on whether one listens.
    return head(kernel ? features(given, rows) : rms_norm(h, w_.at("norm")), rows);
  }

 private:
  /// Where nothing is to be learned or dropped.
  bool by_kernel(const at::Tensor& h) const {
    return !c10::GradMode::is_enabled() && !draws_.training() && h.scalar_type() == at::kFloat;
  }

  const float* at(const std::string& name) const { return w_.at(name).const_data_ptr<float>(); }

  EntropeLayer kernel_layer(const std::string& n, int64_t hidden) const {
    return {at(n + "norm1"), at(n + "qkv"), at(n + "out"), at(n + "norm2"),
            at(n + "w1"),    at(n + "w3"),  at(n + "w2"),  hidden};
  }

  EntropeNetwork kernel_network() const {
    EntropeNetwork n;
    n.width = o_.width, n.heads = o_.heads, n.lookback = o_.lookback;
    n.residual = o_.residual, n.scope = o_.scope, n.patch_time = o_.patch_time;
    const bool normed = o_.residual == Residual::doubled_normed;
    for (int64_t i = 0; i < o_.encoder_layers; ++i) {
      const std::string name = numbered("encoder", i), c = name + "cross.";
      n.encoder.push_back(kernel_layer(name, o_.token_hidden));
      n.look.push_back({at(c + "norm_query"), at(c + "query"), at(c + "norm_key"),
                        at(c + "key_value"), at(c + "out")});
    }
    for (int64_t i = 0; i < o_.global_layers; ++i)
      n.global.push_back(kernel_layer(numbered("global", i), o_.patch_hidden));
    for (int64_t i = 0; i < o_.decoder_layers; ++i) {
      const std::string name = numbered("decoder", i), c = name + "cross.";
      n.give.push_back({normed ? at(c + "norm_query") : nullptr, at(c + "norm_key"),
                        at(c + "value"), at(c + "out")});
      if (o_.decoder_blocks) n.decoder.push_back(kernel_layer(name, o_.token_hidden));
    }
    n.norm = at("norm");
    return n;
  }

  at::Tensor features(const at::Tensor& h, int64_t rows) const {
    const at::Tensor in = h.contiguous();
    at::Tensor out = at::empty(in.sizes(), in.options());
    EntropeWindows windows;
    windows.tokens = in.const_data_ptr<float>(), windows.rows = rows;
    windows.offsets = cuts_.offsets.const_data_ptr<int64_t>();
    windows.begin = cuts_.begin.const_data_ptr<int64_t>();
    entrope_features(kernel_network(), windows, out.mutable_data_ptr<float>(),
                     attn::ops::torch_threads());
    return out;
  }

  /// The published layers have no dropout of their own.
  double layer_dropout() const { return o_.residual == Residual::single ? o_.dropout : 0; }

  at::Tensor tokens(const Framed& framed, const at::Tensor& ids, const at::Tensor& past) const {
    const int64_t count = framed.input.numel();
    at::Tensor h;
    const auto add = [&](const at::Tensor& part) { h = h.defined() ? h + part : part; };
    if (o_.values) {
      const at::Tensor weight = w_.at("token.value");  // (2,d)
      // Not addcmul: it rounds apart what its threads' vectors leave over.
      add(framed.input.reshape({count, 1}) * weight[0]);
      h.add_(w_.at("token.bias"));
      if (framed.missing.defined()) add(framed.missing.reshape({count, 1}) * weight[1]);
    }
    if (o_.vocabulary > 0) add(at::embedding(w_.at("token.embedding"), ids.reshape({count})));
    if (o_.past > 0)
      add(attn::nn::linear(past.to(framed.input.scalar_type()).reshape({count, o_.past}),
                           w_.at("token.past")));
    return h;
  }

  /// Changes h to the encoder's tokens, returns the patches.
  at::Tensor encode(at::Tensor& h) {
    at::Tensor patches;
    Packing within = layout_.tokens;
    if (o_.scope == TokenScope::patch) {
      within.offsets = layout_.patch_of;
      within.causal = false;
    }
    for (int64_t i = 0; i < o_.encoder_layers; ++i) {
      const std::string name = numbered("encoder", i);
      h = layer_forward(h, within, token_layer(o_), w_, name, layer_dropout(), draws_);
      if (!patches.defined()) patches = segment_max(h, layout_.patch_of);
      const at::Tensor normed = rms_norm(patches, w_.at(name + "cross.norm_query"));
      patches = joined(patches, normed, look(normed, h, name + "cross."));
    }
    return patches;
  }

  /// A of each patch over its own tokens, (P,d).
  at::Tensor look(const at::Tensor& normed, const at::Tensor& h, const std::string& name) const {
    const attn::ProbeLayer label(part_name(name));
    const int64_t d = o_.width, head = d / o_.heads;
    const std::vector<at::Tensor> keys =
        attn::nn::linear(rms_norm(h, w_.at(name + "norm_key")), w_.at(name + "key_value"))
            .split(d, 1);  // of (T,2d)
    attn::AttentionOptions options;
    options.q_offsets = layout_.own;
    options.k_offsets = layout_.patch_of;
    const at::Tensor out =
        attn::attention(
            attn::nn::linear(normed, w_.at(name + "query")).unflatten(1, {o_.heads, head}),
            keys[0].unflatten(1, {o_.heads, head}), keys[1].unflatten(1, {o_.heads, head}), options)
            .out;
    return attn::nn::linear(out.reshape({-1, d}), w_.at(name + "out"));
  }

  void decode(at::Tensor& h, const at::Tensor& patches) {
    h = draws_.drop(h, layer_dropout() > 0 ? 0 : o_.dropout);
    for (int64_t i = 0; i < o_.decoder_layers; ++i) {
      const std::string name = numbered("decoder", i);
      const at::Tensor value = attn::nn::linear(rms_norm(patches, w_.at(name + "cross.norm_key")),
                                                w_.at(name + "cross.value"));
      const at::Tensor given =
          segment_expand(attn::nn::linear(value, w_.at(name + "cross.out")), layout_.patch_of);
      const at::Tensor normed = o_.residual == Residual::doubled_normed
                                    ? rms_norm(h, w_.at(name + "cross.norm_query"))
                                    : at::Tensor();
      h = joined(h, normed, given);
      if (o_.decoder_blocks)
        h = layer_forward(h, layout_.tokens, token_layer(o_), w_, name, layer_dropout(), draws_);
    }
  }

  at::Tensor joined(const at::Tensor& x, const at::Tensor& normed, const at::Tensor& a) const {
    switch (o_.residual) {
      case Residual::doubled:
        return at::add(a, x, 2);
      case Residual::doubled_normed:
        return x + normed + a;
      default:
        return x + a;
    }
  }

  at::Tensor head(const at::Tensor& normed, int64_t rows) {
    at::Tensor last = draws_.drop(normed, o_.dropout);
    if (o_.head_width > 0) last = attn::nn::linear(last, w_.at("head.reduce"));
    last = last.reshape({rows, o_.lookback * head_width(o_)});
    if (!c10::GradMode::is_enabled() && !draws_.training()) return head_by_blocks(last);
    return draws_.drop(attn::nn::linear(last, w_.at("head.weight"), w_.at("head.bias")),
                       o_.head_dropout);
  }

  /// The head's product in blocks of as many rows each: it rounds by their number, and a forecast
  /// is not to depend on the other windows of its batch.
  at::Tensor head_by_blocks(const at::Tensor& x) const {
    constexpr int64_t kRows = 16;
    const int64_t rows = x.size(0), blocks = (rows + kRows - 1) / kRows;
    at::Tensor in = x, out = at::empty({blocks * kRows, o_.horizon}, x.options());
    if (blocks * kRows > rows)
      in = at::cat({x, at::zeros({blocks * kRows - rows, x.size(1)}, x.options())});
    const at::Tensor weight = w_.at("head.weight").t();
    attn::core::run_tasks(attn::ops::torch_threads(), blocks, [&](int64_t i) {
      const attn::nn::OneThread one;
      const c10::NoGradGuard no_grad;  // a thread of the pool has a mode of its own
      at::Tensor to = out.narrow(0, i * kRows, kRows);
      at::addmm_out(to, w_.at("head.bias"), in.narrow(0, i * kRows, kRows), weight);
    });
    return out.narrow(0, 0, rows);
  }

  const EntropeOptions& o_;
  const Parameters& w_;
  Draws draws_;
  PatchCuts cuts_;
  Packed layout_;
};

/// Seasons of the naive forecasts: those that the look-back holds twice, in part, and one step.
std::vector<int64_t> seasons_of(const EntropeOptions& o) {
  if (o.season > 1 && o.season < o.lookback) return {o.season, 1};
  return {1};
}

void add_cross(std::vector<ParameterSpec>& specs, const std::string& name, const EntropeOptions& o,
               bool many_keys) {
  const int64_t d = o.width;
  if (many_keys || o.residual == Residual::doubled_normed)
    specs.push_back({name + "norm_query", {d}, Init::ones()});
  specs.push_back({name + "norm_key", {d}, Init::ones()});
  if (many_keys) {
    specs.push_back({name + "query", {d, d}, Init::linear(d)});
    specs.push_back({name + "key_value", {2 * d, d}, Init::linear(d)});
  } else {
    specs.push_back({name + "value", {d, d}, Init::linear(d)});
  }
  specs.push_back({name + "out", {d, d}, Init::linear(d)});
}

}  // namespace

Patching patching_by(std::shared_ptr<const EntropyPatcher> patcher) {
  return {[patcher](const at::Tensor& values) { return patcher->cut(values); },
          [patcher](const at::Tensor& values) { return patcher->tokens(values); },
          [own = std::move(patcher)](const at::Tensor& ids) { return own->cut_tokens(ids); }};
}

std::vector<ParameterSpec> Entrope::specs(const EntropeOptions& o) {
  check(o);
  const int64_t d = o.width, head = o.lookback * head_width(o);
  std::vector<ParameterSpec> specs = frame_parameters(o.frame);
  if (o.values) {
    specs.push_back({"token.value", {2, d}, Init::uniform(1)});
    specs.push_back({"token.bias", {d}, Init::uniform(1)});
  }
  if (o.vocabulary > 0)
    specs.push_back({"token.embedding", {o.vocabulary, d}, Init::normal(o.values ? 0.1 : 1)});
  if (o.past > 0) specs.push_back({"token.past", {d, o.past}, Init::linear(o.past)});
  for (int64_t i = 0; i < o.encoder_layers; ++i) {
    add_layer(specs, numbered("encoder", i), token_layer(o));
    add_cross(specs, numbered("encoder", i) + "cross.", o, true);
  }
  for (int64_t i = 0; i < o.global_layers; ++i)
    add_layer(specs, numbered("global", i), patch_layer(o));
  for (int64_t i = 0; i < o.decoder_layers; ++i) {
    add_cross(specs, numbered("decoder", i) + "cross.", o, false);
    if (o.decoder_blocks) add_layer(specs, numbered("decoder", i), token_layer(o));
  }
  specs.push_back({"norm", {d}, Init::ones()});
  if (o.head_width > 0) specs.push_back({"head.reduce", {o.head_width, d}, Init::linear(d)});
  // Beside a linear map the network starts as nothing: it learns what that leaves.
  const Init start = o.linear_path ? Init::zeros() : Init::linear(head);
  specs.push_back({"head.weight", {o.horizon, head}, start});
  specs.push_back({"head.bias", {o.horizon}, start});
  if (o.linear_path) specs.push_back({"linear.weight", {o.horizon, o.lookback}, Init::zeros()});
  return specs;
}

std::vector<ParameterSpec> Entrope::buffer_specs(const EntropeOptions& o) {
  if (!o.linear_path) return {};
  std::vector<ParameterSpec> specs{{"share", {o.horizon}, Init::ones()}};
  if (o.naive_blend)
    specs.push_back({"naive.weight",
                     {static_cast<int64_t>(seasons_of(o).size()), NaiveBlend::kKnots},
                     Init::ones()});
  return specs;
}

Entrope::Entrope(const EntropeOptions& options, uint64_t seed, Patching patching)
    : Entrope(options, Parameters(specs(options), seed), Parameters(buffer_specs(options), 0),
              std::move(patching)) {
  // Where no window of the training misses a value, nothing is learned of what stands for one.
  const c10::NoGradGuard no_grad;
  if (options.values) parameters_.at("token.value")[1].zero_();
}

Entrope::Entrope(const EntropeOptions& options, Parameters parameters, Parameters buffers,
                 Patching patching)
    : options_(options),
      parameters_(std::move(parameters)),
      buffers_(std::move(buffers)),
      patching_(std::move(patching)) {
  for (const auto& [name, tensor] : buffers_.named()) tensor.set_requires_grad(false);
}

Framed Entrope::framed(const WindowBatch& batch) const {
  if (batch.values.size(1) != options_.lookback)
    throw attn::Error("the forecaster looks back " + std::to_string(options_.lookback) +
                      " steps, the windows hold " + std::to_string(batch.values.size(1)));
  if (options_.past > 0 && (!batch.past.defined() || batch.past.size(2) != options_.past))
    throw attn::Error("the forecaster was made for " + std::to_string(options_.past) +
                      " covariates known up to now, the windows hold " +
                      std::to_string(batch.past.defined() ? batch.past.size(2) : 0));
  return enter_frame(batch, options_.frame, parameters_, options_.horizon,
                     parameters_.at("norm").scalar_type());
}

at::Tensor Entrope::inside(const WindowBatch& batch, const Framed& framed, const Pass& pass) const {
  at::Tensor ids;
  if (options_.vocabulary > 0)
    ids = patching_.tokens(shown(batch.values, options_.normalised_tokens));
  PatchCuts cuts;
  if (pass.cuts != nullptr) {
    cuts = *pass.cuts;
  } else {
    cuts = ids.defined() && patching_.cut_tokens ? patching_.cut_tokens(ids) : cut(batch.values);
  }
  Network network(options_, parameters_, pass, std::move(cuts), batch.values.size(0));
  return network.forward(framed, ids, batch.past);
}

at::Tensor Entrope::forward(const WindowBatch& batch, const Pass& pass) const {
  if (options_.linear_path) {
    const ForecastParts sum = parts(batch, pass);
    return blended(batch.values, sum.base + share() * sum.rest, blend());
  }
  const Framed own = framed(batch);
  return leave_frame(inside(batch, own, pass), own);
}

ForecastParts Entrope::parts(const WindowBatch& batch, const Pass& pass) const {
  if (!options_.linear_path) return Forecaster::parts(batch, pass);
  Framed own = framed(batch);
  const at::Tensor weight = parameters_.at("linear.weight");
  if (own.missing.defined()) own.input = impute(own.input, own.missing, weight);
  const at::Tensor base = leave_frame(attn::nn::linear(own.input, weight), own);
  own.input = own.input.detach();
  at::Tensor rest = inside(batch, own, pass) * own.sd;
  if (own.weight.defined()) rest = rest / (own.weight.detach() + kScaleEps);
  return {base, rest};
}

at::Tensor Entrope::share() const {
  return options_.linear_path ? buffers_.at("share") : at::Tensor();
}

LinearBase Entrope::linear_base() const {
  if (!options_.linear_path) return {};
  return {parameters_.at("linear.weight"), options_.frame};
}

NaiveBlend Entrope::blend() const {
  if (!options_.linear_path || !options_.naive_blend) return {};
  return {seasons_of(options_), buffers_.at("naive.weight")};
}

PatchCuts Entrope::cut(const at::Tensor& values) const {
  return patching_.cut(shown(values, options_.normalised_tokens));
}

nlohmann::json Entrope::options() const {
  return nlohmann::json(options_);
}

std::unique_ptr<Forecaster> Entrope::clone() const {
  return std::make_unique<Entrope>(options_, parameters_.clone(), buffers_.clone(), patching_);
}

}  // namespace timeseries
