// Losses over pairs of rows: sorts the list as the kernel wants it, and puts the gradient back.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

#include "finance/loss/list_losses.h"
#include "finance/loss/pair_kernel.h"
#include "libattn/core/parallel.h"

namespace finance {
namespace {

using attn::core::Scratch;

/// (value, row); rows keep the order of equal values.
using Ranked = std::vector<std::pair<double, int64_t>>;

/// The first `count` rows by falling value, NaN last.
Ranked falling(Numbers value, int64_t count) {
  Ranked order;
  order.reserve(value.size());
  for (const double v : value)
    order.emplace_back(std::isnan(v) ? -std::numeric_limits<double>::infinity() : v, order.size());
  const auto before = [](const auto& a, const auto& b) {
    return a.first > b.first || (a.first == b.first && a.second < b.second);
  };
  if (count < std::ssize(order)) {
    std::partial_sort(order.begin(), order.begin() + count, order.end(), before);
    order.resize(static_cast<size_t>(count));
  } else {
    std::sort(order.begin(), order.end(), before);
  }
  return order;
}

/// A list sorted by falling value, padded for the kernel, its gradient beside.
class SortedList {
 public:
  SortedList(const Ranked& order, Numbers score, bool swap)
      : order_(order),
        padded_(padded_rows(std::ssize(order))),
        scratch_(5 * Scratch::size<double>(padded_)),
        score_(scratch_.take<double>(padded_)),
        value_(scratch_.take<double>(padded_)),
        gradient_(scratch_.take<double>(padded_)) {
    const int64_t n = std::ssize(order);
    for (int64_t i = 0; i < n; ++i) {
      value_[i] = order[static_cast<size_t>(i)].first;
      score_[i] = score[static_cast<size_t>(order[static_cast<size_t>(i)].second)];
    }
    std::fill(value_ + n, value_ + padded_, std::numeric_limits<double>::infinity());
    std::fill(score_ + n, score_ + padded_, 0.0);
    if (!swap) return;
    discount_ = scratch_.take<double>(padded_), reach_ = scratch_.take<double>(padded_);
    std::fill(discount_ + n, discount_ + padded_, 0.0);
    std::fill(reach_ + n, reach_ + padded_, 0.0);
  }

  double* discount() { return discount_; }
  double* reach() { return reach_; }

  double loss(PairWeight weight, double factor, double outer, std::span<double> gradient) {
    const PairList list{std::ssize(order_), score_, value_, discount_, reach_};
    const double sum = pair_loss(weight, list, gradient_);
    for (size_t i = 0; i < order_.size() && !gradient.empty(); ++i)
      gradient[static_cast<size_t>(order_[i].second)] += outer * factor * gradient_[i];
    return factor * sum;
  }

 private:
  const Ranked& order_;
  int64_t padded_;
  Scratch scratch_;
  double *score_, *value_, *gradient_;
  double *discount_ = nullptr, *reach_ = nullptr;
};

/// Gains of labels, falling, all divided by 2^(greatest label) where they are exponential: 2^y - 1
/// is not finite for every label, their ratio is.
void take_gains(LambdaGain gain, Ranked& order) {
  if (gain == LambdaGain::linear || order.empty()) return;
  const double greatest = order.front().first;
  for (auto& [y, row] : order) y = -std::exp2(y - greatest) * std::expm1(-y * std::numbers::ln2);
}

/// 1 / log2(1 + place), place = 1, 2, ...
double discount_of(int64_t place) {
  return 1 / std::log2(static_cast<double>(place + 1));
}

double greatest_dcg(const Ranked& gains, int64_t places) {
  double sum = 0;
  for (int64_t r = 0; r < std::min(places, std::ssize(gains)); ++r)
    sum += gains[static_cast<size_t>(r)].first * discount_of(r + 1);
  return sum;
}

}  // namespace

double pa_bce(const LossOptions& options, Numbers score, Numbers profit, double weight,
              std::span<double> gradient) {
  const int64_t n = std::ssize(profit), kept = options.top > 0 ? std::min(options.top, n) : n;
  Ranked order = falling(profit, kept);
  // Such that no gap is infinite.
  constexpr double kMost = std::numeric_limits<double>::max() / 4;
  for (auto& [p, row] : order) p = std::clamp(p / options.money, -kMost, kMost);
  const double base = options.weight == GapWeight::log10 ? std::numbers::ln10 : 1;
  const auto kind = options.weight == GapWeight::linear ? PairWeight::gap : PairWeight::log_gap;
  SortedList list(order, score, false);
  return list.loss(kind, 1 / (base * static_cast<double>(kept)), weight, gradient);
}

double ranknet(Numbers score, Numbers label, double weight, std::span<double> gradient) {
  const Ranked order = falling(label, std::ssize(label));
  SortedList list(order, score, false);
  return list.loss(PairWeight::one, 1, weight, gradient);
}

double lambdarank(const LossOptions& options, Numbers score, Numbers label, double weight,
                  std::span<double> gradient) {
  const int64_t n = std::ssize(score), places = options.truncation > 0 ? options.truncation : n;
  Ranked order = falling(label, n);
  take_gains(options.gain, order);
  const double ideal = greatest_dcg(order, places);
  if (!(ideal > 0)) return 0;
  std::vector<int64_t> place(score.size());
  const Ranked by_score = falling(score, n);
  for (size_t r = 0; r < by_score.size(); ++r)
    place[static_cast<size_t>(by_score[r].second)] = static_cast<int64_t>(r) + 1;
  SortedList list(order, score, true);
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t at = place[static_cast<size_t>(order[i].second)];
    list.discount()[i] = discount_of(at);
    list.reach()[i] = at <= places ? 1 : 0;
  }
  return list.loss(PairWeight::swap, 1 / (ideal * std::numbers::ln2), weight, gradient);
}

}  // namespace finance
