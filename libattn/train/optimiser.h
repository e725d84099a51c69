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
  /// The common 2-norm of all gradients; scales them so that it is at most `options.clip_norm`,
  /// where that is positive. std::logic_error when a parameter's `.grad()` is no longer the tensor
  /// allocated here.
  double clip_gradients();
  /// Moves the parameters along their `.grad()` at learning rate `lr`.
  void step(double lr);

  NamedTensors state() const;
  /// Throws Error when `state` is not of this optimiser and these parameters.
  void restore(const NamedTensors& state);

 private:
  TrainOptions options_;
  NamedTensors parameters_;                         // as the task holds them
  std::vector<at::Tensor> values_, gradients_;      // their numbers, without graph
  std::vector<at::Tensor> first_, second_, steps_;  // moments; SGD: momentum buffers in first_
};

}  // namespace attn::train
