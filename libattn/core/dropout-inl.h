// Per-target: which weights dropout keeps, a function of position alone, so that backward finds the
// same ones whatever the blocks. Included once per target.
#if defined(ATTN_DROPOUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTN_DROPOUT_INL_H_
#undef ATTN_DROPOUT_INL_H_
#else
#define ATTN_DROPOUT_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"
#include "libattn/core/attention_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attn::core::HWY_NAMESPACE {

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 4.3)
/// of kN counters at once: c[word][lane] are replaced by the random words.
template <int kN>
HWY_INLINE void philox(uint32_t (&c)[4][kN], uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    for (int lane = 0; lane < kN; ++lane) {
      const uint64_t a = uint64_t{0xD2511F53} * c[0][lane], b = uint64_t{0xCD9E8D57} * c[2][lane];
      const uint32_t c1 = c[1][lane], c3 = c[3][lane];
      c[0][lane] = static_cast<uint32_t>(b >> 32) ^ c1 ^ key0;
      c[1][lane] = static_cast<uint32_t>(b);
      c[2][lane] = static_cast<uint32_t>(a >> 32) ^ c3 ^ key1;
      c[3][lane] = static_cast<uint32_t>(a);
    }
    key0 += 0x9E3779B9, key1 += 0xBB67AE85;
  }
}

/// Panel: keep_ij of keys [key0, key0 + keys), 0 or 1 / (1 - dropout). Counter: (j / 4, i, head of
/// the whole batch, offset), whose word j % 4 decides; key: the seed.
template <class T>
HWY_NOINLINE void keep_factors(const AttentionInput<T>& in, const Head<T>& head,
                               const QueryBlock& block, int64_t key0, int p, int keys,
                               T* HWY_RESTRICT keep) {
  constexpr int kN = kLanes<T>;
  const T kept = static_cast<T>(1 / (1 - in.dropout));
  const auto least = static_cast<uint32_t>(in.dropout * 4294967296.0);
  for (int64_t group = key0 / 4; group * 4 < key0 + keys; ++group) {
    uint32_t c[4][kN];
    for (int lane = 0; lane < kN; ++lane) {
      c[0][lane] = static_cast<uint32_t>(group);
      c[1][lane] = static_cast<uint32_t>(block.first + p * kN + lane);
      c[2][lane] = static_cast<uint32_t>(head.batch * in.heads + head.head);
      c[3][lane] = in.dropout_offset;
    }
    philox(c, static_cast<uint32_t>(in.dropout_seed), static_cast<uint32_t>(in.dropout_seed >> 32));
    for (int word = 0; word < 4; ++word) {
      const int64_t j = group * 4 + word - key0;
      if (j < 0 || j >= keys) continue;
      for (int lane = 0; lane < kN; ++lane)
        keep[j * kN + lane] = c[word][lane] < least ? T(0) : kept;
    }
  }
}

/// Panel: tile *= keep.
template <class T>
HWY_INLINE void multiply_panel(int keys, const T* HWY_RESTRICT by, T* HWY_RESTRICT tile) {
  const Tag<T> d;
  for (int j = 0; j < keys * kLanes<T>; j += kLanes<T>)
    hn::Store(hn::Mul(hn::Load(d, tile + j), hn::Load(d, by + j)), d, tile + j);
}

}  // namespace attn::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // ATTN_DROPOUT_INL_H_
