// The gradient of the entropy model's loss: each window forward, with what its way back needs left
// in a core's own cache, and back.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "timeseries/patch/entropy_gradient.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include <array>

#include "hwy/highway.h"
#include "libattn/core/parallel.h"
#include "libattn/random/rng.h"
#include "timeseries/patch/entropy_kernel.h"
#include "timeseries/patch/entropy_layers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace timeseries::HWY_NAMESPACE {

using attn::core::AttentionOutput;

/// How many pieces the windows are cut into: each has gradients of its own, added in order.
inline constexpr int64_t kPieces = 16;

/// Weights as they are, (out, in) with `in` padded: what gradients are multiplied by.
struct BackBlock {
  const float *qkv = nullptr, *out = nullptr, *up = nullptr, *down = nullptr;
};

/// The gradients of one piece, laid out as BackBlock, (V,width), (L,width).
struct Sums {
  std::vector<EntropyBlock<float>> blocks;
  float *token = nullptr, *answer = nullptr, *position = nullptr, *norm = nullptr;
  double loss = 0;
};

/// What one block leaves for its way back.
struct BlockTape {
  NormTape norm1, norm2;
  float *qkv, *a, *lse, *tail;  // (L,3 width) rotated, (L,width), (H,L), (H,L)
  float* up;                    // (L,hidden), before gelu
  float *keep1, *keep2;         // (L,width), factors of dropout; null: none
};

struct Tape {
  std::vector<BlockTape> blocks;
  NormTape norm;
  float *keep, *x, *lse, *tail;  // (L,width), (L,width), (L), (L)
};

/// All that a window is worked on with.
struct Desk {
  Tape tape;
  float *h, *dh, *x, *t, *dqkv;  // (L,width), (L,3 width)
  float *act, *dact;             // (kBlock,hidden)
  float *dlse, *dtoken;          // (L), (V,width)
};

struct Work {
  const EntropyNetwork& n;
  const EntropyStep& step;
  const Packed& p;
  const std::vector<BackBlock>& back;
  const float* answer;  // (V,width), padded
  float share;          // 1 / number of targets
};

int64_t desk_size(const EntropyNetwork& n, int64_t l) {
  const int64_t line = l * padded(n.width), wide = l * padded(n.hidden), one = padded(l);
  const int64_t block = 8 * line + wide + 2 * one + 2 * padded(n.heads * l);
  return static_cast<int64_t>(n.weights.blocks.size()) * block + 10 * line + 4 * one +
         2 * kBlock * padded(n.hidden) + n.vocabulary * padded(n.width);
}

Desk make_desk(const Work& w, int64_t l, Room& room) {
  const int64_t line = l * w.p.width;
  const bool drops = w.step.dropout > 0;
  const auto keep = [&] { return drops ? room.take(line) : nullptr; };
  const auto norm = [&] { return NormTape{room.take(line), room.take(l)}; };
  Desk d;
  for (size_t i = 0; i < w.p.blocks.size(); ++i) {
    BlockTape b{};
    b.norm1 = norm(), b.norm2 = norm();
    b.qkv = room.take(3 * line), b.a = room.zeros(line);
    b.lse = room.take(w.n.heads * l), b.tail = room.take(w.n.heads * l);
    b.up = room.take(l * w.p.hidden);
    b.keep1 = keep(), b.keep2 = keep();
    d.tape.blocks.push_back(b);
  }
  d.tape.norm = norm();
  d.tape.keep = keep(), d.tape.x = room.take(line);
  d.tape.lse = room.take(l), d.tape.tail = room.take(l);
  d.h = room.take(line), d.dh = room.zeros(line), d.x = room.take(line), d.t = room.zeros(line);
  d.dqkv = room.zeros(3 * line);
  d.act = room.take(kBlock * w.p.hidden), d.dact = room.take(kBlock * w.p.hidden);
  d.dlse = room.take(l), d.dtoken = room.zeros(w.n.vocabulary * w.p.width);
  return d;
}

