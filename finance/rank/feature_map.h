// From columns to what networks take: scaling and categories fitted on the training lists alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "finance/lists/rank_lists.h"

namespace finance {

/// A column of numbers: z = clip((x - mean) / sd, +-kClip), a missing one 0 beside a 1 in a column
/// of its own, which there is where training rows miss some. A constant column is 0.
struct NumberMap {
  std::string name;
  double mean = 0, sd = 1;
  bool missing = false;  ///< has that column
  /// Rising; where there are any, a column for each pair of neighbours a, b follows: clip((x - a) /
  /// (b - a), 0, 1), 0 where missing (piecewise linear encoding; Gorishniy et al. 2022, arXiv
  /// 2203.05556, section 3.1): a linear layer behind it bends at each.
  std::vector<double> edges = {};

  int64_t width() const;
};
inline constexpr double kClip = 10;

/// A column of words: code 1 + place among `levels`, 0 where missing or not among them.
struct CategoryMap {
  std::string name;
  std::vector<std::string> levels;
};

struct FeatureMap {
  std::vector<NumberMap> numbers;
  std::vector<CategoryMap> categories;

  int64_t width() const;  ///< F, with the columns of missing values; 1 (zeros) without numbers
  std::vector<int64_t> codes() const;            ///< (C) levels + 1
  std::vector<std::string> features() const;     ///< names of numbers
  std::vector<std::string> categorical() const;  ///< names of categories
};

/// By mean and standard deviation over the rows that have a value. A category's levels are those of
/// two rows at least, in order of characters. Throws Error where a column has no value at all.
/// `bins` > 0: edges at so many quantiles of its different values, fewer where there are fewer.
FeatureMap fit_features(const RankLists& train, int64_t bins = 0);

/// Lists as tensors.
struct RankSet {
  at::Tensor features;  ///< (R,F) fp32
  at::Tensor codes;     ///< (R,C) int64
  std::vector<int64_t> offsets{0};
  std::vector<double> label, profit;  ///< (R), or empty

  int64_t lists() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t rows() const { return offsets.back(); }
};

/// Throws Error, naming it, where a column of the map is not among those of `lists`.
RankSet encode(const FeatureMap& map, const RankLists& lists);

void to_json(nlohmann::json& j, const FeatureMap& map);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, FeatureMap& map);

}  // namespace finance
