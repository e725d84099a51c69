// The kernels under the operators: exact attention and attention pooling with log-sum-exp and
// entropy, and the gradient of each. Plain pointers, sizes and strides; no LibTorch. Instantiated
// for float and double.
//
//   s_ij = cap(scale q_i.k_j) - slope |i + diagonal - j| + bias_ij ;  cap(x) = c tanh(x / c)
//   p_ij = e^{s_ij} / (sum_j e^{s_ij} + e^{sink})
//   O_i = sum_j keep_ij p_ij v_j ;  LSE_i = log(sum_j e^{s_ij} + e^{sink})
//   H_i = - sum_j p_ij log p_ij, the sink among the j (natural logarithms)
//   M_i = max_j s_ij ;  mass_j = sum_i p_ij
//
// One pass over blocks of keys with the running state m = max s, l = sum e^{s-m}, t = sum
// e^{s-m}(s-m) gives LSE = m + log l and H = log l - t/l: both terms are >= 0, so H loses nothing
// at large logits. Nothing of size nq x nk is ever stored; the column mass, which needs the
// finished LSE, costs a second pass over the scores. Backward recomputes p_ij = e^{l_ij},
// l_ij = s_ij - LSE_i:
//
//   C_i = dO_i.O_i + dH_i H_i - dLSE_i + sum_j p_ij dmass_j
//   dS_ij = p_ij (keep_ij dO_i.v_j + dmass_j - dH_i l_ij - C_i)
//   dQ = scale dS' K ;  dK = scale dS'^T Q with dS' = dS cap' ;  dV = (keep P)^T dO
//   dbias = dS ;  dslope = - sum_ij dS_ij |i + diagonal - j| ;  dsink = sum_i p (- dH_i l - C_i)
//
// A query that may see no key has O = 0, H = 0, M = -inf, LSE = -inf (the sink, where there is
// one) and zero gradients. NaN in gives NaN out. Results do not depend on the number of threads:
// work is cut by shape only and partial sums are added in a fixed order.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "attn/export.h"

