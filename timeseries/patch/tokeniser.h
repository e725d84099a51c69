// Values to tokens: bins of equal width after division by the mean magnitude of the window (the
// mean-scale uniform bins of Chronos, Ansari et al. 2024, arXiv 2403.07815, section 3.1).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace timeseries {

/// Of V tokens the first five are no values: 0 pad (a missing value), 1 ... 3 begin, end and begin
/// of entity as published, 4 never used. 5 ... V - 1 are the B = V - 5 bins.
struct TokeniserOptions {
  int64_t vocabulary = 256;   ///< V
  double low = -3, high = 3;  ///< centres of the first and the last bin; the reference: -R, R
};

void to_json(nlohmann::json& j, const TokeniserOptions& options);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, TokeniserOptions& options);

/// Of a window z_1 ... z_L with known values K:
///   s = mean_K |z| (1 where that is not above 0) ;  u = z / s
///   c_i = low + i w, i = 0 ... B - 1, w = (high - low) / (B - 1) ;  edges e_i = c_i - w / 2
///   id = 5 + #{i = 1 ... B - 1 : e_i <= u}
/// A value on an edge belongs to the bin above it; values outside of all edges to the end bins; NaN
/// is the pad token. Computed in fp64 whatever the type of the values.
class Tokeniser {
 public:
  static constexpr int64_t kPad = 0, kFirst = 5;

  /// Throws UsageError for fewer than 2 bins or centres that are not finite and ascending.
  explicit Tokeniser(const TokeniserOptions& options);

  /// s of each row of values (N,L), fp32 or fp64, NaN = missing; (N) fp64. Throws Error where a
  /// value is infinite.
  static at::Tensor scale(const at::Tensor& values);

  /// ids of values (N,L), (N,L) int64. `scale` (N): s of each row where it is not to be taken from
  /// the values themselves. Throws Error as scale() does, and where `scale` is not positive.
  at::Tensor tokens(const at::Tensor& values, const at::Tensor& scale = {}) const;

  /// id of one u. NaN: kPad.
  int64_t token(double u) const;
  /// c of a bin's id, NaN for the tokens that are no values.
  double centre(int64_t id) const;

  const TokeniserOptions& options() const { return options_; }
  int64_t bins() const { return options_.vocabulary - kFirst; }

 private:
  TokeniserOptions options_;
  double inverse_width_ = 1;
  std::vector<double> edges_;  // (B+1), -inf and inf at the ends
};

/// u = z / s of all known values of windows (N,L), fp64, in no promised order.
std::vector<double> scaled_values(const at::Tensor& values);

/// low and high such that each end bin holds at most share / 2 of the u given, and no less room
/// than that needs. Throws Error where there are none.
TokeniserOptions learn_range(std::vector<double> u, int64_t vocabulary, double share = 0.01);

}  // namespace timeseries
