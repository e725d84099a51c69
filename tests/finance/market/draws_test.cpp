// Random numbers against their distributions.
#include "finance/market/draws.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace finance {
namespace {

using Values = std::vector<double>;

Values draws(int64_t count, uint64_t seed, const std::function<double(Rng&)>& draw) {
  Rng rng = Rng::keyed({seed});
  Values all;
  for (int64_t i = 0; i < count; ++i) all.push_back(draw(rng));
  return all;
}

double mean(const Values& x) {
  double sum = 0;
  for (const double each : x) sum += each;
  return sum / static_cast<double>(x.size());
}

double variance(const Values& x) {
  const double centre = mean(x);
  double sum = 0;
  for (const double each : x) sum += (each - centre) * (each - centre);
  return sum / static_cast<double>(x.size());
}

/// Greatest distance of the empirical distribution from F, times sqrt(n): above 1.95 in 1 of 1,000
/// samples (Kolmogorov).
double distance(Values x, const std::function<double(double)>& f) {
  std::ranges::sort(x);
  double most = 0;
  for (size_t i = 0; i < x.size(); ++i)
    most = std::max({most, f(x[i]) - static_cast<double>(i) / static_cast<double>(x.size()),
                     static_cast<double>(i + 1) / static_cast<double>(x.size()) - f(x[i])});
  return most * std::sqrt(static_cast<double>(x.size()));
}

TEST(Draws, StudentOfFourDegrees) {
  const auto cdf = [](double unit) {
    const double t = unit * std::numbers::sqrt2, q = t * t / 4, u = t / std::sqrt(1 + q);
    return 0.5 + 0.375 * u * (1 - q / (1 + q) / 3);
  };
  EXPECT_LT(distance(draws(100000, 1, [](Rng& r) { return unit_student_t(r, 4); }), cdf), 1.95);
  // Those of 5 degrees are told apart.
  EXPECT_GT(distance(draws(100000, 1, [](Rng& r) { return unit_student_t(r, 5); }), cdf), 1.95);
}

TEST(Draws, StudentHasVarianceOneAndTheKurtosisOfItsDegrees) {
  for (const double nu : {9.5, 30.0, 1e5}) {
    const Values x = draws(400000, 2, [&](Rng& r) { return unit_student_t(r, nu); });
    EXPECT_NEAR(mean(x), 0, 0.01);
    EXPECT_NEAR(variance(x), 1, 0.02);
    double fourth = 0;
    for (const double each : x) fourth += std::pow(each, 4) / 400000;
    EXPECT_NEAR(fourth, 3 + 6 / (nu - 4), 0.2) << nu;
  }
}

TEST(Draws, Gamma) {
  // Erlang: 1 - e^-x (1 + x).
  EXPECT_LT(distance(draws(100000, 3, [](Rng& r) { return gamma_draw(r, 2); }),
                     [](double x) { return 1 - std::exp(-x) * (1 + x); }),
            1.95);
  EXPECT_LT(distance(draws(100000, 4, [](Rng& r) { return gamma_draw(r, 1); }),
                     [](double x) { return 1 - std::exp(-x); }),
            1.95);
  const Values x = draws(200000, 5, [](Rng& r) { return gamma_draw(r, 7.3); });
  EXPECT_NEAR(mean(x), 7.3, 0.03);
  EXPECT_NEAR(variance(x), 7.3, 0.12);
}

TEST(Draws, Lomax) {
  EXPECT_LT(distance(draws(100000, 6, [](Rng& r) { return lomax_draw(r, 1.5); }),
                     [](double x) { return 1 - std::pow(1 + x, -1.5); }),
            1.95);
}

TEST(Draws, Poisson) {
  for (const double rate : {0.3, 16.0, 200.0}) {
    const Values x =
        draws(100000, 7, [&](Rng& r) { return static_cast<double>(poisson_draw(r, rate)); });
    EXPECT_NEAR(mean(x), rate, 4.5 * std::sqrt(rate / 1e5));
    EXPECT_NEAR(variance(x) / rate, 1, 0.03 + 0.01 / rate);
  }
  const Values few =
      draws(100000, 8, [](Rng& r) { return static_cast<double>(poisson_draw(r, 0.3)); });
  EXPECT_NEAR(static_cast<double>(std::ranges::count(few, 0)) / 1e5, std::exp(-0.3), 0.007);
}

}  // namespace
}  // namespace finance
