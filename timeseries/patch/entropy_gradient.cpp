// The gradient of the entropy model's loss: each window forward, with what its way back needs left
// in a core's own cache, and back.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "timeseries/patch/entropy_gradient.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include <algorithm>
#include <vector>

#include "hwy/highway.h"
#include "libattn/core/encoder_tape-inl.h"
#include "libattn/core/parallel.h"
#include "timeseries/patch/entropy_kernel.h"
#include "timeseries/patch/entropy_layers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace timeseries::HWY_NAMESPACE {

using attn::core::AttentionOutput;

/// The gradients of one piece, laid out as BackBlock, (V,width), (L,width).
struct Sums {
  std::vector<attn::core::EncoderBlock<float>> blocks;
  float *token = nullptr, *answer = nullptr, *position = nullptr, *norm = nullptr;
  double loss = 0;
};

/// All that a window is worked on with.
struct EntropyDesk {
  Desk desk;
  NormTape norm;
  float *keep, *x, *lse, *tail;  // (L,width), (L,width), (L), (L)
  float *dlse, *dtoken;          // (L), (V,width)
};

struct WordWork {
  const EntropyNetwork& n;
  const EntropyStep& step;
  const Work& blocks;
  const PackedWords& p;
  const float* answer;  // (V,width), padded
  float share;          // 1 / number of targets

  int64_t width() const { return blocks.p.width; }
};

int64_t entropy_desk_size(const EntropyNetwork& n, int64_t l) {
  const int64_t line = l * padded(n.width), one = padded(l);
  return desk_size(n, l) + 3 * line + 4 * one + n.vocabulary * padded(n.width);
}

EntropyDesk make_entropy_desk(const WordWork& w, int64_t l, Room& room) {
  const int64_t line = l * w.width();
  EntropyDesk d;
  d.desk = make_desk(w.blocks, l, room);
  d.norm = norm_tape(l, w.width(), room);
  d.keep = w.step.dropout > 0 ? room.take(line) : nullptr, d.x = room.take(line);
  d.lse = room.take(l), d.tail = room.take(l);
  d.dlse = room.take(l), d.dtoken = room.zeros(w.n.vocabulary * w.width());
  return d;
}

/// Leaves x and its log-sum-exp on the tape, returns the window's loss.
double forward_window(const WordWork& w, int64_t row, EntropyDesk& d) {
  const int64_t l = w.step.length, width = w.width();
  if (w.step.dropout > 0) {
    draw_mask(w.blocks, row * l, l, w.step.seeds[0], d.keep);
    draw_masks(w.blocks, row * l, l, w.step.seeds.data() + 1, d.desk);
  }
  embed(w.p, width, w.step.ids + row * l, l, d.desk.h);
  masked<false>(l * width, d.keep, d.desk.h, d.desk.h);
  forward_sequence(w.blocks, l, d.desk);
  layer_norm(w.n, w.blocks.p, l, d.desk.h, w.p.norm, d.x, d.norm);
  AttentionOutput<float> out;
  out.lse = {d.lse, 0, 0, 1}, out.lse_tail = {d.tail, 0, 0, 1};
  attn::core::attention_forward(read_out(w.n, w.p, l, d.x), out, attn::core::Parallel());
  double loss = 0;
  for (int64_t t = 0; t < l; ++t) {
    const int64_t target = w.step.targets[row * l + t];
    if (target < 0) continue;
    loss +=
        static_cast<double>(d.lse[t]) - static_cast<double>(simd::dot_product(
                                            d.x + t * width, w.answer + target * width, w.n.width));
  }
  return loss;
}

HWY_INLINE void add_row(int64_t width, float factor, const float* from, float* HWY_RESTRICT to) {
  const Tag d;
  const auto f = hn::Set(d, factor);
  for (int64_t c = 0; c < width; c += kN)
    hn::Store(hn::MulAdd(f, hn::Load(d, from + c), hn::Load(d, to + c)), d, to + c);
}

