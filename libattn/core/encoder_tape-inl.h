// Per-target pieces of the gradient of fused transformer blocks: a sequence forward, by rows, with
// what its way back needs left in a core's own cache, and back. Included once per target.
#if defined(ATTN_ENCODER_TAPE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_ENCODER_TAPE_INL_H_
#undef ATTN_ENCODER_TAPE_INL_H_
#else
#define ATTN_ENCODER_TAPE_INL_H_
#endif

#include <algorithm>
#include <vector>

#include "hwy/highway.h"
#include "libattn/core/encoder.h"
#include "libattn/core/encoder_rows-inl.h"
#include "libattn/random/rng.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::encoder::HWY_NAMESPACE {

/// How many pieces the sequences are cut into: each has gradients of its own, added in order.
inline constexpr int64_t kPieces = 16;

/// Weights as they are, (out, in) with `in` padded: what gradients are multiplied by.
struct BackBlock {
  const float *qkv = nullptr, *out = nullptr, *up = nullptr, *down = nullptr;
};

inline std::vector<BackBlock> pack_back(const Encoder& n, Room& room) {
  std::vector<BackBlock> out;
  for (const EncoderBlock<const float>& b : n.blocks)
    out.push_back(
        {pack_rows(room, b.qkv, 3 * n.width, n.width), pack_rows(room, b.out, n.width, n.width),
         pack_rows(room, b.up, n.hidden, n.width), pack_rows(room, b.down, n.width, n.hidden)});
  return out;
}

/// Numbers of the gradients of one piece's blocks, laid out as BackBlock, and of pack_back().
inline int64_t back_size(const Encoder& n) {
  const int64_t width = padded(n.width);
  const int64_t block = (2 + 4 * n.width + n.hidden) * width + n.width * padded(n.hidden);
  return static_cast<int64_t>(n.blocks.size()) * block;
}

inline std::vector<EncoderBlock<float>> make_sums(const Encoder& n, Room& room) {
  const int64_t width = padded(n.width);
  std::vector<EncoderBlock<float>> blocks;
  for (size_t i = 0; i < n.blocks.size(); ++i) {
    EncoderBlock<float> b;
    b.norm1 = room.zeros(width), b.norm2 = room.zeros(width);
    b.qkv = room.zeros(3 * n.width * width), b.out = room.zeros(n.width * width);
    b.up = room.zeros(n.hidden * width), b.down = room.zeros(n.width * padded(n.hidden));
    blocks.push_back(b);
  }
  return blocks;
}

/// Each gradient of a piece's blocks in turn, with its rows, columns and the place that it is added
/// to.
template <class Each>
void each_sum(const Encoder& n, const std::vector<EncoderBlock<float>>& sums,
              const std::vector<EncoderBlock<float>>& to, const Each& each) {
  const int64_t d = n.width, m = n.hidden;
  for (size_t i = 0; i < sums.size(); ++i) {
    const EncoderBlock<float>&from = sums[i], &block = to[i];
    each(from.norm1, 1, d, block.norm1), each(from.qkv, 3 * d, d, block.qkv);
    each(from.out, d, d, block.out), each(from.norm2, 1, d, block.norm2);
    each(from.up, m, d, block.up), each(from.down, d, m, block.down);
  }
}

/// to (rows, columns) += from, whose rows are padded.
inline void add_rows(const float* from, int64_t rows, int64_t columns, float* to) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) to[r * columns + c] += from[r * padded(columns) + c];
}

/// What one block leaves for its way back.
struct BlockTape {
  NormTape norm1, norm2;
  float *qkv, *a, *lse, *tail;  // (L,3 width) rotated, (L,width), (H,L), (H,L)
  float* up;                    // (L,hidden), before gelu
  float *keep1, *keep2;         // (L,width), factors of dropout; null: none
};

