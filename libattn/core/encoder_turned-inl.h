// Per-target pieces of fused transformer blocks on turned sequences: features along rows, tokens
// along the SIMD lanes, x[feature * ld + token], ld whole vectors. Weights are read in place and
// nothing is summed across lanes. Included once per target.
#if defined(ATTN_ENCODER_TURNED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_ENCODER_TURNED_INL_H_
#undef ATTN_ENCODER_TURNED_INL_H_
#else
#define ATTN_ENCODER_TURNED_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "hwy/highway.h"
#include "libattn/core/encoder_rows-inl.h"
#include "libattn/core/turned-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::encoder::HWY_NAMESPACE {

/// Sums over features of two vectors of tokens, even and odd ones apart: one sum would wait for its
/// own additions.
template <class Term>
HWY_INLINE void sums_of_two(int64_t width, const Term& term, Vec& first, Vec& second) {
  const Tag d;
  auto a0 = hn::Zero(d), a1 = a0, b0 = a0, b1 = a0;
  int64_t c = 0;
  for (; c + 2 <= width; c += 2) {
    a0 = term(c, 0, a0), b0 = term(c, kN, b0);
    a1 = term(c + 1, 0, a1), b1 = term(c + 1, kN, b1);
  }
  if (c < width) a0 = term(c, 0, a0), b0 = term(c, kN, b0);
  first = hn::Add(a0, a1), second = hn::Add(b0, b1);
}

/// y = (x - mean) / sqrt(variance + eps) weight, for each token; ld of two vectors at a time, the
/// last alone where their number is odd. y may be x.
HWY_MAYBE_UNUSED static HWY_NOINLINE void turned_norm(int64_t width, int64_t ld, const float* x,
                                                      const float* HWY_RESTRICT weight, float* y) {
  const Tag d;
  const auto share = hn::Set(d, 1.0F / static_cast<float>(width)), eps = hn::Set(d, kNormEps);
  for (int64_t t = 0; t < ld; t += 2 * kN) {
    const int64_t other = t + kN < ld ? kN : 0;  // the last alone is worked on twice
    const auto at = [&](int64_t c, int64_t which) HWY_ATTR __attribute__((always_inline)) {
      return hn::Load(d, x + c * ld + t + (which == 0 ? 0 : other));
    };
    Vec mean0, mean1, squares0, squares1;
    sums_of_two(
        width,
        [&](int64_t c, int64_t which, Vec sum) HWY_ATTR
        __attribute__((always_inline)) { return hn::Add(sum, at(c, which)); },
        mean0, mean1);
    mean0 = hn::Mul(mean0, share), mean1 = hn::Mul(mean1, share);
    sums_of_two(
        width,
        [&](int64_t c, int64_t which, Vec sum) HWY_ATTR __attribute__((always_inline)) {
          const auto away = hn::Sub(at(c, which), which == 0 ? mean0 : mean1);
          return hn::MulAdd(away, away, sum);
        },
        squares0, squares1);
    const auto one = hn::Set(d, 1.0F),
               inverse0 = hn::Div(one, hn::Sqrt(hn::MulAdd(squares0, share, eps))),
               inverse1 = hn::Div(one, hn::Sqrt(hn::MulAdd(squares1, share, eps)));
    for (int64_t c = 0; c < width; ++c) {
      const auto w = hn::Set(d, weight[c]);
      const auto y0 = hn::Mul(hn::Mul(hn::Sub(at(c, 0), mean0), inverse0), w),
                 y1 = hn::Mul(hn::Mul(hn::Sub(at(c, kN), mean1), inverse1), w);
      hn::Store(y0, d, y + c * ld + t);
      hn::Store(y1, d, y + c * ld + t + other);
    }
  }
}

/// Pairs of rows rotated by the angle of each token, cosine and sine (d/2,ld): of `heads` heads of
/// d features.
HWY_MAYBE_UNUSED static HWY_NOINLINE void turned_rotate(int64_t heads, int64_t d, int64_t ld,
                                                        const float* HWY_RESTRICT cosine,
                                                        const float* HWY_RESTRICT sine,
                                                        float* HWY_RESTRICT x) {
  const Tag tag;
  for (int64_t pair = 0; pair < heads * d / 2; ++pair) {
    const int64_t angle = pair % (d / 2) * ld;
    float *even = x + 2 * pair * ld, *odd = even + ld;
    for (int64_t t = 0; t < ld; t += kN) {
      const auto a = hn::Load(tag, even + t), b = hn::Load(tag, odd + t),
                 c = hn::Load(tag, cosine + angle + t), s = hn::Load(tag, sine + angle + t);
      hn::Store(hn::NegMulAdd(b, s, hn::Mul(a, c)), tag, even + t);
      hn::Store(hn::MulAdd(a, s, hn::Mul(b, c)), tag, odd + t);
    }
  }
}

