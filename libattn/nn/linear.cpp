#include "libattn/nn/linear.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/core/parallel.h"
#include "libattn/nn/one_thread.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"

namespace attn::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr const char* kOp = "linear";
constexpr int64_t kPiece = 1 << 22;  // multiplications of a piece: 100 times what a call costs

/// Into how many pieces `count` rows of `each` multiplications are cut.
int64_t pieces_of(int64_t count, int64_t each) {
  const int64_t rows = std::max<int64_t>(kPiece / std::max<int64_t>(each, 1), 16);
  return (count + rows - 1) / rows;
}

/// Calls work(number, first, length) for each piece.
template <class Work>
void for_pieces(int64_t count, int64_t pieces, const Work& work) {
  const int64_t whole = (count + pieces - 1) / std::max<int64_t>(pieces, 1);
  const int64_t length = count >= 32 * pieces ? (whole + 15) / 16 * 16 : whole;  // aligned
  core::run_tasks(ops::torch_threads(), pieces, [&](int64_t i) {
    const OneThread one;
    const c10::NoGradGuard no_grad;  // a thread of the pool has a mode of its own
    const int64_t first = std::min(i * length, count);
    work(i, first, std::min(length, count - first));
  });
}

/// out (n,m) = a (n,k) b (k,m) + bias (m).
void multiply(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias,
              const at::Tensor& out) {
  const int64_t rows = a.size(0);
  for_pieces(rows, pieces_of(rows, a.size(1) * b.size(1)),
             [&](int64_t, int64_t first, int64_t count) {
               at::Tensor to = out.narrow(0, first, count);
               if (to.numel() == 0) return;
               if (bias.defined()) {
                 at::addmm_out(to, bias, a.narrow(0, first, count), b);
               } else {
                 at::mm_out(to, a.narrow(0, first, count), b);
               }
             });
}

/// dy^T x: (out,in) of dy (n,out), x (n,in). Of a weight smaller than the sums are long, pieces of
/// the sums are added up in their order; else columns of it apart.
at::Tensor weight_gradient(const at::Tensor& dy, const at::Tensor& x) {
  const int64_t n = x.size(0), in = x.size(1), out = dy.size(1);
  const at::Tensor turned = dy.t();
  if (in * out > n) {
    at::Tensor dw = at::empty({out, in}, x.options());
    for_pieces(in, pieces_of(in, n * out), [&](int64_t, int64_t first, int64_t count) {
      at::Tensor to = dw.narrow(1, first, count);
      if (count > 0) at::mm_out(to, turned, x.narrow(1, first, count));
    });
    return dw;
  }
  const int64_t pieces = pieces_of(n, in * out);
  const at::Tensor parts = at::zeros({std::max<int64_t>(pieces, 1), out, in}, x.options());
  for_pieces(n, pieces, [&](int64_t i, int64_t first, int64_t count) {
    at::Tensor to = parts[i];
    if (count > 0) at::mm_out(to, turned.narrow(1, first, count), x.narrow(0, first, count));
  });
  at::Tensor dw = parts[0];
  for (int64_t i = 1; i < pieces; ++i) dw.add_(parts[i]);
  return dw;
}

struct LinearFunction : torch::autograd::Function<LinearFunction> {
  /// x (n,in).
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias) {
    at::Tensor y = at::empty({x.size(0), weight.size(0)}, x.options());
    multiply(x, weight.t(), bias.value_or(at::Tensor()), y);
    ctx->save_for_backward({x, weight});
    ctx->saved_data["bias"] = bias.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    return ops::first_order(kOp, {saved[0], saved[1], grads[0]}, [&]() -> variable_list {
      const at::Tensor &x = saved[0], &weight = saved[1], dy = grads[0].contiguous();
      variable_list out(3);
      if (ctx->needs_input_grad(0)) {
        out[0] = at::empty_like(x);
        multiply(dy, weight, {}, out[0]);
      }
      if (ctx->needs_input_grad(1)) out[1] = weight_gradient(dy, x);
      if (ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(2)) out[2] = dy.sum(0);
      return out;
    });
  }
};

[[noreturn]] void refuse(const char* name, const at::Tensor& tensor, const std::string& wanted) {
  throw Error(std::string(kOp) + ": " + name + " has shape " + ops::shape_text(tensor) +
              "; expected " + wanted);
}

}  // namespace

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  ops::check_input(kOp, "weight", weight, 2, "(out, in)");
  ops::check_input(kOp, "x", x, std::max<int64_t>(x.dim(), 1), "(..., in)");
  ops::check_same_type(kOp, "x", x, "weight", weight);
  ops::refuse_forward_mode(kOp, {x, weight, bias});
  const int64_t in = weight.size(1), out = weight.size(0);
  if (x.size(-1) != in) refuse("x", x, "(..., " + std::to_string(in) + "), the columns of weight");
  if (bias.defined()) {
    ops::check_same_type(kOp, "bias", bias, "weight", weight);
    if (bias.dim() != 1 || bias.size(0) != out)
      refuse("bias", bias, "(" + std::to_string(out) + "), the rows of weight");
  }
  std::vector<int64_t> shape = x.sizes().vec();
  shape.pop_back();
  int64_t rows = 1;
  for (const int64_t size : shape) rows *= size;
  shape.push_back(out);
  const at::Tensor y =
      LinearFunction::apply(x.reshape({rows, in}).contiguous(), weight.contiguous(),
                            bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt);
  return x.dim() == 2 ? y : y.view(shape);
}

}  // namespace attn::nn
