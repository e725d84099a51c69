// Per-target: the backward pass of short sequences with narrow heads: once with queries along the
// lanes, for dQ, and once with keys, for dK and dV, so that nothing is summed across lanes.
// Included once per target.
#if defined(ATTN_ATTENTION_SHORT_GRADIENT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_ATTENTION_SHORT_GRADIENT_INL_H_
#undef ATTN_ATTENTION_SHORT_GRADIENT_INL_H_
#else
#define ATTN_ATTENTION_SHORT_GRADIENT_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <limits>

#include "hwy/highway.h"
#include "libattn/core/attention_gradient-inl.h"
#include "libattn/core/attention_short-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// What a task works in: per query LSE in two parts, dH and C, and panels of what lies turned.
template <class T>
struct ShortBackward {
  static constexpr int64_t kPanel = kShortRow * kQueries<T>;
  static size_t size(int64_t queries) {
    const int64_t n = padded_columns<T>(queries);
    return 4 * Scratch::size<T>(n) + 3 * Scratch::size<T>(kPanel) + Scratch::size<T>(n * kShortRow);
  }
  ShortBackward(int64_t queries, Scratch& scratch) {
    for (T** piece : {&lse, &tail, &dentropy, &c})
      *piece = scratch.take<T>(padded_columns<T>(queries));
    for (T** piece : {&a, &b, &out}) *piece = scratch.take<T>(kPanel);
    q = scratch.take<T>(padded_columns<T>(queries) * kShortRow);
  }
  T *lse, *tail, *dentropy, *c;
  T *a, *b, *out;           // (features, kQueries)
  T* q;                     // scale q by rows, (queries, kShortRow)
  T zeros[kShortRow] = {};  // in place of dO
};

/// Of N pairs of a query and a key: log p of their scores, and p.
template <int N, class T>
HWY_INLINE void short_weights(const Vec<T> (&lse)[N], const Vec<T> (&tail)[N], Vec<T> (&log_p)[N],
                              Vec<T> (&p)[N]) {
#pragma GCC unroll 4
  for (int u = 0; u < N; ++u)
    p[u] = log_p[u] = clamp_exponent<T>(hn::Sub(hn::Sub(log_p[u], lse[u]), tail[u]));
  exponentials(p);
}

/// dS = p (dP - C - dH log p).
template <class T>
HWY_INLINE Vec<T> short_gradient(Vec<T> p, Vec<T> log_p, Vec<T> dp, Vec<T> c, Vec<T> dentropy) {
  return hn::Mul(p, hn::NegMulAdd(dentropy, log_p, hn::Sub(dp, c)));
}

/// Pairs worked on side by side: what they need stays in the registers of AVX-512.
template <int D>
inline constexpr int kShortSide = D <= 4 ? 4 : 2;

/// dQ / scale of one panel of queries, which lie turned in room.a and their dO in room.b; to
/// room.a.
template <int D, class T>
HWY_NOINLINE void short_query_gradient(const Head<T>& head, const TurnedPanel<T>& panel,
                                       int64_t first, const ShortBackward<T>& room) {
  const Tag<T> d;
  Vec<T> q[D], dout[D], dq[D];
#pragma GCC unroll 8
  for (int c = 0; c < D; ++c) {
    q[c] = hn::Load(d, room.a + c * kQueries<T>);
    dout[c] = hn::Load(d, room.b + c * kQueries<T>);
    dq[c] = hn::Zero(d);
  }
  const auto lse = hn::Load(d, room.lse + first), tail = hn::Load(d, room.tail + first),
             dh = hn::Load(d, room.dentropy + first), c0 = hn::Load(d, room.c + first);
  const Numbers<T> k{head.k.data, head.k.row}, v{head.v.data, head.v.row};
  over_keys<kShortSide<D>>(
      panel.span, [&]<int N, bool kAll>(int64_t j) HWY_ATTR __attribute__((always_inline)) {
        Vec<T> s[N], p[N], dp[N], lses[N], tails[N];
        turned_products(q, k, j, s);
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u) lses[u] = lse, tails[u] = tail;
        short_weights<N, T>(lses, tails, s, p);
        turned_products(dout, v, j, dp);
        const Numbers<T> again = k.read_again();
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u) {
          const auto ds = short_gradient<T>(p[u], s[u], dp[u], c0, dh);
          const auto seen = kAll ? hn::Mask<Tag<T>>() : panel.sees(j, u);
#pragma GCC unroll 8
          for (int c = 0; c < D; ++c) add_seen<kAll, T>(seen, again.spread(j + u, c), ds, dq[c]);
        }
      });
#pragma GCC unroll 8
  for (int c = 0; c < D; ++c) hn::Store(dq[c], d, room.a + c * kQueries<T>);
}

