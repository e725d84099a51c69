// What stands around every network: instance normalisation, a learned season, known covariates.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "libattn/train/parameters.h"
#include "timeseries/window/batch.h"

namespace timeseries {

/// A window x_1 ... x_L enters a network f as u and leaves as y:
///   z_t = (x_t - m) / s w_c + b_c ;  m, s^2 + eps mean and biased variance of the window's known
///                                   values, without gradient (RevIN, Kim et al., ICLR 2022)
///   e_t = Q_c[(phase + t) mod S] + beta_c . k_t    (t counted from the origin, L steps before it,
///                                                  T from it on)
///   u_t = z_t - e_t, 0 where x_t is missing ;  v = f(u)
///   y_t = (v_t + e_t - b_c) / (w_c + 1e-10) s + m
/// Q is the learned season (CycleNet, Lin et al., NeurIPS 2024), k the covariates known ahead.
struct FrameOptions {
  bool normalise = true;  ///< else m = 0 and s = 1, and a missing value enters as the window's mean
  bool scale = true;      ///< with normalise: divided by the window's sd; else s = 1
  bool affine = false;    ///< w and b per channel; else 1 and 0
  int64_t channels = 1;   ///< C: channels with parameters of their own; 1: all share them
  int64_t season = 0;     ///< S; 0: none
  int64_t known = 0;      ///< covariates known ahead
  bool operator==(const FrameOptions&) const = default;
};
void to_json(nlohmann::json& j, const FrameOptions& options);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, FrameOptions& options);
/// Throws UsageError, one sentence.
void check(const FrameOptions& options);

/// "frame.weight", "frame.bias" (C); "frame.season" (C,S); "frame.known" (C,F): as the options ask.
/// Season and covariates start at 0.
std::vector<attn::train::ParameterSpec> frame_parameters(const FrameOptions& options);

/// A batch inside of its frame; tensors of the parameters' type.
struct Framed {
  at::Tensor input;         ///< u (N,L)
  at::Tensor carried;       ///< u with the last known one before it where x_t is missing, 0 where
                            ///< none is known
  at::Tensor missing;       ///< (N,L), 1 where a value is missing, else 0; undefined without any
  at::Tensor mean, sd;      ///< m and s, (N,1)
  at::Tensor effect;        ///< e over the horizon, (N,T); undefined without season and covariates
  at::Tensor weight, bias;  ///< w and b, (N,1); undefined without affine
};

/// `horizon`: T; `type`: of the network's parameters. Throws Error where the batch lacks covariates
/// that the options name, or its channels do not fit.
Framed enter_frame(const WindowBatch& batch, const FrameOptions& options,
                   const attn::train::Parameters& parameters, int64_t horizon, at::ScalarType type);

/// What is added to w where it divides.
inline constexpr double kScaleEps = 1e-10;

/// y of v (N,T).
at::Tensor leave_frame(const at::Tensor& v, const Framed& framed);

}  // namespace timeseries
