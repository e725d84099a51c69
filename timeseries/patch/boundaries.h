// Where patches begin, from the entropies of a window: pure functions, no LibTorch.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace timeseries {

/// H_t, t = 0 ... L - 1, is the entropy of what follows value t. Position t + 1 begins a patch
/// where
///   none        never
///   fixed       length divides t + 1
///   threshold   H_t > theta
///   rise        H_t - H_{t-1} > delta          (never at t = 0, which has no value before it)
///   both        H_t > theta and H_t - H_{t-1} > delta: the rule of the paper (arXiv 2509.26157)
///   quantile    H_t > the q-quantile of H_0 ... H_{L-1} (linear between order statistics)
/// All but quantile look at values up to t alone.
enum class CutRule { none, fixed, threshold, rise, both, quantile };

/// "none", "fixed", "threshold", "rise", "both", "quantile"; throws UsageError on another word.
CutRule parse_cut_rule(std::string_view word);
std::string to_string(CutRule rule);

struct BoundaryOptions {
  CutRule rule = CutRule::both;
  double threshold = 3;     ///< theta, nats
  double rise = 0.25;       ///< delta, nats
  double quantile = 0.95;   ///< q, in [0, 1]
  int64_t length = 8;       ///< of fixed patches
  int64_t max_length = 24;  ///< a patch that has reached it ends; 0: none. Not for none and fixed
  int64_t min_length = 1;   ///< a boundary nearer to the one before is passed over; likewise
  /// x > y means x > y + tie: entropies that are equal in exact numbers (a constant series) differ
  /// by rounding, some 1e-6, and must not cut.
  double tie = 1e-4;
  /// The first published code to the letter (note: its rules are rise, both, threshold): the mask
  /// is set at t = 0 whatever H_0 is, so the first patch of `rise` and `both` has length 1; `both`
  /// never sets it at t = 1; and an L+1st position belongs to the last patch, which holds nothing
  /// else where the mask is set at L - 1 or max_length divides so: it begins at L then. `tie` and
  /// `min_length` have no meaning.
  bool reference = false;
};

void to_json(nlohmann::json& j, const BoundaryOptions& options);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, BoundaryOptions& options);
/// Throws UsageError, one sentence, on the first option out of its range.
void check(const BoundaryOptions& options);

/// Whether the rule looks at entropies at all.
bool needs_entropy(CutRule rule);

/// Begins of the patches of a window of `length` positions, ascending from 0; `entropy` holds
/// `length` numbers, or none for rules that need none. Numbers are compared in fp64: fp32 and fp64
/// entropies are cut alike wherever they do not straddle a threshold. Length 0: none.
std::vector<int64_t> patch_begins(const BoundaryOptions& options, std::span<const float> entropy,
                                  int64_t length);
std::vector<int64_t> patch_begins(const BoundaryOptions& options, std::span<const double> entropy,
                                  int64_t length);

struct FittedBoundaries {
  BoundaryOptions options;
  double mean_length = 0;  ///< of the windows it was fitted on
};

/// `options` with theta and delta (quantile: q) such that patches of the windows given, `rows` rows
/// of `length` entropies, have a mean length as near to `wanted` as it can be. theta and delta of
/// `both` are the same quantile of all H_t and of all H_t - H_{t-1}. fixed: `wanted` rounded.
/// Throws UsageError where `wanted` lies outside of 1 ... max_length (length, without one).
FittedBoundaries fit_boundaries(const BoundaryOptions& options, std::span<const float> entropy,
                                int64_t rows, int64_t length, double wanted);

}  // namespace timeseries
