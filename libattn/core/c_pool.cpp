// The C face of attention pooling.
#include <vector>

#include "libattn/core/c_api.h"

namespace attn::c_api {
namespace {

/// Arrays of the C face by the kernels' contiguous ones.
struct PoolExtents {
  explicit PoolExtents(const attn_pool& c)
      : scores{1, 1, c.rows, c.heads},
        values{1, 1, c.rows, c.d},
        out{1, c.bags, c.heads, c.d},
        row{1, 1, c.bags, c.heads} {}
  Extent scores, values, out, row;
};

attn_array contiguous(const void* data, const Extent& n) {
  return attn_contiguous(const_cast<void*>(data), n.head, n.row, n.column);
}

attn_array rows_of(const void* data, int64_t row, int64_t columns) {
  return {const_cast<void*>(data), 0, 0, row == 0 ? columns : row, 1};
}

void check_outputs(const attn_pool& c, const PoolExtents& n, Access access) {
  check_array("out", contiguous(c.out, n.out), n.out, c.type, access);
  check_array("lse", contiguous(c.lse, n.row), n.row, c.type, access);
  check_array("lse_tail", contiguous(c.lse_tail, n.row), n.row, c.type, access);
  check_array("entropy", contiguous(c.entropy, n.row), n.row, c.type, access);
}

void check_pool(const attn_pool* call) {
  demand(call != nullptr, "call is NULL");
  const attn_pool& c = *call;
  demand_type(c.version, c.type, "attn_pool_init");
  demand_size(c.bags, "bags");
  demand_size(c.rows, "rows");
  demand_size(c.heads, "heads");
  demand_size(c.d, "d");
  demand(c.offsets != nullptr, "offsets is NULL");
  check_offsets(c.offsets, "offsets", c.bags, c.rows);
  check_threads(c.threads);
  const PoolExtents n(c);
  demand(n.scores.empty() || c.scores != nullptr, "scores is NULL");
  demand(n.scores.empty() || n.values.empty() || c.values != nullptr, "values is NULL");
  check_array("scores", rows_of(c.scores, c.scores_row, c.heads), n.scores, c.type, Access::read);
  check_array("values", rows_of(c.values, c.values_row, c.d), n.values, c.type, Access::read);
  check_outputs(c, n, Access::write);
}

void check_pool_gradient(const attn_pool& c, const attn_pool_gradient* gradient) {
  demand(gradient != nullptr, "gradient is NULL");
  const attn_pool_gradient& g = *gradient;
  const PoolExtents n(c);
  demand(n.row.empty() || c.lse != nullptr, "lse is NULL; backward needs it as forward wrote it");
  demand(n.row.empty() || c.lse_tail != nullptr,
         "lse_tail is NULL; backward needs it as forward wrote it");
  demand(g.dout == nullptr || n.out.empty() || c.out != nullptr,
         "dout is given and out is NULL; backward needs out as forward wrote it");
  demand(g.dentropy == nullptr || n.row.empty() || c.entropy != nullptr,
         "dentropy is given and entropy is NULL; backward needs it as forward wrote it");
  check_array("dout", contiguous(g.dout, n.out), n.out, c.type, Access::read);
  check_array("dlse", contiguous(g.dlse, n.row), n.row, c.type, Access::read);
  check_array("dentropy", contiguous(g.dentropy, n.row), n.row, c.type, Access::read);
  check_array("dscores", contiguous(g.dscores, n.scores), n.scores, c.type, Access::write);
  check_array("dvalues", contiguous(g.dvalues, n.values), n.values, c.type, Access::write);
}

template <class T>
core::PoolInput<T> input_of(const attn_pool& c) {
  core::PoolInput<T> in;
  in.bags = c.bags, in.heads = c.heads, in.d = c.d;
  in.offsets = c.offsets;
  in.scores = static_cast<const T*>(c.scores);
  in.scores_row = c.scores_row == 0 ? c.heads : c.scores_row;
  in.values = static_cast<const T*>(c.values);
  in.values_row = c.values_row == 0 ? c.d : c.values_row;
  return in;
}

/// The arrays of a call, and room, set to 0, for those it does not have: the kernels take all.
template <class T>
class PoolArrays {
 public:
  PoolArrays(const attn_pool& c, const PoolExtents& n) {
    const int64_t rows = n.row.row * n.row.column;
    arrays.out = there_or_room(c.out, rows * n.out.column);
    arrays.lse = there_or_room(c.lse, rows);
    arrays.lse_tail = there_or_room(c.lse_tail, rows);
    arrays.entropy = there_or_room(c.entropy, rows);
  }
  core::PoolOutput<T> arrays;

 private:
  T* there_or_room(void* there, int64_t count) {
    if (there != nullptr) return static_cast<T*>(there);
    return room_.emplace_back(static_cast<size_t>(count)).data();
  }
  std::vector<std::vector<T>> room_;
};

void pool(const attn_pool& c) {
  const PoolExtents n(c);
  if (n.row.empty() ||
      (c.out == nullptr && c.lse == nullptr && c.lse_tail == nullptr && c.entropy == nullptr))
    return;
  with_type(c.type, [&](auto zero) {
    using T = decltype(zero);
    const PoolArrays<T> to(c, n);
    core::pool_forward(input_of<T>(c), to.arrays, threads_of(c.threads));
  });
}

void pool_backward(const attn_pool& c, const attn_pool_gradient& g) {
  const PoolExtents n(c);
  if (n.row.empty()) {
    fill_zero(contiguous(g.dvalues, n.values), n.values, c.type);
    return;
  }
  if (g.dscores == nullptr && g.dvalues == nullptr) return;
  with_type(c.type, [&](auto zero) {
    using T = decltype(zero);
    const PoolArrays<T> saved(c, n);
    core::PoolGradient<T> gradient;
    gradient.dout = static_cast<const T*>(g.dout);
    gradient.dlse = static_cast<const T*>(g.dlse);
    gradient.dentropy = static_cast<const T*>(g.dentropy);
    gradient.dscores = static_cast<T*>(g.dscores);
    gradient.dvalues = static_cast<T*>(g.dvalues);
    core::pool_backward(input_of<T>(c), saved.arrays, gradient, threads_of(c.threads));
  });
}

}  // namespace
}  // namespace attn::c_api

extern "C" {

attn_pool attn_pool_init(void) {
  attn_pool call{};
  call.version = attn::c_api::kCallVersion;
  return call;
}

attn_status attn_pool_forward(const attn_pool* call) {
  return attn::c_api::guarded([&] {
    attn::c_api::check_pool(call);
    attn::c_api::pool(*call);
  });
}

attn_status attn_pool_backward(const attn_pool* call, const attn_pool_gradient* gradient) {
  return attn::c_api::guarded([&] {
    attn::c_api::check_pool(call);
    attn::c_api::check_pool_gradient(*call, gradient);
    attn::c_api::pool_backward(*call, *gradient);
  });
}

}  // extern "C"
