// What a fitted model says of bags.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "libattn/train/metrics.h"
#include "pathology/mil/bag.h"
#include "pathology/mil/mil_train.h"

namespace pathology {

struct BagPrediction {
  int64_t bag = 0;     ///< index into the set
  int64_t label = -1;  ///< true class; -1: unknown
  int64_t predicted = 0;
  int64_t instances = 0;
  std::vector<double> probability;  ///< (C)
  double entropy = 0;               ///< H(a), nats; NaN where the model has no attention
  double normalised_entropy = 0;    ///< H(a)/ln N; NaN for N = 1 and without attention
};

/// Throws Error, naming the bag, where it is empty or the network's answer is not finite.
BagPrediction predict_bag(const FittedModel& fitted, const BagSet& set, int64_t bag);
std::vector<BagPrediction> predict_bags(const FittedModel& fitted, const BagSet& set,
                                        std::span<const int64_t> items, const attn::Hooks& hooks);

/// Attention of one bag's instances, (N) float64, summing to 1; for max pooling the share of
/// embedding units each instance wins, for mean 1/N, so that every model has a heat map.
at::Tensor bag_attention(const FittedModel& fitted, const at::Tensor& features);

/// The labelled ones as metrics input, the bags of a patient as one group.
attn::train::Predictions metrics_input(const BagSet& set,
                                       const std::vector<BagPrediction>& predictions);

/// CSV: bag, label (empty where unknown), [part,] predicted, prob_CLASS..., instances,
/// attention_entropy, attention_entropy_normalised, unreadable (share of the slide's tiles that
/// could not be decoded). `part` only when given, one word per prediction. Atomic.
void write_predictions(const std::filesystem::path& path, const BagSet& set,
                       const std::vector<std::string>& classes,
                       const std::vector<BagPrediction>& predictions,
                       const std::vector<std::string>& part = {});

}  // namespace pathology
