#include "finance/loss/rank_loss.h"

#include <algorithm>
#include <stdexcept>

#include "finance/loss/list_losses.h"

namespace finance {
namespace {

void require_rows(const LossOptions& options, Numbers score, Numbers label, Numbers profit,
                  std::span<const double> gradient) {
  if (needs_label(options.kind) && label.size() != score.size())
    throw std::logic_error("rank loss: labels and scores differ in number");
  if (needs_profit(options.kind) && profit.size() != score.size())
    throw std::logic_error("rank loss: profits and scores differ in number");
  if (!gradient.empty() && gradient.size() != score.size())
    throw std::logic_error("rank loss: gradient and scores differ in number");
}

/// Rows [from, from + count), or none where there are none of all.
template <class T>
std::span<T> part(std::span<T> all, size_t from, size_t count) {
  return all.empty() ? all : all.subspan(from, count);
}

bool counts_zero_losses(LossKind kind) {
  return kind == LossKind::bce || kind == LossKind::log_profit || kind == LossKind::mse;
}

}  // namespace

double list_loss(const LossOptions& options, Numbers score, Numbers label, Numbers profit,
                 double weight, std::span<double> gradient) {
  require_rows(options, score, label, profit, gradient);
  if (score.empty()) return 0;
  switch (options.kind) {
    case LossKind::pa_bce:
      return pa_bce(options, score, profit, weight, gradient);
    case LossKind::bce:
      return bce(score, label, weight, gradient);
    case LossKind::softmax:
      return softmax(score, label, weight, gradient);
    case LossKind::lambdarank:
      return lambdarank(options, score, label, weight, gradient);
    case LossKind::listnet:
      return listnet(score, label, weight, gradient);
    case LossKind::ranknet:
      return ranknet(score, label, weight, gradient);
    case LossKind::log_profit:
      return log_profit(options, score, profit, weight, gradient);
    case LossKind::mse:
      return mse(score, label, weight, gradient);
  }
  throw std::logic_error("list_loss: no such loss");
}

double batch_loss(const LossOptions& options, std::span<const int64_t> offsets, Numbers score,
                  Numbers label, Numbers profit, std::span<double> gradient) {
  require_rows(options, score, label, profit, gradient);
  if (offsets.empty() ? !score.empty() : offsets.back() != std::ssize(score))
    throw std::logic_error("batch_loss: the lists end elsewhere than the scores");
  std::ranges::fill(gradient, 0.0);
  double sum = 0;
  int64_t counted = 0;
  for (size_t l = 0; l + 1 < offsets.size(); ++l) {
    const auto from = static_cast<size_t>(offsets[l]);
    const size_t count = static_cast<size_t>(offsets[l + 1]) - from;
    if (count == 0) continue;
    const std::span<double> slope = part(gradient, from, count);
    const double loss = list_loss(options, score.subspan(from, count), part(label, from, count),
                                  part(profit, from, count), 1, slope);
    if (loss == 0 && !counts_zero_losses(options.kind)) {
      std::ranges::fill(slope, 0.0);
      continue;
    }
    sum += loss;
    ++counted;
  }
  if (counted == 0) return 0;
  for (double& each : gradient) each /= static_cast<double>(counted);
  return sum / static_cast<double>(counted);
}

}  // namespace finance
