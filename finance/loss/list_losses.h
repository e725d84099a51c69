// The losses of one list, as list_loss chooses among them. Inside this room.
#pragma once

#include <span>

#include "finance/loss/rank_loss.h"

namespace finance {

using Numbers = std::span<const double>;

/// The loss; adds weight * gradient to `gradient`, (n) or empty. n >= 1.
double pa_bce(const LossOptions& options, Numbers score, Numbers profit, double weight,
              std::span<double> gradient);
double ranknet(Numbers score, Numbers label, double weight, std::span<double> gradient);
double lambdarank(const LossOptions& options, Numbers score, Numbers label, double weight,
                  std::span<double> gradient);
double bce(Numbers score, Numbers label, double weight, std::span<double> gradient);
double log_profit(const LossOptions& options, Numbers score, Numbers profit, double weight,
                  std::span<double> gradient);
double mse(Numbers score, Numbers label, double weight, std::span<double> gradient);
double softmax(Numbers score, Numbers label, double weight, std::span<double> gradient);
double listnet(Numbers score, Numbers label, double weight, std::span<double> gradient);

}  // namespace finance
