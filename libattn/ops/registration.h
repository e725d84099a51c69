// The operators in LibTorch's dispatcher, as torch.ops.attn.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace attn::ops {

/// Called by every function that dispatches: a static registration that nothing refers to is
/// dropped by the linker.
void register_operators();

/// An argument as the aggregate holds it.
template <class T>
const T& member(const T& argument) {
  return argument;
}
inline std::vector<at::Tensor> member(at::TensorList argument) {
  return argument.vec();
}

/// A kernel of the dispatcher, which takes one argument each, from a function of the aggregate of
/// them all.
template <class Signature>
struct Unpacked;
template <class Result, class... Arguments>
struct Unpacked<Result(Arguments...)> {
  template <class Call, Result (*body)(const Call&)>
  static Result kernel(Arguments... arguments) {
    return body(Call{member(arguments)...});
  }
};

}  // namespace attn::ops
