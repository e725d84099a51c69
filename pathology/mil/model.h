// The MIL models: mean, max, and attention-based (ABMIL) pooling of embedded instances, with the
// AEM term.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libattn/nn/entropy_regulariser.h"
#include "libattn/nn/gated_attention_pool.h"
#include "libattn/train/trainer.h"

namespace pathology {

enum class Pooling { mean, max, abmil_plain, abmil };

/// "mean", "max", "abmil" (gated attention, as AEM), "abmil-plain"; throws UsageError on another
/// word.
Pooling parse_pooling(std::string_view word);
std::string to_string(Pooling pooling);
/// Whether it weighs instances by attention, so that there is an entropy to maximise.
bool has_attention(Pooling pooling);

struct ModelConfig {
  Pooling pooling = Pooling::abmil;
  int64_t input = 0;        ///< D
  int64_t classes = 2;      ///< C
  int64_t hidden = 128;     ///< D_inner
  int64_t attention = 128;  ///< D_a
  double dropout = 0;       ///< of the embedding h, in training
};
void to_json(nlohmann::json& j, const ModelConfig& c);
void from_json(const nlohmann::json& j, ModelConfig& c);

/// Names and shapes of a model's parameters. Throws Error for widths and classes that no model has.
std::vector<std::pair<std::string, std::vector<int64_t>>> parameter_shapes(const ModelConfig& c);

/// What a bag's forward pass gives.
struct MilOutput {
  at::Tensor logits;   ///< (C)
  at::Tensor scores;   ///< (N) attention scores; undefined for mean and max
  double lse = 0;      ///< a_n = exp(scores_n - lse)
  double entropy = 0;  ///< H(a) in nats; NaN for max, ln N for mean
};

/// Loss of one bag, split in its terms.
struct MilLoss {
  double loss = 0, cross_entropy = 0, entropy = 0;
};

/// h_n = ReLU(W x_n), W (D_inner,D) without bias; z = pooled h (mean, max over n, or sum_n a_n h_n
/// with attention over n); logits = C z + c. Forward and backward are written out (no autograd
/// graph): a step on a small bag is all overhead otherwise.
class MilModel {
 public:
  /// Initialised as torch's Linear: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), from `seed`; same seed,
  /// same weights for any AEM weight.
  MilModel(const ModelConfig& config, uint64_t seed, at::ScalarType type = at::kFloat);
  /// From saved tensors; throws Error on a missing or misshapen one, before anything is allocated.
  MilModel(const ModelConfig& config, const attn::train::NamedTensors& tensors);

  const ModelConfig& config() const { return config_; }
  at::ScalarType type() const { return type_; }
  /// embed.weight, attention.{V,U,w}.{weight,bias}, classifier.{weight,bias}: the live tensors.
  attn::train::NamedTensors parameters() const;

  /// x (N,D), N >= 1, standardised, of the model's type.
  MilOutput forward(const at::Tensor& x) const;
  /// h (N,D_inner) of the same x.
  at::Tensor embed(const at::Tensor& x) const;

  /// CE(logits, label) + regulariser.weight_at(progress) * sum_n a_n ln a_n; the gradient is added
  /// to each parameter's `.grad()` (which must be defined), scaled by `scale` (1/bags of the step).
  /// `dropout_seed` matters only with dropout.
  MilLoss loss_and_gradients(const at::Tensor& x, int64_t label,
                             const attn::nn::EntropyRegulariser& regulariser, double progress,
                             double scale, uint64_t dropout_seed);

 private:
  struct Pass;
  Pass run(const at::Tensor& x, double dropout, uint64_t dropout_seed) const;

  ModelConfig config_;
  at::ScalarType type_;
  at::Tensor embed_, classifier_, bias_;
  attn::nn::GatedAttentionWeights attention_;
};

/// log softmax of logits (C), in fp64 whatever their type.
std::vector<double> log_probabilities(const at::Tensor& logits);

/// a_n = exp(score_n - lse), (N) float64.
at::Tensor attention_weights(const MilOutput& output);

}  // namespace pathology
