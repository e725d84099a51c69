#include "libattn/nn/rotary.h"

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

constexpr const char* kOp = "rotary";

/// cos and sin of the angles of one position after another: (cos, sin) pairs, (rows, D/2).
template <class T>
struct Angles {
  int64_t first = 0;      ///< position of row 0, where rows are positions
  bool by_token = false;  ///< rows are tokens, since their positions lie far apart
  std::vector<T> values;
};

template <class T>
Angles<T> angles(const at::Tensor& positions, int64_t width, double theta) {
  const int64_t tokens = positions.size(0);
  const int64_t* p = positions.const_data_ptr<int64_t>();
  Angles<T> out;
  if (tokens == 0) return out;
  const auto [low, high] = std::minmax_element(p, p + tokens);
  // In unsigned numbers: the difference of two int64 may not fit one.
  const uint64_t span = static_cast<uint64_t>(*high) - static_cast<uint64_t>(*low);
  out.first = *low;
  out.by_token = span >= static_cast<uint64_t>(tokens);
  const int64_t rows = out.by_token ? tokens : static_cast<int64_t>(span) + 1;
  out.values.resize(static_cast<size_t>(rows * width));
  std::vector<double> rate;
  for (int64_t i = 0; i < width / 2; ++i)
    rate.push_back(std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(width)));
  T* to = out.values.data();
  for (int64_t r = 0; r < rows; ++r) {
    const auto position = static_cast<double>(out.by_token ? p[r] : out.first + r);
    for (const double step : rate) {
      *to++ = static_cast<T>(std::cos(position * step));
      *to++ = static_cast<T>(std::sin(position * step));
    }
  }
  return out;
}

/// One row of head width D; `turn` +1 rotates on, -1 back. kWidth > 0: D, known when compiling.
template <int64_t kWidth, class T>
void rotate_row(const T* x, const T* angle, T turn, int64_t any_width, T* y) {
  const int64_t width = kWidth > 0 ? kWidth : any_width;
  for (int64_t i = 0; i < width; i += 2) {
    const T c = angle[i], s = turn * angle[i + 1];
    y[i] = c * x[i] - s * x[i + 1];
    y[i + 1] = s * x[i] + c * x[i + 1];
  }
}

/// Tokens [first, last) of `heads` heads each; x has `stride` elements a token.
template <int64_t kWidth, class T>
void rotate_tokens(const Angles<T>& table, const int64_t* p, int64_t first, int64_t last,
                   int64_t heads, int64_t width, T turn, const T* x, int64_t stride, T* y) {
  for (int64_t t = first; t < last; ++t) {
    const int64_t row = table.by_token ? t : p[t] - table.first;
    const T* angle = table.values.data() + row * width;
    const T* from = x + t * stride;
    T* to = y + t * heads * width;
    for (int64_t h = 0; h < heads; ++h)
      rotate_row<kWidth>(from + h * width, angle, turn, width, to + h * width);
  }
}

at::Tensor rotate(const at::Tensor& from, const at::Tensor& positions, double theta, int turn) {
  // A part of wider rows is read where it lies.
  const bool dense = from.stride(2) == 1 && from.stride(1) == from.size(2);
  const at::Tensor x = dense ? from : from.contiguous();
  at::Tensor y = at::empty(x.sizes(), x.options());
  const int64_t tokens = x.size(0), heads = x.size(1), width = x.size(2);
  const int64_t piece = 1 + 65536 / (heads * width + 8);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), kOp, [&] {
    const Angles<scalar_t> table = angles<scalar_t>(positions, width, theta);
    const int64_t* p = positions.const_data_ptr<int64_t>();
    const auto* in = x.const_data_ptr<scalar_t>();
    auto* out = y.mutable_data_ptr<scalar_t>();
    core::run_tasks(ops::torch_threads(), (tokens + piece - 1) / piece, [&](int64_t task) {
      const auto run = [&]<int64_t kWidth>() {
        rotate_tokens<kWidth>(table, p, task * piece, std::min((task + 1) * piece, tokens), heads,
                              width, static_cast<scalar_t>(turn), in, x.stride(0), out);
      };
      width == 4   ? run.template operator()<4>()
      : width == 8 ? run.template operator()<8>()
                   : run.template operator()<0>();
    });
  });
  return y;
}

/// Linear in x: its gradient is the rotation back, of any order.
struct RotaryFunction : torch::autograd::Function<RotaryFunction> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& positions,
                            double theta, int64_t turn) {
    ctx->save_for_backward({positions});
    ctx->saved_data["theta"] = theta;
    ctx->saved_data["turn"] = turn;
    return rotate(x, positions, theta, static_cast<int>(turn));
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const at::Tensor positions = ctx->get_saved_variables()[0];
    const double theta = ctx->saved_data["theta"].toDouble();
    const int64_t turn = ctx->saved_data["turn"].toInt();
    return {RotaryFunction::apply(grads[0], positions, theta, -turn), at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor rotary(const at::Tensor& x, const at::Tensor& positions, double theta) {
  ops::check_input(kOp, "x", x, 3, "(T, H, D): tokens, heads, head width");
  ops::refuse_forward_mode(kOp, {x});
  if (x.size(2) % 2 != 0)
    throw Error(std::string(kOp) + ": x has shape " + ops::shape_text(x) +
                "; expected an even head width, since features are rotated in pairs");
  if (!positions.defined() || !positions.device().is_cpu() ||
      positions.scalar_type() != at::kLong || positions.dim() != 1 ||
      positions.size(0) != x.size(0))
    throw Error(std::string(kOp) + ": the positions do not fit x of shape " + ops::shape_text(x) +
                "; expected one int64 a token on the CPU");
  if (!(theta > 0) || !std::isfinite(theta))
    throw Error(std::string(kOp) + ": theta is " + std::to_string(theta) +
                "; expected a positive number");
  return RotaryFunction::apply(x, positions.contiguous(), theta, int64_t{1});
}

}  // namespace attn::nn
