// Cuts windows into patches where the next value is hard to tell: EntroPE's patcher (arXiv
// 2509.26157).
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "libattn/train/model_file.h"
#include "timeseries/patch/boundaries.h"
#include "timeseries/patch/cuts.h"
#include "timeseries/patch/entropy_model.h"
#include "timeseries/patch/tokeniser.h"

namespace timeseries {

/// Tokeniser, entropy model (frozen) and boundary rule, as one. A window is cut by its own values
/// alone: the same alone and in any batch, for any number of threads, bit for bit. At a given scale
/// of the window a later value moves no earlier boundary, the rule `quantile` apart; without one
/// the scale is taken from the whole window.
class EntropyPatcher {
 public:
  /// For rules that need no entropies. std::logic_error for others.
  explicit EntropyPatcher(const BoundaryOptions& boundaries);
  /// Throws UsageError for options out of range, and a model of another vocabulary.
  EntropyPatcher(const Tokeniser& tokeniser, const EntropyModel& model,
                 const BoundaryOptions& boundaries);

  /// Whether there is a tokeniser and a model.
  bool has_model() const { return model_.has_value(); }

  /// Tokens of values (N,L), NaN = missing; (N,L) int64. `scale` (N): as Tokeniser::tokens. These
  /// and entropy() throw std::logic_error without a model, and Error as Tokeniser::tokens and
  /// EntropyModel::entropy do.
  at::Tensor tokens(const at::Tensor& values, const at::Tensor& scale = {}) const;
  /// H_t, nats, of what follows value t: (N,L) fp32.
  at::Tensor entropy(const at::Tensor& values, const at::Tensor& scale = {}) const;
  /// Patches of the rows of values.
  PatchCuts cut(const at::Tensor& values, const at::Tensor& scale = {}) const;
  /// The same of the values that `ids` (N,L) are the tokens of.
  PatchCuts cut_tokens(const at::Tensor& ids) const;

  const BoundaryOptions& boundaries() const { return boundaries_; }
  /// std::logic_error without.
  const Tokeniser& tokeniser() const;
  const EntropyModel& model() const;
  /// The same with another rule.
  EntropyPatcher with(const BoundaryOptions& boundaries) const;

  /// What a model file holds of a patcher beside its tensors: {"boundaries": ..., "tokeniser": ...,
  /// "model": ...}, the latter two where there is a model.
  nlohmann::json config() const;
  /// `prefix` + the names of the model's parameters.
  attn::train::NamedTensors tensors(const std::string& prefix) const;
  /// From config() and the tensors of a model file. Throws Error naming the file, and key or
  /// tensor.
  static EntropyPatcher load(const nlohmann::json& config, const attn::train::ModelFile& file,
                             const std::filesystem::path& path, const std::string& prefix);

 private:
  std::optional<Tokeniser> tokeniser_;
  std::optional<EntropyModel> model_;
  BoundaryOptions boundaries_;
};

/// Patches of entropies (N,L), fp32 or fp64.
PatchCuts cut_entropies(const BoundaryOptions& options, const at::Tensor& entropy);

}  // namespace timeseries
