// Linear attention between its LibTorch face and the kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>

#include "attn/linear.h"

namespace attn::ops {

/// The differentiable arguments, in the order of the operator.
enum LinearArgument : size_t { kLinearQ, kLinearK, kLinearV, kLogDecay, kState, kNorm };
inline constexpr size_t kLinearArguments = 6;
using LinearTensors = std::array<at::Tensor, kLinearArguments>;

/// A checked problem; `options` without its tensors.
struct LinearProblem {
  LinearTensors inputs;
  LinearAttentionOptions options;
};

/// Throws attn::Error where something does not fit.
LinearProblem check_linear(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           const LinearAttentionOptions& options);

/// What the forward pass leaves: inverse (B,H,Nq) and norm only where normalised.
struct LinearSaved {
  at::Tensor out, inverse, state, norm;
};
LinearSaved linear_forward(const LinearProblem& p);

/// Gradients of the inputs that are wanted, from those of out, state and norm (undefined: zero).
LinearTensors linear_backward(const LinearProblem& p, const LinearSaved& saved,
                              const std::array<at::Tensor, 3>& incoming,
                              const std::array<bool, kLinearArguments>& wanted);

}  // namespace attn::ops
