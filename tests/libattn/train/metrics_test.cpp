// scikit-learn 1.9.1 gives the expected values; the command stands beside each.
#include "libattn/train/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "attn/error.h"
#include "libattn/random/rng.h"

namespace attn::train {
namespace {

Predictions binary(const std::vector<double>& score, const std::vector<int64_t>& label) {
  Predictions p;
  for (size_t i = 0; i < score.size(); ++i)
    p.add(std::vector<double>{1 - score[i], score[i]}, label[i]);
  return p;
}

const std::vector<double> kScore{.1, .4, .4, .8, .35, .35, .9, .2};
const std::vector<int64_t> kLabel{0, 1, 0, 1, 1, 0, 1, 0};

TEST(Metrics, AucCountsTiesHalf) {
  // roc_auc_score([0,1,0,1,1,0,1,0], [.1,.4,.4,.8,.35,.35,.9,.2])
  EXPECT_DOUBLE_EQ(roc_auc(kScore, kLabel), 0.875);
  // By hand: one positive above, one tied with, one below the single negative.
  const std::vector<double> s{1, 2, 3, 2};
  const std::vector<int64_t> y{1, 1, 1, 0};
  EXPECT_DOUBLE_EQ(roc_auc(s, y), 0.5);
  const std::vector<double> equal(4, 0.3);
  EXPECT_DOUBLE_EQ(roc_auc(equal, y), 0.5);
}

TEST(Metrics, AucOfOneClassIsUndefined) {
  const std::vector<double> s{1, 2};
  const std::vector<int64_t> y{1, 1};
  EXPECT_TRUE(std::isnan(roc_auc(s, y)));
}

TEST(Metrics, WeightedAucIsThatOfRowsWrittenOut) {
  auto random = attn::random::Rng::keyed({7});
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<double> score, score_out;
    std::vector<int64_t> positive, unit, positive_out, weight(5);
    for (int64_t& w : weight) w = random.below(4);
    for (int i = 0; i < 30; ++i) {
      score.push_back(random.below(trial % 2 == 0 ? 6 : 1000));
      positive.push_back(random.below(2));
      unit.push_back(random.below(5));
      for (int64_t w = 0; w < weight[static_cast<size_t>(unit.back())]; ++w) {
        score_out.push_back(score.back());
        positive_out.push_back(positive.back());
      }
    }
    const double expected = roc_auc(score_out, positive_out);
    const double found = WeightedAuc(score, positive, unit)(weight);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(found));
    } else {
      EXPECT_DOUBLE_EQ(found, expected);
    }
  }
}

TEST(Metrics, WeightedAucOfUnitsByHand) {
  const std::vector<double> score{1, 2, 3};
  const std::vector<int64_t> positive{0, 1, 0}, unit{0, 4, 1}, four(4, 1), five(5, 1);
  const WeightedAuc auc(score, positive, unit);
  EXPECT_DOUBLE_EQ(auc(five), 0.5);
  EXPECT_DOUBLE_EQ(auc(std::vector<int64_t>{3, 1, 0, 0, 2}), 0.75);
  EXPECT_THROW(auc(four), std::logic_error);
  EXPECT_THROW(WeightedAuc(score, positive, five), Error);
}

TEST(Metrics, PercentileIntervalLeavesNaNOut) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const Interval found = percentile_interval({none, 3, 1, 2, 5, none, 4}, 0.5);
  EXPECT_DOUBLE_EQ(found.low, 2);
  EXPECT_DOUBLE_EQ(found.high, 4);
  EXPECT_TRUE(std::isnan(percentile_interval({none}, 0.5).low));
}

TEST(Metrics, BinaryAsScikitLearn) {
  const ClassificationMetrics m = classification_metrics(binary(kScore, kLabel));
  EXPECT_EQ(m.n, 8);
  EXPECT_DOUBLE_EQ(m.auc, 0.875);
  EXPECT_DOUBLE_EQ(m.accuracy, 0.75);
  EXPECT_DOUBLE_EQ(m.balanced_accuracy, 0.75);  // balanced_accuracy_score(y, s > .5)
  EXPECT_DOUBLE_EQ(m.f1, 0.7333333333333334);   // f1_score(y, s > .5, average='macro')
}

