// Entropies without gradient: a window at a time, turned.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "timeseries/patch/entropy_kernel.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "timeseries/patch/entropy_kernel.h"

#include <cmath>
#include <limits>

#include "hwy/highway.h"
#include "libattn/core/parallel.h"
#include "libattn/core/turned-inl.h"
#include "timeseries/patch/entropy_layers-inl.h"
#include "timeseries/patch/entropy_turned-inl.h"

HWY_BEFORE_NAMESPACE();
namespace timeseries::HWY_NAMESPACE {

/// Numbers of the hidden layer worked on at a time: they stay in the nearest cache.
inline constexpr int64_t kHidden = 6144;

/// What all windows share: L, ld = L padded; which keys a token sees; cosine and sine of rotary
/// positions (d/2,ld), null without.
struct Shared {
  int64_t length = 0, ld = 0;
  attn::core::TurnedSight<float> sight;
  const float *cosine = nullptr, *sine = nullptr;
};

int64_t shared_size(const EntropyNetwork& n, int64_t length) {
  return (2 + n.width / n.heads) * padded(length);
}

Shared share(const EntropyNetwork& n, int64_t length, Room& room) {
  Shared s;
  s.length = length, s.ld = padded(length);
  float *low = room.zeros(s.ld), *high = room.zeros(s.ld);
  for (int64_t t = 0; t < length; ++t) {
    low[t] = static_cast<float>(n.theta > 0 ? std::max<int64_t>(0, t - n.context + 1) : 0);
    high[t] = static_cast<float>(t + 1);
  }
  s.sight = attn::core::sight_of<float>(low, high, length, kN);
  if (n.theta == 0) return s;
  float *cosine = room.zeros(n.width / n.heads / 2 * s.ld),
        *sine = room.zeros(n.width / n.heads / 2 * s.ld);
  fill_angles(n.width / n.heads, n.theta, length, s.ld, cosine, sine);
  s.cosine = cosine, s.sine = sine;
  return s;
}

/// Buffers of one window.
struct Buffers {
  float *h, *x, *qkv;           // (D,ld), (D,ld), (3D,ld)
  float *rows, *hidden, *tile;  // (L,D); kHidden or one row; of attention and read-out
  float *lse, *entropy;         // (ld)
  float* keys;                  // (L,2D): keys and values by tokens
};

int64_t tile_size(const Shared& s) {
  return std::max(s.sight.most() * kN, kWords * kStrip);
}

int64_t hidden_rows(const EntropyNetwork& n, int64_t ld) {
  return std::clamp<int64_t>(kHidden / ld, 1, n.hidden);
}

/// h = E[id] + P[t].
void embed_turned(const EntropyNetwork& n, const int64_t* ids, int64_t length, int64_t ld,
                  const Buffers& w) {
  for (int64_t t = 0; t < length; ++t) {
    const float* token = n.weights.token + ids[t] * n.width;
    float* to = w.rows + t * n.width;
    if (n.weights.position == nullptr) {
      std::copy_n(token, n.width, to);
      continue;
    }
    const float* position = n.weights.position + t * n.width;
    for (int64_t c = 0; c < n.width; ++c) to[c] = token[c] + position[c];
  }
  simd::pack_transposed(w.rows, n.width, static_cast<int>(length), n.width, 1.0F, w.h, ld,
                        static_cast<int>(ld));
}

void attend(const EntropyNetwork& n, const Shared& s, const Buffers& w) {
  if (s.cosine != nullptr)
    turned_rotate(2 * n.heads, n.width / n.heads, s.ld, s.cosine, s.sine, w.qkv);
  turned_attend(n.heads, n.width, s.sight, w.qkv, w.qkv + n.width * s.ld, s.length, s.ld, s.ld,
                w.keys, w.tile, w.x);
}

void run_block(const EntropyNetwork& n, const Shared& s, const EntropyBlock<const float>& b,
               const Buffers& w) {
  const int64_t ld = s.ld, piece = hidden_rows(n, ld);
  turned_norm(n.width, ld, w.h, b.norm1, w.x);
  multiply<Start::zero>(3 * n.width, n.width, b.qkv, n.width, w.x, ld, w.qkv, ld);
  attend(n, s, w);
  multiply<Start::add>(n.width, n.width, b.out, n.width, w.x, ld, w.h, ld);
  turned_norm(n.width, ld, w.h, b.norm2, w.x);
  for (int64_t m = 0; m < n.hidden; m += piece) {
    const int64_t rows = std::min(piece, n.hidden - m);
    multiply<Start::zero>(rows, n.width, b.up + m * n.width, n.width, w.x, ld, w.hidden, ld);
    gelu_all(rows * ld, w.hidden);
    multiply<Start::add>(n.width, rows, b.down + m, n.hidden, w.hidden, ld, w.h, ld);
  }
}

void finish_window(const EntropyNetwork& n, const Shared& s, const EntropyCall& call, int64_t row,
                   const Buffers& w) {
  const int64_t l = call.length;
  turned_read_out(n.vocabulary, n.width, n.weights.token, w.x, s.ld, w.tile, w.lse, w.entropy);
  if (call.entropy != nullptr) std::copy_n(w.entropy, l, call.entropy + row * l);
  if (call.loss == nullptr) return;
  for (int64_t t = 0; t < l; ++t) {
    const int64_t target = call.targets[row * l + t];
    float logit = 0;
    for (int64_t c = 0; target >= 0 && c < n.width; ++c)
      logit += w.x[c * s.ld + t] * n.weights.token[target * n.width + c];
    call.loss[row * l + t] =
        target < 0 ? std::numeric_limits<float>::quiet_NaN() : w.lse[t] - logit;
  }
}

HWY_NOINLINE void run_rows(const EntropyNetwork& n, const Shared& s, const EntropyCall& call,
                           int64_t first, int64_t last) {
  const int64_t l = call.length, line = n.width * s.ld, hidden = hidden_rows(n, s.ld) * s.ld;
  Room room(5 * line + padded(l * n.width) + hidden + tile_size(s) + 2 * s.ld +
            padded(2 * l * n.width));
  const Buffers w{room.take(line),        room.take(line),   room.take(3 * line),
                  room.take(l * n.width), room.take(hidden), room.take(tile_size(s)),
                  room.take(s.ld),        room.take(s.ld),
                  room.take(2 * l * n.width)};
  for (int64_t r = first; r < last; ++r) {
    embed_turned(n, call.ids + r * l, l, s.ld, w);
    for (const EntropyBlock<const float>& b : n.weights.blocks) run_block(n, s, b, w);
    turned_norm(n.width, s.ld, w.h, n.weights.norm, w.x);
    finish_window(n, s, call, r, w);
  }
}

void next_entropies_f32(const EntropyNetwork& network, const EntropyCall& call,
                        const attn::core::Parallel& parallel) {
  Room room(shared_size(network, call.length));
  const Shared shared = share(network, call.length, room);
  const int64_t piece = std::clamp<int64_t>(call.rows / (4 * std::max(parallel.threads, 1)), 1, 16);
  attn::core::run_tasks(parallel, (call.rows + piece - 1) / piece, [&](int64_t task) {
    run_rows(network, shared, call, task * piece, std::min((task + 1) * piece, call.rows));
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
