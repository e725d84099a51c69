// Cases of attention with any set of the kernels' options.
#pragma once

#include <cstdint>
#include <random>

#include "tests/libattn/core/reference.h"

namespace attn::test {

/// Every option of the kernels by a bit, on a case.
enum Option : unsigned {
  kGroups = 1,
  kWindow = 2,
  kCap = 4,
  kSlope = 8,
  kSink = 16,
  kDrop = 32,
  kMass = 64,
  kBias = 128,
  kMask = 256,
  kCausal = 512,
  kTopLeft = 1024,
  kAll = 2048
};

template <class T>
AttentionCase<T> case_with(unsigned options, int64_t nq, int64_t nk, uint64_t seed, int64_t d = 9,
                           int64_t dv = 11) {
  AttentionCase<T> c(2, 4, nq, nk, d, dv);
  if ((options & kGroups) != 0) c.g = 2;
  c.fill(seed);
  std::mt19937_64 random(seed);
  if ((options & kWindow) != 0) c.window_left = 5, c.window_right = 3;
  if ((options & kCap) != 0) c.softcap = 1.5;
  if ((options & kSlope) != 0) c.draw(random, c.slope, c.b * c.h, 0.2);
  if ((options & kSink) != 0) c.draw(random, c.sink, c.h, 2);
  if ((options & kDrop) != 0) c.dropout = 0.3, c.seed = 0x123456789abcdefULL;
  if ((options & kMass) != 0) c.draw(random, c.dmass, c.b * c.h * c.nk, 1);
  if ((options & kBias) != 0) c.draw(random, c.bias, c.b * c.h * c.nq * c.nk, 1);
  if ((options & kMask) != 0) {
    c.mask.resize(size_t(c.b * c.nk));
    for (uint8_t& x : c.mask) x = random() % 3 != 0;
  }
  if ((options & kCausal) != 0) c.causal = core::Causal::bottom_right;
  if ((options & kTopLeft) != 0) {
    c.align = core::Align::top_left;
    if ((options & kCausal) != 0) c.causal = core::Causal::top_left;
  }
  return c;
}

}  // namespace attn::test
