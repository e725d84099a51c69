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
  std::vector<WeightedAuc> auc;  // of class 1 for two classes, else of each class
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
  std::vector<int64_t> positive(n);
  for (int64_t c = p.classes == 2 ? 1 : 0; c < p.classes; ++c) {
    std::transform(p.label.begin(), p.label.end(), positive.begin(),
                   [c](int64_t label) { return label == c ? 1 : 0; });
    out.auc.emplace_back(column(p, c), positive);
  }
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
  double sum = 0;
  int64_t defined = 0;
  for (const WeightedAuc& of_class : q.auc)
    if (const double auc = of_class(weight); !std::isnan(auc)) sum += auc, ++defined;
  return defined > 0 ? sum / static_cast<double>(defined) : kNaN;
}

ClassificationMetrics weighted_metrics(const Prepared& q, const std::vector<int64_t>& weight) {
  const auto k = static_cast<size_t>(q.p.classes);
  const std::vector<int64_t> m = weighted_confusion(q, weight);
  int64_t right = 0, total = 0;
  double recall = 0;
  int64_t occurring = 0;
  for (size_t c = 0; c < k; ++c) {
    const int64_t row = std::accumulate(&m[c * k], &m[c * k] + k, int64_t{0});
    const int64_t hit = m[c * k + c];
    right += hit;
    total += row;
    if (row > 0) recall += static_cast<double>(hit) / static_cast<double>(row), ++occurring;
  }
  ClassificationMetrics out;
  out.n = total;
  out.auc = macro_auc(q, weight);
  out.accuracy = static_cast<double>(right) / static_cast<double>(total);
  out.balanced_accuracy = recall / static_cast<double>(occurring);
  out.f1 = macro_f1(m, q.p.classes);
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

}  // namespace

void Predictions::add(std::span<const double> row, int64_t true_label) {
  if (row.size() != static_cast<size_t>(classes))
    throw std::logic_error("Predictions::add: a row of " + std::to_string(row.size()) +
                           " probabilities for " + std::to_string(classes) + " classes");
  probability.insert(probability.end(), row.begin(), row.end());
  label.push_back(true_label);
}

double roc_auc(std::span<const double> score, std::span<const int64_t> positive) {
  return WeightedAuc(score, positive)(std::vector<int64_t>(score.size(), 1));
}

WeightedAuc::WeightedAuc(std::span<const double> score, std::span<const int64_t> positive,
                         std::span<const int64_t> unit) {
  if (score.size() != positive.size())
    throw Error("roc_auc: " + std::to_string(score.size()) + " scores and " +
                std::to_string(positive.size()) + " labels");
  if (!unit.empty() && unit.size() != score.size())
    throw Error("roc_auc: " + std::to_string(score.size()) + " scores and " +
                std::to_string(unit.size()) + " units");
  for (const double v : score)
    if (std::isnan(v)) throw Error("roc_auc: a score is not a number");
  std::vector<size_t> order(score.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return score[a] < score[b]; });
  rows_.reserve(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t row = order[i];
    const bool first = i == 0 || score[row] != score[order[i - 1]];
    const auto its_unit = unit.empty() ? uint64_t{row} : static_cast<uint64_t>(unit[row]);
    units_ = std::max(units_, static_cast<size_t>(its_unit) + 1);
    rows_.push_back(its_unit << 2U | (first ? 2U : 0U) | (positive[row] != 0 ? 1U : 0U));
  }
}

// Twice the pairs (positive above negative) + half the tied pairs, in integers, over all pairs.
double WeightedAuc::operator()(std::span<const int64_t> weight) const {
  if (weight.size() < units_)
    throw std::logic_error("WeightedAuc: " + std::to_string(weight.size()) + " weights for " +
                           std::to_string(units_) + " units");
  int64_t below = 0, twice_won = 0, positives = 0;  // below: negatives under the current score
  int64_t tied = 0, tied_positive = 0;              // rows of the current score
  const auto close = [&] {
    const int64_t tied_negative = tied - tied_positive;
    twice_won += tied_positive * (2 * below + tied_negative);
    below += tied_negative;
    positives += tied_positive;
    tied = tied_positive = 0;
  };
  for (const uint64_t row : rows_) {
    if ((row & 2U) != 0) close();
    const int64_t times = weight[row >> 2U];
    tied += times;
    tied_positive += times & -static_cast<int64_t>(row & 1U);
  }
  close();
  const double pairs = static_cast<double>(positives) * static_cast<double>(below);
  return pairs > 0 ? static_cast<double>(twice_won) / 2 / pairs : kNaN;
}

double macro_f1(std::span<const int64_t> confusion, int64_t classes) {
  const auto k = static_cast<size_t>(classes);
  double sum = 0;
  int64_t scored = 0;
  for (size_t c = 0; c < k; ++c) {
    int64_t of_class = 0;  // TP + FN + TP + FP
    for (size_t j = 0; j < k; ++j) of_class += confusion[c * k + j] + confusion[j * k + c];
    if (of_class == 0) continue;
    sum += 2.0 * static_cast<double>(confusion[c * k + c]) / static_cast<double>(of_class);
    ++scored;
  }
  return scored > 0 ? sum / static_cast<double>(scored) : kNaN;
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
  return {percentile_interval(std::move(auc), level),
          percentile_interval(std::move(accuracy), level),
          percentile_interval(std::move(balanced), level),
          percentile_interval(std::move(f1), level),
          resamples,
          level};
}

Interval percentile_interval(std::vector<double> values, double level) {
  std::erase_if(values, [](double v) { return std::isnan(v); });
  std::sort(values.begin(), values.end());
  return {quantile(values, (1 - level) / 2), quantile(values, (1 + level) / 2)};
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
