// Per-target pieces of fused transformer blocks, by rows: features lie along the SIMD lanes, padded
// with zeros to whole vectors; products are those of the core. Included once per target.
#if defined(ATTN_ENCODER_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_ENCODER_ROWS_INL_H_
#undef ATTN_ENCODER_ROWS_INL_H_
#else
#define ATTN_ENCODER_ROWS_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"
#include "libattn/core/encoder.h"
#include "libattn/core/gelu-inl.h"
#include "libattn/core/simd_math-inl.h"
#include "libattn/core/tile_products-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::encoder::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = attn::core::HWY_NAMESPACE;
using Tag = hn::ScalableTag<float>;
using Vec = hn::Vec<Tag>;
using simd::Start;
inline constexpr int kN = HWY_LANES(float);

/// Rows of the hidden layer worked on at a time: 48 x 128 numbers stay in the nearest cache.
inline constexpr int kBlock = 48;
inline constexpr float kNormEps = 1e-5F;

inline int64_t padded(int64_t n) {
  return (n + kN - 1) / kN * kN;
}

/// One allocation, handed out in pieces.
class Room {
 public:
  explicit Room(int64_t floats)
      : memory_(hwy::AllocateAligned<float>(static_cast<size_t>(floats))), next_(memory_.get()) {
    if (memory_ == nullptr) throw std::bad_alloc();
  }
  float* take(int64_t count) {
    float* piece = next_;
    next_ += padded(count);
    return piece;
  }
  float* zeros(int64_t count) {
    float* piece = take(count);
    std::fill_n(piece, padded(count), 0.0F);
    return piece;
  }

 private:
  hwy::AlignedFreeUniquePtr<float[]> memory_;
  float* next_;
};

/// (rows, columns) as it is, each row padded.
inline const float* pack_rows(Room& room, const float* from, int64_t rows, int64_t columns) {
  const int64_t stride = padded(columns);
  float* to = room.zeros(rows * stride);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(from + r * columns, columns, to + r * stride);
  return to;
}

/// `parts` matrices (rows, columns), one below the other, turned and side by side: (columns, parts
/// padded rows).
inline const float* pack_turned(Room& room, const float* from, int64_t parts, int64_t rows,
                                int64_t columns) {
  const int64_t one = padded(rows), stride = parts * one;
  float* to = room.zeros(columns * stride);
  for (int64_t i = 0; i < parts; ++i)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        to[c * stride + i * one + r] = from[(i * rows + r) * columns + c];
  return to;
}

/// A block's weights (in, out), as forward wants them.
struct PackedBlock {
  const float *norm1 = nullptr, *qkv = nullptr, *out = nullptr;
  const float *norm2 = nullptr, *up = nullptr, *down = nullptr;
};

/// What all sequences share; `length` of the longest.
struct Packed {
  int64_t width = 0, hidden = 0;                   // padded
  const float *cosine = nullptr, *sine = nullptr;  // (length, width), of rotary positions
  const float* real = nullptr;                     // (width): 1, and 0 where padded
  std::vector<PackedBlock> blocks;
};

/// Numbers that pack() takes from its room.
inline int64_t packed_size(const Encoder& e, int64_t length) {
  const int64_t width = padded(e.width), hidden = padded(e.hidden);
  const int64_t block = 2 * width + 4 * e.width * width + e.width * hidden + e.hidden * width;
  return static_cast<int64_t>(e.blocks.size()) * block +
         (1 + (e.theta > 0 ? 2 * length : 0)) * width;
}

/// Of feature j of a head, pair i = j / 2: cos(t theta^{-2i/d}), and sin with the sign that its
/// partner takes, for positions t = 0 ... L - 1.
inline void pack_rotary(const Encoder& n, int64_t length, Room& room, Packed& p) {
  float *cosine = room.zeros(length * p.width), *sine = room.zeros(length * p.width);
  const int64_t d = n.width / n.heads;
  std::vector<double> rate;
  for (int64_t i = 0; i < d / 2; ++i)
    rate.push_back(std::pow(n.theta, -2.0 * static_cast<double>(i) / static_cast<double>(d)));
  for (int64_t t = 0; t < length; ++t) {
    for (int64_t i = 0; i < d / 2; ++i) {
      const double angle = static_cast<double>(t) * rate[static_cast<size_t>(i)];
      const auto c = static_cast<float>(std::cos(angle)), s = static_cast<float>(std::sin(angle));
      for (int64_t h = 0; h < n.heads; ++h) {
        const int64_t at = t * p.width + h * d + 2 * i;
        cosine[at] = cosine[at + 1] = c;
        sine[at] = -s, sine[at + 1] = s;
      }
    }
  }
  p.cosine = cosine, p.sine = sine;
}

inline Packed pack(const Encoder& n, int64_t length, Room& room) {
  Packed p;
  p.width = padded(n.width), p.hidden = padded(n.hidden);
  for (const EncoderBlock<const float>& b : n.blocks) {
    PackedBlock to;
    to.norm1 = pack_rows(room, b.norm1, 1, n.width);
    to.qkv = pack_turned(room, b.qkv, 3, n.width, n.width);
    to.out = pack_turned(room, b.out, 1, n.width, n.width);
    to.norm2 = pack_rows(room, b.norm2, 1, n.width);
    to.up = pack_turned(room, b.up, 1, n.hidden, n.width);
    to.down = pack_turned(room, b.down, 1, n.width, n.hidden);
    p.blocks.push_back(to);
  }
  float* real = room.zeros(p.width);
  std::fill_n(real, n.width, 1.0F);
  p.real = real;
  if (n.theta > 0) pack_rotary(n, length, room, p);
  return p;
}

