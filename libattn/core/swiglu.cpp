// SwiGLU over pieces of rows: forward, and backward with the hidden layer computed again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/swiglu.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "libattn/core/swiglu.h"

#include <algorithm>

#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"
#include "libattn/core/parallel.h"
#include "libattn/core/swiglu_narrow-inl.h"
#include "libattn/core/swiglu_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

template <class T>
HWY_NOINLINE void forward_rows(const SwigluInput<T>& in, const Packed<T>& packed, int64_t first,
                               int64_t last, T* y) {
  Scratch scratch(2 * Scratch::size<T>(kBlock * kTile) + Scratch::size<T>(kBlock * packed.width));
  T *a = scratch.take<T>(kBlock * kTile), *b = scratch.take<T>(kBlock * kTile);
  T* out = scratch.take<T>(kBlock * packed.width);
  for (int64_t r = first; r < last; r += kBlock) {
    const int n = static_cast<int>(std::min<int64_t>(kBlock, last - r));
    const T* x = in.x + r * in.width;
    std::fill_n(out, n * packed.width, T(0));
    for (int64_t h = 0; h < in.hidden; h += kTile) {
      into_hidden(in, packed, x, n, packed.w1t, h, a);
      into_hidden(in, packed, x, n, packed.w3t, h, b);
      gate(n, a, b);
      out_of_hidden(in, packed, a, n, packed.w2t, h, out);
    }
    unpad(out, packed.width, n, in.width, y + r * in.width);
  }
}

template <class T>
void forward_on(const SwigluInput<T>& in, T* y, const Parallel& parallel) {
  if (in.width == 0 || in.hidden == 0) {
    std::fill_n(y, in.rows * in.width, T(0));
    return;
  }
  const int64_t piece = kBlock * (1 + (int64_t{1} << 15) / (in.hidden * (in.width + 8)));
  if constexpr (kHasNarrow<T>) {
    if (in.width <= kNarrow) {
      const auto units = pack_units(in);
      run_tasks(parallel, (in.rows + piece - 1) / piece, [&](int64_t task) {
        forward_narrow(in, units.get(), task * piece, std::min((task + 1) * piece, in.rows), y);
      });
      return;
    }
  }
  const Packed<T> packed = pack_weights(in, false);
  run_tasks(parallel, (in.rows + piece - 1) / piece, [&](int64_t task) {
    forward_rows(in, packed, task * piece, std::min((task + 1) * piece, in.rows), y);
  });
}

/// Sums of the weights' gradients over one piece: dW1^T, dW3^T, dW2, each (D, hidden).
template <class T>
HWY_NOINLINE void backward_rows(const SwigluInput<T>& in, const Packed<T>& packed, const T* dy,
                                int64_t first, int64_t last, const SwigluGradient<T>& sums, T* dx) {
  Scratch scratch(3 * Scratch::size<T>(kBlock * kTile) + Scratch::size<T>(kBlock * packed.width));
  T *a = scratch.take<T>(kBlock * kTile), *b = scratch.take<T>(kBlock * kTile);
  T *dg = scratch.take<T>(kBlock * kTile), *out = scratch.take<T>(kBlock * packed.width);
  for (int64_t r = first; r < last; r += kBlock) {
    const int n = static_cast<int>(std::min<int64_t>(kBlock, last - r));
    const T *x = in.x + r * in.width, *g = dy + r * in.width;
    std::fill_n(out, n * packed.width, T(0));
    for (int64_t h = 0; h < in.hidden; h += kTile) {
      into_hidden(in, packed, x, n, packed.w1t, h, a);
      into_hidden(in, packed, x, n, packed.w3t, h, b);
      into_hidden(in, packed, g, n, packed.w2, h, dg);
      gate_gradient(n, a, b, dg);
      if (dx != nullptr) {
        out_of_hidden(in, packed, a, n, packed.w1, h, out);
        out_of_hidden(in, packed, b, n, packed.w3, h, out);
      }
      if (sums.w1 != nullptr) into_weights(in, packed, x, n, a, h, sums.w1);
      if (sums.w3 != nullptr) into_weights(in, packed, x, n, b, h, sums.w3);
      if (sums.w2 != nullptr) into_weights(in, packed, g, n, dg, h, sums.w2);
    }
    if (dx != nullptr) unpad(out, packed.width, n, in.width, dx + r * in.width);
  }
}

/// How many pieces the rows are cut into, by shapes alone: enough for many threads, few enough that
/// their sums stay small beside the rows.
template <class T>
int64_t gradient_pieces(const SwigluInput<T>& in) {
  const int64_t by_rows = std::min<int64_t>(32, 1 + in.rows / (8 * kBlock));
  const int64_t by_memory = (int64_t{1} << 23) / (1 + in.width * in.hidden);
  return std::min(by_rows, std::max<int64_t>(4, by_memory));
}

