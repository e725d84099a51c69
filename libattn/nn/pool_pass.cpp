#include "libattn/nn/pool_pass.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <cstdint>

#include "attn/core.h"
#include "libattn/ops/check.h"
#include "libattn/ops/probe_scope.h"

namespace attn::nn {
namespace {

template <typename T>
core::PoolInput<T> input_of(const at::Tensor& scores, const at::Tensor& values,
                            const int64_t* offsets) {
  core::PoolInput<T> in;
  in.bags = 1;
  in.heads = 1;
  in.d = values.size(1);
  in.offsets = offsets;
  in.scores = scores.const_data_ptr<T>();
  in.scores_row = 1;
  in.values = values.const_data_ptr<T>();
  in.values_row = values.size(1);
  return in;
}

template <typename T>
core::PoolOutput<T> output_of(const PoolPass& pass) {
  return {pass.out.mutable_data_ptr<T>(), pass.lse.mutable_data_ptr<T>(),
          pass.lse_tail.mutable_data_ptr<T>(), pass.entropy.mutable_data_ptr<T>()};
}

}  // namespace

PoolPass pool_forward(const at::Tensor& scores, const at::Tensor& values) {
  const auto empty = [&](int64_t n) { return at::empty({n}, values.options()); };
  PoolPass pass{empty(values.size(1)), empty(1), empty(1), empty(1)};
  const int64_t offsets[2] = {0, values.size(0)};
  AT_DISPATCH_FLOATING_TYPES(values.scalar_type(), "pool_forward", [&] {
    const auto in = input_of<scalar_t>(scores, values, offsets);
    core::pool_forward<scalar_t>(in, output_of<scalar_t>(pass), ops::torch_threads());
    if (ops::probing()) ops::record_pool(in, output_of<scalar_t>(pass));
  });
  return pass;
}

PoolPassGradient pool_backward(const at::Tensor& scores, const at::Tensor& values,
                               const PoolPass& pass, const at::Tensor& grad_out,
                               double grad_entropy) {
  PoolPassGradient grad{at::empty_like(scores), at::empty_like(values)};
  const int64_t offsets[2] = {0, values.size(0)};
  AT_DISPATCH_FLOATING_TYPES(values.scalar_type(), "pool_backward", [&] {
    const auto dentropy = static_cast<scalar_t>(grad_entropy);
    core::PoolGradient<scalar_t> g;
    g.dout = grad_out.const_data_ptr<scalar_t>();
    g.dentropy = grad_entropy != 0 ? &dentropy : nullptr;
    g.dscores = grad.scores.mutable_data_ptr<scalar_t>();
    g.dvalues = grad.values.mutable_data_ptr<scalar_t>();
    core::pool_backward<scalar_t>(input_of<scalar_t>(scores, values, offsets),
                                  output_of<scalar_t>(pass), g, ops::torch_threads());
  });
  return grad;
}

}  // namespace attn::nn
