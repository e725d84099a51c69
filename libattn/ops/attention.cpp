#include "attn/attention.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <string>

#include "attn/error.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"

namespace attn {
namespace {

using ops::if_defined;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::tensor_list;

constexpr const char* kOp = "attention";

/// What the kernels need beside q, k, v. `bias` as the caller gave it, or undefined.
struct Problem {
  at::Tensor q, k, v, bias, mask;
  double scale = 1;
  Causal causal = Causal::none;
};

struct Saved {
  at::Tensor out, lse, lse_tail, entropy;
};

/// The tensor itself where its last dimension is contiguous, else a contiguous copy.
at::Tensor with_contiguous_columns(const at::Tensor& tensor) {
  return tensor.size(-1) <= 1 || tensor.stride(-1) == 1 ? tensor : tensor.contiguous();
}

/// (B,H,N,columns) laid out in memory as `like` is: (B,N,H,D) where like is a transposed view of
/// that.
at::Tensor empty_as(const at::Tensor& like, int64_t columns) {
  const int64_t b = like.size(0), h = like.size(1), n = like.size(2);
  if (!like.is_contiguous() && like.transpose(1, 2).is_contiguous()) {
    return at::empty({b, n, h, columns}, like.options()).transpose(1, 2);
  }
  return at::empty({b, h, n, columns}, like.options());
}

template <class T>
core::View<const T> read_view(const at::Tensor& t) {
  return {t.const_data_ptr<T>(), t.stride(0), t.stride(1), t.stride(2)};
}

template <class T>
core::View<T> write_view(const at::Tensor& t) {
  return {t.mutable_data_ptr<T>(), t.stride(0), t.stride(1), t.stride(2)};
}

template <class T>
core::AttentionInput<T> input_of(const Problem& p, const at::Tensor& q, const at::Tensor& k,
                                 const at::Tensor& v) {
  core::AttentionInput<T> in;
  in.batch = q.size(0);
  in.heads = q.size(1);
  in.nq = q.size(2);
  in.d = q.size(3);
  in.nk = k.size(2);
  in.dv = v.size(3);
  in.scale = p.scale;
  in.causal = p.causal;
  in.q = read_view<T>(q);
  in.k = read_view<T>(k);
  in.v = read_view<T>(v);
  if (p.bias.defined()) {
    const at::Tensor whole = p.bias.expand({in.batch, in.heads, in.nq, in.nk});
    in.bias = {whole.const_data_ptr<T>(), whole.stride(0), whole.stride(1), whole.stride(2),
               whole.stride(3)};
  }
  if (p.mask.defined()) {
    in.key_mask = reinterpret_cast<const uint8_t*>(p.mask.const_data_ptr<bool>());
    in.key_mask_batch = p.mask.stride(0);
    in.key_mask_column = p.mask.stride(1);
  }
  return in;
}

template <class T>
core::AttentionOutput<T> output_of(const Saved& s) {
  return {write_view<T>(s.out), s.lse.mutable_data_ptr<T>(), s.lse_tail.mutable_data_ptr<T>(),
          s.entropy.mutable_data_ptr<T>()};
}

Saved run_forward(const Problem& p) {
  const at::Tensor q = with_contiguous_columns(p.q), k = with_contiguous_columns(p.k),
                   v = with_contiguous_columns(p.v);
  Saved s;
  s.out = empty_as(q, v.size(3));
  s.lse = at::empty({q.size(0), q.size(1), q.size(2)}, q.options());
  s.lse_tail = at::empty_like(s.lse);
  s.entropy = at::empty_like(s.lse);
  if (q.scalar_type() == at::kFloat) {
    core::attention_forward(input_of<float>(p, q, k, v), output_of<float>(s), ops::torch_threads());
  } else {
    core::attention_forward(input_of<double>(p, q, k, v), output_of<double>(s),
                            ops::torch_threads());
  }
  return s;
}

template <class T>
void run_backward_as(const Problem& p, const Saved& s, const tensor_list& incoming,
                     const tensor_list& outgoing) {
  const at::Tensor q = with_contiguous_columns(p.q), k = with_contiguous_columns(p.k),
                   v = with_contiguous_columns(p.v);
  at::Tensor dout, dlse, dentropy;
  core::AttentionGradient<T> g;
  if (incoming[0].defined()) g.dout = read_view<T>(dout = with_contiguous_columns(incoming[0]));
  if (incoming[1].defined())
    g.dlse = (dlse = incoming[1].contiguous()).template const_data_ptr<T>();
  if (incoming[2].defined())
    g.dentropy = (dentropy = incoming[2].contiguous()).template const_data_ptr<T>();
  if (outgoing[0].defined()) g.dq = write_view<T>(outgoing[0]);
  if (outgoing[1].defined()) g.dk = write_view<T>(outgoing[1]);
  if (outgoing[2].defined()) g.dv = write_view<T>(outgoing[2]);
  if (outgoing[3].defined()) {
    const at::Tensor whole = outgoing[3].expand({q.size(0), q.size(1), q.size(2), k.size(2)});
    g.dbias = {whole.mutable_data_ptr<T>(), whole.stride(0), whole.stride(1), whole.stride(2),
               whole.stride(3)};
  }
  core::attention_backward(input_of<T>(p, q, k, v), output_of<T>(s), g, ops::torch_threads());
}

/// Gradients of q, k, v, bias; undefined where not wanted.
tensor_list run_backward(const Problem& p, const Saved& s, const tensor_list& incoming,
                         const std::vector<bool>& wanted) {
  tensor_list outgoing(4);
  if (wanted[0]) outgoing[0] = empty_as(p.q, p.q.size(3));
  if (wanted[1]) outgoing[1] = empty_as(p.k, p.k.size(3));
  if (wanted[2]) outgoing[2] = empty_as(p.v, p.v.size(3));
  if (wanted[3]) outgoing[3] = at::zeros(p.bias.sizes(), p.bias.options());
  if (p.q.scalar_type() == at::kFloat) {
    run_backward_as<float>(p, s, incoming, outgoing);
  } else {
    run_backward_as<double>(p, s, incoming, outgoing);
  }
  return outgoing;
}

struct AttentionFunction : public Function<AttentionFunction> {
  static tensor_list forward(AutogradContext* ctx, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const std::optional<at::Tensor>& bias,
                             const std::optional<at::Tensor>& mask, double scale, int64_t causal) {
    const Problem p{q,
                    k,
                    v,
                    bias.value_or(at::Tensor()),
                    mask.value_or(at::Tensor()),
                    scale,
                    static_cast<Causal>(causal)};
    const Saved s = run_forward(p);
    ctx->set_materialize_grads(false);
    ctx->save_for_backward({q, k, v, p.bias, p.mask, s.out, s.lse, s.lse_tail, s.entropy});
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["causal"] = causal;
    return {s.out, s.lse, s.entropy};
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& incoming) {
    const tensor_list kept = ctx->get_saved_variables();
    const Problem p{kept[0],
                    kept[1],
                    kept[2],
                    kept[3],
                    kept[4],
                    ctx->saved_data["scale"].toDouble(),
                    static_cast<Causal>(ctx->saved_data["causal"].toInt())};
    const Saved s{kept[5].detach(), kept[6].detach(), kept[7].detach(), kept[8].detach()};
    const std::vector<bool> wanted = {ctx->needs_input_grad(0), ctx->needs_input_grad(1),
                                      ctx->needs_input_grad(2),
                                      p.bias.defined() && ctx->needs_input_grad(3)};
    tensor_list g(7);
    if (!incoming[0].defined() && !incoming[1].defined() && !incoming[2].defined()) return g;
    const tensor_list found =
        ops::first_order(kOp, {p.q, p.k, p.v, p.bias, incoming[0], incoming[1], incoming[2]},
                         [&] { return run_backward(p, s, incoming, wanted); });
    std::copy(found.begin(), found.end(), g.begin());
    return g;
  }
};

void check_shapes(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const auto fail = [&](const std::string& what) {
    throw Error(std::string(kOp) + ": q " + ops::shape_text(q) + ", k " + ops::shape_text(k) +
                " and v " + ops::shape_text(v) + " " + what);
  };
  if (q.size(0) != k.size(0) || k.size(0) != v.size(0)) fail("differ in batch (dimension 0)");
  if (q.size(1) != k.size(1) || k.size(1) != v.size(1)) {
    fail("differ in heads (dimension 1); repeat k and v for grouped queries");
  }
  if (q.size(3) != k.size(3)) fail("differ in head width (dimension 3) of q and k");
  if (k.size(2) != v.size(2)) fail("differ in keys (dimension 2) of k and v");
  if (q.size(3) == 0) fail("have no head width (dimension 3); expected at least 1");
}

void check_bias(const at::Tensor& bias, const at::Tensor& q, int64_t nk) {
  ops::check_same_type(kOp, "bias", bias, "q", q);
  const std::array<int64_t, 4> full = {q.size(0), q.size(1), q.size(2), nk};
  bool fits = bias.device().is_cpu() && bias.layout() == at::kStrided && bias.dim() <= 4;
  for (int64_t i = 1; fits && i <= bias.dim(); ++i) {
    const int64_t n = bias.size(bias.dim() - i);
    fits = n == 1 || n == full[static_cast<size_t>(4 - i)];
  }
  if (fits) return;
  throw Error(std::string(kOp) + ": bias " + ops::shape_text(bias) + " on " + bias.device().str() +
              " does not broadcast to (B, H, Nq, Nk) = (" + std::to_string(full[0]) + ", " +
              std::to_string(full[1]) + ", " + std::to_string(full[2]) + ", " +
              std::to_string(full[3]) + ") on the CPU");
}

void check_mask(const at::Tensor& mask, int64_t batch, int64_t nk) {
  if (mask.scalar_type() == at::kBool && mask.device().is_cpu() && mask.layout() == at::kStrided &&
      mask.dim() == 2 && mask.size(0) == batch && mask.size(1) == nk) {
    return;
  }
  throw Error(std::string(kOp) + ": key_padding_mask is " + c10::toString(mask.scalar_type()) +
              " " + ops::shape_text(mask) + " on " + mask.device().str() +
              "; expected Bool (B, Nk) = (" + std::to_string(batch) + ", " + std::to_string(nk) +
              ") on the CPU, true where the key is visible");
}

}  // namespace

AttentionResult attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const AttentionOptions& options) {
  ops::check_input(kOp, "q", q, 4, "(B, H, Nq, D): batch, heads, queries, head width");
  ops::check_input(kOp, "k", k, 4, "(B, H, Nk, D): batch, heads, keys, head width");
  ops::check_input(kOp, "v", v, 4, "(B, H, Nk, Dv): batch, heads, keys, value width");
  ops::check_same_type(kOp, "k", k, "q", q);
  ops::check_same_type(kOp, "v", v, "q", q);
  check_shapes(q, k, v);
  if (options.bias.defined()) check_bias(options.bias, q, k.size(2));
  if (options.key_padding_mask.defined())
    check_mask(options.key_padding_mask, q.size(0), k.size(2));
  const double scale = options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.size(3))));
  if (!std::isfinite(scale))
    throw Error(std::string(kOp) + ": scale is " + std::to_string(scale) +
                "; expected a finite number");
  const bool differentiate =
      c10::GradMode::is_enabled() && (q.requires_grad() || k.requires_grad() || v.requires_grad() ||
                                      (options.bias.defined() && options.bias.requires_grad()));
  if (!differentiate) {
    const Saved s =
        run_forward({q, k, v, options.bias, options.key_padding_mask, scale, options.causal});
    return {s.out, s.lse, s.entropy};
  }
  const tensor_list r = AttentionFunction::apply(q, k, v, if_defined(options.bias),
                                                 if_defined(options.key_padding_mask), scale,
                                                 static_cast<int64_t>(options.causal));
  return {r[0], r[1], r[2]};
}

}  // namespace attn
