// Losses of one list as their equations say, pair by pair, and lists to try them on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "finance/loss/rank_loss.h"
#include "libattn/random/rng.h"

namespace finance::test {

using Values = std::vector<double>;

/// log(1 + e^x)
inline double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

struct Loss {
  double value = 0;
  Values gradient;
};

/// sum over i, j of weight(i, j) log(1 + e^{-(s_i - s_j)}), in long double.
template <class Weight>
Loss of_pairs(const Values& s, const Weight& weight) {
  std::vector<long double> slope(s.size(), 0.0L);
  long double sum = 0;
  for (size_t i = 0; i < s.size(); ++i) {
    for (size_t j = 0; j < s.size(); ++j) {
      const double w = weight(i, j);
      if (w == 0) continue;
      const double d = s[j] - s[i];
      sum += static_cast<long double>(w) * softplus(d);
      const long double push =
          w * (d > 0 ? 1 / (1 + std::exp(-d)) : std::exp(d) / (1 + std::exp(d)));
      slope[j] += push;
      slope[i] -= push;
    }
  }
  return {static_cast<double>(sum), Values(slope.begin(), slope.end())};
}

/// The place of row i by falling value, 1, 2, ...
inline int64_t place(const Values& value, size_t i) {
  int64_t at = 1;
  for (size_t j = 0; j < value.size(); ++j)
    if (value[j] > value[i] || (value[j] == value[i] && j < i)) ++at;
  return at;
}

inline Loss plain_pa_bce(const LossOptions& o, const Values& s, const Values& p) {
  const auto n = static_cast<int64_t>(s.size());
  const int64_t kept = o.top > 0 ? std::min(o.top, n) : n;
  std::vector<int64_t> at(s.size());
  for (size_t i = 0; i < s.size(); ++i) at[i] = place(p, i);
  const auto weight = [&](double gap) {
    if (o.weight == GapWeight::linear) return gap;
    return std::log1p(gap) / (o.weight == GapWeight::log10 ? std::numbers::ln10 : 1);
  };
  return of_pairs(s, [&](size_t i, size_t j) {
    if (at[i] > kept || at[j] > kept || !(p[i] > p[j])) return 0.0;
    return weight(p[i] / o.money - p[j] / o.money) / static_cast<double>(kept);
  });
}

inline Loss plain_ranknet(const Values& s, const Values& y) {
  return of_pairs(s, [&](size_t i, size_t j) { return y[i] > y[j] ? 1.0 : 0.0; });
}

/// `order`: scores that give the places; s itself, or the point about which s is moved.
inline Loss plain_lambdarank(const LossOptions& o, const Values& s, const Values& y,
                             const Values& order) {
  const auto n = static_cast<int64_t>(s.size());
  const int64_t most = o.truncation > 0 ? o.truncation : n;
  const auto gain = [&](size_t i) {
    return o.gain == LambdaGain::linear ? y[i] : std::exp2(y[i]) - 1;
  };
  const auto discount = [](int64_t at) { return 1 / std::log2(1.0 + static_cast<double>(at)); };
  double ideal = 0;
  std::vector<int64_t> at(s.size());
  for (size_t i = 0; i < s.size(); ++i) {
    at[i] = place(order, i);
    if (place(y, i) <= most) ideal += gain(i) * discount(place(y, i));
  }
  return of_pairs(s, [&](size_t i, size_t j) {
    if (!(y[i] > y[j]) || std::min(at[i], at[j]) > most) return 0.0;
    return (gain(i) - gain(j)) * std::abs(discount(at[i]) - discount(at[j])) / ideal /
           std::numbers::ln2;
  });
}

/// A list whose scores, profits and labels have ties.
struct Rows {
  Values score, label, profit;
};
inline Rows some_rows(size_t n, uint64_t seed) {
  auto rng = attn::random::Rng::keyed({seed, n});
  Rows rows;
  for (size_t i = 0; i < n; ++i) {
    rows.score.push_back(rng.chance(0.1) ? 0.5 : rng.normal(0, 2));
    rows.label.push_back(rng.below(5));
    rows.profit.push_back(rng.chance(0.2) ? 100 : 300 * rng.normal());
  }
  return rows;
}

}  // namespace finance::test
