// What an EntroPE forecaster is made of.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "timeseries/forecast/frame.h"

namespace timeseries {

/// What a patch (and a token, in the decoder) P becomes after it attended to A:
///   single          P + A
///   doubled         2 P + A, as the first published version has it
///   doubled_normed  P + n(P) + A, as its later version has it
enum class Residual { single, doubled, doubled_normed };

/// Which tokens a token of the patch encoder attends to: those before it in the whole window, or
/// all of its own patch.
enum class TokenScope { window, patch };

struct EntropeOptions {
  int64_t lookback = 96, horizon = 96;  ///< L, T
  int64_t width = 8;                    ///< d
  int64_t heads = 2;
  int64_t encoder_layers = 1, global_layers = 2, decoder_layers = 1;
  int64_t token_hidden = 32, patch_hidden = 32;  ///< SwiGLU's hidden width
  int64_t vocabulary = 0;                        ///< token embeddings; 0: none
  bool values = true;  ///< the real value and whether it is missing enter each token
  /// The patcher is shown normalised windows, though it learned from others: as published.
  bool normalised_tokens = false;
  int64_t past = 0;  ///< covariates known up to now that enter each token
  TokenScope scope = TokenScope::patch;
  Residual residual = Residual::single;
  bool patch_time = true;       ///< rotary position of a patch: its first value's; else its number
  bool decoder_blocks = false;  ///< the decoder's self-attention layers
  bool linear_path = true;  ///< a linear map of the window beside the network; not with an affine
                            ///< frame
  bool naive_blend = true;  ///< with linear_path: blended with naive forecasts (NaiveBlend)
  int64_t season = 1;       ///< S of one of them; the other is the last value
  int64_t head_width = 2;   ///< features of a token that reach the head; 0: all d
  double dropout = 0.1, head_dropout = 0;
  FrameOptions frame;
};

/// The published network (EntroPE, arXiv 2509.26157; sizes of its later version, residual and masks
/// of its first): tokens alone, of `vocabulary`, width 8, SwiGLU of 256, doubled residuals, affine
/// normalisation for each of `channels` (which patches and tokens do not follow, so that a window
/// is cut once).
EntropeOptions reference_entrope(int64_t lookback, int64_t horizon, int64_t channels,
                                 int64_t vocabulary = 256);

void to_json(nlohmann::json& j, const EntropeOptions& options);
/// Throws Error naming the key.
void from_json(const nlohmann::json& j, EntropeOptions& options);
/// Throws UsageError, one sentence.
void check(const EntropeOptions& options);

}  // namespace timeseries
