// EntroPE: attention within and between patches that are cut where a series surprises (arXiv
// 2509.26157).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "timeseries/forecast/entrope_options.h"
#include "timeseries/forecast/forecaster.h"
#include "timeseries/patch/patcher.h"

namespace timeseries {

/// What EntroPE asks of a patcher; values (N,L) with NaN where missing, as in WindowBatch.
struct Patching {
  std::function<PatchCuts(const at::Tensor&)> cut;
  /// (N,L) int64 in 0 ... vocabulary - 1; asked where the options name a vocabulary.
  std::function<at::Tensor(const at::Tensor&)> tokens;
  /// What `cut` says of the values that these are the tokens of; empty: `cut` is asked.
  std::function<PatchCuts(const at::Tensor&)> cut_tokens = {};
};

/// By an entropy patcher, which is kept as long as this is.
Patching patching_by(std::shared_ptr<const EntropyPatcher> patcher);

/// Of one window with frame input u (L), patches cut at PatchCuts, n = root mean square
/// normalisation, all matrices without bias:
///   tokens   h_t = W_v [u_t, missing_t] + E[token_t] + W_p past_t
///   encoder  h <- layer(h) (causal over the window, or within patches); P_p = max over the tokens
///            of p after the first layer; then P <- P (+) A, A = Wo attention(Wq n(P_p), Wk n(h_t),
///            Wv n(h_t)) over the tokens t of p alone
///   global   P <- layer(P), each patch sees all of the window
///   decoder  h_t <- h_t (+) Wo Wv n(P_p) for t in p (attention to one key is that key); h <-
///            layer(h), causal over the window
///   head     v = W_h flatten(R n(h)) + b
/// with (+) as Residual says. Beside a linear path the forecast is the sum base + share * rest:
/// base the frame around W_l u, found in closed form (fit_linear_base), rest the network's v in the
/// units of base, which learns what base leaves (stagewise, as boosting does: Friedman 2001), share
/// (T) fitted on validation; and that sum is blended with naive forecasts (NaiveBlend); u is
/// imputed by W_l then where x is missing (impute). Windows are packed, no patch or token is
/// padding, so a forecast does not depend on the other windows of its batch.
class Entrope : public Forecaster {
 public:
  /// New parameters, drawn from `seed`. Throws UsageError for options out of range.
  Entrope(const EntropeOptions& options, uint64_t seed, Patching patching);
  Entrope(const EntropeOptions& options, attn::train::Parameters parameters,
          attn::train::Parameters buffers, Patching patching);

  static std::vector<attn::train::ParameterSpec> specs(const EntropeOptions& options);
  /// "share" (T), beside a linear path; "naive.weight" (seasons, knots) with naive_blend.
  static std::vector<attn::train::ParameterSpec> buffer_specs(const EntropeOptions& options);

  at::Tensor forward(const WindowBatch& batch, const Pass& pass) const override;
  ForecastParts parts(const WindowBatch& batch, const Pass& pass) const override;
  at::Tensor share() const override;
  LinearBase linear_base() const override;
  NaiveBlend blend() const override;
  const attn::train::Parameters& parameters() const override { return parameters_; }
  attn::train::NamedTensors buffers() const override { return buffers_.named(); }
  bool cuts_by_values() const override { return true; }
  PatchCuts cut(const at::Tensor& values) const override;
  nlohmann::json options() const override;
  int64_t lookback() const override { return options_.lookback; }
  int64_t horizon() const override { return options_.horizon; }
  std::unique_ptr<Forecaster> clone() const override;

 private:
  Framed framed(const WindowBatch& batch) const;
  /// What the network says of a framed batch, (N,T) inside the frame.
  at::Tensor inside(const WindowBatch& batch, const Framed& framed, const Pass& pass) const;

  EntropeOptions options_;
  attn::train::Parameters parameters_, buffers_;
  Patching patching_;
};

}  // namespace timeseries
