#include "libattn/nn/entropy_regulariser.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "attn/error.h"

namespace attn::nn {

double EntropyRegulariser::weight_at(double progress) const {
  switch (schedule) {
    case WeightSchedule::constant:
      return weight;
    case WeightSchedule::cosine:
      return 0.5 * weight * (1 + std::cos(std::numbers::pi * progress));
    case WeightSchedule::linear:
      return weight * (1 - progress);
  }
  return weight;
}

at::Tensor EntropyRegulariser::term(const at::Tensor& entropy, double progress) const {
  const double now = weight_at(progress);
  if (now == 0) return at::zeros({}, entropy.options());
  return entropy.sum() * (-now / static_cast<double>(entropy.size(1)));
}

WeightSchedule parse_weight_schedule(std::string_view word) {
  if (word == "constant") return WeightSchedule::constant;
  if (word == "cosine") return WeightSchedule::cosine;
  if (word == "linear") return WeightSchedule::linear;
  throw UsageError("unknown AEM schedule '" + std::string(word) +
                   "', expected constant, cosine or linear");
}

std::string to_string(WeightSchedule schedule) {
  switch (schedule) {
    case WeightSchedule::constant:
      return "constant";
    case WeightSchedule::cosine:
      return "cosine";
    case WeightSchedule::linear:
      return "linear";
  }
  return "constant";
}

}  // namespace attn::nn