/// cos and sin of the angles of positions 0 ... length - 1 of a head of d features, (d/2,ld).
HWY_MAYBE_UNUSED static void fill_angles(int64_t d, double theta, int64_t length, int64_t ld,
                                         float* cosine, float* sine) {
  for (int64_t i = 0; i < d / 2; ++i) {
    const double rate = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(d));
    for (int64_t t = 0; t < length; ++t) {
      cosine[i * ld + t] = static_cast<float>(std::cos(static_cast<double>(t) * rate));
      sine[i * ld + t] = static_cast<float>(std::sin(static_cast<double>(t) * rate));
    }
  }
}

/// The same angles by rows, of all heads' features: cosines, and sines with the sign that they have
/// in x cos + partner(x) sin, (length,heads d).
HWY_MAYBE_UNUSED static void fill_row_angles(int64_t heads, int64_t d, double theta, int64_t length,
                                             float* cosine, float* sine) {
  for (int64_t i = 0; i < d / 2; ++i) {
    const double rate = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(d));
    for (int64_t t = 0; t < length; ++t) {
      const auto c = static_cast<float>(std::cos(static_cast<double>(t) * rate)),
                 s = static_cast<float>(std::sin(static_cast<double>(t) * rate));
      for (int64_t at = t * heads * d + 2 * i; at < (t + 1) * heads * d; at += d) {
        cosine[at] = cosine[at + 1] = c;
        sine[at] = -s, sine[at + 1] = s;
      }
    }
  }
}

/// Keys and values of `length` turned tokens x (D,ld) by rows, (L,2D), keys rotated where there are
/// angles (L,D): a key's numbers lie beside each other; apart, each would need an address of its
/// own. `weight`: (D,2D), that of keys and values turned.
HWY_MAYBE_UNUSED static HWY_NOINLINE void key_rows(int64_t width, int64_t length, const float* x,
                                                   int64_t ld, const float* weight,
                                                   const float* HWY_RESTRICT cosine,
                                                   const float* HWY_RESTRICT sine,
                                                   float* HWY_RESTRICT keys) {
  simd::Product<float> p;
  p.a = x, p.row = 1, p.step = ld, p.depth = width;
  p.b = weight, p.ldb = 2 * width;
  p.out = keys, p.ldo = p.columns = 2 * width;
  simd::product<Start::zero, 1, 0>(static_cast<int>(length), p);
  if (cosine == nullptr) return;
  for (int64_t t = 0; t < length; ++t, keys += 2 * width, cosine += width, sine += width) {
    int64_t c = 0;
#if HWY_TARGET != HWY_SCALAR
    const Tag d;
    for (; c + kN <= width; c += kN) {
      const auto k = hn::LoadU(d, keys + c);
      const auto other = hn::Mul(hn::Reverse2(d, k), hn::LoadU(d, sine + c));
      hn::StoreU(hn::MulAdd(k, hn::LoadU(d, cosine + c), other), d, keys + c);
    }
#endif
    for (; c + 2 <= width; c += 2) {
      const float a = keys[c], b = keys[c + 1];
      keys[c] = a * cosine[c] + b * sine[c];
      keys[c + 1] = b * cosine[c + 1] + a * sine[c + 1];
    }
  }
}

/// Weights of keys and values (2D,D) as key_rows wants them.
HWY_MAYBE_UNUSED static void turn_weight(int64_t width, const float* weight, float* to) {
  for (int64_t r = 0; r < 2 * width; ++r)
    for (int64_t c = 0; c < width; ++c) to[c * 2 * width + r] = weight[r * width + c];
}

/// Where vectors of tokens may be written whole: of `lanes` from the first on. One that reaches
/// beyond goes through `edge`, a vector for each feature of a head.
struct TurnedEdge {
  int64_t lanes = std::numeric_limits<int64_t>::max();
  float* edge = nullptr;
};

