// Classification metrics on plain vectors. Undefined values (AUC of one class) are NaN, never a
// guess.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace attn::train {

/// Area under the ROC curve of `score` for `positive` (0 or 1): (sum of the positives' mean ranks -
/// P(P+1)/2) / (P M), ties counted half (Mann-Whitney). NaN when one of the two groups is empty.
/// Throws Error where a score is NaN or the two differ in length.
double roc_auc(std::span<const double> score, std::span<const int64_t> positive);

/// roc_auc of the same rows under many weightings, as a bootstrap needs it: they are sorted once,
/// and each weighting takes O(n).
class WeightedAuc {
 public:
  /// `unit` (n) names what row i is drawn with, 0 ... U - 1 (its list, its patient); empty: every
  /// row by itself. Throws Error where a score is NaN or the lengths differ.
  WeightedAuc(std::span<const double> score, std::span<const int64_t> positive,
              std::span<const int64_t> unit = {});
  /// AUC with each row of unit u counted weight[u] times, weight (U) >= 0; exact counts while
  /// there are fewer than 4e9 rows in all. NaN when one of the two groups is empty.
  /// Throws std::logic_error where weight is shorter than U.
  double operator()(std::span<const int64_t> weight) const;

 private:
  std::vector<uint64_t> rows_;  // by rising score: 4 unit + 2 (first of its score) + positive
  size_t units_ = 0;
};

/// Unweighted mean of 2TP/(2TP+FP+FN) over the classes that occur or are predicted (scikit-learn's
/// `macro`), from counts (classes, classes), row-major: row = true class, column = predicted class.
double macro_f1(std::span<const int64_t> confusion, int64_t classes);

/// Predictions of a classifier: `probability` is row-major (n, classes), `label` (n) from 0 to
/// classes - 1, `group` (n) where rows belong together (slides of one patient), else empty.
struct Predictions {
  int64_t classes = 2;
  std::vector<double> probability;
  std::vector<int64_t> label, group;

  int64_t size() const { return static_cast<int64_t>(label.size()); }
  /// Throws std::logic_error unless `row` has one probability a class.
  void add(std::span<const double> row, int64_t true_label);
};

/// Most probable class of each row (the first of equals), (n).
std::vector<int64_t> predicted_classes(const Predictions& p);

/// Counts (classes, classes), row-major: row = true class, column = predicted class.
std::vector<int64_t> confusion_matrix(const Predictions& p);

/// What is reported of a classifier. AUC: for two classes that of class 1, else the unweighted mean
/// of one-vs-rest AUCs over the classes that occur and are not alone. Balanced accuracy: mean
/// recall over the classes that occur. F1: macro_f1.
struct ClassificationMetrics {
  int64_t n = 0;
  double auc = 0, accuracy = 0, balanced_accuracy = 0, f1 = 0;
};
/// Throws Error where there are no predictions, a probability is not finite, a label is no class,
/// or the columns differ in length.
ClassificationMetrics classification_metrics(const Predictions& p);

/// Percentile interval of a metric.
struct Interval {
  double low = 0, high = 0;
};
/// The quantiles (1 -/+ level)/2 of the values that are not NaN, by linear interpolation; NaN where
/// there are none.
Interval percentile_interval(std::vector<double> values, double level);

struct ClassificationIntervals {
  Interval auc, accuracy, balanced_accuracy, f1;
  int64_t resamples = 0;
  double level = 0;
};
/// Bootstrap percentile intervals (Efron 1979): rows are drawn with replacement within each true
/// class (stratified, so that every resample has an AUC), `resamples` times; rows of one group are
/// drawn together, since what belongs to one patient is not independent. The quantiles (1 -/+
/// level)/2 by linear interpolation. Same seed, same result.
ClassificationIntervals bootstrap_intervals(const Predictions& p, uint64_t seed,
                                            int64_t resamples = 1000, double level = 0.95);

/// Mean and sample standard deviation (n-1) of the values that are finite; sd is NaN for fewer than
/// two.
struct MeanSd {
  double mean = 0, sd = 0;
};
MeanSd mean_sd(std::span<const double> values);

}  // namespace attn::train
