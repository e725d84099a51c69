// Learning rates: equations in trainer.h.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "libattn/train/trainer.h"

namespace attn::train {
namespace {

/// From a to b along half a cosine; t in [0, 1].
double between(double a, double b, double t) {
  return b + 0.5 * (a - b) * (1 + std::cos(std::numbers::pi * t));
}

double cosine(const TrainOptions& o, double i, double steps) {
  const double rise = std::round(o.warm_up.value_or(0) * steps);
  if (i < rise) return o.lr * (i + 1) / rise;
  return between(o.lr, 0, (i - rise) / std::max(steps - rise, 1.0));
}

double one_cycle(const TrainOptions& o, double i, double steps) {
  const double start = o.lr / o.div, top = o.warm_up.value_or(0.3) * steps - 1;
  if (i <= top) return between(start, o.lr, top > 0 ? i / top : 1);
  // The last step lies at the end, even where it is the top, too (a share of 1).
  return between(o.lr, start / o.final_div, steps - 1 > top ? (i - top) / (steps - 1 - top) : 1);
}

}  // namespace

double learning_rate(const TrainOptions& options, int64_t iteration, int64_t iterations) {
  const auto i = static_cast<double>(iteration), steps = static_cast<double>(iterations);
  switch (options.schedule) {
    case LrSchedule::constant:
      return options.lr;
    case LrSchedule::cosine:
      return cosine(options, i, steps);
    case LrSchedule::one_cycle:
      return one_cycle(options, i, steps);
    case LrSchedule::halve: {
      const int64_t steps_per_epoch = std::max<int64_t>(iterations / options.epochs, 1);
      return std::ldexp(options.lr, -static_cast<int>(iteration / steps_per_epoch));
    }
  }
  return options.lr;
}

}  // namespace attn::train
