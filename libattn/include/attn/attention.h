// Exact attention that also returns the statistics of every row, differentiable in all of them but
// the maximum.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "attn/core.h"
#include "attn/export.h"

namespace attn {

using Align = core::Align;
using Causal = core::Causal;

/// (H) or (B,H) below: a number per head, or per batch and head. All tensors on the CPU, of the
/// type of q unless another is named.
struct AttentionOptions {
  std::optional<double> scale = {};  ///< default 1 / sqrt(D)
  Causal causal = Causal::none;
  Align align = Align::bottom_right;  ///< diagonal of windows and distances where not causal
  int64_t window_left = -1, window_right = -1;  ///< keys seen before, behind the diagonal; -1: all
  at::Tensor bias = {};  ///< broadcastable to (B,H,Nq,Nk), added to the logits, may be -inf
  at::Tensor key_padding_mask = {};  ///< (B,Nk) bool, true = key is visible
  double softcap = 0;      ///< c > 0: logits become c tanh(logit / c), before bias and slope
  at::Tensor slopes = {};  ///< (H) or (B,H), ALiBi: - slope |i + diagonal - j| is added
  at::Tensor sink = {};    ///< (H) or (B,H): logit of one more key, of value 0, that all rows see
  double dropout = 0;  ///< share of weights set to 0 on their way to V; statistics are before it
  uint64_t dropout_seed = 0;    ///< with dropout_offset all that its mask depends on besides
  uint32_t dropout_offset = 0;  ///< position: the same for any number of threads and in backward
  at::Tensor q_offsets = {},
             k_offsets = {};  ///< (B+1) int64 or int32: packed sequences, see `attention`
  bool row_max = false, column_mass = false;  ///< wanted, too
};

struct AttentionResult {
  at::Tensor out;               ///< (B,H,Nq,Dv)
  at::Tensor lse;               ///< (B,H,Nq), natural logarithm
  at::Tensor entropy;           ///< (B,H,Nq), nats
  at::Tensor row_max = {};      ///< (B,H,Nq), where asked for; refuses to be differentiated
  at::Tensor column_mass = {};  ///< (B,H,Nk), where asked for: weight that each key received
  /// (B,H,Nq): LSE = lse + lse_tail to twice the digits, for `merge_attention`. No gradient.
  at::Tensor lse_tail = {};
};

/// s = cap(scale q k^T) + bias - slope distance, p = softmax(s) over visible keys and the sink;
/// out = p v, lse = log sum exp(s), entropy = -sum p log p, row_max = max s, column_mass = sum_i p,
/// from one pass in O(N) memory (Dao 2023, arXiv 2307.08691, with the entropy accumulator
/// t = sum e^{s-m}(s-m)); column_mass takes a second pass over the scores. Equations: attn/core.h.
///
/// q (B,H,Nq,D), k (B,G,Nk,D), v (B,G,Nk,Dv): fp32 or fp64 on the CPU, any strides (no copy where
/// the last dimension is contiguous). G divides H: query head h reads key head h / (H / G).
/// Packed: q (Tq,H,D), k (Tk,G,D), v (Tk,G,Dv), sequence b being rows offsets[b] ...
/// offsets[b+1]-1; out (Tq,H,Dv), row statistics (H,Tq), column_mass (H,Tk); neither bias nor
/// key_padding_mask.
///
/// Differentiable in q, k, v, bias, slopes and sink through out, lse, entropy and column_mass. A
/// row that sees no key: out 0, entropy 0, lse and row_max -inf (lse: the sink), no gradient. Keys
/// that are hidden must hold finite numbers in k and v (their weight 0 times NaN is NaN), as
/// everywhere in LibTorch. Runs on at::get_num_threads() threads; the result does not depend on
/// their number. Throws attn::Error for shapes, types, devices or options that do not fit, when
/// row_max is differentiated, and when anything is differentiated twice.
ATTN_PUBLIC AttentionResult attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                      const AttentionOptions& options = {});

/// Results of the same queries over disjoint keys (splits of a cache, shards of a sequence) to
/// those over all of them: w_s = e^{lse_s - lse}, lse = log sum_s e^{lse_s}, out = sum_s w_s out_s,
/// entropy = sum_s w_s (entropy_s - log w_s), row_max where all parts have it (equations and
/// source: attn/core.h). Differentiable as `attention` is. A sink counts as a key: give it to one
/// part only. Throws attn::Error for no parts, shapes, types or devices that differ, for
/// column_mass, which cannot be merged from sums over queries.
ATTN_PUBLIC AttentionResult merge_attention(const std::vector<AttentionResult>& parts);

}  // namespace attn
