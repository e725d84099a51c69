#include "libattn/nn/encoder.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "attn/attention.h"
#include "attn/error.h"
#include "attn/probe.h"
#include "libattn/core/encoder.h"
#include "libattn/nn/dropout.h"
#include "libattn/nn/linear.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"
#include "libattn/ops/probe_scope.h"
#include "libattn/random/rng.h"

namespace attn::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr const char* kOp = "encoder";
constexpr size_t kParts = 6;

/// Of both branches of each layer.
std::vector<uint64_t> seeds_of(const EncoderOptions& o, size_t layers) {
  std::vector<uint64_t> seeds;
  for (uint64_t i = 0; i < 2 * layers; ++i) seeds.push_back(random::Rng::keyed({o.seed, i}).next());
  return seeds;
}

/// The equation in operators.
at::Tensor composed(at::Tensor h, const at::Tensor& offsets,
                    const std::vector<EncoderLayer>& layers, const EncoderOptions& o) {
  const std::vector<uint64_t> seeds = seeds_of(o, layers.size());
  const int64_t width = h.size(1), head = width / o.heads;
  AttentionOptions attention_options;
  if (o.causal) attention_options.causal = Causal::top_left;
  attention_options.q_offsets = attention_options.k_offsets = offsets;
  for (size_t i = 0; i < layers.size(); ++i) {
    const EncoderLayer& l = layers[i];
    const ProbeLayer label(o.name + " " + std::to_string(i + 1));
    const at::Tensor all = nn::linear(at::layer_norm(h, {width}, l.norm1), l.qkv);
    const std::vector<at::Tensor> qkv = all.unflatten(1, {3 * o.heads, head}).split(o.heads, 1);
    const at::Tensor seen = attention(qkv[0], qkv[1], qkv[2], attention_options).out;
    h = h + dropout(nn::linear(seen.reshape({-1, width}), l.out), o.dropout, seeds[2 * i]);
    const at::Tensor hidden = at::gelu(nn::linear(at::layer_norm(h, {width}, l.norm2), l.up));
    h = h + dropout(nn::linear(hidden, l.down), o.dropout, seeds[2 * i + 1]);
  }
  if (o.last_norm) h = at::layer_norm(h, {width});
  return h;
}

template <class T>
std::vector<core::EncoderBlock<T>> blocks_of(const variable_list& weights) {
  std::vector<core::EncoderBlock<T>> blocks;
  for (size_t i = 0; i + kParts <= weights.size(); i += kParts) {
    const auto at = [&](size_t part) {
      const at::Tensor& w = weights[i + part];
      if constexpr (std::is_const_v<T>) {
        return w.const_data_ptr<float>();
      } else {
        return w.mutable_data_ptr<float>();
      }
    };
    blocks.push_back({at(0), at(1), at(2), at(3), at(4), at(5)});
  }
  return blocks;
}

/// Tensors that live while the kernel works, and what it sees of them.
struct Call {
  core::Encoder network;
  core::EncoderTokens tokens;
  core::EncoderDropout dropout;
};

Call call_of(const at::Tensor& x, const at::Tensor& offsets, const variable_list& weights,
             const EncoderOptions& o) {
  Call c;
  c.network.width = x.size(1), c.network.heads = o.heads;
  c.network.hidden = weights.empty() ? 0 : weights[4].size(0);
  c.network.causal = o.causal, c.network.last_norm = o.last_norm;
  c.network.blocks = blocks_of<const float>(weights);
  c.tokens = {x.const_data_ptr<float>(), offsets.const_data_ptr<int64_t>(), offsets.size(0) - 1};
  if (o.dropout > 0) c.dropout = {o.dropout, seeds_of(o, weights.size() / kParts)};
  return c;
}

/// x, offsets and weights, all contiguous; `weights` six a layer.
struct EncoderFunction : torch::autograd::Function<EncoderFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& offsets,
                            at::TensorList weights, const EncoderOptions& options) {
    variable_list saved{x, offsets};
    saved.insert(saved.end(), weights.begin(), weights.end());
    ctx->save_for_backward(saved);
    ctx->saved_data["heads"] = options.heads;
    ctx->saved_data["causal"] = options.causal;
    ctx->saved_data["last_norm"] = options.last_norm;
    ctx->saved_data["dropout"] = options.dropout;
    ctx->saved_data["seed"] = static_cast<int64_t>(options.seed);
    at::Tensor out = at::empty_like(x);
    const Call c = call_of(x, offsets, weights.vec(), options);
    core::encoder_forward(c.network, c.tokens, c.dropout, out.mutable_data_ptr<float>(),
                          ops::torch_threads());
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    variable_list saved = ctx->get_saved_variables();
    EncoderOptions options;
    options.heads = ctx->saved_data["heads"].toInt();
    options.causal = ctx->saved_data["causal"].toBool();
    options.last_norm = ctx->saved_data["last_norm"].toBool();
    options.dropout = ctx->saved_data["dropout"].toDouble();
    options.seed = static_cast<uint64_t>(ctx->saved_data["seed"].toInt());
    variable_list inputs = saved;
    inputs.push_back(grads[0]);
    return ops::first_order(kOp, inputs, [&] { return gradients(saved, grads[0], options); });
  }

  /// Of x, offsets (none), the weights and the options (none).
  static variable_list gradients(const variable_list& saved, const at::Tensor& grad,
                                 const EncoderOptions& options) {
    const variable_list weights(saved.begin() + 2, saved.end());
    const Call c = call_of(saved[0], saved[1], weights, options);
    const at::Tensor dout = grad.contiguous();
    variable_list dw;
    for (const at::Tensor& w : weights) dw.push_back(at::zeros_like(w));
    at::Tensor dx = at::empty_like(saved[0]);
    core::encoder_backward(c.network, c.tokens, c.dropout, dout.const_data_ptr<float>(),
                           dx.mutable_data_ptr<float>(), blocks_of<float>(dw),
                           ops::torch_threads());
    variable_list out{dx, at::Tensor()};
    out.insert(out.end(), dw.begin(), dw.end());
    out.emplace_back();
    return out;
  }
};

