#include "libattn/nn/rms_norm.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/core/parallel.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"

namespace attn::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr const char* kOp = "rms_norm";

/// Rows of a piece: by the width alone, so that sums over rows are cut alike on any machine.
int64_t piece_rows(int64_t width) {
  return 1 + 65536 / (width + 8);
}

/// job(piece, first row, last row) over all pieces.
template <class Job>
void for_pieces(int64_t rows, int64_t width, const Job& job) {
  const int64_t piece = piece_rows(width);
  core::run_tasks(ops::torch_threads(), (rows + piece - 1) / piece,
                  [&](int64_t p) { job(p, p * piece, std::min((p + 1) * piece, rows)); });
}

/// sum_d a_d b_d, in four sums at once.
template <class T>
T dot(const T* a, const T* b, int64_t width) {
  T sum[4] = {};
  const int64_t whole = width / 4 * 4;
  for (int64_t d = 0; d < whole; d += 4)
    for (int64_t i = 0; i < 4; ++i) sum[i] += a[d + i] * b[d + i];
  for (int64_t d = whole; d < width; ++d) sum[0] += a[d] * b[d];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/// 1 / sqrt(mean_d x_d^2 + eps).
template <class T>
T inverse_rms(const T* x, int64_t width, double eps) {
  return T(1) / std::sqrt(dot(x, x, width) / static_cast<T>(width) + static_cast<T>(eps));
}

/// kWidth > 0: the width, known when compiling.
template <int64_t kWidth, class T>
void forward_rows(const T* x, const T* w, T* y, int64_t rows, int64_t any_width, double eps) {
  const int64_t width = kWidth > 0 ? kWidth : any_width;
  for (int64_t r = 0; r < rows; ++r, x += width, y += width) {
    const T inverse = inverse_rms(x, width, eps);
    for (int64_t d = 0; d < width; ++d) y[d] = w[d] * (x[d] * inverse);
  }
}

/// With n = x / r and g = w dy: dx = (g - n mean_d(g n)) / r ; dw += dy n.
/// `g`: room for one row.
template <int64_t kWidth, class T>
void backward_rows(const T* x, const T* w, const T* dy, T* dx, T* dw, T* g, int64_t rows,
                   int64_t any_width, double eps) {
  const int64_t width = kWidth > 0 ? kWidth : any_width;
  for (int64_t r = 0; r < rows; ++r, x += width, dy += width, dx += width) {
    const T inverse = inverse_rms(x, width, eps);
    for (int64_t d = 0; d < width; ++d) g[d] = w[d] * dy[d];
    const T c = dot(g, x, width) * inverse * inverse / static_cast<T>(width);
    for (int64_t d = 0; d < width; ++d) {
      dx[d] = inverse * (g[d] - c * x[d]);
      dw[d] += dy[d] * (x[d] * inverse);
    }
  }
}

/// The same with arrays of their own, which the compiler keeps in registers.
template <int64_t kWidth, class T>
void backward_fixed(const T* x, const T* w, const T* dy, T* dx, T* dw, int64_t rows, double eps) {
  T weight[kWidth], sum[kWidth] = {}, g[kWidth];
  std::copy_n(w, kWidth, weight);
  backward_rows<kWidth>(x, weight, dy, dx, sum, g, rows, kWidth, eps);
  for (int64_t d = 0; d < kWidth; ++d) dw[d] += sum[d];
}

at::Tensor forward(const at::Tensor& x, const at::Tensor& weight, double eps) {
  at::Tensor y = at::empty(x.sizes(), x.options());
  const int64_t width = weight.size(0), rows = width == 0 ? 0 : x.numel() / width;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), kOp, [&] {
    const auto *in = x.const_data_ptr<scalar_t>(), *w = weight.const_data_ptr<scalar_t>();
    auto* out = y.mutable_data_ptr<scalar_t>();
    for_pieces(rows, width, [&](int64_t, int64_t first, int64_t last) {
      const auto run = [&]<int64_t kWidth>() {
        forward_rows<kWidth>(in + first * width, w, out + first * width, last - first, width, eps);
      };
      width == 8    ? run.template operator()<8>()
      : width == 16 ? run.template operator()<16>()
                    : run.template operator()<0>();
    });
  });
  return y;
}

/// Gradients of (x, weight); the weight's is summed by pieces and then over them, in order.
variable_list backward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& grad,
                       double eps) {
  const at::Tensor dy = grad.contiguous();
  at::Tensor dx = at::empty(x.sizes(), x.options());
  const int64_t width = weight.size(0), rows = width == 0 ? 0 : x.numel() / width;
  const int64_t pieces = (rows + piece_rows(width) - 1) / piece_rows(width);
  const at::Tensor sums = at::zeros({pieces, width}, x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "rms_norm_backward", [&] {
    const auto *in = x.const_data_ptr<scalar_t>(), *w = weight.const_data_ptr<scalar_t>();
    const auto* g = dy.const_data_ptr<scalar_t>();
    auto *out = dx.mutable_data_ptr<scalar_t>(), *sum = sums.mutable_data_ptr<scalar_t>();
    for_pieces(rows, width, [&](int64_t piece, int64_t first, int64_t last) {
      const scalar_t *x_at = in + first * width, *dy_at = g + first * width;
      scalar_t *dx_at = out + first * width, *dw_at = sum + piece * width;
      if (width == 8) return backward_fixed<8>(x_at, w, dy_at, dx_at, dw_at, last - first, eps);
      if (width == 16) return backward_fixed<16>(x_at, w, dy_at, dx_at, dw_at, last - first, eps);
      std::vector<scalar_t> row(static_cast<size_t>(width));
      backward_rows<0>(x_at, w, dy_at, dx_at, dw_at, row.data(), last - first, width, eps);
    });
  });
  at::Tensor dw = at::zeros_like(weight);
  for (int64_t p = 0; p < pieces; ++p) dw.add_(sums[p]);
  return {dx, dw};
}

struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight,
                            double eps) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["eps"] = eps;
    return nn::forward(x, weight, eps);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const double eps = ctx->saved_data["eps"].toDouble();
    variable_list out = ops::first_order(kOp, {saved[0], saved[1], grads[0]}, [&] {
      return nn::backward(saved[0], saved[1], grads[0], eps);
    });
    out.emplace_back();
    return out;
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  ops::check_input(kOp, "weight", weight, 1, "(D): features");
  ops::check_input(kOp, "x", x, x.defined() ? std::max<int64_t>(x.dim(), 1) : 1,
                   "(..., D): features last");
  ops::check_same_type(kOp, "x", x, "weight", weight);
  ops::refuse_forward_mode(kOp, {x, weight});
  if (x.size(-1) != weight.size(0))
    throw Error(std::string(kOp) + ": x has shape " + ops::shape_text(x) +
                "; expected its last size to be " + std::to_string(weight.size(0)) +
                ", that of the weight");
  return RmsNormFunction::apply(x.contiguous(), weight.contiguous(), eps);
}

}  // namespace attn::nn
