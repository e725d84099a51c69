#include "libattn/train/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>

#include "attn/error.h"
#include "libattn/train/seed.h"

namespace attn::train {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Row indices by rising score; `tied[i]` says that place i has the score of place i-1.
struct Ranking {
  std::vector<size_t> order;
  std::vector<char> tied;
};

Ranking rank_scores(std::span<const double> score) {
  Ranking r;
  r.order.resize(score.size());
  std::iota(r.order.begin(), r.order.end(), size_t{0});
  std::sort(r.order.begin(), r.order.end(),
            [&](size_t a, size_t b) { return score[a] < score[b]; });
  r.tied.resize(score.size(), 0);
  for (size_t i = 1; i < score.size(); ++i)
    r.tied[i] = score[r.order[i]] == score[r.order[i - 1]] ? 1 : 0;
  return r;
}

/// AUC with row i counted weight[i] times: pairs (positive above negative) + half the tied pairs,
/// over all pairs.
template <class IsPositive>
double weighted_auc(const Ranking& r, const std::vector<int64_t>& weight, IsPositive positive) {
  double below = 0, won = 0, positives = 0;  // negatives ranked strictly below the current group
  for (size_t i = 0; i < r.order.size();) {
    double group_positive = 0, group_negative = 0;
    do {
      const size_t row = r.order[i];
      (positive(row) ? group_positive : group_negative) += static_cast<double>(weight[row]);
      ++i;
    } while (i < r.order.size() && r.tied[i] != 0);
    won += group_positive * (below + 0.5 * group_negative);
    below += group_negative;
    positives += group_positive;
  }
  return positives > 0 && below > 0 ? won / (positives * below) : kNaN;
}

std::vector<double> column(const Predictions& p, int64_t c) {
  std::vector<double> out(p.label.size());
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = p.probability[i * static_cast<size_t>(p.classes) + static_cast<size_t>(c)];
  return out;
}

/// The parts of a metric computation that resampling does not change.
struct Prepared {
  const Predictions& p;
  std::vector<int64_t> predicted;
  std::vector<Ranking> ranking;  // of class 1 for two classes, else of each class
};

Prepared prepare(const Predictions& p) {
  const auto n = p.label.size();
  if (n == 0) throw Error("metrics need at least one labelled prediction, found none");
  if (p.classes < 2) throw Error("metrics need at least two classes, found one");
  for (const double v : p.probability)
    if (!std::isfinite(v)) throw Error("a predicted probability is not a finite number");
  if (p.probability.size() != n * static_cast<size_t>(p.classes))
    throw Error("metrics need " + std::to_string(p.classes) + " probabilities a row, found " +
                std::to_string(p.probability.size()) + " for " + std::to_string(n) + " rows");
  for (const int64_t label : p.label)
    if (label < 0 || label >= p.classes)
      throw Error("a label is " + std::to_string(label) + ", expected 0 to " +
                  std::to_string(p.classes - 1));
  if (!p.group.empty() && p.group.size() != n)
    throw Error("metrics need one group a row, found " + std::to_string(p.group.size()) + " for " +
                std::to_string(n) + " rows");
  Prepared out{p, predicted_classes(p), {}};
  for (int64_t c = p.classes == 2 ? 1 : 0; c < p.classes; ++c)
    out.ranking.push_back(rank_scores(column(p, c)));
  return out;
}

std::vector<int64_t> weighted_confusion(const Prepared& q, const std::vector<int64_t>& weight) {
  const auto k = static_cast<size_t>(q.p.classes);
  std::vector<int64_t> m(k * k, 0);
  for (size_t i = 0; i < weight.size(); ++i)
    m[static_cast<size_t>(q.p.label[i]) * k + static_cast<size_t>(q.predicted[i])] += weight[i];
  return m;
}

double macro_auc(const Prepared& q, const std::vector<int64_t>& weight) {
  const int64_t first = q.p.classes == 2 ? 1 : 0;
  double sum = 0;
  int64_t defined = 0;
  for (size_t r = 0; r < q.ranking.size(); ++r) {
    const int64_t c = first + static_cast<int64_t>(r);
    const double auc =
        weighted_auc(q.ranking[r], weight, [&](size_t row) { return q.p.label[row] == c; });
    if (std::isnan(auc)) continue;
    sum += auc;
    ++defined;
  }
  return defined > 0 ? sum / static_cast<double>(defined) : kNaN;
}

ClassificationMetrics weighted_metrics(const Prepared& q, const std::vector<int64_t>& weight) {
  const auto k = static_cast<size_t>(q.p.classes);
  const std::vector<int64_t> m = weighted_confusion(q, weight);
  int64_t right = 0, total = 0;
  double recall = 0, f1 = 0;
  int64_t occurring = 0, scored = 0;
  for (size_t c = 0; c < k; ++c) {
    int64_t row = 0, col = 0;
    for (size_t j = 0; j < k; ++j) {
      row += m[c * k + j];
      col += m[j * k + c];
    }
    const int64_t hit = m[c * k + c];
    right += hit;
    total += row;
    if (row > 0) recall += static_cast<double>(hit) / static_cast<double>(row), ++occurring;
    if (row + col > 0)
      f1 += 2.0 * static_cast<double>(hit) / static_cast<double>(row + col), ++scored;
  }
  ClassificationMetrics out;
  out.n = total;
  out.auc = macro_auc(q, weight);
  out.accuracy = static_cast<double>(right) / static_cast<double>(total);
  out.balanced_accuracy = recall / static_cast<double>(occurring);
  out.f1 = f1 / static_cast<double>(scored);
  return out;
}

using Rows = std::vector<size_t>;

/// What the bootstrap draws, by class: the rows of one group each, in the order of their first row.
/// A group of several classes counts to its highest.
std::vector<std::vector<Rows>> drawn_units(const Predictions& p) {
  std::vector<Rows> units;
  std::unordered_map<int64_t, size_t> unit_of;
  for (size_t i = 0; i < p.label.size(); ++i) {
    const auto [at, is_new] =
        unit_of.try_emplace(p.group.empty() ? static_cast<int64_t>(i) : p.group[i], units.size());
    if (is_new) units.emplace_back();
    units[at->second].push_back(i);
  }
  std::vector<std::vector<Rows>> by_class(static_cast<size_t>(p.classes));
  for (Rows& rows : units) {
    int64_t highest = 0;
    for (const size_t row : rows) highest = std::max(highest, p.label[row]);
    by_class[static_cast<size_t>(highest)].push_back(std::move(rows));
  }
  return by_class;
}

/// Linear-interpolation quantile of sorted values.
double quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return kNaN;
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(place);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (place - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

Interval interval(std::vector<double> values, double level) {
  std::erase_if(values, [](double v) { return std::isnan(v); });
  std::sort(values.begin(), values.end());
  return {quantile(values, (1 - level) / 2), quantile(values, (1 + level) / 2)};
}

}  // namespace

void Predictions::add(std::span<const double> row, int64_t true_label) {
  if (row.size() != static_cast<size_t>(classes))
    throw std::logic_error("Predictions::add: a row of " + std::to_string(row.size()) +
                           " probabilities for " + std::to_string(classes) + " classes");
  probability.insert(probability.end(), row.begin(), row.end());
  label.push_back(true_label);
}

double roc_auc(std::span<const double> score, std::span<const int64_t> positive) {
  if (score.size() != positive.size())
    throw Error("roc_auc: " + std::to_string(score.size()) + " scores and " +
                std::to_string(positive.size()) + " labels");
  for (const double v : score)
    if (std::isnan(v)) throw Error("roc_auc: a score is not a number");
  return weighted_auc(rank_scores(score), std::vector<int64_t>(score.size(), 1),
                      [&](size_t i) { return positive[i] != 0; });
}

std::vector<int64_t> predicted_classes(const Predictions& p) {
  std::vector<int64_t> out(p.label.size());
  const auto k = static_cast<std::ptrdiff_t>(p.classes);
  for (size_t i = 0; i < out.size(); ++i) {
    const auto row = p.probability.begin() + static_cast<std::ptrdiff_t>(i) * k;
    out[i] = std::max_element(row, row + k) - row;
  }
  return out;
}

std::vector<int64_t> confusion_matrix(const Predictions& p) {
  return weighted_confusion(prepare(p), std::vector<int64_t>(p.label.size(), 1));
}

ClassificationMetrics classification_metrics(const Predictions& p) {
  return weighted_metrics(prepare(p), std::vector<int64_t>(p.label.size(), 1));
}

ClassificationIntervals bootstrap_intervals(const Predictions& p, uint64_t seed, int64_t resamples,
                                            double level) {
  const Prepared q = prepare(p);
  const std::vector<std::vector<Rows>> by_class = drawn_units(p);
  Random random(derive_seed(seed, "bootstrap"));
  std::vector<double> auc, accuracy, balanced, f1;
  std::vector<int64_t> weight(p.label.size());
  for (int64_t b = 0; b < resamples; ++b) {
    std::fill(weight.begin(), weight.end(), 0);
    for (const auto& units : by_class)
      for (size_t i = 0; i < units.size(); ++i)
        for (const size_t row : units[random.below(units.size())]) ++weight[row];
    const ClassificationMetrics m = weighted_metrics(q, weight);
    auc.push_back(m.auc);
    accuracy.push_back(m.accuracy);
    balanced.push_back(m.balanced_accuracy);
    f1.push_back(m.f1);
  }
  return {interval(std::move(auc), level),
          interval(std::move(accuracy), level),
          interval(std::move(balanced), level),
          interval(std::move(f1), level),
          resamples,
          level};
}

MeanSd mean_sd(std::span<const double> values) {
  double sum = 0;
  int64_t n = 0;
  for (const double v : values)
    if (std::isfinite(v)) sum += v, ++n;
  if (n == 0) return {kNaN, kNaN};
  const double mean = sum / static_cast<double>(n);
  double squares = 0;
  for (const double v : values)
    if (std::isfinite(v)) squares += (v - mean) * (v - mean);
  return {mean, n > 1 ? std::sqrt(squares / static_cast<double>(n - 1)) : kNaN};
}

}  // namespace attn::train