/// The pieces' sums (D, hidden), `stride` apart, added in order; to (H, D) where `turned`, else
/// (D, H).
template <class T>
void add_pieces(const SwigluInput<T>& in, int64_t hidden, int64_t pieces, int64_t stride,
                const T* sums, bool turned, T* to) {
  if (to == nullptr) return;
  for (int64_t c = 0; c < in.width; ++c) {
    for (int64_t h = 0; h < in.hidden; ++h) {
      T sum = 0;
      for (int64_t p = 0; p < pieces; ++p) sum += sums[p * stride + c * hidden + h];
      to[turned ? h * in.width + c : c * in.hidden + h] = sum;
    }
  }
}

/// The gradients of one piece of the rows each: run(first, last, sums, dx), sums (D, hidden), rows
/// of `hidden`, added up afterwards.
template <class T, class Run>
void by_pieces(const SwigluInput<T>& in, int64_t hidden, const SwigluGradient<T>& gradient,
               const Parallel& parallel, const Run& run) {
  const int64_t pieces = gradient_pieces(in), one = in.width * hidden, stride = 3 * one;
  const int64_t piece = round_up((in.rows + pieces - 1) / pieces, kBlock);
  const auto sums = hwy::AllocateAligned<T>(static_cast<size_t>(pieces * stride));
  if (sums == nullptr) throw std::bad_alloc();
  run_tasks(parallel, pieces, [&](int64_t task) {
    T* mine = sums.get() + task * stride;
    std::fill_n(mine, stride, T(0));
    const SwigluGradient<T> to{nullptr, gradient.w1 != nullptr ? mine : nullptr,
                               gradient.w3 != nullptr ? mine + one : nullptr,
                               gradient.w2 != nullptr ? mine + 2 * one : nullptr};
    run(std::min(task * piece, in.rows), std::min((task + 1) * piece, in.rows), to);
  });
  add_pieces(in, hidden, pieces, stride, sums.get(), true, gradient.w1);
  add_pieces(in, hidden, pieces, stride, sums.get() + one, true, gradient.w3);
  add_pieces(in, hidden, pieces, stride, sums.get() + 2 * one, false, gradient.w2);
}

template <class T>
void backward_on(const SwigluInput<T>& in, const T* dy, const SwigluGradient<T>& gradient,
                 const Parallel& parallel) {
  if (in.width == 0 || in.hidden == 0) {  // the weights are empty
    if (gradient.x != nullptr) std::fill_n(gradient.x, in.rows * in.width, T(0));
    return;
  }
  if constexpr (kHasNarrow<T>) {
    if (in.width <= kNarrow) {
      const auto units = pack_units(in);
      by_pieces(in, in.hidden, gradient, parallel,
                [&](int64_t first, int64_t last, const SwigluGradient<T>& to) {
                  backward_narrow(in, units.get(), dy, first, last, in.hidden, to, gradient.x);
                });
      return;
    }
  }
  const Packed<T> packed = pack_weights(in, true);
  by_pieces(in, packed.hidden, gradient, parallel,
            [&](int64_t first, int64_t last, const SwigluGradient<T>& to) {
              backward_rows(in, packed, dy, first, last, to, gradient.x);
            });
}

void swiglu_forward_f32(const SwigluInput<float>& in, float* y, const Parallel& parallel) {
  forward_on(in, y, parallel);
}
void swiglu_forward_f64(const SwigluInput<double>& in, double* y, const Parallel& parallel) {
  forward_on(in, y, parallel);
}
void swiglu_backward_f32(const SwigluInput<float>& in, const float* dy,
                         const SwigluGradient<float>& gradient, const Parallel& parallel) {
  backward_on(in, dy, gradient, parallel);
}
void swiglu_backward_f64(const SwigluInput<double>& in, const double* dy,
                         const SwigluGradient<double>& gradient, const Parallel& parallel) {
  backward_on(in, dy, gradient, parallel);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attn::core {

HWY_EXPORT(swiglu_forward_f32);
HWY_EXPORT(swiglu_forward_f64);
HWY_EXPORT(swiglu_backward_f32);
HWY_EXPORT(swiglu_backward_f64);

template <>
void swiglu_forward(const SwigluInput<float>& in, float* y, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(swiglu_forward_f32)(in, y, parallel);
}
template <>
void swiglu_forward(const SwigluInput<double>& in, double* y, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(swiglu_forward_f64)(in, y, parallel);
}
template <>
void swiglu_backward(const SwigluInput<float>& in, const float* dy,
                     const SwigluGradient<float>& gradient, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(swiglu_backward_f32)(in, dy, gradient, parallel);
}
template <>
void swiglu_backward(const SwigluInput<double>& in, const double* dy,
                     const SwigluGradient<double>& gradient, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(swiglu_backward_f64)(in, dy, gradient, parallel);
}

}  // namespace attn::core
#endif  // HWY_ONCE
