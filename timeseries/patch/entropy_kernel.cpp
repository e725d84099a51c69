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

/// What all windows share.
struct Shared {
  TurnedLength of;
  std::vector<const float*> key_values;
  bool calm = false;  // whether no logit may leave +-kCalm
};

int64_t shared_size(const EntropyNetwork& n, int64_t length) {
  return turned_weights_size(n) + turned_length_size(n, length);
}

/// By the weights alone, so that no token decides how others round: |n(h)| <= sqrt(D) max |w|.
bool is_calm(const EntropyNetwork& n) {
  float greatest = 0, longest = 0;
  for (int64_t c = 0; c < n.width; ++c) greatest = std::max(greatest, std::abs(n.norm[c]));
  for (int64_t v = 0; v < n.vocabulary; ++v) {
    const float* word = n.token + v * n.width;
    longest = std::max(longest, simd::dot_product(word, word, n.width));
  }
  return std::sqrt(static_cast<float>(n.width) * longest) * greatest <= kCalm;
}

/// Buffers of one window.
struct Buffers {
  TurnedDesk desk;
  float* rows;           // (L,D)
  float *lse, *entropy;  // (ld)
};

int64_t tile_size(const Shared& s) {
  return std::max(s.of.sight.most() * kN, kWords * kStrip);
}

/// h = E[id] + P[t].
void embed_turned(const EntropyNetwork& n, const int64_t* ids, int64_t length, int64_t ld,
                  const Buffers& w) {
  for (int64_t t = 0; t < length; ++t) {
    const float* token = n.token + ids[t] * n.width;
    float* to = w.rows + t * n.width;
    if (n.position == nullptr) {
      std::copy_n(token, n.width, to);
      continue;
    }
    const float* position = n.position + t * n.width;
    for (int64_t c = 0; c < n.width; ++c) to[c] = token[c] + position[c];
  }
  simd::pack_transposed(w.rows, n.width, static_cast<int>(length), n.width, 1.0F, w.desk.h, ld,
                        static_cast<int>(ld));
}

void finish_window(const EntropyNetwork& n, const Shared& s, const EntropyCall& call, int64_t row,
                   const Buffers& w) {
  const int64_t l = call.length;
  turned_read_out(n.vocabulary, n.width, n.token, s.calm, w.desk.x, s.of.ld, w.desk.tile, w.lse,
                  w.entropy);
  if (call.entropy != nullptr) std::copy_n(w.entropy, l, call.entropy + row * l);
  if (call.loss == nullptr) return;
  for (int64_t t = 0; t < l; ++t) {
    const int64_t target = call.targets[row * l + t];
    float logit = 0;
    for (int64_t c = 0; target >= 0 && c < n.width; ++c)
      logit += w.desk.x[c * s.of.ld + t] * n.token[target * n.width + c];
    call.loss[row * l + t] =
        target < 0 ? std::numeric_limits<float>::quiet_NaN() : w.lse[t] - logit;
  }
}

HWY_NOINLINE void run_rows(const EntropyNetwork& n, const Shared& s, const EntropyCall& call,
                           int64_t first, int64_t last) {
  const int64_t l = call.length, ld = s.of.ld, tile = tile_size(s);
  Room room(turned_desk_size(n, l, tile) + padded(l * n.width) + 2 * ld);
  const Buffers w{turned_desk(n, l, tile, room), room.take(l * n.width), room.take(ld),
                  room.take(ld)};
  for (int64_t r = first; r < last; ++r) {
    embed_turned(n, call.ids + r * l, l, ld, w);
    for (size_t b = 0; b < n.blocks.size(); ++b) turned_block(n, s.of, b, s.key_values[b], w.desk);
    turned_norm(n.width, ld, w.desk.h, n.norm, w.desk.x);
    finish_window(n, s, call, r, w);
  }
}

void next_entropies_f32(const EntropyNetwork& network, const EntropyCall& call,
                        const attn::core::Parallel& parallel) {
  Room room(shared_size(network, call.length));
  Shared shared{turned_length(network, call.length, room), turn_weights(network, room),
                is_calm(network)};
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