/// Factors 0 and 1 / (1 - p) of elements row L D ... of the mask of `seed` (attn::nn::dropout).
void draw_mask(const Work& w, int64_t row, uint64_t seed, float* HWY_RESTRICT keep) {
  const double p = w.step.dropout;
  const auto kept = static_cast<float>(1 / (1 - p));
  const auto least = static_cast<uint32_t>(p * 4294967296.0);
  const auto first = static_cast<uint64_t>(row * w.step.length * w.n.width);
  attn::random::Rng draws = attn::random::Rng::at(seed, first / 2);
  uint64_t word = first % 2 == 0 ? 0 : draws.next() >> 32U, n = first;
  for (int64_t t = 0; t < w.step.length; ++t, keep += w.p.width) {
    for (int64_t c = 0; c < w.n.width; ++c, ++n) {
      if (n % 2 == 0) word = draws.next();
      keep[c] = static_cast<uint32_t>(word) < least ? 0.0F : kept;
      word >>= 32U;
    }
    std::fill(keep + w.n.width, keep + w.p.width, 0.0F);
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

void forward_block(const Work& w, const PackedBlock& b, int64_t l, const BlockTape& tape, Desk& d) {
  const Packed& p = w.p;
  const int64_t line = l * p.width;
  layer_norm(w.n, p, l, d.h, b.norm1, d.x, tape.norm1);
  multiply<Start::zero>(l, w.n.width, d.x, p.width, b.qkv, 3 * p.width, tape.qkv, 3 * p.width);
  if (p.cosine != nullptr) rotate(p, l, 1, tape.qkv);
  AttentionOutput<float> out;
  out.out = {tape.a, 0, w.n.width / w.n.heads, p.width};
  out.lse = {tape.lse, 0, l, 1}, out.lse_tail = {tape.tail, 0, l, 1};
  attn::core::attention_forward(self_attention(w.n, p, l, tape.qkv), out, attn::core::Parallel());
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

/// Leaves x and its log-sum-exp on the tape, returns the window's loss.
double forward_window(const Work& w, int64_t row, Desk& d) {
  const int64_t l = w.step.length, line = l * w.p.width;
  if (w.step.dropout > 0) {
    draw_mask(w, row, w.step.seeds[0], d.tape.keep);
    for (size_t i = 0; i < d.tape.blocks.size(); ++i) {
      draw_mask(w, row, w.step.seeds[2 * i + 1], d.tape.blocks[i].keep1);
      draw_mask(w, row, w.step.seeds[2 * i + 2], d.tape.blocks[i].keep2);
    }
  }
  embed(w.p, w.step.ids + row * l, l, d.h);
  masked<false>(line, d.tape.keep, d.h, d.h);
  for (size_t i = 0; i < w.p.blocks.size(); ++i)
    forward_block(w, w.p.blocks[i], l, d.tape.blocks[i], d);
  layer_norm(w.n, w.p, l, d.h, w.p.norm, d.tape.x, d.tape.norm);
  AttentionOutput<float> out;
  out.lse = {d.tape.lse, 0, 0, 1}, out.lse_tail = {d.tape.tail, 0, 0, 1};
  attn::core::attention_forward(read_out(w.n, w.p, l, d.tape.x), out, attn::core::Parallel());
  double loss = 0;
  for (int64_t t = 0; t < l; ++t) {
    const int64_t target = w.step.targets[row * l + t];
    if (target < 0) continue;
    loss += static_cast<double>(d.tape.lse[t]) -
            static_cast<double>(simd::dot_product(d.tape.x + t * w.p.width,
                                                  w.answer + target * w.p.width, w.n.width));
  }
  return loss;
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
HWY_NOINLINE void norm_gradient(const Work& w, int64_t rows, const NormTape& tape,
                                const float* HWY_RESTRICT weight, const float* HWY_RESTRICT dy,
                                float* HWY_RESTRICT dx, float* HWY_RESTRICT dweight) {
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

/// y = hat weight.
HWY_NOINLINE void scaled(const Work& w, int64_t rows, const float* HWY_RESTRICT hat,
                         const float* HWY_RESTRICT weight, float* HWY_RESTRICT y) {
  const Tag d;
  for (int64_t t = 0; t < rows; ++t, hat += w.p.width, y += w.p.width)
    for (int64_t c = 0; c < w.p.width; c += kN)
      hn::Store(hn::Mul(hn::Load(d, hat + c), hn::Load(d, weight + c)), d, y + c);
}

/// The half with the hidden layer: dh of its sum to dh of its input.
void back_hidden(const Work& w, size_t i, int64_t l, Desk& d, Sums& sums) {
  const Packed& p = w.p;
  const BlockTape& tape = d.tape.blocks[i];
  const EntropyBlock<float>& to = sums.blocks[i];
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
void back_attention(const Work& w, size_t i, int64_t l, Desk& d, Sums& sums) {
  const Packed& p = w.p;
  const BlockTape& tape = d.tape.blocks[i];
  const EntropyBlock<float>& to = sums.blocks[i];
  const int64_t head = w.n.width / w.n.heads, row = 3 * p.width;
  masked<false>(l * p.width, tape.keep1, d.dh, d.t);
  add_product(l, d.t, p.width, w.n.width, tape.a, p.width, to.out);
  multiply<Start::zero>(l, w.n.width, d.t, p.width, w.back[i].out, p.width, d.x, p.width);
  AttentionOutput<float> saved;
  saved.out = {tape.a, 0, head, p.width};
  saved.lse = {tape.lse, 0, l, 1}, saved.lse_tail = {tape.tail, 0, l, 1};
  attn::core::AttentionGradient<float> g;
  g.dout = {d.x, 0, head, p.width};
  g.dq = {d.dqkv, 0, head, row}, g.dk = {d.dqkv + p.width, 0, head, row};
  g.dv = {d.dqkv + 2 * p.width, 0, head, row};
  attn::core::attention_backward(self_attention(w.n, p, l, tape.qkv), saved, g,
                                 attn::core::Parallel());
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

HWY_INLINE void add_row(int64_t width, float factor, const float* from, float* HWY_RESTRICT to) {
  const Tag d;
  const auto f = hn::Set(d, factor);
  for (int64_t c = 0; c < width; c += kN)
    hn::Store(hn::MulAdd(f, hn::Load(d, from + c), hn::Load(d, to + c)), d, to + c);
}

/// dh of the last layer's input, from the loss.
void back_read_out(const Work& w, int64_t row, Desk& d, Sums& sums) {
  const int64_t l = w.step.length, width = w.p.width;
  const int64_t* targets = w.step.targets + row * l;
  for (int64_t t = 0; t < l; ++t) d.dlse[t] = targets[t] < 0 ? 0.0F : w.share;
  AttentionOutput<float> saved;
  saved.lse = {d.tape.lse, 0, 0, 1}, saved.lse_tail = {d.tape.tail, 0, 0, 1};
  attn::core::AttentionGradient<float> g;
  g.dlse = {d.dlse, 0, 0, 1};
  g.dq = {d.t, 0, 0, width}, g.dk = {d.dtoken, 0, 0, width};
  attn::core::attention_backward(read_out(w.n, w.p, l, d.tape.x), saved, g, attn::core::Parallel());
  masked<true>(w.n.vocabulary * width, nullptr, d.dtoken, sums.token);
  for (int64_t t = 0; t < l; ++t) {
    if (targets[t] < 0) continue;
    add_row(width, -w.share, w.answer + targets[t] * width, d.t + t * width);
    add_row(width, -w.share, d.tape.x + t * width, sums.answer + targets[t] * width);
  }
  std::fill_n(d.dh, l * width, 0.0F);
  norm_gradient(w, l, d.tape.norm, w.p.norm, d.t, d.dh, sums.norm);
}

HWY_NOINLINE void step_window(const Work& w, int64_t row, Desk& d, Sums& sums) {
  const int64_t l = w.step.length, width = w.p.width;
  sums.loss += forward_window(w, row, d);
  back_read_out(w, row, d, sums);
  for (size_t i = w.p.blocks.size(); i-- > 0;) {
    back_hidden(w, i, l, d, sums);
    back_attention(w, i, l, d, sums);
  }
  masked<false>(l * width, d.tape.keep, d.dh, d.dh);
  for (int64_t t = 0; t < l; ++t) {
    add_row(width, 1, d.dh + t * width, sums.token + w.step.ids[row * l + t] * width);
    if (sums.position != nullptr) add_row(width, 1, d.dh + t * width, sums.position + t * width);
  }
}

/// Each gradient of a piece in turn, with its rows, columns and the place that it is added to.
template <class Each>
void each_sum(const EntropyNetwork& n, int64_t l, const Sums& s, const EntropyWeights<float>& to,
              float* d_answer, const Each& each) {
  const int64_t d = n.width, m = n.hidden;
  for (size_t i = 0; i < s.blocks.size(); ++i) {
    const EntropyBlock<float>&from = s.blocks[i], &block = to.blocks[i];
    each(from.norm1, 1, d, block.norm1), each(from.qkv, 3 * d, d, block.qkv);
    each(from.out, d, d, block.out), each(from.norm2, 1, d, block.norm2);
    each(from.up, m, d, block.up), each(from.down, d, m, block.down);
  }
  each(s.token, n.vocabulary, d, to.token), each(s.answer, n.vocabulary, d, d_answer);
  if (s.position != nullptr) each(s.position, l, d, to.position);
  each(s.norm, 1, d, to.norm);
}

int64_t sums_size(const EntropyNetwork& n, int64_t l) {
  const int64_t width = padded(n.width);
  const int64_t block = (2 + 4 * n.width + n.hidden) * width + n.width * padded(n.hidden);
  return static_cast<int64_t>(n.weights.blocks.size()) * block + (2 * n.vocabulary + l + 1) * width;
}

Sums make_sums(const EntropyNetwork& n, int64_t l, Room& room) {
  const int64_t width = padded(n.width);
  Sums s;
  for (size_t i = 0; i < n.weights.blocks.size(); ++i) {
    EntropyBlock<float> b;
    b.norm1 = room.zeros(width), b.norm2 = room.zeros(width);
    b.qkv = room.zeros(3 * n.width * width), b.out = room.zeros(n.width * width);
    b.up = room.zeros(n.hidden * width), b.down = room.zeros(n.width * padded(n.hidden));
    s.blocks.push_back(b);
  }
  s.token = room.zeros(n.vocabulary * width), s.answer = room.zeros(n.vocabulary * width);
  if (n.weights.position != nullptr) s.position = room.zeros(l * width);
  s.norm = room.zeros(width);
  return s;
}

std::vector<BackBlock> pack_back(const EntropyNetwork& n, Room& room) {
  std::vector<BackBlock> out;
  for (const EntropyBlock<const float>& b : n.weights.blocks)
    out.push_back(
        {pack_rows(room, b.qkv, 3 * n.width, n.width), pack_rows(room, b.out, n.width, n.width),
         pack_rows(room, b.up, n.hidden, n.width), pack_rows(room, b.down, n.width, n.hidden)});
  return out;
}

double entropy_gradients_f32(const EntropyNetwork& n, const EntropyStep& step, int64_t known,
                             const EntropyWeights<float>& gradient, float* d_answer,
                             const attn::core::Parallel& parallel) {
  const int64_t l = step.length, pieces = std::min(kPieces, step.rows);
  Room weights(packed_size(n, l) + sums_size(n, l) + n.vocabulary * padded(n.width));
  const Packed packed = pack(n, l, weights);
  const std::vector<BackBlock> back = pack_back(n, weights);
  const float* answer = pack_rows(weights, step.answer, n.vocabulary, n.width);
  const Work work{n, step, packed, back, answer, 1.0F / static_cast<float>(known)};
  Room room(pieces * sums_size(n, l));
  std::vector<Sums> sums;
  for (int64_t i = 0; i < pieces; ++i) sums.push_back(make_sums(n, l, room));
  attn::core::run_tasks(parallel, pieces, [&](int64_t i) {
    Room mine(desk_size(n, l));
    Desk desk = make_desk(work, l, mine);
    for (int64_t r = i * step.rows / pieces; r < (i + 1) * step.rows / pieces; ++r)
      step_window(work, r, desk, sums[static_cast<size_t>(i)]);
  });
  double loss = 0;
  for (const Sums& s : sums) {
    loss += s.loss;
    each_sum(n, l, s, gradient, d_answer,
             [](const float* from, int64_t rows, int64_t columns, float* to) {
               for (int64_t r = 0; r < rows; ++r)
                 for (int64_t c = 0; c < columns; ++c)
                   to[r * columns + c] += from[r * padded(columns) + c];
             });
  }
  return loss / static_cast<double>(known);
}

}  // namespace timeseries::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace timeseries {

HWY_EXPORT(entropy_gradients_f32);

double entropy_gradients(const EntropyNetwork& network, const EntropyStep& step,
                         const EntropyWeights<float>& gradient, float* d_answer,
                         const attn::core::Parallel& parallel) {
  const int64_t count = step.rows * step.length;
  const int64_t known =
      std::count_if(step.targets, step.targets + count, [](int64_t id) { return id >= 0; });
  if (known == 0) return 0;
  return HWY_DYNAMIC_DISPATCH(entropy_gradients_f32)(network, step, known, gradient, d_answer,
                                                     parallel);
}

}  // namespace timeseries
#endif  // HWY_ONCE
