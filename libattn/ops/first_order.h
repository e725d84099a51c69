// Gradients that can be taken once: differentiating them again is refused, never silently zero.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace attn::ops {

/// What `compute` returns (undefined tensors allowed), computed without an autograd graph, for the
/// backward of operator `op`. Under create_graph the result hangs on `inputs` (undefined ones are
/// passed over) by a node that throws attn::Error, naming `op`, when it is differentiated.
std::vector<at::Tensor> first_order(const char* op, const std::vector<at::Tensor>& inputs,
                                    const std::function<std::vector<at::Tensor>()>& compute);

/// Throws attn::Error, naming `op`, where an input carries a forward-mode derivative (a dual
/// tensor), which would be lost. Undefined inputs are passed over.
void refuse_forward_mode(const char* op, at::TensorList inputs);

}  // namespace attn::ops
