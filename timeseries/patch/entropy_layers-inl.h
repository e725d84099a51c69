// Per-target pieces of the entropy model's network beside its blocks
// (libattn/core/encoder_rows-inl.h). Included once per target.
#if defined(TIMESERIES_ENTROPY_LAYERS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TIMESERIES_ENTROPY_LAYERS_INL_H_
#undef TIMESERIES_ENTROPY_LAYERS_INL_H_
#else
#define TIMESERIES_ENTROPY_LAYERS_INL_H_
#endif

#include <algorithm>
#include <vector>

#include "hwy/highway.h"
#include "libattn/core/encoder_rows-inl.h"
#include "timeseries/patch/entropy_kernel.h"

HWY_BEFORE_NAMESPACE();
namespace timeseries::HWY_NAMESPACE {

using namespace attn::core::encoder::HWY_NAMESPACE;

/// Of what stands before and behind the blocks.
struct PackedWords {
  const float *norm = nullptr, *token = nullptr, *position = nullptr;
};

/// Numbers that pack_words() takes from its room.
inline int64_t packed_words_size(const EntropyNetwork& n, int64_t length) {
  return (1 + n.vocabulary + length) * padded(n.width);
}

inline PackedWords pack_words(const EntropyNetwork& n, int64_t length, Room& room) {
  PackedWords p;
  p.norm = pack_rows(room, n.norm, 1, n.width);
  p.token = pack_rows(room, n.token, n.vocabulary, n.width);
  if (n.position != nullptr) p.position = pack_rows(room, n.position, length, n.width);
  return p;
}

/// The logits x_t . token_v as attention, of which only statistics are wanted.
inline attn::core::AttentionInput<float> read_out(const EntropyNetwork& n, const PackedWords& p,
                                                  int64_t length, const float* x) {
  const int64_t width = padded(n.width);
  attn::core::AttentionInput<float> in;
  in.batch = in.heads = 1, in.nq = length, in.nk = n.vocabulary, in.d = n.width, in.dv = 0;
  in.q = {x, 0, 0, width}, in.k = {p.token, 0, 0, width}, in.v = {p.token, 0, 0, width};
  return in;
}

/// h = E[id] + P[t].
inline void embed(const PackedWords& p, int64_t width, const int64_t* ids, int64_t length,
                  float* HWY_RESTRICT h) {
  for (int64_t t = 0; t < length; ++t, h += width) {
    const float* token = p.token + ids[t] * width;
    for (int64_t c = 0; c < width; ++c)
      h[c] = token[c] + (p.position != nullptr ? p.position[t * width + c] : 0.0F);
  }
}

}  // namespace timeseries::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // TIMESERIES_ENTROPY_LAYERS_INL_H_
