// Losses that are sums over rows.
#include <algorithm>
#include <cmath>

#include "finance/loss/list_losses.h"

namespace finance {
namespace {

/// log sum_i e^{x_i}.
double log_sum_exp(Numbers x) {
  const double greatest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const double each : x) sum += std::exp(each - greatest);
  return greatest + std::log(sum);
}

/// 1 / (1 + e^-x)
double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

/// -sum_i t_i log softmax(s)_i for targets t_i = target(i) that sum to `total`; dL/ds_i = total
/// softmax(s)_i - t_i.
template <class Target>
double cross_entropy(Numbers score, const Target& target, double total, double weight,
                     std::span<double> gradient) {
  const double lse = log_sum_exp(score);
  double loss = 0;
  for (size_t i = 0; i < score.size(); ++i) {
    const double t = target(i);
    loss -= t * (score[i] - lse);
    if (!gradient.empty()) gradient[i] += weight * (total * std::exp(score[i] - lse) - t);
  }
  return loss;
}

/// 1/n sum_i (s_i - target(i))^2
template <class Target>
double squared_error(Numbers score, const Target& target, double weight,
                     std::span<double> gradient) {
  const double share = 1 / static_cast<double>(score.size());
  double loss = 0;
  for (size_t i = 0; i < score.size(); ++i) {
    const double error = score[i] - target(i);
    loss += error * error;
    if (!gradient.empty()) gradient[i] += weight * share * 2 * error;
  }
  return share * loss;
}

}  // namespace

double bce(Numbers score, Numbers label, double weight, std::span<double> gradient) {
  const double share = 1 / static_cast<double>(score.size());
  double loss = 0;
  for (size_t i = 0; i < score.size(); ++i) {
    const double s = label[i] > 0 ? -score[i] : score[i];  // log(1 + e^s) - s = log(1 + e^-s)
    loss += std::max(s, 0.0) + std::log1p(std::exp(-std::abs(s)));
    const double slope = label[i] > 0 ? -sigmoid(s) : sigmoid(s);
    if (!gradient.empty()) gradient[i] += weight * share * slope;
  }
  return share * loss;
}

double log_profit(const LossOptions& options, Numbers score, Numbers profit, double weight,
                  std::span<double> gradient) {
  const auto target = [&](size_t i) {
    return std::copysign(std::log1p(std::abs(profit[i]) / options.money), profit[i]);
  };
  return squared_error(score, target, weight, gradient);
}

double mse(Numbers score, Numbers label, double weight, std::span<double> gradient) {
  return squared_error(
      score, [&](size_t i) { return label[i]; }, weight, gradient);
}

double softmax(Numbers score, Numbers label, double weight, std::span<double> gradient) {
  const double share = 1 / static_cast<double>(score.size());
  double total = 0;
  for (const double y : label) total += share * y;
  if (total == 0) return 0;
  return cross_entropy(
      score, [&](size_t i) { return share * label[i]; }, total, weight, gradient);
}

double listnet(Numbers score, Numbers label, double weight, std::span<double> gradient) {
  const double lse = log_sum_exp(label);
  return cross_entropy(
      score, [&](size_t i) { return std::exp(label[i] - lse); }, 1, weight, gradient);
}

}  // namespace finance
