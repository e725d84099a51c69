// What the operators ask of their tensors, each refusal one sentence.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "attn/core.h"

namespace attn::ops {

/// Throws attn::Error unless `tensor` is a dense CPU tensor of fp32 or fp64 with `dim` dimensions
/// (`layout` names them).
void check_input(const char* op, const char* name, const at::Tensor& tensor, int64_t dim,
                 const char* layout);

/// Throws attn::Error unless `tensor` has the dtype of `reference`.
void check_same_type(const char* op, const char* name, const at::Tensor& tensor,
                     const char* reference_name, const at::Tensor& reference);

/// Throws attn::Error unless `offsets` is (B+1) int64 or int32 on the CPU, starts at 0, never falls
/// and ends at `total`. Returns it contiguous and int64.
at::Tensor check_offsets(const char* op, const at::Tensor& offsets, int64_t total);

/// Throws attn::Error unless `tensor` is what backward needs beside `reference`: of its type and
/// device, with these sizes.
void check_sizes(const char* op, const char* name, const at::Tensor& tensor, at::IntArrayRef sizes,
                 const at::Tensor& reference);

/// Throws attn::Error where the gradient of `name` is wanted and there is no such tensor.
void check_wanted(const char* op, const char* name, bool wanted,
                  const std::optional<at::Tensor>& tensor);

/// Throws attn::Error where a tensor (undefined ones are passed over) holds data while another has
/// only shapes: one tensor alone decides which of the two a call is about.
void check_shapes_only(const char* op, at::TensorList tensors);

/// "(2, 3, 4)".
std::string shape_text(const at::Tensor& tensor);
std::string shape_text(at::IntArrayRef sizes);

/// How an undefined tensor enters torch::autograd::Function: as an empty optional.
inline std::optional<at::Tensor> if_defined(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

/// LibTorch's own threads: at::get_num_threads() of them, through at::parallel_for.
core::Parallel torch_threads();

}  // namespace attn::ops