/// All queries of one head, in place of `out`: softmax(q . k / sqrt(d)) v, 0 where none is seen.
HWY_MAYBE_UNUSED static HWY_NOINLINE void turned_head(simd::TurnedHead<float> h,
                                                      const TurnedSight<float>& sight,
                                                      float* HWY_RESTRICT out,
                                                      float* HWY_RESTRICT tile,
                                                      const TurnedEdge& edge) {
  const Tag d;
  const float* queries = h.q;
  const int64_t ldo = h.ldo;
  for (size_t i = 0; i < sight.spans.size(); ++i) {
    const int64_t first = static_cast<int64_t>(i) * kN;
    const bool whole = first + kN <= edge.lanes;
    h.q = queries + first;
    h.out = whole ? out + first : edge.edge, h.ldo = whole ? ldo : kN;
    const auto l = simd::turned_panel<false, simd::kTurned>(h, simd::panel_of(sight, i), tile).l;
    const auto none = hn::Eq(l, hn::Zero(d));
    const auto inverse = hn::IfThenElse(none, hn::Zero(d), hn::Div(hn::Set(d, 1.0F), l));
    for (int c = 0; c < h.dv; ++c) {
      const auto mean = hn::Mul(inverse, hn::LoadU(d, h.out + c * h.ldo));
      if (whole) {
        hn::StoreU(mean, d, out + c * ldo + first);
      } else {
        simd::store_partial(mean, out + c * ldo + first, static_cast<int>(edge.lanes - first));
      }
    }
  }
}

/// Of all heads: queries (D,ldq), keys and values as key_rows has them, out (D,ldq).
HWY_MAYBE_UNUSED static void turned_attend(int64_t heads, int64_t width,
                                           const TurnedSight<float>& sight, const float* queries,
                                           int64_t ldq, const float* keys, float* tile, float* out,
                                           const TurnedEdge& edge = {}) {
  const int64_t d = width / heads, row = 2 * width;
  for (int64_t head = 0; head < heads; ++head) {
    simd::TurnedHead<float> of;
    of.q = queries + head * d * ldq;
    of.ld = of.ldo = ldq;
    of.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(d)));
    of.k = {keys + head * d, row};
    of.v = {keys + width + head * d, row};
    of.d = of.dv = static_cast<int>(d);
    turned_head(of, sight, out + head * d * ldq, tile, edge);
  }
}

/// Numbers of the hidden layer worked on at a time: they stay in the nearest cache.
inline constexpr int64_t kHidden = 6144;

/// Of each block the weights of keys and values, turned.
inline std::vector<const float*> turn_weights(const Encoder& n, Room& room) {
  std::vector<const float*> out;
  for (const EncoderBlock<const float>& b : n.blocks) {
    float* turned = room.take(2 * n.width * n.width);
    turn_weight(n.width, b.qkv + n.width * n.width, turned);
    out.push_back(turned);
  }
  return out;
}
inline int64_t turned_weights_size(const Encoder& n) {
  return static_cast<int64_t>(n.blocks.size()) * padded(2 * n.width * n.width);
}

/// What sequences of one length share: L, ld = L padded; which keys a token sees; cosine and sine
/// of rotary positions, by queries (d/2,ld) and by keys (L,D), null without.
struct TurnedLength {
  int64_t length = 0, ld = 0;
  TurnedSight<float> sight;
  const float *cosine = nullptr, *sine = nullptr, *key_cosine = nullptr, *key_sine = nullptr;
};

inline int64_t turned_length_size(const Encoder& n, int64_t length) {
  const int64_t ld = padded(length);
  return 2 * ld + (n.theta > 0 ? n.width / n.heads * ld + 2 * padded(length * n.width) : 0);
}