/// All that a sequence is worked on with; L of the longest.
struct Desk {
  std::vector<BlockTape> blocks;
  float *h, *dh, *x, *t, *dqkv;  // (L,width), (L,3 width)
  float *act, *dact;             // (kBlock,hidden)
  NormTape last;                 // of last_norm
  float* none;                   // (width), of the gradient of a weight that is none
};

/// What all sequences of a pass share.
struct Work {
  const Encoder& n;
  const Packed& p;
  const std::vector<BackBlock>& back;
  double dropout = 0;
};

inline int64_t desk_size(const Encoder& n, int64_t l) {
  const int64_t line = l * padded(n.width), wide = l * padded(n.hidden), one = padded(l);
  const int64_t block = 8 * line + wide + 2 * one + 2 * padded(n.heads * l);
  return static_cast<int64_t>(n.blocks.size()) * block + 8 * line + one + padded(n.width) +
         2 * kBlock * padded(n.hidden);
}

inline NormTape norm_tape(int64_t l, int64_t width, Room& room) {
  NormTape tape;
  tape.hat = room.take(l * width), tape.inverse = room.take(l);
  return tape;
}

inline Desk make_desk(const Work& w, int64_t l, Room& room) {
  const int64_t line = l * w.p.width;
  const auto keep = [&] { return w.dropout > 0 ? room.take(line) : nullptr; };
  Desk d;
  for (size_t i = 0; i < w.p.blocks.size(); ++i) {
    BlockTape b{};
    b.norm1 = norm_tape(l, w.p.width, room), b.norm2 = norm_tape(l, w.p.width, room);
    b.qkv = room.take(3 * line), b.a = room.zeros(line);
    b.lse = room.take(w.n.heads * l), b.tail = room.take(w.n.heads * l);
    b.up = room.take(l * w.p.hidden);
    b.keep1 = keep(), b.keep2 = keep();
    d.blocks.push_back(b);
  }
  d.h = room.take(line), d.dh = room.zeros(line), d.x = room.take(line), d.t = room.zeros(line);
  d.dqkv = room.zeros(3 * line);
  d.act = room.take(kBlock * w.p.hidden), d.dact = room.take(kBlock * w.p.hidden);
  d.last = norm_tape(l, w.p.width, room), d.none = room.zeros(w.p.width);
  return d;
}

#if HWY_TARGET != HWY_SCALAR && HWY_IS_LITTLE_ENDIAN
#define ATTN_ENCODER_DRAWS_VECTORS 1
#else
#define ATTN_ENCODER_DRAWS_VECTORS 0
#endif

#if ATTN_ENCODER_DRAWS_VECTORS
/// `count` factors, whole vectors, of draws `draw` ... of random::Rng of this seed: two a draw, the
/// low word first.
HWY_MAYBE_UNUSED static HWY_NOINLINE void draw_vectors(uint64_t seed, uint64_t draw, int64_t count,
                                                       uint32_t least, float kept,
                                                       float* HWY_RESTRICT keep) {
  using attn::random::Rng;
  const Tag d;
  const hn::RepartitionToWide<hn::RebindToUnsigned<Tag>> wide;
  const hn::RebindToUnsigned<Tag> words;
  const auto mix1 = hn::Set(wide, Rng::kMix1), mix2 = hn::Set(wide, Rng::kMix2);
  const auto step = hn::Set(wide, Rng::kStep * (kN / 2));
  const auto bound = hn::Set(words, least);
  const auto factor = hn::Set(d, kept);
  auto state = hn::Add(hn::Mul(hn::Iota(wide, 1), hn::Set(wide, Rng::kStep)),
                       hn::Set(wide, seed + draw * Rng::kStep));
  for (int64_t i = 0; i < count; i += kN) {
    auto z = hn::Mul(hn::Xor(state, hn::ShiftRight<30>(state)), mix1);
    z = hn::Mul(hn::Xor(z, hn::ShiftRight<27>(z)), mix2);
    z = hn::Xor(z, hn::ShiftRight<31>(z));
    const auto dropped = hn::RebindMask(d, hn::Lt(hn::BitCast(words, z), bound));
    hn::Store(hn::IfThenZeroElse(dropped, factor), d, keep + i);
    state = hn::Add(state, step);
  }
}
#endif

