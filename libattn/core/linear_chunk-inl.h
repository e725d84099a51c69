// Per-target: what the passes of linear attention share, a chunk's features and decay. Included
// once per target.
#if defined(ATTN_LINEAR_CHUNK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_LINEAR_CHUNK_INL_H_
#undef ATTN_LINEAR_CHUNK_INL_H_
#else
#define ATTN_LINEAR_CHUNK_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "libattn/core/linear_state-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Log decays below this are taken for it: e^a is 0 in either type, and sums stay finite.
inline constexpr double kMinLogDecay = -1000;

/// A chunk of a head: tokens [first, first + n). Features in rows; `state_q`, `state_k` are those
/// of queries and keys as they meet the state, that is times e^{A_i} and e^{A_C - A_j}.
template <class T>
struct Chunk {
  const LinearInput<T>* in = nullptr;
  const LinearHead<T>* head = nullptr;
  int64_t features = 0, ld = 0;  // of the rows in scratch
  int64_t tile = 0;              // lanes of a row of scores: a chunk, padded
  int64_t first = 0;
  int n = 0;
  bool kernel = false;  // Taylor: scores by 1 + s + s^2 / 2, features for the state alone
  Rows<const T> q, k, state_q, state_k;
  T *own_q = nullptr, *own_k = nullptr, *scaled_q = nullptr, *scaled_k = nullptr;
  T* shift = nullptr;                    // per query, the maximum taken out; zeros for keys behind
  T *high = nullptr, *low = nullptr;     // per token: A_i in two parts
  T *begin = nullptr, *end = nullptr;    // per token: e^{A_i}, e^{A_C - A_j}
  T* step = nullptr;                     // per token and feature: g
  T* running = nullptr;                  // per feature: a key on its way through the chunk
  T *factor = nullptr, *less = nullptr;  // per feature: e^{A_C}, e^{A_C} - 1
  T *packed = nullptr, *scores = nullptr;

  /// The operands of the scores and their width: features, or for Taylor the rows themselves.
  int64_t width() const { return kernel ? in->d : features; }
  Rows<const T> score_q() const {
    return kernel ? Rows<const T>{head->q.data + first * head->q.row, head->q.row} : q;
  }
  Rows<const T> score_k() const {
    return kernel ? Rows<const T>{head->k.data + first * head->k.row, head->k.row} : k;
  }
  T score_factor() const {
    return kernel ? static_cast<T>(1 / std::sqrt(static_cast<double>(in->d))) : T(1);
  }
};

template <class T>
HWY_INLINE void add_chunk(const LinearInput<T>& in, const LinearHead<T>& head,
                          const LinearPlan& plan, Chunk<T>& c, Pieces<T>& pieces) {
  c.in = &in;
  c.head = &head;
  c.features = plan.features;
  c.ld = padded<T>(plan.features);
  c.tile = padded<T>(plan.chunk);
  const bool by_feature = in.decay == Decay::feature;
  c.kernel = in.causal && in.map == FeatureMap::taylor && !by_feature;
  const int64_t rows = plan.chunk * c.ld;
  if (in.map != FeatureMap::identity || by_feature)
    for (T** piece : {&c.own_q, &c.own_k}) pieces.add(piece, rows);
  if (in.decay != Decay::none)
    for (T** piece : {&c.scaled_q, &c.scaled_k}) pieces.add(piece, rows);
  if (by_feature) pieces.add(&c.step, rows);
  if (by_feature) pieces.add(&c.running, c.ld);
  pieces.add(&c.shift, 2 * c.tile);
  for (T** piece : {&c.high, &c.low, &c.begin, &c.end}) pieces.add(piece, c.tile);
  for (T** piece : {&c.factor, &c.less}) pieces.add(piece, c.ld);
  if (!in.causal) return;
  pieces.add(&c.packed, std::max(c.width(), in.dv) * c.tile);
  pieces.add(&c.scores, plan.chunk * c.tile);
}

/// Begins a chunk; until its decay is found there is none.
template <class T>
HWY_INLINE void begin_chunk(int64_t first, int n, Chunk<T>& c) {
  c.first = first;
  c.n = n;
  std::fill_n(c.factor, c.features, T(1));
  std::fill_n(c.less, c.features, T(0));
}

template <class T>
HWY_INLINE void find_keys(Chunk<T>& c) {
  const Rows<const T>& k = c.head->k;
  c.k = {k.data + c.first * k.row, k.row};
  if (c.own_k != nullptr) {
    map_rows(c.in->map, c.k, c.n, c.in->d, c.shift + c.tile, c.own_k, c.ld);
    c.k = {c.own_k, c.ld};
  }
  c.state_k = c.k;
}