namespace attn::core {

/// Which keys query i may see: all; j <= i (top_left); j <= i + nk - nq (bottom_right, the last
/// query sees all keys).
enum class Causal { none, top_left, bottom_right };

/// Where the diagonal of windows and distances lies when attention is not causal (else where
/// causality has it): the last query beside the last key, or the first beside the first.
enum class Align { bottom_right, top_left };

/// How a kernel spreads its work. `run(workers, job)` must call job(0) ... job(workers - 1), in any
/// order and on any threads, and return when all are done; empty: plain std::thread. Never asked
/// for more than `threads` workers.
struct Parallel {
  int threads = 1;
  std::function<void(int workers, const std::function<void(int)>& job)> run;
};

/// A (batch, head, row, column) array by strides in elements; columns are contiguous. Of one column
/// where it holds a number per row. Null data: absent.
template <class T>
struct View {
  T* data = nullptr;
  int64_t batch = 0, head = 0, row = 0;
};

/// The same with a column stride; any stride may be 0 (broadcast). Null data: absent.
template <class T>
struct BiasView {
  T* data = nullptr;
  int64_t batch = 0, head = 0, row = 0, column = 0;
};

/// A number per batch and head; strides may be 0 (shared). Null data: absent.
template <class T>
struct HeadView {
  T* data = nullptr;
  int64_t batch = 0, head = 0;
};

/// q (B,H,nq,d), k (B,G,nk,d), v (B,G,nk,dv); sizes may be 0. Head h reads keys and values of head
/// h / (H / G).
template <class T>
struct AttentionInput {
  int64_t batch = 0, heads = 0, kv_heads = 0;  // kv_heads G divides heads; 0 = as many as heads
  int64_t nq = 0, nk = 0, d = 0, dv = 0;
  /// Packed sequences: sequence b is rows offsets[b] ... offsets[b + 1] - 1 of q (of k and v); both
  /// or neither. The batch strides of q, k, v and of all that have a row a query or a key then do
  /// not count, and nq and nk are the number of all rows. Neither bias nor key_mask with it.
  const int64_t *q_offsets = nullptr, *k_offsets = nullptr;
  double scale = 1;
  Causal causal = Causal::none;
  Align align = Align::bottom_right;
  /// Query i sees keys i + diagonal - window_left ... i + diagonal + window_right; negative: no
  /// limit.
  int64_t window_left = -1, window_right = -1;
  View<const T> q, k, v;
  BiasView<const T> bias;             // (B,H,nq,nk), added to the logits, may be -inf
  const uint8_t* key_mask = nullptr;  // (B,nk) by strides, non-zero = visible; null = all are
  int64_t key_mask_batch = 0, key_mask_column = 0;
  double softcap = 0;       // c of cap(); 0 = none
  HeadView<const T> slope;  // ALiBi: (B,H), or a column of it
  HeadView<const T> sink;   // logit of a key that every query sees and whose value is 0
  double dropout = 0;       // share of weights set to 0 on their way to V, the rest / (1 - dropout)
  uint64_t dropout_seed = 0;
  uint32_t dropout_offset = 0;  // keep_ij comes from (seed, offset, b, h, i, j) by Philox4x32-10
  int64_t key_block = 0;        // keys worked on at a time; 0 = chosen. Changes rounding only.
};

/// What is wanted, null = not; `out` (B,H,nq,dv), column_mass (B,H,nk), the others (B,H,nq).
/// `lse_tail` holds what rounding cut from `lse` (LSE = lse + lse_tail), so that backward
/// recomputes p to full accuracy however large the logits are; column_mass needs both.
template <class T>
struct AttentionOutput {
  View<T> out, lse, lse_tail, entropy, row_max, column_mass;
};

/// Gradients coming in (null = zero) and going out (null = not wanted). Of the latter dbias is
/// zeroed by the caller and summed over its broadcast dimensions, all others are written. dslope,
/// dsink: a stride of 0 sums over that dimension.
template <class T>
struct AttentionGradient {
  View<const T> dout, dlse, dentropy, dcolumn_mass;
  View<T> dq, dk, dv;
  BiasView<T> dbias;
  HeadView<T> dslope, dsink;
};

template <class T>
ATTN_PUBLIC void attention_forward(const AttentionInput<T>& in, const AttentionOutput<T>& out,
                                   const Parallel& parallel);

/// `saved`: out, lse, lse_tail and entropy as attention_forward wrote them for the same input (out
/// and entropy only where dout, dentropy are given).
template <class T>
ATTN_PUBLIC void attention_backward(const AttentionInput<T>& in, const AttentionOutput<T>& saved,
                                    const AttentionGradient<T>& gradient, const Parallel& parallel);

/// Results of the same queries over disjoint keys (splits of a cache, shards of a sequence), to the
/// results over all of them: with w_s = e^{LSE_s - LSE},
///
///   LSE = log sum_s e^{LSE_s} ;  O = sum_s w_s O_s ;  H = sum_s w_s (H_s - log w_s) ;  M = max M_s
///
/// (split-KV: Flash-Decoding, Dao et al. 2023; H by the chain rule of entropy). Sizes (B,H,nq,dv).
/// Every part needs lse; what else is wanted of `merged` every part has; lse_tail where it has it.
/// A sink counts as a key: give it to one part only. Column mass cannot be merged from sums over
/// queries.
struct MergeSizes {
  int64_t batch = 0, heads = 0, nq = 0, dv = 0;
};
template <class T>
ATTN_PUBLIC void attention_merge(const MergeSizes& sizes,
                                 const std::vector<AttentionOutput<T>>& parts,
                                 const AttentionOutput<T>& merged, const Parallel& parallel);

/// Gradients of `parts` from those of the merged results: each null = zero, or not wanted.
///
///   dO_s = w_s dO ;  dH_s = w_s dH ;
///   dLSE_s = w_s (dO.(O_s - O) + dH (H_s - log w_s - H) + dLSE)
template <class T>
struct MergeGradient {
  View<const T> dout, dlse, dentropy;
  std::vector<AttentionOutput<T>> parts;  // out, lse, entropy
};
template <class T>
ATTN_PUBLIC void attention_merge_backward(const MergeSizes& sizes,
                                          const std::vector<AttentionOutput<T>>& parts,
                                          const AttentionOutput<T>& merged,
                                          const MergeGradient<T>& gradient,
                                          const Parallel& parallel);

/// Packed bags: bag b is rows offsets[b] ... offsets[b+1] - 1 of `scores` (T,K) and `values` (T,D),
/// rows strided, columns contiguous. Per bag and head: O = sum_i p_i v_i with p = softmax of the
/// bag's scores.
template <class T>
struct PoolInput {
  int64_t bags = 0, heads = 0, d = 0;
  const int64_t* offsets = nullptr;  // bags + 1, rising from 0
  const T* scores = nullptr;
  int64_t scores_row = 0;
  const T* values = nullptr;
  int64_t values_row = 0;
};

/// out (B,K,D), the others (B,K), all contiguous. An empty bag: out 0, entropy 0, lse -inf.
template <class T>
struct PoolOutput {
  T* out = nullptr;
  T* lse = nullptr;
  T* lse_tail = nullptr;
  T* entropy = nullptr;
};

/// In: contiguous as in PoolOutput, null = zero. Out: contiguous (T,K) and (T,D), null = not
/// wanted.
template <class T>
struct PoolGradient {
  const T* dout = nullptr;
  const T* dlse = nullptr;
  const T* dentropy = nullptr;
  T* dscores = nullptr;
  T* dvalues = nullptr;
};

template <class T>
ATTN_PUBLIC void pool_forward(const PoolInput<T>& in, const PoolOutput<T>& out,
                              const Parallel& parallel);

template <class T>
ATTN_PUBLIC void pool_backward(const PoolInput<T>& in, const PoolOutput<T>& saved,
                               const PoolGradient<T>& gradient, const Parallel& parallel);

/// The SIMD instruction set the kernels run on here, as Highway names it ("AVX3", "AVX2", "SSE4",
/// "SCALAR").
ATTN_PUBLIC std::string simd_target();
/// Every instruction set compiled in that this machine can run, best first.
ATTN_PUBLIC std::vector<std::string> simd_targets();
/// For tests: run on this one of simd_targets() from now on; empty = the best again. Not while
/// kernels run.
ATTN_PUBLIC void force_simd_target(const std::string& name);

}  // namespace attn::core