/// Factors 0 and 1 / (1 - p) of tokens `token` ... of the mask of `seed` over (T,D)
/// (attn::nn::dropout).
inline void draw_mask(const Work& w, int64_t token, int64_t l, uint64_t seed,
                      float* HWY_RESTRICT keep) {
  const double p = w.dropout;
  const auto kept = static_cast<float>(1 / (1 - p));
  const auto least = static_cast<uint32_t>(p * 4294967296.0);
#if ATTN_ENCODER_DRAWS_VECTORS
  if (w.p.width == w.n.width)
    return draw_vectors(seed, static_cast<uint64_t>(token * w.n.width / 2), l * w.n.width, least,
                        kept, keep);
#endif
  const auto first = static_cast<uint64_t>(token * w.n.width);
  attn::random::Rng draws = attn::random::Rng::at(seed, first / 2);
  uint64_t word = first % 2 == 0 ? 0 : draws.next() >> 32U, n = first;
  for (int64_t t = 0; t < l; ++t, keep += w.p.width) {
    for (int64_t c = 0; c < w.n.width; ++c, ++n) {
      if (n % 2 == 0) word = draws.next();
      keep[c] = static_cast<uint32_t>(word) < least ? 0.0F : kept;
      word >>= 32U;
    }
    std::fill(keep + w.n.width, keep + w.p.width, 0.0F);
  }
}

/// Those of all blocks, two seeds a block.
inline void draw_masks(const Work& w, int64_t token, int64_t l, const uint64_t* seeds, Desk& d) {
  if (w.dropout == 0) return;
  for (size_t i = 0; i < d.blocks.size(); ++i) {
    draw_mask(w, token, l, seeds[2 * i], d.blocks[i].keep1);
    draw_mask(w, token, l, seeds[2 * i + 1], d.blocks[i].keep2);
  }
}

/// to = [add] keep from; keep null: from.
template <bool kAdd>
HWY_NOINLINE void masked(int64_t count, const float* keep, const float* from, float* to) {
  const Tag d;
  for (int64_t i = 0; i < count; i += kN) {
    auto v = hn::Load(d, from + i);
    if (keep != nullptr) v = hn::Mul(v, hn::Load(d, keep + i));
    if (kAdd) v = hn::Add(v, hn::Load(d, to + i));
    hn::Store(v, d, to + i);
  }
}

inline void forward_block(const Work& w, const PackedBlock& b, int64_t l, const BlockTape& tape,
                          Desk& d) {
  const Packed& p = w.p;
  const int64_t line = l * p.width;
  layer_norm(w.n, p, l, d.h, b.norm1, d.x, tape.norm1);
  multiply<Start::zero>(l, w.n.width, d.x, p.width, b.qkv, 3 * p.width, tape.qkv, 3 * p.width);
  if (p.cosine != nullptr) rotate(p, l, 1, tape.qkv);
  AttentionOutput<float> out;
  out.out = {tape.a, 0, w.n.width / w.n.heads, p.width};
  out.lse = {tape.lse, 0, l, 1}, out.lse_tail = {tape.tail, 0, l, 1};
  attention_forward(self_attention(w.n, p, l, tape.qkv), out, Parallel());
  multiply<Start::zero>(l, w.n.width, tape.a, p.width, b.out, p.width, d.t, p.width);
  masked<true>(line, tape.keep1, d.t, d.h);
  layer_norm(w.n, p, l, d.h, b.norm2, d.x, tape.norm2);
  multiply<Start::zero>(l, w.n.width, d.x, p.width, b.up, p.hidden, tape.up, p.hidden);
  for (int64_t t = 0; t < l; t += kBlock) {
    const int64_t rows = std::min<int64_t>(kBlock, l - t);
    std::copy_n(tape.up + t * p.hidden, rows * p.hidden, d.act);
    simd::gelu_all(rows * p.hidden, d.act);
    multiply<Start::zero>(rows, w.n.hidden, d.act, p.hidden, b.down, p.width, d.t + t * p.width,
                          p.width);
  }
  masked<true>(line, tape.keep2, d.t, d.h);
}

