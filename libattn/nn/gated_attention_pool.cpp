#include "libattn/nn/gated_attention_pool.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/init.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "attn/error.h"
#include "attn/pooling.h"
#include "libattn/core/parallel.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"

namespace attn::nn {
namespace {

/// In one pass over the hidden units, with G = A S, A = tanh, S = sigmoid and dG_nj = sum_k ds_nk
/// w_kj:
///   d(V h + b_V) = dG S (1 - A^2) ;  d(U h + b_U) = dG A S (1 - S)
/// Plain attention: G = A, d(V h + b_V) = dG (1 - A^2). One head; more heads pass dG itself as
/// `gate`.
template <typename T>
void gate_backward(const T* ds, const T* w, const T* dg, const T* a, const T* s, T* dv, T* du,
                   int64_t rows, int64_t width) {
  const int64_t piece = 1 + 32768 / (width + 1);
  core::run_tasks(ops::torch_threads(), (rows + piece - 1) / piece, [&](int64_t task) {
    for (int64_t n = task * piece; n < std::min((task + 1) * piece, rows); ++n) {
      const int64_t o = n * width;
      for (int64_t j = 0; j < width; ++j) {
        const T g = dg != nullptr ? dg[o + j] : ds[n] * w[j];
        const T aj = a[o + j];
        if (s == nullptr) {
          dv[o + j] = g * (1 - aj * aj);
        } else {
          const T gs = g * s[o + j];
          dv[o + j] = gs * (1 - aj * aj);
          du[o + j] = gs * aj * (1 - s[o + j]);
        }
      }
    }
  });
}

/// Gradients before the two activations; `du` stays undefined for plain attention.
void activation_gradients(const at::Tensor& grad_scores, const GatedAttentionWeights& weights,
                          const GatedAttentionCache& cache, at::Tensor& dv, at::Tensor& du) {
  const at::Tensor ds = grad_scores.contiguous(), w = weights.w_weight.contiguous();
  // One head: dG is an outer product, formed on the fly.
  const at::Tensor dg = w.size(0) == 1 ? at::Tensor() : at::mm(ds, w);
  dv = at::empty_like(cache.tanh_v);
  if (weights.gated()) du = at::empty_like(cache.tanh_v);
  AT_DISPATCH_FLOATING_TYPES(dv.scalar_type(), "gated_attention_backward", [&] {
    const auto data = [](const at::Tensor& t) {
      return t.defined() ? t.const_data_ptr<scalar_t>() : nullptr;
    };
    gate_backward<scalar_t>(data(ds), data(w), data(dg), data(cache.tanh_v), data(cache.sigmoid_u),
                            dv.mutable_data_ptr<scalar_t>(),
                            du.defined() ? du.mutable_data_ptr<scalar_t>() : nullptr, dv.size(0),
                            dv.size(1));
  });
}

void linear_gradients(const at::Tensor& dy, const at::Tensor& x, at::Tensor& weight,
                      at::Tensor& bias) {
  weight.addmm_(dy.t(), x);
  bias.add_(dy.sum(0));
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The scores with autograd; forward and backward are the two public functions. Plain attention
/// passes U and b_U empty, since Function takes no undefined tensors.
struct ScoreFunction : torch::autograd::Function<ScoreFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& h, const at::Tensor& vw,
                            const at::Tensor& vb, const at::Tensor& uw, const at::Tensor& ub,
                            const at::Tensor& ww, const at::Tensor& wb) {
    GatedAttentionCache cache;
    const variable_list in{h, vw, vb, uw, ub, ww, wb};
    at::Tensor scores = gated_attention_forward(h, unpack(in), &cache);
    ctx->save_for_backward(
        {h, vw, vb, uw, ub, ww, wb, cache.tanh_v, cache.hidden, cache.sigmoid_u});
    return scores;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list s = ctx->get_saved_variables();
    variable_list inputs(s.begin(), s.begin() + 7);
    inputs.push_back(grads[0]);
    return ops::first_order("gated_attention_scores", inputs, [&] {
      variable_list out;
      for (size_t i = 0; i < 7; ++i) out.push_back(at::zeros_like(s[i]));
      GatedAttentionWeights grad = unpack(out);
      gated_attention_backward(grads[0], s[0], unpack(s), {s[7], s[9], s[8]}, grad, out[0]);
      return out;
    });
  }

