#include "libattn/nn/dropout.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <type_traits>

#include "attn/error.h"
#include "libattn/core/parallel.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"
#include "libattn/random/rng.h"

namespace attn::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr const char* kOp = "dropout";

/// y[n] = kept x[n] or 0, for elements 2 pair ... of one piece. Each 64-bit draw decides two.
template <class T>
void drop(const T* x, T* y, int64_t first, int64_t last, double p, uint64_t seed) {
  const T kept = static_cast<T>(1 / (1 - p));
  const auto least = static_cast<uint32_t>(p * 4294967296.0);
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  const auto keep = [&](uint32_t word, T v) {  // by bits: a branch would be guessed wrongly
    const Bits all = Bits(0) - static_cast<Bits>(word >= least);
    return std::bit_cast<T>(std::bit_cast<Bits>(kept * v) & all);
  };
  // Draw k of the stream is a function of its state seed + k c alone.
  random::Rng draws = random::Rng::at(seed, static_cast<uint64_t>(first) / 2);
  int64_t n = first;
  for (; n + 2 <= last; n += 2) {
    const uint64_t draw = draws.next();
    y[n] = keep(static_cast<uint32_t>(draw), x[n]);
    y[n + 1] = keep(static_cast<uint32_t>(draw >> 32U), x[n + 1]);
  }
  if (n < last) y[n] = keep(static_cast<uint32_t>(draws.next()), x[n]);
}

at::Tensor masked(const at::Tensor& from, double p, uint64_t seed) {
  constexpr int64_t kPiece = 65536;
  const at::Tensor x = from.contiguous();
  at::Tensor y = at::empty(x.sizes(), x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), kOp, [&] {
    const auto* in = x.const_data_ptr<scalar_t>();
    auto* out = y.mutable_data_ptr<scalar_t>();
    core::run_tasks(ops::torch_threads(), (x.numel() + kPiece - 1) / kPiece, [&](int64_t task) {
      drop(in, out, task * kPiece, std::min((task + 1) * kPiece, x.numel()), p, seed);
    });
  });
  return y;
}

/// Linear in x, so that its gradient is itself, of any order.
struct DropoutFunction : torch::autograd::Function<DropoutFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, double p, int64_t seed) {
    ctx->saved_data["p"] = p;
    ctx->saved_data["seed"] = seed;
    return masked(x, p, static_cast<uint64_t>(seed));
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const double p = ctx->saved_data["p"].toDouble();
    const int64_t seed = ctx->saved_data["seed"].toInt();
    return {DropoutFunction::apply(grads[0], p, seed), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor dropout(const at::Tensor& x, double p, uint64_t seed) {
  if (!(p >= 0 && p < 1))
    throw Error(std::string(kOp) + ": the probability is " + std::to_string(p) +
                "; expected at least 0 and below 1");
  ops::check_input(kOp, "x", x, x.defined() ? x.dim() : 0, "any");
  ops::refuse_forward_mode(kOp, {x});
  if (p == 0) return x;
  return DropoutFunction::apply(x, p, static_cast<int64_t>(seed));
}

}  // namespace attn::nn
