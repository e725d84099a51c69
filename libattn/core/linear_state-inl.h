// Per-target: the running state of linear attention and what a chunk does to it. Included once per
// target.
#if defined(ATTN_LINEAR_STATE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_LINEAR_STATE_INL_H_
#undef ATTN_LINEAR_STATE_INL_H_
#else
#define ATTN_LINEAR_STATE_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"
#include "libattn/core/linear_features-inl.h"
#include "libattn/core/linear_plan.h"
#include "libattn/core/tile_products-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

template <class T>
HWY_INLINE int64_t padded(int64_t n) {
  return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

/// S (F, dv) in rows of `ld`, z (F), each with what rounding cut off; padding is 0. `part`: the
/// sum over one chunk of some rows, on its way into S.
template <class T>
struct RunningState {
  int64_t features = 0, dv = 0, ld = 0;
  bool norm = false;  // z is kept
  T *s = nullptr, *s_tail = nullptr, *z = nullptr, *z_tail = nullptr;
  T *part = nullptr, *z_part = nullptr;
};

/// Rows of S worked on at a time: with their sums over a chunk they stay in the nearest cache.
inline constexpr int64_t kStateRows = 66;

template <class T>
HWY_INLINE void add_state(int64_t features, int64_t dv, bool norm, RunningState<T>& state,
                          Pieces<T>& pieces) {
  state.features = features;
  state.dv = dv;
  state.ld = padded<T>(dv);
  state.norm = norm;
  for (T** piece : {&state.s, &state.s_tail}) pieces.add(piece, features * state.ld);
  for (T** piece : {&state.z, &state.z_tail, &state.z_part}) pieces.add(piece, padded<T>(features));
  pieces.add(&state.part, kStateRows * state.ld);
}

/// total = e^a total + part over n (whole vectors), where factor = e^a and less = e^a - 1; what
/// rounding cuts off goes to `tail`. By `less` where a is small: rounding e^a itself would change
/// a decay that reaches over many chunks.
template <class T>
HWY_INLINE void decay_and_add(T factor, T less, const T* HWY_RESTRICT part, T* HWY_RESTRICT total,
                              T* HWY_RESTRICT tail, int64_t n) {
  const Tag<T> d;
  const bool weak = less > T(-0.5);
  const auto f = hn::Set(d, factor), keep = hn::Set(d, weak ? T(1) : factor);
  const auto l = hn::Set(d, weak ? less : T(0));
  for (int64_t c = 0; c < n; c += kLanes<T>) {
    const auto old = hn::Load(d, total + c);
    const auto base = hn::Mul(keep, old), add = hn::MulAdd(l, old, hn::Load(d, part + c));
    const auto sum = hn::Add(base, add), added = hn::Sub(sum, base);
    const auto cut = hn::Add(hn::Sub(base, hn::Sub(sum, added)), hn::Sub(add, added));
    hn::Store(sum, d, total + c);
    hn::Store(hn::MulAdd(f, hn::Load(d, tail + c), cut), d, tail + c);
  }
}

/// S = e^a S + keys^T values, z = e^a z + keys^T weights (weights null: ones), over `rows` rows.
/// factor, less: per feature, as above.
template <class T>
HWY_NOINLINE void update_state(int rows, const Rows<const T>& keys, const Rows<const T>& values,
                               const T* weights, const T* factor, const T* less,
                               RunningState<T>& state) {
  Product<T> p;
  p.step = keys.row;
  p.depth = rows;
  p.b = values.data;
  p.ldb = values.row;
  p.out = state.part;
  p.ldo = state.ld;
  p.columns = state.dv;
  for (int64_t f = 0; f < state.features; f += kStateRows) {
    const int count = static_cast<int>(std::min(kStateRows, state.features - f));
    p.a = keys.data + f;
    product<Start::zero, 1, 0>(count, p);
    for (int r = 0; r < count; ++r) {
      const int64_t at = (f + r) * state.ld;
      decay_and_add(factor[f + r], less[f + r], state.part + r * state.ld, state.s + at,
                    state.s_tail + at, state.ld);
    }
  }
  if (!state.norm) return;
  std::fill_n(state.z_part, state.features, T(0));
  const Tag<T> d;
  for (int r = 0; r < rows; ++r) {
    const T* key = keys.data + r * keys.row;
    const auto w = hn::Set(d, weights == nullptr ? T(1) : weights[r]);
    each_vector<T>(state.features, [&](int64_t c, int n) {
      store_some<T>(hn::MulAdd(w, load_some(key + c, n), load_some(state.z_part + c, n)),
                    state.z_part + c, n);
    });
  }
  for (int64_t f = 0; f < state.features; ++f) {
    const T old = state.z[f], base = less[f] > T(-0.5) ? old : factor[f] * old;
    const T add = state.z_part[f] + (less[f] > T(-0.5) ? less[f] * old : T(0));
    const T sum = base + add, added = sum - base;
    state.z[f] = sum;
    state.z_tail[f] = factor[f] * state.z_tail[f] + ((base - (sum - added)) + (add - added));
  }
}

/// out (rows, dv) = queries S.
template <class T>
HWY_INLINE void read_state(int rows, const Rows<const T>& queries, const RunningState<T>& state,
                           const Rows<T>& out) {
  Product<T> p;
  p.row = queries.row;
  p.ldb = state.ld;
  p.out = out.data;
  p.ldo = out.row;
  p.columns = state.dv;
  for (int64_t f = 0; f < state.features; f += kStateRows) {
    p.a = queries.data + f;
    p.b = state.s + f * state.ld;
    p.depth = std::min(kStateRows, state.features - f);
    if (f == 0) {
      product<Start::zero, 0, 1>(rows, p);
    } else {
      product<Start::add, 0, 1>(rows, p);
    }
  }
}

/// out (F, columns) = S values^T + z weights^T from values packed transposed (dv, ldv).
template <class T>
HWY_INLINE void read_state_transposed(const T* values, int64_t ldv, int64_t columns,
                                      const T* weights, const RunningState<T>& state, T* out,
                                      int64_t ldo) {
  const Tag<T> d;
  Product<T> p;
  p.a = state.s;
  p.row = state.ld;
  p.depth = state.dv;
  p.b = values;
  p.ldb = ldv;
  p.out = out;
  p.ldo = ldo;
  p.columns = columns;
  product<Start::zero, 0, 1>(static_cast<int>(state.features), p);
  if (!state.norm) return;
  for (int64_t f = 0; f < state.features; ++f, out += ldo) {
    const auto z = hn::Set(d, state.z[f]);
    for (int64_t c = 0; c < columns; c += kLanes<T>) {
      const auto w = weights == nullptr ? hn::Set(d, T(1)) : hn::Load(d, weights + c);
      hn::Store(hn::MulAdd(z, w, hn::Load(d, out + c)), d, out + c);
    }
  }
}

/// The state from rows of S and z, absent: zero.
template <class T>
HWY_INLINE void load_state(const Rows<const T>& s, const T* z, RunningState<T>& state) {
  std::fill_n(state.s, state.features * state.ld, T(0));
  std::fill_n(state.s_tail, state.features * state.ld, T(0));
  std::fill_n(state.z, state.features, T(0));
  std::fill_n(state.z_tail, state.features, T(0));
  if (s.data != nullptr) {
    for (int64_t f = 0; f < state.features; ++f)
      std::copy_n(s.data + f * s.row, state.dv, state.s + f * state.ld);
  }
  if (z != nullptr) std::copy_n(z, state.features, state.z);
}

/// To rows of S and z where wanted.
template <class T>
HWY_INLINE void store_state(const RunningState<T>& state, const Rows<T>& s, T* z) {
  for (int64_t f = 0; f < state.features && s.data != nullptr; ++f) {
    const T *from = state.s + f * state.ld, *tail = state.s_tail + f * state.ld;
    for (int64_t c = 0; c < state.dv; ++c) s.data[f * s.row + c] = from[c] + tail[c];
  }
  for (int64_t f = 0; f < state.features && z != nullptr; ++f)
    z[f] = state.norm ? state.z[f] + state.z_tail[f] : T(0);
}

/// The same in a place of SegmentStates.
template <class T>
HWY_INLINE void load_state(const T* from, RunningState<T>& state) {
  load_state<T>({from, state.dv}, from + state.features * state.dv, state);
}
template <class T>
HWY_INLINE void store_state(const RunningState<T>& state, T* to) {
  store_state<T>(state, {to, state.dv}, to + state.features * state.dv);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_LINEAR_STATE_INL_H_
