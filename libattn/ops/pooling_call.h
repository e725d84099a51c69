// Attention pooling as the dispatcher knows it; arguments in the order of the schemas.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <tuple>

namespace attn::ops {

struct PoolCall {
  at::Tensor scores, values, offsets;
};
/// out, lse, entropy, lse_tail.
using PoolResults = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
using PoolSignature = PoolResults(const at::Tensor&, const at::Tensor&, const at::Tensor&);

struct PoolBackwardCall {
  std::optional<at::Tensor> dout, dlse, dentropy;
  at::Tensor out, lse, lse_tail, entropy;  // as forward gave them
  std::array<bool, 2> wanted{};            // of scores, values
  PoolCall forward;
};
/// Gradients of scores and values; what is not wanted is an empty tensor.
using PoolGradients = std::tuple<at::Tensor, at::Tensor>;
using PoolBackwardSignature = PoolGradients(const std::optional<at::Tensor>&,
                                            const std::optional<at::Tensor>&,
                                            const std::optional<at::Tensor>&, const at::Tensor&,
                                            const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                            std::array<bool, 2>, const at::Tensor&,
                                            const at::Tensor&, const at::Tensor&);

PoolResults pool_kernel(const PoolCall& call);
PoolResults pool_shapes(const PoolCall& call);
PoolResults pool_autograd(const PoolCall& call);
PoolResults pool_autocast(const PoolCall& call);
PoolGradients pool_backward_kernel(const PoolBackwardCall& call);
PoolGradients pool_backward_shapes(const PoolBackwardCall& call);

}  // namespace attn::ops
