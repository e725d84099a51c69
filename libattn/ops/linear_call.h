// Linear attention as the dispatcher knows it; arguments in the order of the schemas.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <string_view>
#include <tuple>

#include "attn/linear.h"
#include "libattn/ops/linear_problem.h"

namespace attn::ops {

/// What they mean: attn::LinearAttentionOptions.
struct LinearCall {
  at::Tensor q, k, v;
  std::optional<at::Tensor> log_decay, state, norm;
  std::string_view map;  // name of a FeatureMap
  bool causal = true, normalise = false;
  double eps = 0;
  int64_t chunk = 0;
};
/// out, state, norm, inverse; the last two are empty where not normalised.
using LinearResults = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
using LinearSignature = LinearResults(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                      const std::optional<at::Tensor>&,
                                      const std::optional<at::Tensor>&,
                                      const std::optional<at::Tensor>&, std::string_view, bool,
                                      bool, double, int64_t);

struct LinearBackwardCall {
  std::optional<at::Tensor> dout, dstate, dnorm;
  at::Tensor out, inverse;  // as forward gave them; read where normalised
  std::array<bool, kLinearArguments> wanted{};
  LinearCall forward;
};
/// Gradients of q, k, v, log_decay, state and norm; what is not wanted is an empty tensor.
using LinearGradients =
    std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
using LinearBackwardSignature = LinearGradients(
    const std::optional<at::Tensor>&, const std::optional<at::Tensor>&,
    const std::optional<at::Tensor>&, const at::Tensor&, const at::Tensor&,
    std::array<bool, kLinearArguments>, const at::Tensor&, const at::Tensor&, const at::Tensor&,
    const std::optional<at::Tensor>&, const std::optional<at::Tensor>&,
    const std::optional<at::Tensor>&, std::string_view, bool, bool, double, int64_t);

LinearCall call_of(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                   const LinearAttentionOptions& options);
/// The options of a call, tensors as well. Throws attn::Error for a name that is none.
LinearAttentionOptions options_of(const LinearCall& call);

/// Through the dispatcher, with the key set of the calling thread.
LinearResults dispatch_linear(const LinearCall& call);
LinearGradients dispatch_linear_backward(const LinearBackwardCall& call);

/// The kernels behind them: on the CPU; of shapes alone; differentiable; under autocast.
LinearResults linear_kernel(const LinearCall& call);
LinearResults linear_shapes(const LinearCall& call);
LinearResults linear_autograd(const LinearCall& call);
LinearResults linear_autocast(const LinearCall& call);
LinearGradients linear_backward_kernel(const LinearBackwardCall& call);
LinearGradients linear_backward_shapes(const LinearBackwardCall& call);

}  // namespace attn::ops
