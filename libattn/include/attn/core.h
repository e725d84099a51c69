// The kernels under the operators: exact attention and attention pooling with log-sum-exp and
// entropy, and the gradient of each. Plain pointers, sizes and strides; no LibTorch. Instantiated
// for float and double.
//
//   s_ij = scale q_i.k_j + bias_ij ;  p_ij = e^{s_ij} / sum_j e^{s_ij}
//   O_i = sum_j p_ij v_j ;  LSE_i = log sum_j e^{s_ij} ;  H_i = - sum_j p_ij log p_ij (natural
//   logarithms)
//
// One pass over blocks of keys with the running state m = max s, l = sum e^{s-m}, t = sum
// e^{s-m}(s-m) gives LSE = m + log l and H = log l - t/l: both terms are >= 0, so H loses nothing
// at large logits. Nothing of size nq x nk is ever stored. Backward recomputes p_ij = e^{l_ij},
// l_ij = s_ij - LSE_i:
//
//   C_i = dO_i.O_i + dH_i H_i - dLSE_i ;   dS_ij = p_ij (dO_i.v_j - dH_i l_ij - C_i)
//   dQ = scale dS K ;  dK = scale dS^T Q ;  dV = P^T dO ;  dbias = dS
//
// A query that may see no key has O = 0, H = 0, LSE = -inf and zero gradients. NaN in gives NaN
// out. Results do not depend on the number of threads: work is cut by shape only and partial sums
// are added in a fixed order.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace attn::core {

/// Which keys query i may see: all; j <= i (top_left); j <= i + nk - nq (bottom_right, the last
/// query sees all keys).
enum class Causal { none, top_left, bottom_right };

/// How a kernel spreads its work. `run(workers, job)` must call job(0) ... job(workers - 1), in any
/// order and on any threads, and return when all are done; empty: plain std::thread. Never asked
/// for more than `threads` workers.
struct Parallel {
  int threads = 1;
  std::function<void(int workers, const std::function<void(int)>& job)> run;
};

/// A (batch, head, row, column) array by strides in elements; columns are contiguous. Null data:
/// absent.
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

/// q (B,H,nq,d), k (B,H,nk,d), v (B,H,nk,dv); sizes may be 0. `bias` (B,H,nq,nk) is added to the
/// logits and may be -inf; `key_mask` (B,nk) by strides, non-zero = the key is visible, null = all
/// are.
template <class T>
struct AttentionInput {
  int64_t batch = 0, heads = 0, nq = 0, nk = 0, d = 0, dv = 0;
  double scale = 1;
  Causal causal = Causal::none;
  View<const T> q, k, v;
  BiasView<const T> bias;
  const uint8_t* key_mask = nullptr;
  int64_t key_mask_batch = 0, key_mask_column = 0;
  int64_t key_block = 0;  // keys worked on at a time; 0 = chosen. Changes rounding only.
};

/// Per query row, each contiguous (B,H,nq); `out` (B,H,nq,dv). `lse_tail` holds what rounding cut
/// from `lse` (LSE = lse + lse_tail), so that backward recomputes p to full accuracy however large
/// the logits are.
template <class T>
struct AttentionOutput {
  View<T> out;
  T* lse = nullptr;
  T* lse_tail = nullptr;
  T* entropy = nullptr;
};

/// Gradients coming in (null = zero) and going out (null = not wanted; written, not added to).
/// dlse, dentropy: contiguous (B,H,nq). dbias: as `bias`, zeroed by the caller, summed over its
/// broadcast dimensions.
template <class T>
struct AttentionGradient {
  View<const T> dout;
  const T* dlse = nullptr;      // contiguous (B,H,nq)
  const T* dentropy = nullptr;  // contiguous (B,H,nq)
  View<T> dq, dk, dv;
  BiasView<T> dbias;
};

template <class T>
void attention_forward(const AttentionInput<T>& in, const AttentionOutput<T>& out,
                       const Parallel& parallel);

/// `saved`: what attention_forward wrote for the same input.
template <class T>
void attention_backward(const AttentionInput<T>& in, const AttentionOutput<T>& saved,
                        const AttentionGradient<T>& gradient, const Parallel& parallel);

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
void pool_forward(const PoolInput<T>& in, const PoolOutput<T>& out, const Parallel& parallel);

template <class T>
void pool_backward(const PoolInput<T>& in, const PoolOutput<T>& saved,
                   const PoolGradient<T>& gradient, const Parallel& parallel);

/// The SIMD instruction set the kernels run on here, as Highway names it ("AVX3", "AVX2", "SSE4",
/// "SCALAR").
std::string simd_target();
/// Every instruction set compiled in that this machine can run, best first.
std::vector<std::string> simd_targets();
/// For tests: run on this one of simd_targets() from now on; empty = the best again. Not while
/// kernels run.
void force_simd_target(const std::string& name);

}  // namespace attn::core