template <class T>
HWY_INLINE void find_queries(Chunk<T>& c) {
  const Rows<const T>& q = c.head->q;
  c.q = {q.data + c.first * q.row, q.row};
  if (c.own_q != nullptr) {
    for (int r = 0; r < c.n && c.in->normalise; ++r)
      c.shift[r] = row_shift(c.in->map, c.q.data + r * q.row, c.in->d);
    map_rows(c.in->map, c.q, c.n, c.in->d, c.shift, c.own_q, c.ld);
    c.q = {c.own_q, c.ld};
  }
  c.state_q = c.q;
}

/// Decay per token: A_i summed in fp64.
template <class T>
HWY_NOINLINE void find_token_decay(Chunk<T>& c) {
  const Tag<T> d;
  const Rows<const T>& log = c.head->log_decay;
  double sum = 0;
  for (int i = 0; i < c.n; ++i) {
    const double x = static_cast<double>(log.data[(c.first + i) * log.row]);
    sum += x < kMinLogDecay ? kMinLogDecay : x;  // NaN stays
    c.high[i] = static_cast<T>(sum);
    c.low[i] = static_cast<T>(sum - static_cast<double>(c.high[i]));
  }
  const auto high = hn::Set(d, c.high[c.n - 1]), low = hn::Set(d, c.low[c.n - 1]);
  for (int64_t i = 0; i < padded<T>(c.n); i += kLanes<T>) {
    const auto h = hn::Load(d, c.high + i), l = hn::Load(d, c.low + i);
    const auto rest = hn::Add(hn::Sub(high, h), hn::Sub(low, l));
    hn::Store(exponential(clamp_exponent<T>(hn::Add(h, l))), d, c.begin + i);
    hn::Store(exponential(clamp_exponent<T>(hn::Min(rest, hn::Zero(d)))), d, c.end + i);
  }
  std::fill_n(c.factor, c.features, static_cast<T>(std::exp(sum)));
  std::fill_n(c.less, c.features, static_cast<T>(std::expm1(sum)));
}

/// to = from times a number per row.
template <class T>
HWY_INLINE void scale_rows(const Rows<const T>& from, int rows, int64_t columns, const T* by,
                           const Rows<T>& to) {
  const Tag<T> d;
  for (int r = 0; r < rows; ++r) {
    const auto f = hn::Set(d, by[r]);
    const T* x = from.data + r * from.row;
    T* y = to.data + r * to.row;
    each_vector<T>(columns, [&](int64_t at, int n) {
      store_some<T>(hn::Mul(f, load_some(x + at, n)), y + at, n);
    });
  }
}

/// Decay per feature: g, and its products from the chunk's beginning and to its end, times the
/// features. `queries`: those too.
template <class T>
HWY_NOINLINE void find_feature_decay(bool queries, Chunk<T>& c) {
  const Tag<T> d;
  const Rows<const T>& log = c.head->log_decay;
  const auto low = hn::Set(d, static_cast<T>(kMinLogDecay));
  for (int64_t f = 0; f < c.ld; f += kLanes<T>) {
    const int count = static_cast<int>(std::min<int64_t>(kLanes<T>, c.features - f));
    auto sum = hn::Zero(d), product = hn::Set(d, T(1));
    for (int i = 0; i < c.n; ++i) {
      auto x = load_some(log.data + (c.first + i) * log.row + f, count);
      x = hn::IfThenElse(hn::Lt(x, low), low, x);
      const auto g = exponential(clamp_exponent<T>(x));
      sum = hn::Add(sum, x);
      product = hn::Mul(product, g);
      hn::Store(g, d, c.step + i * c.ld + f);
      if (!queries) continue;
      hn::Store(hn::Mul(product, hn::Load(d, c.q.data + i * c.ld + f)), d,
                c.scaled_q + i * c.ld + f);
    }
    hn::Store(product, d, c.factor + f);
    hn::Store(hn::Expm1(d, sum), d, c.less + f);
    product = hn::Set(d, T(1));
    for (int i = c.n - 1; i >= 0; --i) {
      hn::Store(hn::Mul(product, hn::Load(d, c.k.data + i * c.ld + f)), d,
                c.scaled_k + i * c.ld + f);
      product = hn::Mul(product, hn::Load(d, c.step + i * c.ld + f));
    }
  }
}

/// The decay of a chunk whose keys (and queries, where `queries`) were found.
template <class T>
HWY_INLINE void find_decay(bool queries, Chunk<T>& c) {
  if (c.in->decay == Decay::none) return;
  if (c.in->decay == Decay::feature) {
    find_feature_decay(queries, c);
  } else {
    find_token_decay(c);
    scale_rows<T>(c.k, c.n, c.features, c.end, {c.scaled_k, c.ld});
    if (queries) scale_rows<T>(c.q, c.n, c.features, c.begin, {c.scaled_q, c.ld});
  }
  c.state_k = {c.scaled_k, c.ld};
  if (queries) c.state_q = {c.scaled_q, c.ld};
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_LINEAR_CHUNK_INL_H_
