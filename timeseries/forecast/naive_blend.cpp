#include "timeseries/forecast/naive_blend.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "timeseries/forecast/seasonal_naive.h"

namespace timeseries {
namespace {

constexpr size_t kKnots = NaiveBlend::kKnots;
constexpr double kFirstKnot = -7;  // log2
constexpr double kPrior = 4;
constexpr double kLeastUnit = 1e-3;  // of a window's sd
using Hats = std::array<double, kKnots>;
using Row = std::span<const double>;

/// sd of the known values, 0 where there is none.
double sd_of(Row x) {
  double mean = 0, squares = 0, count = 0;
  for (const double each : x) {
    if (std::isnan(each)) continue;
    const double away = each - mean;
    mean += away / ++count;
    squares += away * (each - mean);
  }
  return count > 0 ? std::sqrt(squares / count) : 0;
}

/// Root mean square of the known x_t - x_{t-season}; NaN where there is none.
double difference_of(Row x, int64_t season) {
  double squares = 0, count = 0;
  for (auto t = static_cast<size_t>(season); t < x.size(); ++t) {
    const double difference = x[t] - x[t - static_cast<size_t>(season)];
    if (std::isnan(difference)) continue;
    squares += difference * difference;
    ++count;
  }
  return count > 0 ? std::sqrt(squares / count) : std::numeric_limits<double>::quiet_NaN();
}

/// What each knot's value counts at d / s, s > 0: two neighbours, of sum 1.
Hats hats_at(double d, double s) {
  constexpr auto kLast = static_cast<double>(kKnots - 1);
  const double place = d > 0 ? std::clamp(std::log2(d / s) - kFirstKnot, 0.0, kLast) : 0;
  const size_t below = std::min(static_cast<size_t>(place), kKnots - 2);
  Hats hats{};
  hats[below + 1] = place - static_cast<double>(below);
  hats[below] = 1 - hats[below + 1];
  return hats;
}

double g_at(const Hats& hats, Row weight) {
  double sum = 0;
  for (size_t k = 0; k < kKnots; ++k) sum += hats[k] * weight[k];
  return sum;
}

at::Tensor fp64(const at::Tensor& x) {
  return x.detach().to(at::kDouble).contiguous();
}

/// Row n of an fp64 matrix.
Row row_of(const at::Tensor& x, int64_t n) {
  return {x.const_data_ptr<double>() + n * x.size(1), static_cast<size_t>(x.size(1))};
}

/// Squared error of g over all windows as a function of its knots, for one season.
class KnotFit {
 public:
  KnotFit() { weight_.fill(1); }

  /// One window: its naive forecast, its forecast and what came, over `unit`.
  void add(const Hats& hats, Row naive, Row forecast, Row target, double unit) {
    double square = 0, product = 0, left = 0, count = 0;
    for (size_t h = 0; h < target.size(); ++h) {
      if (std::isnan(target[h])) continue;
      const double f = (forecast[h] - naive[h]) / unit, y = (target[h] - naive[h]) / unit;
      square += f * f;
      product += f * y;
      left += y * y;
      ++count;
    }
    if (count == 0) return;
    for (size_t i = 0; i < kKnots; ++i) {
      for (size_t j = 0; j < kKnots; ++j) squares_[i][j] += hats[i] * hats[j] * square / count;
      products_[i] += hats[i] * product / count;
      energies_[i] += hats[i] * square / count;
      windows_[i] += hats[i];
    }
    targets_ += left / count;
  }

  /// The knots in [0,1] of least error and prior: one knot after the other, each to its own best,
  /// until none moves (the sum is convex).
  void solve(double overlap) {
    for (int round = 0; round < 1000; ++round) {
      double moved = 0;
      for (size_t i = 0; i < kKnots; ++i) moved = std::max(moved, improve(i, overlap));
      if (moved < 1e-9) break;
    }
  }

