// The kernel under attn::nn::swiglu. Plain pointers and sizes; no LibTorch. For float and double.
#pragma once

#include <cstdint>

#include "attn/core.h"

namespace attn::core {

/// Rows x (rows, width); w1, w3 (hidden, width); w2 (width, hidden); all row-major without gaps.
template <class T>
struct SwigluInput {
  const T *x = nullptr, *w1 = nullptr, *w3 = nullptr, *w2 = nullptr;
  int64_t rows = 0, width = 0, hidden = 0;
};

/// Where the gradients go, each shaped as what it belongs to; null: not wanted.
template <class T>
struct SwigluGradient {
  T *x = nullptr, *w1 = nullptr, *w3 = nullptr, *w2 = nullptr;
};

/// y (rows, width) = W2 (silu(a) * b) ;  a = W1 x ;  b = W3 x ;  silu(a) = a s ;  s = 1/(1 +
/// e^{-a})
template <class T>
void swiglu_forward(const SwigluInput<T>& in, T* y, const Parallel& parallel);

/// From dy (rows, width), a and b computed again:
///   dg = W2^T dy ;  da = dg b s (1 + a (1 - s)) ;  db = dg a s ;  g = a s b
///   dx = W1^T da + W3^T db ;  dW1 = sum da x^T ;  dW3 = sum db x^T ;  dW2 = sum dy g^T
/// The sums run over a number of pieces that depends on shapes alone, added in order.
template <class T>
void swiglu_backward(const SwigluInput<T>& in, const T* dy, const SwigluGradient<T>& gradient,
                     const Parallel& parallel);

}  // namespace attn::core
