// Random tables of ragged lists, and a metric by its name.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "finance/score/rank_metrics.h"
#include "libattn/random/rng.h"

namespace finance::test {

/// Owns what ScoredLists shows.
struct Table {
  std::vector<int64_t> offsets{0};
  std::vector<double> score, label, profit;

  ScoredLists lists() const { return {offsets, score, label, profit}; }
  void add(const Table& from, int64_t list) {
    for (auto i = static_cast<size_t>(from.offsets[static_cast<size_t>(list)]);
         i < static_cast<size_t>(from.offsets[static_cast<size_t>(list) + 1]); ++i) {
      score.push_back(from.score[i]);
      if (!from.label.empty()) label.push_back(from.label[i]);
      if (!from.profit.empty()) profit.push_back(from.profit[i]);
    }
    offsets.push_back(static_cast<int64_t>(score.size()));
  }
};

/// Lists of 1 ... most rows; scores follow profits, of `levels` values if that is not 0.
inline Table random_table(uint64_t seed, int lists, int most, int levels = 0) {
  auto random = attn::random::Rng::keyed({seed});
  Table table;
  for (int l = 0; l < lists; ++l) {
    const int rows = 1 + random.below(most);
    for (int i = 0; i < rows; ++i) {
      const double profit = random.normal(0, 100);
      const double score = 0.004 * profit + random.normal(0, 0.7);
      table.profit.push_back(profit);
      table.score.push_back(levels == 0 ? score : std::round(score * levels / 4));
      table.label.push_back(profit > 80 ? 1 + random.below(3) : 0);
    }
    table.offsets.push_back(static_cast<int64_t>(table.score.size()));
  }
  return table;
}

inline Metric metric(const std::vector<Metric>& all, std::string_view name) {
  for (const Metric& one : all)
    if (one.name == name) return one;
  return {"", std::numeric_limits<double>::quiet_NaN(), 0, 0, -1};
}

/// Metrics without intervals.
inline MetricsOptions only_values() {
  MetricsOptions options;
  options.resamples = 0;
  return options;
}

/// The sentence of what `call` throws.
template <class Error, class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace finance::test