inline TurnedLength turned_length(const Encoder& n, int64_t length, Room& room) {
  TurnedLength s;
  s.length = length, s.ld = padded(length);
  float *low = room.zeros(s.ld), *high = room.zeros(s.ld);
  for (int64_t t = 0; t < length; ++t) {
    const bool cut = n.causal && n.window >= 0;
    low[t] = static_cast<float>(cut ? std::max<int64_t>(0, t - n.window) : 0);
    high[t] = static_cast<float>(n.causal ? t + 1 : length);
  }
  s.sight = sight_of<float>(low, high, length, kN);
  if (n.theta == 0) return s;
  float *key_cosine = room.take(length * n.width), *key_sine = room.take(length * n.width);
  fill_row_angles(n.heads, n.width / n.heads, n.theta, length, key_cosine, key_sine);
  s.key_cosine = key_cosine, s.key_sine = key_sine;
  float *cosine = room.zeros(n.width / n.heads / 2 * s.ld),
        *sine = room.zeros(n.width / n.heads / 2 * s.ld);
  fill_angles(n.width / n.heads, n.theta, length, s.ld, cosine, sine);
  s.cosine = cosine, s.sine = sine;
  return s;
}

/// One of the sequences that lie on a desk side by side, without a gap, from lane `first` on.
struct TurnedPart {
  int64_t first = 0;
  const TurnedLength* of = nullptr;
};

/// Buffers of L tokens, of one sequence or of several.
struct TurnedDesk {
  float *h, *x, *q;      // (D,ld)
  float *hidden, *tile;  // kHidden or one row; of attention
  float* keys;           // (L,2D): keys and values by tokens
  float* edge;           // (D/H,kN)
};

inline int64_t hidden_rows(const Encoder& n, int64_t ld) {
  return std::clamp<int64_t>(kHidden / ld, 1, n.hidden);
}

/// Numbers of a desk for up to `length` tokens, whose tile holds `tile` of them.
inline int64_t turned_desk_size(const Encoder& n, int64_t length, int64_t tile) {
  const int64_t ld = padded(length);
  return 3 * n.width * ld + std::max(kHidden, ld) + padded(tile) + padded(2 * length * n.width) +
         n.width / n.heads * kN;
}

inline TurnedDesk turned_desk(const Encoder& n, int64_t length, int64_t tile, Room& room) {
  const int64_t ld = padded(length), line = n.width * ld;
  return {room.take(line),
          room.take(line),
          room.take(line),
          room.take(std::max(kHidden, ld)),
          room.take(tile),
          room.take(2 * length * n.width),
          room.take(n.width / n.heads * kN)};
}

/// h of `tokens` tokens, those of all `parts`, through one block; one part alone where positions
/// are rotary.
inline void turned_block(const Encoder& n, int64_t tokens, std::span<const TurnedPart> parts,
                         size_t number, const float* key_values, const TurnedDesk& w) {
  const EncoderBlock<const float>& b = n.blocks[number];
  const TurnedLength& s = *parts.front().of;
  const int64_t ld = padded(tokens), piece = hidden_rows(n, ld);
  turned_norm(n.width, ld, w.h, b.norm1, w.x);
  multiply<Start::zero>(n.width, n.width, b.qkv, n.width, w.x, ld, w.q, ld);
  key_rows(n.width, tokens, w.x, ld, key_values, s.key_cosine, s.key_sine, w.keys);
  if (s.cosine != nullptr) turned_rotate(n.heads, n.width / n.heads, ld, s.cosine, s.sine, w.q);
  for (const TurnedPart& p :
       parts)  // the last vector of one reaches into the next, whose turn is later
    turned_attend(n.heads, n.width, p.of->sight, w.q + p.first, ld, w.keys + p.first * 2 * n.width,
                  w.tile, w.x + p.first, {ld - p.first, w.edge});
  multiply<Start::add>(n.width, n.width, b.out, n.width, w.x, ld, w.h, ld);
  turned_norm(n.width, ld, w.h, b.norm2, w.x);
  for (int64_t m = 0; m < n.hidden; m += piece) {
    const int64_t rows = std::min(piece, n.hidden - m);
    multiply<Start::zero>(rows, n.width, b.up + m * n.width, n.width, w.x, ld, w.hidden, ld);
    simd::gelu_all(rows * ld, w.hidden);
    multiply<Start::add>(n.width, rows, b.down + m, n.hidden, w.hidden, ld, w.h, ld);
  }
}

/// h of one sequence through one block.
inline void turned_block(const Encoder& n, const TurnedLength& s, size_t number,
                         const float* key_values, const TurnedDesk& w) {
  const TurnedPart whole{0, &s};
  turned_block(n, s.length, {&whole, 1}, number, key_values, w);
}

}  // namespace attn::core::encoder::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_ENCODER_TURNED_INL_H_