/// dK and dV of one panel of keys, which lie turned in room.a and their values in room.b; in their
/// place. `q`: the queries times scale, as the scores met them.
template <int D, class T>
HWY_NOINLINE void short_key_gradient(const TurnedPanel<T>& panel, const Numbers<T>& q,
                                     const Numbers<T>& dout, const ShortBackward<T>& room) {
  const Tag<T> d;
  Vec<T> k[D], v[D], dk[D], dv[D];
#pragma GCC unroll 8
  for (int c = 0; c < D; ++c) {
    k[c] = hn::Load(d, room.a + c * kQueries<T>);
    v[c] = hn::Load(d, room.b + c * kQueries<T>);
    dk[c] = dv[c] = hn::Zero(d);
  }
  over_keys<kShortSide<D>>(
      panel.span, [&]<int N, bool kAll>(int64_t i) HWY_ATTR __attribute__((always_inline)) {
        Vec<T> s[N], p[N], dp[N], lse[N], tail[N];
        turned_products(k, q, i, s);
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u)
          lse[u] = hn::Set(d, room.lse[i + u]), tail[u] = hn::Set(d, room.tail[i + u]);
        short_weights<N, T>(lse, tail, s, p);
        turned_products(v, dout, i, dp);
        const Numbers<T> q_again = q.read_again(), dout_again = dout.read_again();
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u) {
          const auto ds = short_gradient<T>(p[u], s[u], dp[u], hn::Set(d, room.c[i + u]),
                                            hn::Set(d, room.dentropy[i + u]));
          const auto seen = kAll ? hn::Mask<Tag<T>>() : panel.sees(i, u);
#pragma GCC unroll 8
          for (int c = 0; c < D; ++c) {
            add_seen<kAll, T>(seen, q_again.spread(i + u, c), ds, dk[c]);
            add_seen<kAll, T>(seen, dout_again.spread(i + u, c), p[u], dv[c]);
          }
        }
      });
#pragma GCC unroll 8
  for (int c = 0; c < D; ++c) {
    hn::Store(dk[c], d, room.a + c * kQueries<T>);
    hn::Store(dv[c], d, room.b + c * kQueries<T>);
  }
}

/// A number of each query of a block; `otherwise` where there is none.
template <class T>
HWY_INLINE Vec<T> short_numbers(const QueryBlock& block, const Rows<const T>& from, T otherwise) {
  const Tag<T> d;
  if (from.data == nullptr) return hn::Set(d, otherwise);
  HWY_ALIGN T buffer[kLanes<T>];
  const T* first = from.data + block.first * from.row;
  hn::Store(hn::Set(d, otherwise), d, buffer);
  for (int r = 0; r < block.rows; ++r) buffer[r] = first[r * from.row];
  return hn::Load(d, buffer);
}

/// LSE, dH and C = dO.O + dH H - dLSE of a panel of queries, whose dO lies turned in room.b; rows
/// without keys and padding get an LSE so high that every p is 0.
template <class T>
HWY_INLINE void prepare_short_rows(const Head<T>& head, const HeadGradient<T>& g,
                                   const QueryBlock& block, const ShortBackward<T>& room) {
  constexpr T kNone = -std::numeric_limits<T>::infinity();
  const Tag<T> d;
  const auto zero = hn::Zero(d), lse = short_numbers(block, g.lse, kNone);
  const auto dead = hn::Eq(lse, hn::Set(d, kNone));
  const auto dentropy = hn::IfThenElse(dead, zero, short_numbers(block, g.dentropy, T(0)));
  auto c = hn::Sub(zero, short_numbers(block, g.dlse, T(0)));
  if (g.dentropy.data != nullptr)
    c = hn::MulAdd(dentropy, short_numbers(block, g.entropy, T(0)), c);
  if (g.dout.data != nullptr) {
    pack_transposed(g.out.data + block.first * g.out.row, g.out.row, block.rows, head.dv, T(1),
                    room.out, kQueries<T>, kLanes<T>);
    for (int64_t i = 0; i < head.dv; ++i)
      c = hn::MulAdd(hn::Load(d, room.b + i * kQueries<T>), hn::Load(d, room.out + i * kQueries<T>),
                     c);
  }
  hn::Store(hn::IfThenElse(dead, hn::Set(d, std::numeric_limits<T>::max()), lse), d,
            room.lse + block.first);
  hn::Store(hn::IfThenElse(dead, zero, short_numbers(block, g.lse_tail, T(0))), d,
            room.tail + block.first);
  hn::Store(dentropy, d, room.dentropy + block.first);
  hn::Store(hn::IfThenElse(dead, zero, c), d, room.c + block.first);
}

