// The linear map beside a network, its season and its covariates, in closed form.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "attn/hooks.h"
#include "timeseries/forecast/forecaster.h"
#include "timeseries/window/batch.h"

namespace timeseries {

/// Writes what forecaster.linear_base() names: W (T,L), and frame.season Q and frame.known beta,
/// which are the base of its forecast, m + s (W u + e) in the terms of FrameOptions (not affine).
///   e  by least squares, weighted by s^2, of all known z on season and k - mean k of the
///   look-back,
///      each channel row by itself; the mean that e then adds to u is left to W
///   W  the last value plus what shrinks to nothing, at each step h
///      the w of least
///        sum_n s_n^2 (v_nh - u_nL - w . u_n)^2 + lambda tr(A)/L sum_t p_t w_t^2,
///        A = sum_n s_n^2 u_n u_n', v = (y - m)/s - e, p_t the age of value t (1 ... L) or its
///        square, over their mean:
///      a random walk unless the data say otherwise, all the more the older a value (Litterman
///      1986); u carried on into what is missing (Framed::carried)
/// Both with 1e-9 (of beta 1e-6 of the mean square, too) on the diagonal, so that what is constant
/// has a solution. lambda, and which p, at each step by the squared error of the validation
/// windows, of the steps around too (near_sums); whether season and covariates, covariates alone or
/// neither have a part, by that of all steps. Where no validation target is known: all, lambda 0.3
/// and p the age. Of targets that are missing, what the map itself says stands in
/// (expectation-maximisation, until no weight changes by 0.001, eight rounds at most). Over at most
/// 65,536 training and 4,096 validation windows, evenly spread; the same for any number of threads.
/// Does nothing for a forecaster without a linear base. Throws Interrupted.
void fit_linear_base(const Forecaster& forecaster, const WindowSource& source,
                     std::span<const Window> train, std::span<const Window> validation,
                     const attn::Hooks& hooks = {});

/// u (N,L), each missing value with a known one before it replaced by what the map W (T,L) says one
/// step ahead of the values before it, those replaced included, 0 before the window:
///   u_t = sum_{s<t} W[1, L - t + s] u_s
/// `missing` (N,L) as in Framed; each row by itself. What is replaced has no gradient.
at::Tensor impute(const at::Tensor& u, const at::Tensor& missing, const at::Tensor& weight);

/// Whether a parameter of that name is among what fit_linear_base finds, of a forecaster that has a
/// linear base.
bool in_linear_base(std::string_view name);

/// Memory that fit_linear_base takes, roughly.
double linear_base_bytes(int64_t lookback, int64_t horizon);

}  // namespace timeseries
