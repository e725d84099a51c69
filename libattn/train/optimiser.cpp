#include "libattn/train/optimiser.h"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>
#include <string>

#include "attn/error.h"

namespace attn::train {
namespace {

constexpr int64_t kPiece = 1 << 14;  // longer sums LibTorch splits by threads

}  // namespace

OptimiserState::OptimiserState(const TrainOptions& options, const NamedTensors& parameters)
    : options_(options) {
  for (const auto& [name, parameter] : parameters) {
    parameters_.emplace_back(name, parameter);
    values_.push_back(parameter.detach());  // shares storage, asks for no graph
    at::Tensor gradient = at::zeros_like(values_.back());
    parameter.mutable_grad() = gradient;
    gradients_.push_back(gradient);
    first_.push_back(at::zeros_like(gradient));
    if (options.optimiser == Optimiser::adamw) second_.push_back(at::zeros_like(gradient));
    steps_.push_back(at::zeros({}, at::kFloat));
  }
}

void OptimiserState::zero_gradients() {
  for (at::Tensor& g : gradients_) g.zero_();
}

double OptimiserState::clip_gradients() {
  double squares = 0;
  for (size_t i = 0; i < gradients_.size(); ++i) {
    if (!parameters_[i].second.grad().is_same(gradients_[i]))
      throw std::logic_error("the step replaced the gradient of " + parameters_[i].first +
                             "; it must be added to in place");
    for (const at::Tensor& piece : gradients_[i].view({-1}).split(kPiece)) {
      const double norm = piece.norm().item<double>();
      squares += norm * norm;
    }
  }
  const double norm = std::sqrt(squares);
  if (options_.clip_norm > 0 && norm > options_.clip_norm) {
    for (at::Tensor& g : gradients_) g.mul_(options_.clip_norm / norm);
  }
  return norm;
}

void OptimiserState::step(double lr) {
  const bool first_step = steps_.empty() || steps_[0].item<float>() == 0;
  for (at::Tensor& s : steps_) s.add_(1);
  if (options_.optimiser == Optimiser::adamw) {
    at::_fused_adamw_(values_, gradients_, first_, second_, {}, steps_, lr, options_.beta1,
                      options_.beta2, options_.weight_decay, options_.eps, /*amsgrad=*/false,
                      /*maximize=*/false);
  } else {
    const bool nesterov = options_.momentum > 0;
    const std::vector<at::Tensor> none;  // the kernel wants no buffers without momentum
    at::_fused_sgd_(values_, gradients_, nesterov ? first_ : none, options_.weight_decay,
                    options_.momentum, lr,
                    /*dampening=*/0.0, nesterov, /*maximize=*/false, first_step);
  }
}

NamedTensors OptimiserState::state() const {
  NamedTensors out;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    out.emplace_back("first/" + parameters_[i].first, first_[i]);
    if (!second_.empty()) out.emplace_back("second/" + parameters_[i].first, second_[i]);
    out.emplace_back("steps/" + parameters_[i].first, steps_[i]);
  }
  return out;
}

void OptimiserState::restore(const NamedTensors& state) {
  NamedTensors mine = this->state();
  if (state.size() != mine.size())
    throw Error("the checkpoint holds another optimiser's state; remove it to start again");
  for (auto& [name, tensor] : mine) {
    bool found = false;
    for (const auto& [saved_name, saved] : state) {
      if (saved_name != name) continue;
      if (saved.sizes() != tensor.sizes() || saved.scalar_type() != tensor.scalar_type()) break;
      tensor.copy_(saved);
      found = true;
    }
    if (!found) {
      throw Error("the checkpoint's optimiser state lacks a fitting " + name +
                  "; remove it to start again");
    }
  }
}

}  // namespace attn::train