/// Rows of a block, turned.
template <class T, class U>
HWY_INLINE void turn_block(const QueryBlock& block, const Rows<U>& from, int64_t columns, T factor,
                           T* to) {
  if (from.data == nullptr) {
    std::fill_n(to, columns * kQueries<T>, T(0));
    return;
  }
  pack_transposed<T>(from.data + block.first * from.row, from.row, block.rows, columns, factor, to,
                     kQueries<T>, kLanes<T>);
}
template <class T>
HWY_INLINE void turn_block_back(const QueryBlock& block, const T* from, int64_t columns, T factor,
                                const Rows<T>& to) {
  if (to.data == nullptr) return;
  turn_back(static_cast<int>(columns), block.rows, from, hn::Set(Tag<T>(), factor),
            to.data + block.first * to.row, to.row);
}

/// One head of a group; d = dv.
template <class T>
HWY_NOINLINE void backward_short_head(const Head<T>& head, const HeadGradient<T>& g,
                                      const TurnedSight<T>& queries, const TurnedSight<T>& keys,
                                      const ShortBackward<T>& room) {
  constexpr int kMost = std::max(1, kNarrowHead<T>);
  const int columns = static_cast<int>(head.d);
  for (size_t i = 0; i < queries.spans.size(); ++i) {
    const QueryBlock block = short_block<T>(static_cast<int64_t>(i), head.nq);
    turn_block(block, head.q, columns, head.scale, room.a);
    pack_rows(head.q.data + block.first * head.q.row, head.q.row, block.rows, head.d, head.scale,
              room.q + block.first * kShortRow, kShortRow, block.rows);
    turn_block(block, g.dout, columns, T(1), room.b);
    prepare_short_rows(head, g, block, room);
    if (g.dq.data == nullptr) continue;
    with_features<kMost>(columns, [&]<int D>() HWY_ATTR {
      short_query_gradient<D, T>(head, panel_of(queries, i), block.first, room);
    });
    turn_block_back(block, room.a, columns, head.scale, g.dq);
  }
  if (g.dk.data == nullptr && g.dv.data == nullptr) return;
  const Numbers<T> q{room.q, kShortRow}, dout = g.dout.data == nullptr
                                                    ? Numbers<T>{room.zeros, 0}
                                                    : Numbers<T>{g.dout.data, g.dout.row};
  for (size_t j = 0; j < keys.spans.size(); ++j) {
    const QueryBlock block = short_block<T>(static_cast<int64_t>(j), head.nk);
    turn_block(block, head.k, columns, T(1), room.a);
    turn_block(block, head.v, columns, T(1), room.b);
    with_features<kMost>(columns, [&]<int D>() HWY_ATTR {
      short_key_gradient<D, T>(panel_of(keys, j), q, dout, room);
    });
    turn_block_back(block, room.a, columns, T(1), g.dk);
    turn_block_back(block, room.b, columns, T(1), g.dv);
  }
}

template <class T>
bool takes_short_gradient(const AttentionInput<T>& in, const AttentionGradient<T>& gradient) {
  return in.d == in.dv && kv_heads(in) == in.heads && gradient.dcolumn_mass.data == nullptr &&
         gradient.dbias.data == nullptr && gradient.dslope.data == nullptr &&
         gradient.dsink.data == nullptr && takes_short(in);
}

template <class T, class GradientOf>
void backward_short(const AttentionInput<T>& in, const Parallel& parallel,
                    const GradientOf& gradient_of_head) {
  const std::vector<ShortGroup> groups = short_groups(in, kLanes<T>);
  const ShortTasks tasks(static_cast<int64_t>(groups.size()), in.heads);
  run_tasks(parallel, tasks.count(), [&](int64_t task) {
    const ShortGroup& g = groups[static_cast<size_t>(tasks.group(task))];
    Scratch scratch(SightRoom<T>::size(g.queries) + SightRoom<T>::size(g.keys) +
                    ShortBackward<T>::size(g.queries));
    const SightRoom<T> seen(g.queries, scratch), by(g.keys, scratch);
    query_sight(in, g, seen.first, seen.last);
    key_sight(g, seen.first, seen.last, by.first, by.last);
    const TurnedSight<T> queries = sight_of<T>(seen.first, seen.last, g.queries, kLanes<T>),
                         keys = sight_of<T>(by.first, by.last, g.keys, kLanes<T>);
    const ShortBackward<T> room(g.queries, scratch);
    for (int64_t h = tasks.first_head(task); h < tasks.last_head(task); ++h) {
      const Head<T> head = head_of_group(in, g, h);
      backward_short_head(head, gradient_of_head(head), queries, keys, room);
    }
  });
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_ATTENTION_SHORT_GRADIENT_INL_H_