/// out (columns of a, columns of b) += a^T b, over `rows` rows.
HWY_INLINE void add_product(int64_t rows, const float* a, int64_t lda, int64_t columns,
                            const float* b, int64_t ldb, float* out) {
  simd::Product<float> p;
  p.a = a, p.row = 1, p.step = lda, p.depth = rows;
  p.b = b, p.ldb = ldb;
  p.out = out, p.ldo = ldb, p.columns = ldb;
  simd::product<Start::add, 1, 0>(static_cast<int>(columns), p);
}

/// From dy = gradient of y = hat weight: dweight += sum dy hat ; with g = dy weight,
///   dx += (g - mean g - hat mean(g hat)) / sqrt(variance + eps)
HWY_MAYBE_UNUSED static HWY_NOINLINE void norm_gradient(
    const Work& w, int64_t rows, const NormTape& tape, const float* HWY_RESTRICT weight,
    const float* HWY_RESTRICT dy, float* HWY_RESTRICT dx, float* HWY_RESTRICT dweight) {
  const Tag d;
  const int64_t width = w.p.width;
  const auto share = hn::Set(d, 1.0F / static_cast<float>(w.n.width));
  for (int64_t t = 0; t < rows; ++t, dy += width, dx += width) {
    const float* hat = tape.hat + t * width;
    auto sum = hn::Zero(d), along = hn::Zero(d);
    for (int64_t c = 0; c < width; c += kN) {
      const auto in = hn::Load(d, dy + c), h = hn::Load(d, hat + c);
      hn::Store(hn::MulAdd(in, h, hn::Load(d, dweight + c)), d, dweight + c);
      const auto g = hn::Mul(in, hn::Load(d, weight + c));
      sum = hn::Add(sum, g);
      along = hn::MulAdd(g, h, along);
    }
    const auto mean = hn::Mul(hn::SumOfLanes(d, sum), share);
    const auto slope = hn::Mul(hn::SumOfLanes(d, along), share);
    const auto inverse = hn::Set(d, tape.inverse[t]);
    for (int64_t c = 0; c < width; c += kN) {
      const auto g = hn::Mul(hn::Load(d, dy + c), hn::Load(d, weight + c));
      auto out = hn::NegMulAdd(hn::Load(d, hat + c), slope, hn::Sub(g, mean));
      out = hn::Mul(hn::Mul(out, inverse), hn::Load(d, w.p.real + c));
      hn::Store(hn::Add(hn::Load(d, dx + c), out), d, dx + c);
    }
  }
}

/// dh of the last norm's result to dh of what it was taken of.
inline void back_last_norm(const Work& w, int64_t l, Desk& d) {
  std::swap(d.dh, d.t);
  std::fill_n(d.dh, l * w.p.width, 0.0F);
  norm_gradient(w, l, d.last, w.p.real, d.t, d.dh, d.none);
}

/// y = hat weight.
HWY_MAYBE_UNUSED static HWY_NOINLINE void scaled(const Work& w, int64_t rows,
                                                 const float* HWY_RESTRICT hat,
                                                 const float* HWY_RESTRICT weight,
                                                 float* HWY_RESTRICT y) {
  const Tag d;
  for (int64_t t = 0; t < rows; ++t, hat += w.p.width, y += w.p.width)
    for (int64_t c = 0; c < w.p.width; c += kN)
      hn::Store(hn::Mul(hn::Load(d, hat + c), hn::Load(d, weight + c)), d, y + c);
}