/// dh of the last layer's input, from the loss.
void back_read_out(const WordWork& w, int64_t row, EntropyDesk& d, Sums& sums) {
  const int64_t l = w.step.length, width = w.width();
  const int64_t* targets = w.step.targets + row * l;
  float* dx = d.desk.t;
  for (int64_t t = 0; t < l; ++t) d.dlse[t] = targets[t] < 0 ? 0.0F : w.share;
  AttentionOutput<float> saved;
  saved.lse = {d.lse, 0, 0, 1}, saved.lse_tail = {d.tail, 0, 0, 1};
  attn::core::AttentionGradient<float> g;
  g.dlse = {d.dlse, 0, 0, 1};
  g.dq = {dx, 0, 0, width}, g.dk = {d.dtoken, 0, 0, width};
  attn::core::attention_backward(read_out(w.n, w.p, l, d.x), saved, g, attn::core::Parallel());
  masked<true>(w.n.vocabulary * width, nullptr, d.dtoken, sums.token);
  for (int64_t t = 0; t < l; ++t) {
    if (targets[t] < 0) continue;
    add_row(width, -w.share, w.answer + targets[t] * width, dx + t * width);
    add_row(width, -w.share, d.x + t * width, sums.answer + targets[t] * width);
  }
  std::fill_n(d.desk.dh, l * width, 0.0F);
  norm_gradient(w.blocks, l, d.norm, w.p.norm, dx, d.desk.dh, sums.norm);
}

HWY_NOINLINE void step_window(const WordWork& w, int64_t row, EntropyDesk& d, Sums& sums) {
  const int64_t l = w.step.length, width = w.width();
  sums.loss += forward_window(w, row, d);
  back_read_out(w, row, d, sums);
  back_sequence(w.blocks, l, d.desk, sums.blocks);
  float* dh = d.desk.dh;
  masked<false>(l * width, d.keep, dh, dh);
  for (int64_t t = 0; t < l; ++t) {
    add_row(width, 1, dh + t * width, sums.token + w.step.ids[row * l + t] * width);
    if (sums.position != nullptr) add_row(width, 1, dh + t * width, sums.position + t * width);
  }
}

/// Adds a piece's gradients where they belong.
void add_sums(const EntropyNetwork& n, int64_t l, const Sums& s, const EntropyWeights<float>& to,
              float* d_answer) {
  each_sum(n, s.blocks, to.blocks, add_rows);
  add_rows(s.token, n.vocabulary, n.width, to.token);
  add_rows(s.answer, n.vocabulary, n.width, d_answer);
  if (s.position != nullptr) add_rows(s.position, l, n.width, to.position);
  add_rows(s.norm, 1, n.width, to.norm);
}

int64_t sums_size(const EntropyNetwork& n, int64_t l) {
  return back_size(n) + (2 * n.vocabulary + l + 1) * padded(n.width);
}

Sums make_all_sums(const EntropyNetwork& n, int64_t l, Room& room) {
  const int64_t width = padded(n.width);
  Sums s;
  s.blocks = make_sums(n, room);
  s.token = room.zeros(n.vocabulary * width), s.answer = room.zeros(n.vocabulary * width);
  if (n.position != nullptr) s.position = room.zeros(l * width);
  s.norm = room.zeros(width);
  return s;
}

double entropy_gradients_f32(const EntropyNetwork& n, const EntropyStep& step, int64_t known,
                             const EntropyWeights<float>& gradient, float* d_answer,
                             const attn::core::Parallel& parallel) {
  const int64_t l = step.length, pieces = std::min(kPieces, step.rows);
  Room weights(packed_size(n, l) + packed_words_size(n, l) + back_size(n) +
               n.vocabulary * padded(n.width));
  const Packed packed = pack(n, l, weights);
  const PackedWords words = pack_words(n, l, weights);
  const std::vector<BackBlock> back = pack_back(n, weights);
  const float* answer = pack_rows(weights, step.answer, n.vocabulary, n.width);
  const Work blocks{n, packed, back, step.dropout};
  const WordWork work{n, step, blocks, words, answer, 1.0F / static_cast<float>(known)};
  Room room(pieces * sums_size(n, l));
  std::vector<Sums> sums;
  for (int64_t i = 0; i < pieces; ++i) sums.push_back(make_all_sums(n, l, room));
  attn::core::run_tasks(parallel, pieces, [&](int64_t i) {
    Room mine(entropy_desk_size(n, l));
    EntropyDesk desk = make_entropy_desk(work, l, mine);
    for (int64_t r = i * step.rows / pieces; r < (i + 1) * step.rows / pieces; ++r)
      step_window(work, r, desk, sums[static_cast<size_t>(i)]);
  });
  double loss = 0;
  for (const Sums& s : sums) {
    loss += s.loss;
    add_sums(n, l, s, gradient, d_answer);
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
