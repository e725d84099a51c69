// Entropies without gradient: a window at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "timeseries/patch/entropy_kernel.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "timeseries/patch/entropy_kernel.h"

#include <limits>

#include "hwy/highway.h"
#include "libattn/core/parallel.h"
#include "timeseries/patch/entropy_layers-inl.h"

HWY_BEFORE_NAMESPACE();
namespace timeseries::HWY_NAMESPACE {

/// Buffers of one window.
struct Buffers {
  float *h, *x, *qkv, *tile, *lse;  // (L,width), (L,width), (L,3 width), (kBlock,hidden), (L)
};

void run_block(const EntropyNetwork& n, const Packed& p, const PackedBlock& b, int64_t length,
               const Buffers& w) {
  layer_norm(n, p, length, w.h, b.norm1, w.x);
  multiply<Start::zero>(length, n.width, w.x, p.width, b.qkv, 3 * p.width, w.qkv, 3 * p.width);
  if (p.cosine != nullptr) rotate(p, length, 1, w.qkv);
  attn::core::AttentionOutput<float> out;
  out.out = {w.x, 0, n.width / n.heads, p.width};
  attn::core::attention_forward(self_attention(n, p, length, w.qkv), out, attn::core::Parallel());
  multiply<Start::add>(length, n.width, w.x, p.width, b.out, p.width, w.h, p.width);
  layer_norm(n, p, length, w.h, b.norm2, w.x);
  for (int64_t t = 0; t < length; t += kBlock) {
    const int64_t rows = std::min<int64_t>(kBlock, length - t);
    multiply<Start::zero>(rows, n.width, w.x + t * p.width, p.width, b.up, p.hidden, w.tile,
                          p.hidden);
    gelu_all(rows * p.hidden, w.tile);
    multiply<Start::add>(rows, n.hidden, w.tile, p.hidden, b.down, p.width, w.h + t * p.width,
                         p.width);
  }
}

void finish_window(const EntropyNetwork& n, const Packed& p, const EntropyCall& call, int64_t row,
                   const Buffers& w) {
  const int64_t l = call.length;
  attn::core::AttentionOutput<float> out;
  if (call.entropy != nullptr) out.entropy = {call.entropy + row * l, 0, 0, 1};
  out.lse = {w.lse, 0, 0, 1};
  attn::core::attention_forward(read_out(n, p, l, w.x), out, attn::core::Parallel());
  if (call.loss == nullptr) return;
  const int64_t* targets = call.targets + row * l;
  for (int64_t t = 0; t < l; ++t)
    call.loss[row * l + t] =
        targets[t] < 0 ? std::numeric_limits<float>::quiet_NaN()
                       : w.lse[t] - simd::dot_product(w.x + t * p.width,
                                                      p.token + targets[t] * p.width, n.width);
}

HWY_NOINLINE void run_rows(const EntropyNetwork& n, const Packed& p, const EntropyCall& call,
                           int64_t first, int64_t last) {
  const int64_t l = call.length, line = l * p.width;
  Room room(5 * line + kBlock * p.hidden + padded(l));
  // Features beyond the real ones are read, with weight 0, and must be finite.
  const Buffers w{room.take(line), room.zeros(line), room.take(3 * line),
                  room.take(kBlock * p.hidden), room.take(l)};
  for (int64_t r = first; r < last; ++r) {
    embed(p, call.ids + r * l, l, w.h);
    for (const PackedBlock& b : p.blocks) run_block(n, p, b, l, w);
    layer_norm(n, p, l, w.h, p.norm, w.x);
    finish_window(n, p, call, r, w);
  }
}

void next_entropies_f32(const EntropyNetwork& network, const EntropyCall& call,
                        const attn::core::Parallel& parallel) {
  Room room(packed_size(network, call.length));
  const Packed packed = pack(network, call.length, room);
  const int64_t piece = std::clamp<int64_t>(call.rows / (4 * std::max(parallel.threads, 1)), 1, 16);
  attn::core::run_tasks(parallel, (call.rows + piece - 1) / piece, [&](int64_t task) {
    run_rows(network, packed, call, task * piece, std::min((task + 1) * piece, call.rows));
  });
}

}  // namespace timeseries::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace timeseries {

HWY_EXPORT(next_entropies_f32);

void next_entropies(const EntropyNetwork& network, const EntropyCall& call,
                    const attn::core::Parallel& parallel) {
  if (call.rows == 0 || call.length == 0) return;
  HWY_DYNAMIC_DISPATCH(next_entropies_f32)(network, call, parallel);
}

}  // namespace timeseries
#endif  // HWY_ONCE
