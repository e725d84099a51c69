#include "timeseries/forecast/segment.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <string>

#include "attn/error.h"
#include "libattn/core/parallel.h"
#include "libattn/ops/check.h"
#include "libattn/ops/first_order.h"

namespace timeseries {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Calls run(p) for each of `count` runs, some at a time.
template <class Run>
void for_runs(int64_t count, int64_t width, const Run& run) {
  const int64_t piece = 1 + 4096 / (width + 1), pieces = (count + piece - 1) / piece;
  attn::core::run_tasks(attn::ops::torch_threads(), pieces, [&](int64_t task) {
    for (int64_t p = task * piece; p < std::min((task + 1) * piece, count); ++p) run(p);
  });
}

/// The greatest of rows [first, last) of each feature, and where it is; 0 and -1 of no rows. kWidth
/// > 0: the width, known when compiling.
template <int64_t kWidth, class T>
void run_max(const T* x, int64_t first, int64_t last, int64_t any_width, T* top, int64_t* from) {
  const int64_t width = kWidth > 0 ? kWidth : any_width;
  const T* row = x + first * width;
  for (int64_t d = 0; d < width; ++d) {
    top[d] = first < last ? row[d] : T(0);
    from[d] = first < last ? first : -1;
  }
  for (int64_t t = first + 1; t < last; ++t) {
    row += width;
    for (int64_t d = 0; d < width; ++d) {
      const bool better = row[d] > top[d];
      top[d] = better ? row[d] : top[d];
      from[d] = better ? t : from[d];
    }
  }
}

/// The same with arrays of its own, which the compiler keeps in registers.
template <int64_t kWidth, class T>
void run_max_fixed(const T* x, int64_t first, int64_t last, T* top, int64_t* from) {
  T greatest[kWidth];
  int64_t at[kWidth];
  run_max<kWidth>(x, first, last, kWidth, greatest, at);
  std::copy_n(greatest, kWidth, top);
  std::copy_n(at, kWidth, from);
}

struct SegmentMax : torch::autograd::Function<SegmentMax> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& given,
                            const at::Tensor& offsets) {
    const at::Tensor x = given.contiguous();
    const int64_t runs = offsets.size(0) - 1, width = x.size(1);
    at::Tensor y = at::empty({runs, width}, x.options());
    const at::Tensor place = at::empty({runs, width}, at::kLong);
    const auto* o = offsets.const_data_ptr<int64_t>();
    auto* where = place.mutable_data_ptr<int64_t>();
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "segment_max", [&] {
      const auto* in = x.const_data_ptr<scalar_t>();
      auto* out = y.mutable_data_ptr<scalar_t>();
      for_runs(runs, width, [&](int64_t p) {
        if (width == 8)
          return run_max_fixed<8>(in, o[p], o[p + 1], out + p * width, where + p * width);
        run_max<0>(in, o[p], o[p + 1], width, out + p * width, where + p * width);
      });
    });
    ctx->mark_non_differentiable({place});
    ctx->save_for_backward({place});
    ctx->saved_data["rows"] = x.size(0);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const at::Tensor place = ctx->get_saved_variables()[0];
    const int64_t rows = ctx->saved_data["rows"].toInt();
    return attn::ops::first_order("segment_max", {grads[0]}, [&]() -> variable_list {
      const at::Tensor dy = grads[0].contiguous();
      const int64_t runs = dy.size(0), width = dy.size(1);
      at::Tensor dx = at::zeros({rows, width}, dy.options());
      const auto* where = place.const_data_ptr<int64_t>();
      AT_DISPATCH_FLOATING_TYPES(dy.scalar_type(), "segment_max_backward", [&] {
        const auto* in = dy.const_data_ptr<scalar_t>();
        auto* out = dx.mutable_data_ptr<scalar_t>();
        for_runs(runs, width, [&](int64_t p) {
          for (int64_t d = 0; d < width; ++d)
            if (const int64_t t = where[p * width + d]; t >= 0)
              out[t * width + d] = in[p * width + d];
        });
      });
      return {dx, at::Tensor()};
    });
  }
};

at::Tensor expand_runs(const at::Tensor& x, const at::Tensor& offsets) {
  const int64_t runs = x.size(0), width = x.size(1);
  const auto* o = offsets.const_data_ptr<int64_t>();
  at::Tensor y = at::empty({o[runs], width}, x.options());
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "segment_expand", [&] {
    const auto* in = x.const_data_ptr<scalar_t>();
    auto* out = y.mutable_data_ptr<scalar_t>();
    for_runs(runs, width, [&](int64_t p) {
      for (int64_t t = o[p]; t < o[p + 1]; ++t)
        std::copy(in + p * width, in + (p + 1) * width, out + t * width);
    });
  });
  return y;
}

at::Tensor sum_runs(const at::Tensor& dy, const at::Tensor& offsets) {
  const int64_t runs = offsets.size(0) - 1, width = dy.size(1);
  const auto* o = offsets.const_data_ptr<int64_t>();
  at::Tensor dx = at::zeros({runs, width}, dy.options());
  AT_DISPATCH_FLOATING_TYPES(dy.scalar_type(), "segment_expand_backward", [&] {
    const auto* in = dy.const_data_ptr<scalar_t>();
    auto* out = dx.mutable_data_ptr<scalar_t>();
    for_runs(runs, width, [&](int64_t p) {
      for (int64_t t = o[p]; t < o[p + 1]; ++t)
        for (int64_t d = 0; d < width; ++d) out[p * width + d] += in[t * width + d];
    });
  });
  return dx;
}

