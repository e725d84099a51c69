// AdamW and SGD over a list of tensors, with their state in the open so that it can be saved.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "libattn/train/trainer.h"

namespace attn::train {

/// One call of LibTorch's fused kernel a step. AdamW: Loshchilov and Hutter, ICLR 2019; SGD:
/// Nesterov momentum, L2 decay.
class OptimiserState {
 public:
  OptimiserState(const TrainOptions& options, const NamedTensors& parameters);

  /// Zeroes the gradients (allocated here once).
  void zero_gradients();
  /// Scales all gradients so that their common 2-norm is at most `options.clip_norm`, where that is
  /// positive.
  void clip_gradients();
  /// Moves the parameters along their `.grad()` at learning rate `lr`.
  void step(double lr);

  NamedTensors state() const;
  /// Throws Error when `state` is not of this optimiser and these parameters.
  void restore(const NamedTensors& state);

 private:
  TrainOptions options_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> parameters_, gradients_;
  std::vector<at::Tensor> first_, second_, steps_;  // moments; SGD: momentum buffers in first_
};

}  // namespace attn::train
