// What a ranking network is made of.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace finance {

enum class RankModel {
  linear,      ///< s = w . x + b
  mlp,         ///< each trader alone: embedding, residual hidden layers, head
  cross,       ///< the same with attention across the traders of a list
  self,        ///< each trader alone: attention among its features (FT-Transformer)
  self_cross,  ///< both, as PA-RiskRanker: among features, then across traders
  rankformer   ///< attention across traders on the features as they are, linear head
};
/// "linear", "mlp", "cross", "self", "self-cross", "rankformer"; throws UsageError on another word.
RankModel parse_rank_model(std::string_view word);
std::string to_string(RankModel model);
const std::vector<std::string>& rank_model_names();
bool looks_across(RankModel model);       ///< attention across the traders of a list
bool looks_at_features(RankModel model);  ///< attention among a trader's features

struct RankerOptions {
  RankModel model = RankModel::cross;
  int64_t width = 32;                       ///< d
  int64_t heads = 4;                        ///< across traders; divides d
  int64_t layers = 2;                       ///< across traders, or hidden layers of mlp
  int64_t hidden = 64;                      ///< of the feed-forward halves
  double dropout = 0.1;                     ///< of both branches of a layer
  double input_dropout = 0;                 ///< of the features
  int64_t self_layers = 2, self_heads = 8;  ///< among features
  bool bounded = false;                     ///< tanh on the score, as published
  // Of the data:
  int64_t features = 0;             ///< F, numbers a trader
  std::vector<int64_t> categories;  ///< (C) codes of each category, 0: unknown
};

/// Throws UsageError, one sentence, on the first option that makes no sense.
void check(const RankerOptions& options);

/// Keys are the names of the fields.
void to_json(nlohmann::json& j, const RankerOptions& options);
/// A missing key leaves the field as it is. Throws Error naming the key.
void from_json(const nlohmann::json& j, RankerOptions& options);

}  // namespace finance
