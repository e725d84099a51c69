// Scores without gradient: the traders of a few lists at a time, turned.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "finance/rank/cross_kernel.cpp"
// clang-format off
#include "hwy/foreach_target.h"
// clang-format on
#include "finance/rank/cross_kernel.h"

#include <algorithm>
#include <vector>

#include "hwy/highway.h"
#include "libattn/core/encoder_sequences-inl.h"
#include "libattn/core/gelu-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finance::HWY_NAMESPACE {

using namespace attn::core::encoder::HWY_NAMESPACE;

/// to (out,ld) = [start] weight (out,in) from (in,ld) + bias; null: none.
template <Start kStart>
HWY_INLINE void dense(int64_t out, int64_t in, const float* weight, const float* bias,
                      const float* from, int64_t ld, float* to) {
  for (int64_t c = 0; c < out; ++c) {
    float* row = to + c * ld;
    if (kStart == Start::zero) {
      std::fill_n(row, ld, bias[c]);
    } else {
      for (int64_t t = 0; t < ld; ++t) row[t] += bias[c];
    }
  }
  multiply<Start::add>(out, in, weight, in, from, ld, to, ld);
}

/// (T, columns) from `begin` on, turned.
HWY_INLINE void turn(const float* from, int64_t columns, const TokenRange& of, float* to) {
  simd::pack_transposed(from + of.begin * columns, columns, static_cast<int>(of.tokens), columns,
                        1.0F, to, of.ld, static_cast<int>(of.ld));
}

/// h, by way of `features` (F,ld).
HWY_NOINLINE void embed(const CrossNetwork& n, const CrossLists& in, const TurnedDesk& w,
                        const TokenRange& of, float* features) {
  const int64_t d = n.blocks.width;
  float* first = n.embed_w2 == nullptr ? w.h : w.x;
  turn(in.features, n.features, of, features);
  if (in.categories == nullptr) {
    dense<Start::zero>(d, n.features, n.embed_w1, n.embed_b1, features, of.ld, first);
  } else {
    turn(in.categories, d, of, first);
    dense<Start::add>(d, n.features, n.embed_w1, n.embed_b1, features, of.ld, first);
  }
  if (n.embed_w2 == nullptr) return;
  simd::gelu_all(d * of.ld, w.x);
  dense<Start::zero>(d, d, n.embed_w2, n.embed_b2, w.x, of.ld, w.h);
}

/// Scores of h; `row` (ld).
HWY_NOINLINE void head(const CrossNetwork& n, const float* ones, const TurnedDesk& w,
                       const TokenRange& of, float* row, float* scores) {
  const int64_t d = n.blocks.width;
  turned_norm(d, of.ld, w.h, ones, w.x);
  const float* last = w.x;
  if (n.head_w1 != nullptr) {
    dense<Start::zero>(d, d, n.head_w1, n.head_b1, w.x, of.ld, w.q);
    simd::gelu_all(d * of.ld, w.q);
    last = w.q;
  }
  dense<Start::zero>(1, d, n.head_w, n.head_b, last, of.ld, row);
  std::copy_n(row, of.tokens, scores + of.begin);
}

void cross_scores_f32(const CrossNetwork& n, const CrossLists& in, float* scores,
                      const attn::core::Parallel& parallel) {
  const std::vector<float> ones(static_cast<size_t>(n.blocks.width), 1.0F);
  over_turned(
      n.blocks, {in.offsets, in.lists}, std::max<int64_t>(n.features, 1), parallel,
      [&](const TurnedDesk& w, const TokenRange& of, float* more)
          HWY_ATTR { embed(n, in, w, of, more); },
      [&](const TurnedDesk& w, const TokenRange& of, float* more)
          HWY_ATTR { head(n, ones.data(), w, of, more, scores); });
}

}  // namespace finance::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finance {

HWY_EXPORT(cross_scores_f32);

void cross_scores(const CrossNetwork& network, const CrossLists& lists, float* scores,
                  const attn::core::Parallel& parallel) {
  HWY_DYNAMIC_DISPATCH(cross_scores_f32)(network, lists, scores, parallel);
}

}  // namespace finance
#endif  // HWY_ONCE
