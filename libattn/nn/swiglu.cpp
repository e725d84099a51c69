#include "libattn/nn/swiglu.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <stdexcept>
#include <string>

#include "attn/error.h"
#include "libattn/core/swiglu.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"

namespace attn::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr const char* kOp = "swiglu";

template <class T>
core::SwigluInput<T> input(const at::Tensor& x, const at::Tensor& w1, const at::Tensor& w3,
                           const at::Tensor& w2) {
  return {x.const_data_ptr<T>(),
          w1.const_data_ptr<T>(),
          w3.const_data_ptr<T>(),
          w2.const_data_ptr<T>(),
          x.size(0),
          x.size(1),
          w1.size(0)};
}

at::Tensor forward(const at::Tensor& x, const at::Tensor& w1, const at::Tensor& w3,
                   const at::Tensor& w2) {
  at::Tensor y = at::empty(x.sizes(), x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), kOp, [&] {
    core::swiglu_forward(input<scalar_t>(x, w1, w3, w2), y.mutable_data_ptr<scalar_t>(),
                         ops::torch_threads());
  });
  return y;
}

/// Gradients of (x, w1, w3, w2), undefined where not wanted.
variable_list backward(const variable_list& in, const at::Tensor& grad,
                       const std::array<bool, 4>& wanted) {
  const at::Tensor dy = grad.contiguous();
  variable_list out(4);
  for (size_t i = 0; i < 4; ++i)
    if (wanted[i]) out[i] = at::empty(in[i].sizes(), in[i].options());
  AT_DISPATCH_FLOATING_TYPES(dy.scalar_type(), "swiglu_backward", [&] {
    const auto data = [&](size_t i) {
      return wanted[i] ? out[i].mutable_data_ptr<scalar_t>() : nullptr;
    };
    core::swiglu_backward(
        input<scalar_t>(in[0], in[1], in[2], in[3]), dy.const_data_ptr<scalar_t>(),
        core::SwigluGradient<scalar_t>{data(0), data(1), data(2), data(3)}, ops::torch_threads());
  });
  return out;
}

struct SwigluFunction : torch::autograd::Function<SwigluFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& w1,
                            const at::Tensor& w3, const at::Tensor& w2) {
    ctx->save_for_backward({x, w1, w3, w2});
    return nn::forward(x, w1, w3, w2);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    variable_list inputs = saved;
    inputs.push_back(grads[0]);
    std::array<bool, 4> wanted{};
    for (size_t i = 0; i < 4; ++i) wanted[i] = ctx->needs_input_grad(i);
    return ops::first_order(kOp, inputs, [&] { return nn::backward(saved, grads[0], wanted); });
  }
};

void check_weight(const char* name, const at::Tensor& weight, const at::Tensor& x,
                  std::array<int64_t, 2> sizes, const char* layout) {
  ops::check_input(kOp, name, weight, 2, layout);
  ops::check_same_type(kOp, name, weight, "x", x);
  if (weight.sizes() != at::IntArrayRef(sizes))
    throw Error(std::string(kOp) + ": " + name + " has shape " + ops::shape_text(weight) +
                "; expected " + ops::shape_text(at::IntArrayRef(sizes)) +
                ", which x and the number of rows of w1 ask for");
}

}  // namespace

at::Tensor swiglu(const at::Tensor& x, const at::Tensor& w1, const at::Tensor& w3,
                  const at::Tensor& w2) {
  ops::check_input(kOp, "x", x, 2, "(T, D): rows, features");
  ops::refuse_forward_mode(kOp, {x, w1, w3, w2});
  const int64_t width = x.size(1), hidden = w1.dim() == 2 ? w1.size(0) : 0;
  check_weight("w1", w1, x, {hidden, width}, "(H, D): hidden units, features");
  check_weight("w3", w3, x, {hidden, width}, "(H, D): hidden units, features");
  check_weight("w2", w2, x, {width, hidden}, "(D, H): features, hidden units");
  return SwigluFunction::apply(x.contiguous(), w1.contiguous(), w3.contiguous(), w2.contiguous());
}

int64_t swiglu_hidden(int64_t width, int64_t multiple_of) {
  if (width < 1 || multiple_of < 1)
    throw std::logic_error("swiglu_hidden: width and multiple_of must be at least 1");
  return (8 * width / 3 + multiple_of - 1) / multiple_of * multiple_of;
}

}  // namespace attn::nn
