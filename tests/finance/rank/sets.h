// Lists small enough for tests, as tables and as tensors.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "finance/market/simulate_market.h"
#include "finance/rank/feature_map.h"
#include "finance/rank/ranker.h"
#include "libattn/random/rng.h"

namespace finance::test {

inline const std::vector<RankModel> kModels{RankModel::linear,     RankModel::mlp,
                                            RankModel::cross,      RankModel::self,
                                            RankModel::self_cross, RankModel::rankformer};

/// Of 3 numbers and a category of 4 codes; small.
inline RankerOptions small_ranker(RankModel model) {
  RankerOptions o;
  o.model = model;
  o.width = 8, o.heads = 2, o.layers = 2, o.hidden = 12;
  o.self_layers = 1, o.self_heads = 2;
  o.features = 3, o.categories = {4};
  return o;
}

/// Random traders in lists of these lengths.
inline RankBatch random_batch(const std::vector<int64_t>& lengths, uint64_t seed = 1,
                              int64_t features = 3, int64_t codes = 4) {
  std::vector<int64_t> offsets{0};
  for (const int64_t n : lengths) offsets.push_back(offsets.back() + n);
  auto random = attn::random::Rng::keyed({seed});
  RankBatch batch{at::empty({offsets.back(), features}), at::empty({offsets.back(), 1}, at::kLong),
                  at::tensor(offsets, at::kLong)};
  auto* x = batch.features.mutable_data_ptr<float>();
  for (int64_t i = 0; i < batch.features.numel(); ++i) x[i] = static_cast<float>(random.normal());
  auto* c = batch.codes.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < offsets.back(); ++i) c[i] = random.below(static_cast<int>(codes));
  return batch;
}

/// Traders at `rows` of a batch, in lists of these lengths.
inline RankBatch picked(const RankBatch& from, const std::vector<int64_t>& rows,
                        const std::vector<int64_t>& lengths) {
  std::vector<int64_t> offsets{0};
  for (const int64_t n : lengths) offsets.push_back(offsets.back() + n);
  const at::Tensor index = at::tensor(rows, at::kLong);
  return {from.features.index_select(0, index), from.codes.index_select(0, index),
          at::tensor(offsets, at::kLong)};
}

/// A simulated market without its column of stakes.
inline RankLists small_market(int64_t lists, uint64_t seed, int64_t traders = 20) {
  MarketOptions o;
  o.lists = lists, o.traders = traders, o.seed = seed;
  RankLists market = simulate_market(o, garch_returns(2000, 7));
  market.name = "market.csv";
  return market;
}

/// Of `lists` lists of 10 traders, in each of which the one with the largest sum of two features is
/// the only one with a profit and a label.
inline RankSet separable(int64_t lists, uint64_t seed) {
  auto random = attn::random::Rng::keyed({seed});
  RankSet set;
  constexpr int64_t kN = 10;
  set.features = at::empty({lists * kN, 3});
  set.codes = at::empty({lists * kN, 0}, at::kLong);
  auto* x = set.features.mutable_data_ptr<float>();
  for (int64_t l = 0; l < lists; ++l) {
    int64_t best = 0;
    double most = -1e9;
    for (int64_t i = 0; i < kN; ++i) {
      float* row = x + (l * kN + i) * 3;
      for (int f = 0; f < 3; ++f) row[f] = static_cast<float>(random.normal());
      const double sum = row[0] + row[1];
      if (sum > most) most = sum, best = i;
    }
    for (int64_t i = 0; i < kN; ++i) {
      set.label.push_back(i == best ? 1 : 0);
      set.profit.push_back(i == best ? 100 : -10);
    }
    set.offsets.push_back((l + 1) * kN);
  }
  return set;
}

}  // namespace finance::test
