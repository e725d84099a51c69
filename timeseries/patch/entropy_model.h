// The causal language model of a series whose surprise cuts patches: EntroPE's (arXiv 2509.26157),
// a small transformer over value tokens (in the manner of GPT-2).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "libattn/train/parameters.h"

namespace timeseries {

/// learned: a vector per position, the reference's; windows longer than `context` are refused.
/// rotary: queries and keys rotated by position (arXiv 2104.09864); a position attends to the
/// `context` values up to itself, so that windows may have any length and an entropy far into a
/// long one is of the kind that was trained.
enum class EntropyPosition { learned, rotary };

struct EntropyModelOptions {
  int64_t width = 32;        ///< D
  int64_t depth = 2;         ///< blocks
  int64_t heads = 4;         ///< divides width
  int64_t vocabulary = 256;  ///< V
  int64_t context = 96;
  EntropyPosition position = EntropyPosition::rotary;
};

void to_json(nlohmann::json& j, const EntropyModelOptions& options);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, EntropyModelOptions& options);
/// Throws UsageError, one sentence, on the first option out of its range.
void check(const EntropyModelOptions& options);

/// What training alone draws and smooths.
struct EntropyLoss {
  double dropout = 0;  ///< of the embedding, and of what each half of a block adds
  uint64_t seed = 0;   ///< of dropout
  /// Standard deviation, in bins, of a discrete Gaussian that spreads each target over the bins
  /// beside it: bins are ordered, which an embedding does not know. 0: the target alone.
  double blur = 0;
};

/// Of ids i_1 ... i_L, E (V,D) the embedding, LN(x) = (x - mean) / sqrt(variance + 1e-5) w:
///   h = E[i_t] (+ P[t], learned) ;  for each block: h <- h + Wo attention(Wq n, Wk n, Wv n), n =
///   LN h, causal, scale 1/sqrt(D/heads) ;  h <- h + Wd gelu(Wu LN h), gelu(x) = x Phi(x), Wu
///   (4D,D) logits z_tv = E_v . x_t, x = LN h ;  p_t = softmax z_t, of what follows token t H_t =
///   log sum_v e^{z_tv} - sum_v p_tv z_tv ;  loss_t = log sum_v e^{z_tv} - E_target . x_t
/// No bias anywhere. H and the log-sum-exp are those of attention of the queries x over the keys E,
/// in pieces of the vocabulary: logits (L,V) never stand in memory, neither here nor in training.
class EntropyModel {
 public:
  /// New parameters, drawn from `seed`: normal, sd 0.02, those that add to h 0.02/sqrt(2 depth).
  /// Throws UsageError for options out of range.
  EntropyModel(const EntropyModelOptions& options, uint64_t seed);
  EntropyModel(const EntropyModelOptions& options, attn::train::Parameters parameters);

  /// "token", "position" (learned), "block.I.norm1", ".qkv", ".out", ".norm2", ".up", ".down",
  /// "norm".
  static std::vector<attn::train::ParameterSpec> specs(const EntropyModelOptions& options);

  /// H of ids (N,L) int64; (N,L) of the parameters' type, without graph. A row of it depends on
  /// that row alone and H_t on ids up to t alone, bit for bit, whatever else is in the batch and
  /// however many threads work. Throws Error for windows longer than the context where positions
  /// are learned, and ids outside of the vocabulary.
  at::Tensor entropy(const at::Tensor& ids) const;

  /// loss_t of targets (N,L) int64 that follow ids (N,L): NaN where the target is the pad token.
  /// Without graph; as entropy() otherwise.
  at::Tensor cross_entropy(const at::Tensor& ids, const at::Tensor& targets) const;

  /// Mean of loss_t over the targets that are not the pad token (0 without any), differentiable in
  /// the parameters, of their type. Throws Error as entropy() does.
  at::Tensor loss(const at::Tensor& ids, const at::Tensor& targets,
                  const EntropyLoss& options = {}) const;

  /// The same in fp32 with its gradient added to each parameter's `.grad()` (which must be there),
  /// each window going to and fro through one fused pass. The result does not depend on the number
  /// of threads.
  double loss_and_gradients(const at::Tensor& ids, const at::Tensor& targets,
                            const EntropyLoss& options = {}) const;

  const EntropyModelOptions& options() const { return options_; }
  /// Shared with the model: changing them changes it.
  const attn::train::Parameters& parameters() const { return parameters_; }
  /// A copy with numbers of its own.
  EntropyModel clone() const { return {options_, parameters_.clone()}; }

 private:
  void check_ids(const at::Tensor& ids) const;
  at::Tensor run(const at::Tensor& ids, const at::Tensor& targets) const;

  EntropyModelOptions options_;
  attn::train::Parameters parameters_;
};

}  // namespace timeseries
