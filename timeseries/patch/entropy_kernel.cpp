// Entropies without gradient: a window at a time, turned.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "timeseries/patch/entropy_kernel.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "timeseries/patch/entropy_kernel.h"

#include <cmath>
#include <limits>
#include <vector>

#include "hwy/highway.h"
#include "libattn/core/parallel.h"
#include "libattn/core/turned-inl.h"
#include "timeseries/patch/entropy_layers-inl.h"
#include "timeseries/patch/entropy_turned-inl.h"

HWY_BEFORE_NAMESPACE();
namespace timeseries::HWY_NAMESPACE {

/// Numbers of the hidden layer worked on at a time: they stay in the nearest cache.
inline constexpr int64_t kHidden = 6144;

/// What all windows share: L, ld = L padded; which keys a token sees; of each block the weights of
/// keys and values, turned; cosine and sine of rotary positions, by queries (d/2,ld) and by keys
/// (L,D), null without.
struct Shared {
  int64_t length = 0, ld = 0;
  attn::core::TurnedSight<float> sight;
  bool calm = false;  // whether no logit may leave +-kCalm
  std::vector<const float*> key_values;
  const float *cosine = nullptr, *sine = nullptr, *key_cosine = nullptr, *key_sine = nullptr;
};

int64_t shared_size(const EntropyNetwork& n, int64_t length) {
  const auto blocks = static_cast<int64_t>(n.weights.blocks.size());
  return (2 + n.width / n.heads) * padded(length) + blocks * padded(2 * n.width * n.width) +
         2 * padded(length * n.width);
}

/// By the weights alone, so that no token decides how others round: |n(h)| <= sqrt(D) max |w|.
bool is_calm(const EntropyNetwork& n) {
  float greatest = 0, longest = 0;
  for (int64_t c = 0; c < n.width; ++c) greatest = std::max(greatest, std::abs(n.weights.norm[c]));
  for (int64_t v = 0; v < n.vocabulary; ++v) {
    const float* word = n.weights.token + v * n.width;
    longest = std::max(longest, simd::dot_product(word, word, n.width));
  }
  return std::sqrt(static_cast<float>(n.width) * longest) * greatest <= kCalm;
}

Shared share(const EntropyNetwork& n, int64_t length, Room& room) {
  Shared s;
  s.length = length, s.ld = padded(length), s.calm = is_calm(n);
  float *low = room.zeros(s.ld), *high = room.zeros(s.ld);
  for (int64_t t = 0; t < length; ++t) {
    low[t] = static_cast<float>(n.theta > 0 ? std::max<int64_t>(0, t - n.context + 1) : 0);
    high[t] = static_cast<float>(t + 1);
  }
  s.sight = attn::core::sight_of<float>(low, high, length, kN);
  for (const EntropyBlock<const float>& b : n.weights.blocks) {
    float* turned = room.take(2 * n.width * n.width);
    turn_weight(n.width, b.qkv + n.width * n.width, turned);
    s.key_values.push_back(turned);
  }
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

/// Buffers of one window.
struct Buffers {
  float *h, *x, *q;             // (D,ld)
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

void run_block(const EntropyNetwork& n, const Shared& s, size_t number, const Buffers& w) {
  const EntropyBlock<const float>& b = n.weights.blocks[number];
  const int64_t ld = s.ld, piece = hidden_rows(n, ld);
  turned_norm(n.width, ld, w.h, b.norm1, w.x);
  multiply<Start::zero>(n.width, n.width, b.qkv, n.width, w.x, ld, w.q, ld);
  key_rows(n.width, s.length, w.x, ld, s.key_values[number], s.key_cosine, s.key_sine, w.keys);
  if (s.cosine != nullptr) turned_rotate(n.heads, n.width / n.heads, ld, s.cosine, s.sine, w.q);
  turned_attend(n.heads, n.width, s.sight, w.q, ld, w.keys, w.tile, w.x);
  multiply<Start::add>(n.width, n.width, b.out, n.width, w.x, ld, w.h, ld);
  turned_norm(n.width, ld, w.h, b.norm2, w.x);
  for (int64_t m = 0; m < n.hidden; m += piece) {
    const int64_t rows = std::min(piece, n.hidden - m);
    multiply<Start::zero>(rows, n.width, b.up + m * n.width, n.width, w.x, ld, w.hidden, ld);
    simd::gelu_all(rows * ld, w.hidden);
    multiply<Start::add>(n.width, rows, b.down + m, n.hidden, w.hidden, ld, w.h, ld);
  }
}

void finish_window(const EntropyNetwork& n, const Shared& s, const EntropyCall& call, int64_t row,
                   const Buffers& w) {
  const int64_t l = call.length;
  turned_read_out(n.vocabulary, n.width, n.weights.token, s.calm, w.x, s.ld, w.tile, w.lse,
                  w.entropy);
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
  Room room(3 * line + padded(l * n.width) + hidden + tile_size(s) + 2 * s.ld +
            padded(2 * l * n.width));
  const Buffers w{room.take(line),        room.take(line),   room.take(line),
                  room.take(l * n.width), room.take(hidden), room.take(tile_size(s)),
                  room.take(s.ld),        room.take(s.ld),   room.take(2 * l * n.width)};
  for (int64_t r = first; r < last; ++r) {
    embed_turned(n, call.ids + r * l, l, s.ld, w);
    for (size_t b = 0; b < n.weights.blocks.size(); ++b) run_block(n, s, b, w);
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