  static GatedAttentionWeights unpack(const variable_list& t) {
    GatedAttentionWeights w{t[1], t[2], {}, {}, t[5], t[6]};
    if (t[3].numel() > 0) {
      w.u_weight = t[3];
      w.u_bias = t[4];
    }
    return w;
  }
};

}  // namespace

at::Tensor gated_attention_forward(const at::Tensor& h, const GatedAttentionWeights& weights,
                                   GatedAttentionCache* cache) {
  GatedAttentionCache local;
  GatedAttentionCache& c = cache != nullptr ? *cache : local;
  c.tanh_v = at::addmm(weights.v_bias, h, weights.v_weight.t()).tanh_();
  if (weights.gated()) {
    c.sigmoid_u = at::addmm(weights.u_bias, h, weights.u_weight.t()).sigmoid_();
    c.hidden = at::mul(c.tanh_v, c.sigmoid_u);
  } else {
    c.hidden = c.tanh_v;
  }
  return at::addmm(weights.w_bias, c.hidden, weights.w_weight.t());
}

void gated_attention_backward(const at::Tensor& grad_scores, const at::Tensor& h,
                              const GatedAttentionWeights& weights,
                              const GatedAttentionCache& cache, GatedAttentionWeights& grad,
                              const at::Tensor& grad_h) {
  linear_gradients(grad_scores, cache.hidden, grad.w_weight, grad.w_bias);
  at::Tensor dv, du;
  activation_gradients(grad_scores, weights, cache, dv, du);
  linear_gradients(dv, h, grad.v_weight, grad.v_bias);
  if (weights.gated()) linear_gradients(du, h, grad.u_weight, grad.u_bias);
  if (!grad_h.defined()) return;
  grad_h.addmm_(dv, weights.v_weight);
  if (weights.gated()) grad_h.addmm_(du, weights.u_weight);
}

at::Tensor gated_attention_scores(const at::Tensor& h, const GatedAttentionWeights& w) {
  constexpr const char* kOp = "gated_attention_scores";
  ops::check_input(kOp, "h", h, 2, "(T, D): instances, features");
  ops::check_same_type(kOp, "h", h, "the weights", w.v_weight);
  if (h.size(1) != w.v_weight.size(1)) {
    throw Error(std::string(kOp) + ": h has shape " + ops::shape_text(h) + "; expected (T, " +
                std::to_string(w.v_weight.size(1)) + "), the width the weights were made for");
  }
  const at::Tensor none = w.gated() ? at::Tensor() : at::empty({0}, h.options());
  return ScoreFunction::apply(h, w.v_weight, w.v_bias, w.gated() ? w.u_weight : none,
                              w.gated() ? w.u_bias : none, w.w_weight, w.w_bias);
}

AttentionPool::AttentionPool(const AttentionPoolOptions& options) {
  if (options.input < 1 || options.attention < 1 || options.heads < 1)
    throw UsageError(
        "attention pooling needs an input width, a hidden width and a number of heads of at least "
        "1");
  const auto linear = [&](const std::string& name, int64_t out, int64_t in, at::Tensor& weight,
                          at::Tensor& bias) {
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    weight = register_parameter(name + "_weight", at::empty({out, in}));
    bias = register_parameter(name + "_bias", at::empty({out}));
    torch::nn::init::uniform_(weight, -bound, bound);
    torch::nn::init::uniform_(bias, -bound, bound);
  };
  linear("V", options.attention, options.input, weights_.v_weight, weights_.v_bias);
  if (options.gated)
    linear("U", options.attention, options.input, weights_.u_weight, weights_.u_bias);
  linear("w", options.heads, options.attention, weights_.w_weight, weights_.w_bias);
}

AttentionPoolOutput AttentionPool::forward(const at::Tensor& h, const at::Tensor& offsets) const {
  const at::Tensor scores = gated_attention_scores(h, weights_);
  const PoolResult pool = attention_pool(scores, h, offsets);
  return {pool.out, pool.entropy, pool.lse, scores};
}

}  // namespace attn::nn