void check_weight(const char* name, const at::Tensor& weight, const at::Tensor& x,
                  at::IntArrayRef sizes) {
  ops::check_input(kOp, name, weight, static_cast<int64_t>(sizes.size()),
                   sizes.size() == 1 ? "(D)" : "(out, in)");
  ops::check_same_type(kOp, name, weight, "x", x);
  if (weight.sizes() != sizes)
    throw Error(std::string(kOp) + ": " + name + " has shape " + ops::shape_text(weight) +
                "; expected " + ops::shape_text(sizes) + ", which x and the rows of up ask for");
}

void check(const at::Tensor& x, const std::vector<EncoderLayer>& layers, const EncoderOptions& o) {
  ops::check_input(kOp, "x", x, 2, "(T, D): tokens, features");
  const int64_t d = x.size(1);
  if (o.heads < 1 || d % o.heads != 0 || d == 0)
    throw Error(std::string(kOp) + ": " + std::to_string(o.heads) +
                " heads do not divide the width " + std::to_string(d));
  if (!(o.dropout >= 0 && o.dropout < 1))
    throw Error(std::string(kOp) + ": dropout must be in [0, 1), not " + std::to_string(o.dropout));
  for (const EncoderLayer& l : layers) {
    const int64_t hidden = l.up.defined() && l.up.dim() == 2 && l.up.size(0) > 0 ? l.up.size(0) : 1;
    check_weight("norm1", l.norm1, x, {d});
    check_weight("qkv", l.qkv, x, {3 * d, d});
    check_weight("out", l.out, x, {d, d});
    check_weight("norm2", l.norm2, x, {d});
    check_weight("up", l.up, x, {hidden, d});
    check_weight("down", l.down, x, {d, hidden});
  }
}

}  // namespace

at::Tensor encoder(const at::Tensor& x, const at::Tensor& offsets,
                   const std::vector<EncoderLayer>& layers, const EncoderOptions& options) {
  check(x, layers, options);
  const at::Tensor starts = ops::check_offsets(kOp, offsets, x.size(0));
  if (layers.empty()) return options.last_norm ? at::layer_norm(x, {x.size(1)}) : x;
  if (x.scalar_type() != at::kFloat) return composed(x, starts, layers, options);
  if (ops::probing()) {  // what is computed must not depend on whether a probe listens
    const c10::NoGradGuard no_grad;
    composed(x, starts, layers, options);
  }
  variable_list weights, all{x};
  for (const EncoderLayer& l : layers)
    for (const at::Tensor* w : {&l.norm1, &l.qkv, &l.out, &l.norm2, &l.up, &l.down})
      weights.push_back(w->contiguous());
  all.insert(all.end(), weights.begin(), weights.end());
  ops::refuse_forward_mode(kOp, all);
  return EncoderFunction::apply(x.contiguous(), starts, at::TensorList(weights), options);
}

at::Tensor encoder_weights(const at::Tensor& x, const std::vector<EncoderLayer>& layers,
                           const EncoderOptions& options) {
  check(x, layers, options);
  const c10::NoGradGuard no_grad;
  const ProbePause told_elsewhere;
  EncoderOptions plain = options;
  plain.dropout = 0, plain.last_norm = false;
  const int64_t n = x.size(0), width = x.size(1), head = width / options.heads;
  const at::Tensor one = at::tensor(std::vector<int64_t>{0, n}, at::kLong);
  at::Tensor h = x;
  std::vector<at::Tensor> weights;
  for (const EncoderLayer& l : layers) {
    const at::Tensor all = nn::linear(at::layer_norm(h, {width}, l.norm1), l.qkv);
    const std::vector<at::Tensor> qkv =
        all.unflatten(1, {3 * options.heads, head}).transpose(0, 1).split(options.heads, 0);
    at::Tensor scores =
        at::matmul(qkv[0], qkv[1].transpose(1, 2)) / std::sqrt(static_cast<double>(head));
    if (options.causal)
      scores = scores.masked_fill(at::ones({n, n}, at::kBool).triu(1),
                                  -std::numeric_limits<double>::infinity());
    weights.push_back(scores.softmax(-1));
    h = encoder(h, one, {l}, plain);
  }
  if (weights.empty()) return at::zeros({0, options.heads, n, n}, x.options());
  return at::stack(weights);
}

}  // namespace attn::nn
