#include "finance/score/one_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "attn/error.h"
#include "finance/score/check_lists.h"

namespace finance {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kHighestExponent = 900;  // 2^900, and sums of it, are numbers still

std::vector<double> picked(std::span<const double> column, const std::vector<int64_t>& order) {
  std::vector<double> out;
  if (column.empty()) return out;
  out.reserve(order.size());
  for (const int64_t row : order) out.push_back(column[static_cast<size_t>(row)]);
  return out;
}

double gain_of(double label, Gain gain) {
  if (!(label >= 0 && label <= std::numeric_limits<double>::max()))
    throw attn::Error(fmt::format("ndcg: a label is {}, expected a number of at least 0", label));
  if (gain == Gain::linear) return label;
  if (label > kHighestExponent)
    throw attn::Error(fmt::format(
        "ndcg: a label is {}, of which 2^label is no number any more; take linear gain", label));
  return std::exp2(label) - 1;
}

/// sum_{r<k} gain(label_r) / log2(r + 2)
double dcg(const std::vector<double>& label, int64_t k, Gain gain) {
  double sum = 0;
  const auto first = std::min(static_cast<size_t>(k), label.size());
  for (size_t r = 0; r < first; ++r)
    sum += gain_of(label[r], gain) / std::log2(static_cast<double>(r + 2));
  return sum;
}

OneList labelled(std::span<const double> score, std::span<const double> label) {
  check_length("labels", label.size(), score.size());
  return in_order(score, label, {});
}

}  // namespace

std::vector<int64_t> ranked(std::span<const double> score) {
  for (size_t i = 0; i < score.size(); ++i)
    if (std::isnan(score[i]))
      throw attn::Error(
          fmt::format("the score of row {} (counted from 1) is nan, expected a number", i + 1));
  std::vector<int64_t> order(score.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return score[static_cast<size_t>(a)] > score[static_cast<size_t>(b)];
  });
  return order;
}

OneList in_order(std::span<const double> score, std::span<const double> label,
                 std::span<const double> profit) {
  const std::vector<int64_t> order = ranked(score);
  OneList list{picked(score, order), picked(label, order), picked(profit, order), {}};
  list.ideal = list.label;
  std::sort(list.ideal.begin(), list.ideal.end(), std::greater<>());
  return list;
}

double ndcg(const OneList& list, int64_t k, const NdcgRule& rule) {
  check_depth(k);
  if (list.rows() == 0) return kNaN;
  const double ideal = dcg(list.ideal, k, rule.gain);
  if (ideal > 0) return dcg(list.label, k, rule.gain) / ideal;
  return rule.empty == EmptyList::one ? 1 : kNaN;
}

double reciprocal_rank(const OneList& list) {
  for (size_t r = 0; r < list.label.size(); ++r)
    if (list.label[r] > 0) return 1 / static_cast<double>(r + 1);
  return kNaN;
}

double precision(const OneList& list, int64_t k) {
  check_depth(k);
  const int64_t first = std::min(k, list.rows());
  if (first == 0) return kNaN;
  const auto hits = std::count_if(list.label.begin(), list.label.begin() + first,
                                  [](double label) { return label > 0; });
  return static_cast<double>(hits) / static_cast<double>(k);
}

double profit_at(const OneList& list, int64_t k) {
  check_depth(k);
  const int64_t first = std::min(k, list.rows());
  if (first == 0) return kNaN;
  return std::accumulate(list.profit.begin(), list.profit.begin() + first, 0.0);
}

double ndcg(std::span<const double> score, std::span<const double> label, int64_t k,
            const NdcgRule& rule) {
  return ndcg(labelled(score, label), k, rule);
}

double reciprocal_rank(std::span<const double> score, std::span<const double> label) {
  return reciprocal_rank(labelled(score, label));
}

double precision(std::span<const double> score, std::span<const double> label, int64_t k) {
  return precision(labelled(score, label), k);
}

double profit_at(std::span<const double> score, std::span<const double> profit, int64_t k) {
  check_length("profits", profit.size(), score.size());
  return profit_at(in_order(score, {}, profit), k);
}

}  // namespace finance