/// out (rows, columns) = [start] a b: a (rows, depth), b (depth, columns), columns whole vectors.
template <Start kStart>
HWY_INLINE void multiply(int64_t rows, int64_t depth, const float* a, int64_t lda, const float* b,
                         int64_t columns, float* out, int64_t ldo) {
  simd::Product<float> p;
  p.a = a, p.row = lda, p.step = 1, p.depth = depth;
  p.b = b, p.ldb = columns;
  p.out = out, p.ldo = ldo, p.columns = columns;
  if (columns == kN) {  // one vector: more rows at a time hide the latency of an FMA
    simd::product_columns<kStart, 2 * simd::kRows, 1, false, 0, 1>(static_cast<int>(rows), p, 0, 0);
  } else {
    simd::product<kStart, 0, 1>(static_cast<int>(rows), p);
  }
}

/// What a normalisation leaves for its gradient.
struct NormTape {
  float *hat = nullptr, *inverse = nullptr;  // (L,width), (L)
};

/// y = (x - mean) / sqrt(variance + eps) weight, for each row; y may be x.
HWY_MAYBE_UNUSED static HWY_NOINLINE void layer_norm(const Encoder& n, const Packed& p,
                                                     int64_t rows, const float* x,
                                                     const float* HWY_RESTRICT weight, float* y,
                                                     const NormTape& tape) {
  const Tag d;
  const auto share = hn::Set(d, 1.0F / static_cast<float>(n.width));
  for (int64_t t = 0; t < rows; ++t, x += p.width, y += p.width) {
    auto sum = hn::Zero(d);
    for (int64_t c = 0; c < p.width; c += kN) sum = hn::Add(sum, hn::Load(d, x + c));
    const auto mean = hn::Mul(hn::SumOfLanes(d, sum), share);
    auto squares = hn::Zero(d);
    for (int64_t c = 0; c < p.width; c += kN) {
      const auto away = hn::Mul(hn::Sub(hn::Load(d, x + c), mean), hn::Load(d, p.real + c));
      squares = hn::MulAdd(away, away, squares);
    }
    const auto variance = hn::MulAdd(hn::SumOfLanes(d, squares), share, hn::Set(d, kNormEps));
    const auto inverse = hn::Set(d, 1.0F / std::sqrt(hn::GetLane(variance)));
    for (int64_t c = 0; c < p.width; c += kN) {
      const auto away = hn::Mul(hn::Sub(hn::Load(d, x + c), mean), hn::Load(d, p.real + c));
      const auto hat = hn::Mul(away, inverse);
      hn::Store(hn::Mul(hat, hn::Load(d, weight + c)), d, y + c);
      hn::Store(hat, d, tape.hat + t * p.width + c);
    }
    tape.inverse[t] = hn::GetLane(inverse);
  }
}

/// x cos + partner(x) sin for q and k, the first two thirds of each row; `turn` -1: back.
HWY_MAYBE_UNUSED static HWY_NOINLINE void rotate(const Packed& p, int64_t length, float turn,
                                                 float* HWY_RESTRICT qkv) {
  for (int64_t t = 0; t < length; ++t) {
    const float *c = p.cosine + t * p.width, *s = p.sine + t * p.width;
    for (float* x : {qkv + t * 3 * p.width, qkv + t * 3 * p.width + p.width}) {
#if HWY_TARGET == HWY_SCALAR
      for (int64_t i = 0; i + 1 < p.width; i += 2) {
        const float a = x[i], b = x[i + 1];
        x[i] = a * c[i] + turn * b * s[i];
        x[i + 1] = b * c[i + 1] + turn * a * s[i + 1];
      }
#else
      const Tag d;
      const auto sign = hn::Set(d, turn);
      for (int64_t i = 0; i < p.width; i += kN) {
        const auto v = hn::Load(d, x + i);
        const auto other = hn::Mul(hn::Reverse2(d, v), hn::Mul(sign, hn::Load(d, s + i)));
        hn::Store(hn::MulAdd(v, hn::Load(d, c + i), other), d, x + i);
      }
#endif
    }
  }
}

/// Attention of one sequence's (L, 3 width) queries, keys and values.
inline AttentionInput<float> self_attention(const Encoder& n, const Packed& p, int64_t length,
                                            const float* qkv) {
  const int64_t d = n.width / n.heads, row = 3 * p.width;
  AttentionInput<float> in;
  in.batch = 1, in.heads = n.heads, in.nq = in.nk = length, in.d = in.dv = d;
  in.scale = 1 / std::sqrt(static_cast<double>(d));
  if (n.causal) in.causal = Causal::top_left, in.window_left = n.window;
  in.q = {qkv, 0, d, row}, in.k = {qkv + p.width, 0, d, row}, in.v = {qkv + 2 * p.width, 0, d, row};
  return in;
}

}  // namespace attn::core::encoder::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_ENCODER_ROWS_INL_H_
