// Tensors as the kernels see them.
#pragma once

#include <ATen/core/Tensor.h>

#include "attn/core.h"

namespace attn::ops {

/// Strides of (B,H,N,columns) or packed (T,H,columns).
template <class View>
View matrix_view(const at::Tensor& t, decltype(View::data) data) {
  if (t.dim() == 3) return {data, 0, t.stride(1), t.stride(0)};
  return {data, t.stride(0), t.stride(1), t.stride(2)};
}

/// Strides of (B,H,N) or packed (H,T).
template <class View>
View row_view(const at::Tensor& t, decltype(View::data) data) {
  if (t.dim() == 2) return {data, 0, t.stride(0), t.stride(1)};
  return {data, t.stride(0), t.stride(1), t.stride(2)};
}

template <class T>
core::View<const T> read_matrix(const at::Tensor& t) {
  if (!t.defined()) return {};
  return matrix_view<core::View<const T>>(t, t.const_data_ptr<T>());
}
template <class T>
core::View<T> write_matrix(const at::Tensor& t) {
  if (!t.defined()) return {};
  return matrix_view<core::View<T>>(t, t.mutable_data_ptr<T>());
}
template <class T>
core::View<const T> read_rows(const at::Tensor& t) {
  if (!t.defined()) return {};
  return row_view<core::View<const T>>(t, t.const_data_ptr<T>());
}
template <class T>
core::View<T> write_rows(const at::Tensor& t) {
  if (!t.defined()) return {};
  return row_view<core::View<T>>(t, t.mutable_data_ptr<T>());
}

}  // namespace attn::ops