struct SegmentExpand : torch::autograd::Function<SegmentExpand> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& offsets) {
    ctx->save_for_backward({offsets});
    return expand_runs(x.contiguous(), offsets);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const at::Tensor offsets = ctx->get_saved_variables()[0];
    return attn::ops::first_order("segment_expand", {grads[0]}, [&]() -> variable_list {
      return {sum_runs(grads[0].contiguous(), offsets), at::Tensor()};
    });
  }
};

struct PeriodicRows : torch::autograd::Function<PeriodicRows> {
  static int64_t wrapped(int64_t value, int64_t season) {
    return (value % season + season) % season;
  }

  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& given, const at::Tensor& row,
                            const at::Tensor& phase, int64_t begin, int64_t length) {
    const at::Tensor table = given.contiguous();
    const int64_t n = row.size(0), season = table.size(1);
    at::Tensor y = at::empty({n, length}, table.options());
    const auto *r = row.const_data_ptr<int64_t>(), *p = phase.const_data_ptr<int64_t>();
    AT_DISPATCH_FLOATING_TYPES(table.scalar_type(), "periodic_rows", [&] {
      const auto* in = table.const_data_ptr<scalar_t>();
      auto* out = y.mutable_data_ptr<scalar_t>();
      for (int64_t i = 0; i < n; ++i) {
        int64_t s = wrapped(p[i] + begin, season);
        for (int64_t t = 0; t < length; ++t) {
          *out++ = in[r[i] * season + s];
          if (++s == season) s = 0;
        }
      }
    });
    ctx->save_for_backward({row, phase});
    ctx->saved_data["begin"] = begin;
    ctx->saved_data["rows"] = table.size(0);
    ctx->saved_data["season"] = season;
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const int64_t begin = ctx->saved_data["begin"].toInt(), rows = ctx->saved_data["rows"].toInt(),
                  season = ctx->saved_data["season"].toInt();
    return attn::ops::first_order("periodic_rows", {grads[0]}, [&]() -> variable_list {
      const at::Tensor dy = grads[0].contiguous();
      const int64_t n = dy.size(0), length = dy.size(1);
      at::Tensor dx = at::zeros({rows, season}, dy.options());
      const auto *r = saved[0].const_data_ptr<int64_t>(), *p = saved[1].const_data_ptr<int64_t>();
      AT_DISPATCH_FLOATING_TYPES(dy.scalar_type(), "periodic_rows_backward", [&] {
        const auto* in = dy.const_data_ptr<scalar_t>();
        auto* out = dx.mutable_data_ptr<scalar_t>();
        for (int64_t i = 0; i < n; ++i) {
          int64_t s = wrapped(p[i] + begin, season);
          for (int64_t t = 0; t < length; ++t) {
            out[r[i] * season + s] += *in++;
            if (++s == season) s = 0;
          }
        }
      });
      return {dx, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    });
  }
};

}  // namespace

at::Tensor segment_max(const at::Tensor& x, const at::Tensor& offsets) {
  attn::ops::check_input("segment_max", "x", x, 2, "(T, D)");
  return SegmentMax::apply(x, attn::ops::check_offsets("segment_max", offsets, x.size(0)));
}

at::Tensor segment_expand(const at::Tensor& x, const at::Tensor& offsets) {
  attn::ops::check_input("segment_expand", "x", x, 2, "(P, D)");
  const at::Tensor o = offsets.to(at::kLong).contiguous();
  if (o.dim() != 1 || o.size(0) != x.size(0) + 1)
    throw attn::Error("segment_expand: offsets has shape " + attn::ops::shape_text(offsets) +
                      "; expected (" + std::to_string(x.size(0) + 1) + ")");
  return SegmentExpand::apply(x,
                              attn::ops::check_offsets("segment_expand", o, o[-1].item<int64_t>()));
}

at::Tensor periodic_rows(const at::Tensor& table, const at::Tensor& row, const at::Tensor& phase,
                         int64_t begin, int64_t length) {
  attn::ops::check_input("periodic_rows", "table", table, 2, "(R, S)");
  const at::Tensor r = row.to(at::kLong).contiguous(), p = phase.to(at::kLong).contiguous();
  if (r.dim() != 1 || p.sizes() != r.sizes())
    throw attn::Error("periodic_rows: row has shape " + attn::ops::shape_text(row) + " and phase " +
                      attn::ops::shape_text(phase) + "; expected both (N)");
  if (r.numel() > 0 && (r.min().item<int64_t>() < 0 || r.max().item<int64_t>() >= table.size(0)))
    throw attn::Error("periodic_rows: row holds numbers outside of the table's " +
                      std::to_string(table.size(0)) + " rows");
  return PeriodicRows::apply(table, r, p, begin, length);
}

}  // namespace timeseries
