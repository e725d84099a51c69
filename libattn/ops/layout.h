// Memory for results, laid out as the tensors they belong to. Sizes may be symbolic, so that the
// same lines serve the kernels and the shapes that tracing needs.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>

namespace attn::ops {

/// (B,H,N,columns) laid out in memory as `like` is: (B,N,H,D) where like is a transposed view of
/// that. Packed, where `like` is (T,H,D): (T,H,columns).
at::Tensor empty_as(const at::Tensor& like, const c10::SymInt& columns);

/// The tensor itself, which may be undefined, where its last dimension is contiguous, else a
/// contiguous copy: what the kernels read.
at::Tensor contiguous_rows(const at::Tensor& tensor);

/// A number per head and row of `like`, for `heads` heads: (B,H,N), packed (H,T).
at::Tensor empty_rows(const at::Tensor& like, const c10::SymInt& heads);

/// What stands for a result that was not asked for, since traced graphs know no undefined tensors;
/// and back.
at::Tensor or_empty(const at::Tensor& tensor, const at::Tensor& like);
at::Tensor if_asked(bool asked, const at::Tensor& tensor);

}  // namespace attn::ops
