// Fused transformer blocks: turned without gradient, by rows with it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libattn/core/encoder.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "libattn/core/encoder.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "hwy/highway.h"
#include "libattn/core/encoder_rows-inl.h"
#include "libattn/core/encoder_tape-inl.h"
#include "libattn/core/encoder_turned-inl.h"
#include "libattn/core/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::encoder::HWY_NAMESPACE {

int64_t longest(const EncoderTokens& in) {
  int64_t most = 1;
  for (int64_t s = 0; s < in.sequences; ++s)
    most = std::max(most, in.offsets[s + 1] - in.offsets[s]);
  return most;
}

/// Sequences [first, last) are worked on together, of about equal numbers of tokens: enough pieces
/// for all threads, few enough that what they share is made seldom.
struct Piece {
  int64_t first = 0, last = 0;
};
std::vector<Piece> pieces_of(const EncoderTokens& in, int64_t tokens_each) {
  std::vector<Piece> pieces;
  for (int64_t s = 0; s < in.sequences;) {
    const int64_t begin = in.offsets[s];
    Piece p{s, s + 1};
    while (p.last < in.sequences && in.offsets[p.last + 1] - begin <= tokens_each) ++p.last;
    pieces.push_back(p);
    s = p.last;
  }
  return pieces;
}

/// One worker's buffers, for sequences of up to `length` tokens.
class TurnedWorker {
 public:
  TurnedWorker(const Encoder& n, int64_t length)
      : n_(n),
        tile_(padded(length) * kN),
        desk_room_(turned_desk_size(n, length, tile_)),
        desk_(turned_desk(n, length, tile_, desk_room_)) {}

  HWY_NOINLINE void run(const float* x, int64_t length, const std::vector<const float*>& key_values,
                        float* out) {
    if (!of_ || of_->length != length) {
      length_room_.emplace(turned_length_size(n_, length));
      of_ = turned_length(n_, length, *length_room_);
    }
    const int64_t ld = of_->ld;
    simd::pack_transposed(x, n_.width, static_cast<int>(length), n_.width, 1.0F, desk_.h, ld,
                          static_cast<int>(ld));
    for (size_t b = 0; b < n_.blocks.size(); ++b) turned_block(n_, *of_, b, key_values[b], desk_);
    for (int64_t t = 0; t < length; ++t)
      for (int64_t c = 0; c < n_.width; ++c) out[t * n_.width + c] = desk_.h[c * ld + t];
  }

 private:
  const Encoder& n_;
  int64_t tile_;
  Room desk_room_;
  TurnedDesk desk_;
  std::optional<Room> length_room_;
  std::optional<TurnedLength> of_;
};

void forward_f32(const Encoder& n, const EncoderTokens& in, float* out, const Parallel& parallel) {
  constexpr int64_t kTokens = 1024;
  const int64_t length = longest(in);
  Room room(turned_weights_size(n) + 1);
  const std::vector<const float*> key_values = turn_weights(n, room);
  const std::vector<Piece> pieces = pieces_of(in, kTokens);
  run_tasks(parallel, static_cast<int64_t>(pieces.size()), [&](int64_t i) {
    const Piece& p = pieces[static_cast<size_t>(i)];
    TurnedWorker worker(n, length);
    for (int64_t s = p.first; s < p.last; ++s) {
      const int64_t begin = in.offsets[s], tokens = in.offsets[s + 1] - begin;
      if (tokens > 0) worker.run(in.x + begin * n.width, tokens, key_values, out + begin * n.width);
    }
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
}

void training_forward_f32(const Encoder& n, const EncoderTokens& in, const EncoderDropout& dropout,
                          float* out, const Parallel& parallel) {
  const int64_t length = longest(in);
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
  const int64_t length = longest(in), pieces = std::min(kPieces, in.sequences);
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
