// Fused transformer blocks: turned without gradient, by rows with it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/encoder.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "libattn/core/encoder.h"

#include <algorithm>
#include <vector>

#include "hwy/highway.h"
#include "libattn/core/encoder_rows-inl.h"
#include "libattn/core/encoder_sequences-inl.h"
#include "libattn/core/encoder_tape-inl.h"
#include "libattn/core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::encoder::HWY_NAMESPACE {

void forward_f32(const Encoder& n, const EncoderTokens& in, float* out, const Parallel& parallel) {
  const std::vector<float> ones(static_cast<size_t>(n.width), 1.0F);
  over_turned(
      n, {in.offsets, in.sequences}, 0, parallel,
      [&](const TurnedDesk& w, const TokenRange& of, float*) HWY_ATTR {
        simd::pack_transposed(in.x + of.begin * n.width, n.width, static_cast<int>(of.tokens),
                              n.width, 1.0F, w.h, of.ld, static_cast<int>(of.ld));
      },
      [&](const TurnedDesk& w, const TokenRange& of, float*) HWY_ATTR {
        if (n.last_norm) turned_norm(n.width, of.ld, w.h, ones.data(), w.h);
        simd::pack_transposed(w.h, of.ld, static_cast<int>(n.width), of.tokens, 1.0F,
                              out + of.begin * n.width, n.width, static_cast<int>(n.width));
      });
}

/// (rows, D) to rows of padded width, and back.
void widen(const Work& w, int64_t rows, const float* from, float* to) {
  for (int64_t t = 0; t < rows; ++t) {
    std::copy_n(from + t * w.n.width, w.n.width, to + t * w.p.width);
    std::fill(to + t * w.p.width + w.n.width, to + (t + 1) * w.p.width, 0.0F);
  }
}
void narrow(const Work& w, int64_t rows, const float* from, float* to) {
  for (int64_t t = 0; t < rows; ++t)
    std::copy_n(from + t * w.p.width, w.n.width, to + t * w.n.width);
}

/// The forward pass of sequence s, left in the desk.
HWY_NOINLINE void enter(const Work& w, const EncoderTokens& in, const EncoderDropout& dropout,
                        int64_t s, Desk& desk) {
  const int64_t begin = in.offsets[s], l = in.offsets[s + 1] - begin;
  draw_masks(w, begin, l, dropout.seeds.data(), desk);
  widen(w, l, in.x + begin * w.n.width, desk.h);
  forward_sequence(w, l, desk);
  if (w.n.last_norm) layer_norm(w.n, w.p, l, desk.h, w.p.real, desk.h, desk.last);
}

void training_forward_f32(const Encoder& n, const EncoderTokens& in, const EncoderDropout& dropout,
                          float* out, const Parallel& parallel) {
  const int64_t length = longest({in.offsets, in.sequences});
  Room weights(packed_size(n, length));
  const Packed packed = pack(n, length, weights);
  const std::vector<BackBlock> none;
  const Work work{n, packed, none, dropout.share};
  const int64_t pieces = std::min(kPieces, in.sequences);
  run_tasks(parallel, pieces, [&](int64_t i) {
    Room mine(desk_size(n, length));
    Desk desk = make_desk(work, length, mine);
    for (int64_t s = i * in.sequences / pieces; s < (i + 1) * in.sequences / pieces; ++s) {
      const int64_t begin = in.offsets[s], l = in.offsets[s + 1] - begin;
      if (l == 0) continue;
      enter(work, in, dropout, s, desk);
      narrow(work, l, desk.h, out + begin * n.width);
    }
  });
}

void backward_f32(const Encoder& n, const EncoderTokens& in, const EncoderDropout& dropout,
                  const float* dout, float* dx, const std::vector<EncoderBlock<float>>& gradient,
                  const Parallel& parallel) {
  const int64_t length = longest({in.offsets, in.sequences}),
                pieces = std::min(kPieces, in.sequences);
  Room weights(packed_size(n, length) + back_size(n));
  const Packed packed = pack(n, length, weights);
  const std::vector<BackBlock> back = pack_back(n, weights);
  const Work work{n, packed, back, dropout.share};
  Room room(pieces * back_size(n) + 1);
  std::vector<std::vector<EncoderBlock<float>>> sums;
  for (int64_t i = 0; i < pieces; ++i) sums.push_back(make_sums(n, room));
  run_tasks(parallel, pieces, [&](int64_t i) {
    Room mine(desk_size(n, length));
    Desk desk = make_desk(work, length, mine);
    for (int64_t s = i * in.sequences / pieces; s < (i + 1) * in.sequences / pieces; ++s) {
      const int64_t begin = in.offsets[s], l = in.offsets[s + 1] - begin;
      if (l == 0) continue;
      enter(work, in, dropout, s, desk);
      widen(work, l, dout + begin * n.width, desk.dh);
      if (n.last_norm) back_last_norm(work, l, desk);
      back_sequence(work, l, desk, sums[static_cast<size_t>(i)]);
      narrow(work, l, desk.dh, dx + begin * n.width);
    }
  });
  for (const auto& each : sums) each_sum(n, each, gradient, add_rows);
}

}  // namespace attn::core::encoder::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attn::core::encoder {

HWY_EXPORT(forward_f32);
HWY_EXPORT(training_forward_f32);
HWY_EXPORT(backward_f32);

void forward(const Encoder& n, const EncoderTokens& tokens, float* out, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(forward_f32)(n, tokens, out, parallel);
}
void training_forward(const Encoder& n, const EncoderTokens& tokens, const EncoderDropout& dropout,
                      float* out, const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(training_forward_f32)(n, tokens, dropout, out, parallel);
}
void backward(const Encoder& n, const EncoderTokens& tokens, const EncoderDropout& dropout,
              const float* dout, float* dx, const std::vector<EncoderBlock<float>>& gradient,
              const Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(backward_f32)(n, tokens, dropout, dout, dx, gradient, parallel);
}

}  // namespace attn::core::encoder

namespace attn::core {

void encoder_forward(const Encoder& network, const EncoderTokens& tokens, float* out,
                     const Parallel& parallel) {
  encoder::forward(network, tokens, out, parallel);
}
void encoder_forward(const Encoder& network, const EncoderTokens& tokens,
                     const EncoderDropout& dropout, float* out, const Parallel& parallel) {
  if (dropout.share > 0) {
    encoder::training_forward(network, tokens, dropout, out, parallel);
  } else {
    encoder::forward(network, tokens, out, parallel);
  }
}
void encoder_backward(const Encoder& network, const EncoderTokens& tokens,
                      const EncoderDropout& dropout, const float* dout, float* dx,
                      const std::vector<EncoderBlock<float>>& gradient, const Parallel& parallel) {
  encoder::backward(network, tokens, dropout, dout, dx, gradient, parallel);
}

}  // namespace attn::core
#endif  // HWY_ONCE
