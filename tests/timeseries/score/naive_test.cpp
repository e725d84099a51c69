#include "timeseries/score/naive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "libattn/random/rng.h"
#include "timeseries/score/metrics.h"

namespace timeseries {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::NanSensitiveDoubleEq;
using testing::Pointwise;
using Values = std::vector<double>;
const double kNone = kMissing;

TEST(Naive, LastKnownValue) {
  EXPECT_THAT(last_value(Values{1, 5, 3}, 2), ElementsAre(3, 3));
  EXPECT_THAT(last_value(Values{1, 5, kNone}, 2), ElementsAre(5, 5));
  EXPECT_TRUE(std::isnan(last_value(Values{kNone, kNone}, 1)[0]));
  EXPECT_TRUE(std::isnan(last_value(Values{}, 1)[0]));
  EXPECT_THAT(last_value(Values{1}, 0), IsEmpty());
}

TEST(Naive, SeasonIsRepeatedAndWalksBack) {
  EXPECT_THAT(seasonal_naive(Values{1, 2, 3, 4, 5, 6}, 3, 7), ElementsAre(4, 5, 6, 4, 5, 6, 4));
  EXPECT_THAT(seasonal_naive(Values{1, 2, 3, 4, kNone, 6}, 3, 4), ElementsAre(4, 2, 6, 4));
  // No value at the second place: the last known value of the series.
  EXPECT_THAT(seasonal_naive(Values{1, kNone, 3, 4, kNone, 6}, 3, 3), ElementsAre(4, 6, 6));
  // A past shorter than the season holds its last places only.
  EXPECT_THAT(seasonal_naive(Values{8, 9}, 4, 5), ElementsAre(9, 9, 8, 9, 9));
  EXPECT_THAT(seasonal_naive(Values{8, 9}, 1, 2), ElementsAre(9, 9));
}

TEST(Naive, DriftGoesOnFromSeasonToSeason) {
  // m = 1: 5 + h (5 - 1) / 4.
  EXPECT_THAT(seasonal_drift(Values{1, 0, 7, 2, 5}, 1, 3), ElementsAre(6, 7, 8));
  // Seasonal differences 3, 2, 1: D = 2.
  EXPECT_THAT(seasonal_drift(Values{1, 2, 3, 4, 4, 4}, 3, 4), ElementsAre(6, 6, 6, 8));
  // The second place walks back two seasons; D = mean(3, 1).
  EXPECT_THAT(seasonal_drift(Values{1, 2, 3, 4, kNone, 4}, 3, 3), ElementsAre(6, 6, 6));
  EXPECT_THAT(seasonal_drift(Values{3, 4}, 2, 3), ElementsAre(3, 4, 3));  // no difference
}

TEST(Naive, MeanOfSeasons) {
  const Values x{1, 10, 3, 20, 8, 60};
  EXPECT_THAT(seasonal_mean(x, 2, 1, 3), ElementsAre(8, 60, 8));
  EXPECT_THAT(seasonal_mean(x, 2, 2, 3), ElementsAre(5.5, 40, 5.5));
  EXPECT_THAT(seasonal_mean(x, 2, 3, 2), ElementsAre(4, 30));
  EXPECT_THAT(seasonal_mean(x, 2, 99, 2), ElementsAre(4, 30));
  // Missing ones are left out; where the k seasons hold none, older ones stand in.
  EXPECT_THAT(seasonal_mean(Values{1, 10, kNone, 20, 8, kNone}, 2, 2, 2), ElementsAre(8, 20));
  EXPECT_THAT(seasonal_mean(Values{1, 10, kNone, 20, kNone, 9}, 2, 2, 2), ElementsAre(1, 14.5));
}

TEST(Naive, LimitsAreABug) {
  EXPECT_THROW(seasonal_naive(Values{1}, 0, 1), std::logic_error);
  EXPECT_THROW(seasonal_mean(Values{1}, 1, 0, 1), std::logic_error);
  EXPECT_THROW(last_value(Values{1}, -1), std::logic_error);
}

/// Step h by the words of the header: its values, newest first, each with the seasons back to it.
std::vector<std::pair<double, double>> its_values(const Values& x, int64_t m, int64_t h) {
  std::vector<std::pair<double, double>> out;
  const auto n = static_cast<int64_t>(x.size());
  for (int64_t t = n - 1; t >= 0; --t) {
    const int64_t steps = n - 1 + h - t, seasons = steps / m;
    if (steps % m == 0 && !std::isnan(x[static_cast<size_t>(t)]))
      out.emplace_back(x[static_cast<size_t>(t)], static_cast<double>(seasons));
  }
  return out;
}

TEST(Naive, AsThePlainDefinition) {
  auto random = attn::random::Rng::keyed({4});
  for (int trial = 0; trial < 300; ++trial) {
    Values x(static_cast<size_t>(random.below(40)));
    const double missing = random.uniform();
    for (double& v : x) v = random.chance(missing) ? kNone : random.normal();
    const int64_t m = 1 + random.below(12), k = 1 + random.below(4), horizon = random.below(30);
    double drift = 0, pairs = 0;
    for (size_t t = static_cast<size_t>(m); t < x.size(); ++t)
      if (const double d = x[t] - x[t - static_cast<size_t>(m)]; !std::isnan(d))
        drift += d, ++pairs;
    if (pairs > 0) drift /= pairs;
    Values naive, drifting, mean;
    for (int64_t h = 1; h <= horizon; ++h) {
      const auto its = its_values(x, m, h);
      const auto last = last_value(x, 1)[0];
      naive.push_back(its.empty() ? last : its[0].first);
      drifting.push_back(its.empty() ? last : its[0].first + its[0].second * drift);
      double sum = 0, count = 0;
      const int64_t newest = (h - 1) / m;  // in whole seasons
      const auto oldest = static_cast<double>(newest + k);
      for (const auto& [value, back] : its)
        if (back <= oldest) sum += value, ++count;
      mean.push_back(count > 0 ? sum / count : naive.back());
    }
    EXPECT_THAT(seasonal_naive(x, m, horizon), Pointwise(NanSensitiveDoubleEq(), naive));
    const Values found = seasonal_drift(x, m, horizon), means = seasonal_mean(x, m, k, horizon);
    for (size_t h = 0; h < naive.size(); ++h) {
      EXPECT_EQ(std::isnan(found[h]), std::isnan(drifting[h]));
      if (std::isnan(naive[h])) continue;
      EXPECT_NEAR(found[h], drifting[h], 1e-12 * (1 + std::abs(drifting[h])));
      EXPECT_NEAR(means[h], mean[h], 1e-12);
    }
  }
}

}  // namespace
}  // namespace timeseries