  const Hats& weight() const { return weight_; }
  /// Without the prior.
  double error() const {
    double sum = targets_;
    for (size_t i = 0; i < kKnots; ++i) {
      sum -= 2 * weight_[i] * products_[i];
      for (size_t j = 0; j < kKnots; ++j) sum += weight_[i] * weight_[j] * squares_[i][j];
    }
    return sum;
  }

 private:
  /// Moves knot i to its best; returns how far. The prior counts windows of the knot's own energy:
  /// those that repeat themselves would else outweigh all others.
  double improve(size_t i, double overlap) {
    if (!(energies_[i] > 0)) return 0;
    const double prior = kPrior * overlap * energies_[i] / windows_[i];
    double product = products_[i] + prior;
    for (size_t j = 0; j < kKnots; ++j)
      if (j != i) product -= squares_[i][j] * weight_[j];
    const double best = product / (squares_[i][i] + prior);
    if (std::isnan(best)) return 0;
    return std::abs(std::exchange(weight_[i], std::clamp(best, 0.0, 1.0)) - weight_[i]);
  }

  std::array<Hats, kKnots> squares_{};
  Hats products_{}, energies_{}, windows_{}, weight_{};
  double targets_ = 0;
};

/// g of each window, (N,1); 1 where it has no difference, or no spread.
at::Tensor g_of(const at::Tensor& x, int64_t season, Row weight) {
  at::Tensor g = at::ones({x.size(0), 1}, at::kDouble);
  for (int64_t n = 0; n < x.size(0); ++n) {
    const double d = difference_of(row_of(x, n), season), s = sd_of(row_of(x, n));
    if (!std::isnan(d) && s > 0) g.mutable_data_ptr<double>()[n] = g_at(hats_at(d, s), weight);
  }
  return g;
}

}  // namespace

at::Tensor blended(const at::Tensor& values, const at::Tensor& forecast, const NaiveBlend& blend) {
  if (blend.seasons.empty()) return forecast;
  const at::Tensor weights = fp64(blend.weight);
  at::Tensor out = forecast;
  for (size_t i = 0; i < blend.seasons.size(); ++i) {
    const Row weight = row_of(weights, static_cast<int64_t>(i));
    if (std::all_of(weight.begin(), weight.end(), [](double w) { return w == 1; })) continue;
    const at::Tensor naive = repeat_season(values, blend.seasons[i], forecast.size(1)),
                     g = g_of(fp64(values), blend.seasons[i], weight);
    out = (naive + g * (out.to(at::kDouble) - naive)).to(forecast.scalar_type());
  }
  return out;
}

void fit_blend(const NaiveBlend& blend, const at::Tensor& values, const at::Tensor& forecast,
               const at::Tensor& target, double overlap) {
  if (blend.seasons.empty()) return;
  const at::Tensor x = fp64(values), f = fp64(forecast), y = fp64(target);
  std::vector<at::Tensor> naive;
  for (const int64_t season : blend.seasons)
    naive.push_back(repeat_season(values, season, f.size(1)));
  std::vector<KnotFit> fits(naive.size());
  std::vector<double> d(naive.size());
  for (int64_t n = 0; n < x.size(0); ++n) {
    const double s = sd_of(row_of(x, n));
    for (size_t i = 0; i < d.size(); ++i) d[i] = difference_of(row_of(x, n), blend.seasons[i]);
    if (!(s > 0) || std::any_of(d.begin(), d.end(), [](double v) { return std::isnan(v); }))
      continue;
    const double unit = std::max(*std::min_element(d.begin(), d.end()), kLeastUnit * s);
    for (size_t i = 0; i < fits.size(); ++i)
      fits[i].add(hats_at(d[i], s), row_of(naive[i], n), row_of(f, n), row_of(y, n), unit);
  }
  for (KnotFit& fit : fits) fit.solve(overlap);
  const auto best = std::min_element(
      fits.begin(), fits.end(), [](const auto& a, const auto& b) { return a.error() < b.error(); });
  blend.weight.fill_(1);
  blend.weight.select(0, best - fits.begin())
      .copy_(at::tensor(std::vector<double>(best->weight().begin(), best->weight().end()),
                        at::kDouble));
}

}  // namespace timeseries
