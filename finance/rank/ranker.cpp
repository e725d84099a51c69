#include "finance/rank/ranker.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "finance/rank/cross_kernel.h"
#include "libattn/nn/dropout.h"
#include "libattn/nn/encoder.h"
#include "libattn/nn/linear.h"
#include "libattn/ops/check.h"
#include "libattn/ops/probe_scope.h"
#include "libattn/train/seed.h"

namespace finance {
namespace {

using attn::train::Init;
using attn::train::Parameters;
using attn::train::ParameterSpec;

std::string numbered(const char* name, int64_t i) {
  return std::string(name) + "." + std::to_string(i) + ".";
}

void add_matrix(std::vector<ParameterSpec>& specs, const std::string& name, int64_t out,
                int64_t in) {
  specs.push_back({name, {out, in}, Init::linear(in)});
}

void add_encoder(std::vector<ParameterSpec>& specs, const char* name, int64_t layers, int64_t d,
                 int64_t hidden) {
  for (int64_t i = 0; i < layers; ++i) {
    const std::string p = numbered(name, i);
    specs.push_back({p + "norm1", {d}, Init::ones()});
    add_matrix(specs, p + "qkv", 3 * d, d);
    add_matrix(specs, p + "out", d, d);
    specs.push_back({p + "norm2", {d}, Init::ones()});
    add_matrix(specs, p + "up", hidden, d);
    add_matrix(specs, p + "down", d, hidden);
  }
}

void add_categories(std::vector<ParameterSpec>& specs, const RankerOptions& o, int64_t width) {
  for (size_t c = 0; c < o.categories.size(); ++c)
    specs.push_back({"category." + std::to_string(c), {o.categories[c], width}, Init::normal(0.1)});
}

std::vector<attn::nn::EncoderLayer> layers_of(const Parameters& w, const char* name,
                                              int64_t count) {
  std::vector<attn::nn::EncoderLayer> layers;
  for (int64_t i = 0; i < count; ++i) {
    const std::string p = numbered(name, i);
    layers.push_back({w.at(p + "norm1"), w.at(p + "qkv"), w.at(p + "out"), w.at(p + "norm2"),
                      w.at(p + "up"), w.at(p + "down")});
  }
  return layers;
}

at::Tensor plain_norm(const at::Tensor& h) {
  return at::layer_norm(h, {h.size(1)});
}

attn::nn::EncoderOptions encoder_options(int64_t heads, double dropout, const RankPass& pass,
                                         const char* name) {
  attn::nn::EncoderOptions o;
  o.heads = heads, o.name = name;
  if (pass.training) {
    o.dropout = dropout;
    o.seed = attn::train::derive_seed(pass.seed, name, 0);
  }
  return o;
}

}  // namespace

std::vector<ParameterSpec> Ranker::specs(const RankerOptions& o) {
  check(o);
  const int64_t d = o.width, f = o.features;
  std::vector<ParameterSpec> specs;
  if (o.model == RankModel::linear) {
    specs.push_back({"head.w", {1, f}, Init::zeros()});
    specs.push_back({"head.b", {1}, Init::zeros()});
    add_categories(specs, o, 1);
    return specs;
  }
  add_categories(specs, o, d);
  if (looks_at_features(o.model)) {
    specs.push_back({"token.weight", {f, d}, Init::linear(d)});
    specs.push_back({"token.bias", {f, d}, Init::linear(d)});
    specs.push_back({"token.first", {d}, Init::linear(d)});
    add_encoder(specs, "self", o.self_layers, d, o.hidden);
  } else {
    add_matrix(specs, "embed.w1", d, f);
    specs.push_back({"embed.b1", {d}, Init::linear(f)});
    if (o.model != RankModel::rankformer) {
      add_matrix(specs, "embed.w2", d, d);
      specs.push_back({"embed.b2", {d}, Init::linear(d)});
    }
  }
  if (looks_across(o.model)) add_encoder(specs, "cross", o.layers, d, o.hidden);
  for (int64_t i = 0; o.model == RankModel::mlp && i < o.layers; ++i) {
    const std::string p = numbered("layer", i);
    add_matrix(specs, p + "up", o.hidden, d);
    add_matrix(specs, p + "down", d, o.hidden);
  }
  if (o.model != RankModel::rankformer) {
    add_matrix(specs, "head.w1", d, d);
    specs.push_back({"head.b1", {d}, Init::linear(d)});
  }
  specs.push_back({"head.w", {1, d}, Init::linear(d)});
  specs.push_back({"head.b", {1}, Init::zeros()});
  return specs;
}

Ranker::Ranker(const RankerOptions& options, uint64_t seed)
    : Ranker(options, Parameters(specs(options), seed)) {}

Ranker::Ranker(const RankerOptions& options, Parameters parameters)
    : options_(options), parameters_(std::move(parameters)) {}

/// sum_c E_c[code_c]; undefined without categories.
at::Tensor Ranker::category_sum(const RankBatch& batch) const {
  at::Tensor sum;
  for (size_t c = 0; c < options_.categories.size(); ++c) {
    const at::Tensor one = at::embedding(parameters_.at("category." + std::to_string(c)),
                                         batch.codes.select(1, static_cast<int64_t>(c)));
    sum = sum.defined() ? sum + one : one;
  }
  return sum;
}

at::Tensor Ranker::embedded(const RankBatch& batch) const {
  const Parameters& w = parameters_;
  at::Tensor h = attn::nn::linear(batch.features, w.at("embed.w1"), w.at("embed.b1"));
  if (const at::Tensor e = category_sum(batch); e.defined()) h = h + e;
  if (options_.model == RankModel::rankformer) return h;
  return attn::nn::linear(at::gelu(h), w.at("embed.w2"), w.at("embed.b2"));
}

at::Tensor Ranker::tokens(const RankBatch& batch, const RankPass& pass) const {
  const Parameters& w = parameters_;
  const int64_t rows = batch.features.size(0), d = options_.width;
  std::vector<at::Tensor> parts{w.at("token.first").expand({rows, 1, d})};
  if (options_.features > 0)
    parts.push_back(batch.features.unsqueeze(2) * w.at("token.weight") + w.at("token.bias"));
  for (size_t c = 0; c < options_.categories.size(); ++c)
    parts.push_back(at::embedding(w.at("category." + std::to_string(c)),
                                  batch.codes.select(1, static_cast<int64_t>(c)))
                        .unsqueeze(1));
  const at::Tensor all = at::cat(parts, 1);  // (T,1+F+C,d)
  const int64_t each = all.size(1);
  const at::Tensor seen =
      attn::nn::encoder(all.view({rows * each, d}), at::arange(rows + 1, at::kLong) * each,
                        layers_of(w, "self", options_.self_layers),
                        encoder_options(options_.self_heads, options_.dropout, pass, "self"));
  return seen.view({rows, each, d}).select(1, 0);
}

at::Tensor Ranker::hidden_layers(at::Tensor h, const RankPass& pass) const {
  for (int64_t i = 0; i < options_.layers; ++i) {
    const std::string p = numbered("layer", i);
    at::Tensor branch =
        attn::nn::linear(at::gelu(attn::nn::linear(plain_norm(h), parameters_.at(p + "up"))),
                         parameters_.at(p + "down"));
    if (pass.training)
      branch =
          attn::nn::dropout(branch, options_.dropout,
                            attn::train::derive_seed(pass.seed, "layer", static_cast<uint64_t>(i)));
    h = h + branch;
  }
  return h;
}

at::Tensor Ranker::head(at::Tensor x) const {
  const Parameters& w = parameters_;
  if (options_.model != RankModel::rankformer)
    x = at::gelu(attn::nn::linear(x, w.at("head.w1"), w.at("head.b1")));
  return attn::nn::linear(x, w.at("head.w"), w.at("head.b")).squeeze(1);
}

at::Tensor Ranker::forward(const RankBatch& batch, const RankPass& pass) const {
  const bool alone = !pass.training && !c10::GradMode::is_enabled() &&
                     looks_across(options_.model) && !looks_at_features(options_.model);
  at::Tensor s;
  // What is computed must not depend on whether a probe listens.
  if (!alone || attn::ops::probing()) s = by_operators(batch, pass);
  if (alone) s = fused(batch);
  return options_.bounded ? s.tanh() : s;
}

at::Tensor Ranker::fused(const RankBatch& batch) const {
  const Parameters& w = parameters_;
  const auto at = [&](const std::string& name) { return w.at(name).const_data_ptr<float>(); };
  const RankerOptions& o = options_;
  CrossNetwork n;
  n.blocks.width = o.width, n.blocks.heads = o.heads, n.blocks.hidden = o.hidden;
  for (int64_t i = 0; i < o.layers; ++i) {
    const std::string p = numbered("cross", i);
    n.blocks.blocks.push_back({at(p + "norm1"), at(p + "qkv"), at(p + "out"), at(p + "norm2"),
                               at(p + "up"), at(p + "down")});
  }
  n.features = batch.features.size(1);
  n.embed_w1 = at("embed.w1"), n.embed_b1 = at("embed.b1");
  n.head_w = at("head.w"), n.head_b = at("head.b");
  if (o.model != RankModel::rankformer) {
    n.embed_w2 = at("embed.w2"), n.embed_b2 = at("embed.b2");
    n.head_w1 = at("head.w1"), n.head_b1 = at("head.b1");
  }
  const at::Tensor x = batch.features.contiguous(), e = category_sum(batch),
                   offsets = attn::ops::check_offsets("ranker", batch.offsets, x.size(0));
  at::Tensor scores = at::empty({x.size(0)}, x.options());
  cross_scores(n,
               {x.const_data_ptr<float>(), e.defined() ? e.const_data_ptr<float>() : nullptr,
                offsets.const_data_ptr<int64_t>(), offsets.size(0) - 1},
               scores.mutable_data_ptr<float>(), attn::ops::torch_threads());
  return scores;
}

at::Tensor Ranker::by_operators(const RankBatch& given, const RankPass& pass) const {
  const RankModel m = options_.model;
  RankBatch batch = given;
  if (pass.training)
    batch.features = attn::nn::dropout(batch.features, options_.input_dropout,
                                       attn::train::derive_seed(pass.seed, "input", 0));
  at::Tensor s;
  if (m == RankModel::linear) {
    s = attn::nn::linear(batch.features, parameters_.at("head.w"), parameters_.at("head.b"));
    if (const at::Tensor e = category_sum(batch); e.defined()) s = s + e;
    s = s.squeeze(1);
  } else {
    at::Tensor h = looks_at_features(m) ? tokens(batch, pass) : embedded(batch);
    if (m == RankModel::mlp) h = hidden_layers(h, pass);
    if (looks_across(m)) {
      auto o = encoder_options(options_.heads, options_.dropout, pass, "cross");
      o.last_norm = true;
      h = attn::nn::encoder(h, batch.offsets, layers_of(parameters_, "cross", options_.layers), o);
    } else {
      h = plain_norm(h);
    }
    s = head(h);
  }
  return s;
}

at::Tensor Ranker::attention(const RankBatch& list) const {
  if (!looks_across(options_.model)) return {};
  const c10::NoGradGuard no_grad;
  const at::Tensor h = looks_at_features(options_.model) ? tokens(list, {}) : embedded(list);
  return attn::nn::encoder_weights(h, layers_of(parameters_, "cross", options_.layers),
                                   encoder_options(options_.heads, 0, {}, "cross"));
}

void Ranker::take_self_stage(const Ranker& pretrained) const {
  if (pretrained.options().model != RankModel::self || !looks_at_features(options_.model))
    throw std::logic_error("take_self_stage: from a network of model self to one with tokens");
  const c10::NoGradGuard no_grad;
  for (const auto& [name, value] : parameters_.named())
    if (name.starts_with("token.") || name.starts_with("self.") || name.starts_with("category."))
      value.copy_(pretrained.parameters().at(name));
}

}  // namespace finance