/// The half with the hidden layer: dh of its sum to dh of its input.
inline void back_hidden(const Work& w, size_t i, int64_t l, Desk& d,
                        const EncoderBlock<float>& to) {
  const Packed& p = w.p;
  const BlockTape& tape = d.blocks[i];
  masked<false>(l * p.width, tape.keep2, d.dh, d.t);
  scaled(w, l, tape.norm2.hat, p.blocks[i].norm2, d.x);
  for (int64_t t = 0; t < l; t += kBlock) {
    const int64_t rows = std::min<int64_t>(kBlock, l - t), at = t * p.width;
    multiply<Start::zero>(rows, w.n.width, d.t + at, p.width, w.back[i].down, p.hidden, d.dact,
                          p.hidden);
    simd::gelu_gradient(rows * p.hidden, tape.up + t * p.hidden, d.act, d.dact);
    add_product(rows, d.t + at, p.width, w.n.width, d.act, p.hidden, to.down);
    add_product(rows, d.dact, p.hidden, w.n.hidden, d.x + at, p.width, to.up);
    // The block's rows of t are not needed again.
    multiply<Start::zero>(rows, w.n.hidden, d.dact, p.hidden, w.back[i].up, p.width, d.t + at,
                          p.width);
  }
  norm_gradient(w, l, tape.norm2, p.blocks[i].norm2, d.t, d.dh, to.norm2);
}

/// The half with attention.
inline void back_attention(const Work& w, size_t i, int64_t l, Desk& d,
                           const EncoderBlock<float>& to) {
  const Packed& p = w.p;
  const BlockTape& tape = d.blocks[i];
  const int64_t head = w.n.width / w.n.heads, row = 3 * p.width;
  masked<false>(l * p.width, tape.keep1, d.dh, d.t);
  add_product(l, d.t, p.width, w.n.width, tape.a, p.width, to.out);
  multiply<Start::zero>(l, w.n.width, d.t, p.width, w.back[i].out, p.width, d.x, p.width);
  AttentionOutput<float> saved;
  saved.out = {tape.a, 0, head, p.width};
  saved.lse = {tape.lse, 0, l, 1}, saved.lse_tail = {tape.tail, 0, l, 1};
  AttentionGradient<float> g;
  g.dout = {d.x, 0, head, p.width};
  g.dq = {d.dqkv, 0, head, row}, g.dk = {d.dqkv + p.width, 0, head, row};
  g.dv = {d.dqkv + 2 * p.width, 0, head, row};
  attention_backward(self_attention(w.n, p, l, tape.qkv), saved, g, Parallel());
  if (p.cosine != nullptr) rotate(p, l, -1, d.dqkv);
  scaled(w, l, tape.norm1.hat, p.blocks[i].norm1, d.x);
  for (int64_t part = 0; part < 3; ++part) {
    const float *from = d.dqkv + part * p.width, *by = w.back[i].qkv + part * w.n.width * p.width;
    add_product(l, from, row, w.n.width, d.x, p.width, to.qkv + part * w.n.width * p.width);
    if (part == 0) {
      multiply<Start::zero>(l, w.n.width, from, row, by, p.width, d.t, p.width);
    } else {
      multiply<Start::add>(l, w.n.width, from, row, by, p.width, d.t, p.width);
    }
  }
  norm_gradient(w, l, tape.norm1, p.blocks[i].norm1, d.t, d.dh, to.norm1);
}

/// h through all blocks, in place in the desk.
inline void forward_sequence(const Work& w, int64_t l, Desk& d) {
  for (size_t i = 0; i < w.p.blocks.size(); ++i) forward_block(w, w.p.blocks[i], l, d.blocks[i], d);
}

/// dh of the last block's result to dh of the first one's input.
inline void back_sequence(const Work& w, int64_t l, Desk& d,
                          const std::vector<EncoderBlock<float>>& sums) {
  for (size_t i = w.p.blocks.size(); i-- > 0;) {
    back_hidden(w, i, l, d, sums[i]);
    back_attention(w, i, l, d, sums[i]);
  }
}

}  // namespace attn::core::encoder::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_ENCODER_TAPE_INL_H_