TEST(Metrics, MulticlassAsScikitLearn) {
  // P.argmax(1); roc_auc_score(y, P, multi_class='ovr', average='macro'), balanced_accuracy_score,
  // f1_score(average='macro')
  Predictions p;
  p.classes = 3;
  const std::vector<int64_t> y{0, 0, 1, 1, 2, 2, 2, 0, 1, 2};
  const double rows[10][3] = {{.7, .2, .1}, {.4, .5, .1}, {.2, .6, .2}, {.3, .3, .4}, {.1, .2, .7},
                              {.2, .2, .6}, {.5, .3, .2}, {.6, .2, .2}, {.1, .8, .1}, {.3, .1, .6}};
  for (size_t i = 0; i < y.size(); ++i) p.add(rows[i], y[i]);
  const ClassificationMetrics m = classification_metrics(p);
  EXPECT_NEAR(m.auc, 0.9325396825396824, 1e-15);
  EXPECT_DOUBLE_EQ(m.accuracy, 0.7);
  EXPECT_NEAR(m.balanced_accuracy, 0.6944444444444443, 1e-15);
  EXPECT_NEAR(m.f1, 0.6944444444444443, 1e-15);
  EXPECT_EQ(confusion_matrix(p), (std::vector<int64_t>{2, 1, 0, 0, 2, 1, 1, 0, 3}));
}

TEST(Metrics, IntervalsHoldTheValueAndShrinkWithN) {
  std::vector<double> score;
  std::vector<int64_t> label;
  for (int copies = 0; copies < 40; ++copies) {
    score.insert(score.end(), kScore.begin(), kScore.end());
    label.insert(label.end(), kLabel.begin(), kLabel.end());
  }
  const ClassificationIntervals few = bootstrap_intervals(binary(kScore, kLabel), 1, 500);
  const ClassificationIntervals many = bootstrap_intervals(binary(score, label), 1, 500);
  EXPECT_LE(few.auc.low, 0.875);
  EXPECT_GE(few.auc.high, 0.875);
  EXPECT_LT(many.auc.high - many.auc.low, 0.5 * (few.auc.high - few.auc.low));
  // Standard error of a proportion 0.75 on 320: 0.0242; 95% interval 2 x 1.96 standard errors wide.
  EXPECT_NEAR(many.accuracy.high - many.accuracy.low, 2 * 1.96 * 0.0242, 0.02);
  const ClassificationIntervals again = bootstrap_intervals(binary(kScore, kLabel), 1, 500);
  EXPECT_EQ(few.auc.low, again.auc.low);
  EXPECT_EQ(few.f1.high, again.f1.high);
}

TEST(Metrics, RefusesNothingAndNaN) {
  EXPECT_THROW(classification_metrics(Predictions{}), Error);
  Predictions p;
  p.add(std::vector<double>{std::numeric_limits<double>::quiet_NaN(), 0.5}, 0);
  EXPECT_THROW(classification_metrics(p), Error);
}

TEST(Metrics, RefusesWhatDoesNotFit) {
  Predictions p = binary(kScore, kLabel);
  p.label[3] = 2;
  EXPECT_THROW(classification_metrics(p), Error);
  EXPECT_THROW(bootstrap_intervals(p, 1), Error);
  EXPECT_THROW(p.add(std::vector<double>{0.2, 0.3, 0.5}, 0), std::logic_error);
  p = binary(kScore, kLabel);
  p.group = {1, 2};
  EXPECT_THROW(bootstrap_intervals(p, 1), Error);
  const std::vector<double> broken{1, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_THROW(roc_auc(broken, std::vector<int64_t>{0, 1}), Error);
}

TEST(Metrics, RowsOfOneGroupAreDrawnTogether) {
  // Ten patients with eight equal slides each are ten observations, not eighty: the interval is
  // that of one slide a patient.
  std::vector<double> score{.1, .7, .3, .2, .6, .8, .4, .9, .55, .95};
  std::vector<int64_t> label{0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
  Predictions one = binary(score, label), many;
  for (size_t i = 0; i < score.size(); ++i) {
    for (int copy = 0; copy < 8; ++copy) {
      many.add(std::vector<double>{1 - score[i], score[i]}, label[i]);
      many.group.push_back(static_cast<int64_t>(i));
    }
  }
  const auto a = bootstrap_intervals(one, 3), b = bootstrap_intervals(many, 3);
  EXPECT_DOUBLE_EQ(a.accuracy.low, b.accuracy.low);
  EXPECT_DOUBLE_EQ(a.accuracy.high, b.accuracy.high);
  EXPECT_DOUBLE_EQ(a.auc.low, b.auc.low);
  many.group.clear();
  EXPECT_GT(bootstrap_intervals(many, 3).accuracy.low, b.accuracy.low);
}

TEST(Metrics, MeanAndSampleDeviation) {
  const std::vector<double> v{1, 2, 4, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_DOUBLE_EQ(mean_sd(v).mean, 7.0 / 3);
  EXPECT_NEAR(mean_sd(v).sd, 1.5275252316519468, 1e-15);  // numpy.std([1, 2, 4], ddof=1)
  const std::vector<double> one{3};
  EXPECT_TRUE(std::isnan(mean_sd(one).sd));
}

}  // namespace
}  // namespace attn::train
